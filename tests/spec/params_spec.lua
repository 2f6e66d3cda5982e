-- SPDX-License-Identifier: BSD-3-Clause
local errors = require("halyard.error")
local params = require("halyard.params")

local function failure(f, ...)
  local ok, err = errors.try(f, ...)
  assert.is_nil(ok, "an error was expected")
  assert.equal("usage", err.code)
  return err.message
end

local function one(name, kind)
  return params.declare({ { name, kind, help = "h" } })
end

describe("parameters of a workflow", function()
  local declared = params.declare({
    { "center", "skycoord", help = "position or name" },
    { "radius", "angle", unit = "deg", default = 0.5, min = 0, max = 10 },
    { "count", "integer", default = 3, min = 1 },
    { "faint", "number", optional = true, max = 30 },
    { "deep", "boolean", default = false },
    { "band", "choice", choices = { "G", "BP", "RP" }, default = "G" },
  })

  local function values(given)
    return params.values(declared, given, "workflow demo")
  end

  it("need a value, and a position that is on the sky", function()
    assert.equal("--radius needs a value (angle)", failure(values, { center = "M 13",
      radius = true }))
    assert.equal("parameter center = 400 95 is no position: ra must be from 0 to 360 degrees",
      failure(values, { center = "400 95" }))
    assert.is_true(values({ center = "M 13", deep = true }).deep)
  end)

  it("are a list: names as keys and gaps are refused", function()
    assert.is_truthy(failure(params.declare, { radius = { kind = "angle" } })
      :find("radius", 1, true))
    assert.is_truthy(failure(params.declare, { { "a", "number" }, nil, { "b", "number" } })
      :find("3", 1, true))
  end)

  it("are told apart from the command's own options", function()
    local function wrong(name)
      return failure(params.values, declared, { center = "M 13", [name] = "x" }, "workflow demo",
        { "output", "quiet", "centre" })
    end
    assert.equal("unknown parameter of workflow demo: outptu; did you mean --output?",
      wrong("outptu"))
    assert.equal("unknown parameter of workflow demo: cente; did you mean center?", wrong("cente"))
  end)

  it("take their defaults", function()
    assert.same({ center = "M 13", radius = 0.5, count = 3, deep = false, band = "G" },
      values({ center = "M 13" }))
  end)

  it("are read from command line texts", function()
    local p = values({ center = "52.5 -27.4", radius = "12 arcmin", count = "7", faint = "20.5",
      deep = "yes", band = "bp" })
    assert.near(0.2, p.radius, 1e-15)
    assert.same({ 7, 20.5, true, "BP" }, { p.count, p.faint, p.deep, p.band })
  end)

  it("are refused when misspelt, with the nearest name", function()
    assert.equal("unknown parameter of workflow demo: raduis; did you mean radius?",
      failure(values, { center = "M 13", raduis = "1" }))
  end)

  it("are refused below their limit, naming value and limit", function()
    assert.equal("parameter radius = -1 is below its limit: give at least 0 deg",
      failure(values, { center = "M 13", radius = "-1" }))
  end)

  it("are refused above their limit, whatever the unit of the value", function()
    assert.equal("parameter radius = 601 arcmin is above its limit: give at most 10 deg",
      failure(values, { center = "M 13", radius = "601 arcmin" }))
  end)

  it("must be there when they have no default", function()
    assert.equal("parameter center is missing: give --center (skycoord, position or name)",
      failure(values, {}))
  end)

  it("refuse texts that are not of their type", function()
    local message = failure(values, { center = "M 13", count = "2.5" })
    assert.equal("parameter count = 2.5 is not a whole number", message)
    assert.equal("parameter faint = 1e999 is not a number",
      failure(values, { center = "M 13", faint = "1e999" }))
    assert.equal("parameter deep = maybe is neither true nor false",
      failure(values, { center = "M 13", deep = "maybe" }))
    assert.equal("parameter band = V is not one of G, BP, RP",
      failure(values, { center = "M 13", band = "V" }))
    assert.is_truthy(failure(values, { center = "10 95" })
      :find("parameter center = 10 95", 1, true))
  end)

  it("are declared with known types and keys only, and with defaults inside the limits", function()
    assert.is_truthy(failure(one, "x", "angel"):find("did you mean angle?", 1, true))
    assert.is_truthy(failure(params.declare, { { "x", "number", defualt = 1 } })
      :find("did you mean default?", 1, true))
    assert.is_truthy(failure(params.declare, { { "x", "number", default = 1, max = 0 } })
      :find("above its limit", 1, true))
    assert.is_truthy(failure(params.declare, { { "x", "number" }, { "x", "number" } })
      :find("declared twice", 1, true))
    assert.is_truthy(failure(params.declare, { { "x", "choice" } }):find("choices", 1, true))
  end)
end)
