-- SPDX-License-Identifier: BSD-3-Clause
-- The audit of a tiled query: some of its tiles are asked again in another shape, which straddles
-- their borders, and the identifiers compared with those that were kept (tiling design 9). What is
-- asked for is the dialect's, what was kept the harvest's.

local errors = require("halyard.error")
local report = require("halyard.report")
local sky = require("halyard.core.sky")
local task = require("halyard.core.task")

local M = {}

local fullest, at_random = 5, 5 -- tiles
local halvings = 8 -- of a shape that holds more than one answer
local patience, pause_s = 5, 2 -- for an archive that does not answer
local names_shown = 5

-- The tiles to ask again: the fullest and some of the others.
local function chosen(leaves)
  local list, out = {}, {}
  for _, leaf in ipairs(leaves) do
    if leaf.done and not leaf.column and not leaf.no_position then
      list[#list + 1] = leaf
    end
  end
  table.sort(list, function(a, b)
    if a.rows_kept ~= b.rows_kept then
      return a.rows_kept > b.rows_kept
    end
    return a.dec_min < b.dec_min or a.dec_min == b.dec_min and a.ra_min < b.ra_min
  end)
  for _ = 1, math.min(fullest, #list) do
    out[#out + 1] = table.remove(list, 1)
  end
  for _ = 1, math.min(at_random, #list) do
    out[#out + 1] = table.remove(list, math.random(#list))
  end
  return out
end

-- Centre and half side (degrees) of what is asked again: round a corner of the tile; of a query
-- that was not cut round a place in its region.
local function place_of(leaf, region)
  if leaf.dec_max - leaf.dec_min >= 180 then
    local ra, dec, radius = region:cone()
    local half = math.min(radius, 90) / 2
    return ra, math.max(-90, math.min(90, dec + (math.random(2) == 1 and half or -half))), half
  end
  local width = (leaf.ra_max - leaf.ra_min) % 360
  width = width == 0 and 360 or width
  local dec = math.random(2) == 1 and leaf.dec_min or leaf.dec_max
  local ra = math.random(2) == 1 and leaf.ra_min or leaf.ra_max % 360
  local side = math.min(leaf.dec_max - leaf.dec_min, width
    * math.max(1e-3, math.cos(math.rad(leaf.dec_min)), math.cos(math.rad(leaf.dec_max))))
  return ra, dec, side / 2
end

--- The shape of a request round a place, and the region in which its answer must be whole: `guard`
-- degrees less.
function M.shapes_of(service, ra, dec, half, guard)
  if service.takes_cone then
    half = (service.radius_max_deg or 0) > 0 and math.min(half, service.radius_max_deg) or half
    return { ra = ra, dec = dec, radius = half },
      sky.circle(ra, dec, math.max(half - guard, half / 2))
  end
  local low, high = math.max(-90, dec - half), math.min(90, dec + half)
  local inner_low = low == -90 and -90 or low + math.min(guard, half / 4)
  local inner_high = high == 90 and 90 or high - math.min(guard, half / 4)
  local narrow = math.cos(math.rad(math.max(math.abs(low), math.abs(high))))
  local wide = half / math.max(narrow, 1e-9)
  if wide >= 180 then
    return { ra_min = 0, ra_max = 360, dec_min = low, dec_max = high },
      sky.box(0, 360, inner_low, inner_high)
  end
  local inner = wide - math.min(guard / math.max(narrow, 1e-9), wide / 4)
  return { ra_min = (ra - wide) % 360, ra_max = (ra + wide) % 360, dec_min = low, dec_max = high },
    sky.box((ra - inner) % 360, (ra + inner) % 360, inner_low, inner_high)
end

local too_much = { over = true, ambiguous = true, stalled = true } -- perhaps

-- The whole answer round a place and the region that it covers; smaller until it fits.
local function ask(source, ra, dec, half)
  local guard = (source.service.guard_arcsec or 1) / 3600
  local shrunk, waited = 0, 0
  while true do
    local shape, inside = M.shapes_of(source.service, ra, dec, half, guard)
    local ok, rows, cost = errors.try(source.fetch, shape)
    report.current():spent(ok and cost or { requests = 1, bytes = 0 })
    local cap, verdict = source.service.cap, not ok and source.verdict(rows)
    if ok and (cap == 0 or #rows < cap) then
      return source.refine(rows), inside
    elseif (ok or too_much[verdict]) and shrunk < halvings then
      half, shrunk = half / 2, shrunk + 1
    elseif not ok and verdict ~= "fatal" and verdict and waited < patience then
      waited = waited + 1
      task.sleep(pause_s)
    elseif ok then
      errors.raise("truncated", ("%s: audit: more than %d rows within %g deg of %.6f %+.6f")
        :format(source.name, cap, half, ra, dec))
    else
      error(rows, 0)
    end
  end
end

-- Identifiers that are in list `a` more often than in list `b`.
local function missing(a, b)
  local times, out = {}, {}
  for _, id in ipairs(b) do
    id = tostring(id)
    times[id] = (times[id] or 0) + 1
  end
  for _, id in ipairs(a) do
    id = tostring(id)
    times[id] = (times[id] or 0) - 1
    out[#out + 1] = times[id] < 0 and id or nil
  end
  table.sort(out)
  return out
end

local function listed(ids)
  local more = #ids > names_shown and (" and %d more"):format(#ids - names_shown) or ""
  return table.concat(ids, ", ", 1, math.min(#ids, names_shown)) .. more
end

local function check(source, leaf, harvest, region)
  local rows, inside = ask(source, place_of(leaf, region))
  local now = #rows > 0 and harvest:ids(inside, rows):list(source.id) or {}
  local kept = harvest:ids(inside):list(source.id)
  local lost, extra = missing(now, kept), missing(kept, now)
  if #lost + #extra == 0 then
    return #now
  end
  local parts = {}
  if #lost > 0 then
    parts[1] = ("%s %s came only now"):format(source.id, listed(lost))
  end
  if #extra > 0 then
    parts[#parts + 1] = ("%s %s came only before"):format(source.id, listed(extra))
  end
  errors.raise("integrity", ("%s: audit of the tile ra %.7f..%.7f dec %.7f..%.7f: asked again in "
    .. "another shape, %s; the service loses rows or the table changes: run it again, with a "
    .. "smaller row_limit"):format(source.name, leaf.ra_min, leaf.ra_max, leaf.dec_min,
    leaf.dec_max, table.concat(parts, "; ")), { lost = lost, extra = extra })
end

--- Is a row still where it was? A place with more rows than an answer holds cannot tell, nor can a
-- service that is not asked by position: false.
-- @tparam table row key (text), ra, dec
function M.is_there(source, row)
  local service = source.service
  local by_position = service.takes_box or service.takes_cone
  if not row.ra or service.match == "footprint" or not by_position then
    return false
  end
  local ok, rows = errors.try(ask, source, row.ra, row.dec, (service.guard_arcsec or 1) / 1800)
  if not ok and rows.code ~= "truncated" then
    error(rows, 0)
  end
  for i = 1, ok and #rows or 0 do
    if tostring(rows:get(i, source.id)) == row.key and rows:get(i, source.ra) == row.ra
      and rows:get(i, source.dec) == row.dec then
      return true
    end
  end
  return false
end

--- Asks some tiles again.
-- @tparam table source see halyard.query.run
-- @tparam table leaves of the plan
-- @param harvest what was kept
-- @tparam halyard.region region of the query
-- @treturn string what was found
-- @raise `integrity` with the tile and the identifiers when the answers differ
function M.run(source, leaves, harvest, region)
  local list, rows = chosen(leaves), 0
  for _, leaf in ipairs(list) do
    rows = rows + check(source, leaf, harvest, region)
  end
  return ("%d of %d tiles asked again in another shape: the same %d rows"):format(#list, #leaves,
    rows)
end

return M
