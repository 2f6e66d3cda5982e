-- SPDX-License-Identifier: BSD-3-Clause
-- One catalogue query, for tests.
return workflow {
  name = "catalogue",
  summary = "Rows of a catalogue in a region",
  hosts = { "mast" },
  params = {
    { "catalog", "string", default = "Gaia DR3" },
    { "region", "string" },
    { "parallel", "integer", default = 4 },
    { "row_limit", "integer", optional = true },
    { "verify", "string", optional = true },
  },
  run = function(_, p)
    local result = mast.catalog(p.catalog):query {
      region = sky.parse(p.region), into = "rows.csv", parallel = p.parallel,
      row_limit = p.row_limit, verify = p.verify,
    }
    return { rows = result.rows, requests = result.account.requests, verified = result.verified }
  end,
}
