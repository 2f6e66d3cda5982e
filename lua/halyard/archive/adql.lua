-- SPDX-License-Identifier: BSD-3-Clause
-- ADQL on the client's side: how names, values and criteria are written, and which tables and
-- columns a user's query names, so that misspelt ones are found before anything is sent. It never
-- refuses what it does not understand: the service has the last word.

local criteria = require("halyard.archive.criteria")
local errors = require("halyard.error")
local suggest = require("halyard.suggest")

local M = {}

-- Words of the language (ADQL 2.1 section 2.1.3): they name no column unless quoted.
local words = {}
for word in ([[ABSOLUTE ALL AND ANY AS ASC AVG BETWEEN BOTH BY CASE CAST COALESCE COUNT CROSS
  CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP DESC DISTINCT ELSE END ESCAPE EXCEPT EXISTS FALSE FOR
  FROM FULL GROUP HAVING ILIKE IN INNER INTERSECT INTERVAL IS JOIN LEADING LEFT LIKE LIMIT MAX MIN
  NATURAL NOT NULL OFFSET ON OR ORDER OUTER RIGHT SELECT SOME SUM THEN TOP TRAILING TRUE UNION
  UNIQUE USING VALUES WHEN WHERE WITH]]):gmatch("%S+") do
  words[word] = true
end
-- Words that a bare column name must not be (section 2.1.3): those above and usual ones of SQL.
local quoted_words = { SIZE = true, DATE = true, TIME = true, TIMESTAMP = true, POSITION = true,
  CLASS = true, LEVEL = true, SECTION = true, TRANSLATION = true, USER = true, VALUE = true,
  YEAR = true, MONTH = true, DAY = true, HOUR = true, MINUTE = true, SECOND = true, ZONE = true,
  DOMAIN = true, POINT = true, CIRCLE = true, BOX = true, POLYGON = true, REGION = true,
  DISTANCE = true, AREA = true, MODE = true, MODULE = true, MATCH = true, FILTER = false }

-- Writing ---------------------------------------------------------------------------------------

--- A column's name as a query must write it; one that is quoted already stays as it is.
function M.name(name)
  if name:find('^".*"$') then
    return name
  elseif name:find("^%a[%w_]*$") and not words[name:upper()] and not quoted_words[name:upper()] then
    return name
  end
  return '"' .. name:gsub('"', '""') .. '"'
end

--- A table's name: its parts as names, between dots.
function M.table_name(name)
  if name:find('"', 1, true) then
    return name
  end
  local parts = {}
  for part in name:gmatch("[^.]+") do
    parts[#parts + 1] = M.name(part)
  end
  return table.concat(parts, ".")
end

--- A value as a literal.
function M.literal(value)
  if type(value) == "number" then
    return criteria.text(value)
  elseif type(value) == "boolean" then
    return value and "1" or "0"
  end
  return "'" .. tostring(value):gsub("'", "''") .. "'"
end

local function term(name, t)
  if t.op == ".." then
    return ("%s BETWEEN %s AND %s"):format(name, M.literal(t.low), M.literal(t.high))
  elseif t.op == "like" then
    return ("%s LIKE %s"):format(name, M.literal((t.value:gsub("%*", "%%"))))
  end
  return ("%s %s %s"):format(name, t.op, M.literal(t.value))
end

--- The condition of one criterion (nil: none can be asked), and whether the service may let more
-- rows pass than are meant: a pattern in which `_` stands, which is any character to LIKE and
-- cannot be escaped in ADQL 2.0.
-- @tparam table column name, kind ("number", "text", "time")
-- @param value as for table:where
function M.condition(column, value)
  local name, any, none, loose = M.name(column.name), {}, {}, false
  for _, t in ipairs(criteria.terms(column, value)) do
    local wide = t.op == "like" and t.value:find("_", 1, true) ~= nil
    loose = loose or wide
    if not t.negated then
      any[#any + 1] = term(name, t)
    elseif not wide then
      none[#none + 1] = ("(%s IS NULL OR NOT %s)"):format(name, term(name, t))
    end
  end
  if #any > 0 then
    table.insert(none, 1, #any > 1 and "(" .. table.concat(any, " OR ") .. ")" or any[1])
  end
  return #none > 0 and table.concat(none, " AND ") or nil, loose
end

-- Reading ---------------------------------------------------------------------------------------

-- Words of a query: { kind, text, upper }; kind is "name", "quoted", "value" or "op".
local function read(text)
  local list, at = {}, 1
  local function add(kind, word, after)
    list[#list + 1] = { kind = kind, text = word, upper = kind == "name" and word:upper() }
    at = after
  end
  while at <= #text do
    local c = text:sub(at, at)
    local name = text:match("^[%a_][%w_]*", at)
    local number = text:match("^%.?%d[%w.]*", at)
    if c:find("%s") then
      at = at + 1
    elseif text:sub(at, at + 1) == "--" then
      at = (text:find("\n", at, true) or #text) + 1
    elseif c == "'" or c == '"' then
      local stop = at
      repeat
        stop = text:find(c, stop + 1, true)
        if not stop then
          errors.raise("usage", ("ADQL: the %s that begins at character %d has no end"):format(
            c == "'" and "text" or "quoted name", at))
        end
        local twice = text:sub(stop + 1, stop + 1) == c
        stop = twice and stop + 1 or stop
      until not twice
      local inside = text:sub(at + 1, stop - 1):gsub(c .. c, c)
      add(c == "'" and "value" or "quoted", inside, stop + 1)
    elseif name then
      add("name", name, at + #name)
    elseif number then
      add("value", number, at + #number)
    else
      add("op", c, at + 1)
    end
  end
  return list
end

local function is_name(w)
  return w and (w.kind == "quoted" or w.kind == "name" and not words[w.upper])
end

local function is_op(w, text)
  return w ~= nil and w.kind == "op" and w.text == text
end

-- A path of names that begins at i: its parts, and the place behind it.
local function path_at(list, i)
  local parts = { list[i].text }
  while is_op(list[i + 1], ".") and list[i + 2] and (is_name(list[i + 2])
    or list[i + 2].kind == "name" or is_op(list[i + 2], "*")) do
    parts[#parts + 1] = list[i + 2].text
    i = i + 2
  end
  return parts, i + 1
end

local table_ends = { WHERE = true, GROUP = true, HAVING = true, ORDER = true, UNION = true,
  EXCEPT = true, INTERSECT = true, OFFSET = true, ON = true, USING = true, LIMIT = true }

-- Marks what belongs to FROM clauses; fills `found`.
local function read_tables(list, found)
  -- selects[depth]: a FROM here is a query's own, not one of EXTRACT(YEAR FROM t); from[depth]: a
  -- table may follow a comma here.
  local depth, selects, from, used = 0, {}, {}, {}
  local expected = false
  local i = 1
  while i <= #list do
    local w, behind = list[i], i + 1
    if is_op(w, "(") then
      depth = depth + 1
      from[depth], selects[depth] = expected, nil
    elseif is_op(w, ")") then
      from[depth], depth, expected = nil, depth - 1, false
      local alias = list[i + 1]
      if from[depth] ~= nil and alias and alias.upper == "AS" then
        alias, behind = list[i + 2], i + 2
      end
      if from[depth] ~= nil and is_name(alias) then
        found.derived[alias.text:lower()], used[behind] = true, true
        behind = behind + 1
      end
    elseif w.upper == "FROM" then
      if selects[depth] then
        expected, from[depth] = true, true
      end
    elseif w.upper == "JOIN" or is_op(w, ",") and from[depth] then
      expected = from[depth] ~= nil
    elseif w.upper == "SELECT" then
      expected, from[depth], selects[depth] = false, nil, true
    elseif w.upper and table_ends[w.upper] then
      expected = false
      from[depth] = (w.upper == "ON" or w.upper == "USING") and from[depth] or nil
    elseif expected and is_name(w) then
      local parts, after = path_at(list, i)
      local alias = list[after]
      for k = i, after - 1 do
        used[k] = true
      end
      if alias and alias.upper == "AS" then
        alias, after = list[after + 1], after + 1
      end
      local t = { name = table.concat(parts, "."), parts = parts }
      if is_name(alias) then
        t.alias, used[after] = alias.text, true
        after = after + 1
      end
      found.tables[#found.tables + 1] = t
      expected, behind = false, after
    end
    i = behind
  end
  return used
end

-- Is word i the end of an operand, which an alias may follow? The number of TOP is none.
local function ends_operand(list, i)
  local w, before = list[i], list[i - 1]
  return w and (w.kind == "value" and not (before and before.upper == "TOP") or is_name(w)
    or is_op(w, ")") or w.upper == "END")
end

-- Names of columns: paths that are no table, no function, no alias.
local function read_columns(list, used, found)
  local i = 1
  while i <= #list do
    local w, behind = list[i], i + 1
    if is_name(w) and not used[i] then
      local parts, after = path_at(list, i)
      local before = list[i - 1]
      behind = after
      if before and before.upper == "AS" or ends_operand(list, i - 1) and not used[i - 1] then
        found.aliases[w.text:lower()] = true
      elseif not is_op(list[after], "(") and parts[#parts] ~= "*" then
        found.columns[#found.columns + 1] = parts
      end
    end
    i = behind
  end
end

--- What a query names.
-- @treturn table tables (list of { name, alias }), derived (set of names of subqueries), columns
-- (list of paths), aliases (set), words (set of the language's words that occur)
function M.read(text)
  local list = read(text)
  local found = { tables = {}, derived = {}, columns = {}, aliases = {}, words = {} }
  for _, w in ipairs(list) do
    if w.upper and words[w.upper] then
      found.words[w.upper] = true
    end
  end
  read_columns(list, read_tables(list, found), found)
  return found
end

-- Checking --------------------------------------------------------------------------------------

local function qualifiers_of(t, add)
  if t.alias then
    add(t.alias:lower())
    return
  end
  local lower = t.name:lower()
  add(lower)
  add(lower:match("([^.]*)$"))
end

local function names_of(columns)
  local names = {}
  for _, column in pairs(columns) do
    names[#names + 1] = column.name
  end
  table.sort(names)
  return names
end

--- Refuses columns that none of the query's tables has.
-- @tparam table found what `read` gave; each table with `map`, its columns by name in lower case;
-- tables without it can have any column
-- @raise `usage` with the nearest names
function M.check_columns(found)
  local by_qualifier, union, all_known, labels = {}, {}, next(found.derived) == nil, {}
  for _, t in ipairs(found.tables) do
    all_known = all_known and t.map ~= nil
    labels[#labels + 1] = t.name
    qualifiers_of(t, function(name)
      by_qualifier[name] = t
    end)
    for name, column in pairs(t.map or {}) do
      union[name] = column
    end
  end
  for _, parts in ipairs(found.columns) do
    local name = parts[#parts]
    local t = by_qualifier[table.concat(parts, ".", 1, #parts - 1):lower()]
    if t and t.map and not t.map[name:lower()] then
      suggest.unknown("column of " .. t.name, name, names_of(t.map))
    elseif #parts == 1 and all_known and #found.tables > 0 and not union[name:lower()]
      and not found.aliases[name:lower()] then
      suggest.unknown("column of " .. table.concat(labels, ", "), name, names_of(union))
    end
  end
end

return M
