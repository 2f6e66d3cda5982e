-- SPDX-License-Identifier: BSD-3-Clause
-- What image and spectrum services share: answers whose columns are found by UCD or utype and get
-- one name whatever the service calls them, the services' own descriptions of their parameters,
-- refusals of cut answers.

local door = require("halyard.archive.door")
local errors = require("halyard.error")
local sky = require("halyard.core.sky")
local table_core = require("halyard.core.table")
local xml = require("halyard.xml")

local M = {}

-- "ssa:Access.Reference" and "Access.Reference" are the same utype.
local function plain_utype(text)
  return (text:match("([^:]*)$") or text):lower()
end

--- Finds the column of a role: first by UCD, then by utype, then by name.
-- @treturn string|nil its name
local function column_of(rows, role)
  for _, key in ipairs({ "ucd", "utype" }) do
    for _, name in ipairs(rows.columns) do
      local told = rows:column(name)[key]
      told = key == "utype" and plain_utype(told) or told:lower()
      for _, wanted in ipairs(role[key] or {}) do
        if told ~= "" and told == wanted:lower() then
          return name
        end
      end
    end
  end
  for _, wanted in ipairs(role.names or {}) do
    for _, name in ipairs(rows.columns) do
      if name:lower() == wanted then
        return name
      end
    end
  end
end

--- Rows under the names of the roles; a column of another meaning that has such a name gets "_2".
-- @tparam table roles list of { name, ucd, utype, names }
function M.named(rows, roles)
  local changes, taken = {}, {}
  for _, role in ipairs(roles) do
    local name = column_of(rows, role)
    if name and not taken[name] then
      taken[name] = true
      changes[name] = name ~= role.name and role.name or nil
    end
  end
  local targets = {}
  for _, to in pairs(changes) do
    targets[to] = true
  end
  for _, name in ipairs(rows.columns) do
    if targets[name] and not changes[name] then
      changes[name] = name .. "_2"
    end
  end
  return next(changes) and rows:rename(changes) or rows
end

--- Is there a column of that name?
function M.has(rows, name)
  for _, column in ipairs(rows.columns) do
    if column == name then
      return true
    end
  end
  return false
end

--- Asks a service. A cut answer is `truncated` with `remedy`.
-- @tparam string url
-- @tparam table arguments list of { name, value }
-- @treturn halyard.table
-- @treturn table cost
function M.ask(url, arguments, remedy)
  local ok, rows, _, cost = errors.try(door.fetch, url, {
    url = door.url(url, arguments), format = "votable", poll = false,
  })
  if not ok then
    local err = rows
    if err.code == "truncated" and remedy then
      errors.raise("truncated", err.message .. "; " .. remedy)
    end
    error(err, 0)
  end
  return rows, cost
end

local function inputs_of(node, out)
  for _, child in ipairs(node.children) do
    local name = child.name == "PARAM" and (child.attributes.name or ""):match("^INPUT:(.+)$")
    if name then
      local a = child.attributes
      out[#out + 1] = {
        name = name, type = a.datatype or "", unit = a.unit or "", default = a.value or "",
        description = xml.text(child, "DESCRIPTION") or "",
      }
    end
    inputs_of(child, out)
  end
  return out
end

--- What a service says that it can be asked (FORMAT=METADATA).
-- @treturn halyard.table name, type, unit, default, description
function M.parameters(url, arguments)
  local reply = door.reply(url, { url = door.url(url, arguments) })
  local list = inputs_of(xml.parse(reply.body, url), {})
  if #list == 0 then
    errors.raise("not_found", url .. ": the service does not describe its parameters")
  end
  return table_core.from_rows(list, { "name", "type", "unit", "default", "description" })
end

--- Rows whose s_ra, s_dec are within `radius` degrees of a place; those without a position stay
-- out.
function M.within(rows, ra, dec, radius)
  return rows:where(function(row)
    local a, d = rawget(row, "s_ra"), rawget(row, "s_dec")
    return a ~= nil and d ~= nil and sky.separation(ra, dec, a, d) <= radius
  end)
end

--- Numbers go out in degrees without exponents.
function M.plain(value)
  return (("%.10f"):format(value):gsub("0+$", ""):gsub("%.$", ""))
end

--- Notes an answer in the record of the run.
function M.noted(record, url, rows, cost, region)
  record:spent(cost)
  record.queries[#record.queries + 1] = {
    service = url, rows = #rows, requests = cost.requests, bytes = cost.bytes,
    region = region and tostring(region) or nil,
    verified = "not verified: the service has no count",
  }
end

--- Refuses what is no URL.
function M.check_url(url, what)
  if type(url) ~= "string" or not door.host(url) then
    errors.raise("usage", what .. " takes the URL of a service: http(s)://host/path")
  end
end

return M
