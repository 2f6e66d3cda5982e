# SPDX-License-Identifier: BSD-3-Clause
"""The portal: astroquery.mast gets the rows of all its catalogues, the products and the download
script that Halyard gets.

Ends with 77 (skipped) where astroquery is not installed."""

import os
import pathlib
import sys
import tempfile
import warnings

try:
    import astropy.coordinates
    import astroquery  # noqa: F401
except ImportError:
    print("skipped: astroquery is not installed", file=sys.stderr)
    sys.exit(77)

import doors

warnings.simplefilter("ignore")
RA, DEC, RADIUS = 201.697, -47.4795, 0.01

# Halyard's name, its key, what astroquery is asked.
CATALOGS = [
    ("HSC v3", "MatchID", {"catalog": "Hsc", "version": 3, "radius": RADIUS}),
    ("HSC v2", "MatchID", {"catalog": "Hsc", "version": 2, "radius": RADIUS}),
    ("GALEX", "objID", {"catalog": "Galex", "radius": 0.1}),
    ("Gaia DR1", "source_id", {"catalog": "Gaia", "version": 1, "radius": 0.002}),
    ("Gaia DR2", "source_id", {"catalog": "Gaia", "version": 2, "radius": 0.002}),
    ("Gaia DR3", "source_id", {"catalog": "GaiaDR3", "radius": 0.002}),
    ("TGAS", "source_id", {"catalog": "Tgas", "radius": 0.1}),
    ("PLATO", "PICidDR1", {"catalog": "Plato", "radius": 0.1}),
    ("TIC", "ID", {"catalog": "Tic", "radius": 0.004}),
    ("CTL", "ID", {"catalog": "Ctl", "radius": 0.1}),
    ("Disk Detective", "designation", {"catalog": "DiskDetective", "radius": 0.1}),
]
# Columns of one request's centre, and one whose -999 astroquery hides.
LEFT_OUT = {"distance", "Distance", "dstArcSec", "distance_arcmin", "objID1", "_selected_",
            "P_nDetections"}


def configured(url, home):
    config = pathlib.Path(home, ".astropy", "config")
    config.mkdir(parents=True)
    config.joinpath("astroquery.cfg").write_text(f"[mast]\nserver = {url}\n")
    os.environ.update(HOME=str(home), no_proxy="127.0.0.1")
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "MAST_API_TOKEN", "http_proxy"):
        os.environ.pop(name, None)
    import astropy.utils.iers
    from astroquery import mast
    astropy.utils.iers.conf.auto_download = False
    assert mast.conf.server == url
    return mast


def plain(table):
    return [{name: "" if str(row[name]) == "--" else row[name] for name in table.colnames}
            for row in table]


def columns(theirs, ours):
    return (theirs[0].keys() & ours[0].keys()) - LEFT_OUT


with doors.archive() as archive, tempfile.TemporaryDirectory() as home:
    mast = configured(archive.url, home)
    here = astropy.coordinates.SkyCoord(RA, DEC, unit="deg")
    asked = "\n".join(
        f'mast.catalog("{name}"):query {{ region = sky.circle({RA}, {DEC}, {how["radius"]}), '
        f'into = "{i}.csv" }}' for i, (name, _, how) in enumerate(CATALOGS))
    doors.halyard(archive.url, asked + f"""
      local disks = mast.catalog "Disk Detective"
      disks:query {{ region = sky.circle({RA}, {DEC}, 0.2), into = "disks.csv",
        where = {{ classifiers = "10..20" }} }}
      local seen = mast.observations {{ region = sky.circle({RA}, {DEC}, 0.02),
        where = {{ obs_collection = "JWST" }} }}
      local files = mast.products(seen)
      files:write("products.csv")
      select.products(files, {{ minimum = true }}):write("minimum.csv")
      select.products(files, {{ extension = "fits", calib_level = {{ 1, 2 }} }}):write("some.csv")
      mast.bundle(files, {{ format = "sh", name = "script" }})""", home, "products.csv")
    out = pathlib.Path(home, "out")

    for i, (name, key, how) in enumerate(CATALOGS):
        theirs = plain(mast.Catalogs.query_region(here, **how))
        ours = doors.rows(out / f"{i}.csv")
        doors.assert_same(name, theirs, ours, key, columns(theirs, ours))

    theirs = plain(mast.Catalogs.query_criteria(
        catalog="DiskDetective", coordinates=here, radius=0.2, classifiers=[10, 20]))
    ours = doors.rows(out / "disks.csv")
    doors.assert_same("Disk Detective by criteria", theirs, ours, "designation",
                      columns(theirs, ours))

    observations = mast.Observations.query_criteria(coordinates=here, radius=0.02,
                                                    obs_collection="JWST")
    products = mast.Observations.get_product_list(observations)
    for name, rows in (
            ("products", products),
            ("minimum", mast.Observations.filter_products(products, mrp_only=True)),
            ("some", mast.Observations.filter_products(products, mrp_only=False,
                                                       extension="fits", calib_level=[1, 2]))):
        theirs, ours = plain(rows), doors.rows(out / f"{name}.csv")
        doors.assert_same(name, theirs, ours, "dataURI", columns(theirs, ours))

    manifest = mast.Observations.download_products(products, curl_flag=True, download_dir=home)
    text = pathlib.Path(manifest["Local Path"][0]).read_text()
    mine = (out / "script.sh").read_text()
    uris = [[line.split("&uri=")[1].strip(" '") for line in script.splitlines() if "&uri=" in line]
            for script in (text, mine)]
    assert uris[0] and sorted(uris[0]) == sorted(uris[1]), "the scripts fetch different files"
    print(f"script: {len(uris[0])} files equal")
