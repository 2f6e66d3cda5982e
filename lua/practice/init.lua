-- SPDX-License-Identifier: BSD-3-Clause
-- The practice archive: which dialect answers which path, and the record of all requests.
local auth = require "practice.auth"
local columns = require "practice.columns"
local core = require "practice.core"
local faults = require "practice.faults"
local http = require "practice.http"
local json = require "practice.json"
local mashup = require "practice.mashup"
local resolver = require "practice.resolver"
local sql = require "practice.sql"

local M = {}

local LOG_MAX <const> = 5000 -- requests kept for /practice/log

-- The dialects beside the portal's: modules that return { routes = { [path] = handler } }.
local protocols = {
  "practice.auth",
  "practice.bundles",
  "practice.casjobs",
  "practice.catalogs",
  "practice.classic",
  "practice.cloud",
  "practice.cone",
  "practice.console",
  "practice.cutouts",
  "practice.datalink",
  "practice.exo",
  "practice.gsss",
  "practice.images",
  "practice.missions",
  "practice.registry",
  "practice.sia",
  "practice.soda",
  "practice.ssa",
  "practice.tap",
}

-- The record ------------------------------------------------------------------------------------

local open, log = {}, { first = 1, last = 0 }
local stats = { requests = 0, most_simultaneous = 0, resets = 0, bytes = 0, rows = 0,
  by_path = {}, by_service = {}, by_result = {} }

local function count(list, name)
  list[name] = (list[name] or 0) + 1
end

-- Routes ----------------------------------------------------------------------------------------

local exact, prefixes = {}, {} -- path -> handler

local function add_route(path, handler)
  local list = path:sub(-1) == "/" and path ~= "/" and prefixes or exact
  if path:sub(1, 1) ~= "/" or list[path] then
    error(("route %s: %s"):format(path, list[path] and "taken" or "a path begins with /"), 0)
  end
  list[path] = handler
end

-- The handler of a path and what follows its prefix.
local function route_of(path)
  if exact[path] then
    return exact[path], ""
  end
  local at = #path
  while at > 0 do
    local prefix = path:sub(1, at):match("^.*/")
    if prefixes[prefix] then
      return prefixes[prefix], path:sub(#prefix + 1)
    end
    at = prefix and #prefix - 1 or 0
  end
end

local function invoke(request)
  local record = request.record
  local text = http.value(request.form, "request") or http.value(request.arguments, "request")
  if not text then
    return http.answer("Mashup: no request parameter", "text/plain", 500)
  end
  record.request = text
  local answer, service = mashup.serve(request, text)
  record.service = service
  record.note = answer.note or record.note
  return answer
end

local function columns_config(request)
  local name = http.value(request.form, "colConfigId")
    or http.value(request.arguments, "colConfigId")
  return http.answer(json.encode(columns.config(name or "")), "text/javascript")
end

local function download(request)
  local uri = http.value(request.arguments, "uri") or http.value(request.form, "uri")
  if not uri then
    return http.answer("uri is missing\n", "text/plain", 400)
  end
  if not auth.may_read(request, uri) then
    request.record.request, request.record.note = uri, "not allowed"
    return auth.refused()
  end
  return faults.file(request, uri)
end

local function santa(request)
  local names = http.values(request.arguments, "name")
  if http.value(request.arguments, "outputFormat") == "json" then
    local only = {}
    for _, name in ipairs(http.values(request.arguments, "resolver")) do
      only[name] = true
    end
    return http.answer(resolver.json(names, { only = only,
      all = http.value(request.arguments, "resolveAll") == "true" }), "application/json")
  end
  return http.answer(resolver.xml(names), "text/xml")
end

local function log_list()
  local out = json.list({})
  for i = log.first, log.last do
    out[#out + 1] = log[i]
  end
  return http.json(out)
end

local own = {
  ["/api/v0/invoke"] = invoke,
  ["/portal/Mashup/Mashup.asmx/invoke"] = invoke,
  ["/portal_jwst/Mashup/Mashup.asmx/invoke"] = invoke,
  ["/portal/Mashup/Mashup.asmx/columnsconfig"] = columns_config,
  ["/api/v0.1/Download/file"] = download,
  ["/jwst/api/v0.1/Download/file"] = download,
  ["/jwst/api/v0.1/download/file"] = download,
  ["/Santa-war/query"] = faults.data(santa),
  ["/cgi-bin/nph-sesame/-oxp/SNV"] = faults.data(function(request)
    local first = request.arguments[1]
    return http.answer(resolver.sesame(first and first[1] or ""), "text/xml")
  end),
  ["/practice/stats"] = function()
    return http.json(stats)
  end,
  ["/practice/log"] = log_list,
  ["/"] = function()
    return http.answer("Halyard practice archive " .. core.version .. "\n", "text/plain")
  end,
}
for path, handler in pairs(own) do
  add_route(path, handler)
end
for _, name in ipairs(protocols) do
  for path, handler in pairs(require(name).routes) do
    add_route(path, handler)
  end
end

-- Everything a client may look up right after its answer is counted before the answer goes out;
-- result, bytes and the rows really sent follow when the connection says so.
local function enter(request)
  local record = { id = request.id, method = request.method, path = request.path, rows = 0,
    result = "open" }
  open[request.id] = record
  if request.path:sub(1, 10) == "/practice/" then
    return record
  end
  stats.requests = stats.requests + 1
  stats.most_simultaneous = math.max(stats.most_simultaneous, request.simultaneous)
  count(stats.by_path, request.path)
  log.last = log.last + 1
  log[log.last] = record
  if log.last - log.first >= LOG_MAX then
    log[log.first] = nil
    log.first = log.first + 1
  end
  return record
end

local failures = {} -- request id -> function of the message, for statements under way

local function decided(record, answer)
  record.note = answer.note or record.note
  if answer.outcome == "reset" then
    stats.resets = stats.resets + 1
    record.result = "reset"
  elseif answer.outcome == "rows" then
    record.rows = answer.n
    stats.rows = stats.rows + answer.n
  elseif answer.outcome == "sql" then
    failures[record.id] = answer.failed
    sql.answer(answer)
  end
  return answer
end

--- First half of a request: see src/practice/script.h.
function M.serve(request)
  local record = enter(request)
  request.record = record
  local handler, rest = route_of(request.path)
  if not handler then
    return http.answer("Nothing is served here\n", "text/plain", 404)
  end
  local read, why = http.read(request)
  if not read then
    return http.answer(why .. "\n", "text/plain", 400)
  end
  request.rest = rest
  local answer = handler(request)
  if record.service then
    count(stats.by_service, record.service)
  end
  return decided(record, answer)
end

--- Second half: the rows are counted.
function M.finish(id, total, went_wrong)
  local answer = mashup.finish(id, total, went_wrong)
  open[id].total = total
  open[id].note = went_wrong and "error" or nil
  return decided(open[id], answer)
end

--- The statement of an answer failed before its first row.
function M.failed(id, _, message)
  open[id].note = "error"
  local words = failures[id]
  local answer = words and words(message) or http.answer(message .. "\n", "text/plain", 400)
  if answer.outcome == "sql" then
    error("the answer to a failed statement is another statement", 0)
  end
  return answer
end

--- The request is over: `how` holds result, http_status, rows, bytes.
function M.done(id, how)
  local record = open[id]
  open[id] = nil
  failures[id] = nil
  mashup.forget(id)
  if not record or record.path:sub(1, 10) == "/practice/" then
    return
  end
  stats.bytes = stats.bytes + how.bytes
  stats.rows = stats.rows + how.rows - record.rows
  count(stats.by_result, how.result)
  record.result, record.status = how.result, how.http_status
  record.rows, record.bytes = how.rows, how.bytes
  return json.encode(record)
end

return M
