-- SPDX-License-Identifier: BSD-3-Clause
-- Simple Cone Search (SCS 1.03), at any URL. Declares that such a service takes circles, counts
-- nothing and may cut its answers without a word (section 4 of the VO specification): tiling asks
-- again in parts where the number of rows looks like a limit.

local catalog = require("halyard.catalog")
local door = require("halyard.archive.door")
local errors = require("halyard.error")
local suggest = require("halyard.suggest")

local M = {}

-- Roles of columns: UCDs of SCS 1.03 section 2.2, of its successors, and usual names.
local roles = {
  id = { ucds = { "id_main", "meta.id;meta.main" }, names = { "id", "name" } },
  ra = { ucds = { "pos_eq_ra_main", "pos.eq.ra;meta.main" }, names = { "ra", "raj2000", "s_ra" } },
  dec = {
    ucds = { "pos_eq_dec_main", "pos.eq.dec;meta.main" }, names = { "dec", "dej2000", "s_dec" },
  },
}

-- SCS numbers have neither exponent nor a comma (section 2.1).
local function plain(value)
  return (("%.10f"):format(value):gsub("0+$", ""):gsub("%.$", ""))
end

-- `tries` of this question: nil for the usual.
local function ask(service, circle, tries)
  return door.fetch(service.url, {
    url = door.url(service.url, {
      { "RA", plain(circle.ra) }, { "DEC", plain(circle.dec) }, { "SR", plain(circle.radius) },
      { "VERB", service.verbosity },
    }),
    format = "votable", poll = false, tries = tries,
    table = service.table, choice = "vo.cone(url, { table = N })",
  })
end

-- The columns as an answer shows them; SR = 0 asks for them alone (section 2.1), which some
-- services refuse.
local function columns_of(service)
  if not service.columns then
    local ok, rows, _, cost = errors.try(ask, service, { ra = 0, dec = 0, radius = 0 }, 1)
    if not ok then
      rows, _, cost = ask(service, { ra = 0, dec = 0, radius = 1 / 3600 })
    end
    door.aside(rows, cost)
    local columns = {}
    for i, name in ipairs(rows.columns) do
      local field = rows:field(name)
      columns[name:lower()] = {
        name = name, place = i, type = field.type, unit = field.unit, ucd = field.ucd,
        description = field.description,
      }
    end
    service.columns = columns
  end
  return service.columns
end

-- The column of a role: the caller's word, else by UCD, else by name.
local function column_of(service, role)
  local columns, given = columns_of(service), service[role]
  if given then
    return door.column(columns, given, service.url).name
  end
  for _, ucd in ipairs(roles[role].ucds) do
    local found
    for _, column in pairs(columns) do
      if (column.ucd or ""):lower() == ucd and (not found or column.place < found.place) then
        found = column
      end
    end
    if found then
      return found.name
    end
  end
  for _, name in ipairs(roles[role].names) do
    if columns[name] then
      return columns[name].name
    end
  end
  errors.raise("protocol", ("%s: no column has the UCD %s: name it, vo.cone(url, { %s = \"...\" })")
    :format(service.url, roles[role].ucds[1]:upper(), role))
end

local function source_of(service, options)
  local columns = columns_of(service)
  local id, ra, dec = column_of(service, "id"), column_of(service, "ra"), column_of(service, "dec")
  local where = options.where and door.spelt(options.where, columns, service.url)
  local names = options.columns
    and door.chosen({ id, ra, dec }, options.columns, columns, service.url)
  return {
    name = service.url, id = id, ra = ra, dec = dec, window = 4, verdict = door.verdict,
    service = {
      takes_cone = true, cap = service.limit, radius_max_deg = service.radius_max,
    },
    fetch = function(circle)
      local rows, _, cost = ask(service, circle, 1)
      return rows, cost
    end,
    refine = function(rows)
      rows = where and next(where) and rows:where(where) or rows
      return names and rows:project(names) or rows
    end,
  }
end

--- A catalogue behind a cone search service.
-- @tparam string url the access URL; it may hold parameters of its own
-- @tparam[opt] table options `id`, `ra`, `dec` (column names, where their UCDs do not tell),
-- `limit` (rows one answer may hold, where the service declares it: a limit that is not round
-- cannot be told from a whole answer otherwise), `radius_max` (largest circle it takes, an angle),
-- `verbosity` (1 to 3, default 3: all columns), `table` (of answers that hold several: its number
-- from 1, or its name or ID)
-- @treturn catalog see halyard.catalog; `count` is not to be had
-- @raise `usage`
-- @usage vo.cone("https://archive.stsci.edu/hut/search.php?"):query { region = circle }
function M.cone(url, options)
  options = options or {}
  suggest.check_keys(options,
    { "id", "ra", "dec", "limit", "radius_max", "verbosity", "table" }, "vo.cone")
  if type(url) ~= "string" or not door.host(url) then
    errors.raise("usage", "vo.cone takes the URL of a service: http(s)://host/path")
  end
  local limit, verbosity = options.limit or 0, options.verbosity or 3
  if math.type(limit) ~= "integer" or limit < 0 then
    errors.raise("usage", "vo.cone: limit is a whole number of rows")
  elseif verbosity ~= 1 and verbosity ~= 2 and verbosity ~= 3 then
    errors.raise("usage", "vo.cone: verbosity is 1, 2 or 3")
  elseif options.table and math.type(options.table) ~= "integer"
      and type(options.table) ~= "string" then
    errors.raise("usage", "vo.cone: table is the number, from 1, or the name of one")
  end
  local service = {
    url = url, id = options.id, ra = options.ra, dec = options.dec, limit = limit,
    verbosity = verbosity, table = options.table and tostring(options.table),
    radius_max = options.radius_max and require("halyard.sky").angle(options.radius_max) or 0,
  }
  return catalog.new({
    name = url, door = "cone", host = door.host(url),
    url = function()
      return url
    end,
    columns = function()
      return columns_of(service)
    end,
    source = function(asked)
      return source_of(service, asked)
    end,
  })
end

return M
