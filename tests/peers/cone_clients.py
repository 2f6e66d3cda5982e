# SPDX-License-Identifier: BSD-3-Clause
"""Simple Cone Search: pyvo and STILTS (cone, coneskymatch) get the rows that Halyard gets.

Ends with 77 (skipped) where pyvo is not installed."""

import csv
import io
import subprocess
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
RA, DEC, SR = 52.5, -27.4, 0.4


def stilts(*arguments):
    run = subprocess.run(["stilts", *arguments], capture_output=True, text=True, check=True)
    return list(csv.DictReader(io.StringIO(run.stdout)))


with doors.archive() as archive, tempfile.TemporaryDirectory() as folder:
    url = archive.url + "/scs/tic?"
    ours = doors.halyard(archive.url, f"""
      return vo.cone(archive .. "/scs/tic?"):query {{
        region = sky.circle({RA}, {DEC}, {SR}), into = "rows.csv" }}""", folder)
    theirs = pyvo.conesearch(url, pos=(RA, DEC), radius=SR, verbosity=3).to_table()
    doors.assert_same("pyvo", [dict(zip(theirs.colnames, row)) for row in theirs], ours, "objid")
    doors.assert_same("stilts cone", stilts("cone", f"serviceurl={url}", f"lon={RA}", f"lat={DEC}",
                                            f"radius={SR}", "verb=3", "ofmt=csv"), ours, "objid")
    # The same circle again, asked for the position of one row of a list.
    centre = tempfile.NamedTemporaryFile("w", suffix=".csv", dir=folder)
    centre.write(f"name,lon,lat\nhere,{RA},{DEC}\n")
    centre.flush()
    doors.assert_same("stilts coneskymatch", stilts(
        "coneskymatch", f"in={centre.name}", "ifmt=csv", "ra=lon", "dec=lat", f"sr={SR}",
        "find=all", f"serviceurl={url}", "verb=3", "ofmt=csv"), ours, "objid")
