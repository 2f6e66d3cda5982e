-- SPDX-License-Identifier: BSD-3-Clause
local client, practice = "lua/halyard/archive/missions.lua", "lua/practice/missions.lua"
local spec, peers = "tests/archive/missions_spec.lua", "tests/peers/missions_clients.py"

return {
  title = "Missions search API", page = "docs/archives/missions.md", rows = {
    {
      "POST `/search/<mission>/api/v0.1/search`", "mast.mission(name):query",
      client = { client, '"search"' }, practice = { practice, '"search"' },
      tests = {
        { spec, "gives every dataset once, page after page and tile after tile" },
        { peers, "hst around a position" },
        { "tests/unit/test_rows.c", "mission_results.json" },
      },
    },
    {
      "conditions", "mast.mission(name):query", client = { client, "conditions" },
      practice = { practice, "conditions" },
      tests = {
        { spec, "selects by criteria at the archive, and here what it cannot" },
        { peers, "hst by criteria" },
      },
    },
    {
      "`limit`, `offset`, `totalResults`", "mast.mission(name):query",
      client = { client, "offset" },
      practice = { practice, "totalResults" },
      tests = {
        { spec, "page after page" }, { spec, "is an error when pages are missing" },
        { peers, "hst in pages" },
      },
    },
    {
      "`target` (several), `radius`, `ang_sep`", "mast.mission(name):query", client = { client,
        "targets" }, practice = { practice, "mission_targets" },
      tests = { { spec, "searches around many positions at once, distances in degrees" } },
    },
    {
      "count (`limit=1`)", "mast.mission(name):count", client = { client, "count_plain" },
      practice = { practice, "COUNT(*)" },
      tests = { { spec, "hst:count { targets" },
        { spec, "compares with the archive's counts beyond the largest circle of a request" } },
    },
    {
      "GET `/search/util/api/v0.1/column_list`", "mast.mission(name):columns",
      client = { client, "column_list" }, practice = { practice, "column_list" },
      tests = { { peers, "get_column_list" }, { spec, "tells units, times as MJD" } },
    },
    {
      "hst, jwst, roman, iue, ullyses, classy", "mast.mission(name)", client = { client,
        "classy" }, practice = { "lua/practice/mission_columns.lua", "classy" },
      tests = { { spec, "serves every mission, its datasets and their files" } },
    },
    {
      "POST `post_list_products`, `list_products`", "mast.mission(name):products",
      client = { client, "post_list_products" }, practice = { practice, "list_products" },
      tests = { { spec, "serves every mission" }, { spec, "lists no products" } },
    },
    {
      "GET `retrieve_product`", "retrieve.products", client = { client, "retrieve_product" },
      practice = { practice, "retrieve_product" },
      tests = { { spec, "needs a token for files that are not public" } },
    },
    {
      "POST `retrieve_product_zip`, `manifestonly`", "mast.mission(name):bundle",
      client = { client, "retrieve_product_zip" }, practice = { practice, "retrieve_product_zip" },
      tests = { { spec, "puts many files into one zip, all that were asked for" },
        { spec, "refuses zips that would not be whole" },
        { "tests/peers/bundle_clients.py", "retrieve_product_zip" } },
    },
  },
  left_out = {
    { "`search_key`, `user_fields`, `skip_count`, `radius_units: degrees`",
      "the first asks for rows again that are there; the effect of the others is not "
        .. "recorded" },
    { "GET `list_products`",
      "the same as POST `post_list_products`; the practice archive serves both" },
  },
}
