-- SPDX-License-Identifier: BSD-3-Clause
-- Regions as scripts see them: shapes, sets, maps and their files.
local peer = require("halyard.test.peer")
local sky = require("halyard.sky")

local function failure(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.equal("table", type(err))
  return err.code, err.message
end

describe("a region", function()
  it("may be an ellipse", function()
    local r = sky.ellipse({ ra = 10, dec = 20 }, "1 deg", "30 arcmin", 90)
    assert.equal("ELLIPSE 10 20 1 0.5 90", tostring(r))
    assert.is_true(r:contains(11, 20))
    assert.is_false(r:contains(10, 20.9))
    assert.equal("usage", (failure(sky.ellipse, { ra = 1, dec = 2 }, 0, 1)))
  end)

  it("may be the larger side of a polygon", function()
    local square = { { 0, 0 }, { 10, 0 }, { 10, 10 }, { 0, 10 } }
    local inner, outer = sky.polygon(square), sky.polygon(square, { outside = true })
    assert.is_true(inner:contains(5, 5) and not outer:contains(5, 5))
    assert.is_true(outer:contains(200, -50) and not inner:contains(200, -50))
    assert.is_true(math.abs(inner:area() + outer:area() - 41252.96) < 0.01)
    assert.equal("usage", (failure(sky.polygon, square, { inside = true })))
    assert.equal("usage", (failure(sky.polygon, square, true)))
  end)

  it("adds, multiplies and subtracts as sets do", function()
    local a, b = sky.circle(10, 0, 2), sky.circle(12, 0, 2)
    assert.is_true((a + b):contains(13, 0))
    assert.is_false((a * b):contains(13, 0))
    assert.is_true((a * b):contains(11, 0))
    assert.is_true((a - b):contains(9, 0))
    assert.is_false((a - b):contains(11, 0))
    assert.is_true((-a):contains(200, 0))
    assert.equal("UNION (CIRCLE 10 0 2 CIRCLE 12 0 2)", tostring(a + b))
    assert.equal("INTERSECTION (CIRCLE 10 0 2 NOT (CIRCLE 12 0 2))", tostring(a - b))
    assert.equal(tostring(a), tostring(-(-a)))
    local area, error = (a * b):area()
    assert.is_true(area > 0 and error > 0 and error < area)
    local code, message = failure(function() return a + 5 end)
    assert.equal("usage", code)
    assert.truthy(message:find("number", 1, true))
  end)

  it("may be made of a list", function()
    local list = {}
    for i = 1, 1000 do
      list[i] = sky.circle(i / 3, 10, 0.1)
    end
    local r = sky.union(list)
    assert.is_true(r:contains(100, 10.05))
    assert.is_false(r:contains(100.2, 10))
    assert.is_false(sky.intersection({ list[1], list[2] }):contains(1 / 3, 10))
    assert.equal("usage", (failure(sky.union, {})))
    assert.equal("usage", (failure(sky.union, { 5 })))
    assert.equal("usage", (failure(sky.union, sky.all())))
  end)
end)

describe("a coverage map", function()
  local folder

  before_each(function()
    local pipe <close> = io.popen("mktemp -d")
    folder = pipe:read("l")
    peer.set("output", folder)
  end)

  after_each(function()
    peer.set("output")
    os.execute("rm -rf " .. folder)
  end)

  it("is read from text and from tables", function()
    for _, source in ipairs({ "3/1-4 5/7", "MOC 3/1-4 5/7", '{"3":[1,2,3,4],"5":[7]}',
      { [3] = { 4, 1, 2, 3 }, [5] = { 7 } } }) do
      assert.equal("MOC 3/1-4 5/7", tostring(sky.moc(source)))
    end
    assert.equal("MOC 0/", tostring(sky.moc({})))
    assert.equal("usage", (failure(sky.moc, { [3] = { 1.5 } })))
    assert.equal("usage", (failure(sky.moc, { [3] = { 768 } })))
    assert.equal("usage", (failure(sky.moc, 5)))
    assert.equal("usage", (failure(sky.moc, "3/9999")))
  end)

  it("is made of a region at an order and covers it", function()
    local r = sky.circle(10, 20, 1)
    local m = r:moc(8)
    assert.is_true(m:contains(10, 21))
    assert.is_true(m:area() > r:area() and m:area() < 1.5 * r:area())
    assert.equal(tostring(m), tostring(sky.parse(tostring(m))))
    assert.is_true((m - r):contains(m:cone()) == false)
    assert.equal("usage", (failure(r.moc, r, 30)))
    assert.equal("usage", (failure(r.moc, r)))
  end)

  it("is written to files and read back", function()
    local m = sky.ellipse({ ra = 359.9, dec = 89 }, 3, 1, 30):moc(10)
    for _, name in ipairs({ "a.fits", "b.json", "sub/c.txt" }) do
      local size = m:write(name)
      assert.is_true(size > 100)
      assert.equal(tostring(m), tostring(sky.moc(name)))
    end
    sky.moc("0/"):write("empty.fits")
    assert.equal("MOC 0/", tostring(sky.moc("empty.fits")))
    sky.moc("7/"):write("coarse.fits")
    assert.equal("MOC 7/", tostring(sky.moc("coarse.fits")))
  end)

  it("names what is wrong with a file", function()
    local function put(name, text)
      local out <close> = assert(io.open(folder .. "/" .. name, "wb"))
      out:write(text)
    end
    put("bad.json", '{"3":[1,2}')
    local code, message = failure(sky.moc, "bad.json")
    assert.equal("usage", code)
    assert.truthy(message:find("bad.json", 1, true) and message:find("byte 9", 1, true))
    put("cut.fits", "SIMPLE  =                    T")
    assert.equal("integrity", (failure(sky.moc, "cut.fits")))
    assert.equal("not_found", (failure(sky.moc, "none.fits")))
    assert.equal("permission", (failure(sky.moc, "../none.fits")))
    local m = sky.moc("3/1")
    assert.equal("usage", (failure(m.write, m, "map.png")))
    code, message = failure(m.write, sky.all(), "map.fits")
    assert.equal("usage", code)
    assert.truthy(message:find("region:moc", 1, true))
    assert.equal("permission", (failure(m.write, m, "../map.fits")))
  end)
end)
