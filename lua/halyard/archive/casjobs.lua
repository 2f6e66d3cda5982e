-- SPDX-License-Identifier: BSD-3-Clause
-- CasJobs: SQL in batch on MAST's databases, results in a database of one's own (MyDB). Plain HTTP
-- form of its web service; section numbers are those of its specification. The account stands in
-- the environment and goes with requests in C only: no script, log or report sees it.

local casjobs_text = require("halyard.archive.casjobs_text")
local door = require("halyard.archive.door")
local errors = require("halyard.error")
local http = require("halyard.core.http")
local jobs = require("halyard.archive.jobs")
local poll = require("halyard.poll")
local results = require("halyard.result")
local suggest = require("halyard.suggest")
local system = require("halyard.core.system")
local table_core = require("halyard.core.table")
local xml = require("halyard.xml")

local M = {}

local sites = { "ps1casjobs", "gcasjobs", "hcasjobs", "mcasjobs", "kplrcasjobs" }
local reply_bytes = 128 * 1024 * 1024
local upload_bytes = 100 * 1024 * 1024 -- of one call; the service takes 200 MB (section 5)
local poll_first_s, poll_max_s = 5, 30 -- section 7
local minutes_default, minutes_max = 60, 480

local methods = {}
local site_type = { __index = methods, __name = "halyard.casjobs" }
site_type.__tostring = function(self)
  return "CasJobs at " .. self.url
end

-- The account -----------------------------------------------------------------------------------

-- What changes something is sent once: a lost answer does not say whether it was done.
local changing = { SubmitJob = true, SubmitExtractJob = true, CancelJob = true, UploadData = true }

local function alters(operation, fields)
  for _, field in ipairs(fields) do
    local sql = field[1] == "qry" and field[2]:lower()
    if sql and (not sql:find("^%s*select%s") or sql:find("%sinto%s")) then
      return true
    end
  end
  return changing[operation]
end

local function post(url, fields, secret, what)
  local reply = http.request({
    method = "POST", url = url, body = door.arguments(fields), secret = secret,
    tries = alters(what, fields) and 1 or nil,
    headers = { ["Content-Type"] = "application/x-www-form-urlencoded" }, max_bytes = reply_bytes,
  })
  if reply.status ~= 200 then
    local code = (reply.status == 401 or reply.status == 403) and "permission"
      or reply.status == 404 and "not_found" or reply.status == 503 and "busy" or "archive"
    errors.raise(code, ("CasJobs %s: %s (HTTP %d)"):format(what, casjobs_text.words(reply.body),
      reply.status), { http_status = reply.status })
  end
  return reply.body
end

local account_help = "set CASJOBS_WSID and CASJOBS_PW, or CASJOBS_USERID and CASJOBS_PW, in the "
  .. "environment; an account of CasJobs is needed (https://mastweb.stsci.edu/ps1casjobs)"

-- The number of the account, for those who give a name: looked up once a run, kept in memory.
local function look_up(self)
  local ok, body = errors.try(post, self.root .. "/casusers.asmx/GetWebServiceId", {},
    { userid = "CASJOBS_USERID", password = "CASJOBS_PW" }, "account")
  if not ok then
    if body.code == "permission" and not body.http_status then
      errors.raise("permission", "CasJobs: no account: " .. account_help)
    end
    error(body, 0)
  end
  local id = xml.parse(body, "CasJobs account").text:match("^%s*(%d+)%s*$")
  if not id then
    errors.raise("permission", "CasJobs: the user or the password is wrong: " .. account_help)
  end
  return id
end

-- One operation (section 3): the root element of the answer.
local function call(self, operation, fields, prefix)
  prefix = prefix or ""
  local url = ("%s/services/jobs.asmx/%s"):format(self.root, operation)
  local secret = { [prefix .. "pw"] = "CASJOBS_PW" }
  local body
  if not self.wsid then
    local with_id = { [prefix .. "wsid"] = "CASJOBS_WSID", [prefix .. "pw"] = "CASJOBS_PW" }
    local ok, got = errors.try(post, url, fields, with_id, operation)
    if not ok and (got.code ~= "permission" or got.http_status) then
      error(got, 0)
    end
    body = ok and got or nil
    self.wsid = not ok and look_up(self) or nil
  end
  if not body then
    local all = { { prefix .. "wsid", self.wsid } }
    body = post(url, table.move(fields, 1, #fields, 2, all), secret, operation)
  end
  self.record:spent({ requests = 1, bytes = #body })
  -- Operations without a result answer nothing (UploadData, CancelJob).
  return body:find("%S") and xml.parse(body, "CasJobs " .. operation)
    or { text = "", children = {} }
end

local noted = false

-- `changes`: what the call would change; a plan changes nothing.
local function begin(self, changes)
  self.record = door.begin("mast", self.root)
  if changes and self.record.dry then
    errors.raise("usage", ("a plan cannot go on here: casjobs:%s"):format(changes))
  end
  if not noted then
    noted = true
    system.log("warning", "CasJobs: MAST has announced that it will be retired; its catalogues are "
      .. "served by TAP (mast.tap \"ps1dr2\", \"hsc\", \"gaiadr3\") and by Catalogs.MAST")
  end
end

-- Queries at once -------------------------------------------------------------------------------

local function check_sql(sql, what)
  if type(sql) ~= "string" or not sql:find("%S") then
    errors.raise("usage", what .. " takes a query in SQL")
  end
end

local function quick(self, sql, context)
  local root = call(self, "ExecuteQuickJob", {
    { "qry", sql }, { "context", context or self.context }, { "taskname", "halyard" },
    { "isSystem", "False" },
  })
  return root.text
end

local function finished(self, rows, options)
  self.record.queries[#self.record.queries + 1] = {
    service = "CasJobs " .. (options.context or self.context), rows = #rows, file = options.into,
  }
  return results.of(self.record:result(rows, options, "CasJobs"))
end

local function planned(self, options)
  self.record.notes[#self.record.notes + 1] = "CasJobs would be asked a query in SQL"
  return results.planned((self.record:file(options, "CasJobs")))
end

--- Rows of a query that takes less than a minute and gives less than about 1 MB.
-- @tparam string sql Transact-SQL
-- @tparam[opt] table options `context` (database), `into`, `format`
-- @treturn table rows, table or path
-- @raise `archive` with the service's words, also when the result is too large
function methods:quick(sql, options)
  options = options or {}
  suggest.check_keys(options, { "context", "into", "format" }, "casjobs:quick")
  check_sql(sql, "casjobs:quick")
  begin(self)
  self.record:file(options, "casjobs:quick")
  if self.record.dry then
    return planned(self, options)
  end
  return finished(self, casjobs_text.rows(quick(self, sql, options.context), ","), options)
end

-- Jobs ------------------------------------------------------------------------------------------

local states = { [0] = "ready", "started", "canceling", "cancelled", "failed", "finished" }

local job_methods = {}
local job_type = { __index = job_methods, __name = "halyard.casjobs.job" }
job_type.__tostring = function(self)
  return ("CasJobs job %s"):format(self.id)
end

local function address(self)
  return ("%s %s"):format(self.site.url, self.id)
end

local function number(root, what)
  local n = math.tointeger(tonumber(root.text))
  if not n then
    errors.raise("protocol", ("CasJobs %s: the answer is no number"):format(what))
  end
  return n
end

local function described(self, id)
  local root = call(self, "GetJobs", {
    { "conditions", "jobid : " .. id }, { "includeSystem", "False" },
  }, "owner_")
  local job, out = root.children[1], {}
  for _, child in ipairs(job and job.children or {}) do
    out[child.name:lower()] = child.text:match("^%s*(.-)%s*$")
  end
  return out
end

--- The state: "ready", "started", "canceling", "cancelled", "failed" or "finished".
function job_methods:status()
  begin(self.site)
  local n = number(call(self.site, "GetJobStatus", { { "jobId", self.id } }), "GetJobStatus")
  return states[n] or errors.raise("protocol", ("CasJobs: job %s has the unknown state %d"):format(
    self.id, n))
end

--- Waits until the job has finished.
-- @tparam[opt] number seconds at most so long
-- @treturn table what the service says of it: status, error, outputloc, ... (names in lower case)
-- @raise `archive` with the service's words when it failed or was cancelled, `timeout`
function job_methods:wait(seconds)
  poll {
    what = ("CasJobs: job %s"):format(self.id), deadline = seconds, first = poll_first_s,
    cap = poll_max_s,
    ask = function()
      local state = self:status()
      if state == "failed" or state == "cancelled" then
        local told = described(self.site, self.id)
        jobs.over(address(self))
        errors.raise("archive", ("CasJobs: job %s %s: %s"):format(self.id, state == "failed"
          and "failed" or "was cancelled", (told.error or "") ~= "" and told.error
          or "the service does not say why"), { job = self.id })
      end
      return state == "finished", { phase = state }
    end,
    late = function()
      return ("it goes on: take it up again by casjobs:job(%s)"):format(self.id),
        { job = self.id }
    end,
  }
  jobs.over(address(self))
  return described(self.site, self.id)
end

--- Stops the job.
function job_methods:cancel()
  begin(self.site, "cancel stops a job")
  call(self.site, "CancelJob", { { "jobid", self.id } })
end

local function job_of(self, id)
  return setmetatable({ site = self, id = ("%d"):format(id) }, job_type)
end

local function check_minutes(n)
  if n ~= nil and (math.type(n) ~= "integer" or n < 1 or n > minutes_max) then
    errors.raise("usage", ("casjobs: minutes is a whole number from 1 to %d"):format(minutes_max))
  end
  return n or minutes_default
end

local function submit(self, sql, options)
  local root = call(self, "SubmitJob", {
    { "qry", sql }, { "context", options.context or self.context }, { "taskname", "halyard" },
    { "estimate", check_minutes(options.minutes) },
  })
  local job = job_of(self, number(root, "SubmitJob"))
  system.log("info", ("CasJobs: job %s in %s"):format(job.id, options.context or self.context))
  jobs.begun(address(job))
  return job
end

--- Starts a query as a job; its rows go into a table of MyDB: `SELECT ... INTO mydb.name FROM ...`.
-- @tparam string sql
-- @tparam[opt] table options `context`, `minutes` (how long it may take: chooses the queue)
-- @treturn job id, status, wait, cancel
function methods:submit(sql, options)
  options = options or {}
  suggest.check_keys(options, { "context", "minutes" }, "casjobs:submit")
  check_sql(sql, "casjobs:submit")
  if not sql:lower():find("%sinto%s+mydb%.") then
    errors.raise("usage", "casjobs:submit: say where the rows go: SELECT ... INTO mydb.name FROM "
      .. "..., or use casjobs:query, which does all of it")
  end
  check_minutes(options.minutes)
  begin(self, "submit starts a job")
  return submit(self, sql, options)
end

--- The job of that number, made by this run or another.
function methods:job(id)
  if not math.tointeger(tonumber(id)) then
    errors.raise("usage", "casjobs:job takes the number of a job")
  end
  return job_of(self, math.tointeger(tonumber(id)))
end

-- MyDB ------------------------------------------------------------------------------------------

local function check_name(name, what)
  if type(name) ~= "string" or not name:find("^%a[%w_]*$") then
    errors.raise("usage", what .. " takes the name of a table of MyDB: a letter, then letters, "
      .. "digits and underscores")
  end
end

-- A whole table by the fast service (section 1), else as an extract.
local function download(self, name)
  local secret = { userid = "CASJOBS_USERID", pw = "CASJOBS_PW" }
  local ok, body = errors.try(post, door.base("ps1images") .. "/cgi-bin/quick_casjobs.cgi",
    { { "table", name } }, secret, "table " .. name)
  if ok then
    return casjobs_text.rows(body, "\t")
  elseif body.code == "not_found" then
    errors.raise("not_found", ("CasJobs: MyDB has no table %s; casjobs:tables() lists them"):format(
      name), { http_status = 404 })
  elseif body.code ~= "permission" or body.http_status then
    system.log("info", ("%s; the table is extracted instead"):format(body.message))
  end
  local root = call(self, "SubmitExtractJob", { { "tableName", name }, { "type", "CSV" } })
  local told = job_of(self, number(root, "SubmitExtractJob")):wait()
  local rows = door.fetch("CasJobs extract", { url = told.outputloc, format = "csv", poll = false })
  return rows
end

--- A table of MyDB.
-- @tparam string name
-- @tparam[opt] table options `into`, `format`
function methods:fetch(name, options)
  options = options or {}
  suggest.check_keys(options, { "into", "format" }, "casjobs:fetch")
  check_name(name, "casjobs:fetch")
  begin(self)
  self.record:file(options, "casjobs:fetch")
  return finished(self, download(self, name), { context = "MyDB", into = options.into,
    format = options.format })
end

local tables_sql = "SELECT Distinct TABLE_NAME FROM information_schema.TABLES"

local function list_tables(self, context)
  return casjobs_text.rows(quick(self, tables_sql, context), ","):list("TABLE_NAME")
end

--- Names of the tables of a context (MyDB when it is not said), sorted.
function methods:tables(context)
  begin(self)
  local names = list_tables(self, context or "MyDB")
  table.sort(names)
  return names
end

--- Deletes a table of MyDB.
-- @raise `not_found` with the nearest names
function methods:drop(name)
  check_name(name, "casjobs:drop")
  begin(self, "drop deletes a table")
  for _, known in ipairs(list_tables(self, "MyDB")) do
    if known:lower() == name:lower() then
      quick(self, "DROP TABLE " .. known, "MyDB")
      return
    end
  end
  suggest.unknown("table of MyDB", name, list_tables(self, "MyDB"), "not_found")
end

-- Text of an upload in calls below the service's limit; what it cannot take is told.
local function upload_parts(rows)
  local parts, first, changed = {}, 1, 0
  local each = math.max(1, #rows:head(1000):encode("csv") / math.max(1, math.min(1000, #rows)))
  local size = math.max(1, math.floor(upload_bytes / each))
  repeat
    local part = rows:slice(first, math.min(#rows, first + size - 1))
    local text, n = part:encode("csv"):gsub(" ", "_")
    changed = changed + n
    parts[#parts + 1] = text
    first = first + size
  until first > #rows
  if changed > 0 then
    system.log("warning", ("CasJobs takes no blanks in uploads: %d became underscores"):format(
      changed))
  end
  return parts
end

--- Makes a table of MyDB from rows. Blanks in texts become underscores (section 5), with a warning.
-- @tparam string name
-- @tparam halyard.table rows
function methods:upload(name, rows)
  check_name(name, "casjobs:upload")
  if type(rows) ~= "userdata" or #rows == 0 then
    errors.raise("usage", "casjobs:upload takes a table with rows (of a query: "
      .. "result.table)")
  end
  begin(self, "upload makes a table")
  for i, text in ipairs(upload_parts(rows)) do
    call(self, "UploadData", {
      { "tableName", name }, { "data", text }, { "tableExists", i == 1 and "False" or "True" },
    })
  end
end

-- The whole way ---------------------------------------------------------------------------------

local function too_much(err)
  local text = err.message:lower()
  return err.code == "archive" and (text:find("too large") or text:find("exceed")
    or text:find("memory") or text:find("limit") or text:find("time ?out")
    or text:find("timed out")) or err.code == "timeout" or err.code == "budget"
end

local made = 0

local function temporary()
  made = made + 1
  return ("halyard_%d_%d"):format(math.floor(system.wall()), made)
end

-- "SELECT list FROM ..." with "INTO mydb.name" before the FROM of the outermost select.
local function with_into(sql, name)
  local function blank(text)
    return (" "):rep(#text)
  end
  local plain = sql:gsub("'[^']*'", blank):gsub("%-%-[^\n]*", blank):gsub("%b[]", blank)
    :gsub("%b()", blank)
  local at = (" " .. plain):upper():find("%sFROM%s")
  if not at then
    errors.raise("usage", "casjobs:query takes a SELECT with FROM")
  end
  return ("%s INTO mydb.%s %s"):format(sql:sub(1, at - 1), name, sql:sub(at))
end

--- Rows of any query: at once when it is small; else as a job into a table of MyDB that is fetched
-- and deleted (section 7).
-- @tparam string sql without INTO
-- @tparam[opt] table options `context`, `minutes`, `into`, `format`
-- @treturn table rows, table or path; `job` (number) when it ran as one
function methods:query(sql, options)
  options = options or {}
  suggest.check_keys(options, { "context", "minutes", "into", "format" }, "casjobs:query")
  check_sql(sql, "casjobs:query")
  check_minutes(options.minutes)
  if sql:lower():find("%sinto%s") then
    errors.raise("usage", "casjobs:query fetches the rows itself: leave INTO out, or use "
      .. "casjobs:submit")
  end
  begin(self)
  self.record:file(options, "casjobs:query")
  if self.record.dry then
    return planned(self, options)
  end
  local ok, text = errors.try(quick, self, sql, options.context)
  if ok then
    return finished(self, casjobs_text.rows(text, ","), options)
  elseif not too_much(text) then
    error(text, 0)
  end
  system.log("info", text.message .. "; the query is run as a job")
  local name = temporary()
  local job = submit(self, with_into(sql, name), options)
  job:wait()
  local got, rows = errors.try(download, self, name)
  local dropped, why = errors.try(quick, self, "DROP TABLE IF EXISTS " .. name, "MyDB")
  if not dropped then
    system.log("warning", ("CasJobs: the table %s stays in MyDB: %s"):format(name, why.message))
  end
  if not got then
    error(rows, 0)
  end
  local result = finished(self, rows, options)
  result.job = job.id
  return result
end

-- Lists -----------------------------------------------------------------------------------------

local function listed(root, names)
  local rows = {}
  for i, child in ipairs(root.children) do
    rows[i] = {}
    for _, field in ipairs(child.children) do
      local text = field.text:match("^%s*(.-)%s*$")
      for _, name in ipairs(names) do
        if field.name:lower() == name and text ~= "" then
          rows[i][name] = math.tointeger(tonumber(text)) or text
        end
      end
    end
  end
  return table_core.from_rows(rows, names)
end

--- Contexts and their queues: a table with context and timeout (minutes).
function methods:queues()
  begin(self)
  return listed(call(self, "GetQueues", {}), { "context", "timeout" })
end

--- Kinds of jobs: a table with type and description.
function methods:job_types()
  begin(self)
  return listed(call(self, "GetJobTypes", {}), { "type", "description" })
end

--- Jobs of the account that meet conditions (section 3): "status : 5; jobid : 123,".
-- @tparam[opt] string conditions all when absent
-- @tparam[opt] table options `system` (true: also those of the system)
function methods:jobs(conditions, options)
  options = options or {}
  suggest.check_keys(options, { "system" }, "casjobs:jobs")
  begin(self)
  local rows = listed(call(self, "GetJobs", {
    { "conditions", conditions or "jobid : 0," },
    { "includeSystem", options.system and "True" or "False" },
  }, "owner_"), { "jobid", "status", "taskname", "queue", "timesubmit", "timestart", "timeend",
    "error", "outputloc" })
  for _, name in ipairs({ "timesubmit", "timestart", "timeend" }) do
    rows = rows:mjd(name)
  end
  return rows
end

--- CasJobs with the account that stands in the environment (CASJOBS_WSID or CASJOBS_USERID, and
-- CASJOBS_PW).
-- @tparam[opt] table options `context` (database, default "PanSTARRS_DR2"), `site` ("ps1casjobs",
-- "gcasjobs", "hcasjobs", "mcasjobs", "kplrcasjobs")
-- @treturn casjobs quick, query, submit, job, jobs, fetch, upload, tables, drop, queues, job_types
-- @usage mast.casjobs { context = "HSCv3" }:query("SELECT TOP 10 * FROM SumMagAper2CatView")
function M.casjobs(options)
  options = options or {}
  suggest.check_keys(options, { "context", "site" }, "mast.casjobs")
  local site = options.site or "ps1casjobs"
  local known = false
  for _, name in ipairs(sites) do
    known = known or name == site
  end
  if not known then
    suggest.unknown("site of CasJobs", tostring(site), sites)
  end
  return setmetatable({
    root = door.base("casjobs") .. "/" .. site, context = options.context or "PanSTARRS_DR2",
    url = door.base("casjobs") .. "/" .. site,
  }, site_type)
end

return M
