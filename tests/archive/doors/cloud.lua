-- SPDX-License-Identifier: BSD-3-Clause
local client, practice = "lua/halyard/archive/cloud.lua", "lua/practice/cloud.lua"
local spec = "tests/archive/cloud_spec.lua"
return {
  title = "Cloud copies", page = "docs/archives/cloud.md", rows = {
    {
      "GET `/api/v0.1/path_lookup/`", "mast.cloud.uris",
      client = { client, "/api/v0.1/path_lookup/" },
      practice = { practice, '"/api/v0.1/path_lookup/"' },
      tests = {
        { spec, "are looked up in batches, and each asked for in the bucket" },
        { "tests/peers/cloud_clients.py", "mast_relative_path" },
      },
    },
    {
      "HEAD `/stpubdata/<key>`", "mast.cloud.exists",
      client = { client, '"HEAD"' }, practice = { practice, '"/stpubdata/"' },
      tests = { { spec, "of one file are there or not" } },
    },
    {
      "GET `/stpubdata/<key>`", "retrieve.products, `cloud`",
      client = { "lua/halyard/retrieve/fetch.lua", "try_elsewhere" },
      practice = { practice, 'faults.file(request, product[4])' },
      tests = {
        { spec, "come first and the archive after them, all files whole" },
        { spec, "alone leave out what is not there, and say so" },
        { "tests/peers/cloud_clients.py", "urlopen" },
      },
    },
    {
      "GET `/stpubdata/?list-type=2`", "mast.cloud.datasets",
      client = { client, '"list-type"' }, practice = { practice, "ListBucketResult" },
      tests = { { spec, "are of these missions and collections" } },
    },
  },
}
