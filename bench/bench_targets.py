#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A list of 100,000 targets against the practice archive: requests, rows moved, time; and the same
after a kill in the middle.

usage: bench/bench_targets.py [BUILD_FOLDER [TARGETS]]   (default: build/release, 100,000)
Targets in a circle of 6 degrees, 5 arcsec round each, Gaia DR3 (circles; no counts). Truth is
`halyard match` of the list with the archive's --dump. Fails when a pair differs, when the run that
was killed at half of its answers writes other bytes than the undisturbed one, or asks again for
what it had."""

import glob
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import time
import urllib.request

build = sys.argv[1] if len(sys.argv) > 1 else "build/release"
TARGETS = int(sys.argv[2]) if len(sys.argv) > 2 else 100_000
RA, DEC, SIZE_DEG = 200, 60, 6
WORKFLOW = """return workflow { name = "near", summary = "Stars near targets", hosts = { "mast" },
  run = function()
    return mast.catalog("Gaia DR3"):query { targets = "targets.csv", radius = "5 arcsec",
      columns = { "ra", "dec" }, into = "rows.csv" }
  end }"""


def write_targets(path):
    dice = random.Random(5)
    with open(path, "w", encoding="ascii") as out:
        out.write("ra,dec\n")
        for _ in range(TARGETS):
            away, turn = SIZE_DEG * math.sqrt(dice.random()), 2 * math.pi * dice.random()
            dec = DEC + away * math.cos(turn)
            out.write(f"{RA + away * math.sin(turn) / math.cos(math.radians(dec)):.7f},{dec:.7f}\n")


def questions(url):
    with urllib.request.urlopen(url + "/practice/stats") as answer:
        return sum(json.load(answer)["by_service"].values())


def pairs(path, key, number):
    """(target, row) of a file of pairs, sorted."""
    with open(path, encoding="ascii") as lines:
        names = next(lines).rstrip().split(",")
        key, number = names.index(key), names.index(number)
        return sorted((int(line[number]), int(line[key]))
                      for line in (line.split(",") for line in lines))


def truth(folder):
    """What a match of the list with everything there makes of it."""
    dump, numbered = folder + "/dump.csv", folder + "/numbered.csv"
    with open(dump, "wb") as out:
        archive = subprocess.Popen([build + "/bin/halyard-practice", "--dump", "gaia", "--region",
                                    f"CIRCLE {RA} {DEC} {SIZE_DEG + 2}"], stdout=subprocess.PIPE)
        head = archive.stdout.readline().decode().rstrip().split(",")
        columns = [head.index(name) + 1 for name in ("source_id", "ra", "dec")]
        out.write(b"source_id,ra,dec\n")
        out.flush()
        subprocess.run(["cut", "-d,", "-f" + ",".join(map(str, columns))], stdin=archive.stdout,
                       stdout=out, check=True)
        assert archive.wait() == 0
    with open(folder + "/targets.csv", encoding="ascii") as lines, \
            open(numbered, "w", encoding="ascii") as out:
        for i, line in enumerate(lines):
            out.write(("number" if i == 0 else str(i)) + "," + line)
    subprocess.run([build + "/bin/halyard", "match", numbered, dump, "--radius", "5arcsec",
                    "--mode", "all", "-o", folder + "/truth.csv"], check=True)
    return pairs(folder + "/truth.csv", "source_id", "number")


def main():
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        write_targets(folder + "/targets.csv")
        with open(folder + "/near.lua", "w", encoding="ascii") as text:
            text.write(WORKFLOW)
        archive = subprocess.Popen([build + "/bin/halyard-practice"], stdout=subprocess.PIPE,
                                   text=True)
        url = archive.stdout.readline().strip()

        def start(out):
            os.makedirs(out, exist_ok=True)
            subprocess.run(["cp", folder + "/targets.csv", out], check=True)
            return subprocess.Popen(
                [build + "/bin/halyard", "run", folder + "/near.lua", "--archive", url, "-o", out,
                 "--quiet"], stdout=subprocess.DEVNULL,
                env={**os.environ, "HOME": "", "XDG_CACHE_HOME": ""})

        def finish(out):
            """Runs to the end: requests, seconds, the query's entry in the report, MiB."""
            before, began = questions(url), time.monotonic()
            _, status, usage = os.wait4(start(out).pid, 0)
            assert status == 0, f"status {status}"
            with open(out + "/report.json", encoding="utf-8") as report:
                entry = json.load(report)["queries"][0]
            return questions(url) - before, time.monotonic() - began, entry, usage.ru_maxrss / 1024

        whole, killed = folder + "/whole", folder + "/killed"
        asked, seconds, entry, memory = finish(whole)
        print(f"{TARGETS} targets: {asked} requests, {entry['rows']} pairs of "
              f"{entry['rows_returned']} rows sent, {entry['bytes'] / 1e6:.0f} MB, {seconds:.0f} s, "
              f"{memory:.0f} MiB", flush=True)
        before, run = questions(url), start(killed)
        while questions(url) - before < asked // 2:
            assert run.poll() is None, "it ended before it was killed"
            time.sleep(0.05)
        run.kill()
        run.wait()
        half = questions(url) - before
        rest, seconds, _, _ = finish(killed)
        print(f"killed after {half} questions: {rest} more, {seconds:.0f} s", flush=True)
        with open(whole + "/rows.csv", "rb") as a, open(killed + "/rows.csv", "rb") as b:
            same = a.read() == b.read()
        archive.terminate()
        archive.wait()
        right = pairs(whole + "/rows.csv", "source_id", "input_row") == truth(folder)
        again = half + rest > asked + 8  # those under way, of which there are at most eight
        left = glob.glob(killed + "/.halyard/*.tiles")
        print(f"pairs {'as' if right else 'NOT as'} a match makes them; "
              f"{'the same' if same else 'OTHER'} bytes after the kill"
              f"{'; ASKED AGAIN' if again else ''}{'; LEDGER LEFT' if left else ''}")
        return right and same and not again and not left


if __name__ == "__main__":
    sys.exit(not main())
