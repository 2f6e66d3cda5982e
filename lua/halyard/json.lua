-- SPDX-License-Identifier: BSD-3-Clause
-- Control documents as JSON text: requests to an archive, reports, results. The same value always
-- gives the same bytes. Rows of catalogues never pass through here.

local core = require("halyard.core.json")

local M = {}

--- Value of a JSON text; raises when it is none.
M.decode = core.decode
--- JSON text on one line: keys sorted, numbers that read back to the same value.
M.encode = core.encode
--- Marks a list so that it is written as [] even when it is empty.
M.array = core.array

--- JSON text for people: one item a line.
function M.pretty(value, indent)
  if type(value) ~= "table" or next(value) == nil then
    return core.encode(value)
  end
  indent = indent or ""
  local inner, parts = indent .. "  ", {}
  for i, item in ipairs(value) do
    parts[i] = M.pretty(item, inner)
  end
  local open, close = "[", "]"
  if #parts == 0 then
    local keys = {}
    for key in pairs(value) do
      keys[#keys + 1] = key
    end
    table.sort(keys)
    for i, key in ipairs(keys) do
      parts[i] = core.encode(key) .. ": " .. M.pretty(value[key], inner)
    end
    open, close = "{", "}"
  end
  return open .. "\n" .. inner .. table.concat(parts, ",\n" .. inner) .. "\n" .. indent .. close
end

return M
