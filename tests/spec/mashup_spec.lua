-- SPDX-License-Identifier: BSD-3-Clause
-- The Mashup dialect without a network: the module that sends requests is replaced by one that
-- records what it is asked and answers from a list.

local catalog = require("halyard.catalog")
local errors = require("halyard.error")
local json = require("halyard.json")
local table_core = require("halyard.core.table")

local replaced = { "halyard.core.http" }

describe("the Mashup dialect", function()
  local door, mashup, catalogs, asked, answers, kept

  local function rows(first, n)
    local list = {}
    for i = 1, n do
      list[i] = { id = first + i - 1 }
    end
    return table_core.from_rows(list, { "id" })
  end

  local function page(first, n, total)
    return { rows(first, n), { rows_total = total, rows_filtered = total }, { bytes = 100 } }
  end

  before_each(function()
    asked, answers, kept = {}, {}, {}
    for _, name in ipairs(replaced) do
      kept[name] = package.loaded[name] or false
    end
    local function next_answer(request)
      asked[#asked + 1] = request
      local answer = assert(table.remove(answers, 1), "one request too many")
      if errors.is(answer) then
        error(answer, 0)
      end
      return answer
    end
    package.loaded["halyard.core.http"] = {
      fetch = function(request)
        return table.unpack(next_answer(request))
      end,
      request = next_answer,
      limit = function() end,
    }
    package.loaded["halyard.archive.door"] = nil
    package.loaded["halyard.archive.mashup"] = nil
    package.loaded["halyard.archive.mashup_catalogs"] = nil
    package.loaded["halyard.archive.portions"] = nil
    door = require("halyard.archive.door")
    mashup = require("halyard.archive.mashup")
    catalogs = require("halyard.archive.mashup_catalogs")
  end)

  after_each(function()
    for name, module in pairs(kept) do
      package.loaded[name] = module or nil
    end
    package.loaded["halyard.archive.door"] = nil
    package.loaded["halyard.archive.mashup"] = nil
    package.loaded["halyard.archive.mashup_catalogs"] = nil
    package.loaded["halyard.archive.portions"] = nil
    assert.same({}, answers)
  end)

  local function sent(i)
    local text = asked[i].body:match("^request=(.*)$"):gsub("%%(%x%x)", function(hex)
      return string.char(tonumber(hex, 16))
    end)
    return json.decode(text)
  end

  it("escapes every byte but letters, digits and -_.~/", function()
    assert.equal("a-b_c.d~e/f%20%2B%26%3D%25%C3%A9%22", door.escape('a-b_c.d~e/f +&=%é"'))
  end)

  it("keeps a data URI readable in the download address", function()
    assert.is_truthy(mashup.file_url("mast:HST/product/a b.fits")
      :find("/api/v0.1/Download/file?uri=mast:HST/product/a%20b.fits", 1, true))
  end)

  it("sends the cachebreaker in both places and the same question as the same bytes", function()
    local how = { page = 1, pagesize = 10, breaker = "b1" }
    local body = mashup.body("Mast.Caom.Cone", { ra = 254.28746, dec = -4.1, radius = 0.2 }, how)
    assert.equal(body, mashup.body("Mast.Caom.Cone", { radius = 0.2, dec = -4.1, ra = 254.28746 },
      how))
    answers[1] = page(1, 1, 1)
    mashup.rows("Mast.Caom.Cone", { ra = 254.28746 }, { breaker = "b1" })
    local request = sent(1)
    assert.equal("b1", request.cachebreaker)
    assert.equal("b1", request.params.cachebreaker)
    assert.equal(254.28746, request.params.ra)
    assert.equal("json", request.format)
  end)

  it("writes an empty filter list as a list", function()
    assert.is_truthy(mashup.body("S", { filters = mashup.filters({}, nil, "S") })
      :find(door.escape('"filters":[]'), 1, true))
  end)

  it("reads all pages with one and the same question", function()
    answers = { page(1, 4, 10), page(5, 4, 10), page(9, 2, 10) }
    local got, cost = mashup.rows("S", {}, { pagesize = 4 })
    assert.equal(10, #got)
    assert.same({ requests = 3, bytes = 300 }, cost)
    assert.same({ 1, 2, 3 }, { sent(1).page, sent(2).page, sent(3).page })
    assert.equal(sent(1).cachebreaker, sent(3).cachebreaker)
  end)

  it("takes an answer that ignores the page size as it is", function()
    answers = { page(1, 10, 10) }
    assert.equal(10, #mashup.rows("S", {}, { pagesize = 4 }))
  end)

  it("asks on until a page is empty when there is no paging block", function()
    answers = { { rows(1, 3), {}, { bytes = 1 } }, { rows(4, 2), {}, { bytes = 1 } },
      { rows(6, 0), {}, { bytes = 1 } } }
    assert.equal(5, #mashup.rows("S", {}, { pagesize = 4 }))
  end)

  it("takes a page that repeats for the whole answer when there is no paging block", function()
    answers = { { rows(1, 9), {}, { bytes = 1 } }, { rows(1, 9), {}, { bytes = 1 } } }
    assert.equal(9, #mashup.rows("S", {}, { pagesize = 4 }))
  end)

  it("refuses an empty page in the middle and a page that repeats", function()
    answers = { page(1, 4, 10), page(5, 0, 10) }
    local ok, err = errors.try(mashup.rows, "S", {}, { pagesize = 4 })
    assert.is_nil(ok)
    assert.equal("integrity", err.code)
    assert.is_truthy(err.message:find("4 of 10 rows", 1, true))
    answers = { page(1, 4, 10), page(1, 4, 10) }
    ok, err = errors.try(mashup.rows, "S", {}, { pagesize = 4 })
    assert.is_nil(ok)
    assert.equal("integrity", err.code)
  end)

  it("reads a count whether it comes as number or text", function()
    for _, value in ipairs({ 599, "599" }) do
      answers = { { { columns = { "Column1" }, { Column1 = value }, get = function()
        return value
      end }, {}, { bytes = 10 } } }
      assert.equal(599, (mashup.count("Mast.Caom.Filtered", { filters = json.array({}) })))
    end
    assert.equal("COUNT_BIG(*)", sent(1).params.columns)
  end)

  it("tells an overflow from a fault, and both from a mistake", function()
    local cases = {
      { "network", { reset = true }, "ambiguous" },
      { "archive", { http_status = 500 }, "ambiguous" },
      { "archive", { http_status = 502 }, "ambiguous" },
      { "archive", { http_status = 504 }, "ambiguous" },
      { "timeout", {}, "ambiguous" },
      { "integrity", {}, "ambiguous" },
      { "busy", { http_status = 429 }, "transient" },
      { "busy", { http_status = 503 }, "transient" },
      { "network", {}, "transient" },
      { "archive", { http_status = 400 }, "fatal" },
      { "permission", { http_status = 401 }, "fatal" },
      { "not_found", { http_status = 404 }, "fatal" },
      { "protocol", {}, "again" },
      { "io", {}, nil },
      { "memory", {}, nil },
      { "cancelled", {}, nil },
    }
    for _, case in ipairs(cases) do
      assert.equal(case[3], door.verdict(errors.new(case[1], "x", case[2])), case[1])
    end
    assert.equal("fatal", door.verdict(errors.new("archive", "Incorrect syntax near '*'.")))
    assert.equal("over", door.verdict(errors.new("archive", "System.OutOfMemoryException")))
  end)

  describe("criteria", function()
    local columns

    before_each(function()
      answers[1] = { status = 200, url = "http://x", body = json.encode({
        s_ra = { ["vot.datatype"] = "double" }, t_min = { ["vot.datatype"] = "double" },
        calib_level = { ["vot.datatype"] = "int" }, Tmag = { text = "T" },
        filters = { ["vot.datatype"] = "char", separator = ";" },
        secret = { remove = true }, _selected_ = { type = "boolean" },
      }) }
      columns = mashup.columns("Some.Config")
    end)

    local function refused(criteria)
      local ok, err = errors.try(mashup.filters, columns, criteria, "observations")
      assert.is_nil(ok, "an error was expected")
      assert.equal("usage", err.code)
      return err.message
    end

    it("come from the archive's own list, asked once, without removed columns", function()
      assert.same({ "Tmag", "calib_level", "filters", "s_ra", "t_min" }, door.names(columns))
      assert.equal(columns, mashup.columns("Some.Config"))
      assert.equal(1, #asked)
    end)

    it("are ranges on continuous columns, spelt as the archive does", function()
      assert.same({ { paramName = "t_min", values = { { min = 1, max = 2.5 } } } },
        mashup.filters(columns, { T_MIN = "1..2.5" }, "S"))
      assert.same({ { paramName = "s_ra", values = { { min = 3, max = 4 } } } },
        mashup.filters(columns, { s_ra = { min = 3, max = 4 } }, "S"))
    end)

    it("are texts on others, with separator and wildcard", function()
      assert.same({
        { paramName = "calib_level", values = { "2", "3" } },
        { paramName = "filters", values = {}, freeText = "F8%", separator = ";" },
      }, mashup.filters(columns, { calib_level = { 2, 3 }, filters = "F8*" }, "S"))
    end)

    it("follow the value where the archive does not say the kind", function()
      assert.same({ { paramName = "Tmag", values = { { min = 5, max = 9 } } } },
        mashup.filters(columns, { Tmag = "5..9" }, "S"))
      assert.same({ { paramName = "Tmag", values = { "5" } } },
        mashup.filters(columns, { Tmag = 5 }, "S"))
    end)

    it("are refused with the nearest names when unknown", function()
      assert.equal("unknown column of observations: calb_level; did you mean calib_level?",
        refused({ calb_level = 2 }))
      assert.is_truthy(refused({ secret = 1 }):find("unknown column", 1, true))
    end)

    it("are refused when the service could not honour them", function()
      refused({ Tmag = ">5" })
      refused({ calib_level = "2*" })
      refused({ calib_level = "2..3" })
      refused({ calib_level = ">2" })
      refused({ t_min = ">5" })
      refused({ t_min = { min = 5 } })
      assert.equal("criterion t_min: the lower end of a range stands first",
        refused({ t_min = { min = 5, max = 4 } }))
      refused({ filters = { "A*", "B" } })
      refused({ filters = "!CLEAR" })
      refused({ calib_level = { min = 2, max = 3 } })
      refused({ filters = {} })
    end)

    it("that are dates are refused with the modified Julian day to write", function()
      for date, value in pairs({ ["2010-01-01 is 55197"] = "2010-01-01..2012-01-01",
        ["1858-11-17 is 0"] = ">1858-11-17", ["2000-02-29 is 51603"] = { min = "2000-02-29" },
        ["2024-03-01 is 60370"] = { min = 50000, max = "2024-03-01" } }) do
        assert.equal("criterion t_min: the service takes numbers here, times as MJD: " .. date,
          refused({ t_min = value }))
      end
    end)
  end)

  it("says what came when an HTML page is sent instead of JSON", function()
    answers = { { status = 200, url = "http://x/y", body = "<!DOCTYPE html><p>hello" } }
    local ok, err = errors.try(mashup.lookup, "M 13")
    assert.is_nil(ok)
    assert.equal("protocol", err.code)
    assert.is_truthy(err.message:find("HTML page", 1, true))
  end)

  it("reads the resolver's spelling of declination", function()
    answers = { { status = 200, url = "u", body = [[{"resolvedCoordinate":[
      {"searchString":"m13","resolver":"NED","canonicalName":"M 13","ra":250.4,"decl":36.5}],
      "status":""}]] } }
    assert.same({ { ra = 250.4, dec = 36.5, resolver = "NED", name = "M 13" } },
      mashup.lookup("M 13"))
  end)

  it("splits a box across ra 0 into two plain ranges", function()
    local record = catalog.find(catalogs.catalogs, "tic")
    answers = { page(1, 2, 2), page(3, 1, 1) }
    local got, cost = catalogs.fetch(record, { filters = json.array({}), columns = "*" },
      { ra_min = 359.5, ra_max = 0.5, dec_min = -1, dec_max = 1 }, {})
    assert.equal(3, #got)
    assert.equal(2, cost.requests)
    assert.same({ { min = 359.5, max = 360 } }, sent(1).params.filters[1].values)
    assert.same({ { min = 0, max = 0.5 } }, sent(2).params.filters[1].values)
    assert.equal("Mast.Catalogs.Filtered.Tic.Rows", sent(1).service)
  end)

  it("knows catalogues by any spelling", function()
    assert.equal("Gaia DR3", catalog.find(catalogs.catalogs, "gaia-dr3").name)
    assert.is_nil(catalog.find(catalogs.catalogs, "Gaia DR33"))
  end)
end)
