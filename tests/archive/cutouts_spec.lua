-- SPDX-License-Identifier: BSD-3-Clause
-- Cutouts against the practice archive.

package.path = assert(os.getenv("HALYARD_SOURCE")) .. "/tests/archive/?.lua;" .. package.path
local practice = require("practice")

describe("cutouts", function()
  local archive, folder

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

  -- Runs `body` as a workflow: exit code, output, errors.
  local function run(body, more)
    return archive:try(folder, "cut", body, nil, "--format csv " .. (more or ""))
  end

  local function list(tail)
    return practice.shell(("cd %s/out && find . -name '%s' | LC_ALL=C sort"):format(folder, tail))
  end

  -- How often the archive was asked for `path`.
  local function asked(path)
    local log = practice.shell("curl -s " .. archive.url .. "/practice/stats")
    return tonumber(log:match('"' .. path:gsub("%p", "%%%0") .. '":(%d+)') or 0)
  end

  it("of TESS come sector by sector, one file for each frame", function()
    archive = practice.start("")
    local code, out, err = run('return mast.cutouts.tess { target = "52.5 -27.4", size = 7 }')
    assert.equal(0, code, err)
    assert.equal(2, asked("/tesscut/api/v0.1/astrocut"))
    local n = 0
    for sector, camera, ccd in out:gmatch("\n[^\n]-,(%d+),(%d),(%d),%d+,%x+,") do
      assert.is_truthy(list("tess-s00" .. sector .. "-" .. camera .. "-" .. ccd .. "_*.fits"))
      n = n + 1
    end
    assert.equal(3, n, out)
    assert.equal("3\n", practice.shell(("ls %s/out/tesscut/*/*.fits | wc -l"):format(folder)))
    -- Once more: nothing is asked for that is there; nor twice for a sector that is listed twice.
    code, out, err = run([[return mast.cutouts.tess { target = "52.5 -27.4", size = 7,
      sectors = mast.cutouts.tess_sectors { target = "52.5 -27.4" }:list("sector") }]])
    assert.equal(0, code, err)
    assert.is_truthy(out:find(",54,2,4,", 1, true), out)
    assert.equal(2, asked("/tesscut/api/v0.1/astrocut"))
  end)

  it("of TESS have the size that was asked for, in pixels or on the sky", function()
    archive = practice.start("")
    for size, name in pairs({ ["11"] = "11x11", ['"11 px"'] = "11x11", ["{ x = 4, y = 2 }"] = "4x2",
      ['"3.5 arcmin"'] = "10x10", ['{ x = "0.05deg", y = "0.025deg" }'] = "9x4" }) do
      local code, out, err = run(([[return mast.cutouts.tess {
        region = sky.circle(52.5, -27.4, 0.1), size = %s, sectors = 28 }]]):format(size))
      assert.equal(0, code, err)
      assert.is_truthy(out:find("_" .. name .. "_astrocut.fits", 1, true), out)
    end
    for size, words in pairs({ ["0"] = "from 1 on", ["2.5"] = "whole number", ['"big"'] = "big",
      ["{ x = 5, y = '0.1deg' }"] = "both pixels or both angles", ["{ x = 5, z = 5 }"] = "unknown",
      ['"-0.1 deg"'] = "larger than 0", ["true"] = "number of pixels" }) do
      local code, _, err = run(([[return mast.cutouts.tess { target = "52.5 -27.4",
        size = %s }]]):format(size))
      assert.equal(2, code, err)
      assert.is_truthy(err:find(words, 1, true), err)
    end
  end)

  it("of TESS follow a moving target", function()
    archive = practice.start("")
    local code, out, err = run([[return mast.cutouts.tess {
      moving_target = "Neptune", kind = "majorbody", size = 5 }]])
    assert.equal(0, code, err)
    assert.is_truthy(out:find(",13,1,1,", 1, true) and out:find(",66,1,1,", 1, true), out)
    code, out, err = run([[return mast.cutouts.tess { moving_target = "Neptune",
      kind = "smallbody" }]])
    assert.equal(2, code, out .. err)
    assert.is_truthy(err:find("no TESS sector", 1, true), err)
    code, out, err = run("return mast.cutouts.tess_sectors { moving_target = 354 }")
    assert.equal(0, code, err)
    assert.is_truthy(out:find("tess-s0009-1-2,9,1,2", 1, true), out)
  end)

  it("are never more than nine at a time", function()
    archive = practice.start("--latency 50")
    local code, _, err = run([[return mast.cutouts.tess { target = "90 -66.5", size = 1,
      parallel = 9 }]])
    assert.equal(0, code, err)
    assert.equal(34, asked("/tesscut/api/v0.1/astrocut"))
    local stats = practice.shell("curl -s " .. archive.url .. "/practice/stats")
    assert.is_true(tonumber(stats:match('"most_simultaneous":(%d+)')) < 10)
    code, _, err = run('return mast.cutouts.tess { target = "90 -66.5", parallel = 10 }')
    assert.equal(2, code, err)
  end)

  it("that do not exist are an error with the service's words", function()
    archive = practice.start("")
    local code, _, err = run([[return mast.cutouts.tess { target = "52.5 -27.4",
      sectors = { 28, 29 } }]])
    assert.equal(2, code, err)
    assert.is_truthy(err:find("not in sector 29; it is in 28, 54", 1, true), err)
    code, _, err = run('return mast.cutouts.z { target = "52.5 -27.4" }')
    assert.equal(2, code, err)
    assert.is_truthy(err:find("outside of any available survey", 1, true), err)
    code, _, err = run('return mast.cutouts.hap { target = "10.1 80.2" }')
    assert.equal(2, code, err)
    assert.is_truthy(err:find("Missing HAP files", 1, true), err)
    assert.equal("", list("*.zip"))
    code, _, err = run('return mast.cutouts.tess { target = "52.5 -27.4", size = 500 }')
    assert.is_true(code ~= 0)
    assert.is_truthy(err:find("no side of 1 to 120", 1, true), err)
    code, _, err = run('return mast.cutouts.tess { target = "No Such Star" }')
    assert.equal(2, code, err)
    for options, words in pairs({ ["sectors = {}"] = "sector number or a list",
      ['sectors = "all"'] = "sector number or a list", ['kind = "smallbody"'] = "moving_target",
      ["sector = 28"] = "did you mean sectors", ["region = sky.circle(1, 1, 1)"] = "takes one" }) do
      code, _, err = run(('return mast.cutouts.tess { target = "52.5 -27.4", %s }'):format(options))
      assert.equal(2, code, err)
      assert.is_truthy(err:find(words, 1, true), err)
    end
  end)

  it("of deep fields are FITS or pictures of each survey", function()
    archive = practice.start("")
    local code, out, err = run([[return mast.cutouts.z { target = "53.12 -27.8", size = 9 }]])
    assert.equal(0, code, err)
    assert.is_truthy(out:find(",3dhst_goods-s,", 1, true), out)
    assert.is_truthy(out:find(",candels_gs_60mas,", 1, true), out)
    code, out, err = run([[return mast.cutouts.z { target = "53.12 -27.8", size = 9,
      survey = "candels_gs_60mas", format = "png", invert = true }]])
    assert.equal(0, code, err)
    local png = out:match("file\n[^\n]-,([^,\n]+%.png)\n")
    assert.equal("\x89PNG", practice.read(folder .. "/out/" .. png):sub(1, 4))
    code, out, err = run([[return mast.cutouts.z_surveys { region = sky.circle(150, 2.3, 0.5) }]])
    assert.equal(0, code, err)
    assert.equal("survey\n3dhst_cosmos\n", out)
    code, out, err = run('return mast.cutouts.z { target = "53.12 -27.8", format = "pgn" }')
    assert.equal(2, code, out .. err)
    assert.is_truthy(err:find("did you mean png", 1, true), err)
    code, out, err = run('return mast.cutouts.z { target = "53.12 -27.8", stretch = "log" }')
    assert.equal(2, code, out .. err)
  end)

  it("of Hubble come where Hubble has looked", function()
    archive = practice.start("")
    local code, out, err = run([[return mast.cutouts.hap { target = "NGC 5139", size = 6 }]])
    assert.equal(0, code, err)
    assert.is_truthy(out:find("acs_wfc_f435w", 1, true), out)
  end)

  it("are an error when something else comes than a zip", function()
    archive = practice.start("--faults html")
    for _, body in ipairs({ 'return mast.cutouts.z { target = "53.12 -27.8" }',
      'return mast.cutouts.tess { target = "52.5 -27.4" }' }) do
      local code, _, err = run(body)
      assert.equal(4, code, err)
      assert.is_truthy(err:find("an HTML page", 1, true), err)
    end
    assert.equal("", list("*.zip"))
  end)

  it("are listed in the report, and planned without asking", function()
    archive = practice.start("")
    local code, _, err = run('return mast.cutouts.z { target = "53.12 -27.8" }')
    assert.equal(0, code, err)
    local text = practice.read(folder .. "/out/report.json")
    assert.is_truthy(text:find("3dhst_goods-s_53.120000", 1, true), text)
    code, _, err = run([[return mast.cutouts.z { target = "53.12 -27.8",
      region = sky.circle(1, 1, 1) }]])
    assert.equal(2, code, err)
    assert.is_truthy(err:find("one of target and region", 1, true), err)
  end)
end)
