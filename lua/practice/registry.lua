-- SPDX-License-Identifier: BSD-3-Clause
-- The registry's tables (RegTAP 1.1, schema rr): this archive's own services at its own address,
-- and one, ivo://archive.stsci.edu/cone/closed, that does not work. Identifiers and enumerated
-- values are in lower case.
local sql = require "practice.sql"
local tables = require "practice.tap_tables"

local std = "ivo://ivoa.net/std/"

-- ivoid, short name, title, description, waveband, standard, path, subjects
local services = {
  { "caomtap", "MAST CAOM", "Observations of MAST", "Images and spectra of all missions as ObsCore",
    "optical#uv#infrared", "tap", "/vo-tap/api/v0.1/caom", { "observations", "surveys" } },
  { "cone/closed", "Closed", "Stars of a survey that ended", "A cone search that is gone",
    "optical", "conesearch", "/scs/closed?", { "stars", "closed services" } },
  { "cone/gaia", "Gaia SCS", "Gaia DR3 by cone search", "Stars with parallaxes", "optical",
    "conesearch", "/scs/gaia?", { "stars", "astrometry" } },
  { "cone/galex", "GALEX SCS", "GALEX sources by cone search", "Sources seen in the ultraviolet",
    "uv", "conesearch", "/scs/galex?", { "galaxies", "quasars" } },
  { "cone/tic", "TIC SCS", "TESS Input Catalog by cone search", "Stars with TESS magnitudes",
    "optical", "conesearch", "/scs/tic?", { "stars" } },
  { "regtap", "MAST RegTAP", "Registry of services", "RegTAP of this archive", "", "tap",
    "/vo-tap/api/v0.1/registry", { "registry" } },
  { "siap", "MAST SIA", "Images of MAST, version 1", "Images by position", "optical#uv", "sia",
    "/siap/search.php?", { "images", "surveys" } },
  { "siap2", "MAST SIA2", "Images of MAST, version 2", "Images by position, band and time",
    "optical#uv", "sia#query-2.0", "/vo-sia/api/v0.1/query", { "images", "surveys" } },
  { "ssap", "MAST SSA", "Spectra of MAST", "Spectra by position", "optical#uv", "ssa",
    "/ssap/search2.php?", { "spectra" } },
  { "tap/gaiadr3", "Gaia TAP", "Gaia DR3 by TAP", "Stars with parallaxes, one table", "optical",
    "tap", "/vo-tap/api/v0.1/gaiadr3", { "stars", "astrometry" } },
  { "tap/hsc", "HSC TAP", "Hubble Source Catalog by TAP", "Matches of sources in Hubble's images",
    "optical", "tap", "/vo-tap/api/v0.1/hsc", { "stars", "galaxies" } },
  { "tap/ps1dr2", "PS1 TAP", "Pan-STARRS DR2 by TAP", "Means and stacks of the survey's detections",
    "optical", "tap", "/vo-tap/api/v0.1/ps1dr2", { "stars", "galaxies", "surveys" } },
}

-- Columns of the tables behind cone searches.
local views = { ["cone/gaia"] = "scs_gaia", ["cone/galex"] = "scs_galex", ["cone/tic"] = "scs_tic" }
-- Services without stars below declination -30, or without any.
local not_everywhere = { regtap = true, ["cone/closed"] = true, ["tap/ps1dr2"] = true }

-- Names and descriptions as columns of a table; those in `ints` are numbers.
local function columns(list, ints)
  local out = {}
  for i, c in ipairs(list) do
    out[i] = { name = c[1], description = c[2], type = ints and ints[c[1]] and "short" or "char",
      principal = true, indexed = c[1] == "ivoid" }
  end
  return out
end

local ivoid = { "ivoid", "Identifier of the resource" }
local cap_index = { "cap_index", "Number of the capability" }
local table_index = { "table_index", "Number of the table" }
local numbers = { cap_index = true, intf_index = true, schema_index = true, table_index = true,
  std = true }

-- `row(service, id, base)` gives the rows of one service.
local function add(name, description, list, rows)
  tables.add("registry", { name = "rr." .. name, description = description,
    columns = columns(list, numbers), rows_at = function(base)
      local out = {}
      for _, s in ipairs(services) do
        for _, row in ipairs(rows(s, "ivo://archive.stsci.edu/" .. s[1], base)) do
          out[#out + 1] = row
        end
      end
      return out
    end })
end

add("resource", "Resources", {
  ivoid, { "res_type", "Type of the resource" }, { "short_name", "Short name" },
  { "res_title", "Title" }, { "res_description", "Description" },
  { "reference_url", "Page about it" }, { "content_level", "Audience" },
  { "content_type", "Kind of content" }, { "creator_seq", "Creators" },
  { "waveband", "Wavebands, separated by #" },
}, function(s, id, base)
  return { { id, "vs:catalogservice", s[2], s[3], s[4], base .. "/", "research", "catalog", "MAST",
    s[5] } }
end)

add("capability", "Capabilities of the resources", {
  ivoid, cap_index, { "cap_type", "Type of the capability" },
  { "cap_description", "What it does" }, { "standard_id", "Identifier of its standard" },
}, function(s, id)
  return { { id, 1, "", "", std .. s[6] } }
end)

add("interface", "Interfaces of the capabilities", {
  ivoid, cap_index, { "intf_index", "Number of the interface" },
  { "intf_type", "Type of the interface" }, { "intf_role", "std: as the standard says" },
  { "std_version", "Version of the standard" }, { "url_use", "full, base or dir" },
  { "access_url", "Where it is" },
}, function(s, id, base)
  return { { id, 1, 1, "vs:paramhttp", "std", "1.0", "base", base .. s[7] },
    { id, 1, 2, "vr:webbrowser", "", "", "full", base .. "/" } }
end)

add("res_subject", "Subjects of the resources", {
  ivoid, { "res_subject", "A subject" },
}, function(s, id)
  local out = {}
  for i, subject in ipairs(s[8]) do
    out[i] = { id, subject }
  end
  return out
end)

add("res_detail", "What else is known of resources", {
  ivoid, cap_index, { "detail_xpath", "Place in the resource's record" },
  { "detail_value", "What is there" },
}, function(s, id)
  if s[6] == "conesearch" then
    return { { id, 1, "/capability/testQuery/ra", "52.5" },
      { id, 1, "/capability/testQuery/dec", "-27.4" },
      { id, 1, "/capability/testQuery/sr", "0.1" } }
  end
  return s[1] == "caomtap"
    and { { id, 1, "/capability/dataModel/@ivo-id", std .. "obscore#core-1.1" } } or {}
end)

-- The tables of a service: lists of { name, description, columns, utype }.
local function tables_of(s)
  if s[6] == "conesearch" then
    local view = views[s[1]]
    return view and { { name = "main", description = s[4], columns = sql.columns(view) } } or {}
  end
  local word = s[6] == "tap" and s[7]:match("([^/]+)$")
  return word and tables.of(word).tables or {}
end

add("res_table", "Tables of the resources", {
  ivoid, { "schema_index", "Number of the schema" }, { "table_description", "What it holds" },
  { "table_name", "Name, with its schema" }, table_index, { "table_title", "Title" },
  { "table_type", "Kind of table" }, { "table_utype", "Its place in a data model" },
}, function(s, id)
  local out = {}
  for i, t in ipairs(tables_of(s)) do
    out[i] = { id, 1, t.description, t.name, i, t.description, "table", t.utype or "" }
  end
  return out
end)

add("table_column", "Columns of the tables of the resources", {
  ivoid, table_index, { "name", "Name" }, { "ucd", "UCD" }, { "unit", "Unit" },
  { "utype", "Its place in a data model" }, { "std", "1: as a standard has it" },
  { "datatype", "Type of VOTable" }, { "extended_schema", "Schema of the further type" },
  { "extended_type", "Further type" }, { "arraysize", "Size of VOTable" },
  { "delim", "What parts values" }, { "type_system", "Where the type is from" },
  { "flag", "indexed, primary" }, { "column_description", "What it holds" },
}, function(s, id)
  local out = {}
  for i, t in ipairs(tables_of(s)) do
    for _, c in ipairs(t.columns) do
      local text = c.type == "char"
      out[#out + 1] = { id, i, c.name:lower(), (c.ucd or ""):lower(), c.unit or "", c.utype or "",
        0, c.type, "", c.xtype or "", text and "*" or "1", "", "vs:votabletype",
        c.indexed and "indexed" or "", c.description or "" }
    end
  end
  return out
end)

add("stc_spatial", "Coverage of the resources on the sky", {
  ivoid, { "coverage", "Coverage as MOC in text" }, { "ref_system_name", "Reference frame" },
}, function(s, id)
  return not_everywhere[s[1]] and {} or { { id, "0/0-11", "ICRS" } }
end)

return { routes = {} }
