# SPDX-License-Identifier: BSD-3-Clause
"""Cutouts: astroquery's Tesscut and Zcut get the sectors, surveys and pixels that Halyard gets.

Ends with 77 (skipped) where astroquery is not installed."""

import pathlib
import tempfile
import warnings

import astroquery_practice
import doors

warnings.simplefilter("ignore")
RA, DEC = 52.5, -27.4
DEEP = 53.12, -27.8


def names(folder, pattern):
    return {path.name: path for path in pathlib.Path(folder).rglob(pattern)}


def assert_same_fits(what, theirs, ours):
    from astropy.io import fits
    assert theirs.keys() == ours.keys() and theirs, (what, sorted(theirs), sorted(ours))
    for name, path in theirs.items():
        with fits.open(path) as hdus:
            hdus.verify("exception")
        difference = fits.FITSDiff(str(path), str(ours[name]))
        assert difference.identical, difference.report()
    print(f"{what}: {len(theirs)} files equal")


with doors.archive() as archive, tempfile.TemporaryDirectory() as folder:
    mast = astroquery_practice.import_astroquery(folder, archive.url)
    from astropy.coordinates import SkyCoord
    import astropy.units as u

    at, deep = SkyCoord(RA, DEC, unit="deg"), SkyCoord(*DEEP, unit="deg")
    theirs = pathlib.Path(folder, "theirs")
    theirs.mkdir()

    ours = doors.halyard(archive.url, f"""
      mast.cutouts.tess_sectors {{ target = "{RA} {DEC}" }}:write(ctx.output .. "/sectors.csv")
      mast.cutouts.tess_sectors {{ moving_target = "Neptune" }}:write(ctx.output .. "/moving.csv")
      mast.cutouts.tess {{ target = "{RA} {DEC}", size = {{ x = 6, y = 4 }} }}
      mast.cutouts.tess {{ moving_target = "Neptune", size = 5, dir = "moving" }}
      mast.cutouts.z {{ target = "{DEEP[0]} {DEEP[1]}", size = "1 arcsec" }}
      mast.cutouts.z_surveys {{ target = "{DEEP[0]} {DEEP[1]}" }}
        :write(ctx.output .. "/surveys.csv")""", folder, "sectors.csv")
    out = pathlib.Path(folder, "out")

    def sectors(table):
        return [{"sector_name": row["sectorName"], "sector": row["sector"],
                 "camera": row["camera"], "ccd": row["ccd"]} for row in table]

    doors.assert_same("sectors", sectors(mast.Tesscut.get_sectors(coordinates=at)), ours,
                      "sector_name")
    doors.assert_same("sectors of Neptune",
                      sectors(mast.Tesscut.get_sectors(objectname="Neptune", moving_target=True)),
                      doors.rows(out / "moving.csv"), "sector_name")
    assert mast.Zcut.get_surveys(deep) == [
        row["survey"] for row in doors.rows(out / "surveys.csv")]

    for name, get in {
        "tesscut": lambda path: mast.Tesscut.download_cutouts(
            coordinates=at, size=(4, 6), path=path),
        "moving": lambda path: mast.Tesscut.download_cutouts(
            objectname="Neptune", moving_target=True, size=5, path=path),
        "zcut": lambda path: mast.Zcut.download_cutouts(deep, size=1 * u.arcsec, path=path),
    }.items():
        path = theirs / name
        path.mkdir()
        get(str(path))
        assert_same_fits(name, names(path, "*.fits"), names(out / name, "*.fits"))
