# SPDX-License-Identifier: BSD-3-Clause
"""One row of the fault matrix: the command runs against a misbehaving peer, and the invariants of
section 8 of the matrix are looked at after each test."""
import collections
import contextlib
import glob
import json
import math
import os
import shutil
import signal
import subprocess
import sysconfig
import tempfile
import time
import unittest
import urllib.parse

from peer import Peer

HALYARD = os.path.join(os.environ["HALYARD_BIN"], "halyard")
SOURCE = os.environ["HALYARD_SOURCE"]
TOKEN = "6e1d1c3a7f2b4c58a0token0f1e2d3c4"

# The deadlines of the engine are minutes. Under faketime an hour of the command's clocks is
# `3600 / hasten` seconds, and so are the waits in its loop.
HASTEN = 50


# Section 2 of the matrix: what an item that is not there has failed by, and how often one may be
# asked for: five tries an operation, and as many again each time it begins at zero, twice.
CLASSES = {"transient", "busy", "permanent", "integrity", "local", "limit", "protocol"}
TRIES_MAX = 3 * 5


# A disk that saves at once, where what takes long is not what is tested.
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def faketime():
    """The library alone: the command of that name fails where the number of its process was that of
    one killed before. A library that is missing is passed over by the loader, so not here."""
    path = f"/usr/lib/{sysconfig.get_config_var('MULTIARCH')}/faketime/libfaketime.so.1"
    os.stat(path)
    return path


def with_clock(clock):
    """What comes before a command whose clock is `clock`, as faketime names it."""
    return ["env", f"LD_PRELOAD={faketime()}", f"FAKETIME={clock}"]


def has(program):
    return shutil.which(program) is not None


def needs(program):
    return unittest.skipUnless(has(program), f"{program} is not installed")


def is_part(name):
    """What a killed run may leave, and the next one has to remove."""
    return name.endswith((".part", ".part.info")) or ".halyard-" in name


def process_list():
    """What everybody can read of the processes of this machine."""
    lines = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        with contextlib.suppress(OSError), open(path, "rb") as file:
            lines.append(file.read().decode("utf-8", "replace"))
    return "\n".join(lines)


# How a run ends that has said all: not the one that was killed.
RECORDED = {0, 1, 3, 4, 5, 6, 7, 8, 75}


class Ended:
    """A run that has ended."""

    def __init__(self, code, output, messages, folder):
        self.code, self.output, self.messages, self.folder = code, output, messages, folder

    def report(self):
        with open(os.path.join(self.folder, "report.json"), encoding="utf-8") as report:
            return json.load(report)

    def manifest(self, dir="d"):
        """Entries of the manifest by the file's name."""
        with open(os.path.join(self.folder, dir, "manifest.json"), encoding="utf-8") as manifest:
            return {os.path.basename(item["path"]): item for item in json.load(manifest)["data"]}

    def files(self):
        """Item of the report by the last component of its path."""
        return {os.path.basename(item["file"]): item for item in self.report()["files"]}


def is_left(group):
    """Is there a process of the group? One killed amid its search for leaks has a tracer, which
    ends a moment later."""
    for _ in range(100):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.02)
    return True


class Case(unittest.TestCase):
    """`truth` is what the files are called and hold; a test that downloads sets it before it runs,
    and the files are then compared after the test, and again after a run against a good peer."""

    deadline_s = 240  # of a run
    tries_max = TRIES_MAX
    unseen = 0  # tries of each file that its server does not see as requests
    alone = True  # no other run asks the same peers meanwhile, and each request is a try
    where = None  # the tests' own folder lies: None, where temporary files do

    def setUp(self):
        place = tempfile.TemporaryDirectory(dir=self.where)
        self.addCleanup(place.cleanup)
        self.place = place.name
        self.out = os.path.join(self.place, "out")
        self.home = os.path.join(self.place, "home")
        os.mkdir(self.home)
        self.truth, self.texts = {}, []
        self.honest = False  # the peer of `serve` answers as a good server
        self.peers = []
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)

    # -- servers

    def good(self, request, wire):
        """What a good server answers."""
        wire.file(request, self.truth[request.target.rsplit("/", 1)[-1]])

    def serve(self, answer, **options):
        """A peer that answers as `answer(request, wire)` says, and well once `honest` is set."""

        def choose(request, wire):
            if request.number == 0:
                self.texts.append(process_list())
            return (self.good if self.honest else answer)(request, wire)

        peer = self.stack.enter_context(Peer(choose, **options))
        self.peers.append(peer)
        return peer

    # -- runs

    def environment(self, **more):
        inherited = {name: value for name, value in os.environ.items()
                     if name in ("PATH", "HALYARD_SHARED", "LSAN_OPTIONS", "LANG")}
        return {**inherited, "HOME": self.home, "XDG_CACHE_HOME": os.path.join(self.home, "cache"),
                "MAST_API_TOKEN": TOKEN, "ASAN_OPTIONS": "verify_asan_link_order=0", **more}

    def workflow(self, text, hosts, more=""):
        """A workflow file whose run is `text`, with `more` fields, each ended by a comma."""
        path = os.path.join(self.place, "faults.lua")
        quoted = ", ".join(f'"{host}"' for host in hosts)
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"return workflow {{ name = \"faults\", summary = \"faults\", "
                       f"hosts = {{ {quoted} }}, {more}\n  run = function()\n{text}\n  end }}\n")
        return path

    def start(self, *arguments, hasten=1, before=(), **options):
        """The command, begun: a session of its own, so that what it leaves behind is seen."""
        fast = with_clock(f"+0 x{hasten}") if hasten != 1 else []
        options = {"env": self.environment(), "stdout": subprocess.PIPE, **options}
        asked = [len(peer.requests) for peer in self.peers]
        process = subprocess.Popen([*before, *fast, HALYARD, *arguments], stderr=subprocess.PIPE,
                                   text=True, start_new_session=True, cwd=self.place, **options)
        process.asked = dict(zip(self.peers, asked))
        return process

    def end(self, process):
        """Waits for a run; what it said is kept for the search for secrets."""
        try:
            output, messages = process.communicate(timeout=self.deadline_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, messages = process.communicate()
            self.fail(f"still running after {self.deadline_s} s: {messages}")
        self.assertFalse(is_left(process.pid), "a process is left")
        self.texts += [output or "", messages]
        for trouble in ("Sanitizer", "runtime error:"):
            self.assertNotIn(trouble, messages)
        ended = Ended(process.returncode, output, messages, self.out)
        if self.alone:
            for peer in process.asked:
                peer.settle()
        if self.alone and "run" in process.args and process.returncode in RECORDED:
            self.assert_recorded(ended, process.asked)
        return ended

    def run_text(self, text, hosts, *arguments, **options):
        """Runs a workflow of one text to its end."""
        return self.end(self.start_text(text, hosts, *arguments, **options))

    def start_text(self, text, hosts, *arguments, **options):
        return self.start("run", self.workflow(text, hosts), "--allow-private-net", "-o", self.out,
                          *arguments, **options)

    def fetch(self, peer, names=None, *arguments, sizes=None, options="", **run_options):
        """Downloads the named files (all of `truth`) from a peer into the folder "d". Where a row has
        no name of the file, the server would be asked for it first."""
        sizes = sizes or {}
        rows = ", ".join(
            f'{{ access_url = "{peer.url}/{name}", productFilename = "{name}"'
            + (f", content_length = {sizes[name]}" if name in sizes else "") + " }"
            for name in names or sorted(self.truth))
        return self.run_text(f'retrieve.products({{ {rows} }}, {{ dir = "d", flat = true, '
                             f'on_error = "keep", {options} }})', [peer.host], *arguments,
                             **run_options)

    def restart(self):
        """A fresh output folder, for another case of the same test."""
        self.whole()
        shutil.rmtree(self.out, ignore_errors=True)

    def fetched(self, requests):
        """The names of the files whose bytes were asked for, as often as they were. A rest that
        turns out to be empty is none: who asks for it is told so, and asks for the whole then."""
        return [request.path[1:] for request in requests
                if (request.offset() or 0) < len(self.truth[request.path[1:]])]

    @contextlib.contextmanager
    def variant(self, name):
        """One of several cases of a test, which leaves the next one an empty output folder."""
        with self.subTest(name):
            self.honest = False
            yield
        self.restart()

    # -- what must hold

    def tree(self):
        """Path below "d" -> content, of everything but the state and the manifests."""
        found = {}
        base = os.path.join(self.out, "d")
        for path in glob.glob(os.path.join(base, "**"), recursive=True, include_hidden=True):
            name = os.path.relpath(path, base)
            if os.path.isfile(path) and not name.startswith((".halyard", "manifest.")):
                with open(path, "rb") as file:
                    found[name] = file.read()
        return found

    def whole(self):
        """The names of the files that are there; each holds what was served."""
        tree = self.tree()
        for name, content in tree.items():
            if not is_part(name):
                self.assertTrue(name in self.truth, f"{name}: a file that nobody asked for")
                self.assertTrue(content == self.truth[name],
                                f"{name}: {len(content)} bytes that are not those of the archive")
        return {name for name in tree if not is_part(name)}

    def assert_recorded(self, ended, asked):
        """Section 8, 5 and 7: the record of the run that has ended tells of every file what became
        of it, of one that is not there also why, and as many tries as its server counted, which was
        `asked` so often before."""
        if not os.path.exists(os.path.join(self.out, "report.json")):
            return
        tries = collections.Counter()
        for item in ended.report()["files"]:
            self.assertIn(item["status"], {"complete", "already there", "deferred", "error"}, item)
            failed = item["status"] in {"deferred", "error"}
            self.assertEqual("error" in item, failed, item)
            self.assertEqual("fault" in item, failed, item)
            self.assertIn(item.get("fault"), {*CLASSES, None}, item)
            self.assertTrue("tries" in item or "not downloaded, because" in item["error"], item)
            tries[item["uri"]] += item.get("tries", math.inf)
        for uri, n in tries.items():
            self.assertLessEqual(0 if n == math.inf else n, self.tries_max, uri)
            for peer in asked:
                if uri.startswith(peer.url + "/") and n != math.inf:
                    seen = sum(peer.url + urllib.parse.unquote(request.target) == uri
                               for request in peer.requests[asked[peer]:])
                    self.assertEqual(seen, n - self.unseen, uri)

    def assert_invariants(self):
        """Section 8: 1 and 4 by files, 2 by the next run, 3, 6; 5, 7 and 8 are looked at after each
        run."""
        self.whole()
        self.assertLessEqual(set(os.listdir(self.place)), {"out", "home", "faults.lua"},
                             "a file outside the output folder")
        for path in glob.glob(os.path.join(self.place, "**"), recursive=True, include_hidden=True):
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    self.assertNotIn(TOKEN.encode(), file.read(), path)
        for text in self.texts:
            self.assertNotIn(TOKEN, text)

    def assert_heals(self, peer, names=None, **options):
        """The same run against a good server gives everything, and leaves no part."""
        self.honest = True
        ended = self.fetch(peer, names, **options)
        self.assertEqual(ended.code, 0, ended.messages)
        self.assertEqual(set(self.tree()), set(names or self.truth))

    def tearDown(self):
        self.assert_invariants()
