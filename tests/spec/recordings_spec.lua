-- SPDX-License-Identifier: BSD-3-Clause
-- Recorded answers of the archive, each through the function of the door that it came from: a
-- loopback server sends the recorded bytes, and what the user gets is what the README beside the
-- recording says. A recording that is not in the table below is a failure.

local json = require("halyard.json")
local mast = require("halyard.mast")
local peer = require("halyard.test.peer")
local report = require("halyard.report")
local sky = require("halyard.sky")
local vo = require("halyard.vo")

local data = (os.getenv("HALYARD_SHARED") or "../shared") .. "/data/"

local function recorded(name)
  local file <close> = assert(io.open(data .. name, "rb"))
  return file:read("a")
end

local function reply(body, content_type)
  return ("HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s")
    :format(content_type or "application/json", #body, body)
end

-- Runs f(server) with an archive that sends, for a request that holds the first of each pair, the
-- second: the first pair that fits counts.
local function archive(answers, f)
  local replies = {}
  for i, answer in ipairs(answers) do
    replies[i] = { reply(answer[2], answer[3]), "keep", answer[1] }
  end
  local server <close> = peer.serve(replies)
  peer.set("archive", ("http://127.0.0.1:%d"):format(server:port()))
  local ok, err = pcall(f, server)
  peer.set("archive", nil)
  if not ok then
    error(err, 0)
  end
end

-- The text of the first request that holds `word`.
local function asked(server, word)
  for i = 1, server:requests() do
    if server:request(i):find(word, 1, true) then
      return server:request(i)
    end
  end
  error("nothing was asked about " .. word)
end

-- The recorded count, with the number that the test needs.
local function counted(n)
  return (recorded("mashup/countsResp.json"):gsub("599", ("%d"):format(n)))
end

local function nulls(rows)
  local n = 0
  for _, name in ipairs(rows.columns) do
    n = n + rows:column(name):nulls()
  end
  return n
end

local function row_of(rows, name, value)
  for _, row in rows:rows() do
    if row[name] == value then
      return row
    end
  end
  error(("no row with %s %s"):format(name, tostring(value)))
end

local function text_of(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

-- Names and types that a list of columns says, against what the catalogue tells.
local function same_columns(list, columns, name, datatype)
  assert.equal(#list, #columns)
  for _, entry in ipairs(list) do
    local column = row_of(columns, "name", entry[name])
    assert.equal(entry[datatype], column.type)
    assert.equal(entry.description or "", column.description)
  end
end

local function in_new_folder(f)
  local pipe <close> = io.popen("mktemp -d")
  local folder = pipe:read("l")
  peer.set("output", folder)
  report.begin(report.new({ output = folder }))
  local ok, err = pcall(f)
  report.begin(nil)
  peer.set("output", nil)
  os.execute("rm -rf " .. folder)
  if not ok then
    error(err, 0)
  end
end

local recordings = {}

-- The portal ------------------------------------------------------------------------------------

recordings["mashup/caom.json"] = { "mast.observations", function(bytes)
  archive({ { "columnsconfig", recorded("mashup/columnsconfig.json") },
    { "COUNT_BIG", counted(19) }, { "Mast.Caom.Cone", bytes } }, function(server)
    local rows = mast.observations({ region = sky.cone("23.34086 60.658", "0.2 deg") })
    assert.truthy(asked(server, "Mast.Caom.Cone%22"):find("POST /api/v0/invoke", 1, true))
    assert.equal(19, #rows)
    assert.equal(27, #rows.columns) -- without _selected_
    assert.equal("dataproduct_type", rows.columns[1])
    assert.equal(88 - 19, nulls(rows))
    assert.is_true(math.abs(rows:column("s_ra"):mean() * 19 - 439.226990382) < 1e-9)
    assert.equal(293.0973439304444 / 3600, rows:get(1, "sep_deg"))
    assert.equal("POLYGON J2000 23.11894300 60.64317400 23.13901500 60.64084700 23.14376800 "
      .. "60.65069300 23.12369100 60.65301800 23.11894300 60.64317400", rows:get(8, "s_region"))
    assert.equal(1000014336, rows:get(19, "obsid"))
    assert.equal("deg", rows:field("s_ra").unit)
    assert.equal("pos.eq.ra;meta.main", rows:field("s_ra").ucd)
    assert.equal("int64", rows:field("obsid").type)
    assert.equal("float64", rows:field("t_min").type)
  end)
end }

recordings["mashup/products.json"] = { "mast.products", function(bytes)
  archive({ { "columnsconfig", "{}" }, { "Mast.Caom.Products", bytes } }, function(server)
    local rows = mast.products({ 2003738726 })
    assert.truthy(asked(server, "Mast.Caom.Products"):find("2003738726", 1, true))
    assert.equal(22, #rows)
    assert.equal(15, #rows.columns) -- without _selected_
    assert.equal("obsID", rows.columns[1])
    assert.equal(85 - 22, nulls(rows))
    assert.equal("mast:HST/product/u9o40504m_c3m.fits", rows:get(1, "dataURI"))
    assert.equal(37440, rows:get(11, "size"))
    assert.equal("Minimum Recommended Products", rows:get(22, "productGroupDescription"))
    assert.equal("int64", rows:field("size").type)
  end)
end }

recordings["mashup/countsResp.json"] = { "mast.count", function(bytes)
  archive({ { "columnsconfig", recorded("mashup/columnsconfig.json") }, { "COUNT_BIG", bytes } },
    function()
      assert.equal(599, mast.count({ where = { obs_collection = "HST" } }))
    end)
end }

recordings["mashup/tic.json"] = { 'mast.catalog("TIC"):query', function(bytes)
  archive({ { "columnsconfig", recorded("mashup/ticcolumns.json") }, { "COUNT_BIG", counted(7) },
    { "Mast.Catalogs.Filtered.Tic", bytes } }, function()
    local rows = mast.catalog("TIC"):query({ region = sky.cone("254.3 -4.1", "0.3 deg") }).table
    assert.equal(7, #rows)
    assert.equal(463, nulls(rows))
    assert.is_true(math.abs(rows:column("ra"):mean() * 7 - 1780.333131) < 1e-9)
    assert.equal("10000732589", tostring(row_of(rows, "ra", 254.378937).ID))
    assert.equal(16.678, row_of(rows, "ra", 254.242249).Tmag)
    assert.equal(-4.12924, row_of(rows, "ra", 254.248093).dec)
    assert.equal("K", rows:field("Teff").unit)
  end)
end }

recordings["mashup/hsc.json"] = { 'mast.catalog("HSC v2"):query', function(bytes)
  archive({ { "columnsconfig", "{}" }, { "Mast.Hsc.Db.v2", bytes } }, function()
    local catalog = mast.catalog("HSC v2")
    local rows = catalog:query({ region = sky.cone("322.525 12.1667", "0.05 deg") }).table
    assert.equal(28, #rows)
    assert.equal(44, #rows.columns) -- without _selected_ and the distance from a tile's centre
    assert.equal(376 - 28, nulls(rows))
    assert.equal(322.5250849818889, row_of(rows, "MatchID", 82441651).MatchRA)
    row_of(rows, "MatchID", 82439923)
    row_of(rows, "CI", 1.2841573432290696)
  end)
end }

recordings["mashup/missions.extjs"] = { "mast.values", function(bytes)
  archive({ { "Mast.Caom.All", bytes } }, function(server)
    local missions = mast.values("observations", "obs_collection")
    assert.truthy(asked(server, "Mast.Caom.All"):find("extjs", 1, true))
    local names = missions:list("value")
    table.sort(names)
    assert.same({ "BEFS", "EUVE", "FUSE", "GALEX", "HLA", "HST", "HUT", "IUE", "K2", "K2FFI",
      "Kepler", "KeplerFFI", "SWIFT", "TUES", "WUPPE" }, names)
    assert.equal(484983, row_of(missions, "value", "HST").count)
    local times = mast.values("observations", "t_min")
    assert.equal(43564.02042, times:get(1, "low"))
    assert.is_true(times:get(#times, "low") < 57936.45696)
  end)
end }

recordings["mashup/columnsconfig.json"] = { 'mast.columns("observations")', function(bytes)
  archive({ { "columnsconfig", bytes }, { "COUNT_BIG", counted(0) } }, function(server)
    local columns = mast.columns("observations")
    assert.truthy(asked(server, "columnsconfig"):find("colConfigId=Mast.Caom.Cone", 1, true))
    assert.equal(51 - 19 - 1, #columns) -- without the removed ones and _selected_
    assert.equal("arcsec", row_of(columns, "name", "distance").unit)
    assert.equal(0, #columns:where({ name = "em_resolution" })) -- removed
    mast.count({ where = { filters = "F814W" } })
    assert.truthy(asked(server, "COUNT_BIG"):find("%22separator%22%3A%22%3B%22", 1, true))
  end)
end }

recordings["mashup/ticcolumns.json"] = { 'mast.catalog("TIC"):columns', function(bytes)
  archive({ { "columnsconfig", bytes } }, function(server)
    local columns = mast.catalog("TIC"):columns()
    assert.truthy(asked(server, "columnsconfig"):find("colConfigId=Mast.Catalogs.Tess.Cone", 1,
      true))
    assert.equal(95 - 6 - 1, #columns) -- without the removed ones and _selected_
    assert.equal("TIC ID", row_of(columns, "name", "ID").description)
    row_of(columns, "name", "HIP")
    row_of(columns, "name", "Bmag")
  end)
end }

local names = { "TIC 307210830", "Barnard's Star", "M1", "M101", "M103", "M8", "M10" }

recordings["mashup/resolver.json"] = { "mast.resolve", function(bytes)
  archive({ { "GET /Santa-war/query", bytes } }, function(server)
    local rows = mast.resolve(names, { compare = true })
    assert.truthy(server:request(1):find("name=TIC%20307210830", 1, true))
    assert.equal(7, #rows)
    assert.equal("TIC", rows:get(1, "resolver"))
    assert.equal(124.531756290083, rows:get(1, "ra"))
    assert.equal(-68.3129998725044, rows:get(1, "dec"))
    assert.equal("deg", rows:field("dec").unit)
    local n, resolvers = 0, {}
    for _, name in ipairs(names) do
      local one = mast.resolve(name, { compare = true })
      n = n + 1 + #one.others
      resolvers[one.resolver] = true
      for _, other in ipairs(one.others) do
        resolvers[other.resolver] = true
      end
    end
    assert.equal(15, n)
    assert.same({ NED = true, SIMBAD = true, SIMBADCFA = true, TIC = true }, resolvers)
    local m101 = mast.resolve("M101", { resolver = "SIMBAD" })
    assert.same({ "M 101", 210.802429, 54.34875 }, { m101.name, m101.ra, m101.dec })
    local m10 = mast.resolve("M10", { resolver = "NED" })
    assert.same({ "MESSIER 010", 254.28771, -4.10031 }, { m10.name, m10.ra, m10.dec })
  end)
end }

recordings["mashup/bundleResponse.json"] = { "mast.bundle", function(bytes)
  local uris = {}
  for uri in bytes:gmatch("mast:HST/product/[%w_.]+") do
    uris[#uris + 1] = uri
  end
  assert.equal(3, #uris)
  in_new_folder(function()
    local script = "#!/bin/bash\n"
    local stage <close> = peer.serve({ { reply(script, "text/plain"), "keep",
      "mastDownload_20170621142037.sh" } })
    local here = bytes:gsub("https://mast.stsci.edu", ("http://127.0.0.1:%d"):format(stage:port()))
    archive({ { "Mast.Bundle.Request", here } }, function(server)
      local files = mast.bundle(uris, { via = "request", format = "sh" })
      assert.truthy(asked(server, "Mast.Bundle.Request"):find("curl", 1, true))
      assert.equal(1, #files)
      assert.equal(3, files[1].files)
      assert.equal(script, text_of(files[1].path))
    end)
  end)
end }

-- The missions search ---------------------------------------------------------------------------

recordings["mashup/mission_columns.json"] = { 'mast.mission("hst"):columns', function(bytes)
  archive({ { "column_list", bytes } }, function(server)
    local columns = mast.mission("hst"):columns()
    assert.truthy(server:request(1):find("GET /search/util/api/v0.1/column_list?mission=hst ", 1,
      true))
    local list = {}
    for _, entry in ipairs(json.decode(bytes)) do
      if entry.column_name ~= "search_pos" and entry.column_name ~= "search_key"
        and entry.column_name ~= "ang_sep" then -- of one question
        list[#list + 1] = entry
      end
    end
    assert.equal(57 - 3, #columns)
    same_columns(list, columns, "column_name", "qual_type")
    assert.equal("string", row_of(columns, "name", "sci_data_set_name").type)
    assert.equal("string", row_of(columns, "name", "sci_broad_category").type)
    assert.equal("deg", row_of(columns, "name", "sci_ra").unit)
  end)
end }

recordings["mast-missions/mission_results.json"] = { 'mast.mission("hst"):query', function(bytes)
  archive({ { "column_list", recorded("mashup/mission_columns.json") },
    { "/search/hst/api/v0.1/search ", bytes } }, function()
    local rows = mast.mission("hst"):query({ targets = { "40.66963 -0.01328" },
      radius = "3 arcmin" }).table
    assert.equal(3, #rows)
    assert.same({ "W1DG8D06T", "W1DG9S01T", "J8DM01ELQ" }, rows:list("sci_data_set_name"))
    assert.equal(1.5182093051117103 / 60, rows:get(1, "sep_deg"))
    assert.equal(1.5182093051117103 / 60, rows:get(2, "sep_deg"))
    assert.equal(2.589715886363766 / 60, rows:get(3, "sep_deg"))
    assert.equal("WFPC", rows:get(1, "sci_instrume")) -- sent with blanks behind
    assert.equal(49254.87519251157, rows:get(1, "sci_start_time_mjd"))
    assert.equal("int64", rows:field("sci_pep_id").type)
    assert.equal("deg", rows:field("sci_ra").unit)
    for _, entry in ipairs(json.decode(bytes).info) do
      if entry.name ~= "search_key" then
        assert.truthy(rows:field(entry.name), entry.name)
      end
    end
  end)
end }

-- Catalogs.MAST ---------------------------------------------------------------------------------

-- The recorded answer holds six chosen columns; Halyard always asks for the positions too: they
-- are put behind, from the names of the objects (PSO Jhhmmss.sss+ddmmss.ss).
local function with_positions(bytes)
  local info = ""
  for _, name in ipairs({ "raMean", "decMean", "raStack", "decStack" }) do
    info = info .. (',{"name":"%s","type":"double"}'):format(name)
  end
  local head, tail = bytes:match('^(.-)(%s*%],%s*"data".*)$')
  local rows = tail:gsub('(%[%s*"PSO J(%d%d)(%d%d)([%d.]+)%-(%d%d)(%d%d)([%d.]+)"[^%]]*)',
    function(row, h, m, s, d, arcmin, arcsec)
      return ("%s,%.7f,-%.7f,-999,-999"):format(row, (h + m / 60 + s / 3600) * 15,
        d + arcmin / 60 + arcsec / 3600)
    end)
  return head .. info .. rows
end

local function pan_starrs(bytes)
  archive({ { "/mean/metadata", recorded("mast-catalogs/ps1_mean_dr1_metadata.json") },
    { "/mean/count", "35" }, { "/panstarrs/dr2/mean.json", with_positions(bytes) } },
    function(server)
      local rows = mast.catalog("Pan-STARRS"):query({ region = sky.cone("5.97 -32.53", "0.1 deg"),
        columns = { "objName", "lambda", "beta", "iMeanApMag", "surveyID" } }).table
      assert.truthy(asked(server, "mean.json"):find('"lambda"', 1, true))
      assert.equal(35, #rows)
      assert.equal("int64", rows:field("objID").type)
      assert.equal("PSO J002353.230-323148.612",
        row_of(rows, "objID", 68960059717834079).objname)
      row_of(rows, "lambda", 350.9608875144994)
      row_of(rows, "iMeanApMag", 21.15730094909668)
      assert.equal(35, rows:column("raStack"):nulls()) -- -999
      assert.equal("Ecliptic longitude.", rows:field("lambda").description)
    end)
end

recordings["mashup/panstarrs.json"] = { 'mast.catalog("Pan-STARRS"):query', pan_starrs }
recordings["mast-catalogs/panstarrs.json"] = recordings["mashup/panstarrs.json"]

local function metadata(name, path, n)
  return { ('mast.catalog("%s"):columns'):format(name), function(bytes)
    archive({ { ("GET /api/v0.1/%s/metadata "):format(path), bytes } }, function()
      local columns = mast.catalog(name, { via = "catalogs" }):columns()
      assert.equal(n, #columns)
      same_columns(json.decode(bytes), columns, "name", "type")
    end)
  end }
end

recordings["mast-catalogs/ps1_mean_dr1_metadata.json"] =
  metadata("Pan-STARRS DR1 mean", "panstarrs/dr1/mean", 124)
recordings["mast-catalogs/ps1_stack_dr2_metadata.json"] =
  metadata("Pan-STARRS DR2 stack", "panstarrs/dr2/stack", 297)
recordings["mast-catalogs/ps1_detection_dr2_metadata.json"] =
  metadata("Pan-STARRS DR2 detection", "panstarrs/dr2/detection", 58)
recordings["mast-catalogs/hsc_v3_summary_magaper2_metadata_first19.json"] =
  metadata("HSC v3 summary magaper2", "hsc/v3/summary/magaper2", 19)

recordings["mast-catalogs/hsc_v3_ic1613_head.csv"] = {
  'mast.catalog("HSC v3 summary magaper2"):query', function(bytes)
    archive({
      { "/metadata", recorded("mast-catalogs/hsc_v3_summary_magaper2_metadata_first19.json") },
      { "/count", "9" }, { "/hsc/v3/summary/magaper2.csv", bytes, "text/csv" } }, function()
      local rows = mast.catalog("HSC v3 summary magaper2"):query({ answers = "csv",
        region = sky.cone("16.2016962 2.1194959", "0.4 deg") }).table
      assert.equal(9, #rows)
      assert.equal(14, #rows.columns)
      assert.equal("int64", rows:field("MatchID").type)
      local first = row_of(rows, "MatchID", 39899463)
      assert.same({ 16.127602, 2.156358, 26.451 }, { first.MatchRA, first.MatchDec, first.A_F475W })
      local second = row_of(rows, "MatchID", 39889807)
      assert.same({ 53967.71941, 0.011 }, { second.StopMJD, second.A_F814W_MAD })
    end)
  end }

-- Cutouts ---------------------------------------------------------------------------------------

recordings["mashup/tess_sector.json"] = { "mast.cutouts.tess_sectors", function(bytes)
  archive({ { "POST /tesscut/api/v0.1/sector ", bytes } }, function()
    local rows = mast.cutouts.tess_sectors({ target = "324.24368 -27.01029" })
    assert.equal(1, #rows)
    assert.same({ "tess-s0001-1-3", 1, 1, 3 }, { rows:get(1, "sector_name"), rows:get(1, "sector"),
      rows:get(1, "camera"), rows:get(1, "ccd") })
  end)
end }

local function cutouts(format, check)
  return { ('mast.cutouts.z { format = "%s" }'):format(format), function(bytes)
    archive({ { "GET /zcut/api/v0.1/astrocut?", bytes, "application/zip" } }, function(server)
      in_new_folder(function()
        local rows = mast.cutouts.z({ target = "189.49206 62.20615", size = 100, format = format })
        for _, argument in ipairs({ "ra=189.49206", "dec=62.20615", "x=100", "y=100", "units=px" })
        do
          assert.truthy(server:request(1):find(argument, 1, true), argument)
        end
        check(rows)
      end)
    end)
  end }
end

recordings["mashup/astrocut_189.49206_62.20615_100x100px.zip"] = cutouts("jpg", function(rows)
  local bytes = { f606w = 3478, f814w = 1975, f850lp = 3617 }
  assert.equal(3, #rows)
  for _, row in rows:rows() do
    local name = row.file:match("[^/]+$")
    local filter = name:match("^hlsp_candels_hst_acs_gn%-tot%-30mas_(f%w+)_v1.0_drz_189.492060_"
      .. "62.206150_100.0pix%-x%-100.0pix_astrocut.jpg$")
    assert.equal(bytes[filter], row.bytes, name)
    assert.equal(row.bytes, #text_of(row.path))
    assert.equal("\xFF\xD8", text_of(row.path):sub(1, 2)) -- JPEG
  end
end)

recordings["mashup/astrocut_189.49206_62.20615_100x100px_f.zip"] = cutouts("fits", function(rows)
  assert.equal(1, #rows)
  assert.equal(167040, rows:get(1, "bytes"))
  assert.equal("candels_gn_30mas", rows:get(1, "survey"))
  local fits, at, images = text_of(rows:get(1, "path")), 1, {}
  while at <= #fits do
    local header_end = fits:find("END" .. (" "):rep(77), at, true)
    local header = fits:sub(at, header_end)
    at = at + math.ceil((header_end + 79 - at + 1) / 2880) * 2880
    if header:find("NAXIS1") then
      assert.equal(-32, tonumber(header:match("BITPIX  = +(-?%d+)")))
      local image, sum = {}, 0
      for i = 1, 100 * 100 do
        image[i] = string.unpack(">f", fits, at + 4 * (i - 1))
        sum = sum + (image[i] == image[i] and image[i] or 0)
      end
      images[#images + 1] = { image[50 * 100 + 51], sum }
      at = at + math.ceil(4 * 100 * 100 / 2880) * 2880
    end
  end
  local told = { { 0.047207921743392944, 519.371711 }, { 0.042684730142354965, 480.085904 },
    { 0.018252171576023102, 197.398085 } }
  assert.equal(3, #images)
  for i, image in ipairs(images) do
    assert.equal(told[i][1], image[1])
    assert.is_true(math.abs(told[i][2] - image[2]) < 1e-5)
  end
end)

-- The classic forms -----------------------------------------------------------------------------

local function field(text)
  return text:find('[",]') and '"' .. text:gsub('"', '""') .. '"' or text
end

-- The recorded labels head an answer, whose one row has a value of each type: the columns have the
-- recorded names and types. Texts that are no times leave time columns as they are.
local function labels(name, n)
  local example = { integer = "7", float = "1.5", string = "text" }
  local types = { integer = "int64", float = "float64", string = "string" }
  return { ('mast.classic("%s"):query'):format(name), function(bytes)
    local list, heads, cells = {}, {}, {}
    for label, column, kind in bytes:gmatch('"([^\n]-)",([^,\n]+),(%a+)\n') do
      label = label:gsub('""', '"')
      list[#list + 1] = { label = label, name = column, type = kind }
      heads[#heads + 1], cells[#cells + 1] = field(label), example[kind]
    end
    assert.equal(n, #list)
    local answer = table.concat(heads, ",") .. ",Ang Sep (')\n" .. table.concat(cells, ",")
      .. ",0.6\n"
    archive({ { "/search.php?", answer, "text/csv" } }, function()
      local rows = mast.classic(name):query({ target = "290.5 44.5" }).table
      assert.equal(1, #rows)
      assert.is_true(math.abs(rows:get(1, "sep_deg") - 0.01) < 1e-12)
      local columns = mast.classic(name):columns()
      assert.equal(n, #columns)
      for _, entry in ipairs(list) do
        assert.equal(types[entry.type], rows:field(entry.name).type, entry.name)
        local column = row_of(columns, "name", entry.name)
        assert.equal(entry.label, column.description)
        assert.equal(entry.type, column.type == "text" and "string"
          or column.type == "time" and "string" or column.type, entry.name)
      end
    end)
  end }
end

recordings["mast-classic/kepler_data_search_columns.csv"] = labels("Kepler", 66)
recordings["mast-classic/kepler_koi_columns.csv"] = labels("KOI", 141)
recordings["mast-classic/kepler_confirmed_planets_columns.csv"] =
  labels("Kepler confirmed planets", 44)
recordings["mast-classic/kepler_kic10_columns.csv"] = labels("KIC", 44)
recordings["mast-classic/k2_data_search_columns.csv"] = labels("K2", 59)
recordings["mast-classic/k2_epic_columns.csv"] = labels("EPIC", 65)

-- Others ----------------------------------------------------------------------------------------

local function cone_error(words)
  return { "vo.cone(url):query", function(bytes)
    archive({ { "GET /cone?", bytes, "text/xml" } }, function(server)
      local url = ("http://127.0.0.1:%d/cone?"):format(server:port())
      local ok, err = pcall(function()
        return vo.cone(url):query({ region = sky.cone("10 10", "0.1 deg") })
      end)
      assert.is_false(ok)
      assert.equal("archive", err.code)
      assert.truthy(err.message:find(words, 1, true), err.message)
    end)
  end }
end

recordings["mast-conesearch/conesearch_error1.xml"] = cone_error("Error in input RA value: as3f")
recordings["mast-conesearch/conesearch_error3.xml"] = cone_error("Invalid data type: text/html")

recordings["mast-exo/identifiers_wasp18b.json"] = { "mast.exo.planet", function(bytes)
  archive({ { "GET /api/v0.1/exoplanets/identifiers/?name=WASP-18%20b ", bytes } }, function()
    local planet = mast.exo.planet("WASP-18 b")
    assert.equal(16, #planet.names)
    assert.equal("WASP-18 b", planet.name)
    assert.equal("WASP-18", planet.star)
    assert.equal(24.354208334287005, planet.ra)
    assert.equal(-45.677930555343636, planet.dec)
    assert.equal(100100827, planet.tess)
    assert.equal("TCE_1", planet.tess_tce)
    assert.is_nil(planet.kepler)
    assert.is_nil(planet.kepler_tce)
  end)
end }

-- The Virtual Observatory -----------------------------------------------------------------------

-- Recordings through the functions of their protocols: what they give, or the words of the error.
-- The rows are compared with expected.json beside the recordings.
local function cone(url)
  return vo.cone(url):query({ region = sky.cone("0 0", "179 deg") }).table
end

local function sia(url)
  return vo.sia(url, { version = 1 }):query({ region = sky.cone("83 22", "1 deg") })
end

local function ssa(url)
  return vo.ssa(url):query({ region = sky.cone("0 0", "179 deg") })
end

local function links(url)
  return vo.datalink(url).table
end

local function tap(url)
  return vo.tap(url):query("SELECT 1", { mode = "sync", check = false }).table
end

local as3f = "Error in input RA value: as3f"
local observatory = {
  { "dachs-scs.binary.xml", cone, { "source_id", "ra", "dec", "g_mag" } },
  { "pyvo-scs-result.xml", cone, { "raj2000", "dej2000", "id" } },
  { "dachs-siap.xml", sia, { "access_url", "s_ra", "s_dec", "t_obs_mjd", "em_min" } },
  { "pyvo-sia-dataset.xml", sia, { "access_url", "access_format", "t_obs_mjd" } },
  { "dachs-ssap.xml", ssa, { "access_url", "obs_publisher_did", "sep_deg", "em_max" } },
  { "pyvo-datalink-datalink.xml", links, { "ID", "access_url", "semantics" } },
  { "pyvo-datalink-cutout1.xml", links, { "ID", "content_length", "readable" } },
  { "dachs-extra.binary2.xml", tap, { "label", "obs_time", "obs_time_mjd", "foot" } },
  { "dachs-scs-error.xml", cone, "Field RA: 'xx' is not a valid literal for RA", "archive" },
  { "astroquery-vo_conesearch-conesearch_error1.xml", cone, as3f, "archive" },
  { "astroquery-vo_conesearch-conesearch_error2.xml", cone, as3f, "archive" },
  { "astropy-irsa-nph-error.xml", cone, "Either wrong or missing coordinate/object name",
    "archive" },
  { "pyvo-query-errorstatus.xml", sia, "the archive answered: ERROR", "archive" },
  { "pyvo-query-errorstatus.xml", ssa, "the archive answered: ERROR", "archive" },
  { "dachs-error-sync.xml", tap, "No such field known: column 'nonsense'", "archive" },
  { "dachs-overflow.binary2.xml", tap, "there are more rows", "truncated" },
  { "late-overflow.xml", cone, "OVERFLOW", "truncated" },
  { "bad-html-error.xml", cone, "502 Bad Gateway", "protocol" },
  { "bad-truncated-xml.xml", cone, "byte 4308", "integrity" },
}

describe("a recorded answer of the Virtual Observatory", function()
  local expected = json.decode(recorded("votable/expected.json"))

  for i, case in ipairs(observatory) do
    local name, ask, told, code = table.unpack(case)
    it(("%d reads through its protocol: %s"):format(i, name), function()
      archive({ { "HTTP/1.1", recorded("votable/" .. name), "text/xml" } }, function(server)
        local ok, got = pcall(ask, ("http://127.0.0.1:%d/%d?"):format(server:port(), i))
        if code then
          assert.is_false(ok)
          assert.equal(code, got.code, got.message)
          assert.truthy(got.message:find(told, 1, true), got.message)
        else
          assert.is_true(ok, tostring(got))
          assert.equal(expected[name].tables[1].rows, #got)
          for _, column in ipairs(told) do
            assert.truthy(got:field(column))
          end
        end
      end)
    end)
  end
end)

describe("a recorded answer", function()
  local found = {}
  for path in io.popen("cd '" .. data .. "' && ls mashup/* mast-*/*"):lines() do
    if not path:find("/README.md$") and not path:find("/LICENSE") then
      found[#found + 1] = path
    end
  end

  for _, path in ipairs(found) do
    local recording = recordings[path] or { "no door: it is not in the table" }
    it(("%s reads through %s"):format(path, recording[1]), function()
      assert.truthy(recording[2], recording[1])
      recording[2](recorded(path))
    end)
  end

  it("is there for every line of the table", function()
    local there = {}
    for _, path in ipairs(found) do
      there[path] = true
    end
    for path in pairs(recordings) do
      assert.is_true(there[path], path)
    end
  end)
end)
