-- SPDX-License-Identifier: BSD-3-Clause
-- Life signs of files that take long to come.

local download = require("halyard.core.download")
local task = require("halyard.core.task")

--- Calls `show` once a second, if more or less of the files that are being downloaded is there than
-- a second ago, until the result is closed.
return function(show)
  local watcher = task.spawn(function()
    local last = 0
    while true do
      task.sleep(1)
      local now = download.coming()
      if now ~= last then
        show()
      end
      last = now
    end
  end)
  return setmetatable({}, { __close = function()
    task.cancel(watcher)
  end })
end
