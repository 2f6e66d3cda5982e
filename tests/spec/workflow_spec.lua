-- SPDX-License-Identifier: BSD-3-Clause
local errors = require("halyard.error")
local report = require("halyard.report")
local workflow = require("halyard.workflow")

local source = os.getenv("HALYARD_SOURCE") or "."

describe("a workflow file", function()
  local folder

  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir -p '" .. folder .. "'"))
  end)

  after_each(function()
    os.execute("rm -rf '" .. folder .. "'")
  end)

  local function write(name, text)
    local path = folder .. "/" .. name .. ".lua"
    local file <close> = assert(io.open(path, "w"))
    file:write(text)
    return path
  end

  local function refused(name, text)
    local ok, err = errors.try(workflow.load, write(name, text))
    assert.is_nil(ok, "an error was expected")
    assert.equal("usage", err.code)
    return tostring(err)
  end

  local function manifest(fields)
    return ('return workflow { name = "demo", summary = "s", %s run = function() end }')
      :format(fields or "")
  end

  it("that ships is in order, with the examples it declares", function()
    local found = 0
    for name in io.popen("ls '" .. source .. "/workflows'"):lines() do
      if name:find("%.lua$") then
        local loaded = workflow.load(source .. "/workflows/" .. name)
        assert.is_true(#loaded.examples > 0, name)
        found = found + 1
      end
    end
    assert.is_true(found > 0)
  end)

  it("gives its manifest with defaults filled in", function()
    local loaded = workflow.load(write("demo", manifest('budget = { download = "2 GiB" },')))
    assert.same({ 2147483648, 0, 0 }, { loaded.budget.download, #loaded.hosts, #loaded.params })
  end)

  it("is refused when a key is unknown, with the nearest one", function()
    assert.is_truthy(refused("demo", manifest('sumary = "x",'))
      :find("did you mean summary?", 1, true))
  end)

  it("is refused when its name differs from the file's", function()
    assert.is_truthy(refused("other", manifest()):find("rename one of them", 1, true))
  end)

  it("is refused when it does not compile, naming file and line", function()
    assert.is_truthy(refused("demo", "return workflow {"):find("demo.lua:1", 1, true))
  end)

  it("is refused when it returns something else", function()
    assert.is_truthy(refused("demo", "return 1"):find("ends with: return workflow", 1, true))
  end)

  it("is refused when it needs a newer Halyard", function()
    assert.is_truthy(refused("demo", manifest("api = 1000,")):find("API level 1000", 1, true))
  end)

  it("is refused for unknown archives, wrong sizes and control characters", function()
    assert.is_truthy(refused("demo", manifest('hosts = { "mats" },')):find("mast", 1, true))
    local message = refused("demo", manifest('hosts = { "*.org" },'))
    assert.is_truthy(message:find('"*.g-vo.org"', 1, true), message)
    refused("demo", manifest('budget = { download = "many" },'))
    refused("demo", manifest("budget = { files = 0 },"))
    refused("demo", manifest('author = "a\\27[31m",'))
  end)

  it("has no effect when it is loaded: questions to an archive are refused", function()
    local message = refused("demo", 'mast.catalog("Gaia DR3"):columns()\n' .. manifest())
    assert.is_truthy(message:find("demo%.lua:1: "), message)
  end)

  it("may contact the hosts it declares and those below a name, and is told all others", function()
    local record = report.new({ output = folder, hosts = { "mast", "a.org:81", "*.g-vo.org" } })
    record:require_hosts({ "mast", "a.org:81", "dc.g-vo.org", "A.B.G-VO.org" })
    local ok, err = errors.try(record.require_hosts, record,
      { "xg-vo.org", "g-vo.org", "a.org", "dc.g-vo.org", "dc.g-vo.org.b.org", "a.org" })
    assert.is_nil(ok)
    assert.equal("permission", err.code)
    assert.same({ "a.org", "dc.g-vo.org.b.org", "g-vo.org", "xg-vo.org" }, err.hosts)
  end)

  it("sees no io, no debug and no undefined global", function()
    refused("demo", "io.open('/etc/passwd')\n" .. manifest())
    refused("demo", "local x = undefined_name\n" .. manifest())
  end)

  it("is found by path, and by name with a suggestion when misspelt", function()
    local path = write("demo", manifest())
    assert.equal(path, workflow.find(path))
    local ok, err = errors.try(workflow.find, folder .. "/absent.lua")
    assert.is_nil(ok)
    assert.equal("not_found", err.code)
  end)
end)
