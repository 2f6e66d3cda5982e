-- SPDX-License-Identifier: BSD-3-Clause
-- One grammar of criteria: the same table of cases for the service's filters and for table:where.
local errors = require("halyard.error")
local json = require("halyard.json")
local mashup = require("halyard.archive.mashup")
local tables = require("halyard.table")

local REFUSED = false

-- As mashup.columns gives them.
local columns = {
  t_min = { name = "t_min", kind = "range" },
  calib_level = { name = "calib_level", kind = "values", whole = true },
  filters = { name = "filters", kind = "values", separator = ";" },
}

-- The rows that a filter leaves, by what section 8.1 of the Mashup specification says of it.
local function served(t, filter)
  local found = {}
  for _, row in t:rows() do
    local value, hit = row[filter.paramName], false
    for _, wanted in ipairs(filter.values) do
      if type(wanted) == "table" then
        hit = hit or value ~= nil and value >= wanted.min and value <= wanted.max
      else
        hit = hit or value ~= nil and tostring(value):lower() == wanted:lower()
      end
    end
    if filter.freeText and value then
      local pattern = filter.freeText:gsub("[%^%$%(%)%.%[%]%+%-%?]", "%%%0"):gsub("%%%%?", ".*")
      hit = hit or tostring(value):lower():find("^" .. pattern:lower() .. "$") ~= nil
    end
    found[#found + 1] = hit and row.n or nil
  end
  return found
end

describe("criteria", function()
  it("a service takes mean what they mean in table:where; others it refuses", function()
    local rows = tables.from_rows({
      { n = 1, t_min = 1.0, calib_level = 1, filters = "F814W" },
      { n = 2, t_min = 2.5, calib_level = 2, filters = "CLEAR" },
      { n = 3, t_min = 3.0, calib_level = 3, filters = "f606w" },
      { n = 4, t_min = -4.0, calib_level = 4, filters = "F8" },
      { n = 5 } }, { "n", "t_min", "calib_level", "filters" })
    for _, case in ipairs({
      -- column, criterion, rows of t:where, and whether the service takes it
      { "t_min", 2.5, { 2 }, true }, { "t_min", "2.5", { 2 }, true },
      { "t_min", "1..2.5", { 1, 2 }, true }, { "t_min", " -4 .. 1 ", { 1, 4 }, true },
      { "t_min", { min = 1, max = 3 }, { 1, 2, 3 }, true },
      { "t_min", { min = 2 }, { 2, 3 }, REFUSED }, { "t_min", { max = 1 }, { 1, 4 }, REFUSED },
      { "t_min", "<2.5", { 1, 4 }, REFUSED }, { "t_min", ">=2.5", { 2, 3 }, REFUSED },
      { "t_min", { 1, 3 }, { 1, 3 }, REFUSED }, { "t_min", "!1..3", { 4, 5 }, REFUSED },
      { "calib_level", 2, { 2 }, true }, { "calib_level", "2", { 2 }, true },
      { "calib_level", { 2, 3 }, { 2, 3 }, true }, { "calib_level", "2..3", { 2, 3 }, REFUSED },
      { "calib_level", ">2", { 3, 4 }, REFUSED }, { "calib_level", "!2", { 1, 3, 4, 5 }, REFUSED },
      { "calib_level", { min = 2, max = 3 }, { 2, 3 }, REFUSED },
      { "filters", "clear", { 2 }, true }, { "filters", { "CLEAR", "F8" }, { 2, 4 }, true },
      { "filters", "F8*", { 1, 4 }, true }, { "filters", "*6*W", { 3 }, true },
      { "filters", "!F*", { 2, 5 }, REFUSED }, { "filters", { "F8*", "!F8" }, { 1 }, REFUSED },
      { "filters", { "F8*", "C*" }, { 1, 2, 4 }, REFUSED },
    }) do
      local criteria = { [case[1]] = case[2] }
      local name = case[1] .. " " .. (json.encode(case[2]))
      assert.same({ name, case[3] }, { name, rows:where(criteria):list("n") })
      if case[4] then
        local filters = mashup.filters(columns, criteria, "S")
        assert.same({ name, case[3] }, { name, served(rows, filters[1]) })
      else
        local ok, err = errors.try(mashup.filters, columns, criteria, "S")
        assert.same({ name, nil, "usage" }, { name, ok, err and err.code })
      end
    end
  end)
end)
