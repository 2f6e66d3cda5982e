-- SPDX-License-Identifier: BSD-3-Clause
-- Asking MAST: names, observations, products, catalogues, single files. Phrasing is the dialect's
-- (halyard.archive.mashup), tiling is halyard.query's.

local catalog = require("halyard.catalog")
local door = require("halyard.archive.door")
local errors = require("halyard.error")
local json = require("halyard.json")
local mashup = require("halyard.archive.mashup")
local sky = require("halyard.core.sky")
local suggest = require("halyard.suggest")
local system = require("halyard.core.system")
local table_core = require("halyard.core.table")
local task = require("halyard.core.task")

local M = {}

local caom_config = "Mast.Caom.Cone"
local obsids_per_question = 500 -- as astroquery (protocol specification 10.1)

local function begin()
  return door.begin("mast", door.base("mashup"))
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
  local found = mashup.lookup(name)
  record:spent({ requests = 1, bytes = 0 })
  if not found[1] then
    errors.raise("not_found", ("target %q is unknown to the name resolvers: check the spelling or "
      .. "give a position such as \"201.697 -47.480\""):format(name))
  end
  return found[1]
end

-- Catalogues ------------------------------------------------------------------------------------

-- Dialects that have catalogues, in the order in which a name is looked for.
local catalog_doors = { "mashup", "catalogs", "tap" }

--- A catalogue by name: "Gaia DR3", "TIC", "CTL", "GALEX", ... (docs/archives lists them).
-- @tparam string name case, blanks and hyphens do not matter
-- @tparam[opt] table options `via`: the door to take where several lead to the catalogue
-- @treturn catalog see halyard.catalog: `query`, `count`, `columns`
-- @raise `not_found`
-- @usage mast.catalog("TIC"):count { region = sky.cone("M 13", "0.5 deg") }
function M.catalog(name, options)
  local via = options and options.via
  suggest.check_keys(options or {}, { "via" }, "mast.catalog")
  local names, seen = {}, {}
  for _, dialect in ipairs(catalog_doors) do
    if not via or via == dialect then
      local records = require("halyard.archive." .. dialect).catalogs
      local record = catalog.find(records, name)
      if record then
        return catalog.new(record)
      end
      for _, each in ipairs(records) do
        names[#names + 1] = not seen[each.name] and each.name or nil
        seen[each.name] = true
      end
    end
  end
  if #names == 0 then
    suggest.unknown("door", tostring(via), catalog_doors)
  end
  suggest.unknown("catalogue", tostring(name), names, "not_found")
end

-- Observations ----------------------------------------------------------------------------------

local function circle_of(options, what)
  if options.region == nil then
    return nil
  elseif type(options.region) ~= "userdata" or not options.region:is_circle() then
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

-- Other doors -----------------------------------------------------------------------------------

-- What else MAST offers, each with its dialect, loaded when it is first used.
local parts = {
  casjobs = "casjobs", cloud = "cloud", cutouts = "cutouts", exo = "exo", mission = "missions",
  tap = "mast_tap", whoami = "auth",
}

return setmetatable(M, {
  __index = function(t, name)
    local dialect = parts[name]
    if not dialect then
      local known = {}
      for _, names in ipairs({ t, parts }) do
        for key in next, names do
          known[#known + 1] = key
        end
      end
      table.sort(known)
      suggest.unknown("function of mast", tostring(name), known)
    end
    local part = require("halyard.archive." .. dialect)[name]
    rawset(t, name, part)
    return part
  end,
})
