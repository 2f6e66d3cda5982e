# SPDX-License-Identifier: BSD-3-Clause
"""The practice archive speaks the portal's protocol: paging, polling, errors, resets, ranges.

Standard library only; mashup-api.md says what is expected.
"""

import argparse
import http.client
import json
import sys
import threading
import unittest
import urllib.error
import urllib.parse
import urllib.request

from practice import Archive

PROGRAM = None
CLUSTER = {"ra": 201.697, "dec": -47.4795}
GAIA = "Mast.Catalogs.GaiaDR3.Cone"


def dropped(call):
    """True when the connection was reset without an answer."""
    try:
        call()
    except (urllib.error.URLError, ConnectionError, http.client.HTTPException) as e:
        return isinstance(getattr(e, "reason", e), ConnectionResetError)
    return False


class Protocol(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.archive = Archive(PROGRAM, "--row-cap", "20000")

    @classmethod
    def tearDownClass(cls):
        cls.archive.__exit__(None, None, None)

    def test_pages_are_the_whole_in_order(self):
        cone = {**CLUSTER, "radius": 0.01}
        whole = self.archive.rows(GAIA, cone)
        n = len(whole["data"])
        self.assertGreater(n, 1000)
        pages = []
        for page in range(1, 100):
            part = self.archive.rows(GAIA, cone, page=page, pagesize=700)
            self.assertEqual(part["paging"]["rows"], len(part["data"]))
            self.assertEqual(part["paging"]["rowsTotal"], n)
            self.assertEqual(part["paging"]["pagesFiltered"], -(-n // 700))
            pages += part["data"]
            if not part["data"]:
                break
        self.assertEqual(pages, whole["data"])

    def test_every_format_carries_the_same_rows(self):
        cone = {**CLUSTER, "radius": 0.002}
        rows = self.archive.rows(GAIA, cone)
        names = [f["name"] for f in rows["fields"]]
        csv = self.archive.ask(GAIA, cone, format="csv").splitlines()
        self.assertEqual(csv[0].split(","), names)
        self.assertEqual(len(csv) - 1, len(rows["data"]))
        extjs = json.loads(self.archive.ask(GAIA, cone, format="extjs"))["data"]["Tables"][0]
        self.assertEqual([dict(zip(names, r)) for r in extjs["Rows"]], rows["data"])
        votable = self.archive.ask(GAIA, cone, format="votable")
        self.assertEqual(votable.count("<TR>"), len(rows["data"]))
        self.assertIn(str(rows["data"][0]["source_id"]), votable)

    def test_identifiers_are_bare_numbers_declared_as_text(self):
        answer = self.archive.rows("Mast.Caom.Cone", {**CLUSTER, "radius": 0.05})
        types = {f["name"]: f["type"] for f in answer["fields"]}
        self.assertEqual(types["objID"], "string")
        self.assertTrue(all(r["objID"] > 2**53 for r in answer["data"]))
        self.assertTrue(all(r["_selected_"] is None for r in answer["data"]))

    def test_over_the_cap_is_reset_even_for_one_row(self):
        cone = {**CLUSTER, "radius": 0.5}
        before = self.archive.stats()["resets"]
        self.assertTrue(dropped(lambda: self.archive.ask(GAIA, cone)))
        self.assertTrue(dropped(lambda: self.archive.ask(GAIA, cone, page=1, pagesize=1)))
        self.assertEqual(self.archive.stats()["resets"], before + 2)

    def test_counting_is_not_capped(self):
        answer = self.archive.rows("Mast.Catalogs.Filtered.Tic.Position",
                                   {**CLUSTER, "radius": 1, "columns": "COUNT_BIG(*)",
                                    "filters": []})
        truth = self.archive.dump("tic", "CIRCLE 201.697 -47.4795 1").count("\n") - 1
        self.assertGreater(truth, 20000)
        self.assertEqual(answer["data"], [{"Column1": truth}])
        self.assertEqual(answer["fields"], [{"name": "Column1", "type": "string"}])

    def test_counting_rows_of_a_rows_service_is_a_database_error(self):
        answer = json.loads(self.archive.ask("Mast.Catalogs.Filtered.Tic.Rows",
                                             {"columns": "COUNT_BIG(*)", "filters": []}))
        self.assertEqual(answer, {"status": "ERROR", "msg": "Incorrect syntax near '*'."})

    def test_empty_answers_have_zero_paging(self):
        answer = self.archive.rows(GAIA, {"ra": 10, "dec": 80, "radius": 0})
        self.assertEqual(answer["data"], [])
        self.assertEqual(set(answer["paging"].values()), {0})

    def test_mistakes_are_errors(self):
        for service, params, properties, text in (
                ("No.Such", {}, {}, "Mashup: Unable to Find Service Adaptor for service: \nNo.Such"),
                (GAIA, {"ra": 1, "dec": 1, "radius": 1}, {"page": 0},
                 "page parameter must be > 0"),
                (GAIA, {"ra": 1, "dec": 1, "radius": 1}, {"pagesize": -1},
                 "pagesize parameter must be > 0"),
                (GAIA, {"ra": 1, "dec": 1, "radius": 1}, {"format": "pdf"},
                 "Unknown  Format Type specified : pdf"),
                (GAIA, {"ra": 1, "dec": 1, "radius": -1}, {}, "radius is negative"),
                (GAIA, {"ra": 1, "dec": 91, "radius": 1}, {}, "dec is outside -90 to 90"),
                ("Mast.Caom.Filtered",
                 {"columns": "*", "filters": [{"paramName": "colour", "values": []}]}, {},
                 "Invalid column name 'colour'.")):
            answer = json.loads(self.archive.ask(service, params, **properties))
            self.assertEqual((answer["status"], answer["msg"]), ("ERROR", text))
        with self.assertRaises(urllib.error.HTTPError) as caught:
            self.archive.ask("No.Such", {}, format="csv")
        self.assertEqual(caught.exception.code, 500)
        caught.exception.close()

    def test_get_and_the_old_spelling_answer_alike(self):
        request = {"service": GAIA, "params": {**CLUSTER, "radius": 0.001}, "format": "json"}
        text = json.dumps(request)
        post = self.archive.post("/api/v0/invoke", {"request": text})
        query = "?request=" + urllib.parse.quote(text)
        self.assertEqual(self.archive.get("/api/v0/invoke" + query), post)
        self.assertEqual(self.archive.get("/portal/Mashup/Mashup.asmx/invoke" + query), post)

    def test_filters_combine(self):
        params = {"columns": "*", "position": "201.697, -47.4795, 0.2", "filters": []}
        every = self.archive.rows("Mast.Caom.Filtered.Position", params)["data"]
        params["filters"] = [
            {"paramName": "OBS_COLLECTION", "values": ["hst", "JWST"]},
            {"paramName": "em_max", "values": [{"min": 400, "max": 1000}]},
            {"paramName": "target_name", "values": [], "freeText": "ngc%"},
            {"paramName": "wavelength_region", "values": ["OPTICAL"], "separator": ";"}]
        some = self.archive.rows("Mast.Caom.Filtered.Position", params)["data"]
        want = [r for r in every if r["obs_collection"] in ("HST", "JWST")
                and 400 <= r["em_max"] <= 1000 and r["target_name"].startswith("NGC")
                and "OPTICAL" in r["wavelength_region"].split(";")]
        self.assertGreater(len(want), 3)
        self.assertEqual(some, want)
        collections = [r["obs_collection"] for r in every]
        self.assertEqual(collections, sorted(collections, reverse=True))

    def test_galex_is_cut_at_maxrecords(self):
        answer = self.archive.rows("Mast.Galex.Catalog", {**CLUSTER, "radius": 0.5,
                                                          "maxrecords": 100})
        self.assertEqual((len(answer["data"]), answer["paging"]["rowsTotal"]), (100, 100))

    def test_names(self):
        entry = json.loads(self.archive.ask("Mast.Name.Lookup",
                                            {"input": "Omega Cen", "format": "json"}))
        self.assertEqual(entry["resolvedCoordinate"][0]["searchString"], "omega cen")
        self.assertIn("<dec>-47.4795</dec>", self.archive.ask("Mast.Name.Lookup",
                                                              {"input": "NGC 5139"}))
        none = json.loads(self.archive.ask("Mast.Name.Lookup",
                                           {"input": "Nowhere 7", "format": "json"}))
        self.assertEqual(none["resolvedCoordinate"], [])
        many = json.loads(self.archive.get(
            "/Santa-war/query?name=M101&name=nowhere&name=M%201&outputFormat=json"))
        self.assertEqual([e["canonicalName"] for e in many["resolvedCoordinate"]],
                         ["M 101", "M 1"])

    def test_a_tic_number_resolves_and_selects(self):
        star = self.archive.rows("Mast.Catalogs.Tic.Cone", {**CLUSTER, "radius": 0.02})["data"][3]
        entry = json.loads(self.archive.ask("Mast.Name.Lookup", {"input": f"TIC {star['ID']}",
                                                                 "format": "json"}))
        entry = entry["resolvedCoordinate"][0]
        self.assertEqual((entry["ra"], entry["decl"]), (star["ra"], star["dec"]))
        for column in ("ID", "GAIA"):
            rows = self.archive.rows("Mast.Catalogs.Filtered.Tic.Rows", {
                "columns": "ID,GAIA",
                "filters": [{"paramName": column, "values": [str(star[column])]}]})["data"]
            self.assertEqual(rows, [{"ID": star["ID"], "GAIA": star["GAIA"]}])

    def test_files_answer_head_and_ranges(self):
        product = self.archive.rows("Mast.Caom.Products", {"obsid": "1099511627776"})["data"][0]
        path = "/api/v0.1/Download/file?uri=" + urllib.parse.quote(product["dataURI"])
        body = self.archive.get(path)
        self.assertEqual(len(body), product["size"])

        def ask(method, **headers):
            request = urllib.request.Request(self.archive.url + path, method=method,
                                             headers=headers)
            return urllib.request.urlopen(request, timeout=60)

        with ask("HEAD") as head:
            self.assertEqual(int(head.headers["Content-Length"]), len(body))
            etag = head.headers["ETag"]
        for text, first, last in (("bytes=100-199", 100, 199), ("bytes=5000-", 5000, len(body) - 1),
                                  ("bytes=-10", len(body) - 10, len(body) - 1)):
            with ask("GET", Range=text) as part:
                self.assertEqual(part.status, 206)
                self.assertEqual(part.headers["Content-Range"],
                                 f"bytes {first}-{last}/{len(body)}")
                self.assertEqual(part.read(), body[first:last + 1])
        with ask("GET", **{"Range": "bytes=5-", "If-Range": '"other"'}) as full:
            self.assertEqual((full.status, full.read()), (200, body))
        with ask("GET", **{"Range": "bytes=5-", "If-Range": etag}) as part:
            self.assertEqual(part.status, 206)
        with self.assertRaises(urllib.error.HTTPError) as caught:
            ask("GET", Range=f"bytes={len(body)}-")
        self.assertEqual(caught.exception.code, 416)
        caught.exception.close()
        with self.assertRaises(urllib.error.HTTPError) as caught:
            self.archive.get("/api/v0.1/Download/file?uri=mast:HST/product/none.fits")
        self.assertEqual(caught.exception.code, 404)
        caught.exception.close()

    def test_one_request_after_the_other_is_never_two(self):
        with Archive(PROGRAM) as archive:
            for _ in range(30):
                archive.ask(GAIA, {**CLUSTER, "radius": 0.0005})
                archive.get("/whoami")
            stats = archive.stats()
            self.assertEqual((stats["most_simultaneous"], stats["requests"]), (1, 60))
            self.assertEqual(stats["by_path"], {"/api/v0/invoke": 30, "/whoami": 30})
            log = json.loads(archive.get("/practice/log"))
            self.assertEqual([r["id"] for r in log], sorted(r["id"] for r in log))
            self.assertEqual(len({r["request"] for r in log if "request" in r}), 1)

    def test_simultaneous_requests_give_the_same_answers(self):
        cone = {**CLUSTER, "radius": 0.008}
        want = self.archive.ask(GAIA, cone)
        got = []

        def one():
            got.append(self.archive.ask(GAIA, cone))

        threads = [threading.Thread(target=one) for _ in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(got, [want] * 8)


class Faults(unittest.TestCase):
    def archive_with(self, *options):
        archive = Archive(PROGRAM, *options)
        self.addCleanup(archive.__exit__, None, None, None)
        return archive

    def test_executing_comes_as_often_as_told(self):
        archive = self.archive_with("--faults", "executing=3")
        cone = {**CLUSTER, "radius": 0.001}
        states = [json.loads(archive.ask(GAIA, cone))["status"] for _ in range(5)]
        self.assertEqual(states, ["EXECUTING"] * 3 + ["COMPLETE"] * 2)

    def test_large_answers_execute_once(self):
        archive = self.archive_with()
        cone = {**CLUSTER, "radius": 0.06}
        states = [json.loads(archive.ask(GAIA, cone))["status"] for _ in range(2)]
        self.assertEqual(states, ["EXECUTING", "COMPLETE"])

    def test_a_share_of_requests_is_reset_and_always_the_same(self):
        def pattern():
            archive = self.archive_with("--faults", "reset=0.3")
            cone = {**CLUSTER, "radius": 0.0005}
            return [dropped(lambda: archive.ask(GAIA, cone)) for _ in range(60)]
        first = pattern()
        self.assertTrue(8 <= sum(first) <= 30, sum(first))
        self.assertEqual(pattern(), first)

    def test_statuses_pages_and_cuts(self):
        cone = {**CLUSTER, "radius": 0.01}
        archive = self.archive_with("--faults", "http503=1")
        with self.assertRaises(urllib.error.HTTPError) as caught:
            archive.ask(GAIA, cone)
        self.assertEqual((caught.exception.code, caught.exception.headers["Retry-After"]),
                         (503, "1"))
        caught.exception.close()
        archive = self.archive_with("--faults", "html=1")
        self.assertTrue(archive.ask(GAIA, cone).startswith("<!DOCTYPE html>"))
        archive = self.archive_with("--faults", "cut=1")
        with self.assertRaises(http.client.IncompleteRead):
            archive.ask(GAIA, cone)
        with self.assertRaises(http.client.IncompleteRead):
            archive.ask(GAIA, {"ra": 10, "dec": 80, "radius": 0})
        archive = self.archive_with("--faults", "no-paging")
        self.assertNotIn("paging", archive.rows(GAIA, cone))
        archive = self.archive_with("--faults", "ignore-pagesize")
        answer = archive.rows(GAIA, cone, page=2, pagesize=3)
        self.assertEqual(len(answer["data"]), answer["paging"]["rowsTotal"])
        archive = self.archive_with("--faults", "silent-cap=50")
        self.assertEqual(len(archive.rows(GAIA, cone)["data"]), 50)

    def test_file_faults_leave_questions_alone(self):
        archive = self.archive_with("--faults", "file-norange=1")
        product = archive.rows("Mast.Caom.Products", {"obsid": "1099511627776"})["data"][0]
        request = urllib.request.Request(
            archive.url + "/api/v0.1/Download/file?uri=" + product["dataURI"],
            headers={"Range": "bytes=10-20"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            self.assertEqual((answer.status, len(answer.read())), (200, product["size"]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--archive", required=True)
    known, rest = parser.parse_known_args()
    PROGRAM = known.archive
    unittest.main(argv=[sys.argv[0], *rest])
