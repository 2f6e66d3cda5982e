-- SPDX-License-Identifier: BSD-3-Clause
return {
  title = "Simple Cone Search", page = "docs/archives/cone.md", rows = {
    {
      "SCS 1.03, `RA`, `DEC`, `SR`, `VERB`, at any URL", "vo.cone(url):query",
      client = { "lua/halyard/archive/cone.lua", '"SR"' },
      practice = { "lua/practice/cone.lua", '"/scs/"' },
      tests = {
        { "tests/archive/cone_spec.lua", "past a limit that it does not tell" },
        { "tests/peers/cone_clients.py", "pyvo.conesearch" },
      },
    },
    {
      "overflow before and behind the table", "vo.cone(url):query",
      client = { "lua/halyard/archive/cone.lua", "takes_cone" },
      practice = { "lua/practice/cone.lua", "OVERFLOW" },
      tests = { { "tests/archive/cone_spec.lua", "past a limit that it tells" } },
    },
    {
      "the four error documents", "vo.cone(url):query",
      client = { "src/data/votable.c", "Error" },
      practice = { "lua/practice/cone.lua", "DEFINITIONS" },
      tests = {
        { "tests/archive/cone_spec.lua", "in the service's own words wherever they stand" },
      },
    },
    {
      "metadata, `SR=0`", "vo.cone(url):columns",
      client = { "lua/halyard/archive/cone.lua", "radius = 0" },
      practice = { "lua/practice/cone.lua", "sr == 0" },
      tests = { { "tests/archive/cone_spec.lua", "tells its columns with units and UCDs" } },
    },
  },
}
