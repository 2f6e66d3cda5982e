-- SPDX-License-Identifier: BSD-3-Clause
-- Doors for people and tests, not of any archive: SQL over the sky, and a mirror for requests.
local core = require "practice.core"
local http = require "practice.http"
local json = require "practice.json"
local sql = require "practice.sql"

local M = {}

local types = { json = "application/json", json_text = "application/json",
  extjs = "application/json", votable = "text/xml", csv = "text/csv",
  tsv = "text/tab-separated-values" }

local function failed(message)
  return http.json({ error = message }, 400)
end

-- The head line of text, or what stands around rows of JSON.
local function frame(layout, columns)
  local names = {}
  for i, c in ipairs(columns) do
    names[i] = c.name
  end
  if layout == "csv" or layout == "tsv" then
    return table.concat(names, layout == "csv" and "," or "\t") .. "\n", ""
  elseif layout == "votable" then
    return "<TABLEDATA>", "</TABLEDATA>\n"
  end
  return '{"columns":' .. json.encode(json.list(columns)) .. ',"rows":[', '],"more":false}\n'
end

-- query, layout, max, seconds; a file "NAME" becomes the table NAME.
local function ask(request)
  local p = http.parameters(request)
  local layout = p.layout or "json"
  if not p.query or not types[layout] then
    return failed(p.query and "no layout " .. layout or "query is missing")
  end
  local tables = {}
  for _, part in ipairs(request.parts) do
    if part.filename then
      local t, why = core.table(part.body)
      if not t then
        return failed(why)
      end
      tables[part.name] = t
    end
  end
  local seconds = tonumber(p.seconds)
  local _, columns = sql.query(p.query, nil, { max = 0, tables = tables })
  if type(columns) == "string" then
    return failed(columns)
  end
  local head, tail = frame(layout, columns)
  return { outcome = "sql", sql = p.query, tables = tables, layout = layout, seconds = seconds,
    content_type = types[layout], body = head, tail = tail, failed = failed,
    max_rows = tonumber(p.max), tail_over = tail:find("false", 1, true)
      and tail:gsub("false", "true") or nil }
end

-- The request as the archive saw it; `status` and `location` choose the answer's.
local function echo(request)
  local p = http.parameters(request)
  for _, part in ipairs(request.parts) do
    part.body = core.base64(part.body)
  end
  local answer = http.json({ method = request.method, path = request.path, rest = request.rest,
    base = request.base, headers = request.headers, arguments = json.list(request.arguments),
    form = json.list(request.form), parts = json.list(request.parts),
    body = core.base64(request.body) }, tonumber(p.status))
  answer.headers = { Location = p.location, ["Set-Cookie"] = { "first=1", "second=2" } }
  return answer
end

M.routes = { ["/practice/sql"] = ask, ["/practice/echo/"] = echo }

return M
