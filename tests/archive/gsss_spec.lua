-- SPDX-License-Identifier: BSD-3-Clause
-- The catalogue service of the Guide Star group against the practice archive.

package.path = assert(os.getenv("HALYARD_SOURCE")) .. "/tests/archive/?.lua;" .. package.path
local practice = require("practice")

describe("a catalogue of GSSS", function()
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

  local function run(body)
    archive = archive or practice.start("")
    return archive:try(folder, "gsss-test", [[
    local stars = mast.catalog("GSC2.3", { via = "gsss" })
    ]] .. body, '"mast", ' .. archive:host())
  end

  local function same_as_archive(catalog, region)
    practice.dump_ids(catalog, region, folder .. "/truth")
    local n = practice.file_ids(folder .. "/out/rows.csv", folder .. "/got")
    assert.is_true(practice.same(folder .. "/truth", folder .. "/got"))
    return n
  end

  it("gives every row once past MAXOBJ", function()
    for name, code in pairs({ TIC = "GSC23", ["Gaia DR3"] = "GAIAdr3" }) do
      local region = "CIRCLE 52.5 -27.4 0.7"
      local path = folder .. "/out"
      local code_out, _, err = run(([[return mast.catalog("%s", { via = "gsss" }):query {
        region = sky.parse("%s"), into = "rows.csv", row_limit = 400 }]]):format(code, region))
      assert.equal(0, code_out, err)
      assert.is_true(same_as_archive(name, region) > 800)
      practice.shell("rm -r " .. practice.quote(path))
    end
  end)

  it("gives every row once across ra 0", function()
    local box = "RANGE 359.6 0.4 10 10.6"
    local code, _, err = run(([[return stars:query { region = sky.parse("%s"),
      into = "rows.csv", row_limit = 200 }]]):format(box))
    assert.equal(0, code, err)
    assert.is_true(same_as_archive("TIC", box) > 400)
  end)

  it("answers shapes, identifiers, magnitudes", function()
    local code, out, err = run([[
      local shape = "POLYGON 52 -27 53 -27 53 -28 52 -28 52 -27"
      local box = stars:query { region = sky.box(52, 53, -28, -27) }
      local inside = stars:query { stcs = shape, key = "hstid" }
      assert(inside.rows == box.rows and box.rows > 0)
      assert(inside.verified == "equal to the archive's count")
      local round = stars:query { stcs = "CIRCLE 52.5 -27.4 0.2" }
      assert(round.rows == stars:query({ region = sky.circle(52.5, -27.4, 0.2) }).rows)
      local id = box.table:get(1, "hstID")
      assert(stars:query({ id = tostring(id) }).table:get(1, "hstID") == id)
      local bright = stars:query { region = sky.box(52, 53, -28, -27), magrange = { 5, 14 } }
      assert(bright.rows > 0 and bright.rows == #box.table:where { FpgMag = "5..14" })
      local ra = stars:columns():where { name = "ra", unit = "deg" }
      assert(#ra == 1 and box.table:field("ra").ucd == "pos.eq.ra;meta.main")
      assert(box.table:field("FpgMag").unit == "mag") ]])
    assert.equal(0, code, err .. out)
  end)

  local function fails(wanted, words, body)
    local code, out, err = run(body)
    assert.equal(wanted, code, err .. out)
    assert.is_truthy(err:find(words, 1, true), err)
  end

  it("fails with the reason", function()
    fails(4, "catalog is not available", [[return mast.catalog("WISE"):columns()]])
    fails(4, "is needed", [[return stars:query { stcs = "ELLIPSE 1 2 3" }]])
    fails(2, "no object 7", [[return stars:query { id = "7" }]])
    fails(2, "did you mean FpgMag", [[return stars:query { region = sky.circle(1, 1, 0.1),
      columns = { "FpgMa" } }]])
    fails(2, "needs a region", [[return stars:query { where = { FpgMag = "<10" } }]])
    fails(7, "use a region", "return stars:query { stcs = \"CIRCLE 10 10 20\" }")
    fails(7, "the shape holds 50 rows or more",
      [[return stars:query { stcs = "CIRCLE 52.5 -27.4 0.2", row_limit = 50 }]])
    fails(2, "row_limit is a whole number from 1 to 50000",
      [[return stars:query { stcs = "CIRCLE 52.5 -27.4 0.2", row_limit = 50001 }]])
    fails(2, "did you mean hstID", [[return stars:query { region = sky.circle(1, 1, 0.1),
      key = "hstIDD" }]])
  end)

  it("with fewer rows than the service says it found is an error, or asked for in parts", function()
    archive = practice.start("--faults silent-cap=100")
    fails(7, "100 rows came, the service says that it found",
      [[return stars:query { stcs = "CIRCLE 52.5 -27.4 0.3" }]])
    local region = "CIRCLE 52.5 -27.4 0.3"
    local code, _, err = run(([[return stars:query { region = sky.parse("%s"),
      into = "rows.csv" }]]):format(region))
    assert.equal(0, code, err)
    assert.is_true(same_as_archive("TIC", region) > 100)
  end)

  it("is an error when it is an HTML page", function()
    archive = practice.start("--faults html")
    fails(4, "HTML", [[return stars:query { region = sky.circle(1, 1, 0.1) }]])
  end)

  it("answers cone searches", function()
    local region = "CIRCLE 52.5 -27.4 0.4"
    archive = practice.start("")
    local code, _, err = run(([[return vo.cone("%s/webservices/vo/ConeSearch.aspx?CAT=GSC23&", {
      limit = 5000 }):query { region = sky.parse("%s"), into = "rows.csv" }]])
      :format(archive.url, region))
    assert.equal(0, code, err)
    assert.is_true(same_as_archive("TIC", region) > 100)
  end)
end)
