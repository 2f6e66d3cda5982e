-- SPDX-License-Identifier: BSD-3-Clause
-- The catalogue service of the Guide Star group, CatalogSearch.aspx (section 7 of the specification
-- of the classic services): boxes, circles, STC-S shapes, identifiers; CSV; cut at MAXOBJ, the
-- brightest kept, so that as many rows as that are never taken for all. A text before the header
-- tells how many objects were found: fewer rows are not taken for all either.

local door = require("halyard.archive.door")
local errors = require("halyard.error")

local M = {}

--- MAXOBJ of a question; clients are known to ask for a million (section 7).
M.row_cap = 50000

local path = "/webservices/vo/CatalogSearch.aspx"

-- Key and position of catalogues whose columns are told: those of Pan-STARRS (section 7) and Gaia.
local ps1 = { id = "objID", ra = "raMean", dec = "decMean" }
local gaia = { id = "source_id", ra = "ra", dec = "dec" }
local told = { PS1V3OBJECTS = ps1, GAIA = gaia, GAIAdr1 = gaia, GAIAdr2 = gaia, GAIAdr3 = gaia,
  TGAS = gaia }
-- Elsewhere: usual names, lower case, best first.
local usual = {
  id = { "source_id", "hstid", "gsc2id", "gscid", "objid", "designation", "id" },
  ra = { "ra", "ramean", "raj2000" }, dec = { "dec", "decmean", "dej2000" },
}

local function number(value)
  return (("%.10f"):format(value):gsub("0+$", ""):gsub("%.$", ""))
end

-- The one number in the text before the header; nil when it has none or several.
local function found(text)
  local n = text:match("^%D*(%d+)%D*$")
  return n and math.tointeger(tonumber(n))
end

-- Rows (brightest first, at most MAXOBJ of them), cost, and how many the service says there are.
-- `tries` of this question: nil for the usual.
local function ask(record, more, tries)
  local arguments = { CAT = record.code, FORMAT = "CSV" }
  for name, value in pairs(more) do
    arguments[name] = value
  end
  local rows, answer, cost = door.fetch(record.name, {
    url = door.url(door.base("gsss") .. path, arguments), format = "csv", poll = false,
    tries = tries,
  })
  local n = found(answer.message)
  if n and n ~= #rows and #rows < more.MAXOBJ then
    errors.raise(n > #rows and "truncated" or "integrity", ("%s: %d rows came, the service says "
      .. "that it found %d; use a smaller region"):format(record.name, #rows, n))
  end
  return rows, cost, n
end

local known = {} -- base URL and code -> columns

-- Columns as a small answer names them.
local function columns_of(record)
  local key = door.base("gsss") .. " " .. record.code
  if not known[key] then
    local rows, cost = ask(record, { RA = 0, DEC = 0, SR = 0.1, MAXOBJ = 1 })
    door.aside(rows, cost)
    local columns = {}
    for i, name in ipairs(rows.columns) do
      columns[name:lower()] = { name = name, type = rows:field(name).type, place = i,
        unit = (name:find("[mM]ag$") or name:find("[mM]agErr$")) and "mag" or nil }
    end
    known[key] = columns
  end
  return known[key]
end

local ucds = { id = "meta.id;meta.main", ra = "pos.eq.ra;meta.main", dec = "pos.eq.dec;meta.main" }

-- The column of a role: as told, or with a usual name; it gets its unit and UCD. nil when none is
-- known.
local function role(record, columns, what)
  local name = told[record.code] and told[record.code][what]
  for _, each in ipairs(name and { name:lower() } or usual[what]) do
    local column = columns[each]
    if column then
      column.ucd, column.unit = ucds[what], what ~= "id" and "deg" or nil
      return column.name
    end
  end
end

local function roles_of(record, columns, key)
  local ra, dec = role(record, columns, "ra"), role(record, columns, "dec")
  local id = key and door.column(columns, key, record.name).name or role(record, columns, "id")
  if not ra or not dec then
    errors.raise("protocol", record.name .. ": no columns are known to hold the position")
  elseif not id then
    errors.raise("usage", record.name .. ": no column is known to name an object once: say which "
      .. "does, key = \"...\"")
  end
  return id, ra, dec
end

local function pair(value)
  if type(value) ~= "table" or type(value[1]) ~= "number" or type(value[2]) ~= "number"
    or value[1] > value[2] then
    errors.raise("usage", "magrange is { bright, faint }, two magnitudes")
  end
  return number(value[1]) .. "," .. number(value[2])
end

local function positive(value, name)
  if value ~= nil and (type(value) ~= "number" or value <= 0) then
    errors.raise("usage", name .. " is a positive number")
  end
  return value
end

local function source_of(record, options)
  local columns = columns_of(record)
  local id, ra, dec = roles_of(record, columns, options.key)
  local where = options.where and door.spelt(options.where, columns, record.name)
  local names = options.columns
    and door.chosen({ id, ra, dec }, options.columns, columns, record.name)
  local base = {
    MAGRANGE = options.magrange and pair(options.magrange),
    MINDET = positive(options.mindet, "mindet"), EPOCH = positive(options.epoch, "epoch"),
  }
  local service = { takes_box = true, takes_cone = true, cap = M.row_cap }
  local function question(more)
    for name, value in pairs(base) do
      more[name] = value
    end
    more.MAXOBJ = service.cap
    return ask(record, more, 1)
  end
  local function refine(rows)
    rows = where and next(where) and rows:where(where) or rows
    return door.described(names and rows:project(names) or rows, columns)
  end
  local function fetch(shape)
    if shape.radius then
      return question({ RA = number(shape.ra), DEC = number(shape.dec),
        SR = number(shape.radius) })
    end
    local parts, cost = {}, { requests = 0, bytes = 0 }
    door.each_box(shape, function(ra_min, ra_max, dec_min, dec_max)
      local rows, one = question({ BBOX = table.concat({ number(ra_min), number(dec_min),
        number(ra_max), number(dec_max) }, ",") })
      if #rows >= service.cap then
        errors.raise("truncated", "the answer has as many rows as MAXOBJ")
      end
      parts[#parts + 1] = rows
      door.add_cost(cost, one)
    end)
    return door.joined(parts), cost
  end
  local function plain()
    if type(options.id or options.stcs) ~= "string" or options.id and options.stcs then
      errors.raise("usage", record.name .. " needs a region, stcs (a shape) or id (an identifier)")
    end
    local rows, cost, n = question({ ID = options.id, STCS = options.stcs })
    if #rows >= service.cap then
      errors.raise("truncated", ("%s: the shape holds %d rows or more: use a region")
        :format(record.name, service.cap))
    elseif options.id and #rows == 0 then
      errors.raise("not_found", ("%s has no object %s"):format(record.name, options.id))
    end
    return refine(rows), cost, not (where and next(where)) and n or nil
  end
  return {
    name = record.name, id = id, ra = ra, dec = dec, window = 4, verdict = door.verdict,
    service = service, fetch = fetch, refine = refine, plain = plain,
  }
end

--- The catalogues, by the service's codes.
M.catalogs = {}
local aliases = { GAIAdr1 = "Gaia DR1", GAIAdr2 = "Gaia DR2", GAIAdr3 = "Gaia DR3",
  PS1V3OBJECTS = "Pan-STARRS", USNOB = "USNO-B", GSC30 = "GSC3" }
for code in ("GSC11 GSC12 GSC23 GSC241 GSC242 GSC243 GSC30 USNOB SDSS FIRST 2MASS IRAS GALEX GAIA "
  .. "GAIAdr1 GAIAdr2 GAIAdr3 TGAS WISE PS1V3OBJECTS"):gmatch("%S+") do
  local record = {
    name = code, aliases = { aliases[code] }, code = code, door = "gsss", host = "mast",
    options = { "stcs", "id", "key", "magrange", "mindet", "epoch" },
    url = function()
      return door.base("gsss")
    end,
  }
  record.columns = function()
    local columns = columns_of(record)
    for what in pairs(ucds) do
      role(record, columns, what)
    end
    return columns
  end
  record.source = function(options)
    return source_of(record, options)
  end
  M.catalogs[#M.catalogs + 1] = record
end
return M
