# SPDX-License-Identifier: BSD-3-Clause
"""Cone searches at the addresses of the classic forms: pyvo and STILTS get the rows that Halyard
gets through the form.

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
RA, DEC, SR = 201.697, -47.4795, 0.2

with doors.archive() as archive, tempfile.TemporaryDirectory() as folder:
    url = archive.url + "/hst/search.php?"
    ours = doors.halyard(archive.url, f"""
      return mast.classic("HST"):query {{
        region = sky.circle({RA}, {DEC}, {SR}), into = "rows.csv" }}""", folder)
    names = {"Dataset": "sci_data_set_name", "RA (J2000)": "sci_ra", "Dec (J2000)": "sci_dec",
             "Instrument": "sci_instrume", "Start Time": "sci_start_time"}

    def named(rows):
        return [{name: row[label] for label, name in names.items()} for row in rows]

    theirs = pyvo.conesearch(url, pos=(RA, DEC), radius=SR, verbosity=3).to_table()
    doors.assert_same("pyvo", named(theirs), ours, "sci_data_set_name")
    run = subprocess.run(["stilts", "cone", f"serviceurl={url}", f"lon={RA}", f"lat={DEC}",
                          f"radius={SR}", "verb=3", "ofmt=csv"], capture_output=True, text=True,
                         check=True)
    doors.assert_same("stilts cone", named(csv.DictReader(io.StringIO(run.stdout))), ours,
                      "sci_data_set_name")
