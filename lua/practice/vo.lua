-- SPDX-License-Identifier: BSD-3-Clause
-- What image, spectrum and link services share: VOTable documents with QUERY_STATUS (DALI 1.1
-- section 4.4), answers cut at the row cap, and shapes on the sky in a plane.
local core = require "practice.core"
local http = require "practice.http"
local json = require "practice.json"
local sql = require "practice.sql"

local M = {}

M.XML = "application/x-votable+xml"
local HEAD <const> = '<?xml version="1.0" encoding="UTF-8"?>\n'
  .. '<VOTABLE version="1.3" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">'
local CANDIDATES_MAX <const> = 20000

-- Documents ---------------------------------------------------------------------------------------

function M.status(value, text)
  return ('<INFO name="QUERY_STATUS" value="%s">%s</INFO>'):format(value, http.xml(text or ""))
end

--- A document that refuses, with the HTTP status that the service uses for it.
function M.refused(message, status)
  return http.answer(HEAD .. '<RESOURCE type="results">' .. M.status("ERROR", message)
    .. "</RESOURCE></VOTABLE>\n", M.XML, status or 200)
end

--- FIELD or PARAM elements: name, type, size, ID, unit, ucd, utype, xtype, description; `value` and
-- `ref` for PARAM.
function M.elements(tag, list)
  local out = {}
  for i, c in ipairs(list) do
    local text = { ('<%s name="%s" datatype="%s"'):format(tag, http.xml(c.name), c.type) }
    if c.size or c.type == "char" then
      text[#text + 1] = (' arraysize="%s"'):format(c.size or "*")
    end
    for _, key in ipairs({ "ID", "unit", "ucd", "utype", "xtype", "ref", "value" }) do
      if c[key] then
        text[#text + 1] = (' %s="%s"'):format(key, http.xml(c[key]))
      end
    end
    out[i] = table.concat(text) .. "><DESCRIPTION>" .. http.xml(c.description or c.name)
      .. "</DESCRIPTION></" .. tag .. ">\n"
  end
  return table.concat(out)
end

--- A whole document with rows that are at hand (lists of values).
function M.document(infos, fields, rows, more, status)
  local lines = {}
  for i, row in ipairs(rows) do
    local cells = {}
    for j = 1, #fields do
      local v = row[j]
      cells[j] = (v == nil or v == json.null) and "<TD/>" or "<TD>" .. http.xml(v) .. "</TD>"
    end
    lines[i] = "<TR>" .. table.concat(cells) .. "</TR>"
  end
  return http.answer(HEAD .. '<RESOURCE type="results">' .. infos .. "<TABLE>"
    .. M.elements("FIELD", fields) .. "<DATA><TABLEDATA>\n" .. table.concat(lines, "\n")
    .. "</TABLEDATA></DATA></TABLE></RESOURCE>" .. (more or "") .. "</VOTABLE>\n", M.XML, status)
end

--- Inputs of a service, for FORMAT=METADATA: PARAMs "INPUT:..." and the columns, no rows.
function M.metadata(inputs, fields)
  return http.answer(HEAD .. '<RESOURCE type="results">' .. M.status("OK")
    .. M.elements("PARAM", inputs) .. "<TABLE>" .. M.elements("FIELD", fields)
    .. "<DATA><TABLEDATA></TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>\n", M.XML)
end

--- Streams a statement of `t` (sql, params, tables) as a table. Cut at `t.max_rows`, which is told
-- where `t.flag` says: "first" (before the table), "last" (behind it), "none".
function M.answer(t)
  local flag = t.flag or "last"
  local over = false
  if flag == "first" then
    local rows, why = sql.query(("SELECT COUNT(*) FROM (%s LIMIT %d)"):format(t.sql,
      t.max_rows + 1), t.params, { tables = t.tables })
    if not rows then
      return t.failed(why)
    end
    over = rows[1][1] > t.max_rows
  end
  local behind = "</TABLEDATA></DATA></TABLE>"
  return {
    outcome = "sql", layout = "votable", content_type = M.XML, max_rows = t.max_rows, sql = t.sql,
    params = t.params, tables = t.tables, failed = t.failed,
    body = HEAD .. '<RESOURCE type="results">' .. M.status(over and "OVERFLOW" or "OK")
      .. (t.infos or "") .. "<TABLE>" .. M.elements("FIELD", t.fields) .. "<DATA><TABLEDATA>\n",
    tail = behind .. "</RESOURCE></VOTABLE>\n",
    tail_over = behind .. (flag == "last" and M.status("OVERFLOW") or "")
      .. "</RESOURCE></VOTABLE>\n",
  }
end

--- The cap of one answer: MAXREC within the archive's own.
function M.cap(maxrec)
  return math.min(core.row_cap, maxrec or core.row_cap)
end

-- Shapes ------------------------------------------------------------------------------------------

-- A point in the plane that touches the sky at (ra0, dec0).
local function plane(ra0, dec0)
  local s0, c0 = math.sin(math.rad(dec0)), math.cos(math.rad(dec0))
  return function(ra, dec)
    local a, s, c = math.rad(ra - ra0), math.sin(math.rad(dec)), math.cos(math.rad(dec))
    local z = math.max(1e-3, s0 * s + c0 * c * math.cos(a))
    return { c * math.sin(a) / z, (c0 * s - s0 * c * math.cos(a)) / z }
  end
end

local function ring(project, ra, dec, radius)
  local out = {}
  for i = 1, 48 do
    local t = math.rad(i * 7.5)
    local d = math.max(-90, math.min(90, dec + radius * math.sin(t)))
    out[i] = project(ra + radius * math.cos(t) / math.max(1e-6, math.cos(math.rad(d))), d)
  end
  return out
end

local function corners(project, list)
  local out = {}
  for i = 1, #list - 1, 2 do
    out[#out + 1] = project(list[i], list[i + 1])
  end
  return out
end

-- Edges of constant declination are bent in the plane: points on them.
local function range_corners(project, ra1, ra2, dec1, dec2)
  local out, n = {}, 12
  for i = 0, n do
    out[#out + 1] = project(ra1 + (ra2 - ra1) * i / n, dec1)
  end
  for i = n, 0, -1 do
    out[#out + 1] = project(ra1 + (ra2 - ra1) * i / n, dec2)
  end
  return out
end

local function numbers(text)
  local out = {}
  for word in text:gmatch("%S+") do
    out[#out + 1] = tonumber(word)
  end
  return out
end

local function footprint(project, text)
  local kind, rest = text:match("^(%a+)%s+ICRS%s+(.*)$")
  local list = numbers(rest or "")
  if kind == "CIRCLE" then
    return ring(project, list[1], list[2], list[3])
  end
  return corners(project, list)
end

local function inside(p, shape)
  local odd, j = false, #shape
  for i, a in ipairs(shape) do
    local b = shape[j]
    if (a[2] > p[2]) ~= (b[2] > p[2])
      and p[1] < (b[1] - a[1]) * (p[2] - a[2]) / (b[2] - a[2]) + a[1] then
      odd = not odd
    end
    j = i
  end
  return odd
end

local function all_inside(points, shape)
  for _, p in ipairs(points) do
    if not inside(p, shape) then
      return false
    end
  end
  return true
end

local function crossing(a, b, c, d)
  local function side(p, q, r)
    return (q[1] - p[1]) * (r[2] - p[2]) - (q[2] - p[2]) * (r[1] - p[1])
  end
  return side(a, b, c) * side(a, b, d) <= 0 and side(c, d, a) * side(c, d, b) <= 0
end

local function touches(a, b)
  if inside(a[1], b) or inside(b[1], a) then
    return true
  end
  local i0 = #a
  for i = 1, #a do
    local j0 = #b
    for j = 1, #b do
      if crossing(a[i0], a[i], b[j0], b[j]) then
        return true
      end
      j0 = j
    end
    i0 = i
  end
  return false
end

local tests = {
  OVERLAPS = touches,
  COVERS = function(image, region)
    return all_inside(region, image)
  end,
  ENCLOSED = all_inside,
  CENTER = function(_, region, center)
    return inside(center, region)
  end,
}

M.relations = tests

--- A range of right ascension (ra1 may be below 0 or ra2 above 360) and declination.
function M.range(ra1, ra2, dec1, dec2)
  local ra, dec = (ra1 + ra2) / 2, (dec1 + dec2) / 2
  local w = math.min(180, (ra2 - ra1) / 2) * math.cos(math.rad(math.max(0, math.min(math.abs(dec1),
    math.abs(dec2)) * (dec1 * dec2 > 0 and 1 or 0))))
  return { ra = ra, dec = dec, radius = math.min(60, 1.05 * math.sqrt(w * w + ((dec2 - dec1) / 2)
    ^ 2) + 1e-6), shape = function(project)
    return range_corners(project, ra1, ra2, dec1, dec2)
  end }
end

function M.polygon(list)
  local x, y, z = 0, 0, 0
  for i = 1, #list - 1, 2 do
    local a, d = math.rad(list[i]), math.rad(list[i + 1])
    x, y, z = x + math.cos(d) * math.cos(a), y + math.cos(d) * math.sin(a), z + math.sin(d)
  end
  local ra, dec = math.deg(math.atan(y, x)) % 360, math.deg(math.atan(z, math.sqrt(x * x + y * y)))
  local radius, project = 0, plane(ra, dec)
  for i = 1, #list - 1, 2 do
    local p = project(list[i], list[i + 1])
    radius = math.max(radius, math.deg(math.atan(math.sqrt(p[1] ^ 2 + p[2] ^ 2))))
  end
  return { ra = ra, dec = dec, radius = math.min(60, radius + 1e-6), shape = function(to)
    return corners(to, list)
  end }
end

function M.circle(ra, dec, radius)
  return { ra = ra, dec = dec, radius = radius, round = true, shape = function(project)
    return ring(project, ra, dec, math.max(radius, 1e-7))
  end }
end

--- Identifiers (obsid, objID) of observations whose footprints stand so to one of the regions, as
-- the table "found" of a statement; or nil, message.
function M.found(regions, relation)
  local rows = {}
  for _, region in ipairs(regions) do
    local list, why = sql.query("SELECT obsid, objID, s_region, s_ra, s_dec FROM observations "
      .. "WHERE circle_ra = ? AND circle_dec = ? AND circle_radius = ?",
      { region.ra % 360, region.dec, region.radius }, { max = CANDIDATES_MAX })
    if not list then
      return nil, why
    end
    local project = plane(region.ra, region.dec)
    local shape, test = region.shape(project), tests[relation]
    for _, row in ipairs(list) do
      local known = region.round and relation == "OVERLAPS" -- the circle has selected already
      if known or test(footprint(project, row[3]), shape, project(row[4], row[5])) then
        rows[#rows + 1] = { row[1], row[2] }
      end
    end
  end
  return { columns = { { "obsid", "long" }, { "objid", "long" } }, rows = rows }
end

M.numbers = numbers

return M
