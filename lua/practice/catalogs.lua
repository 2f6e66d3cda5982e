-- SPDX-License-Identifier: BSD-3-Clause
-- Catalogs.MAST, server side (mast-interfaces section 4): /api/v0.1/<table>[.json|.csv|.votable|
-- .xml], its metadata, count and crossmatch. One page holds at most --row-cap rows; radii above
-- 0.5 degrees and unknown columns are 422. Conditions of one column with the same operator are
-- alternatives, those with different ones all hold (with the switch "ranges-or": one of them).
local catalogs = require "practice.catalog_columns"
local core = require "practice.core"
local faults = require "practice.faults"
local http = require "practice.http"
local json = require "practice.json"
local resolver = require "practice.resolver"
local sql = require "practice.sql"

local M = {}

local RADIUS <const>, RADIUS_MAX <const>, TARGETS_MAX <const> = 0.2, 0.5, 5000

local function refuse(text, ...)
  error({ message = text:format(...) }, 0)
end

local function failed(message, status)
  return http.json({ message = message, status = status or 500 }, status or 500)
end

local function guarded(handler)
  return function(request)
    local ok, answer = pcall(handler, request)
    if not ok and type(answer) == "table" then
      return failed(answer.message, 422)
    elseif not ok then
      error(answer, 0)
    end
    return answer
  end
end

-- Parameters --------------------------------------------------------------------------------------

-- Pairs of a JSON body; a list repeats its name.
local function pairs_of(body)
  local ok, value = pcall(json.decode, body)
  if not ok or type(value) ~= "table" then
    refuse("the body is not a JSON object")
  end
  local out = {}
  for name, v in pairs(value) do
    if type(name) ~= "string" then
      refuse("the body is not a JSON object")
    end
    for _, each in ipairs(type(v) == "table" and v ~= json.null and v or { v }) do
      out[#out + 1] = { name, type(each) == "table" and json.encode(each) or each }
    end
  end
  return out
end

-- name (lower case) -> list of values; what the body says wins over the query string.
local function parameters(request)
  local body = request.form
  if (request.headers["content-type"] or ""):find("application/json", 1, true)
    and request.body ~= "" then
    body = pairs_of(request.body)
  end
  local out = {}
  for _, list in ipairs({ request.arguments, body }) do
    local own = {}
    for _, p in ipairs(list) do
      local name = p[1]:lower()
      own[name] = own[name] or {}
      table.insert(own[name], p[2])
    end
    for name, values in pairs(own) do
      out[name] = values
    end
  end
  return out
end

local function number(p, name, low, high)
  local text = p[name] and p[name][1]
  local v = tonumber(text)
  if not v or v ~= v or v < low or v > high then
    refuse("%s: %s is not a number from %g to %g", name, tostring(text), low, high)
  end
  return v
end

local function whole(p, name, usual)
  local v = not p[name] and usual or math.tointeger(tonumber(p[name][1]))
  if not v or v < 1 then
    refuse("%s must be a positive integer", name)
  end
  return v
end

local function truth(p, name, usual)
  local text = p[name] and tostring(p[name][1]):lower()
  return text == nil and usual or text == "true" or text == "1"
end

-- A list in any of its three spellings.
local function names_of(values)
  local out = {}
  for _, value in ipairs(values or {}) do
    for name in tostring(value):gsub("[%[%]\"]", ""):gmatch("[^,]+") do
      out[#out + 1] = name:match("^%s*(.-)%s*$")
    end
  end
  return out
end

local function column_of(t, name)
  return t.index[name:lower()] or refuse("Column %s is not in the table", name)
end

-- Rows --------------------------------------------------------------------------------------------

local numeric = { long = true, int = true, short = true, unsignedByte = true, float = true,
  double = true }
local comparisons = { gt = ">", gte = ">=", min = ">=", lt = "<", lte = "<=", max = "<=", eq = "=",
  neq = "<>" }

local function value_of(column, value)
  if not numeric[column.type] then
    return sql.text(value)
  elseif math.type(value) == "integer" or tostring(value):find("^%s*[+-]?%d+%s*$") then
    return tostring(value)
  end
  local v = tonumber(value) or refuse("%s: %s is not a number", column.name, tostring(value))
  return ("%.17g"):format(v)
end

local function condition(column, op, value)
  local name = sql.quote(column.name)
  if op == "like" or op == "contains" then
    local text = tostring(value):gsub("[\\%%_]", "\\%0")
    text = op == "contains" and "%" .. text .. "%" or text:gsub("%*", "%%")
    return ("%s LIKE %s ESCAPE '\\'"):format(name, sql.text(text))
  end
  local sign = comparisons[op] or refuse("%s.%s: no such operator", column.name, op)
  return ("%s %s %s"):format(name, sign, value_of(column, value))
end

local reserved = {}
for name in ([[ra dec radius columns sort_by pagesize page format flatten_response raw include_info
  delimiter targets resolve ra_name dec_name target_name header]]):gmatch("%S+") do
  reserved[name] = true
end

local function conditions(t, p)
  local groups = {}
  for name, values in pairs(p) do
    local column, op = name:match("^(.-)%.(%a+)$")
    column, op = column or name, op or "eq"
    if not reserved[name] then
      local known = column_of(t, column)
      local group = faults.switch("ranges-or") and known.name or name
      groups[group] = groups[group] or {}
      for _, value in ipairs(values) do
        table.insert(groups[group], condition(known, op, value))
      end
    end
  end
  local all = {}
  for _, any in pairs(groups) do
    table.sort(any)
    all[#all + 1] = "(" .. table.concat(any, " OR ") .. ")"
  end
  table.sort(all)
  return all
end

local function circle_of(p)
  if not p.ra and not p.dec then
    return nil
  end
  local circle = { number(p, "ra", -360, 360) % 360, number(p, "dec", -90, 90), RADIUS }
  circle[3] = p.radius and number(p, "radius", 0, RADIUS_MAX) or RADIUS
  return circle
end

-- Rows of the table with `distance` from the circle's centre, selected.
local function from_of(t, p)
  local all, circle, params = conditions(t, p), circle_of(p), {}
  if not circle and #all == 0 and not t.small then
    refuse("a position or a filter is needed")
  end
  local apart = "NULL"
  if circle then
    apart = ('separation("RA", "DEC", %.17g, %.17g)'):format(circle[1], circle[2])
  end
  if t.small and circle then
    table.insert(all, 1, ("%s <= %.17g"):format(apart, circle[3]))
  elseif circle then
    table.insert(all, 1, "circle_ra = ? AND circle_dec = ? AND circle_radius = ?")
    params = circle
  end
  return ("FROM %s%s"):format(t.view, #all > 0 and " WHERE " .. table.concat(all, " AND ") or ""),
    params, circle
end

-- Columns of the answer, as spelt by the question, with their SQL.
local function selected(t, p, circle)
  local out = {}
  local function add(name)
    if name:lower() == "distance" and circle and not t.small then
      out[#out + 1] = { name = name, type = "double", description = "distance from the centre",
        sql = ("separation(at_ra, at_dec, %.17g, %.17g)"):format(circle[1], circle[2]) }
    else
      local c = column_of(t, name)
      out[#out + 1] = { name = name, type = c.type, sql = sql.quote(c.name) }
    end
  end
  local wanted = names_of(p.columns)
  for _, name in ipairs(#wanted > 0 and wanted or t.shown or {}) do
    add(name)
  end
  if #out == 0 then
    for _, c in ipairs(t.columns) do
      add(c.name)
    end
  end
  if #wanted == 0 and circle and not t.small then
    add("distance")
  end
  return out
end

local directions = { asc = "", desc = " DESC" }

-- "column", "column.desc", and "desc.column" of older clients.
local function order_of(t, p, columns)
  local out = {}
  for _, item in ipairs(names_of(p.sort_by)) do
    local name, direction = item, "asc"
    local a, b = item:match("^(.-)%.(.*)$")
    if a and directions[b:lower()] then
      name, direction = a, b
    elseif a and directions[a:lower()] then
      name, direction = b, a
    end
    local expression
    for _, c in ipairs(columns) do
      expression = c.name:lower() == name:lower() and c.sql or expression
    end
    expression = expression or sql.quote(column_of(t, name).name)
    out[#out + 1] = expression .. directions[direction:lower()]
  end
  return #out > 0 and " ORDER BY " .. table.concat(out, ", ") or ""
end

-- Formats -----------------------------------------------------------------------------------------

local content_types = { json = "application/json", csv = "text/csv; charset=utf-8",
  votable = "text/xml", xml = "text/xml" }
local db_types = { char = "STRING", long = "BIGINT" }

local function info_of(columns)
  local info = json.list({})
  for i, c in ipairs(columns) do
    info[i] = { name = c.name, type = c.type, db_type = db_types[c.type] or "NUMBER",
      description = c.description or c.name }
  end
  return json.encode(info)
end

local function document(format, columns, p)
  local names, fields = {}, {}
  for i, c in ipairs(columns) do
    names[i] = c.name
    fields[i] = { name = c.name, type = c.type == "unsignedByte" and "short" or c.type }
  end
  if format == "csv" then
    local header = table.concat(names, ",") .. "\r\n"
    return "csv", truth(p, "include_info", true) and header or "", ""
  elseif format == "votable" or format == "xml" then
    return "votable", '<?xml version="1.0"?>\n<VOTABLE version="1.3"><RESOURCE type="results">'
      .. "<TABLE>" .. sql.fields(fields) .. "<DATA><TABLEDATA>\n",
      "</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>\n"
  end
  local info = truth(p, "include_info", true) and '"info":' .. info_of(columns) .. "," or ""
  return truth(p, "flatten_response", true) and "extjs" or "json", "{" .. info .. '"data":[', "]}"
end

-- The answer of a statement whose columns are those of `columns`.
local function answer(t, format, columns, p, text, params, more)
  local quoted = t.quoted or not truth(p, "raw", true)
  local list, keys = {}, {}
  for i, c in ipairs(columns) do
    local as_text = format == "json" and c.type == "long" and quoted
    list[i] = (as_text and "CAST(%s AS TEXT)" or "%s"):format(c.sql)
    keys[i] = c.name
  end
  local layout, head, tail = document(format, columns, p)
  local out = { outcome = "sql", layout = layout, content_type = content_types[format],
    failed = failed, keys = keys, params = params, body = head, tail = tail,
    sql = ("SELECT %s %s"):format(table.concat(list, ", "), text) }
  for key, v in pairs(more or {}) do
    out[key] = v
  end
  return out
end

local function search(t, format, request)
  local p = parameters(request)
  local from, params, circle = from_of(t, p)
  local columns = selected(t, p, circle)
  local found = format == "csv" and faults.switch("empty-csv")
    and sql.query("SELECT COUNT(*) " .. from, params)
  if found and found[1][1] == 0 then
    return http.answer("", content_types.csv)
  end
  local size = math.min(whole(p, "pagesize", core.row_cap), core.row_cap)
  local page = whole(p, "page", 1)
  return answer(t, format, columns, p, ("%s%s LIMIT %d OFFSET %d"):format(from,
    order_of(t, p, columns), size, (page - 1) * size), params)
end

local function count(t, request)
  local from, params = from_of(t, parameters(request))
  local rows, why = sql.query("SELECT COUNT(*) " .. from, params)
  return rows and http.answer(tostring(rows[1][1]), "application/json") or failed(why)
end

local units = { ra = "degrees", dec = "degrees", raMean = "degrees", decMean = "degrees",
  raStack = "degrees", decStack = "degrees", MatchRA = "degrees", MatchDec = "degrees",
  epochMean = "days", obsTime = "days" }

local function metadata(t)
  local out = json.list({})
  for i, c in ipairs(t.columns) do
    local unit = units[c.name] or c.name:find("Mag$") and "magnitudes" or "NULL"
    out[i] = { name = c.name, column_name = c.name, type = c.type, datatype = c.type,
      db_type = db_types[c.type] or "NUMBER", description = "The " .. c.name .. ".", unit = unit,
      ucd = "NULL", utype = "NULL", size = "NULL", principal = "0", indexed = "0", std = "0",
      column_index = tostring(i), arraysize = "NULL", search_priority = "NULL",
      default_value = "NULL" }
  end
  return http.json(out)
end

-- Crossmatch --------------------------------------------------------------------------------------

local function place_of(name)
  local entry = resolver.find(name)
  if entry then
    return entry.ra, entry.decl
  end
end

-- Positions of a list of rows by column name; those that are none are left out.
local function positions(list, p)
  local ra_name = p.ra_name and p.ra_name[1] or "ra"
  local dec_name = p.dec_name and p.dec_name[1] or "dec"
  local target = p.target_name and p.target_name[1] or "target"
  local rows = {}
  for i, item in ipairs(list) do
    local ra, dec = tonumber(item[ra_name]), tonumber(item[dec_name])
    if not ra and truth(p, "resolve", false) and item[target] then
      ra, dec = place_of(item[target])
    end
    if dec and (dec < -90 or dec > 90) then
      refuse("dec %g is not on the sky", dec)
    elseif ra and dec then
      rows[#rows + 1] = { i - 1, ra % 360, dec }
    end
  end
  if #list > TARGETS_MAX then
    refuse("at most %d targets", TARGETS_MAX)
  elseif #rows == 0 then
    refuse("no positions: columns %s and %s are needed", ra_name, dec_name)
  end
  return rows
end

local function uploaded(request)
  local file
  for _, part in ipairs(request.parts) do
    file = part.name == "file" and part.body or file
  end
  local read, why = core.table(file or "")
  if not read then
    refuse("the file cannot be read: %s", why)
  end
  local list = {}
  for i, row in ipairs(read.rows) do
    list[i] = {}
    for j, c in ipairs(read.columns) do
      list[i][c.name] = row[j]
    end
  end
  return list
end

local function crossmatch(t, format, request, upload)
  local p = parameters(request)
  local list
  if upload then
    list = uploaded(request)
  else
    local text = "[" .. table.concat(p.targets or refuse("targets is missing"), ",") .. "]"
    list = json.decode(text)
    list = type(list[1]) == "table" and #list[1] > 0 and list[1] or list
  end
  local rows = positions(list, p)
  local radius = p.radius and number(p, "radius", 0, RADIUS_MAX) or refuse("radius is missing")
  local columns = selected(t, p)
  for i, c in ipairs(columns) do
    columns[i].sql = "m." .. c.sql
  end
  for i, name in ipairs({ "_ra_", "_dec_", "_searchID_" }) do
    columns[#columns + 1] = { name = name, type = i == 3 and "int" or "double",
      sql = "t." .. ({ "at_ra", "at_dec", "number" })[i] }
  end
  p.flatten_response = { "false" }
  return answer(t, format, columns, p, ("FROM catalog_targets t JOIN %s m ON m.circle_ra = t.at_ra "
    .. "AND m.circle_dec = t.at_dec AND m.circle_radius = %.17g LIMIT %d"):format(t.view, radius,
    math.min(whole(p, "pagesize", core.row_cap), core.row_cap)), {}, { tables = {
    catalog_targets = {
      columns = { { "number", "int" }, { "at_ra", "double" }, { "at_dec", "double" } },
      rows = rows,
    } } })
end

-- Routes ------------------------------------------------------------------------------------------

local function format_of(request, suffix)
  local p = http.parameters(request)
  local format = suffix or p.format or request.headers.accept
  return content_types[format or ""] and format or "json"
end

local function serve(request)
  local path = request.path:gsub("^/api/v0%.1/", ""):gsub("/+$", "")
  local stem, suffix = path:match("^(.*)%.(%a+)$")
  if not content_types[suffix or ""] then
    stem, suffix = path, nil
  end
  local name, what = stem, "search"
  for _, each in ipairs({ "metadata", "count", "crossmatch/upload", "crossmatch" }) do
    local before = name:match("^(.*)/" .. each .. "$")
    if before and what == "search" then
      name, what = before, each
    end
  end
  local t = catalogs.tables[name]
  if not t then
    return failed("There is no catalog " .. name, 404)
  end
  request.record.service = name .. (what ~= "search" and "/" .. what or "")
  request.record.request = request.body
  local format = format_of(request, suffix)
  if what == "metadata" then
    return metadata(t)
  elseif what == "count" then
    return count(t, request)
  elseif what == "search" then
    return search(t, format, request)
  end
  return crossmatch(t, format, request, what == "crossmatch/upload")
end

local handler = faults.data(guarded(serve), failed)
M.routes = { ["/api/v0.1/panstarrs/"] = handler, ["/api/v0.1/hsc/"] = handler,
  ["/api/v0.1/eaot/"] = handler }

return M
