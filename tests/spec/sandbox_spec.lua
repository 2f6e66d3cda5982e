-- SPDX-License-Identifier: BSD-3-Clause
local sandbox = require("halyard.core.sandbox")
local guest = require("halyard.test").run

-- Everything a script can reach by name. A new name is a decision of the security model, 4.1.
local REACHABLE = [[
_VERSION assert collectgarbage error getmetatable ipairs load next pairs pcall print rawequal rawget
rawlen rawset require select setmetatable tonumber tostring type warn xpcall
coroutine.close coroutine.create coroutine.isyieldable coroutine.resume coroutine.running
coroutine.status coroutine.wrap coroutine.yield
math.abs math.acos math.asin math.atan math.ceil math.cos math.deg math.exp math.floor math.fmod
math.huge math.log math.max math.maxinteger math.min math.mininteger math.modf math.pi math.rad
math.random math.randomseed math.sin math.sqrt math.tan math.tointeger math.type math.ult
os.clock os.date os.difftime os.time
string.byte string.char string.find string.format string.gmatch string.gsub string.len string.lower
string.match string.pack string.packsize string.rep string.reverse string.sub string.unpack
string.upper
table.concat table.insert table.move table.pack table.remove table.sort table.unpack
utf8.char utf8.charpattern utf8.codepoint utf8.codes utf8.len utf8.offset
]]

local function names(text)
  local list = {}
  for name in text:gmatch("%S+") do
    list[#list + 1] = name
  end
  table.sort(list)
  return list
end

local function eval(source, folder)
  local env = sandbox.environment(folder)
  return assert(sandbox.load(source, "=guest", env))()
end

describe("a guest's globals", function()
  it("are the committed list", function()
    local found = {}
    for name, value in pairs(sandbox.environment()) do
      if type(value) == "table" then
        for inner, member in pairs(value) do
          assert.not_equal("table", type(member))
          found[#found + 1] = name .. "." .. inner
        end
      else
        found[#found + 1] = name
      end
    end
    table.sort(found)
    assert.same(names(REACHABLE), found)
  end)

  it("give text values no further methods", function()
    assert.is_nil((guest([[
      for _, name in ipairs({ "dump" }) do assert((""):find("") == 1 and ("")[name] == nil) end
      assert(getmetatable("") == false)
      assert(("x").rep ~= nil)]])))
  end)

  it("raise for a name that is not defined", function()
    for _, name in ipairs({ "io", "debug", "package", "dofile", "loadfile", "_G", "flux" }) do
      local ok, err = pcall(eval, "return " .. name)
      assert.is_false(ok)
      assert.matches("undefined global '" .. name .. "'", err)
    end
    assert.is_nil(eval("return os.execute or os.getenv or string.dump or os.remove"))
  end)

  it("are fresh each time and can be set", function()
    assert.equal(3, eval("x = 3 return x"))
    assert.is_false((pcall(eval, "return x")))
  end)

  it("hold libraries that refuse writes", function()
    assert.matches("read%-only", select(2, pcall(eval, "string.rep = nil")))
    assert.matches("read%-only", select(2, pcall(eval, "math.tau = 6.28")))
    assert.is_false(eval("return getmetatable(string)"))
  end)

  it("refuse metatables with __gc and __mode", function()
    assert.matches("__gc", select(2, pcall(eval, "setmetatable({}, { __gc = print })")))
    assert.matches("__mode", select(2, pcall(eval, "setmetatable({}, { __mode = 'k' })")))
  end)

  it("load text only, into the guest's own globals", function()
    assert.equal(4, eval("y = 4 return load('return y')()"))
    assert.equal(5, eval("return load('return z', 'c', 't', { z = 5 })()"))
    assert.is_nil((sandbox.load(string.dump(function() end), "=x", sandbox.environment())))
    local env = sandbox.environment()
    env.code = string.dump(function() end)
    assert.is_nil((assert(sandbox.load("return load(code, 'x', 'b')", "=guest", env))()))
    assert.equal(7, eval([[
      local parts = { "return ", "7" }
      local i = 0
      return load(function() i = i + 1 return parts[i] end)()]]))
  end)

  it("call the handler of xpcall after unwinding", function()
    assert.same({ false, "handled", "x" }, { eval([[
      return xpcall(function(v) error(v, 0) end, function(e) return "handled", e end, "x")]]) })
    assert.same({ true, 1, 2 },
      { eval("return xpcall(function(...) return ... end, print, 1, 2)") })
  end)
end)

describe("a guest's require", function()
  it("finds the public modules, read-only, and no private one", function()
    assert.equal("table", type(eval("return require('halyard')")))
    assert.matches("read%-only", select(2, pcall(eval, "require('halyard').x = 1")))
    assert.matches("private", select(2, pcall(eval, "require('halyard.core.system')")))
    assert.matches("private", select(2, pcall(eval, "require('halyard.core')")))
  end)

  it("refuses names that are not module names and files elsewhere", function()
    for _, name in ipairs({ "../x", "a..b", ".a", "a.", "1a", "", "/etc/passwd", "a/b" }) do
      local env = sandbox.environment("/nowhere")
      env.name = name
      assert.matches("not a module name",
        select(2, pcall(assert(sandbox.load("require(name)", "=guest", env)))))
    end
    local _, err = pcall(eval, "require('absent')", "/nowhere")
    assert.equal("not_found", err.code)
    assert.matches("has no folder", select(2, pcall(eval, "require('absent')")))
  end)

  it("loads a module of the workflow's folder once, into the same globals", function()
    local folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir -p " .. folder .. "/lib"))
    local file = assert(io.open(folder .. "/lib/shared.lua", "w"))
    file:write("count = (rawget(_ENV, 'count') or 0) + 1\nreturn { n = count, name = ... }\n")
    file:close()
    local first, second = eval("return require('lib.shared'), require('lib.shared')", folder)
    os.execute("rm -r " .. folder)
    assert.equal(first, second)
    assert.equal(1, first.n)
    assert.equal("lib.shared", first.name)
  end)
end)
