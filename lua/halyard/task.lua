-- SPDX-License-Identifier: BSD-3-Clause
-- Tasks: pieces of a script that run at the same time and read top to bottom. A scope does not end
-- before its tasks; the first failure cancels the others.

local core = require("halyard.core.task")

local M = {}

--- Starts f(...) as a task of the current scope; `:join()` waits for its results.
M.spawn = core.spawn
--- Ends a task soon; its <close> variables run.
M.cancel = core.cancel
--- Waits for some seconds.
M.sleep = core.sleep
--- Runs every function of a list at the same time; their first results as a list, in order.
M.all = core.all
--- f(item, i) for every item of a list, at most `n` at once; the results as a list, in order.
M.map = core.map
--- Asks for something until it is ready; see halyard.poll.
M.poll = require("halyard.poll")

return M
