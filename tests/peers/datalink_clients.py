# SPDX-License-Identifier: BSD-3-Clause
"""DataLink: pyvo gets the links that Halyard gets.

Ends with 77 (skipped) where pyvo is not installed."""

import pathlib
import sys
import tempfile
import urllib.parse
import warnings

try:
    import astropy.units as u
    from astropy.io import fits
    from pyvo.dal import sia2
    from pyvo.dal.adhoc import DatalinkResults
except ImportError:
    print("skipped: pyvo is not installed", file=sys.stderr)
    sys.exit(77)

import doors

warnings.simplefilter("ignore")

with doors.archive() as archive, tempfile.TemporaryDirectory() as folder:
    images = sia2.SIAService(archive.url + "/vo-sia/api/v0.1").search(
        pos=(210.8, 54.35, 0.1), collection=["PS1"]).to_table()
    identifier = str(images["obs_publisher_did"][0])
    ours = doors.halyard(archive.url, f"""
      vo.datalink("{identifier}", {{ service = archive .. "/datalink/links" }})
        .table:write("rows.csv")""", folder)
    links = DatalinkResults.from_result_url(
        archive.url + "/datalink/links?ID=" + urllib.parse.quote(identifier, safe=""))
    table = links.to_table()
    theirs = [dict(zip(table.colnames, row)) for row in table]
    doors.assert_same("pyvo links", theirs, ours, "access_url", ["ID", "semantics", "content_type"])
    this = doors.halyard(archive.url, f"""
      vo.datalink("{identifier}", {{ service = archive .. "/datalink/links" }}):this()
        :write("this.csv")""", folder, "this.csv")
    # bysemantics would fetch the vocabulary from the network.
    wanted = {r.access_url for r in links if r.semantics == "#this"}
    assert wanted and {r["access_url"] for r in this} == wanted

    # A cutout by each client is the same file, and FITS to astropy.
    cutout = doors.halyard(archive.url, f"""
      local links = vo.datalink("{identifier}", {{ service = archive .. "/datalink/links" }})
      links:cutout({{ region = sky.circle(210.8, 54.35, 0.002) }}):write(ctx:path("cut.csv"))""",
                           folder, "cut.csv")
    row = next(r for r in links if r.semantics == "#cutout")
    stream = row.processed(circle=(210.8, 54.35, 0.002) * u.deg)
    ours = pathlib.Path(cutout[0]["path"]).read_bytes()
    assert len(cutout) == 1 and stream.read() == ours
    with fits.open(cutout[0]["path"]) as file:
        assert file[0].data.shape == (15, 15) and file[0].header["CTYPE1"] == "RA---CAR"
