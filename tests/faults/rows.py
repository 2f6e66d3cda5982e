# SPDX-License-Identifier: BSD-3-Clause
"""The rows of the fault matrix beside the tests that are named after them: every test file leaves
what became of its rows, and `rows.py` makes one table of it that fails when a row has no test."""
import contextlib
import io
import json
import multiprocessing
import os
import re
import sys
import time
import unittest

ROWS = ([f"N{i}" for i in range(1, 35)] + [f"D{i}" for i in range(1, 12)]
        + [f"L{i}" for i in range(1, 22)])
FOLDER = os.environ.get("HALYARD_ROWS", ".")


class Result(unittest.TextTestResult):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.rows = []

    def note(self, test, became, reason=""):
        name = test.id().rsplit(".", 1)[-1]
        row = re.match(r"test_([NDL]\d+)_", name)
        if row:
            self.rows.append((row[1], name, became, reason))

    def addSuccess(self, test):
        super().addSuccess(test)
        self.note(test, "passed")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.note(test, "failed")

    def addError(self, test, err):
        super().addError(test, err)
        self.note(test, "failed")

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err:
            self.note(test, "failed")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.note(test, "skipped", reason)


def tests_of(suite):
    """The tests of a suite, in their order."""
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from tests_of(test)
        else:
            yield test


def run_one(test):
    """Runs one test, with what its class needs: what it said, its rows, seconds, did it pass?"""
    said, begun = io.StringIO(), time.monotonic()
    result = unittest.TextTestRunner(said, resultclass=Result).run(unittest.TestSuite([test]))
    return said.getvalue(), result.rows, time.monotonic() - begun, result.wasSuccessful()


class Runner:
    """Runs each test in a process of its own, several at once: most of their time they wait. Leaves
    rows-FILE.json beside the build's other results."""

    at_once = 4  # so many PROCESSORS has each in CMakeLists.txt

    def __init__(self, **_):
        pass  # options of the command line of unittest

    def run(self, suite):
        name = os.path.splitext(os.path.basename(sys.argv[0]))[0]
        path = os.path.join(FOLDER, f"rows-{name}.json")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)  # of an earlier run, if this one does not come to its end
        outcome, tests, rows = unittest.TestResult(), list(tests_of(suite)), []
        with multiprocessing.get_context("fork").Pool(self.at_once, maxtasksperchild=1) as pool:
            for test, done in zip(tests, pool.imap(run_one, tests)):
                said, its_rows, seconds, passed = done
                print(f"{seconds:6.1f} s  {'ok    ' if passed else 'FAILED'}  {test.id()}")
                outcome.testsRun += 1
                rows += its_rows
                if not passed:
                    print(said, flush=True)
                    outcome.failures.append((test, said))
        with open(path, "w", encoding="utf-8") as file:
            json.dump(rows, file)
        return outcome


def main():
    """Prints the table; fails when a row has no test, or one that failed."""
    tests = []
    for name in sys.argv[1:]:
        with open(os.path.join(FOLDER, f"rows-{name}.json"), encoding="utf-8") as file:
            tests += json.load(file)
    bad = 0
    print("| row | test | became |\n| --- | --- | --- |")
    for row in ROWS:
        mine = [test for test in tests if test[0] == row]
        bad += not mine or any(became == "failed" for _, _, became, _ in mine)
        for _, name, became, reason in mine or [(row, "none", "MISSING", "")]:
            print(f"| {row} | {name} | {became}{': ' + reason if reason else ''} |")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
