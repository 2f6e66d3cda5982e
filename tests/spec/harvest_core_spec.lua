-- SPDX-License-Identifier: BSD-3-Clause
local harvest = require("halyard.core.harvest")
local peer = require("halyard.test.peer")
local plan = require("halyard.core.plan")
local sky = require("halyard.core.sky")
local tables = require("halyard.core.table")
local task = require("halyard.core.task")

local function failure(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.equal("table", type(err))
  return err.code, err.message
end

local folder = os.tmpname() .. "-out"

local function files()
  local pipe <close> = io.popen("ls -A " .. folder)
  local list = {}
  for name in pipe:lines() do
    list[#list + 1] = name
  end
  return list
end

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

-- A small sky round ra 0, the same for every test.
local function stars()
  local rows = {}
  for i = 0, 1999 do
    rows[i + 1] = { id = (i * 7919) % 2000, ra = (355 + (i * 37 % 1000) / 100) % 360,
      dec = (i * 61 % 1000) / 100 - 5 }
  end
  return rows
end

-- Carries a plan through: answers come from `rows`, whatever the request's form.
local function run(h, region, cap, rows)
  local service = { takes_box = true, cap = cap }
  local p <close> = plan.new(service, region, { window = 3, known_rows = #rows })
  while true do
    local what, ask = p:next()
    if what == "done" then
      break
    end
    assert.equal("ask", what)
    local list = {}
    local box = sky.box(ask.ra_min, ask.ra_max, ask.dec_min, ask.dec_max)
    for _, row in ipairs(rows) do
      if box:contains(row.ra, row.dec) then
        list[#list + 1] = row
      end
    end
    if ask.kind == "fetch" then
      local answer = tables.from_rows(list, { "id", "ra", "dec" })
      local got = h:tile(ask, answer)
      assert.equal(#list, got.returned)
      assert.equal(0, got.overshoot_deg)
      if not p:complete(ask.id, got.returned, got.kept, got.overshoot_deg) then
        h:drop(ask.id)
      end
    else
      p:complete(ask.id, #list, 0, 0)
    end
  end
  return p:account()
end

describe("a harvest", function()
  setup(function()
    peer.set("output", folder)
  end)

  teardown(function()
    peer.set("output")
    os.execute("rm -r " .. folder)
  end)

  local options = { dir = folder, ra = "ra", dec = "dec", id = "id" }
  local function start(region)
    options.region = region
    return harvest.new(options)
  end

  it("gives every row of the region once, the same bytes for any tiling", function()
    local rows, texts = stars(), {}
    local region = sky.circle(0, 0, 4)
    local inside = 0
    for _, row in ipairs(rows) do
      inside = inside + (region:contains(row.ra, row.dec) and 1 or 0)
    end
    for i, cap in ipairs({ 100000, 300, 90 }) do
      local h <close> = start(region)
      local account = run(h, region, cap, rows)
      assert.equal("complete", account.state)
      assert.equal(inside, account.rows_kept)
      local merged = h:merge(("rows-%d.csv"):format(i), "csv")
      assert.equal(inside, merged.rows)
      assert.equal(0, merged.duplicates)
      texts[i] = read(("%s/rows-%d.csv"):format(folder, i))
      assert.equal(merged.bytes, #texts[i])
      local t, report = h:table()
      assert.equal(inside, #t)
      assert.equal(inside, #t:unique("id"))
      assert.equal(0, report.duplicates)
    end
    assert.equal(texts[1], texts[2])
    assert.equal(texts[1], texts[3])
    assert.same({ "rows-1.csv", "rows-2.csv", "rows-3.csv" }, files())
  end)

  local function half(id, dec_lo, dec_hi)
    return { id = id, form = "box", ra_min = 0, ra_max = 360, dec_min = -90, dec_max = 90,
      tile = { ra = 0, width = 3600000000, dec_lo = dec_lo, dec_hi = dec_hi },
      cone = { ra = 0, dec = 0, radius = 180 } }
  end

  it("takes several tiles at once", function()
    local rows = tables.from_rows(stars(), { "id", "ra", "dec" })
    local h <close> = start(sky.all())
    local got = task.all({
      function() return h:tile(half(1, -900000000, 0), rows).kept end,
      function() return h:tile(half(2, 0, 900000000), rows).kept end,
    })
    assert.equal(2000, got[1] + got[2])
    assert.equal(2000, #h:table())
  end)

  it("leaves nothing behind when it is closed, collected or given up", function()
    local before = #files()
    local h = start(sky.all())
    assert.equal(before + 1, #files())
    h:close()
    h:close()
    assert.equal(before, #files())
    assert.equal("usage", (failure(h.table, h)))
    assert.equal("harvest (closed)", tostring(h))
    start(sky.all())
    collectgarbage()
    collectgarbage()
    assert.equal(before, #files())
    pcall(task.all, { function()
      local mine <close> = start(sky.all())
      task.spawn(error, "stop")
      mine:tile({ id = 1, form = "cone", cone = { ra = 0, dec = 0, radius = 180 },
        tile = { ra = 0, width = 3600000000, dec_lo = -900000000, dec_hi = 900000000 } },
        tables.from_rows(stars(), { "id", "ra", "dec" }))
      task.sleep(10)
    end })
    assert.equal(before, #files())
  end)

  it("tells the identifiers of a place, of what was kept and of any answer", function()
    local rows = stars()
    local all = tables.from_rows(rows, { "id", "ra", "dec" })
    local region = sky.circle(10, 0, 30)
    local h <close> = start(sky.box(0, 360, -1.5, 90))
    h:tile(half(1, -900000000, 0), all)
    h:tile(half(2, 0, 900000000), all)
    local inside = {}
    for _, row in ipairs(rows) do
      if region:contains(row.ra, row.dec) and row.dec >= -1.5 then
        inside[#inside + 1] = row.id
      end
    end
    assert.is_true(#inside > 10)
    for _, found in ipairs({ h:ids(region), h:ids(region, all) }) do
      local list = found:list("id")
      table.sort(list)
      table.sort(inside)
      assert.same({ "id" }, found.columns)
      assert.same(inside, list)
    end
    assert.equal(0, #h:ids(sky.circle(200, -50, 1)))
  end)

  it("of outlines keeps all centres, those that are not there last", function()
    local h <close> = harvest.new({ dir = folder, ra = "ra", dec = "dec", id = "id",
      region = sky.circle(10, 0, 1), footprints = true, nullable = true })
    local rows = tables.from_rows({ { id = 1 }, { id = 2, ra = 200, dec = 40 },
      { id = 3, ra = 10, dec = -40 }, { id = 4, ra = 10 } }, { "id", "ra", "dec" })
    local south, north = half(1, -900000000, 0), half(2, 0, 900000000)
    south.by_centre, north.by_centre = true, true
    assert.equal(1, h:tile(south, rows).kept)
    assert.equal(1, h:tile(north, rows).kept)
    local bucket = half(3, -900000000, 900000000)
    bucket.no_position = true
    assert.equal(2, h:tile(bucket, rows).kept)
    local ids = h:table():list("id")
    assert.same({ 1, 4 }, { ids[3], ids[4] })
    local whole = half(4, -900000000, 900000000)
    whole.whole = true
    assert.equal(4, h:tile(whole, rows).kept)
  end)

  it("shares rows out by ranges of a column, those without a value too", function()
    local h <close> = harvest.new({ dir = folder, id = "id", region = sky.all(), nullable = true })
    local list = { { id = 1 } }
    for i = 2, 100 do
      list[i] = { id = i, mag = i / 10 }
    end
    local rows, kept = tables.from_rows(list, { "id", "mag" }), {}
    for i, range in ipairs({ { nil, 3 }, { 3, 7.5 }, { 7.5, nil } }) do
      local ask = half(i, -900000000, 900000000)
      ask.whole, ask.column, ask.column_index = true, "mag", 1
      ask.column_lo, ask.column_hi = range[1], range[2]
      kept[i] = h:tile(ask, rows).kept
    end
    local null = half(4, -900000000, 900000000)
    null.whole, null.column, null.column_index, null.column_null = true, "mag", 1, true
    kept[4] = h:tile(null, rows).kept
    assert.same({ 28, 45, 26, 1 }, kept)
    local ids = h:table():list("id")
    for i = 1, 100 do
      assert.equal(i, ids[i])
    end
  end)

  it("is empty, with its columns, when the sky is", function()
    local h <close> = start(sky.circle(200, 50, 1))
    run(h, sky.circle(200, 50, 1), 100, stars())
    local t = h:table()
    assert.equal(0, #t)
    assert.same({ "id", "ra", "dec" }, t.columns)
  end)

  it("refuses answers without the position columns and arguments that cannot be", function()
    local h <close> = start(sky.all())
    local ask = { id = 1, form = "cone", tile = { ra = 0, width = 3600000000, dec_lo = -900000000,
      dec_hi = 900000000 }, cone = { ra = 0, dec = 0, radius = 180 } }
    local rows = tables.from_rows({ { id = 1, ra = 1.5 } }, { "id", "ra" })
    local code, message = failure(h.tile, h, ask, rows)
    assert.equal("usage", code)
    assert.truthy(message:find('"dec"', 1, true))
    local nulls = tables.from_rows({ { id = 1, ra = 1.5 }, { id = 2, ra = 1.5, dec = 2.5 } },
      { "id", "ra", "dec" })
    assert.equal("integrity", (failure(h.tile, h, ask, nulls)))
    assert.equal("usage", (failure(h.tile, h, {}, nulls)))
    assert.equal("usage", (failure(h.tile, h, ask, "rows")))
    ask.form = "disc"
    assert.equal("usage", (failure(h.tile, h, ask, nulls)))
    assert.equal("permission", (failure(h.merge, h, "/elsewhere.csv", "csv")))
    assert.equal("usage", (failure(h.merge, h, "x.csv", "xls")))
    assert.equal("usage", (failure(harvest.new, { dir = folder })))
    assert.equal("permission", (failure(harvest.new,
      { dir = "/elsewhere", ra = "ra", dec = "dec", region = sky.all() })))
  end)

  it("logs what the format of the merged file does not keep", function()
    local logged = require("halyard.test").logged
    local region = sky.circle(0, 0, 1)
    local h <close> = start(region)
    run(h, region, 100000, { { id = "17", ra = 0.0, dec = 0.0 } })
    logged()
    h:merge("warned.vot", "votable")
    assert.equal("", logged())
    h:merge("warned.csv", "csv")
    assert.equal('{"level":"warning","text":"csv reads back as numbers or booleans what is text '
      .. '(id)"}\n', logged())
  end)
end)
