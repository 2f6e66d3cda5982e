-- SPDX-License-Identifier: BSD-3-Clause
return workflow {
  name = "sleeper",
  summary = "Waits until it is interrupted",
  params = { { "busy", "boolean", default = false, help = "compute instead of waiting" } },
  run = function(ctx, p)
    ctx:progress({ stage = "asleep" })
    while p.busy do
      pcall(function()
        while true do
          p.busy = true
        end
      end)
    end
    task.sleep(3600)
  end,
}
