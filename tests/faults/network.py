# SPDX-License-Identifier: BSD-3-Clause
"""Rows N1 to N21 of the fault matrix: connections, HTTP, redirects, TLS."""
import gzip
import os
import re
import socket
import ssl
import subprocess
import tempfile
import unittest

import rows
from case import HASTEN, Case, needs, with_clock


CONTENT = bytes(range(256)) * 1000
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 256000\r\n"
TAGGED = HEAD + b'ETag: "one"\r\n\r\n'
SYSTEM_STORE = "/etc/ssl/certs/ca-certificates.crt"


class Download(Case):
    def setUp(self):
        super().setUp()
        self.truth = {"a.bin": CONTENT}

    def files_of(self, ended):
        return {name: item.get("error", "") for name, item in ended.files().items()}

    def assert_recovers(self, fault, n_requests=2, hasten=HASTEN, **options):
        """`fault(wire)` spoils the answers before the last of `n_requests`: the file is whole all
        the same. Gives the peer."""
        def answer(request, wire):
            if request.again < n_requests - 1:
                return fault(wire)
            return wire.file(request, CONTENT)
        peer = self.serve(answer)
        ended = self.fetch(peer, hasten=hasten, **options)
        self.assertEqual(ended.code, 0, ended.messages)
        self.assertEqual(len(peer.requests), n_requests)
        self.assertEqual(self.whole(), {"a.bin"})
        return peer

    def assert_fails(self, fault, code, message, n_requests, **options):
        """`fault(wire)` spoils every answer: the run ends with that code and message, after so many
        requests, and leaves nothing that looks like the file; a good server heals it."""
        peer = self.serve(lambda request, wire: fault(wire))
        ended = self.fetch(peer, hasten=HASTEN, **options)
        self.assertEqual(ended.code, code, ended.messages)
        self.assertRegex(ended.messages, message)
        self.assertEqual(len(peer.requests), n_requests)
        self.assertEqual(self.whole(), set())
        self.assert_heals(peer)
        return ended


class Connection(Download):
    def fetch_from_nowhere(self):
        """Two files of a host that has no address, one after the other, then one that is there."""
        peer = self.serve(lambda request, wire: wire.file(request, CONTENT))
        urls = ["http://nowhere.invalid/x.bin", "http://nowhere.invalid/y.bin", peer.url + "/a.bin"]
        listed = ", ".join(f'{{ access_url = "{url}", productFilename = "{url[-5:]}" }}'
                           for url in urls)
        return self.run_text(f'retrieve.products({{ {listed} }}, {{ dir = "d", flat = true, '
                             'on_error = "keep", parallel = 1 })',
                             ["nowhere.invalid", peer.host], hasten=HASTEN)

    def test_N1_name_not_found_is_looked_up_again_and_others_go_on(self):
        ended = self.fetch_from_nowhere()
        self.assertEqual(ended.code, 3, ended.messages)
        errors = self.files_of(ended)
        for name in ("x.bin", "y.bin"):
            self.assertIn("cannot find host nowhere.invalid; check the network or the address",
                          errors[name])
        self.assertEqual(self.whole(), {"a.bin"})
        self.assertGreater(ended.report()["elapsed_s"], 5)

    def test_N1_a_host_without_address_is_left_alone(self):
        errors = self.files_of(self.fetch_from_nowhere())
        self.assertIn("nowhere.invalid is left alone", errors["x.bin"] + errors["y.bin"])

    def test_N2_connection_refused(self):
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))  # bound, but nobody listens
            host = f"127.0.0.1:{closed.getsockname()[1]}"
            ended = self.run_text(f'retrieve.products({{ {{ access_url = "http://{host}/a.bin", '
                                  'productFilename = "a.bin" } }, { dir = "d", flat = true })',
                                  [host], hasten=HASTEN)
        self.assertEqual(ended.code, 4, ended.messages)
        self.assertIn("cannot connect to " + host, ended.messages)
        self.assertIn("is the archive up? try again later (tried 5 times)", ended.messages)

    def test_N2_a_quota_of_tries_for_a_host_that_refuses(self):
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            host = f"127.0.0.1:{closed.getsockname()[1]}"
            listed = ", ".join(f'{{ access_url = "http://{host}/{i}.bin", '
                               f'productFilename = "{i}.bin" }}' for i in range(40))
            ended = self.run_text(f'retrieve.products({{ {listed} }}, {{ dir = "d", flat = true, '
                                  'on_error = "keep" })', [host], hasten=HASTEN)
        self.assertIn(ended.code, (4, 75), ended.messages)  # all failed; or put off, the host is down
        errors = self.files_of(ended)
        self.assertEqual(len(errors), 40)
        tried = [re.search(r"tried (\d+) times", error) for error in errors.values()]
        self.assertLessEqual(sum(int(found[1]) if found else 1 for found in tried), 40 + 20)

    def test_N3_reset_or_end_before_headers(self):
        for end in ("reset", "close"):
            with self.variant(end):
                peer = self.assert_recovers(lambda wire, end=end: getattr(wire, end)(), 3)
                self.assertNotIn("range", peer.requests[2].headers)

    def test_N3_reset_again_and_again(self):
        self.assert_fails(lambda wire: wire.reset(), 4, "the connection ended without an answer: .*; "
                          r"try again later \(tried 5 times\)", 5)

    def test_N3_reset_of_a_kept_connection_is_one_try(self):
        """libcurl would repeat the request by itself."""
        self.truth["b.bin"] = CONTENT
        peer = self.serve(lambda request, wire: wire.file(request, CONTENT)
                          if request.path == "/a.bin" else wire.reset())
        ended = self.fetch(peer, ["a.bin", "b.bin"], options="parallel = 1", hasten=HASTEN)
        self.assertEqual(ended.code, 3, ended.messages)
        self.assertEqual([request.path for request in peer.requests], ["/a.bin"] + 5 * ["/b.bin"])
        self.assert_heals(peer)


class Cut(Download):
    def answer_cut(self, wire, head=TAGGED):
        wire.send(head)
        wire.send(CONTENT[:100000])
        wire.arrived()
        wire.reset()

    def test_N4_reset_in_the_body_goes_on_with_a_strong_validator(self):
        def answer(request, wire):
            if request.again > 0:
                return wire.file(request, CONTENT, ETag='"one"')
            return self.answer_cut(wire)
        peer = self.serve(answer)
        ended = self.fetch(peer, hasten=HASTEN)
        self.assertEqual(ended.code, 0, ended.messages)
        self.assertEqual([request.offset() for request in peer.requests], [None, 100000])
        self.assertEqual(peer.requests[1].headers["if-range"], '"one"')
        self.assertEqual(self.whole(), {"a.bin"})

    def test_N4_reset_in_the_body_of_a_file_that_changed(self):
        peer = self.assert_recovers(self.answer_cut)
        # Of another file ("one" is not its tag), so the server sends the whole.
        self.assertEqual(peer.requests[1].headers["if-range"], '"one"')

    def test_N4_reset_in_the_body_without_validator_begins_again(self):
        peer = self.assert_recovers(lambda wire: self.answer_cut(wire, HEAD + b"\r\n"))
        self.assertNotIn("range", peer.requests[1].headers)

    def test_N6_stall_in_the_body(self):
        def stall(wire):
            wire.send(HEAD + b"\r\n" + CONTENT[:1000])
            wire.hold()
        peer = self.assert_recovers(stall)
        self.assertNotIn("range", peer.requests[1].headers)  # no validator: from zero

    def test_N6_stall_in_the_body_goes_on_with_a_strong_validator(self):
        def answer(request, wire):
            if request.again > 0:
                return wire.file(request, CONTENT, ETag='"one"')
            wire.send(TAGGED + CONTENT[:100000])
            return wire.hold()
        peer = self.serve(answer)
        ended = self.fetch(peer, hasten=HASTEN)
        self.assertEqual(ended.code, 0, ended.messages)
        self.assertEqual([request.offset() for request in peer.requests], [None, 100000])

    def test_N7_drip_below_any_use(self):
        def drip(wire):
            wire.send(HEAD + b"\r\n")
            wire.drip(CONTENT, 1 / HASTEN, 4)  # 4 B/s by the client's clock
        self.assert_recovers(drip)

    def test_N7_drip_that_never_stalls_but_would_take_hours(self):
        def drip(wire):
            wire.send(HEAD + b"\r\n")
            wire.drip(CONTENT, 1 / HASTEN, 300)  # 300 B/s
        peer = self.assert_recovers(drip)
        self.assertGreater((peer.requests[1].at - peer.requests[0].at) * HASTEN, 299)

    def test_N8_headers_that_never_end(self):
        def endless(wire):
            wire.send(b"HTTP/1.1 200 OK\r\n")
            wire.drip(b"X-More: yes\r\n" * 10000, 1 / HASTEN, 13)
        peer = self.assert_recovers(endless)
        self.assertGreater((peer.requests[1].at - peer.requests[0].at) * HASTEN, 115)

    def test_N8_interim_answers_for_ever(self):
        def interim(wire):
            wire.drip(b"HTTP/1.1 100 Continue\r\n\r\n" * 10000, 1 / HASTEN, 25)
        peer = self.assert_recovers(interim)
        self.assertGreater((peer.requests[1].at - peer.requests[0].at) * HASTEN, 115)

    def test_N8_two_thousand_interim_answers_and_silence(self):
        def interim(wire):
            wire.send(b"HTTP/1.1 100 Continue\r\n\r\n" * 2000)
            wire.hold()
        self.assert_recovers(interim)

    def test_N9_body_shorter_than_its_length(self):
        def short(wire):
            wire.send(HEAD + b"\r\n" + CONTENT[:200000])
            wire.close()
        self.assert_recovers(short)

    def test_N9_body_shorter_than_its_length_goes_on_with_a_strong_validator(self):
        def answer(request, wire):
            if request.again > 0:
                return wire.file(request, CONTENT, ETag='"one"')
            wire.send(TAGGED + CONTENT[:200000])
            return wire.close()
        peer = self.serve(answer)
        ended = self.fetch(peer, hasten=HASTEN)
        self.assertEqual(ended.code, 0, ended.messages)
        self.assertEqual([request.offset() for request in peer.requests], [None, 200000])

    def test_N9_body_shorter_than_its_length_again_and_again(self):
        def short(wire):
            wire.send(HEAD + b"\r\n" + CONTENT[:200000])
            wire.close()
        self.assert_fails(short, 4, "the connection ended inside the answer: .* try again later", 5)


class Length(Download):
    def test_N10_body_longer_than_its_length(self):
        self.truth["b.bin"] = b"b" * 1000

        def answer(request, wire):
            if request.path == "/a.bin":
                wire.send(HEAD + b"\r\n" + CONTENT + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
                return wire.hold()
            return wire.file(request, self.truth["b.bin"])
        peer = self.serve(answer)
        ended = self.fetch(peer, ["a.bin", "b.bin"], options="parallel = 1")
        self.assertEqual(ended.code, 0, ended.messages)
        self.assertEqual(self.whole(), {"a.bin", "b.bin"})
        self.assertEqual(len(peer.requests), 2)
        self.assertNotEqual(peer.requests[0].connection, peer.requests[1].connection)

    def answer_without_length(self, wire, content, kind="application/octet-stream"):
        wire.send(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n")
        wire.send(content)
        wire.close()

    def test_N11_no_length_is_flagged(self):
        peer = self.serve(lambda request, wire: self.answer_without_length(wire, CONTENT))
        ended = self.fetch(peer)
        self.assertEqual(ended.code, 0, ended.messages)
        self.assertIn("unverified", ended.files()["a.bin"]["warning"])
        self.assertRegex(ended.messages, "1 of 1 files are there with a warning, the first: d/a.bin: unverified")
        self.assertEqual(self.whole(), {"a.bin"})

    def test_N11_no_length_with_the_size_of_the_catalogue(self):
        peer = self.serve(lambda request, wire: self.answer_without_length(wire, CONTENT))
        ended = self.fetch(peer, sizes={"a.bin": len(CONTENT)})
        self.assertEqual(ended.code, 0, ended.messages)
        self.assertNotIn("warning", ended.files()["a.bin"])

    def test_N11_no_length_and_less_than_the_size_of_the_catalogue(self):
        peer = self.serve(lambda request, wire: self.answer_without_length(wire, CONTENT[:200000]))
        ended = self.fetch(peer, sizes={"a.bin": len(CONTENT)}, hasten=HASTEN)
        self.assertEqual(ended.code, 7, ended.messages)
        self.assertRegex(ended.messages, "a.bin: 200000 bytes came, .* 256000; try again later")
        self.assertEqual(self.whole(), set())
        self.assertLessEqual(len(peer.requests), 3)
        self.assert_heals(peer, sizes={"a.bin": len(CONTENT)})

    def test_N11_no_length_and_a_gzip_file_without_its_end(self):
        self.truth = {"a.fits.gz": gzip.compress(CONTENT * 4, 1)}
        whole = self.truth["a.fits.gz"]
        peer = self.serve(lambda request, wire: self.answer_without_length(wire, whole[:-9]))
        ended = self.fetch(peer, hasten=HASTEN)
        self.assertEqual(ended.code, 7, ended.messages)
        self.assertEqual(self.whole(), set())
        self.assert_heals(peer)

    def test_N12_chunks_that_end_too_early(self):
        def cut(wire):
            wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e800\r\n")
            wire.send(CONTENT[:100000])
            wire.close()
        self.assert_recovers(cut)

    def test_N12_chunks_without_the_last_one(self):
        def cut(wire):
            wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n186a0\r\n")
            wire.send(CONTENT[:100000] + b"\r\n")
            wire.close()
        self.assert_recovers(cut)

    def test_N13_a_chunk_without_its_size_once(self):
        self.assert_recovers(self.send_bad_chunk)

    def test_N13_a_chunk_without_its_size_again_is_no_http(self):
        self.assert_fails(self.send_bad_chunk, 4, "not answer in HTTP|not HTTP", 2)

    @staticmethod
    def send_bad_chunk(wire):
        wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\n" + CONTENT[:0x1000] +
                  b"\r\nzzzz\r\n" + CONTENT[:0x1000] + b"\r\n0\r\n\r\n")
        wire.hold()

    def test_N14_two_lengths(self):
        def two(wire):
            wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nContent-Length: 256000\r\n\r\n" +
                      CONTENT)
        self.assert_fails(two, 4, "contradicting", 1)

    def test_N14_a_length_below_zero(self):
        ended = self.assert_fails(lambda wire: wire.answer(CONTENT, Content_Length=-5), 4,
                                  "does not answer in HTTP: .*Content-Length", 2)
        self.assertNotIn("too large", ended.messages)

    def test_N16_a_file_packed_on_the_way_and_cut(self):
        packed = gzip.compress(CONTENT)[:-20]
        chunks = f"{len(packed):x}\r\n".encode() + packed + b"\r\n0\r\n\r\n"
        for name, head, body in (
                ("by the transfer", "Transfer-Encoding: gzip, chunked", chunks),
                ("in two headers", "Content-Encoding: gzip\r\nContent-Encoding: identity\r\n"
                 f"Content-Length: {len(packed)}", packed),
                ("by a long name", f"Content-Encoding: {'gzip, ' * 20}gzip\r\n"
                 f"Content-Length: {len(packed)}", packed)):
            with self.variant(name):
                def cut(wire, head=head, body=body):
                    wire.send(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n")
                    wire.send(body)
                self.assert_fails(cut, 4, r"sends it packed \(.*gzip", 3)


class Garbage(Download):
    def test_N17_garbage_or_http_0_9(self):
        for name, text in (("garbage", b"\x16\x03\x01\x02\x00\x01" * 100),
                           ("http/0.9", b"SIMPLE  =                    T" + b" " * 2850)):
            with self.variant(name):
                def talk(wire, text=text):
                    wire.send(text)
                    wire.close()
                self.assert_fails(talk, 4, "does not answer in HTTP.*is the address right", 2)

    def test_N17_garbage_once(self):
        def talk(wire):
            wire.send(b"\x16\x03\x01\x02\x00\x01" * 100)
            wire.close()
        self.assert_recovers(talk)

    def test_N18_floods_of_headers(self):
        floods = {"many lines": b"X-Flood: " + b"y" * 1000 + b"\r\n", "one line": b"y" * 1000}
        for name, text in floods.items():
            with self.variant(name):
                def flood(wire, text=text):
                    wire.send(b"HTTP/1.1 200 OK\r\nX-First: ")
                    for _ in range(400):
                        wire.send(text)
                    wire.hold()
                self.assert_fails(flood, 4, "header too large", 1)


class Redirects(Download):
    def redirect(self, wire, to, status="302 Found"):
        wire.answer(b"", status, Location=to)

    def test_N19_ten_hops_are_followed(self):
        def answer(request, wire):
            hop = int(request.path[2:] or 0) if request.path.startswith("/h") else 0
            if hop == 10:
                return wire.file(request, CONTENT)
            return self.redirect(wire, f"/h{hop + 1}")
        peer = self.serve(answer)
        ended = self.fetch(peer)
        self.assertEqual(ended.code, 0, ended.messages)
        self.assertEqual(len(peer.requests), 11)

    def test_N19_eleven_hops_and_a_loop_are_not(self):
        for name, to in (("eleven", lambda n: f"/h{n + 1}"), ("loop", lambda n: f"/h{n % 2}")):
            with self.variant(name):
                peer = self.serve(lambda request, wire, to=to: self.redirect(
                    wire, to(len(peer.requests) - 1)))
                ended = self.fetch(peer)
                self.assertEqual(ended.code, 4, ended.messages)
                self.assertIn("redirects in circles (more than 10 times)", ended.messages)
                self.assertRegex(ended.messages, "/h1 -> /h[02] -> ")
                self.assertEqual(len(peer.requests), 11)
                self.assertEqual(self.whole(), set())
                self.assert_heals(peer)

    def assert_refused(self, peer, message, n_requests=1, **options):
        ended = self.fetch(peer, **options)
        self.assertEqual(ended.code, 6, ended.messages)
        self.assertRegex(ended.messages, message)
        self.assertEqual(len(peer.requests), n_requests)
        self.assertEqual(self.whole(), set())

    def test_N20_redirect_to_a_host_that_is_not_granted(self):
        other = self.serve(lambda request, wire: wire.file(request, CONTENT))
        peer = self.serve(lambda request, wire: self.redirect(wire, other.url + "/a.bin"))
        self.assert_refused(peer, re.escape(other.host))
        self.assertEqual((other.n_connections, other.requests), (0, []))
        self.assert_heals(peer)

    def test_N20_redirect_to_other_schemes(self):
        secret = os.path.join(self.home, "secret")
        with open(secret, "w", encoding="utf-8") as file:
            file.write("nobody may have this")
        for to in ("file://" + secret, "file://localhost" + secret, "ftp://127.0.0.1/a.bin",
                   "gopher://127.0.0.1/a", "FILE:" + secret):
            with self.variant(to):
                peer = self.serve(lambda request, wire, to=to: self.redirect(wire, to))
                self.assert_refused(peer, "redirect from 127.0.0.1: only http and https are allowed")

    def test_N20_the_credential_stays_with_its_host(self):
        other = self.serve(lambda request, wire: wire.file(request, CONTENT))
        peer = self.serve(lambda request, wire: self.redirect(wire, other.url + "/a.bin"))
        ended = self.run_text('retrieve.products({ { dataURI = "mast:T/a.bin" } }, { dir = "d", '
                              'flat = true })', ["mast", other.host], "--archive", peer.url)
        self.assertEqual(ended.code, 0, ended.messages)
        self.assertTrue(peer.requests[0].headers["authorization"].startswith("token "))
        self.assertEqual(len(other.requests), 1)
        self.assertNotIn("authorization", other.requests[0].headers)
        self.assertEqual(self.whole(), {"a.bin"})


@needs("openssl")
class Tls(Download):
    """With an authority of its own. Whether a certificate is refused for the right reason can be
    seen only where this authority is trusted: the system's list of authorities is another one in
    a name space of the run's own."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = folder.name
        cls.authority = cls.certify("authority", "/CN=faults", "basicConstraints=critical,CA:TRUE")
        cls.trusting = ["unshare", "-rm", "sh", "-c", f'mount --bind "$0" {SYSTEM_STORE} && exec "$@"',
                        cls.authority]
        cls.may_trust = subprocess.run([*cls.trusting, "true"], check=False, capture_output=True)

    @classmethod
    def path(cls, name):
        return os.path.join(cls.folder, name)

    @classmethod
    def certify(cls, name, subject, extension, signed=False, at=None):
        """A key and a certificate, as one file, valid for two days from `at` on."""
        key, request, certificate = cls.path(name + ".key"), cls.path(name + ".csr"), cls.path(name)
        extensions = cls.path(name + ".ext")
        with open(extensions, "w", encoding="utf-8") as file:
            file.write(extension + "\n")
        by = ["-CA", cls.authority, "-CAkey", cls.authority, "-CAcreateserial"] if signed else [
            "-signkey", key]
        for command in (["req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-subj",
                         subject, "-out", request],
                        ["x509", "-req", "-in", request, "-days", "2", "-extfile", extensions,
                         "-out", certificate, *by]):
            subprocess.run([*(with_clock(at) if at else []), "openssl", *command], check=True,
                           capture_output=True)
        with open(certificate, "a", encoding="utf-8") as out, open(key, encoding="utf-8") as key_file:
            out.write(key_file.read())
        return certificate

    def serve_with(self, certificate, answer=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        return self.serve(answer or (lambda request, wire: wire.file(request, CONTENT)), tls=context)

    def trust(self):
        if self.may_trust.returncode:
            self.skipTest("no name space for a list of authorities of one's own: "
                          + self.may_trust.stderr.decode().strip())
        return self.trusting

    def assert_distrusted(self, certificate, message, before=()):
        self.unseen = 1
        peer = self.serve_with(certificate)
        ended = self.fetch(peer, before=before)
        self.assertEqual(ended.code, 4, ended.messages)
        self.assertRegex(ended.messages, message)
        self.assertEqual((peer.requests, peer.n_connections), ([], 1))
        self.assertEqual(self.whole(), set())

    def good_certificate(self):
        return self.certify("good", "/CN=good", "subjectAltName=IP:127.0.0.1", signed=True)

    def test_N21_a_trusted_certificate_is_taken(self):
        peer = self.serve_with(self.good_certificate())
        ended = self.fetch(peer, before=self.trust())
        self.assertEqual(ended.code, 0, ended.messages)
        self.assertEqual(self.whole(), {"a.bin"})

    @needs("faketime")
    def test_N21_expired_certificate(self):
        self.assert_distrusted(
            self.certify("expired", "/CN=expired", "subjectAltName=IP:127.0.0.1", signed=True,
                         at="2020-01-01 00:00:00"), "certificate has expired", self.trust())

    def test_N21_certificate_of_another_name(self):
        self.assert_distrusted(
            self.certify("other", "/CN=other", "subjectAltName=DNS:other.test", signed=True),
            "does not match|no alternative certificate subject name matches", self.trust())

    def test_N21_certificate_that_nobody_signed(self):
        self.assert_distrusted(
            self.certify("self", "/CN=self", "subjectAltName=IP:127.0.0.1"), "self-signed certificate")

    def test_N21_authority_that_is_not_trusted(self):
        self.assert_distrusted(self.good_certificate(), "unable to get local issuer certificate")

    def test_N10_body_longer_than_its_length_over_tls(self):
        """What is behind it comes in the last record of the body, or in one of its own, which only
        the TLS library can be asked for."""
        self.truth = {"a.bin": CONTENT, "b.bin": b"b" * 1000, "c.bin": b"c" * 1000}
        evil = b'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil'
        for name, pieces in {"same record": [CONTENT[:-9], CONTENT[-9:] + evil],
                             "next record": [CONTENT, evil],
                             "part of a record": [CONTENT, evil[:20]]}.items():
            with self.variant(name):
                def answer(request, wire, pieces=pieces):
                    if request.path != "/a.bin":
                        return wire.file(request, self.truth[request.path[1:]])
                    # All at once: what came after the next request nobody could tell from its answer.
                    wire.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
                    wire.send(HEAD + b"\r\n")
                    for piece in pieces:
                        wire.send(piece)
                    wire.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
                    return None
                peer = self.serve_with(self.good_certificate(), answer)
                ended = self.fetch(peer, None, "--ca-file", self.authority, options="parallel = 1")
                self.assertEqual(ended.code, 0, ended.messages)
                self.assertEqual(self.whole(), {"a.bin", "b.bin", "c.bin"})
                a, b, c = (request.connection for request in peer.requests)
                self.assertNotEqual(a, b)
                self.assertEqual(b, c)

    def test_N20_redirect_from_https_to_http(self):
        plain = self.serve(lambda request, wire: wire.file(request, CONTENT))
        peer = self.serve_with(self.good_certificate(), lambda request, wire: wire.answer(
            b"", "302 Found", Location=plain.url + "/a.bin"))
        ended = self.run_text(f'retrieve.products({{ {{ access_url = "{peer.url}/a.bin", '
                              'productFilename = "a.bin" } }, { dir = "d", flat = true })',
                              [peer.host, plain.host],
                              before=self.trust())
        self.assertEqual(ended.code, 6, ended.messages)
        self.assertIn("redirects from https to http", ended.messages)
        self.assertEqual((plain.n_connections, len(peer.requests)), (0, 1))


if __name__ == "__main__":
    unittest.main(testRunner=rows.Runner)
