-- SPDX-License-Identifier: BSD-3-Clause
-- Simple Image Access 1 and 2 at any URL: section 5 of the VO specification. Images are found by
-- their footprints, so that a region with more images than one answer holds is not cut: version 2
-- is asked for it by ranges of time; by centres (`intersect = "center"`) either version is asked
-- for parts of it.

local access = require("halyard.archive.access")
local door = require("halyard.archive.door")
local errors = require("halyard.error")
local query = require("halyard.query")
local sky = require("halyard.core.sky")
local suggest = require("halyard.suggest")
local table_core = require("halyard.core.table")

local M = {}

local rim_deg = 0.5 / 3600 -- rounding of positions

local methods = {}
local service_type = { __index = methods, __name = "halyard.sia" }
service_type.__tostring = function(self)
  return "image service " .. self.url
end

-- Names of version 2 (ObsCore) for the columns of version 1 (UCD1) too.
local roles = {
  { name = "access_url", ucd = { "VOX:Image_AccessReference" }, utype = { "Access.Reference" },
    names = { "access_url", "accref" } },
  { name = "access_format", ucd = { "VOX:Image_Format" }, utype = { "Access.Format" },
    names = { "access_format" } },
  { name = "s_ra", ucd = { "POS_EQ_RA_MAIN" }, names = { "s_ra" } },
  { name = "s_dec", ucd = { "POS_EQ_DEC_MAIN" }, names = { "s_dec" } },
  { name = "obs_title", ucd = { "VOX:Image_Title" }, names = { "obs_title" } },
  { name = "access_size", ucd = { "VOX:Image_FileSize" } },
  { name = "instrument_name", ucd = { "INST_ID" }, names = { "instrument_name" } },
  { name = "t_obs_mjd", ucd = { "VOX:Image_MJDateObs" } },
  { name = "em_min", ucd = { "VOX:BandPass_LoLimit" }, names = { "em_min" } },
  { name = "em_max", ucd = { "VOX:BandPass_HiLimit" }, names = { "em_max" } },
  { name = "pixel_scale", ucd = { "VOX:Image_Scale" } },
}

local relations = { overlaps = "OVERLAPS", covers = "COVERS", enclosed = "ENCLOSED",
  center = "CENTER" }

-- Options that are parameters of version 2; `range`: intervals with bounds.
local parameters = {
  { "band", "BAND", range = true }, { "time", "TIME", range = true },
  { "exptime", "EXPTIME", range = true }, { "fov", "FOV", range = true },
  { "spatres", "SPATRES", range = true }, { "timeres", "TIMERES", range = true },
  { "specrp", "SPECRP", range = true }, { "pol", "POL" }, { "id", "ID" },
  { "collection", "COLLECTION" }, { "facility", "FACILITY" }, { "instrument", "INSTRUMENT" },
  { "dataproduct_type", "DPTYPE" }, { "calib_level", "CALIB" }, { "target", "TARGET" },
}

local known = { "region", "where", "intersect", "format", "maxrec" }
for _, parameter in ipairs(parameters) do
  known[#known + 1] = parameter[1]
end

-- The version: as the service's description of itself looks.
local function version_of(self)
  if not self.version then
    local reply = door.reply(self.url, {
      url = door.url(self.url, { { "FORMAT", "METADATA" }, { "MAXREC", "0" } }),
    })
    local text = reply.body:lower()
    if text:find("vox:image_", 1, true) or text:find('"input:', 1, true) then
      self.version = 1
    elseif text:find("access_url", 1, true) and text:find("s_ra", 1, true) then
      self.version = 2
    else
      errors.raise("protocol", ("%s: %s and neither version of Simple Image Access; if it is "
        .. "one, say which: vo.sia(url, { version = 1 })"):format(self.url,
        door.looks_like(reply.body)))
    end
  end
  return self.version
end

local function interval(name, value)
  if type(value) == "number" then
    return ("%.17g"):format(value)
  elseif type(value) == "table"
    and (type(value.min) == "number" or type(value.max) == "number") then
    return ("%s %s"):format(value.min and ("%.17g"):format(value.min) or "-Inf",
      value.max and ("%.17g"):format(value.max) or "+Inf")
  end
  errors.raise("usage", ("sia:query: %s is a number or { min = a, max = b }"):format(name))
end

-- Parameters of version 2 from the options. A list means any of its values.
local function constraints(options)
  local out = {}
  for _, parameter in ipairs(parameters) do
    local name, value = parameter[1], options[parameter[1]]
    if value ~= nil then
      local list = type(value) == "table" and value[1] ~= nil and value or { value }
      for _, item in ipairs(list) do
        if not parameter.range and type(item) ~= "string" and type(item) ~= "number" then
          errors.raise("usage", ("sia:query: %s is a text or a list of texts"):format(name))
        end
        out[#out + 1] = { parameter[2], parameter.range and interval(name, item)
          or tostring(item) }
      end
    end
  end
  return out
end

local function add(arguments, name, value)
  if value then
    arguments[#arguments + 1] = { name, value }
  end
end

-- Full widths of the square about a circle. By centres the width in right ascension is that of
-- coordinates, which is enough for either reading of SIZE.
local function size_of(circle, centers)
  local r, wide = circle.radius, 2 * circle.radius
  local c = math.cos(math.rad(circle.dec))
  if centers then
    local s = math.sin(math.rad(math.min(r, 90)))
    wide = s < c and 2 * math.deg(math.asin(s / c)) or 360
  end
  return access.plain(math.min(360, wide)) .. "," .. access.plain(math.min(180, 2 * r))
end

local function common(options, arguments)
  add(arguments, "FORMAT", options.format)
  add(arguments, "MAXREC", options.maxrec)
  return arguments
end

local function arguments_one(options, circle, centers)
  return common(options, {
    { "POS", access.plain(circle.ra) .. "," .. access.plain(circle.dec) },
    { "SIZE", size_of(circle, centers) },
    { "INTERSECT", centers and "CENTER" or relations[options.intersect or "overlaps"] },
  })
end

local function arguments_two(options, pos)
  local arguments = constraints(options)
  if pos then
    table.insert(arguments, 1, { "POS", pos })
  end
  return common(options, arguments)
end

local function check(self, options)
  suggest.check_keys(options, known, "sia:query")
  local region = options.region
  if region ~= nil and type(region) ~= "userdata" then
    errors.raise("usage", "sia:query: region is a region, such as sky.cone(center, radius)")
  elseif options.intersect and not relations[options.intersect] then
    suggest.unknown("intersect of sia:query", tostring(options.intersect),
      { "overlaps", "covers", "enclosed", "center" })
  elseif options.maxrec and (math.type(options.maxrec) ~= "integer" or options.maxrec < 1) then
    errors.raise("usage", "sia:query: maxrec is a whole number of rows from 1 on")
  elseif options.format and type(options.format) ~= "string" then
    errors.raise("usage", "sia:query: format is a text such as \"image/fits\"")
  end
  local centers = options.intersect == "center"
  if centers and not region then
    errors.raise("usage", "sia:query: intersect = \"center\" needs a region")
  elseif version_of(self) == 1 then
    if not region or not centers and not region:is_circle() then
      errors.raise("usage", "sia:query: version 1 takes a circle: sky.cone(center, radius)")
    elseif options.maxrec then
      errors.raise("usage", "sia:query: version 1 has no maxrec")
    elseif #constraints(options) > 0 then
      errors.raise("usage", "sia:query: version 1 selects by region and format only; give the rest "
        .. "in where, which is applied to its rows")
    end
  elseif options.intersect and not centers and options.intersect ~= "overlaps" then
    errors.raise("usage", "sia:query: version 2 finds what overlaps, or \"center\"")
  elseif not region and #constraints(options) == 0 then
    errors.raise("usage", "sia:query needs a region or a constraint such as collection")
  end
end

local function selected(rows)
  rows = access.named(rows, roles)
  if not access.has(rows, "access_url") then
    errors.raise("protocol", "the answer has no column with the images' addresses")
  end
  return rows
end

-- What lies at one place is split by the start of exposure (ObsCore t_min): TIME finds what
-- overlaps a range, as all does that starts in it. Several TIMEs mean any of them: not beside one
-- of the user's.
local times = { name = "t_min", decimals = 6, rounded = true, nullable = true, min = 40000,
  max = 70000 }

-- Arguments of a range: what overlaps it, for ownership decides.
local function add_range(arguments, shape)
  if shape.column then
    add(arguments, "TIME", interval("time", { min = shape.column_min, max = shape.column_max }))
  end
  return arguments
end

-- By centres, past the service's limit.
local function by_centers(self, options)
  local asked = setmetatable({}, { __mode = "k" }) -- rows -> circle
  local source = {
    name = self.url, asked = options, id = "access_url", ra = "s_ra", dec = "s_dec", window = 4,
    verdict = door.verdict,
    service = {
      takes_cone = true, cap = options.maxrec or self.limit or 0, radius_max_deg = 0,
      alt_split = version_of(self) == 2 and not options.time and { times } or nil,
    },
    fetch = function(circle)
      local arguments = self.version == 1 and arguments_one(options, circle, true)
        or arguments_two(options, access.circle(circle.ra, circle.dec, circle.radius))
      local rows, cost = access.ask(self.url, add_range(arguments, circle))
      rows = selected(rows)
      asked[rows] = circle
      return rows, cost
    end,
    -- Footprints reach into a circle, and the square about it is larger: centres decide.
    refine = function(rows)
      local circle = asked[rows]
      rows = access.within(rows, circle.ra, circle.dec, circle.radius + rim_deg)
        :unique("access_url")
      return options.where and rows:where(options.where) or rows
    end,
  }
  local result = query.run(source, options.region, {})
  return result and result.table
end

-- By times, past the service's limit: the region stays as it is in every question.
local function by_times(self, options)
  local pos = options.region and access.pos(options.region, "sia:query")
  local source = {
    name = self.url, asked = options, ra = "s_ra", dec = "s_dec", window = 4,
    verdict = door.verdict,
    service = {
      match = "footprint", takes_cone = pos ~= nil, cap = self.limit or 0, radius_max_deg = 0,
      alt_split = { times },
    },
    fetch = function(shape)
      local rows, cost = access.ask(self.url, add_range(arguments_two(options, pos), shape))
      return selected(rows), cost
    end,
    refine = function(rows)
      return options.where and rows:where(options.where) or rows
    end,
  }
  local result = query.run(source, options.region or sky.all(), {})
  return result and result.table
end

--- Images of a region.
-- @tparam table options `region` (version 1: a circle, asked for as the square about it; version 2:
-- circle, box, polygon), `intersect` ("overlaps", the default; "center": images whose centre is in
-- the region, past the service's limit; version 1 also "covers", "enclosed"), `format`, `maxrec`,
-- `where` (criteria on the columns, applied to the rows); version 2, past the service's limit
-- unless `time` or `maxrec` is given, also `band` (m), `time` (MJD),
-- `exptime` (s), `fov`, `spatres`, `timeres`, `specrp`: number or { min =, max = };
-- `collection`, `facility`, `instrument`, `target`, `dataproduct_type`, `calib_level`, `pol`, `id`:
-- text or a list of any of which
-- @treturn halyard.table access_url, access_format, s_ra, s_dec, ... whatever the version
-- @raise `usage`, `truncated` when there are more images than one answer holds, `archive` with the
-- service's words
-- @usage vo.sia(url):query { region = sky.cone("M 101", "0.1 deg"), format = "image/fits" }
function methods:query(options)
  local record = door.begin(door.host(self.url), self.url)
  suggest.check_keys(options, known, "sia:query")
  if record.dry then
    record.notes[#record.notes + 1] = self.url .. " would be asked for images"
    return table_core.from_rows({}, { "access_url", "access_format", "s_ra", "s_dec" })
  end
  check(self, options)
  if options.intersect == "center" then
    return by_centers(self, options)
  elseif self.version == 2 and not options.time and not options.maxrec then
    return by_times(self, options)
  end
  local arguments
  if self.version == 1 then
    local ra, dec, radius = options.region:cone()
    arguments = arguments_one(options, { ra = ra, dec = dec, radius = radius })
  else
    arguments = arguments_two(options, options.region
      and access.pos(options.region, "sia:query"))
  end
  local rows, cost = access.ask_whole(self, arguments, options.maxrec, "take a smaller region or "
    .. "more constraints, or ask by centres, intersect = \"center\", which goes past the limit")
  rows = selected(rows)
  access.noted(record, self.url, rows, cost, options.region)
  return options.where and rows:where(options.where) or rows
end

--- The version that the service speaks, 1 or 2.
function methods:protocol()
  door.begin(door.host(self.url), self.url)
  return version_of(self)
end

--- What a service of version 1 says that it can be asked.
-- @treturn halyard.table name, type, unit, default, description
function methods:parameters()
  door.begin(door.host(self.url), self.url)
  return access.parameters(self.url, { { "FORMAT", "METADATA" } })
end

--- An image service.
-- @tparam string url the access URL; it may hold parameters of its own
-- @tparam[opt] table options `version`: 1 or 2; asked of the service when absent; `limit`: rows one
-- answer may hold, where the service or the registry says so
function M.sia(url, options)
  options = options or {}
  suggest.check_keys(options, { "version", "limit" }, "vo.sia")
  access.check_url(url, "vo.sia")
  access.check_limit(options.limit, "vo.sia")
  if options.version ~= nil and options.version ~= 1 and options.version ~= 2 then
    errors.raise("usage", "vo.sia: version is 1 or 2")
  end
  return setmetatable({ url = url, version = options.version, limit = options.limit,
    maker = "vo.sia" }, service_type)
end

return M
