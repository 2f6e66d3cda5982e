-- SPDX-License-Identifier: BSD-3-Clause
return {
  title = "Authentication", page = "docs/archives/auth.md", rows = {
    {
      "GET `/whoami`", "mast.whoami",
      client = { "lua/halyard/archive/auth.lua", '"/whoami"' },
      practice = { "lua/practice/auth.lua", '"/whoami"' },
      tests = {
        { "tests/archive/auth_spec.lua", "is accepted, or one is anonymous" },
        { "tests/peers/auth_clients.py", "session_info" },
      },
    },
    {
      "`MAST_API_TOKEN`, token file", "mast.whoami, retrieve.products",
      client = { "src/host/secret.c", "MAST_API_TOKEN" },
      practice = { "lua/practice/auth.lua", "mast_token" },
      tests = {
        { "tests/archive/auth_spec.lua", "in a file that nobody else can read" },
        { "tests/archive/auth_spec.lua", "is in no log, report, result or error" },
      },
    },
    {
      "files under exclusive access, HTTP 401", "retrieve.products, mast.download",
      client = { "lua/halyard/retrieve/queue.lua", '"mast" or nil' },
      practice = { "lua/practice/init.lua", "may_read" },
      tests = {
        { "tests/archive/auth_spec.lua", "which are refused without it" },
      },
    },
  },
  left_out = {
    { "`auth.mast.stsci.edu/token`",
      "a page for people: tokens are made there" },
  },
}
