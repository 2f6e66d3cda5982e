# SPDX-License-Identifier: BSD-3-Clause
"""Rows L2 and L17 of the fault matrix for what runs write about themselves: the records of an
output folder and the ledger of a query, edited or not to be written."""
import contextlib
import glob
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import unittest

import rows
from case import SOURCE, needs
from local_case import LocalCase, needs_trace

sys.path.append(os.path.join(SOURCE, "tests", "archive"))
import practice  # noqa: E402


SEED = 20261127


class Records(LocalCase):
    """What `.halyard/files` of a finished download says."""

    def setUp(self):
        super().setUp()
        self.state = self.of(".halyard/files")

    def edited(self, edit):
        """Files whose record is gone are somebody else's: nothing is fetched over them, and nothing
        of the state that is there is deleted."""
        self.assertEqual(self.fetch(self.peer).code, 0)
        with open(self.state, "r+b") as state:
            lines = state.read().splitlines(keepends=True)
            content = edit(b"".join(lines))
            state.seek(0)
            state.truncate()
            state.write(content)
        recorded = {line.split(b"\t")[0].split()[4].decode() for line in lines if line in content}
        self.assertEqual(len(recorded), 3)
        before = len(self.peer.requests)
        ended = self.fetch(self.peer)
        self.assertEqual(ended.code, 5, ended.messages)
        self.assertIn("is there already", ended.messages)
        self.assertEqual(self.whole(), set(self.truth))
        self.assertEqual(len(self.peer.requests), before)
        with open(self.state, "rb") as state:
            self.assertTrue(state.read().startswith(content))
        ended = self.fetch(self.peer, options='existing = "replace"')
        self.assertEqual(ended.code, 0, ended.messages)
        self.assertFalse(recorded & set(self.fetched(self.peer.requests[before:])))
        self.assert_heals(self.peer)
        self.restart()

    def test_L17_a_record_is_cut(self):
        for n in (1, 20, 100):
            with self.subTest(n):
                self.edited(lambda content, n=n: content[:-n])

    def test_L17_a_bit_of_a_record_is_flipped(self):
        for at in (3, 12, 40, 100, 140):
            with self.subTest(at):
                self.edited(lambda content, at=at:
                            content[:at] + bytes([content[at] ^ 1]) + content[at + 1:])

    def test_L17_the_records_are_not_a_file(self):
        self.fetch(self.peer)
        os.unlink(self.state)
        elsewhere = os.path.join(self.home, "elsewhere")
        for make in (os.mkdir, lambda path: os.symlink(elsewhere, path)):
            make(self.state)
            ended = self.fetch(self.peer)
            self.assertEqual(ended.code, 5, ended.messages)
            self.assertIn(".halyard/files", ended.messages)
            self.assertFalse(os.path.exists(elsewhere))
            subprocess.run(["rm", "-r", self.state], check=True)


    def test_L17_the_records_are_no_records(self):
        self.deadline_s = 20
        for content in (b"my list of files\n", b"\x7fELF" + bytes(1000), None):
            with self.subTest(content and content[:8]):
                shutil.rmtree(self.out, ignore_errors=True)
                os.makedirs(os.path.dirname(self.state))
                if content is None:
                    os.mkfifo(self.state)
                else:
                    with open(self.state, "wb") as file:
                        file.write(content)
                ended = self.fetch(self.peer)
                self.assertIn(ended.code, (5, 7), ended.messages)
                self.assertIn(".halyard/files", ended.messages)
                self.assertEqual(self.peer.requests, [])
                if content is not None:
                    with open(self.state, "rb") as file:
                        self.assertEqual(file.read(), content)


class Ledger(LocalCase):
    """Of a query that was killed."""

    QUERY = ["--catalog", "Tic", "--region", "CIRCLE 200 60 2.5", "--row_limit", "2000",
             "--parallel", "1"]

    def setUp(self):
        super().setUp()
        self.url = self.stack.enter_context(practice.archive("--row-cap", "2000"))
        self.start_query = lambda *more, **options: self.start(
            "run", os.path.join(SOURCE, "tests", "data", "workflows", "catalogue.lua"), "--archive",
            self.url, "-o", self.out, *self.QUERY, *more, **options)
        ended = self.end(self.start_query())
        self.assertEqual(ended.code, 0, ended.messages)
        self.want = self.rows()
        shutil.rmtree(self.out)

    def rows(self):
        with open(os.path.join(self.out, "rows.csv"), "rb") as file:
            return file.read()

    def ledger(self):
        found = glob.glob(os.path.join(self.out, ".halyard", "*.tiles", "ledger.sqlite"))
        return found[0] if found else None

    def killed(self):
        """A run that has been killed in the middle of its questions."""
        trace = self.strace(calls="fdatasync:signal=KILL:when=12")
        ended = self.end(self.start_query(**trace))
        self.assertEqual(ended.code, -signal.SIGKILL, ended.messages)

    def edit(self, edit):
        """Of all that is in the ledger."""
        with contextlib.closing(sqlite3.connect(self.ledger())) as ledger:
            ledger.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with open(self.ledger(), "r+b") as file:
            content = bytearray(file.read())
            edit(content)
            file.seek(0)
            file.truncate()
            file.write(content)

    def assert_refused_or_right(self, *words):
        """Whether it was refused."""
        ended = self.end(self.start_query())
        if ended.code == 0:
            self.assertEqual(self.rows(), self.want)
            return False
        self.assertIn(ended.code, (5, 7), ended.messages)
        for word in ("ledger.sqlite", "--restart", *words):
            self.assertIn(word, ended.messages)
        self.assertTrue(os.path.exists(self.ledger()))
        ended = self.end(self.start_query("--restart"))
        self.assertEqual(ended.code, 0, ended.messages)
        self.assertEqual(self.rows(), self.want)
        return True

    @needs("strace")
    @needs_trace
    def test_L2_the_ledger_of_a_query_cannot_be_written(self):
        path = os.path.join(self.out, ".halyard", "rows.csv.tiles", "ledger.sqlite-wal")
        for calls in ("pwrite64:error=ENOSPC:when=80+", "pwrite64:error=EIO:when=80+",
                      "fdatasync:error=EIO:when=10+"):
            with self.subTest(calls):
                ended = self.end(self.start_query(**self.strace(calls=calls, path=path)))
                self.assertEqual(ended.code, 5, ended.messages)
                self.assertIn("ledger", ended.messages)
                ended = self.end(self.start_query())
                self.assertEqual(ended.code, 0, ended.messages)
                self.assertIn("resuming: ", ended.messages)
                self.assertEqual(self.rows(), self.want)
                shutil.rmtree(self.out)

    @needs("strace")
    @needs_trace
    def test_L17_a_ledger_that_is_foreign_cut_or_of_a_newer_version(self):
        def foreign(content):
            content[:] = b"my notes\n" * 500

        def newer(content):
            content[60:64] = (99).to_bytes(4, "big")  # SQLite file format 1.3, user version

        def cut(content):
            del content[len(content) // 2:]

        def header(content):
            content[0] ^= 1
        for edit in (foreign, newer, cut, header):
            with self.subTest(edit.__name__):
                self.killed()
                self.edit(edit)
                self.assertTrue(self.assert_refused_or_right())
                shutil.rmtree(self.out)

    @needs("strace")
    @needs_trace
    def test_L17_a_bit_of_the_ledger_is_flipped(self):
        chance = random.Random(SEED)
        self.killed()
        self.edit(lambda content: None)
        saved = os.path.join(self.home, "saved")
        shutil.move(self.out, saved)
        for _ in range(20):
            shutil.copytree(saved, self.out)

            def flip(content):
                at = chance.choice([at for at, byte in enumerate(content) if byte])
                content[at] ^= 1 << chance.randrange(8)
            self.edit(flip)
            self.assert_refused_or_right()
            shutil.rmtree(self.out)


if __name__ == "__main__":
    unittest.main(testRunner=rows.Runner)
