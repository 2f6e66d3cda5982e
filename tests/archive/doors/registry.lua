-- SPDX-License-Identifier: BSD-3-Clause
local client, practice = "lua/halyard/archive/registry.lua", "lua/practice/registry.lua"
local spec, peers = "tests/archive/registry_spec.lua", "tests/peers/registry_clients.py"

return {
  title = "Registry", page = "docs/archives/registry.md", rows = {
    {
      "`rr.resource`, `rr.capability`, `rr.interface`", "vo.registry.search",
      client = { client, "rr.interface" }, practice = { practice, '"interface"' },
      tests = { { spec, "by words, waveband and protocol" }, { peers, "regtap.search" } },
    },
    {
      "`rr.res_subject`, ivo_hasword", "vo.registry.search { keywords }",
      client = { client, "ivo_hasword" }, practice = { practice, '"res_subject"' },
      tests = { { spec, "without rows when it knows nothing" }, { peers, "keywords" } },
    },
    {
      "ivo_hashlist_has", "vo.registry.search { waveband }",
      client = { client, "ivo_hashlist_has" },
      practice = { "lua/practice/adql_functions.lua", "IVO_HASHLIST_HAS" },
      tests = { { spec, "by words, waveband and protocol" }, { peers, "waveband" } },
    },
    {
      "`rr.res_table`, `rr.table_column`, `rr.stc_spatial`", "vo.tap(url):query",
      client = { "lua/halyard/archive/tap.lua", "function methods:query" },
      practice = { practice, '"table_column"' },
      tests = { { spec, "knows the tables, columns and coverage of services" } },
    },
    {
      "services at other hosts", "vo.registry.first_working",
      client = { client, "require_hosts" }, practice = { practice, "access_url" },
      tests = { { spec, "tells all hosts to declare when no declared one has a service" } },
    },
    {
      "services that do not work", "vo.registry.first_working",
      client = { client, "first_working" }, practice = { practice, "closed" },
      tests = { { spec, "uses the first service that works" },
        { spec, "tells why when no service works" } },
    },
  },
  left_out = {
    { "`vao.stsci.edu/directory`, `vo-directory`",
      "superseded by RegTAP" },
  },
}
