-- SPDX-License-Identifier: BSD-3-Clause
-- The portal API, server side (mashup-api sections 2 to 8). A question is answered in two halves:
-- M.serve reads it and names the rows; C counts them; M.finish words the answer around them.
local columns = require "practice.columns"
local core = require "practice.core"
local faults = require "practice.faults"
local bundles = require "practice.bundles"
local catalogs = require "practice.mashup_catalogs"
local crossmatch = require "practice.mashup_crossmatch"
local files = require "practice.mashup_files"
local histograms = require "practice.mashup_histograms"
local json = require "practice.json"
local life = require "practice.mashup_life"
local resolver = require "practice.resolver"
local by_sql = require "practice.mashup_sql"
local sql = require "practice.sql"
local vo = require "practice.mashup_vo"
local words = require "practice.mashup_words"

local M = {}

local refuse = life.refuse

local UNLIMITED <const> = 1 << 52
local SELECTED <const> = 127 -- a cell that is always null

-- Columns ---------------------------------------------------------------------------------------

local CAOM_FILTERED_ORDER <const> = {
  "dataproduct_type", "calib_level", "obs_collection", "obs_id", "target_name", "s_ra", "s_dec",
  "t_min", "t_max", "t_exptime", "wavelength_region", "filters", "em_min", "em_max",
  "target_classification", "obs_title", "t_obs_release", "instrument_name", "proposal_pi",
  "proposal_id", "proposal_type", "project", "sequence_number", "provenance_name", "s_region",
  "jpegURL", "dataURL", "dataRights", "mtFlag", "srcDen", "intentType", "obsid", "objID",
}

local function positions(service)
  local list = columns.of(service.catalog)
  local out = {}
  for i, c in ipairs(list) do
    local hidden = c.is_distance and not service.region
    if not hidden and not (service.hide and service.hide[c.name]) then
      out[#out + 1] = i
    end
  end
  if service.order then
    local rank = {}
    for i, name in ipairs(service.order) do
      rank[name] = i
    end
    table.sort(out, function(a, b)
      return (rank[list[a].name] or 100 + a) < (rank[list[b].name] or 100 + b)
    end)
  end
  return out
end

-- The columns asked for: "*", "c.*" or a comma list.
local function chosen(service, text)
  local list = columns.of(service.catalog)
  if not text or text == "*" or text == "c.*" then
    return positions(service)
  end
  local out = {}
  for name in text:gmatch("[^,]+") do
    name = name:match("^%s*(.-)%s*$"):gsub("^c%.", "")
    local i = list.index[name:lower()]
    if not i or (list[i].is_distance and not service.region) then
      refuse(("Invalid column name '%s'."):format(name))
    end
    out[#out + 1] = i
  end
  return out
end

-- Filters (8.1) ---------------------------------------------------------------------------------

local function filter_of(service, f)
  if type(f) ~= "table" or type(f.paramName) ~= "string" then
    refuse("a filter needs a paramName")
  end
  local list = columns.of(service.catalog)
  local i = list.index[f.paramName:lower():gsub("^c%.", "")]
  if not i or (list[i].is_distance and not service.region) then
    refuse(("Invalid column name '%s'."):format(f.paramName))
  end
  local out = { column = i - 1, values = {}, ranges = {} }
  local values = f.values
  if values == nil or values == json.null then
    values = {}
  elseif type(values) ~= "table" then
    values = { values }
  end
  for _, v in ipairs(values) do
    if v == json.null then
      refuse(("filter %s: null is not a value"):format(f.paramName))
    elseif type(v) == "table" then
      out.ranges[#out.ranges + 1] = { min = tonumber(v.min), max = tonumber(v.max) }
    else
      out.values[#out.values + 1] = type(v) == "boolean" and tostring(v) or v
    end
  end
  if type(f.freeText) == "string" and f.freeText ~= "" then
    out.free_text = f.freeText
  end
  if type(f.separator) == "string" and #f.separator == 1 then
    out.separator = f.separator
  end
  return out
end

local function filters_of(service, params)
  local out = {}
  local given = params.filters
  if given == nil or given == json.null then
    return out
  elseif type(given) ~= "table" then
    refuse("filters is not a list")
  end
  for i, f in ipairs(given) do
    out[i] = filter_of(service, f)
  end
  return out
end

-- Regions ---------------------------------------------------------------------------------------

local function circle(query, ra, dec, radius)
  if not (ra and dec and radius) then
    refuse("position is not \"ra, dec, radius\"")
  elseif dec < -90 or dec > 90 then
    refuse("dec is outside -90 to 90")
  elseif radius < 0 then
    refuse("radius is negative")
  end
  query.ra, query.dec, query.radius = ra, dec, radius
end

local function cone(default_radius)
  return function(query, params)
    circle(query, life.number_of(params, "ra"), life.number_of(params, "dec"),
      life.number_of(params, "radius", default_radius))
  end
end

local function position_text(query, params)
  local number = "%s*([^%s,]+)%s*"
  local ra, dec, radius = tostring(params.position):match("^" .. number .. "," .. number .. ","
    .. number .. "$")
  circle(query, tonumber(ra), tonumber(dec), tonumber(radius))
end

local function obsids(query, params)
  local text = params.obsid
  if text == nil or text == json.null or text == "" then
    refuse("parameter obsid is missing")
  end
  query.obsids = {}
  for id in tostring(text):gmatch("[^,]+") do
    local n = math.tointeger(tonumber(id))
    if not n then
      refuse(("Conversion failed when converting the varchar value '%s' to data type bigint.")
        :format(id))
    end
    query.obsids[#query.obsids + 1] = n
  end
end

-- Services (section 7) --------------------------------------------------------------------------

local services = {}

local function filtered(catalog, options)
  options.catalog = catalog
  options.filtered = true
  return options
end

services["Mast.Caom.Cone"] = {
  catalog = "observations", region = cone(0.2), selected = true,
  hide = { objID1 = true, objID = faults.switch("no-objid") },
}
services["Mast.Caom.Filtered"] = filtered("observations",
  { counts = true, selected = true, order = CAOM_FILTERED_ORDER })
services["Mast.Caom.Filtered.Position"] = filtered("observations",
  { counts = true, selected = true, order = CAOM_FILTERED_ORDER, region = position_text })
services["Mast.Caom.Products"] = { catalog = "products", prepare = obsids, selected = true }
for _, release in ipairs({ "GaiaDR2", "GaiaDR3" }) do
  services["Mast.Catalogs." .. release .. ".Cone"] = { catalog = "gaia", region = cone() }
end
for catalog, name in pairs({ tic = "Tic", ctl = "Ctl" }) do
  services["Mast.Catalogs." .. name .. ".Cone"] = { catalog = catalog, region = cone(0.02) }
  local base = "Mast.Catalogs.Filtered." .. name
  services[base] = filtered(catalog, { counts = true })
  services[base .. ".Rows"] = filtered(catalog, {})
  services[base .. ".Position"] = filtered(catalog, { counts = true, region = cone() })
  services[base .. ".Position.Rows"] = filtered(catalog, { region = cone() })
end
services["Mast.Galex.Catalog"] = {
  catalog = "galex", region = cone(), rows_max = "maxrecords", rows_default = 10000,
}

local function rows_answer(state, total)
  local list, pick, keys = {}, {}, {}
  local all = columns.of(state.service.catalog)
  for i, at in ipairs(state.columns) do
    list[i], pick[i] = all[at], at - 1
  end
  if state.service.selected then
    list[#list + 1] = { name = "_selected_", type = "boolean", unit = "", ucd = "",
      description = "selected" }
    pick[#pick + 1] = SELECTED
  end
  for i, c in ipairs(list) do
    keys[i] = json.encode(c.name) .. ":"
  end
  local size = state.pagesize or total
  local first = ((state.page or 1) - 1) * size
  local n = math.max(0, math.min(size, total - first))
  local paging = not faults.switch("no-paging") and words.paging_of(state, total, first, n) or nil
  local head, tail = words.frame[state.format](list, paging)
  return { outcome = "rows", layout = state.format, body = head, tail = tail, first = n > 0 and
    first or 0, n = n, pick = pick, keys = keys, content_type = words.CONTENT[state.format] }
end

-- Histogram services ----------------------------------------------------------------------------

local collections

local function caom_all()
  collections = collections or core.collections()
  local heads = {}
  for i, c in ipairs(columns.of("observations")) do
    local properties = { ["cc.text"] = c.name, ["vot.name"] = c.name,
      ["vot.datatype"] = columns.datatype(c), ["vot.description"] = c.description }
    if c.name == "obs_collection" then
      local histogram = { hist = json.list({}) }
      for k, m in ipairs(collections) do
        histogram.hist[k] = { count = m.rows, key = m.name }
        histogram[m.name] = histogram.hist[k]
      end
      properties.histObj = histogram
    end
    heads[i] = json.encode({ text = c.name, dataIndex = c.name, ExtendedProperties = properties })
  end
  return words.extjs_without_rows(table.concat(heads, ",\n"), "{" .. words.ZERO_PAGING .. "}")
end

local tic_words = { "objType", "typeSrc", "POSflag", "PMflag", "PARflag", "lumclass" }

local function tic_all()
  local kinds = {}
  for _, c in ipairs(columns.of("tic")) do
    kinds[c.name] = c.type == "float" and not c.is_distance and "continuous" or nil
  end
  for _, name in ipairs(tic_words) do
    kinds[name] = "discrete"
  end
  return histograms.answer("sky_tic", kinds, 0.05)
end

local special = {}

special["Mast.Caom.All"] = caom_all
special["Mast.Catalogs.All.Tic"] = tic_all
special["Mast.Missions.List"] = function(format)
  collections = collections or core.collections()
  local names = {}
  for i, m in ipairs(collections) do
    names[i] = m.name
  end
  return words.small_table(format, "distinctValue", "string", names)
end

local function question(m, params, service, format)
  local state = { service = service, format = format, name = m.service }
  local wanted = type(params.columns) == "string" and params.columns or nil
  local query = { catalog = service.catalog, limit = core.row_cap }
  if wanted and wanted:upper():gsub("%s", "") == "COUNT_BIG(*)" then
    if not service.counts then
      refuse("Incorrect syntax near '*'.")
    end
    state.count = true
    query.limit = UNLIMITED
  else
    state.columns = chosen(service, wanted)
  end
  if service.region then
    service.region(query, params)
  end
  if service.prepare then
    service.prepare(query, params)
  end
  if service.filtered then
    query.filters = filters_of(service, params)
  end
  if service.rows_max then
    state.rows_max = math.tointeger(life.number_of(params, service.rows_max, service.rows_default))
  end
  life.pages(m, state)
  return state, query
end

local pending = {}

-- The service as one of SQL, for what C cannot tell: which columns hold no value.
local function as_sql(service, params)
  local index, list = {}, {}
  local source = ({ gaia = "sky_gaia", tic = "sky_tic", ctl = "sky_ctl", galex = "sky_galex" })
    [service.catalog] or service.catalog
  for _, c in ipairs(sql.columns(source)) do
    index[c.name] = c
  end
  for i, at in ipairs(positions(service)) do
    list[i] = index[columns.of(service.catalog)[at].name]
  end
  local out = { source = function()
    return { from = source, columns = list }
  end, filters = service.filtered, counts = service.counts, selected = service.selected,
    rows_max = service.rows_max, rows_default = service.rows_default }
  local query = {}
  if service.region then
    service.region(query, params)
    out.where = function(_, add)
      add("circle_ra = ? AND circle_dec = ? AND circle_radius = ?", query.ra, query.dec,
        query.radius)
    end
  elseif service.prepare then
    service.prepare(query, params)
    out.where = function(_, add)
      add(("parent_obsid IN (%s)"):format(table.concat(query.obsids, ",")))
    end
  end
  return out
end

local function ask(id, m, params, format)
  local service = services[m.service:gsub("%.JwstOps$", "")]
  local state, query = question(m, params, service, format)
  state.stored = files.wanted(m) and m
  local key = m.service .. json.encode(params)
  local instead = life.begin(state, key, m)
  if instead then
    return instead
  end
  query.total = state.job.total
  pending[id] = state
  return { query = query }
end

--- Second half: `total` rows, or the text of what went wrong while counting.
function M.finish(id, total, went_wrong)
  local state = pending[id]
  pending[id] = nil
  local job = state.job
  if went_wrong then
    return words.failure(state.format, went_wrong), state.name
  end
  job.total = total
  local early = life.early(state, total)
  if early then
    return early, state.name
  end
  local answer
  if state.stored then
    answer = files.store(state.stored, M.serve)
  elseif state.count then
    answer = words.small_table(state.format, "Column1", "string", { total }, true)
  else
    total = math.min(total, state.rows_max or total, faults.switch("silent-cap") or total)
    answer = rows_answer(state, total)
  end
  answer.fault = state.fault
  return answer, state.name
end

--- Drops what is kept of a request that ended before its second half.
function M.forget(id)
  pending[id] = nil
end

local function lookup(params)
  local name = params.input
  if type(name) ~= "string" then
    refuse("parameter input is missing")
  end
  if params.format == "json" then
    return words.body(resolver.json({ name }))
  end
  return words.body(resolver.xml({ name }), words.CONTENT.votable)
end

local function format_of(m)
  local format = m.format
  if format == nil or format == json.null then
    return "extjs"
  elseif format == "vot" or format == "xml" then
    return "votable"
  elseif not words.frame[format] then
    refuse(("Unknown  Format Type specified : %s"):format(tostring(format)))
  end
  return format
end

for name, answer in pairs(catalogs.special) do
  special[name] = answer
end

-- Services that give no rows of a table, which have no job to draw a fault for.
local others = {
  ["Mast.Name.Lookup"] = function(_, params)
    return lookup(params)
  end,
  ["Mast.Bundle.Request"] = function(_, params, request)
    return bundles.request(params, request)
  end,
  ["Mashup.Table.Exporter"] = files.export,
}

local function serve_other(m, params, request)
  request.record.service = m.service
  return faults.data(function()
    return others[m.service](m, params, request)
  end, function(message)
    return words.failure("json", message)
  end)(request)
end

local sql_services = {}
for _, list in ipairs({ catalogs.services, crossmatch.services, vo.services }) do
  for name, service in pairs(list) do
    sql_services[name] = service
  end
end

-- Services for observers with rights, answered to anybody who sends a token; the lists of files at
-- the portal of JWST only (mashup-api section 1), unless a switch says otherwise.
local portal = ({ "/api/", "/portal_jwst/" })[faults.switch("jwst-portal")]
local restricted = {
  ["Mast.Caom.Filtered.JwstOps"] = portal or "",
  ["Mast.Caom.Products.JwstOps"] = portal or "/portal_jwst/",
}

local function is_signed(request)
  return (request.headers.authorization or ""):find("^token %S+") ~= nil
    or (request.headers.cookie or ""):find("mast_token=", 1, true) ~= nil
end

local function serve(id, m, request)
  if type(m) ~= "table" or type(m.service) ~= "string" then
    refuse("Mashup: 'service' param is missing from request: " .. json.encode(m))
  end
  local params = type(m.params) == "table" and m.params or {}
  local format = format_of(m)
  m.requestBaseUrl, m.requestPath = request.base, request.path
  if others[m.service] then
    return serve_other(m, params, request)
  elseif m.service == "Mashup.File.Download" then
    return files.download(params, request)
  elseif special[m.service] then
    return special[m.service](format, params, request)
  elseif restricted[m.service] and request.path:find(restricted[m.service], 1, true) ~= 1 then
    refuse("Mashup: Unable to Find Service Adaptor for service: \n" .. m.service)
  elseif restricted[m.service] and not is_signed(request) then
    return words.body("Unauthorized", "text/plain", 401)
  elseif (services[m.service] or restricted[m.service]) and life.is_true(m.removenullcolumns) then
    return by_sql.answer(as_sql(services[m.service:gsub("%.JwstOps$", "")], params), m, params,
      format, M.serve)
  elseif services[m.service] or restricted[m.service] then
    return ask(id, m, params, format)
  elseif sql_services[m.service] then
    return by_sql.answer(sql_services[m.service], m, params, format, M.serve)
  end
  refuse("Mashup: Unable to Find Service Adaptor for service: \n" .. m.service)
end

--- First half: the text of the `request` parameter of an HTTP request. Returns an answer and the
-- service's name.
function M.serve(request, text)
  local id = request.id
  local read, m = pcall(json.decode, text)
  if not read then
    local why = type(m) == "table" and m.json or tostring(m)
    return words.body("Mashup: the request is not JSON: " .. why, "text/plain", 500)
  end
  local service = type(m) == "table" and type(m.service) == "string" and m.service or nil
  local ok, answer = pcall(serve, id, m, request)
  if ok then
    return answer, service
  elseif type(answer) == "table" and answer.mashup then
    return words.failure(type(m) == "table" and m.format, answer.mashup), service
  end
  error(answer, 0)
end

return M
