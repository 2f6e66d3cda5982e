-- SPDX-License-Identifier: BSD-3-Clause
-- What is tried first at each door and is not quite right: the message says what to write instead.

package.path = assert(os.getenv("HALYARD_SOURCE")) .. "/tests/archive/?.lua;" .. package.path
local json = require("halyard.json")
local practice = require("practice")

describe("a first try", function()
  local archive, folder

  setup(function()
    archive = practice.start("")
    folder = practice.folder()
  end)

  teardown(function()
    archive:stop()
    practice.remove(folder)
  end)

  -- Runs the body of a workflow; what it prints and says must hold the words.
  local function says(code, words, body)
    local status, out, err = archive:try(folder, "first-try", body)
    assert.equal(code, status, err)
    assert.is_truthy((out .. err):find(words, 1, true), out .. err)
  end

  local stars = 'local stars = mast.catalog("Gaia DR3"):query { %s'
    .. 'region = sky.cone("52.5 -27.4", "2 arcmin") }\n'

  it("that takes the result of a query for its rows hears where they are", function()
    for _, body in ipairs({ 'return stars:sort("ra")', "for _, star in ipairs(stars) do end",
      "return stars.columns", 'return select.rows(stars, { ra = "52..53" })',
      "return mast.products(stars)", 'return mast.mission("hst"):products(stars)' }) do
      says(2, "result.table", stars:format("") .. body)
    end
    says(2, "result.table", stars:format("") .. 'return mast.crossmatch(stars, "TIC")')
    says(2, "in the file " .. folder .. "/out/stars.csv", stars:format('into = "stars.csv", ')
      .. "return stars:head(3)")
    says(2, "result.table", [[return mast.tap("gaiadr3"):query("SELECT TOP 1 ra FROM gaia_source")
      :head(1)]])
    says(0, "1 and 1", stars:format("") .. [[
      assert(#stars == stars.rows and #stars == #stars.table and stars.nothing == nil)
      return (#stars // stars.rows) .. " and " .. (#stars.table // #stars)]])
  end)

  it("without options, or with something else, hears what there is", function()
    says(2, "{ region =, columns =, where =", 'return mast.catalog("EAOT"):query()')
    says(2, 'columns is a list of names, { "ra", "dec" }', [[return mast.catalog("TIC"):query {
      region = sky.cone("52.5 -27.4", "2 arcmin"), columns = "Tmag" }]])
    says(2, "target =, region =, moving_target =", 'return mast.cutouts.tess("M 101", 10)')
  end)

  it("at a circle hears what it is made of", function()
    says(2, "an angle is missing", 'return sky.cone("52.5 -27.4")')
    says(2, "sky.circle(ra, dec, radius)", "return sky.cone(52.5, -27.4, 0.1)")
  end)

  it("with an open range at the portal hears what to write", function()
    for _, value in ipairs({ '"> 500"', "{ min = 500 }" }) do
      says(2, '("500..1e9")', ([[return mast.count { where = { t_exptime = %s } }]]):format(value))
    end
    says(2, "both ends", [[return mast.catalog("TIC"):count {
      region = sky.cone("52.5 -27.4", "2 arcmin"), where = { Tmag = "<12" } }]])
    says(0, "obs_id", [[return mast.observations { region = sky.cone("M 101", "2 arcmin"),
      where = { t_exptime = "500..1e9" } }:select("obs_id")]])
  end)

  it("with a name that is nearly right hears the right one", function()
    says(2, "did you mean gaiadr3?", 'return mast.tap("gaia"):query("SELECT TOP 1 ra FROM gaia")')
    says(4, "lists the table obscore as ivoa.obscore",
      'return mast.tap("caom"):query("SELECT TOP 1 obs_id FROM obscore")')
    says(2, "(no planet is called WASP18b): check the spelling",
      'return mast.exo.planet("WASP18b")')
  end)

  it("is told of every question that was asked, also those about names and columns", function()
    local function asked()
      return json.decode(practice.shell("curl -s " .. archive.url .. "/practice/stats")).requests
    end
    for _, body in ipairs({ 'mast.mission("hst"):columns()', 'mast.tap("gaiadr3"):tables()',
      'mast.resolve("M 13")', 'mast.resolve({ "M 13", "M 31" })', "mast.whoami()",
      'mast.values("observations", "obs_collection")', 'mast.exo.planet("WASP-18 b")',
      "mast.cloud.datasets()", 'mast.cutouts.tess_sectors { target = "52.5 -27.4" }',
      'mast.images.ps1 { target = "210.8 54.35", filters = "g" }',
      'mast.observations { region = sky.cone("M 101", "2 arcmin"), where = { t_min = "1..9e4" } }',
      'mast.catalog("Pan-STARRS DR2 mean"):query { region = sky.cone("210.8 54.35", "2 arcmin") }',
      'mast.catalog("GSC 2.3"):query { region = sky.cone("210.8 54.35", "2 arcmin") }',
      'mast.catalog("TIC"):query { region = sky.cone("210.8 54.35", "2 arcmin") }',
      'mast.catalog("PLATO"):query { region = sky.cone("210.8 54.35", "2 arcmin") }',
      'mast.catalog("WFC3 PSF UVIS"):columns()',
      'mast.catalog("TIC"):count { region = sky.cone("210.8 54.35", "2 arcmin") }',
      'mast.classic("HST"):query { target = "M 101" }',
      'mast.tap("gaiadr3"):query("SELECT TOP 1 ra FROM gaia_source")',
    }) do
      local before = asked()
      local status, _, err = archive:try(folder, "first-try", body)
      assert.equal(0, status, err)
      local report = json.decode(practice.read(folder .. "/out/report.json"))
      assert.equal(asked() - before, report.requests, body)
      assert.is_true(report.bytes > 0, body)
    end
  end)

  it("that speaks the archive's language itself is refused in words", function()
    local upload = [[request={"service":"Mast.GaiaDR3.Crossmatch","params":{},"data":%s}]]
    for words, question in pairs({
      ["No such service"] = { "/scs/none?RA=1&DEC=1&SR=0.1" },
      ["is not a JSON object"] = { "/api/v0.1/panstarrs/dr2/mean.json", "[1]", "application/json" },
      ["field is not an object"] = { "/api/v0/invoke", upload:format('{"fields":[1],"data":[]}') },
      ["row is not an object"] = { "/api/v0/invoke", upload:format('{"fields":[],"data":[1]}') },
    }) do
      local command = ("curl -s %s"):format(practice.quote(archive.url .. question[1]))
      if question[2] then
        command = ("%s -H 'Content-Type: %s' --data %s"):format(command, question[3]
          or "application/x-www-form-urlencoded", practice.quote(question[2]))
      end
      local said = practice.shell(command)
      assert.is_truthy(said:find(words, 1, true), said)
      assert.is_nil(said:find("traceback", 1, true), said)
    end
  end)

  it("reads the files that it got, by the name or by the path", function()
    says(0, "6 and 6", [[
      local files = mast.cutouts.tess { target = "52.5 -27.4", sectors = 28 }
      local read = halyard.table.read
      return #read(files[1].file) .. " and " .. #read(files[1].path)]])
    says(2, "there is no file", 'return halyard.table.read("out/none.csv")')
  end)

  it("that is planned leaves the files of a run as they are", function()
    local body = [[
      local seen = mast.observations { region = sky.cone("M 13", "6 arcmin") }
      seen:select({ "obs_id", "target_name" }):write("seen.csv")
      local stars = mast.catalog("TIC"):query {
        region = sky.cone("52.5 -27.4", "2 arcmin"), into = "stars.csv" }
      mast.tap("gaiadr3"):query("SELECT TOP 3 ra FROM gaia_source", { into = "ra.csv" })
      ctx:log(stars.verified)]]
    local file = practice.workflow(folder, "first-try", body)
    local status, _, err = archive:run(file, folder .. "/out")
    assert.equal(0, status, err)
    local function kept()
      return practice.shell(("cd %s/out && sha256sum seen.csv stars.csv ra.csv report.json")
        :format(practice.quote(folder)))
    end
    local before = kept()
    local planned, out, said = practice.halyard(("plan %s --archive %s --output %s/out"):format(
      practice.quote(file), archive.url, practice.quote(folder)))
    assert.equal(0, planned, said)
    assert.is_truthy(said:find("not asked: this is a plan", 1, true), said)
    assert.is_truthy((out .. said):find("a table would be written to seen.csv", 1, true), out)
    assert.equal(before, kept())
  end)

  it("that finds no files hears so", function()
    says(0, "lists no products of obsid 1", 'return #mast.products("1")')
  end)
end)
