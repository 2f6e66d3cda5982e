-- SPDX-License-Identifier: BSD-3-Clause
-- The ledger of one tiled query: a run that was killed, interrupted or out of disk goes on where it
-- was. The plan is replayed; what it asks again is answered from the records, whose rows wait on
-- disk. Lies in .halyard/NAME.tiles below the output folder until the run is complete: when one is
-- killed in a later query, the next begins with the first again. Knows what an ask means, nothing
-- of how it is phrased.

local errors = require("halyard.error")
local json = require("halyard.json")
local ledger_core = require("halyard.core.ledger")
local system = require("halyard.core.system")

local M = {}

-- Options of a query that change neither what is asked nor which rows come.
local aside = { into = true, format = true, parallel = true, partial = true, region = true,
  columns = true, verify = true, row_limit = true, aim = true }

local methods = {}
methods.__index = methods

-- What a query asks for, as texts; nil when the source does not tell it, or when that has no text
-- (a table that is sent along).
local function job_of(source, region, options)
  local rest = {}
  for key, value in pairs(source.asked or {}) do
    rest[key] = not aside[key] and value or nil
  end
  local ok, query = errors.try(json.encode, rest)
  if not source.asked or not ok then
    return nil
  end
  local where = options.aim and options.aim:identity() or tostring(region)
  return {
    service = source.name .. " " .. (source.url or ""), query = query,
    region = #where > 200 and where:sub(1, 60) .. "... " .. system.sha256(where) or where,
    columns = options.columns and table.concat(options.columns, ",") or "",
    capabilities = json.encode(source.service),
  }
end

-- Folder of the query's ledger: by the file it writes, else by what it asks for and how often this
-- run asked for that before.
local function folder_of(record, job, options)
  local name
  if options.into then
    name = options.into:gsub("[%%/]", { ["%"] = "%25", ["/"] = "%2F" })
  else
    name = "table-" .. system.sha256(json.encode(job)):sub(1, 16)
    record.tables = record.tables or {}
    record.tables[name] = (record.tables[name] or 0) + 1
    name = ("%s-%d"):format(name, record.tables[name])
  end
  return ("%s/.halyard/%s.tiles"):format(record.output, name)
end

-- Numbers and keys as text, and back, to the last bit.
local function key_text(key)
  return key == nil and "" or math.type(key) == "float" and ("f:%a"):format(key)
    or (math.type(key) and "i:" or "s:") .. tostring(key)
end

local function key_of(text)
  local value = text:sub(3)
  return text ~= "" and (text:sub(1, 2) == "s:" and value or math.tointeger(value)
    or tonumber(value)) or nil
end

local borders = { "column_min", "column_max", "column_lo", "column_hi" } -- of a range

-- Two asks of one node have the same answer: everything that the request and the ownership of its
-- rows depend on, and nothing else.
local function node_of(ask, from_key)
  local tile = ask.tile
  local parts = { ask.kind, tile.ra, tile.width, tile.dec_lo, tile.dec_hi, ask.form }
  for _, key in ipairs({ "whole", "by_centre", "by_key", "no_position", "column_null" }) do
    parts[#parts + 1] = ask[key] and key or nil
  end
  local numbers = ask.form == "box" and { ask.ra_min, ask.ra_max, ask.dec_min, ask.dec_max }
    or { ask.cone.ra, ask.cone.dec, ask.cone.radius }
  for _, number in ipairs(numbers) do
    parts[#parts + 1] = ("%.17g"):format(number)
  end
  for _, key in ipairs({ "column", "order", "page_rows", "first_target", "n_targets" }) do
    parts[#parts + 1] = ask[key] and key .. "=" .. tostring(ask[key]) or nil
  end
  for _, key in ipairs(borders) do
    parts[#parts + 1] = ask[key] and ("%s=%.17g"):format(key, ask[key]) or nil
  end
  for _, range in ipairs(ask.outer or {}) do
    parts[#parts + 1] = "outer=" .. range.column .. (range.column_null and " null" or "")
    for _, key in ipairs(borders) do
      parts[#parts + 1] = range[key] and ("%s=%.17g"):format(key, range[key]) or nil
    end
  end
  if ask.page then
    parts[#parts + 1] = ask.page == 1 and "first" or "from=" .. key_text(from_key)
  end
  return table.concat(parts, " ")
end

local function open(self, anew)
  self.ledger = ledger_core.open(self.folder, anew)
  self.ledger:begin(self.job)
  self.extent, self.doubts = self.ledger:extent(), {}
  self.asked, self.nth = {}, {} -- asks by node; which of these an ask is
  local text = self.ledger:inputs()
  self.inputs = text and json.decode(text) or nil
  local prior = self.inputs and self.inputs.prior
  if prior then
    prior.regions.age_s, prior.regions.row_bytes = prior.age_s, prior.row_bytes
    self.inputs.prior = prior.regions
  end
end

--- The ledger of a query, as an earlier run of it left it or new; nil when it cannot have one.
-- @raise `usage` when that run asked for something else, `io`, `integrity`; all with the remedy
function M.open(source, region, options, record)
  local job = job_of(source, region, options)
  if not job then
    return nil
  end
  local self = setmetatable({
    name = source.name, job = job, folder = folder_of(record, job, options), record = record,
  }, methods)
  local mine = record.ledgers and record.ledgers[self.folder] -- of this run: asked for once more
  open(self, mine or system.setting("restart") == "yes")
  if self.extent.answers > 0 then
    system.log("info", ("%s: resuming: %d of %d requests are there, asked between %s and %s")
      :format(source.name, self.extent.answers, self.extent.answers + self.extent.pending,
      os.date("!%Y-%m-%d %H:%M:%S", self.extent.began // 1),
      os.date("!%Y-%m-%d %H:%M:%S UTC", self.extent.ended // 1)))
  end
  return self
end

--- Forgets everything.
function methods:restart()
  self.ledger:close()
  open(self, true)
end

--- Remembers what the plan begins with beside the query, as `inputs` in the next run.
-- @tparam table inputs known (rows), uncounted (true: the archive does not count), quantum
-- (degrees), prior (see halyard.densities)
function methods:begin(inputs)
  local prior = inputs.prior
  self.ledger:inputs(json.encode({
    known = inputs.known, uncounted = inputs.uncounted, quantum = inputs.quantum,
    prior = prior and {
      regions = json.array(table.move(prior, 1, #prior, 1, {})), age_s = prior.age_s,
      row_bytes = prior.row_bytes,
    },
  }))
end

--- What is known of an ask: a record (kind "done", "told" with `answer`, or "over" with `how`) or
-- nil. `from_key`: with which key its page starts. To be called once for every ask, before what
-- came is recorded: the same tile may be asked for again, and its answers are told apart by which
-- of its asks they belong to.
function methods:find(ask, from_key)
  local node = node_of(ask, from_key)
  self.asked[node] = (self.asked[node] or 0) + 1
  self.nth[ask.id] = self.asked[node]
  local found = self.ledger:find(node, self.asked[node])
  if not found then
    return nil
  elseif found.kind == "told" then
    found.answer = json.decode(found.text)
  elseif found.kind == "over" then
    found.how = found.text
  else
    found.next_key = key_of(found.text)
  end
  return found
end

local function filled(self, record, ask, from_key, fields)
  record.node, record.attempt = node_of(ask, from_key), self.nth[ask.id]
  for key, value in pairs(fields) do
    record[key] = value
  end
  record.ended = system.wall()
  return record
end

-- Failures that may be a passing fault count only once something came after them: an outage in the
-- end is not played again.
local function write(self, record)
  for _, doubt in ipairs(self.doubts) do
    self.ledger:put(doubt)
  end
  self.doubts = {}
  self.ledger:put(record)
end

--- Records the rows of an ask, whose file is on disk. `kept` as harvest:tile gives it; `next_key`:
-- with which key the next page starts; fields: returned, answer_bytes, began, pending.
function methods:done(ask, from_key, kept, next_key, fields)
  local record = filled(self, { kind = "done", text = key_text(next_key) }, ask, from_key, kept)
  write(self, filled(self, record, ask, from_key, fields))
end

--- Records an answer that is numbers.
function methods:told(ask, from_key, answer, fields)
  write(self, filled(self, { kind = "told", text = json.encode(answer) }, ask, from_key, fields))
end

--- Records that an ask went over, or a failure that may be one. `how`: "rows" (the answer had too
-- many: `kept` has returned, kept and overshoot_deg), "over", "ambiguous", "stalled" or, of numbers
-- that the plan does without, "fatal".
function methods:over(ask, from_key, how, kept, fields)
  local record = filled(self, { kind = "over", text = how }, ask, from_key, kept or {})
  filled(self, record, ask, from_key, fields)
  if how == "ambiguous" or how == "stalled" then
    self.doubts[#self.doubts + 1] = record
  else
    write(self, record)
  end
end

--- The query ended. When its rows are not to be trusted, nothing stays.
function methods:finish(state, err)
  if state == "partial" then
    self.ledger:finish("partial")
  elseif state then
    for _, doubt in ipairs(self.doubts) do
      self.ledger:put(doubt)
    end
    self.ledger:finish("complete")
    self.record.ledgers = self.record.ledgers or {}
    self.record.ledgers[self.folder] = true
  elseif errors.is(err, "integrity") then
    self.ledger:remove()
  end
end

function methods:__close()
  self.ledger:close()
end

--- The run is complete: nothing stays of the queries that were.
function M.forget(record)
  for folder in pairs(record.ledgers or {}) do
    ledger_core.open(folder, false):remove()
  end
end

return M
