-- SPDX-License-Identifier: BSD-3-Clause
local http = require("halyard.core.http")
local peer = require("halyard.test.peer")
local task = require("halyard.core.task")

local function failure(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.equal("table", type(err))
  return err
end

local function reply(body, status)
  return ("HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s")
    :format(status or "200 OK", #body, body)
end

local fields = '"fields":[{"name":"id","type":"string"},{"name":"ra","type":"float"}]'
local complete = '{"status":"COMPLETE","msg":"","data":[{"id":9007199254740993,"ra":1.5}],'
  .. fields .. ',"paging":{"page":1,"pageSize":50,"pagesFiltered":1,"rows":1,"rowsFiltered":1,'
  .. '"rowsTotal":7}}'
local executing = '{"status":"EXECUTING","msg":"","percent complete":0.25}'

local function url(server)
  return ("http://127.0.0.1:%d/invoke"):format(server:port())
end

local function fetch(server, options)
  local request = { url = url(server), method = "POST", body = "request=x", format = "json" }
  for key, value in pairs(options or {}) do
    request[key] = value
  end
  return http.fetch(request)
end

describe("fetching a data set", function()
  it("gives the table, what the answer says and what it cost", function()
    local server <close> = peer.serve({ { reply(complete) } })
    local rows, answer, outcome = fetch(server, { headers = { ["X-Test"] = "yes" } })
    assert.equal(1, #rows)
    assert.equal("9007199254740993", tostring(rows:get(1, "id")))
    assert.equal("COMPLETE", answer.status)
    assert.equal(7, answer.rows_total)
    assert.equal(200, outcome.http_status)
    assert.equal(1, outcome.tries)
    assert.is_true(outcome.bytes >= #complete)
    local asked = server:request(1)
    assert.truthy(asked:find("X-Test: yes\r\n", 1, true))
    assert.truthy(asked:find("\r\n\r\nrequest=x", 1, true))
  end)

  it("gives the bytes of the answer too where asked to, if they are not more", function()
    for max, body in pairs({ [#complete] = complete, [#complete - 1] = false, [0] = false }) do
      local server <close> = peer.serve({ { reply(executing) }, { reply(complete) } })
      local rows, _, outcome = fetch(server, { body_max = max })
      assert.equal(1, #rows)
      assert.equal(body or nil, outcome.body)
    end
    assert.is_false(pcall(http.fetch, { url = "http://127.0.0.1:1/", body_max = -1 }))
  end)

  it("asks the identical question again while the archive works", function()
    local server <close> = peer.serve({
      { reply(executing), "keep" }, { reply(executing), "keep" }, { reply(complete) },
    })
    local rows, _, outcome = fetch(server)
    assert.equal(1, #rows)
    assert.equal(2, outcome.polls)
    assert.equal(3, server:requests())
    assert.equal(server:request(1), server:request(3))
  end)

  it("gives no table for an unfinished answer when polling is off", function()
    local server <close> = peer.serve({ { reply(executing) } })
    local rows, answer = fetch(server, { poll = false })
    assert.is_nil(rows)
    assert.equal("EXECUTING", answer.status)
    assert.equal(0.25, answer.fraction_done)
  end)

  it("raises the archive's own message", function()
    local server <close> = peer.serve({
      { reply('{"status":"ERROR","msg":"Incorrect syntax near \'*\'."}') },
    })
    local err = failure(fetch, server)
    assert.equal("archive", err.code)
    assert.truthy(err.message:find("Incorrect syntax", 1, true))
    assert.equal(1, server:requests())
    assert.is_nil(err.reset)
  end)

  it("marks reset, empty and cut answers, and retries only as told", function()
    local replies = {
      { { "", "reset" } },
      { { "", "close" } },
      { { "HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n" .. complete:sub(1, 60), "close" } },
      { { "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" .. complete:sub(1, 60), "close" } },
      { { reply("") } },
    }
    for _, script in ipairs(replies) do
      local server <close> = peer.serve(script)
      local err = failure(fetch, server, { tries = 1 })
      assert.is_true(err.reset, err.message)
      assert.equal(1, server:requests())
    end
    local server <close> = peer.serve({ { "", "reset" }, { reply(complete) } })
    local rows, _, outcome = fetch(server, { tries = 3 })
    assert.equal(1, #rows)
    assert.equal(2, outcome.tries)
  end)

  it("never mixes the rows of a cut answer with those of the next", function()
    local one = complete:gsub('"data":%[', '"data":[{"id":1,"ra":1},', 1)
    local server <close> = peer.serve({
      { "HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n" .. one:sub(1, 120), "reset" },
      { reply(complete) },
    })
    assert.equal(1, #(fetch(server)))
  end)

  it("asks again for a damaged answer, twice at most", function()
    local bad = complete:gsub("COMPLETE", "COMP\1ETE")
    local server <close> = peer.serve({ { reply(bad), "keep" }, { reply(complete) } })
    assert.equal(1, #(fetch(server)))
    local broken <close> = peer.serve({ { reply(bad), "keep" } })
    local err = failure(fetch, broken)
    assert.equal("integrity", err.code)
    assert.equal("integrity", err.fault)
    assert.equal(3, err.tries)
    assert.equal(3, broken:requests())
  end)

  it("says that a page of another kind came, after two more tries", function()
    local page = "<!DOCTYPE html><html><head><title>Down for maintenance</title></head></html>"
    local server <close> = peer.serve({ { reply(page), "keep" } })
    local err = failure(fetch, server)
    assert.equal("protocol", err.code)
    assert.equal(3, server:requests())
  end)

  it("asks once more after an answer without a body", function()
    local server <close> = peer.serve({ { reply(""), "keep" } })
    local err = failure(fetch, server)
    assert.equal("protocol", err.code)
    assert.truthy(err.message:find("the answer is empty", 1, true))
    assert.is_true(err.reset)
    assert.equal(2, server:requests())
  end)

  it("defers what a host asks to wait too long for", function()
    local server <close> = peer.serve({
      { "HTTP/1.1 503 No\r\nRetry-After: 7200\r\nContent-Length: 0\r\n\r\n", "keep" },
    })
    local err = failure(fetch, server)
    assert.equal("busy", err.code)
    assert.equal("busy", err.fault)
    assert.is_true(err.deferred)
    assert.equal(7200, err.retry_after)
    assert.equal(1, err.tries)
  end)

  it("raises what an error answer says, with its code", function()
    local info = '<VOTABLE><RESOURCE type="results"><INFO name="QUERY_STATUS" value="ERROR">'
      .. "Unknown table foo.bar</INFO></RESOURCE></VOTABLE>"
    for _, case in ipairs({
      { "400 Bad Request", info, "archive", "(HTTP 400): Unknown table foo.bar" },
      { "422 Unprocessable Entity", '{"detail":[{"loc":["body","limit"],"msg":"not a number"}]}',
        "archive", "body.limit: not a number" },
      { "500 Oops", '{"status":"ERROR","msg":"out of memory"}', "archive", "out of memory" },
      { "404 Not Found", "<html><head><title>No such page</title></head></html>", "not_found",
        "No such page" },
      { "401 Unauthorized", '{"message":"who are you"}', "permission", "who are you" },
      { "403 Forbidden", "not yours\1\n", "permission", "not yours;" },
      { "503 Busy", "<html><body>at work</body></html>", "busy", "at work" },
      { "429 Slow", "too fast", "busy", "too fast" },
    }) do
      local server <close> = peer.serve({ { reply(case[2], case[1]) } })
      local err = failure(fetch, server, { tries = 1 })
      assert.equal(case[3], err.code)
      assert.equal(tonumber(case[1]:sub(1, 3)), err.http_status)
      assert.truthy(err.message:find(case[4], 1, true), err.message)
    end
  end)

  it("raises errors that come with status 200", function()
    for _, body in ipairs({
      '<VOTABLE><INFO name="Error" value="SR too large"/></VOTABLE>',
      '<VOTABLE><RESOURCE><INFO ID="Error" name="e" value="SR too large"/></RESOURCE></VOTABLE>',
      '<VOTABLE><RESOURCE><PARAM name="Error" value="SR too large"/></RESOURCE></VOTABLE>',
      '<VOTABLE><DEFINITIONS><PARAM name="Error" value="SR too large"/></DEFINITIONS></VOTABLE>',
      '<VOTABLE><RESOURCE type="results"><INFO name="QUERY_STATUS" value="OK"/><TABLE>'
        .. '<FIELD name="a" datatype="int"/></TABLE><INFO name="QUERY_STATUS" value="ERROR">'
        .. "SR too large</INFO></RESOURCE></VOTABLE>",
    }) do
      local server <close> = peer.serve({ { reply(body) } })
      local err = failure(fetch, server, { format = "votable" })
      assert.equal("archive", err.code)
      assert.truthy(err.message:find("SR too large", 1, true), err.message)
    end
    local page = "<html><head><title>Down</title></head></html>"
    for _, case in ipairs({ { page, "protocol", "Down" },
      { "Something went badly wrong, sorry", "protocol", "Something went badly wrong" },
      { "target not resolved, continue\n\n", "not_found", "target not resolved" } }) do
      for _, format in ipairs({ "csv", "votable" }) do
        local server <close> = peer.serve({ { reply(case[1]) } })
        local err = failure(fetch, server, { format = format, tries = 1 })
        assert.equal(case[2], err.code)
        assert.truthy(err.message:find(case[3], 1, true), err.message)
      end
    end
    local server <close> = peer.serve({ { reply("no rows found\n\n") } })
    assert.equal(0, #(fetch(server, { format = "csv" })))
  end)

  it("refuses rows cut at the service's limit unless told to keep them", function()
    local before = '<INFO name="QUERY_STATUS" value="OVERFLOW"/>'
    local rows = '<TABLE><FIELD name="a" datatype="int"/><DATA><TABLEDATA><TR><TD>1</TD></TR>'
      .. "</TABLEDATA></DATA></TABLE>"
    for _, inside in ipairs({ before .. rows, rows .. before }) do
      local body = '<VOTABLE><RESOURCE type="results">' .. inside .. "</RESOURCE></VOTABLE>"
      local server <close> = peer.serve({ { reply(body), "keep" } })
      assert.equal("truncated", failure(fetch, server, { format = "votable" }).code)
      local got, answer = fetch(server, { format = "votable", overflow = "keep" })
      assert.equal(1, #got)
      assert.is_true(answer.overflow)
    end
    local whole <close> = peer.serve({ { reply(complete) } })
    local _, answer = fetch(whole, { overflow = "keep" })
    assert.is_false(answer.overflow)
  end)

  it("says once of a service that rows may be missing at an end that nothing marks", function()
    local door = require("halyard.archive.door")
    local head, lines = "HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\n", "id,ra\n1,1.5\n"
    local unmarked = head .. "Connection: close\r\n\r\n" .. lines
    local chunks = head .. "Transfer-Encoding: chunked\r\n\r\nc\r\n" .. lines .. "\r\n0\r\n\r\n"
    local server <close> = peer.serve({
      { reply(lines) }, { chunks }, { unmarked, "close" }, { unmarked, "close" },
    })
    local logged = require("halyard.test").logged
    logged()
    local function ask()
      assert.equal(1, #door.fetch("lines", { url = url(server), format = "csv" }))
      return logged()
    end
    assert.equal("", ask())
    assert.equal("", ask())
    assert.truthy(ask():find("missing at the end is not known (unverified)", 1, true))
    assert.equal("", ask())
  end)

  it("says once of an address that tables were left, and reads the one that is named", function()
    local function one(name, value)
      return ('<TABLE name="%s"><FIELD name="%s" datatype="int"/><DATA><TABLEDATA><TR><TD>%d</TD>'
        .. "</TR></TABLEDATA></DATA></TABLE>"):format(name, name, value)
    end
    local body = '<VOTABLE version="1.4"><RESOURCE>' .. one("a", 1) .. one("b", 2) .. one("c", 3)
      .. "</RESOURCE></VOTABLE>"
    local server <close> = peer.serve({
      { reply(body) }, { reply(body) }, { reply(body) }, { reply(body) }, { reply(body) },
    })
    local logged = require("halyard.test").logged
    logged()
    local at = url(server)
    assert.same({ "b" }, http.fetch({ url = at .. "?x=1", table = "b" }).columns)
    assert.same({ "c" }, http.fetch({ url = at .. "?x=1", table = "3" }).columns)
    assert.equal("", logged())
    assert.same({ "a" }, http.fetch({ url = at .. "?x=1", choice = "vo { table = N }" }).columns)
    assert.equal('{"level":"warning","text":"' .. at .. ' holds 3 tables: table 1 \\"a\\" was '
      .. 'read; vo { table = N } reads one of 2 others"}\n', logged())
    assert.same({ "a" }, http.fetch({ url = at .. "?x=2" }).columns)
    assert.equal("", logged())
    local err = failure(http.fetch, { url = at, table = "d" })
    assert.equal("usage", err.code)
    assert.truthy(err.message:find('"c"', 1, true), err.message)
  end)

  it("reads a long answer through the bounded queue", function()
    local row = '{"id":%d,"ra":1.25}'
    local rows = {}
    for i = 1, 400000 do
      rows[i] = row:format(i)
    end
    local body = '{"status":"COMPLETE","msg":"","data":[' .. table.concat(rows, ",") .. "],"
      .. fields .. "}"
    local server <close> = peer.serve({ { reply(body) } })
    local got = fetch(server)
    assert.equal(400000, #got)
    assert.equal(400000, got:get(400000, "id"))
    local limited <close> = peer.serve({ { reply(body) } })
    assert.equal("budget", failure(fetch, limited, { rows_max = 1000, tries = 1 }).code)
  end)

  it("ends when its task is cancelled", function()
    local server <close> = peer.serve({ { "", "hold" } })
    local ok, err = pcall(task.all, {
      function() fetch(server) end,
      function()
        while server:requests() == 0 do
          task.sleep(0.001)
        end
        error("stop")
      end,
    })
    assert.is_false(ok)
    assert.truthy(tostring(err):find("stop", 1, true))
    assert.equal(0, http.stats().in_flight)
  end)

  it("refuses options that it does not know or that cannot be", function()
    for _, options in ipairs({
      {}, { url = 5 }, { url = "http://127.0.0.1/", uri = "x" },
      { url = "http://127.0.0.1/", format = "xml" }, { url = "http://127.0.0.1/", tries = -1 },
      { url = "http://127.0.0.1/", headers = { A = "x\r\nB: y" } },
      { url = "http://127.0.0.1/", overflow = "ignore" },
      { url = "http://127.0.0.1/", rows_max = 1.5 }, { url = "http://127.0.0.1/", poll = 1 },
    }) do
      assert.equal("usage", failure(http.fetch, options).code)
    end
    assert.equal("usage", failure(http.fetch, "http://127.0.0.1/").code)
    assert.equal("permission", failure(http.fetch, { url = "ftp://127.0.0.1/" }).code)
  end)
end)

describe("a small request", function()
  it("gives status and body, error statuses too", function()
    local server <close> = peer.serve({ { reply("[]") } })
    local got = http.request({ url = url(server) })
    assert.equal(200, got.status)
    assert.equal("[]", got.body)
    assert.equal("text/plain", got.content_type)
    assert.equal(url(server), got.url)
    local missing <close> = peer.serve({ { reply("no such thing", "404 Not Found") } })
    got = http.request({ url = url(missing), method = "POST", body = "x=1" })
    assert.equal(404, got.status)
    assert.equal("no such thing", got.body)
    assert.truthy(missing:request(1):find("^POST "))
  end)

  it("is tried again after a reset, from an empty body", function()
    local server <close> = peer.serve({
      { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", "reset" }, { reply("hello") },
    })
    assert.equal("hello", http.request({ url = url(server) }).body)
    local gone <close> = peer.serve({ { "", "reset" } })
    local err = failure(http.request, { url = url(gone), tries = 2 })
    assert.equal("network", err.code)
    assert.is_true(err.reset)
    assert.equal(2, gone:requests())
  end)

  it("gives the headers of the final answer, bounded and without cookies", function()
    local server <close> = peer.serve({ {
      "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-MAST: a\r\nx-mast: b\tc\r\nX-Odd: \xe9\r\n"
        .. "Set-Cookie: session=1\r\n" .. ("X-Many: 1\r\n"):rep(70)
        .. "X-Late: 1\r\n\r\n",
    } })
    local got = http.request({ url = url(server) })
    assert.equal("a, b c", got.headers["x-mast"])
    assert.equal("?", got.headers["x-odd"])
    assert.equal("0", got.headers["content-length"])
    assert.is_nil(got.headers["set-cookie"])
    assert.is_nil(got.headers["x-late"])
    assert.is_nil(got.location)
    local wide <close> = peer.serve({ {
      "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Big: " .. ("x"):rep(9000)
        .. "\r\nX-Next: 1\r\n\r\n",
    } })
    got = http.request({ url = url(wide) })
    assert.is_nil(got.headers["x-big"])
    assert.equal("1", got.headers["x-next"])
    local data <close> = peer.serve({ { reply(complete) } })
    local _, _, outcome = fetch(data)
    assert.equal("text/plain", outcome.headers["content-type"])
  end)

  local see_other = "HTTP/1.1 303 See Other\r\nLocation: /jobs/7\r\nContent-Length: 3\r\n\r\nsee"

  it("follows a POST's 303 by GET without the body", function()
    local server <close> = peer.serve({ { see_other, "keep" }, { reply("job") } })
    local got = http.request({ url = url(server), method = "POST", body = "LANG=ADQL" })
    assert.equal("job", got.body)
    assert.equal(("http://127.0.0.1:%d/jobs/7"):format(server:port()), got.url)
    assert.truthy(server:request(2):find("^GET /jobs/7 "))
    assert.is_nil(server:request(2):find("ADQL", 1, true))
  end)

  it("gives a redirect itself when told not to follow", function()
    local server <close> = peer.serve({ { see_other } })
    local got = http.request({
      url = url(server), method = "POST", body = "LANG=ADQL", tries = 1, redirects = false,
    })
    assert.equal(303, got.status)
    assert.equal("see", got.body)
    assert.equal(("http://127.0.0.1:%d/jobs/7"):format(server:port()), got.location)
    assert.equal(url(server), got.url)
    assert.equal(1, server:requests())
  end)

  it("sends every method as it is, and what may change something once", function()
    local server <close> = peer.serve({
      { reply("made"), "keep" }, { reply("gone"), "keep" },
      { "HTTP/1.1 200 OK\r\nContent-Length: 90000000\r\n\r\n", "close" },
    })
    assert.equal("made", http.request({ url = url(server), method = "PUT", body = "x" }).body)
    assert.equal("gone", http.request({ url = url(server), method = "DELETE" }).body)
    local got = http.request({ url = url(server), method = "HEAD" })
    assert.equal("", got.body)
    assert.equal("90000000", got.headers["content-length"])
    assert.truthy(server:request(1):find("^PUT .*\r\n\r\nx$"))
    assert.truthy(server:request(2):find("^DELETE "))
    assert.is_nil(server:request(2):find("Content-Type", 1, true))
    assert.truthy(server:request(3):find("^HEAD "))
    local broken <close> = peer.serve({ { "", "reset" } })
    assert.equal("network", failure(http.request, { url = url(broken), method = "DELETE" }).code)
    assert.equal(1, broken:requests())
  end)

  it("keeps a method but POST over a 302", function()
    local moved = "HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n"
    local server <close> = peer.serve({
      { moved, "keep" }, { reply("a"), "keep" }, { moved, "keep" }, { reply("b") },
    })
    http.request({ url = url(server), method = "DELETE" })
    http.request({ url = url(server), method = "POST", body = "x" })
    assert.truthy(server:request(2):find("^DELETE /b "))
    assert.truthy(server:request(4):find("^GET /b "))
  end)

  it("refuses more bytes than it was told to take", function()
    local server <close> = peer.serve({ { reply(("x"):rep(2000)) } })
    assert.equal("budget", failure(http.request, { url = url(server), max_bytes = 1000 }).code)
  end)
end)

describe("credentials", function()
  local token = "0123456789abcdef0123456789abcdef"
  local folder = os.tmpname()
  os.remove(folder)
  os.execute("mkdir -p " .. folder .. "/halyard")

  local function base(server)
    return ("http://127.0.0.1:%d"):format(server:port())
  end

  before_each(function()
    peer.env("MAST_API_TOKEN", token)
    peer.env("XDG_CONFIG_HOME", folder)
  end)
  after_each(function()
    for _, name in ipairs({ "MAST_API_TOKEN", "XDG_CONFIG_HOME", "CASJOBS_WSID", "CASJOBS_PW" }) do
      peer.env(name, nil)
    end
    peer.set("archive", nil)
    peer.set("archive.mashup", nil)
  end)
  teardown(function()
    os.execute("rm -r " .. folder)
  end)

  it("go to the archive that the user named, when asked for", function()
    local server <close> = peer.serve({ { reply(complete), "keep" } })
    peer.set("archive", base(server))
    fetch(server, { auth = "mast" })
    http.request({ url = url(server), auth = "mast" })
    fetch(server)
    local line = "\r\nAuthorization: token " .. token .. "\r\n"
    assert.truthy(server:request(1):find(line, 1, true))
    assert.truthy(server:request(2):find(line, 1, true))
    assert.is_nil(server:request(3):find("Authorization", 1, true))
  end)

  it("go to no other host or port", function()
    for _, setting in ipairs({ "", "http://127.0.0.1:1", "http://127.0.0.2:%d",
      "https://127.0.0.1:%d",
      "http://127.0.0.1:%d0", "http://127.0.0.1:%d@x/" }) do
      local server <close> = peer.serve({ { reply(complete), "keep" } })
      peer.set("archive", setting ~= "" and setting:format(server:port()) or nil)
      fetch(server, { auth = "mast" })
      assert.is_nil(server:request(1):find(token, 1, true), setting)
    end
  end)

  it("are dropped by a redirect to another origin", function()
    local other <close> = peer.serve({ { reply(complete), "keep" } })
    local server <close> = peer.serve({
      { ("HTTP/1.1 307 Elsewhere\r\nLocation: %s/b\r\nContent-Length: 0\r\n\r\n"):format(
        base(other)) },
    })
    peer.set("archive", base(server))
    peer.set("archive.mashup", base(other))
    fetch(server, { auth = "mast" })
    assert.truthy(server:request(1):find(token, 1, true))
    assert.is_nil(other:request(1):find(token, 1, true))
    peer.env("CASJOBS_PW", "p&ss word")
    local err = failure(http.request, {
      url = url(server), method = "POST", secret = { pw = "CASJOBS_PW" },
    })
    assert.equal("permission", err.code)
    assert.equal(1, other:requests())
  end)

  it("are cut out of an address in an error, where they are parameters", function()
    local server <close> = peer.serve({
      { "HTTP/1.1 302 On\r\nLocation: /x?a=1&token=abcdef\r\nContent-Length: 0\r\n\r\n", "keep" },
    })
    local err = failure(http.request, { url = url(server) })
    assert.equal("archive", err.code)
    assert.truthy(err.message:find("/x?a=1&token=*** -> /x?a=1&token=***", 1, true))
    assert.is_nil(err.message:find("abcdef", 1, true))
  end)

  it("are struck out of what comes back", function()
    local echo = ("HTTP/1.1 %s\r\nX-Echo: %s\r\nContent-Length: %d\r\n\r\n%s")
    local body = '{"token":"' .. token .. '","message":"bad ' .. token .. '"}'
    local server <close> = peer.serve({
      { echo:format("200 OK", token, #body, body), "keep" },
      { echo:format("400 Bad", token, #body, body), "keep" },
    })
    peer.set("archive", base(server))
    local got = http.request({ url = url(server), auth = "mast" })
    assert.equal((body:gsub(token, ("*"):rep(#token))), got.body)
    assert.equal(("*"):rep(#token), got.headers["x-echo"])
    local err = failure(fetch, server, { auth = "mast", tries = 1 })
    assert.truthy(err.message:find("bad ****", 1, true))
    assert.is_nil(err.message:find(token, 1, true))
    assert.is_nil(err.outcome.headers["x-echo"]:find(token, 1, true))
  end)

  it("are struck out of tables, wherever they stand in the answer", function()
    local function body(n) -- the token begins n bytes before the end of a block of 256 KiB
      local head = "id,text\n"
      local filler = ("x"):rep(256 * 1024 - #head - 2 - n)
      return head .. "1," .. filler .. token .. "\n2," .. token .. "\n"
    end
    local starts = { 0, 1, 15, #token - 1, #token }
    local replies = {}
    for i, n in ipairs(starts) do
      replies[i] = { reply(body(n)), "keep" }
    end
    local server <close> = peer.serve(replies)
    peer.set("archive", base(server))
    for i, n in ipairs(starts) do
      local rows = fetch(server, { auth = "mast", format = "csv" })
      assert.equal(i, server:requests())
      assert.equal(2, #rows)
      assert.equal(256 * 1024 - 10 - n + #token, #rows:get(1, "text"))
      assert.is_nil(rows:get(1, "text"):find("[^x*]"))
      assert.equal(("*"):rep(#token), rows:get(2, "text"))
    end
  end)

  it("come from a file that only the user can read, or are missing without harm", function()
    peer.env("MAST_API_TOKEN", nil)
    local server <close> = peer.serve({
      { reply(complete), "keep" }, { reply(complete), "keep" }, { reply("who?", "401 No"), "keep" },
      { reply("who?", "401 No"), "keep" }, { reply("who?", "401 No"), "keep" },
    })
    peer.set("archive", base(server))
    fetch(server, { auth = "mast" })
    assert.is_nil(server:request(1):find("Authorization", 1, true))
    local path = folder .. "/halyard/mast-token"
    do
      local file <close> = assert(io.open(path, "w"))
      file:write(" ", token, "\n")
    end
    os.execute("chmod 640 " .. path)
    local err = failure(fetch, server, { auth = "mast" })
    assert.equal("permission", err.code)
    assert.truthy(err.message:find("chmod 600", 1, true))
    os.execute("chmod 600 " .. path)
    fetch(server, { auth = "mast" })
    assert.truthy(server:request(2):find("token " .. token, 1, true))
    err = failure(fetch, server, { auth = "mast" })
    assert.truthy(err.message:find("get a new one at https://auth.mast", 1, true))
    os.remove(path)
    err = failure(fetch, server, { auth = "mast" })
    assert.equal("permission", err.code)
    assert.truthy(err.message:find("MAST_API_TOKEN", 1, true))
    local got = http.request({ url = url(server), auth = "mast" })
    assert.equal(401, got.status)
    assert.truthy(got.remedy:find("https://auth.mast.stsci.edu/token", 1, true))
    for _, bad in ipairs({ "two words", "a\rb: c", "abc" }) do
      peer.env("MAST_API_TOKEN", bad)
      assert.equal("usage", failure(fetch, server, { auth = "mast" }).code)
    end
  end)

  it("become fields of a form that no script sees", function()
    peer.env("CASJOBS_PW", "p&ss word")
    local server <close> = peer.serve({
      { reply("wrong: p&ss word p%26ss%20word", "400 Bad"), "keep" },
    })
    local ask = {
      url = url(server), method = "POST", body = "qry=x", secret = { pw = "CASJOBS_PW" },
    }
    assert.equal("permission", failure(http.request, ask).code) -- not the archive of this run
    assert.equal(0, server:requests())
    peer.set("archive", base(server))
    local got = http.request(ask)
    assert.truthy(server:request(1):find("\r\n\r\nqry=x&pw=p%26ss%20word", 1, true))
    assert.equal("wrong: ********* *************", got.body)
    ask.body = nil
    http.request(ask)
    assert.truthy(server:request(2):find("\r\n\r\npw=p%26ss%20word", 1, true))
    for _, wrong in ipairs({
      { secret = { pw = "HOME" } }, { secret = "x" }, { secret = { ["a=b"] = "CASJOBS_PW" } },
      { secret = { pw = "CASJOBS_PW" }, method = "GET" }, { auth = "other" },
    }) do
      wrong.url, wrong.method = url(server), wrong.method or "POST"
      assert.equal("usage", failure(http.request, wrong).code)
    end
    ask.secret = { wsid = "CASJOBS_WSID" }
    local err = failure(http.request, ask)
    assert.equal("permission", err.code)
    assert.truthy(err.message:find("CASJOBS_WSID", 1, true))
  end)
end)

describe("a form with files", function()
  it("is put together with a boundary that no part holds", function()
    local parts = {
      { name = "QUERY", value = "SELECT * FROM TAP_UPLOAD.t" },
      { name = "t", filename = "t.vot", content_type = "text/xml",
        body = "\0--" .. "----halyard-part-00000000\r\n" },
      { name = "empty", value = "" },
    }
    local body, kind = http.multipart(parts)
    local boundary = kind:match("^multipart/form%-data; boundary=(.+)$")
    assert.equal("----halyard-part-00000001", boundary)
    assert.equal(table.concat({
      "--" .. boundary, 'Content-Disposition: form-data; name="QUERY"', "", parts[1].value,
      "--" .. boundary, 'Content-Disposition: form-data; name="t"; filename="t.vot"',
      "Content-Type: text/xml", "", parts[2].body,
      "--" .. boundary, 'Content-Disposition: form-data; name="empty"', "", "",
      "--" .. boundary .. "--", "",
    }, "\r\n"), body)
    assert.equal(body, (http.multipart(parts)))
    parts[2].body = ("x"):rep(3000000)
    assert.truthy(#http.multipart(parts) > 3000000)
  end)

  it("refuses parts that cannot be", function()
    for _, parts in ipairs({ {}, { {} }, { { name = "a" } },
      { { name = "a", value = "1", body = "2" } },
      { { name = 'a"', value = "1" } }, { { name = "a\n", value = "1" } },
      { { name = "a", value = 1 } }, { { name = "a", value = "1", type = "x" } }, { "x" } }) do
      assert.equal("usage", failure(http.multipart, parts).code)
    end
  end)
end)

describe("politeness", function()
  it("takes limits and counts what was asked", function()
    http.limit("archive.example", 4, 0)
    http.limit(nil, 2)
    assert.equal("usage", failure(http.limit, "archive.example", 0).code)
    assert.equal("usage", failure(http.limit, "archive.example", 2, -1).code)
    local before = http.stats().requests
    local server <close> = peer.serve({ { reply("[]") } })
    http.request({ url = url(server) })
    assert.equal(before + 1, http.stats().requests)
  end)
end)
