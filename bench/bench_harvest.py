#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Millions of rows through the practice archive's row limit: exactly once, in little memory, the
same file whatever the number of requests in parallel.

usage: bench/bench_harvest.py [BUILD_FOLDER] [CASE ...]   (default: build/release, all cases)
Stars of the TIC with key and position. Truth is the archive's --dump, compared as a sum of row
digests: order does not matter, a lost or doubled row does, nothing is kept in memory. Memory is
VmHWM of the command. Fails when a row differs, a file differs from the case's first in any byte,
memory reaches 256 MiB, or the requests exceed the case's target, for most that of clustered skies
(3.6 times the lower bound plus 5). The circle's 20 million rows and six runs over them take half an
hour of both cores."""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time

import numpy

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
build = sys.argv[1] if len(sys.argv) > 1 else "build/release"
COLUMNS = "1,14,15" # ID, ra, dec of the dump
MEMORY_MIB = 256
WINDOWS = (4, 1, 8)
# Cells of 13 square degrees all over the sky.
ALL_SKY_MAP = "MOC 4/" + " ".join(str(cell) for cell in range(5, 12 * 4 ** 4, 113))
CASES = { # region, row limits, rows at least, requests: so many lower bounds and 5
    "circle": ("CIRCLE 266 -29 10", (500000, 100000), 20_000_000, 3.6),
    # boxes round cells, which stand on a corner: as cones on clustered skies
    "map": (ALL_SKY_MAP, (100000,), 2_000_000, 5.8),
    "polygon": ("POLYGON 259.4 -17.7 264.5 -13.3 274.8 -4.5 270.4 4.3 267.1 -8 257.6 -10.6", (100000,), 2_000_000, 3.6),
}


def mixed(x):
    """The finaliser of splitmix64 on an array of 64-bit numbers."""
    x = (x ^ x >> numpy.uint64(30)) * numpy.uint64(0xbf58476d1ce4e5b9)
    x = (x ^ x >> numpy.uint64(27)) * numpy.uint64(0x94d049bb133111eb)
    return x ^ x >> numpy.uint64(31)


def digest(stream):
    """Rows of ID,ra,dec and the sum of their digests (128 bits), whatever their order."""
    rows, sums, rest = 0, numpy.zeros(2, numpy.uint64), b""
    while block := stream.read(1 << 22):
        block = rest + block
        end = block.rfind(b"\n") + 1
        block, rest = block[:end], block[end:]
        n = block.count(b"\n")
        values = numpy.fromstring(block.replace(b"\n", b","), sep=",")
        assert len(values) == 3 * n, "a row is not three numbers"
        key, ra, dec = values.view(numpy.uint64).reshape(n, 3).T
        for i, salt in enumerate((0x9e3779b97f4a7c15, 0xd1b54a32d192ed03)):
            row = mixed(key + numpy.uint64(salt))
            row = mixed(row ^ ra)
            sums[i] = (sums[i:i + 1] + mixed(row ^ dec).sum())[0]
        rows += n
    assert not rest, "the last line has no end"
    return rows, sums.tolist()


def truth(region):
    dump = subprocess.Popen([build + "/bin/halyard-practice", "--dump", "tic", "--region", region],
                            stdout=subprocess.PIPE)
    cut = subprocess.Popen(["cut", "-d,", "-f" + COLUMNS], stdin=dump.stdout,
                           stdout=subprocess.PIPE)
    cut.stdout.readline()
    result = digest(cut.stdout)
    assert dump.wait() == 0 and cut.wait() == 0
    return result


def high_water_mib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next((int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM")), 0)


def run(region, limit, window, folder):
    """One run against an archive of its own: the query's entry in the report, MiB, seconds."""
    archive = subprocess.Popen([build + "/bin/halyard-practice", "--row-cap", str(limit)],
                               stdout=subprocess.PIPE, text=True)
    url = archive.stdout.readline().strip()
    start, memory = time.monotonic(), 0
    command = subprocess.Popen(
        [build + "/bin/halyard", "run", SOURCE + "/bench/harvest.lua", "--archive", url, "-o",
         folder, "--quiet", f"--region={region}", f"--row_limit={limit}", f"--parallel={window}"],
        stdout=subprocess.DEVNULL)
    while command.poll() is None:
        memory = max(memory, high_water_mib(command.pid))
        time.sleep(0.01)
    seconds = time.monotonic() - start
    archive.terminate()
    archive.wait()
    assert command.returncode == 0, f"exit code {command.returncode}"
    with open(folder + "/report.json", encoding="utf-8") as report:
        return json.load(report)["queries"][0], memory, seconds


def bench(name):
    region, limits, rows_least, factor = CASES[name]
    want, first, good = truth(region), None, True
    assert want[0] >= rows_least, f"the region holds only {want[0]} rows"
    print(f"{name}: {want[0]} rows in {region[:60]}", flush=True)
    print(f"{'row limit':>9} {'parallel':>8} {'requests':>8} {'bound':>5} {'ratio':>5} {'over':>4} "
          f"{'moved':>5} {'MiB':>5} {'s':>6}")
    for limit in limits:
        for window in WINDOWS:
            with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
                entry, memory, seconds = run(region, limit, window, folder)
                with open(folder + "/rows.csv", "rb") as table:
                    whole = hashlib.file_digest(table, "sha256").digest()
                    if not first:
                        table.seek(0)
                        assert table.readline().strip() == b"ID,ra,dec"
                        first = whole
                        good = digest(table) == want
                        print("exactly once" if good else "NOT the archive's rows")
            bound = -(-want[0] // limit)
            faults = [text for bad, text in (
                (whole != first, "another file"), (memory >= MEMORY_MIB, "too much memory"),
                (entry["requests"] > factor * bound + 5, "too many requests")) if bad]
            good = good and not faults
            print(f"{limit:9} {window:8} {entry['requests']:8} {bound:5} "
                  f"{entry['requests'] / bound:5.2f} {entry['over']:4} "
                  f"{entry['rows_returned'] / want[0]:5.2f} {memory:5.0f} {seconds:6.0f} "
                  f"{', '.join(faults)}", flush=True)
    return good


if __name__ == "__main__":
    sys.exit(not all([bench(name) for name in sys.argv[2:] or CASES]))
