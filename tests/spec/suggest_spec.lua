-- SPDX-License-Identifier: BSD-3-Clause
local errors = require("halyard.error")
local suggest = require("halyard.suggest")

describe("suggestions for misspelt names", function()
  local columns = { "s_ra", "s_dec", "obs_collection", "obs_id", "obsid", "target_name" }

  it("finds a name with two letters exchanged", function()
    assert.same("radius", suggest.nearest("raduis", { "radius", "target" })[1])
  end)

  it("ignores case", function()
    assert.same({ "target_name" }, suggest.nearest("TARGET_NAME", columns))
  end)

  it("finds the longer name that holds the one given", function()
    assert.same("obs_collection", suggest.nearest("collection", columns)[1])
  end)

  it("offers nothing when no name is near", function()
    assert.same({}, suggest.nearest("xyzzyplugh", columns))
  end)

  it("puts the nearest name first and lists at most three", function()
    local near = suggest.nearest("obs_i", { "obs_id", "obsid", "obs_ix", "obs_iy", "obs_iz" })
    assert.equal(3, #near)
    assert.equal("obs_id", near[1])
  end)

  it("names a name once that the list holds twice", function()
    assert.same({ "targets" }, suggest.nearest("target", { "targets", "where", "targets" }))
  end)

  it("refuses an unknown option with a usage error that names the nearest one", function()
    local ok, err = errors.try(suggest.check_keys, { regoin = 1 }, { "region", "where" }, "query")
    assert.is_nil(ok)
    assert.equal("usage", err.code)
    assert.equal("unknown option of query: regoin; did you mean region?", err.message)
  end)

  it("lists the known names when none is near", function()
    local _, err = errors.try(suggest.unknown, "colour", "zzzzzz", { "red", "green" })
    assert.equal("unknown colour: zzzzzz; known: red, green", err.message)
  end)

  it("accepts tables with known keys only", function()
    suggest.check_keys({ region = 1 }, { "region" }, "query")
  end)
end)
