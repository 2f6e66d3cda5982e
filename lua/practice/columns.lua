-- SPDX-License-Identifier: BSD-3-Clause
-- Column configurations (mashup-api 8.3) and the fields lists of answers, from the tables' columns.
local core = require "practice.core"

local M = {}

local by_catalog = {}

--- Columns of a catalogue: list of {name, type, unit, ...}, with `index` by lower-case name.
function M.of(catalog)
  local columns = by_catalog[catalog]
  if not columns then
    columns = core.columns(catalog)
    columns.index = {}
    for i, c in ipairs(columns) do
      columns.index[c.name:lower()] = i
    end
    by_catalog[catalog] = columns
  end
  return columns
end

local catalogs = {
  ["mast.caom.cone"] = "observations",
  ["mast.caom.filtered"] = "observations",
  ["mast.caom.filtered.position"] = "observations",
  ["mast.caom.products"] = "products",
  ["mast.catalogs.tess.cone"] = "tic",
  ["mast.catalogs.tic.cone"] = "tic",
  ["mast.catalogs.ctl.cone"] = "tic",
  ["mast.catalogs.gaiadr2.cone"] = "gaia",
  ["mast.catalogs.gaiadr3.cone"] = "gaia",
  ["mast.galex.catalog"] = "galex",
}

-- The VOTable datatype of a column: 64-bit identifiers are declared as text, served as numbers.
local datatypes = { float = "double", int = "int", string = "char", boolean = "boolean" }
local numbered = { obsid = true, objID = true, objID1 = true, obsID = true, parent_obsid = true,
  source_id = true, ID = true, GAIA = true }

function M.datatype(column)
  return column.datatype or numbered[column.name] and "long" or datatypes[column.type]
end

local configured = {}

--- Gives a name a configuration from a column list; `numeric` names the columns that the portal
-- treats as numbers.
function M.configure(name, list, numeric)
  local config = {}
  for i, c in ipairs(list) do
    config[c.name] = {
      text = c.name, order = i - 1, ["vot.datatype"] = c.type, ["vot.name"] = c.name,
      ["vot.ID"] = c.name, ["vot.unit"] = c.unit, ["vot.ucd"] = c.ucd,
      ["vot.description"] = c.description, treatNumeric = numeric[c.name],
    }
  end
  configured[name:lower()] = config
end

--- The answer of columnsconfig, or nil for a name without configuration.
function M.config(name)
  local catalog = catalogs[name:lower()]
  if not catalog then
    return configured[name:lower()]
  end
  local config = {
    _selected_ = { text = "selected", add = true, type = "boolean", hidden = true },
  }
  for i, c in ipairs(M.of(catalog)) do
    local entry = { text = c.name, order = i - 1 }
    entry["vot.description"] = c.description
    if c.unit ~= "" then
      entry["vot.unit"] = c.unit
    end
    -- The TIC's configuration carries no types; they come with the histograms of
    -- Mast.Catalogs.All.Tic (mashup-api 8.3, rule 2).
    if catalog ~= "tic" then
      entry["vot.datatype"] = M.datatype(c)
      entry["vot.name"] = c.name
      entry["vot.ID"] = c.name
      if c.ucd ~= "" then
        entry["vot.ucd"] = c.ucd
      end
      if entry["vot.datatype"] == "char" then
        entry["vot.arraysize"] = "*"
      end
    end
    entry.separator = c.separator
    config[c.name] = entry
  end
  if config.obs_collection then
    config.obs_collection.sort = "DESC"
  end
  return config
end

return M
