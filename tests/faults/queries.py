# SPDX-License-Identifier: BSD-3-Clause
"""Rows of the fault matrix about answers to queries: N5, N15, N16, N26, N27, N29 to N33."""
import collections
import gzip
import json
import unittest

import rows
from case import HASTEN
from sky import Query, Sky, question

PAGE = ("<!DOCTYPE html><html><head><title>Down for maintenance</title></head><body><p>We will be "
        "back soon.</p></body></html>")
DOORS = ("catalog", "observations", "cone", "tap")


class Answers(Query):
    def is_for_rows(self, request):
        """Is this the question of a door for its rows?"""
        if request.path.endswith("/invoke"):
            return not self.sky.is_count(request)
        return request.path == "/tap/sync" or request.path == "/cone" and self.sky.cone_asked(request)

    @staticmethod
    def is_aside(request):
        """Is this a question whose answer no rows depend on?"""
        return request.path.endswith(("/columnsconfig", "/capabilities", "/examples"))

    def n_rows(self, request):
        return len(self.sky.cone_asked(request) if request.path == "/cone"
                   else self.sky.asked(request))

    def whole_answer(self, request):
        """What a good archive says."""
        if request.path.endswith("/invoke"):
            chosen = self.sky.asked(request)
            return (self.sky.count(len(chosen)) if self.sky.is_count(request)
                    else self.sky.portal(chosen, "Caom" in request.body.decode()))
        return self.sky.votable(self.sky.cone_asked(request) if request.path == "/cone"
                                else self.sky.rows)

    def asked(self, peer):
        """How often each question was asked."""
        return collections.Counter((request.target, request.body) for request in peer.requests
                                   if not self.is_aside(request))

    def for_rows(self, peer):
        """How often each question for rows was asked."""
        return collections.Counter((request.target, request.body) for request in peer.requests
                                   if self.is_for_rows(request))

    def assert_each_door(self, fault, code, message, tries, doors=DOORS):
        """`fault(request, wire)` spoils every answer: by each door the query ends with that code and
        message, no question is asked more often than `tries`, and a good archive heals it. The one
        question of a plan that has had no answer yet is asked three times more, half a minute and
        longer apart, whatever was wrong (tiling design 6.1)."""
        for door in doors:
            with self.variant(door):
                peer = self.serve_sky(lambda request, wire: None if self.is_aside(request)
                                      else fault(request, wire))
                options = 'mode = "sync"' if door == "tap" else ""
                ended = self.ask(peer, door, options=options, hasten=HASTEN)
                self.assertEqual(ended.code, code, ended.messages)
                self.assertRegex(ended.messages, message)
                self.assertLessEqual(max(self.asked(peer).values()),
                                     max(4, tries) if door == "catalog" else tries)
                self.assert_heals_query(peer, door)

    def assert_each_door_recovers(self, fault, times, doors=DOORS):
        """`fault(request, wire)` spoils the first `times` answers: all rows come."""
        for door in doors:
            with self.variant(door):
                spoilt = []

                def spoil(request, wire, spoilt=spoilt):
                    if self.is_aside(request) or len(spoilt) == times:
                        return None
                    spoilt.append(request)
                    return fault(request, wire)
                ended = self.ask(self.serve_sky(spoil), door, hasten=HASTEN)
                self.assertEqual(ended.code, 0, ended.messages)
                self.assertEqual(len(spoilt), times)


class TooLarge(Answers):
    def assert_split(self, fault, door, limit=100):
        """Answers of more than `limit` rows are `fault`: all rows come in parts, and no question is
        asked more than twice."""
        peer = self.serve_sky(lambda request, wire: fault(wire) if self.is_for_rows(request)
                              and self.n_rows(request) > limit else None)
        ended = self.ask(peer, door, hasten=HASTEN)
        self.assertEqual(ended.code, 0, ended.messages)
        asked = self.for_rows(peer)
        self.assertLessEqual(max(asked.values()), 2)
        self.assertLessEqual(len(asked), 6000 // limit)
        return ended

    def test_N5_a_reset_instead_of_a_large_answer_splits_the_tile(self):
        for door in ("catalog", "observations", "cone"):
            with self.variant(door):
                self.assert_split(lambda wire: wire.reset(), door)

    def test_N5_resets_of_large_answers_are_no_fault_of_the_host(self):
        """There are more of them than a host may fail."""
        resets = []

        def reset(wire):
            resets.append(wire)
            wire.reset()
        ended = self.assert_split(reset, "catalog", 10)
        self.assertGreater(len(resets), 20)
        self.assertNotIn("left alone", ended.messages)

    def test_N5_an_end_instead_of_a_large_answer_splits_the_tile(self):
        self.assert_split(lambda wire: wire.close(), "catalog")

    def test_N5_an_archive_that_resets_everything_is_given_up(self):
        peer = self.serve_sky(lambda request, wire: wire.reset()
                              if self.is_for_rows(request) else None)
        ended = self.ask(peer, "catalog", hasten=HASTEN)
        self.assertEqual(ended.code, 4, ended.messages)
        self.assertIn("the connection ended without an answer", ended.messages)
        self.assertLessEqual(len(peer.requests), 20)
        self.assert_heals_query(peer, "catalog")

    def test_N29_memory_and_time_of_the_archive_split_the_tile(self):
        for words in ("Exception of type 'System.OutOfMemoryException' was thrown.",
                      "Timeout expired.  The timeout period elapsed prior to completion"):
            with self.variant(words):
                self.assert_split(lambda wire, words=words: wire.answer(
                    json.dumps({"status": "ERROR", "msg": words})) or True, "catalog")

    def test_N32_a_silent_row_limit_splits_the_tile(self):
        def cut(request, wire):
            if not self.is_for_rows(request):
                return None
            some = (self.sky.cone_asked(request) if request.path == "/cone"
                    else self.sky.asked(request))[:1000]
            wire.answer(self.sky.votable(some) if request.path == "/cone"
                        else self.sky.portal(some))
            return True
        self.sky = Sky(2500)
        for door, options in (("catalog", "row_limit = 1000"), ("cone", "")):
            with self.variant(door):
                peer = self.serve_sky(cut)
                ended = self.ask(peer, door, options=options, hasten=HASTEN)
                self.assertEqual(ended.code, 0, ended.messages)
                self.assertGreater(len(self.for_rows(peer)), 1)

    def test_N32_observations_at_the_row_limit_come_in_parts(self):
        peer = self.serve_sky(lambda request, wire: None)
        ended = self.ask(peer, "observations", options="row_limit = 100")
        self.assertEqual(ended.code, 0, ended.messages)
        self.assertGreater(len(self.for_rows(peer)), 1)

    def test_N32_overflow_of_tap_is_no_result(self):
        peer = self.serve_sky(lambda request, wire: wire.answer(
            self.sky.votable(self.sky.rows[:100], "OVERFLOW")) or True
            if self.is_for_rows(request) else None)
        ended = self.ask(peer, "tap")
        self.assertEqual(ended.code, 7, ended.messages)
        self.assertRegex(ended.messages, "there are more rows than .* it sent. Ask for less")
        self.assertEqual(len(self.for_rows(peer)), 1)
        self.assert_heals_query(peer, "tap")

    def test_N32_as_many_rows_as_maxrec_without_a_word_is_no_result(self):
        peer = self.serve_sky(lambda request, wire: wire.answer(
            self.sky.votable(self.sky.rows[:100])) or True if self.is_for_rows(request) else None)
        ended = self.ask(peer, "tap", options="maxrec = 100")
        self.assertEqual(ended.code, 7, ended.messages)
        self.assertIn("raise maxrec", ended.messages)


class Damaged(Answers):
    def compressed(self, request, damage):
        return damage(gzip.compress(self.whole_answer(request).encode()))

    def assert_refused(self, damage, headers):
        def answer(request, wire):
            wire.answer(self.compressed(request, damage), **headers)
            return True
        doors = ("catalog", "cone", "tap")
        self.assert_each_door(answer, 7, "compressed answer", 3, doors)
        self.assert_each_door_recovers(answer, 1, doors)

    def test_N15_corrupt_gzip(self):
        for damage in (lambda body: body[:-8] + b"\0\0\0\0" + body[-4:],
                       lambda body: body[:10] + b"\xff" + body[11:]):
            self.assert_refused(damage, {"Content_Type": "application/gzip"})

    def test_N16_gzip_cut_short(self):
        for damage in (lambda body: body[:-1], lambda body: body[:-8],
                       lambda body: body[:len(body) // 2]):
            self.assert_refused(damage, {"Content_Type": "application/gzip"})

    def test_N15_corrupt_gzip_as_content_encoding(self):
        self.assert_refused(lambda body: body[:-8] + b"\0\0\0\0" + body[-4:],
                            {"Content_Encoding": "gzip"})

    def test_N16_gzip_cut_short_as_content_encoding(self):
        self.assert_refused(lambda body: body[:-8], {"Content_Encoding": "gzip"})

    def test_N11_an_answer_without_length_that_ends_early(self):
        def cut(request, wire):
            wire.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
                      + self.whole_answer(request)[:5000])
            wire.close()
        self.assert_each_door_recovers(cut, 1)
        self.assert_each_door(cut, 7, "the answer|the VOTable", 3, ("tap",))

    def test_N26_a_page_about_maintenance_passes(self):
        self.assert_each_door_recovers(lambda request, wire: wire.answer(
            PAGE, Content_Type="text/html") or True, 2)

    def test_N26_a_page_instead_of_data(self):
        self.assert_each_door(lambda request, wire: wire.answer(
            PAGE, Content_Type="text/html") or True, 4, "Down for maintenance", 3)

    def test_N27_an_empty_answer_passes(self):
        self.assert_each_door_recovers(lambda request, wire: wire.answer(b"") or True, 1)

    def test_N27_nothing_but_empty_answers(self):
        self.assert_each_door(lambda request, wire: wire.answer(b"") or True, 4, "empty", 2)

    def test_N29_an_error_of_the_archive_is_told_and_not_asked_again(self):
        words = "Incorrect syntax near '*'."
        self.assert_each_door(lambda request, wire: wire.answer(
            json.dumps({"status": "ERROR", "msg": words})) or True, 4,
            "Incorrect syntax near '\\*'", 1, ("catalog", "observations"))


class Working(Answers):
    def test_N30_executing_for_ever(self):
        """By the client's clock an hour, the deadline of one operation."""
        busy = json.dumps({"status": "EXECUTING", "msg": "", "percent complete": 0.42})
        peer = self.serve_sky(lambda request, wire: wire.answer(busy) or True
                              if request.path.endswith("/invoke") else None)
        ended = self.ask(peer, "observations", "--json", hasten=300)
        self.assertEqual(ended.code, 4, ended.messages)
        self.assertRegex(ended.messages, "still EXECUTING after 3600 s and [0-9]+ polls")
        self.assertIn('"percent":42', ended.messages)
        asked = self.asked(peer)
        self.assertEqual(len(asked), 1)  # byte for byte
        self.assertLess(max(asked.values()), 3700)

    def test_N30_questions_come_further_and_further_apart(self):
        hasten, busy = 10, json.dumps({"status": "EXECUTING", "msg": ""})
        peer = self.serve_sky(lambda request, wire: wire.answer(busy) or True
                              if request.path.endswith("/invoke") and request.again < 7 else None)
        ended = self.ask(peer, "catalog", hasten=hasten)
        self.assertEqual(ended.code, 0, ended.messages)
        self.assertEqual(len(self.for_rows(peer)), 1)
        at = [request.at for request in peer.requests if self.is_for_rows(request)]
        for earlier, later, wait_s in zip(at, at[1:], (1, 2, 4, 8, 16, 30, 30)):
            self.assertGreater((later - earlier) * hasten, 0.9 * wait_s)


class Pages(Answers):
    def paged(self, pages, total=300):
        """Rows of the portal by the number of the page."""
        def answer(request, wire):
            if not self.is_for_rows(request):
                return None
            page = question(request)["page"]
            chosen = pages[page - 1] if page <= len(pages) else []
            wire.answer(self.sky.portal(chosen, "Caom" in request.body.decode(), total, page, 200))
            return True
        return answer

    def test_N31_fewer_rows_than_their_number_are_asked_for_again(self):
        for door in ("catalog", "observations"):
            with self.variant(door):
                every = self.sky.rows
                peer = self.serve_sky(self.paged([every[:200], every[200:]]))
                ended = self.ask(peer, door, hasten=HASTEN)
                self.assertEqual(ended.code, 0, ended.messages)
                self.assertEqual(len(self.for_rows(peer)), 2)

    def test_N31_rows_that_never_come_are_no_result(self):
        for door in ("catalog", "observations"):
            with self.variant(door):
                peer = self.serve_sky(self.paged([self.sky.rows[:250]]))
                ended = self.ask(peer, door, hasten=HASTEN)
                self.assertEqual(ended.code, 7, ended.messages)
                self.assertRegex(ended.messages, "250 of 300|250 observations came, .* 300")
                self.assert_heals_query(peer, door)

    def test_N33_pages_whose_order_changed_are_no_result(self):
        every = self.sky.rows
        for door in ("catalog", "observations"):
            with self.variant(door):
                peer = self.serve_sky(self.paged([every[:200], every[199:99:-1]]))
                ended = self.ask(peer, door, hasten=HASTEN)
                self.assertEqual(ended.code, 7, ended.messages)
                self.assert_heals_query(peer, door)

    def test_N33_pages_of_rows_without_a_key_are_asked_for_again_on_one(self):
        every = self.sky.rows

        def answer(request, wire):
            asked = question(request)
            pages = [every] if asked["pagesize"] == 300 else [every[:200], every[199:99:-1]]
            shown = pages[asked["page"] - 1]
            wire.answer(self.sky.portal(shown, False, 300, asked["page"], asked["pagesize"]))
            return True

        peer = self.serve_sky(answer)
        ended = self.ask(peer, "service", hasten=HASTEN)
        self.assertEqual(ended.code, 0, ended.messages)
        self.assertEqual([question(request)["pagesize"] for request in peer.requests],
                         [200, 200, 300])

    def test_N33_rows_that_come_twice_are_kept_once(self):
        every = self.sky.rows
        for door in ("catalog", "observations"):
            with self.variant(door):
                peer = self.serve_sky(self.paged([every[:200], every[150:]]))
                ended = self.ask(peer, door, hasten=HASTEN)
                self.assertEqual(ended.code, 0, ended.messages)
                self.assertIn("50 rows came twice and are kept once", ended.messages)


if __name__ == "__main__":
    unittest.main(testRunner=rows.Runner)
