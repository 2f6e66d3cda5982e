-- SPDX-License-Identifier: BSD-3-Clause
return workflow {
  name = "observations",
  summary = "observations around a position",
  hosts = { "mast" },
  run = function()
    return { rows = #mast.observations { region = sky.circle(201.697, -47.4795, 0.5) } }
  end,
}
