-- SPDX-License-Identifier: BSD-3-Clause
-- DataLink 1.0 and 1.1: the links of data sets, from documents that rows lead to or from a service
-- by identifiers. Section 10 of the VO specification.

local access = require("halyard.archive.access")
local descriptors = require("halyard.archive.descriptors")
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

local document_max = 4 << 20 -- bytes; of a larger one the services are not read

local function links_of(list)
  local parts = {}
  for i, document in ipairs(list) do
    parts[i] = document.rows
  end
  return setmetatable({
    table = #parts == 0 and table_core.from_rows({}, columns) or door.joined(parts), list = list,
  }, links_type)
end

local function read(url)
  local rows, cost, body = access.ask(url, {}, "ask for fewer identifiers at once", document_max)
  for _, name in ipairs({ "ID", "semantics" }) do
    if not access.has(rows, name) then
      errors.raise("protocol", ("%s is no document of links: it has no column %s"):format(url,
        name))
    end
  end
  access.noted(report.current(), url, rows, cost)
  return { url = url, rows = rows, body = body }
end

local function halves(list)
  local middle = #list // 2
  return table.move(list, 1, middle, 1, {}), table.move(list, middle + 1, #list, 1, {})
end

-- Documents of a service about identifiers. A service may answer for fewer than it was asked, with
-- or without a word (DataLink 1.1 section 3.4: never for a part of one): the rest is asked again.
local function about(service, ids)
  local ok, got = errors.try(read, door.url(service, { { "ID", ids } }))
  if ok and #ids == 1 then
    if #got.rows == 0 then
      errors.raise("protocol", ("%s answers with no links for %s and no reason"):format(service,
        ids[1]))
    end
    return { got }
  elseif not ok and (got.code ~= "truncated" or #ids == 1) then
    error(got, 0)
  end
  local asked, there, rest, out = {}, {}, ids, {}
  if ok then
    for _, id in ipairs(ids) do
      asked[id] = true
    end
    got.rows = got.rows:where(function(row)
      local id = rawget(row, "ID")
      there[id or ""] = true
      return asked[id] ~= nil
    end)
    rest = {}
    for _, id in ipairs(ids) do
      rest[#rest + 1] = not there[id] and id or nil
    end
    if #rest < #ids then
      out[1] = got
    end
  end
  local parts = #rest == #ids and { halves(rest) } or { rest }
  for _, part in ipairs(parts) do
    for _, document in ipairs(#part > 0 and about(service, part) or {}) do
      out[#out + 1] = document
    end
  end
  return out
end

-- What is at several addresses: `each` reads one item's documents, `address` gives its URL.
local function documents(items, address, each)
  local hosts = {}
  for i, item in ipairs(items) do
    hosts[i] = door.host(address(item))
  end
  report.current():require_hosts(hosts)
  for _, item in ipairs(items) do
    door.polite(address(item))
  end
  local list = {}
  for _, found in ipairs(task.map(items, 4, each)) do
    table.move(found, 1, #found, #list + 1, list)
  end
  return links_of(list)
end

local function of_urls(urls)
  return documents(urls, function(url)
    return url
  end, function(url)
    return { read(url) }
  end)
end

local function of_service(service, ids)
  access.check_url(service, "vo.datalink: service")
  local batches = {}
  for first = 1, #ids, ids_per_question do
    batches[#batches + 1] = table.move(ids, first, math.min(first + ids_per_question - 1, #ids), 1,
      {})
  end
  return documents(batches, function()
    return service
  end, function(batch)
    return about(service, batch)
  end)
end

local function identifiers(what)
  local ids, seen = {}, {}
  local list = type(what) == "userdata"
    and what:unique("obs_publisher_did"):list("obs_publisher_did")
    or type(what) == "table" and what or { what }
  for _, id in ipairs(list) do
    if type(id) ~= "string" or id == "" then
      errors.raise("usage", "vo.datalink: identifiers are texts")
    end
    ids[#ids + 1], seen[id] = not seen[id] and id or nil, true
  end
  return ids
end

local function links(what, service)
  if type(what) == "string" and not service then
    access.check_url(what, "vo.datalink")
    return of_urls({ what })
  elseif service then
    return of_service(service, identifiers(what))
  elseif type(what) ~= "userdata" then
    errors.raise("usage", "vo.datalink takes rows, the URL of a document, or identifiers with "
      .. "{ service = url }")
  end
  for _, name in ipairs({ "access_url", "access_format" }) do
    if not access.has(what, name) then
      errors.raise("usage", ("vo.datalink: the rows have no column %s, which says where documents "
        .. "of links are; for the links of identifiers name their service, { service = url }")
        :format(name))
    end
  end
  local urls, seen, format = {}, {}, nil
  for _, row in what:rows() do
    local url = rawget(row, "access_url")
    if url and is_document(rawget(row, "access_format")) and not seen[url] then
      urls[#urls + 1], seen[url] = url, true
    end
    format = format or rawget(row, "access_format")
  end
  if #urls == 0 and #what > 0 then
    errors.raise("not_found", ("vo.datalink: none of %d rows leads to a document of links: "
      .. "access_format is %s, not ...;content=datalink; retrieve.products(rows) downloads what "
      .. "they lead to"):format(#what, format and '"' .. format .. '"' or "empty"))
  end
  return of_urls(urls)
end

--- Links of a meaning: "#this", "preview", ... (with or without "#").
-- @treturn halyard.table
function methods:of(semantics)
  if type(semantics) ~= "string" then
    errors.raise("usage", "links:of takes a meaning such as \"#preview\"")
  end
  local wanted = "#" .. semantics:gsub("^#", "")
  return self.table:where(function(row)
    return short(rawget(row, "semantics")) == wanted and (rawget(row, "access_url") or "") ~= ""
  end)
end

-- Links that `links` lead to: documents that are a data set's "#this". Data sets without links are
-- an error.
local function further(self)
  local failed, urls = self:errors(), {}
  if #failed > 0 then
    errors.raise("not_found", ("%d of the data sets have no links, the first: %s: %s"):format(
      #failed, failed:get(1, "ID"), failed:get(1, "error_message")))
  end
  for _, row in self:of("#this"):rows() do
    urls[#urls + 1] = is_document(rawget(row, "content_type")) and row.access_url or nil
  end
  local found = of_urls(urls)
  local bad = found:errors()
  if #bad > 0 then
    errors.raise("not_found", ("%s: %s"):format(bad:get(1, "ID"), bad:get(1, "error_message")))
  end
  return found
end

--- The data themselves ("#this"). A link that leads to another document of links is followed, once.
-- @treturn halyard.table
-- @raise `not_found` with the service's words when an identifier has none
function methods:this()
  local direct, deeper = self:of("#this"), further(self)
  if #deeper.list == 0 then
    return direct
  end
  return table_core.concat({
    direct:where(function(row)
      return not is_document(rawget(row, "content_type"))
    end),
    deeper:of("#this"),
  })
end

--- The services that the documents describe (`service_def`: cutouts and the like).
-- @treturn list each with id, access_url, standard_id, resource_id, description, document, rows
-- (the links that lead to it); inputs(), takes(name), addresses(values)
-- @usage for _, service in ipairs(links:services()) do print(service:inputs()) end
function methods:services()
  local out = {}
  for _, document in ipairs(self.list) do
    if not document.body then
      errors.raise("budget", ("%s: the document is larger than %d MiB: ask for fewer identifiers "
        .. "at once"):format(document.url, document_max >> 20))
    end
    for _, service in ipairs(descriptors.services(document.body, document.rows, document.url)) do
      out[#out + 1] = service
    end
  end
  return out
end

--- Cutouts of all data sets, by their services for that (SODA, synchronous). A link that leads to
-- another document of links is followed, once. A data set outside the region is an error.
-- @tparam table options `region`, `band` (m), `time` (MJD): a number or { min =, max = }; `pol`;
-- `dir` (folder, default "cutouts"), `parallel` (1 to 8, default 4)
-- @treturn halyard.table path, ID, bytes, sha256, file, url
-- @raise `not_found` when a data set has no such service
-- @usage vo.datalink(images):cutout { region = sky.cone("M 101", "20 arcsec") }
function methods:cutout(options)
  local deeper = further(self)
  local services, wanted = self:services(), {}
  for _, service in ipairs(deeper:services()) do
    services[#services + 1] = service
  end
  for _, links_at in ipairs({ self, deeper }) do
    for _, row in links_at.table:rows() do
      wanted[row.ID] = true
    end
  end
  for _, row in self:of("#this"):rows() do
    if is_document(rawget(row, "content_type")) then
      wanted[row.ID] = nil
    end
  end
  return require("halyard.archive.soda").cutout(services, wanted, options)
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
-- @treturn links `table`; of, this, errors, services, cutout
-- @raise `usage`, `archive`, `truncated`; `not_found` when no row leads to a document
-- @usage vo.datalink(images):this()
function M.datalink(what, options)
  options = options or {}
  suggest.check_keys(options, { "service" }, "vo.datalink")
  local record = report.current()
  if record.dry then
    record.notes[#record.notes + 1] = "documents of links would be read"
    return links_of({})
  end
  return links(what, options.service)
end

return M
