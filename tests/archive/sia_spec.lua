-- SPDX-License-Identifier: BSD-3-Clause
-- Simple Image Access against the practice archive: both versions, limits that cut, refusals.

package.path = assert(os.getenv("HALYARD_SOURCE")) .. "/tests/archive/?.lua;" .. package.path
local practice = require("practice")

describe("an image service", function()
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

  -- Runs `body` as the run function of a workflow; `one` and `two` are services of both versions.
  local function run(body, arguments)
    return archive:try(folder, "sia-test", ([[
    local here = sky.circle(210.8, 54.35, 0.1)
    local one = vo.sia("%s/siap/search.php?%s")
    local two = vo.sia("%s/vo-sia/api/v0.1/query?%s")
    ]]):format(archive.url, arguments or "", archive.url, arguments or "") .. body, archive:host())
  end

  it("tells its version and has one name for what both versions give", function()
    archive = practice.start("")
    local code, out, err = run([[
      local a, b = one:query { region = here, format = "image/fits" }, two:query { region = here }
      ctx:log(one:protocol() .. " " .. two:protocol() .. " " .. #a .. " " .. #b)
      for _, name in ipairs { "access_url", "access_format", "s_ra", "s_dec", "em_min",
        "instrument_name" } do
        assert(#a:column(name) == #a and #b:column(name) == #b, name)
      end
      assert(a:field("s_ra").unit == "deg" and b:field("s_ra").unit == "deg")
      local links = b:where { access_format = "*content=datalink*" }
      return "links " .. #links .. " of " .. #b]])
    assert.equal(0, code, err)
    assert.is_truthy((out .. err):find("links 8 of", 1, true), out .. err)
  end)

  it("selects by relation, region and constraint", function()
    archive = practice.start("")
    local code, out, err = run([[
      local n = {}
      for i, how in ipairs { "overlaps", "covers", "enclosed", "center" } do
        n[i] = #one:query { region = here, intersect = how, format = "image/fits" }
      end
      assert(n[2] < n[1] and n[3] < n[1] and n[4] < n[1] and n[2] > 0 and n[3] > 0, n[4])
      local box = two:query { region = sky.box(210.7, 210.9, 54.3, 54.4), collection = "HST" }
      assert(#box > 0)
      assert(#two:query { region = here, collection = { "HST", "PS1" },
        band = { min = 5e-7, max = 6e-7 } } < #two:query { region = here })
      local poly = two:query { collection = "HST",
        region = sky.parse("POLYGON 210.7 54.3 210.9 54.3 210.9 54.4 210.7 54.4") }
      return "boxes " .. #box .. " " .. #poly]])
    assert.equal(0, code, err)
    assert.is_truthy(out:find("boxes"), out)
  end)

  it("is an error when it cuts, with what helps", function()
    for _, flag in ipairs({ "first", "last" }) do
      archive = practice.start("--row-cap 20")
      for _, asked in ipairs({ "one:query { region = here }",
        "two:query { region = here, time = { min = 40000, max = 70000 } }" }) do
        local code, _, err = run("return " .. asked, "flag=" .. flag)
        assert.equal(7, code, err)
        assert.is_truthy(err:find('intersect = "center"', 1, true), err)
      end
      archive:stop()
    end
  end)

  it("gives every image of a region once past its limit, by times", function()
    local regions = { "sky.circle(210.8, 54.35, 0.1)", "sky.box(210.7, 210.9, 54.3, 54.4)" }
    local whole = {}
    for _, how in ipairs({ "", "flag=first", "flag=last", "flag=none" }) do
      archive = practice.start(how ~= "" and "--row-cap 20")
      for i, region in ipairs(regions) do
        local code, out, err = run(([[
          if %q == "flag=none" then
            two = vo.sia(two.url, { limit = 20 })
          end
          local rows = two:query { region = %s }
          local list = rows:list "access_url"
          for k = 1, #list do
            list[k] = list[k]:match("uri=(.*)$") or list[k]:match("[^/]*$")
          end
          table.sort(list)
          return #list .. " " .. table.concat(list, "|")]]):format(how, region), how)
        assert.equal(0, code, err)
        whole[i] = whole[i] or out
        assert.equal(whole[i], out, how)
        assert.is_true(tonumber(out:match("(%d+)")) > 20, out)
      end
      archive:stop()
    end
  end)

  it("gives every image of a region once past a limit that nobody tells", function()
    local counts = {}
    for i, cap in ipairs({ "500000", "1000" }) do
      archive = practice.start("--row-cap " .. cap)
      local code, out, err = run([[
        return "images " .. #two:query { region = sky.circle(210.8, 54.35, 5) }]], "flag=none")
      assert.equal(0, code, err)
      counts[i] = tonumber(out:match("images (%d+)"))
      archive:stop()
    end
    assert.is_true(counts[1] > 1000, counts[1])
    assert.equal(counts[1], counts[2])
  end)

  it("is an error with a limit's number of rows unless the service tells its cuts", function()
    archive = practice.start("--row-cap 1000")
    local wide = "region = sky.circle(210.8, 54.35, 5)"
    for _, asked in ipairs({ "one:query { %s }", "two:query { %s, time = { min = 4e4 } }" }) do
      local code, _, err = run("return " .. asked:format(wide), "flag=none")
      assert.equal(7, code, err)
      assert.is_truthy(err:find("1000 rows came, a usual limit", 1, true), err)
      assert.is_truthy(err:find("vo.sia(url, { limit = n })", 1, true), err)
    end
    local code, _, err = run("return two:query { region = here, maxrec = 5 }", "flag=none")
    assert.equal(7, code, err)
    assert.is_truthy(err:find("5 rows came, as many as asked for", 1, true), err)
    code, _, err = run(([[
      local always = { min = 40000, max = 70000 }
      local n = #two:query { region = here }
      assert(#two:query { region = here, maxrec = n } == n)
      local known = vo.sia("%s/vo-sia/api/v0.1/query?flag=none", { limit = n + 1 })
      assert(#known:query { region = here, time = always } == n)
      vo.sia("%s/vo-sia/api/v0.1/query?flag=none", { limit = n }):query { region = here,
        time = always }]]):format(archive.url, archive.url))
    assert.equal(7, code, err)
    assert.is_truthy(err:find("as many as one answer holds", 1, true), err)
  end)

  it("gives every centre once past its limit", function()
    local answers = {}
    -- Version 2 knows no centres: what touches one point is split by the start of exposure.
    for _, asked in ipairs({ { 1, "one" }, { 1, "two" }, { 2, "one", 20 }, { 2, "two", 20 } }) do
      local i, name, cap = table.unpack(asked)
      archive = practice.start(cap and "--row-cap " .. cap)
      local code, out, err = run(([[
        local rows = %s:query { region = sky.circle(210.8, 54.35, 0.3), intersect = "center",
          format = "image/fits" }
        local list = {}
        for url in pairs(rows:list "access_url") do
          list[#list + 1] = rows:get(url, "access_url"):match("uri=(.*)$") or "link"
        end
        table.sort(list)
        return #list .. " " .. table.concat(list, "|")]]):format(name))
      assert.equal(0, code, err)
      answers[i] = answers[i] or {}
      answers[i][name] = out
      archive:stop()
    end
    assert.same(answers[1], answers[2])
    assert.is_true(tonumber(answers[1].one:match("(%d+)")) > 20, answers[1].one)
  end)

  it("describes its parameters", function()
    archive = practice.start("")
    local code, out, err = run("return one:parameters()")
    assert.equal(0, code, err)
    assert.is_truthy(out:find("SIZE", 1, true), out)
  end)

  it("refuses in its own words or before it is asked", function()
    archive = practice.start("")
    for body, words in pairs({
      ['two:query { region = sky.circle(10, 0, 100) }'] = "POS is not CIRCLE",
      ['two:query { region = here, colection = "HST" }'] = "did you mean collection",
      ['one:query { region = here, collection = "HST" }'] = "give the rest in where",
      ['one:query { region = here, where = { s_raa = 1 } }'] = 'nearest: "s_ra"',
      ['two:query { region = here, band = "blue" }'] = "band is a number",
    }) do
      local code, _, err = run("return " .. body)
      assert.is_true(code ~= 0, body)
      assert.is_truthy(err:find(words, 1, true), err)
    end
    archive:stop()
    archive = practice.start("--faults html")
    local code, _, err = run("one.version = 1; return one:query { region = here }")
    assert.is_true(code ~= 0)
    assert.is_truthy(err:find("HTML", 1, true), err)
  end)
end)
