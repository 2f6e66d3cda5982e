-- SPDX-License-Identifier: BSD-3-Clause
-- The practice archive's TAP services one by one, the ADQL they take, and the same stars as through
-- the other doors. Asked with curl: nothing of the client is between.

package.path = assert(os.getenv("HALYARD_SOURCE")) .. "/tests/archive/?.lua;" .. package.path
local practice = require("practice")

describe("the TAP services", function()
  local archive

  setup(function()
    archive = practice.start("")
  end)

  teardown(function()
    archive:stop()
  end)

  local function get(path)
    return practice.shell("curl -s " .. practice.quote(archive.url .. "/vo-tap/api/v0.1/" .. path))
  end

  local function ask(word, query, more)
    return practice.shell(("curl -s %s -d LANG=ADQL -d FORMAT=csv %s --data-urlencode %s"):format(
      practice.quote(archive.url .. "/vo-tap/api/v0.1/" .. word .. "/sync"), more or "",
      practice.quote("QUERY=" .. query)))
  end

  -- The number that a counting query gives.
  local function count(word, condition, table_name)
    local text = ask(word, ("SELECT COUNT(*) AS n FROM %s WHERE %s"):format(table_name
      or "gaia_source", condition))
    return tonumber(text:match("^n\r?\n(%d+)")) or error(text)
  end

  it("describe themselves at /tables and count themselves in TAP_SCHEMA", function()
    for word, known in pairs({ caom = "ivoa.obscore", ps1dr2 = "dbo.meanobjectview",
      hsc = "dbo.DetailedCatalog", gaiadr3 = "gaia_source", registry = "TAP_SCHEMA.tables",
      mast_catalogs = "ps1_dr2.forced_mean_object" }) do
      local text = get(word .. "/tables")
      assert.is_truthy(text:find("<name>" .. known .. "</name>", 1, true), word)
      assert.is_truthy(ask(word, "SELECT table_name FROM TAP_SCHEMA.tables"):find(known, 1, true))
      local _, columns = text:gsub("<column[ >]", "")
      assert.equal(columns, count(word, "column_index > 0", "TAP_SCHEMA.columns"))
    end
    local listing = practice.shell("curl -s " .. archive.url .. "/vo-tap")
    assert.is_truthy(listing:find("gaiadr3", 1, true))
    assert.is_truthy(get("nosuch/tables"):find("is not here", 1, true))
  end)

  it("have the same stars as every other door", function()
    local circle = "1=CONTAINS(POINT('ICRS', %s, %s), CIRCLE('ICRS', 52.5, 27.4, 0.2))"
    local ids = ask("gaiadr3", "SELECT source_id FROM gaia_source WHERE " .. circle:format("ra",
      "dec"))
    local truth = practice.shell(("%s --dump gaia --region 'CIRCLE 52.5 27.4 0.2' | cut -d, -f1")
      :format(practice.quote(os.getenv("HALYARD_BIN") .. "/halyard-practice")))
    assert.equal(truth, (ids:gsub("\r", "")))
    local _, n = ids:gsub("\n", "")
    assert.equal(ids, (ask("hsc", "SELECT MatchID AS source_id FROM dbo.SumMagAper2CatView WHERE "
      .. circle:format("MatchRA", "MatchDec"))))
    assert.equal(n - 1, count("ps1dr2", circle:format("ramean", "decmean"), "dbo.meanobjectview"))
    assert.equal(n - 1, count("mast_catalogs", circle:format("ramean", "decmean"),
      "ps1_dr2.stack_object"))
    assert.equal(2 * (n - 1), count("hsc", circle:format("SourceRA", "SourceDec"),
      "dbo.DetailedCatalog"))
  end)

  it("agree about a place said in different words", function()
    local box = count("gaiadr3", "ra >= 201 AND ra < 201.2 AND dec >= 1 AND dec < 1.2")
    assert.is_true(box > 10)
    for _, condition in ipairs({
      "1=CONTAINS(POINT('ICRS',ra,dec),POLYGON('ICRS',201,1,201.2,1,201.2,1.2,201,1.2))",
      "CONTAINS(POINT('ICRS',ra,dec),POLYGON(201,1,201,1.2,201.2,1.2,201.2,1)) = 1",
      "1=CONTAINS(POINT('',ra,dec),BOX('ICRS',201.1,1.1,0.2,0.2))",
      "1=INTERSECTS(BOX('ICRS',POINT('ICRS',201.1,1.1),0.2,0.2),POINT('ICRS',ra,dec))",
    }) do
      assert.is_true(math.abs(count("gaiadr3", condition) - box) <= 1, condition)
    end
    local inside = "CONTAINS(POINT('ICRS',ra,dec),CIRCLE('ICRS',201.1,1.1,0.1))"
    local circle = count("gaiadr3", "1=" .. inside)
    for _, condition in ipairs({
      "DISTANCE(POINT('ICRS',ra,dec),POINT('ICRS',201.1,1.1)) <= 0.1",
      "DISTANCE(ra,dec,201.1,1.1) < 0.1 AND dec > 0", "0.1 >= DISTANCE(201.1,1.1,ra,dec)",
      "NOT (0=" .. inside .. ") AND ra > 200 AND ra < 202 AND dec > 0 AND dec < 2",
    }) do
      assert.equal(circle, count("gaiadr3", condition), condition)
    end
  end)

  it("take joins, groups, sets, subqueries and offsets", function()
    local near = "1=CONTAINS(POINT('ICRS',ra,dec),CIRCLE('ICRS',201.1,1.1,0.1))"
    local function rows(query)
      local text = ask("gaiadr3", query)
      assert.is_nil(text:find("ERROR", 1, true), text)
      local _, n = text:gsub("\n", "")
      return n - 1, text
    end
    local all = rows("SELECT source_id FROM gaia_source WHERE " .. near)
    assert.equal(all - 3, (rows("SELECT source_id FROM gaia_source WHERE " .. near .. " OFFSET 3")))
    local half = "SELECT source_id FROM gaia_source WHERE " .. near
    assert.equal(all, (rows(("%s AND phot_g_mean_mag < 18 UNION %s AND NOT phot_g_mean_mag < 18")
      :format(half, half))))
    assert.equal(all, (rows(("SELECT a.source_id FROM (SELECT * FROM gaia_source WHERE %s) AS a "
      .. "JOIN gaia_source AS b USING (source_id)"):format(near))))
    local _, text = rows(("SELECT FLOOR(phot_g_mean_mag) AS m, COUNT(*) AS n, MAX(ra) FROM "
      .. "gaia_source WHERE %s GROUP BY m HAVING COUNT(*) > 0 ORDER BY m DESC"):format(near))
    local sum = 0
    for n in text:gmatch("\n[%d.]+,(%d+),") do
      sum = sum + tonumber(n)
    end
    assert.equal(all, sum)
    assert.equal(1, (rows(("SELECT TOP 1 ra FROM gaia_source WHERE %s AND ra IN (SELECT MAX(ra) "
      .. "FROM gaia_source WHERE %s)"):format(near, near))))
    assert.equal("x\n8\n", (select(2, rows("SELECT TOP 1 (12 ^ 4) | 0 AS x FROM gaia_source"))
      :gsub("\r", "")))
  end)

  it("count whole tables that are too large to read", function()
    local function whole(word, name)
      return tonumber(ask(word, "SELECT COUNT(*) AS n FROM " .. name):match("^n\r?\n(%d+)\r?\n$"))
    end
    local stars = whole("gaiadr3", "gaia_source")
    assert.is_true(stars > 9e8, stars)
    assert.equal(stars, whole("hsc", "dbo.SumMagAper2CatView AS m"))
    assert.equal(0, whole("gaiadr3", "gaia_source WHERE source_id = 1"))
    local sum = 0
    for n in ask("caom", "SELECT obs_collection, COUNT(*) AS n FROM ivoa.obscore GROUP BY "
      .. "obs_collection"):gmatch(",(%d+)") do
      sum = sum + tonumber(n)
    end
    assert.equal(sum, whole("caom", "ivoa.obscore"))
    assert.equal(sum, whole("caom", "dbo.obspointing"))
    assert.is_true(whole("caom", "dbo.obsnorth") < sum / 100)
  end)

  it("refuse what they do not understand in words of the specification", function()
    for query, words in pairs({
      ["SELEC x"] = "expected SELECT", ["SELECT x FROM gaia_source"] = "Unknown column: x",
      ["SELECT ra FROM nosuch.t"] = "Unknown table: nosuch.t",
      ["SELECT ra FROM gaia_source WHERE ra = 'x'"] = "a text is compared with a number",
      ["SELECT ra FROM gaia_source WHERE ra"] = "needs a condition",
      ["SELECT CIRCLE('ICRS',1,2,3) FROM gaia_source"] = "cannot be used as a value",
      ["SELECT ra FROM gaia_source g JOIN gaia_source h ON g.ra=h.ra"] = "ambiguous",
      ["SELECT ra FROM gaia_source; DROP TABLE x"] = ";",
      ["SELECT ra FROM gaia_source WHERE 1=CONTAINS(POINT('GALACTIC',ra,dec),CIRCLE('ICRS',1,2,3))"]
        = "coordinate system",
    }) do
      local text = ask("gaiadr3", query)
      assert.is_truthy(text:find('value="ERROR"', 1, true) and text:find(words, 1, true),
        query .. ": " .. text)
    end
    assert.is_truthy(practice.shell(("curl -s -i %s/vo-tap/api/v0.1/gaiadr3/sync -d QUERY=x")
      :format(archive.url)):find("400.*Error in query lang: Field required"))
    local plain = "SELECT ra FROM gaia_source"
    assert.is_truthy(ask("gaiadr3", plain, "-d MAXREC=few"):find("maxrec"))
    assert.is_truthy(ask("gaiadr3", plain, "-d REQUEST=other"):find("REQUEST"))
  end)
end)
