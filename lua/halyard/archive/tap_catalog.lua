-- SPDX-License-Identifier: BSD-3-Clause
-- A table of a TAP service as a catalogue: what halyard.query needs, worded as ADQL (section 8 of
-- the VO specification). Tiles are half-open boxes in right ascension and declination: exact, quick
-- where the service has an index, understood by every service.

local adql = require("halyard.archive.adql")
local criteria = require("halyard.archive.criteria")
local door = require("halyard.archive.door")
local errors = require("halyard.error")
local meta = require("halyard.archive.tap_meta")
local system = require("halyard.core.system")

local M = {}

-- Where a service does not tell its limit: what overflows is flagged, so this is only a size.
local cap_unknown = 1000000

-- Roles of columns: UCDs, then usual names.
local roles = {
  id = { ucds = { "meta.id;meta.main" }, names = { "source_id", "objid", "matchid", "id",
    "obs_publisher_did", "obs_id" } },
  ra = { ucds = { "pos.eq.ra;meta.main", "pos.eq.ra" }, names = { "ra", "s_ra", "raj2000",
    "ramean" } },
  dec = { ucds = { "pos.eq.dec;meta.main", "pos.eq.dec" }, names = { "dec", "s_dec", "dej2000",
    "decmean" } },
}

--- Is the failure a question that a gateway or the service gave up after a while?
function M.too_long(err)
  local text = err.message:lower()
  return err.code == "timeout" or err.http_status == 504 or err.http_status == 502
    or text:find("timed? ?out") ~= nil or text:find("too long", 1, true) ~= nil
    or text:find("time limit", 1, true) ~= nil
end

-- The columns ---------------------------------------------------------------------------------

local function columns_of(record)
  local columns = meta.columns(record.service, record.table)
  if not columns then
    local rows, _, cost = record.service:rows(("SELECT TOP 1 * FROM %s"):format(record.sql), {})
    door.aside(rows, cost)
    columns = {}
    for i, name in ipairs(rows.columns) do
      local field = rows:field(name)
      columns[name:lower()] = { name = name, place = i, type = field.type == "string" and "char"
        or field.type:gsub("%d+$", ""):gsub("^bool$", "int"), unit = field.unit, ucd = field.ucd,
        description = field.description }
    end
  end
  return columns
end

-- The one column with a UCD; several are none.
local function with_ucd(columns, ucd)
  local found
  for _, column in pairs(columns) do
    if (column.ucd or ""):lower() == ucd then
      if found then
        return nil
      end
      found = column
    end
  end
  return found
end

-- The column of a role; nil when a table has none and `optional` is true.
local function role(record, columns, name, optional)
  local given = record[name]
  if given then
    return door.column(columns, given, record.name)
  end
  for _, ucd in ipairs(roles[name].ucds) do
    local found = with_ucd(columns, ucd)
    if found then
      return found
    end
  end
  for _, usual in ipairs(roles[name].names) do
    if columns[usual] then
      return columns[usual]
    end
  end
  if optional then
    return nil
  end
  errors.raise("usage", ("%s: no column is known to be its %s: name it, service:table(\"%s\", "
    .. "{ %s = \"...\" })"):format(record.name, name == "id" and "identifier" or name,
    record.table, name))
end

-- Conditions ------------------------------------------------------------------------------------

local function number(value)
  return criteria.text(value)
end

-- A plain range of boxes; full ranges are left out. Half-open, but for the ends of the sky.
local function box_condition(ra, dec, ra_min, ra_max, dec_min, dec_max)
  local parts = {}
  if ra_min > 0 or ra_max < 360 then
    parts[1] = ("%s >= %s AND %s %s %s"):format(ra, number(ra_min), ra, ra_max >= 360 and "<="
      or "<", number(ra_max))
  end
  if dec_min > -90 or dec_max < 90 then
    parts[#parts + 1] = ("%s >= %s AND %s %s %s"):format(dec, number(dec_min), dec,
      dec_max >= 90 and "<=" or "<", number(dec_max))
  end
  return table.concat(parts, " AND ")
end

-- The box round a circle, as conditions; it lets an index help (MAST: a circle alone takes
-- minutes).
local function box_round(ra, dec, circle)
  local low, high = circle.dec - circle.radius, circle.dec + circle.radius
  local margin = 1e-6
  if low <= -90 or high >= 90 then
    return box_condition(ra, dec, 0, 360, math.max(-90, low - margin), math.min(90, high + margin))
  end
  local half = math.deg(math.asin(math.min(1, math.sin(math.rad(circle.radius))
    / math.cos(math.rad(circle.dec))))) + margin
  local from, to = circle.ra - half, circle.ra + half
  if circle.radius >= 90 or to - from >= 360 then
    return box_condition(ra, dec, 0, 360, low - margin, high + margin)
  elseif from < 0 or to > 360 then
    return ("(%s >= %s OR %s <= %s) AND %s"):format(ra, number(from % 360), ra, number(to % 360),
      box_condition(ra, dec, 0, 360, low - margin, high + margin))
  end
  return box_condition(ra, dec, from, to, low - margin, high + margin)
end

-- Inside a circle: with the service's own geometry, else by the haversine formula.
local function circle_condition(geometry, ra, dec, circle)
  local inside
  if geometry.CONTAINS and geometry.POINT and geometry.CIRCLE then
    inside = ("1 = CONTAINS(POINT('ICRS', %s, %s), CIRCLE('ICRS', %s, %s, %s))"):format(ra, dec,
      number(circle.ra), number(circle.dec), number(circle.radius))
  else
    inside = ("POWER(SIN(RADIANS(%s - %s) / 2), 2) + COS(RADIANS(%s)) * %s * "
      .. "POWER(SIN(RADIANS(%s - %s) / 2), 2) <= %s"):format(dec, "(" .. number(circle.dec) .. ")",
      dec, number(math.cos(math.rad(circle.dec))), ra, "(" .. number(circle.ra) .. ")",
      number(math.sin(math.rad(circle.radius / 2)) ^ 2))
  end
  local box = box_round(ra, dec, circle)
  return box == "" and inside or box .. " AND " .. inside
end

local function where_condition(record, columns, where)
  local parts, loose, names = {}, false, {}
  for name in pairs(where or {}) do
    names[#names + 1] = tostring(name)
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local column = door.column(columns, name, record.name)
    local text, wide = adql.condition({ name = column.name, kind = meta.kind(column) }, where[name])
    parts[#parts + 1], loose = text, loose or wide
  end
  return table.concat(parts, " AND "), loose
end

local function joined(a, b)
  if a == "" or b == "" then
    return a .. b
  end
  return a .. " AND " .. b
end

-- Ranges that split what positions cannot -----------------------------------------------------

local float_decimals = 6 -- borders of ranges of a column whose printed decimals nobody knows
local integers = { short = true, int = true, smallint = true, integer = true, unsignedbyte = true }
local floats = { float = true, double = true, real = true }
local columns_most = 4

-- Columns of numbers that are quick to select on, as the plan takes them. Identifiers of 64 bits
-- are none: ranges are doubles.
local function split_columns(columns, here, taken)
  local out = {}
  for _, name in ipairs(door.names(columns)) do
    local column = columns[name:lower()]
    local plain = (column.type or ""):lower():gsub("^adql:", ""):match("^%a+") or ""
    if column.indexed and here(column.name) and not taken[column.name] and #out < columns_most
      and (integers[plain] or floats[plain]) then
      out[#out + 1] = { name = column.name, nullable = true, null_test = true,
        decimals = floats[plain] and float_decimals or 0 }
    end
  end
  return out
end

-- A range of a column, closed; an open end is left out.
local function one_range(range)
  local name, parts = adql.name(range.column), {}
  if range.column_null then
    return name .. " IS NULL"
  end
  parts[1] = range.column_min and ("%s >= %s"):format(name, number(range.column_min))
  parts[#parts + 1] = range.column_max and ("%s <= %s"):format(name, number(range.column_max))
  return #parts > 0 and table.concat(parts, " AND ") or name .. " IS NOT NULL"
end

local function range_condition(shape)
  local text = shape.column and one_range(shape) or ""
  for _, range in ipairs(shape.outer or {}) do
    text = joined(text, one_range(range))
  end
  return text
end

-- The source --------------------------------------------------------------------------------------

local function counted(record, rows)
  local n = #rows == 1 and math.tointeger(rows:get(1, rows.columns[1]))
  if not n then
    errors.raise("protocol", ("%s: the count is not a number"):format(record.name))
  end
  return n
end

-- What the service can do with this table, and names of its columns as a query spells them.
local function abilities(record, columns, names, limits, loose)
  local id = role(record, columns, "id")
  local ra, dec = role(record, columns, "ra", true), role(record, columns, "dec", true)
  local placed, chosen = ra ~= nil and dec ~= nil, nil
  for _, name in ipairs(names or {}) do
    chosen = chosen or {}
    chosen[name] = true
  end
  local service = {
    takes_box = placed, takes_cone = false, counts = not loose, order_key = true,
    histogram = placed and not loose and (limits.healpix or record.cells) and true or false,
    pos_nullable = placed, null_test = placed,
    cap = limits.rows_max or limits.rows_default or cap_unknown,
    pos_quantum_deg = record.pos_quantum_deg or 0,
  }
  local taken = { [id.name] = true }
  if placed then
    taken[ra.name], taken[dec.name] = true, true
  end
  service.alt_split = split_columns(columns, function(name)
    return not chosen or chosen[name]
  end, taken)
  return service, id, placed and ra or nil, placed and dec or nil
end

local function source_of(record, options)
  local columns = columns_of(record)
  local limits = meta.capabilities(record.service)
  local where, loose = where_condition(record, columns, options.where)
  local service, id, ra, dec = abilities(record, columns, options.columns, limits, loose)
  if options.region and not ra then
    errors.raise("usage", ("%s: no columns are known to be its positions: leave region out, or "
      .. 'name them, service:table("%s", { ra = "...", dec = "..." })'):format(record.name,
      record.table))
  end
  local always = { id.name, ra and ra.name, dec and dec.name }
  local names = options.columns
    and door.chosen(always, options.columns, columns, record.name)
  local list = {}
  for i, name in ipairs(names or {}) do
    list[i] = adql.name(name)
  end
  local spelt = loose and door.spelt(options.where, columns, record.name)
  local ra_name, dec_name = ra and adql.name(ra.name), dec and adql.name(dec.name)
  local key_name, from = adql.name(id.name), ("FROM %s"):format(record.sql)

  -- A question: what, where, and after that.
  local function ask(what, condition, maxrec, rest)
    local all = joined(condition, where)
    local text = ("SELECT %s %s%s%s"):format(what, from, all ~= "" and " WHERE " .. all or "",
      rest or "")
    return record.service:rows(text, { maxrec = maxrec, tries = 1 })
  end
  -- Boxes across ra = 0 are two questions.
  local function conditions(shape)
    local range, out = range_condition(shape), {}
    if shape.from_key then
      range = joined(range, ("%s >= %s"):format(key_name, adql.literal(shape.from_key)))
    end
    if not ra then
      return { range }
    elseif shape.no_position then
      return { joined(("(%s IS NULL OR %s IS NULL OR %s NOT BETWEEN -90 AND 90)"):format(ra_name,
        dec_name, dec_name), range) }
    elseif shape.radius then
      return { joined(circle_condition(limits.geometry, ra_name, dec_name, shape), range) }
    end
    door.each_box(shape, function(...)
      out[#out + 1] = joined(box_condition(ra_name, dec_name, ...), range)
    end)
    return out
  end
  local function count(condition)
    local rows, _, cost = ask("COUNT(*) AS n", condition)
    return counted(record, rows), cost
  end
  local function refine(rows)
    rows = spelt and rows:where(spelt) or rows
    return record.service:dated(door.described(rows, columns))
  end

  local what = names and table.concat(list, ", ") or "*"
  local source = {
    name = record.name, id = id.name, ra = ra and ra.name, dec = dec and dec.name, window = 4,
    row_bytes = 8 * #(names or door.names(columns)), service = service,
    refine = refine,
    verdict = function(err)
      return err.code ~= "truncated" and M.too_long(err) and "ambiguous" or door.verdict(err)
    end,
  }
  function source.fetch(shape)
    local parts, cost = {}, { requests = 0, bytes = 0 }
    local head = shape.page_rows and ("TOP %d %s"):format(shape.page_rows, what) or what
    for _, condition in ipairs(conditions(shape)) do
      local rows, _, one = ask(head, condition, service.cap,
        shape.page_rows and " ORDER BY " .. key_name)
      parts[#parts + 1] = rows
      door.add_cost(cost, one)
    end
    return door.joined(parts), cost
  end
  -- Rows by HEALPix cell: a table of cells, which standard ADQL groups by.
  function source.histogram(shape)
    local cell = limits.healpix and ("ivo_healpix_index(%d, %s, %s)"):format(shape.order, ra_name,
      dec_name) or record.cells(shape.order)
    local cells, counts, cost, at = {}, {}, { requests = 0, bytes = 0 }, {}
    for _, condition in ipairs(conditions(shape)) do
      condition = joined(("%s IS NOT NULL AND %s BETWEEN -90 AND 90"):format(ra_name, dec_name),
        joined(condition, where))
      local text = "SELECT cell, COUNT(*) AS n FROM (SELECT %s AS cell %s WHERE %s) AS cells "
        .. "GROUP BY cell"
      local rows, _, one = record.service:rows(text:format(cell, from, condition),
        { maxrec = service.cap, tries = 1 })
      door.add_cost(cost, one)
      for i = 1, #rows do
        local index = rows:get(i, "cell")
        at[index] = at[index] or #cells + 1
        cells[at[index]] = index
        counts[at[index]] = (counts[at[index]] or 0) + rows:get(i, "n")
      end
    end
    return cells, counts, cost
  end
  -- A service whose first count takes too long is asked without counts from then on.
  local has_counted = false
  function source.count(shape)
    local sum, cost = 0, { requests = 0, bytes = 0 }
    for _, condition in ipairs(conditions(shape)) do
      local ok, n, one = errors.try(count, condition)
      if not ok and (has_counted or not M.too_long(n)) then
        error(n, 0)
      elseif not ok then
        system.log("warning", n.message .. "; the rows are fetched without a count")
        service.counts = false
        return nil, { requests = 1, bytes = 0 }
      end
      sum, has_counted = sum + n, true
      door.add_cost(cost, one)
    end
    return sum, cost
  end
  if not loose then
    source.count_plain = function()
      return count("")
    end
  end
  function source.plain()
    local n, cost = count("")
    local most = source.service.cap
    if n >= most then
      return nil, cost
    end
    local rows, _, one = ask(what, "", most)
    door.add_cost(cost, one)
    return refine(rows), cost, not loose and n or nil
  end
  return source
end

--- Completes the record of a table: `service`, `table` (its name), `name`, and maybe `id`, `ra`,
-- `dec`, `pos_quantum_deg`.
function M.complete(record)
  record.door = "tap"
  record.sql = adql.table_name(record.table)
  record.columns = function()
    return columns_of(record)
  end
  record.source = function(options)
    return source_of(record, options)
  end
  return record
end

return M
