# SPDX-License-Identifier: BSD-3-Clause
"""Section 4 of the fault matrix: downloads that go on, and files that are there already."""
import base64
import hashlib
import os
import shutil
import subprocess
import threading
import unittest

import rows
from case import HASTEN, Case

CONTENT = bytes(range(256)) * 1000
OTHER = CONTENT[::-1]  # of the same size
CUT = 100000
SPEC = os.path.join(os.environ["HALYARD_BIN"], "halyard-spec")


def cut(wire, content=CONTENT, at=CUT, **headers):
    """An answer that breaks off; `content` and `at` are what came, the headers what was promised."""
    lines = {"Content_Length": len(content), "ETag": '"one"', **headers}
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n"
                   for name, value in lines.items() if value is not None)
    wire.send(f"HTTP/1.1 200 OK\r\n{head}\r\n".encode() + content[:at])
    wire.arrived()  # else the reset overtakes the bytes
    wire.reset()


def asked(peer):
    """The ranges of the requests so far, None without."""
    return [request.headers.get("range") for request in peer.requests]


class Download(Case):
    def setUp(self):
        super().setUp()
        self.truth = {"a.bin": CONTENT}

    def path(self, name="a.bin"):
        return os.path.join(self.out, "d", name)

    def content(self, name="a.bin"):
        with open(self.path(name), "rb") as file:
            return file.read()

    def put(self, content, name="a.bin"):
        """A file that nobody downloaded."""
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "wb") as file:
            file.write(content)

    def assert_complete(self, ended):
        self.assertEqual(ended.code, 0, ended.messages)
        self.assertEqual(set(self.tree()), set(self.truth))
        self.assertEqual(self.whole(), set(self.truth))

    def test_D1_the_rest_that_came_is_another_than_was_asked_for(self):
        rest, n = CONTENT[CUT:], len(CONTENT)
        answers = {
            "starts elsewhere": (CONTENT[CUT - 4:], f"bytes {CUT - 4}-{n - 1}/{n}", '"one"'),
            "as long, elsewhere": (CONTENT[CUT - 4:-4], f"bytes {CUT - 4}-{n - 5}/*", '"one"'),
            "ends early": (rest[:-9], f"bytes {CUT}-{n - 10}/{n}", '"one"'),
            "another total": (rest, f"bytes {CUT}-{n - 1}/{n + 1}", '"one"'),
            "no Content-Range": (rest, None, '"one"'),
            "nonsense": (rest, f"bytes={CUT}-", '"one"'),
            "longer than it says": (rest + b"\0" * 9, f"bytes {CUT}-{n - 1}/{n}", '"one"'),
            "of another version": (OTHER[CUT:], f"bytes {CUT}-{n - 1}/{n}", '"two"'),
            "of a version that is not told": (OTHER[CUT:], f"bytes {CUT}-{n - 1}/{n}", None),
        }
        for name, (body, content_range, tag) in answers.items():
            with self.subTest(name):
                self.honest = False

                def answer(request, wire, body=body, content_range=content_range, tag=tag):
                    if request.again == 0:
                        return cut(wire)
                    if request.again == 1:
                        return wire.answer(body, "206 Partial Content", ETag=tag,
                                           Content_Range=content_range)
                    return wire.answer(CONTENT, ETag='"one"')
                peer = self.serve(answer)
                ended = self.fetch(peer, hasten=HASTEN)
                self.assert_complete(ended)
                self.assertEqual(asked(peer), [None, f"bytes={CUT}-", None])
                self.restart()

    def test_D2_the_whole_comes_where_the_rest_was_asked_for(self):
        def answer(request, wire):
            return cut(wire) if request.again == 0 else wire.answer(CONTENT, ETag='"one"')
        peer = self.serve(answer)
        ended = self.fetch(peer, hasten=HASTEN)
        self.assert_complete(ended)
        self.assertEqual(asked(peer), [None, f"bytes={CUT}-"])

    def test_D3_the_rest_cannot_be_had(self):
        # Chunked and without its end: what came may be all.
        whole = f"{len(CONTENT):x}\r\n".encode() + CONTENT
        for total in (len(CONTENT), len(CONTENT) + 1, "junk", None):
            with self.subTest(total=total):
                self.honest = False

                def answer(request, wire, total=total):
                    if request.again == 0:
                        return cut(wire, whole, len(whole), Content_Length=None,
                                   Transfer_Encoding="chunked")
                    if "range" in request.headers:
                        return wire.answer(status="416 Range Not Satisfiable",
                                           Content_Range=total and f"bytes */{total}")
                    return wire.answer(CONTENT, ETag='"one"')
                peer = self.serve(answer)
                ended = self.fetch(peer, hasten=HASTEN)
                self.assert_complete(ended)
                self.assertEqual(asked(peer), [None, f"bytes={len(CONTENT)}-", None])
                self.restart()

    def test_D3_the_rest_cannot_be_had_and_nothing_else_either(self):
        peer = self.serve(lambda request, wire: wire.answer(status="416 Range Not Satisfiable")
                          if request.again else cut(wire))
        ended = self.fetch(peer, hasten=HASTEN)
        self.assertNotEqual(ended.code, 0)
        self.assertEqual(self.whole(), set())
        self.assertLessEqual(len(peer.requests), 4)
        self.assert_heals(peer)

    def test_D4_the_file_changes_between_its_parts(self):
        def answer(request, wire):
            return cut(wire, OTHER) if request.again == 0 else wire.file(request, CONTENT)
        peer = self.serve(answer)
        ended = self.fetch(peer, hasten=HASTEN)
        self.assert_complete(ended)
        self.assertEqual(asked(peer), [None, f"bytes={CUT}-"])
        self.assertEqual(peer.requests[1].headers["if-range"], '"one"')

    def test_D4_the_file_changes_between_two_runs(self):
        peer = self.serve(lambda _, wire: cut(wire, OTHER))
        ended = self.fetch(peer, hasten=HASTEN)
        self.assertNotEqual(ended.code, 0)
        self.assertIn(".a.bin.part", self.tree())
        before = len(peer.requests)
        self.assert_heals(peer)
        self.assertEqual(len(peer.requests) - before, 1)
        self.assertEqual(peer.requests[-1].headers["if-range"], '"one"')

    def test_D4_a_weak_validator_does_not_go_on(self):
        for name, headers in {"weak": {"ETag": 'W/"one"'}, "not quoted": {"ETag": "one"},
                              "date": {"ETag": None, "Last_Modified":
                                       "Fri, 01 Jan 2021 00:00:00 GMT"}}.items():
            with self.subTest(name):
                self.honest = False
                peer = self.serve(lambda request, wire, headers=headers:
                                  cut(wire, OTHER, **headers) if request.again == 0
                                  else wire.file(request, CONTENT))
                ended = self.fetch(peer, hasten=HASTEN)
                self.assert_complete(ended)
                self.assertEqual(asked(peer), [None, None])
                self.restart()

    def test_D5_another_content_of_the_same_size_without_a_validator(self):
        def answer(request, wire):
            if request.again == 0:
                return cut(wire, OTHER, ETag=None)
            if "range" in request.headers:  # as a server without validators would
                return wire.answer(CONTENT[CUT:], "206 Partial Content", Content_Range=
                                   f"bytes {CUT}-{len(CONTENT) - 1}/{len(CONTENT)}")
            return wire.answer(CONTENT)
        peer = self.serve(answer)
        ended = self.fetch(peer, sizes={"a.bin": len(CONTENT)}, hasten=HASTEN)
        self.assert_complete(ended)
        self.assertEqual(asked(peer), [None, None])

    def test_D6_another_digest_than_was_listed(self):
        # No workflow can name a digest, so the module below it is asked.
        os.makedirs(self.out)
        spec = os.path.join(self.home, "digest_spec.lua")
        peer = self.serve(lambda request, wire: wire.answer(OTHER))
        with open(spec, "w", encoding="utf-8") as file:
            file.write(f"""
              local download = require("halyard.core.download")
              it("is an error", function()
                local ok, err = pcall(download.file, {{ url = "{peer.url}/a.bin", path = "a.bin",
                  dir = "{self.out}", sha256 = ("0"):rep(64) }})
                assert.is_false(ok)
                assert.equal("integrity", err.code)
                assert.truthy(err.message:find(("0"):rep(64), 1, true))
              end)""")
        done = subprocess.run([SPEC, spec], env=self.environment(), capture_output=True, text=True,
                              timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(len(peer.requests), 3)
        self.assertEqual(os.listdir(self.out), [".halyard"])

    def test_D6_a_run_that_is_killed_does_not_forget_what_the_server_said(self):
        self.truth = {"a.bin": CONTENT * 4}
        spoiled, reached = OTHER * 4, threading.Event()
        told = base64.b64encode(hashlib.sha256(self.truth["a.bin"]).digest()).decode()

        def answer(request, wire):
            if request.again == 0:
                return wire.answer(spoiled, ETag='"one"', Repr_Digest=f"sha-256=:{told}:")
            reached.set()
            return wire.hold()
        peer = self.serve(answer)
        run = self.start_text(f'retrieve.products({{ {{ access_url = "{peer.url}/a.bin" }} }}, '
                              '{ dir = "d", flat = true })', [peer.host])
        self.assertTrue(reached.wait(30))
        run.kill()
        self.end(run)
        self.assertEqual(self.tree()[".a.bin.part"], spoiled)
        self.assert_heals(peer)

    def test_D6_bad_bytes_are_kept_when_the_user_says_so(self):
        digest = hashlib.sha256(CONTENT).hexdigest()
        served = [OTHER]
        peer = self.serve(lambda request, wire: wire.file(request, served[0]))
        text = (f'retrieve.products({{ {{ access_url = "{peer.url}/a.bin", sha256 = "{digest}" }} }}, '
                '{ dir = "d", flat = true })')
        for arguments, left in (([], {}), (["--keep-bad"], {"a.bin.bad": OTHER})):
            ended = self.run_text(text, [peer.host], *arguments)
            self.assertEqual(ended.code, 7, ended.messages)
            self.assertIn(digest, ended.messages)
            self.assertEqual(self.tree(), left)
        self.truth["a.bin.bad"] = OTHER
        served[0] = CONTENT
        self.assertEqual(self.run_text(text, [peer.host]).code, 0)
        self.assertEqual(set(self.tree()), {"a.bin", "a.bin.bad"})

    def test_D7_the_server_says_twice_that_the_catalogue_errs(self):
        peer = self.serve(lambda request, wire: wire.file(request, CONTENT))
        ended = self.fetch(peer, sizes={"a.bin": 255999}, hasten=HASTEN)
        self.assert_complete(ended)
        self.assertEqual(asked(peer), [None, None])
        self.assertIn("255999", ended.files()["a.bin"]["warning"])
        self.assertIn("the catalogue says 255999 bytes, the server twice 256000; the manifest lists",
                      ended.messages)
        self.assertIn("2 requests in all", ended.messages)
        ended = self.fetch(peer, sizes={"a.bin": 255999})  # as stale as before
        self.assert_complete(ended)
        self.assertEqual(len(peer.requests), 2)

    def test_D7_nor_does_it_overrule_a_file_that_is_there(self):
        served = [CONTENT]
        peer = self.serve(lambda request, wire: wire.file(request, served[0]))
        sizes = {"a.bin": len(CONTENT)}
        self.assert_complete(self.fetch(peer, sizes=sizes))
        served[0] = CONTENT[:1000]
        ended = self.fetch(peer, sizes=sizes, options='existing = "verify"', hasten=HASTEN)
        self.assertEqual(ended.code, 7, ended.messages)
        self.assertIn("1000 bytes came, the catalogue says 256000", ended.messages)
        self.assertEqual(self.content(), CONTENT)

    def test_D7_a_file_of_another_size_each_time(self):
        peer = self.serve(lambda request, wire: wire.answer(CONTENT[:1000 + request.again]))
        ended = self.fetch(peer, sizes={"a.bin": len(CONTENT)}, hasten=HASTEN)
        self.assertNotEqual(ended.code, 0)
        self.assertEqual(len(peer.requests), 3)
        self.assertEqual(ended.files()["a.bin"]["status"], "error")
        self.assertIn("256000", ended.files()["a.bin"]["error"])
        self.assertEqual(self.tree(), {})
        self.assert_heals(peer, sizes={"a.bin": len(CONTENT)})

    def test_D7_a_server_without_lengths_cannot_overrule_the_catalogue(self):
        def answer(_, wire):
            wire.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + CONTENT[:CUT])
            wire.close()
        peer = self.serve(answer)
        ended = self.fetch(peer, sizes={"a.bin": len(CONTENT)}, hasten=HASTEN)
        self.assertNotEqual(ended.code, 0)
        self.assertEqual(self.tree(), {})
        self.assert_heals(peer, sizes={"a.bin": len(CONTENT)})

    def test_D8_what_is_there_is_not_fetched_again(self):
        self.truth["b.bin"] = OTHER
        self.honest = True
        peer = self.serve(None)
        self.assert_complete(self.fetch(peer))
        self.assertEqual(len(peer.requests), 2)
        again = self.fetch(peer)
        self.assert_complete(again)
        self.assertEqual(len(peer.requests), 2)
        for item in again.report()["files"]:
            self.assertEqual(item["status"], "already there")
            self.assertEqual(len(item["sha256"]), 64)

    def test_D8_damage_that_size_and_time_do_not_show_is_found_when_asked_for(self):
        self.honest = True
        peer = self.serve(None)
        self.assert_complete(self.fetch(peer))
        times = os.stat(self.path())
        with open(self.path(), "r+b") as file:
            file.seek(5000)
            file.write(b"damage")
        os.utime(self.path(), ns=(times.st_atime_ns, times.st_mtime_ns))
        ended = self.fetch(peer, options='existing = "verify"')
        self.assert_complete(ended)
        self.assertEqual(len(peer.requests), 2)

    def test_D8_one_head_request_when_asked_to_look(self):
        self.honest = True
        peer = self.serve(None)
        self.assert_complete(self.fetch(peer))
        ended = self.fetch(peer, options='existing = "verify"')
        self.assert_complete(ended)
        self.assertEqual([request.method for request in peer.requests], ["GET", "HEAD"])

    def test_D8_a_file_that_was_touched_keeps_its_validator(self):
        served = [CONTENT]
        peer = self.serve(lambda request, wire: wire.file(request, served[0]))
        tag = self.fetch(peer).manifest()["a.bin"]["etag"]
        for options in ("", 'existing = "verify"'):
            os.utime(self.path())
            ended = self.fetch(peer, options=options)
            self.assert_complete(ended)
            self.assertEqual(ended.manifest()["a.bin"].get("etag"), tag)
        self.assertEqual([request.method for request in peer.requests], ["GET", "HEAD"])
        self.truth["a.bin"] = served[0] = OTHER  # of the same size
        self.assert_complete(self.fetch(peer, options='existing = "verify"'))

    def test_D9_a_foreign_file_is_not_overwritten(self):
        for name, content in {"another size": b"mine", "the same size": OTHER, "empty": b""}.items():
            with self.subTest(name):
                self.honest = True
                peer = self.serve(None)
                self.put(content)
                ended = self.fetch(peer)
                self.assertEqual(ended.code, 5, ended.messages)
                self.assertIn("d/a.bin is there already", ended.messages)
                self.assertEqual(self.content(), content)
                self.assertEqual(peer.requests, [])
                self.assert_complete(self.fetch(peer, options='existing = "replace"'))
                self.restart()

    def test_D9_a_file_that_was_changed_after_it_came_is_not_overwritten(self):
        self.honest = True
        peer = self.serve(None)
        self.assert_complete(self.fetch(peer))
        self.put(CONTENT + b"notes of mine")
        ended = self.fetch(peer)
        self.assertEqual(ended.code, 5, ended.messages)
        self.assertEqual(self.content(), CONTENT + b"notes of mine")
        self.assert_complete(self.fetch(peer, options='existing = "replace"'))

    def test_D9_nor_is_one_that_appears_while_the_file_comes(self):
        def answer(_, wire):
            wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 256000\r\n\r\n" + CONTENT[:CUT])
            self.put(b"mine")
            wire.send(CONTENT[CUT:])
        peer = self.serve(answer)
        ended = self.fetch(peer)
        self.assertEqual(ended.code, 5, ended.messages)
        self.assertEqual(self.content(), b"mine")
        os.unlink(self.path())
        self.assert_heals(peer)

    def test_D9_nor_is_what_is_no_file(self):
        self.honest = True
        peer = self.serve(None)
        target = os.path.join(self.home, "elsewhere")
        for make in (os.mkdir, os.mkfifo, lambda path: os.symlink(target, path)):
            os.makedirs(os.path.join(self.out, "d"))
            make(self.path())
            for options in ("", 'existing = "replace"'):
                ended = self.fetch(peer, options=options)
                self.assertEqual(ended.code, 5, ended.messages)
                self.assertFalse(os.path.isfile(self.path()))
            shutil.rmtree(self.out)
        self.assertFalse(os.path.exists(target))
        self.assertEqual(peer.requests, [])

    def test_D10_a_product_that_is_listed_twice_is_fetched_once(self):
        self.honest = True
        peer = self.serve(None)
        self.assert_complete(self.fetch(peer, ["a.bin", "a.bin", "a.bin"]))
        self.assertEqual(len(peer.requests), 1)

    def test_D10_in_two_calls_at_once_as_well(self):
        def answer(request, wire):
            wire.wait(0.2)
            wire.file(request, CONTENT)
        peer = self.serve(answer)
        call = (f'function() return retrieve.products({{ {{ access_url = "{peer.url}/a.bin" }} }}, '
                '{ dir = "d", flat = true }) end')
        ended = self.run_text(f"task.all {{ {call}, {call} }}", [peer.host])
        self.assert_complete(ended)
        self.assertEqual(len(peer.requests), 1)

    def test_D11_what_does_not_look_like_fits_is_said(self):
        def card(text):
            return text.ljust(80).encode()
        header = b"".join(map(card, ("SIMPLE  =                    T", "BITPIX  =                    8",
                                     "NAXIS   =                    0", "END"))).ljust(2880)
        self.truth = {"good.fits": header, "cut.fits": header[:-1], "text.fits": b"x" * 2880,
                      "capital.FITS": header + b"tail", "short.fit": b"SIM", "no-fits.bin": b"x"}
        self.honest = True
        ended = self.fetch(self.serve(None))
        self.assert_complete(ended)
        warned = {name for name, item in ended.files().items()
                  if "suspicious" in item.get("warning", "")}
        self.assertEqual(warned, {"cut.fits", "text.fits", "capital.FITS", "short.fit"})
        self.assertIn("4 of 6 files are there with a warning", ended.messages)


if __name__ == "__main__":
    unittest.main(testRunner=rows.Runner)
