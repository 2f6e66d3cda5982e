-- SPDX-License-Identifier: BSD-3-Clause
local task = require("halyard.core.task")
local guest = require("halyard.test").run

local function code_of(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  return type(err) == "table" and err.code or err
end

describe("tasks", function()
  it("run concurrently and give their results to join", function()
    local order = {}
    local a = task.spawn(function(x)
      order[#order + 1] = "a1"
      task.sleep(0.002)
      order[#order + 1] = "a2"
      return x, x + 1
    end, 7)
    local b = task.spawn(function()
      order[#order + 1] = "b1"
      return "b"
    end)
    assert.same({ 7, 8 }, { a:join() })
    assert.equal("b", b:join())
    assert.same({ "a1", "b1", "a2" }, order)
  end)

  it("give the same results when joined again", function()
    local t = task.spawn(function() return nil, 2 end)
    assert.equal(2, select("#", t:join()))
    assert.equal(2, select(2, t:join()))
  end)

  it("wait inside pcall, iterators, metamethods and close variables", function()
    local closed = false
    local mt = { __add = function() task.sleep(0) return 5 end }
    local ok, value = pcall(function()
      local guard <close> = setmetatable({}, { __close = function()
        task.sleep(0)
        closed = true
      end })
      local sum = setmetatable({}, mt) + 1
      for x in function(_, last) task.sleep(0) if not last then return 1 end end do
        sum = sum + x
      end
      return sum, guard
    end)
    assert.is_true(ok)
    assert.equal(6, value)
    assert.is_true(closed)
  end)

  it("wait inside generators of the script's own, however deep", function()
    local function inner()
      return coroutine.wrap(function()
        for i = 1, 3 do
          task.sleep(0)
          coroutine.yield(i)
        end
      end)
    end
    local outer = coroutine.wrap(function()
      for i in inner() do
        task.sleep(0)
        coroutine.yield(i * 10)
      end
      return nil
    end)
    local got = {}
    for i in outer do
      got[#got + 1] = i
    end
    assert.same({ 10, 20, 30 }, got)
  end)

  it("keep arguments and results of resume through a wait", function()
    local co = coroutine.create(function(a, b)
      task.sleep(0)
      local c = coroutine.yield(a + b)
      task.sleep(0)
      error("late " .. c, 0)
    end)
    assert.same({ true, 3 }, { coroutine.resume(co, 1, 2) })
    assert.same({ false, "late x" }, { coroutine.resume(co, "x") })
    assert.equal("dead", coroutine.status(co))
  end)

  it("refuse a generator that waits in another task", function()
    local co = coroutine.create(function() task.sleep(0.001) return "mine" end)
    local first = task.spawn(function() return select(2, coroutine.resume(co)) end)
    local second = task.spawn(function()
      local resumed, why = coroutine.resume(co)
      local closed, why_close = pcall(coroutine.close, co)
      return resumed, why, closed, why_close
    end)
    local resumed, why, closed, why_close = second:join()
    assert.is_false(resumed)
    assert.matches("waits in another task", why)
    assert.is_false(closed)
    assert.matches("waits in another task", why_close)
    assert.equal("mine", first:join())
  end)

  it("cannot be driven by hand", function()
    local thread
    local t = task.spawn(function() thread = coroutine.running() task.sleep(0.001) end)
    task.sleep(0)
    assert.matches("driven by hand", select(2, pcall(coroutine.resume, thread)))
    assert.matches("driven by hand", select(2, pcall(coroutine.close, thread)))
    t:join()
    assert.is_false((coroutine.resume(thread)))
  end)

  it("refuse to wait where Lua cannot yield, naming why", function()
    local function sorted()
      table.sort({ 3, 2, 1 }, function(a, b) task.sleep(0) return a < b end)
    end
    assert.equal("usage", code_of(sorted))
    assert.equal("usage", code_of(string.gsub, "x", "x", function() task.sleep(0) end))
    local generator = coroutine.wrap(function() task.sleep(0) end)
    local _, err = pcall(string.gsub, "x", "x", function() generator() end)
    assert.matches("cannot wait here", tostring(err))
  end)

  it("refuse coroutine.yield outside a coroutine of the script's own", function()
    assert.matches("outside a coroutine", code_of(function()
      task.spawn(function() coroutine.yield() end):join()
    end))
  end)

  it("refuse a second joining task and a join of themselves", function()
    local slow = task.spawn(function() task.sleep(0.002) end)
    local first = task.spawn(function() slow:join() end)
    local code
    local second = task.spawn(function() code = code_of(slow.join, slow) end)
    second:join()
    first:join()
    assert.equal("usage", code)
    local self_code
    local me
    me = task.spawn(function() self_code = code_of(me.join, me) end)
    me:join()
    assert.equal("usage", self_code)
  end)
end)

describe("a scope", function()
  it("does not end before its children", function()
    local ended = false
    local parent = task.spawn(function()
      task.spawn(function() task.sleep(0.002) ended = true end)
      return "done"
    end)
    assert.equal("done", parent:join())
    assert.is_true(ended)
  end)

  it("cancels the siblings of the first failure and raises it in the parent", function()
    local log = {}
    local function sibling()
      local _ <close> = setmetatable({}, { __close = function() log[#log + 1] = "closed" end })
      task.sleep(3600)
      log[#log + 1] = "never"
    end
    local failure = setmetatable({}, { __name = "failure" })
    local ok, err = pcall(task.all, {
      sibling,
      function() task.sleep(0.001) error(failure) end,
      sibling,
    })
    assert.is_false(ok)
    assert.equal(failure, err)
    assert.same({ "closed", "closed" }, log)
  end)

  it("interrupts what the parent waits for when a child fails", function()
    local parent = task.spawn(function()
      task.spawn(function() error("child", 0) end)
      task.sleep(3600)
    end)
    assert.equal("child", code_of(parent.join, parent))
  end)

  it("never loses a failure that the parent swallows", function()
    local waited, started = false, false
    local parent = task.spawn(function()
      task.spawn(function() error("child", 0) end)
      pcall(task.sleep, 3600)
      task.sleep(0) -- tidying up may wait
      waited = true
      started = pcall(task.spawn, print)
      return "fine"
    end)
    assert.equal("child", code_of(parent.join, parent))
    assert.is_true(waited)
    assert.is_false(started)
  end)

  it("raises at the parent's end what its children failed with", function()
    local parent = task.spawn(function()
      task.spawn(function() error("child", 0) end)
      return "fine"
    end)
    assert.equal("child", code_of(parent.join, parent))
  end)

  it("raises a joined failure once", function()
    local parent = task.spawn(function()
      local child = task.spawn(function() task.sleep(0) error("child", 0) end)
      local ok, err = pcall(child.join, child)
      task.sleep(0)
      return ok, err
    end)
    assert.same({ false, "child" }, { parent:join() })
  end)

  it("closes children and generators before their parent when it is cancelled", function()
    local log = {}
    local function note(name)
      return setmetatable({}, { __close = function() log[#log + 1] = name end })
    end
    local t = task.spawn(function()
      local _ <close> = note("parent")
      local generator = coroutine.wrap(function()
        local _ <close> = note("generator")
        task.all({ function()
          local _ <close> = note("child")
          task.sleep(3600)
        end })
      end)
      generator()
    end)
    task.sleep(0)
    task.sleep(0)
    task.cancel(t)
    assert.equal("cancelled", code_of(t.join, t))
    assert.same({ "child", "generator", "parent" }, log)
  end)

  it("cannot wait in close variables while it is cancelled", function()
    local code
    local t = task.spawn(function()
      local _ <close> = setmetatable({}, { __close = function() code = code_of(task.sleep, 0) end })
      task.sleep(3600)
    end)
    task.sleep(0)
    t:cancel()
    pcall(t.join, t)
    assert.equal("usage", code)
  end)

  it("never lets a cancelled task end as if its children had done their work", function()
    local t = task.spawn(function()
      task.spawn(function() task.sleep(3600) end)
      return "done"
    end)
    task.sleep(0)
    t:cancel()
    assert.equal("cancelled", code_of(t.join, t))
  end)

  it("ends a cancelled task that never ran", function()
    local ran = false
    local t = task.spawn(function() ran = true end)
    t:cancel()
    assert.equal("cancelled", code_of(t.join, t))
    assert.is_false(ran)
  end)
end)

describe("all and map", function()
  it("give the first results in order", function()
    assert.same({ 1, 2, 3 }, task.all({
      function() task.sleep(0.002) return 1, "x" end,
      function() return 2 end,
      function() task.sleep(0) return 3 end,
    }))
    assert.same({}, task.all({}))
  end)

  it("run at most n items at once and keep their order", function()
    local now, most = 0, 0
    local list = {}
    for i = 1, 20 do
      list[i] = i
    end
    local squares = task.map(list, 3, function(item, index)
      now = now + 1
      most = math.max(most, now)
      task.sleep(0.001 * (item % 3))
      now = now - 1
      return item * index
    end)
    assert.equal(3, most)
    for i = 1, 20 do
      assert.equal(i * i, squares[i])
    end
  end)

  it("start no further item after a failure", function()
    local started = 0
    local ok, err = pcall(task.map, { 1, 2, 3, 4, 5, 6 }, 2, function(item)
      started = started + 1
      task.sleep(0)
      if item == 2 then
        error("item 2", 0)
      end
      task.sleep(0.001)
    end)
    assert.is_false(ok)
    assert.equal("item 2", err)
    assert.is_true(started < 6)
  end)

  it("refuse wrong arguments", function()
    assert.equal("usage", code_of(task.all, { 1 }))
    assert.equal("usage", code_of(task.map, {}, 0, print))
    assert.equal("usage", code_of(task.sleep, -1))
    assert.equal("usage", code_of(task.sleep, 0 / 0))
  end)
end)

describe("limits", function()
  local tight = { cpu_ms = 50, memory = 4 << 20 }
  local function outcome(source)
    return (guest(source, tight))
  end

  it("end a loop of pcalls at the deadline", function()
    assert.equal("budget",
      outcome("while true do pcall(function() while true do end end) end"))
    assert.equal("budget", outcome("while true do pcall(error) end"))
  end)

  it("end loops in coroutines, close variables, error handlers and tasks", function()
    assert.equal("budget", outcome([[
      while true do coroutine.resume(coroutine.create(function() while true do end end)) end]]))
    assert.equal("budget", outcome([[
      local x <close> = setmetatable({}, { __close = function() while true do end end })
      error("x")]]))
    assert.equal("budget", outcome([[
      xpcall(error, function() while true do end end)]]))
    assert.equal("budget", outcome([[
      task.all({ function() while true do pcall(function() while true do end end) end end })]]))
    assert.equal("budget", outcome([[
      local t = task.spawn(function()
        local x <close> = setmetatable({}, { __close = function() while true do end end })
        task.sleep(3600)
      end)
      task.sleep(0)
      t:cancel()
      pcall(t.join, t)
      while true do end]]))
  end)

  it("do not charge the time spent waiting", function()
    assert.is_nil(outcome("task.sleep(0.06)"))
  end)

  it("raise an ordinary error when memory is used up", function()
    local code, message = guest("local t = {} while true do t[#t + 1] = {} end", tight)
    assert.equal("budget", code)
    assert.matches("memory", message)
    assert.is_nil(outcome([[
      assert(not pcall(function() local t = {} while true do t[#t + 1] = {} end end))
      return 1]]))
    assert.equal("budget", outcome("return ('x'):rep(1 << 40)"))
    assert.equal("budget", outcome("return string.rep('x', 1 << 40, 'y')"))
  end)

  it("end what would loop inside the standard library", function()
    assert.is_nil(outcome("return ('').rep('', 1 << 62)"))
    assert.equal("usage", outcome("table.move({}, 1, math.maxinteger - 1, 2)"))
    assert.equal("usage", outcome("table.concat({}, '', 1, math.maxinteger)"))
    assert.equal("usage", outcome([[
      table.insert(setmetatable({}, { __len = function() return math.maxinteger end }), 1, 1)]]))
  end)

  it("bound nested coroutine.close", function()
    local code = guest([[
      local co
      for _ = 1, 20000 do
        local inner = co
        co = coroutine.create(function()
          local x <close> = setmetatable({}, { __close = function()
            if inner then assert(coroutine.close(inner)) end
          end })
          coroutine.yield()
        end)
        coroutine.resume(co)
      end
      local ok, why = coroutine.close(co)
      assert(not ok and why:find("nested"), why)]], { memory = 256 << 20 })
    assert.is_nil(code)
  end)

  it("name tasks that wait for each other", function()
    local code, message = guest([[
      local a, b
      a = task.spawn(function() task.sleep(0) b:join() end)
      b = task.spawn(function() task.sleep(0) a:join() end)]])
    assert.equal("script", code)
    assert.matches("wait for each other", message)
  end)
end)

describe("errors", function()
  it("keep their values through tasks and scopes", function()
    local system = require("halyard.core.system")
    local ok, err = pcall(task.all, { function()
      system.raise("archive", "the archive is down", { http_status = 503, origin = "mast" })
    end })
    assert.is_false(ok)
    assert.equal("archive", err.code)
    assert.equal(503, err.http_status)
    assert.equal("the archive is down", tostring(err))
    assert.is_false(err.retryable)
    assert.equal(system.error_metatable, getmetatable(err))
  end)

  it("of any type end a script with one line", function()
    assert.same({ "script", "guest:1: two lines" }, { guest("error('two\\nlines')") })
    assert.same({ "script", "the script raised a table value as its error" },
      { guest("error({ message = 'x' })") })
    assert.same({ "script", "the script raised a nil value as its error" }, { guest("error(nil)") })
  end)
end)
