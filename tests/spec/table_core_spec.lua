-- SPDX-License-Identifier: BSD-3-Clause
local peer = require("halyard.test.peer")
local tables = require("halyard.core.table")

local function failure(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.equal("table", type(err))
  return err.code, err.message
end

local names = { "id", "name", "mag", "good" }

local function sample()
  return tables.from_rows({
    { id = 9007199254740993, name = "M 31", mag = 3.44, good = true },
    { id = 2, name = "m 31", mag = 12, good = false },
    { id = 3, mag = 8.5 },
    { id = 4, name = "NGC 5139", good = true },
    { id = 5, name = "x.fits.gz", mag = -1.5, good = false },
  }, names)
end

local function ids(t)
  return t:list("id")
end

describe("a table", function()
  it("has rows, columns and cells; integers stay exact, nulls are absent", function()
    local t = sample()
    assert.equal(5, #t)
    assert.same(names, t.columns)
    assert.same({ id = 3, mag = 8.5 }, t[3])
    assert.equal(9007199254740993, t[1].id)
    assert.equal("integer", math.type(t:get(1, "id")))
    assert.equal(12.0, t:get(2, "MAG"))
    assert.is_nil(t:get(4, "mag"))
    assert.equal("int64", t:field("id").type)
    assert.equal("float64", t:field("mag").type)
    assert.equal("bool", t:field("good").type)
    assert.equal("string", t:field("name").type)
    assert.same({ 3.44, 12.0, 8.5, -1.5 }, t:list("mag"))
  end)

  it("is walked row by row", function()
    local seen = {}
    for i, row in sample():rows() do
      seen[i] = row.id
    end
    assert.same(ids(sample()), seen)
  end)

  it("refuses rows, columns and fields that are not there, naming the nearest", function()
    local t = sample()
    assert.equal("usage", (failure(function() return t[0] end)))
    assert.equal("usage", (failure(function() return t[7] end)))
    assert.equal("usage", (failure(function() return t.colums end)))
    local code, message = failure(t.get, t, 1, "nmae")
    assert.equal("usage", code)
    assert.truthy(message:find('nearest: "name"', 1, true))
  end)

  it("shows itself in a few lines", function()
    local text = tostring(sample())
    assert.truthy(text:find("^5 rows x 4 columns\nid"))
    assert.truthy(text:find("9007199254740993", 1, true))
    assert.equal("0 rows x 1 columns\na  ", tostring(tables.from_rows({}, { "a" })))
  end)

  it("refuses use after close, and closing twice is fine", function()
    local t = sample()
    t:close()
    t:close()
    assert.equal("usage", (failure(function() return #t end)))
    assert.equal("usage", (failure(t.where, t, { id = 1 })))
    assert.equal("table (closed)", tostring(t))
  end)

  it("does not pile up in memory when dropped", function()
    local live = setmetatable({}, { __mode = "k" })
    local wide = { ("x"):rep(4 * 1024 * 1024) }
    for _ = 1, 40 do
      live[tables.from_rows({ { text = wide[1] } }, { "text" })] = true
    end
    local n = 0
    for _ in pairs(live) do
      n = n + 1
    end
    assert.is_true(n <= 12)
  end)
end)

describe("tables made from others", function()
  it("take, project, unite and drop repeats", function()
    local t = sample()
    assert.same({ 5, 2, 2 }, ids(t:take({ 5, 2, 2 })))
    assert.same({ "mag", "id" }, t:project({ "mag", "ID" }).columns)
    local more = tables.from_rows({ { id = 6, extra = 1 } }, { "id", "extra" })
    local both = tables.concat({ t, more })
    assert.equal(6, #both)
    assert.same({ "id", "name", "mag", "good", "extra" }, both.columns)
    assert.same({ 9007199254740993, 3, 4, 5 },
      ids(tables.concat({ t, t }):where({ id = { "!2" } }):unique("name")))
    assert.equal(3, #tables.concat({ t, t }):unique("good"))
    assert.equal(5, #tables.concat({ t, t }):unique("mag"))
  end)

  it("refuse what does not fit", function()
    local t = sample()
    assert.equal("usage", (failure(t.take, t, { 6 })))
    assert.equal("usage", (failure(t.take, t, "all")))
    assert.equal("usage", (failure(t.project, t, { "nope" })))
    assert.equal("usage", (failure(t.unique, t, "nope")))
    assert.equal("usage", (failure(tables.concat, { t, {} })))
    local code, message = failure(tables.from_rows, { { a = 1 }, { a = "x" } }, { "a" })
    assert.equal("usage", code)
    assert.truthy(message:find('row 2, column "a"', 1, true))
    assert.equal("usage", (failure(tables.from_rows, { 1 }, { "a" })))
  end)
end)

describe("where", function()
  local t = sample()
  local function picks(expected, criteria)
    assert.same(expected, ids(t:where(criteria)))
  end

  it("compares text without case, with lists and wildcards", function()
    picks({ 9007199254740993, 2 }, { name = "M 31" })
    picks({ 9007199254740993, 2, 4 }, { name = { "m 31", "ngc 5139" } })
    picks({ 4 }, { name = "ngc*" })
    picks({ 5 }, { name = "*.GZ" })
    picks({}, { name = "*.fits" })
    picks({ 4 }, { name = "%51%" })
    picks({ 9007199254740993, 2, 4, 5 }, { name = "*" })
    picks({ 9007199254740993, 2 }, { name = "m*1" })
  end)

  it("negates with !: any positive and no negated one", function()
    picks({ 3, 4, 5 }, { name = "!M 31" })
    picks({ 3, 5 }, { name = { "!m*", "!NGC*" } })
    picks({ 4 }, { name = { "*1*", "!m 31" } })
    picks({ 9007199254740993, 3, 4, 5 }, { id = "!2" })
  end)

  it("compares numbers: values, ranges, lists; integers exactly", function()
    picks({ 9007199254740993 }, { id = 9007199254740993 })
    picks({ 9007199254740993 }, { id = "9007199254740993" })
    picks({}, { id = 9007199254740992 })
    picks({ 2, 3, 4 }, { id = "2..4" })
    picks({ 3, 4 }, { id = { min = 2.5, max = 4.5 } })
    picks({ 2, 5 }, { id = { 2, 5 } })
    picks({ 2, 5 }, { id = { "<=2", ">4", "!>5" } })
    picks({ 2, 3 }, { mag = ">3.44" })
    picks({ 9007199254740993, 2, 3 }, { mag = ">=3.44" })
    picks({ 5 }, { mag = "<0" })
    picks({ 5 }, { mag = "-2..-1" })
    picks({ 2 }, { mag = 12 })
    picks({ 9007199254740993, 5 }, { mag = { max = 8.4999 } })
    picks({ 2, 3, 4 }, { id = { { min = 2, max = 3 }, { min = 3, max = 4 } } })
  end)

  it("compares booleans, and nulls match nothing", function()
    picks({ 9007199254740993, 4 }, { good = true })
    picks({ 2, 5 }, { good = "FALSE" })
    picks({ 2, 3, 5 }, { good = "!true" })
  end)

  it("joins columns by and", function()
    picks({ 2 }, { name = "m 31", mag = ">10" })
    picks({ 9007199254740993, 2, 3, 4, 5 }, {})
  end)

  it("finds identifiers stored as text by number", function()
    local text = tables.from_rows({ { id = "12" }, { id = "68960059717834079" } }, { "id" })
    assert.equal(1, #text:where({ id = 68960059717834079 }))
    assert.equal(1, #text:where({ id = { 12, 13 } }))
  end)

  it("refuses criteria that cannot be meant", function()
    for _, criteria in ipairs({
      { mag = "bright" }, { mag = "1..x" }, { id = "3*" }, { name = { min = 1 } },
      { good = "maybe" }, { good = 1 }, { mag = {} }, { mag = { low = 1 } }, { mag = print },
      { nope = 1 }, { mag = { 1, 2, max = 9 } }, { id = { 1, nil, 3 } },
      { mag = 0 / 0 }, { "M 31" }, { mag = { min = "a" } },
    }) do
      assert.equal("usage", (failure(t.where, t, criteria)))
    end
    assert.equal("usage", (failure(t.where, t, "name")))
  end)

  it("searches long lists without comparing every pair", function()
    local rows, wanted = {}, {}
    for i = 1, 50000 do
      rows[i] = { id = i, name = "n" .. i }
      wanted[i] = "N" .. (2 * i)
    end
    local big = tables.from_rows(rows, { "id", "name" })
    assert.equal(25000, #big:where({ name = wanted }))
  end)
end)

describe("writing a table", function()
  local folder = os.tmpname() .. "-out"

  setup(function()
    peer.set("output", folder)
  end)

  teardown(function()
    peer.set("output")
    os.execute("rm -r " .. folder)
  end)

  it("makes a whole file below the output folder", function()
    local bytes = sample():write("deep/er/rows.csv")
    local file <close> = assert(io.open(folder .. "/deep/er/rows.csv"))
    local text = file:read("a")
    assert.equal(bytes, #text)
    assert.equal("id,name,mag,good\n9007199254740993,M 31,3.44,true\n",
      (text:match("^[^\n]*\n[^\n]*\n")))
    sample():write(folder .. "/rows.jsonl", "jsonl")
    assert.truthy(io.open(folder .. "/rows.jsonl")):close()
  end)

  it("refuses other places, formats and no output folder", function()
    local t = sample()
    assert.equal("permission", (failure(t.write, t, "/rows.csv")))
    assert.equal("permission", (failure(t.write, t, "/tmp/rows.csv")))
    assert.equal("permission", (failure(t.write, t, "../rows.csv")))
    assert.equal("usage", (failure(t.write, t, "a/..")))
    assert.equal("usage", (failure(t.write, t, "rows.xls", "xls")))
    peer.set("output")
    assert.equal("usage", (failure(t.write, t, "rows.csv")))
    peer.set("output", folder)
  end)
end)
