-- SPDX-License-Identifier: BSD-3-Clause
-- The account of a tiled query: what each tile brought, how the query ended, what is missing and
-- what to do about it; what a table in memory may take.

package.path = assert(os.getenv("HALYARD_SOURCE")) .. "/tests/archive/?.lua;" .. package.path
local json = require("halyard.json")
local practice = require("practice")

describe("the account of a query", function()
  local folder, archive

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

  local function read(name)
    return json.decode(practice.read(folder .. "/out/" .. name))
  end

  -- A workflow with this text of a query; `budget`: the inside of its budget.
  local function try(catalog, query, budget)
    local path = folder .. "/asks.lua"
    local out <close> = assert(io.open(path, "wb"))
    out:write(([[return workflow { name = "asks", summary = "a test", hosts = { "mast" },
      budget = { %s },
      run = function()
        local r = mast.catalog(%q):query { %s }
        return { rows = r.rows, state = r.state, remedy = r.remedy, account = r.account_path }
      end }]]):format(budget or "", catalog, query))
    out:close()
    return archive:run(path, folder .. "/out", {}, "--quiet --json")
  end

  it("adds up: tiles, rows, requests by verdict, the archive's own count", function()
    archive = practice.start("--row-cap 2000")
    local code, out, err = try("TIC", 'region = sky.circle(200, 60, 1.2), into = "tic.csv", '
      .. "row_limit = 2000")
    assert.equal(0, code, err)
    local account, result = read("tic.csv.account.json"), json.decode(out)
    assert.equal("complete", account.state)
    assert.equal("complete", result.state)
    assert.equal(folder .. "/out/tic.csv.account.json", result.account)
    assert.equal(account.rows_counted, account.rows)
    local returned, kept, dropped = 0, 0, 0
    for _, tile in ipairs(account.tiles) do
      returned, kept = returned + tile.returned, kept + tile.kept
      dropped = dropped + tile.dropped
      assert.is_true(tile.dec_min < tile.dec_max and tile.ra_min ~= tile.ra_max)
      assert.is_true(tile.began <= tile.ended and tile.began >= account.began)
      assert.is_true(tile.returned < 2000)
    end
    assert.is_true(#account.tiles > 1)
    assert.equal(account.rows, kept)
    assert.equal(account.rows_kept, kept)
    assert.equal(account.rows_returned, returned)
    assert.equal(account.rows_dropped, dropped)
    local n = account.requests
    assert.equal(n.all, #account.tiles + n.over + n.ambiguous + n.transient + n.probes + n.counts)
    assert.equal("equal to the archive's count", account.verified)
    assert.equal(0, #account.missing)
    local query = read("report.json").queries[1]
    assert.equal("complete", query.state)
    assert.equal("tic.csv.account.json", query.account)
  end)

  it("counts the requests that the archive got, and no other, past a limit that nobody told",
    function()
      for _, catalog in ipairs({ "TIC", "Gaia DR3" }) do
        archive = practice.start("--row-cap 1500")
        local code, _, err = try(catalog, 'region = sky.circle(200, 60, 0.8), into = "rows.csv"')
        assert.equal(0, code, err)
        local stats = json.decode(practice.shell("curl -s " .. archive.url .. "/practice/stats"))
        local asked = 0
        for service, n in pairs(stats.by_service) do
          asked = asked + (service:find("Catalogs", 1, true) and n or 0)
        end
        local requests = read("rows.csv.account.json").requests
        local before = catalog == "TIC" and 1 or 0 -- the count that the query begins with
        assert.equal(asked - before, requests.all)
        assert.is_true(requests.ambiguous > 0)
        archive:stop()
      end
    end)

  it("of an audit says what was asked again", function()
    archive = practice.start("--row-cap 2000")
    for catalog, region in pairs({ TIC = "200, 60, 1.2", ["Gaia DR3"] = "0.2, 89.5, 0.8" }) do
      local code, _, err = try(catalog, ('region = sky.circle(%s), into = "a.csv", '
        .. 'row_limit = 2000, verify = "audit"'):format(region))
      assert.equal(0, code, err)
      local account = read("a.csv.account.json")
      assert.equal("audit", account.verify)
      assert.is_truthy(account.verified:find("%d+ of %d+ tiles asked again in another shape: the "
        .. "same %d%d+ rows"), account.verified)
      assert.is_true(read("report.json").requests > account.requests.all)
    end
  end)

  -- The map in a file, as text of the workflow that reads it.
  local function map(name, question)
    local code, out, err = archive:try(folder, "reads", ("return { answer = sky.moc(%q)%s }")
      :format(name, question))
    assert.equal(0, code, err)
    return out:match("answer%s+(%S+)")
  end

  it("has a map of the sky that is covered and of what is missing", function()
    archive = practice.start("--row-cap 500")
    local query = 'region = sky.circle(200, 60, 1), into = "g.csv", row_limit = 500'
    local code, _, err = try("Gaia DR3", query)
    assert.equal(0, code, err)
    assert.equal("true", map("g.csv.covered.fits", ":contains(200, 60.99)"))
    assert.equal("false", map("g.csv.covered.fits", ":contains(200, 61.1)"))
    assert.is_nil(io.open(folder .. "/out/g.csv.missing.fits"))
    local whole = tonumber((map("g.csv.covered.fits", ":area()")))
    assert.is_true(math.abs(whole - math.pi) < 0.2)
    code, _, err = try("Gaia DR3", query .. ", partial = true", "requests = 12")
    assert.equal(0, code, err)
    local covered = tonumber((map("g.csv.covered.fits", ":area()")))
    local missing = tonumber((map("g.csv.missing.fits", ":area()")))
    assert.is_true(covered > 0 and missing > 0)
    assert.is_true(math.abs(covered + missing - whole) < 1e-6)
    local tile = read("g.csv.account.json").missing[1]
    assert.is_true(tile.ra_min > 190)
  end)

  it("of tables in memory has a name for each", function()
    archive = practice.start("")
    local path = practice.workflow(folder, "two", [[
      local gaia = mast.catalog("Gaia DR3")
      local a = gaia:query { region = sky.circle(200, 60, 0.1) }
      local b = gaia:query { region = sky.circle(210, 60, 0.1) }
      return { a.account_path, b.account_path }]])
    local code, _, err = archive:run(path, folder .. "/out", {}, "--quiet")
    assert.equal(0, code, err)
    assert.equal("CIRCLE 200 60 0.1", read("query-1.account.json").region)
    assert.equal("CIRCLE 210 60 0.1", read("query-2.account.json").region)
  end)

  local crowded = 'region = sky.circle(201.697, -47.4795, 0.005), into = "c.csv", row_limit = 20'

  it("of tiles that no request can hold names them and the remedy, and the run fails", function()
    archive = practice.start("--row-cap 20")
    local code, _, err = try("TIC", crowded)
    assert.equal(3, code, err)
    assert.is_truthy(err:find("add a filter that makes them fewer", 1, true), err)
    local account = read("c.csv.account.json")
    assert.equal("partial", account.state)
    assert.is_truthy(account.remedy:find("add a filter", 1, true))
    assert.is_true(#account.missing > 0)
    for _, tile in ipairs(account.missing) do
      assert.is_truthy(tile.why:find("more rows than one answer holds", 1, true))
      assert.is_true((tile.dec_max - tile.dec_min) * 3600 <= 32)
    end
    assert.equal("partial", read("report.json").status)
    assert.is_nil(io.open(folder .. "/out/c.csv"))
  end)

  it("says so in the result where the caller takes what there is", function()
    archive = practice.start("--row-cap 20")
    local code, out, err = try("TIC", crowded .. ", partial = true")
    assert.equal(0, code, err)
    local result, account = json.decode(out), read("c.csv.account.json")
    assert.equal("partial", result.state)
    assert.is_truthy(result.remedy:find("add a filter", 1, true))
    assert.equal(result.rows, account.rows_kept)
    assert.equal(result.rows, practice.file_ids(folder .. "/out/c.csv", folder .. "/ids"))
    local report = read("report.json")
    assert.equal("partial", report.status)
    assert.equal("partial", report.queries[1].state)
  end)

  it("of a run whose budget of requests is used up keeps what came", function()
    archive = practice.start("--row-cap 500")
    local query = 'region = sky.circle(200, 60, 1), into = "g.csv", row_limit = 500'
    local code, _, err = try("Gaia DR3", query, "requests = 12")
    assert.equal(8, code, err)
    assert.equal("partial", read("g.csv.account.json").state)
    practice.remove(folder .. "/out")
    code, _, err = try("Gaia DR3", query .. ", partial = true", "requests = 12")
    assert.equal(0, code, err)
    local account = read("g.csv.account.json")
    assert.is_true(account.rows_kept > 0 and #account.missing > 0)
    assert.is_truthy(account.remedy:find("raise budget.requests", 1, true), account.remedy)
    assert.equal(0, (try("Gaia DR3", query, "requests = 400"))) -- which helps
    assert.equal("complete", read("g.csv.account.json").state)
  end)

  it("tells a failure and what came before it", function()
    archive = practice.start("--faults html=1")
    local code = try("Gaia DR3", 'region = sky.circle(200, 60, 0.2), into = "g.csv"')
    assert.equal(4, code)
    local account = read("g.csv.account.json")
    assert.equal("failed", account.state)
    assert.is_truthy(account.error:find("HTML", 1, true), account.error)
    assert.equal(0, #account.tiles)
  end)
end)

describe("a table in memory", function()
  local folder, archive

  before_each(function()
    folder = practice.folder()
    archive = practice.start("")
  end)

  after_each(function()
    archive:stop()
    practice.remove(folder)
  end)

  local function try(query)
    local path = folder .. "/asks.lua"
    local out <close> = assert(io.open(path, "wb"))
    out:write(([[return workflow { name = "asks", summary = "a test", hosts = { "mast" },
      budget = { memory = "8 MiB" },
      run = function() return { rows = %s.rows } end }]]):format(query))
    out:close()
    local code, stdout, err = archive:run(path, folder .. "/out", {}, "--quiet")
    return code, stdout, err, json.decode(practice.read(folder .. "/out/report.json"))
  end

  it("that is counted to be too large is refused before its rows are asked for", function()
    local code, _, err, report = try('mast.catalog("TIC"):query { columns = { "Tmag", "Teff" }, '
      .. "region = sky.circle(266, -29, 1) }")
    assert.equal(8, code, err)
    assert.is_truthy(err:find("a table may take 8 MiB: write a file, into = \"rows.csv\"", 1,
      true), err)
    assert.is_truthy(err:find("rows take about", 1, true))
    assert.is_true(report.requests <= 2)
  end)

  it("that turns out to be too large ends the run with the remedy", function()
    local code, _, err = try('mast.catalog("Gaia DR3"):query { '
      .. "region = sky.circle(200, 60, 4) }")
    assert.equal(8, code, err)
    assert.is_truthy(err:find("the rows so far take", 1, true), err)
    assert.is_truthy(err:find("into = \"rows.csv\"", 1, true))
  end)

  it("of the same rows goes into a file of any kind by the ending of its name", function()
    for ending, start in pairs({ csv = "[%w_]+,", ecsv = "# %%ECSV", fits = "SIMPLE  =",
      vot = "<%?xml", jsonl = "{" }) do
      local code, _, err = try(('mast.catalog("Gaia DR3"):query { into = "g.%s", '
        .. "region = sky.circle(200, 60, 2) }"):format(ending))
      assert.equal(0, code, err)
      local text = practice.read(folder .. "/out/g." .. ending)
      assert.is_truthy(text:find("^" .. start), ending .. ": " .. text:sub(1, 40))
    end
  end)

  it("cannot be written under a name whose ending tells no format", function()
    local code, _, err, report = try('mast.catalog("Gaia DR3"):query { into = "g.dat", '
      .. "region = sky.circle(200, 60, 2) }")
    assert.equal(2, code, err)
    assert.is_truthy(err:find('give format = "csv"', 1, true), err)
    assert.equal(0, report.requests)
  end)
end)

describe("the price of a query", function()
  local folder, archive

  before_each(function()
    folder = practice.folder()
    archive = practice.start("--row-cap 5000")
  end)

  after_each(function()
    archive:stop()
    practice.remove(folder)
  end)

  local workflow = practice.workflows .. "/catalogue.lua"

  local function ask(verb, options)
    return practice.halyard(("%s %s --archive %s -o %s %s"):format(verb, practice.quote(workflow),
      archive.url, practice.quote(folder .. "/out"), options))
  end

  it("tells rows, requests, transfer, time, disk and dangers before it is asked", function()
    local code, out, err = ask("plan", "--catalog TIC --region 'CIRCLE 200 60 3' --row_limit 5000")
    assert.equal(0, code, err)
    for _, line in ipairs({ "selection     columns ra, dec; a row belongs to the tile",
      "rows          %d+ %(counted%)", "row limit     5000 an answer, requests as boxes",
      "requests      at least %d+, expected %d+ to %d+, stop at %d+",
      "transfer      %d+ to %d+ rows, about [%d.]+ MB at 120 bytes a row",
      "time          .* with 4 in parallel, [%d.]+ s a request %(the count's%)",
      "disk          about [%d.]+ MB on the way, [%d.]+ MB in the end",
      "may go wrong  the rounding of positions is not known" }) do
      assert.is_truthy(out:find("\n  " .. line), line .. "\n" .. out)
    end
  end)

  local function data_requests()
    local stats = json.decode(practice.shell("curl -s " .. archive.url .. "/practice/stats"))
    local n = 0
    for _, of_one in pairs(stats.by_service) do
      n = n + of_one
    end
    return n
  end

  it("of a service that does not count comes of three small questions, offline of none", function()
    local where = "--region 'CIRCLE 266 -29 0.1' --catalog 'Gaia DR3'"
    local code, out, err = ask("plan", where .. " --offline")
    assert.equal(0, code, err)
    assert.equal(0, data_requests())
    assert.is_truthy(out:find("not known: nothing was asked", 1, true), out)
    code, out, err = ask("plan", where)
    assert.equal(0, code, err)
    assert.is_truthy(err:find("at most 3 small questions for the price", 1, true), err)
    assert.is_true(data_requests() <= 3)
    local _, document = ask("plan", where .. " --json")
    assert.is_falsy(document:find("remembered", 1, true), document)
    local low, high = out:match("rows          (%d+) to (%d+) %(from 3 small questions%)")
    assert.is_truthy(low and out:find("time          %d+ s"), out)
    assert.equal(0, (ask("run", where .. " --quiet")))
    local rows = json.decode(practice.read(folder .. "/out/report.json")).queries[1].rows
    assert.is_true(tonumber(low) <= rows and rows <= tonumber(high), out .. rows)
  end)

  it("keeps to the budget of requests", function()
    local path = practice.workflow(folder, "thrifty", [[
      return mast.catalog("Gaia DR3"):query { region = sky.circle(200, 60, 0.5), into = "g.csv" }]])
    local text = practice.read(path)
    for requests, asked in ipairs({ 1, 2 }) do
      local out <close> = assert(io.open(path, "wb"))
      out:write((text:gsub("hosts =", ("budget = { requests = %d }, hosts ="):format(requests))))
      out:close()
      local before = data_requests()
      local code, _, err = practice.halyard(("plan %s --archive %s -o %s/g"):format(
        practice.quote(path), archive.url, folder))
      assert.equal(0, code, err)
      assert.equal(asked, data_requests() - before)
    end
  end)

  it("of a region with hardly a row promises none", function()
    local path = practice.workflow(folder, "hardly", [[
      return mast.mission("hst"):query { region = sky.circle(200, 60, 0.5), into = "hst.csv" }]])
    local code, out, err = practice.halyard(("plan %s --archive %s -o %s/hst"):format(
      practice.quote(path), archive.url, folder))
    assert.equal(0, code, err)
    assert.is_truthy(out:find("rows          0 to %d+ %(from 3 small questions%)"), out)
  end)

  it("of a thin ring comes too, and names where one answer is too small for a question", function()
    local code, out, err = ask("plan", "--catalog 'Gaia DR3' --region "
      .. "'DIFFERENCE (CIRCLE 50 20 0.3 CIRCLE 50 20 0.28)'")
    assert.equal(0, code, err)
    assert.is_truthy(out:find("rows          %d+ to %d+ %(from"), out)
    code, out, err = ask("plan", "--catalog 'Gaia DR3' --region 'CIRCLE 201.697 -47.4795 2'")
    assert.equal(0, code, err)
    assert.is_truthy(out:find("rows          %d+ to %d+ %(from 3 small questions%)"), out)
    assert.is_truthy(out:find("within 0.2 deg of 201.6970 -47.4795 are perhaps more rows", 1, true),
      out)
  end)

  it("of a polygon comes of one count of what is round it, and the run says why it has none",
    function()
      local where = "--catalog TIC --region 'POLYGON 10 89.6 130 89.5 250 89.7'"
      local code, out, err = ask("plan", where)
      assert.equal(0, code, err)
      assert.equal(1, data_requests())
      local low, high = out:match("rows          (%d+) to (%d+) %(by its part of what is round it: "
        .. "%d+ counted%)")
      assert.equal(0, (ask("run", where .. " --quiet")))
      local query = json.decode(practice.read(folder .. "/out/report.json")).queries[1]
      assert.is_true(tonumber(low) <= query.rows and query.rows <= tonumber(high), out)
      assert.is_truthy(query.verified:find("counts circles and boxes, not this region", 1, true))
    end)

  it("is in report and account with what it was, and was near it", function()
    local code, _, err = ask("run", "--catalog TIC --region 'CIRCLE 200 60 3' --row_limit 5000 "
      .. "--quiet")
    assert.equal(0, code, err)
    local report = json.decode(practice.read(folder .. "/out/report.json"))
    local text = table.concat(report.queries[1].price, "\n")
    local low, high, was = text:match("expected (%d+) to (%d+), stop at %d+; was (%d+)")
    assert.is_true(tonumber(was) <= tonumber(high) + 5 and tonumber(low) <= tonumber(was), text)
    local rows, came = text:match("rows          (%d+) %(counted%); was (%d+)")
    assert.equal(rows, came)
    assert.is_truthy(text:find("; was %d+ rows, [%d.]+ %a?B\n  time [^\n]*; was %d+ s\n"), text)
    local account = json.decode(practice.read(folder .. "/out/rows.csv.account.json"))
    assert.same(report.queries[1].price, account.price)
  end)

  it("is explained without a question for rows or their number", function()
    local code, out, err = ask("explain", "--catalog TIC --region 'CIRCLE 200 60 3'")
    assert.equal(0, code, err)
    assert.is_truthy(out:find("split: boxes on the sky, because ranges of the position columns", 1,
      true), out)
    code, out = ask("explain", "--region 'CIRCLE 200 60 3' --json")
    assert.equal(0, code)
    local queries = json.decode(out).queries
    assert.equal("Gaia DR3", queries[1].service)
    assert.is_truthy(queries[1].strategy:find("circles round boxes", 1, true))
  end)
end)
