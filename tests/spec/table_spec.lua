-- SPDX-License-Identifier: BSD-3-Clause
-- Tables as scripts use them: halyard.table.
local tables = require("halyard.table")
local core = require("halyard.core.table")
local peer = require("halyard.test.peer")

local function failure(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.equal("table", type(err))
  return err.code, err.message
end

local function refused(part, f, ...)
  local code, message = failure(f, ...)
  assert.equal("usage", code)
  assert.truthy(message:find(part, 1, true), message)
end

local folder = os.tmpname()
os.remove(folder)

local names = { "id", "field", "g", "r" }

local function stars()
  return tables.from_rows({
    { id = 1, field = "south", g = 15.5, r = 15.0 },
    { id = 2, field = "north", g = 12.0 },
    { id = 3, field = "south", g = 14.0, r = 13.25 },
    { id = 4, g = 12.0, r = 11.0 },
    { id = 5, field = "north", r = 10.0 },
  }, names)
end

local function empty()
  return stars():where({ id = 99 })
end

describe("a column", function()
  it("has values, nulls and extremes", function()
    local g = stars():column("g")
    assert.equal(5, #g)
    assert.equal(15.5, g[1])
    assert.is_nil(g[5])
    assert.equal(12.0, g:min())
    assert.equal(15.5, g:max())
    assert.equal(13.375, g:mean())
    assert.equal(1, g:nulls())
    assert.equal("float64", g.type)
    assert.equal("g", g.name)
    local seen = {}
    for i, value in g:values() do
      seen[i] = value
    end
    assert.same({ 15.5, 12.0, 14.0, 12.0 }, seen)
    assert.is_nil(empty():column("g"):min())
    assert.is_nil(empty():column("g"):mean())
    assert.truthy(tostring(g):find('column "g" (float64), 5 values', 1, true))
  end)

  it("ends where ipairs looks for its end; a loop without values() is told of it", function()
    local g, n = stars():column("r"), 0
    for _ in ipairs(stars():column("id")) do
      n = n + 1
    end
    assert.equal(5, n)
    assert.is_nil(g[6])
    refused("1..5", function() return g[0] end)
    refused(":values()", function() for _ in g do n = n + 1 end end)
    refused("halyard.table.floor", function() return g // 2 end)
  end)

  it("is found regardless of case; a wrong name is answered with the nearest", function()
    assert.equal("field", stars():column("FIELD").name)
    refused('"field"', function() return stars():column("feild") end)
    refused("no field", function() return stars():column("g").colour end)
    refused("1..5", function() return stars():column("g")[7] end)
  end)

  it("computes with columns and numbers; nulls propagate", function()
    local t = stars()
    local g_r = t:column("g") - t:column("r")
    assert.same({ 0.5, nil, 0.75, 1.0, nil }, { g_r[1], g_r[2], g_r[3], g_r[4], g_r[5] })
    local id = -(t:column("id") * 2 + 1)
    assert.equal("int64", id.type)
    assert.equal(-11, id[5])
    assert.equal(0.5, (t:column("id") / 2)[1])
    assert.equal(2.0 ^ 3, (2 ^ t:column("id"))[3])
    assert.equal(2.0, tables.log10(t:column("id") * 100)[1])
    assert.equal(99.0, tables.fill(t:column("g"), 99)[5])
    local three = tables.null_if(t:column("id"), 3)
    assert.same({ 2, nil, 4, "int64" }, { three[2], three[3], three[4], three.type })
    assert.is_true(tables.is_null(t:column("g"))[5])
    refused("works on numbers", function() return t:column("field") + 1 end)
    refused("halyard.table.lt", function() return t:column("g") < t:column("r") end)
    refused("5 and 2 rows", function() return t:column("g") + t:head(2):column("g") end)
    refused("not a string", function() return t:column("g") + "x" end)
  end)
end)

describe("a table", function()
  setup(function()
    peer.set("output", folder)
  end)

  teardown(function()
    peer.set("output")
    os.execute("rm -r " .. folder)
  end)

  it("ends where ipairs looks for its end", function()
    local ids = {}
    for i, row in ipairs(stars()) do
      ids[i] = row.id
    end
    assert.same({ 1, 2, 3, 4, 5 }, ids)
    assert.is_nil(empty()[1])
    refused("1..5", function() return stars()[7] end)
  end)

  it("is filtered by criteria, by a column and by a function", function()
    local t = stars()
    assert.same({ 2, 3, 4 }, t:where({ g = { min = 12, max = 14 } }):list("id"))
    assert.same({ 1, 3 }, t:where({ field = "s*" }):list("id"))
    assert.same({ 2, 4 }, t:where(tables.lt(t:column("g"), 13)):list("id"))
    local bright = tables.and_(tables.lt(t:column("r"), 14), tables.eq(t:column("g"), 12))
    assert.same({ 4 }, t:where(bright):list("id"))
    assert.same({ 4, 5 }, t:where(function(row) return row.id > 3 end):list("id"))
    assert.equal(0, #t:where(function() return false end))
    assert.equal(0, #empty():where(function() return true end))
    refused("true and false", function() return t:where(t:column("g")) end)
  end)

  it("takes a column without any value for one of whatever type is wanted", function()
    local none = tables.from_rows({}, { "ra", "dec", "mag", "flag" })
    local nulls = tables.from_rows({ { id = 1 }, { id = 2 } }, { "id", "ra", "dec", "mag" })
    local full = tables.from_rows({ { id = 1, ra = 10, dec = 5, mag = 3.5 } },
      { "id", "ra", "dec", "mag" })
    assert.equal(0, #(none:column("mag") - 1))
    for _, t in ipairs({ none, nulls }) do
      local c = t:column("mag") - 1
      assert.same({ "float64", #t }, { c.type, c:nulls() })
      assert.equal(#t, tables.log10(t:column("mag")):nulls())
      assert.equal(#t, tables.not_(t:column("mag")):nulls())
      assert.equal(0, #t:where({ mag = { min = 1 } }))
      assert.equal(0, #t:where({ mag = "<15" }))
      assert.equal(0, #t:where({ mag = true }))
      assert.equal(#t, #t:where({ mag = "!5" }))
      assert.equal(0, #t:where(t:column("mag")))
      assert.equal(0, #t:where(tables.lt(t:column("mag"), 15)))
      local all = t:group({}, { m = { "mean", "mag" }, s = { "sum", "mag" }, x = { "max", "mag" } })
      assert.same({ "float64", 0 }, { all:column("m").type, #all:list("m") })
      assert.same({ 0, 0 }, { #all:list("s"), #all:list("x") })
      assert.equal(0, #t:join(full, "mag"))
      assert.equal(0, #full:join(t, "mag"))
      assert.equal(1, #full:join(t, "mag", { how = "left" }))
      assert.equal(0, #t:match(full, "1 arcsec"))
      assert.equal(0, #full:match(t, "1 arcsec", { other_ra = "ra", other_dec = "dec" }))
      assert.equal("float64", tables.concat({ t, full }):column("mag").type)
    end
    assert.equal(7.0, tables.fill(nulls:column("mag"), 7)[2])
    refused("never equal", function() return full:join(stars(), { mag = "field" }) end)
  end)

  it("looks for positions in columns of numbers before those without values", function()
    local t = tables.from_rows({ { raj2000 = 10.0, dej2000 = 5.0 } },
      { "ra", "dec", "raj2000", "dej2000" })
    assert.equal(1, #t:match(t, "1 arcsec"))
  end)

  it("refuses a misspelt column of a row; rawget asks for one that may be absent", function()
    local t = stars()
    refused("unknown column of the row: feild; did you mean field?", function()
      return t[2].feild
    end)
    refused("unknown column of the row: obsid", function()
      local step, state, first = t:rows()
      local _, row = step(state, first)
      return row.obsid
    end)
    assert.is_nil(t[5].g)
    assert.is_nil(rawget(t[5], "obsid"))
    local row = t[1]
    row.mine = 1
    assert.equal(1, row.mine)
    assert.same({ id = 4, g = 12.0, r = 11.0 }, t[4])
    assert.same({ 1, 4 }, tables.from_rows({ t[1], t[4] }, names):list("id"))
  end)

  it("names column, row and types when a function gives several types of values", function()
    local t = stars()
    local function with(f)
      return function() return t:with("z", f) end
    end
    refused('with: column "z", row 3: the function gives a string, for row 1 a number',
      with(function(row) return row.id < 3 and row.id or "faint" end))
    refused('with: column "z", row 2: the function gives a table',
      with(function(row) return row.id == 2 and {} or nil end))
    refused('with: column "z": the whole number of row 1 has more digits',
      with(function(row) return row.id == 1 and 9007199254740993 or 0.5 end))
    assert.same({ 1, 0.5 }, t:with("z", function(row)
      return row.id < 3 and (row.id == 1 and 1 or 0.5) or nil
    end):list("z"))
    refused('row 2, column "a": a string, where the rows before hold numbers', tables.from_rows,
      { { a = 1 }, { a = "x" } }, { "a" })
    refused('column "a": 9007199254740993 has more digits', tables.from_rows,
      { { a = 9007199254740993 }, { a = 0.5 } }, { "a" })
  end)

  it("refuses what would be left out or left empty without a word", function()
    local t = stars()
    for _, method in ipairs({ "select", "unique", "sort", "where" }) do
      refused(method .. " takes one argument", t[method], t, "id", "g")
    end
    refused("two columns would be named", tables.from_rows, { { a = 1 } }, { "a", "a" })
    refused("column 1 has an empty name", tables.from_rows, { { a = 1 } }, { "" })
    refused("row 2 is a list", tables.from_rows, { { a = 1 }, { 1, 2 } }, { "a", "b" })
    refused("name of a column first", function() return t:with("", t:column("g")) end)
    refused("it has no mean", function() return t:column("field"):mean() end)
    refused("'sqrt' needs a column", tables.sqrt, 4)
    refused("'hypot' needs a column", tables.hypot, 3, 4)
    refused("no number lies in", t.where, t, { g = "15..12" })
    refused("no number lies in", t.where, t, { g = "1...5" })
    refused("is_nan(column)", t.where, t, { g = 0 / 0 })
    refused("more than a name and a column", t.group, t, "field", { m = { "mean", "g", "r" } })
    refused("counted from 1", t.slice, t, 2, -1)
    refused("t:where { column = \"text\" }", tables.eq, t:column("field"), "south")
    t:head(1):write("one.csv")
    local code, message = failure(tables.read, "one.csv", { table = 2 })
    assert.equal("usage", code)
    assert.is_truthy(message:find("one.csv: there is no table 2; there is 1", 1, true), message)
    assert.equal(1, #tables.read("one.csv", { table = 1 }))
  end)

  it("takes no column of degrees for radians", function()
    local t = tables.from_rows({ { ra = 90 } }, { "ra" })
    local ra = t:with("ra", t:column("ra"), { unit = "deg" }):column("ra")
    refused("'sin' takes radians, and column \"ra\" is in \"deg\"", tables.sin, ra)
    refused("'deg' takes radians", tables.deg, ra)
    assert.equal(1, tables.sin(tables.rad(ra))[1])
    assert.equal(90, tables.deg(tables.rad(ra))[1])
    assert.equal(math.sin(90), tables.sin(tables.plain(ra))[1])
    local angle = t:with("a", t:column("ra"), { unit = "rad" }):column("a")
    refused("'rad' takes degrees", tables.rad, angle)
  end)

  it("says of positions in text that they are text, and what reads them", function()
    local t = tables.from_rows({ { ra = "13:26:47.28", dec = "-47:28:46.1", id = 1 } },
      { "id", "ra", "dec" })
    local b = tables.from_rows({ { ra = 201.697, dec = -47.4795 } }, { "ra", "dec" })
    refused("column 'ra' is text", function() return t:match(b, "1 arcmin") end)
    refused("halyard.sky.position", function()
      return t:match(b, "1 arcmin", { ra = "ra", dec = "dec" })
    end)
  end)

  it("refuses a misspelt column in a function of rows; a null is nil", function()
    local t = stars()
    refused("did you mean field?", function()
      return t:where(function(row) return row.feild and row.feild == "south" end)
    end)
    refused("unknown column of the row: G", function()
      return t:with("x", function(row) return row.G end)
    end)
    assert.same({ 5 }, t:where(function(row) return not row.g end):list("id"))
    assert.same({ 1, 2, 3, 4 }, t:with("x", function(row)
      row.note = "mine"
      return row.note and row.g and row.id
    end):list("x"))
  end)

  it("refuses ranges of a text column, unless their text is given in a list", function()
    local t = tables.from_rows({ { mag = "14" }, { mag = "N/A" }, { mag = "<15" },
      { mag = "1..5" } }, { "mag" })
    for _, range in ipairs({ "<15", ">2", ">=2", "<= 2.5", "1..5", "!<15" }) do
      refused('column "mag" is text', function() return t:where({ mag = range }) end)
    end
    refused('{ "<15" }', function() return t:where({ mag = "<15" }) end)
    assert.same({ "<15" }, t:where({ mag = { "<15" } }):list("mag"))
    assert.same({ "<15", "1..5" }, t:where({ mag = { "<15", "1..5" } }):list("mag"))
    assert.same({ "14" }, t:where({ mag = "14" }):list("mag"))
    assert.same({ "<15" }, t:where({ mag = "<*" }):list("mag"))
    assert.equal(3, #t:where({ mag = "!N/A" }))
  end)

  it("gives other columns without copying", function()
    local t = stars()
    assert.same({ "r", "id" }, t:select({ "r", "id" }).columns)
    assert.same({ "g" }, t:select("G").columns)
    assert.same({ "obsid", "field", "r", "g" },
      t:rename({ id = "obsid", g = "r", r = "g" }).columns)
    refused("two columns", function() return t:rename({ id = "g" }) end)
    refused("nearest", function() return t:select({ "nix" }) end)
    refused("empty list", function() return t:select({}) end)
  end)

  it("takes computed columns", function()
    local t = stars()
    local c = t:with("g_r", t:column("g") - t:column("r"), { unit = "mag", ucd = "phot.color" })
    assert.same({ "id", "field", "g", "r", "g_r" }, c.columns)
    assert.equal("mag", c:column("g_r").unit)
    assert.same({ 0.5, 0.75, 1.0 }, c:list("g_r"))
    local n = t:with("id", function(row) return row.g and row.id * 10 end)
    assert.same(names, n.columns)
    assert.same({ 10, 20, 30, 40 }, n:list("id"))
    assert.equal(5, #empty():with("x", function() return 1 end).columns)
    refused("unit", function() return t:with("x", t:column("g"), { units = "mag" }) end)
    refused("function", function() return t:with("x", 5) end)
  end)

  it("is sorted with nulls last", function()
    local t = stars()
    assert.same({ 2, 4, 3, 1, 5 }, t:sort("g"):list("id"))
    assert.same({ 1, 3, 2, 4, 5 }, t:sort({ "g", descending = true }):list("id"))
    assert.same({ 5, 2, 3, 1, 4 }, t:sort({ { "field" }, { "r" } }):list("id"))
    assert.equal(0, #empty():sort("g"))
    refused("descending", function() return t:sort({ "g", descendin = true }) end)
    refused("nearest", function() return t:sort("gg") end)
  end)

  it("keeps the first of each value, the first rows, a range of rows", function()
    local t = stars()
    assert.same({ 1, 2, 4 }, t:unique("field"):list("id"))
    assert.same({ 1, 2, 3, 4, 5 }, t:unique({ "field", "g" }):list("id"))
    assert.same({ 1, 2 }, t:head(2):list("id"))
    assert.equal(5, #t:head())
    assert.same({ 2, 3 }, t:slice(2, 3):list("id"))
    assert.same({ 12.0, 14.0 }, t:slice(2, 3):list("g"))
    assert.same({ 4, 5 }, t:slice(4):list("id"))
    assert.equal(0, #t:slice(9, 12))
    refused("whole number", function() return t:head(-1) end)
    refused("counted from 1", function() return t:slice(0) end)
  end)

  it("is grouped", function()
    local g = stars():group("field",
      { n = "count", mean_g = { "mean", "g" }, top = { "max", "r" } })
    assert.same({ "field", "mean_g", "n", "top" }, g.columns)
    assert.same({ field = "south", mean_g = 14.75, n = 2, top = 15.0 }, g[1])
    assert.same({ field = "north", mean_g = 12.0, n = 2, top = 10.0 }, g[2])
    assert.same({ mean_g = 12.0, n = 1, top = 11.0 }, g[3])
    assert.same({ n = 5 }, stars():group({}, { n = "count" })[1])
    assert.equal(0, #empty():group("field", { n = "count" }))
    refused("known: count", function() return stars():group("field", { x = { "avg", "g" } }) end)
    refused("needs a column", function() return stars():group("field", { x = "mean" }) end)
  end)

  it("is joined by keys", function()
    local other = tables.from_rows({ { id = 2.0, g = 1, note = "a" }, { id = 2.0, g = 2 },
      { id = 7.0, g = 3 } }, { "id", "g", "note" })
    local j = stars():join(other, "id")
    assert.same({ "id", "field", "g", "r", "g_2", "note" }, j.columns)
    assert.same({ 1, 2 }, j:list("g_2"))
    local l = stars():join(other:rename({ id = "ident" }), { id = "ident" },
      { how = "left", suffix = "_x" })
    assert.same({ 1, 2, 2, 3, 4, 5 }, l:list("id"))
    assert.same({ "id", "field", "g", "r", "ident", "g_x", "note" }, l.columns)
    assert.equal(0, #stars():join(empty(), "id"))
    refused("inner", function() return stars():join(other, "id", { how = "outer" }) end)
    refused("never equal", function() return stars():join(other, { field = "id" }) end)
  end)

  it("is matched by position", function()
    local a = tables.from_rows({ { n = 1, ra = 0.0001, dec = 0.0 },
      { n = 2, ra = 50.0, dec = 5.0 } }, { "n", "ra", "dec" })
    local b = tables.from_rows({ { ra = 359.9999, dec = 0.0 } }, { "ra", "dec" })
    local m = a:match(b, "1 arcsec")
    assert.equal(1, #m)
    assert.same({ "n", "ra", "dec", "ra_2", "dec_2", "sep_arcsec" }, m.columns)
    assert.truthy(math.abs(m[1].sep_arcsec - 0.72) < 1e-9)
    assert.same({ 1, 2 }, a:match(b, "1 arcsec", { how = "left" }):list("n"))
    assert.equal(0, #a:match(b, "0.5 arcsec", { mode = "all" }))
    refused("mode", function() return a:match(b, "1 arcsec", { mod = "all" }) end)
  end)

  it("is matched with the n nearest, with rows without partner, with radii of rows", function()
    local a = tables.from_rows({ { n = 1, ra = 10, dec = 0, err = 1 },
      { n = 2, ra = 20, dec = 90, err = 3 }, { n = 3, ra = 30, dec = 0 }, { n = 4, err = 1 } },
      { "n", "ra", "dec", "err" })
    local b = tables.from_rows({ { m = 1, ra = 10 + 2 / 3600, dec = 0, wide = 1.5 },
      { m = 2, ra = 10, dec = 0.99 / 3600, wide = 0 }, { m = 3, ra = 200, dec = 90 - 2 / 3600 },
      { m = 4, ra = 30, dec = 0, wide = 5 } }, { "m", "ra", "dec", "wide" })
    local function pairs_of(radius, options)
      local found = {}
      for i, row in a:match(b, radius, options):rows() do
        found[i] = row.n .. "-" .. (row.m or "")
      end
      return table.concat(found, " ")
    end
    assert.equal("1-2 2-3 3-4", pairs_of("3 arcsec"))
    assert.equal("1-2 1-1 2-3 3-4", pairs_of("3 arcsec", { mode = "nearest", n = 2 }))
    assert.equal("1-2 2-3 3-4", pairs_of("3 arcsec", { mode = "nearest" }))
    assert.equal("1-2 1-1 2-3 3-4 4-", pairs_of(3 / 3600, { mode = "all", how = "left" }))
    assert.equal("1-2 2-3 3-4 4-", pairs_of("3 arcsec", { how = "left" }))
    assert.equal("1-2 2-3", pairs_of("err arcsec", { mode = "all" }))
    assert.equal("1-2 1-1", pairs_of("err arcsec", { mode = "all", other_radius = "wide arcsec" }))
    local with_unit = a:with("err", a:column("err"), { unit = "arcsec" })
    assert.equal(2, #with_unit:match(b, "err"))
    refused("in arcsec, not in deg", function() return with_unit:match(b, "err deg") end)
    refused('has no unit; tell it: "err arcsec"', function() return a:match(b, "err") end)
    refused('nearest: "err"', function() return a:match(b, "errr arcsec") end)
    refused("not numeric", function() return stars():match(b, "1 arcsec",
      { ra = "field", dec = "g" }) end)
    refused("radius", function() return a:match(b) end)
    refused("goes with mode nearest", function() return a:match(b, "1 arcsec", { n = 2 }) end)
    refused("1 to 1000", function() return a:match(b, "1 arcsec", { mode = "nearest", n = 0 }) end)
    refused("1 to 1000", function() return a:match(b, "1 arcsec",
      { mode = "nearest", n = 1001 }) end)
    refused("no unmatched rows", function() return a:match(b, "1 arcsec",
      { mode = "symmetric", how = "left" }) end)
    refused("inner or left", function() return a:match(b, "1 arcsec", { how = "outer" }) end)
  end)

  it("is matched over years by proper motion", function()
    local hip = tables.from_rows({ -- Barnard's star and one that stands still
      { n = 1, ra = 269.45402305, dec = 4.66828815, mu_a = -797.84, mu_d = 10326.93,
        yr = 1991.25 },
      { n = 2, ra = 100.0, dec = -20.0 } }, { "n", "ra", "dec", "mu_a", "mu_d", "yr" })
    local gaia = tables.from_rows({ { ra = 269.44850252543836, dec = 4.739420051112412 },
      { ra = 100.0, dec = -20.0 } }, { "ra", "dec" })
    local pm = { "mu_a", "mu_d" }
    local function n_of(t, other, options)
      return #t:match(other, "1 arcsec", options)
    end
    assert.equal(1, n_of(hip, gaia))
    assert.equal(2, n_of(hip, gaia, { pm = pm, epoch = 1991.25, other_epoch = 2016 }))
    assert.equal(2, n_of(hip, gaia, { pm = pm, epoch = "yr", at = 2016.0 }))
    assert.equal(2, n_of(gaia, hip, { other_pm = pm, other_epoch = "yr", epoch = 2016.0 }))
    assert.equal(1, n_of(hip, gaia, { pm = pm, epoch = "yr", at = 2000 }))
    local both = hip:match(hip, "1 arcsec", { pm = pm, other_pm = pm, epoch = 1991.25,
      other_epoch = 1991.25, at = 2016 })
    assert.equal(2, #both)
    local known = hip:with("mu_a", hip:column("mu_a"),
        { ucd = "pos.pm;pos.eq.ra", unit = "mas/yr" })
      :with("mu_d", hip:column("mu_d"), { ucd = "pos.pm;pos.eq.dec", unit = "mas.yr**-1" })
    assert.equal(2, n_of(known, gaia, { pm = true, epoch = "yr", other_epoch = 2016 }))
    assert.equal(1, n_of(known, gaia)) -- only when asked
    assert.equal(2, n_of(hip:rename({ mu_a = "pmRA", mu_d = "pmDE" }), gaia,
      { pm = true, epoch = "yr", other_epoch = 2016 }))
    refused("by UCD (pos.pm;pos.eq.ra)", function() return n_of(hip, gaia,
      { pm = true, epoch = 2000, at = 2000 }) end)
    refused("no epoch", function() return n_of(hip, gaia, { pm = pm, at = 2016 }) end)
    refused("give the epoch of its positions", function() return n_of(hip, gaia,
      { pm = pm, epoch = 1991.25 }) end)
    refused("both tables have proper motions", function() return n_of(hip, hip,
      { pm = pm, other_pm = pm, epoch = 2000, other_epoch = 2000 }) end)
    refused("changes nothing without proper motions", function() return n_of(hip, gaia,
      { epoch = 2000 }) end)
    refused("one year", function() return n_of(hip, gaia, { epoch = "yr" }) end)
    refused("in arcsec/yr", function() return n_of(hip:with("mu_a", hip:column("mu_a"),
      { unit = "arcsec/yr" }), gaia, { pm = pm, epoch = 2000, at = 2000 }) end)
    refused('{ "pmra", "pmdec" }', function() return n_of(hip, gaia, { pm = "mu_a" }) end)
    refused("Julian year", function() return n_of(hip, gaia, { pm = pm, epoch = 51544.5,
      at = 2000 }) end)
    local undated = hip:with("yr", function(row) return row.n == 2 and 2000.0 or nil end)
    refused("row 1 of column 'yr'", function() return n_of(undated, gaia,
      { pm = pm, epoch = "yr", at = 2000 }) end)
  end)

  it("wants its positions named where several columns may be meant", function()
    local t = tables.from_rows({ { a = 1, b = 2, d = 3 } }, { "a", "b", "d" })
    for name, ucd in pairs({ a = "pos.eq.ra", b = "pos.eq.ra", d = "pos.eq.dec" }) do
      t = t:with(name, t:column(name), { ucd = ucd })
    end
    refused("columns 'a' and 'b' are both pos.eq.ra by UCD; name the columns",
      function() return t:match(t, "1 arcsec") end)
    assert.equal(1, #t:match(t, "1 arcsec", { ra = "a", dec = "d", other_ra = "a",
      other_dec = "pos.eq.dec" }))
    local main = t:with("b", t:column("b"), { ucd = "pos.eq.ra;meta.main" })
      :with("d", t:column("d"), { ucd = "pos.eq.dec;meta.main" })
    assert.equal(1, #main:match(main, "1 arcsec"))
  end)

  it("shows units below the names, text cut between characters", function()
    local t = stars():with("g", stars():column("g"), { unit = "mag" })
      :select({ "id", "field", "g" })
    assert.equal("5 rows x 3 columns\nid  field  g      \n           [mag]  \n"
      .. "1   south  15.5   \n2   north  12.0   \n3   south  14.0   \n4          12.0   \n"
      .. "5   north         ", tostring(t))
    local long = tables.from_rows({ { s = ("\u{3b1}"):rep(30) } }, { "s" })
    assert.equal("1 rows x 1 columns\ns" .. (" "):rep(21) .. "\n" .. ("\u{3b1}"):rep(20) .. "  ",
      tostring(long))
  end)

  it("tells what its document says about it; columns can be told otherwise", function()
    os.execute("mkdir -p " .. folder)
    local file <close> = assert(io.open(folder .. "/meta.vot", "w"))
    file:write([[<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE
type="results"><INFO name="QUERY_STATUS" value="OK">fine</INFO><COOSYS ID="s" system="ICRS"
epoch="J2016"/><TIMESYS ID="t" timescale="TCB" refposition="BARYCENTER" timeorigin="0"/>
<TABLE name="stars"><DESCRIPTION>two of them</DESCRIPTION><PARAM name="radius" value="0.5"
datatype="double" unit="deg"/><FIELD name="ra" ID="col_ra" datatype="double" unit="deg"
ucd="pos.eq.ra;meta.main"/><FIELD name="mag" ID="m" datatype="float" ucd="phot.mag"/><DATA>
<TABLEDATA><TR><TD>1.5</TD><TD>9</TD></TR></TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>]])
    file:close()
    local t = tables.read("meta.vot")
    local m = t.metadata
    assert.same({ "stars", "two of them", "OK" }, { m.name, m.description, m.status })
    assert.same({ name = "QUERY_STATUS", value = "OK", text = "fine" }, m.info[1])
    assert.equal("0.5", m.param[1].value)
    assert.equal("deg", m.param[1].unit)
    assert.equal("ICRS", m.coosys[1].system)
    assert.equal("TCB", m.timesys[1].timescale)
    assert.same({}, m.link)
    assert.equal("stars", t:head(1):select("ra").metadata.name)
    assert.same({}, stars().metadata.info)

    assert.equal("ra", t:column("col_ra").name)
    assert.equal("ra", t:column("pos.eq.ra;meta.main").name)
    assert.same({ 9.0 }, t:sort("phot.mag"):select({ "PHOT.MAG" }):list("m"))
    assert.equal(1, #t:where({ ["phot.mag"] = "<10" }))
    assert.same({ "ra", "V" }, t:rename({ ["phot.mag"] = "V" }).columns)
    assert.same({ "x", "mag" }, t:rename({ col_ra = "x" }).columns)
    local told = t:with("mag", t:column("mag"), { unit = "mag", ucd = "phot.mag;em.opt.V",
      utype = "a:b", xtype = "c", description = "visual" }):column("mag")
    assert.same({ "mag", "phot.mag;em.opt.V", "a:b", "c", "visual", "m" },
      { told.unit, told.ucd, told.utype, told.xtype, told.description, told.id })
    local copy = t:with("mag0", t:column("mag"))
    assert.equal("", copy:column("mag0").id)
    refused('by UCD: "mag", "mag0"', function() return copy:column("phot.mag") end)
  end)

  it("logs what the format of a file does not keep", function()
    local logged = require("halyard.test").logged
    logged()
    local t = stars():with("mag", stars():column("g"), { unit = "mag" })
    t:select({ "id", "mag" }):write("tables/w.vot")
    assert.equal("", logged())
    t:write("tables/w.vot") -- a field of stars is not known, which reads back as empty text
    assert.equal('{"level":"warning","text":"values are changed: votable cannot tell what is empty '
      .. 'from null (field)"}\n', logged())
    t:write("tables/w.csv")
    assert.equal('{"level":"warning","text":"csv keeps no units (mag)"}\n', logged())
  end)

  it("reads one of several tables by number, name and ID, and says what it left", function()
    local logged = require("halyard.test").logged
    os.execute("mkdir -p " .. folder)
    do
      local file <close> = assert(io.open(folder .. "/several.vot", "w"))
      file:write('<VOTABLE version="1.4"><RESOURCE>')
      for i, name in ipairs({ 'name="stars" nrows="1"', 'ID="gti"', "" }) do
        file:write("<TABLE ", name, '><FIELD name="v" datatype="int"/><DATA><TABLEDATA><TR><TD>', i,
          "</TD></TR></TABLEDATA></DATA></TABLE>")
      end
      file:write("</RESOURCE></VOTABLE>")
    end
    logged()
    for which, v in pairs({ 1, 2, 3, stars = 1, gti = 2, ["3"] = 3 }) do
      assert.same({ v }, tables.read("several.vot", { table = which }):list("v"))
    end
    assert.equal("", logged())
    assert.same({ 1 }, tables.read("several.vot"):list("v"))
    assert.equal('{"level":"warning","text":"several.vot holds 3 tables: table 1 \\"stars'
      .. '\\" was read; { table = N } reads one of 2 others"}\n', logged())
    for _, which in ipairs({ 4, 0, "galaxies" }) do
      local code, text = failure(tables.read, "several.vot", { table = which })
      assert.equal("usage", code)
      assert.truthy(text:find('several.vot: there is no table ', 1, true))
      assert.truthy(text:find('; there are 3: 1 "stars" (1 row), 2 "gti", 3', 1, true))
    end
    for _, which in ipairs({ 1.5, "", {}, false }) do
      refused("the number, from 1, or the name", tables.read, "several.vot", { table = which })
    end
  end)

  it("does not round integers that are to stand beside numbers with fractions", function()
    local large = (1 << 53) + 1
    local t = tables.from_rows({ { n = large, x = 0.5 }, { x = 1.5 } }, { "n", "x" })
    refused("9007199254740993", function() return tables.fill(t:column("n"), 0.5) end)
    refused("9007199254740993", function() return tables.fill(t:column("n"), t:column("x")) end)
    local x = tables.null_if(t:column("x"), 0.5)
    refused("9007199254740993", function() return tables.fill(x, large) end)
    assert.same({ large, 7 }, t:with("n", tables.fill(t:column("n"), 7)):list("n"))
    refused("9007199254740993", function() return tables.maximum(t:column("n"), 0.5) end)
    assert.same({ 0.5 }, t:with("m", tables.minimum(t:column("n"), 0.5)):list("m"))
    assert.same({ 9007199254740992.0 },
      t:with("m", tables.minimum(t:column("n"), 9007199254740992.0)):list("m"))
    local mixed = tables.from_rows({ { n = 3, x = 0 / 0 }, { n = 3, x = 2.5 } }, { "n", "x" })
    local most = mixed:with("m", tables.maximum(mixed:column("x"), mixed:column("n"))):column("m")
    assert.is_true(most[1] ~= most[1])
    assert.equal(3.0, most[2])
  end)

  it("has no least value and no keys in a column of arrays", function()
    os.execute("mkdir -p " .. folder)
    do
      local file <close> = assert(io.open(folder .. "/arrays.vot", "w"))
      file:write('<VOTABLE version="1.4"><RESOURCE><TABLE><FIELD name="a" datatype="int" ',
        'arraysize="2"/><DATA><TABLEDATA><TR><TD>1 2</TD></TR></TABLEDATA></DATA></TABLE>',
        "</RESOURCE></VOTABLE>")
    end
    local t = tables.read("arrays.vot")
    local c = t:column("a")
    refused('unique: column "a" holds arrays', function() return t:unique("a") end)
    refused('group: column "a" holds arrays', function() return t:group("a", { n = "count" }) end)
    refused('join: column "a" holds arrays', function() return t:join(t, "a") end)
    refused('sort: column "a" holds arrays', function() return t:sort("a") end)
    for _, what in ipairs({ "min", "max", "mean" }) do
      refused('column "a" holds arrays', function() return c[what](c) end)
    end
  end)

  it("is put together with others, written and read back", function()
    local t = tables.concat({ stars(), stars():select({ "id" }) })
    assert.equal(10, #t)
    assert.equal(6, t:column("g"):nulls())
    assert.truthy(t:write("tables/x.csv") > 50)
    local back = tables.read("tables/x.csv")
    assert.same(t.columns, back.columns)
    assert.same(t:list("r"), back:list("r"))
    assert.same(t:list("id"), back:list("id"))
    assert.equal("not_found", (failure(tables.read, "tables/none.csv")))
    assert.equal("permission", (failure(tables.read, "../x.csv")))
    refused("tells no format", function() return t:write("tables/x.unknown") end)
  end)

  it("turns times into Modified Julian Dates", function()
    local texts = { "2019-07-16T13:32:00.123456", "1993-09-24 21:00:16.633", "1858-11-17",
      "2000-01-01T12:00:00Z", "1969-12-31T23:59:59.999999Z", "2019-07-16T13:32:00.1234567891", " ",
      "2000-01-01" }
    local rows = {}
    for i, text in ipairs(texts) do
      rows[i] = { id = i, start = text }
    end
    rows[#rows].start = nil
    local t = tables.from_rows(rows, { "id", "start" }):mjd("start")
    assert.same({ "id", "start", "start_mjd" }, t.columns)
    assert.same({ 58680.563890317775, 49254.87519251157, 0.0, 51544.5, 40586.999999999985,
      58680.56389031779 }, t:head(6):list("start_mjd"))
    assert.equal(2, t:column("start_mjd"):nulls())
    assert.equal(texts[2], t:get(2, "start"))
    local c = t:column("start_mjd")
    assert.same({ "float64", "d", "time.epoch" }, { c.type, c.unit, c.ucd })
    refused('"start_mjd" already', function() return t:mjd("start") end)
    refused("holds int64, not times", function() return t:mjd("id") end)
    refused('no column', function() return t:mjd("nope") end)
    for _, wrong in ipairs({ "2019-02-29", "2019-07-16T24:00:00", "58000.5", "null",
      "2019-07-16T13:32:00+01:00", "2019-07-16T13:32:00.", "2019-07-16T13:32:00.12345Z7",
      "2019-07-16T13:32:00.1234567x" }) do
      refused('row 2 of column "start"', function()
        return tables.from_rows({ { start = "2000-01-01" }, { start = wrong } }, { "start" })
          :mjd("start")
      end)
    end
    os.execute("mkdir -p " .. folder)
    do
      local file <close> = assert(io.open(folder .. "/times.vot", "w"))
      file:write('<VOTABLE version="1.4"><RESOURCE><TABLE><FIELD name="t" datatype="char" ',
        'arraysize="*" xtype="timestamp"/><DATA><TABLEDATA><TR><TD>1993-09-24T21:00:16.633</TD>',
        "</TR><TR><TD/></TR></TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>")
    end
    local stamped = tables.read("times.vot"):mjd("t")
    assert.equal(49254.87519251157, stamped:get(1, "t_mjd"))
    assert.equal(1, stamped:column("t_mjd"):nulls())
    assert.same({ "a", "a_mjd" }, tables.read("times.vot"):slice(1, 1):rename({ t = "a" })
      :mjd("a").columns)
  end)

  it("gives as text what a file of it would hold", function()
    local t = tables.concat({ stars(), stars() })
    for ending, format in pairs({ vot = "votable", csv = "csv" }) do
      local size = t:write("tables/e." .. ending)
      local file <close> = assert(io.open(folder .. "/tables/e." .. ending, "rb"))
      assert.equal(file:read("a"), t:encode(format))
      assert.equal(size, #t:encode(format, { max_bytes = size }))
      local code, err = failure(t.encode, t, format, { max_bytes = size - 1 })
      assert.equal("budget", code)
      assert.truthy(tostring(err):find("raise max_bytes", 1, true))
    end
    assert.truthy(t:encode():find("<VOTABLE", 1, true))
    assert.equal("usage", (failure(t.encode, t, "pdf")))
  end)

  it("answers misuse of each method with the line of the script", function()
    local t, here = stars(), debug.getinfo(1, "S").short_src
    local first = debug.getinfo(1, "l").currentline + 2
    local misuse = {
      function() t:column("nope") end,
      function() t:select({}) end,
      function() t:rename({ nope = "x" }) end,
      function() t:with("x", 5) end,
      function() t:where({ nope = 1 }) end,
      function() t:where(t:column("g")) end,
      function() t:sort("nope") end,
      function() t:unique("nope") end,
      function() t:head(-1) end,
      function() t:slice(0) end,
      function() t:group("nope", { n = "count" }) end,
      function() t:join(t, "nope") end,
      function() t:match(t, "1 arcsec") end,
      function() t:write("x.unknown") end,
      function() t:list("nope") end,
      function() t:get(9, "id") end,
      function() t:take({ 9 }) end,
      function() t:project({ "nope" }) end,
      function() t:field("nope") end,
      function() t:nope() end,
      function() return t[9] end,
      function() return t:column("g") + t:column("field") end,
      function() return t:column("g").nope end,
      function() local _ = tables.log10("x") end,
      function() local _ = tables.lt(t:column("g"), t:column("field")) end,
      function() tables.concat({ 1 }) end,
      function() tables.from_rows({ 1 }, { "a" }) end,
      function() tables.read(1) end,
      function() tables.read("x.csv", { fromat = "csv" }) end,
    }
    for i, f in ipairs(misuse) do
      local ok, err = pcall(f)
      assert.is_false(ok)
      assert.same({ "usage", here .. ":" .. first + i - 1 }, { err.code, err.where })
      assert.equal(err.where .. ": " .. err.message, tostring(err))
    end
  end)

  it("has its methods wherever it was made", function()
    assert.equal(5, #core.concat({ stars() }):sort("id"))
    refused('no field "srt"', function() return stars():srt("id") end)
  end)
end)
