-- SPDX-License-Identifier: BSD-3-Clause
-- Catalogues that the portal serves from views of the practice sky (mashup-api sections 7.3 to
-- 7.5): the same stars as everywhere, with columns and identifiers of their own.
local columns = require "practice.columns"
local faults = require "practice.faults"
local histograms = require "practice.mashup_histograms"
local life = require "practice.mashup_life"
local sql = require "practice.sql"

local M = { services = {}, special = {} }

local services = M.services

-- A computed column.
local function computed(name, is, kind, unit, description, ucd)
  return { name = name, is = is, type = kind or "double", unit = unit, ucd = ucd,
    description = description or name }
end

-- Gaia ------------------------------------------------------------------------------------------

sql.define("mashup_gaia_dr1", { from = "sky_gaia", columns = {
  { name = "source_id" }, { name = "ra" }, { name = "ra_error" }, { name = "dec" },
  { name = "dec_error" }, { name = "phot_g_mean_mag" }, { name = "distance" },
} })
sql.define("mashup_tgas", { from = "sky_gaia WHERE phot_g_mean_mag < 11.5", columns = {
  computed("tycho2_id", "printf('%d-%d-1', source_id >> 35, (source_id >> 7) & 268435455)", "char",
    nil, "Tycho 2 identifier"),
  { name = "source_id" }, { name = "ra" }, { name = "dec" }, { name = "parallax" },
  { name = "parallax_error" }, { name = "pmra" }, { name = "pmdec" },
  { name = "phot_g_mean_mag" }, { name = "distance" },
} })
services["Mast.Catalogs.GaiaDR1.Cone"] = { source = "mashup_gaia_dr1", circle = true }
services["Mast.Catalogs.Tgas.Cone"] = { source = "mashup_tgas", circle = true }

-- Hubble Source Catalog -------------------------------------------------------------------------

local hsc_bands = { A_F606W = 0.2, A_F814W = -0.3, W3_F160W = -1.1 }

local function hsc_columns(bright)
  local list = {
    computed("MatchID", "source_id >> 7", "int", nil, "Match", "meta.id;meta.main"),
    computed("Distance", "distance * 60", "double", "arcmin", "Distance from the search centre"),
    computed("MatchRA", "ra", "double", "deg", "Right ascension", "pos.eq.ra;meta.main"),
    computed("MatchDec", "dec", "double", "deg", "Declination", "pos.eq.dec;meta.main"),
    computed("DSigma", "round(2 + 8 * uniform(source_id, 301), 3)", "double", "mas"),
    computed("AbsCorr", "CASE WHEN uniform(source_id, 302) < 0.9 THEN 'Y' ELSE 'N' END", "char"),
    computed("NumFilters", "3", "int"),
    computed("NumVisits", "1 + CAST(uniform(source_id, 303) * 3 AS INTEGER)", "int"),
    computed("NumImages", "1 + CAST(uniform(source_id, 304) * 12 AS INTEGER)", "int"),
    computed("StartMJD", "round(52000 + 4000 * uniform(source_id, 305), 5)", "double", "d"),
    computed("StopMJD", "round(57000 + 2000 * uniform(source_id, 306), 5)", "double", "d"),
    computed("TargetName", "printf('FIELD-%d', source_id >> 49)", "char"),
    computed("CI", "round(0.9 + 0.3 * uniform(source_id, 307), 4)"),
    computed("KronRadius", "round(1 + 4 * uniform(source_id, 308), 4)", "double", "arcsec"),
    computed("SpectrumFlag", "'N'", "char"),
  }
  local names = {}
  for name in pairs(hsc_bands) do
    names[#names + 1] = name
  end
  table.sort(names)
  for i, name in ipairs(names) do
    list[#list + 1] = computed(name, ("round(phot_g_mean_mag + %g, 4)"):format(hsc_bands[name]
      - bright), "double", "mag")
    list[#list + 1] = computed(name .. "_Sigma",
      ("round(0.01 + 0.1 * uniform(source_id, %d), 4)"):format(310 + i), "double", "mag")
    list[#list + 1] = computed(name .. "_N",
      ("1 + CAST(uniform(source_id, %d) * 4 AS INTEGER)"):format(320 + i), "int")
  end
  return list
end

-- Share of the stars that a version knows; name of the view for each kind of magnitudes.
for version, share in pairs({ v2 = 0.25, v3 = 0.3 }) do
  local views = { "mashup_hsc_aper2_" .. version, "mashup_hsc_auto_" .. version }
  local from = ("sky_gaia WHERE uniform(source_id, 300) < %g"):format(share)
  sql.define(views[1], { from = from, columns = hsc_columns(0) })
  sql.define(views[2], { from = from, columns = hsc_columns(0.05) })
  services["Mast.Hsc.Db." .. version] = {
    circle = 0.02, selected = true, rows_max = "nr", rows_default = 50000,
    source = function(params)
      local kind = life.number_of(params, "magtype", 1)
      local view = views[kind] or life.refuse("magtype is 1 (MagAper2) or 2 (MagAuto)")
      return { from = view, columns = sql.columns(view) }
    end,
    where = function(params, add)
      add("NumImages >= ?", life.number_of(params, "ni", 1))
    end,
  }
end

local MATCH_COLUMNS <const> = {
  { name = "CatID", type = "int" }, { name = "MatchID", type = "int" },
  { name = "MemID", type = "int" }, { name = "SourceID", type = "int" },
  { name = "ImageID", type = "int" }, { name = "Det", type = "char" },
  { name = "MatchRA", type = "double", unit = "deg" },
  { name = "MatchDec", type = "double", unit = "deg" },
  { name = "SourceRA", type = "double", unit = "deg" },
  { name = "SourceDec", type = "double", unit = "deg" },
  { name = "ImageName", type = "char" }, { name = "Instrument", type = "char" },
  { name = "Filter", type = "char" }, { name = "ExposureTime", type = "double", unit = "s" },
  { name = "StartMJD", type = "double", unit = "d" },
  { name = "MagAper2", type = "double", unit = "mag" }, { name = "PropID", type = "int" },
}

-- One detection for each image that the summary counts.
local function matches(params)
  local id = math.tointeger(life.number_of(params, "input", 11599418))
  if not id or id < 0 or id >= 1 << 56 then
    life.refuse("input is not a MatchID")
  end
  return { from = "mashup_hsc_match", columns = MATCH_COLUMNS, views = { mashup_hsc_match = [[
    WITH RECURSIVE n(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n WHERE k < 12)
    SELECT k AS CatID, source_id >> 7 AS MatchID, k AS MemID, 4000000000 + k * 1000 AS SourceID,
      100 + k AS ImageID, 'Y' AS Det, ra AS MatchRA, dec AS MatchDec, ra AS SourceRA,
      dec AS SourceDec, printf('hst_%d_acs_%d', source_id >> 49, k) AS ImageName,
      'ACS' AS Instrument,
      CASE k % 3 WHEN 0 THEN 'F606W' WHEN 1 THEN 'F814W' ELSE 'F160W' END AS Filter,
      100.0 * k AS ExposureTime, round(52000 + 100 * k + uniform(source_id, 330), 5) AS StartMJD,
      round(phot_g_mean_mag + 0.02 * normal(source_id + k, 331), 4) AS MagAper2,
      10000 + k AS PropID
    FROM sky_gaia, n WHERE source_id = ]] .. (id << 7) .. [[
      AND uniform(source_id, 300) < 0.3
      AND k <= 1 + CAST(uniform(source_id, 304) * 12 AS INTEGER)]] } }
end

for _, version in ipairs({ "v2", "v3" }) do
  services["Mast.HscMatches.Db." .. version] = { source = matches, selected = true }
end

sql.define("mashup_hsc_spectra", { from = "sky_tic WHERE ra BETWEEN 200 AND 204 "
  .. "AND dec BETWEEN -50 AND -45 AND Tmag < 11", columns = {
  computed("ObjID", "ID % 100000000", "int"),
  computed("DatasetName", "printf('HAG_J%010d_V01.SPEC1D', ID % 10000000000)", "char"),
  computed("MatchID", "CAST(GAIA >> 7 AS TEXT)", "char"),
  computed("RA", "ra", "double", "deg", "Right ascension", "pos.eq.ra;meta.main"),
  computed("Dec", "dec", "double", "deg", "Declination", "pos.eq.dec;meta.main"),
  computed("TargetName", "printf('TIC %d', ID)", "char"), computed("ObjectType", "'STAR'", "char"),
  computed("SpectrumType", "CAST(uniform(ID, 340) * 3 AS INTEGER)", "int"),
  computed("Detector", "'HRC'", "char"), computed("SpectralElement", "'G800L'", "char"),
  computed("Wavelength", "7471.0", "double", "Angstrom"),
  computed("ExposureTime", "round(100 + 900 * uniform(ID, 341), 1)", "double", "s"),
  computed("PropID", "9000 + CAST(uniform(ID, 342) * 999 AS INTEGER)", "int"),
  computed("HSCMatch", "'Y'", "char"),
} })
services["Mast.HscSpectra.Db.All"] = { source = "mashup_hsc_spectra", selected = true }

-- PLATO input catalogue -------------------------------------------------------------------------

sql.define("mashup_plato", { from = "sky_tic WHERE Tmag < 11", columns = {
  computed("PICidDR1", "ID", "long", nil, "Identifier", "meta.id;meta.main"),
  computed("TICID", "ID", "long"), computed("sourceId", "GAIA", "long"),
  computed("RAdeg", "ra", "double", "deg", "Right ascension", "pos.eq.ra;meta.main"),
  computed("DEdeg", "dec", "double", "deg", "Declination", "pos.eq.dec;meta.main"),
  computed("Vmag", "Vmag", "double", "mag"), computed("Teff", "Teff", "double", "K"),
  computed("distance", "dstArcSec", "double", "arcsec"),
} })
services["Mast.Catalogs.Plato.Cone"] = { source = "mashup_plato", circle = 0.02 }

-- Disk Detective --------------------------------------------------------------------------------

local designation = [[printf('J%02d%02d%02d.%02d%s%02d%02d%02d.%d',
  CAST(ra * 24000 AS INTEGER) / 360000, CAST(ra * 24000 AS INTEGER) / 6000 % 60,
  CAST(ra * 24000 AS INTEGER) / 100 % 60, CAST(ra * 24000 AS INTEGER) % 100,
  CASE WHEN dec < 0 THEN '-' ELSE '+' END, CAST(abs(dec) * 36000 AS INTEGER) / 36000,
  CAST(abs(dec) * 36000 AS INTEGER) / 600 % 60, CAST(abs(dec) * 36000 AS INTEGER) / 10 % 60,
  CAST(abs(dec) * 36000 AS INTEGER) % 10)]]

sql.define("mashup_disk", { from = "sky_tic WHERE Tmag < 13 AND uniform(ID, 350) < 0.2",
  columns = {
    computed("designation", designation, "char", nil, "WISE designation", "meta.id;meta.main"),
    computed("ZooniverseID", "printf('AWI%010d', ID % 10000000000)", "char"),
    { name = "ra" }, { name = "dec" }, { name = "glon", is = "gallong" },
    { name = "glat", is = "gallat" },
    computed("w1mpro", "round(Tmag - 1.5, 3)", "double", "mag"),
    computed("w4mpro", "round(Tmag - 2.5 - uniform(ID, 351), 3)", "double", "mag"),
    computed("classifiers", "5 + CAST(uniform(ID, 352) * 20 AS INTEGER)", "int"),
    computed("good", "CAST(uniform(ID, 353) * 10 AS INTEGER)", "int"),
    computed("oval", "CAST(uniform(ID, 354) * 10 AS INTEGER)", "int"),
    computed("state", "CASE WHEN uniform(ID, 355) < 0.5 THEN 'complete' ELSE 'inactive' END",
      "char"),
    computed("A_contamination", "round(uniform(ID, 356), 4)"),
    computed("G_source_id", "GAIA", "long"),
    computed("P_nDetections", "CASE WHEN uniform(ID, 357) < 0.1 THEN -999 ELSE "
      .. "CAST(uniform(ID, 357) * 60 AS INTEGER) END", "int"),
  } })
local disk_numeric = { classifiers = true, good = true, oval = true, P_nDetections = true,
  A_contamination = true }
columns.configure("Mast.Catalogs.Dd.Cone", sql.columns("mashup_disk"), disk_numeric)
services["Mast.Catalogs.DiskDetective.Cone"] = { source = "mashup_disk", circle = 0.02 }
for suffix, circle in pairs({ [""] = false, [".Position"] = true }) do
  local name = "Mast.Catalogs.Filtered.DiskDetective" .. suffix
  services[name] = { source = "mashup_disk", circle = circle, filters = true }
  services[name .. ".Count"] = { source = "mashup_disk", circle = circle, filters = true,
    only_counts = true }
end

M.special["Mast.Catalogs.All.DiskDetective"] = function()
  local kinds = {}
  for _, c in ipairs(sql.columns("mashup_disk")) do
    kinds[c.name] = (c.type == "double" or disk_numeric[c.name]) and "continuous" or "discrete"
  end
  return histograms.answer("mashup_disk", kinds, 0.3)
end

-- WFC3 point spread functions: a table of its own, without positions on the sky ------------------

local PSF_ROWS <const> = 4000
local psf_services = {}
local psf_filters = { uvis = { "F275W", "F336W", "F606W", "F814W" },
  ir = { "F105W", "F125W", "F140W", "F160W" } }

for camera, names in pairs(psf_filters) do
  local name = "mashup_psf_" .. camera
  sql.define(name, { columns = {
    { name = "id", type = "long" }, { name = "rootname", type = "char" },
    { name = "filter", type = "char" }, { name = "psf_x_center", type = "double", unit = "pix" },
    { name = "psf_y_center", type = "double", unit = "pix" },
    { name = "psf_flux", type = "double", unit = "electron" },
    { name = "midexp", type = "double", unit = "d" },
  }, rows = function()
    local rows = {}
    for k = 1, PSF_ROWS do
      rows[k] = { (1 << 54) + k, ("i%05d%s"):format(k // 10, camera), names[k % #names + 1],
        k * 7919 % 40960 / 10, k * 104729 % 40960 / 10, 1000.5 + k % 997, 55000.25 + k }
    end
    return rows
  end })
  psf_services[camera] = { source = name, filters = true, counts = true }
end
-- The two names that are documented, one for each camera unless a switch says otherwise (7.4).
local psf_names = { "Wfc3Psf", "Wfc3" }
local which = faults.switch("wfc3")
services["Mast.Catalogs.Filtered." .. psf_names[which or 1] .. ".Uvis"] = psf_services.uvis
services["Mast.Catalogs.Filtered." .. psf_names[which or 2] .. ".Ir"] = psf_services.ir

-- JWST instrument keywords: a row per file ------------------------------------------------------

local science = { "uncal", "rate", "cal", "i2d" }

local function millis(mjd)
  return ("printf('/Date(%%d)/', CAST(round((%s - 40587) * 86400000) AS INTEGER))"):format(mjd)
end

local function keyword_columns(file)
  return {
    computed("ArchiveFileID", "obsid * 16 + k", "long", nil, "File", "meta.id;meta.main"),
    computed("filename", file, "char"), computed("fileSetName", "obs_id", "char"),
    computed("productLevel", "CASE k WHEN 1 THEN '1b' WHEN 2 THEN '2a' WHEN 3 THEN '2b' "
      .. "ELSE '3' END", "char"),
    computed("program", "proposal_id", "char"), computed("targname", "target_name", "char"),
    computed("instrume", "substr(instrument_name, 1, instr(instrument_name || '/', '/') - 1)",
      "char"),
    computed("filter", "filters", "char"), computed("title", "obs_title", "char"),
    computed("effexptm", "t_exptime", "double", "s"),
    computed("date_beg", millis("t_min"), "char"),
    computed("date_beg_mjd", "t_min", "double", "d"),
    computed("date_end", millis("t_max"), "char"),
    computed("date_end_mjd", "t_max", "double", "d"),
    computed("date", millis("t_max"), "char"),
    computed("observtn", "printf('%03d', obsid % 900 + 1)", "char"),
    computed("visit", "'001'", "char"),
    computed("exp_type", "CASE substr(instrument_name, 1, 4) WHEN 'MIRI' THEN 'MIR' WHEN 'NIRI' "
      .. "THEN 'NIS' WHEN 'NIRS' THEN 'NRS' ELSE 'NRC' END || '_IMAGE'", "char"),
    computed("detector", "substr(instrument_name, 1, 3) || (1 + obsid % 4)", "char"),
    computed("subarray", "'FULL'", "char"), computed("pupil", "'CLEAR'", "char"),
    computed("category", "'GO'", "char"), computed("duration", "t_exptime + 21.5", "double", "s"),
    computed("crds_ctx", "'jwst_1234.pmap'", "char"),
  }
end

local function keywords(service, instrument, suffixes)
  local name = "mashup_jwst_" .. service:lower()
  local parts = {}
  for k, suffix in ipairs(suffixes) do
    parts[k] = ("SELECT %d AS k, '%s' AS suffix"):format(k, suffix)
  end
  sql.define(name, { from = ("observations, (%s) WHERE obs_collection = 'JWST' AND "
    .. "instrument_name LIKE '%s'"):format(table.concat(parts, " UNION ALL "), instrument),
    columns = keyword_columns("obs_id || '_' || suffix || '.fits'") })
  services["Mast.Jwst.Filtered." .. service] = { source = name, filters = true, counts = true,
    dates = { date_beg = true, date_end = true, date = true } }
end

keywords("Nircam", "NIRCAM%", science)
keywords("Miri", "MIRI%", science)
keywords("Niriss", "NIRISS%", science)
keywords("Nirspec", "NIRSPEC%", science)
keywords("Fgs", "%", { "gs-acq1" })
keywords("GuideStar", "%", { "gs-fg" })
keywords("Wss", "%", { "wss" })

return M
