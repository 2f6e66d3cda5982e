-- SPDX-License-Identifier: BSD-3-Clause
-- The price of a tiled query before it is asked: rows, requests, transfer, time, disk, what may go
-- wrong (tiling design 13), as numbers and as text; afterwards the same text with what it was.
-- Asks nothing.

local densities = require("halyard.densities")
local json = require("halyard.json")

local M = {}

local row_bytes = 120 -- of one row in an answer or a file, where its columns are not known
local rate_bytes = 2e6 -- a second, of an archive's answers
local latency_usual_s = 1 -- of a request, where none was measured
local doubt = 1.5 -- factor of an estimate
local sr_per_square_degree = math.rad(1) ^ 2
local crowded = 0.3 -- part of the row limit that a predicted tile of the smallest size warns at

-- Requests over the lower bound (low, high) and rows sent over rows kept (low, high), as measured
-- for the strategies (tiling design 11).
local factors = {
  boxes = { 1.3, 3.6, 1, 1.2 }, cones = { 2.8, 5.6, 1.6, 2.05 },
  boxes_counted = { 1.3, 2, 1, 1.2 }, cones_counted = { 2.4, 3.4, 1.6, 2.05 },
  pages = { 1, 1, 1, 1 },
}

-- Which of these a plan goes by.
local function factors_of(service, form)
  local name = form:match("^ranges") and "boxes" or form
  return factors[name .. (name ~= "pages" and service.histogram and "_counted" or "")]
end

-- What may go wrong, as sentences.
local function warnings(source, options, price, leaves, memory)
  local out, service = {}, source.service
  local densest = 0
  for _, leaf in ipairs(leaves) do
    local area = math.max(1e-12, (leaf.dec_max - leaf.dec_min) * ((leaf.ra_max - leaf.ra_min) % 360)
      * math.cos(math.rad((leaf.dec_min + leaf.dec_max) / 2)))
    densest = math.max(densest, (leaf.predicted_rows or 0) / area)
  end
  local in_arcmin = densest / 3600
  if service.cap > 0 and in_arcmin > crowded * service.cap then
    out[#out + 1] = ("the densest square arcminute may hold %.1f times the row limit")
      :format(in_arcmin / service.cap)
  end
  local crowd = price.crowded
  if crowd then
    out[#out + 1] = ("within %.3g deg of %.4f %+.4f are perhaps more rows than one answer holds: "
      .. "there may be far more"):format(crowd.half, crowd.ra, crowd.dec)
  end
  if price.far then
    out[#out + 1] = "the densities remembered are of other places on the sky: rows may be far more"
  end
  if not service.counts then
    out[#out + 1] = "the service does not count: nothing but the audit can show that rows are lost"
  end
  if service.cap == 0 then
    out[#out + 1] = "the row limit is not known: round numbers of rows are taken for it"
  end
  if source.ra and (service.pos_quantum_deg or 0) == 0 then
    out[#out + 1] = "the rounding of positions is not known: they are taken for whole"
  end
  if service.pos_nullable and not service.null_test then
    out[#out + 1] = "rows without position cannot be asked for"
  end
  if not options.into and price.rows_high and price.rows_high * price.memory_per_row > memory then
    out[#out + 1] = ('the table may not fit into memory: write a file, into = "rows.csv"')
  end
  return out
end

-- Shortest and longest time that requests and transfer of a price may take.
local function seconds(price, window)
  local at_once = math.min(window, price.requests_low)
  local wait, rate = price.latency_s or latency_usual_s, rate_bytes / price.bytes_per_row
  return price.requests_low * wait / at_once + price.sent_low / rate / at_once,
    price.requests_high * wait / math.min(window, price.requests_high)
      + price.sent_high / rate / at_once
end

--- The price of a query.
-- @tparam table source see halyard.query.run
-- @tparam halyard.region region
-- @tparam table options of the query
-- @tparam table found known (counted rows or nil), latency_s (of the count, or nil), window, plan,
-- prior (densities remembered or by probes, or nil), round (rows counted in what is round the
-- region and its share of that, or nil), strategy (in words, where it is not that of the plan),
-- offline (nothing was asked), memory (bytes that a table may take)
-- @treturn table numbers for `M.lines`
function M.of(source, region, options, found)
  local account, service = found.plan:account(), source.service
  local strategy, form = found.plan:explain()
  local f, cap = factors_of(service, form), service.cap
  local expected = account.rows_expected or -1
  local guess = not found.known and found.prior and expected >= 0
  local low = found.known or guess and expected / doubt or nil
  local high = found.known or guess and expected * doubt or nil
  local far = guess and not found.prior.probes and not densities.is_near(found.prior, region)
  if guess and found.prior.probes then -- the region may be as thin or as crowded as any of them
    local area = region:area() * sr_per_square_degree
    low = math.min(low, found.prior.least * area)
    high = math.max(high, found.prior.most * area)
  end
  local round = found.round
  if round then
    low = round.rows * round.share / doubt
    high = math.min(round.rows, round.rows * round.share * doubt)
  end
  local memory_per_row = source.row_bytes or row_bytes
  local per_row = found.prior and found.prior.row_bytes or row_bytes
  local price = {
    service = source.name, region = tostring(region), ra = source.ra, dec = source.dec,
    ownership = not source.ra and "key" or service.match or "point",
    guard_arcsec = service.guard_arcsec or 1, form = form, cap = cap, into = options.into,
    rows = found.known, rows_round = round and round.rows, counts = service.counts,
    offline = found.offline or nil, rows_low = low, rows_high = high,
    bytes_per_row = per_row,
    remembered_s = found.prior and found.prior.age_s, probes = found.prior and found.prior.probes,
    crowded = found.prior and found.prior.crowded, far = far or nil,
    memory_per_row = memory_per_row, requests_max = account.requests_max, window = found.window,
    latency_s = found.latency_s, leaves = found.plan:leaves(),
    strategy = found.strategy or strategy,
  }
  if high and cap > 0 then
    local least, most = math.max(1, math.ceil(low / cap)), math.max(1, math.ceil(high / cap))
    price.lower_bound = least
    price.requests_low = least == 1 and 1 or math.ceil(least * f[1])
    price.requests_high = most == 1 and high < cap and 1 or math.ceil(math.max(2, most) * f[2])
    local sent = least == 1 and price.requests_high == 1 and { 1, 1 } or { f[3], f[4] }
    price.sent_low, price.sent_high = low * sent[1], high * sent[2]
    price.bytes = high * per_row
    price.seconds_low, price.seconds_high = seconds(price, found.window)
    price.spool_bytes = high * memory_per_row
    price.file_bytes = options.into and high * row_bytes or nil
  end
  price.warnings = warnings(source, options, price, price.leaves, found.memory)
  return price
end

--- The price of a list of targets, which share requests.
-- @tparam table source see halyard.query.run
-- @tparam string list what it is
-- @tparam table options of the query
-- @tparam table found low, high (of each: requests, rows sent), guessed (true: by how dense rows
-- were remembered to be; else these are bounds), requests_max, window, prior
-- @treturn table numbers for `M.lines`
function M.of_targets(source, list, options, found)
  local service, prior = source.service, found.guessed and found.prior or nil
  local per_row = prior and prior.row_bytes or row_bytes
  local price = {
    service = source.name, region = list, ra = source.ra, dec = source.dec, ownership = "point",
    guard_arcsec = service.guard_arcsec or 1, form = service.takes_box and "boxes" or "cones",
    cap = service.cap, into = options.into, bytes_per_row = per_row,
    requests_max = found.requests_max,
    window = found.window, leaves = json.array({}), warnings = json.array({}),
    lower_bound = found.least, remembered_s = prior and prior.age_s,
    requests_low = found.low.requests, requests_high = found.high.requests,
    sent_low = prior and found.low.rows, sent_high = prior and found.high.rows, is_list = true,
    strategy = "neighbours share requests: circles round the circles of those that lie together, "
      .. "as large as brings\nat most half an answer and 20,000 rows that no target needs\n",
  }
  if prior then
    price.seconds_low, price.seconds_high = seconds(price, price.window)
  end
  return price
end

local function bytes(n)
  local units = { "B", "kB", "MB", "GB", "TB" }
  local i = 1
  while n >= 1000 and i < #units do
    n, i = n / 1000, i + 1
  end
  return (i == 1 and "%.0f %s" or "%.1f %s"):format(n, units[i])
end

local function duration(s)
  if s < 120 then
    return ("%.0f s"):format(math.ceil(s))
  elseif s < 7200 then
    return ("%.0f min"):format(s / 60)
  end
  return ("%.1f h"):format(s / 3600)
end

local function span(low, high, text)
  local a, b = text(low), text(high)
  return a == b and a or a .. " to " .. b
end

local function whole(n)
  return ("%d"):format(math.floor(n + 0.5))
end

local function rows_text(price)
  if price.is_list then
    return "not known: the pairs of targets and rows"
  elseif price.rows then
    return price.rows .. " (counted)"
  elseif price.rows_round then
    return ("%s (by its part of what is round it: %d counted)"):format(span(price.rows_low,
      price.rows_high, whole), price.rows_round)
  elseif price.rows_low and price.probes then
    return ("%s (from %d small question%s)"):format(span(price.rows_low, price.rows_high, whole),
      price.probes, price.probes == 1 and "" or "s")
  elseif price.rows_low then
    return ("%s (from densities remembered %s ago)"):format(span(price.rows_low, price.rows_high,
      whole), price.remembered_s >= 86400 and ("%.0f days"):format(price.remembered_s / 86400)
      or duration(price.remembered_s))
  end
  return price.offline and "not known: nothing was asked, and no densities are remembered"
    or price.counts and "unknown: not counted"
    or "unknown: the service cannot count without sending its rows"
end

--- The price as lines of text.
-- @tparam table price
-- @tparam[opt] table actual what it was: rows, requests, rows_returned, bytes, elapsed_s,
-- file_bytes
function M.lines(price, actual)
  local lines = { ("%s, %s"):format(price.service, price.region) }
  local function add(name, text, was)
    lines[#lines + 1] = ("  %-13s %s%s"):format(name, text, was and "; was " .. was or "")
  end
  local was = actual or {}
  local sent = actual and ("%d rows, %s"):format(actual.rows_returned, bytes(actual.bytes))
  local owner = price.is_list and "each target within whose radius it is"
    or "the tile of its " .. (price.ownership == "footprint" and "centre" or "position")
  add("selection", price.ra and ("columns %s, %s; a row belongs to %s; guard %g arcsec"):format(
    price.ra, price.dec, owner, price.guard_arcsec)
    or "no positions; rows in the order of their key")
  add("rows", rows_text(price), was.rows)
  add("row limit", ("%s an answer, requests as %s"):format(price.cap > 0 and price.cap
    or "not known: any round number of rows", price.form))
  local requests = price.requests_low and span(price.requests_low, price.requests_high, whole)
  if price.is_list and not price.sent_high then
    add("requests", ("%s, by how dense rows are, which is not known yet; stop at %d")
      :format(requests, price.requests_max), was.requests)
    add("transfer", "not known", sent)
    add("time", "not known", actual and duration(actual.elapsed_s))
  elseif requests then
    add("requests", ("at least %d, expected %s, stop at %d"):format(price.lower_bound, requests,
      price.requests_max), was.requests)
    add("transfer", ("%s rows, about %s at %.0f bytes a row"):format(span(price.sent_low,
      price.sent_high, whole), bytes(price.sent_high * price.bytes_per_row),
      price.bytes_per_row), sent)
    add("time", ("%s with %d in parallel, %.1f s a request (%s) and 2 MB/s"):format(
      span(price.seconds_low, price.seconds_high, duration), price.window,
      price.latency_s or latency_usual_s, price.latency_s and "the count's" or "assumed"),
      actual and duration(actual.elapsed_s))
    if price.is_list then
      return lines
    end
    add(price.file_bytes and "disk" or "memory", price.file_bytes
      and ("about %s on the way, %s in the end"):format(bytes(price.spool_bytes),
      bytes(price.file_bytes)) or ("about %s; the same on disk on the way")
      :format(bytes(price.spool_bytes)), actual and actual.file_bytes and bytes(actual.file_bytes))
  else
    add("requests", ("at least 1, stop at %d; more after the first answer")
      :format(price.requests_max), was.requests)
    local most = price.requests_max * price.cap
    add("transfer", most > 0 and ("at most %.3g rows, about %s: the stop times the row limit")
      :format(most, bytes(most * price.bytes_per_row)) or "not known", sent)
    add("time", "not known", actual and duration(actual.elapsed_s))
  end
  for _, text in ipairs(price.warnings) do
    add("may go wrong", text)
  end
  return lines
end

--- The tiles so far, as lines of text.
function M.tiles(price)
  local lines = {}
  if price.leaves[1] then
    lines[1] = "  tiles so far  ra, dec ranges in degrees"
  end
  for _, leaf in ipairs(price.leaves) do
    local predicted = (leaf.predicted_rows or -1) >= 0
      and ("  about %d rows"):format(math.floor(leaf.predicted_rows + 0.5)) or ""
    lines[#lines + 1] = ("    %.7f..%.7f  %.7f..%.7f%s"):format(leaf.ra_min, leaf.ra_max,
      leaf.dec_min, leaf.dec_max, predicted)
  end
  return lines
end

return M
