# SPDX-License-Identifier: BSD-3-Clause
"""The cone search of the guide star catalogues: pyvo and STILTS get the rows that Halyard gets
through the catalogue service.

Ends with 77 (skipped) where pyvo is not installed."""

import csv
import io
import subprocess
import sys
import tempfile
import warnings

try:
    import numpy
    import pyvo
except ImportError:
    print("skipped: pyvo is not installed", file=sys.stderr)
    sys.exit(77)

import doors

warnings.simplefilter("ignore")
RA, DEC, SR = 52.5, -27.4, 0.3

with doors.archive() as archive, tempfile.TemporaryDirectory() as folder:
    url = archive.url + "/webservices/vo/ConeSearch.aspx?CAT=GSC23&"
    ours = doors.halyard(archive.url, f"""
      return mast.catalog("GSC23", {{ via = "gsss" }}):query {{
        region = sky.circle({RA}, {DEC}, {SR}), into = "rows.csv" }}""", folder)
    theirs = pyvo.conesearch(url, pos=(RA, DEC), radius=SR).to_table()
    doors.assert_same("pyvo", [
        {name: None if numpy.ma.is_masked(row[name]) else row[name] for name in theirs.colnames}
        for row in theirs], ours, "hstID")
    run = subprocess.run(["stilts", "cone", f"serviceurl={url}", f"lon={RA}", f"lat={DEC}",
                          f"radius={SR}", "ofmt=csv"], capture_output=True, text=True, check=True)
    doors.assert_same("stilts cone", list(csv.DictReader(io.StringIO(run.stdout))), ours, "hstID")
