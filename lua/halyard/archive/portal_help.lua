-- SPDX-License-Identifier: BSD-3-Clause
-- What there is to ask MAST's portal for: missions, columns, and the values that columns hold.
-- Sections 4.3, 7.1 and 8.3 of the protocol specification.

local caom = require("halyard.archive.caom")
local catalog = require("halyard.catalog")
local door = require("halyard.archive.door")
local errors = require("halyard.error")
local mashup = require("halyard.archive.mashup")
local products = require("halyard.archive.products")
local suggest = require("halyard.suggest")
local table_core = require("halyard.core.table")

local M = {}

local lists = { observations = caom.config, products = products.config }
local histograms = {
  observations = "Mast.Caom.All", tic = "Mast.Catalogs.All.Tic",
  diskdetective = "Mast.Catalogs.All.DiskDetective",
}

local function begin()
  return door.begin("mast", door.base("mashup"))
end

--- Names of the missions and collections that have observations, sorted.
-- @treturn table list of texts
function M.missions()
  begin()
  local names = caom.missions()
  return table.move(names, 1, #names, 1, {})
end

--- The columns of observations, of products, or of a catalogue, as the archive lists them.
-- @tparam string what "observations", "products", or a catalogue's name
-- @treturn halyard.table name, type, unit, ucd, description
function M.columns(what)
  local config = lists[catalog.plain(what)]
  if not config then
    return require("halyard.mast").catalog(what):columns()
  end
  return catalog.new({
    name = what, door = "mashup", host = "mast",
    url = function()
      return door.base("mashup")
    end,
    columns = function()
      return mashup.columns(config)
        or errors.raise("protocol", "the archive sent no list of columns of " .. what)
    end,
  }):columns()
end

-- Histograms by column name: of each column, or of the table.
local function read_histograms(answer)
  local data = type(answer) == "table" and answer.data
  local first = type(data) == "table" and type(data.Tables) == "table" and data.Tables[1]
  if type(first) ~= "table" then
    errors.raise("protocol", "the archive sent no histograms")
  end
  local found = {}
  for _, column in ipairs(first.Columns or {}) do
    local properties = type(column) == "table" and column.ExtendedProperties
    found[column.text] = type(properties) == "table" and properties.histObj or nil
  end
  local properties = type(first.ExtendedProperties) == "table" and first.ExtendedProperties or {}
  for _, kind in ipairs({ "discreteHistogram", "continuousHistogram" }) do
    for name, histogram in pairs(type(properties[kind]) == "table" and properties[kind] or {}) do
      found[name] = histogram
    end
  end
  return found
end

--- The values of a column with how often each occurs, most frequent first; of a column of numbers
-- bins: `low` is where each begins.
-- @tparam string what "observations", "TIC" or "Disk Detective": for others the archive has none
-- @tparam string column
-- @treturn halyard.table value (or low) and count
-- @raise `usage` for a column without a histogram, with the nearest that has one; `not_found` when
-- the histogram is empty
function M.values(what, column)
  local service = histograms[catalog.plain(what)]
  if not service then
    suggest.unknown("table with values", tostring(what), { "observations", "TIC",
      "Disk Detective" })
  end
  begin()
  local found = read_histograms(mashup.document(service, {}, { format = "extjs", page = 1 }))
  local columns, names = {}, {}
  for name, histogram in pairs(found) do
    columns[tostring(name):lower()] = { name = name, histogram = histogram }
    names[#names + 1] = name
  end
  table.sort(names)
  local histogram = door.column(columns, column, what .. " with values").histogram
  local bins, numeric = histogram.hist, false
  if type(bins) == "table" and type(bins.hist) == "table" then
    bins, numeric = bins.hist, true
  end
  if type(bins) ~= "table" or #bins == 0 then
    errors.raise("not_found", ("the archive lists no values of %s in %s, though it has the column")
      :format(column, what))
  end
  local key, rows = numeric and "low" or "value", {}
  for i, bin in ipairs(bins) do
    rows[i] = {
      [key] = numeric and tonumber(bin.key) or tostring(bin.key),
      count = math.tointeger(tonumber(bin.count)),
    }
  end
  if not numeric then
    table.sort(rows, function(a, b)
      return a.count ~= b.count and a.count > b.count or a.count == b.count and a.value < b.value
    end)
  end
  return table_core.from_rows(rows, { key, "count" })
end

return M
