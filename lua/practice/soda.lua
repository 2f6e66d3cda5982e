-- SPDX-License-Identifier: BSD-3-Clause
-- SODA 1.0, synchronous, server side (/soda/sync): a small image in FITS out of an observation by
-- its publisher's identifier (ID), where CIRCLE, POLYGON or POS meets its footprint, for a BAND (m)
-- and TIME (MJD) that it covers. One value of each; nothing in common is 204. Pixels of 1 arcsec
-- have the same value in every cutout they are in.
local cutouts = require "practice.cutouts"
local faults = require "practice.faults"
local fits = require "practice.fits"
local http = require "practice.http"
local sql = require "practice.sql"
local vo = require "practice.vo"

local M = {}

local PREFIX <const> = "ivo://mast.stsci.edu/caom?"
local PIXEL <const> = 1 / 3600 -- degrees
local SIDE_MAX <const> = 200
local imaging = { GALEX = true, HST = true, JWST = true, PS1 = true }

--- The number of the observation that an identifier names, and what follows it ("/files" or "");
-- nil when it names none.
function M.obsid(id)
  local number, deeper = id:match("^" .. PREFIX:gsub("%p", "%%%0") .. "(%d+)(/?f?i?l?e?s?)$")
  return math.tointeger(tonumber(number)), deeper
end

--- Are there cutouts of observations of a collection?
function M.serves(collection)
  return imaging[collection] ~= nil
end

local inputs = {
  { name = "ID", type = "char", ucd = "meta.id;meta.main", ref = "ID", value = "" },
  { name = "CIRCLE", type = "double", size = "3", unit = "deg", xtype = "circle", ucd = "obs.field",
    value = "" },
  { name = "POLYGON", type = "double", size = "*", unit = "deg", xtype = "polygon",
    ucd = "obs.field", value = "" },
  { name = "POS", type = "char", ucd = "obs.field", value = "" },
  { name = "BAND", type = "double", size = "2", unit = "m", xtype = "interval", ucd = "em.wl",
    value = "" },
  { name = "TIME", type = "double", size = "2", unit = "d", xtype = "interval",
    ucd = "time.interval;obs.exposure", value = "" },
}

--- What a document of links says about the service, for rows whose service_def is "soda".
function M.descriptor(base)
  return '<RESOURCE type="meta" utype="adhoc:service" ID="soda">'
    .. vo.elements("PARAM", {
      { name = "accessURL", type = "char", value = base .. "/soda/sync" },
      { name = "standardID", type = "char", value = "ivo://ivoa.net/std/SODA#sync-1.0" },
      { name = "resourceIdentifier", type = "char", value = "ivo://archive.stsci.edu/soda" },
    }) .. '<GROUP name="inputParams">' .. vo.elements("PARAM", inputs) .. "</GROUP></RESOURCE>"
end

local function refused(message)
  return http.answer(message .. "\n", "text/plain", 400)
end

local function interval(text)
  local low, high = text:match("^%s*(%S+)%s+(%S+)%s*$")
  local function number(word)
    return word and (word:lower():match("^[+-]?inf$")
      and (word:sub(1, 1) == "-" and -math.huge or math.huge) or tonumber(word))
  end
  low, high = number(low), number(high)
  return low and high and low <= high and { low, high } or nil
end

-- A region from its kind and numbers, with the width and height of the image about it in degrees.
local function region_of(kind, text)
  local n = vo.numbers(text)
  if kind == "CIRCLE" and #n == 3 and n[3] > 0 and math.abs(n[2]) <= 90 then
    return vo.circle(n[1], n[2], n[3])
  elseif kind == "POLYGON" and #n >= 6 and #n % 2 == 0 then
    return vo.polygon(n)
  elseif kind == "RANGE" and #n == 4 and n[3] < n[4] then
    return vo.range(n[1], n[2] + (n[2] < n[1] and 360 or 0), n[3], n[4])
  end
end

-- The region asked for: region or nil; or false, message.
local function asked_region(p)
  local region, n = nil, 0
  for _, name in ipairs({ "circle", "polygon", "pos" }) do
    local text = p[name]
    if text and text ~= "" then
      local kind, rest = name:upper(), text
      if name == "pos" then
        kind, rest = text:match("^%s*(%a+)%s+(.*)$")
      end
      region, n = region_of((kind or ""):upper(), rest or ""), n + 1
      if not region then
        return false, ("UsageFault: %s=%s is no region"):format(name:upper(), text)
      elseif n > 1 then
        return false, "MultiValuedParamNotSupported: one of CIRCLE, POLYGON, POS"
      end
    end
  end
  return region
end

local function covers(p, name, low, high)
  if not p[name] or p[name] == "" then
    return true
  end
  local range = interval(p[name])
  if not range then
    return nil, ("UsageFault: %s=%s is not two numbers"):format(name:upper(), p[name])
  end
  return low ~= nil and range[1] <= high and range[2] >= low
end

local function number(value)
  return type(value) == "number" and value or nil
end

local function image(row, id, region)
  local at = { ra = region and region.ra or row[1], dec = region and region.dec or row[2] }
  local side = math.ceil(2 * (region and region.radius or 20 * PIXEL) / PIXEL)
  if side > SIDE_MAX then
    return refused(("UsageFault: the cutout has %d pixels a side, at most are %d"):format(side,
      SIDE_MAX))
  end
  local values = cutouts.pixels(at, { side, side }, PIXEL, { cutouts.hash_text(id) })
  for i, v in ipairs(values) do
    values[i] = v / 1024
  end
  -- The middle of the pixel that holds the centre; plate carree about it.
  local middle = { (at.ra // PIXEL + 0.5) * PIXEL, ((at.dec + 90) // PIXEL + 0.5) * PIXEL - 90 }
  return http.answer(fits.primary_image(side, side, "float", values, {
    { "OBJECT", row[7] }, { "CTYPE1", "RA---CAR" }, { "CTYPE2", "DEC--CAR" },
    { "CRVAL1", middle[1] }, { "CRVAL2", middle[2] }, { "CRPIX1", side // 2 + 1 },
    { "CRPIX2", side // 2 + 1 }, { "CDELT1", PIXEL }, { "CDELT2", PIXEL },
  }), "application/fits")
end

local function sync(request)
  local p = http.parameters(request)
  local obsid = M.obsid(p.id or "")
  if not obsid then
    return refused(p.id and "UsageFault: ID=" .. p.id .. " is no data set"
      or "UsageFault: ID is missing")
  end
  local rows, why = sql.query("SELECT s_ra, s_dec, t_min, t_max, em_min, em_max, obs_collection "
    .. "FROM observations WHERE obsid = ?", { obsid })
  if not rows then
    return refused("TransientFault: " .. why)
  elseif not rows[1] or not M.serves(rows[1][7]) then
    return refused("NotFoundFault: no image " .. p.id)
  end
  local row = rows[1]
  local region, wrong = asked_region(p)
  if region == false then
    return refused(wrong)
  end
  local em = number(row[5])
  local in_band, wrong_band = covers(p, "band", em and em * 1e-9, em and row[6] * 1e-9)
  local in_time, wrong_time = covers(p, "time", number(row[3]), row[4])
  if in_band == nil or in_time == nil then
    return refused(wrong_band or wrong_time)
  end
  local touches = region == nil
  if region then
    local found
    found, why = vo.found({ region }, "OVERLAPS")
    if not found then
      return refused("TransientFault: " .. why)
    end
    for _, pair in ipairs(found.rows) do
      touches = touches or pair[1] == obsid
    end
  end
  if not (touches and in_band and in_time) then
    return http.answer("", "text/plain", 204)
  end
  return image(row, p.id, region)
end

M.routes = { ["/soda/sync"] = faults.data(sync, refused) }

return M
