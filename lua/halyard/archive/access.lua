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
-- @tparam[opt] string remedy
-- @tparam[opt] integer body_max
-- @treturn halyard.table
-- @treturn table cost
-- @treturn string|nil the document, when it has at most `body_max` bytes
function M.ask(url, arguments, remedy, body_max)
  local ok, rows, answer, cost = errors.try(door.fetch, url, {
    url = door.url(url, arguments), format = "votable", poll = false, body_max = body_max,
  })
  if not ok then
    local err = rows
    if err.code == "truncated" and remedy then
      errors.raise("truncated", err.message .. "; " .. remedy)
    end
    error(err, 0)
  end
  return rows, cost, answer.body
end

-- A number of rows that looks like a limit.
local function is_round(n)
  local thousands = n >= 1000
  if n >= 1024 and n & (n - 1) == 0 then
    return true
  end
  while n >= 10 and n % 10 == 0 do
    n = n // 10
  end
  return thousands and (n == 1 or n == 2 or n == 5)
end

-- Does the service say that it cut an answer to the same question for one row?
local function tells_cuts(url, arguments, cost)
  local one = { { "MAXREC", 1 } }
  for _, pair in ipairs(arguments) do
    one[#one + 1] = pair[1] ~= "MAXREC" and pair or nil
  end
  door.add_cost(cost, { requests = 1, bytes = 0 })
  local ok, err = errors.try(M.ask, url, one)
  if not ok and err.code ~= "truncated" then
    error(err, 0)
  end
  return not ok
end

--- As `ask`, for questions that cannot be asked in parts. Not every service says that it cut an
-- answer: one with as many rows as the service's limit is `truncated`; so is one with as many as
-- were asked for or, where the limit is not known, a round number of rows, unless the same question
-- for one row shows that this service does say it.
-- @tparam table service url; limit: rows that one answer may hold, nil: not known; maker: the
-- function that takes the limit
-- @tparam table arguments
-- @tparam[opt] integer maxrec what the arguments ask for
-- @tparam string remedy
function M.ask_whole(service, arguments, maxrec, remedy)
  local rows, cost = M.ask(service.url, arguments, remedy)
  local n, limit, why = #rows, service.limit, nil
  if limit and n >= limit then
    why = "as many as one answer holds"
  elseif n == maxrec or not limit and is_round(n) then
    why = (n == 1 or not tells_cuts(service.url, arguments, cost))
      and (n == maxrec and "as many as asked for" or "a usual limit")
  end
  if why then
    errors.raise("truncated", ("%s: %d rows came, %s, and the service does not tell when it cuts "
      .. "an answer; %s%s"):format(service.url, n, why, remedy, why == "a usual limit"
      and (", or say how many rows one answer may hold, %s(url, { limit = n })")
        :format(service.maker) or ""))
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

--- "CIRCLE ra dec radius".
function M.circle(ra, dec, radius)
  return ("CIRCLE %s %s %s"):format(M.plain(ra), M.plain(dec), M.plain(radius))
end

--- POS of a circle, box or polygon (SIA 2.0 section 2.1.1).
function M.pos(region, what)
  local text = tostring(region)
  if region:is_circle() then
    return M.circle(region:cone())
  elseif text:find("^RANGE ") or text:find("^POLYGON ") then
    return text
  end
  errors.raise("usage", what .. " takes a circle, a box or a polygon")
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

--- Refuses what is no limit.
function M.check_limit(limit, what)
  if limit ~= nil and (math.type(limit) ~= "integer" or limit < 1) then
    errors.raise("usage", what .. ": limit is a whole number of rows from 1 on")
  end
end

--- Refuses what is no URL.
function M.check_url(url, what)
  if type(url) ~= "string" or not door.host(url) then
    errors.raise("usage", what .. " takes the URL of a service: http(s)://host/path")
  end
end

return M
