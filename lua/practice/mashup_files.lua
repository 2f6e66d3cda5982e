-- SPDX-License-Identifier: BSD-3-Clause
-- Results that the portal writes to files (mashup-api sections 3 and 7.2): stored results of
-- questions, Mashup.Table.Exporter, Mashup.File.Download. A stored result is the question itself,
-- asked again when the file is fetched: the sky does not change.
local bundles = require "practice.bundles"
local faults = require "practice.faults"
local http = require "practice.http"
local json = require "practice.json"
local life = require "practice.mashup_life"
local sql = require "practice.sql"
local words = require "practice.mashup_words"

local M = {}

local suffixes = { vot = "votable", vo = "votable", xml = "votable", csv = "csv", json = "json",
  extjs = "extjs", votable = "votable" }

-- The type of a stored file: filetype, format, suffix of filename, extjs.
local function type_of(m)
  local function known(word)
    return type(word) == "string" and word ~= "" and (suffixes[word:lower()]
      or life.refuse(("Unknown  Format Type specified : %s"):format(word)))
  end
  return known(m.filetype) or known(m.format)
    or suffixes[tostring(m.filename):match("%.(%w+)$") or ""] or "extjs"
end

--- Is the result to be stored?
function M.wanted(m)
  return type(m.filename) == "string" and m.filename ~= ""
end

local function address(url)
  return words.body(json.encode({ status = "COMPLETE", msg = "", data = { url = url } }))
end

local function safe(name)
  return (name:gsub("[^%w._-]", "_"))
end

--- Stores the result of a question; the answer that says where.
-- @param serve function(request, text): answers the question as if it came now
function M.store(m, serve)
  local question = {}
  for key, value in pairs(m) do
    question[key] = value
  end
  question.filename, question.filetype, question.format = nil, nil, type_of(m)
  question.pagesize = faults.switch("stored-cap")
  question.page = question.pagesize and 1
  local text = json.encode(question)
  return address(bundles.stage(safe(m.filename), function(request)
    return (serve(request, text))
  end, text))
end

-- Uploaded tables -------------------------------------------------------------------------------

-- Names, datatypes and rows of an uploaded table, in either layout (4.2, 4.3).
local function uploaded(data)
  local first = type(data) == "table" and type(data.Tables) == "table" and data.Tables[1]
  local names, types, rows = {}, {}, {}
  local fields = first and first.Fields or type(data) == "table" and data.fields
  if type(fields) ~= "table" or #fields == 0 then
    life.refuse("data is not a table")
  end
  for i, field in ipairs(fields) do
    names[i] = tostring(field.name)
    types[i] = field.type == "float" and "double" or field.type == "int" and "long" or "char"
  end
  for i, row in ipairs(first and first.Rows or data.data or {}) do
    rows[i] = {}
    for k, name in ipairs(names) do
      local value = row[first and k or name]
      rows[i][k] = value == nil and json.null or value
    end
  end
  return names, types, rows
end

local function cell(value)
  return value == json.null and "" or tostring(value)
end

local function as_csv(names, _, rows)
  local out = {}
  local function line(cells)
    for k, text in ipairs(cells) do
      cells[k] = text:find('[",\r\n]') and '"' .. text:gsub('"', '""') .. '"' or text
    end
    out[#out + 1] = table.concat(cells, ",")
  end
  line(table.move(names, 1, #names, 1, {}))
  for _, row in ipairs(rows) do
    local cells = {}
    for k, value in ipairs(row) do
      cells[k] = cell(value)
    end
    line(cells)
  end
  return table.concat(out, "\n") .. "\n", words.CONTENT.csv
end

local function as_votable(names, types, rows)
  local columns, out = {}, {}
  for k, name in ipairs(names) do
    columns[k] = { name = name, type = types[k] }
  end
  for i, row in ipairs(rows) do
    local cells = {}
    for k, value in ipairs(row) do
      cells[k] = "<TD>" .. http.xml(cell(value)) .. "</TD>"
    end
    out[i] = "<TR>" .. table.concat(cells) .. "</TR>\n"
  end
  return '<?xml version="1.0"?>\n<VOTABLE version="1.3"><RESOURCE><TABLE>' .. sql.fields(columns)
    .. "<DATA><TABLEDATA>\n" .. table.concat(out)
    .. "</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>\n", words.CONTENT.votable
end

local writers = { csv = as_csv, votable = as_votable }

--- Mashup.Table.Exporter: `data`, `filename` and `filetype` of the request or its parameters.
function M.export(m, params, request)
  local function either(name)
    local value = m[name]
    return value ~= nil and value ~= json.null and value or params[name]
  end
  local name = safe(tostring(either("filename") or "table.csv"))
  local names, types, rows = uploaded(either("data"))
  local writer = writers[type_of({ filename = name, filetype = either("filetype") })]
    or life.refuse("the exporter writes csv and votable")
  local body, content_type = writer(names, types, rows)
  local path = bundles.stage(name, body, content_type)
  return address(("%s/portal/Mashup/Mashup.asmx/invoke?request=%s"):format(request.base,
    http.encode(json.encode({ service = "Mashup.File.Download", params = { file = path,
      filename = name, attachment = true } }))))
end

--- Mashup.File.Download: `file` as an address of the exporter names it.
function M.download(params, request)
  local answer = bundles.staged(tostring(params.file), request)
  if answer.status == 200 and life.is_true(params.attachment) then
    answer.headers = { ["Content-Disposition"] = ('attachment; filename="%s"'):format(
      safe(tostring(params.filename))) }
  end
  return answer
end

return M
