-- SPDX-License-Identifier: BSD-3-Clause
-- What earlier queries learned about a service: how many rows the sky has where, how large a row
-- is. Kept in the user's cache, for first guesses only: nothing is right or wrong by it, and a file
-- that cannot be read or written costs a note.

local errors = require("halyard.error")
local json = require("halyard.json")
local sky = require("halyard.core.sky")
local system = require("halyard.core.system")

local M = {}

local file = "densities.json"
local version = 1
local services_most = 32 -- the longest unused is forgotten
local regions_most = 256 -- of one service
local age_max_s = 180 * 86400

local function is_number(value)
  return type(value) == "number" and value == value and math.abs(value) < math.huge
end

local function is_density(d)
  return type(d) == "table" and is_number(d.ra) and is_number(d.dec) and math.abs(d.dec) <= 90
    and is_number(d.radius) and d.radius > 0 and d.radius <= 180 and is_number(d.rows_per_sr)
    and d.rows_per_sr > 0
end

local function is_entry(entry)
  if type(entry) ~= "table" or not is_number(entry.time) or type(entry.regions) ~= "table" then
    return false
  end
  for _, d in ipairs(entry.regions) do
    if not is_density(d) then
      return false
    end
  end
  return true
end

-- All that is remembered: key -> entry. What is damaged is as good as nothing.
local function load()
  local ok, text = errors.try(system.cache_read, file)
  local good, document = pcall(json.decode, ok and text or "{}")
  local fits = good and type(document) == "table"
    and (document.version == version and type(document.services) == "table" or not text)
  if not ok or not fits then
    system.log("info", ("densities of earlier queries are not used: %s is damaged; it will be "
      .. "written anew"):format(file))
  end
  local out = {}
  for key, entry in pairs(ok and fits and document.services or {}) do
    out[key] = is_entry(entry) and entry or nil
  end
  return out
end

-- A service, its release and address: what is remembered of one says nothing about another.
local function key_of(source)
  return source.name .. " " .. (source.url or "")
end

--- What is known about a source.
-- @tparam table source see halyard.query.run
-- @treturn table densities for the plan (ra, dec, radius in degrees, rows_per_sr); nil when nothing
-- is known; in it `age_s` and `row_bytes` (of a row in an answer)
function M.recall(source)
  local entry = source.memorable and load()[key_of(source)]
  local age = entry and system.wall() - entry.time
  if not entry or age > age_max_s or age < -86400 then
    return nil
  end
  entry.regions.age_s, entry.regions.row_bytes = math.max(0, age), entry.row_bytes
  return entry.regions
end

--- Is any place of what is remembered in a region, or beside it? Elsewhere the sky is another.
-- @tparam table prior as `recall` gives it
-- @tparam halyard.region region
function M.is_near(prior, region)
  local ra, dec, radius = region:cone()
  for _, d in ipairs(prior) do
    if sky.separation(ra, dec, d.ra, d.dec) <= 2 * (radius + d.radius) then
      return true
    end
  end
  return false
end

--- Remembers what a query learned, instead of what was known.
-- @tparam table source
-- @tparam table regions as the plan tells them
-- @tparam number row_bytes of a row in an answer
function M.remember(source, regions, row_bytes)
  if not source.memorable or #regions == 0 then
    return
  end
  local all, order = load(), {}
  all[key_of(source)] = { time = system.wall(), regions = regions, row_bytes = row_bytes }
  for key in pairs(all) do
    order[#order + 1] = key
  end
  table.sort(order, function(a, b)
    return all[a].time > all[b].time
  end)
  for i = services_most + 1, #order do
    all[order[i]] = nil
  end
  local ok, err = errors.try(system.cache_write, file, json.encode({ version = version,
    services = all }))
  if not ok then
    system.log("info", "densities are not remembered: " .. err.message)
  end
end

M.regions_most = regions_most

return M
