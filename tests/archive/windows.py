#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Hundreds of thousands of rows in answers of 5,000: each row of the archive's own list once, and
the same file with 1, 4 and 8 requests in parallel."""
import filecmp
import os
import tempfile

import practice

WORKFLOW = os.path.join(practice.SOURCE, "tests", "data", "workflows", "catalogue.lua")
REGIONS = ("POLYGON 264 -12 267 -12 267 -7 265.5 -8.6 264 -7", "MOC 5/7396-7397 6/29592 29595")

for region in REGIONS:
    with practice.archive("--row-cap", "5000") as url, tempfile.TemporaryDirectory() as folder:
        for parallel in ("1", "4", "8"):
            out = os.path.join(folder, parallel)
            code, _, seconds = practice.run(
                "run", WORKFLOW, "--archive", url, "--catalog", "TIC", "--region", region,
                "--row_limit", "5000", "--parallel", parallel, "--output", out, "--quiet")
            assert code == 0, f"{region}, {parallel} in parallel: exit code {code}"
            print(f"{region}, {parallel} in parallel: {seconds:.1f} s")
            assert filecmp.cmp(f"{folder}/1/rows.csv", f"{out}/rows.csv", shallow=False), parallel
        with open(f"{folder}/1/rows.csv", "rb") as table:
            got = practice.integers(table, "ID")
        assert len(got) > 150000, f"{region}: {len(got)} rows"
        assert practice.same_once(got, practice.truth("tic", region, "ID")), region
