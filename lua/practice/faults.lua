-- SPDX-License-Identifier: BSD-3-Clause
-- Faults on demand: "--faults reset=0.05,executing=2". The n-th data request of a run (or the n-th
-- file request) draws one number from (seed, n), so the same requests in the same order fail alike.
local core = require "practice.core"

local M = {}

-- name -> what it does; shares are parts of 1 and must sum to at most 1 within a group.
local groups = {}
groups.data = {
  { "reset", "RST before the first byte" },
  { "empty", "closed before the first byte" },
  { "cut", "closed in mid-body" },
  { "slow", "about 100 kB/s" },
  { "http500", "HTTP 500, text/plain" },
  { "http503", "HTTP 503 with Retry-After: 1" },
  { "http429", "HTTP 429 with Retry-After: 1" },
  { "html", "HTTP 200 with an HTML page" },
  { "error", "status ERROR with a database text" },
  { "bad-extjs", "the ERROR body that is not JSON" },
}
groups.files = {
  { "file-reset", "RST before the first byte" },
  { "file-cut", "closed in mid-body" },
  { "file-slow", "about 100 kB/s" },
  { "file-http404", "HTTP 404" },
  { "file-http500", "HTTP 500" },
  { "file-http503", "HTTP 503 with Retry-After: 1" },
  { "file-html", "HTTP 200 with an HTML page" },
  { "file-norange", "Range is ignored: 200 and the whole file" },
  { "file-badrange", "Content-Range and bytes start one later" },
  { "file-nolength", "no Content-Length" },
  { "file-empty", "HTTP 200 with nothing" },
  { "file-short", "the first half as if it were all" },
}
local known_switches = {
  { "at", "=TEXT: only requests whose path or service holds TEXT may fail" },
  { "first", "=N: only the first N questions and the first N requests for files may fail" },
  { "executing", "=N: every question answers EXECUTING N times first" },
  { "ignore-pagesize", "page and pagesize are ignored: all rows" },
  { "no-paging", "answers carry no paging block" },
  { "silent-cap", "=N: no answer has more than N rows, and nothing says so" },
  { "stored-cap", "=N: no stored result has more than N rows, and nothing says so" },
  { "wfc3", "=1 or 2: both cameras of the WFC3 PSF at the first or second of the names" },
  { "jwst-portal", "=1 or 2: JWST's observers at the usual portal or at /portal_jwst/ alone" },
  { "ranges-or", "Catalogs.MAST joins the conditions of a column by OR" },
  { "empty-csv", "Catalogs.MAST answers no rows in CSV with nothing, not even a header" },
  { "no-objid", "cone answers of observations lack objID" },
  { "tap-dachs", "TAP as DaCHS: errors with HTTP 200, jobs below another path, BINARY2" },
}

local function names_of(list)
  local out = {}
  for i, entry in ipairs(list) do
    out[i] = entry[1]
  end
  return table.concat(out, " ")
end

local function help()
  return ("faults are a comma list of NAME=SHARE (0 to 1) and switches (docs/practice.md):\n"
    .. "  questions: %s\n  files: %s\n  switches: %s")
    :format(names_of(groups.data), names_of(groups.files), names_of(known_switches))
end

local function find(list, name)
  for _, entry in ipairs(list) do
    if entry[1] == name then
      return true
    end
  end
end

local shares, switches = {}, {}
local drawn = { data = 0, files = 0 }

local counted = { first = true, executing = true, ["silent-cap"] = true, ["stored-cap"] = true,
  wfc3 = true, ["jwst-portal"] = true }

local function read(spec)
  local sums = { data = 0, files = 0 }
  for item in spec:gmatch("[^,]+") do
    local name, text = item:match("^%s*([%w%-]+)%s*=?%s*(.-)%s*$")
    local number = tonumber(text)
    if not name or text ~= "" and not number and name ~= "at" then
      error(("fault '%s' is not NAME=SHARE; --faults help lists them"):format(item), 0)
    elseif name == "at" then
      switches.at = text
    elseif find(known_switches, name) then
      if counted[name] and not math.tointeger(number) then
        error(("fault '%s' needs a whole number: %s=N"):format(name, name), 0)
      end
      switches[name] = math.tointeger(number) or true
    else
      local group = find(groups.data, name) and "data" or find(groups.files, name) and "files"
      if not group then
        error(("no fault is called '%s'; --faults help lists them"):format(name), 0)
      end
      shares[name] = number or 1
      sums[group] = sums[group] + shares[name]
      if sums[group] > 1 + 1e-9 then
        error("the shares of faults sum to more than 1", 0)
      end
    end
  end
end

if core.faults == "help" then
  error(help(), 0)
elseif core.faults then
  read(core.faults)
end

--- The value of a switch: a number, true, or nil.
function M.switch(name)
  return switches[name]
end

--- Draws for the next request of a group ("data" or "files"): a fault's name or nil.
-- @param where its path or service
function M.draw(group, where)
  if switches.at and not where:find(switches.at, 1, true) then
    return nil
  end
  drawn[group] = drawn[group] + 1
  if drawn[group] > (switches.first or math.huge) then
    return nil
  end
  local u = core.uniform(2 * drawn[group] + (group == "files" and 1 or 0))
  for _, entry in ipairs(groups[group]) do
    local share = shares[entry[1]] or 0
    if u < share then
      return entry[1]
    end
    u = u - share
  end
end

local function plain(text, content_type, status, headers)
  return { outcome = "body", body = text, content_type = content_type, status = status,
    headers = headers }
end

M.DATABASE_TEXT = "Transaction (Process ID 77) was deadlocked on lock resources."

--- What is sent instead of an answer for a fault that is no protocol's own; nil when the answer
-- itself goes out (cut, slow, none).
function M.answer(name)
  local status = name and name:match("http(%d+)$")
  if name == "reset" or name == "empty" then
    return { outcome = name }
  elseif status == "503" or status == "429" then
    return plain("Try again later (practice)", "text/plain", tonumber(status),
      { ["Retry-After"] = "1" })
  elseif status then
    return plain("Internal server error (practice)", "text/plain", tonumber(status))
  elseif name == "html" then
    return plain("<!DOCTYPE html><html><body><h1>Maintenance</h1></body></html>\n", "text/html",
      200)
  end
end

--- The answer that is the file of a product's URI, with the file faults.
function M.file(request, uri)
  request.record.request = uri
  local fault = M.draw("files", request.path)
  if fault == "file-http404" then
    request.record.note = "fault " .. fault
    return plain("(practice)\n", "text/plain", 404)
  end
  local kind = fault and fault:match("^file%-(.*)")
  local instead = kind == "empty" and plain("", "application/octet-stream", 200) or M.answer(kind)
  if instead then
    request.record.note = "fault " .. fault
    return instead
  end
  return { outcome = "file", body = uri, fault = kind }
end

--- A handler that delivers data, with the question faults. `error_answer(message)` words a failure
-- of the database as the protocol does.
function M.data(handler, error_answer)
  return function(request)
    local name = M.draw("data", request.path .. " " .. (request.record.service or ""))
    local instead = M.answer(name)
    if name == "error" or name == "bad-extjs" then
      instead = error_answer and error_answer(M.DATABASE_TEXT)
        or plain(M.DATABASE_TEXT, "text/plain", 500)
    end
    if instead then
      request.record.note = "fault " .. name
      return instead
    end
    local answer = handler(request)
    local cap = M.switch("silent-cap")
    if cap and answer.outcome == "sql" and cap < (answer.max_rows or math.huge) then
      answer.max_rows, answer.tail_over = cap, nil
    end
    answer.fault = name
    return answer
  end
end

return M
