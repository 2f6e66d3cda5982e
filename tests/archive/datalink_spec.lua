-- SPDX-License-Identifier: BSD-3-Clause
-- DataLink against the practice archive: from rows, by identifiers, through a second document.

package.path = assert(os.getenv("HALYARD_SOURCE")) .. "/tests/archive/?.lua;" .. package.path
local practice = require("practice")

describe("a service of links", function()
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

  local function run(body)
    return archive:try(folder, "links-test", ([[
    local here, archive = sky.circle(210.8, 54.35, 0.1), "%s"
    local images = vo.sia(archive .. "/vo-sia/api/v0.1/query", { version = 2 })
    local service = archive .. "/datalink/links"
    ]]):format(archive.url) .. body, archive:host())
  end

  it("gives the files of rows that lead to documents", function()
    archive = practice.start("")
    local code, _, err = run([[
      local links = vo.datalink(images:query { region = here, collection = "GALEX" })
      local this = links:this()
      assert(#this > 0 and #links:of("preview") > 0 and #links.table > #this)
      assert(this:field("content_length").unit == "byte")
      for _, row in this:rows() do
        assert(row.access_url:find("Download/file?uri=mast:GALEX", 1, true), row.access_url)
      end
      assert(#links:errors() == 0)]])
    assert.equal(0, code, err)
  end)

  it("is not asked for rows that lead nowhere: that is an error, no rows are none", function()
    archive = practice.start("")
    local code, out, err = run([[
      local rows = images:query { region = here, collection = "GALEX" }
      assert(#vo.datalink(rows:head(0)).table == 0)
      return vo.datalink(rows:with("access_format", function() return "image/fits" end))]])
    assert.equal(2, code, out .. err)
    assert.is_truthy(err:find('access_format is "image/fits"', 1, true), err)
    code, out, err = run([[return vo.datalink(halyard.table.from_rows({ { ra = 1 } }, { "ra" }))]])
    assert.equal(2, code, out .. err)
    assert.is_truthy(err:find("have no column access_url", 1, true), err)
  end)

  it("leads to files that are downloaded", function()
    archive = practice.start("")
    local code, _, err = run([[
      local rows = images:query { region = here, collection = "GALEX" }
      local files = retrieve.products(vo.datalink(rows):of("preview"):head(1), { dir = "files" })
      assert(#files == 1 and files[1].ok and files[1].bytes > 0)
      assert(files[1].file:find("%.jpg$"), files[1].file)
      return retrieve.products(rows, { dir = "files" })]])
    assert.equal(2, code, err)
    assert.is_truthy(err:find("vo.datalink(rows):this()", 1, true), err)
  end)

  it("follows a link to a second document", function()
    archive = practice.start("")
    local code, _, err = run([[
      local rows = images:query { region = here, collection = "HST" }
      local links = vo.datalink(rows, { service = service })
      assert(links.table:get(1, "content_type"):find("content=datalink", 1, true))
      local this = links:this()
      assert(#this > 0)
      for _, row in this:rows() do
        assert(row.access_url:find("mast:HST", 1, true), row.access_url)
      end]])
    assert.equal(0, code, err)
  end)

  it("says in the service's words which data sets have none", function()
    archive = practice.start("")
    local code, _, err = run([[
      local links = vo.datalink({ "ivo://mast.stsci.edu/caom?1" }, { service = service })
      assert(#links:errors() == 1)
      return links:this()]])
    assert.is_true(code ~= 0)
    assert.is_truthy(err:find("NotFoundFault: no data set", 1, true), err)
  end)

  it("is asked again for data sets that an answer leaves out, with a word or without", function()
    archive = practice.start("")
    local code, _, err = run([[
      local rows = images:query { region = here, collection = "PS1" }
      assert(#rows > 5)
      local whole = vo.datalink(rows, { service = service }).table:sort("access_url"):sort("ID")
      for _, arguments in ipairs { "?ids=3", "?ids=1&flag=none", "?ids=4&flag=none" } do
        local some = vo.datalink(rows, { service = service .. arguments }).table
        assert(tostring(some:sort("access_url"):sort("ID")) == tostring(whole), arguments)
        assert(#some == #whole)
      end
      return vo.datalink(rows, { service = service .. "?ids=0&flag=none" })]])
    assert.is_true(code ~= 0)
    assert.is_truthy(err:find("no links for", 1, true), err)
  end)

  it("describes the services that it leads to", function()
    archive = practice.start("")
    local code, out, err = run([[
      local links = vo.datalink(images:query { region = here, collection = { "PS1", "GALEX" } })
      local services = links:services()
      local one = services[1]
      assert(one.standard_id == "ivo://ivoa.net/std/SODA#sync-1.0" and one:takes("circle"))
      assert(one.resource_id == "ivo://archive.stsci.edu/soda" and not one:takes("ROTATION"))
      local inputs = one:inputs()
      assert(inputs:get(1, "name") == "ID" and inputs:get(1, "column") == "ID")
      assert(inputs:where({ name = "BAND" }):get(1, "unit") == "m")
      local n = 0
      for _, service in ipairs(services) do
        local asked = service:addresses { pos = "CIRCLE 210.8 54.35 0.002" }
        n = n + #asked
        assert(asked:get(1, "access_url"):find("/soda/sync?ID=ivo", 1, true))
      end
      assert(n == #links:of("cutout") + #links.table:where(function(row)
        return row.semantics == "#cutout"
      end))
      local files = retrieve.products(one:addresses { pos = "CIRCLE 210.8 54.35 0.002" })
      assert(files[1].ok and files[1].bytes == 5760)
      return one:addresses { RADIUS = 3 }]])
    assert.equal(2, code, out .. err)
    assert.is_truthy(err:find("input of service http", 1, true), err)
  end)

  it("cuts out of every image, also behind a second document", function()
    archive = practice.start("")
    local code, out, err = run([[
      local rows = images:query { region = sky.circle(210.8, 54.35, 0.002),
        collection = { "PS1", "HST" }, intersect = "overlaps" }
      assert(#rows > 3)
      local links = vo.datalink(rows, { service = service })
      local found = links:cutout { region = sky.circle(210.8, 54.35, 0.002), dir = "cut" }
      assert(#found == #rows:unique("obs_publisher_did"), #found)
      assert(table.concat(found.columns, " ") == "path ID bytes sha256 file url")
      -- the same place in another form
      local box = links:cutout { region = sky.box(210.799, 210.801, 54.349, 54.351),
        dir = "box" }
      local poly = links:cutout { dir = "poly",
        region = sky.parse("POLYGON 210.799 54.349 210.801 54.349 210.801 54.351 210.799 54.351") }
      assert(#box == #found and #poly == #found)
      -- there is nothing to fetch twice
      assert(#links:cutout { region = sky.circle(210.8, 54.35, 0.002), dir = "cut" } == #found)]])
    assert.equal(0, code, out .. err)
    local heads = practice.shell("head -qc 9 " .. folder .. "/out/cut/*.fits | sort | uniq -c")
    assert.is_truthy(heads:find("^%s*%d+ SIMPLE"), heads)
    assert.equal("", practice.shell("find " .. folder .. "/out -name '*.part*'"))
  end)

  it("selects cutouts by band and time, and has none outside", function()
    archive = practice.start("")
    local lead = [[
      local rows = images:query { region = here, collection = "PS1" }:head(1)
      local links = vo.datalink(rows, { service = service })
      local here = sky.circle(rows:get(1, "s_ra"), rows:get(1, "s_dec"), 0.002)
      local low, high = rows:get(1, "em_min"), rows:get(1, "em_max")
    ]]
    local code, out, err = run(lead .. [[
      assert(#links:cutout { band = { min = low, max = high } } == 1)
      assert(#links:cutout { region = here, time = { max = rows:get(1, "t_max") } } == 1)]])
    assert.equal(0, code, out .. err)
    for body, words in pairs({
      ["links:cutout { band = 1 }"] = "204",
      ["links:cutout { region = sky.circle(10, 10, 0.01) }"] = "204",
      ["links:cutout { region = sky.circle(210.8, 54.35, 1) }"] = "at most are 200",
      ["links:cutout {}"] = "links:this() is the whole file",
      ["links:cutout { region = here, bandd = 1 }"] = "did you mean band",
      ["links:cutout { region = sky.all() }"] = "takes a circle, a box or a polygon",
      ['links:cutout { band = "red" }'] = "band is a number",
      ["links:cutout { region = here, pol = 'I' }"] = "input of service",
      ['vo.datalink({ "ivo://mast.stsci.edu/caom?1" }, { service = service })'
        .. ":cutout { band = 1 }"] = "NotFoundFault: no data set",
      ['vo.datalink(images:query { region = here, collection = "TESS" }, { service = service })'
        .. ":cutout { region = here }"] = "have no service for cutouts",
    }) do
      code, out, err = run(lead .. "return " .. body)
      assert.is_true(code ~= 0, body .. out)
      assert.is_truthy(err:find(words, 1, true), body .. err)
    end
  end)

  it("refuses in its own words, and what is no document of links", function()
    archive = practice.start("")
    for body, words in pairs({
      ["vo.datalink(service)"] = "UsageFault: ID is missing",
      ['vo.datalink(archive .. "/ssap/search2.php?REQUEST=queryData&POS=210.8,54.35")'] =
        "is no document of links",
      ["vo.datalink({ 1 }, { service = service })"] = "identifiers are texts",
      ["vo.datalink(service, { servise = 1 })"] = "did you mean service",
    }) do
      local code, _, err = run("return " .. body .. ".table")
      assert.is_true(code ~= 0, body)
      assert.is_truthy(err:find(words, 1, true), err)
    end
  end)
end)
