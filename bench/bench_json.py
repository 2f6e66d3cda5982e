#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Halyard's reader against json.load + astroquery's _json_to_table on the same answer, in one run.

usage: bench/bench_json.py [BUILD_FOLDER] [ROWS]      (default: build/release 500000)
Prints both times and their ratio; fails when the ratio is below 8."""

import json
import subprocess
import sys
import tempfile
import time

from astroquery.mast.discovery_portal import _json_to_table

build = sys.argv[1] if len(sys.argv) > 1 else "build/release"
rows = int(sys.argv[2]) if len(sys.argv) > 2 else 500000
program = build + "/bin/bench_json"

with tempfile.NamedTemporaryFile(suffix=".json") as answer:
    subprocess.run([program, "make", answer.name, str(rows)], check=True)
    size = answer.seek(0, 2)
    ours = None
    for _ in range(3):
        out = subprocess.run([program, "read", answer.name], check=True, capture_output=True)
        seconds, n, total = out.stdout.split()
        ours = min(ours or 1e9, float(seconds))
    start = time.monotonic()
    with open(answer.name) as text:
        table = _json_to_table(json.load(text))
    theirs = time.monotonic() - start
    assert len(table) == int(n) == rows
    assert abs(float(table["ra"].sum()) - float(total)) < 1e-6 * abs(float(total))

ratio = theirs / ours
print(f"answer      {rows} x 20, {size / 1e6:.0f} MB")
print(f"halyard     {ours:.3f} s   {size / 1e6 / ours:.0f} MB/s   {rows * 20 / ours / 1e6:.1f} Mcells/s")
print(f"astroquery  {theirs:.3f} s")
print(f"ratio       {ratio:.1f} (wanted: 8)")
sys.exit(ratio < 8)
