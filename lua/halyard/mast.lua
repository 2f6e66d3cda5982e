-- SPDX-License-Identifier: BSD-3-Clause
-- Asking MAST: names, observations, products, catalogues, single files. Phrasing is the dialect's
-- (halyard.archive.mashup), tiling is halyard.query's.

local errors = require("halyard.error")
local json = require("halyard.json")
local mashup = require("halyard.archive.mashup")
local query = require("halyard.query")
local report = require("halyard.report")
local sky = require("halyard.core.sky")
local suggest = require("halyard.suggest")
local system = require("halyard.core.system")
local table_core = require("halyard.core.table")
local task = require("halyard.core.task")

local M = {}

local caom_config = "Mast.Caom.Cone"
local obsids_per_question = 500 -- as astroquery (protocol specification 10.1)
local parallel_max = 8

local function begin()
  local record = report.current()
  record:require_host("mast")
  return record
end

-- Names -----------------------------------------------------------------------------------------

--- A position for a name, or for a text that is a position already.
-- @tparam string name "M 13", "52.5 -27.4", "13:26:47.28 -47:28:46.1"
-- @treturn table ra, dec (degrees, ICRS), name, resolver (nil for a position)
-- @raise `not_found` when no resolver knows the name, `usage` for an impossible position
function M.resolve(name)
  if type(name) == "table" and name.ra and name.dec then
    return name
  elseif type(name) ~= "string" or not name:find("%S") then
    errors.raise("usage", "a target is a name or a position such as \"52.5 -27.4\"")
  end
  local ra, dec = sky.position(name)
  if ra then
    return { ra = ra, dec = dec, name = name }
  end
  local record = begin()
  mashup.polite()
  local found = mashup.lookup(name)
  record:spent({ requests = 1, bytes = 0 })
  if not found[1] then
    errors.raise("not_found", ("target %q is unknown to the name resolvers: check the spelling or "
      .. "give a position such as \"201.697 -47.480\""):format(name))
  end
  return found[1]
end

-- Catalogues ------------------------------------------------------------------------------------

local catalog_methods = {}
local catalog_type = { __index = catalog_methods, __name = "halyard.catalog" }
catalog_type.__tostring = function(self)
  return ("catalogue %s"):format(self.name)
end

--- A catalogue by name: "Gaia DR3", "TIC", "CTL", "GALEX".
-- @treturn catalog with name, id, ra, dec (column names) and the methods below
-- @raise `not_found`
function M.catalog(name)
  local record = mashup.catalog(name)
  return setmetatable({
    name = record.name, id = record.id, ra = record.ra, dec = record.dec, record = record,
  }, catalog_type)
end

-- Columns for checks: what the archive lists; services without a list name them in every answer.
local function columns_of(record)
  local columns = mashup.columns(record.config)
  if not columns then
    local rows = mashup.rows(record.cone, { ra = 0, dec = 0, radius = 1e-6 })
    columns = {}
    for _, name in ipairs(rows.columns) do
      columns[name:lower()] = { name = name, kind = "any" }
    end
  end
  for _, name in ipairs(record.drop) do
    columns[name:lower()] = nil
  end
  return columns
end

--- Names of the catalogue's columns, sorted.
function catalog_methods:columns()
  begin()
  return mashup.names(columns_of(self.record))
end

-- Chosen columns as the service spells them; position and key always stay: without them no row can
-- be shown to be there exactly once.
local function chosen(record, names, columns)
  local list, seen = {}, {}
  for _, name in ipairs({ record.id, record.ra, record.dec }) do
    list[#list + 1], seen[name] = name, true
  end
  for _, name in ipairs(names) do
    local spelt = mashup.column(columns, name, record.name).name
    if not seen[spelt] then
      list[#list + 1], seen[spelt] = spelt, true
    end
  end
  return list
end

-- Drops columns that refer to one request's centre, and rows and columns that the service could not
-- leave out by itself.
local function refiner(record, names, criteria)
  return function(rows)
    if criteria then
      rows = rows:where(criteria)
    end
    local keep = names
    if not keep then
      local dropped = { _selected_ = true }
      for _, name in ipairs(record.drop) do
        dropped[name] = true
      end
      keep = {}
      for _, name in ipairs(rows.columns) do
        keep[#keep + 1] = not dropped[name] and name or nil
      end
    end
    return #keep < #rows.columns and rows:project(keep) or rows
  end
end

-- Criteria with the service's spelling of the column names.
local function spelt(criteria, columns, record)
  local out = {}
  for name, value in pairs(criteria) do
    out[mashup.column(columns, name, record.name).name] = value
  end
  return out
end

local function source_of(record, options)
  local where = options.where and next(options.where) and options.where
  local columns = (options.columns or where) and columns_of(record)
  local names = options.columns and chosen(record, options.columns, columns)
  local base, rest = {}, where
  if record.filters then
    base.filters = mashup.filters(columns or {}, where, record.name)
    base.columns = names and table.concat(names, ",") or "*"
    rest = nil
  end
  local breaker = mashup.breaker()
  return {
    name = record.name, id = record.id, ra = record.ra, dec = record.dec, window = 4,
    service = mashup.capabilities(record), verdict = mashup.verdict,
    refine = refiner(record, names, rest and spelt(rest, columns, record)),
    fetch = function(shape)
      return mashup.fetch(record, base, shape, { breaker = breaker, tries = 1 })
    end,
    count = function(shape)
      return mashup.count_region(record, base, shape, { breaker = breaker })
    end,
  }
end

local function check_region(region, what)
  if type(region) ~= "userdata" then
    errors.raise("usage", what .. " needs a region, such as sky.cone(center, radius)")
  end
  return region
end

local function check_parallel(n)
  if n ~= nil and (math.type(n) ~= "integer" or n < 1 or n > parallel_max) then
    errors.raise("usage", ("parallel is a whole number from 1 to %d"):format(parallel_max))
  end
  mashup.polite(n)
end

local function row_limit(given, usual)
  if given ~= nil and (math.type(given) ~= "integer" or given < 1 or given > usual) then
    errors.raise("usage", ("row_limit is a whole number from 1 to %d"):format(usual))
  end
  return given or usual
end

--- Every row of the catalogue in a region, each exactly once, in canonical order. Columns that
-- refer to the centre of a request (`distance`) are left out: tiles have centres of their own.
-- @tparam table options `region` (required), `columns` (list of names; key and position always
-- come along), `where` (criteria as for `select.rows`; services that filter take texts, lists,
-- one wildcard, ranges), `into` (file name below the output folder), `format` ("csv"),
-- `parallel` (1-8, default 4), `row_limit` (rows one answer may hold, for an archive whose limit is
-- lower than the service's usual one)
-- @treturn table result: rows, verified, account; table (a halyard.table), or with `into` path
-- @raise `usage`, `integrity` (rows are missing), `partial` (tiles that cannot be fetched)
-- @usage mast.catalog("Gaia DR3"):query { region = sky.cone("M 13", "0.5 deg"), into = "m13.csv" }
function catalog_methods:query(options)
  suggest.check_keys(options, { "region", "columns", "where", "into", "format", "parallel",
    "row_limit" }, "catalog:query")
  local record = begin()
  check_region(options.region, "catalog:query")
  check_parallel(options.parallel)
  if options.into then
    record:path(options.into)
  elseif options.format then
    errors.raise("usage", "catalog:query: format goes with into, the file to write")
  end
  local source = source_of(self.record, options)
  source.service.cap = row_limit(options.row_limit, source.service.cap)
  local result = query.run(source, options.region, options)
  return result or { rows = 0, path = options.into and record:path(options.into), account = {} }
end

--- The archive's own count of rows in a region.
-- @tparam table options `region` (circle, box or all sky), `where`
-- @treturn integer
-- @raise `usage` when the service cannot count (see `query`) or cannot count such a region
function catalog_methods:count(options)
  suggest.check_keys(options, { "region", "where" }, "catalog:count")
  begin()
  check_region(options.region, "catalog:count")
  mashup.polite()
  local n = query.count(source_of(self.record, options), options.region)
  if not n then
    errors.raise("usage", ("%s cannot count this region without sending its rows")
      :format(self.name))
  end
  return n
end

-- Observations ----------------------------------------------------------------------------------

local function circle_of(options, what)
  if options.region == nil then
    return nil
  end
  if not check_region(options.region, what):is_circle() then
    errors.raise("usage", what .. " takes a circle: sky.cone(center, radius)")
  end
  local ra, dec, radius = options.region:cone()
  return { ra = ra, dec = dec, radius = radius }
end

-- Service and parameters for observations; counts need a filtered service.
local function caom(options, what, counting)
  local circle = circle_of(options, what)
  local where = options.where and next(options.where) and options.where
  if not circle and not where then
    errors.raise("usage", what .. " needs a region, criteria (where), or both")
  elseif circle and not where and not counting then
    return "Mast.Caom.Cone", circle
  end
  local columns = where and mashup.columns(caom_config)
  if where and not columns then
    errors.raise("protocol", "the archive sent no list of observation columns")
  end
  local params = { columns = "*", filters = mashup.filters(columns or {}, where, "observations") }
  if not circle then
    return "Mast.Caom.Filtered", params
  end
  params.position = ("%s, %s, %s"):format(json.encode(circle.ra), json.encode(circle.dec),
    json.encode(circle.radius))
  return "Mast.Caom.Filtered.Position", params
end

local empty_columns = { "obsid", "obs_id", "obs_collection", "target_name" }

--- Observations (CAOM rows) whose footprint touches a circle, that meet criteria, or both.
-- @tparam table options `region` (a circle), `where` (criteria on CAOM columns: text, list, one
-- wildcard; numbers with units as ranges { min = a, max = b })
-- @treturn halyard.table
-- @raise `usage` for unknown columns (with the nearest names), `truncated` when there are more
-- than one answer holds, `integrity` when fewer came than the archive counts
function M.observations(options)
  suggest.check_keys(options, { "region", "where" }, "mast.observations")
  local record = begin()
  mashup.polite()
  local service, params = caom(options, "mast.observations", false)
  if record.dry then
    record.notes[#record.notes + 1] = service .. " would be asked for observations"
    return table_core.from_rows({}, empty_columns)
  end
  local counted = M.count_observations(options)
  if counted > mashup.row_cap then
    errors.raise("truncated", ("%d observations are more than the archive sends in one answer "
      .. "(%d): use a smaller region or more criteria"):format(counted, mashup.row_cap))
  end
  local rows, cost = mashup.rows(service, params)
  record:spent(cost)
  if #rows < counted then
    errors.raise("integrity", ("%d observations came, the archive counts %d; the answer cannot be "
      .. "trusted, run it again"):format(#rows, counted), { rows = #rows, rows_counted = counted })
  end
  record.queries[#record.queries + 1] = {
    service = service, rows = #rows, rows_counted = counted, requests = cost.requests,
    bytes = cost.bytes,
    region = options.region and tostring(options.region) or nil,
  }
  system.emit("progress", { stage = "observations", rows = #rows, bytes = cost.bytes })
  return rows
end

--- The archive's count of observations; options as for `observations`.
function M.count_observations(options)
  suggest.check_keys(options, { "region", "where" }, "mast.count_observations")
  local record = begin()
  mashup.polite()
  local service, params = caom(options, "mast.count_observations", true)
  params.columns = nil
  local n, cost = mashup.count(service, params)
  record:spent(cost)
  return n
end

-- Products --------------------------------------------------------------------------------------

local full_frames = { "!TESS FFI", "!TICA FFI" }

local function has_column(rows, name)
  for _, column in ipairs(rows.columns) do
    if column == name then
      return true
    end
  end
  return false
end

-- Distinct product group ids as texts, first occurrence first.
local function obsids_of(observations)
  local list = observations
  if type(observations) == "userdata" then
    if not has_column(observations, "obsid") then
      errors.raise("usage", "mast.products needs rows with the column obsid, or a list of obsids")
    end
    if has_column(observations, "target_name") then
      local kept = observations:where({ target_name = full_frames })
      if #kept < #observations then
        system.log("warning", ("products of %d full-frame observations are left out; give their "
          .. "obsids to get them"):format(#observations - #kept))
      end
      observations = kept
    end
    list = observations:list("obsid")
  elseif type(observations) ~= "table" then
    list = { observations }
  end
  local ids, seen = {}, {}
  for _, value in ipairs(list) do
    local id = type(value) == "number" and ("%d"):format(value) or tostring(value):match("%S+")
    if not id or id:find("[^%d]") then
      errors.raise("usage", ("obsid %q is not a number"):format(tostring(value)))
    elseif not seen[id] then
      ids[#ids + 1], seen[id] = id, true
    end
  end
  return ids
end

--- Products (files) of observations, each file once, in the order of the observations.
-- @tparam table observations rows from `mast.observations`, or a list of obsids
-- @treturn halyard.table
function M.products(observations)
  local record = begin()
  mashup.polite()
  if record.dry then
    record.notes[#record.notes + 1] = "Mast.Caom.Products would be asked for the files of the "
      .. "observations found"
    return table_core.from_rows({}, {
      "dataURI", "productFilename", "obs_collection", "obs_id", "size", "productType",
      "calib_level", "productGroupDescription", "productSubGroupDescription", "dataproduct_type",
    })
  end
  local ids, batches = obsids_of(observations), {}
  if #ids == 0 then
    errors.raise("not_found", "there are no observations to list products of: widen the search")
  end
  for first = 1, #ids, obsids_per_question do
    batches[#batches + 1] = table.concat(ids, ",", first,
      math.min(first + obsids_per_question - 1, #ids))
  end
  local answers = task.map(batches, 4, function(batch)
    local rows, cost = mashup.rows("Mast.Caom.Products", { obsid = batch })
    record:spent(cost)
    record.queries[#record.queries + 1] = {
      service = "Mast.Caom.Products", rows = #rows, requests = cost.requests, bytes = cost.bytes,
    }
    return rows
  end)
  local rows = table_core.concat(answers):unique("dataURI")
  system.emit("progress", { stage = "products", rows = #rows })
  return rows
end

--- Downloads one file by its data URI; see `retrieve.products` for many.
-- @tparam string uri
-- @tparam[opt] table options `dir` (below the output folder)
-- @treturn table path, bytes, sha256, skipped
function M.download(uri, options)
  options = options or {}
  suggest.check_keys(options, { "dir", "replace" }, "mast.download")
  local row = { dataURI = uri, productFilename = tostring(uri):match("([^/]+)$") }
  return require("halyard.retrieve").products({ row }, { dir = options.dir,
    replace = options.replace, flat = true })[1]
end

return M
