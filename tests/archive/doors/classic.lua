-- SPDX-License-Identifier: BSD-3-Clause
local client, server = "lua/halyard/archive/classic.lua", "lua/practice/classic.lua"
local tables, spec = "lua/practice/classic_tables.lua", "tests/archive/classic_spec.lua"
return {
  title = "Classic forms", page = "docs/archives/classic.md", rows = {
    {
      "`/<mission>/search.php`: befs euve fuse hpol hst hut imaps iue swiftuvot tues uit wuppe",
      "mast.classic(name):query", client = { client, '"/search.php"' },
      practice = { tables, '"swiftuvot"' }, tests = { { spec, "serves all missions" } },
    },
    {
      "`kepler/data_search`, `k2/data_search`", "mast.classic(name):query",
      client = { client, "kepler/data_search" }, practice = { tables, "k2/data_search" },
      tests = { { spec, "selects as table:where selects" } },
    },
    {
      "`kepler/koi`, `kepler/confirmed_planets`, `kepler/kic10`, `k2/epic`",
      "mast.catalog(name, { via = \"classic\" })", client = { client, "kepler/kic10" },
      practice = { tables, "kepler/kic10" },
      tests = { { spec, "gives every row once past max_records, in each format" },
        { spec, "gives every row once where a form ignores max_records" } },
    },
    {
      "`kepler/kepler_fov`, `kepler/ffi`, `fuse/exposure`", "mast.classic(name):query",
      client = { client, "kepler/kepler_fov" }, practice = { tables, "fuse/exposure" },
      tests = { { spec, "serves tables beside the missions, with and without positions" } },
    },
    {
      "`pointings` (`Search Pointings`, `Search Exposures`, `primary`), `hstonline`, `vlafirst`",
      "mast.classic(name, { instrument = }):query", client = { client, "Search Exposures" },
      practice = { tables, "Search Exposures" },
      tests = { { spec, "serves tables beside the missions, with and without positions" } },
    },
    {
      "`form=fuf`: lists of targets as a file", ":query { targets =, upload = true }",
      client = { "lua/halyard/archive/classic_upload.lua", '"fuf"' },
      practice = { server, '"fuf"' },
      tests = { { spec, "answers a list of targets in one question, as one by one" },
        { spec, "takes no list for answered that is not" },
        { "tests/peers/bundle_clients.py", "form=fuf" } },
    },
    {
      "CSV, JSON, VOTable; labels", "mast.classic(name, { outputformat = })",
      client = { client, "outputformat" }, practice = { server, "json_text" },
      tests = { { spec, "answers with types, units, UCDs and dates as MJD in all formats" } },
    },
    {
      "`target`, `resolver`, `radius`; lists of targets", ":query { targets = }",
      client = { client, "input_row" }, practice = { server, "Don't Resolve" },
      tests = { { spec, "answers lists of targets, each row with the number of its target" } },
    },
    {
      "POST", "mast.classic(name):query", client = { client, "x-www-form-urlencoded" },
      practice = { server, "request.form" }, tests = { { spec, "sends long questions as forms" } },
    },
    {
      "`search_fields.php`", "mast.classic(name):columns",
      client = { client, "/search_fields.php" }, practice = { server, "/search_fields.php" },
      tests = { { spec, "tells its columns, packed or published" } },
    },
    {
      "`no rows found`, `target not resolved, continue`", "mast.classic(name):query",
      client = { client, "no rows found" }, practice = { server, "target not resolved, continue" },
      tests = { { spec, "fails in the service's own words" } },
    },
    {
      "`search.php` with `RA`, `DEC`, `SR`", "vo.cone(url):query",
      client = { "lua/halyard/archive/cone.lua", '"SR"' }, practice = { server, "cone_search" },
      tests = { { spec, "answers cone searches at the same address" },
        { "tests/peers/classic_clients.py", "pyvo.conesearch" } },
    },
  },
  left_out = {
    { "`equinox`, `max_rpp`, `ordercolumn1..3`, `descending1..3`, `makedistinct`, `nonull`, "
      .. "`skipformat`",
      "positions are J2000, answers whole; `t:sort` and `t:unique` sort and thin out "
        .. "tables; the last three are not recorded surely" },
    { "`HTML_Table`, `SSV`, `PSV`, `COSV`, `Excel_Spreadsheet`",
      "they say nothing that CSV does not" },
    { "the answer to a list in JSON or as VOTable",
      "only that of CSV is recorded" },
  },
}
