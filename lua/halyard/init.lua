-- SPDX-License-Identifier: BSD-3-Clause
-- The public Lua API: query, select, retrieve. Each part is loaded when it is first used.

local system = require("halyard.core.system")
local errors = require("halyard.error")

local parts = {
  error = true, json = true, mast = true, retrieve = true, select = true, sky = true, table = true,
  task = true, vo = true,
}

local M = {
  --- Version text and API level of this Halyard.
  version = system.version,
  api_level = system.api_level,
  --- Calls f(...): true and its results, or nil and the error object; a typo is raised again.
  try = errors.try,
}

return setmetatable(M, {
  __index = function(t, name)
    if parts[name] then
      local part = require("halyard." .. name)
      rawset(t, name, part)
      return part
    end
    local known = {}
    for key in pairs(parts) do
      known[#known + 1] = key
    end
    table.sort(known)
    require("halyard.suggest").unknown("part of halyard", tostring(name), known)
  end,
})
