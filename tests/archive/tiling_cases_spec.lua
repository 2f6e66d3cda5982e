-- SPDX-License-Identifier: BSD-3-Clause
-- Cases of the tiling design (section 12) that need a service: the practice archive, or a list of
-- rows where the archive's sky has no such rows.

package.path = assert(os.getenv("HALYARD_SOURCE")) .. "/tests/archive/?.lua;" .. package.path
local door = require("halyard.archive.door")
local errors = require("halyard.error")
local json = require("halyard.json")
local practice = require("practice")
local query = require("halyard.query")
local report = require("halyard.report")
local sky = require("halyard.core.sky")
local system = require("halyard.core.system")
local tables = require("halyard.core.table")

describe("a service made of rows:", function()
  local output

  before_each(function()
    output = system.default_output(practice.folder())
    system.make_dirs("")
    report.begin(report.new({ output = output }))
  end)

  after_each(function()
    practice.remove(output)
  end)

  local function in_box(shape, row)
    if row.dec < shape.dec_min or row.dec > shape.dec_max then
      return false
    end
    local width = (shape.ra_max - shape.ra_min) % 360
    return shape.ra_max - shape.ra_min == 360 or (row.ra - shape.ra_min) % 360 <= width
      or (shape.ra_min - row.ra) % 360 <= 1e-12
  end

  local function in_ranges(shape, row)
    for _, range in ipairs({ shape, table.unpack(shape.outer or {}) }) do
      local value = row[range.column]
      local inside = value and value >= (range.column_min or value)
        and value <= (range.column_max or value)
      if range.column_null and value or not range.column_null and not inside then
        return false
      end
    end
    return true
  end

  -- A service that gives at most `cap` rows of the list; fields and abilities are added.
  local function service(list, cap, abilities, fields)
    local source = {
      name = "Rows", id = "id", ra = "ra", dec = "dec", window = 2, columns = { "id", "ra", "dec" },
      service = { takes_box = true, counts = true, cap = cap, histogram = false },
      refine = function(rows)
        return rows
      end,
      verdict = function()
        return "over"
      end,
    }
    for key, value in pairs(abilities or {}) do
      source.service[key] = value
    end
    local function chosen(shape)
      local out = {}
      for _, row in ipairs(list) do
        local placed = row.ra and row.dec
        if shape.whole and shape.dec_max == 90 and shape.dec_min == -90 then
          out[#out + 1] = row
        elseif shape.no_position then
          out[#out + 1] = not placed and row or nil
        else
          out[#out + 1] = placed and in_box(shape, row) and row or nil
        end
        if shape.column and out[#out] == row and not in_ranges(shape, row) then
          out[#out] = nil
        end
      end
      return out
    end
    function source.count(shape)
      if shape.dec_max - shape.dec_min == 180 then -- all rows, with or without position
        return #list, { requests = 1, bytes = 1 }
      end
      return #chosen(shape), { requests = 1, bytes = 1 }
    end
    function source.fetch(shape)
      local rows = chosen(shape)
      if #rows >= cap then
        errors.raise("truncated", "too many")
      end
      return tables.from_rows(rows, source.columns), { requests = 1, bytes = 1 }
    end
    for key, value in pairs(fields or {}) do
      source[key] = value
    end
    return source
  end

  local function sorted(rows)
    local ids = rows:list("id")
    table.sort(ids)
    return ids
  end

  local function numbers(n)
    local out = {}
    for i = 1, n do
      out[i] = i
    end
    return out
  end

  it("case 3: rows at the poles come once each, with their own right ascension", function()
    local list = {}
    for i, ra in ipairs({ 0, 123.456, 359.9 }) do
      list[2 * i - 1] = { id = 2 * i - 1, ra = ra, dec = 90 }
      list[2 * i] = { id = 2 * i, ra = ra, dec = -90 }
    end
    for i = 7, 60 do
      list[i] = { id = i, ra = i * 137.5 % 360, dec = (i * 61.7) % 178 - 89 }
    end
    local result = query.run(service(list, 8), sky.all(), {})
    assert.same(numbers(60), sorted(result.table))
    assert.equal("complete", result.state)
    for i = 1, #result.table do
      local id = result.table:get(i, "id")
      assert.equal(list[id].ra, result.table:get(i, "ra"))
    end
  end)

  it("case 4: rows at ra 0, 360 and beside come once each, unchanged", function()
    local list = {}
    for i, ra in ipairs({ 0, 360, -1e-20, 359.9999999, 359.99999999999994 }) do
      list[i] = { id = i, ra = ra + 0.0, dec = 10.5 + i / 1000 }
    end
    for i = 6, 400 do
      list[i] = { id = i, ra = (i * 0.61803 % 1 * 20 - 8) % 360, dec = 5 + i * 0.41421 % 1 * 10 }
    end
    local result = query.run(service(list, 40), sky.box(350, 15, 5, 15), {})
    assert.same(numbers(400), sorted(result.table))
    assert.is_true(result.account.tiles_done > 9)
    for i = 1, #result.table do
      local id = result.table:get(i, "id")
      assert.equal(list[id].ra, result.table:get(i, "ra"))
    end
  end)

  -- Rows with ten decimals that are printed with three: positions on borders of tiles among them.
  local function rounded(list)
    return function(rows)
      local out = {}
      for i = 1, #rows do
        local row = list[rows:get(i, "id")]
        out[i] = { id = row.id, ra = math.floor(row.ra * 1000 + 0.5) / 1000,
          dec = math.floor(row.dec * 1000 + 0.5) / 1000 }
      end
      return tables.from_rows(out, { "id", "ra", "dec" })
    end
  end

  it("case 7: positions printed with three decimals lose no rows, told or found out", function()
    local list = {}
    for i = 1, 4000 do
      list[i] = { id = i, ra = 100.5 + i * 0.61803398875 % 1 * 1.99,
        dec = 20.5 + i * 0.41421356237 % 1 * 1.99 }
    end
    for _, quantum in ipairs({ 0.001, 0 }) do
      report.begin(report.new({ output = output }))
      local source = service(list, 400, { pos_quantum_deg = quantum })
      source.refine = rounded(list)
      local result = query.run(source, sky.box(100, 103, 20, 23), {})
      assert.same(numbers(4000), sorted(result.table))
      local account = json.decode(practice.read(output .. "/query-1.account.json"))
      assert.equal(quantum == 0, account.findings[1] ~= nil)
      if quantum == 0 then
        assert.is_truthy(account.findings[1]:find("printed in steps of 0.001", 1, true))
      end
    end
  end)

  local function with_nulls()
    local list = {}
    for i = 1, 50 do
      list[i] = { id = i, ra = i * 137.5 % 360, dec = (i * 61.7) % 178 - 89 }
    end
    list[51], list[52], list[53] = { id = 51 }, { id = 52, ra = 10.5 }, { id = 53, dec = 5.5 }
    return list
  end

  it("case 18: rows without position are asked for by themselves", function()
    local able = { pos_nullable = true, null_test = true }
    local result = query.run(service(with_nulls(), 10, able), sky.all(), {})
    assert.same(numbers(53), sorted(result.table))
    assert.equal("complete", result.state)
    assert.equal("equal to the archive's count", result.verified)
    for i = 51, 53 do -- last in the order
      assert.is_true(result.table:get(i, "id") > 50)
    end
  end)

  it("case 18: rows that cannot be asked for are counted in the state and the account", function()
    local result = query.run(service(with_nulls(), 10, { pos_nullable = true }), sky.all(), {})
    assert.same(numbers(50), sorted(result.table))
    assert.equal("complete except 3 rows without position", result.state)
    assert.is_truthy(result.remedy:find("by criteria", 1, true))
    local account = json.decode(practice.read(output .. "/query-1.account.json"))
    assert.equal(result.state, account.state)
    assert.equal(result.remedy, account.remedy)
    assert.equal(53, account.rows_counted)
  end)

  -- A run in which `change` is done to the list after `n` answers.
  local function changing(n, change, how)
    how = how or {}
    local list = {}
    for i = 1, 200 do
      list[i] = { id = how.key and how.key(i) or i, ra = 100 + (i - 1) * 0.61803 % 1,
        dec = 20 + (i - 1) * 0.41421 % 1 }
    end
    local source, answers = service(list, 20, how.abilities), 0
    source.id = not how.no_key and source.id or nil
    local fetch = source.fetch
    source.fetch = function(shape)
      answers = answers + 1
      if answers == n then
        change(list)
      end
      return fetch(shape)
    end
    return errors.try(query.run, source, sky.box(99, 102, 19, 22), { parallel = 1,
      into = how.into, format = how.into and "csv" })
  end

  local function account()
    return json.decode(practice.read(output .. "/query-1.account.json"))
  end

  it("case 19: rows deleted or inserted during the run are reported", function()
    for change, after in pairs({
      [function(list)
        table.remove(list, 150)
      end] = 199,
      [function(list)
        list[#list + 1] = { id = 201, ra = 100.5, dec = 20.5 }
      end] = 201,
    }) do
      report.begin(report.new({ output = output }))
      local ok, result = changing(2, change)
      assert.is_true(ok, tostring(result))
      assert.equal(after, result.rows)
      assert.is_truthy(result.verified:find(("200 rows counted before, %d after, %d came")
        :format(after, after), 1, true), result.verified)
      assert.equal(after, account().rows_counted_after)
      assert.is_truthy(account().findings[1]:find("the table changed during the run", 1, true))
    end
  end)

  it("case 19: a row that moves between two tiles comes once, or the run fails", function()
    local refused = 0
    for n = 12, 42, 3 do
      report.begin(report.new({ output = output }))
      local ok, got = changing(n, function(list)
        for i = 5, 6 do -- to the opposite corner
          list[i].ra, list[i].dec = 201.0 - list[i].ra, 41.0 - list[i].dec
        end
      end)
      if ok then
        assert.equal(200, got.rows)
        assert.same(numbers(200), sorted(got.table))
      else
        refused = refused + 1
        assert.equal("integrity", got.code)
        assert.is_truthy(got.message:find("%d+ rows came, the archive counts 200"), got.message)
        assert.equal("failed", account().state)
      end
    end
    assert.is_true(refused > 0)
  end)

  -- In a run without counts: rows 35 and 158, which lie in the south-west, are in the north-east
  -- after so many answers that both copies come.
  local function moved_ahead(how)
    how.abilities = { counts = false }
    report.begin(report.new({ output = output }))
    local ok, got = changing(22, function(list)
      list[35].ra, list[35].dec = 100.999, 20.999
      list[158].ra, list[158].dec = 100.998, 20.998
    end, how)
    assert.is_true(ok, tostring(got))
    return got
  end

  it("case 19: of a row that comes with two answers the copy asked for last is kept", function()
    local function text(i)
      return ("row %d"):format(i)
    end
    for _, how in ipairs({ {}, { key = text }, { into = "rows.csv" },
      { key = text, into = "rows.csv" } }) do
      local got = moved_ahead(how)
      local rows = got.table or require("halyard.table").read(output .. "/rows.csv")
      local key = how.key or function(i)
        return i
      end
      assert.equal(200, got.rows)
      local seen = {}
      for i = 1, #rows do
        local id = rows:get(i, "id")
        assert.is_nil(seen[id])
        seen[id] = rows:get(i, "ra")
      end
      for i = 1, 200 do
        assert.is_truthy(seen[key(i)], i)
      end
      assert.equal(100.999, seen[key(35)])
      assert.equal(100.998, seen[key(158)])
      local name = how.into and output .. "/rows.csv.account.json"
        or output .. "/query-1.account.json"
      local book = json.decode(practice.read(name))
      assert.same({ rows = 2, keys = { tostring(key(158)), tostring(key(35)) } },
        book.changed_during_run)
      assert.equal(200, book.rows_kept)
      assert.is_truthy(book.findings[1]:find("2 rows changed during the run: the copy asked for "
        .. "last is kept of id " .. tostring(key(158)), 1, true), book.findings[1])
    end
  end)

  it("case 19: without a key the account says that changed rows cannot be known", function()
    local got = moved_ahead({ no_key = true })
    assert.equal(202, got.rows)
    assert.same({ unknown = "no column is known that tells rows apart" },
      account().changed_during_run)
  end)

  it("case 19: a key that several rows have tells no rows apart, and none is lost", function()
    for n, words in pairs({ [100] = "^two rows have id %d+: it does not tell rows apart$",
      [7] = "^id %d+ repeats within one answer: it does not tell rows apart$" }) do
      local got = moved_ahead({ key = function(i)
        return i % n
      end })
      assert.equal(202, got.rows)
      assert.is_truthy(account().changed_during_run.unknown:find(words))
    end
  end)

  it("case 19: a run in which nothing changed says so", function()
    local ok, got = changing(1, function() end)
    assert.is_true(ok)
    assert.equal(200, got.rows)
    assert.same({ rows = 0 }, account().changed_during_run)
  end)

  it("case 10: a pile is split on a column, and within one value of it on the next", function()
    local list = {}
    for i = 1, 600 do
      list[i] = { id = i, ra = 100.5, dec = 20.5, day = i <= 400 and 5 or i > 500 and i or nil,
        visit = i % 100 }
    end
    for i = 601, 700 do
      list[i] = { id = i, ra = 100 + i * 0.61803 % 1, dec = 20 + i * 0.41421 % 1, day = i,
        visit = 1 }
    end
    local columns = { { name = "day", max = 1000, nullable = true, null_test = true },
      { name = "visit", max = 100 } }
    local result = query.run(service(list, 50, { alt_split = columns },
      { columns = { "id", "ra", "dec", "day", "visit" }, requests_max = 400 }),
      sky.box(99, 102, 19, 22), {})
    assert.equal("complete", result.state)
    assert.same(numbers(700), sorted(result.table))
    assert.equal("equal to the archive's count", result.verified)
    local both, null = 0, 0
    for _, tile in ipairs(account().tiles) do
      local other = tile.outer and tile.outer[1]
      both = both + (tile.column == "visit" and other and other.column == "day" and tile.kept or 0)
      null = null + (other and other.column_null and tile.kept or 0)
    end
    assert.is_true(both >= 400, both)
    assert.equal(100, null)
    local few = service(list, 50, { alt_split = { columns[1] } },
      { columns = { "id", "ra", "dec", "day" }, requests_max = 400 })
    local ok, err = errors.try(query.run, few, sky.box(99, 102, 19, 22), {})
    assert.is_nil(ok)
    assert.equal("partial", err.code)
    assert.is_truthy(err.message:find("where day is NULL", 1, true), err.message)
  end)

  it("case 22: a count of 10 and 9 rows is an error with both numbers", function()
    local list = {}
    for i = 1, 9 do
      list[i] = { id = i, ra = 10 + i / 10, dec = 5 }
    end
    local ok, err = errors.try(query.run, service(list, 100, {}, { count = function()
      return 10, { requests = 1, bytes = 1 }
    end }), sky.box(9, 12, 4, 6), {})
    assert.is_nil(ok)
    assert.equal("integrity", err.code)
    assert.is_truthy(err.message:find("9 rows came, the archive counts 10", 1, true), err.message)
  end)

  local function even(n)
    local list = {}
    for i = 1, n do
      list[i] = { id = i, ra = 100.5 + i * 0.61803398875 % 1 * 1.99,
        dec = 20.5 + i * 0.41421356237 % 1 * 1.99 }
    end
    return list
  end

  it("does without a count that takes the archive too long, and says so", function()
    local source, n_counts = service(even(2000), 300), 0
    source.verdict = door.verdict
    source.count = function()
      n_counts = n_counts + 1
      errors.raise("timeout", "no answer within 600 s")
    end
    local result = query.run(source, sky.box(100, 103, 20, 23), {})
    assert.same(numbers(2000), sorted(result.table))
    assert.equal("complete", result.state)
    assert.equal(1, n_counts)
    assert.equal("not verified: the archive did not count the rows", result.verified)
    assert.is_truthy(account().findings[1]:find("no answer within 600 s", 1, true))
    assert.is_true(result.account.probes > 0)
  end)

  it("gives up a place on which the archive is at work for ever, and keeps the rest", function()
    local source = service(even(2000), 300)
    source.verdict = door.verdict
    local fetch = source.fetch
    source.fetch = function(shape)
      if in_box(shape, { ra = 101.3, dec = 21.3 }) then
        errors.raise("timeout", "still EXECUTING after 3600 s and 130 polls",
          { outcome = { polls = 130 } })
      end
      return fetch(shape)
    end
    source.count = nil
    source.service.counts = false
    local result = query.run(source, sky.box(100, 103, 20, 23), { partial = true })
    assert.equal("partial", result.state)
    assert.is_true(#result.table > 1000 and #result.table < 2000, #result.table)
    assert.is_truthy(result.remedy:find("the archive was still at work when its time was up", 1,
      true), result.remedy)
    assert.equal(1, #account().missing)
    assert.is_truthy(account().missing[1].why:find("still at work", 1, true))
    assert.equal(4, account().requests.ambiguous)
  end)

  it("fails with a count that is refused for good", function()
    local source = service(even(10), 300)
    source.verdict = door.verdict
    source.count = function()
      errors.raise("permission", "log in first")
    end
    local ok, err = errors.try(query.run, source, sky.box(100, 103, 20, 23), {})
    assert.is_nil(ok)
    assert.equal("permission", err.code)
  end)

  it("accounts for a refused count by cell as refused", function()
    local source = service(even(2000), 300, { histogram = true })
    source.verdict = door.verdict
    source.histogram = function()
      errors.raise("archive", "unknown function ivo_healpix_index")
    end
    local result = query.run(source, sky.box(100, 103, 20, 23), {})
    assert.same(numbers(2000), sorted(result.table))
    local requests = account().requests
    assert.equal(1, requests.histograms)
    assert.equal(1, requests.refused)
    assert.equal(0, requests.ambiguous)
    assert.is_truthy(account().findings[1]:find("counting rows by cell does not work", 1, true))
  end)
end)

describe("the practice archive:", function()
  local folder, archive

  before_each(function()
    folder = practice.folder()
    archive = practice.start("")
  end)

  after_each(function()
    archive:stop()
    practice.remove(folder)
  end)

  local function account(name)
    return json.decode(practice.read(folder .. "/out/" .. name .. ".account.json"))
  end

  it("case 17: outlines that touch a region come once each, wherever their centre is", function()
    local code, out, err = archive:try(folder, "outlines", [[
      local region = sky.circle(201.697, -47.4795, 3)
      local whole = mast.observations { region = region }
      local parts = mast.observations { region = region, row_limit = 100 }
      local outside = 0
      for i = 1, #parts do
        local far = sky.separation(201.697, -47.4795, parts:get(i, "s_ra"), parts:get(i, "s_dec"))
        outside = outside + (far > 3 and 1 or 0)
      end
      local a, b = whole:list("objID"), parts:list("objID")
      table.sort(a)
      table.sort(b)
      for i = 1, #a do assert(a[i] == b[i], "row " .. i) end
      return { whole = #whole, parts = #parts, outside = outside,
        unique = #parts:unique("objID") }]])
    assert.equal(0, code, err)
    local n = tonumber(out:match("whole%s+(%d+)"))
    assert.is_true(n > 200)
    assert.equal(n, tonumber(out:match("parts%s+(%d+)")))
    assert.equal(n, tonumber(out:match("unique%s+(%d+)")))
    assert.is_true(tonumber(out:match("outside%s+(%d+)")) > 0)
    local about = account("query-1")
    assert.equal("complete", about.state)
    assert.equal("equal to the archive's count", about.verified)
    assert.is_true(#about.tiles > 1)
  end)

  -- Rows of a TAP table by a query in parts; those that the service gives at once.
  local function ask(name, options)
    local code, out, err = archive:try(folder, "asks", ([[
      local t = mast.tap("caom"):table(%q)
      local r = t:query { into = "t.csv", row_limit = 700, %s }
      local all = mast.tap("caom"):query("SELECT objid FROM " .. %q).table:list("objid")
      return { rows = r.rows, all = #all, state = r.state, verified = r.verified }]])
      :format(name, options, name))
    assert.equal(0, code, err)
    assert.is_truthy(out:find("equal to the archive's count", 1, true), out)
    return tonumber(out:match("rows%s+(%d+)")), tonumber(out:match("all%s+(%d+)"))
  end

  it("case 18: a table with positions that are missing is whole, with a region or without",
    function()
      for _, options in ipairs({ "", "region = sky.all()" }) do
        local n, all = ask("dbo.obsmoving", options)
        assert.equal(all, n)
        assert.equal(n, practice.file_ids(folder .. "/out/t.csv", folder .. "/ids"))
        local about, unplaced = account("t.csv"), 0
        assert.equal("complete", about.state)
        for _, tile in ipairs(about.tiles) do
          unplaced = unplaced + (tile.no_position and tile.kept or 0)
        end
        assert.is_true(unplaced > 0)
        local lines, last = practice.read(folder .. "/out/t.csv"), 0
        for fields in lines:gmatch("[^\n]*,,,[^\n]*\n") do
          last = last + (fields and 1 or 0)
        end
        assert.equal(unplaced, last)
      end
    end)

  it("counts rows by HEALPix cell where the service has the function, once", function()
    ask("dbo.obsmoving", "region = sky.circle(200, 88, 5)")
    local about = account("t.csv")
    assert.equal(1, about.requests.histograms)
    assert.equal(0, about.requests.over)
    assert.is_true(about.requests.all <= 2 * about.lower_bound + 5)
  end)

  it("pages through a table without positions in the order of its key", function()
    local n, all = ask("dbo.obsnorth", "")
    assert.equal(all, n)
    assert.equal(n, practice.file_ids(folder .. "/out/t.csv", folder .. "/ids"))
    local about = account("t.csv")
    assert.equal(math.ceil(n / 699), about.requests.all)
    for i, tile in ipairs(about.tiles) do
      assert.equal(i, tile.page)
    end
  end)

  it("refuses a region where a table has no positions", function()
    local code, _, err = archive:try(folder, "asks", [[
      return mast.tap("caom"):table("dbo.obsnorth"):query { region = sky.all() }]])
    assert.equal(2, code)
    assert.is_truthy(err:find("leave region out", 1, true), err)
  end)
end)
