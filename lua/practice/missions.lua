-- SPDX-License-Identifier: BSD-3-Clause
-- The missions search API, server side (mast-interfaces section 3): search, column lists, product
-- lists and files of hst, jwst, roman, iue, ullyses, classy. One answer holds at most --row-cap
-- rows, whatever `limit` says; `totalResults` counts all. Radii above 30 arcmin are refused.
local core = require "practice.core"
local faults = require "practice.faults"
local http = require "practice.http"
local json = require "practice.json"
local missions = require "practice.mission_columns"
local sql = require "practice.sql"
local zip = require "practice.zip"

local M = {}

local LIMIT <const>, RADIUS <const>, RADIUS_MAX <const>, TARGETS_MAX <const> = 5000, 3, 30, 100
local ZIP_MAX <const> = 64 << 20 -- bytes of the files in one
local UNITS <const> = { arcseconds = 1 / 60, arcminutes = 1, degrees = 60 }

-- A request that cannot be served: caught in `guarded`.
local function refuse(text, ...)
  error({ message = text:format(...) }, 0)
end

local function failed(message, status)
  return http.json({ message = message }, status or 500)
end

-- The handler with `refuse` as HTTP 400.
local function guarded(handler)
  return function(request)
    local ok, answer = pcall(handler, request)
    if not ok and type(answer) == "table" then
      return failed(answer.message, 400)
    elseif not ok then
      error(answer, 0)
    end
    return answer
  end
end

local function mission_of(request)
  local name = request.path:match("^/search/([%w_]+)/")
  return missions.of(name) or refuse("mission %s is not known", name)
end

local function body_of(request)
  local ok, body = pcall(json.decode, request.body)
  if not ok or type(body) ~= "table" then
    refuse("the body is not a JSON object")
  end
  return body
end

-- Conditions: section 3.1 -------------------------------------------------------------------------

local comparisons = { "<=", ">=", "<", ">" }

-- The value of a number or time column as SQL.
local function value_of(column, text)
  text = text:match("^%s*(.-)%s*$")
  if column.type == "DATETIME" then
    if not text:find("^%d%d%d%d") then
      refuse("Invalid date for %s: %s", column.name, text)
    end
    return sql.text((text:gsub(" ", "T")))
  end
  local n = tonumber(text)
  if not n then
    refuse("Invalid number for %s: %s", column.name, text)
  end
  return ("%.17g"):format(n)
end

local function like(name, text)
  local pattern = text:gsub("[\\%%_]", "\\%0"):gsub("%*", "%%")
  return ("%s LIKE %s ESCAPE '\\'"):format(name, sql.text(pattern))
end

local function text_condition(column, text)
  local name = ("rtrim(%s)"):format(sql.quote(column.name))
  if text:find("*", 1, true) then
    return like(name, text)
  elseif column.qual == "substring" then
    return like(name, "*" .. text .. "*")
  end
  return ("%s = %s COLLATE NOCASE"):format(name, sql.text(text))
end

local function condition(column, text)
  local name = sql.quote(column.name)
  if column.type == "VARCHAR" then
    return text_condition(column, text)
  elseif column.type == "BOOLEAN" then
    local truth = text:lower():match("^[t1]") and 1 or 0
    return ("%s = %d"):format(name, truth)
  end
  local low, high = text:match("^(.-)%.%.(.*)$")
  if low then
    return ("%s BETWEEN %s AND %s"):format(name, value_of(column, low), value_of(column, high))
  end
  for _, op in ipairs(comparisons) do
    if text:sub(1, #op) == op then
      return ("%s %s %s"):format(name, op, value_of(column, text:sub(#op + 1)))
    end
  end
  return ("%s = %s"):format(name, value_of(column, text))
end

local function column_of(mission, name)
  return mission.index[tostring(name):lower()] or refuse("Unknown column: %s", tostring(name))
end

-- One condition's value, a list of alternatives and exclusions; nil for no restriction.
local function conditions_of(column, value)
  if type(value) == "table" then
    local texts = {}
    for i, v in ipairs(value) do
      texts[i] = tostring(v)
    end
    value = table.concat(texts, ",")
  end
  local any, all = {}, {}
  for item in tostring(value):gmatch("[^,]+") do
    item = item:match("^%s*(.-)%s*$")
    if item:sub(1, 1) == "!" then
      all[#all + 1] = ("NOT coalesce(%s, 0)"):format(condition(column, item:sub(2)))
    elseif item ~= "" then
      any[#any + 1] = condition(column, item)
    end
  end
  if #any > 0 then
    all[#all + 1] = "(" .. table.concat(any, " OR ") .. ")"
  end
  return table.concat(all, " AND ")
end

local function where_of(mission, body)
  local all = {}
  for _, pair in ipairs(body.conditions or {}) do
    for name, value in pairs(type(pair) == "table" and pair or refuse("conditions are objects")) do
      local column = column_of(mission, name)
      if value ~= json.null then
        local text = conditions_of(column, value)
        all[#all + 1] = text ~= "" and text or nil
      end
    end
  end
  local keys = {}
  for i, key in ipairs(body.search_key or {}) do
    keys[i] = sql.text(key)
  end
  if #keys > 0 then
    all[#all + 1] = ("search_key IN (%s)"):format(table.concat(keys, ","))
  end
  return #all > 0 and " WHERE " .. table.concat(all, " AND ") or ""
end

-- Positions ---------------------------------------------------------------------------------------

local function targets_of(body)
  local rows = {}
  for _, text in ipairs(body.target or {}) do
    local ra, dec = tostring(text):match("^%s*(%S+)%s+(%S+)%s*$")
    ra, dec = tonumber(ra), tonumber(dec)
    if not ra or not dec or dec < -90 or dec > 90 then
      refuse("Invalid target: %s", tostring(text))
    end
    rows[#rows + 1] = { text, ra % 360, dec }
  end
  if #rows > TARGETS_MAX then
    refuse("at most %d targets", TARGETS_MAX)
  end
  return rows
end

local function radius_of(body)
  local unit = UNITS[body.radius_units or "arcminutes"] or refuse("Invalid radius_units")
  local radius = tonumber(body.radius or RADIUS) or refuse("Invalid radius")
  if radius < 0 or radius * unit > RADIUS_MAX + 1e-9 then
    refuse("radius must be between 0 and %d arcminutes", RADIUS_MAX)
  end
  return radius * unit / 60
end

-- The rows to select from; tables of the statement.
local function rows_of(mission, body)
  local targets = targets_of(body)
  local id = sql.quote(mission.id)
  if #targets == 0 then
    return ("SELECT m.*, m.%s AS search_key, NULL AS search_pos, NULL AS ang_sep FROM %s m")
      :format(id, mission.view)
  end
  local radius = radius_of(body)
  local apart = ("separation(m.%s, m.%s, t.at_ra, t.at_dec)"):format(sql.quote(mission.ra),
    sql.quote(mission.dec))
  return ("SELECT m.*, t.at || m.%s AS search_key, t.at AS search_pos, %s * 60 AS ang_sep "
    .. "FROM mission_targets t JOIN %s m ON m.circle_ra = t.at_ra AND m.circle_dec = t.at_dec "
    .. "AND m.circle_radius = %.17g WHERE %s <= %.17g"):format(id, apart, mission.view, radius,
    apart, radius), { mission_targets = {
    columns = { { "at", "char" }, { "at_ra", "double" }, { "at_dec", "double" } }, rows = targets,
  } }
end

-- Search ------------------------------------------------------------------------------------------

local function selected(mission, body, cone)
  local wanted, out, seen = body.select_cols, {}, {}
  local function add(column)
    if not seen[column.name] and not column.computed then
      out[#out + 1], seen[column.name] = column, true
    end
  end
  if type(wanted) == "table" and wanted ~= json.null and #wanted > 0 then
    for _, name in ipairs(wanted) do
      add(column_of(mission, name))
    end
  else
    for _, column in ipairs(mission.columns) do
      if column.default then
        add(column)
      end
    end
  end
  local keys = { "search_key" }
  if cone then
    keys = { "search_key", "search_pos", "ang_sep" }
  end
  return out, keys
end

local function order_of(mission, body, cone)
  local by, down = body.sort_by, body.sort_desc or {}
  if type(by) ~= "table" or #by == 0 then
    by = json.list(cone and { "ang_sep", mission.target, mission.id } or { mission.id })
  end
  local out = {}
  for i, name in ipairs(by) do
    out[i] = sql.quote(column_of(mission, name).name) .. (down[i] == true and " DESC" or "")
  end
  return " ORDER BY " .. table.concat(out, ", "), by
end

local function whole(body, name, usual)
  local n = body[name] == nil and usual or math.tointeger(tonumber(body[name]))
  if not n or n < 0 then
    refuse("Invalid %s", name)
  end
  return n
end

-- `search_params` and `info`; the latter knows neither search_pos nor ang_sep, in no order.
local function head(mission, body, columns, by, limit, offset)
  local names, info, down = json.list({}), json.list({}), json.list({})
  for i, column in ipairs(columns) do
    names[i] = column.name
    table.insert(info, 1, { name = column.name, type = column.type })
  end
  table.insert(info, #info // 2 + 1, { name = "search_key", type = "VARCHAR" })
  for i = 1, #by do
    down[i] = type(body.sort_desc) == "table" and body.sort_desc[i] == true
  end
  return json.encode(info), json.encode({
    target = body.target, radius = body.radius or RADIUS, mission = mission.name,
    radius_units = body.radius_units or "arcminutes", limit = limit, offset = offset,
    sort_by = by, sort_desc = down, skip_count = body.skip_count or false, select_cols = names,
    search_key = body.search_key or json.list({}), user_fields = json.list({}),
    conditions = body.conditions or json.list({}),
  })
end

local function search(request)
  local mission, body = mission_of(request), body_of(request)
  request.record.service = "search/" .. mission.name
  request.record.request = request.body
  local from, tables = rows_of(mission, body)
  local cone = tables ~= nil
  local where = where_of(mission, body)
  local columns, keys = selected(mission, body, cone)
  local order, by = order_of(mission, body, cone)
  local limit, offset = whole(body, "limit", LIMIT), whole(body, "offset", 0)
  local total = json.null
  if not body.skip_count then
    local rows, why = sql.query(("SELECT COUNT(*) FROM (%s)%s"):format(from, where), {},
      { tables = tables })
    if not rows then
      return failed(why)
    end
    total = rows[1][1]
  end
  local list = {}
  for i, column in ipairs(columns) do
    list[i] = sql.quote(column.name)
  end
  table.move(keys, 1, #keys, #list + 1, list)
  local info, params = head(mission, body, columns, by, limit, offset)
  return {
    outcome = "sql", layout = "json", content_type = "application/json", failed = failed,
    sql = ("SELECT %s FROM (%s)%s%s LIMIT %d OFFSET %d"):format(table.concat(list, ", "), from,
      where, order, math.min(limit, core.row_cap), offset),
    tables = tables,
    body = ('{"messages":[],"info":%s,"search_params":%s,"totalResults":%s,"results":[')
      :format(info, params, json.encode(total)),
    tail = "]}",
  }
end

-- Columns -----------------------------------------------------------------------------------------

local plain_types = { VARCHAR = "char", DATETIME = "char", BOOLEAN = "char", FLOAT = "double",
  INTEGER = "long" }

local function column_list(request)
  local name = http.parameters(request).mission or ""
  local mission = missions.of(name:lower()) or refuse("mission %s is not known", name)
  local out = json.list({})
  for i, c in ipairs(mission.columns) do
    out[i] = {
      field_name = c.name:gsub("_", " "), column_name = c.name, description = c.description,
      qual_type = c.qual, datatype = plain_types[c.type], queryable = c.queryable and "yes" or "no",
      default_output = c.default and "yes" or "no", indexed = c.indexed and "yes" or "no",
    }
  end
  return http.json(out)
end

-- Products ----------------------------------------------------------------------------------------

-- The number of the observation in a dataset's name: behind an "x", in base 36.
local function obsid_of(text)
  return math.tointeger(tonumber(tostring(text):lower():match("x(%w%w%w%w%w%w%w%w%w)") or "", 36))
end

local function asked_ids(request)
  local list = request.method == "POST" and body_of(request).dataset_ids
  if not list then
    list = {}
    for id in (http.parameters(request).dataset_ids or ""):gmatch("[^,]+") do
      list[#list + 1] = id
    end
  end
  if type(list) ~= "table" or #list == 0 then
    refuse("dataset_ids is missing")
  end
  return list
end

-- Rows { number, obsid, dataset } of the datasets that there are.
local function datasets(mission, ids)
  local numbers, at = {}, {}
  for i, id in ipairs(ids) do
    local obsid = obsid_of(id)
    if obsid then
      numbers[#numbers + 1] = ("%d"):format(obsid)
      at[tostring(id):lower()] = i
    end
  end
  local found, why = sql.query(("SELECT of_obsid, %s FROM %s WHERE of_obsid IN (%s)"):format(
    sql.quote(mission.id), mission.view, table.concat(numbers, ",")), {}, { max = 100000 })
  if not found then
    error(why, 0)
  end
  local rows = {}
  for _, row in ipairs(found) do
    local n = at[row[2]:lower()]
    rows[#rows + 1] = n and { n, row[1], row[2] } or nil
  end
  return rows
end

local CATEGORY <const> = "CASE WHEN p.productType = 'AUXILIARY' THEN 'AUX' "
  .. "WHEN p.productType <> 'SCIENCE' THEN 'OTHER' WHEN p.calib_level > 1 THEN 'CALIBRATED' "
  .. "ELSE 'UNCALIBRATED' END"

local function products(request)
  local mission = mission_of(request)
  local ids = asked_ids(request)
  request.record.service = "list_products/" .. mission.name
  local nested = #ids == 1 -- once a list in a list
  return {
    outcome = "sql", layout = "json", content_type = "application/json", failed = failed,
    sql = ("SELECT dataset || '_' || filename AS product_key, access, dataset AS %s, "
      .. "instrument_name, filters, filename, %s AS uri, dataset AS authz_primary_identifier, "
      .. "category AS authz_secondary_identifier, file_suffix, category, type, size FROM ("
      .. "SELECT d.dataset AS dataset, d.number AS number, p.productFilename AS filename, "
      .. "p.dataURI AS product_uri, p.filters AS filters, p.size AS size, "
      .. "CASE WHEN uniform(d.obsid, 3) < 0.03 THEN 'PROPRIETARY' ELSE 'PUBLIC' END AS access, "
      .. "substr(p.project || '      ', 1, 6) AS instrument_name, "
      .. "coalesce(p.productSubGroupDescription, '') AS file_suffix, lower(p.productType) AS type, "
      .. "%s AS category FROM mission_datasets d JOIN products p ON p.obsID = d.obsid) "
      .. "ORDER BY number"):format(mission.set, mission.product or "product_uri", CATEGORY),
    tables = { mission_datasets = {
      columns = { { "number", "int" }, { "obsid", "long" }, { "dataset", "char" } },
      rows = datasets(mission, ids),
    } },
    body = nested and '{"products":[[' or '{"products":[', tail = nested and "]]}" or "]}",
  }
end

-- Files of observations that are not public need a token.
local function may_have(request, name)
  local obsid = obsid_of(name)
  local rows = obsid and sql.query("SELECT uniform(?, 3) < 0.03", { obsid })
  return not (rows and rows[1][1] == 1)
    or (request.headers.authorization or ""):find("^[Tt]oken%s+%S") ~= nil
end

local function file(request)
  local mission = mission_of(request)
  local name = http.parameters(request).product_name
  if not mission.home or not name then
    refuse("product_name is missing")
  end
  if not may_have(request, name) then
    return failed("You are not authorized to access this file. Please provide a token.", 401)
  end
  local base = name:match("([^/]+)$")
  return faults.file(request, ("mast:%s/product/%s"):format(mission.home, base))
end

-- Many files in one zip, or the page that lists them. A file that needs a token and has none, or is
-- not there, is in the page only.
local function zip_of_files(request)
  local mission = mission_of(request)
  local uris, names = {}, {}
  for uri in (http.value(request.form, "uri") or ""):gmatch("[^,]+") do
    uris[#uris + 1] = uri
  end
  local structure = http.value(request.form, "structure") or "flat"
  if #uris == 0 or not mission.home then
    refuse("uri is missing")
  elseif http.value(request.form, "mission") ~= mission.name:upper() then
    refuse("mission is not %s", mission.name:upper())
  elseif structure ~= "flat" and structure ~= "nested" then
    refuse("structure must be flat or nested")
  end
  request.record.request = table.concat(uris, ",")
  local members, page, bytes = {}, { "<html><body><table>\n" }, 0
  for _, uri in ipairs(uris) do
    local name = uri:match("([^/]+)$")
    local body = may_have(request, uri) and core.file(("mast:%s/product/%s"):format(mission.home,
      name)) or nil
    bytes = bytes + #(body or "")
    if bytes > ZIP_MAX then
      refuse("more than %d bytes in one zip", ZIP_MAX)
    elseif body and not names[name] then
      members[#members + 1] = { structure == "flat" and name or uri, body }
      names[name] = true
    end
    page[#page + 1] = ("<tr><td>%s</td><td>%s</td></tr>\n"):format(http.xml(uri),
      body and "COMPLETE" or "ERROR")
  end
  page = table.concat(page) .. "</table></body></html>\n"
  if http.value(request.form, "manifestonly") == "true" then
    return http.answer(page, "text/html")
  end
  members[#members + 1] = { "MANIFEST.html", page }
  return http.answer(zip(members), "application/zip")
end

M.routes = { ["/search/util/api/v0.1/column_list"] = guarded(column_list) }
for _, name in ipairs(missions.names()) do
  local root = ("/search/%s/api/v0.1/"):format(name)
  M.routes[root .. "search"] = faults.data(guarded(search), failed)
  M.routes[root .. "list_products"] = faults.data(guarded(products), failed)
  M.routes[root .. "post_list_products"] = M.routes[root .. "list_products"]
  M.routes[root .. "retrieve_product"] = guarded(file)
  M.routes[root .. "retrieve_product_zip"] = faults.data(guarded(zip_of_files), failed)
end
M.routes["/search/"] = guarded(function(request)
  mission_of(request)
  return failed("Nothing is served here", 404)
end)

return M
