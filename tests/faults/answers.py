# SPDX-License-Identifier: BSD-3-Clause
"""Rows of the fault matrix about what a server says in good HTTP: N22 to N28 for files, N34."""
import collections
import email.utils
import io
import os
import pathlib
import re
import shutil
import threading
import time
import unittest
import zipfile

import rows
from case import HASTEN, TOKEN, Case

CONTENT = bytes(range(256)) * 1000
PAGE = ("<!DOCTYPE html><html><head><title>Down for maintenance</title></head><body><p>We will be "
        "back soon.</p></body></html>")
TRANSIENT = ("408 Request Timeout", "500 Internal Server Error", "502 Bad Gateway",
             "504 Gateway Timeout")


class Answers(Case):
    def setUp(self):
        super().setUp()
        self.truth = {"a.bin": CONTENT}

    def fetch_from_mast(self, peer, **options):
        """The file by its data URI: with the token, from the peer as if it were MAST."""
        return self.run_text('retrieve.products({ { dataURI = "mast:T/a.bin" } }, { dir = "d", '
                             'flat = true })', ["mast"], "--archive", peer.url, **options)

    def gaps(self, peer, hasten):
        """Seconds between requests, by the client's clock."""
        at = [request.at for request in peer.requests]
        return [(later - earlier) * hasten for earlier, later in zip(at, at[1:])]

    def assert_recovers(self, fault, n_requests=2, hasten=HASTEN, **options):
        """`fault(wire)` spoils the answers before the last: the file is whole. Gives the peer."""
        peer = self.serve(lambda request, wire: fault(wire) if request.again < n_requests - 1
                          else wire.file(request, CONTENT))
        ended = self.fetch(peer, hasten=hasten, **options)
        self.assertEqual(ended.code, 0, ended.messages)
        self.assertEqual(len(peer.requests), n_requests)
        self.assertEqual(self.whole(), {"a.bin"})
        return peer

    def assert_fails(self, fault, code, message, n_requests, **options):
        """`fault(wire)` spoils every answer: that code, message and number of requests, and nothing
        that looks like the file; a good server heals it. Gives what ended."""
        peer = self.serve(lambda request, wire: fault(wire))
        ended = self.fetch(peer, hasten=HASTEN, **options)
        self.assertEqual(ended.code, code, ended.messages)
        self.assertRegex(ended.messages, message)
        self.assertEqual(len(peer.requests), n_requests)
        self.assertEqual(self.whole(), set())
        self.assert_heals(peer)
        return ended


class Statuses(Answers):
    def test_N22_what_a_server_refuses_is_not_asked_for_again(self):
        for status, code in (("400 Bad Request", 4), ("401 Unauthorized", 6), ("403 Forbidden", 6),
                             ("404 Not Found", 4), ("410 Gone", 4)):
            with self.variant(status):
                self.assert_fails(lambda wire, status=status: wire.answer("no", status), code,
                                  f"HTTP {status[:3]}", 1)

    def test_N22_the_words_of_the_server_are_told_cleaned_and_cut(self):
        words = "\x1b[31mSorry,\r\n\tno\x07 such <plate> " + "x" * 300 + "TAIL"
        ended = self.assert_fails(lambda wire: wire.answer(words, "400 Bad Request"), 4,
                                  "HTTP 400.*: .*Sorry, no.* such", 1)
        self.assertNotRegex(ended.messages, r"[\x00-\x09\x0b-\x1f\x7f]")
        self.assertNotIn("TAIL", ended.messages)

    def test_N22_the_words_of_the_server_about_a_missing_file(self):
        self.assert_fails(lambda wire: wire.answer("plate 17 was withdrawn", "404 Not Found"), 4,
                          "plate 17 was withdrawn", 1)

    def test_N22_a_refusal_names_the_credential_that_would_apply(self):
        for status in ("401 Unauthorized", "403 Forbidden"):
            for token, remedy in ((TOKEN, "the token that was sent does not allow it or has expired"),
                                  ("", "MAST_API_TOKEN")):
                with self.variant(status + " " + remedy):
                    peer = self.serve(lambda request, wire, status=status: wire.answer(
                        request.headers.get("authorization", "none") + " is worth nothing", status))
                    ended = self.fetch_from_mast(peer, env=self.environment(MAST_API_TOKEN=token))
                    self.assertEqual(ended.code, 6, ended.messages)
                    self.assertIn(remedy, ended.messages)
                    self.assertIn("is worth nothing", ended.messages)
                    self.assertEqual(len(peer.requests), 1)
                    self.assertIn(token, peer.requests[0].headers.get("authorization", ""))

    def test_N23_what_may_pass_is_asked_for_again(self):
        for status in TRANSIENT:
            with self.variant(status):
                self.assert_recovers(lambda wire, status=status: wire.answer("no", status), 3)

    def test_N23_what_never_passes_is_asked_for_five_times(self):
        for status in TRANSIENT:
            with self.variant(status):
                self.assert_fails(lambda wire, status=status: wire.answer("no", status), 4,
                                  rf"HTTP {status[:3]}\).*try again later \(tried 5 times\)", 5)


class Busy(Answers):
    STATUSES = ("429 Too Many Requests", "503 Service Unavailable", "413 Content Too Large")

    def test_N24_seconds(self):
        for status in self.STATUSES:
            with self.variant(status):
                peer = self.assert_recovers(lambda wire, status=status: wire.answer(
                    "later", status, Retry_After="20"), hasten=20)
                self.assertGreater(self.gaps(peer, 20)[0], 19.5)
                self.assertLess(self.gaps(peer, 20)[0], 60)

    def test_N24_date(self):
        """By the server's own clock, whatever that shows (N34)."""
        for name, clock in (("right", time.time()), ("2001", 1e9), ("2096", 4e9)):
            with self.variant(name):
                self.assert_waits_for_date(clock)

    def assert_waits_for_date(self, clock):
        def date(ahead_s):
            return email.utils.formatdate(clock + ahead_s, usegmt=True)
        peer = self.assert_recovers(lambda wire: wire.answer(
            "later", self.STATUSES[0], Date=date(0), Retry_After=date(20)), hasten=20)
        self.assertGreater(self.gaps(peer, 20)[0], 19.5)
        self.assertLess(self.gaps(peer, 20)[0], 60)

    def test_N34_dates_are_differences_to_the_servers_own_clock(self):
        for name, clock in (("1995", 8e8), ("2033", 2e9)):
            with self.variant(name):
                self.assert_waits_for_date(clock)

    def test_N24_what_says_nothing_about_the_time(self):
        past = email.utils.formatdate(time.time() - 3600, usegmt=True)
        for told in (past, "-5", "soon", "12 hours", "1e3", ""):
            with self.variant(told):
                peer = self.assert_recovers(lambda wire, told=told: wire.answer(
                    "later", self.STATUSES[0], Retry_After=told), hasten=20)
                self.assertLess(self.gaps(peer, 20)[0], 15)

    def test_N24_busy_without_a_word(self):
        for status in self.STATUSES[:2]:
            with self.variant(status):
                self.assert_fails(lambda wire, status=status: wire.answer("later", status), 75,
                                  r"is busy \(HTTP \d+\): later; try again later", 5)

    def test_N24_too_large_without_a_word_is_no_matter_of_time(self):
        self.assert_fails(lambda wire: wire.answer("too large", self.STATUSES[2]), 4, "HTTP 413", 1)

    def test_N24_ten_years_are_not_waited_for(self):
        told = {"seconds": "315360000",
                "date": email.utils.formatdate(time.time() + 315360000, usegmt=True)}
        for name, text in told.items():
            with self.variant(name):
                self.assert_fails(lambda wire, text=text: wire.answer(
                    "later", self.STATUSES[0], Retry_After=text), 75, r"HTTP 429", 1)

    def test_N24_the_time_of_what_is_put_off_is_in_the_record(self):
        peer = self.serve(lambda request, wire: wire.answer("later", self.STATUSES[0],
                                                            Retry_After="7200"))
        ended = self.fetch(peer)
        self.assertEqual(ended.code, 75, ended.messages)
        self.assertRegex(ended.files()["a.bin"]["error"], "7200 s|2 h")
        self.assertEqual(len(peer.requests), 1)
        self.assert_heals(peer)

    def test_N24_the_whole_host_pauses(self):
        hasten = 20
        self.truth = {f"{i}.bin": CONTENT for i in range(6)}

        told = threading.Event()

        def answer(request, wire):
            if request.number == 0:
                wire.answer("later", self.STATUSES[0], Retry_After="30")
                return told.set()
            told.wait()
            wire.wait(0.1)
            return wire.file(request, CONTENT)
        peer = self.serve(answer)
        ended = self.fetch(peer, options="parallel = 2", hasten=hasten)
        self.assertEqual(ended.code, 0, ended.messages)
        self.assertEqual(len(peer.requests), 7)
        began = peer.requests[0].at
        early = [request for request in peer.requests if (request.at - began) * hasten < 29.5]
        self.assertLessEqual(len(early), 2)  # what was under way when the answer came

    def test_N25_a_burst_of_errors_over_many_files_passes(self):
        self.assert_burst_passes("parallel = 16")

    def test_N25_a_burst_of_errors_passes(self):
        self.assert_burst_passes("")

    def assert_burst_passes(self, options):
        """20 answers fail, but none of a file's five tries is its last one for that: which files
        the answers meet is chance."""
        self.truth = {f"{i}.bin": bytes([i]) * 1000 for i in range(30)}
        status = TRANSIENT[1:] + self.STATUSES[1:2]
        failed = collections.Counter()
        lock = threading.Lock()

        def answer(request, wire):
            with lock:
                fails = failed.total() < 20 and failed[request.path] < 4
                failed[request.path] += fails
            if fails:
                return wire.answer("no", status[request.number % 4])
            return self.good(request, wire)
        peer = self.serve(answer)
        ended = self.fetch(peer, options=options, hasten=HASTEN)
        self.assertLessEqual(len(peer.requests), 2 * 30 + 25)
        self.assertEqual(ended.code, 0, ended.messages)
        self.assertEqual(self.whole(), set(self.truth))

    def test_N25_a_host_that_is_down_is_not_hammered(self):
        self.truth = {f"{i}.bin": bytes([i]) * 1000 for i in range(30)}
        peer = self.serve(lambda request, wire: wire.answer("no", TRANSIENT[1]))
        ended = self.fetch(peer, hasten=HASTEN)
        self.assertIn(ended.code, (4, 75), ended.messages)  # all failed; or put off, it is down
        self.assertLessEqual(len(peer.requests), 30 + 20)
        self.assert_heals(peer)


class Pages(Answers):
    def send_page(self, wire):
        wire.answer(PAGE, Content_Type="text/html; charset=utf-8")

    def test_N26_a_page_about_maintenance_passes(self):
        self.assert_recovers(self.send_page, 3)

    def test_N26_a_page_instead_of_a_file(self):
        self.assert_fails(self.send_page, 4, "an HTML page came where a file was asked for: Down for "
                          "maintenance", 3)

    def test_N26_a_page_that_calls_itself_a_file(self):
        self.assert_fails(lambda wire: wire.answer(
            "\n\n<HTML>" + PAGE[15:], Content_Type="application/fits"), 4, "Down for maintenance", 3)

    def test_N26_a_page_that_comes_in_pieces(self):
        def drip(wire):
            wire.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(PAGE)}\r\n\r\n")
            for piece in (PAGE[:1], PAGE[1:8], PAGE[8:13], PAGE[13:]):
                wire.send(piece)
                wire.arrived()
                wire.wait(0.02)
        self.assert_fails(drip, 4, "an HTML page came where a file was asked for", 3)

    def test_N26_pages_of_other_makes(self):
        page = PAGE.replace("<!DOCTYPE html>", "")
        for name, body, kind in (
                ("comment", "<!-- of the proxy -->" + PAGE, "application/fits"),
                ("XHTML", '<?xml version="1.0"?><!DOCTYPE html PUBLIC "x">' + page, "text/xml"),
                ("no beginning", page[len("<html>"):], "application/fits"),
                ("by its type", "<p>Down for maintenance until noon", "text/html")):
            with self.variant(name):
                self.assert_fails(lambda wire, body=body, kind=kind: wire.answer(
                    body, Content_Type=kind), 4, "an HTML page came .*Down for maintenance", 3)

    def test_N26_a_page_that_was_asked_for_is_a_file(self):
        page = PAGE.encode()
        self.truth = {"a.html": page, "b.HTM": page, "c.xhtml": b'<?xml version="1.0"?>' + page}
        ended = self.fetch(self.serve(lambda request, wire: wire.file(
            request, self.truth[request.path[1:]], Content_Type="text/html")))
        self.assertEqual(ended.code, 0, ended.messages)
        self.assertEqual(self.whole(), set(self.truth))

    def test_N27_nothing_instead_of_a_file(self):
        self.assert_fails(lambda wire: wire.answer(b""), 4, "empty", 2)

    def test_N27_nothing_once(self):
        self.assert_recovers(lambda wire: wire.answer(b""))

    def test_N27_nothing_where_the_catalogue_knows_the_size(self):
        self.assert_recovers(lambda wire: wire.answer(b""), sizes={"a.bin": len(CONTENT)})

    def test_N28_a_captive_portal_is_refused(self):
        """The portal's login page is on another host, which is not granted, and says 200."""
        portal = self.serve(lambda request, wire: self.send_page(wire))
        for status in ("302 Found", "303 See Other", "307 Temporary Redirect"):
            with self.variant(status):
                peer = self.serve(lambda request, wire, status=status: wire.answer(
                    PAGE, status, Location=portal.url + "/login?to=a.bin"))
                for ended in (self.fetch(peer), self.fetch_from_mast(peer)):
                    self.assertEqual(ended.code, 6, ended.messages)
                    self.assertRegex(ended.messages, re.escape(portal.host))
                self.assertEqual(len(peer.requests), 2)
                self.assertEqual(portal.n_connections, 0)


class Bundles(Answers):
    """Made on demand: only their members' check sums tell whether they are whole."""

    def bundle(self, damaged):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as out:
            out.writestr(zipfile.ZipInfo("A/b.fits"), CONTENT)  # of a date that stays
        content = bytearray(packed.getvalue())
        content[5000] ^= damaged
        return bytes(content)

    def bundles(self):
        return list(pathlib.Path(self.out).rglob("*.zip"))

    def run_doors(self, answers):
        """`answers` are damaged or not, the last one for ever. Gives what ended, and the number of
        requests, of each way to a bundle."""
        for text in ('return mast.bundle({ "mast:HST/A/b.fits" }, { name = "b" })',
                     'return mast.mission("hst"):bundle({ { dataURI = "mission:hst/A/b.fits" } }, '
                     '{ name = "b" })',
                     'return mast.cutouts.z { target = "189.2 62.2", size = 3 }'):
            with self.subTest(text):
                peer = self.serve(lambda request, wire: wire.answer(
                    self.bundle(answers[min(request.again, len(answers) - 1)])))
                yield self.run_text(text, ["mast"], "--archive", peer.url), peer
                shutil.rmtree(self.out)

    def test_N15_a_damaged_bundle_is_fetched_again(self):
        for ended, peer in self.run_doors((True, True, False)):
            self.assertEqual(ended.code, 0, ended.messages)
            self.assertEqual(len(peer.requests), 3)
            bundle, = self.bundles()
            self.assertEqual(bundle.read_bytes(), self.bundle(False))

    def test_N15_a_bundle_that_stays_damaged_gets_no_name(self):
        for ended, peer in self.run_doors((True,)):
            self.assertEqual(ended.code, 7, ended.messages)
            self.assertIn("it was removed (fetched 3 times); run again later", ended.messages)
            self.assertEqual(len(peer.requests), 3)
            self.assertEqual(self.bundles(), [])


if __name__ == "__main__":
    unittest.main(testRunner=rows.Runner)
