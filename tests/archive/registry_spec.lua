-- SPDX-License-Identifier: BSD-3-Clause
-- The registry against the practice archive: what is found, what is not, and the first service that
-- works.

package.path = assert(os.getenv("HALYARD_SOURCE")) .. "/tests/archive/?.lua;" .. package.path
local practice = require("practice")

describe("the registry", function()
  local archive, folder

  before_each(function()
    folder = practice.folder()
    archive = practice.start("")
  end)

  after_each(function()
    archive:stop()
    practice.remove(folder)
  end)

  -- Runs `body` as the run function of a workflow; `base` is the archive.
  local function run(body, hosts, more)
    return archive:try(folder, "registry-test", ('local base = "%s"\n'):format(archive.url) .. body,
      '"mast", ' .. (hosts or archive:host()), more)
  end

  local function refused(body, code, words)
    local got, out, err = run(body)
    assert.equal(code, got, out .. err)
    assert.is_truthy(err:find(words, 1, true), err)
  end

  it("finds services by words, waveband and protocol", function()
    local code, out, err = run([[
      local cones = vo.registry.search { keywords = "stars", waveband = "optical",
        service_type = "cone" }
      assert(table.concat(cones.columns, " ")
        == "ivoid short_name title description access_url standard_id waveband")
      assert(#cones == 3 and cones:get(2, "ivoid") == "ivo://archive.stsci.edu/cone/gaia")
      assert(cones:get(2, "access_url") == base .. "/scs/gaia?")
      -- each word, in whatever of title, description and subjects
      local few = vo.registry.search { keywords = { "PARALLAXES", "astrometry", "TAP" } }
      assert(#few == 1 and few:get(1, "short_name") == "Gaia TAP")
      assert(few:field("access_url").ucd == "meta.ref.url" and few:field("title").ucd
        == "meta.title")
      assert(#vo.registry.search { service_type = "sia" } == 2)
      assert(#vo.registry.search { service_type = "tap" } == 5)
      assert(#vo.registry.search { waveband = "uv" } == 5)
      assert(#vo.registry.search { keywords = "stars", url = base .. "/vo-tap/api/v0.1/registry/" }
        == 6)]])
    assert.equal(0, code, out .. err)
  end)

  it("finds whole words only", function()
    local code, out, err = run([[
      local function n(word)
        return #vo.registry.search { keywords = word, service_type = "cone" }
      end
      assert(n "star" == 0 and n "tars" == 0 and n "STARS" == 3)
      assert(n "quasars" == 1 and n "quasar" == 0 and n "closed services" == 1)
      assert(n "a cone search that" == 1 and n "cone that" == 0)]])
    assert.equal(0, code, out .. err)
  end)

  it("knows the tables, columns and coverage of services", function()
    local code, out, err = run([[
      local registry = vo.tap(base .. "/vo-tap/api/v0.1/registry")
      local found = registry:query("SELECT ivoid, table_name, name, unit, datatype FROM "
        .. "rr.res_table NATURAL JOIN rr.table_column WHERE ucd = 'pos.eq.ra;meta.main'").table
      local gaia = found:where { ivoid = "ivo://archive.stsci.edu/tap/gaiadr3" }
      assert(#gaia == 1 and gaia:get(1, "table_name") == "gaia_source")
      assert(gaia:get(1, "unit") == "deg" and gaia:get(1, "datatype") == "double")
      local cone = registry:query("SELECT name FROM rr.table_column WHERE ivoid = "
        .. "'ivo://archive.stsci.edu/cone/tic'").table
      local columns = vo.cone(base .. "/scs/tic?"):columns()
      assert(#cone == #columns)
      local sky = registry:query("SELECT ivoid FROM rr.stc_spatial WHERE coverage = '0/0-11'").table
      assert(#sky == 9)]])
    assert.equal(0, code, out .. err)
  end)

  it("gives a table without rows when it knows nothing of the kind", function()
    local code, out, err = run([[
      for _, words in ipairs({ "no such words", "d'Arrest", "' OR '1'='1", "100%" }) do
        local none = vo.registry.search { keywords = words }
        assert(#none == 0 and #none.columns == 7)
      end]])
    assert.equal(0, code, out .. err)
  end)

  it("uses the first service that works and says so in the report", function()
    local code, out, err = run([[
      local stars = vo.registry.first_working { keywords = "stars", service_type = "cone" }
      local rows = stars:query { region = sky.circle(52.5, -27.4, 0.05) }
      ctx:log(#rows.table .. " rows")
      local tap = vo.registry.first_working(vo.registry.search {
        keywords = "parallaxes", service_type = "tap" })
      assert(#tap:query("SELECT TOP 3 source_id FROM gaia_source").table == 3)
      assert(vo.registry.first_working { service_type = "sia" }:protocol() == 1)
      assert(#vo.registry.first_working { service_type = "ssa" }:parameters() > 0)]])
    assert.equal(0, code, out .. err)
    local report = practice.read(folder .. "/out/report.json"):gsub("\\/", "/")
    assert.is_truthy(report:find("/scs/gaia? (ivo://ivoa.net/std/conesearch) is used; before it: "
      .. archive.url .. "/scs/closed? does not work", 1, true), report)
  end)

  it("tells why when no service works", function()
    refused([[return vo.registry.first_working { keywords = "closed" }]], 4,
      "none of 1 services works: " .. archive.url .. "/scs/closed? does not work: ")
    refused([[return vo.registry.first_working(halyard.table.from_rows({
      { access_url = base .. "/nowhere", standard_id = "ivo://ivoa.net/std/tap" },
      { access_url = base .. "/x", standard_id = "ivo://ivoa.net/std/slap" } },
      { "access_url", "standard_id" }))]], 4, "404")
    refused([[return vo.registry.first_working { keywords = "no such words" }]], 2,
      "the table has no service")
  end)

  it("passes over services whose host the workflow does not declare", function()
    local code, out, err = run([[
      local stars = vo.registry.search { keywords = "stars", service_type = "cone" }
      local standard = stars:get(2, "standard_id")
      local rows = { { access_url = "http://elsewhere.example/x?", standard_id = standard },
        { access_url = stars:get(2, "access_url"), standard_id = standard } }
      vo.registry.first_working(halyard.table.from_rows(rows, { "access_url", "standard_id" }))]])
    assert.equal(0, code, out .. err)
    assert.is_truthy(practice.read(folder .. "/out/report.json"):gsub("\\/", "/"):find(
      "elsewhere.example/x? is at a host that the workflow does not declare", 1, true))
  end)

  it("needs no other declaration for services of MAST than its name", function()
    local code, out, err = run([[
      local stars = vo.registry.first_working { keywords = "stars", service_type = "cone" }
      local rows = vo.sia(base .. "/vo-sia/api/v0.1/query"):query {
        region = sky.circle(210.8, 54.35, 0.1), collection = "PS1" }
      vo.datalink(rows, { service = base .. "/datalink/links" })
      vo.tap("http://elsewhere.example/tap"):tables()]], '"a.org"')
    assert.equal(6, code, out .. err)
    assert.is_truthy(err:find('may not contact elsewhere.example: if it should, write in it hosts '
      .. '= { "mast", "a.org", "elsewhere.example" }', 1, true), err)
  end)

  it("tells all hosts to declare when no declared one has a service", function()
    local code, _, err = run([[return vo.registry.first_working(halyard.table.from_rows({
      { access_url = "http://b.example.org/tap", standard_id = "ivo://ivoa.net/std/tap" },
      { access_url = "http://A.example.org:81/x?", standard_id = "ivo://ivoa.net/std/ssa" },
      { access_url = "http://x.other.org/x?", standard_id = "ivo://ivoa.net/std/ssa" } },
      { "access_url", "standard_id" }))]], '"*.other.example", "other.org"')
    assert.equal(6, code, err)
    assert.is_truthy(err:find('may not contact a.example.org:81, b.example.org, x.other.org: if '
      .. 'it should, write in it hosts = { "mast", "*.other.example", "other.org", '
      .. '"a.example.org:81", "b.example.org", "x.other.org" }', 1, true), err)
  end)

  it("refuses bad input before it asks", function()
    refused("return vo.registry.search {}", 2, "the whole registry")
    refused([[return vo.registry.search { keyword = "x" }]], 2, "did you mean keywords")
    refused([[return vo.registry.search { keywords = 7 }]], 2, "a text or a list of texts")
    refused([[return vo.registry.search { waveband = "opticl" }]], 2, "did you mean optical")
    refused([[return vo.registry.search { service_type = "tapp" }]], 2, "did you mean tap")
    refused([[return vo.registry.search { keywords = "x", url = "no url" }]], 2, "takes the URL")
    refused([[return vo.registry.first_working("x")]], 2, "the table of registry.search")
    refused([[local other = halyard.table.from_rows({ { a = 1 } }, { "a" })
      return vo.registry.first_working(other)]], 2, "no column access_url")
  end)

  it("never takes an answer that was cut", function()
    for _, options in ipairs({ "--row-cap 3", "--faults silent-cap=3 --row-cap 3" }) do
      archive:stop()
      archive = practice.start(options)
      refused([[return vo.registry.search { service_type = "tap" }]], 7, "there are more rows")
    end
  end)

  it("lists services at the archive's address to jobs too", function()
    local code, out, err = run([[
      local rows = vo.tap(base .. "/vo-tap/api/v0.1/registry"):query(
        "SELECT access_url FROM rr.interface WHERE ivoid = 'ivo://archive.stsci.edu/ssap'",
        { mode = "async" }).table
      assert(rows:get(1, "access_url") == base .. "/ssap/search2.php?")]])
    assert.equal(0, code, out .. err)
  end)

  it("finds nothing in a plan, which cannot go on where a service is chosen", function()
    local path = folder .. "/plan.lua"
    local function plan(body)
      local out <close> = assert(io.open(path, "wb"))
      out:write('return workflow { name = "plan", summary = "x", hosts = { "mast" }, '
        .. "run = function() " .. body .. " end }")
      out:flush()
      return practice.halyard(("plan %s --archive %s"):format(path, archive.url))
    end
    local code, out, err = plan([[
      local none = vo.registry.search { keywords = "stars" }
      assert(#none == 0 and #none.columns == 7)]])
    assert.equal(0, code, out .. err)
    code, out, err = plan([[return vo.registry.first_working { keywords = "stars" }]])
    assert.equal(2, code, out .. err)
    assert.is_truthy(err:find("a plan cannot go on here", 1, true), err)
  end)

  it("is an error in the registry's words when it has no such tables", function()
    refused([[return vo.registry.search { keywords = "x", url = base .. "/vo-tap/api/v0.1/hsc" }]],
      4, "Unknown table: rr.resource")
    refused([[return vo.registry.search { keywords = "x", url = base .. "/nowhere" }]], 2, "404")
  end)
end)
