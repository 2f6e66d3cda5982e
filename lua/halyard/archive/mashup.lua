-- SPDX-License-Identifier: BSD-3-Clause
-- The MAST Portal ("Mashup") dialect: how a question is phrased and how an answer is read. Declares
-- what each catalogue service can do; leaves tiling to halyard.query, transfers and polling to C.
-- Section numbers are those of the protocol specification.

local door = require("halyard.archive.door")
local errors = require("halyard.error")
local json = require("halyard.json")
local poll = require("halyard.poll")
local suggest = require("halyard.suggest")
local system = require("halyard.core.system")
local table_core = require("halyard.core.table")

local M = {}

local document_s = 600 -- until a small document is there, as astroquery waits (6.2)

--- Rows one answer can hold; beyond, the archive closes the connection (6.4).
M.row_cap = 500000
--- Rows asked for per page of observation and product lists (section 3, as astroquery).
M.page_size = 50000

--- URL of a product file; `:` and `/` stay readable (10.1). Spectra of the HLA have addresses of
-- their own (10.5).
function M.file_url(uri)
  local hla = door.base("hla") .. "/cgi-bin/"
  if uri:sub(1, #hla) == hla then
    return uri
  end
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
-- @tparam[opt] table how page, pagesize, breaker, format, data (an uploaded table), filename and
-- filetype (of a file that the portal writes), drop_empty (leave out columns without a value)
function M.body(service, params, how)
  how = how or {}
  local inner = {}
  for key, value in pairs(params) do
    inner[key] = value
  end
  inner.cachebreaker = how.breaker
  return "request=" .. door.escape(json.encode({
    service = service, params = inner, format = how.format or "json",
    page = how.page, pagesize = how.pagesize, cachebreaker = how.breaker, data = how.data,
    filename = how.filename, filetype = how.filetype, removenullcolumns = how.drop_empty,
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

--- One answer of a service, polled until it is ready: rows, answer, cost as `door.fetch`.
-- @tparam table how as for `body`; tries, auth, path (of the portal, where it is another)
function M.ask(service, params, how)
  local request = post(how.path or "/api/v0/invoke", M.body(service, params, how))
  request.format, request.poll, request.tries = how.format or "json", true, how.tries
  request.auth = how.auth
  return door.fetch(service, request)
end

--- Is it the portal's word for a service that it does not have (6.3)?
function M.is_no_service(err)
  return err.code == "archive" and err.message:find("Unable to Find Service Adaptor", 1, true)
end

--- A small document that a service sends instead of rows; asks on while it says EXECUTING (6.2).
-- @tparam[opt] table how as for `body`
-- @treturn table
-- @raise `archive` in the service's words
function M.document(service, params, how)
  how = how or {}
  how.breaker = how.breaker or M.breaker()
  local body = M.body(service, params, how)
  return (poll {
    what = service, deadline = document_s,
    ask = function()
      local answer = door.document(service, post("/api/v0/invoke", body))
      local status = type(answer) == "table" and answer.status
      if status == "ERROR" then
        errors.raise("archive", ("%s: %s"):format(service, tostring(answer.msg)))
      elseif status == "EXECUTING" then
        local done = tonumber(answer["percent complete"])
        return false, { phase = status, percent = done and math.floor(100 * done) }
      end
      return true, answer
    end,
  })
end

local function same_row(a, b)
  local mine, other = a[1], b[1] -- without the same columns where empty ones are left out
  for _, name in ipairs(a.columns) do
    if rawget(mine, name) ~= rawget(other, name) then
      return false
    end
  end
  return true
end

-- What refers to one question's circle, or to nothing, and so tells no rows apart (7.1).
local incidental = { distance = true, objID1 = true, _selected_ = true }

-- Names of the columns that tell rows apart: the key, where it came; else all but `incidental`.
local function telling(rows, key)
  local names = {}
  for _, name in ipairs(rows.columns) do
    if name == key then
      return { key }, true
    elseif not incidental[name] then
      names[#names + 1] = name
    end
  end
  return names, false
end

-- The rows of several pages, each once; nil where rows without a key are alike, of which nobody can
-- tell whether they are one. With fewer different ones than there should be, the order changed
-- between the pages: some rows came twice, others not at all (fault matrix N33).
local function merged(service, pages, key, total)
  local rows = table_core.concat(pages)
  local names, has_key = telling(rows, key)
  local once = rows:unique(names)
  if #once == #rows then
    return rows
  elseif not has_key then
    return total < 0 and rows or nil
  elseif #once < total then
    errors.raise("integrity", ("%s: %d of %d rows came twice, so others are missing: the order "
      .. "changed between pages; nothing of this answer is kept, run it again")
      :format(service, #rows - #once, #rows))
  end
  system.log("warning", ("%s: %d rows came twice and are kept once"):format(service,
    #rows - #once))
  return once
end

--- Every row of an answer: reads on while the archive says that it has more than what came. Never
-- trusts the paging block alone (section 5): rows in hand are counted, an empty or repeated page
-- before the end is an error, a short set is never returned. Without a paging block the pages are
-- read until one is empty, or repeats the one before: then the service does not page.
-- @tparam string service
-- @tparam table params
-- @tparam[opt] table how pagesize, tries, breaker, data, auth, format ("json" or "extjs"),
-- drop_empty, path, key (name of a column that no two rows share, if it is there; rows of several
-- pages that are alike without one are asked for again on one page)
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
    local rows, answer, outcome = M.ask(service, params,
      { page = page, pagesize = page_size, breaker = breaker, tries = how.tries, data = how.data,
        auth = how.auth, format = how.format, drop_empty = how.drop_empty, path = how.path })
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
  local cost = { requests = requests, bytes = bytes }
  if #pages == 1 then
    return pages[1], cost
  end
  local rows = merged(service, pages, how.key, total)
  if not rows then
    local whole, more = M.rows(service, params, setmetatable({ pagesize = total,
      breaker = breaker }, { __index = how }))
    door.add_cost(cost, more)
    rows = whole
  end
  return rows, cost
end

--- The number in the one cell of a COUNT_BIG(*) answer (8.2).
-- @tparam[opt] table how tries, breaker, alone (the service does nothing but count: 7.4)
function M.count(service, params, how)
  how = how or {}
  local query = { columns = not how.alone and "COUNT_BIG(*)" or nil }
  for key, value in pairs(params) do
    query[key] = value
  end
  local rows, _, outcome = M.ask(service, query,
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

-- The service has no open ranges.
local range_remedy = '{ min = a, max = b } or "a..b"; for an open end, such as ">500", give a '
  .. 'number beyond all values ("500..1e9") and select in the rows that come'

-- The first date in a text, and its modified Julian day (Fliegel and Van Flandern 1968); nil where
-- it has none.
local function date_in(text)
  local date, year, month, day = tostring(text):match("((%d%d%d%d)%-(%d%d)%-(%d%d))")
  if date then
    local before_march = (14 - month) // 12
    local y, m = year + 4800 - before_march, month + 12 * before_march - 3
    return date, math.tointeger(day + (153 * m + 2) // 5 + 365 * y + y // 4 - y // 100 + y // 400
      - 2432046)
  end
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
  if low and high and low > high then
    bad_criterion(column, "the lower end of a range stands first")
  elseif not low or not high then
    local text = type(value) == "table" and ("%s %s"):format(value.min, value.max) or value
    local date, day = date_in(text)
    if date then
      bad_criterion(column, ("the service takes numbers here, times as MJD: %s is %d"):format(date,
        day))
    end
    bad_criterion(column, "the service takes a range with both ends here: " .. range_remedy)
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
    bad_criterion(column, "the service takes a value or a range with both ends here: "
      .. range_remedy)
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

local unix_mjd, day_ms = 40587, 86400000

-- The times of a column that holds "/Date(ms)/" (4.4).
local function mjd_of_millis(name)
  return function(row)
    local millis = row[name] and row[name]:match("^/Date%((%-?%d+)[^)]*%)/$")
    return millis and unix_mjd + tonumber(millis) / day_ms
  end
end

-- The first text of a column; "" when it has none.
local function first_text(rows, name)
  for _, text in rows:column(name):values() do
    if text then
      return text
    end
  end
  return ""
end

local day = { unit = "d", ucd = "time.epoch" }

--- Rows with the times of each date column as Modified Julian Dates too, where the archive has not
-- added them itself. Dates are timestamps, "/Date(ms)/", or ISO texts in columns called date...
function M.with_mjd(rows)
  local has, days = {}, {}
  for _, name in ipairs(rows.columns) do
    has[name] = true
  end
  for _, name in ipairs(rows.columns) do
    local kind = rows:field(name).type
    local first = kind == "string" and first_text(rows, name) or ""
    if has[name .. "_mjd"] then
      days[(name .. "_mjd"):lower()] = day
    elseif first:find("^/Date%(%-?%d") then
      rows = rows:with(name .. "_mjd", mjd_of_millis(name), day)
    elseif kind == "timestamp"
      or name:find("^date") and first:find("^%d%d%d%d%-%d%d%-%d%d") then
      rows = door.dated(rows, name, "MAST")
    end
  end
  return door.described(rows, days)
end

local function range_filter(name, low, high)
  return { paramName = name, values = json.array({ { min = low, max = high } }) }
end

--- Filters and those that hold position columns to a box; full ranges are left out.
function M.boxed(filters, ra, dec, ra_min, ra_max, dec_min, dec_max)
  local all = json.array(table.move(filters, 1, #filters, 1, {}))
  if ra_max - ra_min < 360 then
    all[#all + 1] = range_filter(ra, ra_min, ra_max)
  end
  if dec_min > -90 or dec_max < 90 then
    all[#all + 1] = range_filter(dec, dec_min, dec_max)
  end
  return all
end

--- Columns as an answer names them, where the archive has no list: as `columns`.
-- @tparam halyard.table rows an answer, which may be empty
function M.columns_of(rows)
  local columns = {}
  for _, name in ipairs(rows.columns) do
    local field = rows:field(name)
    if name ~= "_selected_" then
      columns[name:lower()] = {
        name = name, kind = field.type == "float64" and "range" or "any", type = field.type,
        unit = field.unit, ucd = field.ucd, description = field.description,
      }
    end
  end
  return columns
end

return M
