-- SPDX-License-Identifier: BSD-3-Clause
-- Rows around each of a list of targets. Reads the list, tells the query what to plan with and adds
-- to its result which targets have none. How targets share requests is C (groups), what pairs they
-- make with rows the harvest's.

local errors = require("halyard.error")
local groups_core = require("halyard.core.groups")
local json = require("halyard.json")
local prices = require("halyard.price")
local sky = require("halyard.sky")
local sky_core = require("halyard.core.sky")
local table_core = require("halyard.core.table")
local tables = require("halyard.table")

local M = {}

local listed_most = 100 -- targets without result that the account names
local cap_unknown = 50000 -- rows of an answer, where nobody says
local doubt = 1.5 -- factor of densities that are remembered

local methods = {}
methods.__index = methods

local function usage(what, text, ...)
  errors.raise("usage", what .. ": " .. text:format(...))
end

-- "2 arcsec" and numbers as degrees; else the name of a column, as for table:match.
local function radius_text(radius, what)
  if type(radius) == "number" or type(radius) == "string" and radius:find("^[%d.+-]") then
    return ("%.17g deg"):format(sky.angle(radius, "deg"))
  elseif type(radius) ~= "string" or radius == "" then
    usage(what, 'targets need a radius: "2 arcsec", or a column with the radius of each')
  end
  return radius
end

local function text_of(options, key, what)
  local value = options[key]
  if value ~= nil and (type(value) ~= "string" or value == "") then
    usage(what, "%s is the name of a column of the targets", key)
  end
  return value
end

--- The options of a query with `targets` for halyard.query.run: `aim` stands for them, the region
-- is the whole sky. Others are given back as they are.
-- @tparam table options
-- @tparam[opt] table own names of options that the door has itself: its `targets` are lists
-- @tparam string what the call, for messages
function M.aimed(options, own, what)
  local is_own = {}
  for _, key in ipairs(own or {}) do
    is_own[key] = true
  end
  if is_own.targets and type(options.targets) ~= "userdata" then
    return options
  elseif options.targets == nil then
    for _, key in ipairs({ "radius", "ra", "dec" }) do
      if options[key] ~= nil and not is_own[key] then
        usage(what, "%s goes with targets", key)
      end
    end
    return options
  elseif options.region ~= nil then
    usage(what, "either a region or targets")
  elseif options.verify == "audit" then
    usage(what, "an audit asks for the tiles of a region: targets have none")
  end
  local list = options.targets
  if type(list) == "string" then
    list = tables.read(list)
  elseif type(list) ~= "userdata" then
    usage(what, "targets is a table with positions (of a query: result.table; of names: "
      .. "mast.resolve { \"M 31\", ... }), or the path of a file, not a %s",
      type(list) == "table" and "Lua table" or type(list))
  end
  local aim = setmetatable({}, methods)
  aim.list = groups_core.targets(list, text_of(options, "ra", what), text_of(options, "dec", what),
    radius_text(options.radius, what))
  aim.n, aim.n_usable = aim.list:counts()
  aim.radius = tostring(options.radius)
  local out = {}
  for key, value in pairs(options) do
    out[key] = value
  end
  out.targets, out.radius, out.ra, out.dec = nil, nil, nil, nil
  out.aim, out.region = aim, sky_core.all()
  return out
end

--- The plan, in place of that of a region.
function methods:plan(source, wanted)
  if not source.ra then
    errors.raise("usage", source.name .. " has no positions: targets cannot be looked for in it")
  end
  return groups_core.new(source.service, self.list, {
    window = wanted.window, requests_max = wanted.requests_max, rows_max = wanted.rows_max,
    prior = wanted.prior,
  })
end

local function words(self)
  return ("%d targets within %s"):format(self.n, self.radius)
end

--- A text that no other list and radius has, for the ledger.
function methods:identity()
  return words(self) .. ", " .. self.list:digest()
end

-- Requests and rows sent of a plan whose answers hold as many rows as `rows_of` says.
local function rehearse(self, source, wanted, rows_of)
  local plan <close> = self:plan(source, wanted)
  local most = (source.service.cap > 0 and source.service.cap or cap_unknown) // 2
  local sent = 0
  while true do
    local what, ask = plan:next()
    if what ~= "ask" then
      return { requests = plan:account().requests, rows = sent }
    end
    -- odd: no round number of rows, which would be taken for a limit
    local rows = math.max(1, math.floor(math.min(most, rows_of(ask, most)))) | 1
    sent = sent + rows
    plan:complete(ask.id, rows, 0, 0)
  end
end

--- The price of it: by densities that are remembered, else between a sky without rows and one where
-- no two targets can share a request unless their circles do. Takes seconds for 100,000 targets.
-- @tparam table source, wanted as for `plan`; options of the query
function methods:price(source, wanted, options)
  local function by(rows_of)
    return rehearse(self, source, wanted, rows_of)
  end
  local least = by(function()
    return 1
  end)
  local found = { least = least.requests, window = wanted.window, prior = wanted.prior }
  if wanted.prior then
    local low, high = by(function(ask)
      return ask.predicted_rows / doubt
    end), by(function(ask)
      return ask.predicted_rows * doubt
    end)
    found.low = { requests = math.min(low.requests, high.requests),
      rows = math.min(low.rows, high.rows) }
    found.high = { requests = math.max(low.requests, high.requests),
      rows = math.max(low.rows, high.rows) }
    found.guessed = true
  else
    found.low = least
    found.high = by(function(_, most)
      return most
    end)
  end
  local plan <close> = self:plan(source, wanted)
  found.requests_max = plan:account().requests_max
  return prices.of_targets(source, words(self), options, found)
end

--- What the account says of it instead of a region; no map of the sky shows it.
function methods:describe(book)
  book.fields.region, book.by_position = words(self), false
  book.is_list = true
end

--- Adds to the result and the account which targets have no rows; with `into` also as a file.
function methods:finish(plan, harvest, options, result, book)
  local without = plan:without(harvest)
  local numbers = {
    all = self.n, usable = self.n_usable, with_rows = self.n - #without, without_rows = #without,
    rows_needed = result.rows, rows_moved = result.account.rows_returned,
    requests = result.account.requests, groups = result.account.tiles_done,
  }
  if options.into then
    numbers.without_file = options.into:gsub("%.[^./]+$", "") .. "-without.csv"
    table_core.write(without, book.record:path(numbers.without_file), "csv")
  end
  if self.n_usable < self.n then
    book:finding(("%d of %d targets have no position or no radius"):format(self.n - self.n_usable,
      self.n))
  end
  book.fields.targets = numbers
  book.fields.without = json.array(without:head(listed_most):list("input_row"))
  result.without, result.targets = without, numbers
end

return M
