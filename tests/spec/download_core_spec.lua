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

  it("is one of a set, whose owner is told of each in the order of their ends", function()
    local reply = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
    local server <close> = peer.serve({ { "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", "keep",
      "lost" }, { reply, "keep", "whole" }, { "HTTP/1.1 200 OK\r\n", "hold", "stuck" } })
    local host = "127.0.0.1:" .. server:port()
    local function row(name)
      return { access_url = ("http://%s/%s.txt"):format(host, name), obs_collection = "C",
        obs_id = "o/1" }
    end
    local set = download.set({ dir = folder })
    local hosts = { [host] = true }
    assert.is_nil(set:next())
    assert.is_true(set:start(1, row("lost"), nil, nil, nil, hosts))
    local k, bytes, err = set:next()
    assert.same({ 1, "not_found", 1 }, { k, err.code, err.tries })
    assert.is_nil(bytes)
    assert.is_true(set:start(2, row("whole"), nil, nil, nil, hosts))
    assert.is_false(set:has_ended())
    assert.is_true(set:start(3, row("whole"), "../up", nil, nil, hosts))
    assert.is_true(set:has_ended())
    assert.is_true(set:start(4, row("stuck"), nil, nil, nil, hosts))
    local seen = {}
    for _ = 1, 2 do
      local number, n, skipped, tries = set:next()
      seen[number] = n and { n, skipped, tries } or skipped.code
    end
    assert.same({ [2] = { 5, false, 1 }, [3] = "usage" }, seen)
    local file <close> = assert(io.open(folder .. "/C/1/whole.txt"))
    assert.equal("hello", file:read("a"))
    assert.is_false(set:has_ended())
    assert.is_false(set:start(5, { access_url = "no address" }, nil, nil, nil, hosts))
    assert.equal("permission", failure(set.start, set, 5, row("whole"), nil, nil, nil, {}))
    getmetatable(set).__close(set) -- cancels what is stuck
    assert.equal("usage", failure(set.next, set))
    require("halyard.core.task").sleep(0.01) -- it ends
  end)

  it("stands in the lists of a run, without secrets", function()
    local dir = require("halyard.core.system").default_output(folder)
    local system = require("halyard.core.system")
    system.make_dirs(".")
    local csv <close> = system.create_file(dir .. "/list.csv")
    local json <close> = system.create_file(dir .. "/list.json")
    local list = download.list({ csv = csv, json = json })
    list:add("d", "mast:A/b", "http://h/?uri=b&token=secret", "b", 5, nil, "failed", 2, nil, nil,
      nil, nil, { code = "network", message = "no way to http://h/?token=secret", fault = "local" })
    assert.is_true(list:add_row(nil, { access_url = "http://h/c,d.txt", size = 7 }, nil, true, dir,
      nil, "there", 0, "odd", nil, { h = true }))
    assert.is_false(list:add_row(nil, {}, nil, true, dir, nil, "there"))
    assert.equal("permission", failure(list.add_row, list, nil, { access_url = "http://i/c" }, "c",
      true, dir, nil, "there", 0, nil, nil, { h = true }))
    assert.equal("internal", failure(list.add, list, nil, "u", nil, "p", nil, nil, "lost"))
    csv:commit()
    json:commit()
    assert.equal('d/b,ERROR,no way to http://h/?token=***,http://h/?uri=b&token=***,,,mast:A/b,,2,'
      .. 'network,local\n"c,d.txt",COMPLETE,odd,,,,"http://h/c,d.txt",,0,,\n',
      system.read_file(dir .. "/list.csv"))
    assert.equal('\n{"error":"network","fault":"local","message":"no way to http://h/?token=***",'
      .. '"path":"b","size":5,"status":"failed","tries":2,"uri":"mast:A/b",'
      .. '"url":"http://h/?uri=b&token=***"},\n{"message":"odd","path":"c,d.txt","size":7,'
      .. '"status":"already there","tries":0,"uri":"http://h/c,d.txt","url":"http://h/c,d.txt"}',
      system.read_file(dir .. "/list.json"))
  end)

  it("makes names of foreign text safe", function()
    assert.equal("a_b.fits", download.safe_name("a:b.fits"))
    assert.equal("_.hidden", download.safe_name(".hidden"))
    assert.equal("usage", failure(download.safe_name, 5))
  end)
end)
