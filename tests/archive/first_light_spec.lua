-- SPDX-License-Identifier: BSD-3-Clause
-- The shipped workflow against the practice archive: what it leaves, what a second run does, and
-- one clear line for each thing that can be wrong.

package.path = assert(os.getenv("HALYARD_SOURCE")) .. "/tests/archive/?.lua;" .. package.path
local json = require("halyard.json")
local practice = require("practice")

local file = practice.shipped .. "/first-light.lua"

describe("first light", function()
  local folder, archive

  setup(function()
    archive = practice.start("")
  end)

  teardown(function()
    archive:stop()
  end)

  before_each(function()
    folder = practice.folder()
  end)

  after_each(function()
    os.execute("chmod -R u+w " .. practice.quote(folder))
    practice.remove(folder)
  end)

  local function run(params, more)
    return archive:run(file, folder .. "/out", params, "--quiet " .. (more or ""))
  end

  local small = { radius = "0.02", files = "20" }

  -- Fails with that exit code and exactly one line that holds the texts; nothing looks whole.
  local function fails(expected, texts, arguments)
    local code, out, err = practice.halyard(arguments)
    assert.equal(expected, code, err)
    assert.equal("", out)
    local line = err:match("^([^\n]+)\n$")
    assert.is_truthy(line, "one line expected, not: " .. err)
    for _, text in ipairs(texts) do
      assert.is_truthy(line:find(text, 1, true), ("%q lacks %q"):format(line, text))
    end
    assert.equal("", practice.shell(("find %s -name '*.csv' -o -name '*.fits'")
      :format(practice.quote(folder))))
  end

  local function on(url, output, more)
    return ("run %s --archive %s -o %s --quiet --radius 0.02 %s"):format(practice.quote(file), url,
      practice.quote(output or folder .. "/out"), more or "")
  end

  it("leaves a catalogue, files and a report that agree", function()
    local code, out, err = run({ radius = "0.05", files = "20" }, "--json")
    assert.equal(0, code, err)
    local result = json.decode(out)
    local report = json.decode(practice.read(folder .. "/out/report.json"))
    assert.equal("complete", report.status)
    assert.equal(20, #report.files)
    assert.equal(result.rows, report.queries[1].rows)
    assert.equal(result.rows, practice.file_ids(folder .. "/out/gaia.csv", folder .. "/ids"))
    practice.dump_ids("Gaia DR3", "CIRCLE 201.697 -47.4795 0.05", folder .. "/truth")
    assert.is_true(practice.same(folder .. "/ids", folder .. "/truth"))
    assert.equal(".halyard\ngaia.csv\ngaia.csv.account.json\ngaia.csv.covered.fits\n"
      .. "mastDownload\nreport.json\n",
      practice.shell("ls -A " .. practice.quote(folder .. "/out")))
  end)

  it("downloads the bytes that the archive serves, and nothing on a second run", function()
    local code, out, err = run(small, "--json")
    assert.equal(0, code, err)
    local report = json.decode(practice.read(folder .. "/out/report.json"))
    assert.is_true(#report.files >= 20)
    for _, entry in ipairs(report.files) do
      local served = practice.shell(("curl -s %s --get --data-urlencode uri=%s | sha256sum"):format(
        practice.quote(archive.url .. "/api/v0.1/Download/file"), practice.quote(entry.uri)))
      assert.equal(served:match("^%x+"), entry.sha256)
      assert.equal(entry.sha256, practice.shell("sha256sum "
        .. practice.quote(folder .. "/out/" .. entry.file))
        :match("^%x+"))
    end
    local first = json.decode(out)
    code, out, err = run(small, "--json")
    assert.equal(0, code, err)
    assert.same(first, json.decode(out))
    report = json.decode(practice.read(folder .. "/out/report.json"))
    assert.equal(0, report.download_bytes)
    assert.equal(first.catalogue_requests, report.queries[1].requests)
    assert.is_true(report.requests > first.catalogue_requests)
    local done = 0
    for event in err:gmatch('{"event":"progress","data":({[^\n]*"stage":"files"[^\n]*})}') do
      local progress = json.decode(event)
      assert.is_true(progress.done > done)
      assert.same({ 0, #report.files }, { progress.bytes, progress.known })
      done = progress.done
    end
    assert.equal(#report.files, done)
    for _, entry in ipairs(report.files) do
      assert.equal("already there", entry.status)
    end
  end)

  it("never takes a half-written file for a whole one", function()
    assert.equal(0, (run(small)))
    local report = json.decode(practice.read(folder .. "/out/report.json"))
    local path, good = folder .. "/out/" .. report.files[1].file, report.files[1].sha256
    os.execute(("truncate -s 1000 %s"):format(practice.quote(path)))
    local code = run(small)
    local again = json.decode(practice.read(folder .. "/out/report.json"))
    if code == 0 then
      assert.equal(good, practice.shell("sha256sum " .. practice.quote(path)):match("^%x+"))
    else
      assert.equal("error", again.files[1].status)
    end
  end)

  it("is planned without keeping a row or fetching a file", function()
    local code, out, err = practice.halyard(("plan %s --archive %s --radius 0.02"):format(
      practice.quote(file), archive.url))
    assert.equal(0, code, err)
    for _, text in ipairs({ "Gaia DR3", "selection", "row limit", "tiles so far", "download" }) do
      assert.is_truthy(out:find(text, 1, true), text)
    end
  end)

  it("refuses an unknown target", function()
    fails(2, { "Nosuchname 12345", "unknown" }, on(archive.url, nil,
      "--target 'Nosuchname 12345'"))
  end)

  it("refuses a misspelt parameter and a radius of -1", function()
    fails(2, { "raduis", "did you mean radius?" }, on(archive.url, nil, "--raduis 1"))
    fails(2, { "radius", "-1", "at least" }, ("run %s --archive %s -o %s --radius -1"):format(
      practice.quote(file), archive.url, practice.quote(folder .. "/out")))
  end)

  it("refuses an unknown service, naming the nearest", function()
    fails(2, { "Gaia DR33", "Gaia DR3" }, ("run %s/catalogue.lua --archive %s -o %s --catalog "
      .. "'Gaia DR33' --region 'CIRCLE 1 1 1'"):format(practice.workflows, archive.url,
      practice.quote(folder .. "/out")))
  end)

  it("refuses a folder that cannot be written, before it asks anything", function()
    local taken = folder .. "/file"
    assert(io.open(taken, "w")):close()
    local before = practice.shell("curl -s " .. archive.url .. "/practice/stats")
    fails(5, { taken }, on(archive.url, taken .. "/out"))
    assert.equal(json.decode(before).requests,
      json.decode(practice.shell("curl -s " .. archive.url .. "/practice/stats")).requests)
  end)

  it("says that the archive is down", function()
    fails(4, { "127.0.0.1" }, on("http://127.0.0.1:1"))
  end)

  it("names each file that fails, and keeps the others", function()
    local faulty = practice.start("--faults file-http404=0.3")
    finally(function()
      faulty:stop()
    end)
    local code, out, err = faulty:run(file, folder .. "/out", small, "--format json")
    assert.equal(3, code, err)
    local report = json.decode(practice.read(folder .. "/out/report.json"))
    assert.equal("partial", report.status)
    local n_failed = 0
    for _, entry in ipairs(report.files) do
      if entry.status == "error" then
        n_failed = n_failed + 1
        assert.equal(entry.file:match("[^/]+$") .. ": the archive lists this file but does not "
          .. "have it (HTTP 404): (practice); leave it out or report it to the archive",
          entry.error)
      end
    end
    assert.is_true(n_failed > 0 and n_failed < #report.files, n_failed)
    assert.equal(#report.files - n_failed, json.decode(out).files)
    assert.is_truthy(err:find((" were already there, %d failed\n"):format(n_failed), 1, true), err)
    assert.is_truthy(err:find(("%d of %d files failed"):format(n_failed, #report.files), 1, true),
      err)
  end)

  it("ends with the failure's own code when no file comes", function()
    local faulty = practice.start("--faults file-http404=1")
    finally(function()
      faulty:stop()
    end)
    local code, _, err = faulty:run(file, folder .. "/out", { radius = "0.02", files = "2" },
      "--quiet")
    assert.equal(4, code, err)
    assert.is_truthy(err:find("2 of 2 files failed", 1, true), err)
  end)

  it("says of every file why it is not there when the first failure ends the run", function()
    local faulty = practice.start("--faults file-http404=0.3")
    finally(function()
      faulty:stop()
    end)
    local code, _, err = faulty:run(practice.workflows .. "/stop.lua", folder .. "/out", {},
      "--quiet")
    assert.equal(4, code, err)
    assert.is_truthy(err:find("halyard: [%w._-]+: the archive lists this file"), err)
    local report = json.decode(practice.read(folder .. "/out/report.json"))
    assert.equal("failed", report.status)
    local reasons = {}
    for _, entry in ipairs(report.files) do
      if entry.status == "error" then
        reasons[assert(entry.error):match("HTTP 404") or entry.error:match("another file failed")] =
          true
      end
    end
    assert.same({ ["HTTP 404"] = true, ["another file failed"] = true }, reasons)
    local rows = practice.read(folder .. "/out/files/manifest.csv")
    assert.equal(#report.files + 1, select(2, rows:gsub("\n", "")))
    assert.is_truthy(rows:find("because another file failed", 1, true), rows)
  end)

  it("says that an archive answers with an HTML page", function()
    local html = practice.start("--faults html=1")
    finally(function()
      html:stop()
    end)
    fails(4, { "HTML" }, on(html.url))
  end)

  it("leaves a port in use to its owner", function()
    local port = archive.url:match(":(%d+)$")
    local out = practice.shell(("%s --port %s 2>&1; echo exit $?"):format(
      practice.quote(os.getenv("HALYARD_BIN") .. "/halyard-practice"), port))
    local line, code = out:match("^([^\n]+)\nexit (%d+)\n$")
    assert.equal("5", code, out)
    assert.is_truthy(line:find(port, 1, true), line)
  end)
end)
