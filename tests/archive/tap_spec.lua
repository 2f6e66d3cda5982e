-- SPDX-License-Identifier: BSD-3-Clause
-- TAP against the practice archive: queries at once and as jobs, uploads in parts, tables in tiles,
-- and what each thing that can be wrong says.

package.path = assert(os.getenv("HALYARD_SOURCE")) .. "/tests/archive/?.lua;" .. package.path
local practice = require("practice")

describe("a TAP service", function()
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

  -- Runs `body` as the run function of a workflow; `gaia` is the service of Gaia DR3.
  local function run(body, hosts, where)
    return archive:try(where or folder, "tap-test", [[
    local gaia = mast.tap("gaiadr3")
    local circle = "1=CONTAINS(POINT('ICRS', ra, dec), CIRCLE('ICRS', 52.5, -27.4, 0.3))"
    ]] .. body, hosts)
  end

  local function works(body)
    local code, out, err = run(body)
    assert.equal(0, code, err)
    return out, err
  end

  -- One line of errors with all the texts.
  local function fails(code, body, ...)
    local got, _, err = run(body)
    assert.equal(code, got, err)
    for _, text in ipairs({ ... }) do
      assert.is_truthy(err:find(text, 1, true), ("%q lacks %q"):format(err, text))
    end
  end

  local function count_of(region)
    return tonumber(practice.shell(("%s --dump gaia --region %s | tail -n +2 | wc -l"):format(
      practice.quote(os.getenv("HALYARD_BIN") .. "/halyard-practice"), practice.quote(region))))
  end

  it("answers a query at once and as a job with the same rows", function()
    archive = practice.start("")
    local query = "SELECT source_id, ra, dec, phot_g_mean_mag FROM gaia_source WHERE "
    for _, mode in ipairs({ "sync", "async", "auto" }) do
      local out = works(([[
        local r = gaia:query(%q .. circle, { mode = %q, into = %q })
        return { rows = r.rows }]]):format(query, mode, mode .. ".csv"))
      assert.equal(count_of("CIRCLE 52.5 -27.4 0.3"), tonumber(out:match("rows%s+(%d+)")))
    end
    assert.is_true(practice.same(folder .. "/out/sync.csv", folder .. "/out/async.csv"))
    assert.is_true(practice.same(folder .. "/out/sync.csv", folder .. "/out/auto.csv"))
  end)

  it("gives units, UCDs and exact identifiers", function()
    archive = practice.start("")
    works([[
      local t = gaia:query("SELECT TOP 1 source_id, ra FROM gaia_source WHERE " .. circle).table
      assert(t:field("ra").unit == "deg" and t:field("ra").ucd == "pos.eq.ra;meta.main")
      assert(math.type(t:get(1, "source_id")) == "integer" and t:get(1, "source_id") > 2 ^ 53)
      return t]])
  end)

  it("checks names before it asks", function()
    archive = practice.start("")
    fails(2, [[return gaia:query("SELECT g.raa FROM gaia_source AS g")]], "gaia_source: raa",
      "did you mean ra")
    fails(2, [[return gaia:query("SELECT source_id FROM gaia_source WHERE phot_g_mag < 3")]],
      "phot_g_mag", "phot_g_mean_mag")
    fails(2, [[return gaia:query("SELECT ra FROM gaia_sources")]], "gaia_sources",
      "did you mean gaia_source?")
    fails(2, [[return gaia:query("SELECT ra FROM TAP_UPLOAD.mine")]], "TAP_UPLOAD.mine")
    fails(2, [[return gaia:table("gaia_source"):query { region = sky.circle(1, 2, 0.1),
      where = { ruwee = "<1" } }]], "ruwee", "did you mean ruwe")
    fails(2, [[return gaia:table("gaia_source"):query { region = sky.circle(1, 2, 0.1),
      where = { ruwe = "small" } }]], "ruwe", "not a number")
    fails(2, [[return gaia:query("SELECT ra FROM gaia_source", { maxrec = 1000000 })]], "100000")
    fails(2, [[return gaia:query("SELECT ra FROM gaia_source", { mod = "sync" })]], "mode")
    fails(2, [[return vo.tap("gaia")]], "URL")
    local log = practice.shell("curl -s " .. archive.url .. "/practice/stats")
    assert.is_nil(log:find('"/async"', 1, true))
  end)

  it("is refused in the service's own words", function()
    archive = practice.start("")
    fails(4, [[return gaia:query("SELECT ra FROM gaia_source WHERE", { mode = "sync" })]],
      "HTTP 400", 'Encountered "end of the query"')
    fails(4, [[return gaia:query("SELECT nosuch(ra) FROM gaia_source")]],
      "Unknown function: nosuch")
    fails(4, [[return gaia:query("SELECT nosuch(ra) FROM gaia_source", { mode = "async" })]],
      "the job failed", "Unknown function: nosuch", "/async/job")
    fails(2, [[return mast.tap("nosuch"):tables()]], "nosuch is not here")
  end)

  it("may answer errors with HTTP 200, in BINARY2, and keep its jobs elsewhere", function()
    archive = practice.start("--faults tap-dachs")
    works([[
      assert(gaia:capabilities().binary:find("BINARY2"))
      local r = gaia:query("SELECT source_id, radial_velocity AS v, 'a' || source_id AS name "
        .. "FROM gaia_source WHERE " .. circle).table
      assert(r:column("v"):nulls() > 0 and r:get(1, "name") == "a" .. r:get(1, "source_id"))]])
    fails(4, [[return gaia:query("SELECT nosuch(ra) FROM gaia_source", { mode = "sync" })]],
      "Unknown function: nosuch")
    fails(4, [[return gaia:query("SELECT nosuch(ra) FROM gaia_source", { mode = "async" })]],
      "Unknown function: nosuch", "/__system__/run/job")
    works([[
      local r = gaia:query("SELECT TOP 3 ra FROM gaia_source", { mode = "async" })
      assert(r.rows == 3 and r.job:find("/__system__/run/job", 1, true))]])
  end)

  it("never takes an answer that was cut for a whole one", function()
    archive = practice.start("--row-cap 300")
    for _, mode in ipairs({ "sync", "async" }) do
      fails(7, ([[return gaia:query("SELECT ra FROM gaia_source WHERE " .. circle,
        { mode = %q })]]):format(mode), "more rows than the 300", "in parts")
      fails(7, ([[return gaia:query("SELECT ra FROM gaia_source WHERE " .. circle,
        { mode = %q, maxrec = 20 })]]):format(mode), "more rows than the 20", "raise maxrec")
    end
    local out = works([[local r = gaia:query("SELECT TOP 20 ra FROM gaia_source WHERE " .. circle)
      return { rows = r.rows }]])
    assert.equal(20, tonumber(out:match("rows%s+(%d+)")))
  end)

  it("suspects a service that cuts and does not say so", function()
    archive = practice.start("--row-cap 300 --faults silent-cap=300")
    fails(7, [[return gaia:query("SELECT ra FROM gaia_source WHERE " .. circle)]],
      "more rows than the 300")
  end)

  it("waits for a job, reads it, and deletes it", function()
    archive = practice.start("--faults executing=2")
    works([[
      local r = gaia:query("SELECT TOP 3 ra FROM gaia_source", { mode = "async" })
      assert(r.rows == 3 and r.job)
      local ok, err = halyard.try(gaia:job(r.job).phase, gaia:job(r.job))
      assert(not ok and err.code == "not_found", tostring(err))]])
    local log = practice.shell("curl -s " .. archive.url .. "/practice/log")
    assert.is_truthy(log:find('"DELETE"', 1, true))
    local _, polls = log:gsub('"/vo%-tap/api/v0.1/gaiadr3/async/job000001"', "")
    assert.is_true(polls < 8, polls .. " polls")
  end)

  it("takes up a job of another run by its address", function()
    archive = practice.start("--faults executing=1")
    local out = works([[return { url = gaia:submit("SELECT TOP 4 ra FROM gaia_source").url }]])
    local url = out:match("http://%S+/async/job%d+")
    out = works(([[
      local job = gaia:job(%q)
      local first = job:result { keep = true }
      assert(job:phase() == "COMPLETED")
      return { first = first.rows, again = job:result().rows }]]):format(url))
    assert.is_truthy(out:find("first%s+4") and out:find("again%s+4"), out)
    fails(2, ([[return gaia:job(%q):result()]]):format(url), "there is no job")
    fails(2, [[return gaia:job("http://elsewhere.example/async/1")]], "URL of a job of")
  end)

  it("leaves the address of a running job on disk when it is killed", function()
    archive = practice.start("--faults executing=60")
    run("return 1")
    local path = folder .. "/killed.lua"
    assert(os.execute(("sed 's/return 1/return gaia:query(\"SELECT TOP 2 ra FROM gaia_source\", "
      .. "{ mode = \"async\" })/; s/tap-test/killed/' %s/tap-test.lua >%s"):format(folder, path)))
    local killer <close> = io.popen(([[%s run %s --archive %s -o %s/out --quiet >/dev/null 2>&1 &
      pid=$!; read _; kill -9 $pid; wait $pid 2>/dev/null]]):format(practice.quote(
      os.getenv("HALYARD_BIN") .. "/halyard"), path, archive.url, folder), "w")
    practice.shell(([[for i in $(seq 300); do
      test -s %s/out/.halyard/jobs && break; sleep 0.1; done]]):format(folder))
    local url = practice.read(folder .. "/out/.halyard/jobs"):match("^(http://%S+/async/job%d+)\n$")
    local beside = practice.folder()
    assert.equal(0, run(([[
      local job = gaia:job(%q)
      repeat -- it was noted before it was told to begin
        local phase = job:phase()
        assert(phase == "PENDING" or phase == "QUEUED" or phase == "EXECUTING", phase)
      until phase == "EXECUTING"]]):format(url), nil, beside))
    practice.remove(beside)
    killer:close()
    works(([[
      local job = gaia:job(%q)
      assert(job:phase() == "EXECUTING")
      job:abort()
      job:delete()]]):format(url))
    assert.equal("", practice.read(folder .. "/out/.halyard/jobs"))
  end)

  it("raises what ends a job badly", function()
    archive = practice.start("--faults executing=30")
    fails(4, [[return gaia:query("SELECT TOP 3 ra FROM gaia_source",
      { mode = "async", duration = 1 })]], "aborted", "execution duration", "/async/job")
    works([[
      local job = gaia:submit("SELECT TOP 3 ra FROM gaia_source")
      assert(job:phase() == "EXECUTING")
      local ok, err = halyard.try(job.wait, job, 0.1)
      assert(not ok and err.code == "timeout" and err.message:find(job.url, 1, true))
      job:abort()
      ok, err = halyard.try(job.result, job)
      assert(not ok and err.code == "archive" and err.message:find("aborted"), tostring(err))
      job:delete()]])
  end)

  it("fails in the job what fails while it computes", function()
    archive = practice.start("")
    fails(4, [[return gaia:query("SELECT SUM(source_id) FROM gaia_source WHERE " .. circle,
      { mode = "async" })]], "the job failed", "integer overflow")
  end)

  local upload = [[
    local me = {}
    for i = 1, 100 do
      me[i] = { name = "p" .. i, ra = 50 + i / 20, dec = -27.4 }
    end
    me = halyard.table.from_rows(me, { "name", "ra", "dec" })
    local query = "SELECT u.name, g.source_id FROM TAP_UPLOAD.me AS u JOIN gaia_source AS g ON "
      .. "1=CONTAINS(POINT('ICRS', g.ra, g.dec), CIRCLE('ICRS', u.ra, u.dec, 0.05))"]]

  it("joins an upload, whole or in parts", function()
    archive = practice.start("")
    works(upload .. [[
      for _, mode in ipairs { "sync", "async" } do
        gaia:query(query, { upload = { me = me }, mode = mode, into = mode .. ".csv" })
      end]])
    archive:stop()
    archive = practice.start("--row-cap 40")
    fails(2, upload .. [[ return gaia:query(query, { upload = { me = me } })]],
      "100 rows are more than the 40", 'split = "me"')
    fails(2, upload .. [[ return gaia:query("SELECT COUNT(*) AS n FROM TAP_UPLOAD.me",
      { upload = { me = me }, split = "me" })]], "COUNT")
    fails(2, upload .. [[ return gaia:query("SELECT nam FROM TAP_UPLOAD.me",
      { upload = { me = me }, split = "me" })]], "did you mean name")
    fails(2, upload .. [[ return gaia:query(query, { upload = { me = { me[1] } } })]],
      "of a query: result.table), not a Lua table")
    -- Blocks of 40 rows give more than 40 rows: they are halved until they fit.
    works(upload .. [[
      return gaia:query(query, { upload = { me = me }, split = "me", into = "parts.csv" }).rows]])
    assert.is_true(practice.file_ids(folder .. "/out/sync.csv", folder .. "/n") > 100)
    assert.is_true(practice.same(folder .. "/out/sync.csv", folder .. "/out/async.csv"))
    assert.is_true(practice.same(folder .. "/out/sync.csv", folder .. "/out/parts.csv"))
  end)

  it("gives times also as Modified Julian Dates", function()
    archive = practice.start("")
    works([[
      local t = halyard.table.from_rows({ { id = 1, seen = "2012-05-31T12:00:00" } },
        { "id", "seen" })
      t = t:with("seen", t:column "seen", { xtype = "timestamp" })
      local r = gaia:query("SELECT * FROM TAP_UPLOAD.t", { upload = { t = t } }).table
      assert(r:get(1, "seen_mjd") == 56078.5 and r:column("seen_mjd").unit == "d")
      assert(table.concat(r.columns, ",") == "id,seen,seen_mjd")]])
  end)

  local function tiled(region, more)
    works(([[
      local table = gaia:table("gaia_source")
      local r = table:query { region = sky.parse(%q), into = "rows.csv" %s }
      assert(r.verified == "equal to the archive's count", r.verified)
      return { rows = r.rows, requests = r.account.requests }]]):format(region, more or ""))
    practice.dump_ids("Gaia DR3", region, folder .. "/truth")
    local n = practice.file_ids(folder .. "/out/rows.csv", folder .. "/got")
    return n, practice.same(folder .. "/truth", folder .. "/got")
  end

  it("gives every row of a region once past its limit", function()
    archive = practice.start("--row-cap 300")
    for _, region in ipairs({ "CIRCLE 52.5 -27.4 0.9", "CIRCLE 0.05 20 0.6",
      "CIRCLE 10 89.7 0.6" }) do
      local n, same = tiled(region)
      assert.is_true(n > 600, region)
      assert.is_true(same, region)
    end
  end)

  it("gives every row once although connections break and answers are cut", function()
    archive = practice.start("--row-cap 300 --faults reset=0.05,http503=0.05,cut=0.05")
    local n, same = tiled("CIRCLE 52.5 -27.4 0.9")
    assert.is_true(n > 600 and same)
  end)

  it("selects by criteria at the service", function()
    archive = practice.start("")
    works([[
      local c = mast.catalog("Gaia DR3", { via = "tap" })
      local region = sky.circle(52.5, -27.4, 0.9)
      local all = c:query { region = region, columns = { "phot_g_mean_mag" } }.table
      local where = { phot_g_mean_mag = "15..18" }
      local r = c:query { region = region, where = where, columns = { "phot_g_mean_mag" } }
      assert(r.rows > 10 and r.rows == #all:where(where) and r.rows < #all)
      assert(r.rows == c:count { region = region, where = where })
      assert(table.concat(r.table.columns, ",") == "source_id,ra,dec,phot_g_mean_mag")
      local caom = mast.tap("caom"):table("dbo.obspointing", { id = "obsid" })
      local files = caom:query { where = { obs_collection = "JWST", obs_id = "jw*_nircam*" } }
      local jwst = caom:query { where = { obs_collection = "JWST" } }
      assert(files.rows > 0 and files.rows == #jwst.table:where({ obs_id = "jw*_nircam*" }))
      local where = { obs_collection = "JWST" }
      assert(caom:query({ where = where, row_limit = jwst.rows }).rows == jwst.rows)
      assert(caom:query({ where = where, row_limit = 70 }).rows == jwst.rows) -- in parts]])
  end)

  it("is not asked by a workflow that does not declare it", function()
    archive = practice.start("")
    local code, _, err = run("return gaia:tables()", '"elsewhere.example"')
    assert.equal(6, code, err)
    code, _, err = run(("return vo.tap(%q):tables()"):format(archive.url
      .. "/vo-tap/api/v0.1/gaiadr3"), ("%q"):format(archive.url:match("//(.*)$")))
    assert.equal(0, code, err)
  end)

  it("is an error when it is something else", function()
    archive = practice.start("--faults html")
    local code, _, err = run([[return gaia:query("SELECT TOP 3 ra FROM gaia_source")]])
    assert.is_true(code ~= 0)
    assert.is_truthy(err:find("HTML", 1, true), err)
  end)

  it("is found under its new address when it has moved", function()
    archive = practice.start("")
    local out, err = works([[
      return vo.tap("http://vao.stsci.edu/CAOMTAP/tapservice.aspx"):tables():select { "name" }]])
    assert.is_truthy(out:find("ivoa.obscore", 1, true), out)
    assert.is_truthy(err:find("is gone", 1, true), err)
  end)
end)
