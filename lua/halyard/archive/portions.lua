-- SPDX-License-Identifier: BSD-3-Clause
-- Rows past an archive's limit where there is no position to split by: halves the range of a column
-- of numbers until the archive counts few enough, and shows by its counts that every row came
-- (tiling design 4.3, "another column").

local door = require("halyard.archive.door")
local errors = require("halyard.error")
local json = require("halyard.json")

local M = {}

local span = 2 ^ 60 -- beyond the values of any column here
local depth_max = 200

local function narrowed(question, low, high)
  local filters = json.array(table.move(question.filters, 1, #question.filters, 1, {}))
  filters[#filters + 1] = {
    paramName = question.column, values = json.array({ { min = low, max = high } }),
  }
  return filters
end

-- Middle of a range, by magnitude where its ends are far apart: a column in a range unknown to us
-- is found in few steps.
local function middle(low, high)
  if low < 0 and high > 0 then
    return 0
  elseif low >= 0 and high > 4 * math.max(low, 1) then
    return math.sqrt(math.max(low, 1) * high)
  elseif high <= 0 and -low > 4 * math.max(-high, 1) then
    return -math.sqrt(math.max(-high, 1) * -low)
  end
  return low + (high - low) / 2
end

--- All rows of a question.
-- @tparam table question name (for messages), filters (list), column (of numbers), key (unique
-- column), cap (rows one answer may hold), count(filters) -> n, cost; fetch(filters) -> rows, cost
-- @treturn halyard.table each row once
-- @treturn table cost
-- @treturn integer the archive's count
-- @raise `truncated` when one value of the column alone has more rows than an answer holds, or rows
-- without a value of it are too many; `integrity` when a part is short
function M.rows(question)
  local cost, parts = { requests = 0, bytes = 0 }, {}
  local function count(filters)
    local n, one = question.count(filters)
    door.add_cost(cost, one)
    return n
  end
  local function fetch(filters, counted)
    local rows, one = question.fetch(filters)
    door.add_cost(cost, one)
    if #rows ~= counted then
      errors.raise("integrity", ("%s: %d rows came, the archive counts %d; the answer cannot be "
        .. "trusted, run it again"):format(question.name, #rows, counted))
    end
    parts[#parts + 1] = rows
  end
  local total = count(question.filters)
  if total <= question.cap then
    fetch(question.filters, total)
    return parts[1], cost, total
  end
  -- A value on a border is in both halves (ranges are inclusive): the key shows it.
  local function visit(low, high, depth)
    local filters = narrowed(question, low, high)
    local n = count(filters)
    local half = middle(low, high)
    if n > question.cap and (half <= low or half >= high or depth == depth_max) then
      errors.raise("truncated", ("%s: %d rows have a %s of %.17g, one answer holds %d: use more "
        .. "criteria"):format(question.name, n, question.column, low, question.cap))
    elseif n > question.cap then
      visit(low, half, depth + 1)
      visit(half, high, depth + 1)
    elseif n > 0 then
      fetch(filters, n)
    end
  end
  local reachable = count(narrowed(question, -span, span))
  if reachable < total then
    errors.raise("truncated", ("%s: %d of %d rows have no %s and cannot be asked for in parts: use "
      .. "more criteria"):format(question.name, total - reachable, total, question.column))
  end
  visit(-span, span, 0)
  return door.joined(parts):unique(question.key), cost, total
end

return M
