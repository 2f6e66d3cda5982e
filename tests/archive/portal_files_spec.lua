-- SPDX-License-Identifier: BSD-3-Clause
-- The portal's files against the practice archive: stored results, exported tables, columns without
-- a value; and its older services by name.

package.path = assert(os.getenv("HALYARD_SOURCE")) .. "/tests/archive/?.lua;" .. package.path
local practice = require("practice")

describe("the portal", function()
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

  local function run(body)
    return archive:try(folder, "portal-files", [[
    local at = { ra = 201.697, dec = -47.4795, radius = 0.02 }
    ]] .. body)
  end

  local function passes(body)
    local code, _, err = run(body)
    assert.equal(0, code, err)
  end

  local function fails(code, words, body)
    local got, _, err = run(body)
    assert.equal(code, got, err)
    assert.is_truthy(err:find(words, 1, true), err)
  end

  it("stores results of any service in files, each row there", function()
    archive = practice.start("")
    passes([[
      for name, params in pairs({ ["Mast.Catalogs.GaiaDR3.Cone"] = at, ["Mast.Caom.Cone"] = at,
        ["Mast.Catalogs.Plato.Cone"] = { ra = at.ra, dec = at.dec, radius = 0.2 } }) do
        local rows = mast.service(name, params)
        for _, ending in ipairs(name:find("Plato") and { "csv", "vot", "json" } or { "csv" }) do
          local file = mast.store(name, params, { into = name .. "." .. ending })
          assert(file.rows == #rows and file.rows > 5 and file.bytes > 100, name)
          assert(file.verified:find(ending == "json" and "is not read" or "equal to", 1, true))
        end
      end]])
    local json = practice.read(folder .. "/out/Mast.Catalogs.Plato.Cone.json")
    assert.is_truthy(json:find('^{"status":"COMPLETE"'), json:sub(1, 60))
    archive:stop()
    archive = practice.start("--faults executing=1")
    passes([[assert(mast.store("Mast.Caom.Cone", at, { into = "later.csv" }).rows > 5)]])
  end)

  it("writes uploaded tables to files", function()
    archive = practice.start("")
    passes([[
      local rows = halyard.table.from_rows({ { id = 9007199254740993, ra = 10.25,
        name = 'a "b", c' }, { id = 2, name = "<d>" }, { id = 3, ra = -1e-7, name = "e" } },
        { "id", "ra", "name" })
      for _, into in ipairs { "list.csv", "deeper/list.vot" } do
        local file = mast.export(rows, { into = into })
        assert(file.rows == 3 and file.verified == "equal to the archive's count")
        local back = halyard.table.read(into)
        assert(back:encode("csv", {}) == rows:encode("csv", {}), back:encode("csv", {}))
      end]])
  end)

  it("leaves columns without a value out when asked to", function()
    archive = practice.start("")
    passes([[
      local function filter(name, value)
        return { { paramName = name, values = { value } } }
      end
      for name, params in pairs({
        ["Mast.Caom.Cone"] = at,
        ["Mast.Catalogs.Tgas.Cone"] = { ra = 56.75, dec = 24.12, radius = 2 },
        ["Mast.Catalogs.Filtered.Tic.Position.Rows"] = { columns = "*", ra = at.ra, dec = at.dec,
          radius = 0.2, filters = filter("Tmag", { min = 5, max = 12 }) },
        ["Mast.Caom.Filtered.Position"] = { columns = "*", filters = filter("obs_collection",
          "HST"), position = "201.697, -47.4795, 0.05" },
      }) do
        local all = mast.service(name, params)
        local few = mast.service(name, params, { drop_empty = true, pagesize = 7 })
        assert(#all == #few and #all > 7, name)
        local wanted, is = {}, {}
        for _, column in ipairs(all.columns) do
          wanted[#wanted + 1] = all:column(column):nulls() < #all and column or nil
        end
        for i, column in ipairs(few.columns) do is[i] = column end
        table.sort(wanted)
        table.sort(is)
        assert(table.concat(wanted, " ") == table.concat(is, " "), name)
        if name:find("Caom") then assert(#few.columns < #all.columns) end
      end]])
  end)

  it("reaches its older services by their names", function()
    archive = practice.start("")
    passes([[
      local found = mast.service("Vo.Hesarc.DatascopeListable", at)
      assert(#found == 3) -- the first answer holds one, and says EXECUTING
      for _, row in found:rows() do
        assert(#mast.service("Vo.Generic.Table", { url = row.tableURL }) == row.hits)
        local base = row.tableURL:match("^[^?]+")
        assert(#mast.service("Vo.Generic.Cone", { url = base, ra = at.ra, dec = at.dec,
          radius = at.radius }) == row.hits)
      end
      for _, name in ipairs { "Vo.Hesarc.Datascope", "Vo.Generic.Siap", "Vo.Inventory.Cone",
        "Vo.Inventory2.DrillDown", "Vo.Galex.Cone", "Vo.Galex.Siap", "Vo.Hla.Cone", "Vo.Caom.Tap",
        "Caom.Cone.Votable", "Mast.Galex.Tile", "Mast.Catalogs.DiskDetective.Cone" } do
        assert(#mast.service(name, { ra = at.ra, dec = at.dec, radius = 0.3 }) > 0, name)
      end
      local projects = mast.service("Mast.Hlsp.Project", {})
      assert(#mast.service("Mast.Hlsp.Products", { id = projects[1].id }) > 0)]])
    fails(4, "(404) Not Found", [[mast.service("Vo.Generic.Table",
      { url = "http://elsewhere.example/x?RA=1" })]])
  end)

  it("stores nothing that is wrong or unasked", function()
    archive = practice.start("")
    fails(4, "Invalid column name 'nothing'", [[mast.store("Mast.Catalogs.Filtered.Tic.Rows",
      { columns = "nothing" }, { into = "x.csv" })]])
    fails(2, "did you mean csv", [[mast.store("Mast.Caom.Cone", at, { into = "x.csw" })]])
    fails(2, "into is the name", [[mast.store("Mast.Caom.Cone", at)]])
    fails(2, "takes a table with rows", [[mast.export({}, { into = "x.csv" })]])
    fails(8, "at most 100000 rows", [[
      local rows = {}
      for i = 1, 100001 do rows[i] = { a = i } end
      mast.export(halyard.table.from_rows(rows, { "a" }), { into = "x.csv" })]])
    fails(4, "the exporter writes", [[mast.export(halyard.table.from_rows({ { a = 1 } }, { "a" }),
      { into = "x.json" })]])
    archive:stop()
    archive = practice.start("--faults stored-cap=5")
    fails(7, "holds 5 rows, the archive has", [[mast.store("Mast.Catalogs.GaiaDR3.Cone", at,
      { into = "x.csv" })]])
  end)
end)
