-- SPDX-License-Identifier: BSD-3-Clause
-- exo.MAST (MAST interfaces, section 5): planets by any of their names, their properties in
-- several source catalogues, data validation of TESS and Kepler light curves, spectra. The
-- addresses of phase plots, vetting and spectra are those that public clients use.

local door = require("halyard.archive.door")
local errors = require("halyard.error")
local report = require("halyard.report")
local suggest = require("halyard.suggest")
local system = require("halyard.core.system")
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
  door.begin("mast", door.base("exo"))
  local ok, value = errors.try(door.document, what, { url = url })
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
  if record.dry then
    record.notes[#record.notes + 1] = name .. " would be asked for a time series"
    return table_core.from_rows({}, { "TIME" })
  end
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

-- Files and documents as they come --------------------------------------------------------------

-- Writes what the service sent below the output folder: { file, path, bytes, ok }.
local function kept(reply, file)
  local record = report.current()
  local path = record:path(file)
  system.write_file(path, reply.body)
  record:downloaded(#reply.body)
  return { file = file, path = path, bytes = #reply.body, ok = true }
end

-- A reply; what is not found is said of `what`.
local function reply_of(what, url)
  door.begin("mast", door.base("exo"))
  local ok, reply = errors.try(door.reply, what, { url = url })
  if not ok and reply.code == "not_found" then
    errors.raise("not_found", what .. " is not known to exo.MAST: " .. reply.message)
  elseif not ok then
    error(reply, 0)
  elseif not reply.body:find("%S") then
    errors.raise("not_found", what .. ": exo.MAST has sent nothing")
  end
  return reply
end

--- The phase plot of a star's data validation, as the service sends it (a page's part, or the
-- plot's JSON), in a file.
-- @tparam string mission
-- @tparam integer star
-- @tparam[opt] table options `tce`, `sector` as for `headers`; `into`: the file (default
-- "phase-MISSION-STAR.html" or .json)
-- @treturn table file, path, bytes
-- @raise `not_found`, `usage`
function exo.phase_plot(mission, star, options)
  local into
  local asked = {}
  for key, value in pairs(options or {}) do
    if key == "into" then
      into = value
    else
      asked[key] = value
    end
  end
  asked = check_star(mission, star, asked, "exo.phase_plot")
  local record = report.current()
  if record.dry then
    record.notes[#record.notes + 1] = "exo.MAST would be asked for a phase plot"
    return {}
  end
  local reply = reply_of(("phase plot of %s %d"):format(mission, star),
    star_url(mission, star, "phaseplot", asked))
  local ending = reply.body:find("^%s*[{%[\"]") and "json" or "html"
  if reply.body:lower():find("^%s*<!doctype") or reply.body:lower():find("^%s*<html") then
    errors.raise("protocol", ("phase plot of %s %d: a whole HTML page came and not a plot; check "
      .. "--archive"):format(mission, star))
  end
  return kept(reply, into or ("phase-%s-%d.%s"):format(mission, star, ending))
end

--- What the service knows about the vetting of an observation, as it sends it.
-- @param obs the observation's number or name
-- @treturn table the document
function exo.vetting(obs)
  if type(obs) ~= "string" and math.type(obs) ~= "integer" or obs == "" then
    errors.raise("usage", "exo.vetting takes an observation's number or name")
  end
  return document("vetting of " .. obs, door.url(address("exoplanets/vetting/"), { obs = obs }))
end

--- The spectra of a planet's atmosphere that the service has.
-- @tparam string name any of the planet's names
-- @treturn table list of file names
-- @raise `not_found`, `usage`
function exo.spectra(name)
  check_name(name, "exo.spectra")
  local found = document("spectra of " .. name, address("spectra/" .. part(exo.planet(name).name)
    .. "/filelist/"))
  local list = {}
  for i, file in ipairs(given(found.filenames)
    or errors.raise("protocol", ("spectra of %s: the answer names no files"):format(name))) do
    list[i] = tostring(file)
  end
  return list
end

local spectrum_names = { "wavelength", "wavelength_width", "value", "error" }

-- The numbers of a spectrum's text, and the lines that say something about them.
local function spectrum_of(text, what)
  local rows, notes, n = {}, {}, nil
  for line in text:gmatch("[^\r\n]+") do
    local row = {}
    for cell in line:gmatch("[^%s,]+") do
      row[#row + 1] = tonumber(cell) or cell
    end
    if line:find("^%s*#") then
      notes[#notes + 1] = line:match("^%s*#%s*(.-)%s*$")
    elseif #row > 0 then
      n = n or #row
      for _, cell in ipairs(row) do
        if #row ~= n or type(cell) ~= "number" then
          errors.raise("protocol", ("%s: line %q is no row of %d numbers"):format(what,
            line:sub(1, 60), n))
        end
      end
      rows[#rows + 1] = row
    end
  end
  if #rows == 0 then
    errors.raise("protocol", ("%s: %s came and not a spectrum"):format(what,
      door.looks_like(text)))
  end
  return rows, notes, n
end

--- One spectrum of a planet.
-- @tparam string name any of the planet's names
-- @tparam string file as `exo.spectra` names it
-- @treturn halyard.table of 64-bit floats: with four columns wavelength, wavelength_width, value,
-- error, else column_1, column_2, ...
-- @treturn table the comment lines of the file, which say units and source
-- @raise `not_found`, `usage`, `protocol`
function exo.spectrum(name, file)
  check_name(name, "exo.spectrum")
  if type(file) ~= "string" or file == "" then
    errors.raise("usage", "exo.spectrum takes a file name of exo.spectra")
  end
  local what = ("spectrum %s of %s"):format(file, name)
  local reply = reply_of(what, address(("spectra/%s/file/%s"):format(part(exo.planet(name).name),
    part(file))))
  local numbers, notes, n = spectrum_of(reply.body, what)
  local names, rows = n == 4 and spectrum_names or {}, {}
  for k = #names + 1, n do
    names[k] = "column_" .. k
  end
  for i, row in ipairs(numbers) do
    rows[i] = {}
    for k = 1, n do
      rows[i][names[k]] = row[k] + 0.0
    end
  end
  return table_core.from_rows(rows, names), notes
end

return M
