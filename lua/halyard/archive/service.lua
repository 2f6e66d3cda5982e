-- SPDX-License-Identifier: BSD-3-Clause
-- Any service of the MAST Portal by its name, for what has no function of its own. Sections 2 to 6
-- of the protocol specification.

local door = require("halyard.archive.door")
local errors = require("halyard.error")
local mashup = require("halyard.archive.mashup")
local readings = require("halyard.archive.readings")
local suggest = require("halyard.suggest")
local table_core = require("halyard.core.table")

local M = {}

local formats = { "json", "extjs", "csv", "votable" }
local bare = { csv = true, votable = true }
local jwst_path = "/portal_jwst/Mashup/Mashup.asmx/invoke" -- for observers with rights (1)

-- These two formats have no state and no pages (4.5): asks in json until the answer is ready and
-- its size known, then for all of it with the same question.
local function bare_rows(name, params, how)
  local ready = { page = 1, pagesize = 1, breaker = how.breaker, auth = how.auth, path = how.path }
  local _, answer, cost = mashup.ask(name, params, ready)
  local rows, _, more = mashup.ask(name, params,
    { format = how.format, breaker = how.breaker, auth = how.auth, drop_empty = how.drop_empty,
      path = how.path })
  door.add_cost(cost, more)
  if answer.rows_total and #rows ~= answer.rows_total then
    errors.raise("integrity", ("%s: %d rows came, the archive has %d; the answer cannot be "
      .. "trusted, run it again"):format(name, #rows, answer.rows_total))
  end
  return rows, cost
end

local function plain_rows(read, name, params, how)
  return read(name, params, how)
end

-- Services for JWST's observers: which of the two addresses has them is not known.
local function restricted_rows(read, name, params, how)
  how.auth = "mast"
  return readings.ask("jwst-portal", door.base("mashup") .. name, function(choice)
    how.path = choice == "portal_jwst" and jwst_path or nil
    return read(name, params, how)
  end, mashup.is_no_service)
end

--- Every row of a service of the portal, all its pages.
-- @tparam string name such as "Mast.Hsc.Db.v3" (docs/archives/mashup.md lists those with functions
-- of their own)
-- @tparam[opt] table params as the service takes them
-- @tparam[opt] table options `format` ("json", the default; "extjs", "csv", "votable"), `pagesize`
-- (rows a page, default 50000), `data` (an uploaded table { fields = { { name =, type = } }, data =
-- { { name = value } } })
-- @treturn halyard.table; date columns also as `<name>_mjd`
-- @raise `archive` in the service's words, `integrity` when fewer rows came than the archive has
-- @usage mast.service("Mast.Catalogs.Filtered.Tic.Rows", { columns = "*", filters = {
--   { paramName = "ID", values = { "261136679" } } } })
function M.service(name, params, options)
  options = options or {}
  suggest.check_keys(options, { "format", "pagesize", "data", "drop_empty" }, "mast.service")
  if type(name) ~= "string" or not name:find("^[%w_.]+$") then
    errors.raise("usage", "mast.service takes the name of a service, such as Mast.Hsc.Db.v3")
  elseif params ~= nil and type(params) ~= "table" then
    errors.raise("usage", "mast.service: params is a table { name = value }")
  end
  local format, size = options.format or "json", options.pagesize
  if size ~= nil and (math.type(size) ~= "integer" or size < 1) then
    errors.raise("usage", "mast.service: pagesize is a whole number of rows")
  end
  local is_known = false
  for _, each in ipairs(formats) do
    is_known = is_known or each == format
  end
  if not is_known then
    suggest.unknown("format of mast.service", tostring(format), formats)
  end
  local record = door.begin("mast", door.base("mashup"))
  if record.dry then
    record.notes[#record.notes + 1] = name .. " would be asked for rows"
    return table_core.from_rows({}, {})
  end
  local how = { pagesize = size, format = format, data = options.data, breaker = mashup.breaker(),
    drop_empty = options.drop_empty and true or nil }
  local read = bare[format] and bare_rows or mashup.rows
  local rows, cost = (name:find("JwstOps", 1, true) and restricted_rows or plain_rows)(read, name,
    params or {}, how)
  record:spent(cost)
  record.queries[#record.queries + 1] = {
    service = name, rows = #rows, requests = cost.requests, bytes = cost.bytes,
  }
  return mashup.with_mjd(door.without(rows, { _selected_ = true }))
end

return M
