-- SPDX-License-Identifier: BSD-3-Clause
-- Rows as the BINARY2 stream of a VOTable (VOTable 1.3 section 5.4): flags of nulls, then the
-- cells, big-endian. In memory: for answers of a service's row limit at most.
local core = require "practice.core"
local json = require "practice.json"

local M = {}

local formats = { short = ">i2", int = ">i4", long = ">i8", float = ">f", double = ">d" }
local line_bytes <const> = 64 * 48 -- of the base64 text

local function cell(type_name, v)
  if type_name == "char" then
    return string.pack(">s4", v == nil and "" or tostring(v))
  end
  local format = formats[type_name]
  local float = format == ">f" or format == ">d"
  if v == nil then
    v = float and 0 / 0 or 0
  end
  return string.pack(format, float and v + 0.0 or math.tointeger(v) or math.floor(v))
end

local function row_of(columns, row)
  local flags, cells = {}, {}
  for i, c in ipairs(columns) do
    local v = row[i]
    if v == json.null then
      v = nil
    end
    local at = (i - 1) // 8 + 1
    flags[at] = (flags[at] or 0) | (v == nil and 0x80 >> (i - 1) % 8 or 0)
    cells[i] = cell(c.type, v)
  end
  return string.char(table.unpack(flags)) .. table.concat(cells)
end

--- The text of the STREAM for rows of these columns (VOTable datatypes).
function M.stream(columns, rows)
  local bytes, out = {}, {}
  for i, row in ipairs(rows) do
    bytes[i] = row_of(columns, row)
  end
  local all = table.concat(bytes)
  for at = 1, #all, line_bytes do
    out[#out + 1] = core.base64(all:sub(at, at + line_bytes - 1))
  end
  return table.concat(out, "\n")
end

return M
