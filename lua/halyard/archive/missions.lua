-- SPDX-License-Identifier: BSD-3-Clause
-- The missions search API (MAST interfaces, section 3): datasets of hst, jwst, roman, iue, ullyses
-- and classy by criteria, in regions, around many positions; their files. Answers come in pages
-- that are read to the end and compared with the service's own total; tiling is halyard.query's.

local catalog = require("halyard.catalog")
local criteria = require("halyard.archive.criteria")
local door = require("halyard.archive.door")
local errors = require("halyard.error")
local json = require("halyard.json")
local suggest = require("halyard.suggest")
local system = require("halyard.core.system")
local table_core = require("halyard.core.table")
local task = require("halyard.core.task")

local M = {}

local page_rows = 5000 -- the service's own default
local pages_deep = 10 -- beyond, a circle is asked for in parts
local targets_max, ids_max = 100, 1000 -- in one request, as the reference client
local radius_max_deg = 0.5 -- enforced by the reference client; the server's own is not known
local radius_usual = "3 arcmin"

-- `id`: the column of the dataset id; `ra`, `dec`: positions, where the column list does not tell;
-- `retrieves`: files come from the mission's own address, else by their mast: URI.
local roman = { id = "fileSetName", retrieves = true }
local missions = {
  hst = { id = "sci_data_set_name", ra = "sci_ra", dec = "sci_dec", retrieves = true },
  jwst = { id = "fileSetName", ra = "targ_ra", dec = "targ_dec", retrieves = true },
  roman = roman, roman_spectra = roman, roman_cgi = roman,
  iue = { id = "iue_data_id" }, ullyses = { id = "observation_id" }, classy = { id = "Target" },
}

local function address(mission, what)
  return ("%s/search/%s/api/v0.1/%s"):format(door.base("missions"), mission, what)
end

--- URL of a file of a mission; the whole of `uri` is escaped (section 3.4).
function M.file_url(mission, uri)
  return address(mission, "retrieve_product?product_name=") .. door.escape(uri):gsub("/", "%%2F")
end

-- Columns ---------------------------------------------------------------------------------------

local kinds = { float = "number", integer = "number", ra = "number", dec = "number",
  datetime = "time" }

-- The list of columns does not tell units (section 3.3); the classic form of HST has its names.
M.units = {
  sci_actual_duration = "s", sci_spectrum_start = "Angstrom", sci_spectrum_end = "Angstrom",
  sci_central_wavelength = "Angstrom", sci_bandwidth = "Angstrom", sci_v3_pos_angle = "deg",
  sci_pa_aper = "deg", sci_ra_v1 = "deg", sci_dec_v1 = "deg", sci_ecliptic_latitude = "deg",
  sci_ecliptic_longitude = "deg", sci_galactic_latitude = "deg", sci_galactic_longitude = "deg",
  sci_sun_alt = "deg", duration = "s",
}
-- What refers to one question: never asked for by name.
local of_question = { search_pos = true, search_key = true, ang_sep = true }

local lists = {}

-- Columns of a mission: map, and `order`, `ra`, `dec` beside it.
local function columns_of(service)
  local url = door.url(door.base("missions") .. "/search/util/api/v0.1/column_list",
    { mission = service.mission })
  if lists[url] then
    return lists[url]
  end
  local answer = door.document("columns of " .. service.mission, { url = url })
  local list = { map = {}, order = {}, ra = service.known.ra, dec = service.known.dec }
  for _, entry in ipairs(type(answer) == "table" and answer or {}) do
    local name = entry.column_name
    if type(name) == "string" and not of_question[name] then
      local qual = tostring(entry.qual_type):lower()
      list.order[#list.order + 1] = name
      list.ra, list.dec = list.ra or qual == "ra" and name or nil,
        list.dec or qual == "dec" and name or nil
      list.map[name:lower()] = {
        name = name, kind = kinds[qual] or "text", type = entry.qual_type,
        unit = (qual == "ra" or qual == "dec") and "deg" or M.units[name],
        description = entry.description, shown = entry.default_output == "yes",
        hidden = entry.queryable == "no",
      }
    end
  end
  local id = list.map[service.known.id:lower()]
  if not id or not list.map[(list.ra or ""):lower()] or not list.map[(list.dec or ""):lower()] then
    errors.raise("protocol", ("%s: the archive's list of columns lacks the dataset id or the "
      .. "position"):format(service.mission))
  end
  id.ucd = "meta.id;meta.main"
  list.map[list.ra:lower()].ucd = "pos.eq.ra;meta.main"
  list.map[list.dec:lower()].ucd = "pos.eq.dec;meta.main"
  lists[url] = list
  return list
end

-- Criteria --------------------------------------------------------------------------------------

-- One term in the service's grammar (section 3.1); nil where that cannot say it.
local function worded(column, term)
  if term.negated and term.op ~= "=" and term.op ~= "like" then
    return nil
  elseif term.op == ".." then
    return criteria.text(term.low) .. ".." .. criteria.text(term.high)
  end
  local text = criteria.text(term.value)
  if column.kind == "text" and (text:find("[,]") or text:find("^[!<>%s]") or text:find("%s$")
    or text:find("..", 1, true)) then
    return nil
  end
  local op = (term.op == "=" or term.op == "like") and "" or term.op
  return (term.negated and "!" or "") .. op .. text
end

local function condition(column, value)
  local texts = {}
  for i, term in ipairs(criteria.terms(column, value)) do
    texts[i] = worded(column, term)
    if not texts[i] then
      return nil
    end
  end
  return table.concat(texts, ",")
end

-- Conditions of a request, and the criteria that are left for table:where.
local function conditions(service, columns, where)
  local names, list, rest = {}, json.array({}), {}
  for name in pairs(where or {}) do
    names[#names + 1] = tostring(name)
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local column = door.column(columns.map, name, service.mission)
    local text = condition(column, where[name])
    if text and not column.hidden then
      list[#list + 1] = { [column.name] = text }
    elseif column.kind == "time" then
      errors.raise("usage", ("criterion %s: the service cannot exclude a range of dates")
        :format(column.name))
    else
      rest[column.name] = where[name]
      local either = type(where[name]) == "string" and criteria.listed(where[name])
      if either then -- what several values are to the service, and to its other clients
        system.log("warning", ("%s: %s = %q is one text with a comma; any of several is a list, %s")
          :format(service.mission, column.name, where[name], either))
      end
    end
  end
  return list, next(rest) and rest
end

-- Questions -------------------------------------------------------------------------------------

local function ask(service, question, limit, offset, tries)
  local body = { limit = limit, offset = offset }
  for key, value in pairs(question) do
    body[key] = value
  end
  return door.fetch(service.mission, {
    method = "POST", url = address(service.mission, "search"), body = json.encode(body),
    headers = { ["Content-Type"] = "application/json", Accept = "application/json" },
    format = "rows", poll = false, tries = tries,
  })
end

local function has(rows, name)
  for _, column in ipairs(rows.columns) do
    if column == name then
      return true
    end
  end
  return false
end

local function incomplete(service, text, ...)
  errors.raise("integrity", service.mission .. ": " .. text:format(...)
    .. "; nothing of this answer is kept, run it again")
end

-- Every row of an answer, page after page, compared with the service's total; `truncated` when that
-- is above `most`. A page may hold fewer rows than asked for. `tries`: of a page.
local function rows_of(service, question, most, tries)
  local parts, have, total, cost = {}, 0, nil, { requests = 0, bytes = 0 }
  repeat
    local rows, answer, one = ask(service, question, page_rows, have, tries)
    door.add_cost(cost, one)
    total = total or answer.rows_total
    if most and (total or 0) > most then
      errors.raise("truncated", ("%s: %d rows in one answer are more than %d: give a region, which "
        .. "is asked in parts"):format(service.mission, total, most))
    elseif #rows == 0 and total and have < total then
      incomplete(service, "%d of %d rows came", have, total)
    end
    if #rows > 0 or have == 0 then
      parts[#parts + 1], have = rows, have + #rows
    end
  until #rows == 0 or total and have >= total
  local rows = door.joined(parts)
  if total and have ~= total then
    incomplete(service, "%d rows came, the archive counts %d", have, total)
  end
  local key = { service.known.id, has(rows, "search_pos") and "search_pos" or nil }
  if have > 0 and #rows:unique(key) ~= have then
    incomplete(service, "pages repeat rows")
  end
  return rows, cost, total
end

local function count_of(service, question)
  local _, answer, cost = ask(service, question, 1, 0)
  if not answer.rows_total then
    errors.raise("protocol", service.mission .. ": the answer does not count its rows")
  end
  return answer.rows_total, cost
end

-- Numbers of a position: no exponents.
local function plain(value)
  return (("%.10f"):format(value):gsub("0+$", ""):gsub("%.$", ""))
end

local function around(question, positions, radius_deg)
  local out = {}
  for key, value in pairs(question) do
    out[key] = value
  end
  out.target, out.radius, out.radius_units = json.array(positions), radius_deg * 60, "arcminutes"
  if #positions > 1 then -- a dataset comes once for each
    out.sort_by = json.array({ question.sort_by[1], "ang_sep" })
  end
  return out
end

local function circle(question, shape)
  return around(question, { plain(shape.ra) .. " " .. plain(shape.dec) }, shape.radius)
end

-- Rows as users see them ------------------------------------------------------------------------

-- Texts come padded with blanks (section 3.1).
local function trimmed(rows)
  local names, cells = {}, {}
  for _, name in ipairs(rows.columns) do
    if rows:field(name).type == "string" then
      local padded
      for i, text in rows:column(name):values() do
        local cut = text and text:find("%s$") and text:gsub("%s+$", "")
        if text then
          cells[i] = cells[i] or {}
          cells[i][name] = cut or text
        end
        padded = padded or cut
      end
      names[#names + 1] = padded and name or nil
    end
  end
  if #names > 0 then
    for i = 1, #rows do
      cells[i] = cells[i] or {}
    end
    local clean = table_core.from_rows(cells, names)
    for _, name in ipairs(names) do
      rows = rows:with(name, clean:column(name))
    end
  end
  return rows
end

-- Rows as a user sees them: without padding, with units, with times as MJD too.
local function shown(service, rows, columns)
  rows = door.described(trimmed(rows), columns.map)
  for _, name in ipairs(rows.columns) do
    local column = columns.map[name:lower()]
    if column and column.kind == "time" then
      rows = door.dated(rows, name, service.mission)
    end
  end
  return rows
end

-- Catalogue -------------------------------------------------------------------------------------

-- The columns of a request: those asked for or shown by default, the key and the position always
-- (the usual ones of ULLYSES lack the key), then those that only criteria need, as a set too.
local function choose(service, columns, names, rest)
  local wanted = {}
  for _, name in ipairs(names or columns.order) do
    wanted[#wanted + 1] = (names or columns.map[name:lower()].shown) and name or nil
  end
  local always = { service.known.id, columns.ra, columns.dec }
  local asked = door.chosen(always, wanted, columns.map, service.mission)
  local extra, seen = {}, {}
  for _, name in ipairs(asked) do
    seen[name] = true
  end
  for name in pairs(rest or {}) do
    if not seen[name] then
      asked[#asked + 1] = name
      extra[name], extra[name .. "_mjd"] = true, true
    end
  end
  return asked, extra
end

-- Positions for a request: list of { text, name of the target }, each once.
local function positions_of(targets)
  if type(targets) ~= "table" or #targets == 0 then
    errors.raise("usage", "targets is a list of positions or names")
  end
  local resolve, list, seen = require("halyard.mast").resolve, {}, {}
  for i, target in ipairs(targets) do
    local place = resolve(target)
    local text = plain(place.ra) .. " " .. plain(place.dec)
    if not seen[text] then
      seen[text] = true
      list[#list + 1] = { text, type(target) == "string" and target or place.name or tostring(i) }
    end
  end
  return list
end

local function batches_of(list, n)
  local batches = {}
  for first = 1, #list, n do
    batches[#batches + 1] = table.move(list, first, math.min(first + n - 1, #list), 1, {})
  end
  return batches
end

local function firsts(list)
  local out = {}
  for i, pair in ipairs(list) do
    out[i] = pair[1]
  end
  return out
end

local function angle_of(radius)
  local degrees = require("halyard.sky").angle(radius)
  if degrees <= 0 then
    errors.raise("usage", "radius is an angle above 0")
  end
  return degrees
end

-- Requests without a region: by criteria alone, or around targets.
local function questions(service, question, options)
  if not options.targets then
    return { question }
  end
  local radius = angle_of(options.radius or radius_usual)
  if radius > service.radius_max + 1e-12 then
    errors.raise("usage", ("%s: radius %g deg is above the service's limit of %g deg; give region "
      .. "to search a larger circle"):format(service.mission, radius, service.radius_max))
  end
  local out, places = {}, positions_of(options.targets)
  for i, batch in ipairs(batches_of(places, targets_max)) do
    out[i] = around(question, firsts(batch), radius)
  end
  return out, places
end

-- Distances in degrees, and the target that a row belongs to.
local function of_targets(rows, places)
  local name_of = {}
  for _, place in ipairs(places) do
    name_of[place[1]] = place[2]
  end
  if has(rows, "search_pos") then
    local names = rows:select("search_pos"):with("target", function(row)
      return name_of[row.search_pos]
    end)
    rows = rows:with("target", names:column("target"), { description = "the target given" })
  end
  if has(rows, "ang_sep") then
    rows = rows:with("sep_deg", rows:column("ang_sep") / 60,
      { unit = "deg", ucd = "pos.angDistance", description = "distance from the target" })
  end
  return door.without(rows, { ang_sep = true, search_pos = true, search_key = true })
end

-- All rows of some requests; the service's count of them.
local function plain_rows(service, question, options)
  local list, places = questions(service, question, options)
  local parts, cost, total = {}, { requests = 0, bytes = 0 }, 0
  for i, each in ipairs(list) do
    local rows, one, n = rows_of(service, each, options.row_limit)
    parts[i], total = rows, n and total and total + n
    door.add_cost(cost, one)
  end
  return door.joined(parts), cost, total, places
end

local function check(options, service)
  if options.targets and options.region then
    errors.raise("usage", service.mission .. ": give region or targets, not both")
  elseif options.radius and not options.targets then
    errors.raise("usage", service.mission .. ": radius goes with targets")
  end
end

-- Can the service count this region in one question?
local function countable(service, region)
  if not region or not region:is_circle() then
    return false
  end
  local _, _, radius = region:cone()
  return radius + 2 / 3600 <= service.radius_max
end

-- The question that counts a box: no positions, but criteria on their columns.
local function boxed(question, columns, ra_min, ra_max, dec_min, dec_max)
  local out, list = {}, {}
  for key, value in pairs(question) do
    out[key] = value
  end
  table.move(question.conditions, 1, #question.conditions, 1, list)
  if ra_max - ra_min < 360 then
    list[#list + 1] = { [columns.ra] = plain(ra_min) .. ".." .. plain(ra_max) }
  end
  if dec_min > -90 or dec_max < 90 then
    list[#list + 1] = { [columns.dec] = plain(dec_min) .. ".." .. plain(dec_max) }
  end
  out.conditions = json.array(list)
  return out
end

-- Ranges of columns split what lies at one place: of the first time (as MJD) and the first integer
-- among the columns that come. It is not known whether the service can be asked for NULLs.
local function split_columns(columns, asked)
  local time, number
  for _, name in ipairs(asked) do
    local column = columns.map[name:lower()]
    if column.kind == "time" and not column.hidden then
      time = time or { name = name .. "_mjd", decimals = 5, rounded = true, nullable = true,
        min = 43000, max = 65000 }
    elseif tostring(column.type):lower() == "integer" and not column.hidden then
      number = number or { name = name, nullable = true, min = 0, max = 20000 }
    end
  end
  return { time or number, time and number }
end

-- A Modified Julian Date as the service writes times, to the second below or above.
local function instant(mjd, round)
  return os.date("!%Y-%m-%dT%H:%M:%S", round((mjd - 40587) * 86400))
end

-- The question with the ranges of columns of a shape.
local function narrowed(question, columns, shape)
  if not shape.column then
    return question
  end
  local out, list = {}, {}
  for key, value in pairs(question) do
    out[key] = value
  end
  table.move(question.conditions, 1, #question.conditions, 1, list)
  for _, range in ipairs({ shape, table.unpack(shape.outer or {}) }) do
    local name, low, high = range.column, range.column_min, range.column_max
    if columns.map[name:lower()] then
      low, high = low and plain(low), high and plain(high)
    else
      name = name:gsub("_mjd$", "")
      low, high = low and instant(low, math.floor), high and instant(high, math.ceil)
    end
    list[#list + 1] = (low or high)
      and { [name] = low and high and low .. ".." .. high or low and ">=" .. low or "<=" .. high }
  end
  out.conditions = json.array(list)
  return out
end

-- What halyard.query and halyard.catalog work with.
local function source_of(service, options)
  check(options, service)
  local columns = columns_of(service)
  local list, rest = conditions(service, columns, options.where)
  local asked, extra = choose(service, columns, options.columns, rest)
  local question = {
    conditions = list, select_cols = json.array(asked), sort_by = json.array({ service.known.id }),
  }
  local function finish(rows)
    rows = shown(service, rows, columns)
    return door.without(rest and rows:where(rest) or rows, extra)
  end
  local source = {
    name = service.mission, id = service.known.id, ra = columns.ra, dec = columns.dec, window = 4,
    verdict = door.verdict, answers_counted = true,
    counts_region = not rest and options.region ~= nil and not options.region:is_circle(),
    service = {
      takes_cone = true, cap = page_rows * pages_deep, radius_max_deg = service.radius_max,
      counts = not rest and countable(service, options.region),
      alt_split = split_columns(columns, asked),
    },
  }
  function source.fetch(shape)
    local rows, cost, total = rows_of(service, narrowed(circle(question, shape), columns, shape),
      source.service.cap, 1)
    source.answers_counted = total ~= nil and source.answers_counted
    return rows, cost
  end
  function source.count(shape)
    if shape.radius then
      return count_of(service, narrowed(circle(question, shape), columns, shape))
    end
    local sum, cost = 0, { requests = 0, bytes = 0 }
    door.each_box(shape, function(...)
      local n, one = count_of(service, boxed(question, columns, ...))
      sum = sum + n
      door.add_cost(cost, one)
    end)
    return sum, cost
  end
  function source.refine(rows)
    return door.without(finish(rows), of_question)
  end
  function source.plain()
    local rows, cost, total, places = plain_rows(service, question, options)
    rows = finish(rows)
    return places and of_targets(rows, places) or door.without(rows, of_question), cost,
      not rest and total or nil
  end
  function source.count_plain()
    if rest then
      return nil
    end
    local total, cost = 0, { requests = 0, bytes = 0 }
    for _, each in ipairs((questions(service, question, options))) do
      local n, one = count_of(service, each)
      total = total + n
      door.add_cost(cost, one)
    end
    return total, cost
  end
  return source
end

-- Products --------------------------------------------------------------------------------------

local product_columns = { "dataURI", "productFilename", "obs_collection", "obs_id", "size" }

-- Distinct dataset ids of rows or a list.
local function ids_of(service, rows)
  local list = rows
  if type(rows) == "userdata" then
    if not has(rows, service.known.id) then
      errors.raise("usage", ("products of %s need rows with the column %s, or a list of its values")
        :format(service.mission, service.known.id))
    end
    list = rows:list(service.known.id)
  elseif type(rows) == "string" then
    list = { rows }
  elseif type(rows) ~= "table" then
    errors.raise("usage", "products takes rows of a query or a list of dataset ids")
  end
  local ids, seen = {}, {}
  for _, id in ipairs(list) do
    id = tostring(id)
    if not seen[id] then
      ids[#ids + 1], seen[id] = id, true
    end
  end
  if #ids == 0 then
    errors.raise("not_found", service.mission .. ": there are no datasets to list products of")
  end
  return ids
end

-- A list of products as rows that retrieve.products takes.
local function as_products(service, rows)
  local set = has(rows, "fileset") and "fileset" or "dataset"
  if not has(rows, "uri") or not has(rows, "filename") or not has(rows, set) then
    errors.raise("protocol", service.mission .. ": the list of products lacks uri, filename or "
      .. "dataset")
  end
  rows = trimmed(rows):rename({ filename = "productFilename", [set] = "obs_id" })
  rows = rows:with("dataURI", function(row)
    local uri = row.uri
    if not uri or uri:find("^mast:") or not service.known.retrieves then
      return uri
    end
    return ("mission:%s/%s"):format(service.mission, uri)
  end):with("obs_collection", function()
    return service.mission:upper()
  end)
  local names, first = table.move(product_columns, 1, #product_columns, 1, {}), {}
  for _, name in ipairs(names) do
    first[name] = true
  end
  for _, name in ipairs(rows.columns) do
    names[#names + 1] = not first[name] and name or nil
  end
  return rows:select(names):unique("dataURI")
end

local function products_of(service, rows)
  local record = door.begin("mast", door.base("missions"))
  if record.dry then
    record.notes[#record.notes + 1] = service.mission .. " would be asked for the files of the "
      .. "datasets found"
    return table_core.from_rows({}, product_columns)
  end
  local name = service.mission .. " products"
  local ids = ids_of(service, rows)
  local parts = task.map(batches_of(ids, ids_max), 4, function(batch)
    local list, _, cost = door.fetch(name, {
      method = "POST", url = address(service.mission, "post_list_products"),
      body = json.encode({ dataset_ids = json.array(batch) }),
      headers = { ["Content-Type"] = "application/json", Accept = "application/json" },
      format = "rows", poll = false,
    })
    record:spent(cost)
    record.queries[#record.queries + 1] = {
      service = name, rows = #list, requests = cost.requests, bytes = cost.bytes,
    }
    return list
  end)
  local filled = {}
  for _, list in ipairs(parts) do
    filled[#filled + 1] = #list > 0 and list or nil
  end
  if #filled == 0 then
    errors.raise("not_found", ("%s: the archive lists no products of %s%s"):format(service.mission,
      ids[1], #ids > 1 and (" and %d more datasets"):format(#ids - 1) or ""))
  end
  local products = as_products(service, door.joined(filled))
  local without = #ids - #products:unique("obs_id")
  if without > 0 then
    system.log("warning", ("%s: %d of %d datasets have no products"):format(service.mission,
      without, #ids))
  end
  return products
end

-- The mission -----------------------------------------------------------------------------------

--- The datasets of a mission as a catalogue: `query` (also by `targets`: a list of positions and
-- names, with `radius`, 3 arcmin unless said, instead of a region), `count`, `columns`, and
-- `products(rows or ids)`, the files of datasets for `retrieve.products`, `bundle(products)`, the
-- files in a zip (halyard.archive.missions_bundle).
-- @tparam string name hst, jwst, roman, roman_spectra, roman_cgi, iue, ullyses, classy
-- @tparam[opt] table options `radius_max`: largest circle of one request (0.5 deg)
-- @treturn catalog see halyard.catalog
-- @raise `usage`
-- @usage mast.mission("hst"):query { region = sky.cone("M 101", "10 arcmin"),
--   where = { sci_instrume = { "ACS", "WFC3" }, sci_start_time = ">2010" } }
function M.mission(name, options)
  options = options or {}
  suggest.check_keys(options, { "radius_max" }, "mast.mission")
  local mission = tostring(name):lower():gsub("[%s-]", "_")
  if not missions[mission] then
    local known = {}
    for each in pairs(missions) do
      known[#known + 1] = each
    end
    table.sort(known)
    suggest.unknown("mission", tostring(name), known)
  end
  local service = {
    mission = mission, known = missions[mission],
    radius_max = options.radius_max and angle_of(options.radius_max) or radius_max_deg,
  }
  return catalog.new({
    name = mission, door = "missions", host = "mast", id = service.known.id,
    ra = service.known.ra, dec = service.known.dec, options = { "targets", "radius" },
    url = function()
      return door.base("missions")
    end,
    columns = function()
      return columns_of(service).map
    end,
    source = function(asked)
      return source_of(service, asked)
    end,
    methods = {
      products = function(_, rows)
        return products_of(service, rows)
      end,
      bundle = function(_, products, how)
        return require("halyard.archive.missions_bundle").bundle(mission,
          address(mission, "retrieve_product_zip"), products, how)
      end,
    },
  })
end

return M
