-- SPDX-License-Identifier: BSD-3-Clause
-- Faults at every door: a page of HTML and an answer that is cut again and again are errors that
-- say so, never a table and never a file; a 503 with Retry-After and one cut are asked for again.

package.path = assert(os.getenv("HALYARD_SOURCE")) .. "/tests/archive/?.lua;" .. package.path
local practice = require("practice")

practice.environment = "CASJOBS_WSID=1001 CASJOBS_USERID=practice CASJOBS_PW=practice"

-- What the questions below use; `base` is the archive's address.
local words = [[
local spot = { ra = 201.697, dec = -47.4795, radius = 0.02 }
local field, here = sky.circle(201.697, -47.4795, 0.02), sky.circle(210.8, 54.35, 0.1)
local function files(n)
  return mast.products(mast.observations { region = field, where = { obs_collection = "HST" } })
    :where({ dataRights = "PUBLIC" }):head(n)
end
local function kept(list)
  local rows = {}
  for i, file in ipairs(list) do
    rows[i] = { ending = (file.path or file.file):match("[^.]+$"), bytes = file.bytes }
  end
  return rows
end
local casjobs = mast.casjobs { context = "PanSTARRS_DR2" }
local near = "SELECT objID FROM MeanObjectView WHERE raMean BETWEEN 52.4 AND 52.6 "
  .. "AND decMean BETWEEN 20 AND 20.2"
]]

-- A door: its name, a part of the path or service of its requests, what a workflow asks there;
-- `files`: the requests are those for files; `tiled`: a tile is doubted and asked for in parts for
-- minutes before its answers are given up.
local doors = {
  { "the portal", "GaiaDR3.Cone", [[return mast.catalog("Gaia DR3"):query({
    region = sky.circle(52.5, -27.4, 0.1) }).table:select { "source_id" }]], tiled = true },
  { "the portal's criteria", "Caom.Filtered", [[return mast.observations { region = field,
    where = { obs_collection = "HST" } }:select { "obsid" }]] },
  { "names at the portal", "Name.Lookup", [[return { { ra = mast.resolve("M 101").ra } }]] },
  { "stored results", "Download/stage", [[
    return { { rows = mast.store("Mast.Catalogs.Plato.Cone", spot, { into = "a.csv" }).rows } }]] },
  { "the exporter", "Table.Exporter", [[
    return { { rows = mast.export(files(2):select { "obsID" }, { into = "a.csv" }).rows } }]] },
  { "products", "Caom.Products", [[return files(9):select { "dataURI" }]] },
  { "files", "Download/file", [[return kept(retrieve.products(files(1)))]], files = true },
  { "bundles", "Download/bundle", [[return kept(mast.bundle(files(2)))]] },
  { "bundles at the portal", "Bundle.Request", [[
    return kept(mast.bundle(files(2), { via = "request" }))]] },
  { "frames of TESScut", "tesscut", [[
    return mast.cutouts.tess_sectors { target = "52.5 -27.4" }]] },
  { "TESScut", "tesscut/api/v0.1/astrocut", [[
    return kept(mast.cutouts.tess { target = "52.5 -27.4", size = 3, sectors = 28 })]] },
  { "zcut", "zcut", [[return kept(mast.cutouts.z { target = "189.2 62.2", size = 3 })]] },
  { "hapcut", "hapcut", [[
    return kept(mast.cutouts.hap { target = "201.697 -47.4795", size = 3 })]] },
  { "places in the cloud", "path_lookup", [[
    return mast.cloud.uris(files(3)):select { "dataURI", "bytes" }]] },
  { "lists of the cloud", "stpubdata", [[return mast.cloud.datasets()]] },
  { "files in the cloud", "stpubdata", [[
    return kept(retrieve.products(files(1), { cloud = "only" }))]], files = true },
  { "accounts", "whoami", [[return { { name = mast.whoami().ezid } }]] },
  { "missions", "search/hst/api/v0.1/search", [[return mast.mission("hst"):query({
    region = sky.circle(148.9, 69.1, 0.1) }).table:select { "sci_data_set_name" }]] },
  { "products of missions", "list_products", [[local hst = mast.mission("hst")
    return hst:products(hst:query { region = sky.circle(148.9, 69.1, 0.1),
      where = { sci_status = "PUBLIC" } }.table:head(2)):select { "dataURI" }]] },
  { "classic forms", "hst/search.php", [[return mast.classic("HST"):query({
    region = sky.circle(210.8, 54.35, 0.1) }).table:select { "sci_data_set_name" }]],
    tiled = true },
  { "Catalogs.MAST", "panstarrs", [[return mast.catalog("Pan-STARRS DR2 mean",
    { via = "catalogs" }):query({ region = here }).table:select { "objID" }]] },
  { "planets", "exoplanets", [[return { { ra = mast.exo.planet("WASP-18 b").ra } }]] },
  { "data validation", "dvdata", [[
    return mast.exo.series("tess", 100100827, { tce = 1 }):select { "TIME" }]] },
  { "phase plots", "dvdata", [[
    return kept { mast.exo.phase_plot("tess", 100100827, { tce = 1, into = "a.html" }) }]] },
  { "spectra of planets", "spectra", [[return { { n = #mast.exo.spectra("WASP-18 b") } }]] },
  { "lists of images", "ps1filenames", [[return mast.images.ps1 { target = "210.8 54.35",
    size = "10 arcsec", filters = "g" }:select { "filter" }]] },
  { "images", "fitscut", [[return kept(mast.images.download(mast.images.ps1 {
    target = "210.8 54.35", size = "10 arcsec", filters = "g" }))]] },
  { "the sky survey", "dss_search", [[
    return kept(mast.images.dss { target = "210.8 54.35", size = "6 arcmin" })]] },
  { "Hubble's images", "hlaSIAP", [[
    return mast.images.hla { region = field }:select { "Dataset" }]] },
  { "the resolver", "Santa-war", [[return mast.resolve({ "M 13" }):select { "ra" }]] },
  { "Sesame", "nph-sesame", [[
    return { { ra = mast.resolve("M 101", { resolver = "Sesame" }).ra } }]] },
  { "guide stars", "CatalogSearch", [[return mast.catalog("GSC 2.3", { via = "gsss" }):query({
    region = sky.circle(52.5, -27.4, 0.1) }).table]] },
  { "CasJobs", "jobs.asmx", [[return casjobs:quick(near)]] },
  { "tables of CasJobs", "quick_casjobs", [[casjobs:submit("SELECT TOP 3 objID INTO mydb.a FROM "
    .. "MeanObjectView WHERE raMean BETWEEN 52.4 AND 52.6 AND decMean BETWEEN 20 AND 20.2"):wait()
    return casjobs:fetch("a").table]] },
  { "cone searches", "scs", [[return vo.cone(base .. "/scs/tic?"):query({
    region = sky.circle(52.5, -27.4, 0.1) }).table:select { "objid" }]] },
  { "SIA 1", "siap", [[return vo.sia(base .. "/siap/search.php?"):query({
    region = here }):select { "obs_title" }]] },
  { "SIA 2", "vo-sia", [[return vo.sia(base .. "/vo-sia/api/v0.1/query", { version = 2 })
    :query({ region = here, collection = "GALEX" }):select { "obs_id" }]] },
  { "SSA", "ssap", [[return vo.ssa(base .. "/ssap/search2.php?"):query({
    region = here }):select { "obs_title" }]] },
  { "DataLink", "datalink", [[return vo.datalink(vo.sia(base .. "/vo-sia/api/v0.1/query",
    { version = 2 }):query { region = here, collection = "GALEX" }):this():select { "ID" }]] },
  { "TAP at once", "vo-tap", [[return mast.tap("gaiadr3"):query("SELECT TOP 3 ra FROM "
    .. "gaia_source", { mode = "sync" }).table]] },
  { "TAP as a job", "vo-tap", [[return mast.tap("gaiadr3"):query("SELECT TOP 3 ra FROM "
    .. "gaia_source", { mode = "async" }).table]] },
  { "the registry", "vo-tap/api/v0.1/registry", [[return vo.registry.search {
    keywords = "stars", service_type = "cone" }:select { "short_name" }]] },
}

describe("a fault", function()
  local folder = practice.folder()

  setup(function()
    folder = practice.folder()
  end)

  teardown(function()
    practice.remove(folder)
  end)

  -- Asks at all doors at once, each in an archive of its own: by name { code, out, err, files,
  -- failed (requests that were answered 503 or cut) }. `more`: further switches.
  local function ask_all(fault, more, chosen)
    local archives, script = {}, { "cd " .. practice.quote(folder) }
    for i, door in ipairs(chosen or doors) do
      local archive = practice.start(fault and ("--faults '%s%s,at=%s%s'"):format(
        door.files and "file-" or "", fault, door[2], more or "") or "")
      archives[i] = archive
      practice.workflow(folder, "door-" .. i, ("local base = %q\n%s%s"):format(archive.url, words,
        door[3]), '"mast", ' .. archive:host())
      script[i + 1] = ("(rm -rf %d; %s %s run ./door-%d.lua --archive %s -o %d --quiet "
        .. "--format csv >%d.out 2>%d.err; echo $? >%d.code) &"):format(i, practice.environment,
        practice.quote(os.getenv("HALYARD_BIN") .. "/halyard"), i, archive.url, i, i, i, i)
    end
    script[#script + 1] = "wait"
    practice.shell(table.concat(script, "\n"))
    local answers = {}
    for i, door in ipairs(chosen or doors) do
      local log = practice.shell(("curl -s %s/practice/log"):format(archives[i].url))
      archives[i]:stop()
      answers[door[1]] = {
        code = tonumber(practice.read(("%s/%d.code"):format(folder, i))),
        out = practice.read(("%s/%d.out"):format(folder, i)),
        err = practice.read(("%s/%d.err"):format(folder, i)),
        files = practice.shell(("cd %s/%d && find . -type f"):format(practice.quote(folder), i)),
        failed = select(2, log:gsub('"fault [%w-]*http503"', ""))
          + select(2, log:gsub('"result":"cut"', "")),
      }
    end
    return answers
  end

  local whole = ask_all()

  -- Every door's answer is the whole one, after at least one that failed.
  local function same(fault, more)
    for name, a in pairs(ask_all(fault, more)) do
      assert.equal(0, a.code, name .. ": " .. a.err)
      assert.equal(whole[name].out, a.out, name)
      assert.equal(1, a.failed, name)
    end
  end

  -- No door gives anything, and all say why in words like these.
  local function refused(fault, text, chosen)
    for name, a in pairs(ask_all(fault, "", chosen)) do
      assert.equal(4, a.code, name .. ": " .. a.err)
      assert.equal("", a.out, name)
      assert.is_truthy(a.err:find(text), name .. ": " .. a.err)
      for file in a.files:gmatch("[^\n]+") do
        assert.is_truthy(file:find("/%.halyard/") or file:find("/report%.json$")
          or file:find("%.account%.json$") or file:find("/manifest%.%w+$")
          or file:find("%.part$") or file:find("%.part%.info$")
          or name == "products of missions" and file:find("covered%.fits$"), name .. ": " .. file)
      end
    end
  end

  it("leaves every door without one its answer", function()
    for name, a in pairs(whole) do
      assert.equal(0, a.code, name .. ": " .. a.err)
      assert.is_truthy(a.out:find("\n."), name .. ": " .. a.out)
    end
  end)

  it("is waited out when the service is busy", function()
    same("http503", ",first=1")
  end)

  it("is asked for again when an answer is cut", function()
    same("cut", ",first=1")
  end)

  it("is an error when a page comes instead", function()
    refused("html", "HTML")
  end)

  it("is an error when every answer is cut", function()
    local once = {}
    for _, door in ipairs(doors) do
      -- A table of CasJobs is extracted in another way when it does not come in the first.
      once[#once + 1] = not door.tiled and door[1] ~= "tables of CasJobs" and door or nil
    end
    refused("cut", "ended inside the answer", once)
  end)
end)
