-- SPDX-License-Identifier: BSD-3-Clause
-- Base URLs of interfaces, each for itself.

package.path = assert(os.getenv("HALYARD_SOURCE")) .. "/tests/archive/?.lua;" .. package.path
local door = require("halyard.archive.door")
local practice = require("practice")

describe("a base URL", function()
  -- A question that goes to this interface and no other; `needs`: one more that is asked first.
  local questions = {
    auth = { "mast.whoami().anonymous" },
    casjobs = { [[mast.casjobs { context = "PanSTARRS_DR2" }:query("SELECT TOP 4 objID "
      .. "FROM MeanObjectView").rows == 4]] },
    catalogs = { [[mast.catalog("Pan-STARRS DR2 mean", { via = "catalogs" })
      :query { region = near }.rows > 0]] },
    classic = { [[mast.classic("HST"):query { region = near }.rows > 0]] },
    cloud = { [[mast.cloud.uris(files):get(1, "in_cloud")]], needs = "download" },
    cutouts = { [[#mast.cutouts.tess_sectors { region = near } > 0]] },
    download = { [[mast.bundle(files, { name = "all" }) ~= nil]] },
    exo = { [[#mast.exo.properties("WASP-18 b") > 0]] },
    gsss = { [[mast.catalog("GSC 2.3", { via = "gsss" }):query { region = near }.rows > 0]] },
    hla = { [[#mast.images.hla { region = near } > 0]] },
    mashup = { [[#mast.observations { region = near } > 0]] },
    missions = { [[mast.mission("hst"):query { region = near }.rows > 0]] },
    ps1images = { [[#mast.images.ps1 { target = "210.8 54.35" } > 0]] },
    resolver = { [[#mast.resolve { "M 101", "M 13" } == 2]] },
    sesame = { [[mast.resolve("M 101", { resolver = "Sesame" }).ra > 210]] },
    sia2 = { [[#mast.sia():query { region = near } > 0]] },
    tap = { [[mast.tap("gaiadr3"):query("SELECT TOP 2 ra FROM gaia_source").rows == 2]] },
  }

  it("can be given for every interface alone, which then answers alone", function()
    local archive, folder = practice.start(""), practice.folder()
    practice.environment = "CASJOBS_USERID=practice CASJOBS_PW=practice"
    finally(function()
      practice.environment = ""
      archive:stop()
      practice.remove(folder)
    end)
    for _, name in ipairs(door.interfaces()) do
      local question = assert(questions[name], name)
      local file = practice.workflow(folder, name, ([[
        local near = sky.circle(210.8, 54.35, 0.1)
        local files = { { dataURI = "mast:HST/product/ux0e13wwlc3_raw.fits",
          productFilename = "ux0e13wwlc3_raw.fits" } }
        assert(near and files)
        assert(%s)
        return { asked = true }]]):format(question[1]), ('"mast", "127.0.0.1:1", %s')
          :format(archive:host()))
      local bases = ("--base %s=%s"):format(name, archive.url)
      if question.needs then
        bases = ("%s --base %s=%s"):format(bases, question.needs, archive.url)
      end
      -- Nothing listens on port 1: what another interface would be asked fails.
      local code, _, err = practice.halyard(("run %s --archive http://127.0.0.1:1 %s -o %s --quiet")
        :format(practice.quote(file), bases, practice.quote(folder .. "/" .. name)))
      assert.equal(0, code, name .. ": " .. err)
    end
  end)

  it("is told where a script writes the address that it stands for", function()
    local folder = practice.folder()
    finally(function()
      practice.remove(folder)
    end)
    for _, option in ipairs({ "--archive http://127.0.0.1:1", "--base classic=http://127.0.0.1:1" })
    do
      local file = practice.workflow(folder, "address", [[
        return vo.ssa("https://archive.stsci.edu/ssap/search2.php?"):query {
          region = sky.circle(10, 10, 0.1) }]], '"127.0.0.1:1"')
      local code, _, err = practice.halyard(("run %s %s -o %s --quiet"):format(practice.quote(file),
        option, practice.quote(folder .. "/out")))
      assert.equal(6, code, err)
      assert.is_truthy(err:find("this run asks http://127.0.0.1:1 in place of archive.stsci.edu",
        1, true), err)
    end
  end)

  it("that is no URL is refused", function()
    local file = practice.shipped .. "/first-light.lua"
    for _, name in ipairs(door.interfaces()) do
      local code, _, err = practice.halyard(("plan %s --base %s=nowhere")
        :format(practice.quote(file), name))
      assert.equal(2, code)
      assert.is_nil(err:find("there is no interface", 1, true), err)
      assert.is_truthy(err:find("nowhere", 1, true), err)
    end
  end)

  it("is refused for interfaces that do not exist, with the list of them", function()
    local code, _, err = practice.halyard(("plan %s --base mishap=http://127.0.0.1:1")
      :format(practice.quote(practice.shipped .. "/first-light.lua")))
    assert.equal(2, code)
    for _, name in ipairs(door.interfaces()) do
      assert.is_truthy(err:find(name, 1, true), err)
    end
  end)
end)
