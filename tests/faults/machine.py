# SPDX-License-Identifier: BSD-3-Clause
"""Section 5 of the fault matrix, beside the disk: memory, signals, clocks, other processes, limits,
and folders that others changed."""
import contextlib
import datetime
import hashlib
import io
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import threading
import time
import unittest
import urllib.parse
import zipfile

import rows
from case import HASTEN, faketime, needs
from local_case import LocalCase, is_sanitized, limit

LONG = os.environ.get("HALYARD_LONG") == "1"
PRELOADS = os.environ["HALYARD_PRELOADS"]  # folder of nomem.c and slow.c, built


# "At once" is told by the run's own clock, made slow: what waits by it is seen, and a busy machine
# does not look like one that waits.
SLOWED = 50


class Machine(LocalCase):
    def slowed(self, *preloads):
        """An environment in which the clock of a run is slow."""
        return self.environment(LD_PRELOAD=":".join([*preloads, faketime()]),
                                FAKETIME=f"+0 x{1 / SLOWED}")

    def assert_at_once(self, took_s):
        self.assertLess(took_s / SLOWED, 2)

    @unittest.skipIf(is_sanitized(), "AddressSanitizer has an allocator of its own")
    def test_L9_memory_ends_at_any_allocation(self):
        for n in (1, 1_000_000):  # for a moment; for good
            at, failed = 0, 0
            while at < 12_000:
                ended = self.fetch(self.peer, env=self.environment(
                    LD_PRELOAD=f"{PRELOADS}/libnomem.so", HALYARD_FAIL_AT=str(at), HALYARD_FAIL_N=str(n)))
                self.assertGreaterEqual(ended.code, 0, (at, n, ended.messages))
                if ended.code != 0:
                    failed += 1
                    self.assertEqual(ended.code, 8, (at, n, ended.messages))
                    self.assertIn("memory", ended.messages, (at, n))
                self.restart()
                at += 1 + at // 5
            self.assertGreater(failed, 10)

    # -- signals

    @contextlib.contextmanager
    def under_way(self, text=None, **options):
        """A run whose first file comes and whose second one does not: the process, and a function
        that ends it by a signal and gives its end and the seconds that it took."""
        reached = threading.Event()

        def answer(request, wire):
            if request.path == "/a.bin":
                return wire.file(request, self.truth["a.bin"])
            reached.set()
            return wire.hold()
        self.honest = False
        self.peer = self.serve(answer)
        names = ", ".join(f'{{ access_url = "{self.peer.url}/{name}.bin" }}' for name in "ab")
        text = text or (f'retrieve.products({{ {names} }}, {{ dir = "d", flat = true, '
                        'parallel = 1 })')
        run = self.start_text(text, [self.peer.host], **options)

        def stop(*numbers):
            begun = time.monotonic()
            for number in numbers:
                run.send_signal(number)
            ended = self.end(run)
            return ended, time.monotonic() - begun
        if "retrieve" in text:
            self.assertTrue(reached.wait(30))
        try:
            yield run, stop
        finally:
            run.kill()

    def stopped_by(self, number, text=None):
        with self.under_way(text, env=self.slowed()) as (_, stop):
            if text:
                time.sleep(0.5)
            ended, took_s = stop(number)
        self.assertEqual(ended.code, 128 + number, ended.messages)
        self.assert_at_once(took_s)

    @needs("faketime")
    def test_L11_an_interrupt_stops_the_run_and_keeps_what_came(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number.name):
                self.stopped_by(number)
                self.assertEqual(self.whole(), {"a.bin"})
                before = len(self.peer.requests)
                self.assert_heals(self.peer, ["a.bin", "b.bin"])
                self.assertEqual({request.path for request in self.peer.requests[before:]}, {"/b.bin"})
                self.restart()

    @needs("faketime")
    def test_L11_an_interrupted_run_records_what_it_has(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(number.name):
                with self.under_way(env=self.slowed()) as (_, stop):
                    while not os.path.exists(self.of("a.bin")):
                        time.sleep(0.01)
                    time.sleep(0.2)
                    ended, took_s = stop(number)
                self.assertEqual(ended.code, 128 + number, ended.messages)
                self.assert_at_once(took_s)
                with open(self.of("manifest.json"), encoding="utf-8") as manifest:
                    a, b = json.load(manifest)["data"]
                self.assertEqual((a["path"], a["status"], a["tries"]), ("a.bin", "complete", 1))
                self.assertEqual(a["sha256"], hashlib.sha256(self.truth["a.bin"]).hexdigest())
                self.assertEqual((b["path"], b["status"], b["error"], b["fault"]),
                                 ("b.bin", "failed", "cancelled", "local"))
                self.assertNotIn("tries", b)  # it was under way
                with open(self.of("manifest.csv"), encoding="utf-8") as manifest:
                    self.assertEqual(manifest.read().count("\n"), 3)
                with open(os.path.join(self.out, "report.json"), encoding="utf-8") as report:
                    record = json.load(report)
                self.assertEqual(record["status"], "unfinished")
                self.assertEqual([item["status"] for item in record["files"]], ["complete", "error"])
                self.honest = True
                ended = self.end(self.start("retry", self.out, "--allow-private-net"))
                self.assertEqual(ended.code, 0, ended.messages)
                self.assertEqual(self.whole(), {"a.bin", "b.bin"})
                self.restart()

    def test_a_file_that_takes_long_is_seen_to_come(self):
        content = self.truth["a.bin"]

        def answer(_, wire):
            wire.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\n\r\n")
            wire.drip(content, 0.25, len(content) // 10)
        self.honest = False
        ended = self.fetch(self.serve(answer), ["a.bin"], "--json")
        self.assertEqual(ended.code, 0, ended.messages)
        shown = [event["data"] for event in map(json.loads, ended.messages.splitlines())
                 if event["event"] == "progress" and event["data"]["stage"] == "files"]
        coming = [event["bytes"] for event in shown if event["done"] == 0]
        self.assertGreater(len(coming), 1)
        self.assertEqual(coming, sorted(coming))
        self.assertTrue(all(0 < n < len(content) for n in coming), coming)
        self.assertEqual(shown[-1]["bytes"], len(content))

    def test_a_bundle_that_takes_long_is_seen_to_come(self):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as out:
            out.writestr("A/b.fits", self.truth["a.bin"])
        content = packed.getvalue()

        def answer(_, wire):
            wire.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\n\r\n")
            wire.drip(content, 0.25, len(content) // 10)
        self.honest = False
        ended = self.run_text('mast.bundle({ "mast:HST/A/b.fits" }, { name = "b" })', ["mast"],
                              "--json", "--archive", self.serve(answer).url)
        self.assertEqual(ended.code, 0, ended.messages)
        coming = [event["data"]["bytes"] for event in map(json.loads, ended.messages.splitlines())
                  if event["event"] == "progress"]
        self.assertGreater(len(coming), 1)
        self.assertTrue(all(0 < n < len(content) for n in coming), coming)

    def test_a_run_that_its_script_or_its_time_ends_records_what_it_has(self):
        def answer(request, wire):
            if request.path == "/a.bin":
                return wire.file(request, self.truth["a.bin"])
            if request.path == "/b.bin":
                wire.wait(0.5)
                return wire.answer("gone", "404 Not Found")
            return wire.hold()
        self.honest = False
        peer = self.serve(answer)
        for names, options, more, code in (("abc", "on_error = function() error('typo') end", "", 1),
                                           ("ac", "", 'budget = { wall = "2 s" },', 8)):
            with self.subTest(code):
                rows = ", ".join(f'{{ access_url = "{peer.url}/{name}.bin" }}' for name in names)
                text = self.workflow(f'retrieve.products({{ {rows} }}, {{ dir = "d", flat = true, '
                                     f'{options} }})', [peer.host], more)
                ended = self.end(self.start("run", text, "--allow-private-net", "-o", self.out))
                self.assertEqual(ended.code, code, ended.messages)
                manifest = ended.manifest()
                self.assertEqual([manifest[f"{name}.bin"]["status"] for name in names],
                                 ["complete"] + ["failed"] * (len(names) - 1))
                self.restart()

    def test_L11_an_interrupt_between_two_downloads_records_what_came(self):
        row = f'{{ access_url = "{self.peer.url}/a.bin" }}'
        run = self.start_text(f'retrieve.products({{ {row} }}, {{ dir = "d", flat = true }}) '
                              'while true do pcall(error) end', [self.peer.host])
        while not os.path.exists(self.of("a.bin")):
            time.sleep(0.01)
        time.sleep(0.5)
        run.send_signal(signal.SIGINT)
        ended = self.end(run)
        self.assertEqual(ended.code, 130, ended.messages)
        self.assertEqual(ended.files()["a.bin"]["status"], "complete")
        self.assertTrue(os.path.exists(self.of("manifest.json")))

    @needs("faketime")
    def test_L11_an_interrupt_stops_a_script_that_does_not_wait(self):
        self.stopped_by(signal.SIGINT, "while true do pcall(error) end")

    @needs("faketime")
    def test_L11_the_second_signal_ends_at_once(self):
        # The first one waits for the disk.
        run = self.start_text(f'retrieve.products({{ {{ access_url = "{self.peer.url}/a.bin" }} }}, '
                              '{ dir = "d", flat = true })', [self.peer.host],
                              env=self.slowed(f"{PRELOADS}/libslow.so"))
        while self.tree().get(".a.bin.part") != self.truth["a.bin"]:
            time.sleep(0.01)
        time.sleep(0.2)
        begun = time.monotonic()
        for number in (signal.SIGINT, signal.SIGTERM):
            self.assertIsNone(run.poll())
            run.send_signal(number)
            time.sleep(0.5)
        ended = self.end(run)
        self.assert_at_once(time.monotonic() - begun)
        self.assertEqual(ended.code, 143, ended.messages)
        self.assert_heals(self.peer, ["a.bin"])

    @needs("faketime")
    def test_L12_the_terminal_goes_away(self):
        self.stopped_by(signal.SIGHUP)
        self.assertEqual(self.whole(), {"a.bin"})

    def test_L12_nohup_goes_on(self):
        with self.under_way(preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) as (
                run, stop):
            run.send_signal(signal.SIGHUP)
            time.sleep(0.3)
            self.assertIsNone(run.poll())
            stop(signal.SIGTERM)

    def test_L12_nobody_reads_the_output(self):
        out, into = os.pipe()
        os.close(out)
        text = (f'retrieve.products({{ {{ access_url = "{self.peer.url}/a.bin" }} }}, '
                '{ dir = "d", flat = true }) local t = {} for i = 1, 5000 do t[i] = { n = i } end '
                'return t')
        run = self.start_text(text, [self.peer.host], "--quiet", stdout=into)
        os.close(into)
        ended = self.end(run)
        self.assertIn(ended.code, (0, 128 + signal.SIGPIPE), ended.messages)
        self.assertEqual(ended.messages, "")
        self.assertEqual(self.whole(), {"a.bin"})
        self.assertEqual(ended.report()["status"], "complete")

    # -- clocks

    @needs("faketime")
    def test_L13_the_clock_jumps_by_years(self):
        now = os.path.join(self.home, "now")
        jumps = ["+0", "+5y", "-30y", "+0"]

        def jump(to):
            with open(now + ".new", "w", encoding="ascii") as file:
                file.write(to)
            os.replace(now + ".new", now)

        def answer(request, wire):
            jump(jumps[request.number % len(jumps)])
            if request.number == 2:
                return wire.answer(status="503 Service Unavailable", Retry_After="1")
            content = self.truth[request.path[1:]]
            wire.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\n\r\n".encode())
            wire.drip(content, 0.05, 200_000)
            return None
        jump(jumps[0])
        peer = self.serve(answer)
        self.honest = False
        begun = time.monotonic()
        ended = self.fetch(peer, options="parallel = 1", env=self.environment(
            LD_PRELOAD=faketime(), FAKETIME_TIMESTAMP_FILE=now, FAKETIME_NO_CACHE="1",
            FAKETIME_DONT_FAKE_MONOTONIC="1"))
        took_s = time.monotonic() - begun
        self.assertEqual(ended.code, 0, ended.messages)
        self.assertEqual(self.whole(), set(self.truth))
        self.assertEqual(len(peer.requests), 5)
        self.assertLess(took_s, 20)
        self.assertLess(ended.report()["elapsed_s"], took_s)
        written = datetime.datetime.strptime(ended.report()["written"], "%Y-%m-%dT%H:%M:%SZ")
        self.assertLess(abs(written - datetime.datetime.utcnow()), datetime.timedelta(days=1))

    @needs("faketime")
    def test_L14_the_machine_sleeps_in_every_transfer(self):
        # More often than an operation is tried, and longer than its server may be silent.
        naps, size = 7, len(self.truth["a.bin"])
        self.alone = False  # naps are no tries, though requests
        asleep = threading.Event()

        def answer(request, wire):
            if request.number >= naps:
                return wire.file(request, self.truth["a.bin"])
            at = request.offset() or 0
            head = (f"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {at}-{size - 1}/{size}\r\n"
                    if at else "HTTP/1.1 200 OK\r\n")
            wire.send(f'{head}ETag: "{self.tag}"\r\nContent-Length: {size - at}\r\n\r\n')
            wire.send(self.truth["a.bin"][at:at + 100_000])
            wire.wait(0.3)
            asleep.set()
            return wire.hold()
        self.tag = hashlib.sha256(self.truth["a.bin"]).hexdigest()[:16]
        self.truth = {"a.bin": self.truth["a.bin"]}
        peer = self.serve(answer)
        self.honest = False
        run = self.start_text(f'retrieve.products({{ {{ access_url = "{peer.url}/a.bin" }} }}, '
                              '{ dir = "d", flat = true })', [peer.host], hasten=HASTEN)
        self.addCleanup(run.kill)
        for _ in range(naps):
            self.assertTrue(asleep.wait(20), "no further try")
            asleep.clear()
            os.killpg(run.pid, signal.SIGSTOP)
            time.sleep(150 / HASTEN)
            os.killpg(run.pid, signal.SIGCONT)
        ended = self.end(run)
        self.assertEqual(ended.code, 0, ended.messages)
        self.assertEqual(self.whole(), {"a.bin"})
        self.assertEqual([request.offset() for request in peer.requests],
                         [None] + [100_000 * i for i in range(1, naps + 1)])
        self.assertLess(ended.files()["a.bin"]["tries"], 1 + naps)
        self.assertEqual(len({request.connection for request in peer.requests}), naps + 1)

    # -- other processes

    def test_L15_another_run_has_the_folder(self):
        self.alone = False
        with self.under_way() as (run, stop):
            second = self.fetch(self.peer)
            self.assertEqual(second.code, 5, second.messages)
            for word in (self.out, str(run.pid), socket.gethostname()):
                self.assertIn(word, second.messages)
            self.assertEqual(len(self.peer.requests), 2)
            stop(signal.SIGKILL)
        self.assert_heals(self.peer, ["a.bin", "b.bin"])  # the kernel has let go of the lock

    def test_L15_another_run_in_the_folder_is_waited_for_when_the_user_says_so(self):
        self.alone = False
        with self.under_way() as (run, stop):
            text = self.workflow("", [self.peer.host], 'budget = { wall = "1 s" },')
            second = self.start("run", text, "--allow-private-net", "-o", self.out,
                                "--wait-for-folder")
            for _ in range(20):
                time.sleep(0.1)
                self.assertIsNone(second.poll())
            self.assertEqual(len(self.peer.requests), 2)
            stop(signal.SIGKILL)
        ended = self.end(second)
        self.assertEqual(ended.code, 0, ended.messages)  # longer than its budget, which it only waited
        self.assertIn(f"waiting: the output folder {self.out} is in use by another run (process "
                      f"{run.pid} on {socket.gethostname()})\n", ended.messages)
        self.assertEqual(ended.report()["status"], "complete")

    def test_L15_who_waits_can_be_interrupted(self):
        self.alone = False
        with self.under_way():
            second = self.start_text("", [self.peer.host], "--wait-for-folder")
            time.sleep(0.5)
            second.send_signal(signal.SIGINT)
            self.assertEqual(self.end(second).code, 128 + signal.SIGINT)

    def test_L15_many_begin_at_once(self):
        self.honest = self.alone = False
        entered = threading.Event()

        def answer(request, wire):
            entered.wait(30)
            wire.file(request, self.truth[request.path[1:]])
        peer = self.serve(answer)
        text = self.workflow(f'retrieve.products({{ {{ access_url = "{peer.url}/a.bin" }} }}, '
                             '{ dir = "d", flat = true })', [peer.host])
        runs = [self.start("run", text, "--allow-private-net", "-o", self.out) for _ in range(8)]
        while sum(run.poll() is None for run in runs) > 1:
            time.sleep(0.01)
        entered.set()
        codes = sorted(self.end(run).code for run in runs)
        self.assertEqual(codes, [0] + [5] * 7)
        self.assertEqual(len(peer.requests), 1)
        self.assertEqual(self.whole(), {"a.bin"})

    # -- limits

    def test_L18_few_descriptors(self):
        self.truth = {f"{i:02}.bin": bytes([i]) * 70_000 for i in range(60)}
        ended = self.fetch(self.peer, options="parallel = 16",
                           preexec_fn=limit(resource.RLIMIT_NOFILE, 32))
        self.assertEqual(ended.code, 0, ended.messages)
        self.assertEqual(self.whole(), set(self.truth))
        self.assertEqual(len(self.peer.requests), 60)

    # -- folders

    def colliding(self, names):
        """Files of one folder whose names are one for some file systems: the first has its name,
        the others 8 digits of their source's digest, in every run."""
        self.truth = {name: name.encode() * 100 for name in names}
        served = dict(self.truth)
        self.peer = self.serve(lambda request, wire: wire.file(
            request, served[urllib.parse.unquote(request.path[1:])]))
        self.honest = False
        first, *others = names
        ended = self.fetch(self.peer, list(names))
        self.truth = {first: served[first]}
        for name in others:
            digest = hashlib.sha256(f"{self.peer.url}/{name}".encode()).hexdigest()[:8]
            stem, ending = name.rsplit(".", 1)
            self.truth[f"{stem}~{digest}.{ending}"] = served[name]
        for run in (ended, self.fetch(self.peer, list(names))):
            self.assertEqual(run.code, 0, run.messages)
            self.assertEqual(set(self.tree()), set(self.truth))
            self.assertEqual(self.whole(), set(self.truth))
        self.assertEqual(len(self.peer.requests), len(names))

    def test_L19_names_that_differ_in_case(self):
        self.colliding(("Image.fits", "image.fits", "IMAGE.FITS"))

    def test_L19_names_that_differ_in_normal_form(self):
        self.colliding(("\u00e9toile.fits", "e\u0301toile.fits"))

    def test_L20_the_folder_becomes_a_link(self):
        elsewhere = os.path.join(self.home, "elsewhere")
        os.mkdir(elsewhere)
        done = threading.Event()

        def answer(request, wire):
            if request.path == "/b.bin" and not done.is_set():
                os.rename(os.path.join(self.out, "d"), os.path.join(self.out, "kept"))
                os.symlink(elsewhere, os.path.join(self.out, "d"))
                done.set()
            wire.file(request, self.truth[request.path[1:]])
        self.honest = False
        peer = self.serve(answer)
        ended = self.fetch(peer, options="parallel = 1")
        self.assertNotEqual(ended.code, 0)
        self.assertEqual(os.listdir(elsewhere), [])
        os.unlink(os.path.join(self.out, "d"))
        os.rename(os.path.join(self.out, "kept"), os.path.join(self.out, "d"))
        self.assertGreaterEqual(self.whole(), {"a.bin"})
        self.assert_heals(peer)

    def test_L20_the_folder_is_removed(self):
        done = threading.Event()

        def answer(request, wire):
            if request.path == "/b.bin" and not done.is_set():
                done.set()
                subprocess.run(["rm", "-r", os.path.join(self.out, "d")], check=True)
            wire.file(request, self.truth[request.path[1:]])
        self.honest = False
        peer = self.serve(answer)
        ended = self.fetch(peer, options="parallel = 1")
        self.assertEqual(ended.code, 5, ended.messages)
        self.assert_heals(peer)

    def full_folder(self, of):
        """The run's own work in a folder with very many files, in seconds of a processor."""
        folder = os.path.join(self.out, of)
        os.makedirs(folder)
        for i in range(1_000_000 if LONG else 100_000):
            os.close(os.open(f"{folder}/{i}", os.O_CREAT | os.O_WRONLY, 0o600))
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        ended = self.fetch(self.peer, ["a.bin"])
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.assertEqual(ended.code, 0, ended.messages)
        self.assertLess(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
                        2 if LONG else 0.2)
        shutil.rmtree(self.out)

    def test_L21_the_folder_of_the_files_is_full_of_others(self):
        self.full_folder("d")

    def test_L21_the_output_folder_is_full_of_others(self):
        self.full_folder(".")


if __name__ == "__main__":
    unittest.main(testRunner=rows.Runner)
