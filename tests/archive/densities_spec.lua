-- SPDX-License-Identifier: BSD-3-Clause
-- Densities that earlier queries learned: kept in the user's cache, used for first guesses, never
-- for what a query gives.

package.path = assert(os.getenv("HALYARD_SOURCE")) .. "/tests/archive/?.lua;" .. package.path
local json = require("halyard.json")
local practice = require("practice")

describe("remembered densities", function()
  local folder, archive, cache

  before_each(function()
    folder = practice.folder()
    cache = folder .. "/cache/halyard/densities.json"
    practice.environment = "XDG_CACHE_HOME=" .. practice.quote(folder .. "/cache")
    archive = practice.start("--row-cap 3000")
  end)

  after_each(function()
    practice.environment = ""
    archive:stop()
    practice.remove(folder)
  end)

  local function ask(name, verb, more)
    return practice.halyard(("%s %s --archive %s -o %s --region 'CIRCLE 200 60 2' --row_limit 3000 "
      .. "%s"):format(verb, practice.quote(practice.workflows .. "/catalogue.lua"), archive.url,
      practice.quote(folder .. "/" .. name), more or ""))
  end

  local function requests(name)
    return json.decode(practice.read(folder .. "/" .. name .. "/rows.csv.account.json")).requests
  end

  local function rewrite(text)
    local out <close> = assert(io.open(cache, "wb"))
    out:write(text)
  end

  it("spare a later query requests and change nothing in what it gives", function()
    assert.equal(0, (ask("first", "run", "--quiet")))
    assert.equal(0, (ask("second", "run", "--quiet")))
    assert.is_true(practice.same(folder .. "/first/rows.csv", folder .. "/second/rows.csv"))
    assert.is_true(requests("second").all < requests("first").all)
    assert.equal(0, requests("second").probes)
    local document = json.decode(practice.read(cache))
    local entry = document.services["Gaia DR3 " .. archive.url]
    assert.is_true(#entry.regions > 1 and #entry.regions <= 256)
    assert.is_true(entry.row_bytes > 50 and entry.row_bytes < 5000)
    local code, out = ask("plan", "plan")
    assert.equal(0, code)
    assert.is_truthy(out:find("rows          %d+ to %d+ %(from densities remembered %d+ s ago%)"),
      out)
    code, out = ask("plan", "explain")
    assert.equal(0, code)
    assert.is_truthy(out:find("densities: remembered ones for the first guess", 1, true), out)
  end)

  it("that are wrong by far cost requests, not rows", function()
    assert.equal(0, (ask("first", "run", "--quiet")))
    local document = json.decode(practice.read(cache))
    for factor, name in pairs({ [1e-4] = "thin", [100] = "dense" }) do
      for _, entry in pairs(document.services) do
        for _, region in ipairs(entry.regions) do
          region.rows_per_sr = region.rows_per_sr * factor
        end
      end
      rewrite(json.encode(document))
      local code, _, err = ask(name, "run", "--quiet")
      assert.equal(0, code, err)
      assert.is_true(practice.same(folder .. "/first/rows.csv", folder .. "/" .. name
        .. "/rows.csv"))
    end
  end)

  it("make a plan without a request", function()
    assert.equal(0, (ask("first", "run", "--quiet")))
    archive:stop() -- nobody is there to be asked
    local code, out, err = ask("plan", "plan", "--offline")
    assert.equal(0, code, err)
    assert.is_truthy(out:find("rows          %d+ to %d+ %(from densities remembered %d+ s ago%)"),
      out)
    assert.is_truthy(out:find("requests      at least %d+, expected %d+ to %d+"), out)
    code, out, err = ask("other", "plan", "--catalog TIC --offline") -- a service that counts
    assert.equal(0, code, err)
    assert.is_truthy(out:find("not known: nothing was asked", 1, true), out)
    local path = practice.workflow(folder, "columns", [[
      return mast.catalog("Gaia DR3"):query { region = sky.circle(200, 60, 1),
        columns = { "phot_g_mean_mag" }, into = "some.csv" }]])
    code, out, err = practice.halyard(("plan %s --archive %s -o %s --offline"):format(
      practice.quote(path), archive.url, practice.quote(folder .. "/some")))
    assert.equal(2, code, out .. err)
    assert.is_truthy(err:find("has to be asked for this: leave --offline out", 1, true), err)
  end)

  it("of another place do not make the price: it is asked for, or said to be doubtful", function()
    assert.equal(0, (ask("first", "run", "--quiet")))
    local function plan(more)
      return practice.halyard(("plan %s --archive %s -o %s --region 'CIRCLE 266 -29 0.1' "
        .. "--row_limit 3000 %s"):format(practice.quote(practice.workflows .. "/catalogue.lua"),
        archive.url, practice.quote(folder .. "/far"), more))
    end
    local code, out, err = plan("--offline")
    assert.equal(0, code, err)
    assert.is_truthy(out:find("may go wrong  the densities remembered are of other places", 1,
      true), out)
    code, out, err = plan("")
    assert.equal(0, code, err)
    assert.is_truthy(out:find("(from 3 small questions)", 1, true), out)
    code, out, err = ask("near", "plan")
    assert.equal(0, code, err)
    assert.is_truthy(out:find("from densities remembered", 1, true), out)
    assert.is_falsy(out:find("other places", 1, true), out)
  end)

  it("in a damaged file are not used, which is told, and the file is written anew", function()
    assert.equal(0, (ask("first", "run", "--quiet")))
    for _, text in ipairs({ "", "{", '{"version":1,"services":[1]}', '{"version":9}', "null",
      '{"version":1,"services":{"Gaia DR3 ' .. archive.url .. '":{"time":1e99,"regions":[{}]}}}' })
    do
      rewrite(text)
      local code, _, err = ask("again", "run", "--quiet")
      assert.equal(0, code, err)
      assert.is_true(practice.same(folder .. "/first/rows.csv", folder .. "/again/rows.csv"))
      assert.is_truthy(json.decode(practice.read(cache)).services["Gaia DR3 " .. archive.url])
      practice.remove(folder .. "/again")
    end
    rewrite("{")
    local _, _, err = ask("again", "run")
    assert.is_truthy(err:find("densities.json is damaged; it will be written anew", 1, true), err)
  end)

  it("are not kept of queries by criteria, and a cache that cannot be written harms nothing",
    function()
      local code, _, err = archive:try(folder, "bright", [[
        return mast.catalog("Gaia DR3"):query { region = sky.circle(200, 60, 2), row_limit = 3000,
          where = { phot_g_mean_mag = "<20" } }.rows]])
      assert.equal(0, code, err)
      assert.is_nil(io.open(cache))
      practice.environment = "XDG_CACHE_HOME=/proc/none"
      code, _, err = ask("first", "run", "--quiet")
      assert.equal(0, code, err)
    end)
end)
