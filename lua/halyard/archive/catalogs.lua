-- SPDX-License-Identifier: BSD-3-Clause
-- Catalogs.MAST (MAST interfaces, section 4): Pan-STARRS, Hubble Source Catalog, the exoplanet
-- observability table. A page that is full is asked for again in smaller circles, so the numbering
-- of pages, which is not documented, is never used. Criteria are sent where the service's reading
-- is sure to hold all rows, and applied again here.

local criteria = require("halyard.archive.criteria")
local door = require("halyard.archive.door")
local errors = require("halyard.error")
local hsc_answers = require("halyard.archive.hsc")
local http = require("halyard.core.http")
local json = require("halyard.json")
local readings = require("halyard.archive.readings")
local sky = require("halyard.sky")
local suggest = require("halyard.suggest")
local table_core = require("halyard.core.table")
local tables = require("halyard.table")

local M = {}

local page_rows = 50000 -- larger ones are not known to be served
local radius_max_deg = 0.5
local targets_max = 5000 -- of one crossmatch
local formats = { json = "rows", csv = "csv", votable = "votable" }

-- `id`: the key; `keys`: columns that make one, where no column is; `ra`, `dec`: the position, or
-- where it is null the second name; `null`: what stands for a missing number.
local function panstarrs(release, name, path, id, more)
  local record = { name = ("Pan-STARRS %s %s"):format(release, name), id = id,
    path = ("panstarrs/%s/%s"):format(release:lower(), path),
    ra = "raMean", dec = "decMean", other_ra = "raStack", other_dec = "decStack", null = -999,
    aliases = { ("PS1 %s %s"):format(release, name) } }
  for key, value in pairs(more or {}) do
    record[key] = value
  end
  return record
end

local function hsc(version, name, path, id, ra, dec, more)
  local record = { name = ("HSC %s %s"):format(version, name), path = ("hsc/%s/%s")
    :format(version, path), id = id, ra = ra, dec = dec, unit = hsc_answers.unit }
  for key, value in pairs(more or {}) do
    record[key] = value
  end
  return record
end

local detection = { ra = "ra", dec = "dec", other_ra = false }
M.catalogs = {
  panstarrs("DR2", "mean", "mean", "objID", { aliases = { "Pan-STARRS", "PS1", "PS1 DR2 mean",
    "Pan-STARRS DR2" } }),
  panstarrs("DR2", "stack", "stack", "uniquePspsSTid"),
  panstarrs("DR2", "detection", "detection", "detectID", detection),
  panstarrs("DR2", "forced mean", "forced_mean", "objID"),
  panstarrs("DR1", "mean", "mean", "objID"),
  panstarrs("DR1", "stack", "stack", "uniquePspsSTid"),
}
for _, version in ipairs({ "v3", "v2" }) do
  local of_summary = { "MatchID", "MatchRA", "MatchDec" }
  table.move({
    hsc(version, "summary magaper2", "summary/magaper2", table.unpack(of_summary)),
    hsc(version, "summary magauto", "summary/magauto", table.unpack(of_summary)),
    hsc(version, "detailed", "detailed", "CatID", "SourceRA", "SourceDec"),
  }, 1, 3, #M.catalogs + 1, M.catalogs)
end
table.move({
  hsc("v3", "propermotions", "propermotions", "objID", "raMean", "decMean"),
  hsc("v3", "sourcepositions", "sourcepositions", "SourceID", "ra", "dec"),
  hsc("v3", "HCV summary", "hcvsummary", "row_key", "RA", "Dec",
    { keys = { "MatchID", "Filter" } }),
  hsc("v3", "HCV", "hcv", "row_key", "RA", "Dec", { keys = { "MatchID", "Filter", "MJD" } }),
  { name = "EAOT", path = "eaot/search", id = "row_key", ra = "RA", dec = "DEC",
    keys = { "planet_name", "catalog_name" }, whole = true,
    aliases = { "Exoplanet Atmosphere Observability Table" } },
}, 1, 5, #M.catalogs + 1, M.catalogs)

local function address(record, what)
  return ("%s/api/v0.1/%s%s"):format(door.base("catalogs"), record.path, what)
end

-- Columns ---------------------------------------------------------------------------------------

local kinds = { char = "text", string = "text" }
local unit_words = { degrees = "deg", magnitudes = "mag", days = "d", arcsec = "arcsec",
  arcseconds = "arcsec", seconds = "s" }

-- A value of the metadata, where all are texts and "NULL" says that there is none.
local function told(value)
  if type(value) == "string" and value ~= "NULL" and value ~= "" then
    return value
  end
end

local lists = {}

local function columns_of(record)
  local url = address(record, "/metadata")
  if not lists[url] then
    local answer, columns = door.document(record.name .. " columns", { url = url }), {}
    for _, entry in ipairs(type(answer) == "table" and answer or {}) do
      local name = told(entry.name) or told(entry.column_name)
      if name then
        local datatype = told(entry.type) or told(entry.datatype) or "char"
        local unit = told(entry.unit)
        columns[name:lower()] = {
          name = name, type = datatype, kind = kinds[datatype:lower()] or "number",
          unit = unit_words[unit] or unit or record.unit and record.unit(name),
          ucd = told(entry.ucd),
          description = told(entry.description),
        }
      end
    end
    if not next(columns) then
      errors.raise("protocol", record.name .. ": the archive sent no list of columns")
    end
    lists[url] = columns
  end
  return lists[url]
end

-- Names that must come for key and position.
local function needed(record)
  local list = record.keys and table.move(record.keys, 1, #record.keys, 1, {}) or { record.id }
  for _, name in ipairs({ record.ra, record.dec }) do
    list[#list + 1] = name
  end
  if record.other_ra then
    list[#list + 1], list[#list + 2] = record.other_ra, record.other_dec
  end
  return list
end

-- Criteria --------------------------------------------------------------------------------------

local decorators = { [">"] = ".gt", [">="] = ".gte", ["<"] = ".lt", ["<="] = ".lte",
  like = ".like" }

-- The parameters of one criterion, and whether the service's count is that of table:where: upper
-- limits also let the numbers pass that stand for null. A range has two decorators, which the
-- service may join with "or" (section 4.2): all rows come, and more.
local function parameters(params, record, column, terms)
  if #terms == 1 and not terms[1].negated then
    local term = terms[1]
    if term.op == ".." then
      params[column.name .. ".gte"], params[column.name .. ".lte"] = term.low, term.high
      return readings.chosen("catalogs-ranges") == "and"
        and (not record.null or term.low > record.null)
    end
    params[column.name .. (decorators[term.op] or "")] = term.value
    return term.op == "=" or (term.op:sub(1, 1) == ">" and (not record.null
      or term.value > record.null))
  end
  local values = json.array({})
  for i, term in ipairs(terms) do
    if term.negated or term.op ~= "=" then
      return false
    end
    values[i] = term.value
  end
  params[column.name] = values
  return true
end

-- Parameters for criteria, whether the service counts the same, and the criteria as spelt there.
local function worded(record, columns, where)
  local params, counted, spelt = {}, true, nil
  for name, value in pairs(where or {}) do
    local column = door.column(columns, name, record.name)
    spelt = spelt or {}
    spelt[column.name] = value
    counted = parameters(params, record, column, criteria.terms(column, value)) and counted
  end
  return params, counted, spelt
end

-- Questions -------------------------------------------------------------------------------------

local function question(params, shape)
  shape = shape or {}
  local out = { ra = shape.ra, dec = shape.dec, radius = shape.radius }
  for key, value in pairs(params) do
    out[key] = value
  end
  return json.encode(out)
end

local function ask(record, params, shape, answers)
  return door.fetch(record.name, {
    method = "POST", url = address(record, "." .. answers), body = question(params, shape),
    headers = { ["Content-Type"] = "application/json" }, format = formats[answers], poll = false,
    tries = shape and 1 or nil,
  })
end

-- The service's count: a number, alone or in a small document. `aside`: the caller does not count
-- the question.
local function count(record, params, shape, aside)
  local reply = door.reply(record.name .. " count", {
    url = address(record, "/count"), method = "POST", body = question(params, shape),
    headers = { ["Content-Type"] = "application/json" },
  }, not aside)
  local n = math.tointeger(tonumber(reply.body:match("%d+")))
  if not n then
    errors.raise("protocol", record.name .. ": the count is not a number")
  end
  return n, { requests = 1, bytes = #reply.body }
end

local can_count = {}

-- Whether the table has a count, which is documented for some only: asked once.
local function counts(record)
  local url = address(record, "/count")
  if can_count[url] == nil then
    local ok, err = errors.try(count, record, {}, { ra = 0, dec = 0, radius = 1e-4 }, true)
    if not ok and err.code ~= "not_found" and err.code ~= "archive" and err.code ~= "protocol" then
      error(err, 0)
    end
    can_count[url] = ok or false
  end
  return can_count[url]
end

local function in_one_question(region)
  if not region or not region:is_circle() then
    return region == nil
  end
  local _, _, radius = region:cone()
  return radius + 2 / 3600 <= radius_max_deg
end

-- Rows as users see them ------------------------------------------------------------------------

local numbers = { int64 = true, float64 = true, float32 = true, int32 = true, int16 = true }

-- Numbers that stand for null become null.
local function cleaned(record, rows)
  for _, name in ipairs(record.null and #rows > 0 and rows.columns or {}) do
    local column = rows:column(name)
    if numbers[column.type] and (column:min() or 0) <= record.null then
      local told_of = rows:field(name)
      rows = rows:with(name, tables.null_if(column, record.null), {
        unit = told_of.unit, ucd = told_of.ucd, description = told_of.description,
      })
    end
  end
  return rows
end

local function has(rows, name)
  for _, column in ipairs(rows.columns) do
    if column == name then
      return true
    end
  end
  return false
end

-- The columns that tiling works with: the key, and `ra` and `dec`, the position of all rows.
local function placed(record, rows)
  for _, name in ipairs(needed(record)) do
    if not has(rows, name) then
      errors.raise("protocol", ("%s: the answer lacks the column %s: give columns")
        :format(record.name, name))
    end
  end
  if record.keys then
    local keys = rows:select(record.keys):with("key", function(row)
      local parts = {}
      for i, name in ipairs(record.keys) do
        parts[i] = tostring(row[name])
      end
      return table.concat(parts, "|")
    end)
    rows = rows:with("row_key", keys:column("key"), { description = "key of the row" })
  end
  if rows:column(record.id):nulls() > 0 then
    errors.raise("protocol", ("%s: rows without the key %s"):format(record.name, record.id))
  elseif record.other_ra then
    local note = { unit = "deg", description = "mean position, or that of the stacks" }
    note.ucd = "pos.eq.ra;meta.main"
    rows = rows:with("ra", tables.fill(rows:column(record.ra), rows:column(record.other_ra)), note)
    note.ucd = "pos.eq.dec;meta.main"
    rows = rows:with("dec", tables.fill(rows:column(record.dec), rows:column(record.other_dec)),
      note)
  end
  return rows
end

-- Catalogue -------------------------------------------------------------------------------------

-- The columns to ask for, nil for the service's usual ones; those of them that only serve criteria,
-- as a set.
local function choose(record, columns, names, where)
  if not names then
    return nil, {}
  end
  local list = door.chosen(needed(record), names, columns, record.name)
  local extra, seen = {}, {}
  for _, name in ipairs(list) do
    seen[name] = true
  end
  for name in pairs(where or {}) do
    if not seen[name] then
      list[#list + 1], extra[name] = name, true
    end
  end
  return list, extra
end

local function source_of(record, options)
  local answers = options.answers or "json"
  if not formats[answers] then
    suggest.unknown("format of answers", tostring(answers), { "json", "csv", "votable" })
  end
  local columns = columns_of(record)
  local params, counted, where = worded(record, columns, options.where)
  local list, extra = choose(record, columns, options.columns, where)
  extra.distance = record.whole == nil or nil
  local source = {
    name = record.name, id = record.id, ra = record.other_ra and "ra" or record.ra,
    dec = record.other_ra and "dec" or record.dec, window = 4, verdict = door.verdict,
    service = { takes_cone = true, cap = page_rows, radius_max_deg = radius_max_deg },
  }
  source.service.counts = counted and in_one_question(options.region) and counts(record) or false
  local function page(shape)
    local asked = { pagesize = source.service.cap, columns = list and json.array(list) }
    for key, value in pairs(params) do
      asked[key] = value
    end
    local ok, rows, _, cost = errors.try(ask, record, asked, shape, answers)
    if not ok and answers == "csv" and rows.code == "protocol" then
      -- Nothing at all may be how no rows are written (section 4.3); JSON always says which.
      ok, rows, _, cost = errors.try(ask, record, asked, shape, "json")
      if ok then
        door.add_cost(cost, { requests = 1, bytes = 0 })
      end
    end
    if not ok then
      error(rows, 0)
    end
    return rows, cost
  end
  source.fetch = page
  function source.count(shape)
    return count(record, params, shape)
  end
  function source.refine(rows)
    rows = placed(record, cleaned(record, rows))
    rows = where and rows:where(where) or rows
    return door.described(door.without(rows, extra), columns)
  end
  function source.count_plain()
    if source.service.counts then
      return count(record, params)
    end
  end
  if record.whole or where then
    function source.plain()
      local rows, cost = page()
      if #rows >= source.service.cap then
        errors.raise("truncated", ("%s: %d rows, perhaps not all: give a region or more criteria")
          :format(record.name, #rows))
      end
      local n = source.service.counts and count(record, params)
      if n and n ~= #rows then
        errors.raise("integrity", ("%s: %d rows came, the archive counts %d; run it again")
          :format(record.name, #rows, n), { rows = #rows, rows_counted = n })
      end
      rows = source.refine(rows)
      return rows, cost, n and #rows or nil
    end
  end
  return source
end

-- Crossmatch ------------------------------------------------------------------------------------

-- The rows around the positions of one upload.
local function match(record, positions, params)
  local body, content_type = http.multipart({
    { name = "file", filename = "targets.csv", content_type = "text/csv",
      body = positions:encode("csv") },
    table.unpack(params),
  })
  return door.fetch(record.name .. " crossmatch", {
    method = "POST", url = address(record, "/crossmatch/upload.json"), body = body,
    headers = { ["Content-Type"] = content_type }, format = "rows", poll = false,
  })
end

-- Matches of positions first to last, in halves where the answer is full.
local function match_all(record, positions, first, last, params, cost)
  local rows, _, one = match(record, positions:slice(first, last), params)
  door.add_cost(cost, one)
  if #rows < page_rows then
    if #rows > 0 then
      rows = rows:with("row", rows:column("_searchID_") + first,
        { description = "row of the list given" })
    end
    return { rows }
  elseif first == last then
    errors.raise("truncated", ("%s: more than %d rows around one position: use a smaller radius")
      :format(record.name, page_rows))
  end
  local half = (first + last) // 2
  local parts = match_all(record, positions, first, half, params, cost)
  local rest = match_all(record, positions, half + 1, last, params, cost)
  return table.move(rest, 1, #rest, #parts + 1, parts)
end

local function positions_of(list, options)
  if type(list) ~= "userdata" then
    errors.raise("usage", "crossmatch takes a table with positions (of a query: result.table) and "
      .. "a radius")
  end
  local ra = list:column(options.ra or "ra")
  local dec = list:column(options.dec or "dec")
  if #list == 0 or ra:nulls() > 0 or dec:nulls() > 0 then
    errors.raise("usage", "crossmatch: rows without a position cannot be matched")
  end
  return list:select(ra.name):with("ra", tables.plain(ra)):with("dec", tables.plain(dec))
    :select({ "ra", "dec" })
end

-- Rows of the catalogue within a radius of the rows of a table: those columns, `row` (of the table)
-- and `sep_deg`.
local function crossmatch(record, list, radius, options)
  options = options or {}
  suggest.check_keys(options, { "columns", "ra", "dec" }, "catalog:crossmatch")
  door.check_names(options.columns, "catalog:crossmatch")
  local radius_deg = sky.angle(radius)
  if radius_deg <= 0 or radius_deg > radius_max_deg then
    errors.raise("usage", ("%s: the service takes radii up to %g deg"):format(record.name,
      radius_max_deg))
  end
  local report = door.begin("mast", door.base("catalogs"))
  local positions = positions_of(list, options)
  if report.dry then
    report.notes[#report.notes + 1] = record.name .. " would be asked for a crossmatch"
    return table_core.from_rows({}, { "row", "sep_deg" })
  end
  local columns = columns_of(record)
  local params = { { name = "radius", value = criteria.text(radius_deg) },
    { name = "pagesize", value = tostring(page_rows) } }
  if options.columns then
    local names = door.chosen(needed(record), options.columns, columns, record.name)
    params[#params + 1] = { name = "columns", value = "[" .. table.concat(names, ",") .. "]" }
  end
  local parts, cost = {}, { requests = 0, bytes = 0 }
  for first = 1, #positions, targets_max do
    local found = match_all(record, positions, first, math.min(first + targets_max - 1, #positions),
      params, cost)
    for _, rows in ipairs(found) do
      parts[#parts + 1] = #rows > 0 and rows or nil
    end
  end
  report:spent(cost)
  local n = 0
  for _, rows in ipairs(parts) do
    n = n + #rows
  end
  report.queries[#report.queries + 1] = { service = record.name .. " crossmatch", rows = n,
    requests = cost.requests, bytes = cost.bytes }
  if n == 0 then
    return table_core.from_rows({}, { "row", "sep_deg" })
  end
  local rows = placed(record, cleaned(record, door.joined(parts)))
  local ra, dec = record.other_ra and "ra" or record.ra, record.other_ra and "dec" or record.dec
  local apart = rows:select({ "_ra_", "_dec_", ra, dec }):with("sep", function(row)
    return row[ra] and row[dec] and sky.separation(row._ra_, row._dec_, row[ra], row[dec])
  end)
  rows = rows:with("sep_deg", apart:column("sep"), { unit = "deg", ucd = "pos.angDistance",
    description = "distance from the position given" })
  rows = door.without(rows, { _ra_ = true, _dec_ = true, _searchID_ = true })
  return door.described(door.described(rows, columns), door.roles(record.id, ra, dec))
    :sort({ "row", "sep_deg" })
end

for _, record in ipairs(M.catalogs) do
  record.door, record.host, record.options = "catalogs", "mast", { "answers" }
  function record.url()
    return door.base("catalogs")
  end
  function record.columns()
    return columns_of(record)
  end
  function record.source(options)
    return source_of(record, options)
  end
  record.methods = {
    crossmatch = function(_, ...)
      return crossmatch(record, ...)
    end,
  }
end

return M
