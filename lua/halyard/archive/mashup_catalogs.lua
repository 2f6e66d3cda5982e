-- SPDX-License-Identifier: BSD-3-Clause
-- Catalogues behind the MAST Portal: what each service is called, takes, counts and cuts (sections
-- 7.3 and 7.4 of the protocol specification). The protocol is halyard.archive.mashup's, tiling
-- halyard.query's.

local door = require("halyard.archive.door")
local errors = require("halyard.error")
local hsc_answers = require("halyard.archive.hsc")
local json = require("halyard.json")
local mashup = require("halyard.archive.mashup")
local portions = require("halyard.archive.portions")
local readings = require("halyard.archive.readings")
local system = require("halyard.core.system")

local M = {}

local function filtered(short, title)
  local stem = "Mast.Catalogs.Filtered." .. short
  return {
    name = title, cone = stem .. ".Position.Rows", box = stem .. ".Rows", count = stem,
    count_cone = stem .. ".Position", config = "Mast.Catalogs.Tess.Cone",
    id = "ID", ra = "ra", dec = "dec", cap = mashup.row_cap, filters = true,
    drop = { "dstArcSec" },
  }
end

local function gaia(title, short, aliases)
  local service = ("Mast.Catalogs.%s.Cone"):format(short)
  return {
    name = title, aliases = aliases, cone = service, config = service,
    id = "source_id", ra = "ra", dec = "dec", cap = mashup.row_cap, drop = { "distance" },
  }
end

-- `nr` and `maxrecords` are the services' own limits: as many rows as that mean a cut answer (6.4).
local function hsc(title, version, aliases)
  return {
    name = title, aliases = aliases, cone = "Mast.Hsc.Db." .. version,
    config = "Mast.Hsc.Db." .. version, id = "MatchID", ra = "MatchRA", dec = "MatchDec",
    cap = 50000, flags_over = true, drop = { "Distance" }, params = { nr = 50000 },
    options = { "min_images", "magnitudes" }, told = hsc_answers.columns,
  }
end

local function psf(title, camera)
  return {
    name = title, camera = camera, id = "id", cap = mashup.row_cap, filters = true, drop = {},
    along = "psf_x_center",
  }
end

--- Catalogue services. `cone`, `box`: services that select so; `count`, `count_cone`: services that
-- count (`counts_alone`: and do nothing else); `id`, `ra`, `dec`: key and selection columns, or
-- lists of names one of which is there (`roles`); `told`: units that no list has; `drop`: columns
-- that refer to the centre of one request and mean nothing in a set of tiles; `filters`: takes
-- criteria; `no_columns`: sends all; `camera`: of a table without positions.
M.catalogs = {
  gaia("Gaia DR3", "GaiaDR3", { "Gaia" }), gaia("Gaia DR2", "GaiaDR2"),
  gaia("Gaia DR1", "GaiaDR1"), gaia("TGAS", "Tgas"),
  filtered("Tic", "TIC"),
  filtered("Ctl", "CTL"),
  {
    name = "GALEX", cone = "Mast.Galex.Catalog", config = "Mast.Galex.Catalog",
    id = "objID", ra = "ra", dec = "dec", cap = 50000, flags_over = true,
    drop = { "distance_arcmin" }, params = { maxrecords = 50000 },
  },
  hsc("HSC v3", "v3", { "HSC" }), hsc("HSC v2", "v2"),
  {
    name = "PLATO", cone = "Mast.Catalogs.Plato.Cone", config = "Mast.Catalogs.Plato.Cone",
    roles = {
      id = { "PICidDR1", "PICname", "PICid", "sourceId", "source_id", "ID" },
      ra = { "RAdeg", "ra" }, dec = { "DEdeg", "dec" },
    },
    cap = mashup.row_cap, drop = { "distance", "dstArcSec" },
  },
  {
    name = "Disk Detective", cone = "Mast.Catalogs.Filtered.DiskDetective.Position",
    box = "Mast.Catalogs.Filtered.DiskDetective",
    count = "Mast.Catalogs.Filtered.DiskDetective.Count",
    count_cone = "Mast.Catalogs.Filtered.DiskDetective.Position.Count", counts_alone = true,
    config = "Mast.Catalogs.Dd.Cone", id = "designation", ra = "ra", dec = "dec",
    cap = mashup.row_cap, filters = true, no_columns = true, drop = { "distance", "dstArcSec" },
  },
  psf("WFC3 PSF UVIS", "Uvis"), psf("WFC3 PSF IR", "Ir"),
}

-- What the tile planner needs to know of a catalogue.
local function capabilities(record)
  return {
    takes_box = record.box ~= nil, takes_cone = true, counts = record.count ~= nil,
    over_is_slow = not record.flags_over, cap = record.cap,
    pos_quantum_deg = record.pos_quantum_deg or 0,
  }
end

local function copy(from, into)
  for key, value in pairs(from or {}) do
    into[key] = value
  end
  return into
end

-- Parameters of a request for a box; filters on the position columns join those of the caller.
local function box_params(record, base, ...)
  return copy({ filters = mashup.boxed(base.filters, record.ra, record.dec, ...) }, copy(base, {}))
end

--- Rows of one request region.
-- @tparam table record
-- @tparam table base parameters common to all requests: columns and filters, or empty
-- @tparam table shape { ra, dec, radius } or { ra_min, ra_max, dec_min, dec_max }, degrees
-- @tparam table how as for `mashup.rows`
function M.fetch(record, base, shape, how)
  how = copy({ pagesize = record.cap, key = record.id }, copy(how, {}))
  if shape.radius then
    local params = { ra = shape.ra, dec = shape.dec, radius = shape.radius }
    return mashup.rows(record.cone, copy(record.params, copy(base, params)), how)
  end
  local parts, cost = {}, { requests = 0, bytes = 0 }
  door.each_box(shape, function(...)
    local rows, one = mashup.rows(record.box, box_params(record, base, ...), how)
    parts[#parts + 1] = rows
    door.add_cost(cost, one)
  end)
  return door.joined(parts), cost
end

--- The archive's own count of a request region; arguments as for `fetch`.
function M.count_region(record, base, shape, how)
  how = copy({ alone = record.counts_alone }, copy(how, {}))
  if shape.radius then
    return mashup.count(record.count_cone, {
      ra = shape.ra, dec = shape.dec, radius = shape.radius, filters = base.filters,
    }, how)
  end
  local sum, cost = 0, { requests = 0, bytes = 0 }
  door.each_box(shape, function(...)
    local params = { filters = box_params(record, base, ...).filters }
    local n, one = mashup.count(record.count, params, how)
    sum = sum + n
    door.add_cost(cost, one)
  end)
  return sum, cost
end

-- Columns as an answer without rows names them: asked for a value that no row has. Also gives the
-- service's name, where which of two is live is not known (7.4).
local function columns_by_answer(record)
  if not record.camera then
    return mashup.columns_of(door.aside(mashup.rows(record.cone,
      copy(record.params, { ra = 0, dec = 0, radius = 1e-6 }))))
  end
  local nothing = { columns = "*", filters = json.array({
    { paramName = record.id, values = json.array({ "-1" }) } }) }
  return readings.ask("wfc3-psf", door.base("mashup") .. record.camera, function(choice)
    local service = ("Mast.Catalogs.Filtered.%s.%s"):format(choice, record.camera)
    return mashup.columns_of(door.aside(mashup.rows(service, nothing, { pagesize = 1 }))), service
  end, mashup.is_no_service)
end

-- Columns for checks: what the archive lists; services without a list name them in every answer.
-- Also the service's name, where it had to be found out.
local function listed(record)
  local columns, service = record.config and mashup.columns(record.config)
  if not columns then
    columns, service = columns_by_answer(record)
  end
  for _, name in ipairs(record.drop) do
    columns[name:lower()] = nil
  end
  for name, known in pairs(record.told or {}) do
    local column = columns[name]
    if column and (column.unit or "") == "" then
      column.unit = known.unit
    end
  end
  return columns, service
end

-- Drops columns that refer to one request's centre, and rows and columns that the service could not
-- leave out by itself; tells units, which answers lack. A list of columns that does not come costs
-- the units, not the rows. Also gives the function that asks for that list.
local function refiner(record, names, criteria)
  local dropped, described = { _selected_ = true }, nil
  for _, name in ipairs(record.drop) do
    dropped[name] = true
  end
  local function describe()
    if described == nil and record.config then
      local ok, columns = errors.try(mashup.columns, record.config)
      if not ok then
        system.log("warning", ("%s: units and descriptions are not known: %s")
          :format(record.name, tostring(columns)))
      end
      described = ok and columns
    end
  end
  return function(rows)
    describe()
    if criteria then
      rows = rows:where(criteria)
    end
    rows = door.described(names and rows:project(names) or door.without(rows, dropped),
      described or {})
    return record.told and door.described(rows, record.told) or rows
  end, describe
end

-- A record whose columns have different names from release to release, with those that are there.
local function with_roles(record, columns)
  if not record.roles then
    return record
  end
  local found = copy(record, {})
  for role, names in pairs(record.roles) do
    for i = #names, 1, -1 do
      local column = columns[names[i]:lower()]
      found[role] = column and column.name or found[role]
    end
    if not found[role] then
      errors.raise("protocol", ("%s: none of the columns %s is there"):format(record.name,
        table.concat(names, ", ")))
    end
  end
  return found
end

local magnitude_kinds = { aper2 = 1, auto = 2 }

-- Options of the Hubble Source Catalog as the service's parameters (7.3).
local function hsc_params(options)
  local n, kind = options.min_images, options.magnitudes
  if n ~= nil and (math.type(n) ~= "integer" or n < 1) then
    errors.raise("usage", "min_images is a whole number from 1 on")
  elseif kind ~= nil and not magnitude_kinds[kind] then
    errors.raise("usage", 'magnitudes is "aper2" or "auto"')
  end
  return { ni = n, magtype = magnitude_kinds[kind] }
end

-- What halyard.query works with.
local function source_of(record, options)
  local where = options.where and next(options.where) and options.where
  local columns = (options.columns or where or record.roles) and listed(record)
  record = with_roles(record, columns)
  local names = options.columns
    and door.chosen({ record.id, record.ra, record.dec }, options.columns, columns, record.name)
  local base, rest = hsc_params(options), where
  if record.filters then
    base.filters = mashup.filters(columns or {}, where, record.name)
    base.columns = not record.no_columns and (names and table.concat(names, ",") or "*") or nil
    rest = nil
  end
  local breaker = mashup.breaker()
  local refine, describe = refiner(record, names, rest and door.spelt(rest, columns, record.name))
  return {
    name = record.name, id = record.id, ra = record.ra, dec = record.dec, window = 4,
    service = capabilities(record), verdict = door.verdict, row_bytes = names and 8 * #names,
    refine = refine, prepare = describe,
    fetch = function(shape)
      return M.fetch(record, base, shape, { breaker = breaker, tries = 1 })
    end,
    count = function(shape)
      return M.count_region(record, base, shape, { breaker = breaker })
    end,
  }
end

-- A table without positions: asked by criteria, in portions of one column above the row limit.
local function plain_source(record, options)
  if options.region then
    errors.raise("usage", record.name .. " has no positions on the sky: select with where")
  end
  local columns, service = listed(record)
  local names = options.columns and door.chosen({ record.id }, options.columns, columns,
    record.name)
  local filters = mashup.filters(columns, options.where, record.name)
  local asked = names and table.move(names, 1, #names, 1, {}) or { "*" }
  if names and not table.concat(names, ","):find(record.along, 1, true) then
    asked[#asked + 1] = record.along
  end
  local function count(all)
    return mashup.count(service, { filters = all })
  end
  local limits = { cap = record.cap }
  return {
    name = record.name, id = record.id, service = limits,
    count_plain = function()
      return count(filters)
    end,
    plain = function()
      local rows, cost, counted = portions.rows({
        name = record.name, filters = filters, column = record.along, key = record.id,
        cap = limits.cap, count = count,
        fetch = function(all)
          return mashup.rows(service, { columns = table.concat(asked, ","), filters = all })
        end,
      })
      rows = door.without(rows, { _selected_ = true })
      return names and rows:project(names) or rows, cost, counted
    end,
  }
end

for _, record in ipairs(M.catalogs) do
  record.door, record.host = "mashup", "mast"
  record.url = function()
    return door.base("mashup")
  end
  record.columns = function()
    return listed(record)
  end
  record.source = function(options)
    return (record.camera and plain_source or source_of)(record, options)
  end
end

return M
