-- SPDX-License-Identifier: BSD-3-Clause
-- CasJobs against the practice archive: at once, as jobs, MyDB, and an account that shows nowhere.

package.path = assert(os.getenv("HALYARD_SOURCE")) .. "/tests/archive/?.lua;" .. package.path
local practice = require("practice")

describe("CasJobs", function()
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

  local by_number = { CASJOBS_WSID = "1001", CASJOBS_PW = "practice" }
  local by_name = { CASJOBS_USERID = "practice", CASJOBS_PW = "practice" }

  -- Runs `body` as the run function of a workflow with these variables alone.
  local function run(body, account)
    local path = practice.workflow(folder, "casjobs-test", [[
    local casjobs = mast.casjobs { context = "PanSTARRS_DR2" }
    local near = " FROM MeanObjectView WHERE raMean BETWEEN 52.4 AND 52.6 "
      .. "AND decMean BETWEEN 20 AND 20.2"
    ]] .. body)
    local variables = {}
    for name, value in pairs(account or by_number) do
      variables[#variables + 1] = name .. "=" .. practice.quote(value)
    end
    local command = ("env -u CASJOBS_WSID -u CASJOBS_USERID -u CASJOBS_PW %s %s run %s "
      .. "--archive %s -o %s --quiet >%s/printed 2>%s/errors"):format(table.concat(variables, " "),
      practice.quote(os.getenv("HALYARD_BIN") .. "/halyard"), practice.quote(path), archive.url,
      practice.quote(folder .. "/out"), folder, folder)
    local _, how, code = os.execute(command)
    assert.equal("exit", how)
    return code, practice.read(folder .. "/printed"), practice.read(folder .. "/errors")
  end

  local function works(body, account)
    local code, out, err = run(body, account)
    assert.equal(0, code, err)
    return out, err
  end

  local function fails(code, texts, body, account)
    local got, _, err = run(body, account)
    assert.equal(code, got, err)
    for _, text in ipairs(texts) do
      assert.is_truthy(err:find(text, 1, true), ("%q lacks %q"):format(err, text))
    end
  end

  it("answers a small query at once, with exact identifiers, for either form of account", function()
    archive = practice.start("")
    for _, account in ipairs({ by_number, by_name }) do
      local out, err = works([[
        local r = casjobs:quick("SELECT TOP 5 objID, objName, raMean, gMeanPSFMag" .. near)
        assert(r.rows == 5 and math.type(r.table:get(1, "objid")) == "integer")
        assert(r.table:get(1, "objid") > 2 ^ 53 and r.table:get(1, "objname"):find("^PSO J"))
        return { rows = r.rows }]], account)
      assert.is_truthy(out:find("rows%s+5"), out)
      assert.is_truthy(err:find("will be retired", 1, true), err)
      assert.is_truthy(err:find("mast.tap", 1, true), err)
    end
  end)

  it("gives the same rows at once and, past the limit, as a job", function()
    archive = practice.start("")
    works([[local r = casjobs:query("SELECT objID, raMean" .. near .. " ORDER BY objID",
      { into = "quick.csv" })
      assert(r.rows > 100 and not r.job)]])
    archive:stop()
    archive = practice.start("--row-cap 100 --faults executing=2")
    works([[local r = casjobs:query("SELECT objID, raMean" .. near .. " ORDER BY objID",
      { into = "job.csv", minutes = 10 })
      assert(r.job)
      assert(#casjobs:tables() == 0, "the temporary table stays")]], {
      CASJOBS_WSID = "1001", CASJOBS_USERID = "practice", CASJOBS_PW = "practice" })
    assert.is_true(practice.same(folder .. "/out/quick.csv", folder .. "/out/job.csv"))
  end)

  it("keeps tables in MyDB until they are dropped", function()
    archive = practice.start("")
    local out = works([[
      local mine = halyard.table.from_rows({ { id = 1, name = "M 13", mag = 5.8 },
        { id = 1 << 60 | 1, mag = 8 } }, { "id", "name", "mag" })
      casjobs:upload("mine", mine)
      local back = casjobs:fetch("mine").table
      assert(back:get(1, "name") == "M_13" and back:get(2, "name") == nil)
      assert(back:get(2, "id") == 1 << 60 | 1 and back:get(1, "mag") == 5.8)
      local job = casjobs:submit("SELECT TOP 7 objID INTO mydb.seven" .. near, { minutes = 5 })
      local told = casjobs:job(job.id):wait()
      assert(told.status == "5" and told.taskname == "halyard")
      local joined = casjobs:quick([=[SELECT s.objID, m.mag FROM seven AS s, mine AS m
        WHERE m.id = 1]=], { context = "MyDB" })
      assert(joined.rows == 7 and table.concat(casjobs:tables(), " ") == "mine seven")
      casjobs:drop("seven")
      local jobs = casjobs:jobs("status : 5; jobid : " .. job.id)
      assert(#jobs == 1 and jobs:get(1, "timeend_mjd") > 59000)
      return { tables = table.concat(casjobs:tables(), " "), queues = #casjobs:queues(),
        types = #casjobs:job_types() }]], { CASJOBS_WSID = "1001", CASJOBS_USERID = "practice",
      CASJOBS_PW = "practice" })
    assert.is_truthy(out:find("tables%s+mine") and out:find("types%s+4"), out)
  end)

  it("extracts a table where the fast service does not know the account", function()
    archive = practice.start("")
    works([[
      casjobs:upload("mine", halyard.table.from_rows({ { a = 1 }, { a = 2 } }, { "a" }))
      assert(casjobs:fetch("mine").rows == 2)]])
    local log = practice.shell("curl -s " .. archive.url .. "/practice/log")
    assert.is_truthy(log:find("/ps1casjobs/outgoing/mine_practice", 1, true))
  end)

  it("tells what is wrong in the service's own words", function()
    archive = practice.start("")
    fails(4, { "Invalid column name 'nosuch'" }, [[casjobs:quick("SELECT nosuch" .. near)]])
    fails(4, { "Invalid object name 'nosuch'" }, [[casjobs:query("SELECT a FROM nosuch")]])
    fails(4, { "Context Nowhere does not exist" },
      [[casjobs:quick("SELECT 1 AS a" .. near, { context = "Nowhere" })]])
    fails(4, { "failed", "Invalid column name 'nosuch'", "CasJobs: job 4" },
      [[casjobs:submit("SELECT nosuch INTO mydb.x" .. near):wait()]])
    fails(4, { "There is already an object named 'a'" }, [[
      local t = halyard.table.from_rows({ { x = 1 } }, { "x" })
      casjobs:upload("a", t)
      casjobs:upload("a", t)]])
    fails(2, { "no table nosuch" }, [[casjobs:fetch("nosuch")]], { CASJOBS_WSID = "1001",
      CASJOBS_USERID = "practice", CASJOBS_PW = "practice" })
    fails(2, { "unknown table of MyDB: aa", "did you mean a?" }, [[casjobs:drop("aa")]])
  end)

  it("refuses what cannot be before it asks", function()
    archive = practice.start("")
    fails(2, { "INTO mydb.name" }, [[casjobs:submit("SELECT a" .. near)]])
    fails(2, { "leave INTO out" }, [[casjobs:query("SELECT a INTO mydb.x" .. near)]])
    fails(2, { "site of CasJobs", "hcasjobs" }, [[mast.casjobs { site = "hcasjob" }]])
    fails(2, { "minutes" }, [[casjobs:query("SELECT a" .. near, { minutes = 1000 })]])
    fails(2, { "of a query: result.table" }, [[casjobs:upload("a", { { x = 1 } })]])
    fails(2, { "name of a table" }, [[casjobs:fetch("a; DROP TABLE b")]])
    local stats = practice.shell("curl -s " .. archive.url .. "/practice/stats")
    assert.is_nil(stats:find("casjobs", 1, true))
  end)

  it("says what is missing without an account, and that a wrong one is wrong", function()
    archive = practice.start("")
    fails(6, { "CASJOBS_WSID", "CASJOBS_PW" }, [[casjobs:tables()]], {})
    fails(6, { "the user or the password is wrong" }, [[casjobs:tables()]],
      { CASJOBS_USERID = "practice", CASJOBS_PW = "mistaken" })
    fails(4, { "Invalid Web Services ID or password" }, [[casjobs:tables()]],
      { CASJOBS_WSID = "1001", CASJOBS_PW = "mistaken" })
  end)

  it("changes nothing in a plan", function()
    archive = practice.start("")
    run("return 1")
    for call, words in pairs({ ["submit('SELECT a INTO mydb.b' .. near)"] = "starts a job",
      ["drop('a')"] = "deletes a table",
      ["upload('a', halyard.table.from_rows({ { x = 1 } }, { 'x' }))"] = "makes a table" }) do
      run("casjobs:" .. call)
      local code, _, err = practice.halyard(("plan %s/casjobs-test.lua --archive %s"):format(folder,
        archive.url))
      assert.equal(2, code)
      assert.is_truthy(err:find(words, 1, true), err)
    end
    run("casjobs:query('SELECT objID' .. near)")
    local before = practice.shell("curl -s " .. archive.url .. "/practice/stats")
    local code, out, err = practice.halyard(("plan %s/casjobs-test.lua --archive %s"):format(folder,
      archive.url))
    assert.equal(0, code, err)
    assert.is_truthy(out:find("CasJobs would be asked", 1, true), out)
    assert.equal(before, practice.shell("curl -s " .. archive.url .. "/practice/stats"))
  end)

  it("shows the password nowhere", function()
    archive = practice.start("")
    local _, out, err = run([[casjobs:quick("SELECT objID" .. near)
      return { rows = casjobs:quick("SELECT TOP 1 objID" .. near).rows }]],
      { CASJOBS_WSID = "1001", CASJOBS_PW = "correct-horse-battery" })
    assert.is_truthy(err:find("Invalid Web Services ID", 1, true), err)
    local all = out .. err .. practice.shell("cat " .. folder .. "/out/* " .. folder
      .. "/out/.halyard/* 2>/dev/null")
    assert.is_nil(all:find("correct-horse", 1, true))
  end)

  it("waits through the states of a job and gives up waiting when told to", function()
    archive = practice.start("--faults executing=600")
    works([[
      local job = casjobs:submit("SELECT TOP 3 objID INTO mydb.slow" .. near)
      assert(job:status() == "ready")
      local ok, err = halyard.try(job.wait, job, 0.2)
      assert(not ok and err.code == "timeout" and err.message:find("casjobs:job%(" .. job.id))
      job:cancel()
      ok, err = halyard.try(job.wait, job)
      assert(not ok and err.message:find("was cancelled"), tostring(err))]])
  end)

  it("lists jobs in the long form too", function()
    archive = practice.start("")
    works([[casjobs:quick("SELECT TOP 2 objID" .. near)
      assert(#casjobs:jobs() == 1)]])
    local answer = practice.shell(("curl -s %s/ps1casjobs/services/jobs.asmx/GetJobsJob -d "
      .. "'owner_wsid=1001&owner_pw=practice&conditions=status%%3A5%%3Bjobid%%3A4001,|,1'"):format(
      archive.url))
    assert.is_truthy(answer:find('<ArrayOfJob xmlns="http://Services.Cas.jhu.edu"><Job>', 1,
      true), answer)
    assert.is_truthy(answer:find("<Query>SELECT TOP 2 objID", 1, true), answer)
  end)

  it("speaks SOAP to those who ask so", function()
    archive = practice.start("")
    local answer = practice.shell(([[curl -s %s/ps1casjobs/services/jobs.asmx -H 'SOAPAction: ]]
      .. [["http://Services.Cas.jhu.edu/ExecuteQuickJob"' -H 'Content-Type: text/xml' -d ]]
      .. [['<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>]]
      .. [[<ExecuteQuickJob xmlns="http://Services.Cas.jhu.edu"><wsid>1001</wsid>]]
      .. [[<pw>practice</pw><qry>SELECT TOP 2 [objID], distance ]]
      .. [[FROM fGetNearbyObjEq(52.5, 20.1, 3) AS nb WHERE distance &lt; 2</qry>]]
      .. [[<context>PanSTARRS_DR2</context><taskname>t</taskname>]]
      .. [[<isSystem>False</isSystem></ExecuteQuickJob></s:Body></s:Envelope>']])
      :format(archive.url))
    assert.is_truthy(answer:find("<ExecuteQuickJobResult>[objid]:bigint,[distance]:float\n", 1,
      true), answer)
  end)
end)
