-- SPDX-License-Identifier: BSD-3-Clause
-- Images beside the catalogues: Pan-STARRS (mast-interfaces section 6), DSS and HLA
-- (mast-classic-vo section 8). What these services refuse, they refuse with a page and status 200.
local core = require "practice.core"
local cutouts = require "practice.cutouts"
local faults = require "practice.faults"
local fits = require "practice.fits"
local http = require "practice.http"
local json = require "practice.json"
local sql = require "practice.sql"

local M = {}

local SIDE_MAX <const> = 512 -- pixels: files are made in memory
local PS1_PIXEL <const> = 0.25 / 3600 -- degrees
local PS1_SOUTH <const> = -30
local DSS_PIXEL <const> = 60 / 3600 -- coarse: a side of the survey's 60 arcmin is 60 pixels
local HLA_PIXEL <const> = 0.05 / 3600
local HLA_SIDE <const> = 32

local function page(text)
  return http.answer(("<!DOCTYPE html>\n<html><head><title>Error</title></head><body><h1>Error</h1>"
    .. "<p>%s</p></body></html>\n"):format(http.xml(text)), "text/html")
end

-- A whole FITS file with a tangential projection whose reference pixel is the middle.
local function image(at, width, height, pixel_deg, salt, more)
  local values = cutouts.pixels(at, { width, height }, pixel_deg, { salt })
  for i, v in ipairs(values) do
    values[i] = v / 64
  end
  local cards = { { "CTYPE1", "RA---TAN" }, { "CTYPE2", "DEC--TAN" }, { "CRVAL1", at.ra },
    { "CRVAL2", at.dec }, { "CRPIX1", (width + 1) / 2 }, { "CRPIX2", (height + 1) / 2 },
    { "CDELT1", -pixel_deg }, { "CDELT2", pixel_deg }, { "ORIGIN", "practice archive" } }
  table.move(more, 1, #more, #cards + 1, cards)
  return http.answer(fits.primary_image(width, height, "float", values, cards), "image/x-fits")
end

-- Pan-STARRS ------------------------------------------------------------------------------------

local MJD <const> = { g = 56044.38, r = 56036.31, i = 55996.42, z = 56128.47, y = 56138.39 }

-- The projection cell (635 to 2643 from the edge of the survey to the pole) and its cell.
local function skycell(at)
  local band = (at.dec - PS1_SOUTH) / (90 - PS1_SOUTH)
  return 635 + math.min(2008, band * 2009 // 1 | 0), (at.ra * 10 // 1 | 0) % 100
end

-- A position in a cell "1405.053".
local function position_of_cell(text)
  local projcell, subcell = text:match("^(%d+)%.(%d%d%d)$")
  projcell, subcell = tonumber(projcell), tonumber(subcell)
  if not projcell or projcell < 635 or projcell > 2643 or subcell > 99 then
    return nil, ("no skycell %s"):format(text)
  end
  return { ra = (subcell + 0.5) / 10,
    dec = PS1_SOUTH + (projcell - 635 + 0.5) / 2009 * (90 - PS1_SOUTH) }
end

local function filenames(request)
  local p = http.parameters(request)
  local at, why
  if p.skycell then
    at, why = position_of_cell(p.skycell)
  else
    at, why = cutouts.position(p)
  end
  if not at then
    return page(why)
  end
  local out = { "projcell subcell ra dec filter mjd type filename shortname badflag\n" }
  local kinds = "," .. (p.type or "stack") .. ","
  local projcell, subcell = skycell(at)
  local cell = ("%04d.%03d"):format(projcell, subcell)
  local function add(filter, kind, mjd, tail)
    local short = ("rings.v3.skycell.%s.%s"):format(cell, tail)
    out[#out + 1] = ("%d %d %.6f %.6f %s %.5f %s /rings.v3.skycell/%04d/%03d/%s %s 0\n"):format(
      projcell, subcell, at.ra, at.dec, filter, mjd, kind, projcell, subcell, short, short)
  end
  for filter in (at.dec >= PS1_SOUTH and "grizy" or ""):gmatch(".") do
    local wanted = (p.filters or "grizy"):find(filter, 1, true)
    if wanted and kinds:find(",stack,", 1, true) then
      add(filter, "stack", MJD[filter], ("stk.%s.unconv.fits"):format(filter))
    end
    for _, days in ipairs(wanted and kinds:find(",warp,", 1, true) and { 0, 31.5 } or {}) do
      local mjd = MJD[filter] + days
      add(filter, "warp", mjd, ("wrp.%s.%s.fits"):format(filter,
        (("%.5f"):format(mjd):gsub("%.", "_"))))
    end
  end
  local text = table.concat(out)
  if p.sep == "comma" or p.sep == "," then
    text = text:gsub(" ", ",")
  end
  return http.answer(text, "text/plain")
end

local function filter_of(name)
  return (name or ""):match("^/rings%.v3%.skycell/.*%.stk%.([grizy])%.")
    or (name or ""):match("^/rings%.v3%.skycell/.*%.wrp%.([grizy])%.")
end

local function fitscut(request)
  local p = http.parameters(request)
  local at, why = cutouts.position(p)
  local size, format = math.tointeger(tonumber(p.size or 240)), p.format or "jpg"
  if not at then
    return page(why)
  elseif not size or size < 1 or size > SIDE_MAX then
    return page(("size must be 1 to %d pixels"):format(SIDE_MAX))
  elseif at.dec < PS1_SOUTH then
    return page("No image data at this position")
  end
  for _, color in ipairs({ "red", "green", "blue" }) do
    if (color == "red" or p[color]) and not filter_of(p[color]) then
      return page(("cannot open %s image '%s'"):format(color, p[color] or ""))
    end
  end
  if format == "fits" then
    if p.green or p.blue then
      return page("FITS images have one filter")
    end
    local filter = filter_of(p.red)
    return image(at, size, size, PS1_PIXEL, cutouts.hash_text(filter),
      { { "TELESCOP", "PS1" }, { "FILTER", filter } })
  elseif format ~= "jpg" and format ~= "png" then
    return page(("unknown format '%s'"):format(format))
  end
  local side = math.min(SIDE_MAX, math.tointeger(tonumber(p.output_size or size)) or size)
  return http.answer(cutouts.picture(at, { side, side }, p.red .. (p.green or ""), false,
    format == "png"), format == "png" and "image/png" or "image/jpeg")
end

-- DSS -------------------------------------------------------------------------------------------

local surveys = { "poss2ukstu_red", "poss2ukstu_blue", "poss2ukstu_ir", "poss1_red", "poss1_blue",
  "quickv", "phase2_gsc2", "phase2_gsc1", "all" }

-- Codes of a GIF that are as wide as a byte: a table of 128 greys, started anew before it grows.
local function gif(width, height, values)
  local out = { "GIF89a", ("<I2I2BBB"):pack(width, height, 0xF6, 0, 0) }
  for grey = 0, 127 do
    out[#out + 1] = string.char(2 * grey):rep(3)
  end
  out[#out + 1] = "," .. ("<I2I2I2I2B"):pack(0, 0, width, height, 0) .. "\7"
  local codes = {}
  for i, v in ipairs(values) do
    codes[#codes + 1] = (i - 1) % 100 == 0 and "\x80" or nil
    codes[#codes + 1] = string.char((v - 1000) >> 5 & 0x7F)
  end
  local data = table.concat(codes) .. "\x81"
  for at = 1, #data, 255 do
    local block = data:sub(at, at + 254)
    out[#out + 1] = string.char(#block) .. block
  end
  return table.concat(out) .. "\0;"
end

-- Degrees of decimal or sexagesimal text.
local function angle(text, scale)
  if tonumber(text) then
    return tonumber(text)
  end
  local sign, a, b, c = (text or ""):match("^%s*([+-]?)(%d+)[%s:](%d+)[%s:]([%d.]+)%s*$")
  local value = a and tonumber(c) and (a + b / 60 + c / 3600) * scale
  return value and (sign == "-" and -value or value)
end

local function dss(request)
  local p = http.parameters(request)
  local at, why = cutouts.position({ ra = angle(p.r, 15), dec = angle(p.d, 1) })
  local height, width = tonumber(p.h), tonumber(p.w)
  local survey = p.v or "poss2ukstu_red"
  if not at then
    return page(why)
  elseif not height or not width or height <= 0 or width <= 0 or height > 60 or width > 60 then
    return page("Height and width must be greater than 0 and at most 60 arcminutes")
  end
  for i, name in ipairs(surveys) do
    survey = survey == tostring(i) and name or survey
  end
  if not (" " .. table.concat(surveys, " ") .. " "):find(" " .. survey .. " ", 1, true) then
    return page(("Unknown survey '%s'"):format(survey))
  end
  local w, h = math.ceil(width / 60 / DSS_PIXEL), math.ceil(height / 60 / DSS_PIXEL)
  local salt = cutouts.hash_text(survey)
  if p.f == "gif" then
    return http.answer(gif(w, h, cutouts.pixels(at, { w, h }, DSS_PIXEL, { salt })), "image/gif")
  end
  return image(at, w, h, DSS_PIXEL, salt, { { "SURVEY", survey } })
end

-- HLA -------------------------------------------------------------------------------------------

local fields = [[
<FIELD name="Dataset" ucd="VOX:Image_Title" datatype="char" arraysize="*"/>
<FIELD name="RA" ucd="POS_EQ_RA_MAIN" datatype="double" unit="deg"/>
<FIELD name="DEC" ucd="POS_EQ_DEC_MAIN" datatype="double" unit="deg"/>
<FIELD name="Detector" ucd="INST_ID" datatype="char" arraysize="*"/>
<FIELD name="Spectral_Elt" ucd="VOX:BandPass_ID" datatype="char" arraysize="*"/>
<FIELD name="ExpTime" datatype="double" unit="s"/>
<FIELD name="Mode" datatype="char" arraysize="*"/>
<FIELD name="Format" ucd="VOX:Image_Format" datatype="char" arraysize="*"/>
<FIELD name="URL" ucd="VOX:Image_AccessReference" datatype="char" arraysize="*"/>
]]

local function votable(status, why, rows)
  return http.answer(('<?xml version="1.0"?>\n<VOTABLE version="1.1">'
    .. '<RESOURCE type="results">\n'
    .. '<INFO name="QUERY_STATUS" value="%s">%s</INFO>\n<TABLE>\n%s<DATA><TABLEDATA>\n%s'
    .. "</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>\n"):format(status, http.xml(why), fields,
    table.concat(rows)), "text/xml")
end

local function listed(text)
  local set
  for word in (text or ""):gmatch("[^,%s]+") do
    set = set or {}
    set[word:lower()] = true
  end
  return set
end

local function hla(request)
  local p = http.parameters(request)
  local ra, dec = (p.pos or ""):match("^([^,]+),([^,]+)$")
  local at, why = cutouts.position({ ra = ra, dec = dec })
  local size = tonumber(p.size or 0)
  if not at or not size or size < 0 then
    return votable("ERROR", why or "SIZE is not a number of degrees", {})
  elseif size > 90 then
    return votable("OVERFLOW", "Searches with a radius above 45 degrees are not supported; "
      .. "restrict the search to a format or an instrument", {})
  end
  local found, _, more = sql.query("SELECT obs_id, s_ra, s_dec, instrument_name, filters, "
    .. "t_exptime FROM observations WHERE obs_collection = 'HST' AND circle_ra = ? AND "
    .. "circle_dec = ? AND circle_radius = ? ORDER BY 1", { at.ra, at.dec, size / 2 },
    { max = core.row_cap })
  if not found or more then
    return votable(more and "OVERFLOW" or "ERROR", more and "Too many images; restrict the search "
      .. "to a format or an instrument" or faults.DATABASE_TEXT, {})
  end
  local instruments, elements = listed(p.inst), listed(p.spectral_elt)
  local wanted, rows, looks = p.format or "ALL", {}, "&format=jpg"
  for _, name in ipairs({ "autoscale", "asinh", "naxis" }) do
    looks = looks .. (p[name] and ("&%s=%s"):format(name, http.encode(p[name])) or "")
  end
  for _, row in ipairs(found) do
    local name = row[4]:match("^[^/]*")
    if (not instruments or instruments[name:lower()])
      and (not elements or elements[row[5]:lower()]) then
      for _, format in ipairs({ "image/fits", "image/jpeg" }) do
        if wanted == "ALL" or ("," .. wanted .. ","):find("," .. format .. ",", 1, true) then
          local url = ("%s/cgi-bin/getdata.cgi?config=ops&dataset=%s%s"):format(
            request.base, http.encode(row[1]), format == "image/jpeg" and looks or "")
          local exposure = row[6] ~= json.null and row[6] or ""
          rows[#rows + 1] = ("<TR><TD>%s</TD><TD>%.8f</TD><TD>%.8f</TD><TD>%s</TD><TD>%s</TD>"
            .. "<TD>%s</TD><TD>IMAGE</TD><TD>%s</TD><TD>%s</TD></TR>\n"):format(http.xml(row[1]),
            row[2], row[3], http.xml(row[4]), http.xml(row[5]), exposure, format, http.xml(url))
        end
      end
    end
  end
  return votable("OK", "", rows)
end

--- The answer that is the image of a dataset of the list; nil when the list has no such dataset.
-- @param p parameters of its address: format, and of a picture autoscale, asinh, naxis
function M.dataset(name, p)
  local rows = assert(sql.query("SELECT s_ra, s_dec, filters, instrument_name FROM observations "
    .. "WHERE obs_collection = 'HST' AND obs_id = ?", { name }, { max = 1 }))
  if not rows[1] then
    return nil
  end
  local at = { ra = rows[1][1], dec = rows[1][2] }
  if p.format == "jpg" then
    local side = math.max(1, math.min(SIDE_MAX, math.tointeger(tonumber(p.naxis or HLA_SIDE))
      or HLA_SIDE))
    local looks = rows[1][3] .. (p.autoscale or "") .. (p.asinh or "")
    return http.answer(cutouts.picture(at, { side, side }, looks, false, false), "image/jpeg")
  end
  return image(at, HLA_SIDE, HLA_SIDE, HLA_PIXEL, cutouts.hash_text(rows[1][3]),
    { { "TELESCOP", "HST" }, { "INSTRUME", rows[1][4] }, { "FILTER", rows[1][3] } })
end

local function hla_failed(message)
  return votable("ERROR", message, {})
end

M.routes = {
  ["/cgi-bin/ps1filenames.py"] = faults.data(filenames),
  ["/cgi-bin/fitscut.cgi"] = faults.data(fitscut),
  ["/cgi-bin/dss_search"] = faults.data(dss),
  ["/cgi-bin/hlaSIAP.cgi"] = faults.data(hla, hla_failed),
}

return M
