-- SPDX-License-Identifier: BSD-3-Clause
-- How answers of the portal API are worded (mashup-api section 4): frames around rows in the four
-- formats, states, failures, small tables, histograms without rows.
local columns = require "practice.columns"
local json = require "practice.json"

local M = {}

M.CONTENT = {
  json = "text/javascript; charset=utf-8", extjs = "text/javascript; charset=utf-8",
  csv = "text/csv; charset=utf-8", votable = "text/xml; charset=utf-8",
}

function M.body(text, content_type, status)
  return { outcome = "body", body = text, content_type = content_type or M.CONTENT.json,
    status = status or 200 }
end

function M.failure(format, text)
  if format == "csv" or format == "votable" then
    return M.body(text, "text/plain", 500)
  end
  return M.body(json.encode({ status = "ERROR", msg = text }))
end

function M.executing(format)
  if format == "csv" or format == "votable" then
    return M.body("{}", M.CONTENT[format])
  end
  return M.body('{"status":"EXECUTING","msg":"","percent complete":0.5}')
end

function M.paging_of(state, total, first, n)
  local size, page = state.pagesize or total, state.page or 1
  local p = { page = page, pageSize = size, pagesFiltered = size > 0 and -(-total // size) or 0,
    rows = n, rowsFiltered = total, rowsTotal = total, first = first }
  if total == 0 then
    p = { page = 0, pageSize = 0, pagesFiltered = 0, rows = 0, rowsFiltered = 0, rowsTotal = 0 }
  end
  return ('{"page":%d,"pageSize":%d,"pagesFiltered":%d,"rows":%d,"rowsFiltered":%d,"rowsTotal":%d}')
    :format(p.page, p.pageSize, p.pagesFiltered, p.rows, p.rowsFiltered, p.rowsTotal)
end

local frame = {}
M.frame = frame

function frame.json(list, paging)
  local fields = {}
  for i, c in ipairs(list) do
    fields[i] = ('{"name":"%s","type":"%s"}'):format(c.name, c.type)
  end
  local tail = { '],"fields":[', table.concat(fields, ","), "]" }
  if paging then
    tail[#tail + 1] = ',"paging":' .. paging
  end
  return '{"status":"COMPLETE","msg":"","data":[', table.concat(tail) .. "}"
end

local function extended(c)
  return json.encode({ ["vot.datatype"] = columns.datatype(c), ["vot.name"] = c.name,
    ["vot.unit"] = c.unit ~= "" and c.unit or nil, ["vot.ucd"] = c.ucd ~= "" and c.ucd or nil,
    ["vot.description"] = c.description, ["cc.text"] = c.name })
end

function frame.extjs(list, paging)
  local heads, fields = {}, {}
  for i, c in ipairs(list) do
    heads[i] = ('{"text":"%s","dataIndex":"%s","ExtendedProperties":%s}')
      :format(c.name, c.name, extended(c))
    fields[i] = ('{"name":"%s","type":"%s"}'):format(c.name, c.type)
  end
  local head = '{\n  "status" : "COMPLETE",\n  "msg" : "",\n  "data" : { "name":"NewDataSet",\n'
    .. '"Tables":[{ "name":"Table",\n"ExtendedProperties":{' .. (paging and '"Paging":' .. paging
    or "") .. '},\n"Columns":[' .. table.concat(heads, ",\n") .. '],\n"Fields":['
    .. table.concat(fields, ",") .. '],\n"Rows":['
  return head, ']\n}],\n"ExtendedProperties":{}}}'
end

function frame.csv(list)
  local names = {}
  for i, c in ipairs(list) do
    names[i] = c.name
  end
  return table.concat(names, ",") .. "\n", ""
end

local function attribute(name, v)
  local escaped = v:gsub('[&<>"]', { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;",
    ['"'] = "&quot;" })
  return v ~= "" and (' %s="%s"'):format(name, escaped) or ""
end

function frame.votable(list)
  local out = { '<?xml version="1.0" encoding="UTF-8"?>\n<VOTABLE version="1.3"'
    .. ' xmlns="http://www.ivoa.net/xml/VOTable/v1.3">\n<RESOURCE type="results">\n'
    .. '<INFO name="QUERY_STATUS" value="OK"/>\n<TABLE>\n' }
  for _, c in ipairs(list) do
    local datatype = columns.datatype(c)
    out[#out + 1] = "<FIELD" .. attribute("ID", c.name) .. attribute("name", c.name)
      .. attribute("datatype", datatype) .. (datatype == "char" and ' arraysize="*"' or "")
      .. attribute("unit", c.unit) .. attribute("ucd", c.ucd) .. "/>\n"
  end
  out[#out + 1] = "<DATA><TABLEDATA>\n"
  return table.concat(out), "</TABLEDATA></DATA>\n</TABLE>\n</RESOURCE>\n</VOTABLE>\n"
end

function M.small_table(format, name, kind, values, raw)
  local list = { { name = name, type = kind, unit = "", ucd = "", description = "" } }
  local paging = M.paging_of({}, #values, 0, #values)
  local head, tail = frame[format](list, paging)
  local rows = {}
  for i, v in ipairs(values) do
    local text = raw and tostring(v) or json.encode(v)
    rows[i] = format == "json" and ('{"%s":%s}'):format(name, text)
      or format == "extjs" and "[" .. text .. "]"
      or format == "csv" and tostring(v) .. "\n"
      or "<TR><TD>" .. tostring(v) .. "</TD></TR>\n"
  end
  local comma = (format == "json" or format == "extjs") and "," or ""
  return M.body(head .. table.concat(rows, comma) .. tail, M.CONTENT[format])
end

function M.extjs_without_rows(heads, properties)
  return M.body('{"status":"COMPLETE","msg":"","data":{"name":"NewDataSet",'
    .. '"Tables":[{"name":"Table","ExtendedProperties":' .. properties .. ',"Columns":[' .. heads
    .. '],"Fields":[],"Rows":[]}],"ExtendedProperties":{}}}')
end

M.ZERO_PAGING =
  '"Paging":{"page":0,"pageSize":0,"pagesFiltered":0,"rows":0,"rowsFiltered":0,"rowsTotal":0}'

return M
