-- SPDX-License-Identifier: BSD-3-Clause
-- docs/tables.md: its examples run, and it lists all that a table can do.
local core = require("halyard.core.table")
local halyard = require("halyard")
local peer = require("halyard.test.peer")
local tables = require("halyard.table")

local root = debug.getinfo(1, "S").source:match("^@(.*)tests/spec/")
local folder = os.tmpname()
os.remove(folder)

local function document()
  local file <close> = assert(io.open(root .. "docs/tables.md"))
  return file:read("a")
end

describe("docs/tables.md", function()
  setup(function()
    peer.set("output", folder)
  end)

  teardown(function()
    peer.set("output")
    os.execute("rm -r " .. folder)
  end)

  it("has examples that run", function()
    tables.from_rows({
      { id = 1, field = "a", ra = 10, dec = 0, mag = 14.0, g = 14.5, r = 14.0 },
      { id = 2, field = "b", ra = 20, dec = 0, mag = 14.5, g = 15.5, r = 14.0 },
      { id = 3, field = "a", ra = 30, dec = 0, mag = 16.0, g = 16.5, r = 16.0 },
    }, { "id", "field", "ra", "dec", "mag", "g", "r" }):write("stars.csv")
    local spectra = tables.from_rows({ { alpha = 10, delta = 0.0001, z = 0.5 } },
      { "alpha", "delta", "z" })
    spectra:with("alpha", spectra:column("alpha"), { ucd = "pos.eq.ra;meta.main" })
      :with("delta", spectra:column("delta"), { ucd = "pos.eq.dec;meta.main" })
      :write("spectra.vot")
    local n = 0
    for example in document():gmatch("```lua\n(.-)```") do
      n = n + 1
      assert(load(example, "=docs/tables.md", "t",
        setmetatable({ halyard = halyard }, { __index = _G })))()
    end
    assert.is_true(n > 0)
    assert.same({ 2, 1 }, tables.read("red.csv"):list("id"))
    local both = tables.read("both.vot")
    assert.same({ 1, 2 }, both:list("id"))
    assert.same({ 0.5 }, both:list("z"))
  end)

  it("lists every method and every function", function()
    local text, missing = document(), {}
    for name in pairs(core.methods) do
      missing[#missing + 1] = not text:find("t:" .. name .. "[ (]") and "t:" .. name or nil
    end
    for name in pairs(tables) do
      missing[#missing + 1] = not text:find("%f[%w_]" .. name .. "%f[^%w_]") and name or nil
    end
    local c = tables.from_rows({ { a = 1 } }, { "a" }):column("a")
    for name in pairs({ min = 1, max = 1, mean = 1, nulls = 1, values = 1 }) do
      assert.equal("function", type(c[name]))
      missing[#missing + 1] = not text:find("c:" .. name .. "()", 1, true) and name or nil
    end
    assert.same({}, missing)
  end)
end)
