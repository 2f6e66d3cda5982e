-- SPDX-License-Identifier: BSD-3-Clause
local client, practice = "lua/halyard/archive/ssa.lua", "lua/practice/ssa.lua"
local spec = "tests/archive/ssa_spec.lua"
return {
  title = "Simple Spectral Access", page = "docs/archives/ssa.md", rows = {
    {
      "`/ssap/search2.php`, `POS`, `SIZE`", "vo.ssa(url):query",
      client = { client, '"SIZE"' }, practice = { practice, "/ssap/search2.php" },
      tests = { { spec, "whether SIZE is a diameter to it or a radius" },
        { "tests/peers/ssa_clients.py", "pyvo.dal.SSAService" } },
    },
    {
      "`BAND`, `TIME`, `TARGETNAME`", "vo.ssa(url):query", client = { client, '"BAND"' },
      practice = { practice, "INPUT:BAND" }, tests = { { spec, "selects by band, time" } },
    },
    {
      "`FORMAT=METADATA`", "vo.ssa(url):parameters", client = { client, '"METADATA"' },
      practice = { practice, "metadata" }, tests = { { spec, "describes its parameters" } },
    },
    {
      "overflow, refusals", "vo.ssa(url):query", client = { client, "smaller region" },
      practice = { practice, "UsageFault" },
      tests = { { spec, "is an error when it cuts, refuses or is something else" } },
    },
  },
  left_out = {
    { "`SPECRP`, `SNR`, `TOP` and further parameters",
      "not recorded whether the service takes them" },
  },
}
