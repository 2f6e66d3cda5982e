-- SPDX-License-Identifier: BSD-3-Clause
-- Observations of MAST (CAOM rows): by place, by criteria, counted, and past the archive's limit.
-- Such a service matches footprints, so the user's region stays in every question as it is and the
-- questions are parted by ranges of the centre columns (tiling design 4.3).

local door = require("halyard.archive.door")
local errors = require("halyard.error")
local json = require("halyard.json")
local mashup = require("halyard.archive.mashup")
local query = require("halyard.query")
local sky = require("halyard.core.sky")
local suggest = require("halyard.suggest")
local system = require("halyard.core.system")
local table_core = require("halyard.core.table")

local M = {}

local row_key = "objID"

--- Name of the archive's list of observation columns.
M.config = "Mast.Caom.Cone"

local arcsec_per_deg = 3600
local empty_columns = { "obsid", "obs_id", "obs_collection", "target_name" }

local function circle_of(options, what)
  if options.region == nil then
    return nil
  elseif type(options.region) ~= "userdata" or not options.region:is_circle() then
    errors.raise("usage", what .. " takes a circle: sky.cone(center, radius)")
  end
  local ra, dec, radius = options.region:cone()
  return { ra = ra, dec = dec, radius = radius }
end

-- What is asked: the circle, the filters of the criteria, the service that takes both.
local function question_of(options, what)
  local circle = circle_of(options, what)
  local where = options.where and next(options.where) and options.where
  if not circle and not where then
    errors.raise("usage", what .. " needs a region, criteria (where), or both")
  end
  local columns = where and mashup.columns(M.config)
  if where and not columns then
    errors.raise("protocol", "the archive sent no list of observation columns")
  end
  return {
    circle = circle, where = where,
    service = circle and "Mast.Caom.Filtered.Position" or "Mast.Caom.Filtered",
    filters = mashup.filters(columns or {}, where, "observations"),
    position = circle and ("%s, %s, %s"):format(json.encode(circle.ra), json.encode(circle.dec),
      json.encode(circle.radius)),
  }
end

local missions = {}

--- Names of the missions and collections that have observations, sorted.
function M.missions()
  local key = door.base("mashup")
  if not missions[key] then
    local names = door.aside(mashup.rows("Mast.Missions.List", {})):list("distinctValue")
    table.sort(names)
    missions[key] = names
  end
  return missions[key]
end

-- Nothing was found: not for a mission that does not exist, of which there could be nothing.
local function check_missions(where)
  for name, value in pairs(where or {}) do
    if name:lower() == "obs_collection" then
      local known = {}
      for _, each in ipairs(M.missions()) do
        known[each:lower()] = true
      end
      for _, each in ipairs(type(value) == "table" and value or { value }) do
        local text = tostring(each)
        if not text:find("*", 1, true) and not known[text:lower()] then
          suggest.unknown("mission (obs_collection)", text, M.missions())
        end
      end
    end
  end
end

local function count(question, filters)
  return mashup.count(question.service, { filters = filters or question.filters,
    position = question.position })
end

-- Rows without helper columns; the distance (arcsec, from the circle's centre to the footprint, 0
-- inside) in degrees; units and meanings as the archive lists them.
local function told(rows)
  local has = {}
  for _, name in ipairs(rows.columns) do
    has[name] = true
  end
  if has.distance then
    rows = rows:with("sep_deg", rows:column("distance") / arcsec_per_deg, {
      unit = "deg", ucd = "pos.angDistance",
      description = "from the centre of the circle to the footprint, 0 inside",
    })
  end
  rows = door.without(rows, { _selected_ = true, distance = true, objID1 = true })
  local ok, columns = errors.try(mashup.columns, M.config)
  if not ok then
    system.log("warning", "observations: units and descriptions are not known: "
      .. tostring(columns))
  end
  return door.described(rows, ok and columns or {})
end

-- The whole of a question in one answer, in the archive's order.
local function ask_whole(question, tries)
  if question.circle and not question.where then
    return mashup.rows("Mast.Caom.Cone", question.circle, { tries = tries, key = row_key })
  end
  return mashup.rows(question.service, {
    columns = "*", filters = question.filters, position = question.position,
  }, { tries = tries, key = row_key })
end

-- Start and length of exposure: they split what lies at one place. Identifiers are texts.
local times = { name = "t_min", decimals = 6, rounded = true, nullable = true, min = 40000,
  max = 70000 }
local lengths = { name = "t_exptime", decimals = 3, rounded = true, nullable = true, min = 0,
  max = 100000 }
local requests_least = 400 -- centres lie in few places of a wide sky: finding them takes cuts
local far = 1e12 -- beyond all values of a column: the service takes no open ranges

-- Filters of a part: ranges of the centre, of a column, or of neither.
local function each_part(question, shape, f)
  local filters = question.filters
  if shape.column then
    filters = json.array(table.move(filters, 1, #filters, 1, {}))
    for _, range in ipairs({ shape, table.unpack(shape.outer or {}) }) do
      filters[#filters + 1] = { paramName = range.column, values = json.array({
        { min = range.column_min or -far, max = range.column_max or far } }) }
    end
  end
  if shape.whole then
    f(filters)
    return
  end
  door.each_box(shape, function(...)
    f(mashup.boxed(filters, "s_ra", "s_dec", ...))
  end)
end

-- The question in parts: boxes of s_ra and s_dec over all the sky (centres may lie outside the
-- region), the region unchanged in each. `counted`: how many there are, nil when nobody has asked;
-- `unplaced`: how many of these have no centre; it is not known whether filters can ask for them.
local function source_of(question, counted, unplaced, cap)
  local breaker = mashup.breaker()
  local service = {
    match = "footprint", centre_columns = true, counts = true, over_is_slow = true, cap = cap,
    pos_nullable = unplaced > 0, alt_split = unplaced == 0 and { times, lengths } or nil,
  }
  return {
    name = question.service, id = row_key, ra = "s_ra", dec = "s_dec", window = 4, known = counted,
    requests_max = counted and math.max(requests_least, 40 * math.ceil(counted / cap)),
    unplaced = unplaced, verdict = door.verdict, refine = told, service = service,
    url = door.base("mashup"),
    asked = { filters = question.filters, position = question.position },
    fetch = function(shape)
      local parts, spent = {}, { requests = 0, bytes = 0 }
      each_part(question, shape, function(filters)
        local rows, one = mashup.rows(question.service, {
          columns = "*", filters = filters, position = question.position,
        }, { tries = 1, breaker = breaker, pagesize = cap, key = row_key })
        parts[#parts + 1] = rows
        door.add_cost(spent, one)
      end)
      return door.joined(parts), spent
    end,
    count = function(shape)
      local n, spent = 0, { requests = 0, bytes = 0 }
      each_part(question, shape, function(filters)
        local one, of_one = count(question, filters)
        n = n + one
        door.add_cost(spent, of_one)
      end)
      return n, spent
    end,
  }
end

local function ask_in_parts(question, counted, cap, options, record)
  local placed, cost = count(question, mashup.boxed(question.filters, "s_ra", "s_dec", 0, 360,
    -90, 90))
  record:spent(cost)
  local unplaced = counted - placed
  if unplaced > 0 and not options.partial then
    errors.raise("partial", ("%d of %d observations have no position and cannot be asked for in "
      .. "parts: use more criteria, or take the others with partial = true"):format(unplaced,
      counted))
  end
  return query.run(source_of(question, counted, unplaced, cap), options.region or sky.all(),
    { partial = options.partial }).table
end

-- Failed because the answer is too long, or perhaps so (6.4)? Not when it is whole and its pages
-- contradict each other.
local function maybe_too_long(err)
  local verdict = errors.is(err) and door.verdict(err)
  return verdict == "over" or verdict == "stalled"
    or verdict == "ambiguous" and (err.reset or err.code ~= "integrity")
end

--- Observations (CAOM rows) whose footprint touches a circle, that meet criteria, or both. With a
-- circle the column `sep_deg` tells how far (degrees) its centre is from the footprint, 0 inside.
-- More than one answer holds are asked for in parts, each row once (by objID), in canonical order.
-- @tparam table options `region` (a circle), `where` (criteria on CAOM columns: text, list, one
-- wildcard; numbers with units as ranges { min = a, max = b }), `row_limit` (rows one answer may
-- hold, for an archive whose limit is lower than the usual one), `partial` (true: what could be
-- fetched instead of an error; report and account tell what is missing)
-- @treturn halyard.table
-- @raise `usage` for unknown columns, and missions when nothing is found (with the nearest names),
-- `integrity` when fewer came than the
-- archive counts
function M.observations(options)
  suggest.check_keys(options, { "region", "where", "row_limit", "partial" }, "mast.observations")
  local cap = options.row_limit or mashup.row_cap
  if math.type(cap) ~= "integer" or cap < 1 or cap > mashup.row_cap then
    errors.raise("usage", ("row_limit is a whole number from 1 to %d"):format(mashup.row_cap))
  end
  local record = door.begin("mast", door.base("mashup"))
  local question = question_of(options, "mast.observations")
  if record.dry then
    record.notes[#record.notes + 1] = question.service .. " would be asked for observations"
    query.run(source_of(question, nil, 0, cap), options.region or sky.all(), {})
    return table_core.from_rows({}, empty_columns)
  end
  local counted, cost = count(question)
  record:spent(cost)
  if counted == 0 then
    check_missions(question.where)
  end
  local rows, spent
  if counted <= cap then
    local ok, why
    ok, rows, spent = pcall(ask_whole, question, 1)
    why, rows = not ok and rows, ok and rows
    if not ok and counted > 1 and maybe_too_long(why) then
      system.log("info", ("observations: asking in parts; %s"):format(tostring(why)))
    elseif not ok then
      rows, spent = ask_whole(question)
    end
  end
  if not rows then
    return ask_in_parts(question, counted, math.min(cap, counted), options, record)
  end
  record:spent(spent)
  if #rows < counted then
    errors.raise("integrity", ("%d observations came, the archive counts %d; the answer cannot be "
      .. "trusted, run it again"):format(#rows, counted), { rows = #rows, rows_counted = counted })
  end
  record.queries[#record.queries + 1] = {
    service = question.service, rows = #rows, rows_counted = counted, requests = spent.requests,
    bytes = spent.bytes, region = options.region and tostring(options.region) or nil,
  }
  system.emit("progress", { stage = "observations", rows = #rows, bytes = spent.bytes })
  return told(rows)
end

--- The archive's count of observations.
-- @tparam table options `region`, `where`, as for `observations`
-- @treturn integer
-- @raise `usage` for unknown columns, and missions when nothing is found
function M.count(options)
  suggest.check_keys(options, { "region", "where" }, "mast.count")
  local record = door.begin("mast", door.base("mashup"))
  local question = question_of(options, "mast.count")
  local n, cost = count(question)
  record:spent(cost)
  if n == 0 then
    check_missions(question.where)
  end
  return n
end

--- The observations of a mission with these obs_ids, some of which may not be there; for joining
-- files to them.
-- @tparam string mission
-- @tparam table ids list of texts
-- @treturn halyard.table
function M.of_ids(mission, ids)
  local parts, per_question = {}, 500
  for first = 1, #ids, per_question do
    local some = table.move(ids, first, math.min(first + per_question - 1, #ids), 1, {})
    parts[#parts + 1] = M.observations({ where = { obs_collection = mission, obs_id = some } })
  end
  return door.joined(parts)
end

return M
