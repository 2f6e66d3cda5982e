-- SPDX-License-Identifier: BSD-3-Clause
-- What every dialect needs and none owns: where interfaces are, how a URL is written, small control
-- documents, what a failure says about a tile, columns by name, rows with units. Phrases no
-- question and knows no service.

local errors = require("halyard.error")
local http = require("halyard.core.http")
local json = require("halyard.json")
local report = require("halyard.report")
local suggest = require("halyard.suggest")
local system = require("halyard.core.system")
local table_core = require("halyard.core.table")

local M = {}

local control_bytes = 16 * 1024 * 1024
local window_default, window_max = 4, 8 -- requests at once to one host (tiling design 6.3)

-- Where things are ------------------------------------------------------------------------------

-- Interfaces of MAST and the hosts that serve them (mast-interfaces section 1).
local homes = {
  mashup = "https://mast.stsci.edu", download = "https://mast.stsci.edu",
  missions = "https://mast.stsci.edu", auth = "https://mast.stsci.edu",
  cutouts = "https://mast.stsci.edu", tap = "https://mast.stsci.edu",
  sia2 = "https://mast.stsci.edu", catalogs = "https://catalogs.mast.stsci.edu",
  exo = "https://exo.mast.stsci.edu", classic = "https://archive.stsci.edu",
  gsss = "https://gsss.stsci.edu", ps1images = "https://ps1images.stsci.edu",
  hla = "https://hla.stsci.edu", resolver = "https://mastresolver.stsci.edu",
  casjobs = "https://mastweb.stsci.edu", cloud = "https://s3.amazonaws.com",
  sesame = "https://cds.unistra.fr", -- the CDS's resolver, which tools fall back on
}

--- Names of the interfaces of MAST, sorted.
function M.interfaces()
  local names = {}
  for name in pairs(homes) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

--- Base URL of an interface of MAST: setting "archive.<interface>", then "archive", then MAST's own
-- host. Without a slash at the end.
-- @raise `usage` when a setting is not a URL
function M.base(interface)
  local base = system.setting("archive." .. interface) or system.setting("archive")
  if not base or base == "" or base == "mast" then
    base = assert(homes[interface], interface)
  end
  if not base:match("^https?://[^/%s]+") then
    errors.raise("usage", ("archive %s is not a URL; write mast, practice or http(s)://host[:port]")
      :format(base))
  end
  return (base:gsub("/+$", ""))
end

--- Hosts ("name[:port]") that are asked when a workflow declares "mast": those of its interfaces,
-- and the cloud's, where the copies of its files are.
function M.mast_hosts()
  local hosts = {}
  for interface in pairs(homes) do
    hosts[#hosts + 1] = interface ~= "sesame" and M.host(M.base(interface)):lower() or nil
  end
  return hosts
end

--- Is that host ("name[:port]") one of MAST's, as the settings have them? The cloud's is not, where
-- other people's files are, nor Sesame's.
function M.is_mast(host)
  for interface in pairs(homes) do
    if interface ~= "cloud" and interface ~= "sesame" and M.host(M.base(interface)):lower() == host
    then
      return true
    end
  end
  return false
end

--- The base URL that the settings put in the place of one of MAST's own hosts; nil where they put
-- none.
function M.in_place_of(host)
  for _, interface in ipairs(M.interfaces()) do
    if M.host(homes[interface]) == host and M.base(interface) ~= homes[interface] then
      return M.base(interface)
    end
  end
  return nil
end

--- Percent-encodes every byte but letters, digits and -_.~/ (and those in `keep`).
function M.escape(text, keep)
  return (text:gsub("[^%w%-_.~/" .. (keep or "") .. "]", function(c)
    return ("%%%02X"):format(c:byte())
  end))
end

-- A number as short as it can be without losing a bit.
local function plain(value)
  return type(value) == "number" and json.encode(value) or tostring(value)
end

--- Arguments as "a=1&b=2": of a map in the order of the names, or of a list of { name, value } in
-- its own order. A list as value repeats the name. The same arguments give the same bytes.
function M.arguments(arguments)
  local list = {}
  if #arguments > 0 then
    list = arguments
  else
    for name, value in pairs(arguments) do
      list[#list + 1] = { name, value }
    end
    table.sort(list, function(a, b)
      return a[1] < b[1]
    end)
  end
  local parts = {}
  for _, pair in ipairs(list) do
    for _, value in ipairs(type(pair[2]) == "table" and pair[2] or { pair[2] }) do
      parts[#parts + 1] = M.escape(pair[1]) .. "=" .. M.escape(plain(value))
    end
  end
  return table.concat(parts, "&")
end

--- `url` with arguments; it may hold some already (SCS 1.03 section 2.1: ends with "?" or "&").
function M.url(url, arguments)
  local text = M.arguments(arguments or {})
  if text == "" then
    return url
  end
  local joint = not url:find("?", 1, true) and "?" or url:find("[?&]$") and "" or "&"
  return url .. joint .. text
end

--- "host[:port]" of a URL.
function M.host(url)
  return url:match("^https?://([^/?#]+)")
end

--- Lets at most `parallel` requests, never more than 8, go to the host of `url` at once.
function M.limit(url, parallel)
  http.limit(M.host(url), math.min(window_max, parallel))
end

--- Lets 4 to 8 requests go to the host of `url` at once, as many as the call makes: other calls
-- may ask it, too.
function M.polite(url, parallel)
  M.limit(url, math.max(window_default, parallel or 0))
end

--- Begins a call that asks an archive: refuses one that the workflow does not declare.
-- @tparam string name "mast", or the host of a service elsewhere
-- @tparam string url where the questions go
-- @treturn the record of the run
function M.begin(name, url, parallel)
  local record = report.current()
  record:require_host(name)
  M.polite(url, parallel)
  return record
end

-- Failures --------------------------------------------------------------------------------------

-- Is the text one of the ways to say "too many rows" (Mashup specification 6.3)?
local function means_too_many(message)
  local text = (message or ""):lower()
  return text:find("out ?of ?memory") or text:find("maximum results") or text:find("too many rows")
    or text:find("timeout expired") or text:find("timed out")
end

--- What a failed request says about its tile (tiling design 6.1): "over", "ambiguous", "stalled"
-- (the archive said to be at work on it until the time was up), "transient", "fatal", "again" (not
-- about the tile: ask once more); nil when the failure is this machine's own and must be raised as
-- it is.
function M.verdict(err)
  local status = err.http_status or 0
  if err.code == "truncated" then
    return "over"
  elseif err.reset or status == 500 or status == 502 or status == 504 then
    return "ambiguous"
  elseif status == 429 or status == 503 or err.code == "busy" then
    return "transient"
  elseif err.code == "timeout" and err.outcome and (err.outcome.polls or 0) > 0 then
    return "stalled"
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

--- Puts the service's name before the message of an error; gives the error back.
function M.note(err, service)
  if errors.is(err) and not err.service then
    err.service = service
    if not err.message:find(service, 1, true) then
      err.message = service .. ": " .. err.message
    end
  end
  return err
end

-- Answers ---------------------------------------------------------------------------------------

-- Lines have no end of their own: of those that came until the connection ended some may be
-- missing, and nothing says so (fault matrix N11). Said once of each service.
local doubted = {}

local function doubt(service)
  if not doubted[service] then
    doubted[service] = true
    system.log("warning", service .. ": its answers state no length and have no end mark: whether "
      .. "rows are missing at the end is not known (unverified)")
  end
end

--- A table from an archive, with the service's name on errors.
-- @tparam string service for messages
-- @tparam table request as for `http.fetch`
-- @treturn halyard.table
-- @treturn table answer what the answer says about itself; `body`, its bytes, when asked for
-- (`body_max`) and not more
-- @treturn table cost requests, bytes
-- @raise what `http.fetch` raises; `protocol` when the answer holds no table
function M.fetch(service, request)
  local results = table.pack(pcall(http.fetch, request))
  if not results[1] then
    error(M.note(results[2], service), 0)
  end
  local rows, answer, outcome = table.unpack(results, 2, 4)
  if not rows then
    errors.raise("protocol", ("%s: the answer holds no table"):format(service))
  end
  if outcome.unbounded and request.format == "csv" then
    doubt(service)
  end
  answer.body = outcome.body
  return rows, answer, { requests = 1, bytes = outcome.bytes }
end

--- What an answer that was not expected looks like, for messages.
function M.looks_like(text)
  local start = text:sub(1, 200):match("^%s*(.*)") or ""
  if start:lower():find("^<!doctype html") or start:lower():find("^<html") then
    return "an HTML page"
  elseif start == "" then
    return "nothing"
  end
  return '"' .. start:sub(1, 40):gsub("%c", " ") .. '..."'
end

-- What a service says in a JSON document about a failure; nil when it says nothing.
local function words_of(body)
  local ok, value = pcall(json.decode, body)
  for _, name in ipairs({ "message", "msg", "error" }) do
    local text = ok and type(value) == "table" and value[name]
    if type(text) == "string" and text ~= "" then
      return text
    end
  end
end

--- The reply to a small request: status, body, url, content_type; HTTP 200 only. Errors carry what
-- the service says itself as `words`. The record of the run counts it here.
-- @tparam string what for messages
-- @tparam table request as for `http.request`
-- @tparam[opt] boolean priced the caller counts it
function M.reply(what, request, priced)
  request.max_bytes = request.max_bytes or control_bytes
  local reply = http.request(request)
  if not priced then
    report.current():spent({ requests = 1, bytes = #reply.body })
  end
  if reply.status < 200 or reply.status > 299 then
    local code = (reply.status == 401 or reply.status == 403) and "permission"
      or (reply.status == 429 or reply.status == 503) and "busy"
      or reply.status == 404 and "not_found" or "archive"
    local words = words_of(reply.body)
    errors.raise(code, ("%s: %s answered HTTP %d (%s); %s"):format(what, reply.url, reply.status,
      words or M.looks_like(reply.body), reply.remedy or "check --archive or try again later"),
      { http_status = reply.status, words = words })
  end
  return reply
end

--- A small JSON document; arguments as for `reply`.
function M.document(what, request)
  local reply = M.reply(what, request)
  local ok, value = pcall(json.decode, reply.body)
  if not ok then
    errors.raise("protocol", ("%s: %s sent %s instead of JSON; check --archive")
      :format(what, reply.url, M.looks_like(reply.body)))
  end
  return value
end

--- Rows of a question asked on the way, for columns: the record of the run counts it here.
function M.aside(rows, cost)
  report.current():spent(cost)
  return rows
end

--- Adds a cost to a sum of costs.
function M.add_cost(sum, cost)
  sum.requests, sum.bytes = sum.requests + cost.requests, sum.bytes + cost.bytes
end

--- Rows of several answers one after the other; a single one as it is.
function M.joined(parts)
  return #parts == 1 and parts[1] or table_core.concat(parts)
end

-- A box that crosses ra = 0 is two plain ranges: no service takes a range that wraps.
--- Calls f(ra_min, ra_max, dec_min, dec_max) for the plain ranges of a box.
function M.each_box(box, f)
  if box.ra_min > box.ra_max then
    f(box.ra_min, 360, box.dec_min, box.dec_max)
    f(0, box.ra_max, box.dec_min, box.dec_max)
  else
    f(box.ra_min, box.ra_max, box.dec_min, box.dec_max)
  end
end

-- Columns ---------------------------------------------------------------------------------------

--- Sorted names of a column map (lower-case name -> { name, type, unit, ucd, description, ... }).
function M.names(columns)
  local names = {}
  for _, column in pairs(columns) do
    names[#names + 1] = column.name
  end
  table.sort(names)
  return names
end

--- The column of this name (any case), or a `usage` error with the nearest names.
function M.column(columns, name, service)
  local column = type(name) == "string" and columns[name:lower()]
  if not column then
    suggest.unknown("column of " .. service, tostring(name), M.names(columns))
  end
  return column
end

--- Criteria with the service's spelling of the column names.
function M.spelt(criteria, columns, service)
  local out = {}
  for name, value in pairs(criteria) do
    out[M.column(columns, name, service).name] = value
  end
  return out
end

--- Refuses what is no list of column names: a text would choose none, without a word.
function M.check_names(names, what)
  if names ~= nil and type(names) ~= "table" then
    errors.raise("usage", what .. ': columns is a list of names, { "ra", "dec" }')
  end
end

--- Chosen columns as the service spells them; those of `always` come first: without key and
-- position no row can be shown to be there exactly once.
function M.chosen(always, names, columns, service)
  local list, seen = {}, {}
  for _, name in ipairs(always) do
    list[#list + 1], seen[name] = name, true
  end
  for _, name in ipairs(names) do
    local spelt = M.column(columns, name, service).name
    if not seen[spelt] then
      list[#list + 1], seen[spelt] = spelt, true
    end
  end
  return list
end

local samples = {}
for sample, kinds in pairs({ [0] = "short int long integer bigint smallint unsignedbyte int16 "
  .. "int32 int64", [0.5] = "float double real float32 float64" }) do
  for kind in kinds:gmatch("%S+") do
    samples[kind] = sample
  end
end

-- The values of a column without rows; nil when the answer's own will do. An answer without rows
-- shows no types: the column map's hold, or a key would be a number here and a text there.
local function typed(rows, told, known)
  local sample = #rows == 0 and (told.type == "string" or told.type == "bool")
    and samples[tostring(known.type):lower()]
  return sample and table_core.from_rows({ { value = sample } }, { "value" }):head(0)
    :column("value")
end

--- Rows with the units, UCDs and descriptions that the column map knows and the answer does not
-- say; of an answer without rows also the types.
function M.described(rows, columns)
  for _, name in ipairs(rows.columns) do
    local known = columns[name:lower()]
    local told = known and rows:field(name)
    local values, more = known and typed(rows, told, known), {}
    for _, key in ipairs({ "unit", "ucd", "description" }) do
      if known and known[key] and known[key] ~= "" and (told[key] or "") == "" then
        more[key] = known[key]
      elseif values then
        more[key] = told[key]
      end
    end
    if values or next(more) then
      rows = rows:with(name, values or rows:column(name), more)
    end
  end
  return rows
end

--- What a key and a position are, as a column map for `described`: services that select by them
-- often do not say. Positions are in degrees, or no tile could hold them. Names may be nil.
function M.roles(id, ra, dec)
  local columns = {}
  for name, known in pairs({
    [id or ""] = { ucd = "meta.id;meta.main" },
    [ra or ""] = { ucd = "pos.eq.ra;meta.main", unit = "deg" },
    [dec or ""] = { ucd = "pos.eq.dec;meta.main", unit = "deg" },
  }) do
    columns[name:lower()] = known
  end
  return columns
end

--- Rows with the times of a column also as Modified Julian Dates; where one of them cannot be read
-- the rows stay as they are, with a warning.
function M.dated(rows, name, service)
  local ok, with_mjd = errors.try(rows.mjd, rows, name)
  if not ok then
    system.log("warning", ("%s: no MJD of %s: %s"):format(service, name, tostring(with_mjd)))
  end
  return ok and with_mjd or rows
end

--- Rows without the columns named in the set `dropped`.
function M.without(rows, dropped)
  local keep = {}
  for _, name in ipairs(rows.columns) do
    keep[#keep + 1] = not dropped[name] and name or nil
  end
  return #keep < #rows.columns and rows:project(keep) or rows
end

return M
