-- SPDX-License-Identifier: BSD-3-Clause
-- Criteria as terms: one reading for all doors.

local criteria = require("halyard.archive.criteria")
local errors = require("halyard.error")

describe("criteria of doors", function()
  local number = { name = "mag", kind = "number" }
  local text = { name = "inst", kind = "text" }
  local time = { name = "start", kind = "time" }

  it("read numbers, bounds and ranges on columns of numbers", function()
    local cases = {
      { 5, { { op = "=", negated = false, value = 5 } } },
      { "5.5", { { op = "=", negated = false, value = 5.5 } } },
      { "<15", { { op = "<", negated = false, value = 15 } } },
      { ">= 2", { { op = ">=", negated = false, value = 2 } } },
      { "1..5", { { op = "..", negated = false, low = 1, high = 5 } } },
      { "!1..5", { { op = "..", negated = true, low = 1, high = 5 } } },
      { { min = 3 }, { { op = ">=", negated = false, value = 3 } } },
      { { min = 3, max = 4 }, { { op = "..", negated = false, low = 3, high = 4 } } },
      { { 1, "!2", { max = 0 } }, { { op = "=", negated = false, value = 1 },
        { op = "=", negated = true, value = 2 }, { op = "<=", negated = false, value = 0 } } },
    }
    for _, case in ipairs(cases) do
      assert.same(case[2], criteria.terms(number, case[1]))
    end
  end)

  it("read texts and wildcards on columns of texts", function()
    assert.same({ { op = "=", negated = false, value = "ACS" } }, criteria.terms(text, "ACS"))
    assert.same({ { op = "like", negated = false, value = "*F814W*" } },
      criteria.terms(text, "%F814W*"))
    assert.same({ { op = "=", negated = true, value = "CLEAR" } }, criteria.terms(text, "!CLEAR"))
    assert.same({ { op = "=", negated = false, value = "<5" } }, criteria.terms(text, { "<5" }))
  end)

  it("read dates on columns of times", function()
    assert.same({ { op = ">", negated = false, value = "2010-01-01" } },
      criteria.terms(time, ">2010-01-01"))
    assert.same({ { op = "..", negated = false, low = "2010", high = "2011-05-01 12:00:00" } },
      criteria.terms(time, "2010..2011-05-01 12:00:00"))
  end)

  it("are refused when they do not suit the column", function()
    local cases = {
      { number, "bright" }, { number, { min = 5, max = 4 } }, { number, {} },
      { number, { mn = 1, min = 2 } }, { number, "" }, { text, "<5" }, { text, "1..5" },
      { text, { min = 1 } }, { time, "yesterday" }, { time, ">" }, { text, print },
    }
    for _, case in ipairs(cases) do
      local ok, err = errors.try(criteria.terms, case[1], case[2])
      assert.is_nil(ok)
      assert.equal("usage", err.code)
      assert.is_truthy(err.message:find(case[1].name, 1, true))
    end
  end)

  it("write numbers without losing a bit", function()
    assert.equal("0.1", criteria.text(0.1))
    assert.equal("15", criteria.text(15.0))
    assert.equal("9007199254740993", criteria.text(9007199254740993))
    assert.equal(1 / 3, tonumber(criteria.text(1 / 3)))
  end)
end)

describe("dates of the portal", function()
  it("become MJD although the first row has none", function()
    local mashup, tables = require("halyard.archive.mashup"), require("halyard.table")
    local rows = mashup.with_mjd(tables.from_rows({
      { id = 1, date_beg = "2022-07-01T12:00:00" },
      { id = 2, date_obs = "/Date(43200000)/", date_beg = "2022-07-02T00:00:00" },
    }, { "id", "date_obs", "date_beg" }))
    assert.is_nil(rows:get(1, "date_obs_mjd"))
    assert.equal(40587.5, rows:get(2, "date_obs_mjd"))
    assert.equal("/Date(43200000)/", rows:get(2, "date_obs"))
    assert.equal(59761.5, rows:get(1, "date_beg_mjd"))
    for _, name in ipairs({ "date_obs_mjd", "date_beg_mjd" }) do
      assert.equal("d", rows:field(name).unit)
      assert.equal("time.epoch", rows:field(name).ucd)
    end
  end)
end)
