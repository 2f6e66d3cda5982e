# SPDX-License-Identifier: BSD-3-Clause
"""Simple Spectral Access: pyvo gets the rows that Halyard gets.

Ends with 77 (skipped) where pyvo is not installed."""

import sys
import tempfile
import warnings

try:
    import pyvo
except ImportError:
    print("skipped: pyvo is not installed", file=sys.stderr)
    sys.exit(77)

import doors

warnings.simplefilter("ignore")
RA, DEC, RADIUS = 210.8, 54.35, 0.5

with doors.archive() as archive, tempfile.TemporaryDirectory() as folder:
    ours = doors.halyard(archive.url, f"""
      vo.ssa(archive .. "/ssap/search2.php?"):query {{
        region = sky.circle({RA}, {DEC}, {RADIUS}) }}:write("rows.csv")""", folder)
    table = pyvo.dal.SSAService(archive.url + "/ssap/search2.php?").search(
        pos=(RA, DEC), diameter=2 * RADIUS).to_table()
    theirs = [dict(zip(table.colnames, row)) for row in table]
    for row in theirs:
        row["access_url"], row["em_min"], row["s_dec"] = row["url"], row["band_start"], row["dec"]
    doors.assert_same("pyvo SSA", theirs, ours, "access_url")
