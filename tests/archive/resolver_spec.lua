-- SPDX-License-Identifier: BSD-3-Clause
-- The name resolver at its own address against the practice archive.

package.path = assert(os.getenv("HALYARD_SOURCE")) .. "/tests/archive/?.lua;" .. package.path
local practice = require("practice")

describe("the name resolver", function()
  local archive, folder

  setup(function()
    archive, folder = practice.start(""), practice.folder()
  end)

  teardown(function()
    archive:stop()
    practice.remove(folder)
  end)

  local function run(body)
    return archive:try(folder, "names", body)
  end

  it("answers lists of names in batches", function()
    local code, out, err = run([[
      local names = {}
      for i = 1, 31 do
        names[i] = "no name " .. i
      end
      names[32], names[33] = "M 101", "TIC 0"
      local t = mast.resolve(names)
      assert(#t == 2 and t:get(1, "input_row") == 32 and t:get(2, "resolver") == "TIC")
      assert(t:field("ra").unit == "deg") ]])
    assert.equal(0, code, err .. out)
    assert.is_truthy(err:find("no name 31", 1, true), err)
  end)

  it("asks Sesame by its name", function()
    local code, out, err = run([[
      local one = mast.resolve("M 101", { resolver = "Sesame", compare = true,
        radius = "1 arcmin" })
      local known = mast.resolve("M 101")
      assert(math.abs(one.ra - known.ra) < 1e-6 and math.abs(one.dec - known.dec) < 1e-6)
      assert(one.resolver == "SIMBAD" and one.name and one.others[1].resolver == "NED")
      local list = mast.resolve({ "M 13", "no such thing", "NGC 5139" }, { resolver = "Sesame" })
      assert(#list == 2 and list:get(2, "input_row") == 3 and list:field("dec").unit == "deg")]])
    assert.equal(0, code, err .. out)
    assert.is_truthy(err:find("no such thing", 1, true), err)
    code, out, err = run([[return mast.resolve("no such thing", { resolver = "Sesame" })]])
    assert.equal(2, code, out)
    assert.is_truthy(err:find("unknown to Sesame", 1, true), err)
    local path = practice.workflow(folder, "names", [[
      return mast.resolve("M 101", { resolver = "Sesame" })]], '"mast"')
    code, out, err = practice.halyard(("run %s --archive %s --base sesame=https://cds.unistra.fr "
      .. "-o %s/out --quiet"):format(path, archive.url, folder))
    assert.equal(6, code, out)
    assert.is_truthy(err:find('hosts = { "mast", "cds.unistra.fr" }', 1, true), err)
  end)

  it("warns where resolvers differ", function()
    local code, out, err = run([[
      local near = mast.resolve("M 101", { compare = true, radius = "10 arcsec" })
      local ned = mast.resolve("M 101", { resolver = "NED" })
      assert(#near.others == 1 and math.abs(near.differ_deg * 3600 - 5) < 0.01)
      assert(ned.resolver == "NED" and ned.dec > near.dec)]])
    assert.equal(0, code, err .. out)
    assert.is_falsy(err:find("differ", 1, true), err)
    code, out, err = run([[return mast.resolve("M 101", { compare = true }).ra]])
    assert.equal(0, code, err .. out)
    assert.is_truthy(err:find("SIMBAD and NED differ by 5.00 arcsec", 1, true), err)
  end)

  it("agrees with the portal's look-up", function()
    local code, out, err = run([[
      for _, name in ipairs({ "M 13", "TIC 0" }) do
        local a, b = mast.resolve(name), mast.resolve(name, {})
        assert(a.ra == b.ra and a.dec == b.dec and a.resolver == b.resolver)
      end
      assert(mast.resolve("KIC 0", {}).resolver == "KEPLER")
      assert(mast.resolve("EPIC 0", {}).resolver == "K2") ]])
    assert.equal(0, code, err .. out)
  end)

  it("refuses names that nobody knows and resolvers that do not exist", function()
    local code, _, err = run([[return mast.resolve("no such thing", { resolver = "NED" })]])
    assert.equal(2, code, err)
    assert.is_truthy(err:find("unknown to NED", 1, true), err)
    code, _, err = run([[return mast.resolve({ "a1", "b2" })]])
    assert.equal(2, code, err)
    code, _, err = run([[return mast.resolve("M 13", { resolver = "SIMBADD" })]])
    assert.equal(2, code, err)
    assert.is_truthy(err:find("did you mean SIMBAD", 1, true), err)
  end)
end)
