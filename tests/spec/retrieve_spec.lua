-- SPDX-License-Identifier: BSD-3-Clause
-- Where products go and what the manifest says; the transfer itself is replaced by a record of it.

describe("retrieve.products", function()
  local report = require("halyard.report")
  local download = require("halyard.core.download")
  local system = require("halyard.core.system")
  local file = download.file
  local asked, retrieve, output
  local modules = { "halyard.retrieve", "halyard.retrieve.fetch" }

  before_each(function()
    asked = {}
    download.file = function(options)
      asked[#asked + 1] = options
      return { bytes = 3, sha256 = ("0"):rep(64), skipped = false }
    end
    for _, name in ipairs(modules) do
      package.loaded[name] = nil
    end
    retrieve = require("halyard.retrieve")
    output = system.default_output(os.tmpname() .. "-out")
    report.begin(report.new({ output = output }))
  end)

  after_each(function()
    download.file = file
    for _, name in ipairs(modules) do
      package.loaded[name] = nil
    end
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
    assert.equal(0, #asked)
    assert.equal(1, #retrieve.products({ { dataURI = "mast:A/x.fits" } }))
  end)

  it("names the source of every file, and the later one of two alike after it", function()
    local uris = { "mast:A/x.fits", "mast:B/x.fits", "mast:C/X.fits" }
    local got = retrieve.products({ row(uris[1]), row(uris[2]), row(uris[3]) },
      { flat = true, parallel = 1, on_error = "keep" })
    assert.equal("mastDownload/x.fits", got[1].file)
    for i, stem in ipairs({ "x", "x", "X" }) do
      assert.equal(uris[i], asked[i].source)
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

  it("writes pairs in their order, without those that are nil", function()
    assert.equal('[{"b":1,"a":"é\\"","long text":"of plain letters, then \\\\","z":[true]},{}',
      written(function(out)
        out:object("[", "b", 1, "gone", nil, "a", 'é"', "long text", "of plain letters, then \\",
          "z", { true })
        out:object(",", "gone", nil)
        assert.is_false(pcall(out.object, out, ",", "a"))
        local ok, err = pcall(out.object, out, "", "a", "\xff")
        assert.equal("usage", not ok and err.code)
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
    local errors = require("halyard.error")
    download.file = function(options)
      if options.path:find("bad", 1, true) then
        errors.raise("protocol", "an HTML page came", { tries = 3 })
      end
      return { bytes = 3, sha256 = ("0"):rep(64), skipped = false, tries = 1 }
    end
    local rows = { row("mast:A/bad1.fits"), row("mast:A/b.fits"), row("mast:A/bad2.fits"),
      row("mast:A/c.fits") }
    local seen = {}
    local got = retrieve.products(rows, { flat = true, parallel = 1, on_error = function(entry)
      seen[#seen + 1] = entry.file .. " " .. entry.err.code .. " " .. entry.tries
      return #seen < 3
    end })
    assert.same({ "mastDownload/bad1.fits protocol 3", "mastDownload/bad2.fits protocol 3" }, seen)
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
    assert.equal("protocol", err.code)
  end)

  it("takes rows out of tables and lists, each source once", function()
    local list = { row("mast:A/a.fits"), row("mast:A/b.fits"), row("mast:A/a.fits"),
      row("mast:A/c.fits") }
    local t = require("halyard.core.table").from_rows(list, { "dataURI", "productFilename" })
    for _, products in ipairs({ list, t }) do
      asked = {}
      local got = retrieve.products(products, { flat = true, parallel = 1 })
      assert.equal(3, #got)
      assert.same({ "a.fits", "b.fits", "c.fits" }, { asked[1].path, asked[2].path, asked[3].path })
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
    for existing, want in pairs({ skip = {}, replace = { replace = true },
      verify = { verify = true } }) do
      retrieve.products({ row("mast:A/a.fits") }, { flat = true, existing = existing })
      local got = asked[#asked]
      assert.same({ want.replace or false, want.verify or false }, { got.replace, got.verify })
    end
    for _, wrong in ipairs({ { existing = "keep" }, { replace = true } }) do
      local ok, err = pcall(retrieve.products, { row("mast:A/a.fits") }, wrong)
      assert.is_false(ok)
      assert.equal("usage", err.code)
    end
  end)
end)
