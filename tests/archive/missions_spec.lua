-- SPDX-License-Identifier: BSD-3-Clause
-- The missions search API against the practice archive: pages, tiles, positions, criteria, files,
-- and what is refused.

package.path = assert(os.getenv("HALYARD_SOURCE")) .. "/tests/archive/?.lua;" .. package.path
local json = require("halyard.json")
local missions = require("halyard.archive.missions")
local practice = require("practice")
local tiling = require("halyard.query")
local report = require("halyard.report")
local sky = require("halyard.core.sky")
local system = require("halyard.core.system")

describe("the missions search API", function()
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

  -- Runs `body` as the run function of a workflow; `hst` is the mission.
  local function run(body)
    return archive:try(folder, "missions-test", [[
    local hst = mast.mission("hst")
    ]] .. body)
  end

  local function fails(code, words, body)
    local got, _, err = run(body)
    assert.equal(code, got, err)
    assert.is_truthy(err:find(words, 1, true), err)
  end

  -- Identifiers of HST observations whose centre is in the circle, as the archive dumps them.
  local function truth(ra, dec, radius)
    local python = ([[
import csv, math, subprocess, sys
out = subprocess.run([sys.argv[1], "--dump", "observations", "--region", "CIRCLE %s %s %s"],
                     capture_output=True, text=True, check=True).stdout
def apart(a, b, c, d):
    a, b, c, d = map(math.radians, (a, b, c, d))
    h = math.sin((d - b) / 2) ** 2 + math.cos(b) * math.cos(d) * math.sin((c - a) / 2) ** 2
    return math.degrees(2 * math.asin(math.sqrt(h)))
for row in csv.DictReader(out.splitlines()):
    at = float(row["s_ra"]), float(row["s_dec"])
    if row["obs_collection"] == "HST" and apart(*at, %s, %s) <= %s:
        print(row["obs_id"].upper())
]]):format(ra, dec, radius, ra, dec, radius)
    return practice.shell(("python3 -c %s %s/halyard-practice | LC_ALL=C sort"):format(
      practice.quote(python), practice.quote(os.getenv("HALYARD_BIN"))))
  end

  local function ids(csv)
    return practice.shell(("tail -n +2 %s | cut -d, -f1 | LC_ALL=C sort"):format(
      practice.quote(folder .. "/out/" .. csv)))
  end

  it("gives every dataset once, page after page and tile after tile", function()
    archive = practice.start("--row-cap 7")
    local code, _, err = run([[return hst:query { into = "rows.csv", row_limit = 12,
      region = sky.circle(148.9, 69.37, 0.6), columns = { "sci_targname" } }]])
    assert.equal(0, code, err)
    local got = ids("rows.csv")
    assert.is_true(select(2, got:gsub("\n", "")) > 30)
    assert.equal(truth(148.9, 69.37, 0.6), got)
  end)

  it("splits what positions cannot by the start of exposure and the program", function()
    archive = practice.start("")
    local setting = system.setting
    finally(function()
      system.setting = setting
    end)
    system.setting = function(name)
      return name == "archive" and archive.url or setting(name)
    end
    local output = system.default_output(folder)
    system.make_dirs("")
    local record = report.new({ output = output })
    report.begin(record)
    local region = sky.circle(148.9, 69.37, 0.3)
    for _, names in ipairs({ { "sci_start_time" }, { "sci_pep_id" },
      { "sci_pep_id", "sci_start_time" } }) do
      local source = missions.mission("hst").record.source({ region = region, columns = names })
      local whole = source.plain and source.refine((source.fetch({ ra = 148.9, dec = 69.37,
        radius = 0.3 })))
      -- Tiles of less than 0.4 deg would not be safe, so that no tile holds few rows.
      source.service.guard_arcsec, source.service.radius_max_deg = 300, 2
      source.service.cap = 5
      local rows = tiling.run(source, region, {}).table
      local got, wanted = rows:list("sci_data_set_name"), {}
      for i = 1, #whole do
        if region:contains(whole:get(i, "sci_ra"), whole:get(i, "sci_dec")) then
          wanted[#wanted + 1] = whole:get(i, "sci_data_set_name")
        end
      end
      table.sort(got)
      table.sort(wanted)
      assert.is_true(#wanted > 10, #wanted)
      assert.same(wanted, got)
      local ranges = 0
      for _, tile in ipairs(json.decode(practice.read(("%s/query-%d.account.json"):format(output,
        record.accounts))).tiles) do
        ranges = ranges + ((tile.column == "sci_start_time_mjd" or tile.column == "sci_pep_id")
          and tile.kept > 0 and 1 or 0)
      end
      assert.is_true(ranges > 2, ranges)
    end
  end)

  it("tells units, times as MJD, and texts without padding", function()
    archive = practice.start("")
    local code, out, err = run([[
      local rows = hst:query { region = sky.circle(148.9, 69.1, 0.1) }.table
      assert(rows:field("sci_ra").unit == "deg")
      assert(rows:field("sci_ra").ucd == "pos.eq.ra;meta.main")
      assert(rows:field("sci_actual_duration").unit == "s")
      assert(rows:field("sci_start_time_mjd").unit == "d")
      for _, row in rows:rows() do
        assert(row.sci_instrume:match("^%w+$"), row.sci_instrume)
        assert(row.sci_start_time_mjd > 52000)
      end
      for _, name in ipairs(rows.columns) do assert(name ~= "ang_sep" and name ~= "search_key") end
      return #rows]])
    assert.equal(0, code, err)
    assert.is_true(tonumber(out:match("%d+")) >= 10, out)
  end)

  it("searches around many positions at once, distances in degrees", function()
    archive = practice.start("--row-cap 5")
    local code, _, err = run([[
      local list = { "M 81", "M 82", "M 81", "10 10" }
      local rows = hst:query { targets = list, radius = "5 arcmin" }.table
      local groups = rows:group("target", { n = "count" })
      assert(#groups == 2 and groups[1].n > 5, tostring(groups))
      for _, row in rows:rows() do
        local place = mast.resolve(row.target)
        local apart = sky.separation(place.ra, place.dec, row.sci_ra, row.sci_dec)
        assert(math.abs(apart - row.sep_deg) < 1e-9 and apart <= 5 / 60)
      end
      assert(hst:count { targets = list, radius = "5 arcmin" } == #rows)
      local more = {}
      for i = 1, 150 do more[i] = { ra = i, dec = 5 } end
      more[151] = "M 81"
      local again = hst:query { targets = more, radius = "5 arcmin" }.table
      local of_m81 = rows:where { target = "M 81" }
      assert(#again:where { target = "M 81" } == #of_m81)]])
    assert.equal(0, code, err)
    local asked = practice.shell(("curl -s %s/practice/log"):format(archive.url))
    assert.is_truthy(asked:find("search/hst", 1, true))
  end)

  it("selects by criteria at the archive, and here what it cannot", function()
    archive = practice.start("")
    local code, _, err = run([[
      local region = sky.circle(148.9, 69.37, 0.45)
      local all = hst:query { region = region }.table
      local cases = {
        { sci_instrume = { "ACS", "!WFC3" } }, { sci_instrume = "WF*" },
        { sci_actual_duration = ">500", sci_hapnum = 1 },
        { sci_pi_last_name = "O'Neill, Ann" }, { sci_targname = "!M 81-FIELD1" },
        { sci_refnum = { min = 3, max = 30 } }, { sci_refnum = "!3..30" },
      }
      for i, where in ipairs(cases) do
        local got, known = hst:query { region = region, where = where }.table, all:where(where)
        assert(#got == #known and #got < #all and #got > 0, i .. ": " .. #got .. " " .. #known)
        if i < 4 then
          assert(hst:count { region = region, where = where } == #got)
        end
      end
      assert(hst:query { region = region, where = { sci_instrume = "ACS,WFC3" } }.rows == 0)
      local dated = hst:query { region = region,
        where = { sci_start_time = "2010-01-01..2015-06-30" } }.table
      local known = all:where { sci_start_time_mjd = "55197..57203" }
      assert(#dated == #known and #known > 0)]])
    assert.equal(0, code, err)
    assert.is_truthy(err:find('sci_instrume = "ACS,WFC3" is one text with a comma; any of several '
      .. 'is a list, { "ACS", "WFC3" }', 1, true), err)
  end)

  it("serves every mission, its datasets and their files", function()
    archive = practice.start("")
    for name, id in pairs({ hst = "sci_data_set_name", jwst = "fileSetName", iue = "iue_data_id",
      roman = "fileSetName", ullyses = "observation_id" }) do
      local code, _, err = run(([[
        local mission = mast.mission("%s")
        local rows = mission:query { region = sky.circle(210.80, 54.35, 0.2) }.table
        assert(#rows > 0 and rows:field("%s").ucd == "meta.id;meta.main")
        local files = mission:products(rows):where { access = "PUBLIC", size = "<200000" }
        local got = retrieve.products(files:head(2), { dir = "%s" })
        assert(#got == 2 and got[1].bytes == files[1].size)]]):format(name, id, name))
      assert.equal(0, code, name .. ": " .. err)
    end
    local code, _, err = run([[
      local rows = mast.mission("classy"):query { region = sky.circle(322.5, 12.17, 0.3) }.table
      assert(#rows > 0 and #mast.mission("classy"):products(rows:list("Target")) > 0)]])
    assert.equal(0, code, err)
  end)

  it("refuses what is wrong, in words", function()
    archive = practice.start("")
    fails(2, "did you mean ullyses", [[mast.mission("ulysses")]])
    fails(2, "did you mean sci_instrume", [[hst:query { region = sky.circle(1, 1, 0.1),
      where = { sci_instrum = "ACS" } }]])
    fails(2, "is not a number", [[hst:count { where = { sci_pep_id = "invalid" } }]])
    fails(2, "cannot exclude a range of dates", [[hst:count {
      where = { sci_start_time = "!2010..2012" } }]])
    fails(2, "is not a date", [[hst:count { where = { sci_start_time = "soon" } }]])
    fails(2, "above the service's limit", [[hst:query { targets = { "M 81" }, radius = "1 deg" }]])
    fails(2, "not both", [[hst:query { targets = { "M 81" }, region = sky.circle(1, 1, 0.1) }]])
    fails(7, "rows in one answer are more than 2: give a region", [[hst:query {
      where = { sci_instrume = "ACS" }, row_limit = 2 }]])
    fails(2, "cannot count this region", [[hst:count { region = sky.circle(1, 1, 3) }]])
    fails(2, "Nowhere 7", [[hst:query { targets = { "Nowhere 7" } }]])
    fails(4, "radius must be between 0 and 30 arcminutes", [[mast.mission("hst",
      { radius_max = "2 deg" }):query { region = sky.circle(1, 1, 1) }]])
    fails(2, "lists no products", [[hst:products { "NOTTHERE1" }]])
  end)

  it("compares with the archive's counts beyond the largest circle of a request", function()
    archive = practice.start("")
    local code, _, err = run([[
      local box = sky.box(148, 150, 69, 70)
      local of_box = hst:query { region = box, where = { sci_instrume = "ACS" } }
      assert(of_box.verified == "equal to the archive's count", of_box.verified)
      assert(hst:count { region = box, where = { sci_instrume = "ACS" } } == of_box.rows)
      local wrapped = sky.box(359, 1, -5, 5)
      assert(hst:count { region = wrapped } == #hst:query { region = wrapped }.table)
      local of_circle = hst:query { region = sky.circle(148.9, 69.37, 0.7) }
      assert(of_circle.rows > of_box.rows)
      assert(of_circle.verified == "every answer equal to the archive's count of it")]])
    assert.equal(0, code, err)
  end)

  it("puts many files into one zip, all that were asked for", function()
    archive = practice.start("")
    local code, _, err = run([[
      local rows = hst:query { region = sky.circle(148.9, 69.37, 0.3) }.table
      local files = hst:products(rows):where { access = "PUBLIC", size = "<100000" }:head(5)
      assert(#files == 5)
      local flat = hst:bundle(files)
      local nested = hst:bundle(files, { name = "nested", structure = "nested" })
      local list = hst:bundle(files, { manifest = true, name = "list" })
      assert(#flat == 1 and flat[1].file == "hst.zip" and flat[1].files == 5)
      assert(list[1].file == "list.html" and nested[1].bytes > 0)
      local large = {}
      for i, row in files:rows() do
        large[i] = { dataURI = row.dataURI, size = i < 3 and 120 << 20 or 1000 }
      end
      local parts = hst:bundle(large, { name = "parts" })
      assert(#parts == 2 and parts[2].file == "parts-2.zip" and parts[1].files == 1)
      local alone = retrieve.products(files, { dir = "alone", flat = true })
      assert(#alone == 5)]])
    assert.equal(0, code, err)
    local at = practice.quote(folder .. "/out")
    local tested = practice.shell(("cd %s && unzip -tq hst.zip; mkdir u; cd u; unzip -q ../hst.zip"
      .. " && rm MANIFEST.html && for f in *; do cmp $f ../alone/$f && echo same; done"):format(at))
    assert.is_truthy(tested:find("No errors detected", 1, true), tested)
    assert.equal(5, select(2, tested:gsub("same", "")), tested)
    local nested = practice.shell(("unzip -l %s/nested.zip"):format(at))
    assert.equal(5, select(2, nested:gsub("%s[%w_]+/[%w_.]+\n", "")), nested)
    assert.is_truthy(practice.read(folder .. "/out/list.html"):find("COMPLETE", 1, true))
  end)

  it("refuses zips that would not be whole", function()
    archive = practice.start("")
    fails(3, "left 1 of 1 files out of the zip", [[
      local rows = hst:query { region = sky.circle(148.9, 69.37, 0.45),
        where = { sci_status = "PROPRIETARY" } }.table
      hst:bundle(hst:products(rows):head(1))]])
    fails(2, "pass rows of its products", [[hst:bundle({ { dataURI = "mast:HST/product/x" } })]])
    fails(2, "there are no files", [[hst:bundle({})]])
    fails(2, "too many for a zip", [[hst:bundle({ { dataURI = "mission:hst/A/b.fits",
      size = 1 << 30 } })]])
    fails(2, "did you mean nested", [[hst:bundle({ { dataURI = "mission:hst/A/b.fits" } },
      { structure = "nestd" })]])
    archive:stop()
    archive = practice.start("--faults html")
    fails(4, "and not a whole zip", [[hst:bundle({ { dataURI = "mission:hst/A/b.fits" } })]])
  end)

  it("needs a token for files that are not public", function()
    archive = practice.start("")
    fails(6, "You are not authorized to access this file", [[
      local rows = hst:query { region = sky.circle(148.9, 69.37, 0.45),
        where = { sci_status = "PROPRIETARY" } }.table
      retrieve.products(hst:products(rows):head(1))]])
  end)

  it("is an error when pages are missing or it is something else", function()
    archive = practice.start("--faults silent-cap=5")
    local query = "hst:query { region = sky.circle(148.9, 69.1, 0.1) }"
    local code, _, err = run(query)
    assert.equal(0, code, err) -- short pages are read on
    archive:stop()
    archive = practice.start("--faults html")
    code, _, err = run(query)
    assert.is_true(code ~= 0)
    assert.is_truthy(err:find("HTML", 1, true), err)
  end)
end)
