-- SPDX-License-Identifier: BSD-3-Clause
-- Tables of the classic forms on the practice sky. A column is { label, name, type word, SQL };
-- labels are those that the archive publishes (mast-classic-vo sections 1.4 and 1.5).
local sql = require "practice.sql"

local M = {}

-- Each: path, list (its name in search_fields.php), from, id, ra, dec, target (name column),
-- unquoted, action (what the form is told, "Search" unless said), radius (arcmin, unless told),
-- primary (column that the parameter of that name chooses).
local function add(path, list, from, columns, view_tail)
  local t = { path = path, list = list, columns = {}, index = {}, view = "classic_"
    .. path:gsub("%W", "_") .. (view_tail or "") }
  local view = {}
  local types = { integer = "long", string = "char", ustring = "char", datetime = "char" }
  for i, c in ipairs(columns) do
    local column = { label = c[1], name = c[2], word = c[3], type = types[c[3]] or "double",
      role = c.role, target = c.target }
    t.columns[i], t.index[c[2]:lower()] = column, column
    if c.role then
      t[c.role] = column
    end
    view[i] = { name = c[2], is = c[4], type = column.type }
  end
  sql.define(t.view, { from = from, columns = view })
  M[#M + 1] = t
  return t
end

-- A star's time of observation as text; k chooses among independent ones.
local function time_of(id, k, first, days)
  return ("datetime(2400000.5 + %d + floor(uniform(%s, %d) * %d))"):format(first, id, k, days)
end

local function star(label, name, is)
  return { label, name, "integer", is or "ID", role = "id" }
end
local function ra(label, name, is)
  return { label, name, "ra", is or "ra", role = "ra" }
end
local function dec(label, name, is)
  return { label, name, "dec", is or "dec", role = "dec" }
end

add("kepler/kic10", "kic10", "sky_tic", {
  star("Kepler ID", "kic_kepler_id"), ra("RA (J2000)", "kic_degree_ra"),
  dec("Dec (J2000)", "kic_dec"),
  { "RA PM (arcsec/yr)", "kic_pmra", "float", "round(pmRA / 1000, 5)" },
  { "Dec PM (arcsec/yr)", "kic_pmdec", "float", "round(pmDEC / 1000, 5)" },
  { "J Mag", "kic_jmag", "float", "Jmag" }, { "H Mag", "kic_hmag", "float", "Hmag" },
  { "K Mag", "kic_kmag", "float", "Kmag" },
  { "Kepler Mag", "kic_kepmag", "float", "Tmag" },
  { "2MASS ID", "kic_2mass_id", "string", "TWOMASS" },
  { "Teff (deg K)", "kic_teff", "integer", "CAST(round(Teff) AS INTEGER)" },
  { "Log G (cm/s/s)", "kic_logg", "float", "logg" },
  { "Radius (solar=1.0)", "kic_radius", "float", "rad" },
})
add("k2/epic", "epic", "sky_tic", {
  star("EPIC", "id"), ra("RA", "k2_ra"), dec("Dec", "k2_dec"), { "KepMag", "kp", "float", "Tmag" },
  { "2MASS", "twomass", "string", "TWOMASS" }, { "Object type", "objtype", "string", "objType" },
  { "pmra", "pmra", "float", "pmRA" }, { "pmdec", "pmdec", "float", "pmDEC" },
  { "Jmag", "jmag", "float", "Jmag" }, { "Teff", "teff", "float", "Teff" },
  { "logg", "logg", "float", "logg" }, { "Radius", "rad", "float", "rad" },
})
add("kepler/data_search", "kepler",
  "sky_tic WHERE Tmag < 12 AND ra BETWEEN 280 AND 302 AND dec BETWEEN 36 AND 53", {
    { "Kepler ID", "ktc_kepler_id", "integer", "ID" },
    { "Investigation ID", "ktc_investigation_id", "string",
      "CASE WHEN uniform(ID, 3) < 0.1 THEN 'GO10005' ELSE 'EX' END" },
    { "Dataset Name", "sci_data_set_name", "string", "printf('KPLR%016d-%d', ID, GAIA % 17)",
      role = "id" },
    { "Quarter", "sci_data_quarter", "integer", "GAIA % 17" },
    ra("RA (J2000)", "sci_ra"), dec("Dec (J2000)", "sci_dec"),
    { "Target Type", "ktc_target_type", "string",
      "CASE WHEN uniform(ID, 4) < 0.2 THEN 'SC' ELSE 'LC' END" },
    { "Archive Class", "sci_archive_class", "string", "'TPL'" },
    { "Actual Start Time", "sci_start_time", "datetime", time_of("ID", 5, 54963, 1400) },
    { "Release Date", "sci_release_date", "datetime", time_of("ID", 6, 55500, 900) },
    { "KEP Mag", "kic_kepmag", "float", "Tmag" },
  })
add("k2/data_search", "k2", "sky_tic WHERE Tmag < 9 AND dec BETWEEN -30 AND 30", {
  { "K2 ID", "ktc_k2_id", "integer", "ID" },
  { "Dataset Name", "sci_data_set_name", "string", "printf('KTWO%016d-C%02d', ID, GAIA % 19)",
    role = "id" },
  { "Campaign", "sci_campaign", "integer", "GAIA % 19" },
  ra("RA (J2000)", "sci_ra"), dec("Dec (J2000)", "sci_dec"),
  { "Target Type", "ktc_target_type", "string", "'LC'" },
  { "Actual Start Time", "sci_start_time", "datetime", time_of("ID", 5, 56700, 1500) },
  { "Investigation ID", "ktc_investigation_id", "string", "'GO5005_LC'" },
  { "KEP Mag", "kp", "float", "Tmag" }, { "Channel", "sci_channel", "integer", "1 + GAIA % 84" },
})

local kepler_planets = "sky_tic WHERE Tmag < 13 AND ra BETWEEN 280 AND 302 AND dec BETWEEN 36 "
  .. "AND 53 AND uniform(ID, 11) < "
add("kepler/koi", "kepler_koi", kepler_planets .. "0.05", {
  { "Kepler ID", "kepid", "integer", "ID" },
  { "KOI Name", "kepoi_name", "string", "printf('K%016d.01', ID)", role = "id" },
  { "Kepler Disposition", "koi_pdisposition", "string",
    "CASE WHEN uniform(ID, 11) < 0.02 THEN 'CANDIDATE' ELSE 'FALSE POSITIVE' END" },
  ra("RA (J2000)", "degree_ra"), dec("Dec (J2000)", "degree_dec"),
  { "Period", "koi_period", "double", "round(0.5 + 100 * uniform(ID, 12), 8)" },
  { "Teff", "koi_steff", "integer", "CAST(round(Teff) AS INTEGER)" },
  { "Comments", "koi_comment", "string",
    "CASE WHEN uniform(ID, 13) < 0.5 THEN 'shallow, noisy' END" },
  { "kepmag", "koi_kepmag", "float", "Tmag" },
  { "Last Update", "rowupdate", "string", "'2015-09-24'" },
})
M[#M].unquoted = true -- in CSV
add("kepler/confirmed_planets", "kepler_cp", kepler_planets .. "0.02", {
  { "Planet Name", "kepler_name", "string", "printf('Kepler-%d b', ID)", role = "id" },
  { "Kepler ID", "kepid", "integer", "ID" },
  { "KOI Name", "kepoi_name", "string", "printf('K%016d.01', ID)" },
  ra("RA (J2000)", "degree_ra"), dec("Dec (J2000)", "degree_dec"),
  { "Period", "koi_period", "double", "round(0.5 + 100 * uniform(ID, 12), 8)" },
  { "KEP Mag", "koi_kepmag", "float", "Tmag" },
})
add("hst", "hst", "observations WHERE obs_collection = 'HST'", {
  { "Dataset", "sci_data_set_name", "ustring", "upper(obs_id)", role = "id" },
  { "Target Name", "sci_targname", "ustring", "target_name", target = true },
  ra("RA (J2000)", "sci_ra", "s_ra"), dec("Dec (J2000)", "sci_dec", "s_dec"),
  { "Ref", "sci_refnum", "integer", "0" },
  { "Start Time", "sci_start_time", "datetime", "datetime(2400000.5 + t_min)" },
  { "Stop Time", "sci_stop_time", "datetime", "datetime(2400000.5 + t_max)" },
  { "Exp Time", "sci_actual_duration", "float", "t_exptime" },
  { "Instrument", "sci_instrume", "string", "instrument_name" },
  { "Filters/Gratings", "sci_spec_1234", "string", "filters" },
  { "Proposal ID", "sci_pep_id", "integer", "CAST(proposal_id AS INTEGER)" },
  { "PI Last Name", "sci_pi_last_name", "string", "proposal_pi" },
  { "Release Date", "sci_release_date", "datetime", "datetime(2400000.5 + t_obs_release)" },
})

-- Tables of which only some columns, or none, are documented.
local ffi = add("kepler/ffi", "kepler_ffi",
  "(WITH RECURSIVE n(k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM n WHERE k < 1679) "
    .. "SELECT k FROM n)", {
    { "Dataset Name", "sci_data_set_name", "string", "printf('KPLR2009%03d_FFI-CAL', k / 84)" },
    { "Archive Class", "sci_archive_class", "string", "'FFI'" },
    { "Start Time", "sci_start_time", "datetime", "datetime(2454945 + 30.4 * (k / 84))" },
    { "End Time", "sci_end_time", "datetime", "datetime(2454945.02 + 30.4 * (k / 84))" },
    { "Quarter", "sci_data_quarter", "integer", "k / 84 / 3" },
    { "Skygroup ID", "sci_skygroup_id", "integer", "1 + (k + 21 * (k / 84)) % 84" },
    { "Module", "sci_module", "integer", "2 + k % 84 / 4" },
    { "Output", "sci_output", "integer", "1 + k % 4" },
    { "Season", "sci_season", "integer", "k / 84 % 4" },
    { "Channel", "sci_channel", "integer", "1 + k % 84" },
  })
ffi.id = ffi.columns[1]
add("kepler/kepler_fov", "kepler_fov",
  "sky_tic WHERE ra BETWEEN 280 AND 302 AND dec BETWEEN 36 AND 53", {
    star("Kepler ID", "kic_kepler_id"), ra("RA (J2000)", "kic_degree_ra"),
    dec("Dec (J2000)", "kic_dec"), { "KEP Mag", "kepmag", "float", "Tmag" },
    { "Channel 0", "channel_0", "integer", "1 + ID % 84" },
    { "Channel 1", "channel_1", "integer", "1 + (ID + 21) % 84" },
  })
add("fuse/exposure", "exposure", "sky_tic, (SELECT 1 AS n UNION ALL SELECT 2) WHERE Tmag < 10 "
  .. "AND uniform(ID, 23) < 0.4", {
  { "Data Set", "fee_data_set_name", "string", "printf('FUSE%d%03d', ID, n)", role = "id" },
  { "Target Name", "fes_targname", "ustring", "printf('TIC%d', ID)", target = true },
  ra("RA (J2000)", "fes_ra_targ"), dec("Dec (J2000)", "fes_dec_targ"),
  { "Object Class", "fes_objclass", "integer", "30 + ID % 7" },
  { "Archive Class", "fes_archive_class", "string",
    "CASE WHEN n = 1 THEN 'FUS' ELSE 'FEN' END" },
})
-- What Hubble has pointed at: each pointing is a third of its exposures.
for action, share in pairs({ ["Search Pointings"] = 3, ["Search Exposures"] = 1 }) do
  local t = add("pointings", "pointings", ("observations WHERE obs_collection = 'HST' AND "
    .. "obsid %% %d = 0"):format(share), {
    { "Pointing ID", "pointing_id", "integer", "obsid", role = "id" },
    ra("RA (J2000)", "ra", "s_ra"), dec("Dec (J2000)", "dec", "s_dec"),
    { "Primary", "instrument", "string", "instrument_name" },
    { "Filter", "filter", "string", "filters" },
    { "Exp Time", "exp_time", "float", "t_exptime" },
  }, "_" .. share)
  t.action, t.primary = action, "instrument"
end
add("hstonline", "hstonline", "observations WHERE obs_collection = 'HST' AND obsid % 2 = 0", {
  { "Dataset", "hol_data_set_name", "ustring", "upper(obs_id)", role = "id" },
  ra("RA (J2000)", "hol_ra", "s_ra"), dec("Dec (J2000)", "hol_dec", "s_dec"),
  { "Instrument", "hol_instrume", "string", "instrument_name" },
})
add("vlafirst", "vlafirst", "sky_tic WHERE Tmag < 11 AND dec > -10", {
  { "Image", "vla_image", "string", "printf('%dE%05d', ID % 90000, ID % 97)", role = "id" },
  ra("RA (J2000)", "vla_ra"), dec("Dec (J2000)", "vla_dec"),
}).radius = 20

-- Missions of which no column list is recorded: bright stars, each mission a part of them.
local function mission(name, k, more)
  add(name, name, ("sky_tic WHERE Tmag < 10 AND uniform(ID, %d) < 0.4"):format(k), {
    { "Data ID", name .. "_data_id", "string", ("printf('%s%%d', ID)"):format(name:upper()),
      role = "id" },
    { "Target Name", name .. "_target_name", "ustring", "printf('TIC %d', ID)", target = true },
    ra("RA (J2000)", "ra"), dec("Dec (J2000)", "dec"),
    { "Start Time", name .. "_start_time", "datetime", time_of("ID", k, 48000, 4000) },
    { "Exp Time", name .. "_exp_time", "float", ("round(10 + 900 * uniform(ID, %d), 3)")
      :format(k) },
    more,
  })
end
for k, name in ipairs({ "befs", "euve", "fuse", "hpol", "imaps", "iue", "swiftuvot", "tues", "uit",
  "wuppe" }) do
  mission(name, 20 + k)
end
mission("hut", 31, { "Category", "hut_category", "string",
  "CASE WHEN uniform(ID, 41) < 0.5 THEN 'stars, hot' ELSE 'stars' END" })

return M
