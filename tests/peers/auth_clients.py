# SPDX-License-Identifier: BSD-3-Clause
"""Authentication: astroquery, which sends the token as a cookie, is the same person as Halyard,
which sends it in a header, and gets the same file under exclusive access.

Ends with 77 (skipped) where astroquery is not installed."""

import os
import pathlib
import tempfile
import warnings

import astroquery_practice
import doors

warnings.simplefilter("ignore")
TOKEN = "practice-" + "of-the-peers"

with doors.archive() as archive, tempfile.TemporaryDirectory() as folder:
    mast = astroquery_practice.import_astroquery(folder, archive.url)
    observations = mast.Observations.query_criteria(
        coordinates="83.633 22.0145", radius="0.5 deg", obs_collection="JWST",
        dataRights="EXCLUSIVE_ACCESS")
    uri = str(observations[0]["dataURL"])
    theirs = str(pathlib.Path(folder, "theirs.fits"))

    assert mast.Observations.session_info(verbose=False)["ezid"] == "anonymous"
    status, message, _ = mast.Observations.download_file(uri, local_path=theirs)
    assert status == "ERROR" and "401" in message, (status, message)
    mast.Observations.login(token="practice-expired")
    assert mast.Observations.session_info(verbose=False)["anon"]
    mast.Observations.login(token=TOKEN)
    session = mast.Observations.session_info(verbose=False)
    assert not session["anon"]
    status, message, _ = mast.Observations.download_file(uri, local_path=theirs, cache=False)
    assert status == "COMPLETE", (status, message)

    os.environ["MAST_API_TOKEN"] = TOKEN
    ours = doors.halyard(archive.url, f"""
      local me = mast.whoami()
      mast.download("{uri}", {{ dir = "file" }})
      halyard.table.from_rows({{ me }}, {{ "ezid", "name", "anonymous" }}):write(
        ctx.output .. "/rows.csv")""", folder)[0]
    assert ours["ezid"] == session["ezid"] and ours["anonymous"] == "false", ours
    assert ours["name"] == session["attrib"]["display_name"]
    [got] = [p for p in pathlib.Path(folder, "out", "file").iterdir() if p.suffix == ".fits"]
    assert got.read_bytes() == pathlib.Path(theirs).read_bytes()
    for path in pathlib.Path(folder, "out").rglob("*"):
        assert path.is_dir() or TOKEN.encode() not in path.read_bytes(), path
    print(f"token: {ours['ezid']}, one file equal")
