-- SPDX-License-Identifier: BSD-3-Clause
-- Error objects: every failure of Halyard is raised as one. Fields: code, message, retryable,
-- http_status, retry_after (seconds), origin, where ("file:line" of a misuse); tostring gives one
-- line. Exit codes belong to the command.

local system = require("halyard.core.system")

local M = {}

local metatable = system.error_metatable
local retryable = { network = true, timeout = true, busy = true }

--- Makes an error object without raising it.
-- @tparam string code status name: "usage", "not_found", "network", ...
-- @tparam string message one line: cause, then remedy
-- @tparam[opt] table fields further fields
function M.new(code, message, fields)
  local err = { code = code, message = message, retryable = retryable[code] or false }
  for key, value in pairs(fields or {}) do
    err[key] = value
  end
  return setmetatable(err, metatable)
end

--- Raises an error object; arguments as for `new`. Misuse (`usage`) tells the line of the script
-- that is at fault in `where`.
function M.raise(code, message, fields)
  local err = M.new(code, message, fields)
  if code == "usage" and not err.where then
    err.where = system.place()
  end
  error(err, 0)
end

--- Is `value` an error object (of this code, when given)?
function M.is(value, code)
  return type(value) == "table" and getmetatable(value) == metatable
    and (code == nil or value.code == code)
end

local function settle(ok, ...)
  if ok then
    return true, ...
  end
  local err = ...
  if not M.is(err) or err.code == "cancelled" then
    error(err, 0)
  end
  return nil, err
end

--- Calls f(...): true and its results, or nil and the error object. Anything that is not an error
-- object (a typo, say) and cancellation are raised again.
function M.try(f, ...)
  return settle(pcall(f, ...))
end

return M
