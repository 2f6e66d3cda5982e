-- SPDX-License-Identifier: BSD-3-Clause
return workflow {
  name = "broken",
  summary = "Fails by itself",
  run = function()
    error("no luck today")
  end,
}
