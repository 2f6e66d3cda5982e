# SPDX-License-Identifier: BSD-3-Clause
"""Starts the practice archive and the command for tests that look at them from outside."""
import contextlib
import os
import subprocess
import sys
import time

BIN = os.environ["HALYARD_BIN"]
SOURCE = os.environ["HALYARD_SOURCE"]
HALYARD = os.path.join(BIN, "halyard")
PRACTICE = os.path.join(BIN, "halyard-practice")


@contextlib.contextmanager
def archive(*options):
    """A practice archive of its own; gives its base URL."""
    process = subprocess.Popen([PRACTICE, *options], stdout=subprocess.PIPE, text=True)
    try:
        url = process.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:"), url
        yield url
    finally:
        process.terminate()
        process.wait(timeout=30)


def run(*arguments, log=None):
    """Runs the command to its end; gives exit code, peak resident MiB and seconds."""
    start = time.monotonic()
    process = subprocess.Popen([HALYARD, *arguments], stdout=subprocess.DEVNULL, stderr=log)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_maxrss / 1024, time.monotonic() - start


def truth(catalog, region, column):
    """The values of an integer column in the archive's own dump, in no order that matters."""
    dump = subprocess.Popen([PRACTICE, "--dump", catalog, "--region", region],
                            stdout=subprocess.PIPE)
    values = integers(dump.stdout, column)
    assert dump.wait() == 0
    return values


def integers(lines, column):
    """One integer column of a CSV whose cells before it hold no quotes; exact, 8 bytes a row."""
    from array import array
    header = next(iter(lines)).decode().rstrip("\r\n").split(",")
    at = header.index(column)
    return array("q", (int(line.split(b",", at + 1)[at]) for line in lines))


def same_once(got, want):
    """True when `got` has the same identifiers as `want`, each once."""
    got, want = sorted(got), sorted(want)
    twice = sum(1 for a, b in zip(got, got[1:]) if a == b)
    if got != want:
        missing, extra = set(want) - set(got), set(got) - set(want)
        print(f"{len(got)} rows, {len(want)} in the archive: {len(missing)} missing, "
              f"{len(extra)} foreign, {twice} twice", file=sys.stderr)
    return got == want and twice == 0
