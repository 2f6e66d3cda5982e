-- SPDX-License-Identifier: BSD-3-Clause
-- Simple Spectral Access 1.x at any URL: section 6 of the VO specification. SIZE is a diameter, but
-- some services take it for a radius: what lies outside the circle is left out here.

local access = require("halyard.archive.access")
local door = require("halyard.archive.door")
local errors = require("halyard.error")
local sky = require("halyard.core.sky")
local suggest = require("halyard.suggest")
local table_core = require("halyard.core.table")

local M = {}

local rim_deg = 0.5 / 3600 -- rounding of positions

local methods = {}
local service_type = { __index = methods, __name = "halyard.ssa" }
service_type.__tostring = function(self)
  return "spectrum service " .. self.url
end

local location = "char.spatialaxis.coverage.location.value"
local roles = {
  { name = "access_url", utype = { "Access.Reference" }, names = { "access_url", "url" } },
  { name = "access_format", utype = { "Access.Format" } },
  { name = "access_size", utype = { "Access.Size" } },
  { name = "obs_title", utype = { "DataID.Title" } },
  { name = "obs_collection", utype = { "DataID.Collection" } },
  { name = "obs_publisher_did", utype = { "Curation.PublisherDID" } },
  { name = "target_name", utype = { "Target.Name" } },
  { name = "s_ra", utype = { location .. ".c1" },
    ucd = { "pos.eq.ra;meta.main", "pos_eq_ra_main", "pos.eq.ra" }, names = { "ra" } },
  { name = "s_dec", utype = { location .. ".c2" },
    ucd = { "pos.eq.dec;meta.main", "pos_eq_dec_main", "pos.eq.dec" }, names = { "dec" } },
  { name = "em_min", utype = { "Char.SpectralAxis.Coverage.Bounds.Start" } },
  { name = "em_max", utype = { "Char.SpectralAxis.Coverage.Bounds.Stop" } },
  { name = "t_obs_mjd", utype = { "Char.TimeAxis.Coverage.Location.Value" } },
}

local known = { "region", "band", "time", "format", "target", "collection", "maxrec", "where" }

local function limit(value, kind, name)
  if value == nil then
    return ""
  elseif type(value) ~= kind then
    errors.raise("usage", ("ssa:query: bounds of %s are %ss"):format(name, kind))
  end
  return kind == "number" and ("%.17g"):format(value) or value
end

-- "lo/hi" of { min =, max = }, or one value.
local function range(value, kind, name)
  if type(value) == kind then
    return limit(value, kind, name)
  elseif type(value) ~= "table" or value.min == nil and value.max == nil then
    errors.raise("usage", ("ssa:query: %s is a %s or { min = a, max = b }"):format(name, kind))
  end
  return limit(value.min, kind, name) .. "/" .. limit(value.max, kind, name)
end

local function text(value, name)
  if value ~= nil and (type(value) ~= "string" or value == "") then
    errors.raise("usage", ("ssa:query: %s is a text"):format(name))
  end
  return value
end

local function check(options)
  suggest.check_keys(options, known, "ssa:query")
  if type(options.region) ~= "userdata" or not options.region:is_circle() then
    errors.raise("usage", "ssa:query takes a circle: sky.cone(center, radius)")
  elseif options.maxrec and (math.type(options.maxrec) ~= "integer" or options.maxrec < 1) then
    errors.raise("usage", "ssa:query: maxrec is a whole number of rows from 1 on")
  end
end

local function arguments_of(options, circle)
  local out = {
    { "REQUEST", "queryData" },
    { "POS", access.plain(circle.ra) .. "," .. access.plain(circle.dec) },
    { "SIZE", access.plain(2 * circle.radius) },
  }
  for _, pair in ipairs({
    { "BAND", options.band and range(options.band, "number", "band") },
    { "TIME", options.time and range(options.time, "string", "time") },
    { "FORMAT", text(options.format, "format") }, { "TARGETNAME", text(options.target, "target") },
    { "COLLECTION", text(options.collection, "collection") }, { "MAXREC", options.maxrec },
  }) do
    out[#out + 1] = pair[2] and pair or nil
  end
  return out
end

-- One column s_ra, s_dec of a position that is an array of two.
local function placed(rows)
  if access.has(rows, "s_ra") and access.has(rows, "s_dec") then
    return rows
  end
  for _, name in ipairs(rows.columns) do
    if rows:column(name).utype:lower():match("([^:]*)$") == location then
      local function part(k)
        return function(row)
          local place = rawget(row, name)
          return type(place) == "table" and place[k] or nil
        end
      end
      return rows:with("s_ra", part(1), { unit = "deg", ucd = "pos.eq.ra" })
        :with("s_dec", part(2), { unit = "deg", ucd = "pos.eq.dec" })
    end
  end
  errors.raise("protocol", "the answer has no column with the positions of the spectra")
end

--- Spectra (and light curves) of a circle.
-- @tparam table options `region` (a circle), `band` (m) and `time` (ISO 8601 text): a value or
-- { min =, max = }; `format`, `target`, `collection`, `maxrec`, `where` (criteria on the columns,
-- applied to the rows)
-- @treturn halyard.table access_url, access_format, s_ra, s_dec, sep_deg, ...
-- @raise `usage`, `truncated`, `archive` with the service's words
-- @usage vo.ssa(url):query { region = sky.cone("M 101", "0.1 deg"), band = { max = 7e-7 } }
function methods:query(options)
  local record = door.begin(door.host(self.url), self.url)
  check(options)
  local ra, dec, radius = options.region:cone()
  local arguments = arguments_of(options, { ra = ra, dec = dec, radius = radius })
  if record.dry then
    record.notes[#record.notes + 1] = self.url .. " would be asked for spectra"
    return table_core.from_rows({}, { "access_url", "access_format", "s_ra", "s_dec", "sep_deg" })
  end
  local rows, cost = access.ask_whole(self, arguments, options.maxrec, "take a smaller region or "
    .. "more constraints")
  access.noted(record, self.url, rows, cost, options.region)
  rows = access.named(rows, roles)
  if not access.has(rows, "access_url") then
    errors.raise("protocol", self.url .. ": the answer has no column with the spectra's addresses")
  end
  rows = access.within(placed(rows), ra, dec, radius + rim_deg)
  rows = rows:with("sep_deg", function(row)
    return sky.separation(ra, dec, row.s_ra, row.s_dec)
  end)
  rows = door.described(rows, { sep_deg = { type = "double", unit = "deg",
    ucd = "pos.angDistance" } })
  return options.where and rows:where(options.where) or rows
end

--- What the service says that it can be asked.
-- @treturn halyard.table name, type, unit, default, description
function methods:parameters()
  door.begin(door.host(self.url), self.url)
  return access.parameters(self.url, { { "REQUEST", "queryData" }, { "FORMAT", "METADATA" } })
end

--- A spectrum service.
-- @tparam string url the access URL; it may hold parameters of its own ("...?id=IUE&")
-- @tparam[opt] table options `limit`: rows one answer may hold, where the service or the registry
-- says so
function M.ssa(url, options)
  options = options or {}
  suggest.check_keys(options, { "limit" }, "vo.ssa")
  access.check_url(url, "vo.ssa")
  access.check_limit(options.limit, "vo.ssa")
  return setmetatable({ url = url, limit = options.limit, maker = "vo.ssa" }, service_type)
end

return M
