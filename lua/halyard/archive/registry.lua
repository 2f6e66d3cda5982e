-- SPDX-License-Identifier: BSD-3-Clause
-- The registry of the Virtual Observatory (RegTAP): services by words, waveband and protocol, and
-- the first of them that works. Section 9 of the VO specification, section 6 of that of MAST's
-- classic interfaces.

local adql = require("halyard.archive.adql")
local cone = require("halyard.archive.cone")
local door = require("halyard.archive.door")
local errors = require("halyard.error")
local report = require("halyard.report")
local sia = require("halyard.archive.sia")
local ssa = require("halyard.archive.ssa")
local suggest = require("halyard.suggest")
local table_core = require("halyard.core.table")
local tap = require("halyard.archive.tap")

local M = {}

local columns = { "ivoid", "short_name", "title", "description", "access_url", "standard_id",
  "waveband" }
-- What they are: RegTAP tells utypes only.
local ucds = { ivoid = "meta.ref.ivoid", short_name = "meta.id", title = "meta.title",
  description = "meta.note", access_url = "meta.ref.url", standard_id = "meta.ref.ivoid",
  waveband = "em" }
local wavebands = { "radio", "millimeter", "infrared", "optical", "uv", "euv", "x-ray",
  "gamma-ray" }

-- Protocols -------------------------------------------------------------------------------------

-- Limits are only known of a service that describes itself as TAP.
local function check_tap(service)
  if service:capabilities().uploads == nil then
    local url = service.url .. "/capabilities"
    door.reply(service.url, { url = url, tries = 1 }) -- for the service's own words
    errors.raise("protocol", url .. " does not describe a TAP service")
  end
end

-- word of the search -> end of the standard's identifier; the object of halyard.vo; a request that
-- costs next to nothing and raises where the service does not work.
local protocols = {
  cone = { standard = "conesearch", make = cone.cone, check = function(service)
    service:columns() -- SR = 0
  end },
  sia = { standard = "sia", make = sia.sia, check = function(service)
    if service:protocol() == 1 then
      service:parameters()
    end
  end },
  ssa = { standard = "ssa", make = ssa.ssa, check = function(service)
    service:parameters()
  end },
  tap = { standard = "tap", make = tap.tap, check = check_tap },
}
local words = { "cone", "sia", "ssa", "tap" }

local prefix = "ivo://ivoa.net/std/"

-- The protocol of a standard's identifier ("ivo://ivoa.net/std/sia#query-2.0"); nil: none of ours.
local function protocol_of(standard_id)
  local name = (standard_id or ""):lower():match("^ivo://ivoa%.net/std/(%w+)")
  for _, word in ipairs(words) do
    if protocols[word].standard == name then
      return protocols[word]
    end
  end
end

-- Search ----------------------------------------------------------------------------------------

local function keyword_list(keywords)
  local list = type(keywords) == "table" and keywords or { keywords }
  for _, word in ipairs(list) do
    if type(word) ~= "string" or not word:find("%S") then
      errors.raise("usage", "registry.search: keywords is a text or a list of texts")
    end
  end
  return list
end

local function check(options)
  suggest.check_keys(options, { "keywords", "waveband", "service_type", "url" }, "registry.search")
  local keywords = keyword_list(options.keywords)
  if options.service_type ~= nil and not protocols[options.service_type] then
    suggest.unknown("service type", tostring(options.service_type), words)
  elseif #keywords == 0 and not options.waveband and not options.service_type then
    errors.raise("usage", "registry.search takes keywords, waveband or service_type: without any "
      .. "it would be the whole registry")
  end
  local known = options.waveband == nil
  for _, name in ipairs(wavebands) do
    known = known or name == options.waveband
  end
  if not known then
    suggest.unknown("waveband", tostring(options.waveband), wavebands)
  end
  return keywords
end

-- All identifiers and words of lists are stored in lower case.
local function query_of(options, keywords)
  local standards = {}
  for _, word in ipairs(options.service_type and { options.service_type } or words) do
    standards[#standards + 1] = "cap.standard_id LIKE "
      .. adql.literal(prefix .. protocols[word].standard .. "%")
  end
  local where = { "intf.intf_type = 'vs:paramhttp'", "intf.intf_role = 'std'",
    "(" .. table.concat(standards, " OR ") .. ")" }
  for i, keyword in ipairs(keywords) do
    local word = adql.literal(keyword)
    where[#where + 1] = (("(1 = ivo_hasword(res.res_description, %s)"
      .. " OR 1 = ivo_hasword(res.res_title, %s) OR res.ivoid IN (SELECT sub%d.ivoid"
      .. " FROM rr.res_subject AS sub%d WHERE 1 = ivo_hasword(sub%d.res_subject, %s)))")
      :format(word, word, i, i, i, word))
  end
  if options.waveband then
    where[#where + 1] = ("1 = ivo_hashlist_has(res.waveband, %s)")
      :format(adql.literal(options.waveband))
  end
  return "SELECT DISTINCT res.ivoid, res.short_name, res.res_title, res.res_description, "
    .. "intf.access_url, cap.standard_id, res.waveband FROM rr.resource AS res "
    .. "JOIN rr.capability AS cap ON res.ivoid = cap.ivoid "
    .. "JOIN rr.interface AS intf ON cap.ivoid = intf.ivoid AND cap.cap_index = intf.cap_index "
    .. "WHERE " .. table.concat(where, " AND ")
end

--- Services that the registry knows.
-- @tparam table options `keywords` (a text or a list; each is in the title, the description or a
-- subject), `waveband` ("radio", "millimeter", "infrared", "optical", "uv", "euv", "x-ray",
-- "gamma-ray"), `service_type` ("cone", "sia", "ssa", "tap"; all four when absent), `url` (the base
-- URL of another registry that speaks RegTAP)
-- @treturn halyard.table ivoid, short_name, title, description, access_url, standard_id, waveband
-- ("optical#uv"), in the order of ivoid and access_url; without rows when nothing is found
-- @raise `usage`, `truncated`, `archive` with the registry's words
-- @usage vo.registry.search { keywords = "quasar", service_type = "cone" }
function M.search(options)
  options = options or {}
  local keywords = check(options)
  local service = tap.tap(options.url or door.base("tap") .. "/vo-tap/api/v0.1/registry")
  -- The names are the standard's: no need to ask which there are.
  local rows = service:query(query_of(options, keywords), { check = false }).table
  if not rows then -- a plan
    return table_core.from_rows({}, columns)
  end
  rows = rows:rename({ res_title = "title", res_description = "description" })
  local known = {}
  for name, ucd in pairs(ucds) do
    known[name] = { ucd = ucd }
  end
  return door.described(rows, known):sort({ "access_url" }):sort({ "ivoid" })
end

-- The first that works --------------------------------------------------------------------------

local function rows_of(given)
  if type(given) == "table" then
    return M.search(given)
  elseif type(given) ~= "userdata" then
    errors.raise("usage", "registry.first_working takes the table of registry.search, or its "
      .. "options")
  end
  local there = {}
  for _, name in ipairs(given.columns) do
    there[name] = true
  end
  for _, name in ipairs({ "access_url", "standard_id" }) do
    if not there[name] then
      errors.raise("usage", ("registry.first_working: the table has no column %s; it takes one "
        .. "as of registry.search"):format(name))
    end
  end
  return given
end

local function working(protocol, url)
  if not protocol then
    errors.raise("usage", "no protocol of Halyard's")
  end
  local service = protocol.make(url)
  protocol.check(service)
  return service
end

--- The first service of a table that answers a cheap request: its own description (TAP, SIA,
-- SSA) or an empty circle (cone). The run's report says which, and why those before it are not it.
-- @param given rows of `search`, or its options
-- @treturn tap|cone|sia|ssa what `vo.tap(access_url)`, ... give
-- @raise `not_found` when there is no service; `permission` with the hosts to declare when all that
-- may work are at others; `archive` when none works, with the reasons
function M.first_working(given)
  local record = report.current()
  if record.dry then
    errors.raise("usage", "a plan cannot go on here: which service works is only known when they "
      .. "are asked")
  end
  local rows = rows_of(given)
  local tried, why, hosts = {}, {}, {}
  for i = 1, #rows do
    local url = rows:get(i, "access_url")
    local standard_id = rows:get(i, "standard_id")
    if url and not tried[url] then
      tried[url] = true
      local ok, got = errors.try(working, protocol_of(standard_id), url)
      if ok then
        record.notes[#record.notes + 1] = ("of the registry's services %s (%s) is used%s")
          :format(url, standard_id, #why > 0 and "; before it: " .. table.concat(why, "; ") or "")
        return got
      elseif got.code == "budget" then
        error(got, 0)
      end
      if got.hosts then
        table.move(got.hosts, 1, #got.hosts, #hosts + 1, hosts)
        why[#why + 1] = url .. " is at a host that the workflow does not declare"
      else
        why[#why + 1] = url .. " does not work: " .. got.message
      end
    end
  end
  if #why == 0 then
    errors.raise("not_found", "registry.first_working: the table has no service: search with "
      .. "other words, or no waveband")
  end
  local reasons = ("none of %d services works: %s"):format(#why, table.concat(why, "; "))
  if #hosts > 0 then
    record.notes[#record.notes + 1] = reasons
    record:require_hosts(hosts)
  end
  errors.raise("archive", reasons)
end

M.registry = { search = M.search, first_working = M.first_working }

return M
