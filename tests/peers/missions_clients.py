# SPDX-License-Identifier: BSD-3-Clause
"""The missions search API: astroquery's MastMissions gets the rows that Halyard gets.

Ends with 77 (skipped) where astroquery is not installed."""

import tempfile
import warnings

import doors
from astroquery_practice import import_astroquery

warnings.simplefilter("ignore")
RA, DEC = 148.9, 69.1


def plain(table):
    return [{n: "" if row[n] is None or str(row[n]) in ("--", "None") else str(row[n]).strip()
             for n in table.colnames} for row in table]


with doors.archive() as archive, tempfile.TemporaryDirectory() as home, \
        tempfile.TemporaryDirectory() as folder:
    mast = import_astroquery(home, archive.url)

    def ours(mission, where="{}", radius=0.2):
        return doors.halyard(archive.url, f"""
          mast.mission("{mission}"):query {{ region = sky.circle({RA}, {DEC}, {radius}),
            where = {where}, into = "{mission}.csv" }}""", folder, f"{mission}.csv")

    hst = mast.MastMissions
    theirs = hst.query_region(f"{RA} {DEC}", radius="12 arcmin")
    doors.assert_same("hst around a position", plain(theirs), ours("hst"), "sci_data_set_name",
                      ["sci_targname", "sci_ra", "sci_dec", "sci_instrume", "sci_start_time",
                       "sci_actual_duration", "sci_central_wavelength", "sci_status"])
    theirs = hst.query_criteria(coordinates=f"{RA} {DEC}", radius="12 arcmin",
                                sci_instrume="ACS,WFC3", sci_start_time=">2010", sci_refnum="!3",
                                select_cols=["sci_data_set_name", "sci_pep_id", "sci_spec_1234"])
    doors.assert_same("hst by criteria", plain(theirs), ours(
        "hst", '{ sci_instrume = { "ACS", "WFC3" }, sci_start_time = ">2010", sci_refnum = "!3" }'),
        "sci_data_set_name", ["sci_pep_id", "sci_spec_1234"])
    # Pages of astroquery's user are those of the archive.
    pages = [row for offset in (0, 4, 8, 12) for row in plain(hst.query_region(
        f"{RA} {DEC}", radius="12 arcmin", limit=4, offset=offset, sort_by=["sci_data_set_name"]))]
    doors.assert_same("hst in pages", pages, ours("hst"), "sci_data_set_name", ["sci_ra"])
    jwst = mast.MastMissionsClass(mission="jwst")
    doors.assert_same("jwst around a position", plain(
        jwst.query_region(f"{RA} {DEC}", radius="12 arcmin")), ours("jwst"), "fileSetName",
        ["targ_ra", "targ_dec", "instrume", "date_obs", "program", "access"])
    names = {row["name"] for row in doors.halyard(archive.url, """
      local rows = mast.mission("hst"):columns()
      rows:write("names.csv")""", folder, "names.csv")}
    listed = set(hst.get_column_list()["name"])
    assert listed - names == {"search_pos", "search_key", "ang_sep"} and names < listed
    print(f"column list: {len(listed)} names")
