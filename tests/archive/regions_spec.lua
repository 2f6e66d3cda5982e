-- SPDX-License-Identifier: BSD-3-Clause
-- Regions of every form against the practice archive: the identifiers of a query are those that
-- brute force finds in the archive's own list of a circle round the region. More rows: windows.py.

package.path = assert(os.getenv("HALYARD_SOURCE")) .. "/tests/archive/?.lua;" .. package.path
local practice = require("practice")
local sky = require("halyard.sky")

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

  -- Identifiers in `circle` whose place `inside` holds, sorted, to folder/truth.
  local function brute_force(catalog, circle, inside)
    practice.shell(("%s --dump %s --region %s > %s/all"):format(
      practice.quote(os.getenv("HALYARD_BIN") .. "/halyard-practice"), catalog,
      practice.quote(circle), folder))
    local list, names = {}, nil
    for line in io.lines(folder .. "/all") do
      local cells = {}
      for cell in (line .. ","):gmatch("([^,]*),") do
        cells[#cells + 1] = cell
      end
      if not names then
        names = {}
        for i, name in ipairs(cells) do
          names[name] = i
        end
      elseif inside(tonumber(cells[names.ra]), tonumber(cells[names.dec])) then
        list[#list + 1] = cells[1]
      end
    end
    table.sort(list)
    local out <close> = assert(io.open(folder .. "/truth", "wb"))
    out:write(#list > 0 and table.concat(list, "\n") .. "\n" or "")
    return #list
  end

  -- Runs the query and compares; returns the number of rows and of requests.
  local function compare(catalog, region, circle, inside, limit)
    local whole = sky.parse(region)
    inside = inside or function(ra, dec) return whole:contains(ra, dec) end
    local n_true = brute_force(catalog == "TIC" and "tic" or "gaia", circle, inside)
    archive = practice.start("--row-cap " .. limit)
    local code, out, err = archive:run(file, folder .. "/run",
      { catalog = catalog, region = region, row_limit = limit }, "--quiet")
    assert.equal(0, code, err)
    local n = practice.file_ids(folder .. "/run/rows.csv", folder .. "/ids")
    assert.is_true(practice.same(folder .. "/truth", folder .. "/ids"),
      ("%d rows came, %d are there; diff: %s"):format(n, n_true,
        practice.shell(("diff %s/truth %s/ids | head -5"):format(folder, folder))))
    return n, tonumber(out:match("requests%s+(%d+)"))
  end

  it("is complete in a polygon with a notch", function()
    local n, requests = compare("Gaia DR3",
      "POLYGON 359 -1 1 -1 1 1 0 -0.5 359 1", "CIRCLE 0 0 1.5", nil, 2000)
    assert.is_true(n > 2000 and requests > 1)
  end)

  it("is complete outside a polygon, within a circle", function()
    local n, requests = compare("TIC",
      "DIFFERENCE (CIRCLE 200 60 1.5 POLYGON 199 59.5 201 59.5 201 60.5 199 60.5)",
      "CIRCLE 200 60 1.6", nil, 2000)
    assert.is_true(n > 2000 and requests > 1)
  end)

  for _, catalog in ipairs({ "Gaia DR3", "TIC" }) do
    it("is complete on a coverage map: " .. catalog, function()
      -- cells of two sizes on both sides of ra 0
      local map = (sky.circle(0.2, 20, 0.9):moc(7) + sky.circle(359.2, 20.5, 0.4):moc(9))
        - sky.circle(0.2, 20, 0.3):moc(9)
      local n, requests = compare(catalog, tostring(map), "CIRCLE 0 20 2.5", nil, 2000)
      assert.is_true(n > 2000 and requests > 1)
    end)
  end

  it("is complete in a ring, told by distances alone", function()
    local n, requests = compare("Gaia DR3", "DIFFERENCE (CIRCLE 77 89.5 1 CIRCLE 77 89.5 0.7)",
      "CIRCLE 77 89.5 1.1", function(ra, dec)
        local d = sky.separation(77, 89.5, ra, dec)
        return d <= 1 and d > 0.7
      end, 2000)
    assert.is_true(n > 2000 and requests > 1)
  end)

  it("is complete in an ellipse and in circles apart from each other", function()
    compare("Gaia DR3", "ELLIPSE 130 40 1.5 0.4 60", "CIRCLE 130 40 1.6", nil, 2000)
    archive:stop()
    compare("TIC", "UNION (CIRCLE 130 40 0.3 CIRCLE 131.5 40 0.3 CIRCLE 130 41.2 0.2)",
      "CIRCLE 130.7 40.5 1.5", nil, 1000)
  end)
end)
