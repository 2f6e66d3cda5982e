# SPDX-License-Identifier: BSD-3-Clause
"""Simple Image Access: pyvo gets the rows that Halyard gets, from both versions.

Ends with 77 (skipped) where pyvo is not installed."""

import sys
import tempfile
import warnings

try:
    import pyvo
    from pyvo.dal import sia2
except ImportError:
    print("skipped: pyvo is not installed", file=sys.stderr)
    sys.exit(77)

import doors

warnings.simplefilter("ignore")
RA, DEC, RADIUS = 210.8, 54.35, 0.1


def listed(results):
    table = results.to_table()
    return [dict(zip(table.colnames, row)) for row in table]


with doors.archive() as archive, tempfile.TemporaryDirectory() as folder:
    ours = doors.halyard(archive.url, f"""
      vo.sia(archive .. "/siap/search.php?id=PS1"):query {{
        region = sky.circle({RA}, {DEC}, {RADIUS}), format = "image/fits" }}:write("rows.csv")""",
                         folder)
    theirs = listed(pyvo.dal.SIAService(archive.url + "/siap/search.php?id=PS1").search(
        pos=(RA, DEC), size=2 * RADIUS, format="image/fits"))
    for row in theirs:
        row["access_url"], row["s_ra"] = row["accessURL"], row["ra"]
    doors.assert_same("pyvo SIA 1", theirs, ours, "access_url")

    ours = doors.halyard(archive.url, f"""
      vo.sia(archive .. "/vo-sia/api/v0.1/query"):query {{ collection = {{ "JWST", "PS1" }},
        region = sky.circle({RA}, {DEC}, {RADIUS}) }}:write("rows.csv")""", folder)
    theirs = listed(sia2.SIAService(archive.url + "/vo-sia/api/v0.1").search(
        pos=(RA, DEC, RADIUS), collection=["JWST", "PS1"]))
    doors.assert_same("pyvo SIA 2", theirs, ours, "access_url")
