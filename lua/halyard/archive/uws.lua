-- SPDX-License-Identifier: BSD-3-Clause
-- Jobs of a Universal Worker Service (UWS 1.1, section 7.1 of the VO specification): made, run,
-- waited for, read, deleted. What a job computes is the protocol's business.

local door = require("halyard.archive.door")
local errors = require("halyard.error")
local http = require("halyard.core.http")
local jobs = require("halyard.archive.jobs")
local poll = require("halyard.poll")
local system = require("halyard.core.system")
local xml = require("halyard.xml")

local M = {}

local wait_s, margin_s = 30, 30 -- of a long poll; what the transport gets beyond it

local form_type = "application/x-www-form-urlencoded"

local job_type = { __name = "halyard.job" }
local methods = {}
job_type.__index = methods
job_type.__tostring = function(self)
  return "job " .. self.url
end

-- Requests --------------------------------------------------------------------------------------

-- What the body of a refusal says, in one line.
local function words(body)
  local ok, root = errors.try(xml.parse, body, "answer")
  local found
  local function look(node)
    if node.name == "INFO" and node.attributes.value == "ERROR" then
      found = found or node.text:match("%S.*")
    end
    for _, child in ipairs(node.children) do
      look(child)
    end
  end
  if ok then
    look(root)
  end
  local text = (found or body:gsub("<[^>]*>", " ")):gsub("%s+", " "):match("^%s*(.-)%s*$")
  return text ~= "" and text:sub(1, 500) or "it does not say why"
end

local codes = { [401] = "permission", [403] = "permission", [404] = "not_found", [429] = "busy",
  [503] = "busy" }

-- A reply that is no refusal.
local function answered(what, request)
  local reply = http.request(request)
  if reply.status >= 400 then
    errors.raise(codes[reply.status] or "archive", ("%s: %s answered HTTP %d: %s"):format(what,
      request.url, reply.status, words(reply.body)), { http_status = reply.status,
      retryable = reply.status == 429 or reply.status >= 500,
      retry_after = tonumber(reply.headers["retry-after"]) })
  end
  return reply
end

local function get(self, below, more)
  local request = { url = self.url .. below, max_bytes = 4 * 1024 * 1024 }
  for key, value in pairs(more or {}) do
    request[key] = value
  end
  return answered(self.what, request)
end

local function post(self, below, fields)
  return answered(self.what, {
    method = "POST", url = self.url .. below, body = door.arguments(fields), tries = 1,
    redirects = false, headers = { ["Content-Type"] = form_type },
  })
end

-- The job document as the fields used here.
local function described(self, text)
  local root = xml.parse(text, self.what)
  if root.name ~= "job" then
    errors.raise("protocol", ("%s: %s is no job: it begins with <%s>"):format(self.what, self.url,
      root.name))
  end
  local out = {
    phase = (xml.text(root, "phase") or "UNKNOWN"):upper(),
    message = xml.text(root, "errorSummary", "message"),
    duration = tonumber(xml.text(root, "executionDuration")),
    destruction = xml.text(root, "destruction"),
  }
  for _, result in ipairs(xml.all(xml.child(root, "results") or { children = {} }, "result")) do
    local href = result.attributes.href
    if href and (not out.result or result.attributes.id == "result") then
      out.result = href
    end
  end
  return out
end

--- What the service says of the job now: phase, message, duration, destruction, result (a URL).
-- @raise `not_found` when there is no such job
function methods:document()
  return described(self, get(self, "", { deadline = 2 * margin_s }).body)
end

--- The phase of the job, in capitals.
function methods:phase()
  local text = get(self, "/phase").body
  return text:match("^%s*(%a+)%s*$") and text:match("%a+"):upper() or self:document().phase
end

-- Waiting ---------------------------------------------------------------------------------------

local ends = { COMPLETED = true, ERROR = true, ABORTED = true, ARCHIVED = true }

-- The job's document once its phase is not `known` any more, or after a while. UWS 1.0 services do
-- not know WAIT and answer at once; a gateway may cut a long poll.
local function long_poll(self, known, seconds)
  return described(self, get(self, "?" .. door.arguments({ { "WAIT", seconds },
    { "PHASE", known } }), { tries = 1, deadline = seconds + margin_s }).body)
end

-- The words of the service for a job that failed.
local function told(self, document)
  if document.message then
    return document.message
  end
  local ok, reply = errors.try(get, self, "/error")
  return words(ok and reply.body or "")
end

local function ended(self, document)
  local phase = document.phase
  if phase == "COMPLETED" then
    return document
  end
  jobs.over(self.url)
  if phase == "ERROR" then
    errors.raise("archive", ("%s: the job failed: %s (%s)"):format(self.what, told(self, document),
      self.url), { job = self.url })
  elseif phase == "ABORTED" then
    errors.raise("archive", ("%s: the job was aborted%s (%s); nothing of a partial result is read: "
      .. "ask for less, or for a longer duration"):format(self.what,
      document.message and ": " .. document.message or document.duration and document.duration > 0
        and (" (its limit is %d s)"):format(document.duration) or "", self.url),
      { job = self.url })
  end
  errors.raise("not_found", ("%s: the job is archived, its result is gone; run it again (%s)")
    :format(self.what, self.url), { job = self.url })
end

--- Starts a job that is PENDING or HELD.
function methods:run()
  post(self, "/phase", { { "PHASE", "RUN" } })
end

--- Waits until the job has ended well.
-- @tparam[opt] number seconds at most so long
-- @treturn table its document
-- @raise `archive` with the service's words when it failed or was aborted, `not_found`, `timeout`
function methods:wait(seconds)
  local document, resumed = self:document(), 0
  local function ask(left)
    if document.phase == "PENDING" or document.phase == "HELD" then
      resumed = resumed + 1
      if resumed > 3 then
        errors.raise("archive", ("%s: the job stays %s although it was told to run (%s)"):format(
          self.what, document.phase, self.url), { job = self.url })
      end
      self:run()
    end
    if not ends[document.phase] then
      document = long_poll(self, document.phase, math.ceil(math.min(wait_s, left or wait_s)))
    end
    return ends[document.phase], ends[document.phase] and document or { phase = document.phase }
  end
  return ended(self, (poll {
    what = self.what, deadline = seconds, ask = ask,
    late = function()
      return ("the job goes on: take it up again by its address %s"):format(self.url),
        { job = self.url }
    end,
  }))
end

--- Stops the job.
function methods:abort()
  post(self, "/phase", { { "PHASE", "ABORT" } })
end

--- Deletes the job and its result; one that is gone already is no failure.
function methods:delete()
  jobs.over(self.url)
  local ok, reply = errors.try(http.request, {
    method = "DELETE", url = self.url, redirects = false, tries = 2,
  })
  if not ok or reply.status >= 400 and reply.status ~= 404 then
    ok, reply = errors.try(post, self, "", { { "ACTION", "DELETE" } })
    if not ok and reply.code ~= "not_found" then
      system.log("warning", ("%s: the job %s could not be deleted: %s"):format(self.what, self.url,
        tostring(reply)))
    end
  end
end

-- Jobs ------------------------------------------------------------------------------------------

--- The job at a URL; it may have been made by another run.
-- @tparam string what for messages
-- @tparam string url
function M.job(what, url)
  return setmetatable({ what = what, url = (url:gsub("/+$", "")) }, job_type)
end

--- Makes a job and starts it. Never makes it twice: the creating POST is sent once.
-- @tparam string what for messages
-- @tparam string list URL of the job list
-- @tparam table request `body` and `content_type`
-- @tparam[opt] integer duration seconds the job may take; the service may grant less
-- @treturn job
function M.create(what, list, request, duration)
  local reply = answered(what, {
    method = "POST", url = list, body = request.body, tries = 1, redirects = false,
    headers = { ["Content-Type"] = request.content_type or form_type },
  })
  local url = reply.location or reply.headers.location
  if not url then
    errors.raise("protocol", ("%s: %s made no job (HTTP %d): %s"):format(what, list, reply.status,
      words(reply.body)))
  end
  local job = M.job(what, url)
  system.log("info", ("%s: job %s"):format(what, job.url))
  jobs.begun(job.url)
  if duration then
    post(job, "/executionduration", { { "EXECUTIONDURATION", duration } })
  end
  if job:document().phase == "PENDING" then
    job:run()
  end
  return job
end

return M
