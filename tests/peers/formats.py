#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Tables through astropy and STILTS in both directions: what they write we read, what we write they
read, value by value."""

import os
import shutil
import subprocess
import sys
import tempfile
import warnings

try:
    import numpy as np
    from astropy.io import fits
    from astropy.table import Table
except ImportError:
    sys.exit(77)

warnings.simplefilter("ignore")
HALYARD = os.path.join(os.environ["HALYARD_BIN"], "halyard")
failures = []


def convert(source, target):
    run = subprocess.run([HALYARD, "convert", source, target], capture_output=True, text=True)
    if run.returncode:
        failures.append(f"convert {source} {target}: {run.stderr.strip()}")
    return run.returncode == 0


def cell(value):
    if value is None or value is np.ma.masked:
        return None
    if isinstance(value, bytes):
        value = value.decode()
    if isinstance(value, str):
        return value.rstrip() or None
    if isinstance(value, np.ndarray):
        return [cell(v) for v in (value if value.ndim else [value.item()])]
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, float):
        return "nan" if value != value else value.hex()
    return value


def same(name, a, b):
    if a.colnames != b.colnames or len(a) != len(b):
        failures.append(f"{name}: {a.colnames} of {len(a)}, {b.colnames} of {len(b)}")
        return
    for column in a.colnames:
        for row in range(len(a)):
            x, y = cell(a[column][row]), cell(b[column][row])
            if x != y and {x if not isinstance(x, list) else 0, y if not isinstance(y, list) else 0} != {None, "nan"}:
                failures.append(f"{name}: column {column}, row {row}: {x!r} and {y!r}")
                break
        if str(a[column].unit or "") != str(b[column].unit or ""):
            failures.append(f"{name}: unit of {column}: {a[column].unit} and {b[column].unit}")


def sample(n):
    random = np.random.default_rng(1)
    t = Table()
    t["id"] = random.integers(-(2**63), 2**63 - 1, n)
    t["ra"] = random.uniform(0, 360, n)
    t["ra"].unit = "deg"
    t["mag"] = random.normal(18, 2, n).astype("f4")
    t["flag"] = random.integers(0, 255, n).astype("u1")
    t["short"] = random.integers(-32768, 32767, n).astype("i2")
    t["count"] = random.integers(-(2**31), 2**31 - 1, n).astype("i4")
    t["good"] = random.integers(0, 2, n).astype(bool)
    t["name"] = [f"M {i}" * (i % 4) for i in range(n)]
    t["pair"] = random.normal(size=(n, 2, 3))
    if n:
        t["ra"][0] = -0.0
        t["id"][0] = -(2**63)
        t["mag"][0] = np.inf
    return t


def main():
    folder = tempfile.mkdtemp()
    path = lambda name: os.path.join(folder, name)
    try:
        for n in (0, 1, 1000):
            t = sample(n)
            t.write(path("a.fits"), overwrite=True)
            if convert(path("a.fits"), path("b.fits")):
                fits.open(path("b.fits")).verify("exception")
                same(f"FITS, {n} rows", t, Table.read(path("b.fits")))
            # astropy itself cannot read an ECSV table of arrays without rows
            if n and convert(path("a.fits"), path("b.ecsv")):
                same(f"ECSV, {n} rows", t, Table.read(path("b.ecsv"), format="ascii.ecsv"))
            for delimiter in " ," if n else "":
                t.write(path("c.ecsv"), format="ascii.ecsv", delimiter=delimiter, overwrite=True)
                if convert(path("c.ecsv"), path("e.ecsv")):
                    same(f"ECSV read, {n} rows", Table.read(path("c.ecsv"), format="ascii.ecsv"),
                         Table.read(path("e.ecsv"), format="ascii.ecsv"))
            if shutil.which("stilts") and n:
                subprocess.run(["stilts", "tcopy", path("a.fits"), path("s.fits"), "ofmt=fits-var"], check=True)
                if convert(path("s.fits"), path("t.fits")):
                    same(f"STILTS, {n} rows", Table.read(path("s.fits")), Table.read(path("t.fits")))
                    subprocess.run(["stilts", "tcopy", path("t.fits"), path("u.fits")], check=True)
                    same(f"STILTS back, {n} rows", Table.read(path("t.fits")), Table.read(path("u.fits")))
        if n:
            ascii_table = fits.TableHDU.from_columns(
                [fits.Column("i", "I11", array=t["count"]), fits.Column("f", "D25.17", array=t["ra"])])
            fits.HDUList([fits.PrimaryHDU(), ascii_table]).writeto(path("c.fits"))
            if convert(path("c.fits"), path("d.fits")):
                same("ASCII table", Table.read(path("c.fits")), Table.read(path("d.fits")))
    finally:
        shutil.rmtree(folder)
    for failure in failures[:40]:
        print(failure)
    print("differences:", len(failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
