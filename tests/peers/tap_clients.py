# SPDX-License-Identifier: BSD-3-Clause
"""TAP: pyvo (at once, as a job, with an upload) and STILTS (tapquery, tapskymatch) get the rows that
Halyard gets.

Ends with 77 (skipped) where pyvo is not installed."""

import csv
import io
import pathlib
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
from astropy.table import Table

warnings.simplefilter("ignore")
COLUMNS = "source_id, ra, dec, phot_g_mean_mag, bp_rp"
QUERY = (f"SELECT {COLUMNS} FROM gaia_source WHERE "
         "1=CONTAINS(POINT('ICRS', ra, dec), CIRCLE('ICRS', 52.5, -27.4, 0.4))")
JOIN = ("SELECT u.name, g.source_id, g.ra, g.dec FROM TAP_UPLOAD.me AS u JOIN gaia_source AS g ON "
        "1=CONTAINS(POINT('ICRS', g.ra, g.dec), CIRCLE('ICRS', u.ra, u.dec, 0.05))")


def stilts(*arguments):
    run = subprocess.run(["stilts", *arguments, "ofmt=csv"], capture_output=True, text=True,
                         check=True)
    return list(csv.DictReader(io.StringIO(run.stdout)))


def listed(table):
    return [{name: "" if numpy.ma.is_masked(value) else value
             for name, value in zip(table.colnames, row)} for row in table]


with doors.archive() as archive, tempfile.TemporaryDirectory() as folder:
    url = archive.url + "/vo-tap/api/v0.1/gaiadr3"
    service = pyvo.dal.TAPService(url)
    ours = doors.halyard(archive.url, f"""
      return vo.tap("{url}"):query([[{QUERY}]], {{ into = "rows.csv" }}).rows""", folder)
    doors.assert_same("pyvo sync", listed(service.search(QUERY).to_table()), ours, "source_id")
    doors.assert_same("pyvo async", listed(service.run_async(QUERY).to_table()), ours, "source_id")
    doors.assert_same("stilts tapquery at once", stilts(
        "tapquery", f"tapurl={url}", f"adql={QUERY}", "sync=true"), ours, "source_id")
    doors.assert_same("stilts tapquery", stilts(
        "tapquery", f"tapurl={url}", f"adql={QUERY}", "sync=false", "poll=300", "delete=finished"),
        ours, "source_id")

    # The same from a service that speaks BINARY2 and answers errors with HTTP 200.
    with doors.archive("--faults", "tap-dachs") as other:
        binary = pyvo.dal.TAPService(other.url + "/vo-tap/api/v0.1/gaiadr3")
        doors.assert_same("pyvo BINARY2", listed(binary.search(
            QUERY, FORMAT="application/x-votable+xml;serialization=BINARY2").to_table()), ours,
            "source_id")
        doors.assert_same("BINARY2", listed(service.search(QUERY).to_table()), doors.halyard(
            other.url, f"""
            return mast.tap("gaiadr3"):query([[{QUERY}]], {{ into = "binary.csv" }}).rows""",
            folder, "binary.csv"), "source_id")

    # The same region in tiles of at most 200 rows.
    with doors.archive("--row-cap", "200") as small:
        tiled = doors.halyard(small.url, """
          return mast.tap("gaiadr3"):table("gaia_source"):query {
            region = sky.circle(52.5, -27.4, 0.4), into = "tiled.csv" }.rows""", folder, "tiled.csv")
        doors.assert_same("tiles", listed(service.search(QUERY).to_table()), tiled, "source_id")

    # Uploads: each row of the list gets the stars around it.
    places = pathlib.Path(folder, "out", "places.csv")
    places.write_text("name,ra,dec\n" + "".join(
        f"p{i},{52 + i / 5},{-27.4}\n" for i in range(5)))
    ours = doors.halyard(archive.url, f"""
      local places = halyard.table.read("places.csv")
      return vo.tap("{url}"):query([[{JOIN}]], {{ upload = {{ me = places }}, split = "me",
        into = "join.csv" }}).rows""", folder, "join.csv")
    upload = Table.read(places)
    doors.assert_same("pyvo upload", listed(
        service.search(JOIN, uploads={"me": upload}).to_table()), ours, "source_id")
    doors.assert_same("stilts tapquery upload", stilts(
        "tapquery", f"tapurl={url}", f"adql={JOIN}", "sync=true", "nupload=1",
        f"upload1={places}", "ufmt1=csv", "upname1=me"), ours, "source_id")
    doors.assert_same("stilts tapskymatch", stilts(
        "tapskymatch", f"tapurl={url}", "taptable=gaia_source", "taplon=ra", "taplat=dec",
        "tapcols=source_id,ra,dec", f"in={places}", "ifmt=csv", "inlon=ra", "inlat=dec",
        "sr=0.05", "find=all", "fixcols=none"), ours, "source_id", ["source_id"])

    # Tables and columns as pyvo reads them from /tables.
    ours = doors.halyard(archive.url, f"""
      local columns = vo.tap("{url}"):columns("gaia_source")
      columns:write("columns.csv")""", folder, "columns.csv")
    theirs = [{"name": c.name, "unit": c.unit or "", "ucd": c.ucd or ""}
              for c in service.tables["gaia_source"].columns]
    doors.assert_same("pyvo tables", theirs, ours, "name")
