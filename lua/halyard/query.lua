-- SPDX-License-Identifier: BSD-3-Clause
-- Runs a catalogue query past an archive's row limit: asks the tile plan what to fetch next, lets
-- the dialect fetch it, keeps what each tile owns, accounts for every row. Decides nothing about
-- tiles (C: plan) and phrases no request (dialects).

local errors = require("halyard.error")
local harvest_core = require("halyard.core.harvest")
local plan_core = require("halyard.core.plan")
local report = require("halyard.report")
local system = require("halyard.core.system")
local task = require("halyard.core.task")

local M = {}

local wait_max_s = 3600
local told_wait_s = 2
local patience = 2 -- repeats of a question that was answered with something else
local row_bytes = 120 -- of one row in the output, for estimates only (tiling design 13)

-- Shape of the request for an ask.
local function shape_of(ask)
  if ask.form == "box" then
    return {
      ra_min = ask.ra_min, ra_max = ask.ra_max, dec_min = ask.dec_min, dec_max = ask.dec_max,
    }
  end
  return ask.cone
end

-- The user's region as a shape that a counting service takes, widened (or narrowed) by `margin`
-- degrees; nil for a polygon.
local function countable(region, margin)
  if region:is_circle() then
    local ra, dec, radius = region:cone()
    return { ra = ra, dec = dec, radius = math.max(0, math.min(180, radius + margin)) }
  end
  local text = tostring(region)
  if text == "ALL" then
    return { ra_min = 0, ra_max = 360, dec_min = -90, dec_max = 90 }
  end
  local a, b, c, d = text:match("^RANGE (%S+) (%S+) (%S+) (%S+)$")
  if not a then
    return nil
  end
  local ra1, ra2, dec1, dec2 = tonumber(a), tonumber(b), tonumber(c), tonumber(d)
  dec1, dec2 = math.max(-90, dec1 - margin), math.min(90, dec2 + margin)
  local width = ra2 - ra1 + (ra2 < ra1 and 360 or 0)
  local side = margin / math.max(1e-9, math.cos(math.rad(math.max(math.abs(dec1), math.abs(dec2)))))
  if width >= 360 or width + 2 * side >= 360 then
    return { ra_min = 0, ra_max = 360, dec_min = dec1, dec_max = dec2 }
  elseif width + 2 * side < 0 or dec1 > dec2 then
    return nil
  end
  return {
    ra_min = (ra1 - side) % 360, ra_max = (ra2 + side) % 360, dec_min = dec1, dec_max = dec2,
  }
end

--- The archive's own count of a region; nil when the service or the region's form has none.
function M.count(source, region, margin)
  local counts = source.service.counts or source.counts_region
  local shape = counts and countable(region, margin or 0)
  if not shape then
    return nil
  end
  local n, cost = source.count(shape)
  report.current():spent(cost)
  return n
end

-- As many rows as the service's limit, where it has one: perhaps not all.
local function at_limit(service, n)
  return service.cap > 0 and n >= service.cap
end

-- Issues what the plan asks, each ask as a task of this scope; waits when the plan waits, until the
-- next outcome or as long as it says; a long wait is told with its reason.
local function drive(plan, serve, tell)
  local pause
  local function served(ask)
    serve(ask)
    if pause then
      task.cancel(pause)
    end
  end
  while true do
    local what, value = plan:next()
    if what == "ask" then
      task.spawn(served, value)
    elseif what == "wait" then
      if value and value >= told_wait_s then
        tell(value)
      end
      pause = task.spawn(task.sleep, math.min(value or wait_max_s, wait_max_s))
      pcall(pause.join, pause)
      pause = nil
    else
      return
    end
  end
end

-- A maintenance page or a deadlock in the archive's database passes: the same question again, twice
-- (fault matrix N26). Else as errors.try.
local function patiently(source, fetch, ask)
  for pause_s = 1, patience do
    local ok, got = errors.try(fetch, ask)
    if ok or source.verdict(got) ~= "again" then
      return ok, got
    end
    task.sleep(pause_s)
  end
  return errors.try(fetch, ask)
end

-- One ask, from request to verdict.
local function server(source, plan, harvest, seen)
  local function fetch(ask)
    local shape = shape_of(ask)
    if ask.kind == "count" then
      local n, cost = source.count(shape)
      return { n = n, cost = cost }
    end
    local rows, cost = source.fetch(shape)
    local returned = #rows
    if ask.kind == "fetch" and not at_limit(source.service, returned) then
      rows = source.refine(rows)
    end
    return { rows = rows, returned = returned, cost = cost }
  end
  return function(ask)
    local ok, got = patiently(source, fetch, ask)
    if not ok then
      local verdict = source.verdict(got)
      if not verdict or verdict == "fatal" or verdict == "again" then
        error(got, 0)
      end
      seen.spent({ requests = 1, bytes = 0 })
      seen.failure = got.message
      plan:failed(ask.id, verdict, got)
      return
    end
    seen.spent(got.cost)
    if ask.kind == "count" then
      plan:counted(ask.id, got.n)
    elseif ask.kind == "probe" or at_limit(source.service, got.returned) then
      plan:complete(ask.id, got.returned, 0, 0)
    else
      local kept = harvest:tile(ask.id, got.rows, ask, ask.form)
      if not plan:complete(ask.id, got.returned, kept.kept, kept.overshoot_deg) then
        harvest:drop(ask.id)
      end
    end
    seen.progress(plan)
  end
end

local function progress_of(source, record, bytes)
  return function(plan)
    local account = plan:account()
    system.emit("progress", {
      stage = source.name, done = account.tiles_done, known = account.tiles_known,
      unit = "tiles", rows = account.rows_kept, bytes = bytes.n, elapsed_s = record:elapsed(),
      rows_expected = account.rows_expected and account.rows_expected >= 0
        and account.rows_expected or nil,
    })
  end
end

-- Rows kept against the archive's own count. A difference is explained only by rows within the
-- guard of the region's border: the counts of the region made narrower and wider by it bound it.
local function verify(source, region, kept, counted)
  if not counted or kept == counted then
    return counted and "equal to the archive's count"
      or source.answers_counted and "every answer equal to the archive's count of it"
      or "not verified: the service has no count"
  end
  local guard = (source.service.guard_arcsec or 1) / 3600
  local least = M.count(source, region, -guard) or counted
  local most = M.count(source, region, guard) or counted
  if kept < least or kept > most then
    errors.raise("integrity", ("%s: %d rows came, the archive counts %d; the catalogue cannot be "
      .. "trusted, run it again"):format(source.name, kept, counted),
      { rows = kept, rows_counted = counted })
  end
  return ("%d rows against %d counted: explained by rows on the region's border")
    :format(kept, counted)
end

local function options_of(source, record, options, known)
  return {
    window = options.parallel or source.window,
    known_rows = source.service.counts and known or -1,
    requests_max = record.budget.requests and math.max(1, record.budget.requests - record.requests)
      or 0,
    rows_max = record.budget.rows or 0,
  }
end

local function summarise(account)
  local out = {}
  for _, key in ipairs({ "requests", "over", "ambiguous", "transient", "probes", "counts",
    "rows_returned", "rows_kept", "overshoot_arcsec", "lower_bound" }) do
    out[key] = account[key]
  end
  out.tiles, out.rows_dropped = account.tiles_done, account.rows_returned - account.rows_kept
  return out
end

local function run_plan(source, region, options, record, known)
  local plan = plan_core.new(source.service, region, options_of(source, record, options, known))
  local harvest <close> = harvest_core.new({
    dir = record.output, ra = source.ra, dec = source.dec, id = source.id, region = region,
  })
  local bytes = { n = 0 }
  local progress = progress_of(source, record, bytes)
  local seen = {
    spent = function(cost)
      bytes.n = bytes.n + cost.bytes
      record:spent(cost)
    end,
    progress = progress,
  }
  local serve = server(source, plan, harvest, seen)
  -- A scope of its own: its tasks have ended, or are cancelled, when it returns.
  task.all({
    function()
      drive(plan, serve, function(seconds)
        system.log("info", ("%s: asking again in %.0f s; %s"):format(source.name, seconds,
          seen.failure or "the archive is silent"))
      end)
    end,
  })
  local failure = plan:error()
  if failure then
    error(failure, 0)
  end
  progress(plan)
  local account = plan:account()
  local verdict = verify(source, region, account.rows_kept, known)
  local result = { account = account, verified = verdict, bytes = bytes.n }
  if options.into then
    result.path = record:path(options.into)
    local merged = harvest:merge(result.path, options.format or "csv")
    result.rows, result.file_bytes, result.duplicates = merged.rows, merged.bytes, merged.duplicates
  else
    result.table = harvest:table()
    result.rows = #result.table
  end
  if result.rows ~= account.rows_kept then
    errors.raise("integrity", ("%s: %d rows were kept but %d came out of the merge")
      :format(source.name, account.rows_kept, result.rows))
  elseif (result.duplicates or 0) > 0 then
    errors.raise("integrity", ("%s: %d rows repeat a %s: the table changed during the run, or its "
      .. "positions do; run it again"):format(source.name, result.duplicates, source.id))
  end
  return result
end

-- What would be asked, with at most one counting request in the whole run.
local function dry_run(source, region, options, record)
  local known
  if not record.counted and source.service.counts then
    record.counted = true
    known = M.count(source, region)
  end
  local plan = plan_core.new(source.service, region, options_of(source, record, options, known))
  local asks = {}
  repeat
    local what, ask = plan:next()
    if what == "ask" then
      asks[#asks + 1] = ask
    end
  until what ~= "ask"
  local account, boxes = plan:account(), source.service.takes_box
  local cap = source.service.cap
  local least = known and cap > 0 and math.max(1, math.ceil(known / cap)) or nil
  record.plans[#record.plans + 1] = {
    service = source.name, region = tostring(region), ra = source.ra, dec = source.dec,
    ownership = "point", guard_arcsec = source.service.guard_arcsec or 1, rows = known,
    form = boxes and "boxes" or "cones", cap = cap, lower_bound = least,
    requests_low = least and (least == 1 and 1 or math.ceil(least * (boxes and 1.3 or 2.8))),
    requests_high = least and (least == 1 and 1 or math.ceil(least * (boxes and 3.6 or 5.6))),
    requests_max = account.requests_max, bytes = known and known * row_bytes,
    bytes_per_row = row_bytes,
    into = options.into, leaves = plan:leaves(), asks = asks,
  }
end

--- Runs a query.
-- @tparam table source name, service (capabilities), ra, dec, id (column names), window, and the
-- functions fetch(shape) -> rows, cost; refine(rows) -> rows; count(shape) -> n, cost;
-- verdict(err) -> text or nil; counts_region: `count` takes the whole region, though not every
-- tile; answers_counted: each answer's rows were compared with the archive's count of that answer
-- @tparam halyard.region region
-- @tparam table options into, format, parallel
-- @treturn table rows, account, verified, and path (with `into`) or table; nil in a dry run
-- @raise `integrity` when rows are missing, `partial` when tiles could not be fetched
function M.run(source, region, options)
  local record = report.current()
  if record.dry then
    dry_run(source, region, options, record)
    return nil
  end
  local began = system.monotonic()
  local known = M.count(source, region)
  local result = run_plan(source, region, options, record, known)
  local entry = summarise(result.account)
  entry.service, entry.region, entry.rows = source.name, tostring(region), result.rows
  entry.verified, entry.rows_counted, entry.bytes = result.verified, known, result.bytes
  entry.file, entry.elapsed_s = options.into, system.monotonic() - began
  record.queries[#record.queries + 1] = entry
  return result
end

return M
