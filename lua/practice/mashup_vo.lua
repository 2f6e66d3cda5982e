-- SPDX-License-Identifier: BSD-3-Clause
-- The portal's older services to the Virtual Observatory and to collections (mashup-api section
-- 7.2), of which little more than the names is known. The resources are this archive's own cone
-- searches; tables elsewhere are not fetched.
local json = require "practice.json"
local life = require "practice.mashup_life"
local http = require "practice.http"
local sql = require "practice.sql"
local words = require "practice.mashup_words"
require "practice.cone" -- defines the views scs_...

local M = { services = {} }

local services = M.services

local resources = { { "gaia", "Gaia DR3 sources" }, { "tic", "TESS Input Catalog" },
  { "galex", "GALEX sources" } }

-- Datascope -------------------------------------------------------------------------------------

local HIT_COLUMNS <const> = {
  { name = "title", type = "char" }, { name = "shortName", type = "char" },
  { name = "identifier", type = "char" }, { name = "hits", type = "int" },
  { name = "tableURL", type = "char" },
}

local function circle_of(params)
  return life.number_of(params, "ra"), life.number_of(params, "dec"),
    life.number_of(params, "radius", 0.02)
end

-- A row for each resource, with the number of its rows in the circle and the address of them.
local function hits(params, base)
  local ra, dec, radius = circle_of(params)
  local rows = {}
  for i, resource in ipairs(resources) do
    local found, failure = sql.query(("SELECT COUNT(*) FROM scs_%s WHERE circle_ra = ? AND "
      .. "circle_dec = ? AND circle_radius = ?"):format(resource[1]), { ra, dec, radius })
    if not found then
      life.refuse(failure)
    end
    rows[i] = { resource[2], resource[1]:upper(), "ivo://practice/scs/" .. resource[1],
      found[1][1], ("%s/scs/%s?RA=%.12g&DEC=%.12g&SR=%.12g"):format(base, resource[1], ra, dec,
      radius) }
  end
  return rows
end

local function datascope(params, m)
  return { from = "vo_hits", columns = HIT_COLUMNS, tables = { vo_hits = { columns = HIT_COLUMNS,
    rows = hits(params, m.requestBaseUrl) } } }
end

local asked = {}

-- A long search: the first answer holds what has been found so far.
local function partial(m, params, format)
  local key = json.encode(params)
  if asked[key] or format ~= "json" then
    asked[key] = nil
    return nil
  end
  asked[key] = true
  local row, fields = hits(params, m.requestBaseUrl)[1], json.list({})
  local values = {}
  for i, c in ipairs(HIT_COLUMNS) do
    fields[i] = { name = c.name, type = c.type == "int" and "int" or "string" }
    values[c.name] = row[i]
  end
  return words.body(json.encode({ status = "EXECUTING", msg = "", ["percent complete"] = 0.33,
    data = json.list({ values }), fields = fields }))
end

services["Vo.Hesarc.DatascopeListable"] = { source = datascope, before = partial }
services["Vo.Hesarc.Datascope"] = { source = datascope }
services["Vo.Inventory.Cone"] = { source = datascope }

-- Tables at addresses ---------------------------------------------------------------------------

-- The view and circle of a cone search of this archive.
local function cone_at(url, base)
  local name = url:match("^" .. base:gsub("%p", "%%%0") .. "/scs/(%w+)%?")
  local p = {}
  for _, pair in ipairs(http.form(url:match("%?(.*)$") or "")) do
    p[pair[1]:lower()] = tonumber(pair[2])
  end
  if not name or not sql.columns("scs_" .. name) then
    life.refuse("The remote server returned an error: (404) Not Found.")
  end
  return "scs_" .. name, p
end

-- A table of the circle of `of(params, m)`: view, circle.
local function circled(of)
  return {
    source = function(params, m)
      local view = of(params, m)
      return { from = view, columns = sql.columns(view) }
    end,
    where = function(params, add, m)
      local _, p = of(params, m)
      add("circle_ra = ? AND circle_dec = ? AND circle_radius = ?", life.number_of(p, "ra"),
        life.number_of(p, "dec"), life.number_of(p, "sr"))
    end,
  }
end

services["Vo.Generic.Table"] = circled(function(params, m)
  return cone_at(tostring(params.url), m.requestBaseUrl)
end)
services["Vo.Generic.Cone"] = circled(function(params, m)
  local ra, dec, radius = circle_of(params)
  return (cone_at(tostring(params.url) .. "?", m.requestBaseUrl)), { ra = ra, dec = dec,
    sr = radius }
end)
services["Vo.Inventory2.DrillDown"] = circled(function(params)
  local ra, dec, radius = circle_of(params)
  return "scs_tic", { ra = ra, dec = dec, sr = radius }
end)

-- Collections -----------------------------------------------------------------------------------

local function observations(name, condition)
  local view = "mashup_vo_" .. name
  local list = {}
  for i, c in ipairs(sql.columns("observations")) do
    list[i] = { name = c.name }
  end
  sql.define(view, { from = "observations" .. condition, columns = list })
  return { source = view, circle = 0.02 }
end

services["Vo.Galex.Cone"] = { source = "sky_galex", circle = 0.02 }
services["Vo.Galex.Siap"] = observations("galex", " WHERE obs_collection = 'GALEX'")
services["Mast.Galex.Tile"] = services["Vo.Galex.Siap"]
services["Vo.Hla.Cone"] = observations("hla", " WHERE obs_collection = 'HST'")
services["Vo.Generic.Siap"] = observations("all", "")
services["Vo.Caom.Tap"] = services["Vo.Generic.Siap"]
services["Caom.Cone.Votable"] = services["Vo.Generic.Siap"]

local PROJECTS <const> = { { name = "project", type = "char" }, { name = "id", type = "long" },
  { name = "obs_id", type = "char" }, { name = "target_name", type = "char" } }
services["Mast.Hlsp.Project"] = { source = function()
  return { from = "vo_projects", columns = PROJECTS, views = { vo_projects = "SELECT project, "
    .. "obsid AS id, obs_id, target_name FROM observations WHERE obs_collection = 'HLSP'" } }
end }
services["Mast.Hlsp.Products"] = {
  source = "products",
  where = function(params, add)
    add("parent_obsid = ?", math.tointeger(life.number_of(params, "id"))
      or life.refuse("id is not a number"))
  end,
}

return M
