-- SPDX-License-Identifier: BSD-3-Clause
local client, practice = "lua/halyard/archive/catalogs.lua", "lua/practice/catalogs.lua"
local columns = "lua/practice/catalog_columns.lua"
local spec, peers = "tests/archive/catalogs_spec.lua", "tests/peers/catalogs_clients.py"
local every = { spec, "reads the same from every format, of every table" }

local function of(text, clients, views, tests)
  return { text, "mast.catalog(name):query", client = { client, clients },
    practice = { columns, views }, tests = tests or { every } }
end

return {
  title = "Catalogs.MAST", page = "docs/archives/catalogs.md", rows = {
    of("`panstarrs/dr1/{mean,stack}`, `panstarrs/dr2/{mean,stack}`", '"stack"', "/stack",
      { { spec, "gives every object once past a full page" }, { peers, "data_release=release" } }),
    of("`panstarrs/dr2/detection`", "detection", "dr2/detection"),
    of("`panstarrs/dr2/forced_mean`", "forced_mean", "dr2/forced_mean"),
    of("`hsc/{v2,v3}/summary/{magaper2,magauto}`", "summary/magauto", "/summary/",
      { every, { peers, "stilts, hsc" } }),
    of("`hsc/{v2,v3}/detailed`", '"detailed"', "/detailed"),
    of("`hsc/v3/propermotions`, `hsc/v3/sourcepositions`", "propermotions", "sourcepositions"),
    of("`hsc/v3/hcvsummary`, `hsc/v3/hcv`", "hcvsummary", "hcvsummary"),
    of("`eaot/search`", "eaot/search", "eaot/search",
      { { spec, "gives the whole table of planets" } }),
    {
      "filters (`column`, `column.op`)", "mast.catalog(name):query", client = { client,
        "decorators" }, practice = { practice, "comparisons" },
      tests = {
        { spec, "selects as tables do, whatever the service makes of ranges and nulls" },
        { peers, "by criteria" },
      },
    },
    {
      "`pagesize`, `radius`", "mast.catalog(name):query", client = { client, "pagesize" },
      practice = { practice, "pagesize" }, tests = { { spec, "past a full page" } },
    },
    {
      "`.json`, `.csv`, `.votable`, `.xml`", "mast.catalog(name):query { answers = }",
      client = { client, "formats" }, practice = { practice, "content_types" }, tests = { every },
    },
    {
      "`…/metadata`", "mast.catalog(name):columns", client = { client, "/metadata" },
      practice = { practice, "metadata" },
      tests = { { spec, "has nulls for -999, exact identifiers, units" } },
    },
    {
      "`…/count`", "mast.catalog(name):count", client = { client, "/count" },
      practice = { practice, "COUNT(*)" },
      tests = { { spec, "compares with the archive's count where there is one" } },
    },
    {
      "`…/crossmatch/upload`", "mast.catalog(name):crossmatch",
      client = { client, "/crossmatch/upload" }, practice = { practice, "crossmatch/upload" },
      tests = { { spec, "matches a list of positions, in parts" } },
    },
  },
  left_out = {
    { "`…/crossmatch/` with `targets`, `resolve`, `ra_name`, `dec_name`, `target_name`",
      "the same as `upload`, in the address; the service leaves names out that it does not "
        .. "know: pass `mast.resolve { names }` to `crossmatch`" },
    { "`flatten_response`, `raw`, `include_info`, `delimiter`, `page`",
      "they change how rows are written; the first page is asked for in smaller circles" },
    { "`panstarrs/mean/crossmatch/upload`",
      "older, without a release" },
  },
}
