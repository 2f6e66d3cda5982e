-- SPDX-License-Identifier: BSD-3-Clause
-- Portal services whose rows are SQL over the sky: reads parameters and filters (mashup-api section
-- 8), counts, pages, words the answer. What there is to ask is in practice.mashup_catalogs.
--
-- A service is a table: `source` (name of a table of practice.sql, or a function of the request's
-- parameters and the request that returns { from, columns, views, tables }), `circle` (true, or the
-- default radius), `filters`, `counts` (takes COUNT_BIG(*)), `only_counts`, `where` (function of
-- the parameters, `add(condition, ...)` and the request), `rows_max` and `rows_default` (parameter
-- that cuts the answer), `dates` (set of columns declared as dates), `selected` (adds the column
-- `_selected_`), `before` (function of the request, its parameters and format: an answer that comes
-- first, or nil).
local faults = require "practice.faults"
local files = require "practice.mashup_files"
local life = require "practice.mashup_life"
local json = require "practice.json"
local sql = require "practice.sql"
local words = require "practice.mashup_words"

local M = {}

local refuse = life.refuse

-- What the fields list calls a datatype: 64-bit integers are declared as text (section 4.4).
local kinds = { long = "string", int = "int", short = "int", double = "float", float = "float",
  char = "string" }

local function fields_of(columns, dates)
  local out = { index = {} }
  for i, c in ipairs(columns) do
    local kind = dates and dates[c.name] and "date" or kinds[c.type]
    out[i] = { name = c.name, type = kind, datatype = c.type, unit = c.unit or "",
      ucd = c.ucd or "", description = c.description or "" }
    out.index[c.name:lower()] = i
  end
  return out
end

-- Conditions ------------------------------------------------------------------------------------

local function like(text)
  return (text:gsub("[_\\]", "\\%0"))
end

local function number(column, v)
  return tonumber(v) or refuse(("Conversion failed when converting the varchar value '%s' to data "
    .. "type %s."):format(tostring(v), column.datatype))
end

-- Condition and arguments of one entry of `filters`: its values joined by OR.
local function condition(column, f)
  local parts, args = {}, {}
  local name, is_text = sql.quote(column.name), column.datatype == "char"
  local function add(text, ...)
    parts[#parts + 1] = text
    table.move({ ... }, 1, select("#", ...), #args + 1, args)
  end
  for _, v in ipairs(type(f.values) == "table" and f.values or { f.values }) do
    if type(v) == "table" then
      add(name .. " BETWEEN ? AND ?", number(column, v.min), number(column, v.max))
    elseif type(f.separator) == "string" and is_text then
      add(("';' || replace(%s, ?, ';') || ';' LIKE ? ESCAPE '\\'"):format(name), f.separator,
        "%;" .. like(tostring(v)) .. ";%")
    elseif is_text then
      add(name .. " = ? COLLATE NOCASE", tostring(v))
    else
      add(name .. " = ?", number(column, v))
    end
  end
  if type(f.freeText) == "string" and f.freeText ~= "" then
    add(("CAST(%s AS TEXT) LIKE ? ESCAPE '\\'"):format(name), like(f.freeText))
  end
  if #parts == 0 then
    return "1"
  end
  return "(" .. table.concat(parts, " OR ") .. ")", args
end

local function column_named(fields, name)
  local i = fields.index[tostring(name):lower():gsub("^c%.", "")]
  return i and fields[i] or refuse(("Invalid column name '%s'."):format(tostring(name)))
end

local function add_filters(fields, params, add)
  local given = params.filters
  if given == nil or given == json.null then
    return
  elseif type(given) ~= "table" then
    refuse("filters is not a list")
  end
  for _, f in ipairs(given) do
    if type(f) ~= "table" or type(f.paramName) ~= "string" then
      refuse("a filter needs a paramName")
    end
    local text, args = condition(column_named(fields, f.paramName), f)
    add(text, table.unpack(args or {}))
  end
end

local function add_circle(service, params, add)
  local ra, dec = life.number_of(params, "ra"), life.number_of(params, "dec")
  local radius = life.number_of(params, "radius", tonumber(service.circle))
  if dec < -90 or dec > 90 then
    refuse("dec is outside -90 to 90")
  elseif radius < 0 then
    refuse("radius is negative")
  end
  add("circle_ra = ? AND circle_dec = ? AND circle_radius = ?", ra, dec, radius)
end

-- The statement behind SELECT, without its columns.
local function conditions_of(service, fields, params, m)
  local parts, args = {}, {}
  local function add(text, ...)
    parts[#parts + 1] = text
    table.move({ ... }, 1, select("#", ...), #args + 1, args)
  end
  if service.circle then
    add_circle(service, params, add)
  end
  if service.filters then
    add_filters(fields, params, add)
  end
  if service.where then
    service.where(params, add, m)
  end
  return #parts > 0 and " WHERE " .. table.concat(parts, " AND ") or "", args
end

-- Answers ---------------------------------------------------------------------------------------

-- The fields asked for: "*", "c.*" or a comma list.
local function chosen(fields, text)
  if not text or text == "*" or text == "c.*" then
    return table.move(fields, 1, #fields, 1, {})
  end
  local out = {}
  for name in text:gmatch("[^,]+") do
    out[#out + 1] = column_named(fields, name:match("^%s*(.-)%s*$"))
  end
  return out
end

local function rows_answer(state, source, list, behind, args, total)
  local size = state.pagesize or total
  local first = ((state.page or 1) - 1) * size
  local n = math.max(0, math.min(size, total - first))
  local paging = not faults.switch("no-paging") and words.paging_of(state, total, first, n) or nil
  local names = {}
  for i, field in ipairs(list) do
    names[i] = field.name == "_selected_" and "NULL AS _selected_" or sql.quote(field.name)
  end
  local head, tail = words.frame[state.format](list, paging)
  return {
    outcome = "sql", layout = state.format, content_type = words.CONTENT[state.format],
    sql = ("SELECT %s FROM %s%s LIMIT %d OFFSET %d"):format(table.concat(names, ", "), source.from,
      behind, n, first),
    params = args, views = source.views, tables = source.tables, body = head, tail = tail,
    fault = state.fault,
    failed = function(message)
      return words.failure(state.format, message)
    end,
  }
end

-- The fields that hold a value in some row (removenullcolumns); all when there is no row.
local function with_values(source, behind, args, list, total)
  if total == 0 then
    return list
  end
  local counts, out = {}, {}
  for i, field in ipairs(list) do
    counts[i] = field.name == "_selected_" and "0" or ("COUNT(%s)"):format(sql.quote(field.name))
  end
  local rows, failure = sql.query(("SELECT %s FROM %s%s"):format(table.concat(counts, ", "),
    source.from, behind), args, { views = source.views, tables = source.tables })
  if not rows then
    refuse(failure)
  end
  for i, field in ipairs(list) do
    out[#out + 1] = rows[1][i] > 0 and field or nil
  end
  return out
end

--- Answers a question to a service.
-- @param service see above
-- @param m the request object
-- @param serve function(request, text) for stored results: answers a question
function M.answer(service, m, params, format, serve)
  local first = service.before and service.before(m, params, format)
  if first then
    return first
  end
  local state = { format = format, name = m.service }
  local source = service.source
  if type(source) == "function" then
    source = source(params, m)
  else
    source = { from = source, columns = sql.columns(source) }
  end
  local fields = fields_of(source.columns, service.dates)
  local wanted = type(params.columns) == "string" and params.columns or nil
  state.count = service.only_counts
    or wanted ~= nil and wanted:upper():gsub("%s", "") == "COUNT_BIG(*)"
  if state.count and not (service.counts or service.only_counts) then
    refuse("Incorrect syntax near '*'.")
  end
  local list = not state.count and chosen(fields, wanted) or {}
  if service.selected then
    list[#list + 1] = { name = "_selected_", type = "boolean", unit = "", ucd = "",
      description = "selected" }
  end
  local behind, args = conditions_of(service, fields, params, m)
  life.pages(m, state)
  local instead = life.begin(state, m.service .. json.encode(params), m)
  if instead then
    return instead
  end
  local rows, failure = sql.query(("SELECT COUNT(*) FROM %s%s"):format(source.from, behind), args,
    { views = source.views, tables = source.tables })
  if not rows then
    return words.failure(format, failure)
  end
  local total = rows[1][1]
  if service.rows_max then
    total = math.min(total, math.tointeger(life.number_of(params, service.rows_max,
      service.rows_default)) or 0)
  end
  local early = life.early(state, total)
  if early then
    return early
  elseif state.count then
    return words.small_table(format, "Column1", "string", { total }, true)
  end
  if files.wanted(m) then
    return files.store(m, serve)
  elseif life.is_true(m.removenullcolumns) then
    list = with_values(source, behind, args, list, total)
  end
  total = math.min(total, faults.switch("silent-cap") or total)
  return rows_answer(state, source, list, behind, args, total)
end

return M
