-- SPDX-License-Identifier: BSD-3-Clause
-- The name resolver at its own address (Santa-war/query; section 7 of the specification of the
-- interfaces): several names in one question, one resolver or all of them. Sesame of the CDS, which
-- tools fall back on, is asked only by its name.

local door = require("halyard.archive.door")
local errors = require("halyard.error")
local sky = require("halyard.sky")
local suggest = require("halyard.suggest")
local system = require("halyard.core.system")
local table_core = require("halyard.core.table")
local task = require("halyard.core.task")
local xml = require("halyard.xml")

local M = {}

local batch = 30 -- names in one question, as the reference client
local radius_default = 1 / 3600 -- degrees
local sesame = "Sesame"
local resolvers = { "NED", "SIMBAD", "SIMBADCFA", "TIC", "KEPLER", "K2", sesame }
local sesame_resolvers = { S = "SIMBAD", N = "NED", V = "VizieR" } -- by the letter in its answer
local catalogs = { tic = "TIC", kic = "KEPLER", epic = "K2" } -- by the prefix of a name

-- Entries for names by lower-case name, as the resolvers stand in the answer.
local function ask(names, options)
  local found = {}
  for first = 1, #names, batch do
    local arguments = { { "name", table.move(names, first, math.min(first + batch - 1, #names), 1,
      {}) }, { "outputFormat", "json" }, { "resolveAll", tostring(options.compare == true) } }
    arguments[#arguments + 1] = options.resolver and { "resolver", options.resolver } or nil
    local answer = door.document("name resolver", {
      url = door.url(door.base("resolver") .. "/Santa-war/query", arguments),
    })
    local list = type(answer) == "table" and answer.resolvedCoordinate
    for _, entry in ipairs(type(list) == "table" and list or {}) do
      local ra, dec = tonumber(entry.ra), tonumber(entry.decl or entry.dec)
      local key = tostring(entry.searchString):lower()
      if ra and dec and (not options.resolver or entry.resolver == options.resolver) then
        found[key] = found[key] or {}
        table.insert(found[key], { ra = ra, dec = dec, resolver = entry.resolver,
          name = entry.canonicalName, object_type = entry.objectType })
      end
    end
  end
  return found
end

-- Sesame's entries for one name. The answer has a Resolver for each that knows the name.
local function ask_sesame(name)
  local reply = door.reply("Sesame", { url = door.base("sesame")
    .. "/cgi-bin/nph-sesame/-oxp/SNV?" .. door.escape(name) })
  local found = {}
  for _, target in ipairs(xml.all(xml.parse(reply.body, "Sesame"), "Target")) do
    for _, entry in ipairs(xml.all(target, "Resolver")) do
      local ra, dec = tonumber(xml.text(entry, "jradeg")), tonumber(xml.text(entry, "jdedeg"))
      if ra and dec then
        found[#found + 1] = { ra = ra, dec = dec, name = xml.text(entry, "oname"),
          resolver = sesame_resolvers[(entry.attributes.name or ""):sub(1, 1)] or sesame,
          object_type = xml.text(entry, "otype") }
      end
    end
  end
  return found
end

-- As `ask`, a question a name.
local function ask_sesame_all(names)
  local base = door.base("sesame")
  local own = door.host(base) == door.host(door.base("mashup"))
  local found = {}
  door.begin(own and "mast" or door.host(base), base)
  task.map(names, 4, function(name)
    local entries = ask_sesame(name)
    found[name:lower()] = #entries > 0 and entries or nil
  end)
  return found
end

-- The entry to use: for names of catalogues the catalogue's own; warns where entries differ.
local function chosen(name, entries, options)
  local best, own = entries[1], catalogs[name:lower():match("^(%a+)%s*%d+$")]
  for _, entry in ipairs(entries) do
    best = entry.resolver == own and entry or best
  end
  local radius = options.radius and sky.angle(options.radius) or radius_default
  best.others, best.differ_deg = {}, 0
  for _, entry in ipairs(entries) do
    if entry ~= best then
      local apart = sky.separation(best.ra, best.dec, entry.ra, entry.dec)
      best.others[#best.others + 1] = entry
      best.differ_deg = math.max(best.differ_deg, apart)
      if apart > radius then
        system.log("warning", ("%s: %s and %s differ by %.2f arcsec"):format(name, best.resolver,
          entry.resolver, apart * 3600))
      end
    end
  end
  best.name = best.name or name
  return best
end

local function unknown(name, options)
  return errors.new("not_found", ("target %q is unknown to %s: check the spelling or give a "
    .. "position such as \"201.697 -47.480\""):format(name, options.resolver
    or "the name resolvers"))
end

--- What `mast.resolve` does with options, or with a list of names.
-- @tparam string|table name one name, or a list of them
-- @tparam table options `resolver` (one of NED, SIMBAD, SIMBADCFA, TIC, KEPLER, K2, or Sesame, of
-- the host cds.unistra.fr), `compare` (true: ask all and warn where they differ by more than
-- `radius`, an angle, 1 arcsec unless said)
-- @treturn table for one name ra, dec, name, resolver, others, differ_deg; for a list a table of
-- rows with input_row, target, ra, dec, name, resolver, differ_deg; unknown names are warnings
-- @raise `not_found` when no name is known
function M.resolve(name, options)
  suggest.check_keys(options, { "resolver", "compare", "radius" }, "mast.resolve")
  for i, known in ipairs(resolvers) do
    if options.resolver == nil or options.resolver == known then
      break
    elseif i == #resolvers then
      suggest.unknown("resolver", tostring(options.resolver), resolvers)
    end
  end
  local names = type(name) == "table" and name or { name }
  for _, each in ipairs(names) do
    if type(each) ~= "string" or not each:find("%S") then
      errors.raise("usage", "mast.resolve takes a name, or a list of names")
    end
  end
  local found
  if options.resolver == sesame then
    found = ask_sesame_all(names)
  else
    door.begin("mast", door.base("resolver"))
    found = ask(names, options)
  end
  local rows = {}
  for i, each in ipairs(names) do
    local entries = found[each:lower()]
    if entries then
      local best = chosen(each, entries, options)
      if type(name) ~= "table" then
        return best
      end
      rows[#rows + 1] = { input_row = i, target = each, ra = best.ra, dec = best.dec,
        name = best.name, resolver = best.resolver, differ_deg = best.differ_deg }
    elseif type(name) == "table" then
      system.log("warning", ("no resolver knows target %s"):format(each))
    end
  end
  if #rows == 0 then
    error(unknown(names[1] or "", options), 0)
  end
  local out = table_core.from_rows(rows, { "input_row", "target", "ra", "dec", "name", "resolver",
    "differ_deg" })
  return door.described(out, { ra = { unit = "deg", ucd = "pos.eq.ra;meta.main" },
    dec = { unit = "deg", ucd = "pos.eq.dec;meta.main" }, differ_deg = { unit = "deg" } })
end

return M
