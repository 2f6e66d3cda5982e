-- SPDX-License-Identifier: BSD-3-Clause
-- exo.MAST, server side (mast-interfaces section 5): /api/v0.1/exoplanets/ (identifiers,
-- properties, vetting), /api/v0.1/dvdata/ (data validation of TESS and Kepler, Kepler's phase plots
-- as JSON) and /api/v0.1/spectra/ (lists and files of the planets that transit bright stars).
local core = require "practice.core"
local faults = require "practice.faults"
local http = require "practice.http"
local json = require "practice.json"
local planets = require "practice.planets"

local M = {}

local SECTORS <const> = "s0001-s0003"
local POINTS <const> = 240

local function missing(text, ...)
  return http.json({ message = text:format(...) }, 404)
end

local function find(matches)
  for _, planet in ipairs(planets.list) do
    if matches(planet) then
      return planet
    end
  end
end

local function named(name)
  return find(function(planet)
    for _, each in ipairs(planet.names) do
      if each:lower() == name:lower() then
        return true
      end
    end
  end)
end

local function identifiers(name)
  local planet = named(name)
  if not planet then
    return missing("no planet is called %s", name)
  end
  local function or_null(value)
    return value == nil and json.null or value
  end
  return http.json({
    canonicalName = planet.name, starName = planet.star, ra = planet.ra, dec = planet.dec,
    planetNames = json.list(table.move(planet.names, 1, #planet.names, 1, {})),
    keplerID = or_null(planet.kepler), keplerTCE = planet.kepler and "TCE_1" or json.null,
    tessID = or_null(planet.tess), tessTCE = planet.tess and "TCE_1" or json.null,
  })
end

local function properties(planet, name)
  return planet and http.json(json.list(planet.properties)) or missing("no planet %s", name)
end

local function exoplanets(request)
  local path = request.rest:gsub("/+$", "")
  if path == "identifiers" then
    return identifiers(http.parameters(request).name or "")
  end
  if path == "vetting" then
    local obs = http.parameters(request).obs or ""
    return obs:find("%d") and http.json({ obs = obs, disposition = "PC", tests = json.list({
      { name = "odd-even", value = 0.7 }, { name = "centroid", value = 1.2 } }) })
      or missing("no vetting of %s", obs)
  end
  local tic = path:match("^tic/(%d+)/properties$")
  if tic then
    return properties(find(function(planet)
      return planet.tess == tonumber(tic)
    end), "of TIC " .. tic)
  end
  local name = path:match("^(.+)/properties$")
  return name and properties(named(name), name) or missing("Nothing is served here")
end

-- Data validation ---------------------------------------------------------------------------------

local columns = {
  { "TIME", "double", "Time (BTJD or BKJD, days)" },
  { "LC_INIT", "float", "Light curve" },
  { "LC_DETREND", "float", "Light curve, without trends" },
  { "MODEL_INIT", "float", "Model of the transits" },
}

local function description()
  local list = json.list({})
  for i, c in ipairs(columns) do
    list[i] = { colname = c[1], datatype = c[2], description = c[3] }
  end
  return http.json({ ["DV Data Table Description"] = list })
end

-- TIME and fluxes of a light curve with a transit in each period.
local function light_curve(planet, star)
  local period = planet.properties[1].orbital_period
  local fields, data = json.list({}), json.list({})
  for i, c in ipairs(columns) do
    fields[i] = { name = c[1], type = c[2] }
  end
  for i = 1, POINTS do
    local t = 1325.3 + i / 48
    local model = (t / period) % 1 < 0.05 and -0.01 or 0
    local noise = math.floor(1e6 * (core.uniform(star + i) - 0.5)) / 1e9
    data[i] = json.list({ t, model + noise + 0.001 * i / POINTS, model + noise, model })
  end
  return http.json({ fields = fields, data = data })
end

local function tces(mission)
  local name = mission == "tess" and SECTORS .. ":TCE_1" or "TCE_1"
  return http.json({ TCE = json.list({ name }) })
end

local function headers(planet, mission, star)
  return http.json({
    ["DV Primary Header"] = { OBJECT = planet.star, RA_OBJ = planet.ra, DEC_OBJ = planet.dec,
      TELESCOP = mission:upper(), STARID = star },
    ["DV Data Header"] = { EXTNAME = "TCE_1", TPERIOD = planet.properties[1].orbital_period },
    TCE = json.list({ "TCE_1" }),
  })
end

local function phase_plot(mission, star)
  local title = ("%s %d"):format(mission, star)
  return mission == "kepler" and http.json({ target_id = "1", title = title, doc = {} })
    or http.answer(("<div class='bk-root' title='%s'></div>\n<script>/* plot */</script>\n")
      :format(title), "text/html")
end

-- A spectrum: comments, then wavelength (micron), its width, depth and its error.
local SPECTRUM <const> = "transmission_practice.txt"

local function spectra(request)
  local name, what = request.rest:match("^([^/]+)/(.-)/*$")
  local planet = name and named(name)
  if not planet then
    return missing("no planet %s", name or "")
  end
  local has = planet.tess ~= nil
  if what == "filelist" then
    return http.json({ filenames = json.list(has and { SPECTRUM } or {}) })
  elseif what ~= "file/" .. SPECTRUM or not has then
    return missing("no spectrum %s of %s", what, name)
  end
  local out = { "# " .. planet.name .. ", practice spectrum\n",
    "# wavelength (micron)  half width (micron)  depth (%)  error (%)\n" }
  for i = 0, 19 do
    local depth = 1 + 0.02 * core.uniform(i + #planet.name)
    out[#out + 1] = ("%.3f  0.010  %.5f  0.0%02d\n"):format(1.1 + i * 0.03, depth, 10 + i)
  end
  return http.answer(table.concat(out), "text/plain")
end

local function dvdata(request)
  local path, p = request.rest:gsub("/+$", ""), http.parameters(request)
  local mission, star, what = path:match("^(%a+)/(%d+)/(%a+)$")
  if path == "tess/info" or path == "kepler/info" then
    return description()
  elseif mission ~= "tess" and mission ~= "kepler" then
    return missing("Nothing is served here")
  end
  star = math.tointeger(tonumber(star))
  local planet = find(function(each)
    return each[mission] == star
  end)
  if not planet then
    return missing("no data validation of %s %d", mission, star)
  elseif p.tce and p.tce ~= "1" and p.tce ~= "TCE_1" then
    return missing("%s %d has no %s", mission, star, p.tce)
  elseif mission == "tess" and p.sector and p.sector ~= "1" and p.sector ~= SECTORS then
    return missing("%s %d was not seen in %s", mission, star, p.sector)
  elseif what == "tces" then
    return tces(mission)
  elseif what == "info" then
    return headers(planet, mission, star)
  elseif what == "phaseplot" then
    return phase_plot(mission, star)
  end
  return what == "table" and light_curve(planet, star) or missing("Nothing is served here")
end

M.routes = { ["/api/v0.1/exoplanets/"] = faults.data(exoplanets),
  ["/api/v0.1/dvdata/"] = faults.data(dvdata), ["/api/v0.1/spectra/"] = faults.data(spectra) }

return M
