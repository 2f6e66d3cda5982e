-- SPDX-License-Identifier: BSD-3-Clause
local errors = require("halyard.error")
local http = require("halyard.core.http")
local peer = require("halyard.test.peer")
local system = require("halyard.core.system")
local task = require("halyard.task")

local function reply(body, status)
  return ("HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s"):format(status or "200 OK", #body, body)
end

-- Asks a server until it says READY.
local function ask_until_ready(server, options)
  local url = ("http://127.0.0.1:%d/job"):format(server:port())
  options = options or {}
  options.what = "the job"
  options.ask = function()
    local body = http.request({ url = url, tries = 1 }).body
    local phase, percent = body:match("^(%u+) ?(%d*)$")
    return phase == "READY", phase == "READY" and body or { phase = phase,
      percent = tonumber(percent) }
  end
  return task.poll(options)
end

describe("polling", function()
  it("asks the same question until it is answered", function()
    local server <close> = peer.serve({
      { reply("EXECUTING 10"), "keep" }, { reply("EXECUTING 70"), "keep" }, { reply("READY") },
    })
    local body, polls = ask_until_ready(server)
    assert.equal("READY", body)
    assert.equal(2, polls)
    assert.equal(server:request(1), server:request(3))
  end)

  it("shows what the archive tells of its work", function()
    local server <close> = peer.serve({ { reply("EXECUTING 10"), "keep" }, { reply("READY") } })
    local shown, emit = {}, system.emit
    system.emit = function(kind, event)
      shown[#shown + 1] = { kind, event.phase, event.percent, event.polls }
    end
    local ok, err = pcall(ask_until_ready, server)
    system.emit = emit
    assert.is_true(ok, tostring(err))
    assert.same({ { "progress", "EXECUTING", 10, 1 } }, shown)
  end)

  it("survives dropped connections, five in a row, but not a refusal", function()
    local server <close> = peer.serve({
      { reply("EXECUTING"), "keep" }, { "", "reset" }, { "", "close" }, { reply("EXECUTING") },
      { "HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\nREA", "close" }, { reply("READY") },
    })
    assert.equal("READY", (ask_until_ready(server)))
    assert.equal(6, server:requests())
    local dead <close> = peer.serve({ { "", "reset" } })
    local ok, err = errors.try(ask_until_ready, dead)
    assert.is_nil(ok)
    assert.equal("network", err.code)
    assert.equal(6, dead:requests())
    local n = 0
    ok, err = errors.try(task.poll, { what = "it", ask = function()
      n = n + 1
      errors.raise("permission", "no")
    end })
    assert.is_nil(ok)
    assert.equal("permission", err.code)
    assert.equal(1, n)
  end)

  it("ends at the deadline of the whole wait and says what is still going on", function()
    local server <close> = peer.serve({ { reply("EXECUTING 5"), "keep" } })
    local ok, err = errors.try(ask_until_ready, server, { deadline = 0.2, late = function()
      return "it goes on at X", { job = "X" }
    end })
    assert.is_nil(ok)
    assert.equal("timeout", err.code)
    assert.truthy(err.message:find("^the job: still EXECUTING after 0 s and %d+ polls; it goes on"))
    assert.equal("X", err.job)
    assert.is_true(server:requests() > 2)
  end)

  it("pauses longer and longer, and not at all after an answer that was held back", function()
    assert.equal(1, http.poll_delay(0, 0, 1, 30))
    assert.equal(2, http.poll_delay(1, 0.5, 1, 30))
    assert.equal(30, http.poll_delay(9, 0, 1, 30))
    assert.equal(0, http.poll_delay(3, 1, 1, 30))
    assert.is_false(pcall(http.poll_delay, 0, 0, 30, 1))
  end)

  it("refuses options that it does not know", function()
    for _, options in ipairs({ { what = "x" }, { ask = print }, { what = "x", ask = print, n = 1 },
      { what = "x", ask = print, deadline = "1" } }) do
      local ok, err = errors.try(task.poll, options)
      assert.is_nil(ok)
      assert.equal("usage", err.code)
    end
  end)
end)
