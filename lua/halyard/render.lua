-- SPDX-License-Identifier: BSD-3-Clause
-- A workflow's result as text: aligned lines for people, JSON or CSV for programs. Rows are spelled
-- by the writers of tables, whether they come as a table or as a list. Pure.

local core = require("halyard.core.table")
local errors = require("halyard.error")
local json = require("halyard.json")

local M = {}

local rows_shown = 20

local function is_table_object(value)
  return type(value) == "userdata" and getmetatable(value) == "halyard.table"
end

-- The value without what cannot be written: functions, userdata that are no tables.
local function plain(value, depth)
  if type(value) == "table" and depth < 16 then
    if errors.is(value) then
      return tostring(value)
    end
    local out = rawlen(value) > 0 and json.array({}) or {}
    for key, item in pairs(value) do
      out[key] = plain(item, depth + 1)
    end
    return out
  elseif type(value) ~= "function" and type(value) ~= "userdata" and type(value) ~= "thread" then
    return value
  end
end

local function is_finite(value)
  return type(value) ~= "number" or value - value == 0
end

local function text(value)
  if type(value) == "table" or type(value) == "number" and is_finite(value) then
    return json.encode(value)
  end
  return tostring(value)
end

-- Integers that floats cannot hold are a kind of their own.
local function kind_of(value)
  return math.type(value) == "integer" and value ~= value + 0.0 and "wide" or type(value)
end

-- The table of a list of rows. Columns are sorted by name; where one holds several types, or lists,
-- it is text.
local function table_of(list)
  local rows, columns, kinds = {}, {}, {}
  for i, item in ipairs(list) do
    rows[i] = {}
    for key, value in pairs(plain(item, 1)) do
      local name, kind = tostring(key), kind_of(value)
      if not kinds[name] then
        columns[#columns + 1], kinds[name] = name, kind
      end
      if kind ~= kinds[name] or kind == "table" then
        kinds[name] = "text"
      end
      rows[i][name] = value
    end
  end
  table.sort(columns)
  for _, row in ipairs(rows) do
    for name, value in pairs(row) do
      row[name] = kinds[name] == "text" and text(value) or value
    end
  end
  return core.from_rows(rows, columns)
end

-- The rows of a result as a table; nil when it has none.
local function rows_of(result)
  if is_table_object(result) then
    return result
  elseif type(result) == "table" and type(rawget(result, 1)) == "table" then
    return table_of(result)
  end
end

local function aligned(t, out)
  local lines, widths = { t.columns }, {}
  for i = 1, math.min(#t, rows_shown) do
    lines[i + 1] = core.row_texts(t, i)
  end
  for _, line in ipairs(lines) do
    for j, cell in ipairs(line) do
      line[j] = cell:gsub("%c", " ")
      widths[j] = math.max(widths[j] or 0, utf8.len(line[j]) or #line[j])
    end
  end
  for _, line in ipairs(lines) do
    for j, cell in ipairs(line) do
      line[j] = cell .. (" "):rep(widths[j] - (utf8.len(cell) or #cell))
    end
    out((table.concat(line, "  "):gsub("%s+$", "")) .. "\n")
  end
  if #t > rows_shown then
    out(("... %d rows in all\n"):format(#t))
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
    out(("%-" .. width .. "s  %s\n"):format(key, (text(result[key]):gsub("%c", " "))))
  end
end

-- JSON has no NaN and no infinities: names the first.
local function require_finite(column)
  for i, value in column:values() do
    for _, v in pairs(type(value) == "table" and value or { value }) do
      if not is_finite(v) then
        errors.raise("usage", ("row %d, column \"%s\": %s is no number that JSON can hold; use "
          .. "--format table or csv"):format(i, column.name, v ~= v and "NaN" or "infinity"))
      end
    end
  end
end

-- A list of one object a row: lines of JSON with commas between them.
local function list(t, out)
  local lead = "["
  core.text(t, "jsonl", function(piece)
    local whole = piece:sub(-1) == "\n"
    out(lead .. (whole and piece:sub(1, -2) or piece):gsub("\n", ",\n"))
    lead = whole and ",\n" or ""
  end)
  out((#t == 0 and "[" or "") .. "]\n")
end

--- Writes `result` piece by piece through out(text).
-- @param result what `run` returned: nil, text, number, a halyard.table, a list of rows or of
-- values, a table with text keys, or a query's result
-- @tparam string format "table", "json" or "csv"
-- @tparam function out
-- @raise `usage` when CSV is asked for and the result is not a table of rows
function M.write(result, format, out)
  if type(result) == "table" and is_table_object(rawget(result, "table")) then
    result = rawget(result, "table")
  end
  local kind = getmetatable(result)
  if type(kind) == "table" and kind.__name == "halyard.files" then -- made as they are looked at
    result = table.move(result, 1, #result, 1, {})
  end
  local rows = rows_of(result)
  if format == "json" then
    for _, name in ipairs(rows and rows.columns or {}) do
      local column = rows:column(name)
      if column.type:find("^float") or column.type:find("^complex") then
        require_finite(column)
      end
    end
    if is_table_object(result) then
      list(result, out)
    else
      out(json.encode(plain(result, 1)) .. "\n")
    end
  elseif result == nil then
    return
  elseif rows and format == "csv" then
    core.text(rows, "csv", out)
  elseif rows then
    aligned(rows, out)
  elseif type(result) ~= "table" then
    out((text(result):gsub("%c", " ")) .. "\n")
  elseif format == "csv" then
    errors.raise("usage", "the workflow returns no table of rows: use --format table or json")
  elseif rawlen(result) > 0 then
    for i = 1, rawlen(result) do
      out((text(plain(result[i], 1)):gsub("%c", " ")) .. "\n")
    end
  else
    summary(plain(result, 1), out)
  end
end

return M
