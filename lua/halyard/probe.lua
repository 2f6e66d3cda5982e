-- SPDX-License-Identifier: BSD-3-Clause
-- How dense the rows of a service are in a region, by a few small questions, for the price of a
-- query where no count and no earlier query tells (tiling design 13). Their rows are not kept.

local audit = require("halyard.audit")
local errors = require("halyard.error")
local report = require("halyard.report")
local system = require("halyard.core.system")

local M = {}

local probes_most = 3
local half_first, part = 0.3, 1 / 10 -- degrees; of the region's radius
local half_least = 10 / 3600
local rows_least = 30 -- that make a density worth having
local wider, smaller = 3, 1 / 4
local golden_deg, out = 137.508, 0.45 -- places on a spiral, so far out of the region's radius
local places_most = 40
local sr_per_square_degree = math.rad(1) ^ 2

-- Places in the region: its middle, then round it.
local function places(region)
  local ra0, dec0, radius = region:cone()
  local d = math.rad(out * math.min(radius, 90))
  local middle = { ra0, dec0 }
  local list, k = region:contains(ra0, dec0) and { middle } or {}, 0
  while #list < probes_most and k < places_most do
    local t, r, lat = math.rad(40 + golden_deg * k), d * (1 + k % 3 / 2), math.rad(dec0)
    local sine = math.sin(lat) * math.cos(r) + math.cos(lat) * math.sin(r) * math.cos(t)
    local ra = (ra0 + math.deg(math.atan(math.sin(t) * math.sin(r), math.cos(lat) * math.cos(r)
      - math.sin(lat) * math.sin(r) * math.cos(t)))) % 360
    local dec = math.deg(math.asin(math.max(-1, math.min(1, sine))))
    if region:contains(ra, dec) then
      list[#list + 1] = { ra, dec }
    end
    k = k + 1
  end
  return list[1] and list or { middle }, radius -- near is better than nothing
end

--- Densities as halyard.densities.recall gives them, without age, but with `probes` (how many were
-- sent), `least` and `most` (rows per steradian, with what chance may do to so few) and perhaps
-- `crowded` (ra, dec, half: where so small a question was too much for one answer); nil when there
-- are none to be had, which is told.
-- @tparam table source see halyard.query.run
-- @tparam halyard.region region
function M.densities(source, region)
  local service = source.service
  if service.match == "footprint" or not source.ra
    or not (service.takes_cone or service.takes_box) then
    return nil
  end
  local where, radius = places(region)
  local widest = (service.radius_max_deg or 0) > 0 and service.radius_max_deg or 180
  widest = math.min(widest, radius / 2)
  local half, found, at = math.max(half_least, math.min(half_first, radius * part, widest)), {}, 1
  local record = report.current()
  local left = record.budget.requests and record.budget.requests - record.requests or probes_most
  local most = math.min(probes_most, left)
  if most < 1 then
    return nil
  end
  system.log("info", ("%s: at most %d small question%s for the price; --offline asks none")
    :format(source.name, most, most == 1 and "" or "s"))
  for n = 1, most do
    local place = where[at]
    if not place then
      break
    end
    local shape, covered = audit.shapes_of(service, place[1], place[2], half, 0)
    local ok, rows, cost = errors.try(source.fetch, shape)
    record:spent(ok and cost or { requests = 1, bytes = 0 })
    local verdict = not ok and source.verdict(rows)
    found.probes = n
    if verdict == "over" or verdict == "ambiguous" or ok and service.cap > 0
      and #rows >= service.cap then
      found.crowded = found.crowded or { ra = place[1], dec = place[2], half = half }
      half, at = half * smaller, math.min(at + 1, #where)
    elseif not ok and not verdict then
      error(rows, 0)
    elseif not ok then
      system.log("warning", ("%s: the price is without densities: %s"):format(source.name,
        rows.message))
      break
    elseif #rows < rows_least and n < most and half * wider <= widest then
      half = half * wider
    else
      local area, chance = covered:area() * sr_per_square_degree, 2 * math.sqrt(#rows + 1)
      found[#found + 1] = { ra = place[1], dec = place[2], radius = half,
        rows_per_sr = (#rows + 0.5) / area }
      found.least = math.min(found.least or math.huge, math.max(0, #rows - chance) / area)
      found.most = math.max(found.most or 0, (#rows + chance) / area)
      at = at + 1
    end
  end
  return found[1] and found or nil
end

return M
