# SPDX-License-Identifier: BSD-3-Clause
"""Row L10 of the fault matrix, and many files from a server with every fault: the command is killed
at any instant, the network fails at any answer, and the files are those of an undisturbed run.
HALYARD_LONG=1: with the numbers of the long set."""
import collections
import gzip
import os
import random
import unittest

import rows
from case import MEMORY, Case

LONG = os.environ.get("HALYARD_LONG") == "1"
PARALLEL = 4
PIECE = 65536
SEED = 20261127


def paced(wire, pause_s):
    """Every piece of an answer takes its time from now on."""
    if "send" not in vars(wire):
        send = wire.send

        def slowly(content):
            for at in range(0, len(content), PIECE):
                send(content[at:at + PIECE])
                wire.wait(pause_s)
        wire.send = slowly


class Kills(Case):
    where = MEMORY

    def test_L10_kill_at_any_instant_of_many_downloads(self):
        kills, longest_s = (200 if LONG else 25), 0.3
        chance = random.Random(SEED)
        self.truth = {f"{i:03}.bin": chance.randbytes(3_000_000 if i % 30 == 7 else
                                                      chance.randrange(1, 40_000))
                      for i in range(300)}
        pieces = sum(-(-len(content) // PIECE) + 1 for content in self.truth.values())
        pause_s = 25 * longest_s / 2 * PARALLEL / pieces

        sent = set()  # to their end: the client may still be at work on them

        def answer(request, wire):
            paced(wire, pause_s)
            sent.discard(request.path[1:])
            wire.file(request, self.truth[request.path[1:]])
            sent.add(request.path[1:])
        peer = self.serve(answer)
        text = ", ".join(f'{{ access_url = "{peer.url}/{name}" }}' for name in sorted(self.truth))
        text = f'retrieve.products({{ {text} }}, {{ dir = "d", flat = true, parallel = {PARALLEL} }})'
        killed = resumed = 0
        while killed < kills:
            known, settled = set(), set()  # by the runs so far; whole
            code = None
            while code != 0:
                before, whole_sent = len(peer.requests), set(sent)
                run = self.start("run", self.workflow(text, [peer.host]), "--allow-private-net",
                                 "-o", self.out)
                if killed < kills:
                    peer.stopping.wait(chance.uniform(0, longest_s))
                    run.kill()
                ended = self.end(run)
                code = ended.code
                self.assertIn(code, (0, -9), ended.messages)
                killed += code == -9
                asked = collections.Counter(self.fetched(peer.requests[before:]))
                self.assertFalse(settled & set(asked), "asked for again, though it was whole")
                again = known & set(asked)
                self.assertLessEqual(len(again - whole_sent), PARALLEL, "not on the way")
                self.assertLessEqual(len(again), 2 * PARALLEL, "not in flight")
                self.assertLessEqual(set(asked.values()), {1})
                resumed += sum("range" in request.headers for request in peer.requests[before:])
                known |= set(asked)
                settled = self.whole()
            self.whole()
            self.assertEqual(set(self.tree()), set(self.truth))
            self.restart()
        self.assertEqual(killed, kills)
        self.assertGreater(resumed, 0)

    def test_many_files_from_a_server_with_every_fault(self):
        n, self.deadline_s = (10_000, 1800) if LONG else (1_000, 240)
        chance = random.Random(SEED)
        self.truth = {f"{i:05}.bin": chance.randbytes(65536) for i in range(n)}
        self.faults = collections.Counter()

        def answer(request, wire):
            content = self.truth[request.path[1:]]
            # The same for a file and its nth request, in whatever order they come.
            dice = random.Random(f"{SEED} {request.path} {request.again}")
            if dice.random() >= 0.1:
                return wire.file(request, content)
            fault = dice.choice(FAULTS)
            self.faults[fault.__name__] += 1
            return fault(wire, content, dice)
        peer = self.serve(answer)
        for _ in range(3):
            ended = self.fetch(peer, None, "--quiet", options=f"parallel = {2 * PARALLEL}", hasten=20)
            self.whole()
            if ended.code == 0:
                break
            self.assertEqual(ended.code, 3, ended.messages)  # those that are tried once more only
        self.assertEqual(ended.code, 0, ended.messages)
        self.assertEqual(set(self.tree()), set(self.truth))
        self.assertLessEqual(len(peer.requests), 1.5 * n)
        self.assertEqual(set(self.faults), {fault.__name__ for fault in FAULTS})


def some(content, dice):
    return content[:dice.randrange(1, len(content))]


def begun(wire, content, **headers):
    """The head of a good answer with other lines, and what follows it."""
    lines = {"ETag": '"of another time"', "Content_Length": 65536, **headers}
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n"
                   for name, value in lines.items() if value is not None)
    wire.send(f"HTTP/1.1 200 OK\r\n{head}\r\n".encode() + content)


def reset_first(wire, _content, _dice):
    wire.reset()


def close_first(wire, _content, _dice):
    wire.close()


def reset_inside(wire, content, dice):
    begun(wire, some(content, dice))
    wire.wait(0.02)
    wire.reset()


def close_inside(wire, content, dice):
    begun(wire, some(content, dice))
    wire.close()


def stall(wire, content, dice):
    begun(wire, some(content, dice))
    wire.hold()


def chunks_cut(wire, content, dice):
    begun(wire, f"{65536:x}\r\n".encode() + some(content, dice), Content_Length=None,
          Transfer_Encoding="chunked")
    wire.close()


def chunk_size_bad(wire, content, _dice):
    begun(wire, b"100\r\n" + content[:256] + b"\r\nxyz\r\n", Content_Length=None,
          Transfer_Encoding="chunked")
    wire.close()


def gzip_cut(wire, content, dice):
    begun(wire, some(gzip.compress(content, 1), dice), Content_Length=None,
          Content_Encoding="gzip", Connection="close")
    wire.close()


def gzip_wrong(wire, content, _dice):
    packed = bytearray(gzip.compress(content, 1))
    packed[-6] ^= 0x10  # of the check sum
    wire.answer(bytes(packed), Content_Encoding="gzip")


def two_lengths(wire, content, _dice):
    wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 65536\r\nContent-Length: 100\r\n\r\n" + content)
    wire.close()


def garbage(wire, _content, dice):
    wire.send(dice.randbytes(200))
    wire.close()


def page(wire, _content, _dice):
    wire.answer("<!DOCTYPE html><html><title>Maintenance</title></html>", Content_Type="text/html")


def nothing(wire, _content, _dice):
    wire.answer(b"")


def refused(wire, _content, dice):
    wire.answer("no", dice.choice(("500 Oops", "502 Bad Gateway", "504 Gateway Timeout",
                                   "408 Request Timeout")))


def busy(wire, _content, dice):
    wire.answer("later", dice.choice(("429 Too Many Requests", "503 Service Unavailable")),
                Retry_After=dice.choice(("1", "junk", "-5", None)))


FAULTS = (reset_first, close_first, reset_inside, close_inside, stall, chunks_cut, chunk_size_bad,
          gzip_cut, gzip_wrong, two_lengths, garbage, page, nothing, refused, busy)

if __name__ == "__main__":
    unittest.main(testRunner=rows.Runner)
