-- SPDX-License-Identifier: BSD-3-Clause
-- The one way in which scripts and dialects wait for an archive: the same question again until it
-- is answered. Questions that are read to columns while they arrive, and files, are polled the same
-- way in C (an answer that says EXECUTING, HTTP 202).

local errors = require("halyard.error")
local http = require("halyard.core.http")
local system = require("halyard.core.system")
local task = require("halyard.core.task")

local failures_max = 5 -- one after another, each after the tries of its own requests

local known = { what = "string", ask = "function", deadline = "number", first = "number",
  cap = "number", stage = "string", late = "function" }

local function check(options)
  for key, value in pairs(type(options) == "table" and options or {}) do
    if type(value) ~= known[key] then
      errors.raise("usage", ("poll: option %s; there are what (text), ask and late (functions), "
        .. "deadline, first and cap (seconds) and stage (text)"):format(tostring(key)))
    end
  end
  if type(options) ~= "table" or not options.what or not options.ask then
    errors.raise("usage", "poll takes a table with what (text) and ask (a function)")
  end
end

--- Asks until it is ready. The pauses double from 1 s to 30 s; an answer that the archive held back
-- for as long as the first pause, and one that tells a new phase, are followed by the next question
-- at once. A failure that may pass (a
-- dropped connection, a busy archive) is survived five times in a row, and a `retry_after` is
-- waited for; others are raised. What the archive says of its work is shown as progress.
-- @tparam table options `what` is waited for (text, for messages); `ask` (function of the seconds
-- left, nil without a deadline) returns true and the result, or false and what is known: a table
-- with phase (text) and percent; `deadline` in seconds of the whole wait (each request has its
-- own); `first` and `cap`, other pauses; `stage` of the progress; `late` (function) returns how to
-- go on after the deadline (text) and fields of the error
-- @return the result of `ask`
-- @treturn integer how often it said that it is not ready
-- @raise what `ask` raises; `timeout`: "still EXECUTING after ..."
-- @usage local rows = task.poll { what = "job 7", deadline = 600, ask = function() ... end }
local function poll(options)
  check(options)
  local began, quick, failures, polls, phase = system.monotonic(), 0, 0, 0, "not ready"
  while true do
    local asked = system.monotonic()
    local left = options.deadline and math.max(0, began + options.deadline - asked)
    local ok, ready, value = errors.try(options.ask, left)
    if ok and ready then
      return value, polls
    end
    local least, held, moved = 0, 0, false
    if ok then
      local state = value or {}
      failures, polls, held = 0, polls + 1, system.monotonic() - asked
      moved = polls > 1 and state.phase ~= nil and state.phase ~= phase
      phase = state.phase or phase
      system.emit("progress", { stage = options.stage or "the archive is working on it",
        phase = state.phase, percent = state.percent, polls = polls })
    else
      failures, least = failures + 1, ready.retry_after or 0
      if not ready.retryable or failures > failures_max then
        error(ready, 0)
      end
    end
    local pause = moved and 0
      or math.max(least, http.poll_delay(quick, held, options.first, options.cap))
    quick = pause > 0 and quick + 1 or 0
    local now = system.monotonic()
    if left and now - began >= options.deadline then
      local more, fields = "ask for less or allow more time", nil
      if options.late then
        more, fields = options.late()
      end
      errors.raise("timeout", ("%s: still %s after %d s and %d polls; %s"):format(options.what,
        phase, math.floor(options.deadline), polls, more), fields)
    end
    task.sleep(left and math.min(pause, math.max(0, began + options.deadline - now)) or pause)
  end
end

return poll
