-- SPDX-License-Identifier: BSD-3-Clause
-- Simple Cone Search against the practice archive: rows past a silent limit, all kinds of error
-- documents, what is not a service at all.

package.path = assert(os.getenv("HALYARD_SOURCE")) .. "/tests/archive/?.lua;" .. package.path
local practice = require("practice")

describe("a cone search service", function()
  local archive, folder

  before_each(function()
    folder = practice.folder()
  end)

  after_each(function()
    if archive then
      archive:stop()
      archive = nil
    end
    practice.remove(folder)
  end)

  -- Runs `body` as the run function of a workflow; `service` is the URL of TIC stars.
  local function run(body, arguments)
    return archive:try(folder, "cone-test", ([[
    local tables = halyard.table
    local service = "%s/scs/tic?%s"
    ]]):format(archive.url, arguments or "") .. body, archive:host())
  end

  local circle = "CIRCLE 52.5 -27.4 0.9"
  local query = ([[return vo.cone(service, OPTIONS):query {
      region = sky.parse("%s"), into = "rows.csv" }]]):format(circle)

  local function same_as_archive()
    practice.dump_ids("TIC", circle, folder .. "/truth")
    local n = practice.file_ids(folder .. "/out/rows.csv", folder .. "/got")
    assert.is_true(practice.same(folder .. "/truth", folder .. "/got"))
    return n
  end

  it("gives every row once past a limit that it tells", function()
    for _, flag in ipairs({ "first", "last" }) do
      archive = practice.start("--row-cap 300")
      local code, _, err = run((query:gsub("OPTIONS", "{}")), "flag=" .. flag .. "&")
      assert.equal(0, code, err)
      assert.is_true(same_as_archive() > 600)
      archive:stop()
    end
  end)

  it("gives every row once past a limit that it does not tell", function()
    archive = practice.start("--row-cap 1000 --faults silent-cap=500")
    local code, _, err = run((query:gsub("OPTIONS", "{ limit = 500 }")))
    assert.equal(0, code, err)
    assert.is_true(same_as_archive() > 600)
  end)

  it("gives every row once past a round limit that nobody declared", function()
    archive = practice.start("--faults silent-cap=1000")
    local code, _, err = run((query:gsub("OPTIONS", "{}")))
    assert.equal(0, code, err)
    assert.is_true(same_as_archive() > 1000)
  end)

  it("tells its columns with units and UCDs", function()
    archive = practice.start("")
    local code, out, err = run("return vo.cone(service):columns()")
    assert.equal(0, code, err)
    assert.is_truthy(out:find("POS_EQ_RA_MAIN", 1, true), out)
  end)

  it("is refused in the service's own words wherever they stand", function()
    archive = practice.start("")
    for layout = 1, 4 do
      local code, _, err = run([[local far = vo.cone(service)
        return far:query { region = sky.circle(10, 0, 100) }]], "errors=" .. layout .. "&")
      assert.equal(4, code, err)
      assert.is_truthy(err:find("SR is outside 0 to 90", 1, true), err)
    end
  end)

  it("is an error when it is something else", function()
    archive = practice.start("--faults html")
    local code, _, err = run((query:gsub("OPTIONS", "{}")))
    assert.is_true(code ~= 0)
    assert.is_truthy(err:find("HTML", 1, true), err)
  end)

  it("refuses unknown columns before it asks", function()
    archive = practice.start("")
    local code, _, err = run([[return vo.cone(service):query { region = sky.circle(10, 0, 0.1),
      columns = { "Tmagg" } }]])
    assert.equal(2, code, err)
    assert.is_truthy(err:find("did you mean Tmag", 1, true), err)
  end)

  it("may only be asked by workflows that declare its host", function()
    archive = practice.start("")
    local path = folder .. "/other.lua"
    local out <close> = assert(io.open(path, "wb"))
    out:write(([[return workflow { name = "other", summary = "x", hosts = { "a.org" },
      run = function() return vo.cone("%s/scs/tic"):columns() end }]]):format(archive.url))
    out:flush()
    local code, _, err = archive:run(path, folder .. "/out", {}, "--quiet")
    assert.equal(6, code, err)
  end)
end)
