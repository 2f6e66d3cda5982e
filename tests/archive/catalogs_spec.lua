-- SPDX-License-Identifier: BSD-3-Clause
-- Catalogs.MAST against the practice archive: full pages, nulls, criteria, formats, crossmatch, and
-- what is refused.

package.path = assert(os.getenv("HALYARD_SOURCE")) .. "/tests/archive/?.lua;" .. package.path
local practice = require("practice")

describe("Catalogs.MAST", function()
  local archive, folder

  before_each(function()
    folder = practice.folder()
    archive = practice.start("")
  end)

  after_each(function()
    archive:stop()
    practice.remove(folder)
  end)

  -- Runs `body` as the run function of a workflow; `ps1` is Pan-STARRS, `region` a circle.
  local function run(body)
    return archive:try(folder, "catalogs-test", [[
    local function of(name) return mast.catalog(name, { via = "catalogs" }) end
    local ps1, region = of("Pan-STARRS DR2 mean"), sky.circle(210.8, 54.35, 0.3)
    ]] .. body)
  end

  local function passes(body)
    local code, _, err = run(body)
    assert.equal(0, code, err)
  end

  local function fails(code, words, body)
    local got, _, err = run(body)
    assert.equal(code, got, err)
    assert.is_truthy(err:find(words, 1, true), err)
  end

  -- The identifiers that the documented rule gives the stars of a circle.
  local function truth(circle)
    local program = [=[
import csv, math, subprocess, sys
out = subprocess.run([sys.argv[1], "--dump", "gaia", "--region", sys.argv[2]],
                     capture_output=True, text=True, check=True).stdout
for row in csv.DictReader(out.splitlines()):
    ra, dec, number = float(row["ra"]), float(row["dec"]), int(row["source_id"]) // 128
    zone = math.floor((90 + dec) / 0.0083333)
    print(zone * 10**13 + math.floor(ra * 1e6) * 10**4 + number % 10**4)
]=]
    return practice.shell(("python3 -c %s %s/halyard-practice %s | LC_ALL=C sort"):format(
      practice.quote(program), practice.quote(os.getenv("HALYARD_BIN")), practice.quote(circle)))
  end

  it("gives every object once past a full page", function()
    archive:stop()
    archive = practice.start("--row-cap 150")
    passes([[local r = ps1:query { region = sky.circle(210.8, 54.35, 0.5), columns = { "objID" },
      into = "rows.csv", row_limit = 150 }
      assert(r.account.tiles_done > 5)]])
    local got = practice.shell(("tail -n +2 %s/out/rows.csv | cut -d, -f1 | LC_ALL=C sort"):format(
      folder))
    assert.is_true(select(2, got:gsub("\n", "")) > 1000)
    assert.equal(truth("CIRCLE 210.8 54.35 0.5"), got)
  end)

  it("compares with the archive's count where there is one", function()
    passes([[local r = ps1:query { region = region }
      assert(r.verified == "equal to the archive's count", r.verified)
      assert(ps1:count { region = region } == r.rows)]])
  end)

  it("tells units of Hubble sources, which its lists lack", function()
    passes([[local rows = of("HSC v3 summary magaper2"):query { region = region,
        columns = { "A_F814W", "A_F814W_N", "StartMJD", "TargetName" } }.table
      local units = { MatchRA = "deg", MatchDec = "deg", A_F814W = "mag", StartMJD = "d" }
      for _, name in ipairs(rows.columns) do
        assert((rows:field(name).unit or "") == (units[name] or ""), name)
      end]])
  end)

  it("has nulls for -999, exact identifiers, units, and a position for every row", function()
    passes([[local rows = ps1:query { region = region }.table
      assert(rows:column("gMeanPSFMag"):nulls() > 0 and rows:column("gMeanPSFMag"):min() > 0)
      assert(rows:column("raMean"):nulls() > 0 and rows:column("ra"):nulls() == 0)
      assert(rows:field("objID").type == "int64" and rows:field("raMean").unit == "deg")
      assert(rows:field("gMeanPSFMag").unit == "mag" and rows:field("ra").ucd:find("main"))
      for _, name in ipairs(rows.columns) do assert(name ~= "distance") end]])
  end)

  it("selects as tables do, whatever the service makes of ranges and nulls", function()
    passes([[local all = ps1:query { region = region }.table
      local cases = { { rMeanPSFMag = "<18" }, { rMeanPSFMag = "17..19", nDetections = ">5" },
        { ng = { 0, 12 } }, { ng = "!0" }, { objName = "PSO J210*" }, { gMeanPSFMag = ">20" } }
      for i, where in ipairs(cases) do
        local got = ps1:query { region = region, where = where, columns = { "objID" } }.table
        assert(#got == #all:where(where) and #got > 0, tostring(i))
        for _, name in ipairs(got.columns) do assert(name ~= "gMeanPSFMag") end
      end
      assert(ps1:count { region = region, where = { gMeanPSFMag = ">20" } }
        == #all:where { gMeanPSFMag = ">20" })]])
  end)

  it("reads the same from every format, of every table", function()
    passes([[
      local circle = sky.circle(210.8, 54.35, 0.04)
      for _, name in ipairs { "Pan-STARRS DR1 mean", "Pan-STARRS DR1 stack", "Pan-STARRS DR2 stack",
        "Pan-STARRS DR2 detection", "Pan-STARRS DR2 forced mean", "HSC v2 summary magaper2",
        "HSC v3 summary magauto", "HSC v3 detailed", "HSC v3 propermotions",
        "HSC v3 sourcepositions", "HSC v3 HCV summary", "HSC v3 HCV" } do
        local catalogue, ids = of(name), nil
        for _, format in ipairs { "json", "csv", "votable" } do
          local rows = catalogue:query { region = circle, answers = format }.table
          local keys = table.concat(rows:list(catalogue.id), " ")
          assert(#rows > 0 and (not ids or ids == keys), name .. " " .. format)
          ids = keys
        end
      end]])
  end)

  it("matches a list of positions, in parts", function()
    passes([[
      local stars = mast.catalog("TIC"):query { region = sky.circle(210.8, 54.35, 0.2) }.table
      local found = ps1:crossmatch(stars, "1 arcsec", { columns = { "objName" } })
      assert(#found > #stars * 0.8)
      for _, row in found:rows() do
        local star = stars[row.row]
        local apart = sky.separation(star.ra, star.dec, row.ra, row.dec)
        assert(math.abs(apart - row.sep_deg) < 1e-12 and apart <= 1 / 3600)
      end
      local other = ps1:crossmatch(stars:head(3):rename { ra = "x" }, 1 / 3600, { ra = "x" })
      assert(#other == #found:where { row = "<=3" })
      local names = mast.resolve { "M 101", "no such thing" }
      local near = ps1:crossmatch(names, "2 arcmin")
      assert(#names == 1 and #near > 0 and near:column("row"):max() == 1)]])
  end)

  it("gives the whole table of planets", function()
    passes([[local all = of("EAOT"):query {}.table
      local hat = of("EAOT"):query { where = { planet_name = "HAT*" },
        columns = { "Rp", "Mp" } }
      assert(#all == 22 and hat.rows == 6 and of("EAOT"):count {} == 22)
      assert(#of("EAOT"):query { region = sky.circle(292.2, 48, 0.2) }.table == 2)]])
  end)

  it("refuses what is wrong, in words", function()
    fails(2, "did you mean gMeanPSFMag", [[ps1:query { region = region,
      where = { gMeanPSFMg = 1 } }]])
    fails(2, "is not a number", [[ps1:query { region = region, where = { ng = "many" } }]])
    fails(2, "needs a region", [[ps1:query {}]])
    fails(2, "up to 0.5 deg", [[ps1:crossmatch(of("EAOT"):query {}.table, "1 deg",
      { ra = "RA", dec = "DEC" })]])
    fails(2, "known: json, csv, votable", [[ps1:query { region = region, answers = "fits" }]])
    fails(2, "Pan-STARRS DR2 mean", [[mast.catalog("Pan-STARRS DR2 meen", { via = "catalogs" })]])
    fails(4, "dec 95 is not on the sky", [[ps1:crossmatch(
      halyard.table.from_rows({ { ra = 1, dec = 95 } }, { "ra", "dec" }), "1 arcsec")]])
  end)

  it("is an error when it is something else", function()
    archive:stop()
    archive = practice.start("--faults html")
    local code, _, err = run("return ps1:query { region = region }.rows")
    assert.is_true(code ~= 0)
    assert.is_truthy(err:find("HTML", 1, true), err)
  end)
end)
