# SPDX-License-Identifier: BSD-3-Clause
"""Catalogs.MAST: astroquery's Pan-STARRS catalogue gets the rows that Halyard gets, and STILTS
reads the same table as VOTable.

Ends with 77 (skipped) where astroquery is not installed."""

import csv
import io
import subprocess
import tempfile
import warnings

import doors
from astroquery_practice import import_astroquery

warnings.simplefilter("ignore")
RA, DEC, SR = 210.8, 54.35, 0.2


def plain(table):
    return [{n: "" if str(row[n]) in ("--", "-999.0", "-999") else row[n] for n in table.colnames}
            for row in table]


with doors.archive() as archive, tempfile.TemporaryDirectory() as home, \
        tempfile.TemporaryDirectory() as folder:
    mast = import_astroquery(home, archive.url)

    def ours(name, where="{}"):
        return doors.halyard(archive.url, f"""
          mast.catalog("{name}", {{ via = "catalogs" }}):query {{
            region = sky.circle({RA}, {DEC}, {SR}),
            where = {where}, into = "rows.csv" }}""", folder)

    for release, table, key in (("dr2", "mean", "objID"), ("dr1", "mean", "objID"),
                                ("dr2", "stack", "uniquePspsSTid")):
        theirs = mast.Catalogs.query_region(f"{RA} {DEC}", radius=SR, catalog="Panstarrs",
                                            data_release=release, table=table)
        doors.assert_same(f"{release} {table}", plain(theirs),
                          ours(f"Pan-STARRS {release.upper()} {table}"), key,
                          ["objName", "objID", "raMean", "raStack", "decStack", "nDetections"])
    theirs = mast.Catalogs.query_criteria(
        catalog="Panstarrs", coordinates=f"{RA} {DEC}", radius=SR,
        rMeanPSFMag=[("gt", 15), ("lte", 19)], ng=[("gte", 1)], sort_by=[("DESC", "distance")],
        columns=["objID", "raMean", "rMeanPSFMag", "gMeanPSFMag", "distance"])
    assert list(theirs["distance"]) == sorted(theirs["distance"], reverse=True)
    doors.assert_same("by criteria", plain(theirs), ours(
        "Pan-STARRS DR2 mean", '{ rMeanPSFMag = { min = 15.0000001, max = 19 }, ng = ">=1" }'),
        "objID", ["raMean", "rMeanPSFMag", "gMeanPSFMag"])
    url = f"{archive.url}/api/v0.1/hsc/v3/summary/magaper2.votable?ra={RA}&dec={DEC}&radius={SR}"
    text = subprocess.run(["stilts", "tpipe", f"in={url}", "ifmt=votable", "ofmt=csv"], check=True,
                          capture_output=True, text=True).stdout
    doors.assert_same("stilts, hsc", list(csv.DictReader(io.StringIO(text))),
                      ours("HSC v3 summary magaper2"), "MatchID", ["MatchRA", "A_F814W", "CI"])
