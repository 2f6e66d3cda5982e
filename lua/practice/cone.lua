-- SPDX-License-Identifier: BSD-3-Clause
-- Simple Cone Search, server side (SCS 1.03): /scs/gaia, /scs/tic, /scs/galex. The access URL may
-- choose what services differ in: `errors=1..4` the place of the error text in the document,
-- `flag=first|last|none` what is said about an answer cut at the row cap (--row-cap).
local core = require "practice.core"
local faults = require "practice.faults"
local http = require "practice.http"
local sql = require "practice.sql"

local M = {}

local XML <const> = "text/xml;content=x-votable"
local SR_MAX <const> = 90

local function main_columns(id, more)
  local list = {
    { name = "objid", is = ("CAST(%s AS TEXT)"):format(id), type = "char", ucd = "ID_MAIN",
      description = "identifier" },
    { name = "RA", is = "ra", type = "double", unit = "deg", ucd = "POS_EQ_RA_MAIN" },
    { name = "DEC", is = "dec", type = "double", unit = "deg", ucd = "POS_EQ_DEC_MAIN" },
  }
  return table.move(more, 1, #more, #list + 1, list)
end

sql.define("scs_gaia", { from = "sky_gaia", columns = main_columns("source_id", {
  { name = "phot_g_mean_mag" }, { name = "parallax" },
}) })
sql.define("scs_tic", { from = "sky_tic", columns = main_columns("ID", { { name = "Tmag" } }) })
sql.define("scs_galex", { from = "sky_galex", columns = main_columns("objID", {
  { name = "nuv_mag" },
}) })

-- Columns of VERB 1: the three of the standard.
local MAIN <const> = 3

--- Where the four kinds of services put their error text (section 2.3 and what is met).
local wording = {
  '<INFO name="Error" value="%s"/><RESOURCE/>',
  '<RESOURCE type="results"><INFO ID="Error" name="Error" value="%s"/></RESOURCE>',
  '<RESOURCE><PARAM name="Error" datatype="char" arraysize="*" value="%s"/></RESOURCE>',
  '<DEFINITIONS><PARAM ID="Error" name="Error" datatype="char" arraysize="*" value="%s"/>'
    .. "</DEFINITIONS>",
}

--- The error document.
-- @param layout 1 to 4
function M.failed(message, layout)
  return http.answer('<?xml version="1.0"?>\n<VOTABLE version="1.1">'
    .. wording[layout]:format(http.xml(message)) .. "</VOTABLE>\n", XML)
end

local function number(p, name, low, high)
  local v = tonumber(p[name])
  if not v or v ~= v then
    return nil, ("Error in input %s value: %s"):format(name:upper(), p[name] or "none")
  elseif v < low or v > high then
    return nil, ("%s is outside %g to %g"):format(name:upper(), low, high)
  end
  return v
end

local function circle_of(p)
  local ra, why_ra = number(p, "ra", 0, 360)
  local dec, why_dec = number(p, "dec", -90, 90)
  local sr, why_sr = number(p, "sr", 0, SR_MAX)
  return ra, dec, sr, why_ra or why_dec or why_sr
end

local flags = {
  none = { "", "" },
  first = { '<INFO name="QUERY_STATUS" value="OVERFLOW"/>', "" },
  last = { "", '<INFO name="QUERY_STATUS" value="OVERFLOW"/>' },
}

-- Does the circle hold more rows than one answer may?
local function overflows(name, circle)
  local rows, failure = sql.query(("SELECT COUNT(*) FROM (SELECT 1 FROM %s WHERE circle_ra = ? AND "
    .. "circle_dec = ? AND circle_radius = ? LIMIT %d)"):format(name, core.row_cap + 1), circle)
  if not rows then
    return nil, failure
  end
  return rows[1][1] > core.row_cap
end

local function search(request)
  local p = http.parameters(request)
  local layout = math.tointeger(tonumber(p.errors or 1))
  layout = wording[layout] and layout or 1
  local name = "scs_" .. request.rest
  if not sql.columns(name) then
    return http.answer("No such service\n", "text/plain", 404)
  end
  local ra, dec, sr, why = circle_of(p)
  if why then
    return M.failed(why, layout)
  end
  local columns, list = {}, {}
  for i, column in ipairs(sql.columns(name)) do
    if i <= MAIN or p.verb ~= "1" then
      columns[i], list[i] = column, sql.quote(column.name)
    end
  end
  local flag = flags[p.flag or "last"] or flags.last
  local over, failure = overflows(name, { ra, dec, sr })
  if failure then
    return M.failed(failure, layout)
  end
  return {
    outcome = "sql", layout = "votable", content_type = XML, max_rows = core.row_cap,
    sql = ("SELECT %s FROM %s WHERE circle_ra = ? AND circle_dec = ? AND circle_radius = ?")
      :format(table.concat(list, ", "), name) .. (sr == 0 and " AND 0" or ""),
    params = { ra, dec, sr },
    failed = function(message)
      return M.failed(message, layout)
    end,
    body = '<?xml version="1.0"?>\n<VOTABLE version="1.1"><RESOURCE type="results">'
      .. (over and flag[1] or "") .. "<TABLE>" .. sql.fields(columns) .. "<DATA><TABLEDATA>\n",
    tail = "</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>\n",
    tail_over = "</TABLEDATA></DATA></TABLE>" .. flag[2] .. "</RESOURCE></VOTABLE>\n",
  }
end

M.routes = { ["/scs/"] = faults.data(search, function(message)
  return M.failed(message, 1)
end) }

return M
