-- SPDX-License-Identifier: BSD-3-Clause
-- The MAST Portal ("Mashup") dialect: how a question is phrased and how an answer is read. Declares
-- what each catalogue service can do; leaves tiling to halyard.query, transfers and polling to C.
-- Section numbers are those of the protocol specification.

local errors = require("halyard.error")
local http = require("halyard.core.http")
local json = require("halyard.json")
local suggest = require("halyard.suggest")
local system = require("halyard.core.system")
local table_core = require("halyard.core.table")

local M = {}

local home = "https://mast.stsci.edu"
local control_bytes = 16 * 1024 * 1024
local window_default, window_max = 4, 8 -- requests at once to one host (tiling design 6.3)

--- Rows one answer can hold; beyond, the archive closes the connection (6.4).
M.row_cap = 500000
--- Rows asked for per page of observation and product lists (section 3, as astroquery).
M.page_size = 50000

-- Where things are ------------------------------------------------------------------------------

--- Base URL of an interface: "mashup" (questions), "download" (files); settings "archive.<name>",
-- then "archive", then the archive itself. Without a slash at the end.
function M.base(interface)
  local base = system.setting("archive." .. interface) or system.setting("archive")
  if not base or base == "" or base == "mast" then
    base = home
  end
  if not base:match("^https?://[^/%s]+") then
    errors.raise("usage", ("archive %s is not a URL; write mast, practice or http(s)://host[:port]")
      :format(base))
  end
  return (base:gsub("/+$", ""))
end

--- Percent-encodes every byte but letters, digits and -_.~/ (and those in `keep`).
function M.escape(text, keep)
  return (text:gsub("[^%w%-_.~/" .. (keep or "") .. "]", function(c)
    return ("%%%02X"):format(c:byte())
  end))
end

--- URL of a product file; `:` and `/` stay readable (10.1).
function M.file_url(uri)
  return M.base("download") .. "/api/v0.1/Download/file?uri=" .. M.escape(uri, ":")
end

--- Sets how many requests may go to the archive at once; never above 8.
function M.polite(parallel)
  local window = math.min(window_max, math.max(window_default, parallel or 0))
  for _, interface in ipairs({ "mashup", "download" }) do
    http.limit(M.base(interface):match("^https?://([^/]+)"), window, 0)
  end
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
  return "request=" .. M.escape(json.encode({
    service = service, params = inner, format = how.format or "json",
    page = how.page, pagesize = how.pagesize, cachebreaker = how.breaker,
  }))
end

local function post(path, body)
  return {
    method = "POST", url = M.base("mashup") .. path, body = body,
    headers = {
      ["Content-Type"] = "application/x-www-form-urlencoded", ["Accept"] = "text/plain",
    },
  }
end

-- Is the text one of the database's ways to say "too many rows" (6.3)?
local function means_too_many(message)
  local text = (message or ""):lower()
  return text:find("out ?of ?memory") or text:find("maximum results") or text:find("too many rows")
    or text:find("timeout expired") or text:find("timed out")
end

--- What a failed request says about its tile (tiling design 6.1): "over", "ambiguous", "transient",
-- "fatal", "again" (not about the tile: ask once more); nil when the failure is this machine's own
-- and must be raised as it is.
function M.verdict(err)
  local status = err.http_status or 0
  if err.reset or status == 500 or status == 502 or status == 504 then
    return "ambiguous"
  elseif status == 429 or status == 503 or err.code == "busy" then
    return "transient"
  elseif err.code == "timeout" or err.code == "integrity" then
    return "ambiguous"
  elseif err.code == "network" then
    return "transient"
  elseif err.code == "archive" then
    if err.message:lower():find("deadlock", 1, true) then
      return "again"
    end
    return means_too_many(err.message) and "over" or "fatal"
  elseif err.code == "protocol" then
    return "again"
  elseif err.code == "permission" or err.code == "not_found" then
    return "fatal"
  end
end

local function note(err, service)
  if errors.is(err) and not err.service then
    err.service = service
    if not err.message:find(service, 1, true) then
      err.message = service .. ": " .. err.message
    end
  end
  return err
end

local function ask(service, params, how)
  local request = post("/api/v0/invoke", M.body(service, params, how))
  request.format, request.poll, request.tries = how.format or "json", true, how.tries
  local results = table.pack(pcall(http.fetch, request))
  if not results[1] then
    error(note(results[2], service), 0)
  end
  local rows, answer, outcome = table.unpack(results, 2, 4)
  if not rows then
    errors.raise("protocol", ("%s: the answer holds no table"):format(service))
  end
  return rows, answer, outcome
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

local function looks_like(text)
  local start = text:sub(1, 200):match("^%s*(.*)") or ""
  if start:lower():find("^<!doctype html") or start:lower():find("^<html") then
    return "an HTML page"
  elseif start == "" then
    return "nothing"
  end
  return '"' .. start:sub(1, 40):gsub("%c", " ") .. '..."'
end

local function control(what, request)
  request.max_bytes = control_bytes
  local reply = http.request(request)
  if reply.status ~= 200 then
    local code = reply.status == 401 and "permission" or reply.status == 429 and "busy"
      or reply.status == 503 and "busy" or "archive"
    errors.raise(code, ("%s: %s answered HTTP %d; check --archive or try again later")
      :format(what, reply.url, reply.status), { http_status = reply.status })
  end
  local ok, value = pcall(json.decode, reply.body)
  if not ok then
    errors.raise("protocol", ("%s: %s sent %s instead of JSON; check --archive")
      :format(what, reply.url, looks_like(reply.body)))
  end
  return value
end

--- Entries of the name resolver for one name (section 9), best first; maybe none.
function M.lookup(name)
  local answer = control("name lookup", post("/api/v0/invoke",
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
    separator = entry.separator, unit = entry["vot.unit"] or entry.unit,
    description = entry["vot.description"] or entry.text,
  }
end

--- Columns that the service itself lists: map from lower-case name to { name, kind, separator,
-- unit, description }; kind "range" (min and max), "values" (exact or wildcard) or "any" (not
-- said). nil when the archive has no list of that name.
function M.columns(config)
  local key = M.base("mashup") .. " " .. config
  if configurations[key] == nil then
    local answer = control("column list " .. config,
      post("/portal/Mashup/Mashup.asmx/columnsconfig", "colConfigId=" .. M.escape(config)))
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

--- Sorted names of a column map.
function M.names(columns)
  local names = {}
  for _, column in pairs(columns) do
    names[#names + 1] = column.name
  end
  table.sort(names)
  return names
end

--- The listed column of this name (any case), or a `usage` error with the nearest names.
function M.column(columns, name, service)
  local column = type(name) == "string" and columns[name:lower()]
  if not column then
    suggest.unknown("column of " .. service, tostring(name), M.names(columns))
  end
  return column
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
    local column, value = M.column(columns, name, service), criteria[name]
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

--- The record of a catalogue by name, ignoring case, blanks, dots and hyphens.
function M.catalog(name)
  local function plain(text)
    return text:lower():gsub("[%s._-]", "")
  end
  local names = {}
  for i, record in ipairs(M.catalogs) do
    if plain(record.name) == plain(tostring(name)) then
      return record
    end
    names[i] = record.name
  end
  suggest.unknown("catalogue", tostring(name), names, "not_found")
end

--- What the tile planner needs to know of a catalogue.
function M.capabilities(record)
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

-- A box that crosses ra = 0 is two plain ranges: whether a service joins several ranges by OR is
-- unconfirmed (8.1).
local function each_box(box, f)
  if box.ra_min > box.ra_max then
    f(box.ra_min, 360, box.dec_min, box.dec_max)
    f(0, box.ra_max, box.dec_min, box.dec_max)
  else
    f(box.ra_min, box.ra_max, box.dec_min, box.dec_max)
  end
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
  each_box(shape, function(...)
    local rows, one = M.rows(record.box, box_params(record, base, ...), how)
    parts[#parts + 1] = rows
    cost.requests, cost.bytes = cost.requests + one.requests, cost.bytes + one.bytes
  end)
  return #parts == 1 and parts[1] or table_core.concat(parts), cost
end

--- The archive's own count of a request region; arguments as for `fetch`.
function M.count_region(record, base, shape, how)
  if shape.radius then
    return M.count(record.count_cone, {
      ra = shape.ra, dec = shape.dec, radius = shape.radius, filters = base.filters,
    }, how)
  end
  local sum, cost = 0, { requests = 0, bytes = 0 }
  each_box(shape, function(...)
    local params = { filters = box_params(record, base, ...).filters }
    local n, one = M.count(record.count, params, how)
    sum = sum + n
    cost.requests, cost.bytes = cost.requests + one.requests, cost.bytes + one.bytes
  end)
  return sum, cost
end

return M
