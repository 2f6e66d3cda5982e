-- SPDX-License-Identifier: BSD-3-Clause
-- Results that the portal writes to files: of a question (`filename` of a request, section 3 of the
-- protocol specification), of an uploaded table (Mashup.Table.Exporter, 7.2). The answer is an
-- address; what is there is downloaded and, where its rows can be read, counted.

local door = require("halyard.archive.door")
local download = require("halyard.core.download")
local errors = require("halyard.error")
local json = require("halyard.json")
local mashup = require("halyard.archive.mashup")
local report = require("halyard.report")
local suggest = require("halyard.suggest")
local table_core = require("halyard.core.table")

local M = {}

local exported_rows = 100000 -- in one question, held in memory
local null = json.decode("null")

-- The portal's types of files; which of them Halyard reads.
local types = { "csv", "votable", "json", "extjs", "xml", "html", "xls" }
local readable = { csv = "csv", votable = "votable" }
local endings = { vot = "votable", vo = "votable" }

-- The type of a file: the option, or what its name ends in.
local function filetype_of(options, what)
  if type(options.into) ~= "string" or options.into == "" then
    errors.raise("usage", what .. ": into is the name of a file below the output folder")
  end
  local ending = options.into:match("%.(%w+)$") or ""
  local wanted = options.filetype or endings[ending:lower()] or ending:lower()
  for _, known in ipairs(types) do
    if known == wanted then
      return wanted
    end
  end
  suggest.unknown("file type of " .. what, tostring(wanted), types)
end

-- The address in an answer: of another host only if the workflow declares it.
local function address_of(answer, what)
  local data = type(answer) == "table" and answer.data
  local url = type(data) == "table" and data.url or type(answer) == "table" and answer.url
  local base = door.base("mashup")
  if type(url) == "string" and url:sub(1, 1) == "/" then
    url = base .. url
  elseif type(url) ~= "string" or not door.host(url) then
    errors.raise("protocol", what .. ": the answer names no file")
  end
  local host = door.host(url)
  door.begin(host == door.host(base) and "mast" or host, url)
  return url
end

-- Downloads a stored result; compares its rows with `wanted` where the type is one that is read.
local function fetched(url, options, filetype, wanted, what)
  local record, file = report.current(), options.into
  local path = record:path(file)
  local ok, got = errors.try(download.file, { url = url, dir = path:sub(1, #path - #file - 1),
    path = file, replace = options.replace, auth = "mast" })
  if not ok then
    error(door.note(got, what), 0)
  end
  record:downloaded(got.bytes)
  local entry = { file = file, path = path, bytes = got.bytes, sha256 = got.sha256, ok = true,
    rows = wanted, verified = wanted and ("not verified: %s is not read"):format(filetype)
      or "not verified: the service has no count" }
  if readable[filetype] and wanted then
    local n = #table_core.read({ file, "" }, readable[filetype])
    if n ~= wanted then
      errors.raise("integrity", ("%s: %s holds %d rows, the archive has %d; remove it and run "
        .. "again"):format(what, path, n, wanted))
    end
    entry.verified = "equal to the archive's count"
  end
  record.queries[#record.queries + 1] = { service = what, rows = wanted, requests = 1,
    bytes = got.bytes, verified = entry.verified, file = file }
  return entry
end

local function noted(record, what)
  record.notes[#record.notes + 1] = what .. " would be asked for a file"
  return {}
end

--- The result of a service of the portal as a file that the portal writes.
-- @tparam string name as for `mast.service`
-- @tparam table params as the service takes them
-- @tparam table options `into` (file below the output folder), `filetype` ("csv", "votable",
-- "json", "extjs", "xml", "html", "xls"; default: what `into` ends in), `data` (an uploaded table),
-- `replace` (true: overwrite)
-- @treturn table file, path, bytes, sha256, rows, verified
-- @raise `archive` in the service's words, `integrity` when the file lacks rows
-- @usage mast.store("Mast.Caom.Cone", { ra = 10, dec = 41, radius = 0.1 }, { into = "m31.csv" })
function M.store(name, params, options)
  options = options or {}
  suggest.check_keys(options, { "into", "filetype", "data", "replace" }, "mast.store")
  if type(name) ~= "string" or type(params) ~= "table" then
    errors.raise("usage", "mast.store takes the name of a service, its parameters and options")
  end
  local filetype = filetype_of(options, "mast.store")
  local record = door.begin("mast", door.base("mashup"))
  if record.dry then
    return noted(record, name)
  end
  local how = { page = 1, pagesize = 1, breaker = mashup.breaker(), data = options.data }
  local _, answer, cost = mashup.ask(name, params, how)
  record:spent(cost)
  local stored = mashup.document(name, params, { breaker = how.breaker, data = options.data,
    filename = options.into:match("[^/]+$"), filetype = filetype })
  return fetched(address_of(stored, name), options, filetype, answer.rows_total, name)
end

-- The portal's words for types of columns (4.4).
local kinds = { int64 = "int", int32 = "int", int16 = "int", uint8 = "int", int8 = "int",
  float64 = "float", float32 = "float", bool = "boolean" }

-- A table in the portal's own layout (4.3).
local function extjs_of(rows)
  local columns, fields, names = {}, {}, rows.columns
  for i, name in ipairs(names) do
    local field = rows:field(name)
    columns[i] = { text = name, dataIndex = name, ExtendedProperties = { ["vot.name"] = name,
      ["vot.unit"] = field.unit, ["vot.ucd"] = field.ucd } }
    fields[i] = { name = name, type = kinds[field.type] or "string",
      serverType = field.type == "int64" and "long" or nil }
  end
  local cells = {}
  for i, row in rows:rows() do
    cells[i] = {}
    for k, name in ipairs(names) do
      local value = rawget(row, name)
      cells[i][k] = value == nil and null or value
    end
  end
  return { name = "NewDataSet", Tables = json.array({ { name = "Table",
    Columns = json.array(columns), Fields = json.array(fields), Rows = json.array(cells) } }) }
end

--- A table as a file that the portal writes.
-- @tparam halyard.table rows at most 100,000
-- @tparam table options `into`, `filetype`, `replace` as for `mast.store`
-- @treturn table file, path, bytes, sha256, rows, verified
-- @usage mast.export(rows, { into = "list.xls" })
function M.export(rows, options)
  options = options or {}
  suggest.check_keys(options, { "into", "filetype", "replace" }, "mast.export")
  if type(rows) ~= "userdata" or #rows == 0 then
    errors.raise("usage", "mast.export takes a table with rows (of a query: result.table)")
  elseif #rows > exported_rows then
    errors.raise("budget", ("mast.export takes at most %d rows: t:write writes any number")
      :format(exported_rows))
  end
  local what, filetype = "Mashup.Table.Exporter", filetype_of(options, "mast.export")
  local record = door.begin("mast", door.base("mashup"))
  if record.dry then
    return noted(record, what)
  end
  local name = options.into:match("[^/]+$")
  local stored = mashup.document(what, { filename = name, filetype = filetype }, {
    breaker = mashup.breaker(), data = extjs_of(rows), filename = name, filetype = filetype })
  return fetched(address_of(stored, what), options, filetype, #rows, what)
end

return M
