-- SPDX-License-Identifier: BSD-3-Clause
-- The classic forms of MAST (archive.stsci.edu/<table>/search.php): a table each for twelve
-- missions, Kepler, K2, their catalogues and some more. Phrases criteria as the forms read them,
-- turns the labels of answers into column names. Sections are those of the specification of the
-- forms; lists of targets as files are halyard.archive.classic_upload's.

local catalog = require("halyard.catalog")
local criteria = require("halyard.archive.criteria")
local door = require("halyard.archive.door")
local errors = require("halyard.error")
local missions = require("halyard.archive.missions")
local packed = require("halyard.archive.classic_columns")
local sky_core = require("halyard.core.sky")
local suggest = require("halyard.suggest")
local system = require("halyard.core.system")
local table_core = require("halyard.core.table")
local task = require("halyard.core.task")
local upload = require("halyard.archive.classic_upload")

local M = {}

--- Rows asked for at once; clients are known to ask for as many and more (1.2).
M.row_cap = 50000

local url_max = 1500 -- bytes of arguments; longer ones go as a form
local separation, separation_label = "ang_sep", "Ang Sep (')"
local input_row = "input_row"

-- Numbers of rows that some forms give unless told otherwise (1.2): an answer of so many is
-- suspected to ignore max_records.
local menu = { [100] = true, [500] = true, [1001] = true }

local formats = { CSV = "csv", JSON = "rows", VOTable = "votable" }
local resolvers = { "Resolve", "NED", "SIMBAD", "CFA", "Don't Resolve" }

-- The tables. `fields`: name of the published list of columns; tables without have a packed one.
-- `action`: what the form is told to do; `primary`: it takes the name of an instrument.
local tables = {
  { name = "Kepler", path = "kepler/data_search", id = "sci_data_set_name", ra = "sci_ra",
    dec = "sci_dec" },
  { name = "K2", path = "k2/data_search", id = "sci_data_set_name", ra = "sci_ra",
    dec = "sci_dec" },
  { name = "KOI", path = "kepler/koi", id = "kepoi_name", ra = "degree_ra", dec = "degree_dec",
    catalog = true },
  { name = "Kepler confirmed planets", aliases = { "confirmed_planets" },
    path = "kepler/confirmed_planets", id = "kepler_name", ra = "degree_ra", dec = "degree_dec",
    catalog = true },
  { name = "KIC", aliases = { "kic10" }, path = "kepler/kic10", id = "kic_kepler_id",
    ra = "kic_degree_ra", dec = "kic_dec", catalog = true },
  { name = "EPIC", path = "k2/epic", id = "id", ra = "k2_ra", dec = "k2_dec", catalog = true },
  { name = "HST", path = "hst", fields = "hst", id = "sci_data_set_name", ra = "sci_ra",
    dec = "sci_dec" },
  { name = "HUT", path = "hut", fields = "hut", id = "hut_data_id", ra = "ra", dec = "dec" },
}
-- Paths and lists that no source confirms (1.1): both are options of mast.classic.
table.move({
  { name = "Kepler FFI", path = "kepler/ffi", fields = "kepler_ffi", id = "sci_data_set_name" },
  { name = "Kepler FOV", aliases = { "kepler_fov" }, path = "kepler/kepler_fov",
    fields = "kepler_fov", id = "kic_kepler_id", ra = "kic_degree_ra", dec = "kic_dec",
    catalog = true },
  { name = "FUSE exposures", path = "fuse/exposure", fields = "exposure",
    id = "fee_data_set_name", ra = "fes_ra_targ", dec = "fes_dec_targ" },
  { name = "Pointings", path = "pointings", fields = "pointings", action = "Search Pointings",
    primary = true },
  { name = "Pointings exposures", path = "pointings", fields = "pointings",
    action = "Search Exposures", primary = true },
  { name = "HST online", path = "hstonline", fields = "hstonline" },
  { name = "VLA FIRST", path = "vlafirst", fields = "vlafirst" },
}, 1, 7, #tables + 1, tables)
for _, mission in ipairs({ "befs", "euve", "fuse", "hpol", "imaps", "iue", "swiftuvot", "tues",
  "uit", "wuppe" }) do
  tables[#tables + 1] = { name = mission:upper(), path = mission, fields = mission }
end

-- Columns ---------------------------------------------------------------------------------------

local kinds = { i = "integer", f = "float", s = "text", t = "time" }
for word, kind in pairs({
  integer = "integer", long = "integer", float = "float", real = "float", double = "float",
  numeric = "float", ra = "float", dec = "float", datetime = "time",
}) do
  kinds[word] = kind
end

local units = { ["'"] = "arcmin", ["deg K"] = "K", ["arcsec/yr"] = "arcsec/yr", arcsec = "arcsec",
  deg = "deg" }

local function column_of(place, label, name, word, description)
  local kind = kinds[word] or "text"
  local unit = units[label:match("%(([^()]+)%)$") or ""] or missions.units[name]
  if kind == "float" and (label:lower():find("mag$") or label:lower():find("mag err$")) then
    unit = "mag"
  elseif word == "ra" or word == "dec" then
    unit = "deg"
  end
  return { name = name, label = label, type = kind, kind = kind, word = word, unit = unit,
    place = place, description = description or label }
end

-- Text of an HTML cell.
local function cell_text(html)
  return (html:gsub("<[^>]*>", " "):gsub("&nbsp;", " "):gsub("&lt;", "<"):gsub("&gt;", ">")
    :gsub("&#39;", "'"):gsub("&quot;", '"'):gsub("&amp;", "&"):gsub("%s+", " ")
    :match("^%s*(.-)%s*$"))
end

-- The published list: an HTML table with the headings of section 1.1.
local function published(record)
  local what = "list of columns of " .. record.name
  local remedy = ("name the list: mast.classic(%q, { fields = \"...\" })"):format(record.name)
  local ok, reply = errors.try(door.reply, what, {
    url = door.url(door.base("classic") .. "/search_fields.php", { mission = record.fields }),
  })
  if not ok then
    reply.message = reply.message .. (reply.code == "not_found" and ", or " .. remedy or "")
    error(reply, 0)
  end
  local html = reply.body
  local list, at = {}, nil
  for row in html:gmatch("<[tT][rR][^>]*>(.-)</[tT][rR]>") do
    local cells = {}
    for cell in row:gmatch("<[tT][dDhH][^>]*>(.-)</[tT][dDhH]>") do
      cells[#cells + 1] = cell_text(cell)
    end
    if at and cells[at["column name"]] then
      list[#list + 1] = column_of(#list + 1, cells[at["column label"]], cells[at["column name"]],
        cells[at["data type"]], cells[at.description or -1])
    elseif not at then
      local places = {}
      for i, text in ipairs(cells) do
        places[text:lower()] = i
      end
      at = places["column name"] and places["column label"] and places["data type"] and places
    end
  end
  if #list == 0 then
    errors.raise("protocol", what .. ": the page holds no table of columns; check --archive, or "
      .. remedy)
  end
  return list
end

local function unpacked(text)
  local list = {}
  for label, name, word in text:gmatch("([^|\n]+)|([^|\n]+)|(%a)\n") do
    list[#list + 1] = column_of(#list + 1, label, name, word)
  end
  return list
end

local known = {} -- base URL and path -> columns

-- Of a table: map of the columns by lower-case name; names by label in the list part.
local function columns_of(record)
  local key = ("%s %s %s"):format(door.base("classic"), record.path, record.fields or "")
  if not known[key] then
    local columns, labels = {}, { [separation_label] = separation }
    for _, column in ipairs(record.fields and published(record) or unpacked(packed[record.path])) do
      if column.name ~= separation then
        columns[column.name:lower()] = column
      end
      labels[column.label] = labels[column.label] or column.name
    end
    known[key] = { columns = columns, labels = labels }
  end
  return known[key].columns, known[key].labels
end

-- The first column of a type word, or the first of all.
local function first(columns, word)
  local found
  for _, column in pairs(columns) do
    if (not word or column.word == word) and (not found or column.place < found.place) then
      found = column
    end
  end
  return found and found.name
end

-- Names of key and position: the user's word, the table's, or what the list of columns shows; no
-- position where the table has none. Their columns get the units and UCDs of such.
local function roles_of(record, columns)
  local id = record.id or first(columns)
  local ra, dec = record.ra or first(columns, "ra"), record.dec or first(columns, "dec")
  for role, name in pairs({ ["meta.id;meta.main"] = id, ["pos.eq.ra;meta.main"] = ra,
    ["pos.eq.dec;meta.main"] = dec }) do
    local column = door.column(columns, name, record.name)
    column.ucd, column.unit = role, role:find("^pos") and "deg" or column.unit
  end
  return id, ra, dec
end

-- Criteria --------------------------------------------------------------------------------------

local nulls = { ["\\null"] = true, ["!\\null"] = true }

-- A term in the grammar of section 1.3.
local function worded(column, term)
  if term.op == ".." then
    return criteria.text(term.low) .. ".." .. criteria.text(term.high)
  end
  local text = criteria.text(term.value)
  if column.kind == "text" and (text:find(",", 1, true) or text:find("^[!<>=\\]")) then
    local either = criteria.listed(text)
    errors.raise("usage", ('criterion %s: a comma or one of !<>=\\ at the beginning of %q has a '
      .. "meaning of its own here; write * in its place%s"):format(column.name, text,
      either and ", or for any of several " .. either or ""))
  end
  return term.op == "=" and text or term.op == "like" and text or term.op .. " " .. text
end

-- What the form is asked, and what is left to be done here: the forms' `!=` drops rows without a
-- value, which criteria that exclude keep.
local function phrased(columns, where, service)
  local arguments, rest = {}, {}
  for name, value in pairs(where or {}) do
    local column = door.column(columns, name, service)
    local kind = column.kind == "integer" and "number" or column.kind == "float" and "number"
      or column.kind
    if nulls[value] then
      arguments[column.name] = value
    else
      local texts, out = {}, {}
      for i, term in ipairs(criteria.terms({ name = column.name, kind = kind }, value)) do
        if term.negated then
          out[#out + 1] = type(value) == "table" and value[i] or value
        else
          texts[#texts + 1] = worded(column, term)
        end
      end
      arguments[column.name] = #texts > 0 and table.concat(texts, ",") or nil
      rest[column.name] = #out > 0 and out or nil
    end
  end
  return arguments, rest
end

-- Answers ---------------------------------------------------------------------------------------

-- JSON answers are all text: numbers of the columns that hold such, null for empty text.
local function typed(rows, columns)
  for _, name in ipairs(rows.columns) do
    local column = columns[name:lower()]
    local kind = name == separation and "float" or column and column.kind or "text"
    if rows:field(name).type == "string" then
      rows = rows:with(name, function(row)
        local text = rawget(row, name)
        if text == nil or text == "" then
          return nil
        elseif kind == "integer" or kind == "float" then
          local value = tonumber(text) or errors.raise("protocol", ("%s holds %q, which is no "
            .. "number"):format(name, text))
          return kind == "float" and value + 0.0 or math.tointeger(value) or value
        end
        return text
      end)
    end
  end
  return rows
end

local function url_of(record)
  return record.url() .. "/" .. record.path .. "/search.php"
end

-- The arguments of every question, with those of this one.
local function asked_with(record, arguments, outputformat)
  local all = { action = record.action or "Search", outputformat = outputformat,
    coordformat = "dec", primary = record.primary and record.instrument }
  for name, value in pairs(arguments) do
    all[name] = value
  end
  return all
end

local function send(record, arguments, outputformat)
  local text, url = door.arguments(asked_with(record, arguments, outputformat)), url_of(record)
  local request = { url = url .. "?" .. text, format = formats[outputformat], poll = false,
    tries = 1 }
  if #text > url_max then
    request.url, request.body = url, text
    request.headers = { ["Content-Type"] = "application/x-www-form-urlencoded" }
  end
  local rows, _, cost = door.fetch(record.name, request)
  return rows, cost
end

-- Rows with the columns' names instead of their labels.
local function named(record, rows)
  local _, labels = columns_of(record)
  local names = {}
  for _, label in ipairs(rows.columns) do
    local name = labels[label]
    names[label] = name ~= label and name or nil
  end
  return next(names) and rows:rename(names) or rows
end

-- Rows of one question, columns by their names. Quoting in CSV is not guaranteed (1.4): an answer
-- whose lines have too many cells is asked for as JSON.
local function ask(record, arguments)
  local outputformat = record.outputformat
  local ok, rows, cost = errors.try(send, record, arguments, outputformat)
  if not ok and outputformat == "CSV" and rows.code == "integrity"
    and rows.message:find("cells, the header", 1, true) then
    outputformat = "JSON"
    rows, cost = send(record, arguments, outputformat)
  elseif not ok then
    error(rows, 0)
  end
  rows = named(record, rows)
  return outputformat == "JSON" and typed(rows, (columns_of(record))) or rows, cost
end

-- Queries ---------------------------------------------------------------------------------------

local function number(value)
  return (("%.12f"):format(value):gsub("0+$", ""):gsub("%.$", ""))
end

local function arcmin(angle)
  return number(require("halyard.sky").angle(angle) * 60)
end

local function merged(...)
  local out = {}
  for _, map in ipairs({ ... }) do
    for name, value in pairs(map) do
      out[name] = value
    end
  end
  return out
end

-- What the rows of this table become for the user.
local function refiner(record, names, rest)
  local columns = columns_of(record)
  return function(rows)
    if #rows.columns == 0 then -- "no rows found" names no columns
      rows = table_core.from_rows({}, names or door.names(columns))
    end
    rows = next(rest) and rows:where(rest) or rows
    if names then
      local keep = table.move(names, 1, #names, 1, {})
      for _, name in ipairs(rows.columns) do
        keep[#keep + 1] = (name == separation or name == input_row) and name or nil
      end
      rows = rows:project(keep)
    end
    rows = door.described(rows, columns)
    for _, name in ipairs(rows.columns) do
      local column = columns[name:lower()]
      if column and column.kind == "time" and rows:field(name).type == "string" then
        rows = door.dated(rows, name, record.name)
      end
    end
    return rows
  end
end

local function in_region(base, ask_with, roles, service, shape)
  if shape.radius then
    return ask_with(merged(base, { RA = number(shape.ra), DEC = number(shape.dec),
      radius = number(shape.radius * 60) }))
  end
  local parts, cost = {}, { requests = 0, bytes = 0 }
  door.each_box(shape, function(ra_min, ra_max, dec_min, dec_max)
    local box = { [roles.ra] = number(ra_min) .. ".." .. number(ra_max),
      [roles.dec] = number(dec_min) .. ".." .. number(dec_max) }
    for name in pairs(box) do
      if base[name] then
        errors.raise("usage", ("criterion %s: positions are chosen by the region"):format(name))
      end
    end
    local rows, one = ask_with(merged(base, box))
    if #rows >= service.cap then
      errors.raise("truncated", "an answer has as many rows as were asked for")
    end
    parts[#parts + 1] = #rows.columns > 0 and rows or nil
    door.add_cost(cost, one)
  end)
  return #parts == 0 and table_core.from_rows({}, {}) or door.joined(parts), cost
end

-- The arguments for a target: a position or a name.
local function aimed(target, options)
  local ra, dec
  if type(target) == "table" then
    ra, dec = target.ra, target.dec
  elseif type(target) == "string" then
    ra, dec = sky_core.position(target)
  end
  local radius = options.radius and arcmin(options.radius) or nil
  if ra and dec then
    return { RA = number(ra), DEC = number(dec), radius = radius }
  elseif type(target) ~= "string" or not target:find("%S") or target:find(",", 1, true) then
    errors.raise("usage", "a target is a name or a position such as \"52.5 -27.4\"")
  end
  return { target = target, resolver = options.resolver, radius = radius }
end

-- Distance to the target in degrees, under one name for all doors.
local function with_separation(rows)
  for _, name in ipairs(rows.columns) do
    if name == separation then
      local degrees = rows:field(name).type == "string" and rows:column(name)
        or rows:column(name) / 60
      rows = rows:with("sep_deg", degrees, { unit = "deg", ucd = "pos.angDistance",
        description = "distance to the target" })
      return door.without(rows, { [separation] = true })
    end
  end
  return rows
end

-- Is so many rows all there is? Raises where it is not known.
local function check_whole(record, n, service, what)
  if n >= service.cap then
    errors.raise("truncated", ("%s: %s has %d rows or more: use a region, or more criteria")
      :format(record.name, what, service.cap))
  elseif menu[n] then
    system.log("warning", ("%s: %s gave exactly %d rows, which some forms give at most: compare "
      .. "with a query in a region"):format(record.name, what, n))
  end
end

-- All rows of one question without a region, or an error.
local function whole(record, ask_with, arguments, service, what)
  local rows, cost = ask_with(arguments)
  check_whole(record, #rows, service, what)
  return rows, cost
end

-- Says which targets are not known (number -> error); an error when none is.
local function tell_missing(missing, targets)
  local count = 0
  for i, target in ipairs(targets) do
    if missing[i] then
      count = count + 1
      system.log("warning", ("target %d (%s): %s"):format(i, tostring(target),
        missing[i].message))
    end
  end
  if count == #targets then
    error(missing[1], 0)
  end
end

-- One question a target; rows say by `input_row` which one they belong to.
local function one_by_one(record, ask_with, base, options, service, refine)
  local cost = { requests = 0, bytes = 0 }
  local questions = {}
  for i, target in ipairs(options.targets) do
    questions[i] = merged(base, aimed(target, options))
  end
  local parts, missing = {}, {}
  task.map(questions, 4, function(arguments, i)
    local ok, rows, one = errors.try(whole, record, ask_with, arguments, service,
      "target " .. i)
    if ok then
      door.add_cost(cost, one)
      if #rows > 0 then
        parts[#parts + 1] = { i = i, rows = with_separation(refine(rows)):with(input_row,
          function()
            return i
          end) }
      end
    elseif rows.code == "not_found" then
      door.add_cost(cost, { requests = 1, bytes = 0 })
      missing[i] = rows
    else
      error(rows, 0)
    end
  end)
  table.sort(parts, function(a, b)
    return a.i < b.i
  end)
  tell_missing(missing, options.targets)
  local rows = {}
  for i, part in ipairs(parts) do
    rows[i] = part.rows
  end
  return #rows > 0 and table_core.concat(rows) or refine(table_core.from_rows({}, {})), cost
end

-- The lines of a file of targets: positions, or names; the form wants to be told which (1.2).
local function lines_of(options)
  local lines, positions = {}, 0
  for i, target in ipairs(options.targets) do
    local aim = aimed(target, options)
    positions = positions + (aim.RA and 1 or 0)
    lines[i] = aim.RA and aim.RA .. "," .. aim.DEC or aim.target
  end
  if positions > 0 and positions < #lines then
    errors.raise("usage", "upload: targets are all names or all positions; leave upload out")
  end
  return lines
end

-- All targets in one question, or as few as their number allows.
local function at_once(record, base, options, service, refine)
  local how, lines, what = upload.option(options.upload), lines_of(options), record.name
  local arguments = asked_with(record, merged(base, { max_records = service.cap,
    resolver = options.resolver, radius = options.radius and arcmin(options.radius) }), "CSV")
  local into, missing, cost = { rows = {} }, {}, { requests = 0, bytes = 0 }
  for at = 1, #lines, upload.targets_max do
    local some = table.move(lines, at, math.min(at + upload.targets_max - 1, #lines), 1, {})
    local text, one = upload.ask(url_of(record), arguments, some, how, what)
    door.add_cost(cost, one)
    local sum = 0
    for i, found in ipairs(upload.read(into, text, at, #some, what)) do
      if type(found) == "string" then
        missing[at + i - 1] = errors.new("not_found", what .. ": " .. found)
      else
        check_whole(record, found, service, "target " .. at + i - 1)
        sum = sum + found
      end
    end
    check_whole(record, sum, service, "the list of targets")
  end
  tell_missing(missing, options.targets)
  if #into.rows == 0 then
    return refine(table_core.from_rows({}, {})), cost
  end
  local labels = table.move(into.labels, 1, #into.labels, 1, {})
  labels[#labels + 1] = input_row
  local rows = named(record, table_core.from_rows(into.rows, labels))
  return with_separation(refine(typed(rows, (columns_of(record))))), cost
end

local function of_targets(record, ask_with, base, options, service, refine)
  if type(options.targets) ~= "table" or #options.targets == 0 then
    errors.raise("usage", "targets is a list of names and positions")
  elseif options.upload then
    return at_once(record, base, options, service, refine)
  end
  return one_by_one(record, ask_with, base, options, service, refine)
end

local function check(record, options)
  local given = 0
  for _, name in ipairs({ "region", "target", "targets" }) do
    given = given + (options[name] ~= nil and 1 or 0)
  end
  if given > 1 then
    errors.raise("usage", record.name .. ": region, target and targets exclude each other")
  elseif (options.radius or options.resolver) and not (options.target or options.targets) then
    errors.raise("usage", record.name .. ": radius and resolver go with target or targets")
  elseif options.upload and not options.targets then
    errors.raise("usage", record.name .. ": upload goes with targets")
  end
  local limit = options.row_limit or M.row_cap
  if math.type(limit) ~= "integer" or limit < 1 or limit > M.row_cap then
    errors.raise("usage", ("row_limit is a whole number from 1 to %d"):format(M.row_cap))
  end
  for _, name in ipairs(resolvers) do
    if options.resolver == nil or options.resolver == name then
      return
    end
  end
  suggest.unknown("resolver", tostring(options.resolver), resolvers)
end

local function source_of(record, options)
  check(record, options)
  local columns = columns_of(record)
  local id, ra, dec = roles_of(record, columns)
  if options.region and not (ra and dec) then
    errors.raise("usage", ("%s: no column is known to hold positions: select with where, or name "
      .. "them, mast.classic(%q, { ra = \"...\", dec = \"...\" })"):format(record.name,
      record.name))
  end
  local arguments, rest = phrased(columns, options.where, record.name)
  local selects = next(arguments) ~= nil
  local names = options.columns
    and door.chosen({ id, ra, dec }, options.columns, columns, record.name)
  if names then
    local left = {}
    for name in pairs(rest) do
      left[#left + 1] = name
    end
    table.sort(left)
    left = door.chosen(names, left, columns, record.name)
    arguments.selectedColumnsCsv = table.concat(left, ","):lower()
  else
    arguments.verb = 3 -- all columns
  end
  local service = { takes_box = true, takes_cone = true, cap = options.row_limit or M.row_cap }
  local refine = refiner(record, names, rest)
  local function ask_with(more)
    return ask(record, merged(more, { max_records = service.cap }))
  end
  local function fetch(shape)
    local rows, cost = in_region(arguments, ask_with, { ra = ra, dec = dec }, service, shape)
    if #rows < service.cap and menu[#rows] then
      errors.raise("truncated", ("%d rows came, which some forms give at most"):format(#rows))
    end
    return rows, cost
  end
  local function plain()
    if options.targets then
      return of_targets(record, ask_with, arguments, options, service, refine)
    end
    if not options.target and not selects then
      errors.raise("usage", record.name .. " needs a region, a target, or criteria that do not "
        .. "only exclude (where)")
    end
    local aim = options.target and aimed(options.target, options) or {}
    local rows, cost = whole(record, ask_with, merged(arguments, aim), service, "the answer")
    if #rows == 0 then
      errors.raise("not_found", record.name .. ": no rows found")
    end
    return with_separation(refine(rows)), cost
  end
  return {
    name = record.name, id = id, ra = ra, dec = dec, window = 4, verdict = door.verdict,
    service = service, fetch = fetch, plain = plain,
    refine = function(rows)
      return door.without(refine(rows), { [separation] = true })
    end,
  }
end

local function record_of(entry, options)
  local record = merged(entry, options)
  record.door, record.host = "classic", "mast"
  record.outputformat = record.outputformat or "CSV"
  record.options = { "target", "targets", "radius", "resolver", "upload" }
  record.url = function()
    return door.base("classic")
  end
  record.columns = function()
    local columns = columns_of(record)
    roles_of(record, columns)
    return columns
  end
  record.source = function(asked)
    return source_of(record, asked)
  end
  return record
end

--- The tables that are catalogues, for `mast.catalog(name, { via = "classic" })`.
M.catalogs = {}
for _, entry in ipairs(tables) do
  M.catalogs[#M.catalogs + 1] = entry.catalog and record_of(entry, {}) or nil
end

--- A table of the classic forms: "HST", "IUE", "Kepler", "KOI", "EPIC", ... (docs/archives lists
-- them), asked like any catalogue. `query` also takes `target` (a name or position) or `targets` (a
-- list of them: the rows say in `input_row` which one they belong to), with `radius` (an angle; the
-- forms use 3 arcmin) and `resolver` ("Resolve", "NED", "SIMBAD", "CFA", "Don't Resolve"); with
-- `upload` (true, or what the form's controls are called) all targets go in one question.
-- @tparam string name
-- @tparam[opt] table options `outputformat`: what is asked for, "CSV" (default), "JSON" or
-- "VOTable"; `id`, `ra`, `dec`: columns of key and position, where the archive's list of columns
-- does not tell; `path`, `fields`: of the form and of its list of columns, where they have moved;
-- `instrument`: of the pointings, such as "ACS"
-- @treturn catalog see halyard.catalog; `count` is not to be had
-- @raise `not_found` for unknown names, `usage`
-- @usage mast.classic("HST"):query { where = { sci_pep_id = 9293 } }
function M.classic(name, options)
  options = options or {}
  suggest.check_keys(options, { "outputformat", "id", "ra", "dec", "path", "fields",
    "instrument" }, "mast.classic")
  if options.outputformat and not formats[options.outputformat] then
    suggest.unknown("outputformat", tostring(options.outputformat), { "CSV", "JSON", "VOTable" })
  end
  local entry = catalog.find(tables, name)
  if not entry then
    local names = {}
    for i, each in ipairs(tables) do
      names[i] = each.name
    end
    suggest.unknown("table of mast.classic", tostring(name), names, "not_found")
  elseif options.instrument and not entry.primary then
    errors.raise("usage", entry.name .. ": instrument is for the pointings; use where")
  end
  return catalog.new(record_of(entry, options))
end

return M
