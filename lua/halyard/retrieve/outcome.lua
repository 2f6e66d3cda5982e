-- SPDX-License-Identifier: BSD-3-Clause
-- What became of all files of a run, as numbers and as the error that it ends with.

local errors = require("halyard.error")
local system = require("halyard.core.system")

local M = {}

--- Numbers of a run's files.
-- @tparam list queues halyard.retrieve.queue
-- @tparam[opt] list entries of other files: ok, skipped, err
-- @treturn table files, there, failed, deferred, warned (there with a warning), requests for the
-- files of queues; first, the first that is not there, and how; first_warned
function M.of(queues, entries)
  local sum = { files = 0, there = 0, failed = 0, deferred = 0, warned = 0, requests = 0 }
  for _, entry in ipairs(entries or {}) do
    sum.files = sum.files + 1
    sum.there = sum.there + (entry.skipped and 1 or 0)
    sum.failed = sum.failed + (entry.ok == false and 1 or 0)
    sum.first = sum.first or entry.ok == false and entry or nil
  end
  for _, queue in ipairs(queues) do
    sum.files, sum.there = sum.files + #queue, sum.there + queue:count("there")
    sum.failed = sum.failed + queue:count("failed") + queue:count("absent")
    sum.deferred = sum.deferred + queue:count("deferred")
    sum.warned, sum.requests = sum.warned + queue:count("warned"), sum.requests + queue.requests
    sum.first_warned = sum.first_warned
      or queue.first_warned and queue:entry(queue.first_warned) or nil
    local k = not (sum.first and sum.first.status ~= "deferred") and queue:first_failure()
    sum.first = k and queue:entry(k) or sum.first
  end
  return sum
end

--- Says that files are there which may not be what they should be: nobody reads reports unasked.
-- @tparam table sum as `of` gives it
function M.warn(sum)
  if sum.warned > 0 then
    system.log("warning", ("%d of %d files are there with a warning, the first: %s: %s; the "
      .. "manifest lists them"):format(sum.warned, sum.files, sum.first_warned.file,
      sum.first_warned.warning))
  end
end

--- The error for what is not there: `partial`; the code of the first failure when all failed,
-- unless the workflow itself cut them short; `busy` when none failed but some are deferred. Nil:
-- all is there.
-- @tparam table sum as `of` gives it
-- @tparam string remedy
function M.failure(sum, remedy)
  if not sum.first then
    return nil
  end
  local missing = sum.failed + sum.deferred
  local what = sum.failed > 0 and ("%d of %d files failed"):format(sum.failed, sum.files)
    or ("%d of %d files are deferred"):format(sum.deferred, sum.files)
  if sum.failed > 0 and sum.deferred > 0 then
    what = ("%s and %d are deferred"):format(what, sum.deferred)
  end
  local cut_short = sum.first.err.code == "cancelled"
  local code = sum.failed == 0 and "busy" or (missing < sum.files or cut_short) and "partial"
    or sum.first.err.code
  return errors.new(code, ("%s, the first: %s; %s"):format(what, tostring(sum.first.err), remedy))
end

return M
