-- SPDX-License-Identifier: BSD-3-Clause
-- What a TAP service says about itself: TAP_SCHEMA and the VOSI documents (TAP 1.1 section 4, VOSI
-- 1.1, TAPRegExt 1.0).
local http = require "practice.http"
local json = require "practice.json"

local M = {}

M.duration_default, M.duration_max = 600, 1200

local function schema_of(name)
  return name:match("^(.-)%.") or "dbo"
end

-- TAP_SCHEMA ------------------------------------------------------------------------------------

local function columns(list)
  local out = {}
  for i, c in ipairs(list) do
    out[i] = { name = c[1], type = c[2], description = c[3], std = true, ucd = c[4] }
  end
  return out
end

local schema_tables = {
  { "schemas", "Schemas of this service", columns({
    { "schema_name", "char", "Name of the schema" }, { "utype", "char", "Its data model" },
    { "description", "char", "What it holds" }, { "schema_index", "int", "Order of display" } }) },
  { "tables", "Tables of this service", columns({
    { "schema_name", "char", "Schema of the table" }, { "table_name", "char", "As in a query" },
    { "table_type", "char", "table or view" }, { "utype", "char", "Its data model" },
    { "description", "char", "What it holds" }, { "table_index", "int", "Order of display" } }) },
  { "columns", "Columns of all tables", columns({
    { "table_name", "char", "Table of the column" }, { "column_name", "char", "As in a query" },
    { "datatype", "char", "VOTable datatype" }, { "arraysize", "char", "VOTable arraysize" },
    { "xtype", "char", "VOTable xtype" }, { "size", "int", "Number of elements (old)" },
    { "description", "char", "What it holds" }, { "utype", "char", "Its data model" },
    { "unit", "char", "Unit" }, { "ucd", "char", "UCD" },
    { "indexed", "int", "1: quick to select on" }, { "principal", "int", "1: of general use" },
    { "std", "int", "1: of a standard" }, { "column_index", "int", "Order of display" } }) },
  { "keys", "Foreign keys", columns({
    { "key_id", "char", "Name of the key" }, { "from_table", "char", "Table with the key" },
    { "target_table", "char", "Table it leads to" }, { "description", "char", "What it means" },
    { "utype", "char", "Its data model" } }) },
  { "key_columns", "Columns of foreign keys", columns({
    { "key_id", "char", "Name of the key" }, { "from_column", "char", "Its column" },
    { "target_column", "char", "The column it leads to" } }) },
}

local keys = {
  { "tables", "schemas", "schema_name" }, { "columns", "tables", "table_name" },
  { "keys", "tables", "from_table", "table_name" },
  { "keys", "tables", "target_table", "table_name" }, { "key_columns", "keys", "key_id" },
}

-- Foreign keys of a table of TAP_SCHEMA: { target table, column, column there }.
local function keys_from(short)
  local out = {}
  for _, key in ipairs(keys) do
    if key[1] == short then
      out[#out + 1] = { "TAP_SCHEMA." .. key[2], key[3], key[4] or key[3] }
    end
  end
  return out
end

--- All tables of a service, those of TAP_SCHEMA last.
function M.tables(catalog)
  local out = table.move(catalog.tables, 1, #catalog.tables, 1, {})
  for _, t in ipairs(schema_tables) do
    out[#out + 1] = { name = "TAP_SCHEMA." .. t[1], sql = "tap_schema_" .. t[1], schema = true,
      description = t[2], columns = t[3], keys = keys_from(t[1]) }
  end
  return out
end

-- A column's name as a query must write it.
local function written(name)
  return name == "size" and '"size"' or name
end

local function flag(x)
  return x and 1 or 0
end

local rows_of = {}

function rows_of.schemas(all)
  local out, seen = {}, {}
  for _, t in ipairs(all) do
    local name = schema_of(t.name)
    if not seen[name] then
      seen[name] = true
      out[#out + 1] = { name, "", "Schema " .. name, #out + 1 }
    end
  end
  return out
end

function rows_of.tables(all)
  local out = {}
  for i, t in ipairs(all) do
    out[i] = { schema_of(t.name), t.name, "table", t.utype or "", t.description, i }
  end
  return out
end

function rows_of.columns(all)
  local out = {}
  for _, t in ipairs(all) do
    for i, c in ipairs(t.columns) do
      out[#out + 1] = { t.name, written(c.name), c.type, c.type == "char" and "*" or json.null,
        c.xtype or json.null, json.null, c.description or "", c.utype or json.null,
        c.unit or json.null, c.ucd or json.null, flag(c.indexed), flag(c.principal),
        flag(c.std or t.utype), i }
    end
  end
  return out
end

function rows_of.keys()
  local out = {}
  for i, key in ipairs(keys) do
    out[i] = { "key" .. i, "TAP_SCHEMA." .. key[1], "TAP_SCHEMA." .. key[2], "", json.null }
  end
  return out
end

function rows_of.key_columns()
  local out = {}
  for i, key in ipairs(keys) do
    out[i] = { "key" .. i, key[3], key[4] or key[3] }
  end
  return out
end

--- A table of TAP_SCHEMA as a statement takes it.
function M.schema_rows(catalog, t)
  local short = t.name:match("%.(.*)$")
  return { columns = t.columns, rows = rows_of[short](M.tables(catalog)) }
end

-- VOSI ------------------------------------------------------------------------------------------

local function element(name, text)
  return text and text ~= "" and ("<%s>%s</%s>"):format(name, http.xml(text), name) or ""
end

local function column_element(c)
  return ('<column%s>%s%s%s%s%s<dataType xsi:type="vod:VOTableType"%s%s>%s</dataType>%s%s'
    .. "</column>\n"):format(c.std and ' std="true"' or "", element("name", written(c.name)),
      element("description", c.description), element("unit", c.unit), element("ucd", c.ucd),
      element("utype", c.utype), c.type == "char" and ' arraysize="*"' or "",
      c.xtype and (' extendedType="%s"'):format(c.xtype) or "", c.type,
      c.indexed and "<flag>indexed</flag>" or "", c.principal and "<flag>primary</flag>" or "")
end

local function table_element(t, brief)
  local parts = { '<table type="table">', element("name", t.name),
    element("description", t.description), element("utype", t.utype) }
  for _, c in ipairs(brief and {} or t.columns) do
    parts[#parts + 1] = column_element(c)
  end
  for _, key in ipairs(t.keys or {}) do
    parts[#parts + 1] = ("<foreignKey><targetTable>%s</targetTable><fkColumn><fromColumn>%s"
      .. "</fromColumn><targetColumn>%s</targetColumn></fkColumn></foreignKey>\n"):format(
      table.unpack(key))
  end
  parts[#parts + 1] = "</table>\n"
  return table.concat(parts)
end

local vosi_names = 'xmlns:vosi="http://www.ivoa.net/xml/VOSITables/v1.0" '
  .. 'xmlns:vod="http://www.ivoa.net/xml/VODataService/v1.1" '
  .. 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'

--- /tables; `name`: one table (VOSI 1.1), nil when there is none of it; `brief`: without columns.
function M.tableset(catalog, name, brief)
  local schemas, order = {}, {}
  for _, t in ipairs(M.tables(catalog)) do
    if name and t.name:lower() == name:lower() then
      return ('<?xml version="1.0"?>\n<vosi:table type="table" %s>%s</vosi:table>')
        :format(vosi_names, table_element(t):match("^<table[^>]*>(.*)</table>\n$"))
    end
    local schema = schema_of(t.name)
    if not schemas[schema] then
      schemas[schema], order[#order + 1] = {}, schema
    end
    table.insert(schemas[schema], table_element(t, brief))
  end
  if name then
    return nil
  end
  local parts = { ('<?xml version="1.0"?>\n<vosi:tableset %s>\n'):format(vosi_names) }
  for _, schema in ipairs(order) do
    parts[#parts + 1] = ("<schema><name>%s</name>\n%s</schema>\n"):format(schema,
      table.concat(schemas[schema]))
  end
  parts[#parts + 1] = "</vosi:tableset>\n"
  return table.concat(parts)
end

local function features(kind, names)
  local parts = { ('<languageFeatures type="ivo://ivoa.net/std/TAPRegExt#features-%s">')
    :format(kind) }
  for _, name in ipairs(names) do
    parts[#parts + 1] = ("<feature><form>%s</form></feature>"):format(name)
  end
  parts[#parts + 1] = "</languageFeatures>\n"
  return table.concat(parts)
end

local function plain_capability(id, url)
  return ('<capability standardID="ivo://ivoa.net/std/VOSI#%s"><interface xsi:type="vs:ParamHTTP">'
    .. '<accessURL use="full">%s</accessURL></interface></capability>\n'):format(id, url)
end

--- /capabilities of the service at `base`; `cap`: its row limit; `binary`: has BINARY2.
function M.capabilities(catalog, base, cap, binary)
  local models = {}
  for i, model in ipairs(catalog.models) do
    models[i] = ('<dataModel ivo-id="%s">%s</dataModel>\n'):format(model[1], model[2])
  end
  return table.concat({ '<?xml version="1.0"?>\n<vosi:capabilities '
    .. 'xmlns:vosi="http://www.ivoa.net/xml/VOSICapabilities/v1.0" '
    .. 'xmlns:vs="http://www.ivoa.net/xml/VODataService/v1.1" '
    .. 'xmlns:tr="http://www.ivoa.net/xml/TAPRegExt/v1.0" '
    .. 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">\n',
    plain_capability("capabilities", base .. "/capabilities"),
    plain_capability("availability", base .. "/availability"),
    plain_capability("tables-1.1", base .. "/tables"),
    plain_capability("examples", base .. "/examples"):gsub("VOSI#", "DALI#"),
    ('<capability standardID="ivo://ivoa.net/std/TAP" xsi:type="tr:TableAccess">\n<interface '
      .. 'role="std" version="1.1" xsi:type="vs:ParamHTTP"><accessURL use="base">%s</accessURL>'
      .. "</interface>\n"):format(base),
    table.concat(models),
    '<language><name>ADQL</name><version ivo-id="ivo://ivoa.net/std/ADQL#v2.0">2.0</version>'
      .. "<description>ADQL 2.0 with bit operators</description>\n",
    features("adqlgeo", { "POINT", "CIRCLE", "POLYGON", "BOX", "CONTAINS", "INTERSECTS", "DISTANCE",
      "AREA", "COORD1", "COORD2" }),
    features("udf", { "ivo_healpix_index(hpxOrder INTEGER, long DOUBLE, lat DOUBLE) -&gt; "
      .. "BIGINT" }),
    "</language>\n",
    '<outputFormat ivo-id="ivo://ivoa.net/std/TAPRegExt#output-votable-td">'
      .. "<mime>application/x-votable+xml</mime><alias>votable</alias></outputFormat>\n",
    binary and '<outputFormat ivo-id="ivo://ivoa.net/std/TAPRegExt#output-votable-binary2"><mime>'
      .. "application/x-votable+xml;serialization=BINARY2</mime><alias>votable/b2</alias>"
      .. "</outputFormat>\n" or "",
    "<outputFormat><mime>text/csv;header=present</mime><alias>csv</alias></outputFormat>\n",
    "<outputFormat><mime>text/tab-separated-values</mime><alias>tsv</alias></outputFormat>\n",
    "<outputFormat><mime>application/json</mime><alias>json</alias></outputFormat>\n",
    -- TAP demands http of every service that takes uploads; here such a URL is refused.
    '<uploadMethod ivo-id="ivo://ivoa.net/std/TAPRegExt#upload-inline"/>\n',
    '<uploadMethod ivo-id="ivo://ivoa.net/std/TAPRegExt#upload-http"/>\n',
    "<retentionPeriod><default>86400</default><hard>604800</hard></retentionPeriod>\n",
    ("<executionDuration><default>%d</default><hard>%d</hard></executionDuration>\n")
      :format(M.duration_default, M.duration_max),
    ('<outputLimit><default unit="row">%d</default><hard unit="row">%d</hard></outputLimit>\n')
      :format(cap, cap),
    ('<uploadLimit><default unit="row">%d</default><hard unit="row">%d</hard></uploadLimit>\n')
      :format(cap, cap),
    "</capability>\n</vosi:capabilities>\n" })
end

function M.availability()
  return '<?xml version="1.0"?>\n<vosi:availability '
    .. 'xmlns:vosi="http://www.ivoa.net/xml/VOSIAvailability/v1.0"><vosi:available>true'
    .. "</vosi:available><vosi:note>practice archive</vosi:note></vosi:availability>\n"
end

--- /examples: one query for each table (DALI 1.1 section 2.3).
function M.examples(catalog)
  local parts = { '<?xml version="1.0" encoding="UTF-8"?>\n'
    .. '<html xmlns="http://www.w3.org/1999/xhtml"><head><title>Examples</title></head>\n'
    .. '<body vocab="http://www.ivoa.net/rdf/examples#">\n<h1>Examples</h1>\n' }
  for i, t in ipairs(M.tables(catalog)) do
    local where = t.position and (" WHERE 1=CONTAINS(POINT('ICRS',%s,%s),"
      .. "CIRCLE('ICRS',201.697,-20.48,0.05))"):format(t.position.ra, t.position.dec) or ""
    parts[#parts + 1] = ('<div id="example%d" resource="#example%d" typeof="example">'
      .. '<h2 property="name">Some rows of %s</h2><pre property="query">%s</pre></div>\n'):format(i,
      i, http.xml(t.name), http.xml(("SELECT TOP 5 * FROM %s%s"):format(t.name, where)))
  end
  parts[#parts + 1] = "</body></html>\n"
  return table.concat(parts)
end

return M
