-- SPDX-License-Identifier: BSD-3-Clause
-- A catalogue, whichever door it is reached through: query, count, columns. Phrasing is the
-- dialect's (halyard.archive), tiling is halyard.query's. A dialect describes a catalogue by a
-- record; this is all that is known of it here:
--
--   name, aliases      how users call it; `door` is the dialect's name for `via`
--   id, ra, dec        names of the key and of the position columns the service selects on
--   host               what a workflow declares: "mast", or the host name of another archive
--   url()              where its questions go
--   options            option names of its own that `query` and `count` pass on
--   columns()          map: lower-case name -> { name, type, unit, ucd, description, ... }
--   source(options)    what halyard.query works with (see halyard.query.run) for the options
--                      `where`, `columns` and its own; `plain()` -> rows, cost, count or nil, when
--                      a question without a region is not asked in tiles; rows nil: too many, and
--                      it is. Whoever asks may lower `service.cap`, rows of one answer, before the
--                      first question
--   methods            further methods of the object, by name

local door = require("halyard.archive.door")
local errors = require("halyard.error")
local query = require("halyard.query")
local results = require("halyard.result")
local sky = require("halyard.core.sky")
local suggest = require("halyard.suggest")
local table_core = require("halyard.core.table")
local targets = require("halyard.targets")

local M = {}

local parallel_max = 8

local methods = {}
local catalog_type = { __index = methods, __name = "halyard.catalog" }
catalog_type.__tostring = function(self)
  return ("catalogue %s (%s)"):format(self.name, self.door)
end

--- The catalogue object of a dialect's record, with `name`, `door`, `id`, `ra`, `dec`.
function M.new(record)
  local object = {
    name = record.name, door = record.door, id = record.id, ra = record.ra, dec = record.dec,
    record = record,
  }
  for name, method in pairs(record.methods or {}) do
    object[name] = method
  end
  return setmetatable(object, catalog_type)
end

--- A name without what spellings differ in: case, blanks, dots, hyphens, underscores.
function M.plain(name)
  return (tostring(name):lower():gsub("[%s._-]", ""))
end

--- The record of that name among `records`; nil when none has it.
function M.find(records, name)
  local wanted = M.plain(name)
  for _, record in ipairs(records) do
    if M.plain(record.name) == wanted then
      return record
    end
    for _, alias in ipairs(record.aliases or {}) do
      if M.plain(alias) == wanted then
        return record
      end
    end
  end
end

local function begin(self, parallel)
  return door.begin(self.record.host, self.record.url(), parallel)
end

--- The columns: a table with name, type (the service's word), unit, ucd and description,
-- sorted by name; "" where the service does not say.
-- @treturn halyard.table
function methods:columns()
  begin(self)
  local columns, rows = self.record.columns(), {}
  local roles = door.roles(self.record.id, self.record.ra, self.record.dec)
  local function told(column, key)
    local role = roles[column.name:lower()]
    return (column[key] or "") ~= "" and column[key] or role and role[key] or ""
  end
  for i, name in ipairs(door.names(columns)) do
    local column = columns[name:lower()]
    rows[i] = {
      name = name, type = column.type or "", unit = told(column, "unit"), ucd = told(column, "ucd"),
      description = column.description or "",
    }
  end
  return table_core.from_rows(rows, { "name", "type", "unit", "ucd", "description" })
end

local function check_region(region, what)
  if region ~= nil and type(region) ~= "userdata" then
    errors.raise("usage", what .. ": region is a region, such as sky.cone(center, radius)")
  end
end

local function check_parallel(n)
  if n ~= nil and (math.type(n) ~= "integer" or n < 1 or n > parallel_max) then
    errors.raise("usage", ("parallel is a whole number from 1 to %d"):format(parallel_max))
  end
end

local function check_verify(how)
  if how ~= nil and how ~= "none" and how ~= "sum" and how ~= "audit" then
    suggest.unknown("way to verify", tostring(how), { "audit", "none", "sum" })
  end
end

-- `usual`: 0 when the service declares no limit.
local function row_limit(given, usual)
  local most = usual > 0 and usual or math.maxinteger
  if given ~= nil and (math.type(given) ~= "integer" or given < 1 or given > most) then
    errors.raise("usage", usual > 0 and ("row_limit is a whole number from 1 to %d"):format(usual)
      or "row_limit is a whole number from 1 on")
  end
  return given or usual
end

-- A source whose rows tell their key and position.
local function with_roles(source)
  local roles = door.roles(source.id, source.ra, source.dec)
  local refine, plain = source.refine, source.plain
  source.refine = refine and function(rows)
    return door.described(refine(rows), roles)
  end
  source.plain = plain and function()
    local rows, cost, counted = plain()
    return rows and door.described(rows, roles), cost, counted
  end
  return source
end

local function known(record, usual)
  return table.move(record.options or {}, 1, #(record.options or {}), #usual + 1, usual)
end

-- The answer to a question without a region, against the archive's own count.
local function run_plain(self, source, options, record)
  if record.dry then
    record.notes[#record.notes + 1] = ("%s would be asked for rows by criteria"):format(self.name)
    return results.planned((record:file(options, "catalog:query")))
  end
  local rows, cost, counted = source.plain()
  record:spent(cost)
  if not rows then
    return query.run(source, sky.all(), options)
  end
  if counted and #rows ~= counted then
    errors.raise("integrity", ("%s: %d rows came, the archive counts %d; the answer cannot be "
      .. "trusted, run it again"):format(self.name, #rows, counted),
      { rows = #rows, rows_counted = counted })
  end
  local verified = counted and "equal to the archive's count"
    or "not verified: the service has no count"
  record.queries[#record.queries + 1] = {
    service = source.name, rows = #rows, rows_counted = counted, requests = cost.requests,
    bytes = cost.bytes, verified = verified, file = options.into,
  }
  local result = record:result(rows, options, "catalog:query")
  result.verified, result.account, result.state = verified, {}, "complete"
  return result
end

--- Every row of the catalogue in a region or by criteria, each exactly once, in canonical order.
-- Columns that refer to the centre of a request (`distance`) are left out: tiles have centres of
-- their own.
-- @tparam table options `region` (all the sky when absent, where the service needs one), `columns`
-- (list of names; key and position always come along), `where` (criteria as for `table:where`; what
-- the service cannot select by itself is selected here), `into` (file below the output folder, of
-- any size in little memory; without it the rows come as a table, which has to fit into it),
-- `format` (when the ending of `into` does not tell it), `parallel` (1-8, default 4), `partial`
-- (true: the rows of the tiles that could be fetched instead of an error), `verify` ("sum": against
-- the archive's count, where it has one; "audit": also ten tiles asked again in another shape;
-- "none"), `row_limit` (rows one answer may hold, for an archive whose limit is lower than the
-- service's usual one: more are asked for in parts; where the door has no parts, they are
-- `truncated`); some doors have more (docs/archives). Instead of `region`: `targets` (a
-- halyard.table, or the path of a file as for table.read) with `radius` ("2 arcsec", degrees, or a
-- column with the radius of each) and, where they cannot be told by UCD or name, `ra` and `dec` (as
-- for table:match): every row within the radius of a target, once for each, with input_row (of the
-- targets, from 1) and sep_arcsec, in the order of these; neighbours share requests
-- @treturn table result: rows, verified, state ("complete", "partial") and remedy, account,
-- account_path (file with the account of every tile); with targets also `targets` (numbers) and
-- `without` (a table of those without result: input_row, reason); table (a halyard.table), or with
-- `into` path
-- @raise `usage`, `integrity` (rows are missing), `partial` (tiles that cannot be fetched),
-- `budget` (the table would not fit into memory)
-- @usage mast.catalog("Gaia DR3"):query { region = sky.cone("M 13", "0.5 deg"), into = "m13.csv" }
function methods:query(options)
  suggest.check_keys(options, known(self.record, { "region", "columns", "where", "into", "format",
    "parallel", "partial", "row_limit", "verify", "targets", "radius", "ra", "dec" }),
    "catalog:query")
  options = targets.aimed(options, self.record.options, "catalog:query")
  check_region(options.region, "catalog:query")
  door.check_names(options.columns, "catalog:query")
  check_parallel(options.parallel)
  check_verify(options.verify)
  local record = begin(self, options.parallel)
  record:file(options, "catalog:query")
  local source = with_roles(self.record.source(options))
  source.service.cap = row_limit(options.row_limit, source.service.cap)
  source.url, source.memorable = self.record.url(), not next(options.where or {})
  source.asked = options
  if not options.region and source.plain then
    return results.of(run_plain(self, source, options, record))
  elseif not options.region then
    errors.raise("usage", ("%s needs a region, such as sky.cone(center, radius) or sky.all()")
      :format(self.name))
  end
  local result = query.run(source, options.region, options)
  return result and results.of(result)
    or results.planned((record:file(options, "catalog:query")))
end

--- The archive's own count of rows in a region, or by criteria where the door counts those.
-- @tparam table options `region` (circle, box or all sky), `where`
-- @treturn integer
-- @raise `usage` when the service cannot count (see `query`) or cannot count such a region
function methods:count(options)
  suggest.check_keys(options, known(self.record, { "region", "where" }), "catalog:count")
  check_region(options.region, "catalog:count")
  local record = begin(self)
  local source = self.record.source(options)
  local n, cost
  if options.region then
    n = query.count(source, options.region)
  elseif source.count_plain then
    n, cost = source.count_plain()
    record:spent(cost)
  end
  if not n then
    errors.raise("usage", options.region
      and ("%s cannot count this region without sending its rows"):format(self.name)
      or ("%s counts rows in a region only: give one"):format(self.name))
  end
  return n
end

return M
