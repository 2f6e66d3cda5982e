-- SPDX-License-Identifier: BSD-3-Clause
-- Jobs of the Universal Worker Service 1.1. A job that runs is computed when it is next looked at:
-- its statement is counted through, so that what fails fails in the job; the rows themselves are
-- made again for whoever fetches them. PHASE=RUN in the creating POST is ignored, as services do.
-- The switch "executing=N" keeps each job in EXECUTING for N seconds.
local clock = require "practice.clock"
local faults = require "practice.faults"
local http = require "practice.http"
local sql = require "practice.sql"

local M = {}

local JOBS_MAX <const>, WAIT_MAX <const> = 200, 60
local retention_s = 86400

local now, iso = clock.now, clock.iso
local jobs, order, last = {}, {}, 0

local final = { COMPLETED = true, ERROR = true, ABORTED = true }

local function plain(text)
  return http.answer(text .. "\n", "text/plain")
end

-- Running ---------------------------------------------------------------------------------------

local function finish(job, phase, at, message)
  job.phase, job.ended, job.message = phase, at, message
end

local function start(job, at, prepare)
  job.phase, job.started = "EXECUTING", at
  job.ready = at + (faults.switch("executing") or 0)
  local q, why = prepare(job)
  job.prepared, job.refused = q, why
end

-- Brings a job up to date.
local function look(job)
  local at = now()
  if job.phase ~= "EXECUTING" or job.busy then
    return
  elseif job.duration > 0 and at > job.started + job.duration then
    finish(job, "ABORTED", at, "the job reached its execution duration")
  elseif at < job.ready then
    return
  elseif job.refused then
    finish(job, "ERROR", at, job.refused)
  else
    job.busy = true
    local q = job.prepared
    local rows, why = sql.query(("SELECT count(*) FROM (%s LIMIT %d)"):format(
      "SELECT * FROM (" .. q.sql .. ")", q.max + 1), nil,
      { max = 1, tables = q.tables, seconds = 60 })
    job.busy = false
    if job.phase == "EXECUTING" then
      finish(job, rows and "COMPLETED" or "ERROR", now(), not rows and why or nil)
    end
  end
end

-- Blocks while the phase stays `known` and is not final, at most `wait` seconds.
local function wait_for(job, known, wait)
  local till = now() + math.min(wait < 0 and WAIT_MAX or wait, WAIT_MAX)
  look(job)
  while not final[job.phase] and job.phase == (known or job.phase) and now() < till do
    known = known or job.phase
    sql.query("SELECT pause(0.05)", nil, { max = 1 })
    look(job)
  end
end

-- Documents -------------------------------------------------------------------------------------

local function optional(name, text)
  return text and text ~= "" and ("<uws:%s>%s</uws:%s>\n"):format(name, http.xml(text), name)
    or ("<uws:%s xsi:nil=\"true\"/>\n"):format(name)
end

local names = 'version="1.1" xmlns:uws="http://www.ivoa.net/xml/UWS/v1.0" '
  .. 'xmlns:xlink="http://www.w3.org/1999/xlink" '
  .. 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'

local function parameter_list(job, attributes)
  local parts = { ("<uws:parameters%s>\n"):format(attributes or "") }
  for _, p in ipairs(job.parameters) do
    parts[#parts + 1] = ('<uws:parameter id="%s">%s</uws:parameter>\n'):format(http.xml(p[1]),
      http.xml(p[2]))
  end
  parts[#parts + 1] = "</uws:parameters>\n"
  return table.concat(parts)
end

local function result_list(job, attributes)
  return ("<uws:results%s>%s</uws:results>\n"):format(attributes or "", job.phase == "COMPLETED"
    and ('<uws:result id="result" xlink:href="%s/results/result"/>'):format(http.xml(job.url))
    or "")
end

local function document(job)
  local run_id = http.value(job.parameters, "RUNID")
  return http.answer(table.concat({
    '<?xml version="1.0" encoding="UTF-8"?>\n<uws:job ', names, ">\n",
    ("<uws:jobId>%s</uws:jobId>\n"):format(job.id),
    run_id and ("<uws:runId>%s</uws:runId>\n"):format(http.xml(run_id)) or "",
    optional("ownerId"), ("<uws:phase>%s</uws:phase>\n"):format(job.phase), optional("quote"),
    optional("creationTime", iso(job.created)), optional("startTime", iso(job.started)),
    optional("endTime", iso(job.ended)),
    ("<uws:executionDuration>%d</uws:executionDuration>\n"):format(job.duration),
    optional("destruction", iso(job.destruction)), parameter_list(job), result_list(job),
    job.message and ('<uws:errorSummary type="fatal" hasDetail="true"><uws:message>%s'
      .. "</uws:message></uws:errorSummary>\n"):format(http.xml(job.message)) or "",
    "</uws:job>\n" }), "text/xml")
end

-- Requests --------------------------------------------------------------------------------------

local function remove(job)
  jobs[job.id] = nil
  for i, id in ipairs(order) do
    if id == job.id then
      table.remove(order, i)
      return
    end
  end
end

local settings = {}

function settings.phase(job, text, how)
  if text == "RUN" and (job.phase == "PENDING" or job.phase == "HELD") then
    start(job, now(), how.prepare)
  elseif text == "ABORT" and not final[job.phase] then
    finish(job, "ABORTED", now())
  elseif text ~= "RUN" and text ~= "ABORT" then
    return ("PHASE=%s is not RUN or ABORT"):format(text)
  end
end

function settings.executionduration(job, text, how)
  local seconds = math.tointeger(tonumber(text))
  if not seconds or seconds < 0 then
    return ("EXECUTIONDURATION=%s is not a number of seconds"):format(text)
  end
  job.duration = seconds == 0 and how.duration_max or math.min(seconds, how.duration_max)
end

function settings.destruction(job, text)
  local y, mo, d, h, mi, s = text:match("^(%d+)-(%d+)-(%d+)T?(%d*):?(%d*):?(%d*)")
  if not y then
    return ("DESTRUCTION=%s is not a time"):format(text)
  end
  local at = os.time({ year = y, month = mo, day = d, hour = h ~= "" and h or 0,
    min = mi ~= "" and mi or 0, sec = s ~= "" and s or 0, isdst = false })
  local zone = os.time(os.date("!*t", at)) - at
  job.destruction = math.min(at - zone, job.created + 7 * retention_s)
end

-- Sets what the parameters say: control parameters or, while PENDING, those of the query.
local function set(job, list, how)
  for _, p in ipairs(list) do
    local control = settings[p[1]:lower()]
    local why
    if control then
      why = control(job, p[2], how)
    elseif job.phase ~= "PENDING" then
      why = "parameters of a job that has begun cannot be changed"
    else
      for i = #job.parameters, 1, -1 do
        if job.parameters[i][1]:upper() == p[1]:upper() and p[1]:upper() ~= "UPLOAD" then
          table.remove(job.parameters, i)
        end
      end
      table.insert(job.parameters, { p[1]:upper(), p[2] })
    end
    if why then
      return why
    end
  end
end

local function create(request, how)
  local list = how.parameters(request)
  local uploads, why = how.uploads(request, list)
  if not uploads then
    return how.failed(why)
  end
  local at = now()
  last = last + 1
  local job = { id = ("job%06d"):format(last), catalog = request.catalog, base = request.base,
    phase = "PENDING", created = at, destruction = at + retention_s,
    duration = how.duration_default, uploads = uploads, parameters = {} }
  job.url = request.job_base .. "/" .. job.id
  local wanted = {}
  for _, p in ipairs(list) do
    if p[1]:lower() ~= "phase" then
      wanted[#wanted + 1] = p
    end
  end
  why = set(job, wanted, how)
  if why then
    return how.failed(why)
  end
  jobs[job.id] = job
  order[#order + 1] = job.id
  if #order > JOBS_MAX then
    jobs[table.remove(order, 1)] = nil
  end
  request.record.request = http.value(job.parameters, "QUERY")
  return http.redirect(job.url)
end

local function list_jobs(request)
  local p, phases = http.parameters(request), {}
  for _, name in ipairs({ "PHASE", "phase" }) do
    for _, phase in ipairs(http.values(request.arguments, name)) do
      phases[phase] = true
    end
  end
  local parts, n = {}, 0
  for i = #order, 1, -1 do
    local job = jobs[order[i]]
    local wanted = job.catalog == request.catalog and (not next(phases) or phases[job.phase])
      and (not p.after or iso(job.created) > p.after)
    if wanted and n < (math.tointeger(tonumber(p.last)) or math.huge) then
      n = n + 1
      parts[n] = ('<uws:jobref id="%s" xlink:href="%s"><uws:phase>%s</uws:phase>'
        .. "<uws:creationTime>%s</uws:creationTime></uws:jobref>\n"):format(job.id,
        http.xml(job.url), job.phase, iso(job.created))
    end
  end
  return http.answer(('<?xml version="1.0" encoding="UTF-8"?>\n<uws:jobs %s>\n%s</uws:jobs>\n')
    :format(names, table.concat(parts)), "text/xml")
end

-- What GET gives for a path below a job.
local gets = {}

function gets.phase(job)
  return plain(job.phase)
end

function gets.executionduration(job)
  return plain(("%d"):format(job.duration))
end

function gets.destruction(job)
  return plain(iso(job.destruction))
end

function gets.quote()
  return plain("")
end
gets.owner = gets.quote

function gets.parameters(job)
  return http.answer('<?xml version="1.0"?>\n' .. parameter_list(job, " " .. names), "text/xml")
end

function gets.results(job)
  return http.answer('<?xml version="1.0"?>\n' .. result_list(job, " " .. names), "text/xml")
end

gets["error"] = function(job, _, how)
  return job.message and how.failed(job.message, 200) or plain("")
end

gets["results/result"] = function(job, request, how)
  if job.phase ~= "COMPLETED" then
    return how.failed(("the job is %s: there is no result"):format(job.phase), 404)
  end
  request.job = job
  return how.result(request)
end

local function answer_get(job, path, request, how)
  local p = http.parameters(request)
  local wait = tonumber(p.wait)
  if path == "" and wait then
    wait_for(job, p.phase, wait)
  else
    look(job)
  end
  if path == "" then
    return document(job)
  end
  local get = gets[path]
  return get and get(job, request, how) or how.failed(path .. " is not here", 404)
end

local function answer_post(job, path, request, how)
  local list = how.parameters(request)
  if path == "" and (http.value(list, "ACTION") or ""):upper() == "DELETE" then
    remove(job)
    return http.redirect(request.job_list)
  elseif path ~= "" and path ~= "parameters" and not settings[path] then
    return how.failed(path .. " cannot be set", 405)
  end
  local why = set(job, list, how)
  return why and how.failed(why) or http.redirect(job.url)
end

--- The handler of a job list: `request.catalog`, `request.job_list` (its URL), `request.job_base`
-- (the URL below which jobs are) and `request.below` (the path below either). `how` has
-- parameters(request), uploads(request, list), prepare(job), the handler result (request.job),
-- failed(message, status), duration_default, duration_max.
function M.service(how)
  return function(request)
    local id, path = request.below:match("^([^/]*)/?(.-)/?$")
    if id == "" then
      return request.method == "POST" and create(request, how) or list_jobs(request)
    end
    local job = jobs[id]
    if not job or job.catalog ~= request.catalog then
      return how.failed(("there is no job %s"):format(id), 404)
    elseif request.method == "DELETE" then
      remove(job)
      return http.redirect(request.job_list)
    elseif request.method == "POST" then
      return answer_post(job, path, request, how)
    end
    return answer_get(job, path, request, how)
  end
end

return M
