-- SPDX-License-Identifier: BSD-3-Clause
-- SQL over the sky for protocols: docs/practice-protocols.md. C runs the statements
-- (src/practice/sql.h); here is what they may name.
local columns = require "practice.columns"
local http = require "practice.http"

local M = {}

local ROWS_DEFAULT <const>, ROWS_MAX <const> = 10000, 1000000

local defined, order = {}, {} -- name -> definition; names in order of definition

function M.quote(name)
  return '"' .. name:gsub('"', '""') .. '"'
end

function M.text(value)
  return "'" .. tostring(value):gsub("'", "''") .. "'"
end

-- Column lists ------------------------------------------------------------------------------------

local catalogs = { sky_gaia = "gaia", sky_tic = "tic", sky_ctl = "ctl", sky_galex = "galex",
  observations = "observations", products = "products" }
local of_catalog = {}

local function catalog_columns(name)
  local out = of_catalog[name]
  if not out and catalogs[name] then
    out = {}
    for i, c in ipairs(columns.of(catalogs[name])) do
      local unit, ucd = c.unit ~= "" and c.unit or nil, c.ucd ~= "" and c.ucd or nil
      out[i] = { name = c.name, type = columns.datatype(c), unit = unit, ucd = ucd,
        description = c.description }
    end
    of_catalog[name] = out
  end
  return out
end

--- The columns of a table: list of { name, type, unit, ucd, description }, or nil.
function M.columns(name)
  local d = defined[name]
  return d and d.columns or catalog_columns(name)
end

--- All defined names, in order of definition.
function M.names()
  return table.move(order, 1, #order, 1, {})
end

--- The columns of a table as SQL writes them.
function M.list(name)
  local out = {}
  for i, c in ipairs(M.columns(name)) do
    out[i] = M.quote(c.name)
  end
  return table.concat(out, ", ")
end

--- FIELD elements for a list of columns, or for a table's.
function M.fields(list)
  local out = {}
  for i, c in ipairs(type(list) == "string" and M.columns(list) or list) do
    local attributes = { ('<FIELD name="%s" datatype="%s"'):format(http.xml(c.name), c.type) }
    if c.type == "char" then
      attributes[#attributes + 1] = ' arraysize="*"'
    end
    for _, key in ipairs({ "unit", "ucd" }) do
      if c[key] then
        attributes[#attributes + 1] = (' %s="%s"'):format(key, http.xml(c[key]))
      end
    end
    out[i] = table.concat(attributes) .. (c.description
      and "><DESCRIPTION>" .. http.xml(c.description) .. "</DESCRIPTION></FIELD>\n" or "/>\n")
  end
  return table.concat(out)
end

-- Definitions -------------------------------------------------------------------------------------

local datatypes = { short = true, int = true, long = true, float = true, double = true, char = true,
  boolean = true }

local function by_name(columns_)
  local out = {}
  for _, c in ipairs(columns_ or {}) do
    out[c.name:lower()] = c
  end
  return out
end

-- `source`: the columns that the table's come from, by name.
local function column_of(c, source, where)
  local out = { name = c.name, type = c.type, unit = c.unit, ucd = c.ucd,
    description = c.description }
  for key, v in pairs(source[(c.is or c.name):lower()] or {}) do
    out[key] = out[key] == nil and v or out[key]
  end
  if not datatypes[out.type] then
    error(("sql.define %s: column %s has no VOTable datatype"):format(where, tostring(c.name)), 3)
  end
  return out
end

--- Makes a table known to every statement that mentions it.
function M.define(name, t)
  if defined[name] or catalogs[name] then
    error(("sql.define: there is a table %s already"):format(name), 2)
  end
  local source = t.from and t.from:match("^%s*([%w_]+)") or t.from and t.from:match('^%s*"([^"]+)"')
  local known, list, selected = by_name(source and M.columns(source)), {}, {}
  for i, c in ipairs(t.columns) do
    list[i] = column_of(c, known, name)
    selected[i] = ("%s AS %s"):format(c.is or M.quote(c.name), M.quote(c.name))
  end
  local d = { columns = list, rows = t.rows, circle = false }
  if t.from then
    d.circle = catalogs[source] and source ~= "products" or (defined[source] or {}).circle or false
    if d.circle then
      selected[#selected + 1] = "circle_ra, circle_dec, circle_radius"
    end
    d.select = ("SELECT %s FROM %s"):format(table.concat(selected, ", "), t.from)
  end
  defined[name] = d
  order[#order + 1] = name
end

-- Statements --------------------------------------------------------------------------------------

local function table_for_c(name, t)
  local list = {}
  for i, c in ipairs(t.columns) do
    list[i] = type(c) == "table" and { tostring(c.name or c[1]), c.type or c[2] } or { tostring(c) }
  end
  return { name, columns = list, rows = t.rows }
end

-- What of the definitions a text needs, in an order in which it can be made.
local function needed(text, views, tables)
  text = text:lower()
  local found = {}
  for i = #order, 1, -1 do
    local name = order[i]
    local d = defined[name]
    if text:find(name:lower(), 1, true) then
      if d.select then
        table.insert(found, 1, { name, d.select })
        text = text .. " " .. d.select:lower()
      else
        local rows = type(d.rows) == "function" and d.rows() or d.rows
        tables[#tables + 1] = table_for_c(name, { columns = d.columns, rows = rows })
      end
    end
  end
  table.move(found, 1, #found, #views + 1, views)
end

--- The statement of `options` (sql, params, views, tables, seconds, stars, max) as C reads it.
function M.statement(options)
  local own, tables, views = {}, {}, {}
  for i, v in ipairs(options.views or {}) do
    own[i] = v
  end
  for name, v in pairs(options.views or {}) do
    if type(name) == "string" then
      own[#own + 1] = { name, v }
    end
  end
  local text = options.sql
  for _, v in ipairs(own) do
    text = text .. " " .. v[2]
  end
  for name, t in pairs(options.tables or {}) do
    tables[#tables + 1] = table_for_c(name, t)
  end
  needed(text, views, tables)
  table.move(own, 1, #own, #views + 1, views)
  return { sql = options.sql, params = options.params, views = views, tables = tables,
    max = math.min(options.max or ROWS_DEFAULT, ROWS_MAX), seconds = options.seconds,
    stars = options.stars }
end

--- Runs a statement: rows, columns, more; or nil, message. Only inside a handler.
function M.query(text, params, options)
  local all = { sql = text, params = params }
  for key, v in pairs(options or {}) do
    all[key] = v
  end
  return coroutine.yield(M.statement(all))
end

--- An answer with outcome "sql" with its statement as C reads it.
function M.answer(answer)
  for key, v in pairs(M.statement(answer)) do
    answer[key] = v
  end
  return answer
end

return M
