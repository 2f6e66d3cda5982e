# SPDX-License-Identifier: BSD-3-Clause
"""astroquery, unchanged and led by its own configuration file, uses the practice archive.

Its rows are compared with the archive's own dump. With --out DIR the rows are written there as CSV.
Ends with 77 (skipped) only where astroquery is not installed.
"""

import argparse
import math
import os
import pathlib
import sys
import tempfile
import unittest
import warnings

from practice import Archive

OPTIONS = None
TARGET = "NGC 5139"
POSITION = "201.697 -47.4795"


def import_astroquery(home, url):
    """astroquery.mast with `server` set where its users set it: in astroquery.cfg."""
    config = pathlib.Path(home, ".astropy", "config")
    config.mkdir(parents=True)
    config.joinpath("astroquery.cfg").write_text(f"[mast]\nserver = {url}\n")
    os.environ["HOME"] = str(home)
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "MAST_API_TOKEN", "http_proxy"):
        os.environ.pop(name, None)
    os.environ["no_proxy"] = "127.0.0.1"
    try:
        import astropy.utils.iers
        import astroquery
        from astroquery import mast
    except ImportError as e:
        print(f"skipped: astroquery is not installed ({e})", file=sys.stderr)
        sys.exit(77)
    astropy.utils.iers.conf.auto_download = False
    if mast.conf.server != url:
        raise SystemExit(f"astroquery did not read its configuration: {mast.conf.server}")
    print(f"astroquery {astroquery.__version__} on {url}", file=sys.stderr)
    return mast


def save(name, table):
    if OPTIONS.out:
        pathlib.Path(OPTIONS.out).mkdir(parents=True, exist_ok=True)
        table.write(pathlib.Path(OPTIONS.out, name + ".csv"), format="ascii.csv", overwrite=True)


def cell_equals(value, text):
    """A cell of an astroquery table against the same cell of the dump, exactly."""
    import numpy
    if value is numpy.ma.masked or value is None:
        return text == ""
    if isinstance(value, (float, numpy.floating)):
        return text == "" if math.isnan(value) else text != "" and float(value) == float(text)
    if isinstance(value, (bool, numpy.bool_)):
        return str(bool(value)).lower() == text
    return str(value) == text


class Astroquery(unittest.TestCase):
    def assert_rows_are(self, table, truth, key, extra=()):
        """Same keys, each once; every cell of every row equal; no column beyond `extra`."""
        self.assertEqual(set(table.colnames) - set(extra), set(truth[0]))
        by_key = {row[key]: row for row in truth}
        self.assertEqual(len(by_key), len(truth))
        self.assertEqual(sorted(str(v) for v in table[key]), sorted(by_key))
        for name in truth[0]:
            for k, value in zip(table[key], table[name]):
                text = by_key[str(k)][name]
                self.assertTrue(cell_equals(value, text), f"{k} {name}: {value!r}, not {text!r}")

    def test_names_resolve(self):
        place = MAST.Observations.resolve_object(TARGET)
        self.assertEqual((place.ra.deg, place.dec.deg), (201.697, -47.4795))
        from astroquery.exceptions import ResolverError
        with self.assertRaises(ResolverError):
            MAST.Observations.resolve_object("Nowhere 7")

    def test_observations_around_a_position(self):
        truth = ARCHIVE.truth("observations", f"CIRCLE {POSITION} 0.1")
        table = MAST.Observations.query_region(POSITION, radius="0.1 deg")
        save("observations", table)
        self.assert_rows_are(table, truth, "objID", ["distance"])
        self.assertEqual(MAST.Observations.query_region_count(POSITION, radius="0.1 deg"),
                         len(truth))
        named = MAST.Observations.query_object(TARGET, radius="0.1 deg")
        self.assertEqual(list(named["objID"]), list(table["objID"]))

    def test_observations_by_criteria(self):
        criteria = {"obs_collection": ["HST", "JWST"], "em_max": [400, 1000],
                    "instrument_name": "*WFC*"}
        table = MAST.Observations.query_criteria(objectname=TARGET, radius="0.1 deg", **criteria)
        save("observations-by-criteria", table)
        truth = [r for r in ARCHIVE.truth("observations", f"CIRCLE {POSITION} 0.1")
                 if r["obs_collection"] in ("HST", "JWST") and 400 <= float(r["em_max"]) <= 1000
                 and "WFC" in r["instrument_name"]]
        self.assertGreater(len(truth), 3)
        self.assert_rows_are(table, truth, "objID", ["distance", "objID1"])
        self.assertEqual(MAST.Observations.query_criteria_count(
            objectname=TARGET, radius="0.1 deg", **criteria), len(truth))
        everywhere = MAST.Observations.query_criteria_count(obs_collection="HST")
        answer = ARCHIVE.rows("Mast.Caom.Filtered", {
            "columns": "COUNT_BIG(*)",
            "filters": [{"paramName": "obs_collection", "values": ["HST"]}]})
        self.assertEqual(everywhere, answer["data"][0]["Column1"])

    def test_missions_and_metadata(self):
        self.assertEqual(sorted(MAST.Observations.list_missions()),
                         ["GALEX", "HLSP", "HST", "JWST", "PS1", "TESS"])
        metadata = MAST.Observations.get_metadata("products")
        self.assertIn("dataURI", list(metadata["Column Name"]))

    def test_products_are_listed_selected_and_downloaded(self):
        observations = MAST.Observations.query_criteria(objectname=TARGET, radius="0.1 deg",
                                                        obs_collection="HST")
        products = MAST.Observations.get_product_list(observations)
        save("products", products)
        answer = ARCHIVE.rows("Mast.Caom.Products",
                              {"obsid": ",".join(str(i) for i in observations["obsid"])})
        self.assertEqual([(str(p["obsID"]), p["dataURI"], int(p["size"])) for p in products],
                         [(str(p["obsID"]), p["dataURI"], p["size"]) for p in answer["data"]])
        chosen = MAST.Observations.filter_products(
            products, productType="SCIENCE", calib_level=[2, 3], extension="fits")
        self.assertGreaterEqual(len(chosen), 20)
        chosen = chosen[:4]
        with tempfile.TemporaryDirectory() as folder:
            manifest = MAST.Observations.download_products(chosen, download_dir=folder)
            self.assertEqual(list(manifest["Status"]), ["COMPLETE"] * len(chosen))
            for product, path in zip(chosen, manifest["Local Path"]):
                body = pathlib.Path(path).read_bytes()
                self.assertEqual(len(body), product["size"])
                self.assertEqual(body, ARCHIVE.get("/api/v0.1/Download/file?uri="
                                                   + product["dataURI"]))
                from astropy.io import fits
                with fits.open(path) as hdus:
                    hdus.verify("exception")
                    self.assertGreater(hdus[0].data.size, 1000)

    def test_gaia_around_a_position_over_several_pages(self):
        truth = ARCHIVE.truth("gaia", f"CIRCLE {POSITION} 0.005")
        self.assertGreater(len(truth), 500)
        table = MAST.Catalogs.query_region(POSITION, radius="0.005 deg", catalog="Gaia",
                                           pagesize=100)
        save("gaia", table)
        self.assert_rows_are(table, truth, "source_id", ["distance"])
        asked = ARCHIVE.stats()["by_service"]["Mast.Catalogs.GaiaDR2.Cone"]
        self.assertEqual(asked, -(-len(truth) // 100))

    def test_tic_around_a_position(self):
        truth = ARCHIVE.truth("tic", "CIRCLE 210.802429 54.34875 0.3")
        self.assertGreater(len(truth), 100)
        table = MAST.Catalogs.query_object("M 101", radius="0.3 deg", catalog="Tic")
        save("tic", table)
        self.assert_rows_are(table, truth, "ID", ["dstArcSec"])

    def test_tic_by_criteria(self):
        truth = [r for r in ARCHIVE.truth("tic", "CIRCLE 210.802429 54.34875 1")
                 if 10 <= float(r["Tmag"]) <= 15 and r["objType"] == "STAR"]
        self.assertGreater(len(truth), 20)
        table = MAST.Catalogs.query_criteria(catalog="Tic", objectname="M 101", radius="1 deg",
                                             Tmag=[10, 15], objType="STAR", pagesize=50)
        save("tic-by-criteria", table)
        self.assert_rows_are(table, truth, "ID", ["dstArcSec"])
        one = MAST.Catalogs.query_criteria(catalog="Tic", ID=truth[0]["ID"])
        self.assert_rows_are(one, truth[:1], "ID")

    def test_galex_warns_at_its_limit(self):
        table = MAST.Catalogs.query_region(POSITION, radius="0.2 deg", catalog="Galex")
        save("galex", table)
        self.assert_rows_are(table, ARCHIVE.truth("galex", f"CIRCLE {POSITION} 0.2"), "objID",
                             ["distance_arcmin"])

    def test_a_session_is_anonymous(self):
        self.assertTrue(MAST.Observations.session_info(verbose=False)["anon"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--archive", required=True, help="the program halyard-practice")
    parser.add_argument("--out", help="folder for the rows as CSV")
    OPTIONS, rest = parser.parse_known_args()
    warnings.simplefilter("ignore", ResourceWarning)  # astroquery leaves its sockets open
    with tempfile.TemporaryDirectory() as home, Archive(OPTIONS.archive) as ARCHIVE:
        MAST = import_astroquery(home, ARCHIVE.url)
        program = unittest.main(argv=[sys.argv[0], *rest], exit=False, warnings="ignore")
    sys.exit(not program.result.wasSuccessful())
