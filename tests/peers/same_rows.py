# SPDX-License-Identifier: BSD-3-Clause
"""Halyard and astroquery put the same questions to the same archive: their rows are equal.

Every cell of every column that both have; columns that refer to the centre of one request
(distances) belong to one of them only. Ends with 77 (skipped) where astroquery is not installed.
"""

import csv
import math
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
BIN = pathlib.Path(os.environ["HALYARD_BIN"])
KEYS = {"observations": "objID", "observations-by-criteria": "objID", "products": "dataURI",
        "gaia": "source_id", "galex": "objID", "tic": "ID", "tic-by-criteria": "ID"}
OF_THE_REQUEST = {"distance", "distance_arcmin", "dstArcSec", "objID1", "sep_deg"}


def rows(path, key):
    with open(path, newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    by_key = {row[key]: row for row in table}
    if key != "dataURI":  # one product may belong to several observations
        assert len(by_key) == len(table), f"{path}: {len(table)} rows, {len(by_key)} keys"
    return by_key


def same(a, b):
    if a == b:
        return True
    try:
        x, y = float(a or "nan"), float(b or "nan")
    except ValueError:
        return a.lower() == b.lower() and a.lower() in ("true", "false")
    return x == y or (math.isnan(x) and math.isnan(y))


with tempfile.TemporaryDirectory() as folder:
    theirs, ours = pathlib.Path(folder, "astroquery"), pathlib.Path(folder, "halyard")
    code = subprocess.run([sys.executable, HERE / "astroquery_practice.py", "--archive",
                           BIN / "halyard-practice", "--out", theirs],
                          stderr=subprocess.DEVNULL).returncode
    if code == 77:
        print("skipped: astroquery is not installed", file=sys.stderr)
        sys.exit(77)
    assert code == 0, "astroquery's own run failed"
    subprocess.run([BIN / "halyard", "run", HERE / "same-rows.lua", "--archive", "practice",
                    "--output", ours, "--quiet"], check=True)
    for name, key in KEYS.items():
        left, right = rows(theirs / f"{name}.csv", key), rows(ours / f"{name}.csv", key)
        assert left.keys() == right.keys(), \
            f"{name}: {len(left)} keys of astroquery, {len(right)} of Halyard"
        for k, row in left.items():
            columns = (row.keys() & right[k].keys()) - OF_THE_REQUEST
            assert row.keys() ^ right[k].keys() <= OF_THE_REQUEST | {"_selected_"}, name
            for column in columns:
                a, b = row[column], right[k][column]
                assert same(a, b), f"{name} {k} {column}: {a!r} of astroquery, {b!r} of Halyard"
        print(f"{name}: {len(left)} rows equal")
