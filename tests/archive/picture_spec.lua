-- SPDX-License-Identifier: BSD-3-Clause
-- Pictures, region files and coverage maps of plans and runs. What is in a picture is read back in
-- tests/unit/test_plot.c; here that the command draws what the archive gave.

package.path = assert(os.getenv("HALYARD_SOURCE")) .. "/tests/archive/?.lua;" .. package.path
local practice = require("practice")
local sky = require("halyard.sky")

local file = practice.workflows .. "/catalogue.lua"

local function exists(path)
  local f = io.open(path, "rb")
  return f ~= nil and f:close()
end

-- Tiles of a region file: rows (a number, false: not fetched, nil rows are -1).
local function tiles_of(path)
  local text, tiles = practice.read(path), { rows = 0, missing = 0, requests = 0 }
  assert.truthy(text:find("^# Region file format: DS9 version 4.1\nglobal color=green\nicrs\n"))
  for line in text:gmatch("[^\n]+") do
    if line:find("{request %d+}") then
      tiles.requests = tiles.requests + 1
    elseif line:find("^polygon") or line:find("^circle") or line:find("^annulus") then
      tiles[#tiles + 1] = line
      tiles.rows = tiles.rows + (tonumber(line:match("text={(%d+) rows}")) or 0)
      tiles.missing = tiles.missing + (line:find("{not fetched}", 1, true) and 1 or 0)
    end
  end
  return tiles
end

describe("a picture of the sky tiles", function()
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

  local function plan(arguments)
    return practice.halyard(("plan %s --archive %s -o %s/out --quiet %s"):format(file, archive.url,
      folder, arguments))
  end

  it("shows a plan with what a count predicts", function()
    archive = practice.start("")
    local arguments = ("--catalog=TIC --region='CIRCLE 201.7 -47.4 8' --plot %s/plan.svg "
      .. "--regions %s/plan.reg --moc %s/plan.txt"):format(folder, folder, folder)
    local code, out, err = plan(arguments)
    assert.equal(0, code, err)
    local counted = tonumber(out:match("rows%s+(%d+) %(counted%)"))
    local tiles = tiles_of(folder .. "/plan.reg")
    assert.is_true(#tiles > 1)
    assert.is_true(math.abs(tiles.rows / counted - 1) < 0.02,
      ("%d of %d rows"):format(tiles.rows, counted))
    local svg = practice.read(folder .. "/plan.svg")
    assert.truthy(svg:find("^<%?xml") and svg:find("</svg>%s*$"))
    local map = sky.moc(practice.read(folder .. "/plan.txt"))
    assert.is_true(map:contains(201.7, -47.4) and map:contains(201.7, -55.39))
    assert.is_false(map:contains(201.7, -55.6) or map:contains(201.7, -39.2))
    assert.equal(0, (plan(arguments)))
    assert.equal(svg, practice.read(folder .. "/plan.svg"))
  end)

  it("shows the requests of a service of circles, whose rows nobody knows", function()
    archive = practice.start("")
    local code, _, err = plan(("--offline --region='CIRCLE 0.5 89.5 1' --regions %s/plan.reg "
      .. "--plot %s/p.png"):format(folder, folder))
    assert.equal(0, code, err)
    local tiles = tiles_of(folder .. "/plan.reg")
    assert.same({ 1, 0, 1 }, { #tiles, tiles.rows, tiles.requests })
    assert.equal("\x89PNG", practice.read(folder .. "/p.png"):sub(1, 4))
  end)

  it("shows a run with the rows that came", function()
    archive = practice.start("--row-cap 2000")
    local code, out, err = archive:run(file, folder .. "/run",
      { region = "CIRCLE 200 60 0.8", row_limit = 2000 },
      ("--quiet --plot %s/done.pdf --regions %s/done.reg"):format(folder, folder))
    assert.equal(0, code, err)
    local tiles = tiles_of(folder .. "/done.reg")
    assert.is_true(#tiles > 1)
    assert.equal(tonumber(out:match("rows%s+(%d+)")), tiles.rows)
    assert.equal(0, tiles.missing)
    assert.equal("%PDF", practice.read(folder .. "/done.pdf"):sub(1, 4))
  end)

  it("shows the tiles that a run could not fetch, and the run fails as without it", function()
    archive = practice.start("--row-cap 2000")
    local body = [[    return mast.catalog("Gaia DR3"):query {
      region = sky.cone({ ra = 200, dec = 60 }, 0.8), into = "rows.csv", row_limit = 2000 }]]
    local path = practice.workflow(folder, "short", body)
    local text = practice.read(path):gsub("hosts =", "budget = { requests = 9 }, hosts =")
    local out <close> = assert(io.open(path, "wb"))
    out:write(text)
    out:close()
    local code, _, err = archive:run(path, folder .. "/run", {},
      ("--quiet --plot %s/part.png --regions %s/part.reg"):format(folder, folder))
    assert.equal(8, code, err)
    local tiles = tiles_of(folder .. "/part.reg")
    assert.is_true(tiles.missing > 0 and tiles.missing < #tiles,
      ("%d of %d"):format(tiles.missing, #tiles))
    assert.is_true(exists(folder .. "/part.png"))
  end)

  it("has a number when a workflow has several queries", function()
    archive = practice.start("")
    local path = practice.workflow(folder, "two", [[
    for i = 1, 2 do
      mast.catalog("TIC"):query { region = sky.cone({ ra = 10 * i, dec = 0 }, 0.1), into = "a.csv" }
    end]])
    local code, _, err = practice.halyard(("plan %s --archive %s -o %s/out --quiet --plot %s/p.svg "
      .. "--moc %s/p.json"):format(path, archive.url, folder, folder, folder))
    assert.equal(0, code, err)
    for _, name in ipairs({ "p.svg", "p-2.svg", "p.json", "p-2.json" }) do
      assert.is_true(exists(folder .. "/" .. name), name)
    end
    assert.is_true(sky.moc(practice.read(folder .. "/p-2.json")):contains(20, 0))
    assert.is_false(exists(folder .. "/p-3.svg"))
  end)

  it("is refused before anything is asked when its ending is no form", function()
    for option, said in pairs({ ["--plot x.gif"] = ".svg, .png or .pdf", ["--moc x.fit.gz"] =
      ".fits, .json or .txt" }) do
      local code, _, err = practice.halyard(("plan %s --archive http://127.0.0.1:9 -o %s/out "
        .. "--region ALL %s"):format(file, folder, option))
      assert.equal(2, code, err)
      assert.truthy(err:find(said, 1, true), err)
    end
  end)

  it("needs a folder that is there", function()
    archive = practice.start("")
    local code, _, err = plan(("--region 'CIRCLE 1 2 0.1' --plot %s/none/p.svg"):format(folder))
    assert.equal(5, code, err)
    assert.truthy(err:find("none/p.svg", 1, true), err)
  end)

  it("alone loads Cairo", function()
    archive = practice.start("")
    practice.environment = "LD_DEBUG=files"
    local _, _, without = plan("--region 'CIRCLE 1 2 0.1'")
    local _, _, with = plan(("--region 'CIRCLE 1 2 0.1' --plot %s/p.svg"):format(folder))
    practice.environment = ""
    assert.is_nil(without:find("libcairo", 1, true))
    assert.truthy(with:find("libcairo.so.2", 1, true))
  end)

  it("is not drawn of what goes by no tiles", function()
    archive = practice.start("")
    local path = practice.workflow(folder, "none", "    return { a = 1 }")
    local code, _, err = archive:run(path, folder .. "/out", {},
      ("--quiet --plot %s/p.svg"):format(folder))
    assert.equal(0, code)
    assert.truthy(err:find("nothing to draw", 1, true), err)
    assert.is_false(exists(folder .. "/p.svg"))
  end)
end)
