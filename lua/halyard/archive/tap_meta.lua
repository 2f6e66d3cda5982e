-- SPDX-License-Identifier: BSD-3-Clause
-- What a TAP service says about itself, asked once a run: limits and abilities (TAPRegExt 1.0),
-- tables and columns (TAP_SCHEMA, else the VOSI document). Section 7 of the VO specification.

local adql = require("halyard.archive.adql")
local door = require("halyard.archive.door")
local errors = require("halyard.error")
local suggest = require("halyard.suggest")
local system = require("halyard.core.system")
local xml = require("halyard.xml")

local M = {}

local known = {} -- URL of the service -> { capabilities, tables, columns }

local function memory(url)
  known[url] = known[url] or { columns = {} }
  return known[url]
end

-- Capabilities ----------------------------------------------------------------------------------

local function limit(node, name)
  local element = node and xml.child(node, name)
  local out = {}
  for _, which in ipairs({ "default", "hard" }) do
    local child = element and xml.child(element, which)
    local n = child and math.tointeger(tonumber(child.text:match("%d+")))
    if n then
      out[which], out.unit = n, child.attributes.unit or out.unit
    end
  end
  return out
end

local function read_capabilities(root)
  local node
  for _, capability in ipairs(xml.all(root, "capability")) do
    if (capability.attributes.standardID or ""):lower():find("^ivo://ivoa.net/std/tap$") then
      node = capability
    end
  end
  if not node then
    return {}
  end
  local output, upload = limit(node, "outputLimit"), limit(node, "uploadLimit")
  local out = {
    rows_default = output.unit ~= "byte" and output.default or nil,
    rows_max = output.unit ~= "byte" and output.hard or nil,
    upload_max = upload.hard or upload.default, upload_unit = upload.unit,
    uploads = #xml.all(node, "uploadMethod") > 0, geometry = {},
    duration_default = limit(node, "executionDuration").default,
    duration_max = limit(node, "executionDuration").hard,
  }
  for _, format in ipairs(xml.all(node, "outputFormat")) do
    local mime = xml.text(format, "mime") or ""
    if mime:lower():gsub("%s", "") == "application/x-votable+xml;serialization=binary2" then
      out.binary = mime
    end
  end
  for _, language in ipairs(xml.all(node, "language")) do
    for _, features in ipairs(xml.all(language, "languageFeatures")) do
      local kind = (features.attributes.type or ""):lower():match("features%-(%w+)$")
      for _, feature in ipairs(xml.all(features, "feature")) do
        local name = (xml.text(feature, "form") or ""):upper():match("^%s*([%w_]+)") or ""
        out.geometry[name] = kind == "adqlgeo" or out.geometry[name]
        out.healpix = out.healpix or kind == "udf" and name == "IVO_HEALPIX_INDEX"
      end
    end
  end
  return out
end

--- Limits of the service; what it does not say is nil.
-- @treturn table rows_default, rows_max, upload_max, upload_unit ("row", "byte"), uploads, geometry
-- (set of functions in capitals), duration_default, duration_max (seconds), binary (the name of
-- VOTables in BINARY2, which are shorter), healpix (has the function ivo_healpix_index)
function M.capabilities(service)
  local here = memory(service.url)
  if not here.capabilities then
    local ok, reply = errors.try(door.reply, service.url, { url = service.url .. "/capabilities" })
    if not ok and (reply.code == "network" or reply.code == "timeout") then
      error(reply, 0)
    end
    ok, reply = errors.try(function()
      return read_capabilities(xml.parse(ok and reply.body or error(reply, 0), service.url))
    end)
    if not ok then
      system.log("warning", ("%s does not tell its limits: %s"):format(service.url,
        tostring(reply)))
    end
    here.capabilities = ok and reply or { geometry = {} }
    here.capabilities.geometry = here.capabilities.geometry or {}
  end
  return here.capabilities
end

-- Tables ----------------------------------------------------------------------------------------

local function lower_keys(rows)
  local by_name = {}
  for _, name in ipairs(rows.columns) do
    by_name[name:lower():gsub('"', "")] = name
  end
  return by_name
end

local function cell(rows, names, i, name)
  local value = names[name] and rows:get(i, names[name])
  return value ~= "" and value or nil
end

-- The VOSI document, for services whose TAP_SCHEMA does not answer.
local function tables_of_document(service)
  local root = xml.parse(door.reply(service.url, { url = service.url .. "/tables" }).body,
    service.url)
  local here, out = memory(service.url), {}
  for _, schema in ipairs(xml.all(root, "schema")) do
    for _, t in ipairs(xml.all(schema, "table")) do
      local name = xml.text(t, "name")
      if name then
        out[#out + 1] = { name = name, schema = xml.text(schema, "name"),
          type = t.attributes.type or "table", description = xml.text(t, "description") }
        local columns = {}
        for place, c in ipairs(xml.all(t, "column")) do
          local column_name = (xml.text(c, "name") or ""):gsub('^"(.*)"$', "%1")
          columns[column_name:lower()] = { name = column_name, place = place,
            type = xml.text(c, "dataType"), unit = xml.text(c, "unit"), ucd = xml.text(c, "ucd"),
            description = xml.text(c, "description") }
        end
        here.columns[name] = next(columns) and columns or nil
      end
    end
  end
  return out
end

local function tables_of_schema(service)
  local rows, answer, cost = service:rows("SELECT * FROM TAP_SCHEMA.tables", { overflow = "keep" })
  door.aside(rows, cost)
  if answer.overflow then
    system.log("warning", service.url .. " does not list all its tables")
  end
  local names, out = lower_keys(rows), {}
  for i = 1, #rows do
    out[i] = { name = cell(rows, names, i, "table_name"),
      schema = cell(rows, names, i, "schema_name"),
      type = cell(rows, names, i, "table_type"), description = cell(rows, names, i, "description") }
  end
  return out
end

local function refused(err)
  return err.code == "archive" or err.code == "not_found" or err.code == "protocol"
end

--- All tables: list of { name, schema, type, description }.
function M.tables(service)
  local here = memory(service.url)
  if not here.tables then
    local ok, got = errors.try(tables_of_schema, service)
    if not ok and not refused(got) then
      error(got, 0)
    end
    if not ok or #got == 0 then
      local found, document = errors.try(tables_of_document, service)
      if not found then
        error(ok and document or got, 0)
      end
      got = document
    end
    here.tables = got
  end
  return here.tables
end

--- The service's own spelling of a table's name; nil when it has no such table.
function M.table_name(service, name)
  local plain, short = name:gsub('"', ""):lower(), nil
  for _, t in ipairs(M.tables(service)) do
    local full = t.name:gsub('"', ""):lower()
    if full == plain then
      return t.name
    elseif full:match("([^.]*)$") == plain or full == plain:match("([^.]*)$") then
      short = short or t.name
    end
  end
  return short
end

local function columns_of_schema(service, name)
  local rows, _, cost = service:rows("SELECT * FROM TAP_SCHEMA.columns WHERE table_name = "
    .. adql.literal(name), {})
  door.aside(rows, cost)
  local names, out = lower_keys(rows), {}
  for i = 1, #rows do
    local column = (cell(rows, names, i, "column_name") or ""):gsub('^"(.*)"$', "%1")
    out[column:lower()] = { name = column, place = i, type = cell(rows, names, i, "datatype"),
      xtype = cell(rows, names, i, "xtype"), unit = cell(rows, names, i, "unit"),
      ucd = cell(rows, names, i, "ucd"), description = cell(rows, names, i, "description") }
  end
  return next(out) and out
end

--- Columns of a table: map from lower-case name to { name, place, type, xtype, unit, ucd,
-- description, indexed (said to be quick to select on) }; nil when the service does not list any.
-- @raise `not_found` with the nearest names
function M.columns(service, name)
  local spelt = M.table_name(service, name)
  if not spelt then
    local names = {}
    for i, t in ipairs(M.tables(service)) do
      names[i] = t.name
    end
    suggest.unknown("table of " .. service.url, name, names, "not_found")
  end
  local here = memory(service.url)
  if here.columns[spelt] == nil then
    local ok, got = errors.try(columns_of_schema, service, spelt)
    if not ok and not refused(got) then
      error(got, 0)
    end
    here.columns[spelt] = ok and got or false
  end
  return here.columns[spelt] or nil
end

-- Types -----------------------------------------------------------------------------------------

local numbers = {}
for word in ([[short int long float double unsignedbyte smallint integer bigint real numeric decimal
  tinyint number]]):gmatch("%S+") do
  numbers[word] = true
end

--- What criteria may ask of a column: "number", "text" or "time".
function M.kind(column)
  local plain = (column.type or ""):lower():gsub("^adql:", ""):match("^%a+") or ""
  if (column.xtype or ""):lower():find("timestamp") or plain:find("^timestamp") or plain == "date"
    or plain == "datetime" then
    return "time"
  end
  return numbers[plain] and "number" or "text"
end

return M
