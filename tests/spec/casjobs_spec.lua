-- SPDX-License-Identifier: BSD-3-Clause
-- Texts of CasJobs: results with types, and the words in its failures.

local errors = require("halyard.error")
local text = require("halyard.archive.casjobs_text")

describe("a text of CasJobs", function()
  it("reads a result with its types", function()
    local t = text.rows("[objID]:bigint,[raMean]:float,[name]:varchar,[code]:varchar(8),[ok]:bit,"
      .. "[seen]:datetime\n"
      .. '132131451111111111,1.5,"a ""b"", c","007",True,2012-05-31 12:00:00\n'
      .. "null,NULL,null,\"\",0,null\n"
      .. '3,2,"two\nlines","null",1,null\n', ",")
    assert.equal("objID,raMean,name,code,ok,seen,seen_mjd", table.concat(t.columns, ","))
    assert.equal(3, #t)
    assert.equal(132131451111111111, t:get(1, "objID"))
    assert.equal('a "b", c', t:get(1, "name"))
    assert.equal("007", t:get(1, "code"))
    assert.equal(1, t:get(1, "ok"))
    assert.equal(56078.5, t:get(1, "seen_mjd"))
    for _, name in ipairs({ "objID", "raMean", "name", "seen" }) do
      assert.is_nil(t:get(2, name))
    end
    assert.equal("", t:get(2, "code"))
    assert.equal("null", t:get(3, "code"))
    assert.equal("two\nlines", t:get(3, "name"))
    assert.equal("float", math.type(t:get(3, "raMean")))
    local tabs = text.rows("[a]:int\t[b]:varchar\n1\t\n\tx y\n", "\t")
    assert.same({ 1, nil }, { tabs:get(1, "a"), tabs:get(1, "b") })
    assert.same({ nil, "x y" }, { tabs:get(2, "a"), tabs:get(2, "b") })
    assert.equal(0, #text.rows("[a]:int\n", ","))
  end)

  it("refuses a result that is not what its header says", function()
    for body, words in pairs({
      ["<html><title>Login</title></html>"] = "Login", ["[a]:int,[b]:int\n1\n"] = "row 1 has 1",
      ["[a]:int\nx\n"] = 'a is "x"', ["[a]:int\n1.5\n"] = 'a is "1.5"',
      ['[a]:varchar\n"x\n'] = "no end", [""] = "no header",
    }) do
      local ok, err = errors.try(text.rows, body, ",")
      assert.is_nil(ok)
      assert.equal("protocol", err.code)
      assert.is_truthy(err.message:find(words, 1, true), err.message)
    end
  end)

  it("finds the words of a failure", function()
    assert.equal('Incorrect syntax near "<x>" & more', text.words("System.Web.SoapException: Bad "
      .. "---> System.Exception: Incorrect syntax near &quot;&lt;x&gt;&quot;\n &amp; more ---> "
      .. "System.Data\n   at Cas.Jobs"))
    assert.equal("first line second line", text.words("first line\n\nsecond line\nthird"))
    assert.is_truthy(text.words("<html><p>403 Response Code</p>Please contact our technical "
      .. "support with Request ID: ab-12-cd</html>"):find("Request ID ab-12-cd", 1, true))
    assert.equal("it does not say why", text.words(" \n"))
  end)
end)
