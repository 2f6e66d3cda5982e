-- SPDX-License-Identifier: BSD-3-Clause
-- Simple Spectral Access, server side (/ssap/search2.php): light curves and spectra among the
-- observations. The access URL may choose what services differ in: `flag` as in practice.sia,
-- `size=radius` reads SIZE as a radius.
local faults = require "practice.faults"
local http = require "practice.http"
local sql = require "practice.sql"
local vo = require "practice.vo"

local M = {}

local char = "ssa:Char."
local utypes = {
  url = "ssa:Access.Reference", format = "ssa:Access.Format", size = "ssa:Access.Size",
  title = "ssa:DataID.Title", collection = "ssa:DataID.Collection",
  publisher = "ssa:Curation.PublisherDID", object = "ssa:Target.Name",
  ra = char .. "SpatialAxis.Coverage.Location.Value.C1",
  dec = char .. "SpatialAxis.Coverage.Location.Value.C2",
  band_start = char .. "SpectralAxis.Coverage.Bounds.Start",
  band_stop = char .. "SpectralAxis.Coverage.Bounds.Stop",
  date = char .. "TimeAxis.Coverage.Location.Value",
}

sql.define("ssa_spectra", {
  from = "observations WHERE dataproduct_type IN ('spectrum', 'timeseries') AND dataURL <> ''",
  columns = {
    { name = "url", is = "dataURL", type = "char", ucd = "meta.ref.url" },
    { name = "format", is = "'application/fits'", type = "char", ucd = "meta.code.mime" },
    { name = "size", is = "1 + CAST(900 * uniform(obsid, 61) AS INTEGER)", type = "long",
      unit = "kbyte" },
    { name = "title", is = "obs_id", type = "char", ucd = "meta.title" },
    { name = "collection", is = "obs_collection", type = "char" },
    { name = "publisher", is = "'ivo://mast.stsci.edu/caom?' || obsid", type = "char" },
    { name = "object", is = "target_name", type = "char", ucd = "meta.id;src" },
    { name = "ra", is = "s_ra", type = "double", unit = "deg", ucd = "pos.eq.ra" },
    { name = "dec", is = "s_dec", type = "double", unit = "deg", ucd = "pos.eq.dec" },
    { name = "band_start", is = "em_min * 1e-9", type = "double", unit = "m" },
    { name = "band_stop", is = "em_max * 1e-9", type = "double", unit = "m" },
    { name = "date", is = "(t_min + t_max) / 2", type = "double", unit = "d" },
  },
})

local inputs = {
  { name = "INPUT:POS", type = "char", value = "", unit = "deg", description = "ra,dec" },
  { name = "INPUT:SIZE", type = "double", value = "0.05", unit = "deg", description = "diameter" },
  { name = "INPUT:BAND", type = "char", value = "", unit = "m", description = "range list; values "
    .. "above 100 are Angstroem" },
  { name = "INPUT:TIME", type = "char", value = "", description = "ISO 8601 range" },
  { name = "INPUT:FORMAT", type = "char", value = "ALL", description = "format" },
  { name = "INPUT:id", type = "char", value = "", description = "collection" },
  { name = "INPUT:targetname", type = "char", value = "", description = "name of the target" },
}

local function fields_of(list)
  local out = {}
  for i, c in ipairs(list) do
    out[i] = { name = c.name, type = c.type, unit = c.unit, ucd = c.ucd, utype = utypes[c.name] }
  end
  return out
end

local function day(text)
  local y, m, d = text:match("^(%d%d%d%d)-(%d%d)-(%d%d)")
  if y then
    return os.time({ year = y, month = m, day = d, hour = 12 }) // 86400 + 40587
  end
end

local function metres(text)
  local n = tonumber(text)
  return n and (n > 100 and n * 1e-10 or n)
end

-- "lo/hi", "lo/", "/hi", single values, several with commas.
local function ranges(text, read, low_column, high_column)
  local out = {}
  for item in text:gmatch("[^,]+") do
    local low, high = item:match("^([^/]*)/([^/]*)$")
    low, high = low or item, high or item
    local a, b = low == "" and -1e300 or read(low), high == "" and 1e300 or read(high)
    if not a or not b then
      return nil
    end
    out[#out + 1] = ("(%s <= %.17g AND %s >= %.17g)"):format(low_column, b, high_column, a)
  end
  return "(" .. table.concat(out, " OR ") .. ")"
end

local function refusal(p, ra, dec, size)
  if p.request and p.request:lower() ~= "querydata" or not p.request then
    return "UsageFault: REQUEST=queryData is needed"
  elseif not p.pos then
    return "UsageFault: POS is missing"
  elseif not ra or not dec or ra < 0 or ra > 360 or dec < -90 or dec > 90 then
    return "UsageFault: POS is not ra,dec in degrees: " .. p.pos
  elseif not size or size < 0 or size > 180 then
    return "UsageFault: SIZE is not a diameter in degrees: " .. p.size
  end
end

local function search(request)
  local p = http.parameters(request)
  local fields = fields_of(sql.columns("ssa_spectra"))
  if (p.format or ""):lower() == "metadata" then
    return vo.metadata(inputs, fields)
  end
  local ra, dec = (p.pos or ""):match("^([^,]+),([^,;]+)$")
  ra, dec = tonumber(ra), tonumber(dec)
  local diameter, as_radius = 0.05, false
  for _, size in ipairs(http.values(request.arguments, "size")) do
    as_radius = as_radius or size == "radius"
  end
  diameter = tonumber(http.value(request.arguments, "SIZE") or diameter)
  local why = refusal(p, ra, dec, diameter)
  if why then
    return vo.refused(why)
  end
  local all = { "circle_ra = ? AND circle_dec = ? AND circle_radius = ?" }
  if p.band then
    all[#all + 1] = ranges(p.band, metres, "band_start", "band_stop")
  end
  if p.time then
    all[#all + 1] = ranges(p.time, day, "date", "date")
  end
  if #all ~= 1 + (p.band and 1 or 0) + (p.time and 1 or 0) then
    return vo.refused("UsageFault: BAND or TIME is not a range")
  end
  if p.id then
    all[#all + 1] = "collection = " .. sql.text(p.id)
  end
  if p.targetname then
    all[#all + 1] = "object = " .. sql.text(p.targetname)
  end
  local format = (p.format or "all"):lower()
  if not ({ all = 1, fits = 1, native = 1, ["application/fits"] = 1 })[format] then
    all[#all + 1] = "0"
  end
  local list = { ("%s || url"):format(sql.text(request.base .. "/api/v0.1/Download/file?uri=")) }
  for i = 2, #fields do
    list[i] = sql.quote(fields[i].name)
  end
  local maxrec = math.tointeger(tonumber(p.maxrec))
  return vo.answer({ fields = fields, max_rows = vo.cap(maxrec), flag = p.flag,
    failed = vo.refused, infos = '<INFO name="SERVICE_PROTOCOL" value="1.02">SSAP</INFO>',
    sql = ("SELECT %s FROM ssa_spectra WHERE %s"):format(table.concat(list, ", "),
      table.concat(all, " AND ")),
    params = { ra, dec, as_radius and diameter or diameter / 2 } })
end

M.routes = { ["/ssap/search2.php"] = faults.data(search, vo.refused) }

return M
