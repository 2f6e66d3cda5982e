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
