-- SPDX-License-Identifier: BSD-3-Clause
return workflow {
  name = "harvest", summary = "Stars of the TIC in a region", hosts = { "mast" },
  params = { { "region", "string" }, { "row_limit", "integer" }, { "parallel", "integer", default = 4 } },
  run = function(_, p)
    return mast.catalog("TIC"):query { region = sky.parse(p.region), columns = { "ra", "dec" },
      into = "rows.csv", row_limit = p.row_limit, parallel = p.parallel }
  end }
