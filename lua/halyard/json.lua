-- SPDX-License-Identifier: BSD-3-Clause
-- Control documents as JSON text: requests to an archive, reports, results. The same value always
-- gives the same bytes (keys sorted, numbers that read back to the same value), which lua-cjson
-- does not promise. Rows of catalogues never pass through here.

local errors = require("halyard.error")

local M = {}

local array_mark = {}

--- Marks a list so that it is written as [] even when it is empty.
function M.array(list)
  return setmetatable(list, array_mark)
end

local function quote(text)
  if not utf8.len(text) then
    errors.raise("usage", "a text for JSON is not valid UTF-8")
  end
  local escaped = text:gsub('[%c"\\\127]', function(c)
    if c == '"' or c == "\\" then
      return "\\" .. c
    end
    return ("\\u%04x"):format(c:byte())
  end)
  return '"' .. escaped .. '"'
end

--- A number as the shortest text that reads back to the same value.
function M.number(value)
  if math.type(value) == "integer" then
    return ("%d"):format(value)
  end
  if value ~= value or value == math.huge or value == -math.huge then
    errors.raise("usage", ("the number %s cannot be written as JSON"):format(value))
  end
  for digits = 15, 17 do
    local text = ("%." .. digits .. "g"):format(value)
    if tonumber(text) == value then
      return text
    end
  end
end

local write

local function write_list(out, value, indent, depth)
  local open = indent and "\n" .. indent:rep(depth) or ""
  out[#out + 1] = "["
  for i, item in ipairs(value) do
    out[#out + 1] = (i > 1 and "," or "") .. open
    write(out, item, indent, depth + 1)
  end
  out[#out + 1] = (indent and #value > 0 and "\n" .. indent:rep(depth - 1) or "") .. "]"
end

local function write_object(out, value, indent, depth)
  local keys = {}
  for key in pairs(value) do
    if type(key) ~= "string" then
      errors.raise("usage", "a table for JSON is neither a list nor keyed by texts")
    end
    keys[#keys + 1] = key
  end
  table.sort(keys)
  local open = indent and "\n" .. indent:rep(depth) or ""
  out[#out + 1] = "{"
  for i, key in ipairs(keys) do
    out[#out + 1] = (i > 1 and "," or "") .. open .. quote(key) .. (indent and ": " or ":")
    write(out, value[key], indent, depth + 1)
  end
  out[#out + 1] = (indent and #keys > 0 and "\n" .. indent:rep(depth - 1) or "") .. "}"
end

function write(out, value, indent, depth)
  local kind = type(value)
  if depth > 64 then
    errors.raise("usage", "a value for JSON is nested more than 64 levels deep")
  elseif kind == "table" then
    local list = getmetatable(value) == array_mark or #value > 0
    (list and write_list or write_object)(out, value, indent, depth)
  elseif kind == "string" then
    out[#out + 1] = quote(value)
  elseif kind == "number" then
    out[#out + 1] = M.number(value)
  elseif kind == "boolean" or kind == "nil" then
    out[#out + 1] = value == nil and "null" or tostring(value)
  else
    errors.raise("usage", ("a %s cannot be written as JSON"):format(kind))
  end
end

--- JSON text of lists, tables with text keys, texts, numbers and booleans.
-- @param value what to write; an empty table is {} unless marked by `array`
-- @tparam[opt] string indent one level of indentation; without it everything is on one line
-- @raise `usage` for functions, NaN, infinities, mixed keys, text that is not UTF-8
function M.encode(value, indent)
  local out = {}
  write(out, value, indent, 1)
  return table.concat(out)
end

return M
