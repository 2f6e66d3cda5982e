-- SPDX-License-Identifier: BSD-3-Clause
-- Answers without rows: their columns have the types that they have with rows, so that what comes
-- from many places can be put together.

package.path = assert(os.getenv("HALYARD_SOURCE")) .. "/tests/archive/?.lua;" .. package.path
local practice = require("practice")

describe("an answer without rows", function()
  local archive, folder

  setup(function()
    archive, folder = practice.start(""), practice.folder()
  end)

  teardown(function()
    archive:stop()
    practice.remove(folder)
  end)

  -- Who is asked, and around which place there is something.
  local doors = {
    ["the portal"] = { 'mast.catalog("Gaia DR3")', "52.5, -27.4" },
    ["the portal's GALEX"] = { 'mast.catalog("GALEX")', "210.8, 54.35" },
    ["the classic forms"] = { 'mast.classic("HST")', "210.8, 54.35" },
    ["the classic catalogues"] = { 'mast.classic("KIC")', "290, 44.35" },
    ["Catalogs.MAST"] = { 'mast.catalog("Pan-STARRS DR2 mean", { via = "catalogs" })',
      "210.8, 54.35" },
    ["guide stars"] = { 'mast.catalog("GSC 2.3", { via = "gsss" })', "52.5, -27.4" },
    ["cone searches"] = { 'vo.cone(base .. "/scs/tic?")', "52.5, -27.4" },
    TAP = { 'mast.tap("gaiadr3"):table("gaia_source")', "52.5, -27.4" },
    ["image services"] = { 'vo.sia(base .. "/vo-sia/api/v0.1/query", { version = 2 })',
      "210.8, 54.35", 'collection = "none"' },
    spectra = { 'vo.ssa(base .. "/ssap/search2.php?")', "210.8, 54.35" },
  }

  for name, door in pairs(doors) do
    it("has the types of one with rows: " .. name, function()
      local code, out, err = archive:try(folder, "empty", ([[
        local base = %q
        local door = %s
        local function rows(options)
          local got = door:query(options)
          return type(got) == "table" and got.table or got
        end
        local full = rows { region = sky.circle(%s, 0.1) }
        local none = rows { region = sky.circle(15, -88.123, 1e-7), %s }
        assert(#full > 0 and #none == 0, #full .. " and " .. #none)
        for _, column in ipairs(full.columns) do
          local a, b = full:field(column), none:field(column)
          assert(a.type == b.type and a.unit == b.unit and a.ucd == b.ucd,
            column .. ": " .. a.type .. " " .. b.type)
        end
        assert(#halyard.table.concat { full, none } == #full)]]):format(archive.url, door[1],
        door[2], door[3] or ""), '"mast", ' .. archive:host())
      assert.equal(0, code, err .. out)
    end)
  end
end)
