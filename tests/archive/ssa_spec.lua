-- SPDX-License-Identifier: BSD-3-Clause
-- Simple Spectral Access against the practice archive: circles, ranges, limits, refusals.

package.path = assert(os.getenv("HALYARD_SOURCE")) .. "/tests/archive/?.lua;" .. package.path
local practice = require("practice")

describe("a spectrum service", function()
  local archive, folder

  before_each(function()
    folder = practice.folder()
  end)

  after_each(function()
    if archive then
      archive:stop()
      archive = nil
    end
    practice.remove(folder)
  end)

  local function run(body, arguments)
    return archive:try(folder, "ssa-test", ([[
    local here = sky.circle(210.8, 54.35, 0.5)
    local service = vo.ssa("%s/ssap/search2.php?%s")
    ]]):format(archive.url, arguments or "") .. body, archive:host())
  end

  it("gives the same circle whether SIZE is a diameter to it or a radius", function()
    archive = practice.start("")
    local seen = {}
    for _, arguments in ipairs({ "", "size=radius&" }) do
      local code, _, err = run([[
        local rows = service:query { region = here }
        assert(#rows > 3 and rows:column("sep_deg"):max() <= 0.5)
        assert(rows:field("sep_deg").unit == "deg" and rows:field("em_min").unit == "m")
        rows:sort("access_url"):write("rows.csv")]], arguments)
      assert.equal(0, code, err)
      seen[#seen + 1] = practice.read(folder .. "/out/rows.csv")
    end
    assert.equal(seen[1], seen[2])
  end)

  it("selects by band, time and target", function()
    archive = practice.start("")
    local code, _, err = run([[
      local all = service:query { region = here }
      assert(#service:query { region = here, band = { min = 2e-6 } } == 0)
      assert(#service:query { region = here, band = 7e-7 } == #all)
      local early = service:query { region = here, time = { max = "2019-12-31" } }
      assert(#early < #all and #early == #all:where { t_obs_mjd = "<58849" })
      local one = service:query { region = here, target = all:get(1, "target_name") }
      assert(#one >= 1 and #one < #all)]])
    assert.equal(0, code, err)
  end)

  it("describes its parameters", function()
    archive = practice.start("")
    local code, out, err = run("return service:parameters()")
    assert.equal(0, code, err)
    assert.is_truthy(out:find("targetname", 1, true), out)
  end)

  it("is an error when it cuts, refuses or is something else", function()
    archive = practice.start("--row-cap 3")
    for _, flag in ipairs({ "first", "last" }) do
      local code, _, err = run("return service:query { region = here }", "flag=" .. flag .. "&")
      assert.equal(7, code, err)
      assert.is_truthy(err:find("smaller region", 1, true), err)
    end
    local code, _, err = run([[
      local told = vo.ssa(service.url, { limit = 3 })
      return told:query { region = here }]], "flag=none&")
    assert.equal(7, code, err)
    assert.is_truthy(err:find("3 rows came, as many as one answer holds", 1, true), err)
    for body, words in pairs({
      ["vo.ssa(service.url, { limit = 0 })"] = "limit is a whole number",
      ["service:query { region = sky.circle(10, 0, 100) }"] = "SIZE is not a diameter",
      ["service:query { region = sky.box(1, 2, 1, 2) }"] = "takes a circle",
      ["service:query { region = here, bandd = 1 }"] = "did you mean band",
      ['service:query { region = here, band = "red" }'] = "band is a number",
      ['service:query { region = here, time = "soon" }'] = "BAND or TIME is not a range",
    }) do
      code, _, err = run("return " .. body)
      assert.is_true(code ~= 0, body)
      assert.is_truthy(err:find(words, 1, true), err)
    end
    archive:stop()
    archive = practice.start("--faults html")
    code, _, err = run("return service:query { region = here }")
    assert.is_true(code ~= 0)
    assert.is_truthy(err:find("HTML", 1, true), err)
  end)
end)
