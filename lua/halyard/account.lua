-- SPDX-License-Identifier: BSD-3-Clause
-- The account of one tiled query: what each tile was asked and brought, what the archive counts,
-- how the query ended and what to do about what is missing. It ends as a file beside the output.
-- Keeps the books, judges nothing.

local json = require("halyard.json")
local sky = require("halyard.core.sky")
local system = require("halyard.core.system")

local M = {}

local ticks_per_deg = 1e7
local cells_across = 100 -- of a region's map, about
local order_least, order_most = 6, 14
local boxes_most = 1000 -- of what is missing, as a map

local methods = {}
methods.__index = methods

local function time_text(seconds)
  return os.date("!%Y-%m-%dT%H:%M:%S", math.floor(seconds))
    .. (".%03dZ"):format(math.floor(seconds % 1 * 1000))
end

--- Begins the account of a query.
-- @tparam table record the run
-- @tparam table source see halyard.query.run
-- @tparam halyard.region region
-- @tparam table options of the query
function M.begin(record, source, region, options)
  record.accounts = record.accounts + 1
  return setmetatable({
    name = options.into or ("query-%d"):format(record.accounts), region = region,
    by_position = source.ra and source.service.match ~= "footprint",
    record = record, tiles = {}, began = system.wall(), fields = {
      findings = json.array({}),
      service = source.name, region = tostring(region), file = options.into,
      guard_arcsec = source.service.guard_arcsec or 1, row_limit = source.service.cap,
    },
  }, methods)
end

--- The account of a query that is asked anew: of the first try only what was found out remains.
function M.again(book)
  book.tiles, book.rounded = {}, nil
  return book
end

--- The time now, for `tile`.
M.now = system.wall

--- One finished tile.
-- @tparam table ask of the plan
-- @tparam table got returned, kept, overshoot_deg, began and, unless that is now, ended (see `now`)
function methods:tile(ask, got)
  local t = ask.tile
  local east = t.ra + t.width
  local outer
  for i, range in ipairs(ask.outer or {}) do
    outer = outer or json.array({})
    outer[i] = { column = range.column, column_null = range.column_null or nil,
      column_min = range.column_lo, column_max = range.column_hi }
  end
  self.tiles[#self.tiles + 1] = { ask.id, json.encode({
    ra_min = t.ra / ticks_per_deg, dec_min = t.dec_lo / ticks_per_deg,
    no_position = ask.no_position or nil, column = ask.column, column_null = ask.column_null or nil,
    column_min = ask.column_lo, column_max = ask.column_hi, outer = outer, page = ask.page,
    ra_max = (east > 360 * ticks_per_deg and east - 360 * ticks_per_deg or east) / ticks_per_deg,
    dec_max = t.dec_hi / ticks_per_deg, whole = ask.whole or nil, form = ask.form,
    attempt = ask.attempt > 0 and ask.attempt or nil, asked = ask.predicted_rows,
    returned = got.returned, kept = got.kept, dropped = got.returned - got.kept,
    overshoot_arcsec = got.overshoot_deg * 3600, began = time_text(got.began),
    ended = time_text(got.ended or system.wall()),
  }) }
end

--- Something about the service or the table that its record does not say.
function methods:finding(text)
  local findings = self.fields.findings
  findings[#findings + 1] = text
  system.log("warning", ("%s: %s"):format(self.fields.service, text))
end

--- What the plan counted: requests by verdict, rows, overshoot.
function methods:summary(plan)
  local fields = self.fields
  fields.requests = {
    all = plan.requests, over = plan.over, ambiguous = plan.ambiguous,
    transient = plan.transient, refused = plan.refused, probes = plan.probes, counts = plan.counts,
    histograms = plan.histograms,
  }
  fields.rows_returned, fields.rows_kept = plan.rows_returned, plan.rows_kept
  fields.rows_dropped = plan.rows_returned - plan.rows_kept
  fields.overshoot_arcsec, fields.lower_bound = plan.overshoot_arcsec, plan.lower_bound
end

--- Name of the account's file, below the output folder.
function methods:file()
  return self.name .. ".account.json"
end

-- Order of cells about a hundredth of the region wide.
local function order_of(region)
  local wide = math.sqrt(math.max(region:area(), 1e-12))
  local order = math.ceil(math.log(58.6 * cells_across / wide, 2))
  return math.max(order_least, math.min(order_most, order))
end

-- What is missing of the sky, and what is covered, as maps: a cell of which a part is missing is
-- not covered.
local function write_maps(self, missing)
  if not self.by_position or #missing > boxes_most then
    return
  end
  local function path(what)
    return self.record:path(("%s.%s.fits"):format(self.name, what))
  end
  local order = order_of(self.region)
  local covered = self.region:moc(order)
  if #missing > 0 then
    local boxes = {}
    for i, tile in ipairs(missing) do
      boxes[i] = sky.box(tile.ra_min, tile.ra_max, tile.dec_min, tile.dec_max)
    end
    local gap = (sky.union(boxes) * self.region):moc(order)
    gap:write(path("missing"))
    covered = (covered - gap):moc(order)
  end
  covered:write(path("covered"))
end

--- Ends the account with further fields, among them `state` and, where something is missing,
-- `remedy`, and writes it; of queries by position that did not fail also the maps of the sky that
-- is covered and missing.
function methods:close(fields)
  local document = self.fields
  for key, value in pairs(fields) do
    document[key] = value
  end
  document.began, document.ended = time_text(self.began), time_text(system.wall())
  document.halyard = system.version
  if document.state ~= "failed" then
    write_maps(self, document.missing)
  end
  table.sort(self.tiles, function(a, b)
    return a[1] < b[1]
  end)
  local lines = {}
  for i, tile in ipairs(self.tiles) do
    lines[i] = "    " .. tile[2]
  end
  local head = json.pretty(document):sub(1, -3)
  local text = ('%s,\n  "tiles": [\n%s\n  ]\n}\n'):format(head, table.concat(lines, ",\n"))
  system.write_file(self.record:path(self:file()), text)
end

return M
