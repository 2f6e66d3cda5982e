-- SPDX-License-Identifier: BSD-3-Clause
-- A workflow's result as text: aligned lines for people, JSON or CSV for programs. Pure.

local errors = require("halyard.error")
local json = require("halyard.json")

local M = {}

local rows_shown = 20

local function is_table_object(value)
  return type(value) == "userdata" and type(value.columns) == "table"
end

-- The value without what cannot be written: functions, userdata that are no tables.
local function plain(value, depth)
  if type(value) == "table" and depth < 16 then
    if errors.is(value) then
      return tostring(value)
    end
    local out = #value > 0 and json.array({}) or {}
    for key, item in pairs(value) do
      out[key] = plain(item, depth + 1)
    end
    return out
  elseif type(value) ~= "function" and type(value) ~= "userdata" and type(value) ~= "thread" then
    return value
  end
end

-- Rows and column names of a result that is a table of rows; nil otherwise.
local function rows_of(result)
  local rows, columns = {}, {}
  if is_table_object(result) then
    for i, row in result:rows() do
      rows[i] = row
    end
    return rows, result.columns
  elseif type(result) ~= "table" or type(result[1]) ~= "table" then
    return nil
  end
  local seen = {}
  for i, row in ipairs(result) do
    rows[i] = plain(row, 1)
    for name, value in pairs(rows[i]) do
      if type(value) ~= "table" and not seen[name] then
        columns[#columns + 1], seen[name] = tostring(name), true
      end
    end
  end
  table.sort(columns)
  return rows, columns
end

local function cell(value)
  if value == nil then
    return ""
  elseif type(value) == "number" then
    return json.encode(value)
  end
  return (tostring(value):gsub("%c", " "))
end

local function csv_cell(value)
  local text = value == nil and "" or type(value) == "number" and json.encode(value)
    or tostring(value)
  if text:find('[",\r\n]') then
    return '"' .. text:gsub('"', '""') .. '"'
  end
  return text
end

local function csv_line(values)
  return table.concat(values, ",") .. "\n"
end

local function csv(rows, columns, out)
  local names = {}
  for i, name in ipairs(columns) do
    names[i] = csv_cell(name)
  end
  out(csv_line(names))
  for _, row in ipairs(rows) do
    local cells = {}
    for i, name in ipairs(columns) do
      cells[i] = csv_cell(row[name])
    end
    out(csv_line(cells))
  end
end

local function aligned(rows, columns, out)
  local widths, lines = {}, {}
  for i, name in ipairs(columns) do
    widths[i] = utf8.len(name) or #name
  end
  for i = 1, math.min(#rows, rows_shown) do
    lines[i] = {}
    for j, name in ipairs(columns) do
      lines[i][j] = cell(rows[i][name])
      widths[j] = math.max(widths[j], utf8.len(lines[i][j]) or #lines[i][j])
    end
  end
  local function put(cells)
    for j, text in ipairs(cells) do
      cells[j] = text .. (" "):rep(widths[j] - (utf8.len(text) or #text))
    end
    out((table.concat(cells, "  "):gsub("%s+$", "")) .. "\n")
  end
  put(table.move(columns, 1, #columns, 1, {}))
  for _, line in ipairs(lines) do
    put(line)
  end
  if #rows > rows_shown then
    out(("... %d rows in all\n"):format(#rows))
  end
end

local function summary(result, out)
  local keys, width = {}, 0
  for key, value in pairs(result) do
    if type(value) ~= "table" then
      keys[#keys + 1] = tostring(key)
      width = math.max(width, #keys[#keys])
    end
  end
  table.sort(keys)
  for _, key in ipairs(keys) do
    out(("%-" .. width .. "s  %s\n"):format(key, cell(result[key])))
  end
end

-- JSON has no NaN and no infinities: names the first.
local function require_finite(rows, columns)
  for i, row in ipairs(rows) do
    for _, name in ipairs(columns) do
      for _, v in pairs(type(row[name]) == "table" and row[name] or { row[name] }) do
        if type(v) == "number" and (v ~= v or v == math.huge or v == -math.huge) then
          errors.raise("usage", ("row %d, column \"%s\": %s is no number that JSON can hold; use "
            .. "--format table or csv"):format(i, name, v ~= v and "NaN" or "infinity"))
        end
      end
    end
  end
end

--- Writes `result` piece by piece through out(text).
-- @param result what `run` returned: nil, text, number, a halyard.table, a list of rows, a table
-- with text keys, or a query's result
-- @tparam string format "table", "json" or "csv"
-- @tparam function out
-- @raise `usage` when CSV is asked for and the result is not a table of rows
function M.write(result, format, out)
  if type(result) == "table" and is_table_object(result.table) then
    result = result.table
  end
  local rows, columns = rows_of(result)
  if format == "json" then
    require_finite(rows or {}, columns)
    out(json.encode(rows and json.array(rows) or plain(result, 1)) .. "\n")
  elseif result == nil then
    return
  elseif rows then
    (format == "csv" and csv or aligned)(rows, columns, out)
  elseif type(result) ~= "table" then
    out(cell(result) .. "\n")
  elseif format == "csv" then
    errors.raise("usage", "the workflow returns no table of rows: use --format table or json")
  else
    summary(plain(result, 1), out)
  end
end

return M
