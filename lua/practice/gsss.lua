-- SPDX-License-Identifier: BSD-3-Clause
-- The catalogue service of the Guide Star group, server side (mast-classic-vo section 7):
-- CatalogSearch.aspx in CSV and VOTable, ConeSearch.aspx. Guide stars are those of the TIC, Gaia's
-- are Gaia's; other codes are not held. Failures are text that begins with `Error`, status 200.
local cone = require "practice.cone"
local faults = require "practice.faults"
local http = require "practice.http"
local sql = require "practice.sql"

local M = {}

local MAXOBJ_DEFAULT <const> = 5000

sql.define("gsss_gsc", { from = "sky_tic", columns = {
  { name = "hstID", is = "ID", type = "long", ucd = "ID_MAIN" },
  { name = "ra", ucd = "POS_EQ_RA_MAIN" }, { name = "dec", ucd = "POS_EQ_DEC_MAIN" },
  { name = "FpgMag", is = "Tmag", type = "double" },
  { name = "JpgMag", is = "Bmag", type = "double" },
} })
sql.define("gsss_gaia", { from = "sky_gaia", columns = {
  { name = "source_id", ucd = "ID_MAIN" }, { name = "ra", ucd = "POS_EQ_RA_MAIN" },
  { name = "dec", ucd = "POS_EQ_DEC_MAIN" }, { name = "phot_g_mean_mag" }, { name = "parallax" },
} })
local guide = { view = "gsss_gsc", id = "hstID", mag = "FpgMag" }
local gaia = { view = "gsss_gaia", id = "source_id", mag = "phot_g_mean_mag" }
local codes = { GSC23 = guide, GSC242 = guide, GSC30 = guide, GAIA = gaia, GAIADR3 = gaia }

local function failed(message)
  return http.answer("Error: " .. message .. "\r\n", "text/plain")
end

local function numbers(text, n)
  local out = {}
  for word in (text or ""):gmatch("[^,%s]+") do
    out[#out + 1] = tonumber(word) or 0 / 0
  end
  for _, v in ipairs(out) do
    if v ~= v then
      return nil
    end
  end
  return (not n or #out == n) and out or nil
end

local CIRCLE <const> = "circle_ra = ? AND circle_dec = ? AND circle_radius = ?"

-- Inside a closed polygon, its edges straight in ra and dec: the parity of the edges beside a star.
local function polygon(v)
  if not v or #v < 6 or #v % 2 == 1 then
    return nil
  end
  if v[1] == v[#v - 1] and v[2] == v[#v] then
    table.remove(v)
    table.remove(v)
  end
  local low, high, terms = { 360, 90 }, { 0, -90 }, {}
  for i = 1, #v, 2 do
    for k = 1, 2 do
      low[k], high[k] = math.min(low[k], v[i + k - 1]), math.max(high[k], v[i + k - 1])
    end
    local j = i + 2 > #v and 1 or i + 2
    terms[#terms + 1] = ("((dec > %.17g) <> (dec > %.17g) AND ra < %.17g + (%.17g) * "
      .. "(dec - %.17g))")
      :format(v[i + 1], v[j + 1], v[i], (v[j] - v[i])
        / (v[j + 1] == v[i + 1] and 1 or v[j + 1] - v[i + 1]), v[i + 1])
  end
  return ("ra BETWEEN ? AND ? AND dec BETWEEN ? AND ? AND (%s) %% 2 = 1")
    :format(table.concat(terms, " + ")), { low[1], high[1], low[2], high[2] }
end

-- SQL of the one search mode of a request and its parameters; nil when it is none.
local function mode(p, id)
  if p.id then
    return sql.quote(id) .. " = ?", { math.tointeger(tonumber(p.id)) or p.id }
  elseif p.bbox then
    local b = numbers(p.bbox, 4)
    return b and "ra BETWEEN ? AND ? AND dec BETWEEN ? AND ?", b and { b[1], b[3], b[2], b[4] }
  elseif p.stcs then
    local word, rest = p.stcs:match("^%s*(%a+)%s+(.*)$")
    if word and word:upper() == "POLYGON" then
      return polygon(numbers(rest))
    end
    local v = word and word:upper() == "CIRCLE" and numbers(rest, 3)
    return v and CIRCLE, v
  end
  local v = numbers(("%s,%s,%s"):format(p.ra, p.dec, p.sr), 3)
  return v and CIRCLE, v
end

local function table_of(p)
  return codes[(p.cat or p.catalog or "GSC242"):upper()]
end

-- The answer in VOTable.
local function votable(t, text, params, limit, words)
  return { outcome = "sql", layout = "votable", content_type = "text/xml", sql = text,
    params = params, max_rows = limit, failed = words,
    body = '<?xml version="1.0"?>\n<VOTABLE version="1.1"><RESOURCE type="results"><TABLE>'
      .. sql.fields(t.view) .. "<DATA><TABLEDATA>\n",
    tail = "</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>\n" }
end

local function search(request)
  local p = http.parameters(request)
  local t = table_of(p)
  if not t then
    return failed("catalog is not available")
  end
  local where, params = mode(p, t.id)
  if not where then
    return failed("RA, DEC, SR; BBOX; STCS or ID is needed")
  end
  local range = p.magrange and numbers(p.magrange, 2)
  if range then
    where = where .. (" AND %s BETWEEN ? AND ?"):format(t.mag)
    table.move(range, 1, 2, #params + 1, params)
  end
  local limit = math.tointeger(tonumber(p.maxobj)) or MAXOBJ_DEFAULT
  local counted, why = sql.query(("SELECT COUNT(*) FROM %s WHERE %s"):format(t.view, where), params)
  if not counted then
    return failed(why)
  end
  local text = ("SELECT %s FROM %s WHERE %s ORDER BY %s, %s"):format(sql.list(t.view), t.view,
    where, t.mag, t.id)
  if (p.format or "VOTABLE"):upper() ~= "CSV" then
    return votable(t, text, params, limit, failed)
  end
  return { outcome = "sql", layout = "csv", content_type = "text/csv", sql = text,
    params = params, max_rows = limit, failed = failed,
    body = ("Objects found: %d\r\n%s\r\n"):format(counted[1][1],
      (sql.list(t.view):gsub('"', ""):gsub(", ", ","))), tail = "" }
end

local function cone_failed(message)
  return cone.failed(message, 1)
end

local function cone_search(request)
  local p = http.parameters(request)
  local t, v = table_of(p), numbers(("%s,%s,%s"):format(p.ra, p.dec, p.sr), 3)
  if not t or not v then
    return cone_failed(t and "RA, DEC and SR are needed" or "catalog is not available")
  end
  return votable(t, ("SELECT %s FROM %s WHERE %s"):format(sql.list(t.view), t.view, CIRCLE), v,
    math.tointeger(tonumber(p.max_obj)) or MAXOBJ_DEFAULT, cone_failed)
end

M.routes = {
  ["/webservices/vo/CatalogSearch.aspx"] = faults.data(search, failed),
  ["/webservices/vo/ConeSearch.aspx"] = faults.data(cone_search, cone_failed),
}

return M
