#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Readers of JSON and CSV against other programs, as ratios within one run.

bench_readers.py BIN_FOLDER [ROWS]: ROWS (500,000) x 20 mixed columns. Baselines: Python json.load,
astroquery's conversion on top of it, pandas read_csv, STILTS. The growth is measured at 4 x ROWS.
Needs python3-astroquery, python3-pandas and stilts for the lines that name them. Takes the best of
three for ours and one run of the others.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import time

PEAK = 64 << 20

JSON_LOAD = "import json,sys,time\nt=time.time()\nx=json.load(open(sys.argv[1]))\n"
JOBS = {
    "json.load": JSON_LOAD + "print(time.time()-t)",
    "astroquery": "from astroquery.mast.utils import _json_to_table\n" + JSON_LOAD
                  + "_json_to_table(x)\nprint(time.time()-t)",
    "pandas": "import sys,time\nimport pandas\nt=time.time()\n"
              "pandas.read_csv(sys.argv[1])\nprint(time.time()-t)",
}


def peer(name, path):
    """Seconds of a Python peer without its imports; None when it is not installed."""
    done = subprocess.run(["/usr/bin/python3", "-c", JOBS[name], path], capture_output=True,
                          text=True, check=False)
    return float(done.stdout.split()[-1]) if done.returncode == 0 else None


def stilts(path):
    """Seconds to read every cell, start of the program included."""
    if not shutil.which("stilts"):
        return None
    began = time.time()
    subprocess.run(["stilts", "tpipe", "in=" + path, "ifmt=csv", "cmd=stats", "omode=discard"],
                   check=True, capture_output=True)
    return time.time() - began


def ours(program, path, times=3):
    runs = [subprocess.run([program, "read", path], capture_output=True, text=True,
                           check=True).stdout.split() for _ in range(times)]
    best = min(runs, key=lambda r: float(r[0]))
    return float(best[0]), int(best[2]), int(best[3])


def report(kind, seconds, name, other, demanded):
    if other is None:
        print(f"{kind}: {name} is not installed")
        return True
    ratio = other / seconds
    good = ratio >= demanded
    print(f"{kind}: {name} {other:.2f} s, {ratio:.1f} times as long as {seconds:.3f} s "
          f"(demanded {demanded}){'' if good else '  TOO SLOW'}")
    return good


def measure(kind, maker, reader, folder, n_rows, peers):
    small, large = (os.path.join(folder, name + "." + kind) for name in ("small", "large"))
    subprocess.run([maker, "make", small, str(n_rows)], check=True)
    subprocess.run([maker, "make", large, str(4 * n_rows)], check=True)
    seconds, columns, peak = ours(reader, small)
    seconds_large, columns_large, peak_large = ours(reader, large)
    good = [report(kind, seconds, name, run(small), demanded) for name, run, demanded in peers]
    growth = seconds_large / seconds
    print(f"{kind}: four times the rows take {growth:.2f} times as long (demanded <= 4.2)")
    for size, most in ((columns, peak), (columns_large, peak_large)):
        print(f"{kind}: peak {most >> 20} MiB for {size >> 20} MiB of columns")
        good.append(most <= size + PEAK)
    os.unlink(small)
    os.unlink(large)
    return all(good) and growth <= 4.2


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    bins, n_rows = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 500000
    csv, json = (os.path.join(bins, name) for name in ("bench_csv", "bench_json"))
    with tempfile.TemporaryDirectory() as folder:
        good = measure("json", json, csv, folder, n_rows,
                       [("json.load", lambda p: peer("json.load", p), 7),
                        ("astroquery", lambda p: peer("astroquery", p), 16)])
        good = measure("csv", csv, csv, folder, n_rows,
                       [("pandas", lambda p: peer("pandas", p), 6),
                        ("STILTS", stilts, 35)]) and good
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
