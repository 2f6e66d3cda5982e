# SPDX-License-Identifier: BSD-3-Clause
"""The rows of the fault matrix beside the tests that are named after them: every test file leaves
what became of its rows, and `rows.py` makes one table of it that fails when a row has no test."""
import contextlib
import json
import os
import re
import sys
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


class Runner(unittest.TextTestRunner):
    """Leaves rows-FILE.json beside the build's other results."""
    resultclass = Result

    def run(self, test):
        name = os.path.splitext(os.path.basename(sys.argv[0]))[0]
        path = os.path.join(FOLDER, f"rows-{name}.json")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)  # of an earlier run, if this one does not come to its end
        result = super().run(test)
        with open(path, "w", encoding="utf-8") as file:
            json.dump(result.rows, file)
        return result


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
