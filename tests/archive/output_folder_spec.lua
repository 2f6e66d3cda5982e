-- SPDX-License-Identifier: BSD-3-Clause
-- What several runs do with one output folder: at the same time, after a kill, after a break.

package.path = assert(os.getenv("HALYARD_SOURCE")) .. "/tests/archive/?.lua;" .. package.path
local json = require("halyard.json")
local practice = require("practice")

local catalogue = practice.workflows .. "/catalogue.lua"
local region = "CIRCLE 200 60 0.1"

describe("an output folder", function()
  local folder, out, archive, slow, pid

  before_each(function()
    folder = practice.folder()
    out = folder .. "/out"
  end)

  after_each(function()
    if pid then
      os.execute("kill -9 " .. pid .. " 2>/dev/null")
      pid = nil
    end
    if slow then
      os.execute("kill -9 " .. slow.pid) -- it would answer first what it was asked
      slow:stop()
    end
    if archive then
      archive:stop()
    end
    archive, slow = nil, nil
    practice.remove(folder)
  end)

  local function list(where)
    return practice.shell("ls -A " .. practice.quote(where))
  end

  -- A run that waits for its first answer, with everything made that it makes before.
  local function begin_run()
    slow = practice.start("--latency 600000")
    pid = practice.shell(("%s run %s --archive %s -o %s --quiet --region %s >%s 2>&1 & echo $!")
      :format(practice.quote(os.getenv("HALYARD_BIN") .. "/halyard"), practice.quote(catalogue),
      slow.url, practice.quote(out), practice.quote(region), practice.quote(folder .. "/log")))
      :match("%d+")
    assert(os.execute(("timeout 60 sh -c 'until test -e %s/.halyard/rows.csv.tiles/ledger.sqlite; "
      .. "do sleep 0.05; done'"):format(out)), "the run made no ledger")
  end

  it("belongs to one run at a time; the other says who has it and asks nothing", function()
    begin_run()
    archive = practice.start("")
    local code, stdout, err = archive:run(catalogue, out, { region = region }, "--quiet")
    assert.equal(5, code, err)
    assert.equal("", stdout)
    local line = err:match("^([^\n]+)\n$")
    local host = practice.shell("uname -n"):match("%S+")
    for _, text in ipairs({ out, "process " .. pid, host, "--output" }) do
      assert.is_truthy(line:find(text, 1, true), ("%q lacks %q"):format(line, text))
    end
    assert.equal(0, json.decode(practice.shell("curl -s " .. archive.url .. "/practice/stats"))
      .requests)
    local plan_code = practice.halyard(("plan %s --archive %s -o %s --region %s"):format(
      practice.quote(catalogue), archive.url, practice.quote(out), practice.quote(region)))
    assert.equal(0, plan_code)
  end)

  it("holds nothing of a killed run after the next one", function()
    begin_run()
    os.execute("kill -9 " .. pid)
    pid = nil
    assert.equal("lock\nrows.csv.tiles\n", list(out .. "/.halyard"))
    assert(io.open(out .. "/.rows.csv.halyard-1-0", "w")):close()
    os.execute("mkdir " .. practice.quote(out .. "/files"))
    assert(io.open(out .. "/files/.manifest.csv.halyard-1-0", "w")):close()
    assert(io.open(out .. "/files/.a.fits.part", "w")):close()
    archive = practice.start("") -- by its address another service, from which no run goes on
    local code, _, err = archive:run(catalogue, out, { region = region }, "--quiet --restart")
    assert.equal(0, code, err)
    assert.equal(".halyard\nfiles\nreport.json\nrows.csv\nrows.csv.account.json\n"
      .. "rows.csv.covered.fits\n", list(out))
    assert.equal("lock\n", list(out .. "/.halyard"))
    assert.equal(".a.fits.part\n", list(out .. "/files"))
  end)
end)
