-- SPDX-License-Identifier: BSD-3-Clause
-- The MAST portal against the practice archive: its catalogues, observations past the row limit,
-- crossmatch, keywords, bundles, help, and its ways to refuse.

package.path = assert(os.getenv("HALYARD_SOURCE")) .. "/tests/archive/?.lua;" .. package.path
local json = require("halyard.json")
local practice = require("practice")

describe("the portal", function()
  local archive, folder

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
    practice.remove(folder)
  end)

  -- Runs `body` as the run function of a workflow; gives what it returns, as JSON.
  local function run(body, on)
    return (on or archive):try(folder, "portal", [[
    local near = sky.circle(201.697, -47.4795, 0.005)
    ]] .. body, nil, "--json")
  end

  local function gives(body, on)
    local code, out, err = run(body, on)
    assert.equal(0, code, err)
    return json.decode(out)
  end

  local function refuses(expected, text, body, on)
    local code, _, err = run(body, on)
    assert.equal(expected, code, err)
    assert.is_truthy(err:find(text, 1, true), err)
  end

  local function same_ids(catalog, region, column)
    practice.dump_ids(catalog, region, folder .. "/truth")
    assert(os.execute(("cut -d, -f%d %s/out/rows.csv | tail -n +2 | LC_ALL=C sort > %s/got")
      :format(column or 1, folder, folder)))
    assert.is_true(practice.same(folder .. "/truth", folder .. "/got"))
    return tonumber(practice.shell("wc -l < " .. folder .. "/got"))
  end

  it("has the releases of Gaia with the same stars", function()
    local all = gives [[
      local out = {}
      for _, name in ipairs { "Gaia DR1", "Gaia DR2", "TGAS" } do
        local q = mast.catalog(name):query { region = near }
        out[name] = #q.table
        if name == "Gaia DR1" then q.table:write("rows.csv") end
      end
      out.tgas = #mast.catalog("TGAS"):query { region = sky.circle(56.75, 24.12, 0.5) }.table
      return out]]
    assert.equal(all["Gaia DR1"], same_ids("Gaia DR3", "CIRCLE 201.697 -47.4795 0.005"))
    assert.equal(all["Gaia DR1"], all["Gaia DR2"])
    assert.is_true(all.tgas > 0)
  end)

  it("tells key, position and units of every table, listed by the archive or not", function()
    local got = gives [[
      local out = { lacking = {}, tables = 0 }
      local function expect(what, rows, columns)
        out.tables = out.tables + 1
        for name, told in pairs(columns) do
          local field = rows:field(name)
          if field.unit .. " " .. field.ucd ~= told then
            out.lacking[#out.lacking + 1] = ("%s %s: %s %s"):format(what, name, field.unit,
              field.ucd)
          end
        end
      end
      local id = " meta.id;meta.main"
      local ra, dec = "deg pos.eq.ra;meta.main", "deg pos.eq.dec;meta.main"
      for name, columns in pairs {
        ["Gaia DR1"] = { source_id = id, ra = ra, dec = dec },
        TGAS = { source_id = id, ra = ra, dec = dec }, TIC = { ID = id, ra = ra, dec = dec },
        ["HSC v3"] = { MatchID = id, MatchRA = ra, MatchDec = dec, DSigma = "mas ",
          StopMJD = "d " },
        GALEX = { objID = id, ra = ra, dec = dec },
        PLATO = { PICidDR1 = id, RAdeg = ra, DEdeg = dec },
      } do
        expect(name, mast.catalog(name):query { region = near }.table, columns)
      end
      for _, row in mast.columns("Gaia DR1"):rows() do
        out[row.name] = row.unit .. " " .. row.ucd
      end
      expect("WFC3", mast.catalog("WFC3 PSF IR"):query { where = { id = 7 } }.table, { id = id })
      local match = mast.catalog("HSC"):query { region = near }.table[1].MatchID
      expect("matches", mast.hsc_matches(match),
        { SourceRA = ra, SourceDec = dec, MatchRA = "deg " })
      expect("spectra", mast.hsc_spectra(), { RA = ra, Dec = dec })
      local own = halyard.table.from_rows({ { ra = 201.697, dec = -47.4795 } }, { "ra", "dec" })
      for name, columns in pairs {
        observations = { ra = ra, dec = dec, s_ra = "deg pos.eq.ra",
          t_exptime = "s time.duration;obs.exposure" },
        ["Gaia DR1"] = { ra_2 = "deg pos.eq.ra", dec_2 = "deg pos.eq.dec" },
        HSC = { ra = ra, MatchRA = "deg pos.eq.ra", StartMJD = "d " },
      } do
        local rows = mast.crossmatch(own, name, { radius = "20 arcsec" })
        columns.sep_deg = "deg pos.angDistance"
        expect("match " .. name, rows, columns)
      end
      return out]]
    assert.same({}, got.lacking)
    assert.equal(12, got.tables)
    assert.equal("deg pos.eq.ra;meta.main", got.ra)
    assert.equal(" meta.id;meta.main", got.source_id)
  end)

  it("has the Hubble Source Catalog: summary, matches, spectra with their files", function()
    local got = gives [[
      local three = mast.catalog("HSC"):query { region = near }.table
      local two = mast.catalog("HSC v2"):query { region = near }.table
      local many = mast.catalog("HSC"):query { region = near, min_images = 5 }.table
      local auto = mast.catalog("HSC"):query { region = near, magnitudes = "auto",
        where = { NumImages = ">=5" }, columns = { "A_F606W" } }.table
      local match = mast.hsc_matches(three:get(1, "MatchID"))
      local spectra = mast.hsc_spectra()
      local files = retrieve.products(spectra:head(2), { dir = "spectra" }):check()
      return { three = #three, two = #two, many = #many, auto = #auto, columns = #auto.columns,
        fewest = many:column("NumImages"):min(), unit = three:field("MatchRA").unit or "",
        images = three:get(1, "NumImages"), detections = #match, files = #files,
        ra_unit = match:field("SourceRA").unit, spectra = #spectra }]]
    assert.is_true(got.three > got.two and got.two > 10)
    assert.is_true(got.many < got.three and got.fewest == 5)
    assert.equal(got.many, got.auto)
    assert.equal(4, got.columns)
    assert.equal(got.images, got.detections)
    assert.equal("deg", got.ra_unit)
    assert.equal(2, got.files)
    assert.is_true(got.spectra > 10)
    refuses(2, "min_images", [[
      return mast.catalog("HSC"):query { region = near, min_images = 0 }]])
    refuses(2, "MatchID", [[return mast.hsc_matches("99 ")]])
    assert.is_false((run [[return mast.hsc_matches(99)]]) == 0)
  end)

  it("has PLATO and Disk Detective stars, counted and selected at the archive", function()
    local got = gives [[
      local region = sky.circle(201.697, -47.4795, 0.1)
      local disks = mast.catalog "Disk Detective"
      local where = { classifiers = "10..20" }
      local rows = disks:query { region = region, where = where }
      local box = disks:query { region = sky.box(201.5, 201.9, -47.6, -47.4) }
      return { plato = #mast.catalog("PLATO"):query { region = region }.table,
        all = disks:count { region = region },
        count = disks:count { region = region, where = where },
        rows = #rows.table, least = rows.table:column("classifiers"):min(),
        box = #box.table, verified = box.verified }]]
    assert.is_true(got.plato > 5)
    assert.equal(got.count, got.rows)
    assert.is_true(got.count < got.all and got.least >= 10)
    assert.is_true(got.box > 5)
    assert.equal("equal to the archive's count", got.verified)
  end)

  it("asks for a table without positions in portions, each row once", function()
    local got = gives [[
      local psf = mast.catalog "WFC3 PSF UVIS"
      local where = { filter = { "F606W", "F814W" } }
      local whole = psf:query { where = where }
      local parts = psf:query { where = where, row_limit = 300, columns = { "filter" } }
      local ir = mast.catalog("WFC3 PSF IR"):query { where = { filter = "F160W" } }
      return { ir = #ir.table, whole = #whole.table, parts = #parts.table,
        ids = #parts.table:unique("id"), count = psf:count { where = where },
        verified = parts.verified }]]
    assert.equal(2000, got.whole)
    assert.equal(2000, got.parts)
    assert.equal(2000, got.ids)
    assert.equal(2000, got.count)
    assert.equal(1000, got.ir) -- under the service's other name
    refuses(2, "has no positions", [[return mast.catalog("WFC3 PSF IR"):query { region = near }]])
  end)

  it("gives observations past its limit each once, in a circle and by criteria", function()
    local small = practice.start("--row-cap 2500")
    finally(function()
      small:stop()
    end)
    local got = gives([[
      local circle = sky.circle(201.697, -47.4795, 0.1)
      local rows = mast.observations { region = circle }
      local again = mast.observations { region = circle, row_limit = 20 }
      rows:select({ "objID", "sep_deg" }):write("rows.csv")
      local where = { obs_collection = "JWST" }
      local filtered = mast.observations { where = where }
      return { rows = #rows, again = #again, count = mast.count { region = circle },
        unit = rows:field("sep_deg").unit, most = rows:column("sep_deg"):max(),
        filtered = #filtered, n = mast.count { where = where },
        once = #filtered:unique("objID") }]], small)
    assert.is_true(got.count > 20)
    assert.equal(got.count, got.rows)
    assert.equal(got.count, got.again)
    assert.equal("deg", got.unit)
    assert.is_true(got.most > 0 and got.most <= 0.1)
    local truth = practice.shell(("%s --dump observations --region 'CIRCLE 201.697 -47.4795 0.1'")
      :format(practice.quote(os.getenv("HALYARD_BIN") .. "/halyard-practice")))
    local seen = 0
    for line in practice.read(folder .. "/out/rows.csv"):gmatch("\n(%d+),") do
      assert.is_truthy(truth:find("%f[%d]" .. line .. "%f[%D]"), line)
      seen = seen + 1
    end
    assert.equal(select(2, truth:gsub("\n", "")) - 1, seen)
    assert.is_true(got.n > 5000)
    assert.equal(got.n, got.filtered)
    assert.equal(got.n, got.once)
  end)

  it("tells files of JWST by keyword with their observations", function()
    local got = gives [[
      local where = { targname = "NGC 5139", productLevel = { "2b", "3" } }
      local rows = mast.jwst_keywords { instrument = "NIRCam", where = where, observations = true }
      local obs = rows:unique("obsid")
      local files = mast.products(obs:list("obsid"))
      local names = {}
      for _, name in ipairs(files:list("productFilename")) do names[name] = true end
      local found = 0
      for _, name in ipairs(rows:list("filename")) do found = found + (names[name] and 1 or 0) end
      local others = {}
      for _, instrument in ipairs { "NIRISS", "NIRSpec", "MIRI" } do
        others[instrument] = #mast.jwst_keywords { instrument = instrument,
          where = { instrume = instrument:upper(), productLevel = "3" } }
      end
      return { rows = #rows, obs = #obs, found = found, mjd = rows:get(1, "date_mjd"),
        others = others,
        ends = rows:get(1, "date_end_mjd") }]]
    assert.equal(got.rows, got.found)
    assert.is_true(got.rows > 0 and got.obs * 2 == got.rows)
    assert.is_true(math.abs(got.mjd - got.ends) < 1e-6)
    for instrument, n in pairs(got.others) do
      assert.is_true(n > 100, instrument)
    end
    refuses(2, "did you mean targname", [[
      return mast.jwst_keywords { instrument = "MIRI", where = { targnam = "x" } }]])
    refuses(2, "did you mean NIRCam", [[
      return mast.jwst_keywords { instrument = "NIRCm", where = { targname = "x" } }]])
  end)

  it("matches an uploaded list with a catalogue, in parts where the answer is too long", function()
    local small = practice.start("--row-cap 100")
    finally(function()
      small:stop()
    end)
    local body = [[
      local region = sky.circle(52.5, -27.4, 0.4)
      local stars = mast.catalog("TIC"):query { region = region }.table:head(150)
      local pairs_ = mast.crossmatch(stars, "Gaia DR3", { radius = "2 arcsec" })
      local own = 0
      for _, row in pairs_:rows() do own = own + (row.GAIA == row.source_id and 1 or 0) end
      return { stars = #stars, pairs = #pairs_, own = own, most = pairs_:column("sep_deg"):max(),
        left = #mast.crossmatch(stars, "TGAS", { radius = "1 arcsec", how = "left" }) }]]
    local whole, parts = gives(body), gives(body, small)
    assert.same(whole, parts)
    assert.equal(whole.stars, whole.own)
    assert.is_true(whole.pairs > 100 and whole.most <= 2 / 3600 + 1e-9)
    assert.is_true(whole.left >= whole.stars)
    refuses(2, "did you mean", [[
      return mast.crossmatch(halyard.table.from_rows({ { ra = 1, dec = 2 } }, { "ra", "dec" }),
        "Gaia DR4")]])
    refuses(2, "no column holds the ra", [[
      return mast.crossmatch(halyard.table.from_rows({ { a = 1 } }, { "a" }), "TIC")]])
  end)

  it("matches with every catalogue that it offers", function()
    local got = gives [[
      local stars = mast.catalog("TIC"):query { region = near }.table:head(20)
      local out = {}
      for _, name in ipairs { "observations", "GALEX", "SDSS", "2MASS", "HSC", "HSC auto",
        "Gaia DR1", "Gaia DR2", "TGAS", "TIC", "CTL" } do
        out[name] = #mast.crossmatch(stars, name, { radius = "20 arcsec" })
      end
      return out]]
    for name, n in pairs(got) do
      assert.is_true(n > 0, name)
    end
  end)

  it("answers any service by its name, in every format", function()
    local got = gives [[
      local out = {}
      for _, format in ipairs { "json", "extjs", "csv", "votable" } do
        local rows = mast.service("Mast.Catalogs.Plato.Cone",
          { ra = 201.697, dec = -47.4795, radius = 0.05 }, { format = format })
        out[format] = { #rows, rows:column("Vmag"):min() }
      end
      out.paged = #mast.service("Mast.Catalogs.Plato.Cone",
        { ra = 201.697, dec = -47.4795, radius = 0.05 }, { pagesize = 3 })
      return out]]
    for _, format in ipairs({ "extjs", "csv", "votable" }) do
      assert.same(got.json, got[format], format)
    end
    assert.equal(got.json[1], got.paged)
    local code, _, err = run([[return mast.service("Mast.Nothing", {})]])
    assert.equal(4, code, err)
    assert.is_truthy(err:find("Unable to Find Service Adaptor", 1, true), err)
    refuses(4, "Invalid column name 'nothing'", [[
      return mast.service("Mast.Catalogs.Filtered.Wfc3.Ir", { columns = "nothing" })]])
    refuses(2, "did you mean csv", [[return mast.service("Mast.X", {}, { format = "csw" })]])
    refuses(6, "401", [[return mast.service("Mast.Caom.Filtered.JwstOps", { columns = "*",
      filters = { { paramName = "obs_collection", values = { "JWST" } } } })]])
  end)

  it("tells missions, columns and the values of columns", function()
    local got = gives [[
      return { missions = mast.missions(), n = #mast.columns("observations"),
        products = #mast.columns("products"), tic = #mast.columns("TIC"),
        values = mast.values("observations", "obs_collection"):get(1, "value"),
        types = #mast.values("TIC", "objType") }]]
    assert.same({ "GALEX", "HLSP", "HST", "JWST", "PS1", "TESS" }, got.missions)
    assert.is_true(got.n > 30 and got.products > 15 and got.tic > 20)
    assert.equal("PS1", got.values)
    assert.equal(2, got.types)
    refuses(2, "did you mean objType", [[return mast.values("TIC", "objTyp")]])
    refuses(2, "unknown column of observations with values: t_min; known: obs_collection",
      [[return mast.values("observations", "t_min")]])
    refuses(2, "lists no values of designation in Disk Detective",
      [[return mast.values("Disk Detective", "designation")]])
    refuses(2, "unknown table with values", [[return mast.values("Gaia DR3", "ra")]])
  end)

  it("splits observations of one place by start and length of exposure", function()
    local got = gives [=[
      local region = sky.circle(148.66071429, 69.42254649, 0.1)
      local where = { obs_collection = "PS1" }
      local whole = mast.observations { region = region, where = where }
      local parts = mast.observations { region = region, where = where, row_limit = 4 }
      local places = {}
      for i = 1, #whole do
        local at = whole:get(i, "s_ra") .. " " .. whole:get(i, "s_dec")
        places[at] = (places[at] or 0) + 1
      end
      local most = 0
      for _, n in pairs(places) do
        most = math.max(most, n)
      end
      local a, b = whole:list("objID"), parts:list("objID")
      table.sort(a)
      table.sort(b)
      return { whole = table.concat(a, " "), parts = table.concat(b, " "), most = most }]=]
    assert.is_true(got.most > 4, got.most)
    assert.equal(got.whole, got.parts)
  end)

  it("tells the histograms of catalogues", function()
    local got = gives [=[
      local out = {}
      for _, pair in ipairs { { "TIC", "objType" }, { "TIC", "Tmag" }, { "TIC", "lumclass" },
        { "Disk Detective", "oval" }, { "Disk Detective", "state" } } do
        local values = mast.values(pair[1], pair[2])
        local sum = 0
        for _, row in values:rows() do
          assert(row.count >= 0)
          sum = sum + row.count
        end
        out[pair[2]] = { n = #values, sum = sum, first = values:get(1, values.columns[1]),
          last = values:get(#values, values.columns[1]) }
      end
      return out]=]
    -- The TIC: 35 % of 943 million stars, in ten bins from the brightest to G < 19.6.
    assert.equal(10, got.Tmag.n)
    assert.is_true(math.abs(got.Tmag.sum / (0.35 * 943069440) - 1) < 0.05, got.Tmag.sum)
    assert.is_true(got.Tmag.first < 8 and got.Tmag.last > 16, got.Tmag.last)
    -- Each bin is rounded.
    assert.same({ 2, 2, 2, 10 }, { got.objType.n, got.lumclass.n, got.state.n, got.oval.n })
    assert.is_true(math.abs(got.objType.sum - got.Tmag.sum) < 20)
    assert.is_true(got.state.sum > 3e5 and math.abs(got.state.sum - got.oval.sum) < 20)
  end)

  it("refuses missions that do not exist instead of telling that they saw nothing", function()
    for _, call in ipairs({ "observations", "count" }) do
      refuses(2, "unknown mission (obs_collection): JWTS; did you mean JWST?",
        ("return mast.%s { where = { obs_collection = { 'hst', 'JWTS' }, t_min = '1..2' } }")
          :format(call))
    end
    assert.equal(0, gives [[
      return { n = mast.count { where = { obs_collection = "HST", t_min = "1..2" } }
        + mast.count { where = { obs_collection = "X*" } } }]].n)
  end)

  it("bundles files as zip, tar.gz and script, at once or by request", function()
    local got = gives [[
      local circle = sky.circle(201.697, -47.4795, 0.02)
      local obs = mast.observations { region = circle, where = { obs_collection = "JWST" } }
      local files = select.products(mast.products(obs), { minimum = true })
      local out = { files = #files }
      for _, format in ipairs { "zip", "tar.gz", "sh" } do
        mast.bundle(files, { format = format, name = "at-once" })
        mast.bundle(files, { format = format, name = "by-request", via = "request" })
      end
      return out]]
    local at = practice.quote(folder .. "/out")
    assert.is_true(got.files > 0)
    for _, name in ipairs({ "at-once", "by-request" }) do
      local zip = practice.shell(("cd %s && unzip -tq %s.zip; unzip -l %s.zip"):format(at, name,
        name))
      assert.is_truthy(zip:find("No errors detected", 1, true), zip)
      assert.equal(got.files, select(2, zip:gsub("%.fits", "")))
      local tar = practice.shell(("cd %s && tar tzf %s.tar.gz"):format(at, name))
      assert.equal(got.files, select(2, tar:gsub("[^\n]*%.fits", "")))
      local sh = practice.read(("%s/out/%s.sh"):format(folder, name))
      assert.equal(got.files, select(2, sh:gsub("\ncurl ", "")))
    end
    refuses(3, "left 1 of 1 files out", [[
      return mast.bundle({ "mast:HST/product/none.fits" }, { via = "request" })]])
    for _, format in ipairs({ "zip", "tar.gz" }) do
      refuses(3, ("left 1 of 4 files out of short.%s: mast:HST/product/none.fits"):format(format),
        ([[
        local files = mast.products(mast.observations { region =
          sky.circle(201.697, -47.4795, 0.02), where = { obs_collection = "HST" } })
        local uris = files:where({ dataRights = "PUBLIC" }):list("dataURI")
        uris = { uris[1], uris[2], "mast:HST/product/none.fits", uris[3] }
        return mast.bundle(uris, { format = %q, name = "short" })]]):format(format))
    end
    refuses(2, "did you mean zip", [[return mast.bundle({ "mast:X" }, { format = "zp" })]])
  end)

  it("is an error when it sends a page, a database's words, or rows that do not add up",
    function()
      for faults, text in pairs({ html = "HTML", error = "deadlocked",
        ["bad-extjs"] = "Object reference not set" }) do
        local faulty = practice.start("--faults " .. faults)
        local code, _, err = run([[return mast.service("Mast.Caom.Cone",
          { ra = 1, dec = 1, radius = 0.1 })]], faulty)
        faulty:stop()
        assert.equal(4, code, err)
        assert.is_truthy(err:find(text, 1, true), err)
      end
      local cut = practice.start("--faults silent-cap=5")
      local code, _, err = run([[return mast.observations { region = near }]], cut)
      cut:stop()
      assert.equal(7, code, err)
    end)

  it("refuses unknown criteria before it asks for rows", function()
    refuses(2, "did you mean obs_collection", [[
      return mast.count { where = { obs_colection = "HST" } }]])
    refuses(2, "takes a circle", [[
      return mast.observations { region = sky.box(1, 2, 3, 4) }]])
    refuses(2, "needs a region", [[return mast.observations {}]])
    refuses(2, "did you mean count", [[return mast.count_observations {}]])
    refuses(2, "takes a table of options { via = ... }, not a number",
      [[return mast.catalog("TIC", 5)]])
  end)
end)
