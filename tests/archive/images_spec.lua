-- SPDX-License-Identifier: BSD-3-Clause
-- Images of Pan-STARRS, DSS and HLA against the practice archive.

package.path = assert(os.getenv("HALYARD_SOURCE")) .. "/tests/archive/?.lua;" .. package.path
local practice = require("practice")

describe("images", function()
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
  local function run(body)
    return archive:try(folder, "images", body, nil, "--format csv")
  end

  -- The first bytes of the files whose names end so, each on a line.
  local function files(tail, n)
    local list = practice.shell(("cd %s/out && find . -name '*.%s' | LC_ALL=C sort"):format(folder,
      tail))
    local heads = {}
    for path in list:gmatch("%S+") do
      heads[#heads + 1] = practice.read(folder .. "/out/" .. path):sub(1, n)
    end
    return heads
  end

  -- How often the archive was asked for `path`.
  local function asked(path)
    local log = practice.shell("curl -s " .. archive.url .. "/practice/stats")
    return tonumber(log:match('"' .. path:gsub("%p", "%%%0") .. '":(%d+)') or 0)
  end

  -- Every body fails with its words, and leaves no answer.
  local function refused(list, code)
    for body, words in pairs(list) do
      local got, out, err = run("return " .. body)
      assert.equal(code, got, body .. out .. err)
      assert.is_truthy(err:find(words, 1, true), err)
      assert.equal("", out)
    end
  end

  it("of Pan-STARRS are listed with the address of a cutout", function()
    archive = practice.start("")
    local code, out, err = run('return mast.images.ps1 { target = "210.8 54.35", filters = "gi" }')
    assert.equal(0, code, err)
    local _, lines = out:gsub("\n", "")
    assert.equal(3, lines, out)
    assert.is_truthy(out:find("projcell,subcell,ra,dec,filter,mjd,type,filename", 1, true), out)
    assert.is_truthy(out:find("fitscut.cgi?ra=210.8&dec=54.35&size=240&format=fits&red=/rings.v3",
      1, true), out)
    code, out, err = run([[return mast.images.ps1 { target = "210.8 54.35", filters = { "r" },
      type = { "stack", "warp" } }]])
    assert.equal(0, code, err)
    _, lines = out:gsub(",warp,", "")
    assert.equal(2, lines, out)
    assert.equal(0, asked("/cgi-bin/fitscut.cgi"))
  end)

  it("of Pan-STARRS are those of a cell, cut out where they are", function()
    archive = practice.start("")
    local code, out, err = run([[
      local cell = mast.images.ps1 { skycell = "1405.053", filters = "gri", size = 20 }
      local here = mast.images.ps1 { target = { ra = cell[1].ra, dec = cell[1].dec },
        filters = "gri", size = 20 }
      assert(#cell == 3 and cell:list("filename")[2] == here:list("filename")[2])
      assert(cell[1].projcell == 1405 and cell[1].subcell == 53)
      mast.images.download(cell:head(1), { dir = "cell" })
      return mast.images.ps1 { skycell = "1405.053", format = "jpg", color = true }]])
    assert.equal(0, code, err)
    assert.is_truthy(out:find("fitscut.cgi?ra=5.35&dec=16.", 1, true), out)
    assert.same({ "SIMPLE  =" }, files("fits", 9))
  end)

  it("of Pan-STARRS are whole FITS files, asked for once", function()
    archive = practice.start("")
    local body = [[local list = mast.images.ps1 {
        region = sky.circle(210.8, 54.35, 5 / 3600), filters = "gri" }
      return mast.images.download(list, { dir = "ps1" })]]
    for _ = 1, 2 do
      local code, out, err = run(body)
      assert.equal(0, code, err)
      assert.is_truthy(out:find("size=40&format=fits", 1, true), out)
      assert.equal(3, asked("/cgi-bin/fitscut.cgi"))
    end
    local heads = files("fits", 400)
    assert.equal(3, #heads)
    for _, head in ipairs(heads) do
      assert.is_truthy(head:find("^SIMPLE  =.*NAXIS1  = +40 "), head)
    end
    assert.is_truthy(practice.read(folder .. "/out/report.json"):find("fitscut.cgi", 1, true))
  end)

  it("of Pan-STARRS are pictures, the reddest filter as red", function()
    archive = practice.start("")
    local code, out, err = run([[return mast.images.download(mast.images.ps1 {
      target = "210.8 54.35", size = "10 arcsec", filters = "gri", format = "png", color = true,
      autoscale = 99.5, asinh = true, output_size = 20 })]])
    assert.equal(0, code, err)
    assert.is_truthy(out:find("red=[^&]-stk%.i%.[^&]-&green=[^&]-stk%.r%.[^&]-&blue=[^&]-stk%.g%."),
      out)
    assert.is_truthy(out:find("&output_size=20&autoscale=99.5&asinh=1", 1, true), out)
    assert.same({ "\x89PNG" }, files("png", 4))
    code, out, err = run([[return mast.images.download(mast.images.ps1 {
      target = "210.8 54.35", size = 9, filters = "y", format = "jpg" })]])
    assert.equal(0, code, out .. err)
    assert.same({ "\xff\xd8\xff" }, files("jpg", 3))
  end)

  it("of the sky survey are FITS or GIF", function()
    archive = practice.start("")
    local code, out, err = run([[mast.images.dss { target = "83.6 -22", size = "30 arcmin",
        survey = "poss1_red", format = "gif" }
      return mast.images.dss { region = sky.circle(83.6, 22, 0.1) }]])
    assert.equal(0, code, err)
    assert.is_truthy(out:find(",poss2ukstu_red,", 1, true), out)
    assert.is_truthy(out:find("r=83.6&d=22&e=J2000&h=12&w=12&f=fits", 1, true), out)
    assert.same({ "GIF89a\30\0\30\0" }, files("gif", 10))
    assert.is_truthy(files("fits", 400)[1]:find("^SIMPLE  =.*NAXIS1  = +12 "))
    code, out, err = run('return mast.images.dss { target = "5 5", size = { x = 0.5, y = 0.25 } }')
    assert.equal(0, code, err)
    assert.is_truthy(out:find("h=15&w=30&", 1, true), out)
  end)

  it("of Hubble's archive are listed by instrument and filter, and downloaded", function()
    archive = practice.start("")
    local code, out, err = run([[
      local all = mast.images.hla { target = "210.8 54.35", size = "1 deg", format = "ALL" }
      local some = mast.images.hla { target = "210.8 54.35", size = "1 deg",
        instruments = "WFC3", filters = all:list("Spectral_Elt")[1] }
      assert(#all > #some)
      mast.images.download(all:take { 1, 2 }, { dir = "hla" })
      return all]])
    assert.equal(0, code, err)
    assert.is_truthy(out:find("getdata.cgi?config=ops&dataset=ix0e13wwlc0", 1, true), out)
    assert.is_truthy(out:find("^Dataset,RA,DEC,Detector,Spectral_Elt,ExpTime,Mode,Format,URL,name"),
      out)
    assert.equal("SIMPLE  =", files("fits", 9)[1])
    assert.equal("\xff\xd8\xff", files("jpg", 3)[1])
  end)

  it("of Hubble's archive are pictures that look as wanted", function()
    archive = practice.start("")
    local code, out, err = run([[
      local place = { target = "210.8 54.35", size = "1 deg", format = "image/jpeg" }
      local plain = mast.images.hla(place)
      place.naxis, place.autoscale, place.asinh, place.proprietary = 48, 99.5, true, true
      local scaled = mast.images.hla(place)
      mast.images.download(plain:head(1), { dir = "plain" })
      mast.images.download(scaled:head(1), { dir = "scaled" })
      return scaled:head(1)]])
    assert.equal(0, code, err)
    assert.is_truthy(out:find("&format=jpg&autoscale=99.5&asinh=1&naxis=48", 1, true), out)
    local sizes = practice.shell(("cd %s/out && wc -c */*.jpg"):format(folder))
    local a, b = sizes:match("(%d+) plain.-(%d+) scaled")
    assert.is_true(a and a ~= b, sizes)
  end)

  it("that a service refuses are errors with its words", function()
    archive = practice.start("")
    local code, _, err = run('return mast.images.hla { region = sky.circle(10, 0, 50) }')
    assert.is_true(code ~= 0)
    assert.is_truthy(err:find("choose instruments, filters or a format", 1, true), err)
    code, _, err = run([[return mast.images.download(mast.images.ps1 { target = "210.8 54.35",
      size = 4000, filters = "g" })]])
    assert.equal(4, code, err)
    assert.is_truthy(err:find("size must be 1 to 512 pixels", 1, true), err)
    assert.same({}, files("fits", 9))
    refused({ ['mast.images.ps1 { target = "10 -40" }'] = "ends at declination -30",
      ['mast.images.ps1 { target = "No Such Star" }'] = "No Such Star",
      ['mast.images.ps1 { target = "9 9", filters = "gr", format = "jpg", color = true }'] =
        "takes three filters, here are 2" }, 2)
  end)

  it("are not what a page says", function()
    archive = practice.start("--faults html")
    refused({ ['mast.images.ps1 { target = "210.8 54.35" }'] = "HTML",
      ['mast.images.hla { target = "210.8 54.35" }'] = "HTML",
      ['mast.images.dss { target = "210.8 54.35" }'] = "HTML" }, 4)
    assert.same({}, files("fits", 9))
  end)

  it("are not what a text says", function()
    archive = practice.start("")
    local code, _, err = run(([[return mast.images.download(halyard.table.from_rows({
      { url = "%s/", name = "x.fits" } }, { "url", "name" }))]]):format(archive.url))
    assert.equal(4, code, err)
    assert.is_truthy(err:find("it begins: Halyard practice archive", 1, true), err)
    assert.equal("", practice.shell("find " .. folder .. "/out -name '*x.fits*'"))
  end)

  it("are only asked for where the question makes sense", function()
    archive = practice.start("")
    local at = 'target = "210.8 54.35"'
    refused({
      ["mast.images.ps1 {}"] = "needs a target",
      ["mast.images.ps1 { " .. at .. ', filters = "gu" }'] = "letters of grizy",
      ["mast.images.ps1 { " .. at .. ', filter = "g" }'] = "did you mean filters",
      ["mast.images.ps1 { " .. at .. ', type = "stak" }'] = "did you mean stack",
      ["mast.images.ps1 { " .. at .. ', format = "gif" }'] = "format of mast.images.ps1",
      ["mast.images.ps1 { " .. at .. ", size = 1.5 }"] = "whole number of pixels",
      ["mast.images.ps1 { " .. at .. ", size = -1 }"] = "whole number of pixels",
      ["mast.images.ps1 { " .. at .. ", color = true }"] = 'for format = "jpg"',
      ["mast.images.ps1 { " .. at .. ", region = sky.circle(1, 1, 1) }"] = "one of target",
      ["mast.images.ps1 { region = sky.box(1, 2, 1, 2) }"] = "region is a circle",
      ["mast.images.ps1 { " .. at .. ', skycell = "1405.053" }'] = "one of target, region and",
      ["mast.images.ps1 { skycell = 1405.053 }"] = "skycell is a text",
      ["mast.images.hla { " .. at .. ", naxis = 10 }"] = 'for format = "image/jpeg" or "ALL"',
      ["mast.images.hla { " .. at .. ', format = "ALL", naxis = 0.5 }'] = "naxis is a whole number",
      ["mast.images.dss { " .. at .. ', size = "2 deg" }'] = "at most 60",
      ["mast.images.dss { " .. at .. ', survey = "poss3" }'] = "survey of mast.images.dss",
      ["mast.images.hla { " .. at .. ', instruments = "WFC4" }'] = "did you mean WFC3",
      ["mast.images.hla { " .. at .. ", filters = {} }"] = "a word or a list",
      ["mast.images.ps1 { " .. at .. ', filters = "gx" }'] = 'such as "gri", not "gx"',
      ["mast.images.download({ { 1 } })"] = "row 1 has no url",
      ["mast.images.download(nil)"] = "takes rows of mast.images.ps1",
    }, 2)
    local code, _, err = run([[return mast.images.download({
      { url = "http://elsewhere.example/x.fits", name = "x.fits" } })]])
    assert.equal(6, code, err)
  end)

  it("are planned without asking", function()
    archive = practice.start("")
    local path = folder .. "/images.lua"
    local out <close> = assert(io.open(path, "wb"))
    out:write([[
      return workflow { name = "images", summary = "images", hosts = { "mast" }, run = function()
        mast.images.dss { target = "210.8 54.35" }
        mast.images.hla { target = "210.8 54.35" }
        return mast.images.download(mast.images.ps1 { target = "210.8 54.35" })
      end }]])
    out:flush()
    local code, said, err = practice.halyard(("plan %s --archive %s"):format(path, archive.url))
    assert.equal(0, code, err)
    assert.is_truthy(said:find("Pan-STARRS would be asked for images", 1, true), said)
    assert.equal(0, asked("/cgi-bin/dss_search") + asked("/cgi-bin/ps1filenames.py"))
  end)
end)
