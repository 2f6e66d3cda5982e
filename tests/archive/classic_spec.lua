-- SPDX-License-Identifier: BSD-3-Clause
-- The classic forms against the practice archive: rows past max_records, criteria, labels, literal
-- failures, lists of targets.

package.path = assert(os.getenv("HALYARD_SOURCE")) .. "/tests/archive/?.lua;" .. package.path
local practice = require("practice")

describe("a table of the classic forms", function()
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

  -- Runs `body` as the run function of a workflow: exit code, standard output, standard error.
  local function run(body)
    archive = archive or practice.start("")
    return archive:try(folder, "classic-test", body, '"mast", ' .. archive:host())
  end

  local circle = "CIRCLE 52.5 -27.4 0.9"

  local function same_as_archive(region)
    practice.dump_ids("TIC", region, folder .. "/truth")
    local n = practice.file_ids(folder .. "/out/rows.csv", folder .. "/got")
    assert.is_true(practice.same(folder .. "/truth", folder .. "/got"))
    return n
  end

  it("gives every row once past max_records, in each format", function()
    for _, outputformat in ipairs({ "CSV", "JSON", "VOTable" }) do
      local code, _, err = run(([[return mast.classic("KIC", { outputformat = "%s" }):query {
        region = sky.parse("%s"), into = "rows.csv", row_limit = 700,
        columns = { "kic_kepmag" } }]]):format(outputformat, circle))
      assert.equal(0, code, err)
      assert.is_true(same_as_archive(circle) > 1400)
      practice.shell("rm -r " .. practice.quote(folder .. "/out"))
    end
  end)

  it("gives every row once where a form ignores max_records", function()
    archive = practice.start("--faults silent-cap=500")
    local code, _, err = run(([[return mast.classic("EPIC"):query {
      region = sky.parse("%s"), into = "rows.csv" }]]):format(circle))
    assert.equal(0, code, err)
    assert.is_true(same_as_archive(circle) > 500)
  end)

  it("gives every row once across ra 0", function()
    local box = "RANGE 359.6 0.4 10 10.6"
    local code, _, err = run(([[return mast.classic("KIC"):query {
      region = sky.parse("%s"), into = "rows.csv", row_limit = 300 }]]):format(box))
    assert.equal(0, code, err)
    assert.is_true(same_as_archive(box) > 400)
  end)

  it("answers with types, units, UCDs and dates as MJD in all formats", function()
    local code, out, err = run([[
      local seen = {}
      for _, outputformat in ipairs({ "CSV", "JSON", "VOTable" }) do
        local t = mast.classic("HST", { outputformat = outputformat }):query {
          region = sky.circle(201.697, -47.4795, 0.1) }.table
        local ra, id = t:field("sci_ra"), t:field("sci_data_set_name")
        assert(ra.type == "float64" and ra.unit == "deg")
        assert(ra.ucd:lower():find("pos.eq.ra.*main") and id.ucd:lower():find("id.*main"))
        assert(t:field("sci_pep_id").type == "int64")
        assert(t:field("sci_actual_duration").unit == "s")
        assert(math.abs(t:get(1, "sci_start_time_mjd") - 54000) < 8000)
        for _, name in ipairs(t.columns) do
          assert(name ~= "ang_sep" and not name:find(" "), name)
        end
        seen[#seen + 1] = t:encode("csv", {})
      end
      assert(seen[1] == seen[2] and seen[2] == seen[3], "formats differ")
      return #seen[1] ]])
    assert.equal(0, code, err .. out)
  end)

  it("selects as table:where selects", function()
    local code, out, err = run([[
      local kic = mast.classic("Kepler")
      local field = sky.box(290, 294, 42, 45)
      local all = kic:query { region = field }.table
      local n = 0
      for _, where in ipairs({
        { kic_kepmag = "<10" }, { kic_kepmag = { min = 10, max = 11 } }, { kic_kepmag = "10..11" },
        { sci_data_quarter = { 3, 5 } }, { sci_data_quarter = "!3" },
        { ktc_target_type = "SC", ktc_investigation_id = "GO*" }, { ktc_target_type = "!LC" },
        { sci_start_time = ">2010-06-01" }, { ktc_investigation_id = { "GO10005", "EX" } },
        { sci_data_quarter = { ">14", "1..2" } },
      }) do
        local got = kic:query { region = field, where = where }.table
        local there = {}
        for name, value in pairs(where) do
          if name ~= "sci_start_time" then
            there[name] = value
          end
        end
        local wanted = all:where(next(there) and there or { sci_start_time_mjd = ">=55348" })
        assert(#got == #wanted and #got > 0, ("%s: %d, %d"):format(next(where), #got, #wanted))
        n = n + #got
      end
      return n ]])
    assert.equal(0, code, err .. out)
  end)

  it("answers criteria and names without a region", function()
    local code, out, err = run([[
      local rows = mast.classic("Kepler"):query {
        where = { ktc_investigation_id = "GO10005", kic_kepmag = "<9" } }.table
      assert(#rows > 0)
      local near = mast.classic("HST"):query { target = "M 101", radius = "10 arcmin" }.table
      local sep = near:column("sep_deg")
      assert(#near > 0 and sep.unit == "deg" and sep:max() <= 10 / 60)
      assert(sep:max() > 0.0005)
      return #near ]])
    assert.equal(0, code, err .. out)
  end)

  it("answers lists of targets, each row with the number of its target", function()
    local code, out, err = run([[
      local rows = mast.classic("HST"):query { targets = { "M 101", "no such thing",
        "201.697 -47.4795" }, radius = "6 arcmin", columns = { "sci_instrume" } }.table
      local seen = {}
      for _, row in rows:rows() do
        seen[row.input_row] = (seen[row.input_row] or 0) + 1
        assert(row.sep_deg <= 0.1)
      end
      assert(seen[1] and not seen[2] and seen[3])
      return seen[1] ]])
    assert.equal(0, code, err .. out)
    assert.is_truthy(err:find("no such thing", 1, true), err)
    assert.is_truthy(err:find("target not resolved", 1, true), err)
  end)

  it("asks again as JSON where commas in CSV are not quoted", function()
    local code, out, err = run([[
      local rows = mast.classic("KOI"):query { region = sky.box(284, 296, 38, 48),
        columns = { "koi_comment", "koi_period" } }.table
      local noisy = rows:where { koi_comment = { "shallow, noisy" } }
      assert(#noisy > 0 and #noisy < #rows and rows:column("kepoi_name"):nulls() == 0
        and rows:field("koi_period").type == "float64")
      return #noisy ]])
    assert.equal(0, code, err .. out)
  end)

  it("tells its columns, packed or published", function()
    local code, out, err = run([[
      local koi, hut = mast.classic("KOI"):columns(), mast.classic("HUT"):columns()
      assert(#koi == 141 and #mast.classic("Kepler"):columns() == 66)
      assert(#mast.classic("K2"):columns() == 59 and #mast.catalog("EPIC"):columns() == 65)
      assert(#mast.catalog("KIC", { via = "classic" }):columns() == 44)
      assert(#hut:where { name = "hut_data_id", ucd = "meta.id;meta.main" } == 1)
      return #hut ]])
    assert.equal(0, code, err .. out)
  end)

  it("serves all missions", function()
    local code, out, err = run([[
      local missions = "befs euve fuse hpol hst hut imaps iue swiftuvot tues uit wuppe"
      for name in missions:gmatch("%S+") do
        local rows = mast.classic(name):query { region = sky.circle(10.6847, 41.2688, 3) }
        assert(rows.rows > 0, name)
      end ]])
    assert.equal(0, code, err .. out)
  end)

  it("serves tables beside the missions, with and without positions", function()
    local code, out, err = run([[
      local ffi = mast.classic("Kepler FFI")
      local q = ffi:query { where = { sci_season = 2, sci_module = { 2, 3 } } }.table
      assert(#q == 5 * 8 and math.abs(q:get(1, "sci_start_time_mjd") - 54944.5) < 365)
      assert(q:column("sci_skygroup_id"):max() <= 84)
      local field = sky.circle(291, 44, 0.2)
      local stars = mast.catalog("Kepler FOV", { via = "classic" }):query { region = field,
        row_limit = 50 }.table
      local kic = mast.classic("KIC"):query { region = field }.table
      assert(#stars > 50 and #stars == #kic and stars:get(1, "channel_1") >= 1)
      local fuse = mast.classic("FUSE exposures"):query { region = sky.circle(10.68, 41.27, 3) }
        .table
      assert(#fuse > 0 and #fuse == 2 * #fuse:unique("fes_targname"))
      local circle = sky.circle(201.697, -47.4795, 0.3)
      local all = mast.classic("Pointings exposures"):query { region = circle }.table
      local acs = mast.classic("Pointings exposures", { instrument = "ACS" })
        :query { region = circle }.table
      local fewer = mast.classic("Pointings"):query { region = circle }.table
      assert(#acs > 0 and #acs == #all:where { instrument = "ACS*" } and #fewer < #all)
      assert(fewer:field("ra").unit == "deg" and #fewer > 0)
      assert(#mast.classic("HST online"):query { region = circle }.table > 0)
      local first = mast.classic("VLA FIRST"):query { target = "M 31" }.table
      assert(#first > 0 and first:column("sep_deg"):max() > 10 / 60)
      local moved = mast.classic("HST online", { path = "hst", fields = "hst" })
      assert(moved:query { region = sky.circle(201.697, -47.4795, 0.05) }.rows > 0)
      return #stars ]])
    assert.equal(0, code, err .. out)
  end)

  it("answers a list of targets in one question, as one by one", function()
    local code, out, err = run([[
      local hst, n = mast.classic("HST"), 0
      for _, targets in ipairs({ { "M 101", "no such thing", "M 31", "NGC 5139" },
        { "201.697 -47.4795", "10 -80", { ra = 210.8024, dec = 54.3487 } } }) do
        for _, columns in ipairs({ { "sci_instrume", "sci_start_time" }, false }) do
          local options = { targets = targets, radius = "6 arcmin", columns = columns or nil,
            where = { sci_instrume = "!WFPC2*" } }
          local each = hst:query(options).table
          options.upload = true
          local once = hst:query(options).table
          assert(#once > 0 and #once == #each, #once .. " " .. #each)
          assert(once:select(each.columns):encode("csv", {}) == each:encode("csv", {}))
          assert(once:field("sci_ra").type == "float64" and once:field("sep_deg").unit == "deg")
          n = n + #once
        end
      end
      return n ]])
    assert.equal(0, code, err .. out)
    assert.is_truthy(err:find("target 2 (no such thing)", 1, true), err)
    local asked = practice.shell("curl -s " .. archive.url .. "/practice/stats")
    assert.is_truthy(asked:find('"classic hst":' .. 4 * 3 + 2 + 4, 1, true), asked)
  end)

  it("sends long questions as forms", function()
    local code, out, err = run([[
      local ids = {}
      for i = 1, 400 do
        ids[i] = 1000000000 + i
      end
      ids[401] = 675440804177832
      return mast.classic("KIC"):query { where = { kic_kepler_id = ids } }.rows ]])
    assert.equal(0, code, err .. out)
    assert.is_truthy(out:find("1", 1, true), out)
  end)

  local function fails(code_wanted, words, body)
    local code, out, err = run(body)
    assert.equal(code_wanted, code, err .. out)
    assert.is_truthy(err:find(words, 1, true), err)
  end

  it("refuses what it does not know, with the nearest names", function()
    fails(2, "did you mean sci_instrume", [[return mast.classic("HST"):query {
      where = { sci_instrum = "ACS" } }]])
    fails(2, "did you mean kic_kepmag", [[return mast.classic("KIC"):query {
      region = sky.circle(10, 10, 0.1), columns = { "kic_kepma" } }]])
    fails(2, "did you mean HST", [[return mast.classic("HSTT"):columns()]])
    fails(2, "is not a number", [[return mast.classic("HST"):query {
      where = { sci_pep_id = "abc" } }]])
    fails(2, "needs a region", [[return mast.classic("HST"):query { where = {
      sci_instrume = "!ACS" } }]])
    fails(2, "exclude each other", [[return mast.classic("HST"):query { target = "M 101",
      region = sky.circle(10, 10, 1) }]])
    fails(2, "did you mean SIMBAD", [[return mast.classic("HST"):query { target = "M 101",
      resolver = "SIMBADD" }]])
    fails(2, 'comma or one of', [[return mast.classic("HST"):query { where = {
      sci_pi_last_name = "=Doe" } }]])
    fails(2, 'for any of several { "Doe", "J" }', [[return mast.classic("HST"):query { where = {
      sci_pi_last_name = "Doe, J" } }]])
  end)

  it("answers longer lists in as many questions as the form needs", function()
    local code, out, err = run([[
      local targets = {}
      for i = 1, 5000 do
        targets[i] = "no such thing " .. i
      end
      targets[5001] = "M 101"
      local rows = mast.classic("HST"):query { targets = targets, upload = true }.table
      assert(#rows > 0 and #rows:where { input_row = 5001 } == #rows)
      return #rows ]])
    assert.equal(0, code, err:sub(1, 500) .. out)
    assert.is_truthy(err:find("target 5000 (no such thing 5000)", 1, true))
    local asked = practice.shell("curl -s " .. archive.url .. "/practice/stats")
    assert.is_truthy(asked:find('"classic hst":2', 1, true), asked)
  end)

  it("takes no list for answered that is not", function()
    fails(2, "target not resolved", [[return mast.classic("HST"):query { upload = true,
      targets = { "nowhere", "no such thing" } }]])
    fails(4, "an HTML page and not a result for each line", [[return mast.classic("HST"):query {
      targets = { "M 101" }, upload = { file = "upload" } }]])
    fails(7, "use a region", [[return mast.classic("KIC"):query { upload = true, row_limit = 5,
      targets = { "291 44", "292 45" }, radius = "1 deg" }]])
    fails(7, "a comma is not quoted: leave upload out", [[return mast.classic("KOI"):query {
      upload = true, targets = { "291 44" }, radius = "3 deg" }]])
    fails(2, "all names or all positions", [[return mast.classic("HST"):query { upload = true,
      targets = { "M 101", "10 10" } }]])
    fails(2, "upload goes with targets", [[return mast.classic("HST"):query { upload = true,
      target = "M 101" }]])
    fails(2, "did you mean file", [[return mast.classic("HST"):query { targets = { "M 101" },
      upload = { fiel = "x" } }]])
    fails(2, "no column is known to hold positions", [[return mast.classic("Kepler FFI"):query {
      region = sky.circle(290, 44, 1) }]])
    fails(2, "instrument is for the pointings", [[return mast.classic("HST",
      { instrument = "ACS" })]])
    fails(2, "{ fields = ", [[return mast.classic("HST online", { fields = "none" }):columns()]])
  end)

  it("fails in the service's own words", function()
    fails(2, "target not resolved", [[return mast.classic("HST"):query { target = "nowhere" }]])
    for _, outputformat in ipairs({ "CSV", "JSON", "VOTable" }) do
      fails(2, "no rows found", ([[return mast.classic("HST", { outputformat = "%s" }):query {
        where = { sci_pep_id = 1 } }]]):format(outputformat))
    end
    fails(7, "use a region", [[return mast.classic("Kepler"):query {
      where = { kic_kepmag = "<12" }, row_limit = 20 }]])
  end)

  it("is an error when it is an HTML page", function()
    archive = practice.start("--faults html")
    fails(4, "HTML", [[return mast.classic("KIC"):query { region = sky.circle(10, 10, 0.1) }]])
  end)

  it("answers cone searches at the same address", function()
    archive = practice.start("--row-cap 700")
    local code, _, err = run(([[return vo.cone(%q .. "/kepler/kic10/search.php?", {
      limit = 700 }):query { region = sky.parse("%s"), into = "rows.csv" }]])
      :format(archive.url, circle))
    assert.equal(0, code, err)
    assert.is_true(same_as_archive(circle) > 1400)
    fails(4, "SR is outside 0 to 90", ([[return vo.cone(%q .. "/hst/search.php?"):query {
      region = sky.circle(10, 0, 100) }]]):format(archive.url))
  end)
end)
