-- SPDX-License-Identifier: BSD-3-Clause
-- ADQL 2.0, and what of 2.1 is common, as a statement of SQLite over the practice archive's tables.
-- Names are resolved here, so every column of the answer has its type, unit and UCD.
local functions = require "practice.adql_functions"
local shapes = require "practice.adql_shapes"
local sql = require "practice.sql"
local text = require "practice.adql_text"

local M = {}

local fail = text.fail
local parser = {}
parser.__index = parser

-- Words that end a table or an item: never an alias.
local reserved = {}
for word in ([[SELECT FROM WHERE GROUP BY HAVING ORDER ON USING JOIN INNER LEFT RIGHT FULL OUTER
  NATURAL CROSS UNION EXCEPT INTERSECT AND OR NOT AS IN IS LIKE ILIKE BETWEEN EXISTS NULL TOP
  DISTINCT ALL ASC DESC OFFSET]]):gmatch("%S+") do
  reserved[word] = true
end

-- Words -----------------------------------------------------------------------------------------

function parser:word()
  return self.words[self.at]
end

function parser:unexpected(expected)
  local w = self:word()
  fail('Encountered "%s" at character %d, expected %s', w.text, w.at, expected)
end

function parser:is(word)
  local w = self:word()
  return (w.kind == "name" and w.upper or w.kind == "op" and w.text) == word
end

function parser:accept(word)
  if self:is(word) then
    self.at = self.at + 1
    return true
  end
end

function parser:expect(word)
  if not self:accept(word) then
    self:unexpected(word)
  end
end

function parser:identifier(expected)
  local w = self:word()
  if w.kind ~= "quoted" and (w.kind ~= "name" or reserved[w.upper]) then
    self:unexpected(expected or "a name")
  end
  self.at = self.at + 1
  return w.text
end

-- a.b.c as a list of texts.
function parser:path()
  local parts = { self:identifier() }
  while self:accept(".") do
    parts[#parts + 1] = self:identifier()
  end
  return parts
end

-- Scopes ----------------------------------------------------------------------------------------

local function column_in(t, name)
  for _, column in ipairs(t.def.columns) do
    if column.name:lower() == name then
      return column
    end
  end
end

local function fits(t, qualifier)
  return qualifier == "" or t.names[qualifier]
end

function parser:column(parts)
  local name = parts[#parts]:lower()
  local qualifier = table.concat(parts, ".", 1, #parts - 1):lower()
  local scope = self.scope
  while scope do
    local found
    for _, t in ipairs(scope) do
      local column = fits(t, qualifier) and column_in(t, name)
      if column and found and not scope.merged[name] then
        fail("Column %s is ambiguous", table.concat(parts, "."))
      elseif column and not found then
        found = { sql = ("%s.%s"):format(t.sql, sql.quote(column.name)), type = column.type,
          column = column, from = t, tables = { [t] = true }, unit = column.unit, ucd = column.ucd,
          utype = column.utype, xtype = column.xtype, description = column.description }
      end
    end
    if found then
      return found
    end
    scope = scope.outer
  end
  fail("Unknown column: %s", table.concat(parts, "."))
end

-- Expressions -----------------------------------------------------------------------------------

local numeric = { short = 1, int = 2, long = 3, float = 4, double = 5 }

local function merged_tables(...)
  local out = {}
  for _, node in ipairs({ ... }) do
    for t in pairs(node.tables or {}) do
      out[t] = true
    end
  end
  return out
end

local function value(node)
  if node.shape then
    fail("a %s cannot be used as a value", node.shape)
  end
  return node
end

local function calculated(a, op, b)
  value(a)
  value(b)
  if a.type == "char" or b.type == "char" then
    fail("operator %s takes numbers", op)
  end
  local wide = numeric[a.type] and numeric[b.type]
    and (numeric[a.type] > numeric[b.type] and a.type or b.type) or "double"
  return { sql = ("(%s %s %s)"):format(a.sql, op, b.sql), type = numeric[wide] < 4 and "long"
    or "double", tables = merged_tables(a, b) }
end

function parser:arguments()
  local args = {}
  self:expect("(")
  if self:accept(")") then
    return args
  end
  repeat
    args[#args + 1] = self:expression()
  until not self:accept(",")
  self:expect(")")
  return args
end

local geometry = {
  POINT = shapes.point, CIRCLE = shapes.circle, POLYGON = shapes.polygon, BOX = shapes.box,
  CONTAINS = function(args)
    return shapes.contains(args, "CONTAINS")
  end,
  INTERSECTS = function(args)
    return shapes.contains(args, "INTERSECTS")
  end,
  DISTANCE = shapes.distance,
}
for _, name in ipairs({ "AREA", "COORD1", "COORD2" }) do
  geometry[name] = function(args)
    return shapes.measure(name, args)
  end
end

function parser:aggregate(name)
  self:expect("(")
  local distinct = self:accept("DISTINCT") and "DISTINCT " or ""
  self:accept("ALL")
  local node
  if name == "COUNT" and self:accept("*") then
    node = { sql = "COUNT(*)", type = "long" }
  else
    local arg = value(self:expression())
    node = { sql = ("%s(%s%s)"):format(name, distinct, arg.sql), tables = arg.tables,
      unit = name ~= "COUNT" and arg.unit or nil, type = name == "COUNT" and "long"
        or name == "AVG" and "double" or name == "SUM" and (numeric[arg.type] or 5) < 4 and "long"
        or name == "SUM" and "double" or arg.type }
  end
  self:expect(")")
  node.aggregate = true
  return node
end

function parser:call()
  local w = self:word()
  local name = w.upper
  self.at = self.at + 1
  local node
  if functions.aggregates[name] then
    node = self:aggregate(name)
  elseif name == "CAST" then
    self:expect("(")
    local arg = value(self:expression())
    self:expect("AS")
    node = functions.cast(arg, self:identifier("a type"))
    if self:accept("(") then
      self.at = self.at + 1
      self:expect(")")
    end
    self:expect(")")
  else
    local args = self:arguments()
    local shape = geometry[name]
    if not shape then
      for _, arg in ipairs(args) do
        value(arg)
      end
    end
    node = shape and shape(args) or not shape and functions.call(name, args)
      or fail("Unknown function: %s", w.text)
    node.tables = node.tables and next(node.tables) and node.tables
      or merged_tables(table.unpack(args))
  end
  node.name = node.name or name:lower()
  return node
end

function parser:primary()
  local w = self:word()
  if w.kind == "number" then
    self.at = self.at + 1
    return { sql = w.text, type = w.text:find("[.eE]") and "double" or "long", value = w.text }
  elseif w.kind == "text" then
    self.at = self.at + 1
    return { sql = sql.text(w.text), type = "char", literal_text = w.text }
  elseif self:accept("(") then
    local node
    if self:is("SELECT") then
      local inner = self:query()
      node = { sql = inner.sql, type = inner.columns[1].type, tables = {} }
    else
      node = self:condition()
    end
    self:expect(")")
    local out = {}
    for key, v in pairs(node) do
      out[key] = v
    end
    out.sql = node.sql and "(" .. node.sql .. ")"
    out.fast = node.fast and "(" .. node.fast .. ")"
    return out
  elseif w.upper == "NULL" then
    self.at = self.at + 1
    return { sql = "NULL", type = "char" }
  elseif w.kind == "name" and self.words[self.at + 1].text == "("
    and self.words[self.at + 1].kind == "op" and not reserved[w.upper] then
    return self:call()
  end
  return self:column(self:path())
end

function parser:unary()
  for _, op in ipairs({ "-", "+", "~" }) do
    if self:accept(op) then
      local node = value(self:unary())
      return { sql = ("(%s%s)"):format(op, node.sql), type = node.type, tables = node.tables,
        value = node.value and op ~= "~" and (op .. node.value):gsub("^%+", "") }
    end
  end
  return self:primary()
end

function parser:binary(next_level, operators)
  local left = next_level(self)
  local again = true
  while again do
    again = false
    for _, op in ipairs(operators) do
      if self:accept(op) then
        local right = next_level(self)
        again = true
        if op == "||" then
          left = { sql = ("(%s || %s)"):format(value(left).sql, value(right).sql), type = "char",
            tables = merged_tables(left, right) }
        elseif op == "^" then
          left = { sql = ("((%s | %s) - (%s & %s))"):format(value(left).sql, value(right).sql,
            left.sql, right.sql), type = "long", tables = merged_tables(left, right) }
        else
          left = calculated(left, op, right)
        end
        break
      end
    end
  end
  return left
end

function parser:product()
  return self:binary(self.unary, { "*", "/" })
end

function parser:expression()
  return self:binary(self.product, { "+", "-", "||", "&", "|", "^" })
end

-- Conditions ------------------------------------------------------------------------------------

local function condition(sql_text, ...)
  return { sql = sql_text, type = "int", condition = true, tables = merged_tables(...) }
end

local comparisons = { "<=", ">=", "<>", "!=", "<", ">", "=" }
local turned = { ["<"] = ">", ["<="] = ">=", [">"] = "<", [">="] = "<=" }

-- CONTAINS(...) = 1 and DISTANCE(...) < r read only what they need.
local function compared(a, op, b)
  if b.question and not a.question or b.between and not a.between then
    a, b, op = b, a, turned[op] or op
  end
  local place
  if a.question and op == "=" and b.value == "1" then
    place = a
  elseif a.between and (op == "<" or op == "<=") then
    place = shapes.near(a, op, value(b))
  end
  if (a.type == "char") ~= (b.type == "char") and a.sql ~= "NULL" and b.sql ~= "NULL" then
    fail("a text is compared with a number: %s %s %s", a.sql, op, b.sql)
  end
  local out = condition(("%s %s %s"):format(value(a).sql, op == "!=" and "<>" or op, value(b).sql),
    a, b)
  if place then
    out.sql, out.fast = place.sql, place.fast
    out.fast_tables = place.fast and { [place.table] = true }
  end
  return out
end

function parser:among(left, negated)
  self:expect("(")
  local list
  if self:is("SELECT") then
    list = self:query().sql
  else
    local items = {}
    repeat
      items[#items + 1] = value(self:expression()).sql
    until not self:accept(",")
    list = table.concat(items, ", ")
  end
  self:expect(")")
  return condition(("%s %sIN (%s)"):format(left.sql, negated, list), left)
end

function parser:predicate()
  if self:accept("EXISTS") then
    self:expect("(")
    local inner = self:query()
    self:expect(")")
    return condition(("EXISTS (%s)"):format(inner.sql))
  end
  local left = self:expression()
  for _, op in ipairs(comparisons) do
    if self:accept(op) then
      return compared(left, op, self:expression())
    end
  end
  if self:accept("IS") then
    local negated = self:accept("NOT") and "NOT " or ""
    self:expect("NULL")
    -- Where a column is never null there is no need to read them all.
    if left.column and left.column.filled and #self.scope == 1 and self.scope[1] == left.from then
      return condition(negated == "" and "0" or "1", left)
    end
    return condition(("%s IS %sNULL"):format(value(left).sql, negated), left)
  end
  local negated = self:accept("NOT") and "NOT " or ""
  if self:accept("BETWEEN") then
    local low = value(self:expression())
    self:expect("AND")
    local high = value(self:expression())
    return condition(("%s %sBETWEEN %s AND %s"):format(value(left).sql, negated, low.sql, high.sql),
      left, low, high)
  elseif self:accept("IN") then
    return self:among(value(left), negated)
  elseif self:accept("LIKE") then
    return condition(functions.like(value(left), value(self:expression()), negated), left)
  elseif self:accept("ILIKE") then
    return condition(("%s %sLIKE %s"):format(value(left).sql, negated, self:expression().sql), left)
  elseif negated ~= "" then
    self:unexpected("BETWEEN, IN or LIKE")
  end
  return left
end

function parser:negation()
  if self:accept("NOT") then
    local node = self:negation()
    return condition("NOT " .. node.sql, node)
  end
  return self:predicate()
end

local function both(a, b)
  local out = condition(("%s AND %s"):format(a.sql, b.sql), a, b)
  local tables, b_fast = {}, b.fast
  for t in pairs(a.fast_tables or {}) do
    tables[t] = true
    b_fast = not (b.fast_tables or {})[t] and b_fast or nil
  end
  if a.fast or b_fast then
    out.fast = ("%s AND %s"):format(a.fast or a.sql, b_fast or b.sql)
    for t in pairs(b_fast and b.fast_tables or {}) do
      tables[t] = true
    end
    out.fast_tables = tables
  end
  return out
end

function parser:condition()
  local left, any
  repeat
    local all = self:negation()
    while self:accept("AND") do
      all = both(all, self:negation())
    end
    any = left ~= nil
    left = any and condition(("%s OR %s"):format(left.sql, all.sql), left, all) or all
  until not self:accept("OR")
  if any then
    left.sql = "(" .. left.sql .. ")"
  end
  return left
end

-- Tables ----------------------------------------------------------------------------------------

function parser:add(def, names)
  self.n_tables = self.n_tables + 1
  local t = { def = def, sql = "t" .. self.n_tables, names = {} }
  for _, name in ipairs(names) do
    t.names[name:lower()] = true
  end
  table.insert(self.scope, t)
  return t
end

function parser:table_reference()
  if self:accept("(") then
    if not self:is("SELECT") then
      local inner = self:joined()
      self:expect(")")
      return "(" .. inner .. ")"
    end
    local outer = self.scope
    self.scope = { outer = outer and outer.outer, merged = {} }
    local inner = self:query()
    self.scope = outer
    self:expect(")")
    self:accept("AS")
    local alias = self:identifier("a name for the subquery")
    return ("(%s) AS %s"):format(inner.sql, self:add({ columns = inner.columns }, { alias }).sql)
  end
  local parts = self:path()
  local def, names = self.lookup(parts)
  if not def then
    fail("Unknown table: %s", table.concat(parts, "."))
  end
  self.used[def.sql] = true
  local w = self:word()
  if self:accept("AS") or w.kind == "quoted" or w.kind == "name" and not reserved[w.upper] then
    names = { self:identifier() }
  end
  return ("%s AS %s"):format(sql.quote(def.sql), self:add(def, names).sql)
end

-- The form of a condition that may stand here: the fast one reads one circle of each table of this
-- very query, and only one.
function parser:best(node, only)
  for t in pairs(node.fast_tables or {}) do
    local here = false
    for _, other in ipairs(self.scope) do
      here = here or other == t
    end
    if not here or t.circled or only and t ~= only then
      return node.sql
    end
  end
  for t in pairs(node.fast_tables or {}) do
    t.circled = true
  end
  return node.fast or node.sql
end

local function merge(scope, name)
  scope.merged[name:lower()] = true
  return sql.quote(name)
end

function parser:join_condition(kind)
  if self:accept("ON") then
    local on = self:condition()
    if kind == "" or kind == "LEFT " then
      return " ON " .. self:best(on, kind == "LEFT " and self.scope[#self.scope] or nil)
    end
    return " ON " .. on.sql
  end
  self:expect("USING")
  self:expect("(")
  local names = {}
  repeat
    names[#names + 1] = merge(self.scope, self:identifier())
  until not self:accept(",")
  self:expect(")")
  return " USING (" .. table.concat(names, ", ") .. ")"
end

function parser:joined()
  local left = self:table_reference()
  while true do
    local natural = self:accept("NATURAL")
    local kind = self:accept("LEFT") and "LEFT " or self:accept("RIGHT") and "RIGHT "
      or self:accept("FULL") and "FULL " or ""
    if kind == "" and not natural and self:accept("CROSS") then
      self:expect("JOIN")
      left = ("%s CROSS JOIN %s"):format(left, self:table_reference())
    else
      self:accept(kind == "" and "INNER" or "OUTER")
      if kind == "" and not natural and not self:is("JOIN") then
        return left
      end
      self:expect("JOIN")
      local before = #self.scope
      local right = self:table_reference()
      if natural then
        for _, column in ipairs(self.scope[before + 1].def.columns) do
          for i = 1, before do
            if column_in(self.scope[i], column.name:lower()) then
              merge(self.scope, column.name)
            end
          end
        end
      end
      left = ("%s %s%sJOIN %s%s"):format(left, natural and "NATURAL " or "", kind, right,
        natural and "" or self:join_condition(kind))
    end
  end
end

-- Queries ---------------------------------------------------------------------------------------

-- Where the FROM of the select list at hand stands.
function parser:from_place()
  local depth = 0
  for i = self.at, #self.words do
    local w = self.words[i]
    if w.kind == "op" and w.text == "(" then
      depth = depth + 1
    elseif w.kind == "op" and w.text == ")" then
      depth = depth - 1
    elseif depth == 0 and w.upper == "FROM" then
      return i
    end
    if depth < 0 then
      break
    end
  end
  fail("a query needs FROM")
end

local function described(node, name)
  return { name = name, type = node.type, unit = node.unit, ucd = node.ucd, utype = node.utype,
    xtype = node.xtype, description = node.description }
end

-- Items of the select list: columns, and their SQL.
function parser:items(stop)
  local columns, parts, taken = {}, {}, {}
  local function add(node, name)
    local unique, n = name, 1
    while taken[unique:lower()] do
      n = n + 1
      unique = ("%s_%d"):format(name, n)
    end
    taken[unique:lower()] = true
    columns[#columns + 1] = described(node, unique)
    parts[#parts + 1] = ("%s AS %s"):format(node.sql, sql.quote(unique))
  end
  local function all(t)
    for _, column in ipairs(t.def.columns) do
      local node = described(column)
      node.sql = ("%s.%s"):format(t.sql, sql.quote(column.name))
      add(node, column.name)
    end
  end
  repeat
    local from = self.at
    if self:accept("*") then
      for _, t in ipairs(self.scope) do
        all(t)
      end
    elseif self:starred() then
      local qualifier = table.concat(self:path_before_star(), "."):lower()
      local found
      for _, t in ipairs(self.scope) do
        if t.names[qualifier] then
          found = t
        end
      end
      all(found or fail("Unknown table: %s", qualifier))
    else
      local node = value(self:expression())
      local name = node.column and node.column.name or node.name or "col" .. #columns + 1
      if self:accept("AS") or self.at < stop and self:word().kind ~= "op" then
        name = self:identifier()
      end
      add(node, name)
    end
    if self.at == from then
      self:unexpected("a column")
    end
  until not self:accept(",")
  if self.at ~= stop then
    self:unexpected("FROM")
  end
  return columns, table.concat(parts, ", ")
end

-- Is the item "t.*"?
function parser:starred()
  local i = self.at
  while self.words[i].kind ~= "op" and self.words[i + 1].text == "." do
    i = i + 2
  end
  return i > self.at and self.words[i].text == "*" and self.words[i].kind == "op"
end

function parser:path_before_star()
  local parts = {}
  while not self:accept("*") do
    parts[#parts + 1] = self:identifier()
    self:expect(".")
  end
  return parts
end

function parser:count(what)
  local w = self:word()
  local n = w.kind == "number" and math.tointeger(tonumber(w.text))
  if not n then
    self:unexpected("a whole number for " .. what)
  end
  self.at = self.at + 1
  return n
end

function parser:select()
  self:expect("SELECT")
  local distinct = self:accept("DISTINCT") and "DISTINCT " or ""
  self:accept("ALL")
  local top = self:accept("TOP") and self:count("TOP") or nil
  local list, from = self.at, self:from_place()
  local outer = self.scope
  self.scope = { outer = outer, merged = {} }
  self.at = from + 1
  local tables = {}
  repeat
    tables[#tables + 1] = self:joined()
  until not self:accept(",")
  local after = self.at
  self.at = list
  local columns, items = self:items(from)
  self.at = after
  local parts = { ("SELECT %s%s FROM %s"):format(distinct, items, table.concat(tables, ", ")) }
  if self:accept("WHERE") then
    local where = self:condition()
    if not where.condition then
      fail("WHERE needs a condition, such as 1=CONTAINS(...)")
    end
    parts[#parts + 1] = " WHERE " .. self:best(where)
  end
  if self:accept("GROUP") then
    self:expect("BY")
    local keys = {}
    repeat
      keys[#keys + 1] = self:key(columns)
    until not self:accept(",")
    parts[#parts + 1] = " GROUP BY " .. table.concat(keys, ", ")
  end
  if self:accept("HAVING") then
    parts[#parts + 1] = " HAVING " .. self:condition().sql
  end
  local scope = self.scope
  self.scope = outer
  local total = #parts == 1 and distinct == "" and #scope == 1 and scope[1].def.total
  local name = total and items:match('^COUNT%(%*%) AS ("[^"]+")$')
  parts[1] = name and ("SELECT %s AS %s"):format(total, name) or parts[1]
  return { sql = table.concat(parts), columns = columns, top = top, scope = scope }
end

-- A key to sort or group by: the number or name of an item, or an expression.
function parser:key(columns)
  local w, following = self:word(), self.words[self.at + 1]
  if w.kind == "number" and math.tointeger(tonumber(w.text)) then
    self.at = self.at + 1
    return columns[tonumber(w.text)] and w.text or fail("there is no column %s to sort by", w.text)
  end
  local alone = following and following.text ~= "." and following.text ~= "("
  if alone and (w.kind == "name" or w.kind == "quoted") then
    for _, column in ipairs(columns) do
      if column.name:lower() == w.text:lower() then
        self.at = self.at + 1
        return sql.quote(column.name)
      end
    end
  end
  return value(self:expression()).sql
end

local set_operators = { "UNION", "EXCEPT", "INTERSECT" }

local function limited(part)
  return part.top and ("SELECT * FROM (%s LIMIT %d)"):format(part.sql, part.top) or part.sql
end

function parser:set_operator()
  for _, op in ipairs(set_operators) do
    if self:accept(op) then
      return op .. (self:accept("ALL") and " ALL" or "")
    end
  end
end

--- A whole query: { sql, columns, top }.
function parser:query()
  self.depth = self.depth + 1
  if self.depth > 20 then
    fail("queries are nested too deep")
  end
  local first = self:select()
  local out = { sql = first.sql, columns = first.columns, top = first.top }
  local op = self:set_operator()
  while op do
    local part = self:select()
    if #part.columns ~= #out.columns then
      fail("%s of %d and %d columns", op, #out.columns, #part.columns)
    end
    out.sql = ("%s %s %s"):format(first and limited(first) or out.sql, op, limited(part))
    out.top, first, op = nil, nil, self:set_operator()
  end
  if self:accept("ORDER") then
    self:expect("BY")
    local outer, keys = self.scope, {}
    self.scope = first and first.scope or { merged = {} }
    repeat
      keys[#keys + 1] = self:key(out.columns)
        .. (self:accept("DESC") and " DESC" or self:accept("ASC") and "" or "")
    until not self:accept(",")
    self.scope = outer
    out.sql = ("%s ORDER BY %s"):format(out.sql, table.concat(keys, ", "))
  end
  local offset = self:accept("OFFSET") and self:count("OFFSET")
  if out.top or offset then
    out.sql = ("%s LIMIT %d%s"):format(out.sql, out.top or -1,
      offset and " OFFSET " .. offset or "")
  end
  self.depth = self.depth - 1
  return out
end

--- Translates a query.
-- `lookup(parts)` gives a table's definition { sql, columns, position } and the names it answers
-- to, or nil. The result: { sql, columns, used }, `used` the set of SQL names of tables; or nil,
-- message.
function M.translate(query, lookup)
  local ok, result = pcall(function()
    local p = setmetatable({ words = text.words(query), at = 1, lookup = lookup, n_tables = 0,
      used = {}, depth = 0 }, parser)
    local out = p:query()
    if p:word().kind ~= "end" then
      p:unexpected("the end of the query")
    end
    out.used = p.used
    return out
  end)
  if ok then
    return result
  elseif type(result) == "table" and result.adql then
    return nil, result.adql
  elseif tostring(result):find("stack overflow", 1, true) then
    return nil, "the query is nested too deep"
  end
  error(result, 0)
end

return M
