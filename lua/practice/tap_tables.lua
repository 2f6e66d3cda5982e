-- SPDX-License-Identifier: BSD-3-Clause
-- The tables of the TAP services (mast-classic-vo section 5), by the word of their path. Another
-- protocol adds its own by `add`. Stars and observations are those of every other door.
local sql = require "practice.sql"

local M = {}

local catalogs, order = {}, {}

--- A TAP service: `word` of its path, its title.
function M.catalog(word, title)
  catalogs[word] = { word = word, title = title, tables = {}, models = {} }
  order[#order + 1] = word
  return catalogs[word]
end

-- Sources whose number of rows is known without reading them: how SQL says it.
local totals = { sky_gaia = "catalog_rows('gaia')", observations = "catalog_rows('observations')" }

--- A table of a service: name ("schema.table"), description, columns (as for sql.define, also
-- utype, xtype, principal, indexed, and filled: never null), and `from` (a view), `rows`, or
-- `rows_at`: a function of the archive's address that gives the rows (columns with their types);
-- `position` { ra, dec, exact } names the columns that the hidden circle is about; exact: false
-- where it finds more than the points.
function M.add(word, t)
  local name = ("tap_%s_%s"):format(word, t.name:gsub("%W", "_"))
  if not t.rows_at then
    sql.define(name, t)
  end
  local columns = sql.columns(name) or t.columns
  for i, c in ipairs(t.columns) do
    columns[i].utype, columns[i].xtype = c.utype, c.xtype
    columns[i].principal, columns[i].indexed, columns[i].filled = c.principal, c.indexed, c.filled
  end
  local tables = catalogs[word].tables
  tables[#tables + 1] = { name = t.name, sql = name, description = t.description, utype = t.utype,
    columns = columns, position = t.position, rows_at = t.rows_at,
    total = totals[t.from] }
end

function M.of(word)
  return catalogs[word]
end

function M.words()
  return order
end

-- Columns of the sky's own table as they are; flags are numbers in TAP.
local function all(source, left_out, first)
  local out = {}
  for _, c in ipairs(sql.columns(source)) do
    if not left_out[c.name] then
      out[#out + 1] = { name = c.name:lower(), is = c.name,
        type = c.type == "boolean" and "int" or nil, indexed = first[c.name],
        principal = first[c.name] }
    end
  end
  return out
end

-- Gaia ------------------------------------------------------------------------------------------

M.catalog("gaiadr3", "Gaia DR3")
M.add("gaiadr3", { name = "gaia_source", description = "Sources of Gaia DR3", from = "sky_gaia",
  columns = all("sky_gaia", { distance = true }, { source_id = true, ra = true, dec = true }),
  position = { ra = "ra", dec = "dec", exact = true } })

-- Pan-STARRS ------------------------------------------------------------------------------------

-- objID: zone of 30 arcsec, right ascension, place in the zone, as the survey's own identifiers.
local zone = "CAST((dec + 90) / 0.0083333 AS INTEGER)"
local ps1_id = ("(%s * 10000000000000 + CAST(ra * 1000000 AS INTEGER) * 10000 + "
  .. "CAST(((dec + 90) / 0.0083333 - %s) * 10000 AS INTEGER))"):format(zone, zone)

-- A magnitude near Gaia's with a colour term; -999 where it was not measured.
local function ps1_mag(k, colour)
  return ("CASE WHEN uniform(source_id, %d) < 0.04 THEN -999.0 ELSE round(phot_g_mean_mag + "
    .. "(%g) * coalesce(bp_rp, 0.8) + 0.02 * normal(source_id, %d), 4) END"):format(k, colour,
    k + 20)
end

local function ps1_columns(more)
  local out = {
    { name = "objname", is = "'PSO J' || printf('%.4f%+.4f', ra, dec)", type = "char",
      ucd = "meta.id", description = "Name with the position" },
    { name = "objid", is = ps1_id, type = "long", ucd = "meta.id;meta.main", principal = true,
      indexed = true, description = "Identifier of the object" },
    { name = "ramean", is = "ra", ucd = "pos.eq.ra;meta.main", indexed = true, principal = true,
      description = "Right ascension, mean of all detections" },
    { name = "decmean", is = "dec", ucd = "pos.eq.dec;meta.main", indexed = true,
      principal = true, description = "Declination, mean of all detections" },
    { name = "ndetections", is = "5 + CAST(60 * uniform(source_id, 40) AS INTEGER)", type = "int",
      ucd = "meta.number", description = "Number of detections" },
  }
  for i, band in ipairs({ { "g", 0.15 }, { "r", -0.12 }, { "i", -0.35 }, { "z", -0.48 },
    { "y", -0.58 } }) do
    for _, c in ipairs(more(i, band[1], band[2])) do
      out[#out + 1] = c
    end
  end
  return out
end

local function mean_columns(i, band, colour)
  local ucd = "phot.mag;em.opt"
  return {
    { name = band .. "meanpsfmag", is = ps1_mag(i, colour), type = "double", unit = "mag",
      ucd = ucd, description = ("Mean PSF magnitude in %s, -999: none"):format(band) },
    { name = band .. "meanpsfmagerr", is = ("round(0.003 + 0.03 * uniform(source_id, %d), 5)")
      :format(i + 10), type = "double", unit = "mag", ucd = "stat.error;" .. ucd,
      description = "Error of the magnitude in " .. band },
  }
end

local function stack_columns(i, band, colour)
  return { { name = band .. "psfmag", is = ps1_mag(i, colour), type = "double", unit = "mag",
    ucd = "phot.mag;em.opt", description = ("PSF magnitude in %s, -999: none"):format(band) } }
end

local ps1_place = { ra = "ramean", dec = "decmean", exact = true }
M.catalog("ps1dr2", "Pan-STARRS DR2")
M.add("ps1dr2", { name = "dbo.meanobjectview", description = "Means of all detections",
  from = "sky_gaia WHERE dec > -30", columns = ps1_columns(mean_columns), position = ps1_place })
M.add("ps1dr2", { name = "dbo.stackobjectview", description = "Objects of the stacked images",
  from = "sky_gaia WHERE dec > -30", columns = ps1_columns(stack_columns), position = ps1_place })

M.catalog("mast_catalogs", "Catalogues on the newer database")
M.add("mast_catalogs", { name = "ps1_dr2.forced_mean_object", from = "sky_gaia WHERE dec > -30",
  description = "Means of forced photometry", columns = ps1_columns(mean_columns),
  position = ps1_place })
M.add("mast_catalogs", { name = "ps1_dr2.stack_object", from = "sky_gaia WHERE dec > -30",
  description = "Objects of the stacked images", columns = ps1_columns(stack_columns),
  position = ps1_place })

-- HSC -------------------------------------------------------------------------------------------

local function hsc_mag(k, colour)
  return ("round(phot_g_mean_mag + (%g) * coalesce(bp_rp, 0.8) + 0.01 * normal(source_id, %d), 4)")
    :format(colour, k)
end

M.catalog("hsc", "Hubble Source Catalog")
M.add("hsc", { name = "dbo.SumMagAper2CatView", description = "One row per match",
  from = "sky_gaia", position = { ra = "MatchRA", dec = "MatchDec", exact = true },
  columns = {
    { name = "MatchID", is = "source_id", ucd = "meta.id;meta.main", indexed = true,
      principal = true, description = "Identifier of the match" },
    { name = "MatchRA", is = "ra", ucd = "pos.eq.ra;meta.main", indexed = true, principal = true },
    { name = "MatchDec", is = "dec", ucd = "pos.eq.dec;meta.main", indexed = true,
      principal = true },
    { name = "NumImages", is = "1 + CAST(8 * uniform(source_id, 50) AS INTEGER)", type = "int",
      ucd = "meta.number", description = "Images of the match" },
    { name = "CI", is = "round(1.1 + 0.1 * normal(source_id, 51), 4)", type = "double",
      ucd = "src.morph", description = "Concentration index" },
    { name = "A_F606W", is = hsc_mag(52, -0.1), type = "double", unit = "mag",
      ucd = "phot.mag;em.opt.V", description = "ACS F606W magnitude (ABMAG)" },
    { name = "A_F814W", is = hsc_mag(53, -0.4), type = "double", unit = "mag",
      ucd = "phot.mag;em.opt.I", description = "ACS F814W magnitude (ABMAG)" },
  } })
M.add("hsc", { name = "dbo.DetailedCatalog", description = "One row per match and filter",
  from = "sky_gaia CROSS JOIN (SELECT 1 AS k UNION ALL SELECT 2)",
  position = { ra = "SourceRA", dec = "SourceDec", exact = true }, columns = {
    { name = "CatID", is = "source_id + k", type = "long", ucd = "meta.id;meta.main",
      principal = true, description = "Identifier of the source" },
    { name = "MatchID", is = "source_id", ucd = "meta.id.assoc", indexed = true },
    { name = "SourceRA", is = "ra", ucd = "pos.eq.ra;meta.main", indexed = true,
      principal = true },
    { name = "SourceDec", is = "dec", ucd = "pos.eq.dec;meta.main", indexed = true,
      principal = true },
    { name = "Filter", is = "CASE k WHEN 1 THEN 'F606W' ELSE 'F814W' END", type = "char",
      ucd = "meta.id;instr.filter", principal = true, description = "Filter" },
    { name = "MagAper2", is = ("CASE k WHEN 1 THEN %s ELSE %s END"):format(hsc_mag(52, -0.1),
      hsc_mag(53, -0.4)), type = "double", unit = "mag", ucd = "phot.mag;em.opt",
      principal = true, description = "Magnitude (ABMAG)" },
  } })

-- CAOM ------------------------------------------------------------------------------------------

local caom = M.catalog("caom", "Observations of MAST (CAOM)")
caom.models = { { "ivo://ivoa.net/std/ObsCore#core-1.1", "ObsCore-1.1" } }

local position = "Char.SpatialAxis.Coverage."
-- name, expression, type, unit, UCD, utype of ObsCore 1.1 (its table 6); principal
local obscore = {
  { "dataproduct_type", "dataproduct_type", "char", nil, "meta.code.class",
    "ObsDataset.dataProductType" },
  { "calib_level", "calib_level", "int", nil, "meta.code;obs.calib", "ObsDataset.calibLevel" },
  { "obs_collection", "obs_collection", "char", nil, "meta.id", "DataID.collection" },
  { "obs_id", "obs_id", "char", nil, "meta.id", "DataID.observationID" },
  { "obs_title", "obs_title", "char", nil, "meta.title;obs", "DataID.title" },
  { "obs_publisher_did", "'ivo://mast.stsci.edu/caom?' || obsid", "char", nil,
    "meta.ref.ivoid", "Curation.publisherDID" },
  { "access_url", "'https://mast.stsci.edu/api/v0.1/Download/file?uri=' || dataURL", "char", nil,
    "meta.ref.url", "Access.reference" },
  { "access_format", "'application/fits'", "char", nil, "meta.code.mime", "Access.format" },
  { "access_estsize", "1 + CAST(9000 * uniform(obsid, 60) AS INTEGER)", "long", "kbyte",
    "phys.size;meta.file", "Access.size" },
  { "target_name", "target_name", "char", nil, "meta.id;src", "Target.name" },
  { "s_ra", "s_ra", "double", "deg", "pos.eq.ra",
    position .. "Location.Coord.Position2D.Value2.C1" },
  { "s_dec", "s_dec", "double", "deg", "pos.eq.dec",
    position .. "Location.Coord.Position2D.Value2.C2" },
  { "s_fov", "0.1", "double", "deg", "phys.angSize;instr.fov",
    position .. "Bounds.Extent.diameter" },
  { "s_region", "s_region", "char", nil, "pos.outline;obs.field", position .. "Support.Area" },
  { "s_resolution", "NULL", "double", "arcsec", "pos.angResolution",
    "Char.SpatialAxis.Resolution.Refval.value" },
  { "s_xel1", "NULL", "long", nil, "meta.number", "Char.SpatialAxis.numBins1" },
  { "s_xel2", "NULL", "long", nil, "meta.number", "Char.SpatialAxis.numBins2" },
  { "t_min", "t_min", "double", "d", "time.start;obs.exposure",
    "Char.TimeAxis.Coverage.Bounds.Limits.StartTime" },
  { "t_max", "t_max", "double", "d", "time.end;obs.exposure",
    "Char.TimeAxis.Coverage.Bounds.Limits.StopTime" },
  { "t_exptime", "t_exptime", "double", "s", "time.duration;obs.exposure",
    "Char.TimeAxis.Coverage.Support.Extent" },
  { "t_resolution", "NULL", "double", "s", "time.resolution",
    "Char.TimeAxis.Resolution.Refval.value" },
  { "t_xel", "NULL", "long", nil, "meta.number", "Char.TimeAxis.numBins" },
  { "em_min", "em_min * 1e-9", "double", "m", "em.wl;stat.min",
    "Char.SpectralAxis.Coverage.Bounds.Limits.LoLimit" },
  { "em_max", "em_max * 1e-9", "double", "m", "em.wl;stat.max",
    "Char.SpectralAxis.Coverage.Bounds.Limits.HiLimit" },
  { "em_res_power", "NULL", "double", nil, "spect.resolution",
    "Char.SpectralAxis.Resolution.ResolPower.refVal" },
  { "em_xel", "NULL", "long", nil, "meta.number", "Char.SpectralAxis.numBins" },
  { "o_ucd", "'phot.count'", "char", nil, "meta.ucd", "Char.ObservableAxis.ucd" },
  { "pol_states", "NULL", "char", nil, "meta.code;phys.polarization",
    "Char.PolarizationAxis.stateList" },
  { "pol_xel", "NULL", "long", nil, "meta.number", "Char.PolarizationAxis.numBins" },
  { "facility_name", "project", "char", nil, "meta.id;instr.tel",
    "Provenance.ObsConfig.Facility.name" },
  { "instrument_name", "instrument_name", "char", nil, "meta.id;instr",
    "Provenance.ObsConfig.Instrument.name" },
}
local filled = { calib_level = true, obs_collection = true, obs_id = true,
  obs_publisher_did = true }
local obscore_columns = {}
for i, c in ipairs(obscore) do
  obscore_columns[i] = { name = c[1], is = c[2], type = c[3], unit = c[4] or false, ucd = c[5],
    utype = "obscore:" .. c[6], principal = true, indexed = c[1]:find("^s_[rd]e?[ac]") ~= nil,
    xtype = c[1] == "s_region" and "adql:REGION" or nil, filled = filled[c[1]] }
end
-- The hidden circle finds footprints that touch it: all points inside are among them.
local caom_place = { ra = "s_ra", dec = "s_dec", exact = false }
M.add("caom", { name = "ivoa.obscore", description = "Observations as ObsCore 1.1",
  utype = "ivo://ivoa.net/std/ObsCore#table-1.1", from = "observations",
  columns = obscore_columns, position = caom_place })
M.add("caom", { name = "dbo.obspointing", description = "Observations with filters and rights",
  from = "observations", position = caom_place,
  columns = all("observations", { distance = true, objID1 = true },
    { obsid = true, obs_id = true, s_ra = true, s_dec = true }) })
-- What moves has no place: one observation in 500. Near the pole, so that all of them can be asked
-- for.
local north = "observations WHERE s_dec > 85"
local function placed(name)
  return ("CASE WHEN uniform(obsid, 62) < 0.002 THEN NULL ELSE %s END"):format(name)
end
M.add("caom", { name = "dbo.obsmoving", description = "Observations near the north pole, those of "
  .. "moving targets without position", from = north, columns = {
    { name = "objid", is = "objID", ucd = "meta.id;meta.main", indexed = true, principal = true },
    { name = "obs_collection", principal = true }, { name = "target_name" },
    { name = "s_ra", is = placed("s_ra"), type = "double", unit = "deg", ucd = "pos.eq.ra",
      indexed = true },
    { name = "s_dec", is = placed("s_dec"), type = "double", unit = "deg", ucd = "pos.eq.dec",
      indexed = true },
    { name = "t_min", indexed = true },
  } })
M.add("caom", { name = "dbo.obsnorth", description = "Observations near the north pole, without "
  .. "pointing", from = north, columns = {
    { name = "objid", is = "objID", ucd = "meta.id;meta.main", indexed = true, principal = true },
    { name = "obs_collection", principal = true }, { name = "target_name" },
  } })
M.add("caom", { name = "dbo.caomobservation", description = "Observations without pointing",
  from = "observations", columns = {
    { name = "obsid", indexed = true, principal = true }, { name = "obs_id", principal = true },
    { name = "obs_collection", principal = true }, { name = "intenttype", is = "intentType" },
    { name = "proposal_id" }, { name = "target_name" },
  } })

M.catalog("registry", "Registry of the Virtual Observatory (RegTAP)")

return M
