-- SPDX-License-Identifier: BSD-3-Clause
-- The name resolver (mashup-api section 9): a table of well-known objects, and every TIC star.
local core = require "practice.core"
local json = require "practice.json"

local M = {}

local by_alias = {}
for _, target in ipairs(core.targets()) do
  by_alias[target.name:lower():gsub("%s+", "")] = target
  for alias in target.aliases:gmatch("[^;]+") do
    by_alias[alias] = target
  end
end

local cached = { cached = true, cacheDate = "Jan 1, 2026, 0:00:00 AM", resolverTime = 1 }

local function entry(name, fields)
  local out = { searchString = name:lower() }
  for key, v in pairs(cached) do
    out[key] = v
  end
  for key, v in pairs(fields) do
    out[key] = v
  end
  return out
end

local prefixes = { kic = "KEPLER", epic = "K2" } -- numbers are the TIC's here

--- The entry of a name, or nil when nobody knows it.
function M.find(name)
  local key = name:lower():gsub("%s+", "")
  local tic = key:match("^tic(%d+)$")
  if tic then
    local id = math.tointeger(tonumber(tic))
    local ra, dec = core.tic_position(id or -1)
    return ra and entry(name, {
      resolver = "TIC", canonicalName = "TIC " .. tic, ra = ra, decl = dec,
      searchRadius = 0.000333,
    })
  end
  local prefix, number = key:match("^(%a+)(%d+)$")
  local ra, dec = core.tic_position(prefixes[prefix] and math.tointeger(tonumber(number)) or -1)
  if ra then
    return entry(name, { resolver = prefixes[prefix], canonicalName = name:upper(), ra = ra,
      decl = dec, searchRadius = 0.000333 })
  end
  local target = by_alias[key]
  return target and entry(name, {
    resolver = "SIMBAD", canonicalName = target.name, ra = target.ra, decl = target.dec,
    searchRadius = target.radius, objectType = target.type,
  })
end

-- What NED says of a name that SIMBAD knows: half an arcsecond north, galaxies five.
local function by_ned(name)
  local e = M.find(name)
  if e and e.resolver == "SIMBAD" then
    e.resolver = "NED"
    e.decl = e.decl + (e.objectType == "G" and 5 or 0.5) / 3600
    return e
  end
end

-- `how`: all (every resolver's), only (set of resolvers).
local function entries_of(names, how)
  local out = json.list({})
  local only = how and how.only and next(how.only) and how.only
  for _, name in ipairs(names) do
    local found = { M.find(name), by_ned(name) }
    local n = #out
    for _, e in ipairs(found) do
      if (not only or only[e.resolver]) and (how and how.all or #out == n) then
        out[#out + 1] = e
      end
    end
  end
  return out
end

--- The JSON document for a list of names.
function M.json(names, how)
  return json.encode({ resolvedCoordinate = entries_of(names, how), status = "" })
end

local function element(name, v)
  local escaped = tostring(v):gsub("[&<>]", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;" })
  return ("<%s>%s</%s>"):format(name, escaped, name)
end

local xml_names = { { "cacheDate" }, { "cached" }, { "canonicalName" }, { "ra" }, { "dec", "decl" },
  { "objectType" }, { "radius" }, { "resolver" }, { "searchRadius" }, { "searchString" } }

--- The XML document for a list of names; `dec` where JSON says `decl`.
function M.xml(names)
  local out = { '<?xml version="1.0" encoding="UTF-8"?>\n<resolvedItems>' }
  for _, e in ipairs(entries_of(names)) do
    out[#out + 1] = "<resolvedCoordinate>"
    for _, n in ipairs(xml_names) do
      local v = e[n[2] or n[1]]
      if v ~= nil then
        out[#out + 1] = element(n[1], v)
      end
    end
    out[#out + 1] = "</resolvedCoordinate>"
  end
  out[#out + 1] = "</resolvedItems>\n"
  return table.concat(out)
end

--- Sesame's document for a name (mast-interfaces section 7): a Resolver for each that was asked.
function M.sesame(name)
  local out = { '<?xml version="1.0" encoding="UTF-8" ?>\n<Sesame>\n<Target option="SNV">',
    element("name", name) }
  for _, pair in ipairs({ { "S=Simbad", M.find(name) }, { "N=NED", by_ned(name) } }) do
    local e = pair[2]
    out[#out + 1] = ('<Resolver name="%s">'):format(pair[1])
    out[#out + 1] = e and element("otype", e.objectType or "?") .. element("jradeg", e.ra)
      .. element("jdedeg", e.decl) .. element("oname", e.canonicalName)
      or "<INFO>Zero (0) answers</INFO>"
    out[#out + 1] = "</Resolver>"
  end
  out[#out + 1] = "</Target>\n</Sesame>\n"
  return table.concat(out, "\n")
end

return M
