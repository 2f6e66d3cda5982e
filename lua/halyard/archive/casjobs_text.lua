-- SPDX-License-Identifier: BSD-3-Clause
-- Texts of CasJobs: results whose header tells the types (section 4 of its specification), and
-- what its failures say (section 6). Results of a query at once are small; a whole table of MyDB is
-- read here too, so that texts of digits stay texts.

local door = require("halyard.archive.door")
local errors = require("halyard.error")
local table_core = require("halyard.core.table")

local M = {}

local rows_max = 1000000

local integers = { bit = true, tinyint = true, smallint = true, int = true, bigint = true,
  integer = true }
local floats = { real = true, float = true, decimal = true }

-- Cells of the line that begins at `at`, and where the next line begins. Quotes keep separators and
-- line ends; a doubled quote is one. `quoted` tells which cells were.
local function line_at(text, at, separator)
  local cells, quoted = {}, {}
  while true do
    local n = #cells + 1
    if text:sub(at, at) == '"' then
      local parts = {}
      repeat
        local stop = text:find('"', at + 1, true)
        if not stop then
          errors.raise("protocol", "CasJobs: a text in the result has no end")
        end
        parts[#parts + 1] = text:sub(at + 1, stop - 1)
        at = stop + 1
      until text:sub(at, at) ~= '"'
      cells[n], quoted[n] = table.concat(parts, '"'), true
    else
      local stop = text:find("[" .. separator .. "\n]", at) or #text + 1
      cells[n] = text:sub(at, stop - 1):gsub("\r$", "")
      at = stop
    end
    local c = text:sub(at, at)
    if c ~= separator then
      return cells, quoted, (text:find("\n", at, true) or #text) + 1
    end
    at = at + 1
  end
end

local function value_of(cell, kind, name, i_row)
  if kind == "text" then
    return cell
  end
  local n = tonumber(cell)
  if kind == "integer" then
    n = cell:lower() == "true" and 1 or cell:lower() == "false" and 0 or math.tointeger(n)
  end
  if not n then
    errors.raise("protocol", ("CasJobs: row %d: %s is %q, not a number"):format(i_row, name, cell))
  end
  return kind == "float" and n + 0.0 or n
end

--- A result as a table: integers exact, texts as they are, null where it says null.
-- @tparam string text
-- @tparam string separator "," or a tab
-- @treturn halyard.table
-- @raise `protocol` when the header is none, `budget` for more than 1,000,000 rows
function M.rows(text, separator)
  local header, _, at = line_at(text, text:match("^%s*()"), separator)
  local names, kinds, times = {}, {}, {}
  for i, cell in ipairs(header) do
    local name, word = cell:match("^%[(.*)%]:?(.*)$")
    if not name then
      errors.raise("protocol", ("CasJobs: no header of names and types; the result is %s: %s")
        :format(door.looks_like(text), M.words(text)))
    end
    word = word:lower():match("^%a*")
    names[i] = name
    kinds[i] = integers[word] and "integer" or floats[word] and "float" or "text"
    times[#times + 1] = word:find("^date") and name or nil
  end
  local rows = {}
  while at <= #text do
    local cells, quoted
    cells, quoted, at = line_at(text, at, separator)
    if #cells > 1 or cells[1] ~= "" then
      local i_row = #rows + 1
      if #cells ~= #names then
        errors.raise("protocol", ("CasJobs: row %d has %d values, the header %d"):format(i_row,
          #cells, #names))
      elseif i_row > rows_max then
        errors.raise("budget", ("CasJobs: more than %d rows: divide the table with WHERE"):format(
          rows_max))
      end
      local row = {}
      for i, cell in ipairs(cells) do
        local null = not quoted[i] and (cell == "" or cell:lower() == "null")
        if not null then
          row[names[i]] = value_of(cell, kinds[i], names[i], i_row)
        end
      end
      rows[i_row] = row
    end
  end
  local out = table_core.from_rows(rows, names)
  for _, name in ipairs(times) do
    out = out:mjd(name)
  end
  return out
end

local entities = { ["&lt;"] = "<", ["&gt;"] = ">", ["&amp;"] = "&", ["&quot;"] = '"',
  ["&#39;"] = "'", ["&apos;"] = "'" }

--- What a failure says, in one line.
function M.words(body)
  local request_id = body:match("Request ID:?%s*([%w-]+)")
  if body:find("403 Response Code", 1, true) and request_id then
    return ("the web firewall refused the request; tell the archive's help desk the Request ID %s")
      :format(request_id)
  end
  local text = body:match("System%.Exception:%s*(.-)%s*%-%-%->")
    or body:match("System%.Exception:%s*(.-)%s*%-%-%-&gt;")
  if not text then
    local lines = {}
    for line in body:gsub("<[^>]*>", " "):gmatch("[^\r\n]+") do
      if line:find("%S") and #lines < 2 then
        lines[#lines + 1] = line
      end
    end
    text = table.concat(lines, " ")
  end
  text = text:gsub("&#?%w+;", entities):gsub("%s+", " "):match("^%s*(.-)%s*$")
  return text ~= "" and text:sub(1, 500) or "it does not say why"
end

return M
