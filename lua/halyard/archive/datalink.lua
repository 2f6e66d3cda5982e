-- SPDX-License-Identifier: BSD-3-Clause
-- DataLink 1.0 and 1.1: the links of data sets, from documents that rows lead to or from a service
-- by identifiers. Section 10 of the VO specification.

local access = require("halyard.archive.access")
local door = require("halyard.archive.door")
local errors = require("halyard.error")
local report = require("halyard.report")
local suggest = require("halyard.suggest")
local table_core = require("halyard.core.table")
local task = require("halyard.core.task")

local M = {}

local ids_per_question = 20
local columns = { "ID", "access_url", "service_def", "error_message", "semantics", "description",
  "content_type", "content_length" }

local methods = {}
local links_type = { __index = methods, __name = "halyard.datalink" }
links_type.__tostring = function(self)
  return ("%d links"):format(#self.table)
end

local function is_document(kind)
  return type(kind) == "string" and kind:lower():find("content=datalink", 1, true) ~= nil
end

-- "#this" of "http://www.ivoa.net/rdf/datalink/core#this".
local function short(semantics)
  return (semantics or ""):match("(#[^#]*)$") or semantics or ""
end

-- The documents at `urls`, one after the other in a table.
local function documents(urls)
  local record = report.current()
  for _, url in ipairs(urls) do
    door.begin(door.host(url), url)
  end
  local parts = task.map(urls, 4, function(url)
    local rows, cost = access.ask(url, {}, "ask for fewer identifiers at once")
    for _, name in ipairs({ "ID", "semantics" }) do
      if not access.has(rows, name) then
        errors.raise("protocol", ("%s is no document of links: it has no column %s"):format(url,
          name))
      end
    end
    access.noted(record, url, rows, cost)
    return rows
  end)
  return #parts == 0 and table_core.from_rows({}, columns) or door.joined(parts)
end

-- Addresses of documents: of a service by identifiers.
local function questions(service, ids)
  access.check_url(service, "vo.datalink: service")
  local urls = {}
  for first = 1, #ids, ids_per_question do
    urls[#urls + 1] = door.url(service, {
      { "ID", table.move(ids, first, math.min(first + ids_per_question - 1, #ids), 1, {}) },
    })
  end
  return urls
end

local function addresses(what, service)
  if type(what) == "string" and not service then
    access.check_url(what, "vo.datalink")
    return { what }
  elseif service then
    local ids = type(what) == "table" and what or { what }
    if type(what) == "userdata" then
      ids = what:unique("obs_publisher_did"):list("obs_publisher_did")
    end
    for _, id in ipairs(ids) do
      if type(id) ~= "string" or id == "" then
        errors.raise("usage", "vo.datalink: identifiers are texts")
      end
    end
    return questions(service, ids)
  elseif type(what) ~= "userdata" then
    errors.raise("usage", "vo.datalink takes rows, the URL of a document, or identifiers with "
      .. "{ service = url }")
  end
  local urls, seen = {}, {}
  for _, row in what:rows() do
    local url = rawget(row, "access_url")
    if url and is_document(rawget(row, "access_format")) and not seen[url] then
      urls[#urls + 1], seen[url] = url, true
    end
  end
  return urls
end

--- Links of a meaning: "#this", "preview", ... (with or without "#").
-- @treturn halyard.table
function methods:of(semantics)
  if type(semantics) ~= "string" then
    errors.raise("usage", "links:of takes a meaning such as \"#preview\"")
  end
  local wanted = "#" .. semantics:gsub("^#", "")
  return self.table:where(function(row)
    return short(rawget(row, "semantics")) == wanted and rawget(row, "access_url") ~= nil
  end)
end

--- The data themselves ("#this"). A link that leads to another document of links is followed, once.
-- @treturn halyard.table
-- @raise `not_found` with the service's words when an identifier has none
function methods:this()
  local failed = self:errors()
  if #failed > 0 then
    errors.raise("not_found", ("%d of the data sets have no links, the first: %s: %s"):format(
      #failed, failed:get(1, "ID"), failed:get(1, "error_message")))
  end
  local direct, urls = self:of("#this"), {}
  for _, row in direct:rows() do
    urls[#urls + 1] = is_document(rawget(row, "content_type")) and row.access_url or nil
  end
  if #urls == 0 then
    return direct
  end
  local further = setmetatable({ table = documents(urls) }, links_type)
  local bad = further:errors()
  if #bad > 0 then
    errors.raise("not_found", ("%s: %s"):format(bad:get(1, "ID"), bad:get(1, "error_message")))
  end
  return table_core.concat({
    direct:where(function(row)
      return not is_document(rawget(row, "content_type"))
    end),
    further:of("#this"),
  })
end

--- Rows that say why there is no link, in the service's words (error_message).
-- @treturn halyard.table
function methods:errors()
  return self.table:where(function(row)
    return (rawget(row, "error_message") or "") ~= ""
  end)
end

--- The links of data sets.
-- @tparam halyard.table|string|table what rows of vo.sia or vo.ssa (those whose access_format says
-- content=datalink), the URL of a document, or identifiers with `service`
-- @tparam[opt] table options `service`: URL of the service of links
-- @treturn links `table`; of, this, errors
-- @raise `usage`, `archive`, `truncated`
-- @usage vo.datalink(images):this()
function M.datalink(what, options)
  options = options or {}
  suggest.check_keys(options, { "service" }, "vo.datalink")
  local record = report.current()
  if record.dry then
    record.notes[#record.notes + 1] = "documents of links would be read"
    return setmetatable({ table = table_core.from_rows({}, columns) }, links_type)
  end
  return setmetatable({ table = documents(addresses(what, options.service)) }, links_type)
end

return M
