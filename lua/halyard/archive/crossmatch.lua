-- SPDX-License-Identifier: BSD-3-Clause
-- Catalogues matched by the archive with an uploaded list of positions. Section 7.6 of the protocol
-- specification.

local catalog = require("halyard.catalog")
local door = require("halyard.archive.door")
local errors = require("halyard.error")
local hsc = require("halyard.archive.hsc")
local json = require("halyard.json")
local mashup = require("halyard.archive.mashup")
local sky = require("halyard.sky")
local suggest = require("halyard.suggest")
local system = require("halyard.core.system")
local table_core = require("halyard.core.table")
local tables = require("halyard.table")
local task = require("halyard.core.task")

local M = {}

-- `ra`, `dec`: position columns, when not of these names; `config`: the archive's list of columns,
-- `told`: units where there is none.
local services = {
  { name = "observations", service = "Mast.Caom.Crossmatch", ra = "s_ra", dec = "s_dec",
    footprint = true, config = "Mast.Caom.Cone" },
  { name = "GALEX", service = "Mast.Galex.Crossmatch", config = "Mast.Galex.Catalog" },
  { name = "SDSS", service = "Mast.Sdss.Crossmatch" },
  { name = "2MASS", service = "Mast.2Mass.Crossmatch" },
  { name = "HSC", service = "Mast.Hsc.Crossmatch.MagAper2v3", ra = "MatchRA", dec = "MatchDec",
    aliases = { "HSC v3", "HSC aper2" }, told = hsc.columns },
  { name = "HSC auto", service = "Mast.Hsc.Crossmatch.MagAutov3", ra = "MatchRA",
    dec = "MatchDec", told = hsc.columns },
  { name = "Gaia DR1", service = "Mast.GaiaDR1.Crossmatch", config = "Mast.Catalogs.GaiaDR1.Cone" },
  { name = "Gaia DR2", service = "Mast.GaiaDR2.Crossmatch", config = "Mast.Catalogs.GaiaDR2.Cone" },
  { name = "Gaia DR3", service = "Mast.GaiaDR3.Crossmatch", aliases = { "Gaia" },
    config = "Mast.Catalogs.GaiaDR3.Cone" },
  { name = "TGAS", service = "Mast.Tgas.Crossmatch", config = "Mast.Catalogs.Tgas.Cone" },
  { name = "TIC", service = "Mast.Tic.Crossmatch", config = "Mast.Catalogs.Tess.Cone" },
  { name = "CTL", service = "Mast.Ctl.Crossmatch", config = "Mast.Catalogs.Tess.Cone" },
}
-- The service's own distances, whose units differ, and its helpers; with the uploaded place.
local dropped = { distance = true, dstArcSec = true, distance_arcmin = true, Distance = true,
  objID1 = true, _selected_ = true }

-- Names that no catalogue has, so that nothing of the answer is taken for the upload.
local row_name, ra_name, dec_name = "halyard_row", "halyard_ra", "halyard_dec"
dropped[ra_name], dropped[dec_name] = true, true
local block_rows = 5000

local usual = { ra = { "ra", "raj2000", "s_ra", "pos.eq.ra;meta.main" },
  dec = { "dec", "dej2000", "s_dec", "pos.eq.dec;meta.main" } }

local function position_column(rows, role, given)
  if given then
    return rows:column(given)
  end
  for _, name in ipairs(usual[role]) do
    local ok, column = errors.try(rows.column, rows, name)
    if ok then
      return column
    end
  end
  errors.raise("usage", ("mast.crossmatch: no column holds the %s: name it, { %s = \"...\" }")
    :format(role, role))
end

-- Rows first to last as an upload; rows without a position are left out.
local function upload_of(ra, dec, first, last)
  local data = json.array({})
  for i = first, last do
    local a, d = ra[i], dec[i]
    if a and d and a == a and d == d then
      data[#data + 1] = { [row_name] = i, [ra_name] = a, [dec_name] = d }
    end
  end
  return {
    fields = json.array({
      { name = row_name, type = "int" }, { name = ra_name, type = "float" },
      { name = dec_name, type = "float" },
    }),
    data = data,
  }
end

-- Matches of a block; one whose answer is too long is asked for in halves.
local function matches(record, found, ra, dec, radius, first, last)
  local upload = upload_of(ra, dec, first, last)
  if #upload.data == 0 then
    return {}
  end
  local ok, rows, cost = errors.try(mashup.rows, found.service,
    { raColumn = ra_name, decColumn = dec_name, radius = radius }, { data = upload, tries = 2 })
  local verdict = not ok and door.verdict(rows)
  if not ok and first < last and (verdict == "over" or verdict == "ambiguous"
    or verdict == "stalled") then
    local half = (first + last) // 2
    local parts = matches(record, found, ra, dec, radius, first, half)
    local second = matches(record, found, ra, dec, radius, half + 1, last)
    return table.move(second, 1, #second, #parts + 1, parts)
  elseif not ok then
    error(rows, 0)
  end
  record:spent(cost)
  record.queries[#record.queries + 1] = {
    service = found.service, rows = #rows, requests = cost.requests, bytes = cost.bytes,
  }
  return { rows }
end

-- Degrees between the uploaded place and the catalogue's.
local function separation(rows, found)
  local a1, d1 = tables.rad(tables.plain(rows:column(ra_name))),
    tables.rad(tables.plain(rows:column(dec_name)))
  local a2, d2 = tables.rad(tables.plain(rows:column(found.ra or "ra"))),
    tables.rad(tables.plain(rows:column(found.dec or "dec")))
  local h = tables.sin((d2 - d1) / 2) ^ 2
    + tables.cos(d1) * tables.cos(d2) * tables.sin((a2 - a1) / 2) ^ 2
  return tables.deg(tables.asin(tables.minimum(tables.sqrt(h), 1)) * 2)
end

-- Footprints: the service's own distance (arcsec), if it tells one.
local function with_separation(rows, found)
  if not found.footprint then
    return rows:with("sep_deg", separation(rows, found), { unit = "deg", ucd = "pos.angDistance",
      description = "from the uploaded position" })
  end
  for _, name in ipairs(rows.columns) do
    if name == "distance" then
      return rows:with("sep_deg", rows:column(name) / 3600, { unit = "deg",
        ucd = "pos.angDistance", description = "from the uploaded position to the footprint" })
    end
  end
  return rows
end

-- The catalogue's columns with what the archive lists of them. Key and position of a pair are those
-- of the caller's row: none of the catalogue's is the main one.
local function described(rows, found)
  local ok, listed = true, found.told
  if found.config then
    ok, listed = errors.try(mashup.columns, found.config)
  end
  if not ok then
    system.log("warning", ("%s: units and descriptions are not known: %s"):format(found.service,
      tostring(listed)))
  end
  local columns = {}
  for name, column in pairs(ok and listed or {}) do
    columns[name] = { unit = column.unit, description = column.description,
      ucd = (column.ucd or ""):gsub(";meta%.main$", "") }
  end
  return door.described(door.described(rows, columns), {
    [(found.ra or "ra"):lower()] = { unit = "deg", ucd = "pos.eq.ra" },
    [(found.dec or "dec"):lower()] = { unit = "deg", ucd = "pos.eq.dec" },
  })
end

local function check(rows, options)
  suggest.check_keys(options, { "radius", "ra", "dec", "how", "suffix" }, "mast.crossmatch")
  if type(rows) ~= "userdata" then
    errors.raise("usage", "mast.crossmatch takes a table of positions (of a query: result.table) "
      .. "and a catalogue's name")
  end
  local radius = sky.angle(options.radius or 0.002)
  if radius <= 0 then
    errors.raise("usage", "mast.crossmatch: radius is an angle above 0")
  end
  return radius
end

--- Rows of a table with their neighbours in a catalogue, matched at the archive: all pairs nearer
-- than the radius, and `sep_deg` between them. The table goes to the archive as positions only, in
-- blocks; its other columns stay here.
-- @tparam halyard.table rows
-- @tparam string name "Gaia DR3", "TIC", "HSC", "GALEX", "SDSS", "2MASS", "observations", ...
-- @tparam[opt] table options `radius` (an angle, default 0.002 degrees), `ra`, `dec` (position
-- columns, degrees, where their names or UCDs do not tell), `how` ("inner", the default, or "left":
-- rows without a neighbour stay), `suffix` (of catalogue columns whose name is taken, "_2")
-- @treturn halyard.table
-- @raise `not_found` for an unknown catalogue with the nearest names, `usage`
-- @usage mast.crossmatch(stars, "Gaia DR3", { radius = "2 arcsec" })
function M.crossmatch(rows, name, options)
  options = options or {}
  local radius = check(rows, options)
  local found = catalog.find(services, name)
  if not found then
    local names = {}
    for i, each in ipairs(services) do
      names[i] = each.name
    end
    suggest.unknown("catalogue of mast.crossmatch", tostring(name), names, "not_found")
  end
  local ra = position_column(rows, "ra", options.ra)
  local dec = position_column(rows, "dec", options.dec)
  local record = door.begin("mast", door.base("mashup"))
  if record.dry then
    record.notes[#record.notes + 1] = ("%s would be asked about %d positions")
      :format(found.service, #rows)
    return rows
  end
  local blocks = {}
  for first = 1, #rows, block_rows do
    blocks[#blocks + 1] = { first, math.min(first + block_rows - 1, #rows) }
  end
  local answers = {}
  for _, parts in ipairs(task.map(blocks, 4, function(block)
    return matches(record, found, ra, dec, radius, block[1], block[2])
  end)) do
    table.move(parts, 1, #parts, #answers + 1, answers)
  end
  if #answers == 0 then
    errors.raise("usage", "mast.crossmatch: no row has a position")
  end
  local got = described(door.without(with_separation(table_core.concat(answers), found), dropped),
    found)
  local numbers = {}
  for i = 1, #rows do
    numbers[i] = { [row_name] = i }
  end
  local mine = door.described(rows, door.roles(nil, ra.name, dec.name))
    :with(row_name, table_core.from_rows(numbers, { row_name }):column(row_name))
  return door.without(mine:join(got, row_name, { how = options.how, suffix = options.suffix }),
    { [row_name] = true })
end

return M
