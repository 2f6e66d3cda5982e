-- SPDX-License-Identifier: BSD-3-Clause
-- Images beside the catalogues: Pan-STARRS (mast-interfaces section 6), the Digitized Sky Survey
-- and the Hubble Legacy Archive (mast-classic-vo section 8). These services answer a page or a text
-- with status 200 when something is wrong: what a file is, is told by its first bytes.

local cutouts = require("halyard.archive.cutouts")
local door = require("halyard.archive.door")
local download = require("halyard.core.download")
local errors = require("halyard.error")
local report = require("halyard.report")
local sky = require("halyard.sky")
local suggest = require("halyard.suggest")
local system = require("halyard.core.system")
local table_core = require("halyard.core.table")
local task = require("halyard.task")

local M = {}

-- Options ---------------------------------------------------------------------------------------

-- Begins a call with one place: the record of the run, and { ra, dec, radius }.
local function begin(interface, options, what)
  local record = door.begin("mast", door.base(interface))
  return record, cutouts.place_of(options, what)
end

local function noted(record, what, columns)
  record.notes[#record.notes + 1] = what .. " would be asked for images"
  return table_core.from_rows({}, columns)
end

-- One of the known words, or the default.
local function word_of(options, name, known, default, what)
  local value = options[name]
  if value == nil then
    return default
  end
  for _, word in ipairs(known) do
    if word == value then
      return word
    end
  end
  suggest.unknown(("%s of %s"):format(name, what), tostring(value), known)
end

-- A list of known words as "a,b"; nil when there is no such option. `known` nil: any words.
local function words_of(options, name, known, what)
  local value = options[name]
  if value == nil then
    return nil
  end
  local list, usage = type(value) == "table" and value or { value }, nil
  for i = 1, math.max(1, #list) do
    if type(list[i]) ~= "string" or not list[i]:find("^[%w_.%-]+$") then
      usage = true
    elseif known then
      word_of({ [name] = list[i] }, name, known, nil, what)
    end
  end
  if usage then
    errors.raise("usage", ("%s: %s is a word or a list of words"):format(what, name))
  end
  return table.concat(list, ",")
end

local function whole_of(options, name, what)
  local value = options[name]
  if value ~= nil and (math.type(value) ~= "integer" or value < 1) then
    errors.raise("usage", ("%s: %s is a whole number from 1 on"):format(what, name))
  end
  return value
end

-- A number without exponent.
local function plain(value)
  return (("%.8f"):format(value):gsub("0+$", ""):gsub("%.$", ""))
end

-- Files -----------------------------------------------------------------------------------------

local starts = { fits = "SIMPLE  =", jpg = "\xff\xd8\xff", png = "\x89PNG", gif = "GIF8" }
local file_columns = { "path", "bytes", "sha256", "file", "url" }

-- The name of the file of a question: the same for the same question.
local function name_of(stem, url, extension)
  return ("%s_%s.%s"):format(download.safe_name(stem), system.sha256(url):sub(1, 8), extension)
end

-- Downloads one image: its entry in the report.
local function fetch(record, dir, name, url, what)
  local file = dir .. "/" .. name
  local ok, got = errors.try(download.file, {
    url = url, dir = record.output, path = file, starts = starts[name:match("[^.]+$")],
  })
  if not ok then
    error(door.note(got, what), 0)
  end
  local path = ("%s/%s"):format(record.output, file)
  if not got.skipped then
    record:downloaded(got.bytes)
  end
  record.queries[#record.queries + 1] = {
    service = what, rows = 1, requests = got.skipped and 0 or 1, bytes = got.bytes,
  }
  return {
    path = path, file = file, name = name, bytes = got.bytes, sha256 = got.sha256, uri = url,
    url = url, ok = true, skipped = got.skipped,
  }
end

local function folder_of(record, options, default)
  local dir = options.dir or default
  system.make_dirs(record:path(dir))
  return dir
end

-- Addresses that rows hold come from a service: the workflow has to declare their hosts.
local function download_rows(rows, options)
  local what = "mast.images.download"
  if type(rows) ~= "table" and type(rows) ~= "userdata" then
    errors.raise("usage", what .. " takes rows of mast.images.ps1 and mast.images.hla, not "
      .. (rows == nil and "nothing" or "a " .. type(rows)))
  end
  options = options or {}
  suggest.check_keys(options, { "dir", "parallel" }, what)
  local parallel = options.parallel or 4
  if math.type(parallel) ~= "integer" or parallel < 1 or parallel > 8 then
    errors.raise("usage", what .. ": parallel is a whole number from 1 to 8")
  end
  local record, list = report.current(), {}
  for i = 1, #rows do
    local row = rows[i]
    local url, name
    if type(row) == "table" then -- rows of tables refuse names that they do not have
      url, name = rawget(row, "url") or rawget(row, "URL"), rawget(row, "name")
    end
    if type(url) ~= "string" or not door.host(url) or type(name) ~= "string" then
      errors.raise("usage", ("%s: row %d has no url and name; it takes rows of mast.images.ps1 and "
        .. "mast.images.hla"):format(what, i))
    end
    local host = door.host(url)
    door.begin(host, url, parallel)
    list[i] = { url = url, name = name, host = host }
  end
  if record.dry then
    return noted(record, what, file_columns)
  end
  local dir = folder_of(record, options, "images")
  return cutouts.told(record, { task.map(list, parallel, function(entry)
    return fetch(record, dir, entry.name, entry.url, entry.host)
  end) }, file_columns)
end

-- Pan-STARRS ------------------------------------------------------------------------------------

local ps1_pixel = 0.25 / 3600 -- degrees
local ps1_size = 240
local ps1_formats, ps1_types = { "fits", "jpg", "png" }, { "stack", "warp" }
local picture_options = { "color", "output_size", "autoscale", "asinh" }
local hla_pictures = { "autoscale", "asinh", "naxis" }
local reddest_first = { "y", "z", "i", "r", "g" }

-- What is known of columns; what a service adds to them is text.
local ps1_columns = {
  projcell = { integer = true, description = "projection cell" },
  subcell = { integer = true, description = "cell in the projection cell" },
  ra = { number = true, unit = "deg", ucd = "pos.eq.ra" },
  dec = { number = true, unit = "deg", ucd = "pos.eq.dec" },
  filter = { ucd = "meta.id;instr.filter" },
  mjd = { number = true, unit = "d", ucd = "time.epoch" },
  badflag = { integer = true, ucd = "meta.code.qual" },
  filename = { ucd = "meta.id;meta.file" },
  url = { ucd = "meta.ref.url", description = "the cutout" },
  name = { description = "what the cutout's file is called" },
}
local ps1_names = { "projcell", "subcell", "ra", "dec", "filter", "mjd", "type", "filename",
  "shortname", "badflag", "url", "name" }

local function filters_of(options, what)
  local value = options.filters == nil and "grizy" or options.filters
  value = type(value) == "table" and table.concat(value) or value
  if type(value) ~= "string" or not value:find("^[grizy]+$") then
    errors.raise("usage", ("%s: filters are letters of grizy, such as \"gri\", not %s"):format(what,
      type(value) == "string" and ("%q"):format(value) or "a " .. type(value)))
  end
  return value
end

-- Pixels of a side: `size` in pixels or as an angle; without it what holds the circle.
local function ps1_size_of(options, place, what)
  local size = options.size
  if size == nil then
    return place.radius > 0 and math.ceil(2 * place.radius / ps1_pixel) or ps1_size
  elseif type(size) == "string" then
    size = math.ceil(sky.angle(size) / ps1_pixel - 1e-6)
  end
  if math.type(size) ~= "integer" or size < 1 then
    errors.raise("usage", what .. ': size is a whole number of pixels of 0.25 arcsec, or an angle '
      .. 'such as "2 arcmin"')
  end
  return size
end

-- The list: blanks between the fields, names in the first line.
local function ps1_list(text, what)
  local names, rows = nil, {}
  for line in text:gmatch("[^\r\n]+") do
    local fields = {}
    for field in line:gmatch("%S+") do
      fields[#fields + 1] = field
    end
    if not names then
      names = fields
      local set = {}
      for _, name in ipairs(names) do
        set[name] = true
      end
      if not (set.filter and set.filename) then
        break
      end
    elseif #fields ~= #names then
      errors.raise("protocol", ("%s: line %d of the list has %d fields, the first %d"):format(what,
        #rows + 2, #fields, #names))
    else
      local row = {}
      for i, name in ipairs(names) do
        local known = ps1_columns[name] or {}
        row[name] = known.integer and math.tointeger(tonumber(fields[i]))
          or known.number and tonumber(fields[i])
          or not (known.integer or known.number) and fields[i] or nil
      end
      rows[#rows + 1] = row
    end
  end
  if not names or #rows == 0 and not text:find("filename", 1, true) then
    errors.raise("protocol", ("%s sent %s instead of a list of images; check --archive")
      :format(what, door.looks_like(text)))
  end
  return rows, names
end

local function ps1_url(rows, place, size, format, looks)
  local arguments = {
    { "ra", plain(place.ra) }, { "dec", plain(place.dec) }, { "size", size }, { "format", format },
  }
  for i, color in ipairs({ "red", "green", "blue" }) do
    arguments[#arguments + 1] = { color, rows[i] and rows[i].filename }
  end
  for _, name in ipairs({ "output_size", "autoscale", "asinh" }) do
    local value = looks[name]
    arguments[#arguments + 1] = { name, value == true and 1 or value or nil }
  end
  local given = {}
  for _, pair in ipairs(arguments) do
    given[#given + 1] = pair[2] ~= nil and pair or nil
  end
  return door.url(door.base("ps1images") .. "/cgi-bin/fitscut.cgi", given)
end

-- One row for a picture of three filters: reddest first as red, green, blue.
local function colored(rows, what)
  local chosen, seen = {}, {}
  for _, filter in ipairs(reddest_first) do
    for _, row in ipairs(rows) do
      if row.filter == filter and not seen[filter] and #chosen < 3 then
        chosen[#chosen + 1], seen[filter] = row, true
      end
    end
  end
  if #chosen < 3 then
    errors.raise("not_found", ("%s: a picture in color takes three filters, here are %d: ask for "
      .. "more of grizy"):format(what, #chosen))
  end
  return chosen
end

-- Options for how pictures look: only where there are pictures.
local function check_looks(options, names, pictures, formats, what)
  for _, name in ipairs(names) do
    if options[name] ~= nil and not pictures then
      errors.raise("usage", ("%s: %s is for format = %s"):format(what, name, formats))
    end
  end
  whole_of(options, "output_size", what)
  whole_of(options, "naxis", what)
  if options.autoscale ~= nil and type(options.autoscale) ~= "number" then
    errors.raise("usage", what .. ": autoscale is a percentage")
  end
end

-- Where images are looked for: the record, the arguments that say so, and the place of the cutouts,
-- which in a cell is each image's own.
local function ps1_place(options, what)
  local cell = options.skycell
  if cell == nil then
    local record, place = begin("ps1images", options, what)
    return record, { { "ra", plain(place.ra) }, { "dec", plain(place.dec) } }, place
  elseif options.target or options.region then
    errors.raise("usage", what .. ": one of target, region and skycell")
  elseif type(cell) ~= "string" or not cell:find("^%d%d?%d?%d%.%d%d%d$") then
    errors.raise("usage", what .. ': skycell is a text such as "1405.053"')
  end
  return door.begin("mast", door.base("ps1images")), { { "skycell", cell } }
end

-- The place of an image's cutout: the one asked for, else the image's own.
local function place_of_row(row, place, what)
  if not place and not (row.ra and row.dec) then
    errors.raise("protocol", what .. ": the list does not say where the images are")
  end
  return place or row
end

local function ps1(options)
  local what = "mast.images.ps1"
  suggest.check_keys(options, { "target", "region", "skycell", "size", "filters", "type",
    "format", table.unpack(picture_options) }, what)
  local format = word_of(options, "format", ps1_formats, "fits", what)
  check_looks(options, picture_options, format ~= "fits", '"jpg" or "png"', what)
  local filters = filters_of(options, what)
  local kinds = words_of(options, "type", ps1_types, what) or "stack"
  local record, arguments, place = ps1_place(options, what)
  local size = ps1_size_of(options, place or { radius = 0 }, what)
  if record.dry then
    return noted(record, "Pan-STARRS", ps1_names)
  end
  for _, pair in ipairs({ { "size", size }, { "filters", filters }, { "type", kinds },
    { "format", "fits" } }) do
    arguments[#arguments + 1] = pair
  end
  local reply = door.reply("ps1filenames.py", {
    url = door.url(door.base("ps1images") .. "/cgi-bin/ps1filenames.py", arguments),
  })
  local rows, names = ps1_list(reply.body, "ps1filenames.py")
  record.queries[#record.queries + 1] = {
    service = "ps1filenames.py", rows = #rows, requests = 1, bytes = #reply.body,
  }
  if #rows == 0 then
    errors.raise("not_found", place and ("%s: no image of %s holds %.6f %.6f; Pan-STARRS ends at "
      .. "declination -30"):format(what, filters, place.ra, place.dec)
      or ("%s: no image of %s in cell %s"):format(what, filters, options.skycell))
  end
  local chosen = options.color and colored(rows, what)
  rows = chosen and { chosen[1] } or rows
  for _, row in ipairs(rows) do
    row.url = ps1_url(chosen or { row }, place_of_row(row, place, what), size, format, options)
    local stem = row.filename:match("([^/]+)$"):gsub("%.fits$", "")
    if chosen then
      row.filter = chosen[1].filter .. chosen[2].filter .. chosen[3].filter
      stem = stem .. "_" .. row.filter
    end
    row.name = name_of(stem, row.url, format)
  end
  table.move({ "url", "name" }, 1, 2, #names + 1, names)
  return door.described(table_core.from_rows(rows, names), ps1_columns)
end

-- Digitized Sky Survey --------------------------------------------------------------------------

local dss_surveys = { "poss2ukstu_red", "poss2ukstu_blue", "poss2ukstu_ir", "poss1_red",
  "poss1_blue", "quickv", "phase2_gsc2", "phase2_gsc1", "all" }
local dss_formats, dss_max = { "fits", "gif" }, 60 -- arcmin
local dss_columns = { "path", "survey", "bytes", "sha256", "file", "url" }

local function dss_side(value, what)
  local arcmin = sky.angle(value) * 60
  if arcmin <= 0 or arcmin > dss_max + 1e-9 then
    errors.raise("usage", ("%s: a side of %g arcmin; the survey gives more than 0 and at most %d")
      :format(what, arcmin, dss_max))
  end
  return arcmin
end

local function dss(options)
  local what = "mast.images.dss"
  suggest.check_keys(options, { "target", "region", "size", "survey", "format", "dir" }, what)
  local survey = word_of(options, "survey", dss_surveys, "poss2ukstu_red", what)
  local format = word_of(options, "format", dss_formats, "fits", what)
  local record, place = begin("classic", options, what)
  local size = options.size
  if size == nil then
    size = place.radius > 0 and 2 * place.radius or 0.25
  end
  size = type(size) == "table" and size or { x = size, y = size }
  suggest.check_keys(size, { "x", "y" }, what .. ": size")
  local width, height = dss_side(size.x, what), dss_side(size.y, what)
  if record.dry then
    return noted(record, "DSS", dss_columns)
  end
  local url = door.url(door.base("classic") .. "/cgi-bin/dss_search", {
    { "v", survey }, { "r", plain(place.ra) }, { "d", plain(place.dec) }, { "e", "J2000" },
    { "h", plain(height) }, { "w", plain(width) }, { "f", format }, { "c", "none" },
    { "fov", "NONE" }, { "v3", "" },
  })
  local name = name_of(("dss_%s_%.6f_%.6f"):format(survey, place.ra, place.dec), url, format)
  local entry = fetch(record, folder_of(record, options, "dss"), name, url, "DSS")
  entry.survey = survey
  return cutouts.told(record, { { entry } }, dss_columns)
end

-- Hubble Legacy Archive -------------------------------------------------------------------------

local hla_types = { "best", "exposure", "combined", "mosaic", "color", "hlsp", "all" }
local hla_instruments = { "ACS", "ACSGrism", "WFC3", "WFPC2", "NICMOS", "NICGRISM", "COS", "STIS",
  "FOS", "GHRS" }
local hla_formats = { "image/fits", "image/jpeg", "ALL" }
local hla_columns = { "URL", "Dataset", "Format", "Detector", "Spectral_Elt", "ExpTime", "Mode",
  "name" }
local extensions = { fits = "fits", jpeg = "jpg", png = "png", gif = "gif", tar = "tar",
  html = "html" }

-- The column with the UCD of SIA, else the one of this name.
local function column_of(rows, ucd, name)
  local found
  for _, each in ipairs(rows.columns) do
    local said = (rows:field(each).ucd or ""):lower()
    if said == ucd:lower() or not found and each:lower() == name:lower() then
      found = each
      if said == ucd:lower() then
        break
      end
    end
  end
  if not found then
    errors.raise("protocol", ("HLA: the answer has no column %s (%s)"):format(name, ucd))
  end
  return found
end

local function hla(options)
  local what = "mast.images.hla"
  suggest.check_keys(options, { "target", "region", "size", "type", "instruments", "filters",
    "format", "proprietary", table.unpack(hla_pictures) }, what)
  local kind = word_of(options, "type", hla_types, "best", what)
  local format = word_of(options, "format", hla_formats, "image/fits", what)
  local instruments = words_of(options, "instruments", hla_instruments, what)
  local filters = words_of(options, "filters", nil, what)
  check_looks(options, hla_pictures, format ~= "image/fits", '"image/jpeg" or "ALL"', what)
  local record, place = begin("hla", options, what)
  local size = options.size == nil and 2 * place.radius or sky.angle(options.size)
  if size < 0 then
    errors.raise("usage", what .. ": size is an angle of 0 or more")
  elseif record.dry then
    return noted(record, "HLA", hla_columns)
  end
  local arguments = {
    { "POS", plain(place.ra) .. "," .. plain(place.dec) }, { "SIZE", plain(size) },
    { "imagetype", kind }, { "format", format },
    { "proprietary", tostring(options.proprietary == true) },
  }
  for _, name in ipairs(hla_pictures) do
    local value = options[name]
    arguments[#arguments + 1] = value ~= nil
      and { name, value == true and 1 or value == false and 0 or value } or nil
  end
  arguments[#arguments + 1] = instruments and { "inst", instruments }
  arguments[#arguments + 1] = filters and { "spectral_elt", filters }
  local url = door.url(door.base("hla") .. "/cgi-bin/hlaSIAP.cgi", arguments)
  local ok, rows, _, cost = errors.try(door.fetch, "HLA", { url = url, format = "votable",
    poll = false })
  if not ok then
    local err = rows
    if err.code == "truncated" then
      err.message = err.message .. ": choose instruments, filters or a format, or a smaller size"
    end
    error(err, 0)
  end
  record:spent(cost)
  record.queries[#record.queries + 1] = {
    service = "HLA", rows = #rows, requests = 1, bytes = cost.bytes,
  }
  local link = column_of(rows, "VOX:Image_AccessReference", "URL")
  local media, title = column_of(rows, "VOX:Image_Format", "Format"), column_of(rows,
    "VOX:Image_Title", "Dataset")
  rows = rows:with("name", function(row)
    local extension = extensions[(row[media] or ""):match("(%a+)%s*$") or ""]
    return row[link] and name_of(row[title] or "hla", row[link], extension or "bin")
  end)
  if link ~= "URL" and link ~= "url" then
    rows = rows:with("url", rows:column(link))
  end
  return rows
end

--- Images: each call takes one options table with one place: `target` (a name or a position) or
-- `region` (a circle, which the image is to hold unless `size` says otherwise).
-- For other doors of files.
M.fetch, M.name_of, M.folder_of, M.told, M.noted = fetch, name_of, folder_of, cutouts.told, noted

M.images = {
  --- The images of Pan-STARRS at a place, with the address of a cutout of each: `size` (pixels of
  -- 0.25 arcsec, default 240, or an angle), `skycell` ("1405.053") instead of a place: the images
  -- of that cell, cut out where each of them is, `filters` (of "grizy"), `type` ("stack", "warp"),
  -- `format` ("fits", "jpg", "png"); for pictures `color` (true: one picture of three filters),
  -- `output_size` (pixels), `autoscale` (percent), `asinh` (true).
  -- @treturn halyard.table the service's columns, url, name
  -- @raise `not_found` south of declination -30
  -- @usage mast.images.download(mast.images.ps1 { target = "M 13", filters = "gri" })
  ps1 = ps1,
  --- One image of the Digitized Sky Survey, downloaded: `size` (an angle or { x =, y = }, at most
  -- 60 arcmin, default 15 arcmin), `survey`, `format` ("fits", "gif"), `dir`.
  -- @treturn halyard.table path, survey, bytes, sha256, file, url: one row
  dss = dss,
  --- The images of the Hubble Legacy Archive in a square of `size` (an angle) around a place:
  -- `type`, `instruments`, `filters`, `format` ("image/fits", "image/jpeg", "ALL"), `proprietary`
  -- (true: also those that are not public); of pictures `autoscale` (percent), `asinh`, `naxis`
  -- (pixels of a side).
  -- @treturn halyard.table the service's columns, name; empty when there is none
  -- @raise `truncated` when the service refuses so large a square
  hla = hla,
  --- Downloads the images of rows of `ps1` and `hla`: `dir` (default "images"), `parallel` (1 to 8,
  -- default 4).
  -- @treturn halyard.table path, bytes, sha256, file, url
  -- @raise `protocol` when something else comes than an image
  download = download_rows,
}

return M
