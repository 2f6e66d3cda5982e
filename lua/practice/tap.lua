-- SPDX-License-Identifier: BSD-3-Clause
-- TAP 1.1 as MAST serves it (mast-classic-vo section 5): one service for each word of the path,
-- queries at once (/sync) or as jobs (/async, practice.uws).
local adql = require "practice.adql"
local core = require "practice.core"
local documents = require "practice.tap_documents"
local faults = require "practice.faults"
local http = require "practice.http"
local json = require "practice.json"
local sql = require "practice.sql"
local tables = require "practice.tap_tables"
local uws = require "practice.uws"
local votable_binary = require "practice.votable_binary"

local root = "/vo-tap/api/v0.1/"
local cap = math.min(100000, core.row_cap)
local xml_type, votable_type = "text/xml", "application/x-votable+xml"

local function head(status, text)
  return '<?xml version="1.0" encoding="UTF-8"?>\n<VOTABLE version="1.4" '
    .. 'xmlns="http://www.ivoa.net/xml/VOTable/v1.3">\n<RESOURCE type="results">\n'
    .. ('<INFO name="QUERY_STATUS" value="%s">%s</INFO>\n'):format(status, http.xml(text or ""))
end

--- The document of an error (TAP 1.1 section 3.3).
local function failed(message, status)
  return http.answer(head("ERROR", message) .. "</RESOURCE>\n</VOTABLE>\n", votable_type,
    status or faults.switch("tap-dachs") and 200 or 400)
end

-- What is asked ---------------------------------------------------------------------------------

-- Short names and media types; MAST has the first three and xml.
local formats = { votable = "votable", xml = "votable", ["votable/td"] = "votable",
  ["application/x-votable+xml"] = "votable", ["text/xml"] = "votable",
  ["application/xml"] = "votable", csv = "csv", ["text/csv"] = "csv",
  json = "json", ["application/json"] = "json", tsv = "tsv",
  ["text/tab-separated-values"] = "tsv" }

-- MAST has no BINARY2, DaCHS has.
local function format_of(text)
  local plain = text:lower():gsub("%s", "")
  local base, rest = plain:match("^([^;]*);?(.*)$")
  local serialization = base:find("votable") and (rest:match("serialization=(%w+)")
    or base == "votable/b2" and "binary2") or "tabledata"
  if serialization == "binary2" and faults.switch("tap-dachs") then
    return serialization
  end
  return serialization == "tabledata" and formats[base] or nil
end

-- Uploads: { name = { columns, rows } }; nil, message.
local function uploads_of(request, given)
  local out = {}
  for _, entry in ipairs(given) do
    for item in entry:gmatch("[^;]+") do
      local name, part_name = item:match("^%s*([%a][%w_]*)%s*,%s*param:(.-)%s*$")
      if not name then
        return nil, ("UPLOAD %s: only NAME,param:PART is supported"):format(item)
      end
      local part
      for _, p in ipairs(request.parts) do
        part = p.name == part_name and p or part
      end
      if not part then
        return nil, ("UPLOAD %s: there is no part %s"):format(name, part_name)
      end
      local t, why = core.table(part.body, "votable")
      if not t then
        return nil, ("UPLOAD %s: %s"):format(name, why)
      elseif #t.rows > cap then
        return nil, ("UPLOAD %s: %d rows are more than the limit of %d"):format(name, #t.rows, cap)
      end
      out[name:lower()] = t
    end
  end
  return out
end

local upload_types = { bool = "int", uint8 = "short", int16 = "short", int32 = "int",
  int64 = "long", float32 = "float", float64 = "double" }

local function upload_columns(t)
  local out = {}
  for i, c in ipairs(t.columns) do
    out[i] = { name = c.name, type = upload_types[c.type] or "char",
      ucd = c.ucd ~= "" and c.ucd or nil, unit = c.unit ~= "" and c.unit or nil,
      xtype = c.xtype ~= "" and c.xtype or nil }
  end
  return out
end

-- The table that a path of names means, and the names it answers to.
local function finder(catalog, uploads)
  local all = documents.tables(catalog)
  return function(parts)
    local name = table.concat(parts, "."):lower()
    local upload = name:match("^tap_upload%.(.+)$")
    if upload and uploads[upload] then
      return { sql = "tap_upload_" .. upload, columns = upload_columns(uploads[upload]),
        upload = upload }, { name, upload }
    end
    for _, t in ipairs(all) do
      local full = t.name:lower()
      local short = full:match("([^.]*)$")
      if name == full or name == "dbo." .. full then
        return t, { full, short }
      end
    end
  end
end

-- A list of { name, value } as parameters: names in lower case, all uploads.
local function parameters_of(pairs_list)
  local out = { uploads = {} }
  for _, p in ipairs(pairs_list) do
    local name = p[1]:lower()
    if name == "upload" then
      table.insert(out.uploads, p[2])
    else
      out[name] = out[name] or p[2]
    end
  end
  return out
end

--- What the parameters ask, ready to run: { statement (sql, tables), columns, format, max }; nil,
-- message.
local function prepared(catalog, p, uploads, base)
  if p.request and p.request:lower() ~= "doquery" then
    return nil, ("REQUEST=%s is not supported"):format(p.request)
  elseif not p.lang or p.lang == "" then
    return nil, "Error in query lang: Field required"
  elseif not p.lang:upper():match("^ADQL$") and not p.lang:upper():match("^ADQL%-2%.[01]$") then
    return nil, ("Error in query lang: %s is not supported; use ADQL"):format(p.lang)
  elseif not p.query or not p.query:find("%S") then
    return nil, "Error in query query: Field required"
  end
  local wanted = p.responseformat or p.format or "votable"
  local format = format_of(wanted)
  if not format then
    return nil, ("Error in query format: %s is not supported"):format(wanted)
  end
  local max = p.maxrec and p.maxrec ~= "" and math.tointeger(tonumber(p.maxrec))
    or (not p.maxrec or p.maxrec == "") and cap
  if not max or max < 0 then
    return nil, ("Error in query maxrec: %s is not a count"):format(p.maxrec)
  end
  local out, why = adql.translate(p.query, finder(catalog, uploads))
  if not out then
    return nil, why
  end
  local given = {}
  for _, t in ipairs(documents.tables(catalog)) do
    if t.schema and out.used[t.sql] then
      given[t.sql] = documents.schema_rows(catalog, t)
    elseif t.rows_at and out.used[t.sql] then
      given[t.sql] = { columns = t.columns, rows = t.rows_at(base) }
    end
  end
  for name, t in pairs(uploads) do
    given["tap_upload_" .. name] = { columns = upload_columns(t), rows = t.rows }
  end
  return { sql = out.sql, tables = given, columns = out.columns, format = format,
    max = math.min(max, cap), query = p.query }
end

-- What is answered ------------------------------------------------------------------------------

local function fields(columns)
  local out = {}
  for i, c in ipairs(columns) do
    local attributes = { ('<FIELD name="%s" datatype="%s"'):format(http.xml(c.name), c.type) }
    if c.type == "char" then
      attributes[#attributes + 1] = ' arraysize="*"'
    end
    for _, key in ipairs({ "unit", "ucd", "utype", "xtype" }) do
      if c[key] then
        attributes[#attributes + 1] = (' %s="%s"'):format(key, http.xml(c[key]))
      end
    end
    out[i] = table.concat(attributes) .. (c.description and "><DESCRIPTION>"
      .. http.xml(c.description) .. "</DESCRIPTION></FIELD>\n" or "/>\n")
  end
  return table.concat(out)
end

local function names(columns, separator, quote)
  local out = {}
  for i, c in ipairs(columns) do
    out[i] = quote(c.name)
  end
  return table.concat(out, separator)
end

local frames = {}

function frames.votable(q)
  local close = "</TABLEDATA></DATA>\n</TABLE>\n%s</RESOURCE>\n</VOTABLE>\n"
  return { layout = "votable", content_type = votable_type, tail = close:format(""),
    tail_over = close:format('<INFO name="QUERY_STATUS" value="OVERFLOW"/>\n'),
    body = ('%s<INFO name="QUERY" value="%s"/>\n<TABLE>\n%s<DATA><TABLEDATA>\n'):format(head("OK"),
      http.xml(q.query), fields(q.columns)) }
end

function frames.csv(q)
  return { layout = "csv", content_type = "text/csv;header=present", tail = "",
    body = names(q.columns, ",", function(name)
      return name:find('[,"]') and '"' .. name:gsub('"', '""') .. '"' or name
    end) .. "\n" }
end

function frames.tsv(q)
  return { layout = "tsv", content_type = "text/tab-separated-values", tail = "",
    body = names(q.columns, "\t", function(name)
      return name
    end) .. "\n" }
end

function frames.json(q)
  return { layout = "extjs", content_type = "application/json", tail = "]}\n",
    body = ('{"info":[%s],"data":['):format(names(q.columns, ",", function(name)
      return json.encode({ name = name })
    end)) }
end

-- BINARY2 is made in memory, not streamed.
local function binary_answer(q)
  local silent = faults.switch("silent-cap")
  local rows, why, more = sql.query(q.sql, nil, { max = math.min(q.max, silent or q.max),
    tables = q.tables, seconds = 60 })
  more = more and not silent
  if not rows then
    return failed(why)
  end
  return http.answer(('%s<INFO name="QUERY" value="%s"/>\n<TABLE>\n%s<DATA><BINARY2><STREAM '
    .. 'encoding="base64">\n%s\n</STREAM></BINARY2></DATA>\n</TABLE>\n%s</RESOURCE>\n</VOTABLE>\n')
    :format(head("OK"), http.xml(q.query), fields(q.columns),
      votable_binary.stream(q.columns, rows), (more or q.max == 0)
        and '<INFO name="QUERY_STATUS" value="OVERFLOW"/>\n' or ""), votable_type)
end

--- The rows of a prepared query as an answer.
local function rows_answer(q)
  if q.format == "binary2" then
    return binary_answer(q)
  end
  local answer = frames[q.format](q)
  if q.max == 0 then
    return http.answer(answer.body .. (answer.tail_over or answer.tail), answer.content_type)
  end
  answer.outcome, answer.sql, answer.tables, answer.max_rows = "sql", q.sql, q.tables, q.max
  answer.tail_over = answer.tail_over or answer.tail
  answer.failed = failed
  answer.seconds = 60
  return answer
end

-- Resources -------------------------------------------------------------------------------------

local function all_parameters(request)
  local list = table.move(request.arguments, 1, #request.arguments, 1, {})
  return table.move(request.form, 1, #request.form, #list + 1, list)
end

local sync = faults.data(function(request)
  if request.method ~= "GET" and request.method ~= "POST" and request.method ~= "HEAD" then
    return failed("method not allowed", 405)
  end
  local p = parameters_of(all_parameters(request))
  request.record.service, request.record.request = request.catalog.word, p.query
  local uploads, why = uploads_of(request, p.uploads)
  if not uploads then
    return failed(why)
  end
  local q
  q, why = prepared(request.catalog, p, uploads, request.base)
  return q and rows_answer(q) or failed(why)
end, function(message)
  return failed(message, 500)
end)

local service = uws.service({
  parameters = all_parameters, uploads = function(request, list)
    return uploads_of(request, parameters_of(list).uploads)
  end,
  prepare = function(job)
    return prepared(job.catalog, parameters_of(job.parameters), job.uploads, job.base)
  end,
  result = faults.data(function(request)
    return rows_answer(request.job.prepared)
  end, function(message)
    return failed(message, 500)
  end),
  failed = failed, duration_default = documents.duration_default,
  duration_max = documents.duration_max,
})

local function base_of(request)
  return request.base .. root .. request.catalog.word
end

local function missing(what)
  return failed(what .. " is not here", 404)
end

local resources = { sync = sync, async = service }

-- Where the switch puts jobs.
function resources.__system__(request)
  request.below = request.below:match("^run/?(.*)$") or ""
  return service(request)
end

function resources.capabilities(request)
  return http.answer(documents.capabilities(request.catalog, base_of(request), cap,
    faults.switch("tap-dachs")), xml_type)
end

function resources.availability()
  return http.answer(documents.availability(), xml_type)
end

function resources.examples(request)
  return http.answer(documents.examples(request.catalog), "application/xhtml+xml")
end

function resources.tables(request)
  local brief = http.parameters(request).detail == "min"
  local name = request.below ~= "" and http.decode(request.below) or nil
  local text = documents.tableset(request.catalog, name, brief)
  return text and http.answer(text, xml_type) or missing("table " .. name)
end

local function tap(request)
  local word, resource, below = request.rest:match("^([^/]+)/?([^/]*)/?(.*)$")
  request.catalog, request.below = word and tables.of(word), below
  if not request.catalog then
    return missing("the service " .. tostring(word))
  elseif not resources[resource] then
    return missing("the resource " .. resource)
  end
  request.job_list = base_of(request) .. "/async"
  request.job_base = faults.switch("tap-dachs") and base_of(request) .. "/__system__/run"
    or request.job_list
  return resources[resource](request)
end

local function listing(request)
  local parts = { "<html><head><title>TAP services</title></head><body><ul>\n" }
  for i, word in ipairs(tables.words()) do
    parts[i + 1] = ('<li><a href="%s%s%s">%s</a></li>\n'):format(request.base, root, word, word)
  end
  return http.answer(table.concat(parts) .. "</ul></body></html>\n", "text/html")
end

return { routes = { [root] = tap, ["/vo-tap"] = listing } }
