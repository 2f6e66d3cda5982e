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
end)
