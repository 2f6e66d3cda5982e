# SPDX-License-Identifier: BSD-3-Clause
"""For tests of one door: a practice archive, Halyard's rows through the door, comparison with the
rows of another client."""

import csv
import math
import os
import pathlib
import subprocess

from practice import Archive

BIN = pathlib.Path(os.environ["HALYARD_BIN"])


def archive(*options):
    return Archive(BIN / "halyard-practice", *options)


def halyard(url, body, folder, name="rows.csv"):
    """Rows that `body`, the run function of a workflow that writes `name`, gets from `url`. The
    archive's address is `archive` in the body."""
    host = url.split("//")[1]
    path = pathlib.Path(folder, "door.lua")
    path.write_text(
        f'return workflow {{ name = "door", summary = "a door", hosts = {{ "mast", "{host}" }},\n'
        f'  run = function(ctx)\n    local archive = "{url}"\n{body}\n  end }}\n')
    run = subprocess.run([BIN / "halyard", "run", path, "--archive", url, "-o",
                          pathlib.Path(folder, "out"), "--quiet"], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return rows(pathlib.Path(folder, "out", name))


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def same_value(a, b):
    a, b = ("" if v is None else str(v) for v in (a, b))
    if a == b:
        return True
    try:
        x, y = float(a or "nan"), float(b or "nan")
    except ValueError:
        return a.strip().lower() == b.strip().lower()
    return x == y or (math.isnan(x) and math.isnan(y))


def assert_same(name, theirs, ours, key, columns=None):
    """Both lists of rows hold the same keys, each once, and equal cells in `columns` (None: all
    that both have)."""
    left, right = ({str(row[key]).strip(): row for row in rows_of} for rows_of in (theirs, ours))
    assert len(left) == len(theirs) and len(right) == len(ours), f"{name}: a {key} comes twice"
    assert left and left.keys() == right.keys(), f"{name}: {len(left)} and {len(right)} keys"
    for k, row in left.items():
        for column in columns or row.keys() & right[k].keys():
            a, b = row[column], right[k][column]
            assert same_value(a, b), f"{name} {k} {column}: {a!r} and {b!r}"
    print(f"{name}: {len(left)} rows equal")
