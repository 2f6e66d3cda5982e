-- SPDX-License-Identifier: BSD-3-Clause
-- Crossmatch services of the portal (mashup-api section 7.6): every pair of an uploaded row and a
-- catalogue row nearer than the radius. Columns of the upload come first, under their names; a
-- catalogue column whose name is taken gets a 1 behind it.
local json = require "practice.json"
local life = require "practice.mashup_life"
local sql = require "practice.sql"

require "practice.mashup_catalogs"

local M = { services = {} }

local ROWS_MAX <const> = 50000

sql.define("mashup_2mass", { from = "sky_tic WHERE TWOMASS IS NOT NULL", columns = {
  { name = "designation", is = "TWOMASS" }, { name = "ra" }, { name = "dec" },
  { name = "j_m", is = "Jmag" }, { name = "h_m", is = "Hmag" }, { name = "k_m", is = "Kmag" },
} })
sql.define("mashup_sdss", { from = "sky_tic WHERE Vmag IS NOT NULL", columns = {
  { name = "objid", is = "ID * 1024 + 1", type = "long" }, { name = "ra" }, { name = "dec" },
  { name = "g", is = "Bmag" }, { name = "r", is = "Vmag" },
} })

local tables = {
  Caom = "observations", Galex = "sky_galex", Sdss = "mashup_sdss", ["2Mass"] = "mashup_2mass",
  GaiaDR1 = "mashup_gaia_dr1", GaiaDR2 = "sky_gaia", GaiaDR3 = "sky_gaia", Tgas = "mashup_tgas",
  Tic = "sky_tic", Ctl = "sky_ctl",
}

local kinds = { float = "double", double = "double", int = "int", long = "long" }

-- The uploaded table: { columns, rows } and the set of its column names.
local function upload_of(data)
  if type(data) ~= "table" or type(data.fields) ~= "table" or type(data.data) ~= "table" then
    life.refuse("data is not a table with fields and data")
  elseif #data.data > ROWS_MAX then
    life.refuse("Maximum request length exceeded.")
  end
  local list, taken, rows = {}, {}, {}
  for _, field in ipairs(data.fields) do
    if type(field) ~= "table" then
      life.refuse("a field is not an object with name and type")
    end
    local name = tostring(field.name)
    if not taken[name:lower()] then
      list[#list + 1] = { name = name, type = kinds[field.type] or "char" }
      taken[name:lower()] = true
    end
  end
  for i, given in ipairs(data.data) do
    if type(given) ~= "table" then
      life.refuse("a row is not an object")
    end
    local row = {}
    for k, column in ipairs(list) do
      local v = given[column.name]
      row[k] = v == nil and json.null or v
    end
    rows[i] = row
  end
  return { columns = list, rows = rows }, taken
end

local function source_of(name)
  return function(params, m)
    local upload, taken = upload_of(m.data)
    local ra, dec = tostring(params.raColumn or "ra"), tostring(params.decColumn or "dec")
    local radius = life.number_of(params, "radius", 0.002)
    if not taken[ra:lower()] or not taken[dec:lower()] then
      life.refuse(("Invalid column name '%s'."):format(taken[ra:lower()] and dec or ra))
    end
    local list, picked = {}, {}
    for i, column in ipairs(upload.columns) do
      list[i], picked[i] = column, "u." .. sql.quote(column.name)
    end
    for _, column in ipairs(sql.columns(name)) do
      local as = column.name .. (taken[column.name:lower()] and "1" or "")
      list[#list + 1] = { name = as, type = column.type, unit = column.unit, ucd = column.ucd }
      picked[#picked + 1] = ("c.%s AS %s"):format(sql.quote(column.name), sql.quote(as))
    end
    return {
      from = "crossmatched", columns = list, tables = { upload = upload },
      views = { crossmatched = ("SELECT %s FROM upload u JOIN %s c ON c.circle_ra = u.%s AND "
        .. "c.circle_dec = u.%s AND c.circle_radius = %.17g"):format(table.concat(picked, ", "),
        name, sql.quote(ra), sql.quote(dec), radius) },
    }
  end
end

for short, name in pairs(tables) do
  M.services[("Mast.%s.Crossmatch"):format(short)] = { source = source_of(name) }
end
for kind, view in pairs({ MagAper2v3 = "mashup_hsc_aper2_v3", MagAutov3 = "mashup_hsc_auto_v3" }) do
  M.services["Mast.Hsc.Crossmatch." .. kind] = { source = source_of(view) }
end

return M
