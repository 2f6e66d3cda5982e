-- SPDX-License-Identifier: BSD-3-Clause
-- The tables of Catalogs.MAST on the sky: Pan-STARRS objects and Hubble sources are stars of Gaia,
-- planets those of practice.planets. Columns as the service lists them, less the rarer filters of
-- the HSC; what the sky does not tell is -999 in Pan-STARRS and null elsewhere.
local json = require "practice.json"
local planets = require "practice.planets"
local sql = require "practice.sql"

local M = {}

-- Lists of "name:type"; c char, l long, i int, s short, b unsignedByte, f float, d double.
local object = [[
  objName:c objAltName1:c objAltName2:c objAltName3:c objID:l uniquePspsOBid:l ippObjID:l
  surveyID:b htmID:l zoneID:i tessID:b projectionID:s skyCellID:b randomID:d batchID:l
  dvoRegionID:i processingVersion:b objInfoFlag:i qualityFlag:b raStack:d decStack:d
  raStackErr:f decStackErr:f raMean:d decMean:d raMeanErr:f decMeanErr:f epochMean:d
  posMeanChisq:f cx:d cy:d cz:d lambda:d beta:d l:d b:d nStackObjectRows:s
  nStackDetections:s nDetections:s ng:s nr:s ni:s nz:s ny:s ]]
local mean_band = [[
  QfPerfect:f MeanPSFMag:f MeanPSFMagErr:f MeanPSFMagStd:f MeanPSFMagNpt:s MeanPSFMagMin:f
  MeanPSFMagMax:f MeanKronMag:f MeanKronMagErr:f MeanKronMagStd:f MeanKronMagNpt:s
  MeanApMag:f MeanApMagErr:f MeanApMagStd:f MeanApMagNpt:s Flags:i ]]
local stack_object = [[
  uniquePspsSTid:l primaryDetection:b bestDetection:b ]]
local stack_band = [[
  ippDetectID:l stackDetectID:l stackImageID:l ra:d dec:d raErr:f decErr:f Epoch:d PSFMag:f
  PSFMagErr:f ApMag:f ApMagErr:f KronMag:f KronMagErr:f infoFlag:l infoFlag2:i infoFlag3:i
  nFrames:i xPos:f yPos:f xPosErr:f yPosErr:f psfMajorFWHM:f psfMinorFWHM:f psfTheta:f
  psfCore:f psfLikelihood:f psfQf:f psfQfPerfect:f psfChiSq:f momentXX:f momentXY:f
  momentYY:f momentR1:f momentRH:f PSFFlux:f PSFFluxErr:f ApFlux:f ApFluxErr:f ApFillFac:f
  ApRadius:f KronFlux:f KronFluxErr:f KronRad:f expTime:f ExtNSigma:f sky:f skyErr:f zp:f
  PlateScale:f ]]
local detection = [[
  objID:l uniquePspsP2id:l detectID:l ippObjID:l ippDetectID:l filterID:b surveyID:b
  imageID:l randomDetID:d dvoRegionID:i obsTime:d xPos:f yPos:f xPosErr:f yPosErr:f
  pltScale:f posAngle:f ra:d dec:d raErr:f decErr:f extNSigma:f zp:f telluricExt:f expTime:f
  airMass:f psfFlux:f psfFluxErr:f psfMajorFWHM:f psfMinorFWHM:f psfTheta:f psfCore:f
  psfQf:f psfQfPerfect:f psfChiSq:f psfLikelihood:f momentXX:f momentXY:f momentYY:f
  momentR1:f momentRH:f momentM3C:f momentM3S:f momentM4C:f momentM4S:f apFlux:f apFluxErr:f
  apFillF:f apRadius:f kronFlux:f kronFluxErr:f kronRad:f sky:f skyErr:f infoFlag:l
  infoFlag2:i infoFlag3:i processingVersion:b ]]
-- Of the forced means no list is known, only that there are 199 columns.
local forced_band = [[
  nTotal:s nIncPSFFlux:s nIncKronFlux:s nIncApFlux:s nIncR5:s FPSFFlux:f FPSFFluxErr:f
  FPSFFluxStd:f FPSFMag:f FPSFMagErr:f FKronFlux:f FKronFluxErr:f FKronFluxStd:f FKronMag:f
  FKronMagErr:f FApFlux:f FApFluxErr:f FApFluxStd:f FApMag:f FApMagErr:f FmeanflxR5:f
  FmeanflxR5Err:f FmeanflxR5Std:f FmeanflxR5Fill:f FmeanMagR5:f FmeanMagR5Err:f FlatFlags:i
  FFlags:i E1:f E2:f FPSFFluxMax:f ]]
local hsc_summary = [[
  MatchID:l MatchRA:d MatchDec:d DSigma:f AbsCorr:c NumFilters:i NumVisits:i NumImages:i
  StartTime:c StopTime:c StartMJD:d StopMJD:d TargetName:c CI:f CI_Sigma:f KronRadius:f
  KronRadius_Sigma:f Extinction:f SpectrumFlag:c ]]
local hsc_detailed = [[
  CatID:l MatchID:l MemID:l SourceID:l ImageID:l Det:c MatchRA:d MatchDec:d SourceRA:d SourceDec:d
  D:f DSigma:f AbsCorr:c Instrument:c Filter:c Aper1:f MagAper2:f MagAuto:f CI:f StartMJD:d
  ExposureTime:f ImageName:c ]]
local hsc_motions = [[
  objID:l numSources:i raMean:d decMean:d lonMean:d latMean:d raMeanErr:f decMeanErr:f pmLon:f
  pmLat:f pmLonErr:f pmLatErr:f pmLonDev:f pmLatDev:f epochStart:d epochEnd:d epochMean:d DSigma:f
  NumFilters:i NumVisits:i NumImages:i CI:f KronRadius:f Extinction:f SpectrumFlag:c ]]
local hsc_positions = "objID:l SourceID:l raMean:d decMean:d ra:d dec:d mjd:d dLon:f dLat:f CI:f"
local hcv_summary = [[
  MatchID:l GroupID:l SubGroupID:l RA:d Dec:d AutoClass:i ExpertClass:i NumFilters:i Filter:c
  MeanMag:f MAD:f Chi2:f ]]
local hcv_detailed = [[
  MatchID:l GroupID:l RA:d Dec:d Filter:c MJD:d ImageName:c Mag:f CorrMag:f MagErr:f CI:f D:f ]]
local filters = { "A_F435W", "A_F475W", "A_F555W", "A_F606W", "A_F775W", "A_F814W", "A_F850LP",
  "W3_F225W", "W3_F275W", "W3_F336W", "W3_F438W", "W3_F606W", "W3_F814W", "W3_F110W", "W3_F160W",
  "W2_F300W", "W2_F450W", "W2_F555W", "W2_F606W", "W2_F814W" }

local types = { c = "char", l = "long", i = "int", s = "short", b = "unsignedByte", f = "float",
  d = "double" }

local function read(text, out, prefix)
  for name, letter in text:gmatch("([%w_]+):(%l)") do
    out[#out + 1] = { name = (prefix or "") .. name, type = types[letter] }
  end
  return out
end

local function banded(first, band)
  local out = read(first, {})
  for each in ("grizy"):gmatch(".") do
    read(band, out, each)
  end
  return out
end

-- What is known: column -> SQL of the star. Stars whose number ends so are seen in stacks only.
local NUMBER <const> = "(source_id / 128)"
local ZONE <const> = "CAST((90 + dec) / 0.0083333 AS INTEGER)"
local OBJECT <const> = ("(%s * 10000000000000 + CAST(ra * 1000000 AS INTEGER) * 10000 + %s "
  .. "%% 10000)"):format(ZONE, NUMBER)
local STACK_ONLY <const> = ("%s %% 11 = 7"):format(NUMBER)

local function unless_stack_only(value, instead)
  return ("CASE WHEN %s THEN %s ELSE %s END"):format(STACK_ONLY, instead, value)
end

local colors = { g = "coalesce(phot_bp_mean_mag, phot_g_mean_mag + 0.4)", r = "phot_g_mean_mag",
  i = "coalesce(phot_rp_mean_mag, phot_g_mean_mag - 0.5)",
  z = "coalesce(phot_rp_mean_mag, phot_g_mean_mag - 0.5) - 0.2",
  y = "coalesce(phot_rp_mean_mag, phot_g_mean_mag - 0.5) - 0.3" }

local function panstarrs()
  local out = {
    objName = "printf('PSO J%08.4f%+08.4f', ra, dec)", objID = OBJECT,
    uniquePspsOBid = NUMBER, ippObjID = NUMBER, surveyID = "0", zoneID = ZONE,
    tessID = "1", processingVersion = "3", qualityFlag = "52", objInfoFlag = "436486144",
    raMean = unless_stack_only("ra", "-999.0"), decMean = unless_stack_only("dec", "-999.0"),
    raMeanErr = "round(ra_error / 100, 6)", decMeanErr = "round(dec_error / 100, 6)",
    raStack = "ra", decStack = "dec", epochMean = "56000.5",
    nStackDetections = "5", nDetections = unless_stack_only(NUMBER .. " % 60 + 1", "0"),
    uniquePspsSTid = "source_id + 1", primaryDetection = "1", bestDetection = "1",
    ra = "ra", dec = "dec", detectID = "source_id + k", uniquePspsP2id = "source_id + k",
    obsTime = "55000.25 + k", filterID = "k + 1", psfFlux = "round(uniform(source_id, k + 60), 6)",
  }
  for band, mag in pairs(colors) do
    local seen = ("uniform(source_id, %d) > 0.15"):format(band:byte())
    local value = ("CASE WHEN %s THEN round(%s, 4) ELSE -999.0 END"):format(seen, mag)
    for _, kind in ipairs({ "MeanPSFMag", "MeanKronMag", "MeanApMag" }) do
      out[band .. kind] = unless_stack_only(value, "-999.0")
    end
    for _, kind in ipairs({ "PSFMag", "KronMag", "ApMag", "FPSFMag", "FKronMag" }) do
      out[band .. kind] = value
    end
    out[band .. "ra"], out[band .. "dec"] = "ra", "dec"
    out["n" .. band] = unless_stack_only(("CASE WHEN %s THEN 12 ELSE 0 END"):format(seen), "0")
  end
  return out
end

local function hubble()
  local out = {
    MatchID = NUMBER, objID = NUMBER, CatID = NUMBER .. " * 4 + k", MemID = NUMBER .. " * 4 + k",
    SourceID = NUMBER .. " * 4 + k", GroupID = NUMBER .. " % 9000", SubGroupID = "-5",
    MatchRA = "ra", MatchDec = "dec", SourceRA = "ra", SourceDec = "dec", raMean = "ra",
    decMean = "dec", ra = "ra", dec = "dec", RA = "ra", Dec = "dec", AbsCorr = "'Y'",
    Det = "'Y'", NumFilters = "2", NumVisits = NUMBER .. " % 9 + 1", NumImages = "24",
    numSources = NUMBER .. " % 90 + 10", StartMJD = "53965.29153", StopMJD = "57009.86262",
    TargetName = "'PRACTICE'", CI = "round(0.9 + 0.3 * uniform(source_id, 31), 4)",
    Extinction = "0.05", SpectrumFlag = "'N'", Instrument = "'ACS/WFC'",
    Filter = "'F' || (600 + k)",
    MagAper2 = "round(phot_g_mean_mag, 3)", MagAuto = "round(phot_g_mean_mag - 0.1, 3)",
    pmLon = "pmra", pmLat = "pmdec", MJD = "54000.25 + k", mjd = "54000.25 + k",
    ImageName = "'practice_' || k", Mag = "round(phot_g_mean_mag, 3)", MAD = "0.02",
    MeanMag = "round(phot_g_mean_mag, 3)", AutoClass = "1", ExpertClass = "1",
  }
  for i, name in ipairs(filters) do
    local seen = ("uniform(source_id, %d) > 0.6"):format(40 + i)
    out[name] = ("CASE WHEN %s THEN round(phot_g_mean_mag + %g, 3) END"):format(seen, i / 20 - 0.5)
    out[name .. "_N"] = ("CASE WHEN %s THEN %s %% 14 + 1 ELSE 0 END"):format(seen, NUMBER)
    out[name .. "_MAD"] = ("CASE WHEN %s THEN 0.02 END"):format(seen)
    out[name .. "_Sigma"] = out[name .. "_MAD"]
  end
  return out
end

local missing = { float = "-999.0", double = "-999.0", int = "-999", short = "-999",
  unsignedByte = "0" }
local datatypes = { unsignedByte = "short" }
local SOURCES <const> = "sky_gaia, (SELECT 0 AS k UNION ALL SELECT 1)"

-- Defines the view of a table; `known` as above, `null` what stands for a missing value.
local function define(t, columns, known, from, null)
  local list = {}
  for i, c in ipairs(columns) do
    list[i] = { name = c.name, type = datatypes[c.type] or c.type,
      is = known[c.name] or null[c.type] or "NULL" }
  end
  for _, name in ipairs({ "ra", "dec" }) do -- the star's place, not a column of the service
    list[#list + 1] = { name = "at_" .. name, is = name, type = "double" }
  end
  t.columns, t.index = columns, {}
  for _, c in ipairs(columns) do
    t.index[c.name:lower()] = c
  end
  sql.define(t.view, { from = from, columns = list })
end

local function hsc_columns(version)
  local out, spread = read(hsc_summary, {}), version == "v2" and "_Sigma" or "_MAD"
  for _, name in ipairs(filters) do
    out[#out + 1] = { name = name, type = "float" }
    out[#out + 1] = { name = name .. spread, type = "float" }
    out[#out + 1] = { name = name .. "_N", type = "int" }
  end
  return out
end

-- path -> { view (with at_ra, at_dec), columns, index, shown (columns of the default answer; nil:
-- all), quoted (64-bit integers are texts in JSON), small (no view: positions are RA, DEC) }
M.tables = {}

local function panstarrs_table(path, columns, from, shown)
  local t = { view = "ps1_" .. path:gsub("%W", "_"), quoted = true, shown = shown }
  define(t, columns, panstarrs(), from, missing)
  M.tables["panstarrs/" .. path] = t
end

local OBJECTS <const> = "sky_gaia WHERE dec > -31"
local usual = { "objName", "objID", "raMean", "decMean", "raStack", "decStack", "nDetections", "ng",
  "nr", "ni", "nz", "ny", "gMeanPSFMag", "rMeanPSFMag", "iMeanPSFMag", "zMeanPSFMag",
  "yMeanPSFMag" }
for _, release in ipairs({ "dr1", "dr2" }) do
  panstarrs_table(release .. "/mean", banded(object, mean_band), OBJECTS, usual)
  panstarrs_table(release .. "/stack", banded(object .. stack_object, stack_band), OBJECTS)
end
panstarrs_table("dr2/forced_mean", banded(object, forced_band), OBJECTS)
panstarrs_table("dr2/detection", read(detection, {}), SOURCES .. " WHERE dec > -31")

local function hsc_table(path, columns, from)
  local t = { view = "hsc_" .. path:gsub("%W", "_") }
  define(t, columns, hubble(), from, {})
  M.tables["hsc/" .. path] = t
end

local STARS <const> = "sky_gaia WHERE " .. NUMBER .. " % 3 = 0"
local EACH <const> = SOURCES .. " WHERE " .. NUMBER .. " % 3 = 0"
local ALL <const> = "sky_gaia, (SELECT 0 AS k) WHERE " .. NUMBER .. " % 3 = 0"
for _, version in ipairs({ "v2", "v3" }) do
  for _, kind in ipairs({ "magaper2", "magauto" }) do
    hsc_table(version .. "/summary/" .. kind, hsc_columns(version), STARS)
  end
  hsc_table(version .. "/detailed", read(hsc_detailed, {}), EACH)
end
hsc_table("v3/propermotions", read(hsc_motions, {}), STARS)
hsc_table("v3/sourcepositions", read(hsc_positions, {}), EACH)
hsc_table("v3/hcvsummary", read(hcv_summary, {}), ALL)
hsc_table("v3/hcv", read(hcv_detailed, {}), EACH)

-- Planets: a table of its own, without circles.
local function observability()
  local columns, rows = read([[
    planet_name:c catalog_name:c canonical_name:c star_name:c RA:d DEC:d disposition:c
    transit_flag:i snr_emission_15:f snr_emission_5:f snr_transmission_K:f ]], {}), {}
  for _, q in ipairs(planets.quantities) do
    columns[#columns + 1] = { name = q[1], type = "double" }
  end
  for _, planet in ipairs(planets.list) do
    for _, of in ipairs(planet.properties) do
      local row = {}
      for i, c in ipairs(columns) do
        row[i] = of[c.name] == nil and json.null or of[c.name]
      end
      rows[#rows + 1] = row
    end
  end
  local t = { view = "eaot_search", columns = columns, index = {}, small = true }
  for _, c in ipairs(columns) do
    t.index[c.name:lower()] = c
  end
  sql.define(t.view, { columns = columns, rows = rows })
  M.tables["eaot/search"] = t
end

observability()

return M
