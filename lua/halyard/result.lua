-- SPDX-License-Identifier: BSD-3-Clause
-- What a query gives: rows (their number), and table or path. Who takes it for the rows themselves
-- is told so: a loop over it would see none, which looks like an empty answer.

local errors = require("halyard.error")
local table_core = require("halyard.core.table")

local M = {}

local result_type = { __name = "halyard.result" }

function result_type.__index(result, key)
  if math.type(key) == "integer" or key == "columns" or table_core.methods[key] then
    local path = rawget(result, "path")
    errors.raise("usage", path and ("the rows of this query are in the file %s (into)"):format(path)
      or 'the result of a query is not its rows: they are in its field "table", as in '
      .. "result.table:head(5)")
  end
end

function result_type.__len(result)
  return rawget(result, "rows")
end

--- What stands for a result in a plan.
-- @tparam[opt] string path of the file that would be written
function M.planned(path)
  return M.of({ rows = 0, path = path, account = {}, verified = "not asked: this is a plan" })
end

--- A result of a query.
-- @tparam table fields rows, table or path, and more
function M.of(fields)
  return setmetatable(fields, result_type)
end

return M
