-- SPDX-License-Identifier: BSD-3-Clause
-- Services that a document describes beside its rows (DataLink 1.1 section 4; section 10 of the VO
-- specification): what they are, what they take, and the addresses at which rows meet them. Asks
-- nothing.

local door = require("halyard.archive.door")
local errors = require("halyard.error")
local suggest = require("halyard.suggest")
local table_core = require("halyard.core.table")
local xml = require("halyard.xml")

local M = {}

local methods = {}
local service_type = { __index = methods, __name = "halyard.service" }
service_type.__tostring = function(self)
  return ("service %s (%s)"):format(self.access_url, self.standard_id)
end

local input_columns = { "name", "type", "unit", "ucd", "value", "column", "min", "max", "options",
  "description" }

-- Nodes of that name below a node, at any depth, in order.
local function below(node, name, out)
  out = out or {}
  for _, child in ipairs(node.children) do
    out[#out + 1] = child.name == name and child or nil
    below(child, name, out)
  end
  return out
end

-- The names of columns by the IDs of their FIELDs.
local function names_by_id(document)
  local out = {}
  for _, field in ipairs(below(document, "FIELD")) do
    local a = field.attributes
    out[a.ID or a.name or ""] = a.name
  end
  return out
end

local function input_of(param, columns, url)
  local a, values = param.attributes, xml.child(param, "VALUES")
  local column = a.ref and columns[a.ref]
  if a.ref and not column then
    errors.raise("protocol", ("%s: the input %s refers to a column %s, which is not there"):format(
      url, tostring(a.name), a.ref))
  end
  local options = {}
  for _, option in ipairs(values and xml.all(values, "OPTION") or {}) do
    options[#options + 1] = option.attributes.value
  end
  local function border(name)
    local node = values and xml.child(values, name)
    return node and node.attributes.value
  end
  return {
    name = a.name or "", type = a.datatype or "", unit = a.unit or "", ucd = a.ucd or "",
    value = not a.ref and a.value ~= "" and a.value or nil, column = column, min = border("MIN"),
    max = border("MAX"), options = #options > 0 and options or nil,
    description = xml.text(param, "DESCRIPTION") or "",
  }
end

local function service_of(resource, columns, rows, url)
  local service = { id = resource.attributes.ID, document = url, list = {}, rows = rows,
    description = xml.text(resource, "DESCRIPTION") or "", standard_id = "" }
  for _, param in ipairs(xml.all(resource, "PARAM")) do
    local a = param.attributes
    local key = ({ accessurl = "access_url", standardid = "standard_id",
      resourceidentifier = "resource_id" })[(a.name or ""):lower()]
    if key then
      service[key] = a.value
    end
  end
  for _, group in ipairs(xml.all(resource, "GROUP")) do
    for _, param in ipairs(group.attributes.name == "inputParams" and xml.all(group, "PARAM")
      or {}) do
      service.list[#service.list + 1] = input_of(param, columns, url)
    end
  end
  if not service.access_url or not door.host(service.access_url) then
    errors.raise("protocol", ("%s: the service %s has no address"):format(url,
      service.id or "without an ID"))
  end
  return setmetatable(service, service_type)
end

--- The services that a document describes.
-- @tparam string body the document
-- @tparam halyard.table rows its rows
-- @tparam string url where it is from
-- @treturn list of services: id, access_url, standard_id, resource_id, description; rows: those
-- that lead to it (service_def); inputs, addresses
function M.services(body, rows, url)
  local document, out = xml.parse(body, url), {}
  local columns = names_by_id(document)
  for _, resource in ipairs(below(document, "RESOURCE")) do
    local a = resource.attributes
    if a.type == "meta" and (a.utype or ""):lower() == "adhoc:service" then
      out[#out + 1] = service_of(resource, columns, rows:where(function(row)
        return a.ID ~= nil and rawget(row, "service_def") == a.ID
      end), url)
    end
  end
  return out
end

--- What the service takes: `value` is fixed, `column` names the column of the rows that gives it.
-- @treturn halyard.table name, type, unit, ucd, value, column, min, max, options, description
function methods:inputs()
  local rows = {}
  for i, input in ipairs(self.list) do
    rows[i] = {}
    for key, value in pairs(input) do
      rows[i][key] = value
    end
    rows[i].options = input.options and table.concat(input.options, " ")
  end
  return table_core.from_rows(rows, input_columns)
end

-- The input of that name; `usage` with the nearest names.
local function input_named(self, name)
  local names = {}
  for i, input in ipairs(self.list) do
    if input.name:lower() == tostring(name):lower() then
      return input
    end
    names[i] = input.name
  end
  suggest.unknown("input of " .. tostring(self), tostring(name), names)
end

--- Does the service take an input of that name?
function methods:takes(name)
  for _, input in ipairs(self.list) do
    if input.name:lower() == name:lower() then
      return true
    end
  end
  return false
end

local function checked(input, value)
  local text = type(value) == "number" and ("%.17g"):format(value) or value
  if type(text) ~= "string" then
    errors.raise("usage", ("%s is a text or a number"):format(input.name))
  end
  local known = not input.options
  for _, option in ipairs(input.options or {}) do
    known = known or option == text
  end
  if not known then
    suggest.unknown("value of " .. input.name, text, input.options)
  end
  return text
end

--- The addresses at which the rows that lead to the service get its answer, for
-- `retrieve.products`.
-- @tparam[opt] table values input (any case) -> text, number, or a list of them
-- @treturn halyard.table ID, access_url, content_type, one row for each
-- @raise `usage` for an input that the service does not take, a value that is none of its options
-- @usage retrieve.products(links:services()[1]:addresses { KIND = "FLUX" }, { dir = "files" })
function methods:addresses(values)
  local given = {}
  for name, value in pairs(values or {}) do
    local input, list = input_named(self, name), {}
    for i, each in ipairs(type(value) == "table" and value or { value }) do
      list[i] = checked(input, each)
    end
    given[input] = list
  end
  local out = {}
  for i, row in self.rows:rows() do
    local arguments = {}
    for _, input in ipairs(self.list) do
      local value = given[input] or input.value or input.column and rawget(row, input.column)
      if value then
        arguments[#arguments + 1] = { input.name, value }
      end
    end
    out[i] = { ID = rawget(row, "ID"), access_url = door.url(self.access_url, arguments),
      content_type = rawget(row, "content_type") }
  end
  return table_core.from_rows(out, { "ID", "access_url", "content_type" })
end

return M
