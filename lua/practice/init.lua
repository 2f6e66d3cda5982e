-- SPDX-License-Identifier: BSD-3-Clause
-- The practice archive: which dialect answers which path, and the record of all requests.
local columns = require "practice.columns"
local core = require "practice.core"
local faults = require "practice.faults"
local json = require "practice.json"
local mashup = require "practice.mashup"
local resolver = require "practice.resolver"

local M = {}

local LOG_MAX <const> = 5000 -- requests kept for /practice/log

local function body(text, content_type, status)
  return { outcome = "body", body = text, content_type = content_type, status = status or 200 }
end

-- name=value pairs of a form body or query string, in order.
local function form(text)
  local out = {}
  for name, v in text:gmatch("([^&=]+)=([^&]*)") do
    local function plain(s)
      return (s:gsub("+", " "):gsub("%%(%x%x)", function(hex)
        return string.char(tonumber(hex, 16))
      end))
    end
    out[#out + 1] = { plain(name), plain(v) }
  end
  return out
end

local function value_of(pairs_list, name)
  for _, p in ipairs(pairs_list) do
    if p[1] == name then
      return p[2]
    end
  end
end

local function values_of(pairs_list, name)
  local out = {}
  for _, p in ipairs(pairs_list) do
    if p[1] == name then
      out[#out + 1] = p[2]
    end
  end
  return out
end

-- The record ------------------------------------------------------------------------------------

local open, log = {}, { first = 1, last = 0 }
local stats = { requests = 0, most_simultaneous = 0, resets = 0, bytes = 0, rows = 0,
  by_path = {}, by_service = {}, by_result = {} }

local function count(list, name)
  list[name] = (list[name] or 0) + 1
end

local routes = {}

local function invoke(request, record)
  local text = value_of(request.form, "request") or value_of(request.arguments, "request")
  if not text then
    return body("Mashup: no request parameter", "text/plain", 500)
  end
  record.request = text
  local answer, service = mashup.serve(request.id, text)
  record.service = service
  record.note = answer.note
  return answer
end

local function columns_config(request)
  local name = value_of(request.form, "colConfigId") or value_of(request.arguments, "colConfigId")
  return body(json.encode(columns.config(name or "")), "text/javascript")
end

local function download(request, record)
  local uri = value_of(request.arguments, "uri") or value_of(request.form, "uri")
  record.request = uri
  if not uri then
    return body("uri is missing\n", "text/plain", 400)
  end
  local fault = faults.draw("files")
  local status = fault and tonumber(fault:match("http(%d+)"))
  if status then
    record.note = "fault " .. fault
    local answer = body("(practice)\n", "text/plain", status)
    answer.retry_after = status == 503 and "1" or nil
    return answer
  elseif fault == "file-reset" then
    record.note = "fault " .. fault
    return { outcome = "reset" }
  end
  return { outcome = "file", body = uri, fault = fault and fault:match("^file%-(.*)") }
end

local function santa(request)
  local names = values_of(request.arguments, "name")
  if value_of(request.arguments, "outputFormat") == "json" then
    return body(resolver.json(names), "application/json")
  end
  return body(resolver.xml(names), "text/xml")
end

local function whoami()
  return body(json.encode({ eppn = "", ezid = "anonymous", anon = true, scopes = json.list({}),
    attrib = { display_name = "Anonymous" }, session = json.null, token = json.null }),
    "application/json")
end

local function log_list()
  local out = json.list({})
  for i = log.first, log.last do
    out[#out + 1] = log[i]
  end
  return body(json.encode(out), "application/json")
end

routes["/api/v0/invoke"] = invoke
routes["/portal/Mashup/Mashup.asmx/invoke"] = invoke
routes["/portal/Mashup/Mashup.asmx/columnsconfig"] = columns_config
routes["/api/v0.1/Download/file"] = download
routes["/jwst/api/v0.1/Download/file"] = download
routes["/jwst/api/v0.1/download/file"] = download
routes["/Santa-war/query"] = santa
routes["/whoami"] = whoami
routes["/practice/stats"] = function()
  return body(json.encode(stats), "application/json")
end
routes["/practice/log"] = log_list
routes["/"] = function()
  return body("Halyard practice archive " .. core.version .. "\n", "text/plain")
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

local function decided(record, answer)
  record.note = answer.note or record.note
  if answer.outcome == "reset" then
    stats.resets = stats.resets + 1
    record.result = "reset"
  elseif answer.outcome == "rows" then
    record.rows = answer.n
    stats.rows = stats.rows + answer.n
  end
  return answer
end

--- First half of a request: see src/practice/script.h.
function M.serve(request)
  local record = enter(request)
  request.form = request.method == "POST" and form(request.body) or {}
  local route = routes[request.path]
  if not route then
    return body("Nothing is served here\n", "text/plain", 404)
  end
  local answer = route(request, record)
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

--- The request is over: `how` holds result, http_status, rows, bytes.
function M.done(id, how)
  local record = open[id]
  open[id] = nil
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
