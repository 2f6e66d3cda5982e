-- SPDX-License-Identifier: BSD-3-Clause
-- Where products go and what the manifest says.

describe("retrieve.products", function()
  local peer = require("halyard.test.peer")
  local report = require("halyard.report")
  local retrieve = require("halyard.retrieve")
  local system = require("halyard.core.system")
  local server, output

  before_each(function()
    server = peer.serve({
      { "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "keep", "bad" },
      { "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", "keep", "HEAD " },
      { "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "keep", "GET " },
    })
    peer.set("archive", ("http://127.0.0.1:%d"):format(server:port()))
    output = system.default_output(os.tmpname() .. "-out")
    report.begin(report.new({ output = output }))
  end)

  after_each(function()
    peer.set("archive", nil)
    server:stop()
    os.execute("rm -rf '" .. output .. "'")
  end)

  local function row(uri)
    return { dataURI = uri, productFilename = uri:match("[^/]+$") }
  end

  it("takes rows alone, and says how one data URI is a row", function()
    for given, text in pairs({ ["mast:A/x.fits"] = "rows of mast.products, not a string",
      [{ "mast:A/x.fits" }] = "takes rows, not a string; a data URI alone is { dataURI = uri }",
      [5] = "not a number" }) do
      local ok, err = pcall(retrieve.products, given)
      assert.is_false(ok)
      assert.equal("usage", err.code)
      assert.is_truthy(err.message:find(text, 1, true), err.message)
    end
    assert.equal(0, server:requests())
    assert.equal(1, #retrieve.products({ { dataURI = "mast:A/x.fits" } }))
    assert.equal(1, server:requests())
  end)

  it("names the source of every file, and the later one of two alike after it", function()
    local uris = { "mast:A/x.fits", "mast:B/x.fits", "mast:C/X.fits" }
    local got = retrieve.products({ row(uris[1]), row(uris[2]), row(uris[3]) },
      { flat = true, parallel = 1, on_error = "keep" }):check()
    assert.equal("mastDownload/x.fits", got[1].file)
    for i, stem in ipairs({ "x", "x", "X" }) do
      assert.equal(uris[i], got[i].uri)
      assert.truthy(server:request(i):find(uris[i]:match("mast:(%u)"), 1, true))
      if i > 1 then
        assert.equal(("mastDownload/%s~%s.fits"):format(stem, system.sha256(uris[i]):sub(1, 8)),
          got[i].file)
      end
    end
  end)

  -- What `write` leaves in a file.
  local function written(write)
    system.make_dirs(".")
    local out <close> = system.create_file(output .. "/lines")
    write(out)
    out:commit()
    return system.read_file(output .. "/lines")
  end

  it("quotes a cell of a manifest only where it must", function()
    assert.equal('plain cell,,3,"a,""b""","x\ny","\r"\n', written(function(out)
      out:cells("plain cell", nil, 3, 'a,"b"', "x\ny", "\r")
    end))
  end)

  it("lists the files of all calls into one folder, each once", function()
    retrieve.products({ row("mast:A/a.fits"), row("mast:A/b.fits") }, { flat = true })
    retrieve.products({ row("mast:A/b.fits"), row("mast:A/c.fits") }, { flat = true })
    local text = system.read_file(output .. "/mastDownload/manifest.csv")
    local names = {}
    for name in text:gmatch("\nmastDownload/(%S-),") do
      names[#names + 1] = name
    end
    assert.same({ "a.fits", "b.fits", "c.fits" }, names)
  end)

  it("hands a failed entry to the workflow's function, which says whether to go on", function()
    local rows = { row("mast:A/bad1.fits"), row("mast:A/b.fits"), row("mast:A/bad2.fits"),
      row("mast:A/c.fits") }
    local seen = {}
    local got = retrieve.products(rows, { flat = true, parallel = 1, on_error = function(entry)
      seen[#seen + 1] = entry.file .. " " .. entry.err.code .. " " .. entry.tries
      return #seen < 3
    end })
    assert.same({ "mastDownload/bad1.fits archive 1", "mastDownload/bad2.fits archive 1" }, seen)
    assert.equal(4, #got)
    assert.same({ false, true, false, true }, { got[1].ok, got[2].ok, got[3].ok, got[4].ok })
    assert.is_nil(got[5])
    assert.equal(2, #got:failed())
    assert.equal(6, got:bytes())
    local n = 0
    for i, entry in pairs(got) do
      n = n + 1
      assert.equal(got[i].file, entry.file)
    end
    assert.equal(4, n)
    local ok, err = pcall(got.check, got)
    assert.is_false(ok)
    assert.equal("partial", err.code)
    ok, err = pcall(retrieve.products, rows, { flat = true, dir = "other", on_error = function()
      return false
    end })
    assert.is_false(ok)
    assert.equal("archive", err.code)
  end)

  it("takes rows out of tables and lists, each source once", function()
    local list = { row("mast:A/a.fits"), row("mast:A/b.fits"), row("mast:A/a.fits"),
      row("mast:A/c.fits") }
    local t = require("halyard.core.table").from_rows(list, { "dataURI", "productFilename" })
    for i, products in ipairs({ list, t }) do
      local got = retrieve.products(products, { flat = true, parallel = 1, dir = "d" .. i })
      assert.equal(3, #got)
      assert.equal(3 * i, server:requests())
      assert.same({ "/a.fits", "/b.fits", "/c.fits" },
        { got[1].file:sub(3), got[2].file:sub(3), got[3].file:sub(3) })
      assert.equal("mast:A/c.fits", got[3].uri)
    end
  end)

  it("gives workflows nothing that contacts a host unasked", function()
    local names = {}
    for name in pairs(retrieve) do
      names[#names + 1] = name
    end
    table.sort(names)
    assert.same({ "products", "unpack" }, names)
  end)

  it("unpacks bundles that lie in the output folder, beside themselves", function()
    system.make_dirs(output .. "/b")
    os.execute(("cd '%s/b' && echo hello > a.txt && tar czf two.tar.gz a.txt"):format(output))
    local list = retrieve.unpack("b/two.tar.gz")
    assert.equal("b/two/a.txt", list[1].file)
    assert.equal(output .. "/b/two/a.txt", list[1].path)
    assert.equal(6, list[1].bytes)
    local _, err = pcall(retrieve.unpack, "b/a.txt", { dir = "b/three" })
    assert.equal("protocol", err.code)
    assert.is_truthy(err.message:find("hello", 1, true), err.message)
    _, err = pcall(retrieve.unpack, "../two.tar.gz")
    assert.equal("permission", err.code)
  end)

  it("says by one option what becomes of files that are there", function()
    local rows = { row("mast:A/a.fits") }
    local function fetch(existing)
      return retrieve.products(rows, { flat = true, existing = existing, on_error = "keep" })[1]
    end
    assert.is_false(fetch(nil).skipped)
    assert.is_true(fetch("skip").skipped)
    assert.equal(1, server:requests())
    assert.is_true(fetch("verify").skipped)
    assert.truthy(server:request(2):find("^HEAD "))
    os.execute(("echo mine > '%s/mastDownload/a.fits'"):format(output))
    for _, existing in ipairs({ "skip", "verify" }) do
      local ok, err = pcall(fetch, existing)
      assert.is_false(ok)
      assert.equal("io", err.code)
    end
    assert.is_false(fetch("replace").skipped)
    assert.equal("abc", system.read_file(output .. "/mastDownload/a.fits"))
    for _, wrong in ipairs({ { existing = "keep" }, { replace = true } }) do
      local ok, err = pcall(retrieve.products, { row("mast:A/a.fits") }, wrong)
      assert.is_false(ok)
      assert.equal("usage", err.code)
    end
  end)
end)
