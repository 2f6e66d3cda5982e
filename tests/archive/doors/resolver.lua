-- SPDX-License-Identifier: BSD-3-Clause
local client, spec = "lua/halyard/archive/resolver.lua", "tests/archive/resolver_spec.lua"
local server = "lua/practice/resolver.lua"
return {
  title = "Name resolver", page = "docs/archives/resolver.md", rows = {
    {
      "`Santa-war/query`, `name` repeated", "mast.resolve{ names }",
      client = { client, "/Santa-war/query" }, practice = { "lua/practice/init.lua",
        "/Santa-war/query" },
      tests = { { spec, "answers lists of names in batches" } },
    },
    {
      "`resolver`, `resolveAll`", "mast.resolve(name, { resolver =, compare = })",
      client = { client, "resolveAll" }, practice = { server, "by_ned" },
      tests = { { spec, "warns where resolvers differ" } },
    },
    {
      "`Mast.Name.Lookup`", "mast.resolve(name)",
      client = { "lua/halyard/archive/mashup.lua", "Mast.Name.Lookup" },
      practice = { "lua/practice/mashup.lua", "Mast.Name.Lookup" },
      tests = { { spec, "agrees with the portal's look-up" } },
    },
    {
      "Sesame (CDS), `nph-sesame/-oxp/SNV`", "mast.resolve(name, { resolver = \"Sesame\" })",
      client = { client, "nph-sesame" }, practice = { server, "Sesame" },
      tests = { { spec, "asks Sesame by its name" } },
    },
  },
}
