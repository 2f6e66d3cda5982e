-- SPDX-License-Identifier: BSD-3-Clause
-- Histograms of a catalogue's columns as the portal words them (mashup-api section 4.3), at table
-- level. Catalogues here are too large to count: what is told is a sample's count times what the
-- sample is of the sky.
local json = require "practice.json"
local sql = require "practice.sql"
local words = require "practice.mashup_words"

local M = {}

local BINS <const> = 10
local FIELDS <const> = 300 -- evenly on the sphere
local DISCRETE_MAX <const> = 100 -- values; a column with more names each row, nearly
local SQUARE_DEGREES <const> = 4 * math.pi * (180 / math.pi) ^ 2

-- Rows in the fields, and how many of the sky's each stands for.
local function sample(source, names, radius)
  local rows = {}
  local golden = math.pi * (3 - math.sqrt(5))
  for k = 1, FIELDS do
    local z = 1 - (2 * k - 1) / FIELDS
    local found, why = sql.query(("SELECT %s FROM %s WHERE circle_ra = ? AND circle_dec = ? AND "
      .. "circle_radius = ?"):format(names, source), { math.deg(golden * k) % 360,
      math.deg(math.asin(z)), radius }, { max = 100000 })
    if not found then
      error(why, 0)
    end
    table.move(found, 1, #found, #rows + 1, rows)
  end
  local area = FIELDS * 2 * math.pi * (1 - math.cos(math.rad(radius))) * (180 / math.pi) ^ 2
  return rows, SQUARE_DEGREES / area
end

-- The values of column `i` that are there.
local function values_of(rows, i)
  local out = {}
  for _, row in ipairs(rows) do
    out[#out + 1] = row[i] ~= json.null and row[i] or nil
  end
  return out
end

local function discrete(values, scale)
  local counts, keys, out = {}, {}, { hist = json.list({}) }
  for _, value in ipairs(values) do
    keys[#keys + 1] = not counts[value] and value or nil
    counts[value] = (counts[value] or 0) + 1
  end
  table.sort(keys)
  for i, key in ipairs(#keys <= DISCRETE_MAX and keys or {}) do
    out.hist[i] = { key = tostring(key), count = math.floor(counts[key] * scale + 0.5) }
    out[tostring(key)] = out.hist[i]
  end
  return out
end

local function continuous(values, scale)
  local bins = json.list({})
  local out = { hist = { hist = bins }, type = "numeric" }
  if #values == 0 then
    return out
  end
  local low, high = math.huge, -math.huge
  for _, value in ipairs(values) do
    low, high = math.min(low, value), math.max(high, value)
  end
  out.min, out.max = low, high
  local width = (high - low) / BINS
  local counts = {}
  for _, value in ipairs(values) do
    local k = width > 0 and math.min(BINS, math.floor((value - low) / width) + 1) or 1
    counts[k] = (counts[k] or 0) + 1
  end
  for k = 1, width > 0 and BINS or 1 do
    bins[k] = { key = low + (k - 1) * width, count = math.floor((counts[k] or 0) * scale + 0.5) }
  end
  return out
end

local answers = {}

--- The answer with the histograms of a source.
-- @tparam string source a table with the hidden circle (docs/practice-protocols.md)
-- @tparam table kinds column -> "discrete" or "continuous"
-- @tparam number radius degrees: how large each field of the sample is
function M.answer(source, kinds, radius)
  if not answers[source] then
    local names, lists = {}, { discrete = {}, continuous = {} }
    for name in pairs(kinds) do
      names[#names + 1] = name
    end
    table.sort(names)
    local quoted = {}
    for i, name in ipairs(names) do
      quoted[i] = sql.quote(name)
    end
    local rows, scale = sample(source, table.concat(quoted, ", "), radius)
    for i, name in ipairs(names) do
      local make = kinds[name] == "discrete" and discrete or continuous
      lists[kinds[name]][name] = make(values_of(rows, i), scale)
    end
    answers[source] = words.extjs_without_rows("", ('{%s,"discreteHistogram":%s,'
      .. '"continuousHistogram":%s}'):format(words.ZERO_PAGING, json.encode(lists.discrete),
      json.encode(lists.continuous)))
  end
  return answers[source]
end

return M
