-- SPDX-License-Identifier: BSD-3-Clause
-- The tile driver with a service made of a list of rows, no network: what is kept, what is told to
-- the plan, what becomes of a difference between count and rows.

local errors = require("halyard.error")
local query = require("halyard.query")
local report = require("halyard.report")
local sky = require("halyard.core.sky")
local tables = require("halyard.core.table")
local task = require("halyard.core.task")

describe("a query past a row limit", function()
  local output, stars, asked, running, most_running

  -- 3,000 stars on a spiral round (10, 0).
  local function make_stars()
    local list = {}
    for i = 1, 3000 do
      local angle, radius = i * 2.399963, 2 * math.sqrt(i / 3000)
      list[i] = { id = i, ra = (10 + radius * math.cos(angle)) % 360,
        dec = radius * math.sin(angle) }
    end
    return list
  end

  local function inside(shape, star)
    if shape.radius then
      return sky.separation(shape.ra, shape.dec, star.ra, star.dec) <= shape.radius
    end
    return star.dec >= shape.dec_min and star.dec <= shape.dec_max
      and (star.ra - shape.ra_min) % 360 <= (shape.ra_max - shape.ra_min) % 360
  end

  local function rows_in(shape)
    local list = {}
    for _, star in ipairs(stars) do
      list[#list + 1] = inside(shape, star) and star or nil
    end
    return list
  end

  local function service(fields)
    local source = {
      name = "Made up", id = "id", ra = "ra", dec = "dec", window = 4,
      service = { takes_cone = true, cap = 500, over_is_slow = true },
      refine = function(rows)
        return rows
      end,
      verdict = function(err)
        return err.code == "network" and "ambiguous" or err.code == "protocol" and "fatal" or nil
      end,
      fetch = function(shape)
        asked, running = asked + 1, running + 1
        most_running = math.max(most_running, running)
        task.sleep(0)
        running = running - 1
        local list = rows_in(shape)
        if #list > 500 then
          errors.raise("network", "reset", { reset = true })
        end
        return tables.from_rows(list, { "id", "ra", "dec" }), { requests = 1, bytes = 100 }
      end,
      count = function(shape)
        return #rows_in(shape), { requests = 1, bytes = 1 }
      end,
    }
    for key, value in pairs(fields or {}) do
      source[key] = value
    end
    return source
  end

  before_each(function()
    local pipe <close> = io.popen("mktemp -d")
    output = require("halyard.core.system").default_output(pipe:read("l"))
    require("halyard.core.system").make_dirs("")
    report.begin(report.new({ output = output }))
    stars, asked, running, most_running = make_stars(), 0, 0, 0
  end)

  after_each(function()
    os.execute("rm -rf '" .. output .. "'")
  end)

  local circle = sky.circle(10, 0, 1.5)

  local function ids(result)
    local list = result.table:list("id")
    table.sort(list)
    return list
  end

  local function truth()
    local list = {}
    for _, star in ipairs(rows_in({ ra = 10, dec = 0, radius = 1.5 })) do
      list[#list + 1] = star.id
    end
    return list
  end

  it("keeps each row once, with several requests at a time", function()
    local result = query.run(service({ count = nil }), circle, {})
    assert.same(truth(), ids(result))
    assert.is_true(most_running > 1 and most_running <= 4)
    assert.equal(asked, result.account.requests)
  end)

  it("asks for boxes and proves the sum where the service can count", function()
    local able = { takes_box = true, takes_cone = true, counts = true, cap = 500 }
    local result = query.run(service({ service = able }), circle, { parallel = 2 })
    assert.same(truth(), ids(result))
    assert.equal("equal to the archive's count", result.verified)
    assert.is_true(most_running <= 2)
  end)

  it("fails with both numbers when rows are missing", function()
    local able = { takes_cone = true, counts = true, cap = 500 }
    local source = service({ service = able })
    local count = source.count
    source.count = function(shape)
      local n, cost = count(shape)
      return n + 7, cost
    end
    local ok, err = errors.try(query.run, source, circle, {})
    assert.is_nil(ok)
    assert.equal("integrity", err.code)
    assert.equal(#truth(), err.rows)
    assert.equal(#truth() + 7, err.rows_counted)
  end)

  it("accepts a difference that rows on the border explain", function()
    local able = { takes_cone = true, counts = true, cap = 500 }
    stars[#stars + 1] = { id = 9999, ra = 10, dec = 1.5 + 0.5 / 3600 }
    local source = service({ service = able })
    local count = source.count
    source.count = function(shape) -- the archive's border is half an arcsecond wider
      return count({ ra = shape.ra, dec = shape.dec, radius = shape.radius + 0.6 / 3600 })
    end
    local result = query.run(source, circle, {})
    assert.same(truth(), ids(result))
    assert.is_truthy(result.verified:find("border", 1, true))
  end)

  it("asks ten tiles again in an audit, the fullest among them, and says what it found", function()
    local result = query.run(service({ count = nil }), circle, { verify = "audit" })
    assert.same(truth(), ids(result))
    assert.is_truthy(result.verified:find("10 of %d+ tiles asked again in another shape: the same "
      .. "%d+ rows"), result.verified)
    assert.is_true(asked > result.account.requests)
    asked = 0
    result = query.run(service({ count = nil }), circle, { verify = "none" })
    assert.equal(asked, result.account.requests)
    assert.equal("not verified: verify is none", result.verified)
  end)

  -- A service that leaves out every third star in its first `n` answers, or in all that follow.
  local function forgetful(n, later)
    local source = service({ count = nil })
    local fetch = source.fetch
    source.fetch = function(shape)
      local rows, cost = fetch(shape)
      local list = {}
      for i = 1, #rows do
        local id = rows:get(i, "id")
        if (asked <= n) == later or id % 3 > 0 then
          list[#list + 1] = { id = id, ra = rows:get(i, "ra"), dec = rows:get(i, "dec") }
        end
      end
      return tables.from_rows(list, { "id", "ra", "dec" }), cost
    end
    return source
  end

  it("fails in an audit where the answers differ, naming the tile and the rows", function()
    for _, later in ipairs({ false, true }) do
      local n = query.run(forgetful(math.maxinteger, later), circle, {}).account.requests
      asked = 0
      local ok, err = errors.try(query.run, forgetful(n, later), circle, { verify = "audit" })
      assert.is_nil(ok)
      assert.equal("integrity", err.code)
      assert.is_truthy(err.message:find("audit of the tile ra %d+%.%d+%.%.%d+%.%d+ dec "),
        err.message)
      assert.is_truthy(err.message:find("id %d+, %d+.* came only "
        .. (later and "before" or "now")), err.message)
      local ids_told = later and err.extra or err.lost
      assert.equal(0, tonumber(ids_told[1]) % 3)
    end
  end)

  it("audits where the service takes boxes only", function()
    local able = { takes_box = true, cap = 500 }
    local result = query.run(service({ service = able, count = nil }), circle,
      { verify = "audit" })
    assert.same(truth(), ids(result))
    assert.is_truthy(result.verified:find("tiles asked again", 1, true))
  end)

  it("stops at once with the archive's own error when a question is refused", function()
    local ok, err = errors.try(query.run, service({ fetch = function()
      asked = asked + 1
      errors.raise("protocol", "an HTML page")
    end }), circle, {})
    assert.is_nil(ok)
    assert.equal("protocol", err.code)
    assert.equal(1, asked)
  end)

  it("notices positions that are not the ones selected on", function()
    local source = service({ count = nil })
    source.fetch = function(shape)
      local list = rows_in(shape)
      list[#list + 1] = { id = 9999, ra = 50, dec = 50 }
      return tables.from_rows(list, { "id", "ra", "dec" }), { requests = 1, bytes = 1 }
    end
    source.service.cap = 100000
    local ok, err = errors.try(query.run, source, circle, {})
    assert.is_nil(ok)
    assert.equal("integrity", err.code)
    assert.is_truthy(err.message:find("position columns", 1, true))
  end)

  it("leaves only the file it was asked for and its account", function()
    local result = query.run(service({ count = nil }), circle, { into = "stars.csv" })
    local pipe <close> = io.popen("ls -A '" .. output .. "'")
    assert.equal("stars.csv\nstars.csv.account.json\nstars.csv.covered.fits\n", pipe:read("a"))
    assert.equal(#truth(), result.rows)
  end)

  it("counts once and fetches nothing in a dry run", function()
    report.begin(report.new({ output = output, dry = true }))
    local able = { takes_box = true, takes_cone = true, counts = true, cap = 500 }
    assert.is_nil(query.run(service({ service = able }), circle, {}))
    assert.equal(0, asked)
    local plan = report.current().plans[1]
    assert.equal(#truth(), plan.rows)
    assert.is_true(plan.lower_bound >= 3 and plan.requests_low >= plan.lower_bound)
    assert.is_true(#plan.leaves >= 1)
  end)
end)
