-- SPDX-License-Identifier: BSD-3-Clause
-- Choosing rows of a table by criteria; the rows themselves are compared in C.

local errors = require("halyard.error")
local suggest = require("halyard.suggest")

local M = {}

local minimum_group = "Minimum Recommended Products"
local own_keys = { "extension", "minimum" } -- of select.products, beside columns

local function check(what, rows, criteria)
  if type(rows) ~= "userdata" then
    errors.raise("usage", ("%s takes a table (of a query: result.table; of Lua rows: "
      .. "halyard.table.from_rows), not %s"):format(what, rows == nil and "nothing" or "a "
      .. type(rows)))
  elseif type(criteria) ~= "table" then
    errors.raise("usage", what .. " takes a table of criteria { column = value, ... }")
  end
end

--- Rows that meet every criterion { column = value }. Text columns: equality ignoring case, `*`
-- for any run of characters; number columns: a number, "a..b", ">n", ">=n", "<n", "<=n" or
-- { min = a, max = b }. A list means any of its values; a text that starts with `!` negates.
-- @tparam halyard.table rows
-- @tparam table criteria
-- @treturn halyard.table
-- @raise `usage` for unknown columns and unreadable values
function M.rows(rows, criteria)
  check("select.rows", rows, criteria)
  return rows:where(criteria)
end

--- The first `n` rows, or all when there are fewer.
function M.first(rows, n)
  check("select.first", rows, {})
  if math.type(n) ~= "integer" or n < 0 then
    errors.raise("usage", "select.first takes a whole number of rows")
  end
  local numbers = {}
  for i = 1, math.min(n, #rows) do
    numbers[i] = i
  end
  return rows:take(numbers)
end

local function endings(extension)
  local patterns = {}
  for i, text in ipairs(type(extension) == "table" and extension or { extension }) do
    if type(text) ~= "string" or text == "" or text:find("[*!]") then
      errors.raise("usage", 'extension is a text that file names end with, or a list of them')
    end
    patterns[i] = "*" .. text
  end
  return patterns
end

--- Product rows by criteria. Two keys are not columns: `extension` (a file name's end, or a list of
-- them; "fits" does not match x.fits.gz) and `minimum` (true: only what the archive recommends as
-- the minimum).
-- @tparam halyard.table products from `mast.products`
-- @tparam table criteria
-- @treturn halyard.table
function M.products(products, criteria)
  check("select.products", products, criteria)
  local plain, extension = {}, nil
  for key, value in pairs(criteria) do
    if key == "extension" then
      extension = value
    elseif key == "minimum" then
      if type(value) ~= "boolean" then
        errors.raise("usage", "minimum is true or false")
      end
      plain.productGroupDescription = value and minimum_group or plain.productGroupDescription
    elseif #suggest.nearest(tostring(key), own_keys) > 0
      and #suggest.nearest(tostring(key), products.columns) == 0 then
      suggest.unknown("criterion of select.products", tostring(key), own_keys)
    else
      plain[key] = value
    end
  end
  local rows = next(plain) and M.rows(products, plain) or products
  return extension and M.rows(rows, { productFilename = endings(extension) }) or rows
end

return M
