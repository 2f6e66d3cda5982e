-- SPDX-License-Identifier: BSD-3-Clause
return workflow {
  name = "stop",
  summary = "Downloads one file after the other and ends with the first that fails",
  hosts = { "mast" },
  run = function()
    local rows = mast.products(mast.observations { region = sky.cone("201.697 -47.4795", 0.02) })
    retrieve.products(select.first(rows, 40), { dir = "files", parallel = 1 })
  end,
}
