-- SPDX-License-Identifier: BSD-3-Clause
-- Tables for scripts: reading, selecting, computing, grouping, joining, matching, writing. Columns
-- are worked on in C; rows exist in Lua only where a function of a script sees them. Tables are
-- immutable: every method gives a new one and shares the columns it does not change.

local core = require("halyard.core.table")
local errors = require("halyard.error")
local report = require("halyard.report")
local sky = require("halyard.core.sky")
local suggest = require("halyard.suggest")

local M = {}
local methods = core.methods
local piece = 500000 -- rows that pass through Lua at once

local function usage(text, ...)
  errors.raise("usage", text:format(...))
end

-- Further arguments, as in t:select("ra", "dec"), would be left out without a word.
local function one_argument(what, n)
  if n > 0 then
    usage("%s takes one argument; several go into a list: { ..., ... }", what)
  end
end

-- A list of names from a name or a list of names.
local function names_of(value, what)
  if type(value) == "string" then
    return { value }
  elseif type(value) ~= "table" or #value == 0 then
    usage("%s takes a column name or a list of them, not %s", what,
      type(value) == "table" and "an empty list" or "a " .. type(value))
  end
  for i, name in ipairs(value) do
    if type(name) ~= "string" then
      usage("%s: item %d is a %s, not a column name", what, i, type(name))
    end
  end
  return value
end

local function options_of(options, known, what)
  options = options or {}
  suggest.check_keys(options, known, what)
  return options
end

local function count_of(n, what)
  if math.type(n) ~= "integer" or n < 0 then
    usage("%s takes a whole number of rows", what)
  end
  return n
end

--- Making tables

--- Rows of all tables, one after the other. Columns are united by name; where one is missing its
-- cells are null; types are widened to hold every value exactly. Cost: a copy of all rows.
-- @function concat
-- @tparam table list tables
-- @treturn halyard.table with the metadata of the first
M.concat = core.concat

--- A table of Lua rows: M.from_rows({ { ra = 1.5 }, { ra = 2 } }, { "ra" }). At most 1,000,000
-- rows. Cost: per cell.
-- @tparam table rows list of tables
-- @function from_rows
-- @tparam table names the columns, in order: a projection, what else the rows hold is left out;
-- their types come from the values; what is nil in all rows is text
-- @treturn halyard.table
M.from_rows = core.from_rows

--- Reads a file below the output folder. Waits; the format is recognised from the bytes. Gzip and
-- zstd are unpacked.
-- @tparam string path relative to the output folder; or, where no such file is, with it, as the
-- `path` of files that were written or downloaded
-- @tparam[opt] table options `format` (name), `table` (in a file of several: its number from 1, or
-- its name: TABLE name or ID of a VOTable, EXTNAME of FITS; default: the first, of a VOTable the
-- first of its results, with a warning that there are others)
-- @treturn halyard.table
-- @raise `not_found`, `permission`, `integrity` for a cut or damaged file, `usage` for a table that
-- is not there, with the list of those that are
function M.read(path, options)
  options = options_of(options, { "format", "table" }, "table.read")
  if type(path) ~= "string" then
    usage("table.read takes a path, not a %s", type(path))
  end
  local which = options.table
  local named = type(which) == "string" and which ~= ""
  if which ~= nil and math.type(which) ~= "integer" and not named then
    usage("table.read: table is the number, from 1, or the name of one, not %s",
      type(which) == "table" and "a table" or '"' .. tostring(which) .. '"')
  end
  local ok, got = errors.try(core.read, { path, tostring(which or "") }, options.format)
  local output = report.current().output .. "/"
  if not ok and got.code == "not_found" and path:sub(1, #output) == output then
    return core.read({ path:sub(#output + 1), tostring(which or "") }, options.format)
  elseif not ok then
    error(got, 0)
  end
  return got
end

--- Columns

--- #t: the number of rows. t.columns: the names of the columns. t[i]: a row, a Lua table without
-- the keys of nulls, in which a name that is no column raises `usage` (rawget(row, name) asks for
-- one that may be absent); timestamps are seconds since 1970-01-01 UTC, complex numbers { re, im },
-- arrays lists. tostring(t): a preview with units. Cost: for what is seen.
--
-- t:rows(): for i, row in t:rows() do.
-- t:get(i, name): one cell; nil is null.
-- t:list(name): the values of a column that are not null, in order; at most 1,000,000.
-- t:field(name): { name =, type =, unit =, ucd =, description = } of a column.
-- t:take(numbers): the rows of a list of at most 1,000,000 numbers, in that order. Cost: a copy.
-- t:project(names): as t:select.
-- t:close(): lets go of the memory at once; use afterwards raises `usage`. Also at the end of
-- `local t <close> = ...`.

--- t.metadata: what the table says about itself: the texts `name`, `description`, `status` ("OK",
-- "OVERFLOW", "") and the lists `info`, `param`, `coosys`, `timesys`, `link`, `key` (cards of FITS,
-- entries of ECSV) of { name =, value =, text =, and the document's attributes, such as unit = }.
-- Cost: a copy of the texts.

--- The column object of that name: the exact name, else the exact ID, else the name without regard
-- to case, else the UCD. All methods find columns so; several that fit are an error.
-- Its length is the number of rows; c[i] is a value (nil: null, where ipairs would end);
-- `for i, v in c:values()`;
-- c:min(), c:max(), c:mean() (nil without values; NaN is passed over), c:nulls(); c.name, c.type,
-- c.unit, c.ucd, c.utype, c.xtype, c.id, c.description, c.shape. + - * / ^ % and unary minus work
-- on all values at once. Cost: none.
-- @function column
-- @tparam string name
-- @treturn halyard.column
-- @raise `usage` with the nearest names
methods.column = core.column

--- The named columns in that order. Cost: none (shared memory).
-- @tparam string|table names
-- @treturn halyard.table
function methods.select(t, names, ...)
  one_argument("select", select("#", ...))
  return core.columns(t, names_of(names, "select"))
end

--- t:rename{ old = "new" }: the same table with other column names. Cost: none.
-- @tparam table changes
-- @treturn halyard.table
function methods.rename(t, changes)
  if type(changes) ~= "table" then
    usage("rename takes { old = \"new\" }, not a %s", type(changes))
  end
  local names, old, place = t.columns, t.columns, {}
  for i, name in ipairs(names) do
    place[name] = i
  end
  for from, to in pairs(changes) do
    if type(from) ~= "string" or type(to) ~= "string" or to == "" then
      usage("rename takes { old = \"new\" } with texts")
    end
    names[place[t:column(from).name]] = to
  end
  return core.columns(t, old, names)
end

-- A column of what f gives for each row: all numbers, all texts or all booleans.
local function computed(t, name, f)
  local parts = {}
  local kind, known, wide, fraction -- the type of all values; rows that show something
  for first = 0, math.max(#t - 1, 0), piece do
    local values = {}
    for i = 1, math.min(piece, #t - first) do
      local row = first + i
      local value = f(t[row])
      local is = type(value)
      if is ~= kind and is ~= "nil" then
        if is ~= "number" and is ~= "string" and is ~= "boolean" then
          usage("with: column \"%s\", row %d: the function gives a %s; a cell is a number, text, "
            .. "boolean or nil", name, row, is)
        elseif kind then
          usage("with: column \"%s\", row %d: the function gives a %s, for row %d a %s; a column "
            .. "holds one type (tostring makes text of all)", name, row, is, known, kind)
        end
        kind, known = is, row
      end
      if is == "number" then
        if math.type(value) == "float" then
          fraction = fraction or row
        elseif value ~= value + 0.0 then
          wide = wide or row
        end
      end
      values[i] = { value = value }
    end
    if wide and fraction then
      usage("with: column \"%s\": the whole number of row %d has more digits than a column with "
        .. "floats (row %d) keeps; give only whole numbers, or text", name, wide, fraction)
    end
    parts[#parts + 1] = core.from_rows(values, { "value" })
  end
  return core.column(#parts == 1 and parts[1] or core.concat(parts), "value")
end

--- t:with("g_r", t:column "g" - t:column "r"): adds a column, or replaces the one of that name.
-- Also t:with("g_r", function(row) return ... end): the function sees each row as a Lua table and
-- returns a number, text, boolean or nil (null), of one type for all rows. Cost: none beyond the
-- arithmetic; with a function about a microsecond a column and row.
-- To change what a column says about itself, give it again: t:with("ra", t:column "ra", { unit =
-- "deg" }).
-- @tparam string name
-- @tparam halyard.column|function value
-- @tparam[opt] table options `unit`, `ucd`, `utype`, `xtype`, `description` of the column
-- @treturn halyard.table
function methods.with(t, name, value, options)
  options = options_of(options, { "unit", "ucd", "utype", "xtype", "description" }, "with")
  if type(name) ~= "string" or name == "" then
    usage("with takes the name of a column first, not %s",
      name == "" and "a text without letters" or "a " .. type(name))
  end
  if type(value) == "function" then
    value = computed(t, name, value)
  elseif not core.is_column(value) then
    usage("with takes a name and a column or a function, not a %s", type(value))
  end
  return core.with(t, name, value, options)
end

--- The table with one more column, `<name>_mjd`: the times of a column as Modified Julian Dates
-- (float64, unit d, UCD time.epoch, in the time scale of the column). Timestamps, or texts
-- "YYYY-MM-DD" and "YYYY-MM-DD hh:mm:ss", also with T, a fraction and Z; null and blank are null,
-- anything else is an error that names the row. Exact to the resolution of a double, 0.6
-- microseconds. Cost: per row, in C.
-- @tparam string name
-- @treturn halyard.table
-- @raise `usage`
function methods.mjd(t, name)
  return core.mjd(t, name)
end

--- Arithmetic on columns: M.log10(t:column "flux"), M.lt(t:column "mag", 15). An operand may be a
-- number; a null gives null. Angles are radians (M.rad makes them of degrees). Of one operand: abs
-- floor ceil round sqrt exp log log10 log2 sin cos tan asin acos atan rad deg is_null is_nan plain
-- (without unit) not_. Of two: atan2 hypot minimum maximum, fill(column, value of nulls),
-- null_if(column, the value that stands for null), and_ or_, and lt le gt ge eq ne, which give true
-- and false. Cost: per row, in C.
local functions = {
  abs = 1, floor = 1, ceil = 1, round = 1, sqrt = 1, exp = 1, log = 1, log10 = 1, log2 = 1,
  sin = 1, cos = 1, tan = 1, asin = 1, acos = 1, atan = 1, rad = 1, deg = 1,
  is_null = 1, is_nan = 1, plain = 1, ["not"] = 1,
  atan2 = 2, hypot = 2, minimum = 2, maximum = 2, fill = 2, null_if = 2, ["and"] = 2, ["or"] = 2,
}
local comparisons = { lt = "<", le = "<=", gt = ">", ge = ">=", eq = "==", ne = "~=" }
local spelled = { ["not"] = "not_", ["and"] = "and_", ["or"] = "or_" }
for operation, n in pairs(functions) do
  M[spelled[operation] or operation] = n == 1
      and function(a) return core.compute(operation, a) end
    or function(a, b) return core.compute(operation, a, b) end
end
for name, operation in pairs(comparisons) do
  M[name] = function(a, b) return core.compute(operation, a, b) end
end

--- Rows

--- The rows that meet all criteria { column = criterion }, the grammar of service-side filters:
-- text columns: equality without regard to case, `*` any run of characters; number columns: a
-- number, "a..b", ">n", ">=n", "<n", "<=n", { min =, max = }; a list: any of its values; a text
-- that begins with `!` negates. Ranges of a text column are refused; the text "<5" itself is given
-- in a list: { "<5" }. Also t:where(column of true and false), t:where(function(row) ... end), in
-- which a name that is no column raises `usage`. A null meets no criterion but one of negations
-- only. Cost: in proportion to the rows; a function about a microsecond a column and row.
-- @tparam table|halyard.column|function criteria
-- @treturn halyard.table
function methods.where(t, criteria, ...)
  one_argument("where", select("#", ...))
  if core.is_column(criteria) then
    return core.chosen(t, criteria)
  elseif type(criteria) ~= "function" then
    return core.where(t, criteria)
  end
  local parts = {}
  for first = 0, math.max(#t - 1, 0), piece do
    local rows = {}
    for i = first + 1, math.min(first + piece, #t) do
      if criteria(t[i]) then
        rows[#rows + 1] = i
      end
    end
    parts[#parts + 1] = t:take(rows)
  end
  return #parts == 1 and parts[1] or core.concat(parts)
end

--- Rows in the order of columns: t:sort "mag", t:sort { "mag", descending = true },
-- t:sort { "field", "mag" } (first by field), t:sort { { "field" }, { "mag", descending = true } }.
-- Equal rows keep their order; NaN and nulls come last. Text by its bytes. Cost: numbers in
-- proportion to the rows, text n log n; a copy.
-- @tparam string|table keys
-- @treturn halyard.table
function methods.sort(t, keys, ...)
  one_argument("sort", select("#", ...))
  if type(keys) == "string" then
    keys = { keys }
  elseif type(keys) ~= "table" or #keys == 0 then
    usage("sort takes a column name or { \"column\", descending = true }")
  end
  local names, descending = {}, {}
  for key, value in pairs(keys) do
    if math.type(key) ~= "integer" and key ~= "descending" then
      suggest.unknown("option of sort", tostring(key), { "descending" })
    elseif key == "descending" and type(value) ~= "boolean" then
      usage("sort: descending is true or false")
    end
  end
  for i, key in ipairs(keys) do
    local one = type(key) == "table" and key or { key, descending = keys.descending }
    for k in pairs(one) do
      if k ~= 1 and k ~= "descending" then
        suggest.unknown("option of sort", tostring(k), { "descending" })
      end
    end
    if type(one[1]) ~= "string" then
      usage("sort: key %d is a %s, not a column name", i, type(one[1]))
    end
    names[i], descending[i] = one[1], one.descending or false
  end
  return core.sort(t, names, descending)
end

--- The first row of each value of a column (or of each combination of several). Null is a value.
-- Cost: in proportion to the rows.
-- @tparam string|table names
-- @treturn halyard.table
function methods.unique(t, names, ...)
  one_argument("unique", select("#", ...))
  return core.unique(t, names_of(names, "unique"))
end

--- The first n rows, or all when there are fewer. Cost: none (shared memory).
-- @tparam[opt=10] integer n
-- @treturn halyard.table
function methods.head(t, n)
  return core.slice(t, 1, count_of(n == nil and 10 or n, "head"))
end

--- Rows first to last, both included; cut at the table's end. Cost: none (shared memory).
-- @tparam integer first
-- @tparam[opt] integer last the table's last when absent
-- @treturn halyard.table
function methods.slice(t, first, last)
  last = last == nil and #t or last
  if math.type(first) ~= "integer" or math.type(last) ~= "integer" or first < 1 or last < 0 then
    usage("slice takes the numbers of its first and last row; rows are counted from 1")
  end
  return core.slice(t, first, math.max(0, last - first + 1))
end

--- One row for each value of the key columns, in order of first appearance:
-- t:group("field", { n = "count", mean_g = { "mean", "g" } }). Measures: count (of rows, or
-- { "count", "g" } of values that are not null), sum, mean, std (of the sample), min, max, first,
-- last. Nulls do not count; a group without values gives null. The measures' columns are sorted by
-- name and have the unit of theirs. Cost: in proportion to the rows.
-- @tparam string|table keys a name or a list; {} makes one group of all rows
-- @tparam table measures
-- @treturn halyard.table
function methods.group(t, keys, measures)
  keys = keys == nil and {} or keys
  if not (type(keys) == "table" and #keys == 0) then
    keys = names_of(keys, "group")
  end
  if type(measures) ~= "table" or next(measures) == nil then
    usage("group takes measures such as { n = \"count\", mean_g = { \"mean\", \"g\" } }")
  end
  local names, kinds, columns = {}, {}, {}
  for name in pairs(measures) do
    if type(name) ~= "string" then
      usage("group: measures are named: { n = \"count\" }")
    end
    names[#names + 1] = name
  end
  table.sort(names)
  for i, name in ipairs(names) do
    local measure = measures[name]
    measure = type(measure) == "table" and measure or { measure }
    if type(measure[1]) ~= "string" or (measure[2] ~= nil and type(measure[2]) ~= "string") then
      usage("group: measure %s is \"count\" or { \"mean\", \"column\" }", name)
    end
    for key in pairs(measure) do
      if key ~= 1 and key ~= 2 then
        usage("group: measure %s has more than a name and a column", name)
      end
    end
    kinds[i], columns[i] = measure[1], measure[2] or false
  end
  return core.group(t, keys, names, kinds, columns)
end

--- Two tables

--- Rows of both with equal keys, in the order of this table's rows:
-- t:join(other, "obsid"), t:join(other, { "a", "b" }), t:join(other, { obsid = "obs_id" }) where
-- the other's name differs. Integers equal floats of the same value; null equals nothing. Columns
-- of the other whose name is taken get the suffix; its keys of the same name are left out. Cost: in
-- proportion to the rows of both and of the result.
-- @tparam halyard.table other
-- @tparam string|table key
-- @tparam[opt] table options `how` "inner" (default) or "left" (rows without a partner stay, with
-- nulls), `suffix` (default "_2")
-- @treturn halyard.table
function methods.join(t, other, key, options)
  options = options_of(options, { "how", "suffix" }, "join")
  local how = options.how or "inner"
  if how ~= "inner" and how ~= "left" then
    usage("join: how is \"inner\" or \"left\", not %s", tostring(how))
  end
  local left, right = {}, {}
  if type(key) == "table" and #key == 0 and next(key) ~= nil then
    for name in pairs(key) do
      left[#left + 1] = name
    end
    table.sort(left)
    for i, name in ipairs(left) do
      right[i] = key[name]
    end
    names_of(right, "join")
  else
    left = names_of(key, "join")
    right = left
  end
  return core.join(t, other, left, right, how == "left", { options.suffix or "_2" })
end

local match_options = { "mode", "n", "how", "ra", "dec", "other_ra", "other_dec", "other_radius",
  "pm", "other_pm", "epoch", "other_epoch", "at", "suffix" }

-- The text that the match takes for an option: "" where it is absent.
local function match_text(options, key)
  local value = options[key]
  if value == nil then
    return ""
  elseif key:find("pm$") then
    if value == true then
      return "auto"
    elseif type(value) ~= "table" or #names_of(value, "match: " .. key) ~= 2 then
      usage("match: %s is { \"pmra\", \"pmdec\" }, or true to find them by UCD or name", key)
    end
    return value[1] .. "," .. value[2]
  elseif type(value) == "number" and (key:find("epoch$") or key == "at") then
    return ("%.17g"):format(value)
  elseif type(value) ~= "string" or value == "" then
    usage("match: %s is a text%s, not a %s", key,
      (key:find("epoch$") or key == "at") and " or a year" or "",
      value == "" and "text without letters" or type(value))
  end
  return value
end

--- Rows of both that lie within a radius on the sky: t:match(other, "1 arcsec"). The columns of
-- this table, of the other one (with the suffix where a name is taken), and sep_arcsec. Position
-- columns (degrees) are found by UCD, then by usual names; where several fit they must be named.
-- Exact on the whole sky; a row without a position matches nothing. With proper motions the places
-- of that side are moved, rigorously, to the year of comparison: the epoch of the side that has
-- none, or `at`. Cost: about a second for a million rows on either side.
-- @tparam halyard.table other
-- @tparam string|number radius "1 arcsec", degrees as a number, or a column of this table with the
-- radius of each row: "err" or, where the column has no unit, "err arcsec" (null or negative:
-- matches nothing)
-- @tparam[opt] table options `mode` "best" (default: for each row its nearest), "symmetric" (each
-- is the nearest of the other), "all", "nearest" with `n` (1 to 1000); `how` "inner" (default) or
-- "left" (rows without a partner stay, with nulls); `ra`, `dec`, `other_ra`, `other_dec` (column
-- names); `other_radius` (a column of the other table: added to the radius); `pm`, `other_pm`
-- (columns of proper motion in mas/yr, that of RA times cos(dec): { "pmra", "pmdec" }, or true to
-- find them by UCD or name; null counts as 0); `epoch`, `other_epoch` (Julian year of the
-- positions, or with motions a column); `at` (Julian year to compare at); `suffix` ("_2")
-- @treturn halyard.table in the order of this table's rows, then by distance
-- @raise `usage`; `budget` for more than 2^32 pairs
function methods.match(t, other, radius, options)
  options = options_of(options, match_options, "match")
  if options.n ~= nil and (math.type(options.n) ~= "integer" or options.n < 1) then
    usage("match: n is a whole number from 1 to 1000")
  end
  if type(radius) == "number" or type(radius) == "string" and radius:find("^[%d.+-]") then
    radius = ("%.17g deg"):format(sky.angle(radius, "deg"))
  elseif type(radius) ~= "string" or radius == "" then
    usage("match takes a radius (\"1 arcsec\", degrees, a column's name), not a %s", type(radius))
  end
  local texts = { radius }
  for i, key in ipairs({ "other_radius", "mode", "how", "ra", "dec", "other_ra", "other_dec",
    "suffix", "pm", "other_pm", "epoch", "other_epoch", "at" }) do
    texts[i + 1] = match_text(options, key)
  end
  return core.match(t, other, options.n or 0, texts)
end

--- Writes the table below the output folder; waits. The ending of the name tells the format unless
-- `format` does. The file appears whole or not at all. Units, nulls and metadata: docs/formats.md
-- says what each format carries. Cost: one pass.
-- @tparam string path
-- @tparam[opt] string format
-- @treturn integer size in bytes; 0 in a plan, where nothing is written
-- @raise `usage`, `permission`, `io`
function methods.write(t, path, format)
  if format == nil and type(path) == "string" then
    format = core.format_of(path)
    if not format then
      usage("the ending of \"%s\" tells no format; give one: t:write(path, \"csv\")", path)
    end
  end
  local record = report.current()
  if record.dry then -- the file may be there, of a run: an answer that was not asked for is empty
    record:path(path)
    record.notes[#record.notes + 1] = ("a table would be written to %s"):format(path)
    return 0
  end
  return core.write(t, path, format)
end

--- The table as text, as a file of that format would hold it: for uploads. Waits. Cost: one pass.
-- @tparam[opt="votable"] string format
-- @tparam[opt] table options `max_bytes` (default 64 MiB): more is an error
-- @treturn string
-- @raise `usage`, `budget`
function methods.encode(t, format, options)
  options = options_of(options, { "max_bytes" }, "encode")
  return core.encode(t, format or "votable", options.max_bytes)
end

return M
