-- SPDX-License-Identifier: BSD-3-Clause
-- Cutouts of images (mashup-api section 11): TESScut, zcut, hapcut. A zip comes for each question;
-- it stays beside the folder that it is unpacked into, so that the same call goes on where it was.

local bundles = require("halyard.archive.bundles")
local door = require("halyard.archive.door")
local download = require("halyard.core.download")
local errors = require("halyard.error")
local json = require("halyard.json")
local sky = require("halyard.sky")
local suggest = require("halyard.suggest")
local system = require("halyard.core.system")
local table_core = require("halyard.core.table")
local task = require("halyard.core.task")

local M = {}

local parallel_default, parallel_max = 4, 9 -- the service is to be asked fewer than ten at a time
local size_default = 5
local unpacked_max = 100 << 30

-- Where and how large ---------------------------------------------------------------------------

local places = { "target", "region", "moving_target" }

--- The one place of the options: { ra, dec, radius } or { body, kind }.
local function place_of(options, what, moving)
  local given
  for _, name in ipairs(places) do
    if options[name] ~= nil then
      if given then
        errors.raise("usage", ("%s takes one of %s and %s"):format(what, given, name))
      end
      given = name
    end
  end
  if options.kind ~= nil and given ~= "moving_target" then
    errors.raise("usage", what .. ": kind is of a moving_target")
  elseif not given then
    errors.raise("usage", ("%s needs a target (name or position)%s or a region"):format(what,
      moving and ", a moving_target" or ""))
  elseif given == "moving_target" then
    local body = options.moving_target
    body = math.type(body) == "integer" and ("%d"):format(body) or body
    if type(body) ~= "string" or not body:find("%S") then
      errors.raise("usage", what .. ": moving_target is the name or number of a body of the solar "
        .. "system")
    elseif options.kind and options.kind ~= "majorbody" and options.kind ~= "smallbody" then
      errors.raise("usage", what .. ': kind is "majorbody" or "smallbody"')
    end
    return { body = body, kind = options.kind }
  elseif given == "region" then
    if type(options.region) ~= "userdata" or not options.region:is_circle() then
      errors.raise("usage", what .. ": region is a circle, sky.cone(center, radius)")
    end
    local ra, dec, radius = options.region:cone()
    return { ra = ra, dec = dec, radius = radius }
  end
  local found = require("halyard.mast").resolve(options.target)
  return { ra = found.ra, dec = found.dec, radius = 0 }
end

-- A side: number of pixels, or degrees.
local function side_of(value, what)
  local pixels = type(value) == "string" and value:match("^%s*(%-?[%d.]+)%s*pi?xe?l?s?%s*$")
  local n = pixels and tonumber(pixels) or type(value) == "number" and value
  if n then
    n = math.tointeger(n)
    if not n or n < 1 then
      errors.raise("usage", ("%s: a size in pixels is a whole number from 1 on, not %s")
        :format(what, tostring(value)))
    end
    return n, "px"
  elseif type(value) ~= "string" then
    errors.raise("usage", what .. ': size is a number of pixels, a text ("15 px", "0.1 deg", '
      .. '"3 arcmin"), or { x =, y = }')
  end
  local degrees = sky.angle(value)
  if degrees <= 0 then
    errors.raise("usage", ("%s: a size is larger than 0, not %q"):format(what, value))
  end
  return degrees, "d"
end

local function size_of(options, what)
  local size = options.size == nil and size_default or options.size
  if type(size) ~= "table" then
    local side, units = side_of(size, what)
    return { x = side, y = side, units = units }
  end
  suggest.check_keys(size, { "x", "y" }, what .. ": size")
  local x, units = side_of(size.x, what)
  local y, units_y = side_of(size.y, what)
  if units ~= units_y then
    errors.raise("usage", what .. ": x and y of size are both pixels or both angles")
  end
  return { x = x, y = y, units = units }
end

local function plain(value)
  return math.type(value) == "integer" and ("%d"):format(value)
    or (("%.6f"):format(value):gsub("0+$", ""):gsub("%.$", ""))
end

-- What a file or folder of a place and size is called; the same for the same question.
local function name_of(prefix, place, size)
  local where = place.body and download.safe_name(place.body):gsub("%s", "_")
    or ("%.6f_%.6f"):format(place.ra, place.dec)
  return ("%s_%s_%sx%s%s"):format(prefix, where, plain(size.x), plain(size.y),
    size.units == "px" and "" or "deg")
end

-- Questions -------------------------------------------------------------------------------------

local function begin(parallel)
  return door.begin("mast", door.base("cutouts"), parallel)
end

-- The service's own words when it has nothing.
local function message_of(head)
  local ok, said = pcall(json.decode, head)
  return ok and type(said) == "table" and type(said.msg) == "string" and said.msg or nil
end

-- Downloads one zip and unpacks it: entries with path, file, bytes, sha256 and the member's name.
local function fetch(record, dir, name, url, what)
  local file, folder = ("%s/%s.zip"):format(dir, name), ("%s/%s"):format(dir, name)
  local got
  local tries = 0
  local list, head = bundles.fetch({
    dir = record.output, file = file, into = folder, replace = true,
    max_bytes = record.budget.download or unpacked_max,
  }, function()
    local ok
    ok, got = errors.try(download.file, {
      url = url, dir = record.output, path = file, auth = "mast",
    })
    if not ok then
      error(door.note(got, what), 0)
    end
    tries, record.requests = tries + got.tries, record.requests + got.tries
    record:downloaded(got.skipped and 0 or got.bytes)
  end)
  if not list then
    local message = message_of(head)
    if message then
      errors.raise("not_found", ("%s: %s"):format(what, message))
    end
    errors.raise("protocol", ("%s sent %s instead of a zip; check --archive or try again later")
      :format(what, door.looks_like(head)))
  end
  for i, member in ipairs(list) do
    list[i] = {
      name = member.path:match("[^/]+$"), file = folder .. "/" .. member.path,
      path = ("%s/%s/%s"):format(record.output, folder, member.path), bytes = member.bytes,
      sha256 = member.sha256, uri = url, ok = true, skipped = got.skipped, tries = tries,
    }
  end
  record.queries[#record.queries + 1] = {
    service = what, rows = #list, requests = tries, bytes = got.bytes,
  }
  return list
end

--- All entries as a table, and into the record of the run.
local function told(record, lists, columns)
  local rows = {}
  for _, list in ipairs(lists) do
    table.move(list, 1, #list, #rows + 1, rows)
  end
  record:require_files(#rows)
  table.move(rows, 1, #rows, #record.files + 1, record.files)
  return table_core.from_rows(rows, columns)
end

local function noted(record, what, columns)
  record.notes[#record.notes + 1] = what .. " would be asked for cutouts"
  return table_core.from_rows({}, columns)
end

local function folder_of(record, options, default)
  local dir = options.dir or default
  system.make_dirs(record:path(dir))
  return dir
end

-- A table of names in a control document: POST of a form.
local function listing(what, url, form)
  return door.document(what, {
    url = url, method = "POST", body = door.arguments(form), auth = "mast",
    headers = { ["Content-Type"] = "application/x-www-form-urlencoded" },
  })
end

-- TESS ------------------------------------------------------------------------------------------

local tess_columns = { "path", "sector", "camera", "ccd", "bytes", "sha256", "file" }
local sector_columns = { "sector_name", "sector", "camera", "ccd" }

local function tess_url(place, tail)
  return ("%s/tesscut/api/v0.1/%s%s"):format(door.base("cutouts"),
    place.body and "moving_target/" or "", tail)
end

local function whole(value)
  return math.tointeger(tonumber(value))
end

-- The frames that hold a place, each once: list of { sector_name, sector, camera, ccd }.
local function frames_of(place, radius)
  local what = "TESScut"
  local said = listing(what, tess_url(place, "sector"), place.body
    and { { "obj_id", place.body }, { "obj_type", place.kind } }
    or { { "ra", place.ra }, { "dec", place.dec }, { "radius", radius } })
  if type(said) ~= "table" or type(said.results) ~= "table" then
    errors.raise("protocol", what .. " sent no list of sectors (results); check --archive")
  end
  local list = {}
  for i, entry in ipairs(said.results) do
    local frame = type(entry) == "table" and {
      sector_name = tostring(entry.sectorName), sector = whole(entry.sector),
      camera = whole(entry.camera), ccd = whole(entry.ccd),
    }
    if not (frame and frame.sector and frame.camera and frame.ccd) then
      errors.raise("protocol", ("%s: entry %d of the list of sectors has no sector, camera and ccd")
        :format(what, i))
    end
    list[i] = frame
  end
  return list
end

-- Distinct sectors of the frames, ascending, those of `wanted` where it is given.
local function sectors_of(frames, wanted)
  local seen, all = {}, {}
  for _, frame in ipairs(frames) do
    if not seen[frame.sector] then
      seen[frame.sector] = true
      all[#all + 1] = frame.sector
    end
  end
  table.sort(all)
  if #all == 0 then
    errors.raise("not_found", "TESScut: no TESS sector holds the target; mast.cutouts.tess_sectors "
      .. "lists those of a region")
  elseif wanted == nil then
    return all
  end
  local list, listed = {}, {}
  wanted = type(wanted) == "table" and wanted or { wanted }
  for i = 1, math.max(1, #wanted) do
    local sector = math.tointeger(wanted[i])
    if not sector then
      errors.raise("usage", "mast.cutouts.tess: sectors is a sector number or a list of them")
    elseif not seen[sector] then
      errors.raise("not_found", ("TESScut: the target is not in sector %d; it is in %s")
        :format(sector, table.concat(all, ", ")))
    elseif not listed[sector] then
      list[#list + 1], listed[sector] = sector, true
    end
  end
  return list
end

local function tess_sectors(options)
  local what = "mast.cutouts.tess_sectors"
  suggest.check_keys(options, { "target", "region", "moving_target", "kind" }, what)
  local record = begin()
  local place = place_of(options, what, true)
  if record.dry then
    return noted(record, "TESScut", sector_columns)
  end
  return table_core.from_rows(frames_of(place, place.radius), sector_columns)
end

-- A member's sector, camera and CCD stand in its name.
local function tess_entry(entry)
  local sector, camera, ccd = entry.name:match("tess%-s(%d+)%-(%d)%-(%d)")
  entry.sector, entry.camera, entry.ccd = whole(sector), whole(camera), whole(ccd)
end

local function tess(options)
  local what = "mast.cutouts.tess"
  suggest.check_keys(options, { "target", "region", "moving_target", "kind", "size", "sectors",
    "dir", "parallel" }, what)
  local parallel = options.parallel or parallel_default
  if math.type(parallel) ~= "integer" or parallel < 1 or parallel > parallel_max then
    errors.raise("usage", ("%s: parallel is a whole number from 1 to %d"):format(what,
      parallel_max))
  end
  local size = size_of(options, what)
  local record = begin(parallel)
  local place = place_of(options, what, true)
  if record.dry then
    return noted(record, "TESScut", tess_columns)
  end
  local sectors = sectors_of(frames_of(place, 0), options.sectors)
  local dir = folder_of(record, options, "tesscut")
  local lists = task.map(sectors, parallel, function(sector)
    local url = door.url(tess_url(place, "astrocut"), {
      { "ra", place.ra }, { "dec", place.dec },
      { "obj_id", place.body }, { "obj_type", place.kind },
      { "x", size.x }, { "y", size.y }, { "units", size.units }, { "sector", sector },
    })
    local list = fetch(record, dir, name_of(("tess-s%04d"):format(sector), place, size), url,
      "TESScut")
    for _, entry in ipairs(list) do
      tess_entry(entry)
      if entry.sector ~= sector then
        errors.raise("integrity", ("TESScut sent %s for sector %d; run it again"):format(entry.name,
          sector))
      end
    end
    return list
  end)
  return told(record, lists, tess_columns)
end

-- Deep fields and Hubble's mosaics --------------------------------------------------------------

local image_columns = { "path", "survey", "bytes", "sha256", "file" }
local hap_columns = { "path", "bytes", "sha256", "file" }

local function z_surveys(options)
  local what = "mast.cutouts.z_surveys"
  suggest.check_keys(options, { "target", "region" }, what)
  local record = begin()
  local place = place_of(options, what)
  if record.dry then
    return noted(record, "zcut", { "survey" })
  end
  local said = listing("zcut", door.base("cutouts") .. "/zcut/api/v0.1/survey",
    { { "ra", place.ra }, { "dec", place.dec }, { "radius", place.radius } })
  if type(said) ~= "table" or type(said.surveys) ~= "table" then
    errors.raise("protocol", "zcut sent no list of surveys; check --archive")
  end
  local rows = {}
  for i, name in ipairs(said.surveys) do
    rows[i] = { survey = tostring(name) }
  end
  return table_core.from_rows(rows, { "survey" })
end

local formats = { "fits", "jpg", "png" }
local image_options = { "stretch", "minmax_percent", "minmax_value", "invert" }

-- { name, value } of the options that say how an image is to look.
local function image_arguments(options, format, what)
  local list = {}
  for _, name in ipairs(image_options) do
    local value = options[name]
    if value ~= nil and format == "fits" then
      errors.raise("usage", ("%s: %s is for format = \"jpg\" or \"png\""):format(what, name))
    elseif type(value) == "table" then
      value = ("[%s,%s]"):format(tostring(value[1]), tostring(value[2]))
    end
    list[#list + 1] = { name, value ~= nil and tostring(value) or nil }
  end
  return list
end

local function z(options)
  local what = "mast.cutouts.z"
  suggest.check_keys(options, { "target", "region", "size", "survey", "format", "dir",
    table.unpack(image_options) }, what)
  local format = options.format or "fits"
  if not (format == "fits" or format == "jpg" or format == "png") then
    suggest.unknown("format of " .. what, tostring(format), formats)
  end
  local size, looks = size_of(options, what), image_arguments(options, format, what)
  local record = begin()
  local place = place_of(options, what)
  if record.dry then
    return noted(record, "zcut", image_columns)
  end
  local dir = folder_of(record, options, "zcut")
  local arguments = {
    { "ra", place.ra }, { "dec", place.dec }, { "x", size.x }, { "y", size.y },
    { "units", size.units }, { "survey", options.survey }, { "cutout_format", format },
  }
  table.move(looks, 1, #looks, #arguments + 1, arguments)
  local url = door.url(door.base("cutouts") .. "/zcut/api/v0.1/astrocut", arguments)
  -- Pictures of one place that look different, and surveys, lie apart.
  local name = ("%s_%s_%s"):format(name_of("zcut", place, size), format,
    system.sha256(door.arguments(arguments)):sub(1, 8))
  local list = fetch(record, dir, name, url, "zcut")
  for _, entry in ipairs(list) do
    entry.survey = entry.name:match("^(.-)_%-?%d+%.%d+_%-?%d+%.%d+_")
  end
  return told(record, { list }, image_columns)
end

local function hap(options)
  local what = "mast.cutouts.hap"
  suggest.check_keys(options, { "target", "region", "size", "dir" }, what)
  local size = size_of(options, what)
  local record = begin()
  local place = place_of(options, what)
  if record.dry then
    return noted(record, "hapcut", hap_columns)
  end
  local dir = folder_of(record, options, "hapcut")
  local url = door.url(door.base("cutouts") .. "/hapcut/api/v0.1/astrocut", {
    { "ra", place.ra }, { "dec", place.dec }, { "x", size.x }, { "y", size.y },
    { "units", size.units },
  })
  return told(record, { fetch(record, dir, name_of("hapcut", place, size), url, "hapcut") },
    hap_columns)
end

-- For other doors of images.
M.place_of, M.told = place_of, told

--- Cutouts: `mast.cutouts.tess` and so on. Each call takes one options table with one place:
-- `target` (a name or a position), `region` (a circle: its centre), for TESS also `moving_target`.
-- `size`: a number of pixels (default 5), "15 px", an angle ("0.1 deg"), or { x =, y = } of these.
-- `dir`: the folder below the output folder. Files are in `dir`, in a folder for each question.
M.cutouts = {
  --- TESS target pixel files, one for each sector, camera and CCD: `sectors` (a number or a list;
  -- default all), `kind` of a moving target ("majorbody", "smallbody"), `parallel` (1 to 9).
  -- @treturn halyard.table path, sector, camera, ccd, bytes, sha256, file (below the output folder)
  -- @raise `not_found` when no sector, or not the one asked for, holds the target
  -- @usage mast.cutouts.tess { target = "52.5 -27.4", size = 11, sectors = { 28 } }
  tess = tess,
  --- The TESS frames that hold a place or touch a circle.
  -- @treturn halyard.table sector_name, sector, camera, ccd; empty when there is none
  tess_sectors = tess_sectors,
  --- Images of deep-field surveys: `survey` (default all), `format` ("fits", "jpg", "png"), for
  -- pictures `stretch`, `minmax_percent`, `minmax_value`, `invert`.
  -- @treturn halyard.table path, survey, bytes, sha256, file
  -- @raise `not_found` when no survey holds the place
  z = z,
  --- The surveys that zcut has at a place or in a circle.
  -- @treturn halyard.table survey; empty when there is none
  z_surveys = z_surveys,
  --- Images from the Hubble Advanced Products.
  -- @treturn halyard.table path, bytes, sha256, file
  -- @raise `not_found` when there are none of the place
  hap = hap,
}

return M
