-- SPDX-License-Identifier: BSD-3-Clause
local client, practice = "lua/halyard/archive/sia.lua", "lua/practice/sia.lua"
local spec, peers = "tests/archive/sia_spec.lua", "tests/peers/sia_clients.py"
return {
  title = "Simple Image Access", page = "docs/archives/sia.md", rows = {
    {
      "`/siap/search.php` (SIA 1)", "vo.sia(url):query",
      client = { client, '"SIZE"' }, practice = { practice, "/siap/search.php" },
      tests = { { spec, "selects by relation, region and constraint" },
        { peers, "pyvo.dal.SIAService" } },
    },
    {
      "`INTERSECT`", "vo.sia(url):query", client = { client, '"INTERSECT"' },
      practice = { practice, "INTERSECT" }, tests = { { spec, "gives every centre once" } },
    },
    {
      "`FORMAT=METADATA`", "vo.sia(url):parameters", client = { client, '"METADATA"' },
      practice = { practice, "METADATA" }, tests = { { spec, "describes its parameters" } },
    },
    {
      "`/vo-sia/api/v0.1/query` (SIA 2)", "vo.sia(url):query, mast.sia()",
      client = { client, "COLLECTION" }, practice = { practice, "/vo-sia/api/v0.1/query" },
      tests = { { spec, "one name for what both versions give" },
        { peers, "sia2.SIAService" } },
    },
    {
      "overflow before and behind the table", "vo.sia(url):query",
      client = { client, "intersect = \\\"center\\\"" }, practice = { practice, "flag" },
      tests = { { spec, "is an error when it cuts" } },
    },
    {
      "answers cut without a word", "vo.sia(url, { limit = n }):query",
      client = { "lua/halyard/archive/access.lua", "function M.ask_whole" },
      practice = { practice, "none" },
      tests = { { spec, "limit's number of rows unless the service tells its cuts" } },
    },
    {
      "refusals, `QUERY_STATUS=ERROR`", "vo.sia(url):query",
      client = { "src/data/votable_fields.c", "QUERY_STATUS" },
      practice = { practice, "UsageFault" },
      tests = { { spec, "refuses in its own words" } },
    },
  },
}
