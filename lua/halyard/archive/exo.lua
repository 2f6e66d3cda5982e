-- SPDX-License-Identifier: BSD-3-Clause
-- exo.MAST (MAST interfaces, section 5): planets by any of their names, their properties in
-- several source catalogues, data validation of TESS and Kepler light curves.

local door = require("halyard.archive.door")
local errors = require("halyard.error")
local suggest = require("halyard.suggest")
local table_core = require("halyard.core.table")

local M = {}
local exo = {}
M.exo = exo

local function address(path)
  return door.base("exo") .. "/api/v0.1/" .. path
end

-- A name as one part of a path.
local function part(text)
  return (door.escape(text):gsub("/", "%%2F"))
end

-- A value that is there: JSON null is none.
local function given(value)
  local kind = type(value)
  if kind == "number" then
    return math.tointeger(value) or value
  elseif kind == "string" or kind == "boolean" or kind == "table" then
    return value
  end
end

-- Asks for a document; what is not found is said of `what`.
local function document(what, url)
  local record = door.begin("mast", door.base("exo"))
  local ok, value = errors.try(door.document, what, { url = url })
  record:spent({ requests = 1, bytes = 0 })
  if not ok and value.code == "not_found" then
    errors.raise("not_found", what .. " is not known to exo.MAST" .. (value.words
      and (" (%s): check the spelling"):format(value.words) or ": " .. value.message))
  elseif not ok then
    error(value, 0)
  elseif type(value) ~= "table" then
    errors.raise("protocol", what .. ": the answer is no document of exo.MAST")
  end
  return value
end

local function check_name(name, what)
  if type(name) ~= "string" or not name:find("%S") then
    errors.raise("usage", what .. " takes the name of a planet, such as \"WASP-18 b\"")
  end
end

--- What a planet is called and where it is.
-- @tparam string name any of its names
-- @treturn table name (the canonical one), star, ra, dec (degrees), names (list), and where known
-- tess and kepler (numbers of the star there), tess_tce, kepler_tce
-- @raise `not_found`, `usage`
function exo.planet(name)
  check_name(name, "exo.planet")
  local found = document("planet " .. name, door.url(address("exoplanets/identifiers/"),
    { name = name }))
  if not given(found.canonicalName) then
    errors.raise("not_found", ("planet %q is not known to exo.MAST: check the spelling")
      :format(name))
  end
  return {
    name = found.canonicalName, star = given(found.starName), ra = given(found.ra),
    dec = given(found.dec), names = given(found.planetNames) or {}, tess = given(found.tessID),
    tess_tce = given(found.tessTCE), kepler = given(found.keplerID),
    kepler_tce = given(found.keplerTCE),
  }
end

local companions = { "_unit", "_upper", "_lower", "_ref", "_url" }

-- Rows of one source catalogue: each quantity with its unit, errors and reference; plain texts.
local function quantities(source, rows)
  local belongs, names = {}, {}
  for name in pairs(source) do
    for _, ending in ipairs(companions) do
      belongs[name .. ending] = true
    end
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local value = given(source[name])
    if not belongs[name] and name ~= "catalog_name" and value ~= nil then
      local number = type(value) == "number"
      rows[#rows + 1] = {
        catalog_name = given(source.catalog_name), quantity = name,
        value = number and value + 0.0 or nil, text = not number and tostring(value) or nil,
        unit = given(source[name .. "_unit"]), upper = tonumber(source[name .. "_upper"]),
        lower = tonumber(source[name .. "_lower"]), ref = given(source[name .. "_ref"]),
        url = given(source[name .. "_url"]),
      }
    end
  end
end

--- The properties of a planet in all source catalogues, one row a quantity.
-- @tparam string name its canonical or another name, or "TIC 100100827"
-- @tparam[opt] table options `catalog`: of one source only ("nexsci", "exoplanets.org")
-- @treturn halyard.table catalog_name, quantity, value, text, unit, upper, lower, ref, url
-- @raise `not_found`, `usage`
function exo.properties(name, options)
  options = options or {}
  suggest.check_keys(options, { "catalog" }, "exo.properties")
  check_name(name, "exo.properties")
  local tic = name:match("^TIC%s+(%d+)$")
  local path = tic and "tic/" .. tic or part(exo.planet(name).name)
  local sources, rows, known = document("properties of " .. name, address("exoplanets/" .. path
    .. "/properties/")), {}, {}
  for i, source in ipairs(sources) do
    known[i] = given(source.catalog_name) or "?"
    if not options.catalog or options.catalog == source.catalog_name then
      quantities(source, rows)
    end
  end
  if #rows == 0 and options.catalog and #known > 0 then
    suggest.unknown("source catalogue of " .. name, tostring(options.catalog), known)
  elseif #rows == 0 then
    errors.raise("not_found", "exo.MAST has no properties of " .. name)
  end
  return table_core.from_rows(rows, { "catalog_name", "quantity", "value", "text", "unit", "upper",
    "lower", "ref", "url" })
end

-- Data validation -------------------------------------------------------------------------------

local function check_star(mission, star, options, what)
  if mission ~= "tess" and mission ~= "kepler" then
    suggest.unknown("mission of " .. what, tostring(mission), { "tess", "kepler" })
  elseif math.type(star) ~= "integer" or star < 1 then
    errors.raise("usage", what .. ": the star is its TIC or Kepler number")
  end
  options = options or {}
  suggest.check_keys(options, { "tce", "sector" }, what)
  return options
end

local function star_url(mission, star, kind, options)
  return door.url(address(("dvdata/%s/%d/%s/"):format(mission, star, kind)), options)
end

--- The threshold crossing events of a star: halyard.table of sector (TESS) and tce.
-- @tparam string mission "tess" or "kepler"
-- @tparam integer star TIC or Kepler number
-- @raise `not_found`, `usage`
function exo.tces(mission, star)
  check_star(mission, star, nil, "exo.tces")
  local found = document(("%s %d"):format(mission, star), star_url(mission, star, "tces", {}))
  local rows = {}
  for i, text in ipairs(given(found.TCE) or {}) do
    local sector, tce = text:match("^(.-):(.*)$")
    rows[i] = { sector = sector, tce = tce or text }
  end
  return table_core.from_rows(rows, { "sector", "tce" })
end

--- Headers of a star's data validation: { data = {...}, primary = {...}, tces = {...} }.
-- @tparam string mission
-- @tparam integer star
-- @tparam[opt] table options `tce` ("TCE_1" or 1), `sector` ("s0001-s0003" or 1)
function exo.headers(mission, star, options)
  options = check_star(mission, star, options, "exo.headers")
  local found = document(("%s %d"):format(mission, star), star_url(mission, star, "info", options))
  return { data = given(found["DV Data Header"]) or {}, tces = given(found.TCE) or {},
    primary = given(found["DV Primary Header"]) or {} }
end

--- The columns of time series: halyard.table of name, type, description.
function exo.columns(mission)
  check_star(mission, 1, nil, "exo.columns")
  local found = document(mission .. " data validation", address(("dvdata/%s/info/")
    :format(mission)))
  local rows = {}
  for i, entry in ipairs(given(found["DV Data Table Description"]) or {}) do
    rows[i] = { name = entry.colname, type = entry.datatype, description = entry.description }
  end
  return table_core.from_rows(rows, { "name", "type", "description" })
end

--- The time series of a star's data validation, with the descriptions of its columns.
-- @tparam string mission
-- @tparam integer star
-- @tparam[opt] table options as for `headers`
-- @treturn halyard.table
-- @raise `not_found`, `usage`
function exo.series(mission, star, options)
  options = check_star(mission, star, options, "exo.series")
  local record = door.begin("mast", door.base("exo"))
  local name = ("%s %d data validation"):format(mission, star)
  local rows, _, cost = door.fetch(name, {
    url = star_url(mission, star, "table", options), format = "rows", poll = false,
  })
  record:spent(cost)
  record.queries[#record.queries + 1] = { service = name, rows = #rows, requests = 1,
    bytes = cost.bytes }
  if #rows == 0 then
    errors.raise("not_found", name .. ": the time series has no rows")
  end
  local columns = {}
  for _, column in exo.columns(mission):rows() do
    columns[column.name:lower()] = { description = column.description,
      unit = column.name == "TIME" and "d" or nil }
  end
  return door.described(rows, columns)
end

return M
