-- SPDX-License-Identifier: BSD-3-Clause
-- Lists of targets against brute force over the practice archive's own list of rows: every pair of
-- target and row once, through boxes, circles, TAP and a cone service, past row limits.

package.path = assert(os.getenv("HALYARD_SOURCE")) .. "/tests/archive/?.lua;" .. package.path
local practice = require("practice")

local bin = assert(os.getenv("HALYARD_BIN"))

-- Targets near rows of a region, some far away, one without a position: a CSV file.
local function write_targets(path, n, ra, dec, size)
  local out <close> = assert(io.open(path, "w"))
  out:write("number,ra,dec,reach\n")
  local state = 12345
  local function random()
    state = (state * 1103515245 + 12345) % 2147483648
    return state / 2147483648
  end
  for i = 1, n do
    out:write(("%d,%.7f,%.7f,%.1f\n"):format(i, (ra + size * (random() - 0.5)) % 360,
      dec + size * (random() - 0.5), 5 + 60 * random()))
  end
  out:write(("%d,,,10\n"):format(n + 1))
end

describe("a list of targets", function()
  local folder, archive

  before_each(function()
    folder = practice.folder()
    os.execute("mkdir -p " .. folder .. "/out")
  end)

  after_each(function()
    if archive then
      archive:stop()
      archive = nil
    end
    practice.remove(folder)
    practice.environment = ""
  end)

  -- What table:match makes of the dump: "input_row,id,sep" lines, and the targets without result.
  local function truth(dump, region, radius, columns)
    os.execute(("%s/halyard-practice --dump %s --region '%s' > %s/out/dump.csv"):format(bin, dump,
      region, folder))
    local code, _, err = archive:try(folder, "truth", ([[
      local targets, rows = halyard.table.read("targets.csv"), halyard.table.read("dump.csv")
      local pairs = targets:match(rows, %q, { mode = "all", other_ra = %q, other_dec = %q })
      pairs:select({ "number", %q, "sep_arcsec" }):write("truth.csv")
    ]]):format(radius, columns[2], columns[3], columns[1]))
    assert.equal(0, code, err)
  end

  local function lines_of(path)
    local out = {}
    for line in practice.read(path):gmatch("[^\n]+") do
      out[#out + 1] = line
    end
    table.remove(out, 1)
    return out
  end

  -- Both as sets of lines.
  local function assert_same_pairs()
    local want, got = lines_of(folder .. "/out/truth.csv"), lines_of(folder .. "/out/pairs.csv")
    assert.is_true(#want > 20, "too few pairs to tell: " .. #want)
    table.sort(want)
    table.sort(got)
    assert.same(want, got)
  end

  -- `open`: the catalogue as an expression; <host> stands for the archive's.
  local doors = {
    {
      what = "in circles", open = 'mast.catalog("Gaia DR3")', dump = "gaia",
      columns = { "source_id", "ra", "dec" },
    },
    {
      what = "in boxes", open = 'mast.catalog("TIC")', dump = "tic",
      columns = { "ID", "ra", "dec" },
    },
    {
      what = "by TAP", open = 'mast.tap("gaiadr3"):table("gaia_source")', dump = "gaia",
      columns = { "source_id", "ra", "dec" },
    },
    {
      what = "by a cone service", open = 'vo.cone("<host>/scs/tic?")', dump = "tic",
      columns = { "ID", "ra", "dec" }, id = "objid",
    },
  }

  local function query(door, radius, more)
    return archive:try(folder, "ask", ([[
      local catalog = %s
      local result = catalog:query { targets = "targets.csv", radius = %q, into = "found.csv",
        %s }
      local rows = halyard.table.read("found.csv")
      rows:select({ "input_row", %q, "sep_arcsec" }):write("pairs.csv")
      return { rows = result.rows, requests = result.account.requests, without = #result.without,
        served = result.targets.with_rows, over = result.account.over }
    ]]):format((door.open:gsub("<host>", archive.url)), radius, more or "",
      door.id or door.columns[1]),
      '"mast", ' .. archive:host())
  end

  local function number(out, name)
    return tonumber(out:match("%f[%w]" .. name .. "%s+(%d+)"))
  end

  for _, door in ipairs(doors) do
    it("brings the pairs that a match with the whole list makes, " .. door.what, function()
      archive = practice.start("")
      write_targets(folder .. "/out/targets.csv", 2000, 200, 60, 2)
      truth(door.dump, "CIRCLE 200 60 2", "30 arcsec", door.columns)
      local code, out, err = query(door, "30 arcsec")
      assert.equal(0, code, err)
      assert_same_pairs()
      assert.is_true(number(out, "requests") < 100, out)
      assert.equal(2001, number(out, "without") + number(out, "served"))
    end)
  end

  it("takes a radius of its own for each and crosses ra 0 past a limit of 200 rows", function()
    archive = practice.start("--row-cap 200")
    write_targets(folder .. "/out/targets.csv", 500, 0, -20, 1)
    truth("gaia", "CIRCLE 0 -20 2", "reach arcsec", doors[1].columns)
    local code, out, err = query(doors[1], "reach arcsec", "row_limit = 200")
    assert.equal(0, code, err)
    assert_same_pairs()
    assert.is_true(number(out, "requests") < 500, out)
  end)

  it("loses nothing where requests fail and the limit is not the declared one", function()
    archive = practice.start("--row-cap 1000 --faults reset=0.1")
    write_targets(folder .. "/out/targets.csv", 500, 200, 60, 1)
    truth("gaia", "CIRCLE 200 60 2", "reach arcsec", doors[1].columns)
    local code, _, err = query(doors[1], "reach arcsec")
    assert.equal(0, code, err)
    assert_same_pairs()
  end)

  it("cuts one target that is over the limit by itself into tiles", function()
    archive = practice.start("--row-cap 300")
    local out_file <close> = assert(io.open(folder .. "/out/targets.csv", "w"))
    out_file:write("number,ra,dec\n1,200,60\n2,200,60\n3,200.1,60.1\n")
    out_file:close()
    truth("gaia", "CIRCLE 200 60 2", "0.4 deg", doors[1].columns)
    local code, out, err = query(doors[1], "0.4 deg", "row_limit = 300")
    assert.equal(0, code, err)
    assert_same_pairs()
    assert.is_true(number(out, "over") > 0)
  end)

  it("writes the same file for 1, 4 and 8 requests in parallel, by target and distance", function()
    archive = practice.start("")
    write_targets(folder .. "/out/targets.csv", 500, 200, 60, 2)
    for _, parallel in ipairs({ 1, 4, 8 }) do
      local code, _, err = query(doors[1], "1 arcmin", "parallel = " .. parallel)
      assert.equal(0, code, err)
      os.execute(("cp %s/out/found.csv %s/found%d"):format(folder, folder, parallel))
    end
    assert.is_true(practice.same(folder .. "/found1", folder .. "/found4"))
    assert.is_true(practice.same(folder .. "/found1", folder .. "/found8"))
    local last_row, last_sep, n = 0, 0, 0
    for _, line in ipairs(lines_of(folder .. "/out/pairs.csv")) do
      local row, sep = line:match("^(%d+),.*,([^,]+)$")
      row, sep = tonumber(row), tonumber(sep)
      assert.is_true(row > last_row or row == last_row and sep >= last_sep, line)
      last_row, last_sep, n = row, sep, n + 1
    end
    assert.is_true(n > 500)
  end)

  it("lists the targets without result, those without position too", function()
    archive = practice.start("")
    write_targets(folder .. "/out/targets.csv", 200, 200, 60, 2)
    local code, out, err = query(doors[1], "10 arcsec")
    assert.equal(0, code, err)
    local seen = {}
    for _, line in ipairs(lines_of(folder .. "/out/pairs.csv")) do
      seen[tonumber(line:match("^%d+"))] = true
    end
    local listed = lines_of(folder .. "/out/found-without.csv")
    for _, line in ipairs(listed) do
      local row, reason = line:match("^(%d+),(.*)$")
      row = tonumber(row)
      assert.is_nil(seen[row], line)
      seen[row] = true
      assert.equal(row == 201 and "no position" or "no row within the radius", reason)
    end
    for row = 1, 201 do
      assert.is_true(seen[row], "lost: " .. row)
    end
    assert.equal(#listed, number(out, "without"))
    local account = practice.read(folder .. "/out/found.csv.account.json")
    assert.is_truthy(account:find('"without_rows": ' .. #listed, 1, true), account:sub(1, 2000))
    assert.is_truthy(account:find("found-without.csv", 1, true))
  end)

  it("comes as a table too, empty with all its columns where nothing is near", function()
    archive = practice.start("")
    local code, _, err = archive:try(folder, "small", [[
      local list = halyard.table.from_rows(
        { { ra = 200.0, dec = 60.0 }, { ra = 10.0, dec = 1.0 } }, { "ra", "dec" })
      local gaia = mast.catalog("Gaia DR3")
      local near = gaia:query { targets = list, radius = "3 arcmin",
        columns = { "phot_g_mean_mag" } }
      assert(near.rows == #near.table and near.rows > 0)
      assert(near.table:column("sep_arcsec"):max() <= 180)
      assert(near.table[1].phot_g_mean_mag)
      local none = gaia:query { targets = list, radius = 0 }
      assert(none.rows == 0 and #none.without == 2)
      assert(none.table:column("input_row") and none.table:column("sep_arcsec"))
      local bright = gaia:query { targets = list, radius = "3 arcmin",
        where = { phot_g_mean_mag = "5..18" } }
      assert(bright.rows < near.rows)
    ]])
    assert.equal(0, code, err)
  end)

  it("says that it is not counted, where the archive counts too", function()
    archive = practice.start("")
    write_targets(folder .. "/out/targets.csv", 10, 200, 60, 1)
    local code, out, err = archive:try(folder, "uncounted", [[
      local result = mast.catalog("TIC"):query { targets = "targets.csv", radius = "2 arcsec" }
      return { verified = result.verified }
    ]])
    assert.equal(0, code, err)
    assert.is_truthy(out:find("not verified: what belongs to a list of targets is not counted", 1,
      true), out)
  end)

  it("is taken by doors that have lists of their own too", function()
    archive = practice.start("")
    local code, _, err = archive:try(folder, "lists", [[
      local hst = mast.classic("HST")
      local some = hst:query { region = sky.cone("210.8 54.35", "0.4 deg") }.table
      assert(#some > 3)
      local found = hst:query { targets = some:slice(1, 3), radius = "0.1 arcsec" }
      assert(found.rows >= 3 and #found.without == 0)
      local own = hst:query { targets = { "M 101" }, radius = "6 arcmin" }
      assert(own.rows > 0)
    ]])
    assert.equal(0, code, err)
  end)

  it("refuses what makes no sense with the remedy", function()
    archive = practice.start("")
    for body, text in pairs({
      ['targets = "none.csv", radius = 1'] = "none.csv",
      ["targets = list"] = 'radius: "2 arcsec"',
      ["targets = list, radius = \"size\""] = "size",
      ["targets = list, radius = 1, region = sky.all()"] = "either a region or targets",
      ["radius = 1"] = "radius goes with targets",
      ['targets = { "M 31" }, radius = 1'] = 'of names: mast.resolve { "M 31", ... }',
      ["targets = list, radius = 1, verify = \"audit\""] = "audit",
      ["targets = list:select({ \"dec\" }), radius = 1"] = "ra",
    }) do
      local code, _, err = archive:try(folder, "wrong", ([[
        local list = halyard.table.from_rows({ { ra = 200.0, dec = 60.0 } }, { "ra", "dec" })
        mast.catalog("Gaia DR3"):query { %s }]]):format(body))
      assert.is_true(code == 2 or code == 3 or code == 4 or code == 5, body .. ": " .. code .. err)
      assert.is_truthy(err:find(text, 1, true), ("%q lacks %q"):format(err, text))
    end
  end)

  it("has a price: bounds, then what densities of earlier queries let expect", function()
    archive = practice.start("")
    practice.environment = "XDG_CACHE_HOME=" .. practice.quote(folder .. "/cache")
    write_targets(folder .. "/out/targets.csv", 50, 200, 60, 2)
    local path = practice.workflow(folder, "planned", [[
      return mast.catalog("Gaia DR3"):query { targets = "targets.csv", radius = "2 arcsec",
        into = "found.csv", row_limit = 2000 }]])
    local function price()
      local code, out, err = practice.halyard(("plan %s --archive %s -o %s/out"):format(path,
        archive.url, folder))
      assert.equal(0, code, err)
      assert.is_truthy(out:find("51 targets within 2 arcsec", 1, true), out)
      return out
    end
    local text = price()
    local low, high, stop = text:match("requests +(%d+) to (%d+), by how dense .* stop at (%d+)")
    assert.is_true(tonumber(low) < 20 and tonumber(high) > 40 and tonumber(high) <= 50, text)
    assert.equal("2200", stop)
    local code, out, err = archive:try(folder, "dense", [[
      mast.catalog("Gaia DR3"):query { region = sky.cone("200 60", "2 deg"), row_limit = 4000,
        into = "all.csv" }
      local r = mast.catalog("Gaia DR3"):query { targets = "targets.csv", radius = "2 arcsec",
        into = "found.csv", row_limit = 2000 }
      return { requests = r.account.requests, sent = r.account.rows_returned }]])
    assert.equal(0, code, err)
    text = price()
    local asked, sent = number(out, "requests"), number(out, "sent")
    local expected = { text:match("at least %d+, expected (%d+)[ to]*(%d*), stop") }
    assert.is_true(asked > 3, out)
    assert.is_true(tonumber(expected[1]) <= asked, text)
    assert.is_true(asked <= (tonumber(expected[2]) or tonumber(expected[1])), text)
    local least, most = text:match("transfer +(%d+) to (%d+) rows")
    assert.is_true(tonumber(least) <= sent and sent <= tonumber(most), text .. sent)
  end)

  it("repeats its price after the run and leaves what it learned to the next list", function()
    archive = practice.start("")
    practice.environment = "XDG_CACHE_HOME=" .. practice.quote(folder .. "/cache")
    write_targets(folder .. "/out/targets.csv", 50, 200, 60, 2)
    local function ask(name)
      local code, out, err = archive:try(folder, name, [[
        local r = mast.catalog("Gaia DR3"):query { targets = "targets.csv", radius = "2 arcsec",
          into = "found.csv", row_limit = 2000 }
        return { questions = r.account.requests, price = table.concat(r.price, "\n") }]])
      assert.equal(0, code, err)
      return number(out, "questions"), out
    end
    local asked, text = ask("first")
    local was = text:match("by how dense rows are, which is not known yet; stop at 2200; was (%d+)")
    assert.equal(asked, tonumber(was), text)
    local again, second = ask("second")
    local low, high = second:match("expected (%d+)[ to]*(%d*), stop at 2200; was " .. again)
    assert.is_truthy(low, second)
    assert.is_true(tonumber(low) <= again and again <= (tonumber(high) or tonumber(low)), second)
    assert.is_true(again <= asked, again .. " > " .. asked)
  end)
end)
