-- SPDX-License-Identifier: BSD-3-Clause
-- The time, for whatever takes time.
local sql = require "practice.sql"

local M = {}

--- Seconds since 1970, to a millisecond. Another request may come in between.
function M.now()
  local rows = sql.query("SELECT (julianday('now') - 2440587.5) * 86400.0", nil, { max = 1 })
  return rows[1][1]
end

--- "2026-01-31T12:00:00Z"; "" for nil.
function M.iso(seconds)
  return seconds and os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(seconds)) or ""
end

return M
