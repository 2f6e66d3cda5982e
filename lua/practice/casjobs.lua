-- SPDX-License-Identifier: BSD-3-Clause
-- CasJobs (mast-casjobs): SQL in batch with a database per account, kept in memory. Answers the
-- plain HTTP and the SOAP form of its operations. The one account is WSID 1001, user "practice",
-- password "practice". The switch "executing=N" lets each job take N seconds.
local adql = require "practice.adql"
local clock = require "practice.clock"
local core = require "practice.core"
local faults = require "practice.faults"
local http = require "practice.http"
local json = require "practice.json"
local sql = require "practice.sql"
local tables = require "practice.tap_tables"

local namespace = "http://Services.Cas.jhu.edu"
local quick_bytes <const>, rows_max <const> = 1000000, 1000000
local accounts = { ["1001"] = { user = "practice", pw = "practice", wsid = "1001", mydb = {},
  jobs = {} } }

-- Raises what answers HTTP 500 with a trace (section 6).
local function fail(...)
  error({ casjobs = string.format(...) }, 0)
end

-- Databases -------------------------------------------------------------------------------------

-- context in lower case -> { name in lower case = table of tap_tables }
local contexts, context_names = {}, {}

local function context(name, words)
  local found = {}
  for _, word in ipairs(words) do
    for _, t in ipairs(tables.of(word).tables) do
      found[t.name:match("([^.]*)$"):lower()] = t
    end
  end
  contexts[name:lower()] = found
  context_names[#context_names + 1] = name
end

context("PanSTARRS_DR1", { "ps1dr2" })
context("PanSTARRS_DR2", { "ps1dr2" })
context("HSCv2", { "hsc" })
context("HSCv3", { "hsc" })
context("GAIA_DR1", { "gaiadr3" })
context("MyDB", {})

local function mydb_table(account, name)
  for known, t in pairs(account.mydb) do
    if known:lower() == name:lower() then
      return t, known
    end
  end
end

-- What a path of names means in a context: mydb.x, x, dbo.x.
local function finder(account, here)
  return function(parts)
    local name = parts[#parts]
    local first = #parts > 1 and parts[1]:lower() or nil
    if first == "mydb" or here == contexts.mydb and first ~= "information_schema" then
      local t = mydb_table(account, name)
      return t and { sql = t.sql, columns = t.columns }, { table.concat(parts, "."), name }
    end
    return here[name:lower()], { name, table.concat(parts, ".") }
  end
end

-- Transact-SQL -> ADQL, which the translator knows: brackets, hints, the search function of PS1.
local function portable(text)
  text = text:gsub("%[([%w_]+)%]", '"%1"'):gsub("[;%s]+$", ""):gsub("/%*.-%*/", " ")
  return (text:gsub("[fF][gG]et[nN]earby[oO]bj[eE]q%s*%(([^(),]+),([^(),]+),([^(),]+)%)",
    "(SELECT objid, ramean AS ra, decmean AS dec, DISTANCE(POINT('',ramean,decmean),"
    .. "POINT('',%1,%2)) * 60 AS distance FROM meanobjectview WHERE "
    .. "1=CONTAINS(POINT('',ramean,decmean),CIRCLE('',%1,%2,%3 / 60.0)))"))
end

local words_of_type = { short = "smallint", int = "int", long = "bigint", float = "real",
  double = "float", char = "varchar", boolean = "bit" }

-- Runs a query: columns, rows; and the table of MyDB that INTO names.
local function run(account, text, context_name, max)
  local here = contexts[context_name:lower()] or fail("Context %s does not exist", context_name)
  local into = text:match("[iI][nN][tT][oO]%s+[mM][yY][dD][bB]%.%[?([%w_]+)%]?")
  local query = portable(text:gsub("[iI][nN][tT][oO]%s+[mM][yY][dD][bB]%.%[?[%w_]+%]?", " "))
  if into and mydb_table(account, into) then
    fail("There is already an object named '%s' in the database.", into)
  end
  local out, why = adql.translate(query, finder(account, here))
  if not out then
    fail("%s", (why:gsub("^Unknown table: (.*)", "Invalid object name '%1'.")
      :gsub("^Unknown column: (.*)", "Invalid column name '%1'.")))
  end
  local given = {}
  for _, t in pairs(account.mydb) do
    given[t.sql] = out.used[t.sql] and { columns = t.columns, rows = t.rows } or nil
  end
  local rows, message, more = sql.query(out.sql, nil, { max = max, tables = given })
  if not rows then
    fail("%s", message)
  end
  return out.columns, rows, more, into
end

local n_tables = 0

local function keep(account, name, columns, rows)
  n_tables = n_tables + 1
  account.mydb[name] = { sql = "casjobs_" .. n_tables, columns = columns, rows = rows }
end

-- Texts -------------------------------------------------------------------------------------------

local function number(v)
  if math.type(v) ~= "float" then
    return tostring(v)
  end
  for digits = 15, 17 do
    local text = ("%." .. digits .. "g"):format(v)
    if tonumber(text) == v then
      return text
    end
  end
end

-- Header "[name]:type" and rows; `null`: what stands for NULL, `quote`: texts in quotes.
local function printed(columns, rows, separator, null, quote)
  local lines, cells = {}, {}
  for i, c in ipairs(columns) do
    cells[i] = ("[%s]:%s"):format(c.name, words_of_type[c.type] or "varchar")
  end
  lines[1] = table.concat(cells, separator)
  for i_row, row in ipairs(rows) do
    for i, c in ipairs(columns) do
      local v = row[i]
      if v == nil or v == json.null then
        cells[i] = null
      elseif type(v) == "string" or c.type == "char" then
        cells[i] = quote and '"' .. tostring(v):gsub('"', '""') .. '"' or tostring(v)
      else
        cells[i] = number(v)
      end
    end
    lines[i_row + 1] = table.concat(cells, separator)
  end
  return table.concat(lines, "\n") .. "\n"
end

-- Jobs --------------------------------------------------------------------------------------------

local READY <const>, STARTED <const>, CANCELLED <const>, FAILED <const>, FINISHED <const> =
  0, 1, 3, 4, 5
local last_id, by_id, files = 4000, {}, {}

local function new_job(account, fields)
  last_id = last_id + 1
  local job = { id = last_id, account = account, status = READY, submitted = clock.now(),
    error = "", output = "", rows = 0 }
  for key, v in pairs(fields) do
    job[key] = v
  end
  by_id[job.id] = job
  table.insert(account.jobs, job)
  return job
end

local function protected(f, ...)
  local results = table.pack(pcall(f, ...))
  if results[1] then
    return true, table.unpack(results, 2, results.n)
  elseif type(results[2]) == "table" and results[2].casjobs then
    return false, results[2].casjobs
  end
  error(results[2], 0)
end

local work = {}

function work.query(job)
  local columns, rows, _, into = run(job.account, job.query, job.context, rows_max)
  if not into then
    fail("The query has no INTO: its result would be lost")
  end
  keep(job.account, into, columns, rows)
  job.rows = #rows
end

function work.extract(job)
  local t = mydb_table(job.account, job.table) or fail("Invalid object name '%s'.", job.table)
  if job.type ~= "CSV" then
    fail("Output type %s is not available in the practice archive", job.type)
  end
  local lines, cells = {}, {}
  for i, c in ipairs(t.columns) do
    cells[i] = c.name
  end
  lines[1] = table.concat(cells, ",")
  lines[2] = printed(t.columns, t.rows, ",", "", true):match("^[^\n]*\n(.*)$")
  local name = ("%s_%s_%d.csv"):format(job.table, job.account.user, job.id)
  files[name] = table.concat(lines, "\n")
  job.output = job.base .. "/ps1casjobs/outgoing/" .. name
  job.rows = #t.rows
end

-- Brings a job up to date.
local function look(job)
  local delay, at = faults.switch("executing") or 0, clock.now()
  if job.status > STARTED or job.busy then
    return
  elseif at < job.submitted + delay then
    job.status = at < job.submitted + delay / 2 and READY or STARTED
    job.started = job.status == STARTED and at or nil
    return
  end
  job.busy, job.status, job.started = true, STARTED, job.started or at
  local ok, why = protected(work[job.kind], job)
  job.busy, job.ended = nil, clock.now()
  if job.status == STARTED then
    job.status, job.error = ok and FINISHED or FAILED, ok and "" or why
  end
end

-- Conditions of GetJobs (section 3).
local function value_of(job, key)
  return ({ jobid = job.id, status = job.status, taskname = job.taskname, queue = job.queue,
    timesubmit = clock.iso(job.submitted), timestart = clock.iso(job.started),
    timeend = clock.iso(job.ended), error = job.error, context = job.context,
    query = job.query, type = job.type or "QUERY", outputloc = job.output, rows = job.rows })[key]
end

local function meets(v, condition)
  local low, high = condition:match("^(.-)%s*,%s*(.-)$")
  local function compare(a, b)
    local x, y = tonumber(a), tonumber(b)
    if x and y then
      return x < y and -1 or x > y and 1 or 0
    end
    a, b = tostring(a), tostring(b)
    return a < b and -1 or a > b and 1 or 0
  end
  if not low then
    return compare(v, condition) == 0
  end
  return (low == "" or compare(v, low) >= 0) and (high == "" or compare(v, high) <= 0)
end

local function chosen(account, conditions, with_system)
  local out = {}
  for _, job in ipairs(account.jobs) do
    look(job)
    local all = with_system or not job.system
    for part in conditions:gmatch("[^;]+") do
      local key, list = part:match("^%s*(%a+)%s*:%s*(.-)%s*$")
      if not key or value_of(job, key:lower()) == nil then
        fail("Condition %s is not understood", part)
      end
      local any = false
      for condition in list:gmatch("[^|]+") do
        any = any or meets(value_of(job, key:lower()), condition:match("^%s*(.-)%s*$"))
      end
      all = all and any
    end
    out[#out + 1] = all and job or nil
  end
  return out
end

-- Operations --------------------------------------------------------------------------------------

local operations = {}

local function element(name, text)
  return ("<%s>%s</%s>"):format(name, http.xml(text == nil and "" or text), name)
end

local function flag(text)
  return (text or ""):lower() == "true" or text == "1"
end

-- Each gives its type and the inside of its result.
function operations.executequickjob(account, p)
  local text = p.qry or ""
  local job = new_job(account, { kind = "query", query = text, context = p.context,
    taskname = p.taskname, queue = 1, system = flag(p.issystem) })
  job.status, job.started, job.ended = FINISHED, job.submitted, job.submitted
  if text:upper():find("INFORMATION_SCHEMA.TABLES", 1, true) then
    local rows = {}
    for name in pairs(p.context:lower() == "mydb" and account.mydb
      or contexts[p.context:lower()] or {}) do
      rows[#rows + 1] = { name }
    end
    return "string", http.xml(printed({ { name = "TABLE_NAME", type = "char" } }, rows, ",", "null",
      true))
  end
  local drop = text:match("^%s*[dD][rR][oO][pP]%s+[tT][aA][bB][lL][eE]%s+(.-)%s*;?%s*$")
  if drop then
    local name = drop:match("([%w_]+)%]?$")
    local _, known = mydb_table(account, name)
    if known then
      account.mydb[known] = nil
    elseif not drop:upper():find("^IF%s+EXISTS") then
      fail("Cannot drop the table '%s', because it does not exist", name)
    end
    return "string", http.xml("[Result]:varchar\n\"Command completed\"\n")
  end
  local columns, rows, more, into = run(account, text, p.context or "", 100000)
  if into then
    keep(account, into, columns, rows)
    return "string", http.xml(("[Result]:varchar\n\"%d rows\"\n"):format(#rows))
  end
  local out = not more and #rows <= core.row_cap and printed(columns, rows, ",", "null", true)
  if not out or #out > quick_bytes then
    fail("Query results exceed memory limit of a quick job")
  end
  return "string", http.xml(out)
end

function operations.submitjob(account, p)
  local job = new_job(account, { kind = "query", query = p.qry or "", context = p.context or "",
    taskname = p.taskname, queue = (tonumber(p.estimate) or 1) <= 60 and 60 or 480 })
  return "long", ("%d"):format(job.id)
end

local function own(account, text)
  local job = by_id[math.tointeger(tonumber(text)) or 0]
  return job and job.account == account and job or fail("Job %s does not exist", tostring(text))
end

function operations.getjobstatus(account, p)
  local job = own(account, p.jobid)
  look(job)
  return "int", ("%d"):format(job.status)
end

function operations.canceljob(account, p)
  local job = own(account, p.jobid)
  if job.status <= STARTED then
    job.status, job.ended = CANCELLED, clock.now()
  end
  return nil, ""
end

local function described(job, names)
  local parts = {}
  for i, pair in ipairs(names) do
    parts[i] = element(pair[1], value_of(job, pair[2]))
  end
  return table.concat(parts)
end

local short_names = { { "JobID", "jobid" }, { "Status", "status" }, { "TimeSubmit", "timesubmit" },
  { "TimeStart", "timestart" }, { "TimeEnd", "timeend" }, { "Queue", "queue" },
  { "TaskName", "taskname" }, { "Error", "error" }, { "OutputLoc", "outputloc" } }
local long_names = { { "JobID", "jobid" }, { "Rows", "rows" }, { "TimeSubmit", "timesubmit" },
  { "TimeStart", "timestart" }, { "TimeEnd", "timeend" }, { "Status", "status" },
  { "Estimate", "queue" }, { "TaskName", "taskname" }, { "OutputLoc", "outputloc" },
  { "Message", "error" }, { "Query", "query" }, { "Target", "context" } }

local function job_list(account, p, names, kind)
  local parts = {}
  for i, job in ipairs(chosen(account, p.conditions or "", flag(p.includesystem))) do
    parts[i] = ("<%s>%s</%s>"):format(kind, described(job, names), kind)
  end
  return "ArrayOf" .. kind, table.concat(parts)
end

function operations.getjobs(account, p)
  return job_list(account, p, short_names, "CJJob")
end

function operations.getjobsjob(account, p)
  return job_list(account, p, long_names, "Job")
end

function operations.submitextractjob(account, p)
  local job = new_job(account, { kind = "extract", table = p.tablename or "", type = p.type,
    context = "MyDB", queue = 1, base = p.base })
  return "long", ("%d"):format(job.id)
end

local upload_types = { bool = "int", uint8 = "short", int16 = "short", int32 = "int",
  int64 = "long", float32 = "float", float64 = "double" }

function operations.uploaddata(account, p)
  local name, data = p.tablename or "", p.data or ""
  local t = mydb_table(account, name)
  if not name:find("^%a[%w_]*$") then
    fail("Table name '%s' is not valid", name)
  elseif data:find(" ", 1, true) then
    fail("Input string was not in a correct format.")
  elseif not flag(p.tableexists) and t then
    fail("There is already an object named '%s' in the database.", name)
  elseif flag(p.tableexists) and not t then
    fail("Invalid object name '%s'.", name)
  end
  local got, why = core.table(data, "csv")
  if not got then
    fail("%s", why)
  end
  if t then
    table.move(got.rows, 1, #got.rows, #t.rows + 1, t.rows)
    return nil, ""
  end
  local columns = {}
  for i, c in ipairs(got.columns) do
    columns[i] = { name = c.name, type = upload_types[c.type] or "char" }
  end
  keep(account, name, columns, got.rows)
  return nil, ""
end

function operations.getqueues()
  local parts = {}
  for _, name in ipairs(context_names) do
    for _, minutes in ipairs({ 1, 60, 480 }) do
      parts[#parts + 1] = ("<CJQueue>%s%s</CJQueue>"):format(element("Context", name),
        element("Timeout", minutes))
    end
  end
  return "ArrayOfCJQueue", table.concat(parts)
end

function operations.getjobtypes()
  local parts = {}
  for i, kind in ipairs({ "CSV", "DataSet", "FITS", "VOTable" }) do
    parts[i] = ("<CJType>%s%s</CJType>"):format(element("Type", kind),
      element("Description", kind .. " extract"))
  end
  return "ArrayOfCJType", table.concat(parts)
end

-- Answers -----------------------------------------------------------------------------------------

local function trace(message)
  return http.answer(("System.Web.Services.Protocols.SoapException: Server was unable to process "
    .. "request. ---> System.Exception: %s ---> System.Data.SqlClient.SqlException\n"
    .. "   at Cas.Jobs.Service()\n"):format(http.xml(message)), "text/plain", 500)
end

-- The account that the parameters name; parameters in lower case.
local function account_of(p)
  local account = accounts[p.wsid or p.owner_wsid or ""]
  if not account or account.pw ~= (p.pw or p.owner_pw) then
    fail("Invalid Web Services ID or password")
  end
  return account
end

-- One operation: type and inside of the result; nil, message.
local function perform(request, name, p)
  local operation = operations[name:lower()]
  request.record.service = "CasJobs " .. name
  request.record.request = p.qry or p.conditions or p.tablename
  if not operation then
    return false, ("Request format is unrecognized for URL ending in '/%s'."):format(name)
  end
  p.base = request.base
  return protected(function()
    return operation(account_of(p), p)
  end)
end

local xml_head = '<?xml version="1.0" encoding="utf-8"?>\n'

local function plain_http(request)
  local ok, kind, inside = perform(request, request.rest, http.parameters(request))
  if not ok then
    return trace(kind)
  elseif not kind then
    return http.answer("", "text/xml")
  end
  return http.answer(('%s<%s xmlns="%s">%s</%s>'):format(xml_head, kind, namespace, inside, kind),
    "text/xml")
end

local entities = { ["&lt;"] = "<", ["&gt;"] = ">", ["&quot;"] = '"', ["&apos;"] = "'",
  ["&amp;"] = "&" }

local function soap(request)
  local name = (request.headers.soapaction or ""):match("([%w]+)\"?$")
  if not name then
    return http.answer("<html><head><title>jobs Web Service</title></head></html>", "text/html")
  end
  local p = {}
  local inside = request.body:match("<[%w:]*" .. name .. "[^>]*>(.*)</[%w:]*" .. name .. ">") or ""
  for key, v in inside:gmatch("<([%w_]+)[^>]*>(.-)</%1>") do
    p[key:lower()] = v:gsub("&%a+;", entities)
  end
  local ok, kind, text = perform(request, name, p)
  if not ok then
    return trace(kind)
  end
  local result = kind and ("<%sResult>%s</%sResult>"):format(name, text, name) or ""
  return http.answer(('%s<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">'
    .. '<soap:Body><%sResponse xmlns="%s">%s</%sResponse></soap:Body></soap:Envelope>'):format(
    xml_head, name, namespace, result, name), "text/xml")
end

local function web_service_id(request)
  local p, id = http.parameters(request), "-1"
  for wsid, account in pairs(accounts) do
    id = account.user == p.userid and account.pw == p.password and wsid or id
  end
  return http.answer(('%s<long xmlns="%s">%s</long>'):format(xml_head, namespace, id), "text/xml")
end

local function fast_table(request)
  local p = http.parameters(request)
  for _, account in pairs(accounts) do
    if account.user == p.userid and account.pw == p.pw then
      local t = mydb_table(account, p.table or "")
      return t and http.answer(printed(t.columns, t.rows, "\t", "", false), "text/plain")
        or http.answer("Table does not exist\n", "text/plain", 404)
    end
  end
  return http.answer("Login failed\n", "text/plain", 401)
end

local function outgoing(request)
  local text = files[request.rest]
  return text and http.answer(text, "text/csv") or http.answer("", "text/plain", 404)
end

local routes = {
  ["/cgi-bin/quick_casjobs.cgi"] = faults.data(fast_table, trace),
  ["/ps1casjobs/outgoing/"] = faults.data(outgoing),
}
for _, site in ipairs({ "ps1casjobs", "gcasjobs", "hcasjobs", "mcasjobs", "kplrcasjobs" }) do
  routes["/" .. site .. "/services/jobs.asmx"] = faults.data(soap, trace)
  routes["/" .. site .. "/services/jobs.asmx/"] = faults.data(plain_http, trace)
  routes["/" .. site .. "/casusers.asmx/GetWebServiceId"] = faults.data(web_service_id, trace)
end

return { routes = routes }
