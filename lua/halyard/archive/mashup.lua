-- SPDX-License-Identifier: BSD-3-Clause
-- The MAST Portal ("Mashup") dialect: how a question is phrased and how an answer is read. Declares
-- what each catalogue service can do; leaves tiling to halyard.query, transfers and polling to C.
-- Section numbers are those of the protocol specification.

local door = require("halyard.archive.door")
local errors = require("halyard.error")
local json = require("halyard.json")
local suggest = require("halyard.suggest")
local system = require("halyard.core.system")
local table_core = require("halyard.core.table")

local M = {}

--- Rows one answer can hold; beyond, the archive closes the connection (6.4).
M.row_cap = 500000
--- Rows asked for per page of observation and product lists (section 3, as astroquery).
M.page_size = 50000

--- URL of a product file; `:` and `/` stay readable (10.1).
function M.file_url(uri)
  return door.base("download") .. "/api/v0.1/Download/file?uri=" .. door.escape(uri, ":")
end

-- Questions -------------------------------------------------------------------------------------

local breakers = 0

--- A new cachebreaker: forces a fresh run; all pages of one question carry the same (section 3).
function M.breaker()
  breakers = breakers + 1
  return ("halyard-%.6f-%d"):format(system.wall(), breakers)
end

--- Body of an invoke request. `cachebreaker` goes into both places (section 3, "Cache key").
-- @tparam string service
-- @tparam table params
-- @tparam[opt] table how page, pagesize, breaker, format
function M.body(service, params, how)
  how = how or {}
  local inner = {}
  for key, value in pairs(params) do
    inner[key] = value
  end
  inner.cachebreaker = how.breaker
  return "request=" .. door.escape(json.encode({
    service = service, params = inner, format = how.format or "json",
    page = how.page, pagesize = how.pagesize, cachebreaker = how.breaker,
  }))
end

local function post(path, body)
  return {
    method = "POST", url = door.base("mashup") .. path, body = body,
    headers = {
      ["Content-Type"] = "application/x-www-form-urlencoded", ["Accept"] = "text/plain",
    },
  }
end

local function ask(service, params, how)
  local request = post("/api/v0/invoke", M.body(service, params, how))
  request.format, request.poll, request.tries = how.format or "json", true, how.tries
  return door.fetch(service, request)
end

local function same_row(a, b)
  local mine, other = a[1], b[1]
  for _, name in ipairs(a.columns) do
    if mine[name] ~= other[name] then
      return false
    end
  end
  return true
end

--- Every row of an answer: reads on while the archive says that it has more than what came. Never
-- trusts the paging block alone (section 5): rows in hand are counted, an empty or repeated page
-- before the end is an error, a short set is never returned. Without a paging block the pages are
-- read until one is empty, or repeats the one before: then the service does not page.
-- @tparam string service
-- @tparam table params
-- @tparam[opt] table how pagesize, tries, breaker
-- @treturn halyard.table rows
-- @treturn table requests (pages read) and bytes
function M.rows(service, params, how)
  how = how or {}
  local page_size = how.pagesize or M.page_size
  local breaker = how.breaker or M.breaker()
  local pages, have, bytes, requests, total, wanted = {}, 0, 0, 0, -1, true
  while wanted do
    local page = #pages + 1
    local first = page == 1
    local rows, answer, outcome = ask(service, params,
      { page = page, pagesize = page_size, breaker = breaker, tries = how.tries })
    local repeated = not first and #rows > 0 and same_row(rows, pages[page - 1])
    if first then
      total = math.max(-1, answer.rows_total or -1, answer.rows_filtered or -1)
    elseif repeated and total >= 0 then
      errors.raise("integrity", ("%s: page %d repeats page %d; nothing of this answer is kept")
        :format(service, page, page - 1))
    end
    if #rows == 0 and have < total then
      errors.raise("integrity", ("%s: page %d is empty after %d of %d rows")
        :format(service, page, have, total))
    end
    bytes, requests = bytes + outcome.bytes, page
    if first or #rows > 0 and not repeated then
      pages[page], have = rows, have + #rows
    end
    if total >= 0 then
      wanted = have < total
    else
      wanted = #rows > 0 and not repeated
    end
  end
  return #pages == 1 and pages[1] or table_core.concat(pages),
    { requests = requests, bytes = bytes }
end

--- The number in the one cell of a COUNT_BIG(*) answer (8.2).
function M.count(service, params, how)
  how = how or {}
  local query = { columns = "COUNT_BIG(*)" }
  for key, value in pairs(params) do
    query[key] = value
  end
  local rows, _, outcome = ask(service, query,
    { page = 1, pagesize = 1, breaker = how.breaker or M.breaker(), tries = how.tries })
  local count = #rows == 1 and math.tointeger(tonumber(rows:get(1, rows.columns[1])))
  if not count or count < 0 then
    errors.raise("protocol", ("%s: the count is not a number"):format(service))
  end
  return count, { requests = 1, bytes = outcome.bytes }
end

-- Small documents -------------------------------------------------------------------------------

--- Entries of the name resolver for one name (section 9), best first; maybe none.
function M.lookup(name)
  local answer = door.document("name lookup", post("/api/v0/invoke",
    M.body("Mast.Name.Lookup", { input = name, format = "json" })))
  if type(answer) ~= "table" then
    errors.raise("protocol", "name lookup: the answer is not an object")
  elseif answer.status == "ERROR" then
    errors.raise("archive", "name lookup: " .. tostring(answer.msg))
  end
  local entries = {}
  for _, entry in ipairs(type(answer.resolvedCoordinate) == "table" and answer.resolvedCoordinate
    or {}) do
    local ra, dec = tonumber(entry.ra), tonumber(entry.decl or entry.dec)
    if ra and dec then
      entries[#entries + 1] = {
        ra = ra, dec = dec, resolver = entry.resolver, name = entry.canonicalName or name,
      }
    end
  end
  return entries
end

-- Columns and criteria --------------------------------------------------------------------------

local configurations = {}
local continuous = { double = true, float = true, numeric = true }
local whole = { int = true, long = true, short = true }

-- One column of a configuration (8.3); nil when answers never hold it.
local function column_of(name, entry)
  if entry.remove == true or name == "_selected_" then
    return nil
  end
  local datatype = entry["vot.datatype"] or entry.type
  local kind = "any"
  if continuous[tostring(datatype):lower()] or entry.treatNumeric == true then
    kind = "range"
  elseif datatype then
    kind = "values"
  end
  return {
    name = name, kind = kind, whole = whole[tostring(datatype):lower()],
    separator = entry.separator, type = datatype, ucd = entry["vot.ucd"],
    unit = entry["vot.unit"] or entry.unit,
    description = entry["vot.description"] or entry.text,
  }
end

--- Columns that the service itself lists: map from lower-case name to { name, kind, separator,
-- unit, description }; kind "range" (min and max), "values" (exact or wildcard) or "any" (not
-- said). nil when the archive has no list of that name.
function M.columns(config)
  local key = door.base("mashup") .. " " .. config
  if configurations[key] == nil then
    local answer = door.document("column list " .. config,
      post("/portal/Mashup/Mashup.asmx/columnsconfig", "colConfigId=" .. door.escape(config)))
    local columns = false
    for name, entry in pairs(type(answer) == "table" and answer or {}) do
      local column = type(name) == "string" and type(entry) == "table" and column_of(name, entry)
      if column then
        columns = columns or {}
        columns[name:lower()] = column
      end
    end
    configurations[key] = columns
  end
  return configurations[key] or nil
end

local function bad_criterion(column, why)
  errors.raise("usage", ("criterion %s: %s"):format(column.name, why))
end

local function range_of(column, value)
  local low, high
  if type(value) == "number" then
    low, high = value, value
  elseif type(value) == "table" and #value == 0 then
    suggest.check_keys(value, { "min", "max" }, "criterion " .. column.name)
    low, high = tonumber(value.min), tonumber(value.max)
  elseif type(value) == "string" then
    local a, b = value:match("^%s*(.-)%s*%.%.%s*(.-)%s*$")
    low, high = tonumber(a or value), tonumber(b or value)
  end
  if not low or not high or low > high then
    bad_criterion(column, 'the service takes a range here: { min = a, max = b } or "a..b"')
  end
  return { min = low, max = high }
end

local function text_of(column, value)
  if type(value) == "number" then
    return json.encode(value)
  elseif type(value) == "boolean" or type(value) == "string" and value ~= "" then
    return tostring(value)
  end
  bad_criterion(column, "a value is a text or a number")
end

-- Where a table of numbers would read a range the service would look for the very text: an empty
-- answer instead of rows.
local function check_exact(column, text)
  if column.whole and not tonumber(text) then
    bad_criterion(column, ('the service takes exact whole numbers here, and "%s" is none')
      :format(text))
  elseif column.kind == "any" and text:find("^[<>]") then
    bad_criterion(column, 'the service takes a value, { min = a, max = b } or "a..b" here')
  end
end

local function values_of(column, value)
  local values = type(value) == "table" and value or { value }
  if type(value) == "table" and (#value == 0 or next(value, #value)) then
    bad_criterion(column, "the service takes exact values here: a text, or a list of texts")
  end
  local texts = {}
  for i, item in ipairs(values) do
    texts[i] = text_of(column, item)
    if texts[i]:sub(1, 1) == "!" then
      bad_criterion(column, "the service cannot negate; drop rows with select.rows afterwards")
    elseif texts[i]:find("[*%%]") then
      if #values > 1 then
        bad_criterion(column, "a wildcard stands alone; ask once for each")
      end
      check_exact(column, texts[i])
      return {}, (texts[i]:gsub("%*", "%%"))
    end
    check_exact(column, texts[i])
  end
  return texts
end

local function is_range(value)
  return type(value) == "table" and (value.min ~= nil or value.max ~= nil)
    or type(value) == "string" and value:find("^%s*[%d.+-]+%s*%.%.%s*[%d.+-]+%s*$")
end

--- The filter list (8.1) for criteria { column = value }. Values: a text, number or boolean; a list
-- (any of them); a text with one wildcard `*`; a range { min = a, max = b } or "a..b". What is
-- taken means what it means in table:where; what the service cannot do (open ranges, `!`) is
-- refused.
-- @tparam table columns what `columns` gave: names are checked and spelt as the service does
-- @tparam[opt] table criteria
-- @tparam string service for messages
-- @raise `usage` for unknown columns and values that the service cannot take
function M.filters(columns, criteria, service)
  local names, filters = {}, json.array({})
  for name in pairs(criteria or {}) do
    names[#names + 1] = tostring(name)
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local column, value = door.column(columns, name, service), criteria[name]
    local filter = { paramName = column.name, separator = column.separator }
    if column.kind == "range" or column.kind == "any" and is_range(value) then
      filter.values = json.array({ range_of(column, value) })
    else
      local values, pattern = values_of(column, value)
      filter.values, filter.freeText = json.array(values), pattern
    end
    filters[#filters + 1] = filter
  end
  return filters
end

-- Catalogues ------------------------------------------------------------------------------------

local function filtered(short, title)
  local stem = "Mast.Catalogs.Filtered." .. short
  return {
    name = title, cone = stem .. ".Position.Rows", box = stem .. ".Rows", count = stem,
    count_cone = stem .. ".Position", config = "Mast.Catalogs.Tess.Cone",
    id = "ID", ra = "ra", dec = "dec", cap = M.row_cap, filters = true,
    drop = { "dstArcSec" },
  }
end

--- Catalogue services (7.3, 7.4). `cone`, `box`: services that select so; `count`, `count_cone`:
-- services that count; `id`, `ra`, `dec`: key and selection columns; `drop`: columns that refer to
-- the centre of one request and mean nothing in a set of tiles; `filters`: takes criteria.
M.catalogs = {
  {
    name = "Gaia DR3", cone = "Mast.Catalogs.GaiaDR3.Cone", config = "Mast.Catalogs.GaiaDR3.Cone",
    id = "source_id", ra = "ra", dec = "dec", cap = M.row_cap, drop = { "distance" },
  },
  filtered("Tic", "TIC"),
  filtered("Ctl", "CTL"),
  {
    -- `maxrecords` is the service's own limit: as many rows as that mean a cut answer (6.4).
    name = "GALEX", cone = "Mast.Galex.Catalog", config = "Mast.Galex.Catalog",
    id = "objID", ra = "ra", dec = "dec", cap = 50000, flags_over = true,
    drop = { "distance_arcmin" }, params = { maxrecords = 50000 },
  },
}

-- What the tile planner needs to know of a catalogue.
local function capabilities(record)
  return {
    takes_box = record.box ~= nil, takes_cone = true, counts = record.count ~= nil,
    over_is_slow = not record.flags_over, cap = record.cap,
    pos_quantum_deg = record.pos_quantum_deg or 0,
  }
end

local function copy(from, into)
  for key, value in pairs(from or {}) do
    into[key] = value
  end
  return into
end

-- Parameters of a request for a box; filters on the position columns join those of the caller. Full
-- ranges are left out.
local function box_params(record, base, ra_min, ra_max, dec_min, dec_max)
  local filters = json.array(table.move(base.filters, 1, #base.filters, 1, {}))
  if ra_max - ra_min < 360 then
    filters[#filters + 1] = {
      paramName = record.ra, values = json.array({ { min = ra_min, max = ra_max } }),
    }
  end
  if dec_min > -90 or dec_max < 90 then
    filters[#filters + 1] = {
      paramName = record.dec, values = json.array({ { min = dec_min, max = dec_max } }),
    }
  end
  return copy({ filters = filters }, copy(base, {}))
end

--- Rows of one request region.
-- @tparam table record
-- @tparam table base parameters common to all requests: columns and filters, or empty
-- @tparam table shape { ra, dec, radius } or { ra_min, ra_max, dec_min, dec_max }, degrees
-- @tparam table how as for `rows`
function M.fetch(record, base, shape, how)
  how = copy({ pagesize = record.cap }, copy(how, {}))
  if shape.radius then
    local params = { ra = shape.ra, dec = shape.dec, radius = shape.radius }
    return M.rows(record.cone, copy(record.params, copy(base, params)), how)
  end
  local parts, cost = {}, { requests = 0, bytes = 0 }
  door.each_box(shape, function(...)
    local rows, one = M.rows(record.box, box_params(record, base, ...), how)
    parts[#parts + 1] = rows
    door.add_cost(cost, one)
  end)
  return door.joined(parts), cost
end

--- The archive's own count of a request region; arguments as for `fetch`.
function M.count_region(record, base, shape, how)
  if shape.radius then
    return M.count(record.count_cone, {
      ra = shape.ra, dec = shape.dec, radius = shape.radius, filters = base.filters,
    }, how)
  end
  local sum, cost = 0, { requests = 0, bytes = 0 }
  door.each_box(shape, function(...)
    local params = { filters = box_params(record, base, ...).filters }
    local n, one = M.count(record.count, params, how)
    sum = sum + n
    door.add_cost(cost, one)
  end)
  return sum, cost
end

-- Columns for checks: what the archive lists; services without a list name them in every answer.
local function listed(record)
  local columns = M.columns(record.config)
  if not columns then
    local rows = M.rows(record.cone, { ra = 0, dec = 0, radius = 1e-6 })
    columns = {}
    for _, name in ipairs(rows.columns) do
      columns[name:lower()] = { name = name }
    end
  end
  for _, name in ipairs(record.drop) do
    columns[name:lower()] = nil
  end
  return columns
end

-- Drops columns that refer to one request's centre, and rows and columns that the service could not
-- leave out by itself; tells units, which answers lack. A list of columns that does not come costs
-- the units, not the rows.
local function refiner(record, names, criteria)
  local dropped, described = { _selected_ = true }, nil
  for _, name in ipairs(record.drop) do
    dropped[name] = true
  end
  return function(rows)
    if not described then
      local ok, columns = errors.try(M.columns, record.config)
      if not ok then
        system.log("warning", ("%s: units and descriptions are not known: %s")
          :format(record.name, tostring(columns)))
      end
      described = ok and columns or {}
    end
    if criteria then
      rows = rows:where(criteria)
    end
    return door.described(names and rows:project(names) or door.without(rows, dropped), described)
  end
end

-- What halyard.query works with.
local function source_of(record, options)
  local where = options.where and next(options.where) and options.where
  local columns = (options.columns or where) and listed(record)
  local names = options.columns
    and door.chosen({ record.id, record.ra, record.dec }, options.columns, columns, record.name)
  local base, rest = {}, where
  if record.filters then
    base.filters = M.filters(columns or {}, where, record.name)
    base.columns = names and table.concat(names, ",") or "*"
    rest = nil
  end
  local breaker = M.breaker()
  return {
    name = record.name, id = record.id, ra = record.ra, dec = record.dec, window = 4,
    service = capabilities(record), verdict = door.verdict,
    refine = refiner(record, names, rest and door.spelt(rest, columns, record.name)),
    fetch = function(shape)
      return M.fetch(record, base, shape, { breaker = breaker, tries = 1 })
    end,
    count = function(shape)
      return M.count_region(record, base, shape, { breaker = breaker })
    end,
  }
end

for _, record in ipairs(M.catalogs) do
  record.door, record.host = "mashup", "mast"
  record.url = function()
    return door.base("mashup")
  end
  record.columns = function()
    return listed(record)
  end
  record.source = function(options)
    return source_of(record, options)
  end
end

return M
