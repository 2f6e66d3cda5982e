-- SPDX-License-Identifier: BSD-3-Clause
-- Copies in the cloud against the practice archive: look-up in batches, what is listed and not
-- there, cloud first and cloud only.

package.path = assert(os.getenv("HALYARD_SOURCE")) .. "/tests/archive/?.lua;" .. package.path
local practice = require("practice")

describe("copies in the cloud", function()
  local archive, folder

  before_each(function()
    folder = practice.folder()
    archive = practice.start("")
  end)

  after_each(function()
    archive:stop()
    practice.remove(folder)
  end)

  -- Runs `body`, which has `products`: files of HST.
  local function run(body, more)
    return archive:try(folder, "clouds", [[
        local products = mast.products(mast.observations {
          region = sky.circle(201.697, -47.4795, 0.02), where = { obs_collection = "HST" } })
        ]] .. body, nil, "--format csv " .. (more or ""))
  end

  local function log()
    return practice.shell("curl -s " .. archive.url .. "/practice/log")
  end

  local function times(text, word)
    return select(2, text:gsub(word:gsub("%p", "%%%0"), ""))
  end

  it("are looked up in batches, and each asked for in the bucket", function()
    local code, out, err = run("return mast.cloud.uris(products)")
    assert.equal(0, code, err)
    local rows, there = 0, 0
    for line in out:gmatch("\n([^\n]+)") do
      rows = rows + 1
      local uri, yes, s3, url, bytes = line:match("^(.-),(.-),(.-),(.-),(.-)$")
      if yes == "true" then
        there = there + 1
        assert.is_truthy(s3:find("^s3://stpubdata/hst/public/"), line)
        assert.equal(archive.url .. s3:sub(5), url)
        assert.is_true(tonumber(bytes) > 0)
        assert.equal(uri:match("[^/]+$"), url:match("[^/]+$"))
      end
    end
    assert.is_true(rows > 60 and there > 50 and there < rows, ("%d of %d"):format(there, rows))
    local text = log()
    local heads = times(text, '"HEAD"')
    assert.equal(rows, heads)
    local lookups = times(text, "path_lookup")
    assert.is_true(lookups >= 2 and lookups < rows / 10, lookups)
    -- What the archive lists is more than what is there.
    code, out, err = run("return mast.cloud.uris(products, { check = false })")
    assert.equal(0, code, err)
    assert.equal(rows, times(out, ",true,"))
    assert.equal(heads, times(log(), '"HEAD"'))
  end)

  it("are looked up without HTTP 414, 40 names at once", function()
    local code, out, err = run([[
      local many = {}
      for i = 1, 81 do many[i] = ("mast:HST/product/x%d.fits"):format(i) end
      return mast.cloud.uris(many)]])
    assert.equal(0, code, err)
    assert.equal(81, times(out, ",false,"))
    assert.equal(3, times(log(), "path_lookup"))
  end)

  it("come first and the archive after them, all files whole", function()
    local code, out, err = run([[
      local got = retrieve.products(products, { cloud = "first", parallel = 8 }):check()
      local n = { cloud = 0, archive = 0 }
      for _, entry in ipairs(got) do n[entry.from] = n[entry.from] + 1 end
      local check = retrieve.products(products, { dir = "again" }):check()
      for i, entry in ipairs(got) do assert(entry.sha256 == check[i].sha256) end
      return { n }]])
    assert.equal(0, code, err)
    local from_archive, from_cloud = out:match("archive,cloud\n(%d+),(%d+)\n")
    assert.is_true(tonumber(from_archive) > 0, out)
    assert.is_true(tonumber(from_cloud) > 50, out)
  end)

  it("alone leave out what is not there, and say so", function()
    local code, _, err = run([[
      local got = retrieve.products(products, { cloud = "only" })
      local failed = got:failed()
      assert(#failed > 0 and #failed < #got / 4)
      assert(failed[1].err.code == "not_found", failed[1].err)
      return { { failed = #failed } }]])
    assert.equal(3, code, err)
    assert.is_truthy(err:find("not in the cloud", 1, true), err)
    local manifest = practice.read(folder .. "/out/mastDownload/manifest.csv")
    assert.is_true(times(manifest, ",SKIPPED,") > 0)
    assert.equal(0, times(log(), "Download/file"))
  end)

  it("of one file are there or not", function()
    local code, out, err = run([[
      local where = mast.cloud.uris(products)
      local yes, no = where:where({ in_cloud = true })[1], where:where({ in_cloud = false })[1]
      local found, bytes = mast.cloud.exists(yes.dataURI)
      return { { yes = found, same = bytes == yes.bytes, row = mast.cloud.exists(yes),
        no = mast.cloud.exists(no.dataURI), other = mast.cloud.exists("mast:HST/none.fits") } }
    ]])
    assert.equal(0, code, err)
    assert.equal("no,other,row,same,yes\nfalse,false,true,true,true\n", out)
  end)

  it("are of these missions and collections", function()
    local code, out, err = run("return mast.cloud.datasets()")
    assert.equal(0, code, err)
    assert.is_truthy(out:find("\ntess\n", 1, true), out)
    assert.is_truthy(out:find("\nmast/hlsp/hudf09\n", 1, true), out)
    assert.equal(16, times(out, "\n"))
  end)

  it("are asked for in the right way, or not at all", function()
    for body, words in pairs({
      ['return mast.cloud.uris(products, { chek = true })'] = "did you mean check",
      ['return mast.cloud.uris({ { uri = "x" } })'] = "no dataURI",
      ['return mast.cloud.exists({ "mast:a", "mast:b" })'] = "takes one product",
      ['return retrieve.products(products, { cloud = "maybe" })'] = "cloud is",
      ['return mast.cloud.uris(products, { parallel = 100 })'] = "1 to 8",
    }) do
      local code, _, err = run(body)
      assert.equal(2, code, err)
      assert.is_truthy(err:find(words, 1, true), err)
    end
  end)

  it("are an error when the answers are none", function()
    local code, _, err = run("return mast.cloud.datasets()", "--base cloud=" .. archive.url
      .. "/practice/echo")
    assert.equal(4, code, err)
    assert.is_truthy(err:find("instead of a listing", 1, true), err)
    code, _, err = run('return mast.cloud.exists("mast:HST/product/a.fits")', "--base download="
      .. archive.url .. "/practice/echo")
    assert.equal(4, code, err)
  end)
end)
