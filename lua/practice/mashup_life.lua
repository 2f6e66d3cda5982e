-- SPDX-License-Identifier: BSD-3-Clause
-- The life of a question to the portal (mashup-api section 6.1): jobs by question, states, pages,
-- the faults of the protocol; and parameters as the server reads them.
local core = require "practice.core"
local faults = require "practice.faults"
local json = require "practice.json"
local words = require "practice.mashup_words"

local M = {}

local SLOW_ROWS <const> = 100000 -- larger answers say EXECUTING once

--- Ends a question with status ERROR and this text.
function M.refuse(text)
  error({ mashup = text }, 0)
end

--- A number of the parameters, or `default`.
function M.number_of(params, name, default)
  local v = params[name]
  if v == nil or v == json.null then
    v = default
  end
  local n = tonumber(v)
  if not n or n ~= n or n == math.huge or n == -math.huge then
    M.refuse(("parameter %s is missing or not a number"):format(name))
  end
  return n
end

local jobs, n_jobs = {}, 0

local function job_of(key, fresh)
  if fresh or n_jobs > 5000 then
    if fresh then
      jobs[key] = nil
    else
      jobs, n_jobs = {}, 0
    end
  end
  local job = jobs[key]
  if not job then
    job = { asked = 0 }
    jobs[key] = job
    n_jobs = n_jobs + 1
  end
  return job
end

--- Does a property of the request say yes?
function M.is_true(v)
  return v == true or (type(v) == "string" and v:lower() == "true")
end

local function whole(m, name)
  local v = m[name]
  if v == nil or v == json.null then
    return nil
  end
  local n = math.tointeger(tonumber(v))
  if not n or n <= 0 then
    M.refuse(("%s parameter must be > 0"):format(name))
  end
  return n
end

--- Reads page and pagesize of a request into the state.
function M.pages(m, state)
  state.page, state.pagesize = whole(m, "page"), whole(m, "pagesize")
  if state.page and not state.pagesize then
    state.pagesize = 1000
  end
  if faults.switch("ignore-pagesize") then
    state.page, state.pagesize = nil, nil
  end
end

local function wording_of_fault(name)
  if name == "error" then
    return words.body(json.encode({ status = "ERROR", msg = faults.DATABASE_TEXT }))
  elseif name == "bad-extjs" then
    return words.body('{ "status" : "ERROR", "msg" : "Object reference not set", "data" : }')
  end
  return faults.answer(name)
end

--- Begins or finds the job of a question and draws its fault into `state`; gives what is sent
-- instead of an answer, or nil.
-- @param key what questions with the same answer share
function M.begin(state, key, m)
  state.key, state.job = key, job_of(key, M.is_true(m.clearcache))
  state.forget = M.is_true(m.removecache)
  state.fault = faults.draw("data", m.requestPath .. " " .. m.service)
  local instead = wording_of_fault(state.fault)
  if instead then
    instead.note = "fault " .. state.fault
  end
  return instead
end

--- What is said before the rows: the connection is reset over the row cap, or EXECUTING; nil when
-- the answer is ready.
function M.early(state, total)
  local job = state.job
  if not state.count and total > core.row_cap then
    return { outcome = "reset", note = "over the row cap" }
  end
  job.asked = job.asked + 1
  local forced = faults.switch("executing")
  if job.asked <= (forced or (not state.count and total > SLOW_ROWS and 1 or 0)) then
    local answer = words.executing(state.format)
    answer.note = "executing"
    return answer
  end
  if state.forget then
    jobs[state.key] = nil
  end
end

return M
