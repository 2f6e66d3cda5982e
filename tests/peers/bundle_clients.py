# SPDX-License-Identifier: BSD-3-Clause
"""Forms with curl, as the archive's own scripts send them: the zip of a mission's files holds what
Halyard's holds, and a list of targets gives the rows that Halyard gets.

Ends with 77 (skipped) where curl is not installed."""

import csv
import io
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile

import doors

if not shutil.which("curl"):
    print("skipped: curl is not installed", file=sys.stderr)
    sys.exit(77)


def curl(url, *fields):
    arguments = [word for field in fields for word in ("-F", field)]
    return subprocess.run(["curl", "-sS", "--fail", "-L", "-X", "POST", url, *arguments],
                          capture_output=True, check=True).stdout


def members(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


with doors.archive() as archive, tempfile.TemporaryDirectory() as folder:
    files = doors.halyard(archive.url, """
      local hst = mast.mission("hst")
      local rows = hst:query { region = sky.circle(148.9, 69.37, 0.3) }.table
      local files = hst:products(rows):where { access = "PUBLIC", size = "<100000" }:head(4)
      files:write("files.csv")
      hst:bundle(files, { structure = "nested" })""", folder, "files.csv")
    uris = ",".join(row["uri"] for row in files)
    address = archive.url + "/search/hst/api/v0.1/retrieve_product_zip"
    theirs = members(curl(address, "mission=HST", "structure=nested", f"uri={uris}"))
    ours = members(pathlib.Path(folder, "out", "hst.zip").read_bytes())
    assert theirs == ours and len(ours) == 5, sorted(theirs)
    page = curl(address, "mission=HST", "structure=flat", f"uri={uris}", "manifestonly=true")
    assert page.count(b"COMPLETE") == 4, page
    print(f"zip: {len(ours)} members equal")

    # A file of targets: three results, one of them empty, behind a comment each.
    targets = pathlib.Path(folder, "targets.txt")
    targets.write_text("201.697,-47.4795\n10,-80\n210.8024,54.3487\n")
    text = curl(archive.url + "/hst/search.php", "action=Search", "form=fuf", "outputformat=CSV",
                "coordformat=dec", "max_records=5000", "radius=6", f"userfile=@{targets}").decode()
    ours = doors.halyard(archive.url, """
      mast.classic("HST"):query { targets = { "201.697 -47.4795", "10 -80",
        "210.8024 54.3487" }, radius = "6 arcmin", upload = true }.table:write("rows.csv")""",
                         folder)
    theirs = []
    for number, section in enumerate(text.split("# Input line ")[1:], 1):
        lines = section.strip().splitlines()[1:]
        if "no rows found" not in lines[0]:
            theirs += [{"key": f"{number} {row['Dataset']}", "sci_ra": row["RA (J2000)"],
                        "sci_instrume": row["Instrument"], "sci_start_time": row["Start Time"]}
                       for row in csv.DictReader(lines[:1] + lines[2:])]
    doors.assert_same("upload form", theirs, [
        {**row, "key": f"{row['input_row']} {row['sci_data_set_name']}"} for row in ours], "key")
