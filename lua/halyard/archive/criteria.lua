-- SPDX-License-Identifier: BSD-3-Clause
-- One reading of criteria for all doors: what `{ mag = "<15", field = { "a*", "!ab" } }` asks of a
-- column, as terms that a dialect then words for its service. The meaning is that of table:where.

local errors = require("halyard.error")
local suggest = require("halyard.suggest")

local M = {}

local operators = { "<=", ">=", "<", ">" }

local function refuse(name, why)
  errors.raise("usage", ("criterion %s: %s"):format(name, why))
end

-- A bound or value of a number or time column.
local function bound(column, text, what)
  if text == nil then
    return nil
  elseif column.kind == "number" then
    return tonumber(text) or refuse(column.name, ("%q is not a number"):format(tostring(text)))
  end
  text = tostring(text):match("^%s*(.-)%s*$")
  if not text:find("^%-?%d") then
    refuse(column.name, ("%q is not a %s; write dates as 2012-05-31 or 2012-05-31 12:00:00")
      :format(text, what or "date"))
  end
  return text
end

local function range(column, low, high)
  low, high = bound(column, low), bound(column, high)
  if low == nil and high == nil or low and high and low > high then
    refuse(column.name, "a range is { min = a, max = b } or \"a..b\" with a not above b")
  elseif not high then
    return { op = ">=", value = low }
  elseif not low then
    return { op = "<=", value = high }
  end
  return { op = "..", low = low, high = high }
end

-- A text on a number or time column.
local function ordered(column, text)
  local low, high = text:match("^%s*(.-)%s*%.%.%s*(.-)%s*$")
  if low then
    return range(column, low ~= "" and low or nil, high ~= "" and high or nil)
  end
  for _, op in ipairs(operators) do
    if text:sub(1, #op) == op then
      return { op = op, value = bound(column, text:sub(#op + 1):match("^%s*(.-)%s*$")) }
    end
  end
  return { op = "=", value = bound(column, text) }
end

local function term(column, value, listed)
  local negated = false
  if type(value) == "string" and value:sub(1, 1) == "!" then
    negated, value = true, value:sub(2)
  end
  local out
  if type(value) == "table" then
    suggest.check_keys(value, { "min", "max" }, "criterion " .. column.name)
    if column.kind == "text" then
      refuse(column.name, "a range does not suit a column of texts")
    end
    out = range(column, value.min, value.max)
  elseif type(value) == "boolean" then
    out = { op = "=", value = value }
  elseif type(value) == "number" and column.kind ~= "text" then
    out = { op = "=", value = column.kind == "number" and value or bound(column, value) }
  elseif (type(value) == "string" and value ~= "") or type(value) == "number" then
    local text = type(value) == "number" and math.type(value) == "float" and ("%.17g"):format(value)
      or tostring(value)
    if column.kind == "text" then
      if not listed and (text:find("^[<>]") or text:find("^%s*[%d.+-]+%s*%.%.%s*[%d.+-]+%s*$")) then
        refuse(column.name, ("%q on a column of texts; to find that very text give it in a list")
          :format(text))
      end
      out = { op = text:find("[*%%]") and "like" or "=", value = (text:gsub("%%", "*")) }
    else
      out = ordered(column, text)
    end
  else
    refuse(column.name, "a value is a text, a number, true, false, { min =, max = } or a list")
  end
  out.negated = negated
  return out
end

--- Terms of one criterion: a row passes when any term that is not negated holds (or there is none)
-- and no negated one does; null passes no term.
-- @tparam table column name, kind ("number", "text" or "time")
-- @param value text, number, boolean, { min =, max = } or a list of these
-- @treturn table list of { op, negated, value } or { op = "..", low, high }; op is "=", "like" (`*`
-- is any run of characters), "<", "<=", ">", ">=", ".." (both ends belong to it)
-- @raise `usage` when the value does not suit the column
function M.terms(column, value)
  if type(value) ~= "table" or value.min ~= nil or value.max ~= nil then
    return { term(column, value, false) }
  elseif #value == 0 or next(value, #value) then
    refuse(column.name, "a list holds values, or a table is { min =, max = }")
  end
  local out = {}
  for i, item in ipairs(value) do
    out[i] = term(column, item, true)
  end
  return out
end

--- How a list of any of several values is written, where a text has commas; nil where it has none.
function M.listed(text)
  local list, n = text:gsub("%s*,%s*", '", "')
  return n > 0 and ('{ "%s" }'):format(list) or nil
end

--- A number as the shortest text that reads back as the same number; others as they are.
function M.text(value)
  if math.type(value) ~= "float" then
    return tostring(value)
  elseif value == math.floor(value) and math.abs(value) < 2 ^ 53 then
    return ("%d"):format(value)
  end
  for digits = 15, 17 do
    local text = ("%." .. digits .. "g"):format(value)
    if tonumber(text) == value then
      return text
    end
  end
  return ("%.17g"):format(value)
end

return M
