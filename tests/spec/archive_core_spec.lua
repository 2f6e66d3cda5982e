-- SPDX-License-Identifier: BSD-3-Clause
-- Zip and tar.gz, also those that were made to do harm.
local archive = require("halyard.core.archive")

local folder = os.tmpname() .. "-bundles"

local function unpack(name, more)
  local request = { dir = folder, file = name, into = "out/" .. name:gsub("%.", "-"),
    max_bytes = 1 << 30 }
  for key, value in pairs(more or {}) do
    request[key] = value
  end
  return archive.unpack(request)
end

local function refused(name, more)
  local ok, err = pcall(unpack, name, more)
  assert.is_false(ok, name)
  return err
end

local function shell(command)
  local pipe <close> = io.popen(command)
  return pipe:read("a")
end

local function files()
  return shell(("cd %s/out && find . -mindepth 1 | LC_ALL=C sort"):format(folder))
end

describe("a bundle", function()
  setup(function()
    os.execute("mkdir " .. folder)
    assert(os.execute(("python3 %s/tests/spec/bundles.py %s"):format(
      os.getenv("HALYARD_SOURCE"), folder)))
  end)

  teardown(function()
    os.execute("rm -rf " .. folder)
  end)

  before_each(function()
    os.execute(("rm -rf %s/out && mkdir %s/out"):format(folder, folder))
  end)

  local hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

  it("is unpacked, with the bytes and SHA-256 of each file", function()
    for _, name in ipairs({ "good.zip", "stored.zip", "good.tar.gz" }) do
      local list = unpack(name)
      assert.equal(2, #list)
      assert.same({ path = "MAST_1/HST/a.fits", bytes = 5, sha256 = hello }, list[1])
      assert.equal("MAST_1/HST/b.txt", list[2].path)
    end
    local file <close> = assert(io.open(folder .. "/out/good-zip/MAST_1/HST/a.fits"))
    assert.equal("hello", file:read("a"))
    assert.equal("644\n", shell(("stat -c %%a %s/out/good-zip/MAST_1/HST/a.fits"):format(folder)))
  end)

  it("may name its own folder as ./", function()
    assert.equal("a.txt", unpack("dots.tar.gz")[1].path)
  end)

  it("has names made safe", function()
    local paths = {}
    for _, member in ipairs(unpack("names.zip")) do
      paths[#paths + 1] = member.path
    end
    assert.same({ "_-x.fits", "_.halyard/files", "_CON", "an_b" }, paths)
  end)

  it("replaces a folder only when asked to, and then all of it", function()
    unpack("good.zip", { into = "out/x" })
    local err = refused("other.zip", { into = "out/x" })
    assert.equal("io", err.code)
    assert.is_truthy(err.message:find("out/x is there already; choose another", 1, true))
    assert.is_truthy(files():find("a.fits", 1, true))
    unpack("other.zip", { into = "out/x", replace = true })
    assert.equal("./x\n./x/c.txt\n", files())
  end)

  it("is refused as a whole when one name leads elsewhere", function()
    for _, name in ipairs({ "up.zip", "inner-up.zip", "absolute.zip", "drive.zip", "backslash.zip",
      "twice.zip", "deep.zip" }) do
      local err = refused(name)
      assert.equal("integrity", err.code, name)
      assert.is_truthy(err.message:find("nothing was unpacked", 1, true), err.message)
    end
    assert.equal("", files())
    assert.equal("", shell(("ls %s/up.txt /tmp/halyard-absolute.txt 2>/dev/null"):format(folder)))
  end)

  it("is refused with links, devices and names that come twice", function()
    for _, name in ipairs({ "symlink.tar.gz", "hardlink.tar.gz", "fifo.tar.gz", "device.tar.gz",
      "symlink.zip", "same.tar.gz", "file-as-folder.tar.gz" }) do
      assert.equal("integrity", refused(name).code, name)
    end
    assert.equal("", files())
  end)

  it("may not unpack to more than 200 times its size, or more bytes or files than allowed",
    function()
      assert.equal("budget", refused("bomb.zip").code)
      assert.equal("budget", refused("bomb.tar.gz").code)
      local err = refused("good.zip", { max_bytes = 4 })
      assert.equal("budget", err.code)
      assert.is_truthy(err.message:find("budget.download", 1, true))
      assert.equal("budget", refused("many.zip").code)
      assert.equal("", files())
    end)

  it("is an error when it is cut, changed or empty", function()
    for _, name in ipairs({ "cut.zip", "flipped.zip", "cut.tar.gz", "junk.tar.gz", "empty.zip" }) do
      assert.equal("integrity", refused(name).code, name)
    end
    assert.equal("", files())
  end)

  it("is an error when one byte of a tar.gz is changed or missing, or one is too many", function()
    local names = shell(("cd %s && ls changed-* short-* behind.tar.gz"):format(folder))
    local n = 0
    for name in names:gmatch("%S+") do
      n = n + 1
      local err = refused(name)
      assert.equal("integrity", err.code, name)
      assert.is_truthy(err.message:find(name .. " is damaged", 1, true), err.message)
    end
    assert.equal(20 + 8 + 8 + 1, n)
    assert.equal("", files())
  end)

  it("may be several gzip members, several tars and padding, all of which is read", function()
    for _, name in ipairs({ "members.tar.gz", "padded.tar.gz" }) do
      local list = unpack(name)
      assert.equal(1, #list, name)
      assert.equal(400000, list[1].bytes)
    end
    assert.equal("noise", unpack("joined.tar.gz")[3].path)
    assert.equal("budget", refused("zeros.tar.gz").code)
  end)

  it("is an error when a tar.gz ends behind a member, where nothing but its end mark is missing",
    function()
      assert.equal(3, #unpack("pieces.tar.gz"))
      for _, name in ipairs({ "first-1", "first-2", "first-3", "first-4", "second-cut" }) do
        local err = refused(name .. ".tar.gz")
        assert.equal("integrity", err.code, name)
        assert.is_truthy(err.message:find("the end mark of the tar is missing", 1, true),
          err.message)
      end
    end)

  it("that is none shows what it is and does not stay", function()
    local list, head = unpack("message.zip")
    assert.is_nil(list)
    assert.equal('{"msg":"No TESS data"}', head)
    assert.is_nil((io.open(folder .. "/message.zip")))
    assert.equal("not_found", refused("message.zip").code)
  end)

  it("does not trip over what a killed run left", function()
    os.execute(("mkdir -p %s/out/.x.part/a; ln -s /tmp %s/out/.x.part/l; touch %s/out/.x.part/a/b")
      :format(folder, folder, folder))
    unpack("other.zip", { into = "out/x" })
    assert.equal("./x\n./x/c.txt\n", files())
    assert.is_truthy(io.open("/tmp"))
  end)

  it("leaves the output folder by no name of its own", function()
    assert.equal("usage", refused("good.zip", { into = "../x" }).code)
    assert.equal("usage", refused("../good.zip").code)
    os.execute(("ln -s /tmp %s/out/link"):format(folder))
    assert.equal("io", refused("good.zip", { into = "out/link/x" }).code)
  end)
end)
