-- SPDX-License-Identifier: BSD-3-Clause
local download = require("halyard.core.download")
local peer = require("halyard.test.peer")

local function failure(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.equal("table", type(err))
  return err.code
end

local folder = os.tmpname() .. "-files"
local served = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: \"1\"\r\n\r\nhello"

describe("a download", function()
  setup(function()
    os.execute("mkdir " .. folder)
  end)

  teardown(function()
    os.execute("rm -r " .. folder)
  end)

  it("leaves a whole file, and does not ask again for it", function()
    local server <close> = peer.serve({ { served } })
    local request = { url = ("http://127.0.0.1:%d/a.txt"):format(server:port()), dir = folder,
      path = "a/a.txt", size = 5 }
    local got = download.file(request)
    assert.equal(5, got.bytes)
    assert.is_false(got.skipped)
    assert.equal("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", got.sha256)
    local file <close> = assert(io.open(folder .. "/a/a.txt"))
    assert.equal("hello", file:read("a"))
    assert.is_true(download.file(request).skipped)
    assert.equal(1, server:requests())
  end)

  it("leaves nothing under the final name when it is not what was promised", function()
    local server <close> = peer.serve({ { served } })
    local url = ("http://127.0.0.1:%d/b.txt"):format(server:port())
    assert.equal("integrity", failure(download.file,
      { url = url, dir = folder, path = "b.txt", sha256 = ("0"):rep(64) }))
    assert.is_nil((io.open(folder .. "/b.txt")))
  end)

  it("sends the token to the archive when told to, and says how to give one", function()
    local refused = 'HTTP/1.1 401 No\r\nContent-Length: 23\r\n\r\n{"message":"exclusive"}'
    local server <close> = peer.serve({ { served, "keep" }, { refused, "keep" } })
    local request = { url = ("http://127.0.0.1:%d/c.txt"):format(server:port()), dir = folder,
      path = "c.txt", auth = "mast" }
    peer.set("archive", request.url:match("^http://[^/]+"))
    peer.env("MAST_API_TOKEN", "test-token-0123")
    download.file(request)
    assert.truthy(server:request(1):find("Authorization: token test-token-0123\r\n", 1, true))
    peer.env("MAST_API_TOKEN", nil)
    peer.env("XDG_CONFIG_HOME", folder)
    request.path = "d.txt"
    local _, err = pcall(download.file, request)
    peer.env("XDG_CONFIG_HOME", nil)
    peer.set("archive", nil)
    assert.equal("permission", err.code)
    assert.truthy(err.message:find("exclusive; get a token at https://auth.mast", 1, true))
    assert.is_nil(server:request(2):find("Authorization", 1, true))
  end)

  it("refuses options that are missing, unknown or wrong", function()
    local url = "http://127.0.0.1/"
    assert.equal("usage", failure(download.file, { url = url, dir = folder }))
    assert.equal("usage", failure(download.file, { url = url, dir = folder, path = "x", sise = 1 }))
    assert.equal("usage", failure(download.file,
      { url = url, dir = folder, path = "x", size = "big" }))
  end)

  it("makes names of foreign text safe", function()
    assert.equal("a_b.fits", download.safe_name("a:b.fits"))
    assert.equal("_.hidden", download.safe_name(".hidden"))
    assert.equal("usage", failure(download.safe_name, 5))
  end)
end)
