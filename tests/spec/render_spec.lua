-- SPDX-License-Identifier: BSD-3-Clause
local errors = require("halyard.error")
local json = require("halyard.json")
local peer = require("halyard.test.peer")
local render = require("halyard.render")
local tables = require("halyard.table")

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

  it("spells a table as the table's own writers do", function()
    local folder = os.tmpname()
    os.remove(folder)
    os.execute("mkdir -p " .. folder)
    peer.set("output", folder)
    local file <close> = assert(io.open(folder .. "/all.vot", "w"))
    file:write([[<VOTABLE version="1.4"><RESOURCE><TABLE><FIELD name="f" datatype="float"/>
<FIELD name="z" datatype="double"/><FIELD name="a" datatype="int" arraysize="2"/><FIELD name="note"
datatype="char" arraysize="*"/><DATA><TABLEDATA><TR><TD>0.1</TD><TD>2</TD><TD>1 2</TD><TD>a, "b"
</TD></TR><TR><TD>+Inf</TD><TD/><TD>3 4</TD><TD> </TD></TR></TABLEDATA></DATA></TABLE></RESOURCE>
</VOTABLE>]])
    file:close()
    local t = tables.read("all.vot")
    t:write("all.csv")
    local written <close> = assert(io.open(folder .. "/all.csv"))
    assert.equal(written:read("a"), text(t, "csv"))
    assert.equal(text(t, "csv"), text({ table = t }, "csv"))
    for line in text(t, "table"):gmatch("[^\n]+") do
      assert.truthy(tostring(t):find(line:match("^%S+"), 1, true), line)
    end
    assert.equal("f", text(t, "table"):match("^f"))
    assert.truthy(text(t, "table"):find("0.1  2.0  [1,2]", 1, true), text(t, "table"))
    assert.equal('[{"f":0.1,"z":2.0,"a":[1,2]}]\n',
      text(t:head(1):select({ "f", "z", "a" }), "json"))
    assert.equal("[]\n", text(t:head(0), "json"))
    local ok, e = pcall(text, t, "json")
    assert.is_false(ok)
    assert.truthy(tostring(e):find('row 2, column "f": infinity', 1, true))
    peer.set("output")
    os.execute("rm -r " .. folder)
  end)

  it("is JSON of many rows without a row or a comma lost", function()
    local many = {}
    for i = 1, 30000 do
      many[i] = { id = i, name = "row\n" .. i }
    end
    local back = json.decode(text(tables.from_rows(many, { "id", "name" }), "json"))
    assert.equal(30000, #back)
    assert.equal("row\n30000", back[30000].name)
  end)

  it("has lists and cells of several types as text", function()
    local mixed = { { a = { 1, 2 }, b = 1, c = 1 / 0 }, { a = "x", b = "y", c = 9007199254740993 } }
    assert.equal('a,b,c\n"[1,2]",1,inf\nx,y,9007199254740993\n', text(mixed, "csv"))
    assert.equal("k  inf\n", text({ k = 1 / 0 }, "table"))
    assert.equal("inf\n", text(1 / 0, "table"))
    local row = tables.from_rows({ { a = 1, b = "x" } }, { "a", "b" })[1]
    assert.equal("a  1\nb  x\n", text(row, "table"))
    assert.equal("a,b\n1,x\n", text({ row }, "csv"))
  end)

  it("is a line for each value of a list", function()
    assert.equal("HST\n7\ntrue\n", text({ "HST", 7, true }, "table"))
    assert.equal('["HST",7,true]\n', text({ "HST", 7, true }, "json"))
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
