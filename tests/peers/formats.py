#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Tables through astropy and STILTS in both directions: what they write we read, what we write they
read, value by value."""

import csv
import os
import shutil
import subprocess
import sys
import tempfile
import warnings

try:
    import numpy as np
    from astropy.io import fits
    from astropy.table import Column, MaskedColumn, Table
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
        return value.rstrip()
    if isinstance(value, np.ndarray):
        return [cell(v) for v in (value if value.ndim else [value.item()])]
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, complex):  # pairs for STILTS
        return [cell(value.real), cell(value.imag)]
    if isinstance(value, float):
        return "nan" if value != value else value.hex()
    return value


# Where astropy merges two values, as it reads them from the first and from the second table:
EMPTY_TEXT = {("", None)}  # its readers of FITS and ECSV mask a text without characters
NAN = {(None, "nan")}  # its readers of FITS and VOTable mask NaN, that of ECSV does not


def same(name, a, b, merged=frozenset()):
    if a.colnames != b.colnames or len(a) != len(b):
        failures.append(f"{name}: {a.colnames} of {len(a)}, {b.colnames} of {len(b)}")
        return
    for column in a.colnames:
        for row in range(len(a)):
            x, y = cell(a[column][row]), cell(b[column][row])
            if x != y and (isinstance(x, list) or isinstance(y, list) or (x, y) not in merged):
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


# Every pair of what is read and what is written. A format to read: its name, the file's ending, how
# astropy writes it, what it holds of the kinds of columns below.
# astropy 5.2 writes arrays of any length only as TABLEDATA, null integers too.
# Its single bit in a binary stream is 0x08 where VOTable 1.4 (section 6) has 0x80, and its booleans are bits.
ALL = {"plain", "bool", "nulls", "text", "unicode", "complex", "fixed", "variable"}
INPUTS = [
    ("votable", "vot", dict(format="votable", tabledata_format="tabledata"), ALL),
    ("votable-binary", "vot", dict(format="votable", tabledata_format="binary"), ALL - {"variable", "nulls", "bool"}),
    ("votable-binary2", "vot", dict(format="votable", tabledata_format="binary2"), ALL - {"variable", "nulls", "bool"}),
    ("fits", "fits", dict(format="fits"), ALL - {"unicode", "variable"}),
    ("csv", "csv", dict(format="ascii.csv"), {"text", "unicode"}),
]
# A format to write: its name, how astropy reads it, how STILTS does (None: not asked), what it holds.
OUTPUTS = [
    ("votable", dict(format="votable"), "votable", ALL),
    ("votable-binary2", dict(format="votable"), "votable", ALL),
    ("fits", dict(format="fits"), "fits", ALL - {"unicode"}),
    ("ecsv", dict(format="ascii.ecsv"), None, ALL),
    ("csv", None, None, {"plain", "bool", "nulls", "text", "unicode"}),
]


def masked(values, dtype):
    """A column in which None is null."""
    mask = [v is None for v in values]
    filled = [np.zeros((), dtype).item() if v is None else v for v in values]
    return MaskedColumn(filled, mask=mask, dtype=dtype) if any(mask) else Column(filled, dtype=dtype)


def edges(kinds):
    """Six rows of what is hard: ends of ranges, signs of zero, no number, no value, blanks, quotes."""
    nan, inf = float("nan"), float("inf")
    t = Table()
    if "bool" in kinds:
        t["bit"] = masked([True, False, True, False, True, False], bool)
    if "plain" in kinds:
        none = None if "nulls" in kinds else 3
        t["u1"] = masked([0, 255, 1, none, 128, 7], "u1")
        t["i2"] = masked([-32768, 32767, 0, none, -1, 1], "i2")
        t["i4"] = masked([-(2**31), 2**31 - 1, 0, none, -1, 1], "i4")
        t["i8"] = masked([-(2**63), 2**63 - 1, 2**53 + 1, none, -1, 1], "i8")
        t["f4"] = masked([0.1, -0.0, 3.4028235e38, 1e-45, -inf, nan], "f4")
        t["f8"] = masked([0.1, -0.0, 1.7976931348623157e308, 5e-324, inf, nan], "f8")
        t["f8"].unit = "deg"
        t["f8"].description = "a position, \"quoted\" & <marked>"
    if "text" in kinds:
        t["name"] = ["plain", "a,b", 'say "x"', "<&>'", "two  blanks", "#5"]
        t["label"] = ["1", "x", "-", "nan", "1e5", "T"]
    if "unicode" in kinds:
        t["word"] = ["\u03b1 Cen", "\u00e9toile", "\u661f", "\U0001f52d", "plain", "\u2212"]
    if "complex" in kinds:
        t["c16"] = np.array([1 + 2j, -0.0 - 0.5j, 1e300j, 5e-324 + 0j, 0j, 3 - 4j])
        t["c8"] = np.array([0.1 + 0.2j, 1, 1j, 0, -1, 1e-45], "c8")
    if "fixed" in kinds:
        t["three"] = np.array([[i, -i, 2**62 + i] for i in range(6)])
        t["grid"] = np.arange(36, dtype="f4").reshape(6, 2, 3) / 10
    if "variable" in kinds:
        t["some"] = np.empty(6, object)
        for i in range(6):
            t["some"][i] = np.arange(i, dtype="f8") / 3  # the first has no items
    return t


def plain_text(name, t, path):
    """Our CSV by Python's own reader: no types, so every text must spell the value it stands for."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    if rows[0] != t.colnames or len(rows) != len(t) + 1:
        failures.append(f"{name}: {rows[0]} of {len(rows) - 1}")
        return
    for i, column in enumerate(t.colnames):
        for row in range(len(t)):
            x, text, kind = cell(t[column][row]), rows[row + 1][i], t[column].dtype
            if x is None or text == "":
                y = None if text in ("", "NaN") else text
                x = None if x == "nan" else x
            elif kind.kind == "f":
                y = cell(kind.type(text))
            elif kind.kind == "b":
                y = {"true": True, "false": False}.get(text, text)
            else:
                y = int(text) if kind.kind in "iu" else text
            if x != y:
                failures.append(f"{name}: column {column}, row {row}: {x!r} and {y!r}")


def pair(path, source, truth, name, reads, by_stilts, stilts):
    target = path("pair-out." + name)
    run = subprocess.run([HALYARD, "convert", "--to", name, source, target], capture_output=True, text=True)
    label = f"{os.path.basename(source)} to {name}, {len(truth)} rows, {len(truth.colnames)} columns"
    if run.returncode:
        failures.append(f"{label}: {run.stderr.strip()}")
        return
    if reads is None:
        plain_text(label, truth, target)
        return
    same(label, truth, Table.read(target, **reads), NAN if name == "ecsv" else frozenset())
    if stilts and by_stilts and shutil.which("stilts"):
        # STILTS writes what it read as binary FITS, which astropy reads. From VOTable it takes the lowest
        # integer of a type, 255 of bytes, for null even where that is a value: these are left to astropy.
        again = path("stilts.fits")
        subprocess.run(["stilts", "tcopy", "ifmt=" + by_stilts, target, again, "ofmt=fits-var"], check=True)
        whole = by_stilts == "fits"
        keep = [c for c in truth.colnames if whole or truth[c].ndim > 1 or truth[c].dtype.kind not in "iu"]
        same(label + ", by STILTS", truth[keep], Table.read(again)[keep])


def pairs(path):
    for name, ending, writes, holds in INPUTS:
        for out, reads, by_stilts, carries in OUTPUTS:
            kinds = holds & carries
            for kind, t in (("edges", edges(kinds)), ("none", edges(kinds)[:0]),
                            ("one", edges(kinds & {"plain", "text"})[:2][edges(kinds & {"plain", "text"}).colnames[:1]])):
                if kind == "none" and ("csv" in (name, out) or out == "ecsv" or "variable" in kinds):
                    # Without rows CSV has no types, and astropy no arrays of any length.
                    t = edges(kinds & {"text"} if "csv" in (name, out) else kinds & {"plain", "text"})[:0]
                source = path(f"pair-{name}.{ending}")
                t.write(source, overwrite=True, **writes)
                # What astropy makes of its own file: numpy has no null text, CSV no types.
                truth = t if name == "csv" else Table.read(source, format=writes["format"])
                pair(path, source, truth, out, reads, by_stilts, kind == "edges" and name == "fits")
        wide = Table({f"c{i}": np.array([i, -i]) for i in range(999)})
        source = path(f"wide-{name}.{ending}")
        wide.write(source, overwrite=True, **writes)
        for out, reads, by_stilts, _ in OUTPUTS:
            pair(path, source, wide, out, reads, by_stilts, False)


def main():
    folder = tempfile.mkdtemp()
    path = lambda name: os.path.join(folder, name)
    try:
        for n in (0, 1, 1000):
            t = sample(n)
            t.write(path("a.fits"), overwrite=True)
            if convert(path("a.fits"), path("b.fits")):
                fits.open(path("b.fits")).verify("exception")
                same(f"FITS, {n} rows", t, Table.read(path("b.fits")), EMPTY_TEXT)
            # astropy itself cannot read an ECSV table of arrays without rows
            if n and convert(path("a.fits"), path("b.ecsv")):
                same(f"ECSV, {n} rows", t, Table.read(path("b.ecsv"), format="ascii.ecsv"), EMPTY_TEXT)
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
        pairs(path)
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
