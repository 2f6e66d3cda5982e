#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Whole-process start-up, as ratios to `lua5.4 -e ''` in the same run, calls interleaved.

Usage: bench/bench_startup.py [build/release/bin] [rounds]
"""
import os
import statistics
import subprocess
import sys
import tempfile
import time

bin_dir = sys.argv[1] if len(sys.argv) > 1 else "build/release/bin"
rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 200
halyard = os.path.join(bin_dir, "halyard")

EMPTY = """-- SPDX-License-Identifier: BSD-3-Clause
return workflow {
  name = "empty", summary = "does nothing", run = function() end,
}
"""


def seconds(argv):
    start = time.perf_counter()
    subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


with tempfile.TemporaryDirectory() as folder:
    workflow = os.path.join(folder, "empty.lua")
    with open(workflow, "w", encoding="utf-8") as file:
        file.write(EMPTY)
    out = os.path.join(folder, "out")
    cases = {
        "lua5.4 -e ''": ["lua5.4", "-e", ""],
        "halyard version": [halyard, "version"],
        "halyard run empty": [halyard, "run", workflow, "--output", out, "--quiet"],
    }
    times = {name: [] for name in cases}
    for _ in range(rounds):
        for name, argv in cases.items():
            times[name].append(seconds(argv))
    base = statistics.median(times["lua5.4 -e ''"])
    targets = {"halyard version": 5, "halyard run empty": 10}
    print(f"{'command':20} {'ratio':>6} {'target':>6}")
    for name in cases:
        ratio = statistics.median(times[name]) / base
        print(f"{name:20} {ratio:6.2f} {targets.get(name, 1):6}")
