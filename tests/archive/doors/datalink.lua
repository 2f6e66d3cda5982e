-- SPDX-License-Identifier: BSD-3-Clause
local client, practice = "lua/halyard/archive/datalink.lua", "lua/practice/datalink.lua"
local spec = "tests/archive/datalink_spec.lua"
return {
  title = "DataLink", page = "docs/archives/datalink.md", rows = {
    {
      "`{links}?ID=`", "vo.datalink(ids, { service = url })", client = { client, '"ID"' },
      practice = { practice, "/datalink/links" },
      tests = { { spec, "follows a link to a second document" },
        { "tests/peers/datalink_clients.py", "DatalinkResults" } },
    },
    {
      "documents of rows, `content=datalink`", "vo.datalink(rows)",
      client = { client, "content=datalink" }, practice = { practice, "content=datalink" },
      tests = { { spec, "gives the files of rows that lead to documents" } },
    },
    {
      "`error_message`", "links:errors", client = { client, "error_message" },
      practice = { practice, "NotFoundFault" },
      tests = { { spec, "says in the service's words which data sets have none" } },
    },
  },
}
