-- SPDX-License-Identifier: BSD-3-Clause
-- The planets that exo.MAST and the observability table of Catalogs.MAST know. What is not listed
-- is made of the planet's number, the same in every run and through both doors.
local core = require "practice.core"

local M = {}

-- canonical name, star, ra, dec, other names, tessID, keplerID
local known = {
  { "WASP-18 b", "WASP-18", 24.354208334287005, -45.677930555343636,
    { "HD 10069 b", "HIP 7562 b", "TYC 8040-72-1 b" }, 100100827, nil },
  { "WASP-12 b", "WASP-12", 97.6366453, 29.6722662, { "TYC 1891-38-1 b" }, 86396382, nil },
  { "HD 209458 b", "HD 209458", 330.7950226, 18.884319, { "HIP 108859 b", "Osiris" }, 420814525,
    nil },
  { "TRAPPIST-1 b", "TRAPPIST-1", 346.6223687, -5.0413992, { "K2-112 b" }, 278892590, nil },
  { "TRAPPIST-1 e", "TRAPPIST-1", 346.6223687, -5.0413992, { "K2-112 e" }, 278892590, nil },
  { "L 98-59 c", "L 98-59", 124.531756, -68.3130015, { "TOI-175 c" }, 307210830, nil },
  { "Proxima Centauri b", "Proxima Centauri", 217.4289422, -62.6794902, { "GJ 551 b" }, nil, nil },
  { "HAT-P-7 b", "HAT-P-7", 292.2472, 47.9695, { "Kepler-2 b" }, 424865156, 10666592 },
  { "HAT-P-11 b", "HAT-P-11", 297.7102, 48.0807, { "Kepler-3 b" }, 28230919, 10748390 },
  { "HAT-P-12 b", "HAT-P-12", 209.3887, 43.4935, {}, 198108326, nil },
  { "Kepler-10 b", "Kepler-10", 285.6794, 50.2413, { "KOI-72.01" }, 377780790, 11904151 },
}

local catalogs = { "exoplanets.org", "nexsci" }

local function number(i, k, low, high)
  return math.floor((low + (high - low) * core.uniform(1000 * i + k)) * 1e4 + 0.5) / 1e4
end

-- Quantities of section 5.2: name, unit, range.
M.quantities = {
  { "Rs", "R_sun", 0.1, 2 }, { "Ms", "M_sun", 0.1, 1.6 }, { "Fe/H", nil, -0.5, 0.5 },
  { "stellar_gravity", nil, 4, 5 }, { "Teff", "K", 2600, 6600 }, { "Vmag", "mag", 7, 19 },
  { "Jmag", "mag", 6, 12 }, { "Hmag", "mag", 6, 12 }, { "Kmag", "mag", 6, 11 },
  { "distance", "pc", 2, 400 }, { "Rp", "R_jupiter", 0.08, 1.9 }, { "Mp", "M_jupiter", 0.002, 10 },
  { "Tp", "K", 200, 2600 }, { "surface_gravity", "m / s2", 3, 190 },
  { "orbital_period", "d", 0.8, 12 }, { "orbital_distance", "AU", 0.01, 0.1 },
  { "inclination", "deg", 82, 90 }, { "eccentricity", nil, 0, 0.2 }, { "omega", "deg", 0, 360 },
  { "transit_duration", "d", 0.02, 0.15 }, { "transit_time", "d", 2454000, 2458000 },
  { "a/Rs", nil, 3, 30 }, { "Rp/Rs", nil, 0.01, 0.15 }, { "impact_parameter", nil, 0, 0.8 },
  { "transit_depth", nil, 0.0001, 0.02 }, { "Tmag", "mag", 7, 15 }, { "SNR", nil, 5, 300 },
}

local function properties(i, planet, k)
  local row = {
    canonical_name = planet.name, exoplanetID = i, catalog_name = catalogs[k],
    planet_name = planet.name, disposition = "Confirmed", modified_date = "2019-05-21",
    star_name = planet.star, component = "", RA = planet.ra, DEC = planet.dec,
    constellation = "Prc", snr_emission_15 = number(i, 90, 0, 9),
    snr_emission_5 = number(i, 91, 0, 9), snr_transmission_K = number(i, 92, 0, 9),
    transit_flag = planet.tess and 1 or 0,
  }
  for n, q in ipairs(M.quantities) do
    local name, value = q[1], number(i, 2 * n + k % 2, q[3], q[4])
    row[name], row[name .. "_unit"] = value, q[2]
    row[name .. "_upper"], row[name .. "_lower"] = value / 100, value / 100
    row[name .. "_ref"], row[name .. "_url"] = "Practice 2019", "https://example.org/practice"
  end
  return row
end

M.list = {}
for i, p in ipairs(known) do
  local planet = { name = p[1], star = p[2], ra = p[3], dec = p[4], names = { p[1] }, tess = p[6],
    kepler = p[7] }
  table.move(p[5], 1, #p[5], 2, planet.names)
  -- The order of the source catalogues differs from planet to planet.
  planet.properties = { properties(i, planet, 1 + i % 2), properties(i, planet, 2 - i % 2) }
  M.list[i] = planet
end

return M
