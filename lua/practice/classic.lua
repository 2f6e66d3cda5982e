-- SPDX-License-Identifier: BSD-3-Clause
-- The classic forms, server side (mast-classic-vo sections 1 and 2): /<table>/search.php, with
-- `action` a search, with SR a cone search, else the form; /search_fields.php. An answer is cut at
-- max_records without a word; --row-cap cuts cone searches likewise. With form=fuf each line of an
-- uploaded file, names or "ra,dec", is a search of its own; max_records holds for each.
local cone = require "practice.cone"
local core = require "practice.core"
local faults = require "practice.faults"
local http = require "practice.http"
local json = require "practice.json"
local resolver = require "practice.resolver"
local sql = require "practice.sql"
local tables = require "practice.classic_tables"

local M = {}

local RECORDS_DEFAULT <const>, SMALL_MAX <const> = 500, 10000
local RADIUS_DEFAULT <const> = 3 -- arcmin
local ENTRIES_MAX <const> = 5000 -- of an uploaded list

local function text(body)
  return http.answer(body, "text/plain")
end

-- Values of the parameters, names in lower case; `name[]` and repetitions are lists.
local function parameters(request)
  local p, many = {}, {}
  for _, list in ipairs({ request.arguments, request.form }) do
    for _, pair in ipairs(list) do
      local name = pair[1]:lower():gsub("%[%]$", "")
      if pair[2] ~= "" then
        p[name] = p[name] or pair[2]
        many[name] = many[name] or {}
        table.insert(many[name], pair[2])
      end
    end
  end
  return p, many
end

-- Degrees of a coordinate, decimal or sexagesimal; nil when it is neither.
local function degrees(value, hours)
  local number = tonumber(value)
  if number then
    return number
  end
  local sign, a, b, c = (value or ""):match("^%s*([+-]?)(%d+)[ :]+(%d+)[ :]+([%d.]+)%s*$")
  if a then
    local v = (a + b / 60 + c / 3600) * (hours and 15 or 1)
    return sign == "-" and -v or v
  end
end

-- Criteria (section 1.3) --------------------------------------------------------------------------

local function literal(column, value, params)
  if column.word == "ra" or column.word == "dec" then
    value = degrees(value, column.word == "ra") or value
  elseif column.type == "char" then
    params[#params + 1] = value
    return "?"
  end
  local number = tonumber(value)
  if not number then
    return nil
  end
  params[#params + 1] = math.tointeger(number) or number
  return "?"
end

-- SQL of one alternative, or nil when the value does not suit the column.
local function alternative(column, value, params)
  local name = sql.quote(column.name)
  value = value:match("^%s*(.-)%s*$")
  if value == "\\null" then
    return name .. " IS NULL"
  elseif value == "!\\null" then
    return name .. " IS NOT NULL"
  end
  local op, rest = value:match("^([<>!]=?)%s*(.*)$")
  if op then
    op = op == "!" and "!=" or op
    local word = literal(column, rest, params)
    return word and ("%s %s %s"):format(name, op, word)
  end
  local low, high = value:match("^(.-)%s*%.%.%s*(.-)$")
  if low and (column.type ~= "char" or column.word == "datetime") then
    local a = literal(column, low, params)
    local b = a and literal(column, high, params)
    return b and ("%s BETWEEN %s AND %s"):format(name, a, b)
  elseif column.type == "char" and value:find("[*%%]") then
    params[#params + 1] = value:gsub("%*", "%%")
    return name .. " LIKE ?"
  end
  local word = literal(column, value, params)
  return word and ("%s = %s%s"):format(name, word, column.type == "char" and " COLLATE NOCASE"
    or "")
end

local function criterion(column, values, params)
  local terms = {}
  for _, value in ipairs(values) do
    for item in value:gmatch("[^,]+") do
      local term = alternative(column, item, params)
      if not term then
        return nil, ("Error: %s is not a valid value for %s"):format(item, column.name)
      end
      terms[#terms + 1] = term
    end
  end
  return "(" .. table.concat(terms, " OR ") .. ")"
end

-- Column names that are standard parameters too: positions of a cone.
local function is_range(value)
  return value and value:find("[<>=!,]") or value and value:find("..", 1, true)
end

-- Conditions from all parameters that name columns.
local function conditions(t, p, many, params)
  local list = {}
  for _, column in ipairs(t.columns) do
    local name = column.name:lower()
    local values = many[name]
    if (name == "ra" or name == "dec") and values and not is_range(p[name]) then
      values = nil
    end
    if values then
      local term, why = criterion(column, values, params)
      if not term then
        return nil, why
      end
      list[#list + 1] = term
    end
  end
  local primary = t.primary and p.primary
  list[#list + 1] = primary and criterion(t.index[t.primary], { primary .. "*" }, params)
  for _, role in ipairs({ "ra", "dec" }) do -- RA=>120 on tables whose column has another name
    if t[role] and is_range(p[role]) and t[role].name ~= role then
      local term, why = criterion(t[role], { p[role] }, params)
      if not term then
        return nil, why
      end
      list[#list + 1] = term
    end
  end
  return list
end

-- The circles that are asked for: a list of { ra, dec, degrees }, none, or nil and the failure.
local function circles_of(t, p, list, params)
  local radius = (tonumber(p.radius) or t.radius or RADIUS_DEFAULT) / 60
  if p.target and p.resolver == "Don't Resolve" then
    for _, column in ipairs(t.columns) do
      if column.target then
        list[#list + 1] = criterion(column, { p.target }, params)
      end
    end
    return {}
  elseif p.target then
    local found = {}
    for name in p.target:gmatch("[^,]+") do
      local entry = resolver.find(name:match("^%s*(.-)%s*$"))
      if not entry then
        return nil, "target not resolved, continue\n\n"
      end
      found[#found + 1] = { entry.ra, entry.decl, radius }
    end
    return found
  elseif p.ra and p.dec and not is_range(p.ra) and not is_range(p.dec) then
    local ra, dec = degrees(p.ra, true), degrees(p.dec)
    if not ra or not dec then
      return nil, ("Error in input RA value: %s\n"):format(p.ra)
    end
    return { { ra, dec, radius } }
  end
  return {}
end

-- Answers -----------------------------------------------------------------------------------------

local SEPARATION <const> = { label = "Ang Sep (')", name = "ang_sep", word = "float",
  type = "double" }

-- Sexagesimal text in SQL, milliseconds or hundredths of arcseconds.
local function sexagesimal(column)
  local name = sql.quote(column.name)
  if column.word == "ra" then
    local ms = ("CAST(round(%s * 240000) AS INTEGER)"):format(name)
    return ("printf('%%02d %%02d %%02d.%%03d', %s / 3600000, %s / 60000 %% 60, %s / 1000 %% 60, "
      .. "%s %% 1000)"):format(ms, ms, ms, ms)
  end
  local cs = ("CAST(round(abs(%s) * 360000) AS INTEGER)"):format(name)
  return ("printf('%%s%%02d %%02d %%02d.%%02d', CASE WHEN %s < 0 THEN '-' ELSE '+' END, %s / "
    .. "360000, %s / 6000 %% 60, %s / 100 %% 60, %s %% 100)"):format(name, cs, cs, cs, cs)
end

local function selected(t, p, cone_asked)
  local out = {}
  if p.selectedcolumnscsv then
    for name in p.selectedcolumnscsv:gmatch("[^,%s]+") do
      local column = t.index[name:lower()]
      if column then
        out[#out + 1] = column
      elseif name:lower() ~= "ang_sep" then
        return nil, ("Error: unknown column %s\n"):format(name)
      end
    end
  else
    table.move(t.columns, 1, #t.columns, 1, out)
  end
  out[#out + 1] = cone_asked and SEPARATION or nil
  return out
end

local function expression(column, p, format)
  if (column.word == "ra" or column.word == "dec") and p.coordformat ~= "dec"
    and format ~= "votable" then
    return sexagesimal(column)
  end
  return sql.quote(column.name)
end

local function order(t, p, cone_asked)
  local out = {}
  for i = 1, 3 do
    local name = p["ordercolumn" .. i]
    if name and (t.index[name:lower()] or name:lower() == "ang_sep" and cone_asked) then
      out[#out + 1] = sql.quote(name) .. (p["descending" .. i] and " DESC" or "")
    end
  end
  if #out == 0 and cone_asked then
    out[1] = "ang_sep"
  end
  return #out > 0 and " ORDER BY " .. table.concat(out, ", ") or ""
end

-- Rows of the table within the circles (all rows without) that meet the conditions.
local function from(t, circles, list, params)
  local where = #list > 0 and table.concat(list, " AND ") or "1"
  if #circles == 0 then
    return ("SELECT *, NULL AS ang_sep FROM %s WHERE %s"):format(t.view, where), params
  end
  local parts, all = {}, {}
  for i, c in ipairs(circles) do
    local separation = ("separation(%s, %s, %.17g, %.17g)"):format(sql.quote(t.ra.name),
      sql.quote(t.dec.name), c[1], c[2])
    parts[i] = ("SELECT *, round(60 * %s, 5) AS ang_sep FROM %s WHERE circle_ra = ? AND "
      .. "circle_dec = ? AND circle_radius = ? AND %s <= ? AND %s"):format(separation, t.view,
      separation, where)
    table.move({ c[1], c[2], c[3], c[3] }, 1, 4, #all + 1, all)
    table.move(params, 1, #params, #all + 1, all)
  end
  return table.concat(parts, " UNION ALL "), all
end

local separators = { SSV = " ", PSV = "|", COSV = ";" }

-- Without `quotes` a cell that holds the separator makes its line longer (section 1.4).
local function quoted(value, separator, quotes)
  value = value == json.null and "" or tostring(value)
  return quotes and (value:find(separator, 1, true) or value:find('["\n]'))
    and '"' .. value:gsub('"', '""') .. '"' or value
end

local function lines(columns, rows, separator, quotes)
  local out = {}
  for k, key in ipairs({ "label", "word" }) do
    local cells = {}
    for i, column in ipairs(columns) do
      cells[i] = quoted(column[key], separator, quotes)
    end
    out[k] = table.concat(cells, separator)
  end
  for _, row in ipairs(rows) do
    local cells = {}
    for i, value in ipairs(row) do
      cells[i] = quoted(value, separator, quotes)
    end
    out[#out + 1] = table.concat(cells, separator)
  end
  return table.concat(out, "\n") .. "\n\n"
end

local function html(columns, rows)
  local out = { "<html><body><table><tr>" }
  for _, column in ipairs(columns) do
    out[#out + 1] = ("<th>%s</th>"):format(http.xml(column.label))
  end
  for _, row in ipairs(rows) do
    out[#out + 1] = "</tr>\n<tr>"
    for _, value in ipairs(row) do
      out[#out + 1] = ("<td>%s</td>"):format(value == json.null and "" or http.xml(value))
    end
  end
  return http.answer(table.concat(out) .. "</tr></table></body></html>\n", "text/html")
end

local function fields(t, columns)
  local out = {}
  for i, column in ipairs(columns) do
    local role = t.id == column and "ID_MAIN" or t.ra == column and "POS_EQ_RA_MAIN"
      or t.dec == column and "POS_EQ_DEC_MAIN" or nil
    out[i] = { name = column.label, type = column.type, ucd = role,
      unit = column == SEPARATION and "arcmin" or (column.word == "ra" or column.word == "dec")
        and "deg" or nil }
  end
  return sql.fields(out)
end

-- How an answer begins and ends in the formats that are streamed.
local function streamed(t, columns, format)
  if format == "votable" then
    return { layout = "votable", content_type = "text/xml;content=x-votable",
      body = '<?xml version="1.0"?>\n<VOTABLE version="1.1"><RESOURCE type="results"><TABLE>'
        .. fields(t, columns) .. "<DATA><TABLEDATA>\n",
      tail = "</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>\n" }
  elseif format == "json" then
    local keys = {}
    for i, column in ipairs(columns) do
      keys[i] = column.label
    end
    return { layout = "json_text", keys = keys, content_type = "application/json", body = "[",
      tail = "]\n" }
  end
  return { layout = "csv", content_type = "text/plain", body = lines(columns, {}, ",", true)
    :gsub("\n\n$", "\n"), tail = "\n" }
end

local function statement(t, p, columns, rows_of, cone_asked, format)
  local list = {}
  for i, column in ipairs(columns) do
    list[i] = expression(column, p, format) .. " AS " .. sql.quote(column.name)
  end
  return ("SELECT %s FROM (%s)%s"):format(table.concat(list, ", "), rows_of,
    order(t, p, cone_asked))
end

-- What a search selects: { columns, rows_of, all, cone }, or nil and the text that is sent instead.
local function selection(t, p, many)
  local params = {}
  local list, why = conditions(t, p, many, params)
  local circles
  if list then
    circles, why = circles_of(t, p, list, params)
  end
  local columns
  if circles then
    columns, why = selected(t, p, #circles > 0)
  end
  if not columns then
    return nil, why
  elseif #circles > 0 and not t.ra then
    return nil, "Error: this table has no positions\n"
  end
  local rows_of, all = from(t, circles, list, params)
  local some, failure = sql.query("SELECT 1 FROM (" .. rows_of .. ") LIMIT 1", all)
  if not some then
    return nil, "Error: " .. failure .. "\n"
  elseif #some == 0 then
    return nil, "no rows found\n\n"
  end
  return { columns = columns, rows_of = rows_of, all = all, cone = #circles > 0 }
end

local function search(t, p, many)
  local found, why = selection(t, p, many)
  if not found then
    return text(why)
  end
  local columns, all = found.columns, found.all
  local limit = math.tointeger(tonumber(p.max_records)) or RECORDS_DEFAULT
  local word = p.outputformat or "HTML_Table"
  local format = ({ CSV = "csv", JSON = "json", VOTable = "votable" })[word]
  local query = statement(t, p, columns, found.rows_of, found.cone, format)
  if format and not (format == "csv" and t.unquoted) then
    local answer = streamed(t, columns, format)
    answer.outcome, answer.sql, answer.params, answer.max_rows = "sql", query, all, limit
    answer.failed = function(message)
      return text("Error: " .. message .. "\n")
    end
    return answer
  end
  local rows = sql.query(query, all, { max = math.min(limit, SMALL_MAX) })
  if format then
    return text(lines(columns, rows, ","))
  end
  local separator = separators[word]
  return separator and text(lines(columns, rows, separator, true)) or html(columns, rows)
end

-- The uploaded file of targets; nil when the form has none.
local function uploaded(request)
  for _, part in ipairs(request.parts) do
    if part.name == "userfile" and part.filename then
      return part.body
    end
  end
end

-- The search of each line, one after the other, in CSV.
local function search_list(t, p, many, file)
  local out, n = {}, 0
  local limit = math.min(math.tointeger(tonumber(p.max_records)) or RECORDS_DEFAULT, SMALL_MAX)
  for line in file:gmatch("[^\r\n]+") do
    n = n + 1
    if n > ENTRIES_MAX then
      return text(("Error: more than %d lines\n"):format(ENTRIES_MAX))
    end
    p.ra, p.dec = line:match("^%s*([%d.+-]+)%s*,%s*([%d.+-]+)%s*$")
    p.target = not p.ra and line or nil
    local found, why = selection(t, p, many)
    out[#out + 1] = ("# Input line %d: %s\n"):format(n, line)
    if found then
      local rows = sql.query(statement(t, p, found.columns, found.rows_of, found.cone, "csv"),
        found.all, { max = limit })
      out[#out + 1] = lines(found.columns, rows, ",", not t.unquoted)
    else
      out[#out + 1] = why:gsub("\n*$", "\n\n")
    end
  end
  return text(table.concat(out))
end

-- Simple Cone Search on the same path (section 2): SR in degrees, labels as field names.
local function cone_search(t, p, many)
  local ra, dec, sr = tonumber(p.ra), tonumber(p.dec), tonumber(p.sr)
  if not ra or not dec or not sr then
    local wrong = not ra and "ra" or not dec and "dec" or "sr"
    return cone.failed(("Error in input %s value: %s"):format(wrong:upper(), p[wrong] or "none"), 1)
  elseif sr < 0 or sr > 90 then
    return cone.failed("SR is outside 0 to 90", 1)
  end
  local params = {}
  p.ra, p.dec, many.ra, many.dec = nil, nil, nil, nil
  local list, why = conditions(t, p, many, params)
  if not list then
    return cone.failed(why, 1)
  end
  list[#list + 1] = sr == 0 and "0" or nil
  local columns = {}
  for i, column in ipairs(t.columns) do
    columns[#columns + 1] = (column.role or p.verb ~= "1" or i <= 2) and column or nil
  end
  local rows_of, all = from(t, { { ra, dec, sr } }, list, params)
  local answer = streamed(t, columns, "votable")
  answer.outcome, answer.max_rows, answer.params = "sql", core.row_cap, all
  answer.sql = statement(t, p, columns, rows_of, false, "votable")
  answer.failed = function(message)
    return cone.failed(message, 1)
  end
  return answer
end

local function form(t)
  local out = { "<html><body><form method='post'>" }
  for _, column in ipairs(t.columns) do
    out[#out + 1] = ("%s <input name='%s'><br>"):format(http.xml(column.label), column.name)
  end
  return http.answer(table.concat(out) .. "</form></body></html>\n", "text/html")
end

-- The handler of a path: of its tables the one that the action means.
local function handler(forms)
  return function(request)
    local t = forms[1]
    request.record.service = "classic " .. t.path
    local p, many = parameters(request)
    for _, each in ipairs(forms) do
      if p.action == (each.action or "Search") then
        local file = p.form == "fuf" and uploaded(request)
        if p.form == "fuf" and not file then
          return form(each)
        elseif file then
          request.record.request = file
        end
        return file and search_list(each, p, many, file) or search(each, p, many)
      end
    end
    return p.sr and t.ra and cone_search(t, p, many) or form(t)
  end
end

-- The published list of columns of a table (section 1.1).
local function list_of_columns(request)
  local wanted = http.parameters(request).mission
  for _, t in ipairs(tables) do
    if t.list == wanted then
      local out = { "<html><body><table>\n<tr><th>Column Name</th><th>Column Label</th><th>"
        .. "Description</th><th>Examples/Valid Values</th><th>Data Type</th></tr>\n" }
      for _, column in ipairs(t.columns) do
        out[#out + 1] = ("<tr><td>%s</td><td>%s</td><td>%s</td><td>&nbsp;</td><td>%s</td></tr>\n")
          :format(column.name, http.xml(column.label), http.xml(column.label), column.word)
      end
      return http.answer(table.concat(out) .. "</table></body></html>\n", "text/html")
    end
  end
  return http.answer("<html><body>No such mission</body></html>\n", "text/html", 404)
end

M.routes = { ["/search_fields.php"] = list_of_columns }
local by_path = {}
for _, t in ipairs(tables) do
  by_path[t.path] = by_path[t.path] or {}
  table.insert(by_path[t.path], t)
end
for path, forms in pairs(by_path) do
  M.routes["/" .. path .. "/search.php"] = faults.data(handler(forms), function(message)
    return text("Error: " .. message .. "\n")
  end)
end

return M
