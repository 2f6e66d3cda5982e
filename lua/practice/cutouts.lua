-- SPDX-License-Identifier: BSD-3-Clause
-- Cutouts (mashup-api section 11): TESScut from the full frames of the practice sky, zcut in a few
-- deep fields, hapcut where HST has looked. A pixel has the same value in every cutout it is in.
local core = require "practice.core"
local faults = require "practice.faults"
local fits = require "practice.fits"
local http = require "practice.http"
local json = require "practice.json"
local sql = require "practice.sql"
local zip = require "practice.zip"

local M = {}

local CADENCES <const> = 6
local SIDE_MAX <const> = 120 -- pixels: files are made in memory
local TESS_PIXEL <const> = 21 / 3600 -- degrees
local DEEP_PIXEL <const> = 0.06 / 3600

local function message(text)
  return http.json({ msg = text })
end

local function refused(text)
  return http.json({ message = text }, 400)
end

local function number(p, name, low, high)
  local v = tonumber(p[name])
  if not v or v ~= v or v < low or v > high then
    return nil, ("%s must be a number from %g to %g, not '%s'"):format(name, low, high,
      p[name] or "")
  end
  return v
end

local function position(p)
  local ra, why_ra = number(p, "ra", 0, 360)
  local dec, why_dec = number(p, "dec", -90, 90)
  return ra and dec and { ra = ra, dec = dec }, why_ra or why_dec
end

-- Width and height in pixels.
local function size_of(p, pixel_deg)
  local units = p.units or "px"
  if units ~= "px" and units ~= "d" then
    return nil, ("units must be px or d, not '%s'"):format(units)
  end
  local sides = {}
  for i, name in ipairs({ "x", "y" }) do
    local v = tonumber(p[name] or 5)
    local side = v and math.floor(units == "d" and v / pixel_deg + 0.5 or v)
    if not side or side < 1 or side > SIDE_MAX then
      return nil, ("%s = %s %s gives no side of 1 to %d pixels, the limit of the practice archive")
        :format(name, p[name], units, SIDE_MAX)
    end
    sides[i] = side
  end
  return sides
end

-- Parameters of a form, of the query string, or of a JSON body.
local function parameters(request)
  if (request.headers["content-type"] or ""):find("json", 1, true) then
    local ok, body = pcall(json.decode, request.body)
    return ok and type(body) == "table" and body or {}
  end
  return http.parameters(request)
end

-- Pixel values ----------------------------------------------------------------------------------

local function mixed(...)
  local h = 0x9E3779B97F4A7C15
  for _, v in ipairs({ ... }) do
    h = (h ~ v) * 0xBF58476D1CE4E5B9
    h = h ~ (h >> 29)
  end
  return h
end

local function hash_text(text)
  return core.crc32(text)
end

-- Counts of the pixels of a cutout, row by row. `salt`: a list of integers for the detector.
local function pixels(at, sides, pixel_deg, salt)
  local column, row = at.ra // pixel_deg | 0, (at.dec + 90) // pixel_deg | 0
  local out = {}
  for y = 0, sides[2] - 1 do
    for x = 0, sides[1] - 1 do
      local h = mixed(column + x - sides[1] // 2, row + y - sides[2] // 2, table.unpack(salt))
      out[#out + 1] = 1000 + (h >> 40 & 0xFFF)
    end
  end
  return out
end

-- TESS ------------------------------------------------------------------------------------------

local FRAMES <const> = "obs_collection = 'TESS' AND target_name = 'TESS FFI'"

local function frames(rows)
  local list, seen = json.list({}), {}
  for _, row in ipairs(rows) do
    local sector, camera, ccd = row[1]:match("^tess%-s(%d+)%-(%d)%-(%d)")
    local name = ("tess-s%s-%s-%s"):format(sector, camera, ccd)
    if not seen[name] then
      seen[name] = true
      list[#list + 1] = { sectorName = name, sector = ("%d"):format(sector), camera = camera,
        ccd = ccd, at = row[2] and { ra = row[2], dec = row[3] } }
    end
  end
  table.sort(list, function(a, b)
    return a.sectorName < b.sectorName
  end)
  return list
end

local function sectors_at(at, radius)
  return frames(assert(sql.query("SELECT obs_id FROM observations WHERE " .. FRAMES
    .. " AND circle_ra = ? AND circle_dec = ? AND circle_radius = ?", { at.ra, at.dec, radius })))
end

-- Bodies by name or number; they go round at their own pace, near the ecliptic.
local bodies = {
  { name = "ceres", id = "1", kind = "smallbody", start = 75, step = 6 },
  { name = "eleonora", id = "354", kind = "smallbody", start = 200, step = 5 },
  { name = "neptune", id = "899", kind = "majorbody", start = 350, step = 0.2 },
}
local SECTORS <const> = 69

local function body_of(p)
  local wanted = (p.obj_id or ""):lower()
  for _, body in ipairs(bodies) do
    if (wanted == body.name or wanted == body.id) and (p.obj_type or body.kind) == body.kind then
      return body
    end
  end
end

local function sectors_of_body(body)
  local rows = {}
  for sector = 1, SECTORS do
    local longitude = (body.start + body.step * sector) % 360
    rows[sector] = { sector, longitude,
      23.4 * math.sin(math.rad(longitude)) + (mixed(hash_text(body.name), sector) >> 60) / 8 }
  end
  return frames(assert(sql.query("SELECT o.obs_id, p.ra, p.dec FROM path p JOIN observations o ON "
    .. "o.circle_ra = p.ra AND o.circle_dec = p.dec AND o.circle_radius = 0.001 WHERE o."
    .. FRAMES:gsub("AND ", "AND o.") .. " AND o.sequence_number = p.sector", {},
    { tables = { path = { rows = rows,
      columns = { { "sector", "int" }, { "ra", "double" }, { "dec", "double" } } } } })))
end

local function listed(list)
  for _, frame in ipairs(list) do
    frame.at = nil
  end
  return http.json({ results = list })
end

local function sector(request)
  local p = http.parameters(request)
  local at, why = position(p)
  local radius, why_radius = number({ radius = p.radius or 0 }, "radius", 0, 30)
  if not at or not radius then
    return refused(why or why_radius)
  end
  return listed(sectors_at(at, radius))
end

local function moving_sector(request)
  local body = body_of(http.parameters(request))
  return listed(body and sectors_of_body(body) or json.list({}))
end

local function repeated(form, values)
  return form:rep(#values):pack(table.unpack(values))
end

-- A target pixel file: PRIMARY, PIXELS, APERTURE.
local function target_pixels(frame, at, sides)
  local salt = { math.tointeger(tonumber(frame.sector)), math.tointeger(tonumber(frame.camera)),
    math.tointeger(tonumber(frame.ccd)) }
  local n = sides[1] * sides[2]
  local dim = ("(%d,%d)"):format(sides[1], sides[2])
  local columns = { { "TIME", "D", "BJD - 2457000, days" }, { "TIMECORR", "E", "d" },
    { "CADENCENO", "J" }, { "RAW_CNTS", n .. "J", "count", dim }, { "FLUX", n .. "E", "e-/s", dim },
    { "FLUX_ERR", n .. "E", "e-/s", dim }, { "FLUX_BKG", n .. "E", "e-/s", dim },
    { "FLUX_BKG_ERR", n .. "E", "e-/s", dim }, { "QUALITY", "J" }, { "POS_CORR1", "E", "pixel" },
    { "POS_CORR2", "E", "pixel" }, { "FFI_FILE", "38A" } }
  local rows = {}
  for i = 1, CADENCES do
    local counts = pixels(at, sides, TESS_PIXEL, { salt[1], salt[2], salt[3], i })
    local flux, noise = {}, {}
    for k, v in ipairs(counts) do
      flux[k], noise[k] = v / 8, v / 256
    end
    local zeros = ("\0"):rep(4 * n)
    rows[i] = (">dfi4"):pack(1325.3 + 27.4 * (salt[1] - 1) + i / 48, 0.001 * i, 4000 + i)
      .. repeated(">i4", counts) .. repeated(">f", flux) .. repeated(">f", noise) .. zeros .. zeros
      .. (">i4ff"):pack(i == 4 and 128 or 0, 0.01 * i, -0.01 * i)
      .. ("%-38.38s"):format(("%s-%06d_ffic.fits"):format(frame.sectorName, i))
  end
  local mask = {}
  for i = 1, n do
    mask[i] = 1
  end
  local about = { { "TELESCOP", "TESS" }, { "ORIGIN", "practice archive" }, { "SECTOR", salt[1] },
    { "CAMERA", salt[2] }, { "CCD", salt[3] }, { "RA_OBJ", at.ra }, { "DEC_OBJ", at.dec } }
  return fits.primary(about) .. fits.table(columns, rows, { { "EXTNAME", "PIXELS" } })
    .. fits.image(sides[1], sides[2], "int", mask, { { "EXTNAME", "APERTURE" } })
end

local function zipped(members)
  return http.answer(zip(members), "application/zip")
end

-- Target pixel files of frames, one member each.
local function pixel_files(p, list, at, nothing)
  local sides, why = size_of(p, TESS_PIXEL)
  if not sides then
    return refused(why)
  end
  local members = {}
  for _, frame in ipairs(list) do
    if not p.sector or tonumber(p.sector) == tonumber(frame.sector) then
      local centre = at or frame.at
      members[#members + 1] = { ("%s_%.6f_%.6f_%dx%d_astrocut.fits"):format(frame.sectorName,
        centre.ra, centre.dec, sides[1], sides[2]), target_pixels(frame, centre, sides) }
    end
  end
  return #members > 0 and zipped(members) or message(nothing)
end

local function tess(request)
  local p = http.parameters(request)
  local at, why = position(p)
  if not at then
    return refused(why)
  end
  return pixel_files(p, sectors_at(at, 0), at, "The coordinates are in no TESS sector asked for.")
end

local function moving_tess(request)
  local p = http.parameters(request)
  local body = body_of(p)
  return pixel_files(p, body and sectors_of_body(body) or {}, nil,
    "The target is in no TESS sector asked for.")
end

-- Deep fields -----------------------------------------------------------------------------------

local fields = {
  { name = "3dhst_goods-n", ra = 189.2, dec = 62.24, radius = 0.15,
    filters = { "F606W", "F160W" } },
  { name = "3dhst_goods-s", ra = 53.12, dec = -27.8, radius = 0.15,
    filters = { "F606W", "F160W" } },
  { name = "candels_gs_60mas", ra = 53.12, dec = -27.8, radius = 0.12, filters = { "F814W" } },
  { name = "3dhst_cosmos", ra = 150.12, dec = 2.3, radius = 0.12, filters = { "F606W" } },
}

local function separation(a, b)
  local d = math.rad(a.dec - b.dec) / 2
  local r = math.rad(a.ra - b.ra) / 2
  local h = math.sin(d) ^ 2
    + math.cos(math.rad(a.dec)) * math.cos(math.rad(b.dec)) * math.sin(r) ^ 2
  return math.deg(2 * math.asin(math.min(1, math.sqrt(h))))
end

local function surveys_at(at, radius, name)
  local list = {}
  for _, field in ipairs(fields) do
    if separation(at, field) <= field.radius + radius and (not name or name == field.name) then
      list[#list + 1] = field
    end
  end
  return list
end

local function survey(request)
  local p = http.parameters(request)
  local at, why = position(p)
  local radius, why_radius = number({ radius = p.radius or 0 }, "radius", 0, 30)
  if not at or not radius then
    return refused(why or why_radius)
  end
  local names = json.list({})
  for i, field in ipairs(surveys_at(at, radius)) do
    names[i] = field.name
  end
  return http.json({ surveys = names })
end

local function image_file(at, sides, filters, more)
  local parts = { fits.primary(more) }
  for _, filter in ipairs(filters) do
    local values = pixels(at, sides, DEEP_PIXEL, { hash_text(filter) })
    for i, v in ipairs(values) do
      values[i] = v / 1024
    end
    parts[#parts + 1] = fits.image(sides[1], sides[2], "float", values,
      { { "EXTNAME", "CUTOUT" }, { "FILTER", filter } })
  end
  return table.concat(parts)
end

local function adler32(bytes)
  local a, b = 1, 0
  for i = 1, #bytes do
    a = (a + bytes:byte(i)) % 65521
    b = (b + a) % 65521
  end
  return b << 16 | a
end

local function chunk(kind, bytes)
  return (">I4"):pack(#bytes) .. kind .. bytes .. (">I4"):pack(core.crc32(kind .. bytes))
end

-- Grey levels as PNG (its second edition), or behind a JFIF start of image.
local function picture(at, sides, filter, invert, png)
  local lines = {}
  for i, v in ipairs(pixels(at, sides, DEEP_PIXEL, { hash_text(filter) })) do
    local grey = (v - 1000) >> 4
    lines[#lines + 1] = (i - 1) % sides[1] == 0 and "\0" or nil
    lines[#lines + 1] = string.char(invert and 255 - grey or grey)
  end
  local raw = table.concat(lines)
  if not png then
    return "\xff\xd8\xff\xe0\0\16JFIF\0\1\1\0\0\1\0\1\0\0" .. raw .. "\xff\xd9"
  end
  return "\x89PNG\r\n\x1a\n"
    .. chunk("IHDR", (">I4I4BBBBB"):pack(sides[1], sides[2], 8, 0, 0, 0, 0))
    .. chunk("IDAT", "\x78\x9c" .. core.deflate(raw) .. (">I4"):pack(adler32(raw)))
    .. chunk("IEND", "")
end

local function zcut(request)
  local p = http.parameters(request)
  local at, why = position(p)
  local sides, why_size = size_of(p, DEEP_PIXEL)
  if not at or not sides then
    return refused(why or why_size)
  end
  -- Clients call it either way.
  local format = (p.cutout_format or p.format or "fits"):lower()
  if format ~= "fits" and format ~= "jpg" and format ~= "png" then
    return refused(("cutout_format must be fits, jpg or png, not '%s'"):format(format))
  end
  local members = {}
  for i, field in ipairs(surveys_at(at, 0, p.survey)) do
    members[i] = { ("%s_%.6f_%.6f_%dpix-x-%dpix_astrocut.%s"):format(field.name, at.ra, at.dec,
      sides[1], sides[2], format),
      format == "fits" and image_file(at, sides, field.filters, { { "SURVEY", field.name } })
        or picture(at, sides, field.filters[1], (p.invert or ""):lower() == "true",
          format == "png") }
  end
  return #members > 0 and zipped(members)
    or message("The cutout(s) fall outside of any available survey.")
end

-- Hubble's advanced products --------------------------------------------------------------------

local function hapcut(request)
  local p = parameters(request)
  local at, why = position(p)
  local sides, why_size = size_of(p, DEEP_PIXEL)
  if not at or not sides then
    return refused(why or why_size)
  end
  local rows = assert(sql.query("SELECT DISTINCT instrument_name, filters FROM observations WHERE "
    .. "obs_collection = 'HST' AND circle_ra = ? AND circle_dec = ? AND circle_radius = 0 "
    .. "ORDER BY 1, 2", { at.ra, at.dec }))
  local members = {}
  for i, row in ipairs(rows) do
    local detector, filter = row[1]:lower():gsub("/", "_"), row[2]:lower()
    members[i] = { ("hst_cutout_skycell-p0000x00y00_%s_%s-ra%.6f-dec%.6f-%dx%d_astrocut.fits")
      :format(detector, filter, at.ra, at.dec, sides[1], sides[2]),
      image_file(at, sides, { row[2] }, { { "TELESCOP", "HST" }, { "INSTRUME", row[1] } }) }
  end
  return #members > 0 and zipped(members)
    or message("Missing HAP files for input target. Cutout not performed.")
end

-- For other doors of images.
M.position, M.pixels, M.picture, M.hash_text = position, pixels, picture, hash_text

M.routes = {
  ["/tesscut/api/v0.1/sector"] = faults.data(sector),
  ["/tesscut/api/v0.1/astrocut"] = faults.data(tess),
  ["/tesscut/api/v0.1/moving_target/sector"] = faults.data(moving_sector),
  ["/tesscut/api/v0.1/moving_target/astrocut"] = faults.data(moving_tess),
  ["/zcut/api/v0.1/survey"] = faults.data(survey),
  ["/zcut/api/v0.1/astrocut"] = faults.data(zcut),
  ["/hapcut/api/v0.1/astrocut"] = faults.data(hapcut),
}

return M
