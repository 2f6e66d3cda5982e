-- SPDX-License-Identifier: BSD-3-Clause
-- The TAP dialect without a network: what a query names, how criteria are worded, what each phase
-- of a job leads to, small XML documents.

local adql = require("halyard.archive.adql")
local errors = require("halyard.error")
local xml = require("halyard.xml")

local function failure(f, ...)
  local ok, err = errors.try(f, ...)
  assert.is_nil(ok)
  return err
end

describe("ADQL", function()
  local function map(...)
    local out = {}
    for _, name in ipairs({ ... }) do
      out[name:lower()] = { name = name }
    end
    return out
  end

  -- What a query's check says, with tables a (ra, dec, "Date") and b (id, ra).
  local function check(query)
    local found = adql.read(query)
    for _, t in ipairs(found.tables) do
      t.map = ({ ["s.a"] = map("ra", "dec", "Date"), b = map("id", "ra") })[t.name]
    end
    local ok, err = errors.try(adql.check_columns, found)
    return ok or err.message
  end

  it("names its tables, with aliases, in joins, lists and subqueries", function()
    local function tables(query)
      local out = {}
      for i, t in ipairs(adql.read(query).tables) do
        out[i] = t.name .. (t.alias and "=" .. t.alias or "")
      end
      return table.concat(out, " ")
    end
    assert.equal("s.a b=x", tables("SELECT * FROM s.a, b AS x WHERE ra > 1"))
    assert.equal("s.a=y b c", tables(
      "SELECT TOP 3 * FROM s.a y JOIN b USING (id) LEFT OUTER JOIN c ON b.id=c.id ORDER BY 1"))
    assert.equal("a b", tables("SELECT * FROM (SELECT x, y FROM a) AS t, b GROUP BY x, y"))
    assert.equal("a b", tables("SELECT * FROM a WHERE x IN (SELECT x FROM b) -- FROM c"))
    assert.equal("a b", tables("SELECT f(x, 'FROM c') FROM a UNION SELECT x FROM b"))
    assert.equal("a", tables("SELECT EXTRACT(YEAR FROM t), TRIM(BOTH FROM x) FROM a"))
    assert.equal("a b c=d", tables("SELECT * FROM (a JOIN b ON a.x = b.x), c d"))
    assert.equal("Odd Name", tables('SELECT * FROM "Odd Name"'))
  end)

  it("passes columns, aliases and functions that are there", function()
    for _, query in ipairs({
      "SELECT ra, s.a.dec, a.ra, \"Date\" FROM s.a WHERE dec BETWEEN -1e-3 AND 2.5",
      "SELECT COUNT(*) AS n, ROUND(ra, 1) AS bin FROM s.a GROUP BY bin ORDER BY n DESC",
      "SELECT x.*, ra + 1 shifted FROM s.a AS x ORDER BY shifted",
      "SELECT 1=CONTAINS(POINT('ICRS', ra, dec), CIRCLE('ICRS', 1, 2, 3)) FROM s.a",
      "SELECT whatever FROM unknown.t JOIN b ON b.id = t.id",
      "SELECT whatever FROM (SELECT ra FROM s.a) AS t",
      "SELECT u.id FROM b AS u WHERE EXISTS (SELECT ra FROM s.a WHERE a.ra = u.ra)",
    }) do
      assert.is_true(check(query), query)
    end
  end)

  it("finds misspelt columns, with the nearest names", function()
    assert.equal("unknown column of s.a: decc; did you mean dec?", check("SELECT decc FROM s.a"))
    assert.equal("unknown column of b: raa; did you mean ra?",
      check("SELECT x.raa FROM b AS x JOIN unknown.t ON 1=1"))
    assert.is_truthy(check("SELECT TOP 3 raa FROM s.a"):find("raa", 1, true))
    assert.is_true(check("SELECT TOP 3 ra, 3 three FROM s.a ORDER BY three"))
    assert.is_truthy(check("SELECT ra FROM s.a WHERE dae > 3"):find("dae", 1, true))
    assert.is_truthy(check("SELECT idd FROM s.a JOIN b USING (ra)"):find("id", 1, true))
  end)

  it("words criteria as table:where means them", function()
    local mag, name = { name = "mag", kind = "number" }, { name = "size", kind = "text" }
    for want, given in pairs({
      ["mag < 15"] = "<15", ["mag BETWEEN 1 AND 2.5"] = "1..2.5", ["mag >= 3"] = { min = 3 },
      ["(mag = 1 OR mag = 2)"] = { 1, 2 }, ["(mag IS NULL OR NOT mag = 4)"] = "!4",
    }) do
      assert.equal(want, (adql.condition(mag, given)))
    end
    assert.equal("\"size\" LIKE 'o''a%'", (adql.condition(name, "o'a*")))
    assert.equal("(\"size\" = 'a' OR \"size\" = 'b') AND (\"size\" IS NULL OR NOT \"size\" = 'c')",
      (adql.condition(name, { "a", "b", "!c" })))
    local text, loose = adql.condition(name, "a_*")
    assert.equal("\"size\" LIKE 'a_%'", text)
    assert.is_true(loose)
    assert.is_nil((adql.condition(name, "!a_*")))
    assert.equal("usage", failure(adql.condition, mag, "bright").code)
  end)

  it("quotes names that need it, once", function()
    assert.equal("ra", adql.name("ra"))
    assert.equal('"date"', adql.name("date"))
    assert.equal('"2MASS"', adql.name("2MASS"))
    assert.equal('"a ""b"""', adql.name('a "b"'))
    assert.equal('"I/355/gaiadr3"', adql.name('"I/355/gaiadr3"'))
    assert.equal('dbo."date"', adql.table_name("dbo.date"))
  end)

  it("refuses texts without an end", function()
    assert.is_truthy(failure(adql.read, "SELECT 'a FROM b").message:find("character 8", 1, true))
  end)
end)

describe("a small XML document", function()
  it("is a tree of names without prefixes", function()
    local root = xml.parse('<?xml version="1.0"?><!-- a <b> --><uws:job xmlns:uws="u">\n'
      .. '<uws:x a:id="1&amp;2" q=\'a="b"\'/>text &lt;&#65;&#x42;<![CDATA[<c>&]]></uws:job>', "x")
    assert.equal("job", root.name)
    assert.equal("text <AB<c>&", (root.text:match("%S.*")))
    assert.same({ id = "1&2", q = 'a="b"' }, root.children[1].attributes)
    assert.equal("text <AB<c>&", xml.text({ children = { root } }, "job"))
    assert.is_nil(xml.text(root, "x"))
  end)

  it("is refused when it is none", function()
    for _, text in ipairs({ "", "plain", "<a><b></a>", "<a", "<a>", "</a>", "<a><![CDATA[x</a>",
      ("<a>"):rep(200),
      "<!DOCTYPE html><html><body><h1>Maintenance</h1></body></html>" }) do
      local err = failure(xml.parse, text, "the job")
      assert.equal("protocol", err.code, text)
      assert.is_truthy(err.message:find("the job", 1, true))
    end
  end)
end)

describe("a job", function()
  local uws, asked, answers, slept
  local kept = {}
  local replaced = { "halyard.core.http", "halyard.core.task", "halyard.poll" }
  local url = "http://tap.example/async/7"

  local function document(phase, more)
    return { status = 200, headers = {}, url = url, body = ("<uws:job><uws:phase>%s</uws:phase>"
      .. "%s</uws:job>"):format(phase, more or "") }
  end

  before_each(function()
    asked, answers, slept = {}, {}, {}
    for _, name in ipairs(replaced) do
      kept[name] = package.loaded[name] or false
    end
    local poll_delay = require("halyard.core.http").poll_delay
    package.loaded["halyard.core.http"] = {
      poll_delay = function(quick, held)
        return poll_delay(quick, held, 1, 30) -- as it is outside tests
      end,
      request = function(request)
        asked[#asked + 1] = ("%s %s %s"):format(request.method or "GET",
          request.url:gsub("^http://tap.example", ""), request.body or "")
        local answer = assert(table.remove(answers, 1), "one request too many: " .. request.url)
        if errors.is(answer) then
          error(answer, 0)
        end
        return answer
      end,
    }
    package.loaded["halyard.core.task"] = {
      sleep = function(seconds)
        slept[#slept + 1] = seconds
      end,
    }
    package.loaded["halyard.archive.uws"], package.loaded["halyard.poll"] = nil, nil
    uws = require("halyard.archive.uws")
  end)

  after_each(function()
    for name, module in pairs(kept) do
      package.loaded[name] = module or nil
    end
    package.loaded["halyard.archive.uws"] = nil
    assert.same({}, answers)
  end)

  local see = { status = 303, headers = {}, body = "", location = url .. "/" }

  it("is made once, and run when its creation did not run it", function()
    answers = { see, document("PENDING"), see }
    local job = uws.create("tap", "http://tap.example/async", { body = "QUERY=x" })
    assert.equal(url, job.url)
    assert.same({ "POST /async QUERY=x", "GET /async/7 ", "POST /async/7/phase PHASE=RUN" }, asked)
    asked, answers = {}, { see, see, document("EXECUTING") }
    uws.create("tap", "http://tap.example/async", { body = "QUERY=x" }, 30)
    assert.equal("POST /async/7/executionduration EXECUTIONDURATION=30", asked[2])
    assert.equal(3, #asked)
  end)

  it("that is not made says why", function()
    answers = { { status = 400, headers = {}, body = '<VOTABLE><INFO name="QUERY_STATUS" '
      .. 'value="ERROR">no &lt;uploads&gt; here</INFO></VOTABLE>' } }
    local err = failure(uws.create, "tap", "http://tap.example/async", { body = "" })
    assert.is_truthy(err.message:find("HTTP 400: no <uploads> here", 1, true), err.message)
    answers = { { status = 200, headers = {}, body = "<p>hello</p>" } }
    assert.equal("protocol", failure(uws.create, "tap", "http://tap.example/async",
      { body = "" }).code)
  end)

  it("is polled through every phase on its way, with growing pauses where WAIT is not known",
    function()
      answers = { document("QUEUED"), document("EXECUTING"), document("EXECUTING"),
        document("UNKNOWN"), document("SUSPENDED"), document("SUSPENDED"),
        errors.new("timeout", "the gateway was tired"),
        document("COMPLETED", '<uws:results><uws:result id="other" href="o"/>'
          .. '<uws:result id="result" xlink:href="r"/></uws:results>') }
      assert.equal("r", uws.job("tap", url):wait().result)
      assert.equal("GET /async/7?WAIT=30&PHASE=QUEUED ", asked[2])
      assert.same({ 1, 2, 0, 0, 1, 2 }, slept) -- none after a new phase
    end)

  it("that is held is told to run again, but not for ever", function()
    answers = { document("HELD"), see, document("EXECUTING"), document("COMPLETED") }
    uws.job("tap", url):wait()
    answers = { document("HELD"), see, document("HELD"), see, document("HELD"), see,
      document("HELD") }
    assert.is_truthy(failure(uws.job("tap", url).wait, uws.job("tap", url)).message
      :find("stays HELD", 1, true))
  end)

  it("that failed, was aborted or is archived gives no rows but the reason", function()
    for phase, case in pairs({
      ERROR = { "archive", "<uws:errorSummary><uws:message>disk full</uws:message>"
        .. "</uws:errorSummary>", "disk full" },
      ABORTED = { "archive", "<uws:executionDuration>600</uws:executionDuration>"
        .. '<uws:results><uws:result id="result" href="partial"/></uws:results>', "600 s" },
      ARCHIVED = { "not_found", "", "gone" },
    }) do
      answers = { document(phase, case[2]) }
      local err = failure(uws.job("tap", url).wait, uws.job("tap", url))
      assert.equal(case[1], err.code)
      assert.is_truthy(err.message:find(case[3], 1, true), err.message)
      assert.equal(url, err.job)
    end
    answers = { document("ERROR"), { status = 200, headers = {}, body = "table is missing\n" } }
    assert.is_truthy(failure(uws.job("tap", url).wait, uws.job("tap", url)).message
      :find("table is missing", 1, true))
  end)

  it("is deleted by DELETE or, where that is not known, by a form", function()
    answers = { { status = 303, headers = {}, body = "" } }
    uws.job("tap", url):delete()
    answers = { { status = 405, headers = {}, body = "" }, see }
    uws.job("tap", url):delete()
    assert.equal("POST /async/7 ACTION=DELETE", asked[3])
    answers = { { status = 404, headers = {}, body = "" } }
    uws.job("tap", url):delete()
  end)
end)

describe("a query", function()
  local tap, asked, answers
  local kept = {}
  local fresh = { "halyard.archive.door", "halyard.archive.jobs", "halyard.archive.tap",
    "halyard.archive.tap_catalog", "halyard.archive.tap_meta", "halyard.archive.uws",
    "halyard.catalog" }
  local url = "http://tap.example/tap"

  local function next_answer(request)
    asked[#asked + 1] = ("%s %s"):format(request.method or "GET", request.url:sub(#url + 1))
    local answer = assert(table.remove(answers, 1), "one request too many: " .. request.url)
    if errors.is(answer) then
      error(answer, 0)
    end
    return answer
  end

  before_each(function()
    asked = {}
    kept["halyard.core.http"] = package.loaded["halyard.core.http"] or false
    package.loaded["halyard.core.http"] = {
      request = next_answer, limit = function() end,
      fetch = function(request)
        return table.unpack(next_answer(request))
      end,
    }
    for _, name in ipairs(fresh) do
      package.loaded[name] = nil
    end
    tap = require("halyard.archive.tap")
  end)

  after_each(function()
    package.loaded["halyard.core.http"] = kept["halyard.core.http"] or nil
    for _, name in ipairs(fresh) do
      package.loaded[name] = nil
    end
    assert.same({}, answers)
  end)

  local function reply(body, more)
    local out = { status = 200, headers = {}, body = body, url = url }
    for key, value in pairs(more or {}) do
      out[key] = value
    end
    return out
  end

  local function rows(n)
    local list = {}
    for i = 1, n do
      list[i] = { a = i }
    end
    return { require("halyard.core.table").from_rows(list, { "a" }), { overflow = false },
      { bytes = 1 } }
  end

  local capabilities = '<capabilities><capability standardID="ivo://ivoa.net/std/TAP"><outputLimit>'
    .. '<default unit="row">2</default><hard unit="row">3</hard></outputLimit></capability>'
    .. "</capabilities>"

  it("that a gateway gives up is run as a job, whose rows are safe before it is deleted", function()
    answers = { reply(capabilities), errors.new("archive", "gateway", { http_status = 504 }),
      reply("", { status = 303, location = url .. "/async/1" }),
      reply("<job><phase>EXECUTING</phase></job>"), reply("<job><phase>COMPLETED</phase></job>"),
      rows(2), reply("") }
    local result = tap.tap(url):query("SELECT a FROM t", { check = false })
    assert.equal(2, result.rows)
    assert.equal(url .. "/async/1", result.job)
    assert.same({ "GET /capabilities", "POST /sync", "POST /async", "GET /async/1", "GET /async/1",
      "GET /async/1/results/result", "DELETE /async/1" }, asked)
  end)

  it("that the service refuses is not run again", function()
    answers = { reply(capabilities),
      errors.new("archive", "no such column", { http_status = 400 }) }
    local err = failure(function()
      return tap.tap(url):query("SELECT a FROM t", { check = false })
    end)
    assert.equal("no such column", err.message:match("no such column"))
  end)

  it("that is full to the service's limit without a word is suspected", function()
    answers = { reply(capabilities), rows(3) }
    local err = failure(function()
      return tap.tap(url):query("SELECT a FROM t", { check = false })
    end)
    assert.equal("truncated", err.code)
    answers = { rows(3) }
    assert.equal(3, tap.tap(url):query("SELECT TOP 3 a FROM t", { check = false }).rows)
  end)

  it("for a count that takes too long is followed by one without", function()
    local catalog = require("halyard.archive.tap_catalog")
    local list = { ra = { name = "ra", type = "double", place = 1 },
      dec = { name = "dec", type = "double", place = 2 },
      id = { name = "id", type = "long", place = 3 } }
    package.loaded["halyard.archive.tap_meta"].columns = function()
      return list
    end
    answers = { reply(capabilities), errors.new("timeout", "the archive was silent") }
    local service = tap.tap("http://slow.example/tap")
    local source = catalog.complete({ service = service, table = "t", name = "t" }).source({})
    assert.is_true(source.service.counts)
    assert.is_nil((source.count({ ra = 1, dec = 2, radius = 1 })))
    assert.is_false(source.service.counts)
    assert.equal("ambiguous", source.verdict(errors.new("archive", "Query timed out")))
    assert.equal("over", source.verdict(errors.new("truncated", "cut")))
    assert.equal("fatal", source.verdict(errors.new("archive", "no such column")))
  end)

  it("goes on where a service tells neither limits nor columns", function()
    answers = { errors.new("not_found", "404", { http_status = 404 }),
      errors.new("archive", "no TAP_SCHEMA", { http_status = 400 }),
      errors.new("not_found", "404", { http_status = 404 }), rows(3) }
    assert.equal(3, tap.tap(url .. "2"):query("SELECT a FROM t", { mode = "sync" }).rows)
  end)
end)
