-- SPDX-License-Identifier: BSD-3-Clause
local client, server = "lua/halyard/archive/gsss.lua", "lua/practice/gsss.lua"
local spec = "tests/archive/gsss_spec.lua"
return {
  title = "Guide star catalogues", page = "docs/archives/gsss.md", rows = {
    {
      "`CatalogSearch.aspx`: `RA`, `DEC`, `SR`; `BBOX`; CSV; `MAXOBJ`",
      "mast.catalog(code, { via = \"gsss\" }):query", client = { client, "BBOX" },
      practice = { server, "CatalogSearch.aspx" },
      tests = { { spec, "gives every row once past MAXOBJ" },
        { spec, "gives every row once across ra 0" } },
    },
    {
      "`STCS`, `ID`, `MAGRANGE`", ":query { stcs =, id =, magrange = }",
      client = { client, "STCS" }, practice = { server, "POLYGON" },
      tests = { { spec, "answers shapes, identifiers, magnitudes" } },
    },
    {
      "`Error` as text", ":query", client = { client, "door.fetch" },
      practice = { server, "Error: " }, tests = { { spec, "fails with the reason" } },
    },
    {
      "`ConeSearch.aspx`", "vo.cone(url):query",
      client = { "lua/halyard/archive/cone.lua", '"SR"' },
      practice = { server, "ConeSearch.aspx" }, tests = { { spec, "answers cone searches" },
        { "tests/peers/gsss_clients.py", "pyvo.conesearch" } },
    },
  },
  left_out = {
    { "`FORMAT` other than `CSV`, `FILENAME`",
      "they say nothing that CSV does not" },
  },
}
