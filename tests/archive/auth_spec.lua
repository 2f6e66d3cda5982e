-- SPDX-License-Identifier: BSD-3-Clause
-- Tokens against the practice archive: who one is, files under exclusive access, and that no token
-- can be read anywhere afterwards.

package.path = assert(os.getenv("HALYARD_SOURCE")) .. "/tests/archive/?.lua;" .. package.path
local practice = require("practice")

describe("a token", function()
  local archive, folder, good
  -- Not the words themselves: the tests' own output is searched for them.
  local token = "practice-" .. ("%x"):format(0x5ec2e7) .. "-of-the-tests"

  before_each(function()
    folder = practice.folder()
    good = "MAST_API_TOKEN=" .. token .. " "
  end)

  after_each(function()
    if archive then
      archive:stop()
      archive = nil
    end
    practice.remove(folder)
  end)

  -- Runs `body` with `environment`: exit code, output, errors.
  local function run(environment, body)
    local path = practice.workflow(folder, "token-test", body)
    local code = practice.shell(("env -u MAST_API_TOKEN HOME=%s XDG_CONFIG_HOME=%s/config %s %s "
      .. "run %s --archive %s -o %s/out --quiet --json >%s/stdout 2>%s/stderr; echo $?"):format(
      folder, folder, environment, practice.quote(os.getenv("HALYARD_BIN") .. "/halyard"), path,
      archive.url, folder, folder, folder))
    return tonumber(code), practice.read(folder .. "/stdout"), practice.read(folder .. "/stderr")
  end

  -- A product file under exclusive access, as the archive lists it.
  local function exclusive()
    local url = archive.url .. "/practice/sql?layout=csv&query=SELECT%20p.dataURI%20FROM%20"
      .. "observations%20o%20JOIN%20products%20p%20ON%20p.obsID%20%3D%20o.obsid%20WHERE%20"
      .. "o.circle_ra%3D83.633%20AND%20o.circle_dec%3D22.0145%20AND%20o.circle_radius%3D0.5%20AND"
      .. "%20p.dataRights%3D%27EXCLUSIVE_ACCESS%27%20LIMIT%201"
    return assert(practice.shell("curl -s " .. practice.quote(url)):match("\n(mast:%S+)"))
  end

  it("is accepted, or one is anonymous", function()
    archive = practice.start("")
    local code, out, err = run("", "return mast.whoami()")
    assert.equal(0, code, err)
    assert.is_truthy(out:find('"anonymous": *true'), out)
    code, out, err = run(good, "return mast.whoami()")
    assert.equal(0, code, err)
    assert.is_truthy(out:find('"anonymous": *false') and out:find("Ada Hubble", 1, true), out)
    code, out, err = run("MAST_API_TOKEN=practice-expired", "return mast.whoami()")
    assert.equal(0, code, err)
    assert.is_truthy(out:find('"anonymous": *true'), out)
  end)

  it("opens the services of JWST's observers, at either portal", function()
    archive = practice.start("")
    local body = [[
      local rows = mast.service("Mast.Caom.Filtered.JwstOps", { columns = "*", filters = { {
        paramName = "obs_collection", values = { "JWST" } }, { paramName = "s_dec",
        values = { { min = 69, max = 70 } } } } })
      return #mast.service("Mast.Caom.Products.JwstOps", { obsid = rows[1].obsid })]]
    local code, out, err = run(good, body)
    assert.equal(0, code, err)
    assert.is_true(tonumber(out:match("%d+")) > 1, out)
    code, out, err = run("", body)
    assert.equal(6, code, out .. err)
  end)

  it("goes with files at the address of JWST's own", function()
    archive = practice.start("")
    local path = practice.workflow(folder, "token-test", ([[
      return mast.download(%q).bytes]]):format(exclusive()))
    local code = practice.shell(("env %s %s run %s --archive %s --base download=%s/jwst -o %s/out "
      .. "--quiet >/dev/null 2>&1; echo $?"):format(good, practice.quote(os.getenv("HALYARD_BIN")
      .. "/halyard"), path, archive.url, archive.url, folder))
    assert.equal(0, tonumber(code))
    local asked = practice.shell("curl -s " .. archive.url .. "/practice/stats")
    assert.is_truthy(asked:find('"/jwst/api/v0.1/Download/file":1', 1, true), asked)
  end)

  it("may stand in a file that nobody else can read", function()
    archive = practice.start("")
    practice.shell(("mkdir -p %s/config/halyard; umask 077; echo %s > %s/config/halyard/mast-token")
      :format(folder, token, folder))
    local code, out, err = run("", "return mast.whoami()")
    assert.equal(0, code, err)
    assert.is_truthy(out:find("ahubble", 1, true), out)
    practice.shell(("chmod 644 %s/config/halyard/mast-token"):format(folder))
    code, out, err = run("", "return mast.whoami()")
    assert.equal(6, code, out)
    assert.is_truthy(err:find("chmod 600", 1, true), err)
  end)

  it("opens files under exclusive access, which are refused without it", function()
    archive = practice.start("")
    local body = ('return mast.download("%s")'):format(exclusive())
    local code, _, err = run("", body)
    assert.equal(6, code, err)
    assert.is_truthy(err:find("under exclusive access", 1, true), err)
    assert.is_truthy(err:find("MAST_API_TOKEN", 1, true), err)
    code, _, err = run("MAST_API_TOKEN=practice-expired", body)
    assert.equal(6, code, err)
    assert.is_truthy(err:find("has expired", 1, true), err)
    code, _, err = run(good, body)
    assert.equal(0, code, err)
  end)

  it("is in no log, report, result or error", function()
    archive = practice.start("--log " .. folder .. "/practice.log")
    local body = [[
      local who = mast.whoami()
      mast.download("mast:JWST/product/none.fits")
      return { who = who.name }]]
    local code, _, err = run(good, body)
    assert.equal(4, code, err)
    practice.shell(("curl -s %s/practice/log > %s/log.json"):format(archive.url, folder))
    assert.is_truthy(practice.read(folder .. "/log.json"):find("whoami", 1, true))
    archive:stop()
    local found = practice.shell(("grep -rl %s %s"):format(token, folder))
    assert.equal("", found)
  end)

  it("is not asked for when an answer does not say who", function()
    archive = practice.start("")
    local path = folder .. "/token-test.lua"
    local code, _, err = run("", "return mast.whoami()")
    assert.equal(0, code, err)
    code, _, err = practice.halyard(("run %s --archive %s -o %s/out --quiet --base auth=%s"):format(
      path, archive.url, folder, archive.url .. "/practice/echo"))
    assert.equal(4, code, err)
    assert.is_truthy(err:find("does not say who", 1, true), err)
  end)
end)
