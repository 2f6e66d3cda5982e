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
    {
      "fewer identifiers than asked", "vo.datalink(ids, { service = url })",
      client = { client, "local function about" }, practice = { practice, "ids=N" },
      tests = { { spec, "is asked again for data sets that an answer leaves out" } },
    },
    {
      "`adhoc:service`, `service_def`", "links:services, service:inputs, service:addresses",
      client = { "lua/halyard/archive/descriptors.lua", "adhoc:service" },
      practice = { "lua/practice/soda.lua", "adhoc:service" },
      tests = { { spec, "describes the services that it leads to" },
        { "tests/spec/descriptors_spec.lua", "at CADC" } },
    },
    {
      "SODA `/sync`: `ID` `CIRCLE` `POLYGON` `POS` `BAND` `TIME`", "links:cutout",
      client = { "lua/halyard/archive/soda.lua", "soda#sync" },
      practice = { "lua/practice/soda.lua", "/soda/sync" },
      tests = { { spec, "cuts out of every image, also behind a second document" },
        { spec, "selects cutouts by band and time, and has none outside" },
        { "tests/peers/datalink_clients.py", "row.processed" } },
    },
  },
}
