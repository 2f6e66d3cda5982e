-- SPDX-License-Identifier: BSD-3-Clause
-- Asking MAST: names, catalogues, single files; and the table of what else there is, each in a
-- dialect of its own (halyard.archive). Tiling is halyard.query's.

local catalog = require("halyard.catalog")
local door = require("halyard.archive.door")
local errors = require("halyard.error")
local mashup = require("halyard.archive.mashup")
local sky = require("halyard.core.sky")
local suggest = require("halyard.suggest")

local M = {}

local function begin()
  return door.begin("mast", door.base("mashup"))
end

-- Names -----------------------------------------------------------------------------------------

--- A position for a name, or for a text that is a position already.
-- @tparam string name "M 13", "52.5 -27.4", "13:26:47.28 -47:28:46.1"
-- @tparam[opt] table options `resolver`, `compare`, `radius`: see halyard.archive.resolver, which
-- also takes a list of names and gives a table
-- @treturn table ra, dec (degrees, ICRS), name, resolver (nil for a position)
-- @raise `not_found` when no resolver knows the name, `usage` for an impossible position
function M.resolve(name, options)
  if type(name) == "table" and name.ra and name.dec then
    return name
  elseif options or type(name) == "table" and #name > 0 then
    return require("halyard.archive.resolver").resolve(name, options or {})
  elseif type(name) ~= "string" or not name:find("%S") then
    errors.raise("usage", "a target is a name or a position such as \"52.5 -27.4\"")
  end
  local ra, dec = sky.position(name)
  if ra then
    return { ra = ra, dec = dec, name = name }
  end
  begin()
  local found = mashup.lookup(name)
  if not found[1] then
    errors.raise("not_found", ("target %q is unknown to the name resolvers: check the spelling or "
      .. "give a position such as \"201.697 -47.480\""):format(name))
  end
  return found[1]
end

-- Catalogues ------------------------------------------------------------------------------------

-- Dialects that have catalogues, in the order in which a name is looked for.
local catalog_doors = { "mashup", "catalogs", "gsss", "classic", "tap" }
-- The module of a dialect's catalogues, where it is not the dialect's own.
local catalog_modules = { mashup = "mashup_catalogs" }

--- A catalogue by name: "Gaia DR3", "TIC", "CTL", "GALEX", ... (docs/archives lists them).
-- @tparam string name case, blanks and hyphens do not matter
-- @tparam[opt] table options `via`: the door to take where several lead to the catalogue
-- @treturn catalog see halyard.catalog: `query`, `count`, `columns`
-- @raise `not_found`
-- @usage mast.catalog("TIC"):count { region = sky.cone("M 13", "0.5 deg") }
function M.catalog(name, options)
  suggest.check_keys(options or {}, { "via" }, "mast.catalog")
  local via = options and options.via
  local names, seen = {}, {}
  for _, dialect in ipairs(catalog_doors) do
    if not via or via == dialect then
      local module = catalog_modules[dialect] or dialect
      local records = require("halyard.archive." .. module).catalogs
      local record = catalog.find(records, name)
      if record then
        return catalog.new(record)
      end
      for _, each in ipairs(records) do
        names[#names + 1] = not seen[each.name] and each.name or nil
        seen[each.name] = true
      end
    end
  end
  if #names == 0 then
    suggest.unknown("door", tostring(via), catalog_doors)
  end
  suggest.unknown("catalogue", tostring(name), names, "not_found")
end

-- Files --------------------------------------------------------------------------------------

--- Downloads one file by its data URI; see `retrieve.products` for many.
-- @tparam string uri
-- @tparam[opt] table options `dir` (below the output folder), `existing` as of `retrieve.products`
-- @treturn table path, bytes, sha256, skipped
function M.download(uri, options)
  options = options or {}
  suggest.check_keys(options, { "dir", "existing" }, "mast.download")
  local row = { dataURI = uri, productFilename = tostring(uri):match("([^/]+)$") }
  return require("halyard.retrieve").products({ row }, { dir = options.dir,
    existing = options.existing, flat = true })[1]
end

-- Other doors -----------------------------------------------------------------------------------

-- What else MAST offers, each with its dialect, loaded when it is first used.
local parts = {
  bundle = "products", casjobs = "casjobs", classic = "classic", cloud = "cloud",
  columns = "portal_help", count = "caom", crossmatch = "crossmatch", cutouts = "cutouts",
  exo = "exo", export = "portal_files", hsc_matches = "hsc", hsc_spectra = "hsc", images = "images",
  jwst_keywords = "jwst_keywords",
  mission = "missions", missions = "portal_help", observations = "caom", products = "products",
  service = "service", sia = "mast_vo", store = "portal_files", tap = "mast_vo",
  values = "portal_help", whoami = "auth",
}

return setmetatable(M, {
  __index = function(t, name)
    local dialect = parts[name]
    if not dialect then
      local known = {}
      for _, names in ipairs({ t, parts }) do
        for key in next, names do
          known[#known + 1] = key
        end
      end
      table.sort(known)
      suggest.unknown("function of mast", tostring(name), known)
    end
    local part = require("halyard.archive." .. dialect)[name]
    rawset(t, name, part)
    return part
  end,
})
