-- SPDX-License-Identifier: BSD-3-Clause
-- Tiled catalogues against the practice archive's own list: the same identifiers, each once,
-- whatever the limit, the place on the sky, the faults and the number of requests in parallel.

package.path = assert(os.getenv("HALYARD_SOURCE")) .. "/tests/archive/?.lua;" .. package.path
local practice = require("practice")

describe("a tiled catalogue", function()
  local folder, archive
  local file = practice.workflows .. "/catalogue.lua"

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

  -- Runs the query and compares identifiers; returns number of rows and of requests.
  local function compare(catalog, region, limit, options, parallel)
    archive = practice.start((limit and "--row-cap " .. limit or "") .. " " .. (options or ""))
    local code, out, err = archive:run(file, folder .. "/run",
      { catalog = catalog, region = region, row_limit = limit, parallel = parallel }, "--quiet")
    assert.equal(0, code, err)
    archive:stop()
    practice.dump_ids(catalog, region, folder .. "/truth")
    local n = practice.file_ids(folder .. "/run/rows.csv", folder .. "/ids")
    assert.is_true(practice.same(folder .. "/truth", folder .. "/ids"),
      ("%d rows came; diff: %s"):format(n, practice.shell(("diff %s/truth %s/ids | head -5")
        :format(folder, folder))))
    return n, tonumber(out:match("requests%s+(%d+)"))
  end

  it("is one request when it fits", function()
    local n, requests = compare("Gaia DR3", "CIRCLE 130 40 0.2")
    assert.is_true(n > 0)
    assert.equal(1, requests)
  end)

  it("of a region without rows is empty and complete", function()
    archive = practice.start("")
    local code, out = archive:run(file, folder .. "/run", { region = "CIRCLE 130 40 0" }, "--quiet")
    assert.equal(0, code)
    assert.equal("0", out:match("rows%s+(%d+)"))
  end)

  it("is complete past a limit of 500 rows", function()
    local n, requests = compare("Gaia DR3", "CIRCLE 200 60 0.6", 500)
    assert.is_true(n > 500 and requests > 1)
  end)

  it("is complete past a limit that nobody told", function()
    archive = practice.start("--row-cap 3000")
    local region = "CIRCLE 200 60 0.8"
    local code, _, err = archive:run(file, folder .. "/run", { region = region }, "--quiet")
    assert.equal(0, code, err)
    practice.dump_ids("Gaia DR3", region, folder .. "/truth")
    assert.is_true(practice.file_ids(folder .. "/run/rows.csv", folder .. "/ids") > 3000)
    assert.is_true(practice.same(folder .. "/truth", folder .. "/ids"))
  end)

  it("is complete past a limit of 5,000 rows, asked for in boxes and counted", function()
    local n, requests = compare("TIC", "CIRCLE 200 60 2", 5000)
    assert.is_true(n > 5000 and requests > 1)
  end)

  it("is complete where a service flags its limit by the number of rows", function()
    compare("GALEX", "CIRCLE 200 60 1")
  end)

  it("is complete across ra 0", function()
    local n = compare("Gaia DR3", "CIRCLE 0.05 20 1", 2000)
    assert.is_true(n > 2000)
  end)

  it("is complete across ra 0 in boxes", function()
    compare("TIC", "CIRCLE 359.9 -20 1", 2000)
  end)

  it("is complete on a pole", function()
    local n = compare("Gaia DR3", "CIRCLE 77 89.7 1", 2000)
    assert.is_true(n > 2000)
  end)

  it("is complete on the south pole in boxes", function()
    compare("TIC", "CIRCLE 10 -89.8 1", 2000)
  end)

  it("is complete on the globular cluster", function()
    local n = compare("Gaia DR3", "CIRCLE 201.697 -47.4795 0.03", 5000)
    assert.is_true(n > 20000)
  end)

  it("is complete in a box and in a polygon", function()
    compare("Gaia DR3", "RANGE 359 1 -1 1", 3000)
    archive:stop()
    compare("Gaia DR3", "POLYGON 100 10 102 10 101 12", 3000)
  end)

  for _, percent in ipairs({ 5, 20 }) do
    it(("is complete although %d %% of the answers are reset"):format(percent), function()
      compare("Gaia DR3", "CIRCLE 200 60 1", 2000, ("--faults reset=%g"):format(percent / 100))
    end)
  end

  it("is complete past a limit that is silent", function()
    local n, requests = compare("Gaia DR3", "CIRCLE 200 60 0.8", nil, "--faults silent-cap=1000")
    assert.is_true(n > 1000 and requests > 1)
  end)

  it("is complete where a counting service has a lower limit than told, and resets", function()
    compare("TIC", "CIRCLE 200 60 1", nil, "--row-cap 1000 --faults reset=0.2")
  end)

  it("outlasts maintenance pages and deadlocks in the archive's database", function()
    -- One at a time: the same requests meet the same faults in every run.
    compare("Gaia DR3", "CIRCLE 200 60 0.6", 500, "--faults html=0.05,error=0.05", 1)
  end)

  it("of observations is refused when fewer come than the archive counts", function()
    archive = practice.start("--faults silent-cap=10")
    local code, _, err = archive:run(practice.workflows .. "/observations.lua", folder .. "/run",
      {}, "--quiet")
    assert.equal(7, code)
    assert.is_truthy(err:find("10 observations came, the archive counts", 1, true), err)
  end)

  it("is the same file with 1, 2 and 8 requests in parallel", function()
    archive = practice.start("--row-cap 500")
    for _, parallel in ipairs({ 1, 2, 8 }) do
      local code, _, err = archive:run(file, folder .. "/" .. parallel,
        { region = "CIRCLE 0.3 60 0.5", parallel = parallel, row_limit = 500 }, "--quiet")
      assert.equal(0, code, err)
    end
    assert.is_true(practice.same(folder .. "/1/rows.csv", folder .. "/2/rows.csv"))
    assert.is_true(practice.same(folder .. "/1/rows.csv", folder .. "/8/rows.csv"))
    assert.is_true(#practice.read(folder .. "/1/rows.csv") > 100000)
  end)
end)
