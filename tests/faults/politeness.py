# SPDX-License-Identifier: BSD-3-Clause
"""What the servers count under faults of every kind: never more requests under way than the limit,
never faster than the pace. And where the token is not."""
import os
import random
import subprocess
import unittest

import rows
from case import HASTEN, HALYARD, TOKEN, Case

CONTENT = bytes(range(256)) * 100
N_FILES = 60
LIMIT = 8


def misbehave(request, wire):
    """A fault that depends on the request alone; a file's fourth answer is good at the latest. What
    the client may give up before the last byte counts as over at once."""
    rng = random.Random(f"{request.target} {request.again}")
    wire.wait(rng.uniform(0, 0.02))
    if request.again >= 3 or rng.random() < 0.6:
        return wire.file(request, CONTENT)
    kind = rng.randrange(9)
    if kind == 0:
        return wire.answer("no", rng.choice(("500 Internal Server Error", "502 Bad Gateway",
                                             "504 Gateway Timeout")))
    if kind == 1:
        return wire.answer("later", "429 Too Many Requests", Retry_After="2")
    if kind == 2:
        return wire.answer("later", "503 Service Unavailable")
    if kind == 3:
        return wire.reset()
    wire.over()
    if kind == 4:
        return wire.answer("<!DOCTYPE html><title>Down</title>", Content_Type="text/html")
    if kind == 5:
        wire.send(b"\x16\x03\x01\x02\x00\x01" * 100)
    elif kind == 6:
        wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n100\r\n" + CONTENT[:256] +
                  b"\r\nzz\r\n")
    elif kind == 7:
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 25600\r\n\r\n" + CONTENT[:10000])
    return wire.close()


class Politeness(Case):
    def setUp(self):
        super().setUp()
        self.truth = {f"{i}.bin": CONTENT for i in range(N_FILES)}

    def test_never_more_under_way_than_the_limit(self):
        peer = self.serve(misbehave)
        listed = ", ".join(f'{{ dataURI = "mast:T/{name}" }}' for name in self.truth)
        for _ in range(10):
            ended = self.run_text(f'retrieve.products({{ {listed} }}, {{ dir = "d", flat = true, '
                                  f'parallel = {LIMIT}, on_error = "keep" }})', ["mast"],
                                  "--archive", peer.url, hasten=HASTEN)
            if ended.code == 0:
                break
        self.assertEqual(ended.code, 0, ended.messages)
        self.assertEqual(self.whole(), set(self.truth))
        self.assertGreater(len(peer.requests), N_FILES)
        self.assertLessEqual(peer.most_at_once, LIMIT)
        self.assertGreater(peer.most_at_once, LIMIT // 2)

    def test_never_faster_than_the_pace(self):
        """There is no setting for a pace in workflows; dialects may set one."""
        pace_s, slack_s = 0.1, 0.5  # of a server that the machine keeps waiting
        peer = self.serve(misbehave)
        urls = ", ".join(f'"{peer.url}/{name}"' for name in self.truth)
        spec = os.path.join(self.home, "pace_spec.lua")
        with open(spec, "w", encoding="utf-8") as file:
            file.write(f'''
              local errors, http = require("halyard.error"), require("halyard.core.http")
              local task = require("halyard.core.task")
              it("asks", function()
                http.limit("{peer.host}", {LIMIT}, {pace_s})
                task.map({{ {urls} }}, {LIMIT}, function(url)
                  errors.try(http.request, {{ url = url }})
                end)
              end)''')
        os.mkdir(self.out)
        ended = subprocess.run([HALYARD + "-spec", spec], cwd=self.out, env=self.environment(),
                               capture_output=True, text=True, check=False)
        self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
        at = sorted(request.at for request in peer.requests)
        self.assertGreaterEqual(len(at), N_FILES)
        for i in range(len(at)):
            for j in range(i):
                self.assertGreater(at[i] - at[j], (i - j) * pace_s - slack_s)
        self.assertLessEqual(peer.most_at_once, LIMIT)


class Secrets(Case):
    def test_the_token_is_in_no_output_and_no_process_list(self):
        """Not even where the server sends it back; what is looked through is seen to hold what it
        should."""
        self.truth = {"a.bin": CONTENT}

        def echo(request, wire):
            told = request.headers.get("authorization", "")
            self.assertIn(TOKEN, told)
            if request.again == 0:
                return wire.answer(told, "500 " + told, X_Echo=told)
            return wire.answer(told, "403 " + told, X_Echo=told)
        peer = self.serve(echo)
        ended = self.run_text('retrieve.products({ { dataURI = "mast:T/a.bin" } }, { dir = "d", '
                              'flat = true, on_error = "keep" })', ["mast"], "--json", "--archive",
                              peer.url, hasten=HASTEN)
        self.assertEqual(ended.code, 6, ended.messages)
        self.assertEqual(len(peer.requests), 2)
        self.assertIn("HTTP 403", ended.messages)
        self.assertTrue(any("faults.lua" in text and "halyard" in text for text in self.texts[:1]))


if __name__ == "__main__":
    unittest.main(testRunner=rows.Runner)
