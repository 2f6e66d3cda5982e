#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Tables through astropy and STILTS in both directions: what they write we read, what we write they
read, value by value, in every pair of formats; and what a format cannot hold is said."""

import csv
import json
import os
import re
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
STILTS = shutil.which("stilts")
FOLDER = tempfile.mkdtemp()
failures = []


def path(name):
    return os.path.join(FOLDER, name)


def contents(name):
    with open(path(name), "rb") as file:
        return file.read()


def convert(source, outputs):
    """One input to several formats at once: {format: (exit code, what was said beside the progress)}."""
    runs = {to: subprocess.Popen([HALYARD, "convert", "--to", to, path(source), path(target)],
                                 stderr=subprocess.PIPE, text=True) for to, target in outputs.items()}
    said = {to: [line for line in run.communicate()[1].splitlines() if not line.startswith("reading ")]
            for to, run in runs.items()}
    return {to: (run.returncode, "\n".join(said[to])) for to, run in runs.items()}


def cell(value):
    if value is None or value is np.ma.masked:
        return None
    if isinstance(value, bytes):
        value = value.decode()
    if isinstance(value, str):
        return value.rstrip()
    if isinstance(value, list):
        return [cell(v) for v in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return cell(value.tolist())
    if isinstance(value, complex):  # pairs for STILTS
        return [cell(value.real), cell(value.imag)]
    if isinstance(value, float):
        return "nan" if value != value else value.hex()
    return value


# What astropy does not tell apart, by the format it reads: of FITS and VOTable it masks NaN, of ECSV
# not; of VOTable it has no null text, of FITS no null logical.
NAN = {(None, "nan"), ("nan", None)}
MERGED = {"votable": NAN | {(None, "")}, "votable-binary2": NAN | {(None, "")}, "fits": NAN | {(None, False)}, "ecsv": NAN}


def cells(column):
    """Astropy's own tolist of texts forgets which are masked."""
    return cell((np.ma.MaskedArray if hasattr(column, "mask") else np.ndarray).tolist(column))


def equal(x, y, merged):
    if isinstance(x, list) and isinstance(y, list) and len(x) == len(y):
        return all(equal(v, w, merged) for v, w in zip(x, y))
    return type(x) is type(y) and x == y or not isinstance(x, list) and not isinstance(y, list) and (x, y) in merged


def same(name, a, b, merged):
    if a.colnames != b.colnames or len(a) != len(b):
        failures.append(f"{name}: {a.colnames} of {len(a)}, {b.colnames} of {len(b)}")
        return
    for column in a.colnames:
        for row, (x, y) in enumerate(zip(cells(a[column]), cells(b[column]))):
            if column == "when":
                x, y = x.rstrip("Z"), y.rstrip("Z")  # times in FITS have none (9.1.1)
            if not equal(x, y, merged):
                failures.append(f"{name}: column {column}, row {row}: {x!r} and {y!r}")
                break
        if str(a[column].unit or "") != str(b[column].unit or ""):
            failures.append(f"{name}: unit of {column}: {a[column].unit} and {b[column].unit}")


def masked(values, dtype):
    """A column in which None is null."""
    mask = [v is None for v in values]
    filled = [np.zeros((), dtype).item() if v is None else v for v in values]
    return MaskedColumn(filled, mask=mask, dtype=dtype) if any(mask) else Column(filled, dtype=dtype)


# --- The tables ---

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
    if "void" in kinds:
        t["nb"] = masked([True, None, False, None, None, True], bool)
        t["nf"] = masked([1.5, None, nan, inf, None, -0.0], "f8")
        t["ns"] = masked(["x", None, "y", None, " z", "1"], "U2")
    if "text" in kinds:
        t["name"] = ["plain", "a,b", 'say "x"', "<&>'", "two  blanks", "#5"]
        t["label"] = ["1", "x", "-", "nan", "1e5", "T"]
    if "time" in kinds:
        t["when"] = ["2026-01-31T23:59:59.25Z", "1969-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z",
                     "9999-12-31T23:59:59Z", "2000-02-29T12:00:00Z", "1970-01-01T00:00:00Z"]
        t["when"].meta["xtype"] = "timestamp"
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


def bits(kinds):
    """Numbers of random bits, all finite."""
    random = np.random.default_rng(1)
    t = Table()
    t["f8"] = random.integers(0, 2**64, 2000, "u8").view("f8")
    t["i8"] = random.integers(-(2**63), 2**63, 2000)
    t = t[np.isfinite(t["f8"])]
    if "plain" in kinds:
        t["f4"] = np.nan_to_num(random.integers(0, 2**32, len(t), "u4").view("f4"), posinf=1, neginf=-1)
    return t


def one(kinds):
    return edges(kinds & {"text"})[["label"]]


def wide(n):
    return Table({f"c{i}": np.array([i, -i]) for i in range(n)})


# --- The formats ---

def by_astropy(**options):
    return lambda t, name: t.write(path(name), overwrite=True, **options)


def write_fits(t, name):
    """Variable arrays and the mark of times are beyond what astropy does with a Table."""
    lists = [c for c in t.colnames if t[c].dtype == object]
    hdu = fits.table_to_hdu(t[[c for c in t.colnames if c not in lists]])
    if lists:
        hdu = fits.BinTableHDU.from_columns(
            hdu.columns + fits.ColDefs([fits.Column(c, "PD()", array=list(t[c])) for c in lists]))
    if "when" in t.colnames:
        hdu.header[f"TXTYP{hdu.columns.names.index('when') + 1}"] = "timestamp"
    hdu.writeto(path(name), overwrite=True)


# A format to read: its name, the file's ending, who writes it, how astropy reads it, what it holds of
# the kinds of columns above.
# astropy 5.2 writes arrays of any length only as TABLEDATA, null integers too.
# Its single bit in a binary stream is 0x08 where VOTable 1.4 (section 6) has 0x80, and its booleans are bits.
ALL = {"plain", "bool", "nulls", "text", "time", "unicode", "complex", "fixed", "variable"}
BINARY = ALL - {"variable", "nulls", "bool"}
INPUTS = [
    ("votable", "vot", by_astropy(format="votable", tabledata_format="tabledata"), "votable", ALL),
    ("votable-binary", "vot", by_astropy(format="votable", tabledata_format="binary"), "votable", BINARY),
    ("votable-binary2", "vot", by_astropy(format="votable", tabledata_format="binary2"), "votable", BINARY),
    ("fits", "fits", write_fits, "fits", ALL - {"unicode"}),
    ("ecsv", "ecsv", by_astropy(format="ascii.ecsv"), "ascii.ecsv", ALL | {"void"}),
    ("csv", "csv", by_astropy(format="ascii.csv"), None, {"text", "unicode", "time"}),
]
# The same, written by STILTS from the first of the above. Complex numbers are pairs to it; ECSV it has not (3.4.7).
BY_STILTS = [
    ("votable-tabledata", "vot", "votable"), ("votable-binary", "vot", "votable"),
    ("votable-binary2", "vot", "votable"), ("fits-basic", "fits", "fits"), ("fits-var", "fits", "fits"),
]
# A format to write: its name, the file's ending, how astropy reads it (None: not), whether STILTS is
# asked, what it holds.
OUTPUTS = [
    ("votable", "vot", "votable", True, ALL | {"void"}),
    ("votable-binary2", "vot", "votable", True, ALL | {"void"}),
    ("fits", "fits", "fits", True, (ALL | {"void"}) - {"unicode"}),
    ("ecsv", "ecsv", "ascii.ecsv", False, ALL | {"void"}),
    ("csv", "csv", None, False, {"plain", "bool", "nulls", "text", "unicode", "time", "void"}),
    ("jsonl", "jsonl", None, False, ALL | {"void"}),
]


def plain_text(name, t, target):
    """Our CSV by Python's own reader: no types, so every text must spell the value it stands for."""
    with open(path(target), newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    if rows[0] != t.colnames or len(rows) != len(t) + 1:
        failures.append(f"{name}: {rows[0]} of {len(rows) - 1}")
        return
    for i, column in enumerate(t.colnames):
        kind = t[column].dtype
        for row, x in enumerate(cells(t[column])):
            text = rows[row + 1][i]
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


def json_lines(name, t, target):
    """Our JSON lines by Python's reader: flat arrays, pairs, null for what is no finite number."""
    rows = [json.loads(line) for line in contents(target).decode().splitlines()]
    if len(rows) != len(t) or any(list(row) != t.colnames for row in rows):
        failures.append(f"{name}: {rows and list(rows[0])} of {len(rows)}")
        return

    def flat(x):
        return [v for item in x for v in flat(item)] if isinstance(x, list) else [x]

    for column in t.colnames:
        kind, size = t[column].dtype.kind, t[column].dtype.itemsize
        real = {"f": f"f{size}", "c": f"f{size // 2}", "O": "f8"}.get(kind)
        for row, x in enumerate(cells(t[column])):
            x, y = flat(x), flat(rows[row][column])
            if real:
                x = [None if v in ("nan", "inf", "-inf") else v for v in x]
                y = [v if v is None else cell(np.dtype(real).type(v)) for v in y]
            if x != y:
                failures.append(f"{name}: column {column}, row {row}: {x!r} and {y!r}")


def xtype(t, column, source, ending):
    """What marks a time in the file that astropy read."""
    if ending == "fits":
        return fits.getheader(path(source), 1).get(f"TXTYP{t.colnames.index(column) + 1}")
    return t[column].meta.get("xtype")


def check(label, truth, to, ending, reads, target, typed):
    if reads is None:
        (plain_text if to == "csv" else json_lines)(label, truth, target)
        return
    t = Table.read(path(target), format=reads)
    same(label, truth, t, frozenset() if ".ecsv to ecsv" in label else MERGED[to])
    if typed and "when" in t.colnames and xtype(t, "when", target, ending) != "timestamp":
        failures.append(f"{label}: the times are no times any more")


def head(target, to):
    """What declares the columns, with and without rows."""
    data = contents(target)
    if to.startswith("votable"):
        return data[:data.index(b"<DATA>")]
    if to == "fits":
        header = fits.getheader(path(target), 1)
        return [(header.get(f"TTYPE{i}"), re.sub(r"^[0-9]*A$|[0-9]*(?=\)$)", "", header[f"TFORM{i}"]), header.get(f"TDIM{i}"),
                 header.get(f"TUNIT{i}")) for i in range(1, header["TFIELDS"] + 1)]
    lines = data.splitlines()
    return [line for i, line in enumerate(lines) if not i or lines[i - 1].startswith(b"#")]


def without_rows(source, ending):
    data = contents(source)
    if ending == "vot":
        data = re.sub(rb"<TR>.*</TR>", b"", data, flags=re.S)
        data = re.sub(rb"(<STREAM[^>]*>).*(</STREAM>)", rb"\1\2", data, flags=re.S)
    else:
        data = re.sub(rb"\A((?:#[^\n]*\n)*[^\n]*\n).*", rb"\1", data, flags=re.S)
    with open(path("none-" + source), "wb") as file:
        file.write(data)


# --- The pairs ---

asked_of_stilts = []  # what we wrote and STILTS is to read: label, truth, file, format


def one_source(kind, source, truth, typed, outputs, says={}):
    """From one file to several formats, each read back by someone else: {format: file}."""
    targets = {to: f"{source.replace('.', '-')}-to-{to}.{ending}" for to, ending, *_ in outputs}
    said = convert(source, targets)
    for to, ending, reads, by_stilts, _ in outputs:
        label, (code, text) = f"{source} to {to}", said[to]
        if to == "fits" and len(truth.colnames) > 999:
            if code != 2 or "999" not in text or os.path.exists(path(targets[to])):
                failures.append(f"{label}: {code}, {text}")
        elif code or to in ("votable-binary2", "fits", "ecsv") and text != says.get(to, ""):
            failures.append(f"{label}: {code}, {text}")
        else:
            check(label, truth, to, ending, reads, targets[to], typed)
            if by_stilts and kind == "edges":
                asked_of_stilts.append((label, truth, targets[to], to))
    return targets


def no_rows(source, outputs, targets):
    """The columns are the same without rows."""
    empty = {to: "none-" + target for to, target in targets.items()}
    for to, (code, text) in convert(source, empty).items():
        if code or (head(empty[to], to) != head(targets[to], to) if to != "jsonl" else contents(empty[to])):
            failures.append(f"{source} without rows to {to}: {code}, {text}, other columns")


def pairs():
    for name, ending, write, reads, holds in INPUTS:
        by_kinds = {}
        for output in OUTPUTS:
            by_kinds.setdefault(frozenset(holds & output[4]), []).append(output)
        tables = [("edges", edges(kinds), outputs) for kinds, outputs in by_kinds.items()]
        tables += [("bits", bits(holds), OUTPUTS), ("one", one(holds), OUTPUTS)]
        if "binary" not in name:
            tables.append(("wide", wide(999 if name == "fits" else 1000), OUTPUTS))
        for i, (kind, t, outputs) in enumerate(tables):
            source = f"{kind}-{name}-{i}.{ending}"
            write(t, source)
            # What astropy makes of its own file: numpy has no null text, CSV no types.
            truth = Table.read(path(source), format=reads) if reads and kind != "wide" else t
            targets = one_source(kind, source, truth, bool(reads), outputs)
            if kind == "edges" and (reads or "csv" in targets):
                if name == "fits":
                    write(t[:0], "none-" + source)
                else:
                    without_rows(source, ending)
                no_rows("none-" + source, outputs, targets if reads else {"csv": targets["csv"]})


# --- STILTS ---

def start_stilts():
    """STILTS writes the first table of all in its formats while others are compared."""
    INPUTS[0][2](edges(ALL - {"unicode"})[1:], "for-stilts.vot")
    return [(f"by-stilts-{ofmt}.{ending}", reads, subprocess.Popen(
        [STILTS, "tcopy", "in=" + path("for-stilts.vot"), "ifmt=votable", "ofmt=" + ofmt,
         "out=" + path(f"by-stilts-{ofmt}.{ending}")], stderr=subprocess.PIPE, text=True))
            for ofmt, ending, reads in BY_STILTS] if STILTS else []


def written_by_stilts(started):
    for source, reads, run in started:
        text = run.communicate()[1]
        if run.returncode:
            failures.append(f"STILTS does not write {source}: {text}")
            continue
        cards = "warning: ecsv keeps only name and value of INFO, PARAM and keys (DATE-HDU, STILVERS, STILCLAS)"
        one_source("stilts", source, Table.read(path(source), format=reads), False,
                   [o for o in OUTPUTS if o[0] != "csv"], {"ecsv": cards if reads == "fits" else ""})


def read_by_stilts():
    """All that we wrote in one go, as binary FITS, which astropy reads. From VOTable STILTS takes the
    lowest integer of a type, 255 of bytes, for null even where that is a value, and its FITS is ASCII:
    these are left to astropy."""
    command = [STILTS, "tmultin", f"nin={len(asked_of_stilts)}", "out=" + path("stilts.fits"), "ofmt=fits-var"]
    for i, (_, _, target, to) in enumerate(asked_of_stilts, 1):
        command += [f"in{i}=" + path(target), f"ifmt{i}=" + to.split("-")[0]]
    subprocess.run(command, check=True)
    for i, (label, truth, _, to) in enumerate(asked_of_stilts, 1):
        keep = [c for c in truth.colnames
                if c != "word" and not (to.startswith("votable") and truth[c].ndim == 1 and truth[c].dtype.kind in "iu")]
        same(label + ", by STILTS", truth[keep], Table.read(path("stilts.fits"), hdu=i)[keep], MERGED["fits"])


# --- What is lost ---

RICH = """<?xml version="1.0"?><VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE type="results">
<INFO name="QUERY_STATUS" value="OK"/><INFO name="note" value="v">more</INFO><INFO name="\u00e9" value="1"/>
<COOSYS ID="s" system="ICRS"/><TIMESYS ID="t" timescale="TCB" refposition="BARYCENTER" timeorigin="MJD-origin"/>
<PARAM name="seeing" datatype="double" value="0.8" unit="arcsec"/><LINK href="http://x.org"/>
<TABLE name="T"><DESCRIPTION>d</DESCRIPTION>
<FIELD name="ra" datatype="double" unit="deg" ucd="pos.eq.ra"/><FIELD name="\u00e9" datatype="unicodeChar" arraysize="*"/>
<FIELD name="code" datatype="char" arraysize="*" utype="a:b"><DESCRIPTION>n</DESCRIPTION></FIELD>
<FIELD name="t" datatype="char" arraysize="*" xtype="timestamp"/><FIELD name="list" datatype="int" arraysize="*"/>
<FIELD name="flux" datatype="float" arraysize="2"/><FIELD name="z" datatype="doubleComplex"/>
<DATA><TABLEDATA>
<TR><TD>NaN</TD><TD>x</TD><TD>12</TD><TD>2026-01-31T00:00:00Z</TD><TD/><TD>1 2</TD><TD>1 2</TD></TR>
<TR><TD>+Inf</TD><TD/><TD>007</TD><TD/><TD>1 2</TD><TD>1 NaN</TD><TD>1 NaN</TD></TR>
</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"""
NULLS = """# %ECSV 1.0
# ---
# datatype:
# - {name: "s", datatype: string}
# - {name: "v", datatype: string, subtype: 'float32[null]'}
# - {name: "b", datatype: string, subtype: 'float64[2]'}
# - {name: "n", datatype: string}
# - {name: "t", datatype: string, meta: {xtype: "timestamp"}}
# delimiter: ','
# schema: astropy-2.0
s,v,b,n,t
a,,"[1.0,2.0]",12,2026-01-31T00:00:00Z
"",[],"[null,2.0]",1e5,
,"[1.5,null]",,inf,1999-12-31T23:59:59.5Z
"""
NULLS_CHANGED = "values are changed: null items of arrays are NaN in "
LOSSES = [
    ("rich.vot", RICH, {
        "csv": ["csv keeps no units, UCDs, utypes or descriptions (ra, code)",
                "csv keeps no INFO, PARAM, COOSYS, TIMESYS, LINK, description or name of the table",
                "csv keeps arrays and complex numbers as text only (list, flux, z)"],
        "jsonl": ["jsonl keeps no units, UCDs, utypes or descriptions (ra, code)",
                  "jsonl keeps no INFO, PARAM, COOSYS, TIMESYS, LINK, description or name of the table",
                  "values are lost: NaN and infinities are null in jsonl (ra, flux, z)"],
        "fits": ["fits keeps no COOSYS, TIMESYS, LINK or description of the table",
                 "fits has no keys of such names (\u00e9)",
                 "fits keeps only name and value of INFO, PARAM and keys (seeing)",
                 "fits has '?' for what is not ASCII in names and notes (\u00e9)"],
        "ecsv": ["ecsv keeps only name and value of INFO, PARAM and keys (note, seeing)"],
        "votable": ["values are changed: votable cannot tell what is empty from null (\u00e9, t, list)"],
        "votable-binary2": []}),
    ("nulls.ecsv", NULLS, {
        "csv": ["csv keeps arrays and complex numbers as text only (v, b)", "csv keeps times as text only (t)",
                "csv reads back as numbers or booleans what is text (n)"],
        "jsonl": [],
        "fits": ["values are changed: fits has no null array, only empty or of nulls (v, b)"],
        "ecsv": [],
        "votable": ["values are changed: votable cannot tell what is empty from null (s, v)",
                    NULLS_CHANGED + "votable (v, b)"],
        "votable-binary2": [NULLS_CHANGED + "votable-binary2 (v, b)"]}),
]
# What becomes of the second table on its way back to ECSV.
BACK = {
    "ecsv": NULLS,
    "votable-binary2": NULLS.replace("null,2.0", "NaN,2.0").replace("1.5,null", "1.5,NaN"),
    "fits": NULLS.replace("a,,", "a,[],"),
}


def losses():
    for source, text, says in LOSSES:
        with open(path(source), "w", encoding="utf-8") as file:
            file.write(text)
        for to, (code, said) in convert(source, {to: f"{source}.{to}" for to in says}).items():
            if code or said.splitlines() != ["warning: " + line for line in says[to]]:
                failures.append(f"{source} to {to}: {code}\n{said}")
    for to, text in BACK.items():
        code, said = convert(f"nulls.ecsv.{to}", {"ecsv": f"back-{to}"})["ecsv"]
        if code or said or contents(f"back-{to}").decode() != text:
            failures.append(f"{to} back to ecsv: {said}\n" + contents(f"back-{to}").decode())
    if [json.loads(line)["s"] for line in contents("nulls.ecsv.jsonl").splitlines()] != ["a", "", None]:
        failures.append("jsonl: null and empty text")
    meta = Table.read(path("rich.vot.ecsv"), format="ascii.ecsv").meta
    if (meta["name"], meta["description"], meta["COOSYS"]) != ("T", "d", {"ID": "s", "system": "ICRS"}):
        failures.append(f"ecsv: {meta}")


def late_null():
    """An array's first null item, and the lowest integer as a value, far behind the first batch of rows."""
    rows = [f'{i},"[{i % 100},{-32768 if i == 20000 else 5}]"' for i in range(34000)] + ['34000,"[1,null]"']
    text = NULLS.replace("'float64[2]'", "'int16[2]'").splitlines()
    text = [text[0], text[1], text[2], '# - {name: "n", datatype: int32}', text[5], *text[8:10], "n,b", *rows, ""]
    with open(path("late.ecsv"), "w", encoding="utf-8") as file:
        file.write("\n".join(text))
    for to, (code, said) in convert("late.ecsv", {to: "late." + to for to in ("votable", "votable-binary2")}).items():
        back = convert("late." + to, {"ecsv": "late-back.ecsv"})["ecsv"]
        if code or said or back != (0, "") or contents("late-back.ecsv") != contents("late.ecsv"):
            failures.append(f"a late null to {to}: {said}, back: {back}")


def main():
    try:
        started = start_stilts()
        pairs()
        written_by_stilts(started)
        if STILTS:
            read_by_stilts()
        losses()
        late_null()
    finally:
        shutil.rmtree(FOLDER)
    for failure in failures[:40]:
        print(failure)
    print("differences:", len(failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
