-- SPDX-License-Identifier: BSD-3-Clause
-- Any Virtual Observatory service, by its URL, in the words used for MAST. Each protocol is a
-- dialect (halyard.archive), loaded when it is first used.

local suggest = require("halyard.suggest")

local M = {}

local protocols = {
  cone = "cone", datalink = "datalink", registry = "registry", sia = "sia", ssa = "ssa",
  tap = "tap",
}

return setmetatable(M, {
  __index = function(t, name)
    local dialect = protocols[name]
    if not dialect then
      local known = {}
      for key in pairs(protocols) do
        known[#known + 1] = key
      end
      table.sort(known)
      suggest.unknown("protocol of vo", tostring(name), known)
    end
    local part = require("halyard.archive." .. dialect)[name]
    rawset(t, name, part)
    return part
  end,
})
