-- SPDX-License-Identifier: BSD-3-Clause
-- Simple Image Access, server side: version 1 (/siap/search.php) and 2 (/vo-sia/api/v0.1/query), on
-- the images among the observations. The access URL may choose what services differ in:
-- `flag=first|last|none` what is said about an answer cut at the row cap (--row-cap).
local faults = require "practice.faults"
local http = require "practice.http"
local sql = require "practice.sql"
local vo = require "practice.vo"

local M = {}

local images = "dataproduct_type IN ('image', 'cube')"

-- A file is a link document where its instrument has several: see practice.datalink.
local linked = "obs_collection = 'GALEX'"

sql.define("sia_one", {
  from = "observations CROSS JOIN (SELECT 'image/fits' AS kind UNION ALL SELECT 'image/jpeg') "
    .. "WHERE " .. images .. " AND CASE kind WHEN 'image/fits' THEN dataURL ELSE jpegURL END <> ''",
  columns = {
    { name = "imageTitle", is = "obs_id", type = "char", ucd = "VOX:Image_Title" },
    { name = "ra", is = "s_ra", type = "double", unit = "deg", ucd = "POS_EQ_RA_MAIN" },
    { name = "dec", is = "s_dec", type = "double", unit = "deg", ucd = "POS_EQ_DEC_MAIN" },
    { name = "imageFormat", is = "kind", type = "char", ucd = "VOX:Image_Format" },
    { name = "accessURL", is = "CASE kind WHEN 'image/fits' THEN dataURL ELSE jpegURL END",
      type = "char", ucd = "VOX:Image_AccessReference" },
    { name = "naxes", is = "2", type = "int", ucd = "VOX:Image_Naxes" },
    { name = "naxis", is = "'1024 1024'", type = "char", ucd = "VOX:Image_Naxis" },
    { name = "scale", is = "round(0.0002 + 0.0001 * uniform(obsid, 80), 7)", type = "double",
      unit = "deg/pix", ucd = "VOX:Image_Scale" },
    { name = "instrument", is = "instrument_name", type = "char", ucd = "INST_ID" },
    { name = "mjdDate", is = "t_min", type = "double", unit = "d", ucd = "VOX:Image_MJDateObs" },
    { name = "bandLow", is = "em_min * 1e-9", type = "double", unit = "m",
      ucd = "VOX:BandPass_LoLimit" },
    { name = "bandHigh", is = "em_max * 1e-9", type = "double", unit = "m",
      ucd = "VOX:BandPass_HiLimit" },
    { name = "collection", is = "obs_collection", type = "char" },
    { name = "obsid", type = "long" }, { name = "objid", is = "objID", type = "long" },
  },
})

sql.define("sia_two", { from = "observations WHERE " .. images .. " AND dataURL <> ''", columns = {
  { name = "dataproduct_type", ucd = "meta.id", utype = "ObsDataset.dataProductType" },
  { name = "calib_level", type = "int", ucd = "meta.code;obs.calib" },
  { name = "obs_collection", ucd = "meta.id" }, { name = "obs_id", ucd = "meta.id" },
  { name = "obs_publisher_did", is = "'ivo://mast.stsci.edu/caom?' || obsid", type = "char",
    ucd = "meta.ref.ivoid" },
  { name = "access_url", is = "CASE WHEN " .. linked .. " THEN '/datalink/links?ID=ivo%3A%2F%2F"
    .. "mast.stsci.edu%2Fcaom%3F' || obsid ELSE '/api/v0.1/Download/file?uri=' || dataURL END",
    type = "char", ucd = "meta.ref.url" },
  { name = "access_format", is = "CASE WHEN " .. linked .. " THEN 'application/x-votable+xml;"
    .. "content=datalink' ELSE 'image/fits' END", type = "char", ucd = "meta.code.mime" },
  { name = "access_estsize", is = "1 + CAST(9000 * uniform(obsid, 60) AS INTEGER)", type = "long",
    unit = "kbyte", ucd = "phys.size;meta.file" },
  { name = "target_name", ucd = "meta.id;src" },
  { name = "s_ra", unit = "deg", ucd = "pos.eq.ra" },
  { name = "s_dec", unit = "deg", ucd = "pos.eq.dec" },
  { name = "s_region", ucd = "pos.outline;obs.field" },
  { name = "t_min", unit = "d", ucd = "time.start;obs.exposure" },
  { name = "t_max", unit = "d", ucd = "time.end;obs.exposure" },
  { name = "t_exptime", unit = "s", ucd = "time.duration;obs.exposure" },
  { name = "em_min", is = "em_min * 1e-9", type = "double", unit = "m", ucd = "em.wl;stat.min" },
  { name = "em_max", is = "em_max * 1e-9", type = "double", unit = "m", ucd = "em.wl;stat.max" },
  { name = "facility_name", is = "project", type = "char", ucd = "meta.id;instr.tel" },
  { name = "instrument_name", ucd = "meta.id;instr" },
  { name = "obsid" }, { name = "objid", is = "objID", type = "long" },
} })

-- Columns of a view but the two that rows are found by, with `base` before the URL.
local function selection(name, url, base)
  local list, fields = {}, {}
  for _, c in ipairs(sql.columns(name)) do
    if c.name ~= "obsid" and c.name ~= "objid" then
      fields[#fields + 1] = c
      list[#list + 1] = c.name == url and ("%s || %s AS %s"):format(sql.text(base),
        sql.quote(url), sql.quote(url)) or sql.quote(c.name)
    end
  end
  return table.concat(list, ", "), fields
end

local found = " WHERE obsid IN (SELECT obsid FROM found) AND objid IN (SELECT objid FROM found)"

-- Version 1 ---------------------------------------------------------------------------------------

local inputs = {
  { name = "INPUT:POS", type = "char", value = "", unit = "deg", description = "ra,dec (ICRS)" },
  { name = "INPUT:SIZE", type = "char", value = "0.1", unit = "deg", description = "full width" },
  { name = "INPUT:FORMAT", type = "char", value = "ALL", description = "ALL, GRAPHIC, METADATA or "
    .. "media types" },
  { name = "INPUT:INTERSECT", type = "char", value = "OVERLAPS", description = "relation" },
  { name = "INPUT:id", type = "char", value = "", description = "collection" },
}

local kinds = {
  all = "1", graphic = "imageFormat = 'image/jpeg'", ["graphic-all"] = "imageFormat = 'image/jpeg'",
  ["image/fits"] = "imageFormat = 'image/fits'", fits = "imageFormat = 'image/fits'",
  ["image/jpeg"] = "imageFormat = 'image/jpeg'",
}

local function formats(text)
  local out = {}
  for word in text:lower():gmatch("[^,]+") do
    out[#out + 1] = kinds[word] or "0"
  end
  return "(" .. table.concat(out, " OR ") .. ")"
end

-- The region of POS and SIZE; or nil, message.
local function rectangle(p)
  local ra, dec = (p.pos or ""):match("^%s*([^,%s]+)%s*,%s*([^,%s]+)%s*$")
  ra, dec = tonumber(ra), tonumber(dec)
  if not p.pos then
    return nil, "UsageFault: POS is missing"
  elseif not ra or ra < 0 or ra > 360 or dec < -90 or dec > 90 then
    return nil, "UsageFault: POS is not ra,dec in degrees: " .. p.pos
  end
  local w, h = (p.size or "0.1"):match("^([^,]+),?([^,]*)$")
  w = tonumber(w)
  h = tonumber(h) or w
  if not w or w < 0 or h < 0 or w > 360 or h > 180 then
    return nil, "UsageFault: SIZE is not a width in degrees: " .. (p.size or "")
  end
  local low, high = math.max(-90, dec - h / 2), math.min(90, dec + h / 2)
  if w == 0 and h == 0 then
    return vo.circle(ra, dec, 0)
  end
  local half = math.min(180, w / 2 / math.max(1e-6, math.cos(math.rad(dec))))
  return vo.range(ra - half, ra + half, low, high)
end

local function version_one(request)
  local p = http.parameters(request)
  local text, fields = selection("sia_one", "accessURL", request.base
    .. "/api/v0.1/Download/file?uri=")
  if (p.format or ""):upper() == "METADATA" then
    return vo.metadata(inputs, fields)
  end
  local region, why = rectangle(p)
  local relation = (p.intersect or "OVERLAPS"):upper()
  if not region then
    return vo.refused(why)
  elseif not vo.relations[relation] then
    return vo.refused("UsageFault: INTERSECT is COVERS, ENCLOSED, CENTER or OVERLAPS")
  end
  local list, failure = vo.found({ region }, p.size == "0" and "OVERLAPS" or relation)
  if not list then
    return vo.refused(failure)
  end
  local where = found .. " AND " .. formats(p.format or "ALL")
  if p.id then
    where = where .. " AND collection = " .. sql.text(p.id)
  end
  return vo.answer({ sql = "SELECT " .. text .. " FROM sia_one" .. where, fields = fields,
    tables = { found = list }, max_rows = vo.cap(), flag = p.flag, failed = vo.refused })
end

-- Version 2 ---------------------------------------------------------------------------------------

-- Intervals: what of a row meets lo..hi; texts: columns that are equal.
local intervals = { band = { "em_min", "em_max" }, time = { "t_min", "t_max" },
  exptime = { "t_exptime", "t_exptime" } }
local texts = { collection = "obs_collection", facility = "facility_name", target = "target_name",
  instrument = "instrument_name", dptype = "dataproduct_type", id = "obs_publisher_did",
  calib = "calib_level" }

local function number(text)
  text = text:lower()
  return text == "-inf" and -1e300 or (text == "inf" or text == "+inf") and 1e300 or tonumber(text)
end

local function position(text)
  local kind, rest = text:match("^%s*(%a+)%s+(.-)%s*$")
  local list = {}
  for word in (rest or ""):gmatch("%S+") do
    list[#list + 1] = number(word)
  end
  kind = kind and kind:upper()
  if kind == "CIRCLE" and #list == 3 and list[3] >= 0 and list[3] <= 90 then
    return vo.circle(list[1], list[2], list[3])
  elseif kind == "RANGE" and #list == 4 then
    local west = math.max(0, list[1])
    local east = math.min(360, list[2])
    return vo.range(west, east < west and east + 360 or east, math.max(-90, list[3]),
      math.min(90, list[4]))
  elseif kind == "POLYGON" and #list >= 6 and #list % 2 == 0 then
    return vo.polygon(list)
  end
end

local function term(name, value)
  local columns = intervals[name]
  if columns then
    local low, high = value:match("^%s*(%S+)%s+(%S+)%s*$")
    low, high = number(low or value), number(high or value)
    if not low or not high then
      return nil
    end
    return ("(%s <= %.17g AND %s >= %.17g)"):format(columns[1], high, columns[2], low)
  elseif name == "format" then
    return ("access_format LIKE %s"):format(sql.text("%" .. value .. "%"))
  end
  return ("%s = %s"):format(texts[name], sql.text(value))
end

-- Same name: OR; different names: AND.
local function constraints(request)
  local by_name, regions = {}, {}
  for _, list in ipairs({ request.arguments, request.form }) do
    for _, pair in ipairs(list) do
      local name = pair[1]:lower()
      if name == "pos" then
        local region = position(pair[2])
        if not region then
          return nil, "UsageFault: POS is not CIRCLE, RANGE or POLYGON: " .. pair[2]
        end
        regions[#regions + 1] = region
      elseif intervals[name] or texts[name] or name == "format" then
        local text = term(name, pair[2])
        if not text then
          return nil, ("UsageFault: %s is not an interval: %s"):format(name:upper(), pair[2])
        end
        by_name[name] = by_name[name] and by_name[name] .. " OR " .. text or text
      end
    end
  end
  local all = {}
  for _, text in pairs(by_name) do
    all[#all + 1] = "(" .. text .. ")"
  end
  table.sort(all)
  return all, regions
end

local function version_two(request)
  local p = http.parameters(request)
  local function refused(message)
    return vo.refused(message, 400)
  end
  local text, fields = selection("sia_two", "access_url", request.base)
  local all, regions = constraints(request)
  local maxrec = p.maxrec and math.tointeger(tonumber(p.maxrec))
  if not all then
    return refused(regions)
  elseif p.maxrec and (not maxrec or maxrec < 0) then
    return refused("UsageFault: MAXREC is not a whole number: " .. p.maxrec)
  elseif maxrec == 0 then
    return vo.document(vo.status("OVERFLOW"), fields, {})
  end
  local tables
  if #regions > 0 then
    local list, why = vo.found(regions, "OVERLAPS")
    if not list then
      return refused(why)
    end
    tables = { found = list }
    table.insert(all, 1, found:match("WHERE (.*)$"))
  elseif #all == 0 then
    return refused("UsageFault: a constraint is needed, such as POS")
  end
  return vo.answer({ sql = ("SELECT %s FROM sia_two WHERE %s"):format(text,
    table.concat(all, " AND ")), fields = fields, tables = tables, max_rows = vo.cap(maxrec),
    flag = p.flag, failed = refused })
end

local capabilities_text = [[<?xml version="1.0" encoding="UTF-8"?>
<vosi:capabilities xmlns:vosi="http://www.ivoa.net/xml/VOSICapabilities/v1.0"
 xmlns:vs="http://www.ivoa.net/xml/VODataService/v1.1"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<capability standardID="ivo://ivoa.net/std/SIA#query-2.0">
<interface xsi:type="vs:ParamHTTP" role="std" version="2.0">
<accessURL use="base">%s/vo-sia/api/v0.1/query</accessURL></interface></capability>
</vosi:capabilities>
]]

local function capabilities(request)
  return http.answer(capabilities_text:format(http.xml(request.base)), "text/xml")
end

M.routes = {
  ["/siap/search.php"] = faults.data(version_one, vo.refused),
  ["/vo-sia/api/v0.1/query"] = faults.data(version_two, vo.refused),
  ["/vo-sia/api/v0.1/capabilities"] = capabilities,
}

return M
