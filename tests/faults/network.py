# SPDX-License-Identifier: BSD-3-Clause
"""Section 3 of the fault matrix: the network and HTTP."""
import socket
import unittest

import rows
from case import HASTEN, Case

CONTENT = bytes(range(256)) * 1000


class Network(Case):
    def setUp(self):
        super().setUp()
        self.truth = {"a.bin": CONTENT}

    def test_N2_connection_refused(self):
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))  # bound, but nobody listens
            host = f"127.0.0.1:{closed.getsockname()[1]}"
            ended = self.run_text(f'retrieve.products({{ {{ access_url = "http://{host}/a.bin" }} }}'
                                  ', { dir = "d", flat = true })', [host], hasten=HASTEN)
        self.assertEqual(ended.code, 4, ended.messages)
        self.assertIn("cannot connect to " + host, ended.messages)

    def test_N3_reset_or_end_before_headers(self):
        for end in ("reset", "close"):
            with self.subTest(end):
                self.honest = False
                peer = self.serve(lambda request, wire, end=end: getattr(wire, end)()
                                  if request.again < 2 else wire.file(request, CONTENT))
                ended = self.fetch(peer, hasten=HASTEN)
                self.assertEqual(ended.code, 0, ended.messages)
                self.assertEqual(len(peer.requests), 3)
                self.assertEqual(self.whole(), {"a.bin"})
                self.restart()

    def test_N4_reset_in_the_body_goes_on_with_a_strong_validator(self):
        def answer(request, wire):
            if request.again > 0:
                return wire.file(request, CONTENT)
            wire.send(b'HTTP/1.1 200 OK\r\nETag: "one"\r\nContent-Length: 256000\r\n\r\n')
            wire.send(CONTENT[:100000])
            wire.wait(0.2)
            wire.reset()
        peer = self.serve(answer)
        ended = self.fetch(peer, hasten=HASTEN)
        self.assertEqual(ended.code, 0, ended.messages)
        self.assertEqual(len(peer.requests), 2)
        # Of another file ("one" is not its tag), so the server sends the whole.
        self.assertEqual(peer.requests[1].headers["if-range"], '"one"')
        self.assertEqual(self.whole(), {"a.bin"})

    def test_N6_stall_in_the_body(self):
        def answer(request, wire):
            if request.again > 0:
                return wire.file(request, CONTENT)
            wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 256000\r\n\r\n" + CONTENT[:1000])
            wire.hold()
        peer = self.serve(answer)
        ended = self.fetch(peer, hasten=HASTEN)
        self.assertEqual(ended.code, 0, ended.messages)
        self.assertEqual(len(peer.requests), 2)
        self.assertNotIn("range", peer.requests[1].headers)  # no validator: from zero
        self.assertEqual(self.whole(), {"a.bin"})


if __name__ == "__main__":
    unittest.main(testRunner=rows.Runner)
