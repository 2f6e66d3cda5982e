-- SPDX-License-Identifier: BSD-3-Clause
-- What the missions of the search API hold: the columns of each with what makes them of the sky's
-- observations. IUE exposures are the sky's GALEX ones, Roman's those of PS1, ULLYSES and CLASSY
-- are high-level products.
local sql = require "practice.sql"

local M = {}

local function instant(mjd)
  return ("strftime('%%Y-%%m-%%dT%%H:%%M:%%f', %s + 2400000.5) || '000'"):format(mjd)
end

local function second(mjd)
  return ("strftime('%%Y-%%m-%%dT%%H:%%M:%%S', %s + 2400000.5)"):format(mjd)
end

local types = { string = "VARCHAR", substring = "VARCHAR", float = "FLOAT", ra = "FLOAT",
  dec = "FLOAT", integer = "INTEGER", datetime = "DATETIME", boolean = "BOOLEAN" }

-- { name, expression, qual_type, marks, description }; marks: D default output, I indexed, P padded
-- with blanks, N not queryable.
local hst = {
  { "search_pos", nil, "string", "", "Position searched for" },
  { "sci_data_set_name", "upper(obs_id)", "string", "DI", "Dataset name" },
  { "sci_targname", "target_name", "string", "D", "Target name" },
  { "sci_hapnum", "calib_level > 2", "boolean", "D", "In a HAP single visit product" },
  { "sci_haspnum", "0", "boolean", "D", "In a HAP multi visit product" },
  { "sci_instrume", "substr(instrument_name, 1, instr(instrument_name, '/') - 1)", "string", "DP",
    "Instrument" },
  { "sci_aper_1234", "substr(instrument_name, instr(instrument_name, '/') + 1)", "string", "D",
    "Apertures" },
  { "sci_spec_1234", "filters", "string", "D", "Filters and gratings" },
  { "sci_actual_duration", "t_exptime", "float", "D", "Exposure time (seconds)" },
  { "sci_start_time", instant("t_min"), "datetime", "D", "Start of the exposure" },
  { "sci_pep_id", "CAST(proposal_id AS INTEGER)", "integer", "DI", "Proposal ID" },
  { "sci_pi_last_name", "proposal_pi", "string", "D", "Last name of the PI" },
  { "sci_ra", "s_ra", "ra", "DI", "Right ascension (degrees, J2000)" },
  { "sci_dec", "s_dec", "dec", "D", "Declination (degrees, J2000)" },
  { "sci_archive_class", "'CAL'", "string", "", "Archive class" },
  { "sci_program_id", "substr(upper(obs_id), 2, 3)", "string", "I", "Program" },
  { "sci_obset_id", "substr(upper(obs_id), 5, 2)", "string", "I", "Observation set" },
  { "sci_obsnum", "substr(upper(obs_id), 7, 2)", "string", "I", "Observation number" },
  { "sci_asn_id", "CASE WHEN obsid % 3 THEN upper(obs_id) END", "string", "", "Association" },
  { "sci_target_descrip", "target_classification", "substring", "", "Description of the target" },
  { "sci_broad_category", "substr(target_classification, 1, instr(target_classification, ';') - 1)",
    "string", "", "Broad category" },
  { "sci_refnum", "CASE WHEN obsid % 4 THEN obsid % 40 END", "integer", "D",
    "Number of publications" },
  { "sci_ra_v1", "s_ra", "float", "", "Right ascension of the V1 axis (degrees)" },
  { "sci_dec_v1", "s_dec", "float", "", "Declination of the V1 axis (degrees)" },
  { "sci_expflag", "'NORMAL'", "string", "", "Quality of the exposure" },
  { "sci_instrument_config", "instrument_name", "string", "", "Configuration" },
  { "sci_operating_mode", "'ACCUM'", "string", "", "Operating mode" },
  { "sci_spectral_res", "NULL", "float", "", "Spectral resolution" },
  { "sci_spectrum_end", "round(em_max * 10, 1)", "float", "", "Longest wavelength (Angstrom)" },
  { "sci_spectrum_start", "round(em_min * 10, 1)", "float", "", "Shortest wavelength (Angstrom)" },
  { "sci_bandwidth", "round((em_max - em_min) * 10, 1)", "float", "", "Bandwidth (Angstrom)" },
  { "sci_central_wavelength", "round((em_min + em_max) * 5, 1)", "float", "D",
    "Central wavelength (Angstrom)" },
  { "sci_dispersion", "NULL", "float", "", "Dispersion (Angstrom/pixel)" },
  { "sci_pixel_res", "0.05", "float", "", "Pixel size (arcsec)" },
  { "sci_fgslock", "'FINE'", "string", "", "Guiding" },
  { "sci_mtflag", "'F'", "string", "", "Moving target: T or F" },
  { "sci_release_date", second("t_obs_release"), "datetime", "D", "Release date" },
  { "sci_stop_time", instant("t_max"), "datetime", "D", "End of the exposure" },
  { "sci_v3_pos_angle", "round(360 * uniform(obsid, 5), 3)", "float", "", "V3 angle (degrees)" },
  { "sci_ecliptic_latitude", "NULL", "float", "", "Ecliptic latitude (degrees)" },
  { "sci_ecliptic_longitude", "NULL", "float", "", "Ecliptic longitude (degrees)" },
  { "sci_galactic_latitude", "NULL", "float", "", "Galactic latitude (degrees)" },
  { "sci_galactic_longitude", "NULL", "float", "", "Galactic longitude (degrees)" },
  { "sci_sun_alt", "NULL", "float", "", "Altitude of the sun (degrees)" },
  { "sci_pa_aper", "round(360 * uniform(obsid, 6), 3)", "float", "", "Aperture angle (degrees)" },
  { "sci_costar_deploy", "'F'", "string", "", "COSTAR deployed" },
  { "sci_aec", "CASE WHEN obsid % 9 THEN 'S' ELSE 'C' END", "string", "",
    "C calibration, S science" },
  { "sci_fov_config", "NULL", "string", "", "Field of view" },
  { "sci_generation_date", second("t_obs_release - 190"), "datetime", "", "Made on" },
  { "sci_archive_date", second("t_obs_release - 189"), "datetime", "", "Archived on" },
  { "sci_preview_name", "upper(obs_id)", "string", "D", "Preview" },
  { "sci_obs_type", "'IMAGE'", "string", "", "IMAGE, SPECTRUM, PHOTOMETRY" },
  { "scp_scan_type", "NULL", "string", "D", "Spatial scan" },
  { "sci_hlsp", "NULL", "integer", "D", "High-level products" },
  { "ang_sep", nil, "float", "DN", "Distance from the position (arcminutes)" },
  { "sci_status", "CASE WHEN uniform(obsid, 3) < 0.03 THEN 'PROPRIETARY' ELSE 'PUBLIC' END",
    "string", "D", "PUBLIC or PROPRIETARY" },
  { "search_key", nil, "string", "N", "Position and dataset" },
}

local jwst = {
  { "search_pos", nil, "string", "", "Position searched for" },
  { "fileSetName", "obs_id", "string", "DI", "File set" },
  { "productLevel", "CASE calib_level WHEN 3 THEN '3' ELSE '2b' END", "string", "D", "Level" },
  { "targprop", "upper(target_name)", "string", "D", "Target of the proposal" },
  { "targ_ra", "s_ra", "ra", "DI", "Right ascension of the target (degrees)" },
  { "targ_dec", "s_dec", "dec", "D", "Declination of the target (degrees)" },
  { "instrume", "substr(instrument_name, 1, instr(instrument_name, '/') - 1)", "string", "DP",
    "Instrument" },
  { "exp_type", "CASE substr(instrument_name, 1, 4) WHEN 'MIRI' THEN 'MIR_IMAGE' "
    .. "WHEN 'NIRI' THEN 'NIS_IMAGE' WHEN 'NIRS' THEN 'NRS_IMAGE' ELSE 'NRC_IMAGE' END",
    "string", "D", "Type of exposure" },
  { "opticalElements", "filters", "string", "D", "Filters, gratings" },
  { "date_obs", second("t_min"), "datetime", "D", "Date of the observation" },
  { "duration", "t_exptime", "float", "D", "Duration (seconds)" },
  { "program", "CAST(proposal_id AS INTEGER)", "integer", "DI", "Program" },
  { "observtn", "obsid % 900 + 1", "integer", "D", "Observation" },
  { "visit", "1", "integer", "", "Visit" },
  { "pi_name", "proposal_pi", "string", "", "Principal investigator" },
  { "title", "obs_title", "substring", "", "Title of the proposal" },
  { "publicReleaseDate", second("t_obs_release"), "datetime", "D", "Release date" },
  { "s_region", "s_region", "string", "", "Footprint" },
  { "access", "CASE WHEN uniform(obsid, 3) < 0.03 THEN 'PROPRIETARY' ELSE 'PUBLIC' END", "string",
    "D", "PUBLIC or PROPRIETARY" },
  { "ang_sep", nil, "float", "DN", "Distance from the position (arcminutes)" },
  { "search_key", nil, "string", "N", "Position and file set" },
}

local roman = {
  { "search_pos", nil, "string", "", "Position searched for" },
  { "fileSetName", "'r' || obs_id", "string", "DI", "File set" },
  { "targ_name", "target_name", "string", "D", "Target" },
  { "ra_ref", "s_ra", "ra", "DI", "Right ascension (degrees)" },
  { "dec_ref", "s_dec", "dec", "D", "Declination (degrees)" },
  { "instrument_name", "'WFI'", "string", "DP", "Instrument" },
  { "optical_element", "filters", "string", "D", "Filter" },
  { "exposure_start_time", instant("t_min"), "datetime", "D", "Start" },
  { "exposure_time", "t_exptime", "float", "D", "Exposure time (seconds)" },
  { "ang_sep", nil, "float", "DN", "Distance from the position (arcminutes)" },
  { "search_key", nil, "string", "N", "Position and file set" },
}

local iue = {
  { "search_pos", nil, "string", "", "Position searched for" },
  { "iue_data_id", "'LWP' || upper(substr(obs_id, -10))", "string", "DI", "Data ID" },
  { "iue_object", "target_name", "string", "D", "Object" },
  { "iue_ra", "s_ra", "ra", "DI", "Right ascension (degrees)" },
  { "iue_dec", "s_dec", "dec", "D", "Declination (degrees)" },
  { "iue_camera_name", "'LWP'", "string", "DP", "Camera" },
  { "iue_dispersion", "CASE WHEN obsid % 2 THEN 'HIGH' ELSE 'LOW' END", "string", "D",
    "Dispersion" },
  { "iue_aperture", "'LARGE'", "string", "D", "Aperture" },
  { "iue_obs_start_time", second("t_min - 9000"), "datetime", "D", "Start" },
  { "iue_exp_time", "t_exptime", "float", "D", "Exposure time (seconds)" },
  { "iue_object_class", "obsid % 99", "integer", "", "Class of the object" },
  { "ang_sep", nil, "float", "DN", "Distance from the position (arcminutes)" },
  { "search_key", nil, "string", "N", "Position and data ID" },
}

-- The dataset id is not a default output here.
local ullyses = {
  { "search_pos", nil, "string", "", "Position searched for" },
  { "target_name_ullyses", "target_name", "string", "D", "Target" },
  { "target_classification", "target_classification", "substring", "D", "Class of the target" },
  { "targ_ra", "s_ra", "ra", "DI", "Right ascension (degrees)" },
  { "targ_dec", "s_dec", "dec", "D", "Declination (degrees)" },
  { "host_galaxy_name", "CASE WHEN s_dec < -60 THEN 'LMC' ELSE 'MILKY WAY' END", "string", "D",
    "Galaxy" },
  { "spectral_type", "'O' || (obsid % 5 + 5) || ' V'", "string", "D", "Spectral type" },
  { "bmv0_mag", "-0.3", "float", "D", "Intrinsic colour (mag)" },
  { "u_mag", "round(12 + 3 * uniform(obsid, 7), 2)", "float", "D", "U magnitude (mag)" },
  { "b_mag", "round(12.5 + 3 * uniform(obsid, 7), 2)", "float", "D", "B magnitude (mag)" },
  { "v_mag", "round(12.6 + 3 * uniform(obsid, 7), 2)", "float", "D", "V magnitude (mag)" },
  { "gaia_g_mean_mag", "round(12.6 + 3 * uniform(obsid, 7), 4)", "float", "D", "G (mag)" },
  { "star_mass", "NULL", "float", "D", "Mass (solar masses)" },
  { "instrument", "'COS'", "string", "DP", "Instrument" },
  { "grating", "'G130M'", "string", "D", "Grating" },
  { "filter", "filters", "string", "D", "Filter" },
  { "observation_id", "obs_id", "string", "I", "Observation ID" },
  { "ang_sep", nil, "float", "DN", "Distance from the position (arcminutes)" },
  { "search_key", nil, "string", "N", "Position and observation" },
}

local classy = {
  { "search_pos", nil, "string", "", "Position searched for" },
  { "Target", "'J' || upper(substr(obs_id, instr(obs_id, '_x') + 1, 10))", "string", "DI",
    "Target" },
  { "Alt_Name", "target_name", "string", "D", "Another name" },
  { "ra", "s_ra", "ra", "DI", "Right ascension (degrees)" },
  { "dec", "s_dec", "dec", "D", "Declination (degrees)" },
  { "Redshift", "round(0.002 + 0.1 * uniform(obsid, 8), 5)", "float", "D", "Redshift" },
  { "Stellar_mass", "round(6 + 4 * uniform(obsid, 9), 2)", "float", "D", "log M (solar masses)" },
  { "ang_sep", nil, "float", "DN", "Distance from the position (arcminutes)" },
  { "search_key", nil, "string", "N", "Position and target" },
}

-- `product`: how the URI of a file is written; nil: its mast: URI. `set`: the product's key that
-- holds the dataset. `target`: second key of the usual order.
local missions = {
  hst = { id = "sci_data_set_name", from = "HST", columns = hst, target = "sci_targname",
    product = "dataset || '/' || filename", home = "HST", set = "dataset" },
  jwst = { id = "fileSetName", from = "JWST", columns = jwst, target = "targprop",
    product = "dataset || '/' || filename", home = "JWST", set = "fileset" },
  roman = { id = "fileSetName", from = "PS1", columns = roman, target = "targ_name",
    product = "dataset || '/' || filename", home = "PS1", set = "fileset" },
  iue = { id = "iue_data_id", from = "GALEX", more = " AND filters = 'NUV'", columns = iue,
    target = "iue_object", set = "dataset" },
  ullyses = { id = "observation_id", from = "HLSP", columns = ullyses,
    target = "target_name_ullyses", set = "dataset" },
  classy = { id = "Target", from = "HLSP", more = " AND obsid % 5 = 0", columns = classy,
    target = "Alt_Name", set = "dataset" },
}

local datatypes = { VARCHAR = "char", DATETIME = "char", FLOAT = "double", INTEGER = "long",
  BOOLEAN = "boolean" }

local PAD <const> = 6

-- The view of a mission, with `obsid` behind its columns.
local function define(name, mission)
  local list = {}
  mission.name, mission.view, mission.index = name, "mission_" .. name, {}
  for i, c in ipairs(mission.columns) do
    local column = { name = c[1], qual = c[3], type = types[c[3]], default = c[4]:find("D") ~= nil,
      indexed = c[4]:find("I") ~= nil, queryable = not c[4]:find("N"), description = c[5],
      computed = c[2] == nil }
    mission.columns[i], mission.index[c[1]:lower()] = column, column
    if c[2] then
      local is = c[4]:find("P") and ("substr(%s || '          ', 1, %d)"):format(c[2], PAD) or c[2]
      list[#list + 1] = { name = c[1], is = is, type = datatypes[column.type] }
    end
    mission.ra = mission.ra or c[3] == "ra" and c[1] or nil
    mission.dec = mission.dec or c[3] == "dec" and c[1] or nil
  end
  list[#list + 1] = { name = "of_obsid", is = "obsid", type = "long" }
  sql.define(mission.view, { from = ("observations WHERE obs_collection = '%s'%s")
    :format(mission.from, mission.more or ""), columns = list })
end

for name, mission in pairs(missions) do
  define(name, mission)
end
missions.roman_spectra, missions.roman_cgi = missions.roman, missions.roman

--- The mission of that name: id, ra, dec, target (names of columns), view, columns (a list of
-- { name, type, qual, default, indexed, queryable, description, computed }), index (by lower-case
-- name), product, home, set; nil for an unknown one.
function M.of(name)
  return missions[name]
end

--- All names.
function M.names()
  local out = {}
  for name in pairs(missions) do
    out[#out + 1] = name
  end
  table.sort(out)
  return out
end

return M
