-- SPDX-License-Identifier: BSD-3-Clause
-- What MAST's documents leave open: either reading of the archive is found out or makes no
-- difference, and the user can say which one holds.

package.path = assert(os.getenv("HALYARD_SOURCE")) .. "/tests/archive/?.lua;" .. package.path
local json = require("cjson")
local practice = require("practice")

describe("a reading of the documents", function()
  local archive, folder

  before_each(function()
    folder = practice.folder()
  end)

  after_each(function()
    if archive then
      archive:stop()
    end
    practice.environment = ""
    practice.remove(folder)
  end)

  local function start(faults)
    if archive then
      archive:stop()
    end
    archive = practice.start(faults)
  end

  local function run(body, more)
    return archive:try(folder, "readings-test", body, nil, more)
  end

  -- What `body` returns, as JSON, and how many requests the archive had for it.
  local function value(body, more)
    local code, out, err = run(body, "--format json " .. (more or ""))
    assert.equal(0, code, err)
    local stats = json.decode(practice.shell("curl -s " .. archive.url .. "/practice/stats"))
    return out, stats.requests
  end

  local function fails(words, body, more)
    local code, _, err = run(body, more)
    assert.is_true(code ~= 0, err)
    for _, text in ipairs(words) do
      assert.is_truthy(err:find(text, 1, true), err)
    end
  end

  local psf = [[return {
    mast.catalog("WFC3 PSF UVIS"):query({ where = { id = (1 << 54) + 7 } }).rows,
    mast.catalog("WFC3 PSF IR"):query({ where = { id = (1 << 54) + 8 } }).rows }]]

  it("wfc3-psf is found out, and may be chosen", function()
    for number, name in ipairs { "Wfc3Psf", "Wfc3" } do
      start("--faults wfc3=" .. number)
      local found, tried = value(psf)
      start("--faults wfc3=" .. number)
      local chosen, asked = value(psf, "--reading wfc3-psf=" .. name)
      assert.equal(found, chosen)
      assert.equal(number == 1 and 0 or 2, tried - asked) -- the first name, for each camera
    end
  end)

  it("wfc3-psf that the archive does not have is an error that names the choice", function()
    start("--faults wfc3=1")
    fails({ "Unable to Find Service Adaptor", "wfc3-psf=Wfc3" }, psf, "--reading wfc3-psf=Wfc3")
  end)

  local observers = [[
    local rows = mast.service("Mast.Caom.Filtered.JwstOps", { columns = "*", filters = { {
      paramName = "obs_collection", values = { "JWST" } }, { paramName = "s_dec",
      values = { { min = 69.5, max = 70 } } } } })
    return #rows + #mast.service("Mast.Caom.Products.JwstOps", { obsid = rows[1].obsid })]]

  it("jwst-portal is found out, and may be chosen", function()
    practice.environment = "MAST_API_TOKEN=practice-token-1"
    for number, name in ipairs { "portal", "portal_jwst" } do
      start("--faults jwst-portal=" .. number)
      local found, tried = value(observers)
      start("--faults jwst-portal=" .. number)
      local chosen, asked = value(observers, "--reading jwst-portal=" .. name)
      assert.equal(found, chosen)
      assert.equal(number == 1 and 0 or 2, tried - asked)
      fails({ "Unable to Find Service Adaptor", "jwst-portal=" }, observers,
        "--reading jwst-portal=" .. (number == 1 and "portal_jwst" or "portal"))
    end
  end)

  local bright = [[
    local r = mast.catalog("Pan-STARRS DR2 mean", { via = "catalogs" }):query {
      region = sky.circle(210.8, 54.35, 0.2), columns = { "objID", "gMeanPSFMag" },
      where = { gMeanPSFMag = { min = 14, max = 19 } } }
    assert(r.rows > 5)
    return { ids = r.table:sort("objID"):list("objID"), counted = r.account.rows_counted }]]

  it("catalogs-ranges makes no difference to the rows; chosen, counts are compared", function()
    local rows = {}
    for i, faults in ipairs { "", "--faults ranges-or" } do
      start(faults)
      rows[i] = json.decode((value(bright)))
    end
    assert.same(rows[1].ids, rows[2].ids)
    start("")
    local chosen = json.decode((value(bright, "--reading catalogs-ranges=and")))
    assert.same(rows[1].ids, chosen.ids)
    assert.equal(#chosen.ids, chosen.counted)
    start("--faults ranges-or")
    fails({ "the archive counts" }, bright, "--reading catalogs-ranges=and")
  end)

  it("of no rows in CSV: with a header or without, they are no rows", function()
    for _, faults in ipairs { "", "--faults empty-csv" } do
      start(faults)
      assert.equal("[[0,20]]", (value([[
        local ps1 = mast.catalog("Pan-STARRS DR2 mean", { via = "catalogs" })
        local function rows(dec)
          return ps1:query { region = sky.circle(210.8, dec, 0.05), answers = "csv" }.rows
        end
        return { { rows(-60), rows(54.35) } }]]):gsub("%s", "")))
    end
  end)

  it("that does not exist is refused, with those that do", function()
    start("")
    fails({ "wfc3-psf", "did you mean" }, "return 1", "--reading wfc3-pfs=Wfc3")
    fails({ "did you mean Wfc3?" }, "return 1", "--reading wfc3-psf=Wfc4")
    fails({ "NAME=CHOICE" }, "return 1", "--reading wfc3-psf")
  end)

  it("of observations without objID: the same rows, whole also on several pages", function()
    local body = [[
      local region = sky.circle(210.8, 54.35, 0.5)
      local paged = mast.service("Mast.Caom.Cone", { ra = 210.8, dec = 54.35, radius = 0.5 },
        { pagesize = 20 })
      local whole = mast.observations { region = region }
      assert(#paged == #whole and #whole > 40, #whole)
      return whole:sort("obsid"):list("obsid")]]
    start("")
    local with = value(body)
    start("--faults no-objid")
    assert.equal(with, (value(body)))
  end)
end)
