-- SPDX-License-Identifier: BSD-3-Clause
local plan = require("halyard.core.plan")
local sky = require("halyard.core.sky")
local system = require("halyard.core.system")

local service = { takes_box = true, counts = false, cap = 1000, over_is_slow = true }

local function failure(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.equal("table", type(err))
  return err.code, err.message
end

-- Rows of an even sky in a box: 10 per square degree.
local function rows_in(ask)
  local width = (ask.ra_max - ask.ra_min) % 360
  if width == 0 then
    width = 360
  end
  local height = math.sin(math.rad(ask.dec_max)) - math.sin(math.rad(ask.dec_min))
  return math.floor(10 * width * math.deg(height))
end

describe("a tile plan", function()
  it("asks for the whole region first and is done when that fits", function()
    local p <close> = plan.new(service, sky.circle(10, 20, 1), { window = 2 })
    local what, ask = p:next()
    assert.equal("ask", what)
    assert.equal("fetch", ask.kind)
    assert.is_true(ask.whole)
    assert.same({ "ra", "dec", "width" }, { "ra", "dec", ask.tile.width and "width" })
    assert.is_true(ask.cone.radius >= 1)
    assert.same({ "wait" }, { p:next() })
    assert.is_true(p:complete(ask.id, 31, 31, 0))
    assert.equal("done", (p:next()))
    local account = p:account()
    assert.equal("complete", account.state)
    assert.equal(31, account.rows_kept)
    assert.equal(1, account.requests)
    assert.is_nil(p:error())
    assert.same({}, p:stuck())
  end)

  it("splits until every tile fits", function()
    local p <close> = plan.new(service, sky.box(0, 40, -20, 20), { window = 1 })
    local kept = 0
    while true do
      local what, ask = p:next()
      if what == "done" then
        break
      end
      assert.equal("ask", what)
      local n = rows_in(ask)
      if ask.kind == "fetch" and p:complete(ask.id, n, n, 0) then
        kept = kept + n
      elseif ask.kind == "probe" then
        p:complete(ask.id, n, 0, 0)
      end
    end
    assert.equal("complete", p:account().state)
    assert.equal(kept, p:account().rows_kept)
    local leaves = p:leaves()
    assert.is_true(#leaves >= 16)
    for _, leaf in ipairs(leaves) do
      assert.is_true(leaf.done)
      assert.is_true(leaf.rows_kept < 1000)
      assert.is_true(leaf.dec_min < leaf.dec_max)
    end
    assert.truthy(tostring(p):find("tiles done"))
  end)

  it("stops with the error of a fatal answer", function()
    local p <close> = plan.new(service, sky.circle(10, 20, 1), {})
    local _, ask = p:next()
    local _, why = pcall(system.raise, "archive", "Invalid column")
    p:failed(ask.id, "fatal", why)
    assert.equal("done", (p:next()))
    local err = p:error()
    assert.equal("failed", p:account().state)
    assert.equal("archive", err.code)
    assert.truthy(err.message:find("Invalid column", 1, true))
  end)

  it("refuses unknown options, verdicts and asks", function()
    assert.equal("usage", (failure(plan.new, { boxes = true }, sky.all(), {})))
    assert.equal("usage", (failure(plan.new, service, "everywhere", {})))
    assert.equal("usage", (failure(plan.new, service, sky.all(), { window = 9 })))
    assert.equal("usage", (failure(plan.new, service, sky.all(), { windows = 2 })))
    local p = plan.new(service, sky.circle(10, 20, 1))
    assert.equal("usage", (failure(p.failed, p, 1, "maybe")))
    assert.is_string((failure(p.complete, p, 999, 1, 1, 0)))
    p:close()
    assert.equal("usage", (failure(p.next, p)))
  end)

  it("counts rows by cell where the service can, and plans from that", function()
    local p <close> = plan.new({ takes_box = true, histogram = true, cap = 1000 }, sky.all(), {})
    local what, ask = p:next()
    assert.same({ "ask", "histogram" }, { what, ask.kind })
    assert.is_true(ask.whole)
    assert.is_true(12 * 4 ^ ask.order < 1000)
    local cells, rows = {}, {}
    for cell = 0, 12 * 4 ^ ask.order - 1 do
      cells[#cells + 1], rows[#rows + 1] = cell, 50
    end
    p:histogram(ask.id, cells, rows)
    local n = 50 * #cells
    repeat
      what, ask = p:next()
      if what == "ask" then
        assert.equal("fetch", ask.kind)
        assert.is_true(ask.predicted_rows < 1000)
        assert.is_true(p:complete(ask.id, math.floor(ask.predicted_rows), 0, 0))
      end
    until what == "done"
    assert.equal("complete", p:account().state)
    assert.same({ 1, n }, { p:account().histograms, p:account().rows_counted })
    assert.is_true(p:account().requests < 2 * n / 1000 + 5)
    local text, form = p:explain()
    assert.truthy(text:find("HEALPix cell of order", 1, true))
    assert.equal("boxes", form)
    assert.is_true(#p:densities(20) > 0 and #p:densities(20) <= 20)
    local q <close> = plan.new(service, sky.all(), { prior = p:densities(20) })
    assert.truthy(q:explain():find("remembered", 1, true))
    assert.equal("usage", (failure(p.histogram, p, 1, { 1, 2 }, { 1 })))
    assert.equal("usage", (failure(p.histogram, p, 1, { -1 }, { 1 })))
  end)

  it("splits a table without sky on ranges of a column and says whose value is whose", function()
    local record = { cap = 100, alt_split = { { name = "obsid", min = 0, max = 1000,
      nullable = true, null_test = true } } }
    local p <close> = plan.new(record, sky.all(), {})
    local owners, nulls = {}, 0
    repeat
      local what, ask = p:next()
      if what == "ask" then
        assert.is_true(ask.whole)
        local kept, returned = 0, 0
        for value = 0, 999 do
          local selected = not ask.column_null and value >= (ask.column_min or -1)
            and value <= (ask.column_max or 1000)
          returned = returned + (selected and 1 or 0)
          if selected and plan.owns_value(ask, value) then
            kept = kept + 1
          end
        end
        if plan.owns_value(ask, nil) and ask.column then
          nulls = nulls + 1
        end
        if returned >= 100 then
          p:failed(ask.id, "over")
        elseif p:complete(ask.id, returned, kept, 0) then
          owners[#owners + 1] = kept
        end
      end
    until what == "done"
    local sum = 0
    for _, n in ipairs(owners) do
      sum = sum + n
    end
    assert.equal(1000, sum)
    assert.equal(1, nulls)
    assert.equal(1000, p:account().rows_kept)
    local named = 0
    for _, leaf in ipairs(p:leaves()) do
      named = named + (leaf.column == "obsid" and 1 or 0)
    end
    assert.equal(#owners, named)
    local text, form = p:explain()
    assert.truthy(text:find("ranges of obsid", 1, true))
    assert.equal("ranges of a column", form)
  end)

  it("turns pages where only a key is left", function()
    local p <close> = plan.new({ cap = 100, order_key = true, key_unique = true }, sky.all(), {})
    local left, pages = 250, 0
    repeat
      local what, ask = p:next()
      if what == "ask" then
        pages = pages + 1
        assert.same({ pages, 1 }, { ask.page, ask.series })
        local n = math.min(left, ask.page_rows)
        left = left - n
        assert.equal(left > 0, p:page_is_full(ask.id, n))
        assert.is_true(p:complete(ask.id, n, n, 0))
      end
    until what == "done"
    assert.equal(250, p:account().rows_kept)
    assert.equal(3, pages)
  end)

  it("asks for rows without position, and for footprints by their centre", function()
    local p <close> = plan.new({ takes_cone = true, match = "footprint", centre_columns = true,
      pos_nullable = true, null_test = true, cap = 1000 }, sky.circle(10, 10, 1), {})
    local _, ask = p:next()
    p:failed(ask.id, "over")
    local seen = { no_position = 0, by_centre = 0 }
    repeat
      local what
      what, ask = p:next()
      if what == "ask" then
        for key, n in pairs(seen) do
          seen[key] = n + (ask[key] and 1 or 0)
        end
        p:complete(ask.id, 3, ask.kind == "fetch" and 3 or 0, 0)
      end
    until what == "done"
    assert.equal("complete", p:account().state)
    assert.equal(1, seen.no_position)
    assert.is_true(seen.by_centre > 3)
  end)

  it("tells what it found out about the service", function()
    local first <close> = plan.new(service, sky.circle(10, 20, 1), {})
    first:next() -- the region unsplit: no tile has lost a row yet
    first:printed(1e-3)
    assert.equal("running", first:account().state)
    assert.truthy(first:findings()[1]:find("printed in steps of 0.001 degrees", 1, true))
    local p <close> = plan.new(service, sky.circle(10, 20, 1), { known_rows = 5000 })
    local _, ask = p:next()
    assert.is_false(ask.whole)
    assert.equal("integrity", (failure(p.printed, p, 1e-3)))
    assert.truthy(p:findings()[1]:find("printed in steps of 0.001 degrees", 1, true))
    assert.equal("failed", p:account().state)
    assert.is_true(math.abs(p:account().guard_needed_arcsec - 7.2) < 1e-9)
  end)

  it("refuses records that do not hold together", function()
    local all = sky.all()
    assert.equal("usage", (failure(plan.new, { cap = 10 }, all)))
    assert.equal("usage", (failure(plan.new, { alt_split = { { decimals = 1 } } }, all)))
    local fine = { alt_split = { { name = "x", decimals = 10 } } }
    assert.equal("usage", (failure(plan.new, fine, all)))
    assert.equal("usage", (failure(plan.new, { takes_box = true, match = "outline" }, all)))
    assert.equal("usage", (failure(plan.new, service, all, { prior = { { ra = 1 } } })))
  end)
end)
