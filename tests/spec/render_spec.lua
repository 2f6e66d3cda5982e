-- SPDX-License-Identifier: BSD-3-Clause
local errors = require("halyard.error")
local json = require("halyard.json")
local render = require("halyard.render")

local function text(result, format)
  local out = {}
  render.write(result, format, function(piece)
    out[#out + 1] = piece
  end)
  return table.concat(out)
end

describe("a workflow's result", function()
  local rows = { { id = 4295806720, name = 'a "b", c' }, { id = 2, mag = 0.1 } }

  it("is aligned for people", function()
    assert.equal("id          mag  name\n4295806720       a \"b\", c\n2           0.1\n",
      text(rows, "table"))
  end)

  it("is CSV with the quotes it needs", function()
    assert.equal('id,mag,name\n4295806720,,"a ""b"", c"\n2,0.1,\n', text(rows, "csv"))
  end)

  it("is JSON that reads back", function()
    assert.same({ rows = 3, ok = true, list = { 1, 2 } },
      json.decode(text({ rows = 3, ok = true, list = { 1, 2 }, f = print }, "json")))
  end)

  it("names the row and the column of what JSON cannot hold", function()
    local ok, e = pcall(text, { { mag = 1.5 }, { mag = 1 / 0 } }, "json")
    assert.is_false(ok)
    assert.truthy(tostring(e):find('row 2, column "mag": infinity', 1, true))
  end)

  it("is a list of names and values when it is no table of rows", function()
    assert.equal("path  x.csv\nrows  12\n", text({ rows = 12, path = "x.csv" }, "table"))
  end)

  it("may be nothing", function()
    assert.equal("", text(nil, "table"))
    assert.equal("null\n", text(nil, "json"))
  end)

  it("refuses CSV for what has no rows", function()
    local ok, err = errors.try(text, { rows = 12 }, "csv")
    assert.is_nil(ok)
    assert.equal("usage", err.code)
  end)
end)

describe("JSON for people", function()
  it("holds the same value as JSON for programs", function()
    local value = { a = { 1, 2, { b = "x\ny" } }, c = json.array({}), d = 0.1, e = false }
    assert.same(json.decode(json.encode(value)), json.decode(json.pretty(value)))
  end)
end)
