#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""first-light over more than a million rows (and over five): exactly once, in flat memory.

Usage: bulk.py RADIUS_DEG ROWS_AT_LEAST
"""
import os
import sys
import tempfile

import practice

radius, rows_min = float(sys.argv[1]), int(sys.argv[2])
MEMORY_MIB = 400

with practice.archive() as url, tempfile.TemporaryDirectory() as out:
    code, memory, seconds = practice.run(
        "run", os.path.join(practice.SOURCE, "workflows", "first-light.lua"), "--archive", url,
        "--radius", f"{radius}deg", "--output", out)
    assert code == 0, f"exit code {code}"
    with open(os.path.join(out, "gaia.csv"), "rb") as table:
        got = practice.integers(table, "source_id")
    print(f"{len(got)} rows, peak {memory:.0f} MiB, {seconds:.1f} s")
    assert len(got) >= rows_min, f"the region holds only {len(got)} rows"
    assert practice.same_once(got, practice.truth("gaia", f"CIRCLE 201.697 -47.4795 {radius}",
                                                  "source_id"))
    assert memory < MEMORY_MIB, f"{memory:.0f} MiB resident"
    left = [name for _, _, files in os.walk(out) for name in files
            if name.endswith((".part", ".spool"))]
    assert not left, f"left behind: {left}"
