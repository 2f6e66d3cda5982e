-- SPDX-License-Identifier: BSD-3-Clause
-- Runs a catalogue query past an archive's row limit: asks the tile plan what to fetch next, lets
-- the dialect fetch it, keeps what each tile owns, accounts for every row. Decides nothing about
-- tiles (C: plan) and phrases no request (dialects).

local audit = require("halyard.audit")
local books = require("halyard.account")
local densities = require("halyard.densities")
local errors = require("halyard.error")
local harvest_core = require("halyard.core.harvest")
local json = require("halyard.json")
local plan_core = require("halyard.core.plan")
local prices = require("halyard.price")
local probe = require("halyard.probe")
local report = require("halyard.report")
local resume = require("halyard.resume")
local sky = require("halyard.core.sky")
local system = require("halyard.core.system")
local task = require("halyard.core.task")

local M = {}

local wait_max_s = 3600
local told_wait_s = 2
local patience = 2 -- repeats of a question that was answered with something else
local row_bytes_least = 24 -- of one row in memory: key and position
local table_bytes_max = 1 << 30 -- of a table in memory, where the workflow does not say
local copies_asked = 3 -- older copies of rows that came twice whose place is asked again
local rows_measured = 1000 -- from which on the size of a row is taken from the rows that came

-- Shape of the request for an ask: a box or a cone, or for services of outlines the user's region
-- itself (`whole`, with a box: ranges of the centre), the rows without position (`no_position`); a
-- range of a column, and of further ones (`outer`, a list); a page of at most `page_rows` rows in
-- the order of the key.
local function shape_of(ask)
  local shape = ask.form == "box" and {
    ra_min = ask.ra_min, ra_max = ask.ra_max, dec_min = ask.dec_min, dec_max = ask.dec_max,
  } or { ra = ask.cone.ra, dec = ask.cone.dec, radius = ask.cone.radius }
  for _, key in ipairs({ "whole", "no_position", "column", "column_null", "column_min",
    "column_max", "outer", "page_rows", "order" }) do
    shape[key] = ask[key] or nil
  end
  return shape
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
  local outlines = source.service.match == "footprint" or not source.ra
  local counts = source.service.counts or source.counts_region
  local shape = counts and (outlines and { whole = true } or countable(region, margin or 0))
  if not shape then
    return nil
  end
  local n, cost = source.count(shape)
  report.current():spent(cost)
  return n
end

local function do_without_counts(source)
  source.counts_region, source.uncounted = false, true
end

-- The count that a query begins with; nil when the service has none. One that takes the archive too
-- long is done without: probes show where the rows are, as at services that do not count; then with
-- a sentence about it.
local function count_first(source, region)
  local ok, n = errors.try(M.count, source, region)
  if ok then
    return n
  end
  local verdict = source.verdict(n)
  if verdict ~= "over" and verdict ~= "ambiguous" and verdict ~= "stalled" then
    error(n, 0)
  end
  report.current():spent({ requests = 1, bytes = 0 })
  do_without_counts(source)
  return nil, ("the archive does not count the rows (%s): probes show where they are, and no count "
    .. "proves that all came"):format(n.message)
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

-- Of a full page the rows that are kept: those with the last key come again with the next page, for
-- all may not be there. Gives them and the key from which the next page starts.
local function cut_page(rows, id)
  local last, n = rows:get(#rows, id), #rows
  while n > 0 and rows:get(n, id) == last do
    n = n - 1
  end
  return rows:slice(1, n), last
end

-- The answer to an ask: n; cells, counts; or rows and returned; cost.
local function answer_to(source, ask, series)
  local shape = shape_of(ask)
  if ask.kind == "count" then
    local n, cost = source.count(shape)
    return { n = n, cost = cost }
  elseif ask.kind == "histogram" then
    local cells, counts, cost = source.histogram(shape)
    return { cells = cells, counts = counts, cost = cost }
  end
  shape.from_key = ask.series and series[ask.series]
  local rows, cost = source.fetch(shape)
  return { rows = rows, returned = #rows, cost = cost }
end

-- One ask, from request to verdict.
local function server(source, plan, harvest, seen, log)
  local series = {} -- of pages: the key from which the next one starts
  local function fetch(ask)
    return answer_to(source, ask, series)
  end
  local function fields(began, cost)
    local numbers = plan:account()
    return {
      began = began, answer_bytes = cost.bytes, pending = numbers.tiles_known - numbers.tiles_done,
    }
  end
  -- Rows that are in the harvest; false: the plan does not want them.
  local function complete(ask, kept, next_key)
    if ask.page then
      series[ask.series] = next_key
    end
    if kept.printed_deg > (source.service.pos_quantum_deg or 0) then
      seen.rounded = kept.printed_deg
      plan:printed(kept.printed_deg)
    end
    if plan:complete(ask.id, kept.returned, kept.kept, kept.overshoot_deg) then
      seen.tile(ask, kept)
      return true
    end
    harvest:drop(ask.id)
    return false
  end
  local function take_rows(ask, got, began, from_key)
    local rows, next_key = got.rows, nil
    if ask.page and plan:page_is_full(ask.id, got.returned) then
      rows, next_key = cut_page(rows, source.id)
    end
    local kept = harvest:tile(ask, source.refine(rows), began)
    kept.returned, kept.began = got.returned, began
    local wanted = complete(ask, kept, next_key)
    if log and wanted then
      log:done(ask, from_key, kept, next_key, fields(began, got.cost))
    elseif log then
      log:over(ask, from_key, "rows", kept, fields(began, got.cost))
    end
  end
  local function take_numbers(ask, got)
    if ask.kind == "count" then
      plan:counted(ask.id, got.n)
    elseif ask.kind == "histogram" then
      plan:histogram(ask.id, got.cells, got.counts)
    else
      plan:complete(ask.id, got.returned, 0, 0)
    end
  end
  -- What an earlier run was told, instead of asking; false: nothing that can be used.
  local function recall(ask)
    local old = log and log:find(ask, series[ask.series])
    if not old then
      return false
    elseif old.kind == "told" then
      take_numbers(ask, old.answer)
    elseif old.kind == "over" and old.how == "rows" then
      plan:complete(ask.id, old.returned, old.kept, old.overshoot_deg)
    elseif old.kind == "over" then
      local why = errors.new("truncated", "it failed in the earlier run")
      plan:failed(ask.id, old.how, why, true)
    else
      local ok, why = errors.try(harvest.adopt, harvest, ask, old)
      if not ok then
        system.log("warning", ("%s: asking again: %s"):format(source.name, why.message))
        return false
      end
      complete(ask, old, old.next_key)
    end
    seen.recalled(old.answer_bytes)
    seen.progress(plan)
    return true
  end
  return function(ask)
    if recall(ask) then
      return
    end
    local began, from_key = books.now(), ask.series and series[ask.series]
    local ok, got = patiently(source, fetch, ask)
    if not ok then
      local verdict = source.verdict(got)
      local dispensable = ask.kind == "histogram" or ask.kind == "count"
      if not verdict or verdict == "again" or verdict == "fatal" and not dispensable then
        error(got, 0)
      end
      seen.spent({ requests = 1, bytes = 0 })
      seen.failure = got.message
      plan:failed(ask.id, verdict, got)
      if log and verdict ~= "transient" then
        log:over(ask, from_key, verdict, nil, fields(began, { bytes = 0 }))
      end
      return
    end
    seen.spent(got.cost)
    if ask.kind == "fetch" then
      take_rows(ask, got, began, from_key)
    else
      take_numbers(ask, got)
      if log then
        log:told(ask, from_key, { n = got.n, cells = got.cells, counts = got.counts,
          returned = got.returned }, fields(began, got.cost))
      end
    end
    seen.progress(plan)
  end
end

-- Refuses a table that takes more memory than it may: `bytes`, or so many of `rows` rows.
local function check_memory(source, most, bytes, rows)
  if bytes <= most then
    return
  end
  local what = rows and ("%d rows take about"):format(rows) or "the rows so far take"
  errors.raise("budget", ("%s: %s %.0f MiB of memory, a table may take %.0f MiB: write a file, "
    .. 'into = "rows.csv" (any size in little memory), or raise budget.memory'):format(source.name,
    what, bytes / (1 << 20), most / (1 << 20)))
end

-- Watches what the kept rows of a table will take: what they take now, and where their number is
-- known what all of them will.
local function memory_watch(source, options, record, known)
  if options.into then
    return function() end
  end
  local most, rows, bytes = record.budget.memory or table_bytes_max, 0, 0
  if known then
    local least = source.row_bytes or row_bytes_least
    check_memory(source, most, known * least, known)
  end
  return function(kept)
    rows, bytes = rows + kept.kept, bytes + kept.kept_bytes
    check_memory(source, most, bytes)
    if known and rows >= rows_measured then
      check_memory(source, most, bytes / rows * known, known)
    end
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

-- Rows kept (and those known to be out of reach) against the archive's own count. A difference is
-- explained by a table that changed meanwhile (a second count shows it), or by rows within the
-- guard of the region's border (the counts of the region made narrower and wider by it bound it).
local function verify(source, region, kept, counted, book)
  if not counted or kept == counted then
    return counted and "equal to the archive's count"
      or source.answers_counted and "every answer equal to the archive's count of it"
      or book.is_list and "not verified: what belongs to a list of targets is not counted"
      or source.uncounted and "not verified: the archive did not count the rows"
      or source.service.counts and "not verified: the archive counts circles and boxes, not this "
        .. "region; verify = \"audit\" checks some tiles"
      or "not verified: the service has no count"
  end
  local after = M.count(source, region) or counted
  local guard = (source.service.guard_arcsec or 1) / 3600
  local least = math.min(counted, after, M.count(source, region, -guard) or counted)
  local most = math.max(counted, after, M.count(source, region, guard) or counted)
  if kept < least or kept > most then
    errors.raise("integrity", ("%s: %d rows came, the archive counts %d; the catalogue cannot be "
      .. "trusted, run it again"):format(source.name, kept, counted),
      { rows = kept, rows_counted = counted })
  elseif after == counted then
    return ("%d rows against %d counted: explained by rows on the region's border")
      :format(kept, counted)
  end
  local finding = ("the table changed during the run: %d rows counted before, %d after, %d came")
    :format(counted, after, kept)
  book.fields.rows_counted_after = after
  book:finding(finding)
  return finding
end

-- Why rows that changed between two answers cannot be told; nil when they can. A key may not be
-- one: where an older copy is still in its place, two rows have it.
local function untold(source, changed)
  if not changed then
    return source.id and "a row may belong to several targets"
      or "no column is known that tells rows apart"
  elseif changed.repeated then
    return ("%s %s repeats within one answer: it does not tell rows apart"):format(source.id,
      changed.repeated)
  end
  for i = 1, math.min(copies_asked, #changed.named) do
    local row = changed.named[i]
    if audit.is_there(source, row) then
      return ("two rows have %s %s: it does not tell rows apart"):format(source.id, row.key)
    end
  end
end

-- Rows that changed between two answers, by their key (tiling design 4.5): the copy asked for last
-- is kept, the account says which; what cannot be known is said, unless one answer held all rows.
local function settle(source, harvest, numbers, book)
  if numbers.tiles_done < 2 then
    book.fields.changed_during_run = { rows = 0 }
    return
  end
  local changed = harvest:settle(false)
  local unknown = untold(source, changed)
  if unknown then
    book.fields.changed_during_run = { unknown = unknown }
    return
  end
  local n, keys = changed.rows, {}
  for i, row in ipairs(changed.named) do
    keys[i] = row.key
  end
  book.fields.changed_during_run = { rows = n, keys = n > 0 and json.array(keys) or nil }
  if n > 0 then
    harvest:settle(true)
    numbers.rows_kept = numbers.rows_kept - n
    book:finding(("%d row%s changed during the run: the copy asked for last is kept of %s %s%s")
      :format(n, n == 1 and "" or "s", source.id, table.concat(keys, ", "),
      #keys < n and ", ..." or ""))
  end
end

local function options_of(source, record, options, known)
  return {
    window = options.parallel or source.window,
    known_rows = source.service.counts and known or -1, count_failed = source.uncounted or false,
    requests_max = record.budget.requests and math.max(1, record.budget.requests - record.requests)
      or source.requests_max or 0,
    rows_max = record.budget.rows or 0, prior = densities.recall(source),
  }
end

-- Rows that no request can select, by the plan's arithmetic or as the source knows; nil: unknown.
local function out_of_reach(source, numbers)
  if numbers.state ~= "complete except" then
    return 0
  end
  local n = source.unplaced or numbers.rows_unreachable
  return n >= 0 and n or nil
end

-- State of a plan that is complete, but for rows that no request can select.
local function state_of(source, unreached)
  if unreached == 0 then
    return "complete"
  end
  local service = source.service
  local lacking = service.pos_nullable and not service.null_test and "position" or "a value"
  local what = unreached and ("%d row%s without %s"):format(unreached, unreached == 1 and "" or "s",
    lacking) or ("rows without %s, whose number is not known"):format(lacking)
  return "complete except " .. what, ("the service cannot be asked for rows without %s: ask for "
    .. "them by criteria (where) on other columns"):format(lacking)
end

-- The proof that the caller wants of a plan that is complete; a text, or an error.
local function verified(source, region, how, known, reached, plan, harvest, book)
  if how == "none" then
    return "not verified: verify is none"
  end
  local sum = verify(source, region, reached, known, book)
  if how ~= "audit" then
    return sum
  end
  return sum .. "; " .. audit.run(source, plan:leaves(), harvest, region)
end

-- What the plan's account adds to the entry in the report.
local function summarise(numbers)
  local out = {}
  for _, key in ipairs({ "requests", "over", "ambiguous", "transient", "refused", "probes",
    "counts", "histograms", "rows_returned", "rows_kept", "overshoot_arcsec", "lower_bound" }) do
    out[key] = numbers[key]
  end
  out.tiles, out.rows_dropped = numbers.tiles_done, numbers.rows_returned - numbers.rows_kept
  return out
end

-- The failure of a plan that ended without all tiles; nil when it has them all.
local function shortfall(plan)
  local failure = plan:error()
  if failure and plan:account().state ~= "partial" then
    error(failure, 0)
  elseif failure and failure.code == "truncated" then
    failure.code = "partial"
  end
  return failure
end

-- The rows in the file or the table that the caller wants; nothing may be lost on the way.
local function deliver(source, harvest, options, result)
  if options.into then
    result.path, result.format = report.current():file(options, "query")
    local merged = harvest:merge(result.path, result.format)
    result.rows, result.file_bytes, result.duplicates = merged.rows, merged.bytes, merged.duplicates
  else
    result.table = harvest:table()
    result.rows = #result.table
  end
  if result.rows ~= result.account.rows_kept then
    errors.raise("integrity", ("%s: %d rows were kept but %d came out of the merge")
      :format(source.name, result.account.rows_kept, result.rows))
  elseif (result.duplicates or 0) > 0 then
    errors.raise("integrity", ("%s: %d rows repeat a %s: the table changed during the run, or its "
      .. "positions do; run it again"):format(source.name, result.duplicates, source.id))
  end
end

local function expected_text(price)
  return not (price and price.requests_low) and "not predicted (no count)"
    or price.requests_low == price.requests_high and ("%d predicted"):format(price.requests_low)
    or ("%d to %d predicted"):format(price.requests_low, price.requests_high)
end

-- When it is closed, the picture of what became of the tiles is kept, whatever ended the query.
local function picture_at_end(source, region, record, plan, price)
  return setmetatable({}, {
    __close = function(_, err)
      if not record.pictures or errors.is(err, "cancelled") then
        return
      end
      local picture = require("halyard.picture").take("actual", plan, region)
      local account = plan:account()
      local missing = account.tiles_known - account.tiles_done
      picture.title = ("%s: %s"):format(source.name, missing > 0
        and ("partial, %d of %d tiles missing"):format(missing, account.tiles_known)
        or err ~= nil and "failed" or "complete")
      picture.note = ("tiles: %d; rows: %d; requests: %d, %s"):format(account.tiles_done,
        account.rows_kept, account.requests, expected_text(price))
      record.pictures[#record.pictures + 1] = picture
    end,
  })
end

local function run_plan(source, region, options, record, book, log)
  if source.prepare then
    source.prepare()
  end
  local began, before, aim = system.monotonic(), log and log.inputs, options.aim
  local known, latency
  if before then
    known = before.known
    if before.uncounted then
      do_without_counts(source)
    end
  elseif not aim then
    local finding
    if source.known then
      known = source.known
    else
      known, finding = count_first(source, region)
    end
    if finding then
      book:finding(finding)
    end
    latency = known and not source.known and system.monotonic() - began or nil
  end
  book.fields.rows_counted, book.fields.verify = known, options.verify or "sum"
  local watch = memory_watch(source, options, record, known)
  local wanted = options_of(source, record, options, known)
  if before then
    wanted.prior = before.prior
  elseif log then
    log:begin({ known = known, prior = wanted.prior, quantum = source.service.pos_quantum_deg,
      uncounted = source.uncounted })
  end
  local plan = aim and aim:plan(source, wanted) or plan_core.new(source.service, region, wanted)
  local price = aim and aim:price(source, wanted, options) or prices.of(source, region, options, {
    known = known, latency_s = latency, window = wanted.window, plan = plan,
    prior = wanted.prior, memory = record.budget.memory or table_bytes_max,
  })
  local _ <close> = picture_at_end(source, region, record, plan, price)
  local harvest <close> = harvest_core.new({
    dir = log and log.folder or record.output, lasting = log ~= nil,
    last_file = log and log.extent.last_file, ra = source.ra, dec = source.dec, id = source.id,
    region = region,
    footprints = source.service.match == "footprint",
    nullable = source.service.pos_nullable or not source.ra, targets = aim and aim.list,
  })
  local bytes = { n = 0 }
  local progress = progress_of(source, record, bytes)
  local seen = {
    spent = function(cost)
      bytes.n = bytes.n + cost.bytes
      record:spent(cost)
    end,
    recalled = function(n)
      bytes.n = bytes.n + n
    end,
    tile = function(ask, kept)
      book:tile(ask, kept)
      watch(kept)
    end,
    progress = progress,
  }
  local serve = server(source, plan, harvest, seen, log)
  -- A scope of its own: its tasks have ended, or are cancelled, when it returns.
  local ok, why = pcall(task.all, {
    function()
      drive(plan, serve, function(seconds)
        system.log("info", ("%s: asking again in %.0f s; %s"):format(source.name, seconds,
          seen.failure or "the archive is silent"))
      end)
    end,
  })
  local numbers = plan:account()
  if ok then
    settle(source, harvest, numbers, book)
  end
  book:summary(numbers)
  book.fields.missing = json.array(plan:stuck())
  for _, finding in ipairs(plan:findings()) do
    book:finding(finding)
  end
  if not ok then
    book.rounded = seen.rounded
    error(why, 0)
  end
  progress(plan)
  local result = {
    account = numbers, bytes = bytes.n, rows_counted = known, state = "complete",
    account_path = record:path(book:file()),
  }
  local short = shortfall(plan)
  if short then
    book.fields.state, book.fields.remedy = "partial", short.message
    if not options.partial then
      error(short, 0)
    end
    result.state, result.remedy = "partial", short.message
    result.verified = "not verified: not all tiles are there"
  else
    local unreached = out_of_reach(source, numbers)
    result.state, result.remedy = state_of(source, unreached)
    result.verified = verified(source, region, options.verify, known,
      numbers.rows_kept + (unreached or 0), plan, harvest, book)
  end
  if not short and numbers.tiles_done > 1 then
    densities.remember(source, plan:densities(densities.regions_most),
      bytes.n / math.max(1, numbers.rows_returned))
  end
  deliver(source, harvest, options, result)
  if aim then
    aim:finish(plan, harvest, options, result, book)
  end
  result.elapsed_s = system.monotonic() - began
  result.price = price and prices.lines(price, {
    rows = result.rows, requests = numbers.requests, rows_returned = numbers.rows_returned,
    bytes = bytes.n, elapsed_s = result.elapsed_s, file_bytes = result.file_bytes,
  }) or {}
  return result
end

-- The count that a plan asks for where the region's form has none of its own: of the box or circle
-- round it; `share`: how much of that is the region. nil when it does not come.
local function count_round(source, region, plan, ask)
  local shape = shape_of(ask)
  local ok, n, cost = errors.try(source.count, shape)
  if not ok then
    return nil
  end
  report.current():spent(cost)
  plan:counted(ask.id, n)
  local asked = shape.radius and sky.circle(shape.ra, shape.dec, shape.radius)
    or sky.box(shape.ra_min, shape.ra_max, shape.dec_min, shape.dec_max)
  return { rows = n, share = math.min(1, region:area() / math.max(asked:area(), 1e-12)) }
end

-- What would be asked, with at most one counting request, or a few small questions where nothing
-- else tells how many rows there are, in the whole run; none when only the strategy is explained.
local function dry_run(source, region, options, record)
  if options.aim then
    record.plans[#record.plans + 1] = options.aim:price(source, options_of(source, record, options),
      options)
    return
  end
  local offline = system.setting("offline") == "yes"
  local known, began = source.known, system.monotonic()
  local latency
  local may_ask = not record.counted and not record.silent and not offline
  if not known and may_ask and source.service.counts then
    local finding
    known, finding = count_first(source, region)
    record.counted = known ~= nil or finding ~= nil
    latency = known and system.monotonic() - began
    if finding then
      system.log("warning", ("%s: %s"):format(source.name, finding))
    end
  end
  local wanted = options_of(source, record, options, known)
  local tells, strategy = wanted.prior and densities.is_near(wanted.prior, region), nil
  if not known and not tells and may_ask and not source.service.counts then
    record.counted = true
    strategy = plan_core.new(source.service, region, wanted):explain() -- a run does not ask these
    wanted.prior = probe.densities(source, region) or wanted.prior
  end
  local plan = plan_core.new(source.service, region, wanted)
  local asks, round = {}, nil
  repeat
    local what, ask = plan:next()
    if what == "ask" and ask.kind == "count" and may_ask and not record.counted then
      record.counted = true
      round = count_round(source, region, plan, ask)
    end
    if what == "ask" then
      asks[#asks + 1] = ask
    end
  until what ~= "ask"
  local price = prices.of(source, region, options, {
    known = known, latency_s = latency, window = wanted.window, plan = plan,
    prior = wanted.prior, round = round, strategy = strategy,
    memory = record.budget.memory or table_bytes_max, offline = offline,
  })
  price.asks = asks
  record.plans[#record.plans + 1] = price
  if record.pictures then
    local picture, account = require("halyard.picture").take("predicted", plan, region, asks),
      plan:account()
    picture.title = source.name .. ": plan"
    picture.note = ("tiles so far: %d; rows: %s; requests: %s, stop at %d"):format(
      account.tiles_known, known and ("%d (counted)"):format(known) or "unknown",
      expected_text(price), account.requests_max)
    record.pictures[#record.pictures + 1] = picture
  end
end

--- Runs a query.
-- @tparam table source name, service (capabilities), ra, dec, id (column names), window, known (the
-- archive's count, if it was asked), requests_max (if not the plan's own limit), unplaced (how many
-- of those counted have no position), row_bytes (what
-- a row takes in memory at least, where the columns are known), url, memorable (true: all rows are
-- asked for, so that their densities tell something about later queries), and the functions
-- fetch(shape) -> rows, cost; refine(rows) -> rows; count(shape) -> n, cost; histogram(shape) ->
-- cells, counts, cost; verdict(err) -> text or nil; prepare() (optional) asks what it needs beside
-- the tiles, so that the rest of the budget is the plan's. Without ra and dec the rows have no
-- positions.
-- counts_region: `count` takes the whole region, though not every tile; answers_counted: each
-- answer's rows were compared with the archive's count of that answer; asked: a table of all that
-- decides which rows come beside the region, without which an interrupted query begins anew
-- @tparam halyard.region region
-- @tparam table options into, format, parallel, verify ("none", "sum", "audit"), partial (true:
-- rows of the tiles that could be fetched, instead of an error), aim (see halyard.targets: the
-- region is the whole sky then)
-- @treturn table rows, account, account_path, verified, state ("complete", "complete except ...",
-- "partial"), remedy (when something is missing), and path (with `into`) or table; nil in a dry run
-- @raise `integrity` when rows are missing, `partial` when tiles could not be fetched, `budget`
function M.run(source, region, options)
  local record = report.current()
  if record.dry then
    dry_run(source, region, options, record)
    return nil
  end
  local log <close> = resume.open(source, region, options, record)
  local coarse = log and log.inputs and log.inputs.quantum
  source.service.pos_quantum_deg = coarse or source.service.pos_quantum_deg
  local book = books.begin(record, source, region, options)
  if options.aim then
    options.aim:describe(book)
  end
  local ok, result = pcall(run_plan, source, region, options, record, book, log)
  if not ok and book.rounded and errors.is(result, "integrity") then
    -- Positions are coarser than the record says, and tiles had been asked for: with a guard that
    -- fits, from the beginning.
    system.log("info", ("%s: asking again; %s"):format(source.name, result.message))
    source.service.pos_quantum_deg = book.rounded
    book = books.again(book)
    if log then
      log:restart()
    end
    ok, result = pcall(run_plan, source, region, options, record, book, log)
  end
  if log then
    log:finish(ok and result.state, result)
  end
  if not ok then
    if not errors.is(result, "cancelled") then -- the failure itself is what counts
      pcall(book.close, book, { state = book.fields.state or "failed", error = tostring(result) })
    end
    error(result, 0)
  end
  book:close({
    state = result.state, remedy = result.remedy, verified = result.verified, rows = result.rows,
    bytes = result.bytes, elapsed_s = result.elapsed_s, file_bytes = result.file_bytes,
    price = json.array(result.price),
  })
  local entry = summarise(result.account)
  entry.service, entry.region, entry.rows = source.name, book.fields.region, result.rows
  entry.verified, entry.rows_counted, entry.bytes = result.verified, result.rows_counted,
    result.bytes
  entry.state, entry.remedy, entry.account = result.state, result.remedy, book:file()
  entry.file, entry.elapsed_s = options.into, result.elapsed_s
  entry.targets = result.targets
  entry.price = json.array(result.price)
  record.queries[#record.queries + 1] = entry
  return result
end

return M
