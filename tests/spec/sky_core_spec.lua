-- SPDX-License-Identifier: BSD-3-Clause
local sky = require("halyard.core.sky")

local function failure(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.equal("table", type(err))
  return err.code, err.message
end

describe("angles", function()
  it("read spellings and plain numbers in the default unit to the same degrees", function()
    assert.equal(0.2, sky.angle("12 arcmin"))
    assert.equal(0.2, sky.angle(12, "arcmin"))
    assert.equal(0.5, sky.angle("0.5deg", "arcsec"))
    assert.equal(22.5, sky.angle("1h30m"))
    assert.equal(-90, sky.angle(-90, "deg"))
    assert.equal(30, sky.angle(2, "h"))
    assert.equal(30 / 3600, sky.angle(30, "arcsec"))
  end)

  it("refuse a number without a unit, nonsense and infinity", function()
    assert.equal("usage", (failure(sky.angle, 3)))
    assert.equal("usage", (failure(sky.angle, "three degrees", "deg")))
    assert.equal("usage", (failure(sky.angle, math.huge, "deg")))
    assert.equal("usage", (failure(sky.angle, {}, "deg")))
  end)
end)

describe("positions", function()
  it("are read, and a name is nil", function()
    local ra, dec = sky.position("13h26m47.28s -47d28m46.1s")
    assert.is_true(math.abs(ra - 201.697) < 1e-9 and math.abs(dec + 47.479472222) < 1e-8)
    assert.is_nil(sky.position("M 101"))
  end)

  it("out of range are an error, not a name", function()
    assert.equal("usage", (failure(sky.position, "10 95")))
  end)

  it("have a separation", function()
    assert.is_true(math.abs(sky.separation(359.5, 0, 0.5, 0) - 1) < 1e-12)
  end)
end)

describe("regions", function()
  it("contain their border and say what they are", function()
    local r = sky.circle(10, 20, 1)
    assert.is_true(r:contains(10, 21))
    assert.is_false(r:contains(10, 21.0001))
    assert.is_true(r:is_circle())
    assert.same({ 10, 20, 1 }, { r:cone() })
    assert.is_true(math.abs(r:area() - 3.14151) < 1e-4)
    assert.equal("CIRCLE 10", tostring(r):sub(1, 9))
  end)

  it("read back from their own text", function()
    for _, r in ipairs({
      sky.circle(0.1, -89.7, 2.5), sky.box(350.1, 10.2, -1, 1), sky.all(),
      sky.polygon({ { 10, 10 }, { 20, 10 }, { 15, 20 } }),
    }) do
      assert.equal(tostring(r), tostring(sky.parse(tostring(r))))
    end
    assert.is_false(sky.box(350, 10, -1, 1):is_circle())
    assert.is_true(sky.box(350, 10, -1, 1):contains(0, 0))
  end)

  it("refuse impossible shapes with a usage error", function()
    assert.equal("usage", (failure(sky.circle, 0, 0, -1)))
    assert.equal("usage", (failure(sky.circle, 0, "north", 1)))
    assert.equal("usage", (failure(sky.box, 0, 1, 5, 2)))
    assert.equal("usage", (failure(sky.polygon, { { 1, 1 }, { 2, 2 } })))
    assert.equal("usage", (failure(sky.polygon, { { 1, 1 }, "x", { 2, 2 } })))
    assert.equal("usage", (failure(sky.parse, "SPIRAL 1 2 3")))
  end)

  it("refuse use after close, and closing twice is fine", function()
    local r = sky.all()
    r:close()
    r:close()
    local code, message = failure(r.contains, r, 0, 0)
    assert.equal("usage", code)
    assert.truthy(message:find("closed"))
    assert.equal("region (closed)", tostring(r))
  end)

  it("are told apart from other values", function()
    assert.equal("usage", (failure(sky.all().contains, "M 101", 0, 0)))
  end)
end)
