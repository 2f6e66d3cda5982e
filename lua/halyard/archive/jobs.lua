-- SPDX-License-Identifier: BSD-3-Clause
-- Jobs that run at an archive for this run, kept on disk while they do: after a broken run the file
-- .halyard/jobs of the output folder tells where its results are.

local errors = require("halyard.error")
local report = require("halyard.report")
local system = require("halyard.core.system")

local M = {}

local file_max_bytes = 1 << 20

local open -- lines, oldest first

-- What an earlier run left there stays until its job is over.
local function lines()
  local path = report.current().output .. "/.halyard/jobs"
  if not open then
    open = {}
    local ok, text = errors.try(system.read_file, path, file_max_bytes)
    for line in (ok and text or ""):gmatch("[^\n]+\n") do
      open[#open + 1] = line
    end
  end
  return open, path
end

-- Outside a run there is no such folder, and nothing is kept.
local function keep()
  local list, path = lines()
  local ok, err = errors.try(system.write_file, path, table.concat(list))
  if not ok and #list > 0 and system.exists(report.current().output .. "/.halyard") then
    system.log("warning", ("the jobs of this run are not kept in %s: %s"):format(path, err.message))
  end
end

--- A job has begun.
-- @tparam string address its URL, or what else is needed to come back to it
function M.begun(address)
  local list = lines()
  list[#list + 1] = address .. "\n"
  keep()
end

--- It is over: its rows are safe, or there are none.
function M.over(address)
  for i, line in ipairs(lines()) do
    if line == address .. "\n" then
      table.remove(open, i)
      keep()
      return
    end
  end
end

return M
