# SPDX-License-Identifier: BSD-3-Clause
"""Section 5 of the fault matrix, the disk: full, failing, read-only; killed at any call; the state
of an output folder that others changed."""
import errno
import os
import resource
import shutil
import subprocess
import time
import unittest

import disk
import rows
from case import needs
from local_case import (LocalCase, limit, needs_mount, needs_preload, needs_trace)


class Local(LocalCase):
    def state(self):
        with open(self.of(".halyard/files"), "rb") as state:
            return state.read()

    def assert_local_failure(self, ended, *words):
        """Exit 5, and a message that says where."""
        self.assertEqual(ended.code, 5, ended.messages)
        for word in words:
            self.assertIn(word, ended.messages)
        self.whole()

    def assert_settled(self, settled, before):
        """What was whole before the last runs is not asked for again."""
        again = {request.path[1:] for request in self.peer.requests[before:]}
        self.assertFalse(settled & again, "asked for again, though it was whole")

    # -- a full disk

    def full_disk(self, code):
        """The third piece of a.bin does not fit; then there is room again."""
        ended = self.fetch(self.peer, **self.strace(calls=f"pwrite64:error={code}:when=3+",
                                                    path=self.part()))
        self.assert_local_failure(ended, "a.bin", "make room", os.strerror(getattr(errno, code)))
        self.assertEqual(os.path.getsize(self.part()), 2 * 262144)
        settled, before = self.whole(), len(self.peer.requests)
        self.assert_heals(self.peer)
        self.assertEqual(self.asked("a.bin"), [None, "bytes=524288-"])
        self.assert_settled(settled, before)

    @needs("strace")
    @needs_trace
    def test_L1_no_space_for_data(self):
        self.full_disk("ENOSPC")

    def test_L1_no_space_for_data_by_a_limit_of_the_process(self):
        # As far as a disk goes that is full in the middle of a block.
        ended = self.fetch(self.peer, preexec_fn=limit(resource.RLIMIT_FSIZE, 700_001))
        self.assert_local_failure(ended, ".bin", "make room")
        self.assertIn(".part", " ".join(self.tree()))
        self.assertLessEqual(len(self.peer.requests), 4)
        before = len(self.peer.requests)
        self.assert_heals(self.peer)
        ranges = [request.headers.get("range") for request in self.peer.requests[before:]]
        self.assertTrue(any(ranges), ranges)

    @needs("fiu-run")
    @needs_preload
    def test_L1_no_space_for_data_in_the_library(self):
        for i in range(5):
            ended = self.fetch(self.peer, before=["fiu-run", "-x", "-c", "enable_random name="
                               f"posix/io/rw/pwrite,probability=0.{i + 1},failinfo={errno.ENOSPC}"])
            if ended.code != 0:
                self.assert_local_failure(ended, os.strerror(errno.ENOSPC))
        before, settled = len(self.peer.requests), self.whole()
        self.assert_heals(self.peer)
        self.assert_settled(settled, before)

    @needs("strace")
    @needs_trace
    def test_L1_the_message_says_how_much_is_missing(self):
        ended = self.fetch(self.peer, **self.strace(calls="pwrite64:error=ENOSPC:when=3+",
                                                    path=self.part()))
        self.assert_local_failure(ended, str(len(self.truth["a.bin"]) - 2 * 262144))
        self.assert_heals(self.peer)

    @needs_mount
    def test_L1_no_space_on_a_small_file_system(self):
        with self.mounted("tmpfs", "size=2m"):
            ended = self.fetch(self.peer)
            self.assert_local_failure(ended, ".bin", os.strerror(errno.ENOSPC))
            settled, before = self.whole(), len(self.peer.requests)
            self.assertLessEqual(before, 4)
            subprocess.run(["mount", "-o", "remount,size=20m", self.out], check=True)
            self.assert_heals(self.peer)
            self.assert_settled(settled, before)
            self.assert_invariants()

    def test_L1_no_transfer_begins_on_a_full_disk(self):
        for i in range(40):
            self.truth[f"{i:02}.bin"] = bytes([i]) * 300_000
        ended = self.fetch(self.peer, preexec_fn=limit(resource.RLIMIT_FSIZE, 200_000))
        self.assert_local_failure(ended, "make room")
        self.assertLessEqual(len(self.peer.requests), 4)
        self.assert_heals(self.peer)

    @needs("strace")
    @needs_trace
    def test_L2_the_record_of_a_file_cannot_be_written(self):
        for i, calls in enumerate(("write:error=ENOSPC:when=3+", "write:error=EIO:when=3+",
                                   "fsync:error=EIO:when=3+")):
            with self.subTest(calls):
                state = self.of(".halyard/files")
                # One at a time: files that end together are saved by one call.
                ended = self.fetch(self.peer, options="parallel = 1",
                                   **self.strace(calls=calls, path=state))
                self.assert_local_failure(ended, "state of the output folder")
                self.assertGreaterEqual(self.state().count(b"\n"), 2)
                self.assertLessEqual(len(self.whole()), 3)
                settled, before = self.whole(), len(self.peer.requests)
                self.assertGreaterEqual(len(settled), 1)
                self.assert_heals(self.peer)
                self.assert_settled(settled, before)
                self.restart()

    def test_L2_the_record_of_a_file_is_cut_by_a_full_disk(self):
        self.truth = {f"{i:02}.bin": bytes([i]) * 500 for i in range(20)}
        ended = self.fetch(self.peer, preexec_fn=limit(resource.RLIMIT_FSIZE, 1000))
        self.assert_local_failure(ended, "state of the output folder")
        self.assertEqual(len(self.state()), 1000)
        self.assertNotEqual(self.state()[-1:], b"\n")
        settled, before = self.whole(), len(self.peer.requests)
        self.assertGreater(len(settled), 2)
        self.assert_heals(self.peer)
        self.assert_settled(settled, before)

    @needs("strace")
    @needs_trace
    def test_L3_the_quota_is_used_up(self):
        self.full_disk("EDQUOT")

    @needs_mount
    def test_L4_no_inodes_are_left(self):
        self.truth = {f"{i:02}.bin": bytes([i]) * 500 for i in range(30)}
        with self.mounted("tmpfs", "nr_inodes=24"):
            ended = self.fetch(self.peer)
            self.assert_local_failure(ended, os.strerror(errno.ENOSPC), "make room")
            settled, before = self.whole(), len(self.peer.requests)
            self.assertGreater(len(settled), 2)
            self.assertLessEqual(before, len(settled) + 4)
            subprocess.run(["mount", "-o", "remount,nr_inodes=1000", self.out], check=True)
            self.assert_heals(self.peer)
            self.assert_settled(settled, before)
            self.assert_invariants()

    @needs_mount
    def test_L5_the_folder_is_read_only(self):
        with self.mounted("tmpfs", "size=1m"):
            subprocess.run(["mount", "-o", "remount,ro", self.out], check=True)
            ended = self.fetch(self.peer)
            self.assert_local_failure(ended, self.out, os.strerror(errno.EROFS))
            self.assertEqual(self.peer.requests, [])
            subprocess.run(["mount", "-o", "remount,rw,size=20m", self.out], check=True)
            self.assert_heals(self.peer)
            self.assert_invariants()

    @unittest.skipIf(os.geteuid() == 0, "root may write into any folder")
    def test_L5_the_folder_may_not_be_written(self):
        os.makedirs(self.out, mode=0o500)
        ended = self.fetch(self.peer)
        self.assert_local_failure(ended, self.out)
        self.assertEqual(self.peer.requests, [])
        os.chmod(self.out, 0o700)
        self.assert_heals(self.peer)

    # -- a failing disk

    @needs("strace")
    @needs_trace
    def test_L6_data_that_could_not_be_saved_are_fetched_again(self):
        ended = self.fetch(self.peer, **self.strace(calls="fsync:error=EIO:when=1",
                                                    path=self.part()))
        self.assert_local_failure(ended, "a.bin", os.strerror(errno.EIO))
        self.assertNotIn("a.bin", self.whole())
        self.assertNotIn(".a.bin.part", self.tree())
        self.assert_heals(self.peer)
        self.assertEqual(self.asked("a.bin"), [None, None])

    @needs("strace")
    @needs_trace
    def test_L6_nor_is_a_folder_that_could_not_be_saved_taken_for_whole(self):
        ended = self.fetch(self.peer, **self.strace(calls="fsync:error=EIO:when=1",
                                                    path=os.path.join(self.out, "d")))
        self.assert_local_failure(ended, os.strerror(errno.EIO))
        self.assertEqual(sum(item["status"] == "error" for item in ended.report()["files"]), 4)
        self.assert_heals(self.peer)

    @needs("strace")
    @needs_trace
    def test_L7_the_final_name_cannot_be_given(self):
        for code in ("EIO", "ENOSPC", "EACCES"):
            with self.subTest(code):
                before = len(self.asked("a.bin"))
                ended = self.fetch(self.peer, ["a.bin"],
                                   **self.strace(calls=f"renameat2:error={code}"))
                self.assert_local_failure(ended, "a.bin", os.strerror(getattr(errno, code)))
                self.assertEqual(set(self.tree()) - {".a.bin.part.info"}, {".a.bin.part"})
                self.assert_heals(self.peer, ["a.bin"])
                self.assertEqual(len(self.asked("a.bin")), before + 1)  # what is there is whole
                self.assertIn("etag", self.fetch(self.peer, ["a.bin"]).manifest()["a.bin"])
                self.restart()

    @needs("strace")
    @needs_trace
    def test_L7_a_file_system_without_the_call_that_keeps_what_is_there(self):
        for code in ("EINVAL", "ENOSYS"):
            ended = self.fetch(self.peer, **self.strace(calls=f"renameat2:error={code}"))
            self.assertEqual(ended.code, 0, ended.messages)
            self.assertEqual(set(self.tree()), set(self.truth))
            self.restart()

    @needs("strace")
    @needs_trace
    def test_L8_calls_that_are_interrupted_go_on(self):
        for call in ("pwrite64", "write", "poll", "recvfrom"):
            with self.subTest(call):
                self.fetch(self.peer, ["a.bin"])  # the folders are there
                ended = self.fetch(self.peer, **self.strace(calls=f"{call}:error=EINTR:when=2+3"))
                self.assertEqual(ended.code, 0, ended.messages)
                self.assertEqual(set(self.tree()), set(self.truth))
                self.restart()

    @needs("strace")
    @needs_trace
    def test_L8_calls_that_would_wait_go_on(self):
        for call in ("pwrite64", "write"):
            with self.subTest(call):
                ended = self.fetch(self.peer, **self.strace(calls=f"{call}:error=EAGAIN:when=2+3"))
                self.assertEqual(ended.code, 0, ended.messages)
                self.assertEqual(set(self.tree()), set(self.truth))
                self.restart()

    @needs("fiu-run")
    @needs_preload
    def test_L8_short_writes_go_on(self):
        ended = self.fetch(self.peer, before=[
            "fiu-run", "-x", "-c", "enable_random name=posix/io/rw/pwrite/reduce,probability=0.5",
            "-c", "enable_random name=posix/io/rw/write/reduce,probability=0.5"])
        self.assertEqual(ended.code, 0, ended.messages)
        self.assertEqual(set(self.tree()), set(self.truth))

    def read_slowly(self, *arguments):
        """What a command writes into a pipe that takes nothing for the moment now and then."""
        out, into = os.pipe()
        os.set_blocking(into, False)
        run = self.start(*arguments, stdout=into)
        os.close(into)
        pieces = []
        while not pieces or pieces[-1]:
            if len(pieces) % 20 == 0:
                time.sleep(0.05)
            pieces.append(os.read(out, 10_000))
        os.close(out)
        ended = self.end(run)
        self.assertEqual(ended.code, 0, ended.messages)
        return b"".join(pieces)

    def test_L8_a_pipe_that_takes_nothing_for_the_moment_is_waited_for(self):
        rows = [f"{i},name of {i}" for i in range(50_000)]
        text = "\n".join(["id,name", *rows]) + "\n"
        table = os.path.join(self.home, "table.csv")
        with open(table, "w", encoding="ascii") as file:
            file.write(text)
        self.assertEqual(self.read_slowly("convert", table, "-").decode(), text)
        fits = self.read_slowly("convert", table, "-", "--to", "fits")
        with open(os.path.join(self.home, "table.fits"), "wb") as file:
            file.write(fits)
        self.assertEqual(self.read_slowly("convert", file.name, "-").decode(), text)
        self.assertEqual(self.read_slowly("show", table, "-n", "50000").count(b"name of"), 50_000)
        rows = self.workflow("local t = {} for i = 1, 20000 do t[i] = { id = i, name = 'name of ' .. i "
                             "} end return t", [])
        out = self.read_slowly("run", rows, "-o", self.out, "--format", "csv").decode()
        self.assertEqual(sorted(out.splitlines()[1:]),
                         sorted(f"{i},name of {i}" for i in range(1, 20001)))

    # -- killed

    @needs("strace")
    @needs_trace
    def test_L10_kill_at_every_call_that_changes_the_disk(self):
        self.truth = {name: self.truth[name] for name in ("a.bin", "b.bin")}
        killed = 0
        for call in ("mkdirat", "ftruncate", "pwrite64", "write", "fsync", "unlinkat", "renameat2",
                     "renameat", "rename"):
            for n in range(1, 200):
                asked = len(self.peer.requests)
                ended = self.fetch(self.peer, options="parallel = 1",
                                   **self.strace(calls=f"{call}:signal=KILL:when={n}"))
                if ended.code == 0:
                    shutil.rmtree(self.out)
                    break
                self.assertEqual(ended.code, -9, (call, n, ended.messages))
                killed += 1
                settled, before = self.whole(), len(self.peer.requests)
                ended = self.fetch(self.peer)
                self.assertEqual(ended.code, 0, (call, n, ended.messages))
                self.assertEqual(set(self.tree()), set(self.truth), (call, n))
                self.assert_settled(settled, before)
                self.assertLessEqual(len(self.fetched(self.peer.requests[asked:])), 3, (call, n))
                shutil.rmtree(self.out)
        self.assertGreater(killed, 20)

    @needs("strace")
    @needs_trace
    def test_L16_the_power_fails_at_any_instant(self):
        self.power_fails(posix=False)

    @needs("strace")
    @needs_trace
    def test_L16_where_no_name_is_saved_but_by_its_folder(self):
        self.power_fails(posix=True)

    def power_fails(self, posix):
        self.truth = {"a.bin": self.truth["a.bin"][-600_000:], "b.bin": b"short"}
        trace = os.path.join(self.home, "trace")
        os.makedirs(os.path.join(self.out, "d"))
        ended = self.fetch(self.peer, options="parallel = 1",
                           before=[*disk.STRACE, "-o", trace], env=self.traced_environment())
        self.assertEqual(ended.code, 0, ended.messages)
        n = 0
        with open(trace, encoding="ascii") as calls:
            for state in disk.after_power_loss(self.out, ["d"], calls, posix):
                n += 1
                shutil.rmtree(self.out)
                self.make(state)
                before = len(self.peer.requests)
                ended = self.fetch(self.peer)
                self.assertEqual(ended.code, 0, (state.keys(), ended.messages))
                self.assertEqual(self.whole(), set(self.truth), state.keys())
                self.assertLessEqual(len(self.peer.requests) - before, 2)
        self.assertGreater(n, 40)

    def make(self, state):
        """The folder as it is after the machine has started again."""
        for path, content in sorted(state.items()):
            path = os.path.join(self.out, path)
            if content is None:
                os.makedirs(path, exist_ok=True)
                continue
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if path.endswith(".part.info"):  # of the start before
                content = content.replace(content[:36], b"0" * 36)
            with open(path, "wb") as file:
                file.write(content)
        # The times are those of the records: what is taken for whole by its time has to be whole.
        for line in state.get("d/.halyard/files", b"").split(b"\n"):
            words = line.split(b"\t")[0].split()
            for name in (words[4:] and (words[4].decode(), f".{words[4].decode()}.part")) or ():
                if os.path.exists(self.of(name)):
                    os.utime(self.of(name), ns=(int(words[2]),) * 2)


if __name__ == "__main__":
    unittest.main(testRunner=rows.Runner)
