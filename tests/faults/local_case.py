# SPDX-License-Identifier: BSD-3-Clause
"""What makes the local machine fail: calls that fail under strace, file systems that are full or
read-only, limits of the process."""
import contextlib
import ctypes
import functools
import os
import resource
import subprocess
import unittest

from case import HALYARD, MEMORY, Case

CLONE_NEWNS = 0x20000


@functools.cache
def may_trace():
    return subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], capture_output=True,
                          check=False).returncode == 0


@functools.cache
def may_mount():
    """Mounts of this process and its children alone."""
    return (os.geteuid() == 0 and ctypes.CDLL(None).unshare(CLONE_NEWNS) == 0
            and subprocess.run(["mount", "--make-rprivate", "/"], check=False).returncode == 0)


@functools.cache
def is_sanitized():
    with open(HALYARD, "rb") as program:
        return b"__asan_init" in program.read()


needs_trace = unittest.skipUnless(may_trace(), "strace may not trace processes here")
needs_mount = unittest.skipUnless(may_mount(), "file systems are mounted by root alone")
needs_preload = unittest.skipIf(is_sanitized(), "libfiu does not go with AddressSanitizer")


def limit(kind, value):
    """For `preexec_fn`."""
    return lambda: resource.setrlimit(kind, (value, value))


class LocalCase(Case):
    """The peer is a good one unless a test says otherwise; the files are of several blocks."""

    where = MEMORY

    def setUp(self):
        super().setUp()
        self.truth = {f"{name}.bin": bytes([i]) * 700_000 + bytes(range(256)) * 1000
                      for i, name in enumerate("abcd")}
        self.honest = True
        self.peer = self.serve(None)

    def strace(self, *options, calls, path=None):
        """Options of a run whose named calls (of one path) go wrong: `calls` as strace's inject."""
        names = calls.split(":")[0]  # --seccomp-bpf would be faster, but counts no calls
        before = ["strace", "-f", "-qq", "-o", os.path.join(self.home, "strace"),
                  "-e", f"trace={names}", "-e", f"inject={calls}", *options]
        if path:
            before += ["-P", path]
        return {"before": before, "env": self.traced_environment()}

    def traced_environment(self):
        """LeakSanitizer traces the process itself."""
        return self.environment(ASAN_OPTIONS="verify_asan_link_order=0:detect_leaks=0")

    def of(self, name):
        """A path in the folder of the files."""
        return os.path.join(self.out, "d", name)

    def part(self, name="a.bin"):
        return self.of(f".{name}.part")

    def asked(self, name):
        """The ranges that were asked for of a file, None for the whole."""
        return [request.headers.get("range") for request in self.peer.requests
                if request.path == "/" + name]

    @contextlib.contextmanager
    def mounted(self, kind, options):
        """A file system of its own as the output folder."""
        os.makedirs(self.out, exist_ok=True)
        subprocess.run(["mount", "-t", kind, "-o", options, "none", self.out], check=True)
        try:
            yield
        finally:
            subprocess.run(["umount", self.out], check=True)
