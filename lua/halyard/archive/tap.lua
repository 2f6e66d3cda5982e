-- SPDX-License-Identifier: BSD-3-Clause
-- The Table Access Protocol (TAP 1.0 and 1.1): queries in ADQL, at once or as jobs, with uploads,
-- and tables as catalogues. Sections 2, 3, 7 and 8 of the VO specification; MAST's own services in
-- section 5 of that of its classic interfaces.

local adql = require("halyard.archive.adql")
local catalog = require("halyard.catalog")
local door = require("halyard.archive.door")
local errors = require("halyard.error")
local http = require("halyard.core.http")
local meta = require("halyard.archive.tap_meta")
local report = require("halyard.report")
local query_result = require("halyard.result")
local suggest = require("halyard.suggest")
local system = require("halyard.core.system")
local table_core = require("halyard.core.table")
local tap_catalog = require("halyard.archive.tap_catalog")
local uws = require("halyard.archive.uws")

local M = {}

local sync_deadline_s = 120 -- gateways cut after about 60 s
local damaged_tries = 2 -- after a damaged or foreign answer (fault matrix section 2)
local block_rows, block_bytes = 20000, 400 * 1024 -- of an upload whose limit is not told

local methods = {}
local service_type = { __index = methods, __name = "halyard.tap" }
service_type.__tostring = function(self)
  return "TAP service " .. self.url
end

-- Requests --------------------------------------------------------------------------------------

-- Body and type of a query; `uploads`: list of { name, text }.
local function form(self, query, maxrec, uploads)
  local fields = {
    { "REQUEST", "doQuery" }, { "LANG", "ADQL" }, { "QUERY", query },
    { "FORMAT", meta.capabilities(self).binary or "votable" },
  }
  if maxrec then
    fields[#fields + 1] = { "MAXREC", tostring(maxrec) }
  end
  if not uploads or #uploads == 0 then
    return { body = door.arguments(fields), content_type = "application/x-www-form-urlencoded" }
  end
  local named, parts = {}, {}
  for i, upload in ipairs(uploads) do
    named[i] = upload.name .. ",param:" .. upload.name
  end
  fields[#fields + 1] = { "UPLOAD", table.concat(named, ";") }
  for i, field in ipairs(fields) do
    parts[i] = { name = field[1], value = field[2] }
  end
  for _, upload in ipairs(uploads) do
    parts[#parts + 1] = {
      name = upload.name, filename = upload.name .. ".vot", body = upload.text,
      content_type = "application/x-votable+xml",
    }
  end
  local body, content_type = http.multipart(parts)
  return { body = body, content_type = content_type }
end

-- Rows that were cut are told with what to do about it.
local function cut(self, limit)
  errors.raise("truncated", ("%s: there are more rows than the %s it sent. Ask for less, write TOP "
    .. "if that many are enough%s, or take all of a region by :table(name):query { region = ... }, "
    .. "which asks in parts"):format(self.url, limit or "service's limit",
    limit and ", raise maxrec" or ""))
end

local function fetched(self, request, how)
  local ok, rows, answer, cost = errors.try(door.fetch, self.url, request)
  if not ok then
    if rows.code == "truncated" and not how.tile then
      cut(self, how.maxrec)
    end
    error(rows, 0)
  end
  return rows, answer, cost
end

local function sync(self, query, how)
  local request = form(self, query, how.maxrec, how.uploads)
  return fetched(self, {
    method = "POST", url = self.url .. "/sync", body = request.body, format = "votable",
    poll = false, tries = how.tries, overflow = how.overflow, deadline = how.deadline,
    headers = { ["Content-Type"] = request.content_type },
  }, how)
end

--- Rows of a query, at once, as they come. For the dialect's own questions.
-- @tparam string query
-- @tparam table how maxrec, tries, overflow
-- @return rows, answer, cost
function methods:rows(query, how)
  how.tile = true
  return sync(self, query, how)
end

--- Rows with times also as Modified Julian Dates.
function methods:dated(rows)
  for _, name in ipairs(rows.columns) do
    local column = rows:column(name)
    if column.type == "timestamp" or column.xtype:lower():find("timestamp", 1, true) then
      rows = door.dated(rows, name, self.url)
    end
  end
  return rows
end

-- Jobs ------------------------------------------------------------------------------------------

local function read_result(self, job, document, how)
  return fetched(self, {
    url = document.result or job.url .. "/results/result", format = "votable", poll = false,
  }, how)
end

local function async(self, query, how)
  local job = uws.create(self.url, self.url .. "/async", form(self, query, how.maxrec, how.uploads),
    how.duration)
  table.insert(how.jobs, job)
  return read_result(self, job, job:wait(), how)
end

-- One query in the mode that was asked for: rows, answer, cost; jobs that it ran as join how.jobs.
local function ask(self, query, how)
  if how.mode == "async" then
    return async(self, query, how)
  elseif how.mode == "sync" then
    return sync(self, query, how)
  end
  local first = { tries = 1, deadline = sync_deadline_s }
  for key, value in pairs(how) do
    first[key] = value
  end
  local results = table.pack(errors.try(sync, self, query, first))
  if results[1] then
    return table.unpack(results, 2, results.n)
  end
  local err = results[2]
  if tap_catalog.too_long(err) then
    system.log("info", ("%s: %s; the query is run as a job"):format(self.url, err.message))
    return async(self, query, how)
  elseif err.code == "network" or err.code == "busy" then
    return sync(self, query, how)
  elseif err.code == "integrity" or err.code == "protocol" then
    first.tries = damaged_tries
    return sync(self, query, first)
  end
  error(err, 0)
end

-- Uploads ---------------------------------------------------------------------------------------

local function upload_error(name, text, ...)
  errors.raise("usage", ("upload %s: "):format(name) .. text:format(...))
end

-- Encoded uploads, the one to be split aside.
local function uploads_of(self, options)
  local list, whole = {}, options.split
  local limits = meta.capabilities(self)
  local names = {}
  for name, rows in pairs(options.upload or {}) do
    if type(name) ~= "string" or not name:find("^%a[%w_]*$") then
      upload_error(tostring(name), "a name is a letter, then letters, digits and underscores")
    elseif type(rows) ~= "userdata" then
      upload_error(name, "it takes a table of rows (of a query: result.table), not %s",
        type(rows) == "table" and "a Lua table" or "a " .. type(rows))
    end
    names[#names + 1] = name
  end
  table.sort(names)
  if #names > 0 and not limits.uploads then
    system.log("warning", self.url .. " does not say that it takes uploads")
  end
  if options.split and not (options.upload or {})[options.split] then
    suggest.unknown("upload to split", tostring(options.split), names)
  end
  for _, name in ipairs(names) do
    local rows = options.upload[name]
    if name ~= whole then
      local text = rows:encode("votable")
      local size = limits.upload_unit == "row" and #rows or #text
      if limits.upload_max and size > limits.upload_max then
        upload_error(name, "%d %ss are more than the %d that the service takes; where every row of "
          .. "the answer belongs to one row of %s, it can be sent in parts: split = \"%s\"", size,
          limits.upload_unit, limits.upload_max, name, name)
      end
      list[#list + 1] = { name = name, text = text }
    end
  end
  return list
end

local whole_words = { "TOP", "GROUP", "ORDER", "DISTINCT", "COUNT", "AVG", "MIN", "MAX", "SUM",
  "HAVING", "UNION", "EXCEPT", "INTERSECT", "OFFSET" }

-- Blocks of an upload that fit below the service's limit.
local function blocks_of(self, rows)
  local limits, n = meta.capabilities(self), #rows
  local size = block_rows
  if limits.upload_unit == "row" then
    size = limits.upload_max
  elseif n > 0 then
    local sample = rows:head(math.min(n, 1000))
    local bytes = limits.upload_max or block_bytes
    local each = #sample:encode("votable") / #sample
    size = math.max(1, math.min(block_rows, math.floor(0.8 * bytes / each)))
  end
  local out = {}
  for first = 1, math.max(1, n), size do
    out[#out + 1] = rows:slice(first, math.min(n, first + size - 1))
  end
  return out
end

-- Rows for one block; a block whose answer is cut is sent in halves.
local function ask_block(self, query, how, name, block)
  local uploads = table.move(how.uploads, 1, #how.uploads, 1, {})
  uploads[#uploads + 1] = { name = name, text = block:encode("votable") }
  local one = {}
  for key, value in pairs(how) do
    one[key] = value
  end
  one.uploads, one.tile = uploads, true
  local results = table.pack(errors.try(ask, self, query, one))
  if results[1] then
    return results[2], results[4]
  elseif results[2].code ~= "truncated" then
    error(results[2], 0)
  elseif #block < 2 then
    cut(self, how.maxrec)
  end
  local half = #block // 2
  local a, cost = ask_block(self, query, how, name, block:slice(1, half))
  local b, more = ask_block(self, query, how, name, block:slice(half + 1, #block))
  door.add_cost(cost, more)
  return table_core.concat({ a, b }), cost
end

local function ask_split(self, query, how, options)
  local found, name = adql.read(query), options.split
  for _, word in ipairs(whole_words) do
    if found.words[word] then
      errors.raise("usage", ("split = \"%s\": a query with %s needs the whole upload at once")
        :format(name, word))
    end
  end
  local parts, cost = {}, { requests = 0, bytes = 0 }
  local blocks = blocks_of(self, options.upload[name])
  for i, block in ipairs(blocks) do
    local rows, one = ask_block(self, query, how, name, block)
    parts[i] = rows
    door.add_cost(cost, one)
    system.emit("progress", { stage = self.url, done = i, known = #blocks, unit = "uploads" })
  end
  return door.joined(parts), nil, cost
end

-- Checks ----------------------------------------------------------------------------------------

-- Tables and columns of a query against what the service and the uploads have.
local function check(self, query, uploads)
  local found = adql.read(query)
  if found.words.WITH then
    return
  end
  local upload_names = {}
  for name in pairs(uploads or {}) do
    upload_names[#upload_names + 1] = "TAP_UPLOAD." .. name
  end
  table.sort(upload_names)
  for _, t in ipairs(found.tables) do
    local plain = t.name:gsub('"', ""):lower()
    local uploaded = plain:match("^tap_upload%.(.*)$")
    if uploaded then
      local rows
      for name, value in pairs(uploads or {}) do
        rows = name:lower() == uploaded and value or rows
      end
      if not rows then
        suggest.unknown("upload of this query", t.name, upload_names)
      end
      t.map = {}
      for _, name in ipairs(rows.columns) do
        t.map[name:lower()] = { name = name }
      end
    elseif not found.derived[plain] and not plain:find("^tap_schema%.") then
      t.map = meta.columns(self, t.name)
      local listed = meta.table_name(self, t.name)
      if listed:gsub('"', ""):lower() ~= plain then
        system.log("warning", ("%s lists the table %s as %s; write that if it does not know it")
          :format(self.url, t.name, listed))
      end
    end
  end
  adql.check_columns(found)
end

-- A service without metadata does not stop a query; a name it does not have does.
local function checked(self, query, uploads)
  local ok, err = errors.try(check, self, query, uploads)
  if not ok and (err.code == "usage" or err.code == "not_found" and not err.http_status) then
    error(err, 0)
  elseif not ok then
    system.log("warning", ("%s: the query's names are not checked: %s"):format(self.url,
      err.message))
  end
end

local modes = { auto = true, sync = true, async = true }

local function check_text(query, what)
  if type(query) ~= "string" or not query:find("%S") then
    errors.raise("usage", what .. " takes a query in ADQL")
  end
end

local function check_count(value, name, what)
  if value ~= nil and (math.type(value) ~= "integer" or value < 1) then
    errors.raise("usage", ("%s: %s is a whole number from 1"):format(what, name))
  end
end

-- The public part ---------------------------------------------------------------------------------

-- The name by which a workflow may have declared the service: its host, or "mast".
local function host_of(self)
  local host = door.host(self.url)
  if host ~= door.host(door.base("tap")) then
    return host
  end
  for _, name in ipairs(report.current().hosts or {}) do
    if name == host then
      return host
    end
  end
  return "mast"
end

local function begin(self)
  return door.begin(host_of(self), self.url)
end

-- Rows to the caller: in memory or in a file.
local function given(self, record, rows, cost, options, job)
  rows = self:dated(rows)
  record:spent(cost)
  record.queries[#record.queries + 1] = {
    service = self.url, rows = #rows, requests = cost.requests, bytes = cost.bytes,
    file = options.into, job = job,
  }
  local result = record:result(rows, options, self.url)
  result.job = job
  return query_result.of(result)
end

-- Instead of rows, in a plan.
local function planned(self, record, options)
  record.notes[#record.notes + 1] = self.url .. " would be asked for rows by ADQL"
  return query_result.planned((record:file(options, self.url)))
end

-- What the options say of one request.
local function how_of(self, options, what)
  if options.mode ~= nil and not modes[options.mode] then
    errors.raise("usage", what .. ': mode is "auto", "sync" or "async"')
  end
  check_count(options.maxrec, "maxrec", what)
  check_count(options.duration, "duration", what)
  local limits = meta.capabilities(self)
  if options.maxrec and limits.rows_max and options.maxrec > limits.rows_max then
    errors.raise("usage", ("%s: maxrec is above the %d rows that %s sends"):format(what,
      limits.rows_max, self.url))
  end
  return { mode = options.mode or "auto", maxrec = options.maxrec, duration = options.duration,
    ask = options.maxrec or limits.rows_max }
end

-- As many rows as were asked for, or as the service ever sends, and no word about it: a service
-- that does not flag its limit would look like that.
local function check_full(self, query, rows, how, answer)
  if answer and how.ask and #rows >= how.ask
    and not adql.read(query).words.TOP then
    cut(self, how.ask)
  end
end

--- Rows of a query in ADQL. Names of tables and columns are checked before it is sent.
-- @tparam string query
-- @tparam[opt] table options `into` (file below the output folder), `format` (when the ending of
-- that does not tell it), `upload` ({ name = table }: TAP_UPLOAD.name in the query), `split` (name
-- of the upload that may be sent in parts: every row of the answer belongs to one of its rows),
-- `mode` ("auto": at once, and as a job when that takes too long; "sync"; "async"), `maxrec` (rows
-- that may come), `duration` (seconds a job may take), `check` (false: names are not checked)
-- @treturn table rows, table or path, job (URL)
-- @raise `usage`, `truncated`, `archive` with the service's words
-- @usage vo.tap(url):query("SELECT TOP 10 * FROM ivoa.obscore").table
function methods:query(query, options)
  options = options or {}
  local what = "tap:query"
  suggest.check_keys(options, { "into", "format", "upload", "split", "mode", "maxrec", "duration",
    "check" }, what)
  check_text(query, what)
  local record = begin(self)
  record:file(options, what)
  local how = how_of(self, options, what)
  how.uploads = uploads_of(self, options)
  if options.check ~= false then
    checked(self, query, options.upload)
  end
  if record.dry then
    return planned(self, record, options)
  end
  local sent = {
    mode = how.mode, maxrec = how.ask, duration = how.duration, uploads = how.uploads, jobs = {},
  }
  local rows, answer, cost = (options.split and ask_split or ask)(self, query, sent, options)
  check_full(self, query, rows, how, answer)
  local last = sent.jobs[#sent.jobs]
  local result = given(self, record, rows, cost, options, last and last.url)
  for _, job in ipairs(sent.jobs) do -- only now: the rows are safe
    job:delete()
  end
  return result
end

-- A job of a TAP service: what uws says, and the rows.
local job_methods = {}
local job_type = { __name = "halyard.tap.job" }
job_type.__index = function(self, key)
  return job_methods[key] or self.job[key]
end
job_type.__tostring = function(self)
  return tostring(self.job)
end

for _, name in ipairs({ "phase", "wait", "abort", "delete", "document" }) do
  job_methods[name] = function(self, ...)
    if begin(self.service).dry and (name == "abort" or name == "delete") then
      errors.raise("usage", ("a plan cannot go on here: job:%s changes a job"):format(name))
    end
    return self.job[name](self.job, ...)
  end
end

--- Waits for the job and reads its rows; the job is deleted once they are safe.
-- @tparam[opt] table options `into`, `format`, `keep` (true: the job stays), `wait` (seconds)
-- @treturn table as of `tap:query`
function job_methods:result(options)
  options = options or {}
  suggest.check_keys(options, { "into", "format", "keep", "wait" }, "job:result")
  local record = begin(self.service)
  record:file(options, "job:result")
  if record.dry then
    return planned(self.service, record, options)
  end
  local rows, _, cost = read_result(self.service, self.job, self.job:wait(options.wait), {})
  local result = given(self.service, record, rows, cost, options, self.job.url)
  if not options.keep then
    self.job:delete()
  end
  return result
end

local function tap_job(self, job)
  return setmetatable({ service = self, job = job, url = job.url }, job_type)
end

--- Starts a query as a job and does not wait for it; its `url` is all that is needed to come back.
-- @tparam string query
-- @tparam[opt] table options `upload`, `maxrec`, `duration`, `check`
-- @treturn job phase, wait, result, abort, delete
function methods:submit(query, options)
  options = options or {}
  suggest.check_keys(options, { "upload", "maxrec", "duration", "check" }, "tap:submit")
  check_text(query, "tap:submit")
  if begin(self).dry then
    errors.raise("usage", "a plan cannot go on here: tap:submit starts a job")
  end
  local how = how_of(self, options, "tap:submit")
  local uploads = uploads_of(self, options)
  if options.check ~= false then
    checked(self, query, options.upload)
  end
  local request = form(self, query, how.ask, uploads)
  return tap_job(self, uws.create(self.url, self.url .. "/async", request, how.duration))
end

--- The job at a URL, made by this run or another.
function methods:job(url)
  if type(url) ~= "string" or door.host(url) ~= door.host(self.url) then
    errors.raise("usage", ("tap:job takes the URL of a job of %s"):format(self.url))
  end
  begin(self)
  return tap_job(self, uws.job(self.url, url))
end

--- Limits and abilities, as the service tells them (see tap_meta.capabilities).
function methods:capabilities()
  begin(self)
  return meta.capabilities(self)
end

--- The tables: a table with name, type and description.
function methods:tables()
  begin(self)
  local rows = {}
  for i, t in ipairs(meta.tables(self)) do
    rows[i] = { name = t.name, type = t.type or "", description = t.description or "" }
  end
  return table_core.from_rows(rows, { "name", "type", "description" })
end

--- A table as a catalogue: `query`, `count`, `columns` (see halyard.catalog).
-- @tparam string name
-- @tparam[opt] table options `id`, `ra`, `dec`: key and position columns, where their UCDs do not
-- tell
function methods:table(name, options)
  options = options or {}
  suggest.check_keys(options, { "id", "ra", "dec" }, "tap:table")
  begin(self)
  if type(name) ~= "string" then
    errors.raise("usage", "tap:table takes the name of a table")
  end
  meta.columns(self, name)
  return catalog.new(tap_catalog.complete({
    service = self, table = meta.table_name(self, name), name = name, host = host_of(self),
    id = options.id, ra = options.ra, dec = options.dec,
    url = function()
      return self.url
    end,
  }))
end

--- The columns of a table: name, type, unit, ucd, description.
function methods:columns(name)
  return self:table(name):columns()
end

-- Services --------------------------------------------------------------------------------------

local words = { "caom", "ps1dr2", "hsc", "gaiadr3", "registry", "mast_catalogs" }
local dead = { caomtap = "caom", hsctap = "hsc", ps1dr2 = "ps1dr2" }

local function mast_url(word)
  return door.base("tap") .. "/vo-tap/api/v0.1/" .. word
end

-- MAST's services of before (http://vao.stsci.edu/...) are gone; each has a successor.
local function living(url)
  local word = url:lower():match("^https?://vao%.stsci%.edu/(%w+)/tapservice%.aspx")
  if word and dead[word] then
    local new = mast_url(dead[word])
    system.log("warning", ("%s is gone; %s is asked instead"):format(url, new))
    return new
  end
  return url
end

--- A TAP service.
-- @tparam string url its base URL
-- @treturn tap query, submit, job, table, tables, columns, capabilities
-- @usage vo.tap("https://dc.g-vo.org/tap"):table("gaia.dr3lite"):query { region = circle }
function M.tap(url)
  if type(url) ~= "string" or not door.host(url) then
    errors.raise("usage", "vo.tap takes the URL of a service: http(s)://host/path")
  end
  return setmetatable({ url = (living(url):gsub("[/?&]+$", "")) }, service_type)
end

--- MAST's TAP service of a catalogue: "caom", "ps1dr2", "hsc", "gaiadr3", ...
function M.mast(word)
  if type(word) ~= "string" or not word:find("^[%w_]+$") then
    suggest.unknown("TAP service of MAST", tostring(word), words)
  end
  word = word:lower()
  local near = suggest.nearest(word, words)
  if near[1] and near[1] ~= word then
    system.log("warning", ("mast.tap: %s is asked for; did you mean %s?"):format(word,
      table.concat(near, ", ")))
  end
  return M.tap(mast_url(word))
end

-- MAST's tables as catalogues: name, aliases, word of the service, table, key and position.
local mast_tables = {
  { "Gaia DR3", { "gaia_source" }, "gaiadr3", "gaia_source", "source_id", "ra", "dec" },
  { "Pan-STARRS DR2 mean", { "PS1 DR2 mean", "meanobjectview" }, "ps1dr2", "dbo.meanobjectview",
    "objid", "ramean", "decmean" },
  { "Pan-STARRS DR2 stack", { "PS1 DR2 stack", "stackobjectview" }, "ps1dr2",
    "dbo.stackobjectview", "objid", "ramean", "decmean" },
  { "HSC", { "HSC v3", "SumMagAper2CatView" }, "hsc", "dbo.SumMagAper2CatView", "MatchID",
    "MatchRA", "MatchDec" },
  { "ObsCore", { "ivoa.obscore" }, "caom", "ivoa.obscore", "obs_publisher_did", "s_ra", "s_dec" },
}

M.catalogs = {}
for i, t in ipairs(mast_tables) do
  -- The address is read when it is needed: a setting may change it.
  local service = setmetatable({}, {
    __index = function(_, key)
      return M.mast(t[3])[key]
    end,
  })
  M.catalogs[i] = tap_catalog.complete({
    name = t[1], aliases = t[2], service = service, table = t[4], id = t[5], ra = t[6], dec = t[7],
    host = "mast",
    url = function()
      return mast_url(t[3])
    end,
  })
end

return M
