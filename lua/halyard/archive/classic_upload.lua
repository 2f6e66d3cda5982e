-- SPDX-License-Identifier: BSD-3-Clause
-- Lists of targets as a file for the classic forms (form=fuf, section 1.2), and the answer that
-- comes back: a result for each line of the file (section 1.4). What the controls of that form are
-- called is not recorded, so nothing is taken on trust: an answer counts only when it has a section
-- for each target.

local door = require("halyard.archive.door")
local errors = require("halyard.error")
local http = require("halyard.core.http")
local suggest = require("halyard.suggest")

local M = {}

--- Targets in one file (1.2).
M.targets_max = 5000

local answer_bytes = 256 * 1024 * 1024
local file_control = "userfile"

local words = {}
for word in ("string ustring substring integer long float real double numeric ra dec datetime")
  :gmatch("%S+") do
  words[word] = true
end

--- The option `upload` as { file = name of the file's control, form = further controls }.
-- @raise `usage`
function M.option(value)
  if value == true then
    return { file = file_control, form = {} }
  elseif type(value) ~= "table" then
    errors.raise("usage", "upload is true, or { file = \"control\", form = { control = value } }")
  end
  suggest.check_keys(value, { "file", "form" }, "upload")
  return { file = value.file or file_control, form = value.form or {} }
end

--- The body of the form and its type.
-- @tparam table arguments the form's own, name -> value
-- @tparam table lines of the file
-- @tparam table how what `option` gave
function M.body(arguments, lines, how)
  local fields = { form = "fuf" }
  for _, map in ipairs({ arguments, how.form }) do
    for name, value in pairs(map) do
      fields[name] = tostring(value)
    end
  end
  local parts = {}
  for name, value in pairs(fields) do
    parts[#parts + 1] = { name = name, value = value }
  end
  table.sort(parts, function(a, b)
    return a.name < b.name
  end)
  parts[#parts + 1] = { name = how.file, filename = "targets.txt", content_type = "text/plain",
    body = table.concat(lines, "\n") .. "\n" }
  return http.multipart(parts)
end

-- The cells of a line of CSV.
local function cells_of(line)
  local cells, at = {}, 1
  repeat
    local text, after = line:match('^"(.-)"()%f[,\0]', at)
    if not text then
      text, after = line:match("^([^,]*)()", at)
    end
    cells[#cells + 1] = text:gsub('""', '"')
    at = after + 1
  until line:sub(after, after) ~= ","
  return cells
end

-- The lines of each section, without the empty ones.
local function sections_of(text, n, what)
  local sections, current = {}, nil
  for line in (text .. "\n"):gmatch("(.-)\r?\n") do
    if line:find("^[#%s]*Input line") then
      current = {}
      sections[#sections + 1] = current
    elseif line:find("%S") and not current then
      errors.raise("protocol", ("%s: the answer to a list of targets is %s and not a result for "
        .. "each line: leave upload out, or name the form's controls"):format(what,
        door.looks_like(text)))
    elseif current and line:find("%S") then
      current[#current + 1] = line
    end
  end
  if #sections ~= n then
    errors.raise("integrity", ("%s: %d results came for %d targets; nothing of this answer is "
      .. "kept: leave upload out"):format(what, #sections, n))
  end
  return sections
end

-- Adds the rows of a section; gives their number.
local function add_rows(into, lines, i_target, what)
  local labels, types = cells_of(lines[1]), cells_of(lines[2] or "")
  for k in ipairs(labels) do
    if not words[types[k]] or #types ~= #labels then
      errors.raise("protocol", ("%s: target %d: %s is no table: leave upload out"):format(what,
        i_target, door.looks_like(lines[1])))
    end
  end
  into.labels = into.labels or labels
  if table.concat(labels, ",") ~= table.concat(into.labels, ",") then
    errors.raise("integrity", ("%s: target %d has other columns than those before"):format(what,
      i_target))
  end
  for k = 3, #lines do
    local cells, row = cells_of(lines[k]), { input_row = i_target }
    if #cells ~= #labels then
      errors.raise("integrity", ("%s: target %d, line %d has %d cells, the header %d; a comma is "
        .. "not quoted: leave upload out"):format(what, i_target, k, #cells, #labels))
    end
    for column, cell in ipairs(cells) do
      row[labels[column]] = cell ~= "" and cell or nil
    end
    into.rows[#into.rows + 1] = row
  end
  return #lines - 2
end

--- Reads an answer.
-- @tparam table into { rows = {} }: gets `labels` and rows { [label] = text, input_row = number }
-- @tparam string text
-- @tparam integer first number of the first target
-- @tparam integer n targets
-- @tparam string what for messages
-- @treturn table by target: its number of rows, or the form's words for a target it does not know
function M.read(into, text, first, n, what)
  local found = {}
  for i, lines in ipairs(sections_of(text, n, what)) do
    local start = (lines[1] or ""):lower()
    if start:find("not resolved", 1, true) then
      found[i] = lines[1]
    elseif #lines == 0 or start:find("no rows found", 1, true) then
      found[i] = 0
    else
      found[i] = add_rows(into, lines, first + i - 1, what)
    end
  end
  return found
end

--- The text that the form answers, and its cost.
function M.ask(url, arguments, lines, how, what)
  local body, content_type = M.body(arguments, lines, how)
  local reply = door.reply(what, { method = "POST", url = url, body = body,
    headers = { ["Content-Type"] = content_type }, max_bytes = answer_bytes })
  return reply.body, { requests = 1, bytes = #reply.body }
end

return M
