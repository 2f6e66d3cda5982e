-- SPDX-License-Identifier: BSD-3-Clause
-- The record of a run: what was asked, what came, where it is. One per Lua state at a time; the
-- workflow runner starts it, the modules add to it, and it ends as report.json.

local download = require("halyard.core.download")
local errors = require("halyard.error")
local json = require("halyard.json")
local system = require("halyard.core.system")
local table_core = require("halyard.core.table")
local task = require("halyard.core.task")

local M = {}

local methods = {}
methods.__index = methods

--- A record. `options`: output (folder), dry (nothing is fetched), hosts (list of archives that
-- may be contacted; nil: any), budget (requests, rows, download in bytes; each may be absent),
-- workflow (name, version; sha256 of the file once an archive was asked), pictures (entries of
-- halyard.picture are collected), list_for (downloads are listed for that program instead). What it
-- collects: `files`, entries of single files; `made`, entries of files that count as no downloads;
-- `queues`, downloads (halyard.retrieve.queue).
function M.new(options)
  return setmetatable({
    output = options.output:gsub("(.)/+$", "%1"), dry = options.dry or false, hosts = options.hosts,
    budget = options.budget or {}, workflow = options.workflow,
    list_for = options.list_for, queues = {}, manifests = {},
    queries = {}, files = {}, made = {},
    plans = {}, notes = {}, pictures = options.pictures and {} or nil,
    requests = 0, bytes = 0, download_bytes = 0, counted = false, accounts = 0,
    started = system.monotonic(),
  }, methods)
end

local current

--- The record of this run; outside a workflow one for the host's output folder or ".".
function M.current()
  current = current or M.new({ output = system.default_output(".") })
  return current
end

local folder_pause_s = 0.5

--- Makes the output folder this run's alone, until what it returns is closed. Another run there is
-- waited for when the user said so.
function M.lock_output()
  local ok, got = errors.try(system.lock_output)
  if not ok and got.retryable and system.setting("wait_for_folder") == "yes" then
    system.log("info", "waiting: " .. got.message:gsub(";.*", ""))
    repeat
      task.sleep(folder_pause_s)
      ok, got = errors.try(system.lock_output)
    until ok or not got.retryable
  end
  if not ok then
    error(got, 0)
  end
  return got
end

-- The entries of `hosts`, one a line, with the hosts of MAST for "mast".
local function spelt_out(hosts)
  local list = {}
  for _, entry in ipairs(hosts) do
    local names = entry == "mast" and require("halyard.archive.door").mast_hosts() or { entry }
    table.move(names, 1, #names, #list + 1, list)
  end
  return table.concat(list, "\n")
end

--- Makes `record` the current one. From now on nothing else than its hosts is contacted, wherever
-- redirects lead.
function M.begin(record)
  current = record
  system.permit(record and record.hosts and spelt_out(record.hosts))
  return record
end

-- Does an entry of `hosts` stand for that host (or that entry)? "*.gavo.org": all below gavo.org;
-- "mast": the hosts of its interfaces.
local function stands_for(entry, name)
  return entry == name or entry:sub(1, 2) == "*." and #name >= #entry
    and name:sub(1 - #entry) == entry:sub(2)
    or entry == "mast" and require("halyard.archive.door").is_mast(name)
end

local function quoted(list)
  return '"' .. table.concat(list, '", "') .. '"'
end

--- Refuses archives that the workflow does not declare, all at once: the message has the line to
-- write, the error the missing ones in `hosts`.
function methods:require_hosts(names)
  local missing, seen = {}, {}
  for _, name in ipairs(self.hosts and names or {}) do
    name = name:lower()
    for _, entry in ipairs(self.hosts) do
      seen[name] = seen[name] or stands_for(entry:lower(), name)
    end
    if not seen[name] then
      missing[#missing + 1], seen[name] = name, true
    end
  end
  if #missing > 0 then
    table.sort(missing)
    local instead = require("halyard.archive.door").in_place_of(missing[1])
    errors.raise("permission", ("the workflow may not contact %s: if it should, write in it hosts "
      .. "= { %s }%s"):format(table.concat(missing, ", "),
      quoted(table.move(missing, 1, #missing, #self.hosts + 1,
        table.move(self.hosts, 1, #self.hosts, 1, {}))), instead and ("; this run asks %s in "
      .. "place of %s (--archive, --base): give that address"):format(instead,
        missing[1]) or ""), { hosts = missing })
  end
end

--- Refuses an archive that the workflow does not declare.
function methods:require_host(name)
  self:require_hosts({ name })
end

--- Path below the output folder of a relative name.
function methods:path(name)
  if type(name) ~= "string" or name == "" or name:sub(1, 1) == "/" or name:find("[%c\\]") then
    errors.raise("usage", ("file name %q: give a name relative to the output folder")
      :format(tostring(name)))
  end
  for part in name:gmatch("[^/]+") do
    if part == ".." then
      errors.raise("permission", ("file name %q leads out of the output folder"):format(name))
    end
  end
  return self.output .. "/" .. name
end

--- The file that a call writes, by its options `into` (name below the output folder) and `format`
-- (else the ending of the name tells it, as for `table:write`).
-- @tparam table options
-- @tparam string what the call, for messages
-- @treturn string path, nil when there is no `into`
-- @treturn string name of the format
function methods:file(options, what)
  local into, format = options.into, options.format
  if into == nil then
    if format ~= nil then
      errors.raise("usage", what .. ": format goes with into, the file to write")
    end
    return nil
  end
  local path = self:path(into)
  format = format or table_core.format_of(path)
  if not format then
    errors.raise("usage", ("%s: the ending of %q tells no format: into = %q, or give format = "
      .. '"csv"'):format(what, into, into .. ".csv"))
  end
  return path, format
end

--- Rows to the caller of a query: in the file that it named (see `file`) or in memory.
-- @treturn table rows (their number), and path or table
function methods:result(rows, options, what)
  local path, format = self:file(options, what)
  if path then
    table_core.write(rows, path, format)
  end
  return { rows = #rows, path = path, table = not path and rows or nil }
end

--- Adds the cost of questions: requests and bytes.
function methods:spent(cost)
  self.requests = self.requests + cost.requests
  self.bytes = self.bytes + cost.bytes
  local limit = self.budget.requests
  if limit and self.requests > limit then
    errors.raise("budget", ("%d requests, the workflow's budget is %d: raise budget.requests")
      :format(self.requests, limit))
  end
end

--- Adds downloaded bytes.
function methods:downloaded(bytes)
  self.download_bytes = self.download_bytes + bytes
  local limit = self.budget.download
  if limit and self.download_bytes > limit then
    errors.raise("budget", ("%d bytes downloaded, the workflow's budget is %d: raise "
      .. "budget.download"):format(self.download_bytes, limit), { fault = "limit" })
  end
end

--- Refuses `n` more files when that is beyond the budget.
function methods:require_files(n)
  local limit = self.budget.files
  n = n + #self.files
  for _, queue in ipairs(self.queues) do
    n = n + #queue
  end
  if limit and n > limit then
    errors.raise("budget", ("%d files, the workflow's budget is %d: raise budget.files or select "
      .. "fewer"):format(n, limit))
  end
end

--- Seconds since the record began.
function methods:elapsed()
  return system.monotonic() - self.started
end

--- What a manifest says of the run.
function methods:head(folder)
  return {
    halyard = system.version, written = os.date("!%Y-%m-%dT%H:%M:%SZ"), folder = folder,
    workflow = self.workflow and { name = self.workflow.name, version = self.workflow.version },
    hosts = json.array(self.hosts or {}),
    archive = require("halyard.archive.door").base("download"),
  }
end

--- The record as a table for report.json, without its files.
function methods:summary()
  return {
    workflow = self.workflow,
    requests = self.requests, bytes = self.bytes, download_bytes = self.download_bytes,
    elapsed_s = math.floor(self:elapsed() * 1000 + 0.5) / 1000,
    queries = json.array(table.move(self.queries, 1, #self.queries, 1, {})),
    notes = json.array(table.move(self.notes, 1, #self.notes, 1, {})),
  }
end

-- A file that is there and of no queue.
local function add_entry(list, entry)
  list:add(nil, entry.uri, nil, entry.file, nil, nil, entry.skipped and "there" or "complete",
    entry.tries, entry.bytes, entry.sha256)
end

--- Writes report.json: `document` and all files, one after the other, so that their number does not
-- matter.
function methods:save(document)
  local out <close> = system.create_file(self.output .. "/report.json")
  out:append(system.redact(json.pretty(document)):gsub("\n}$", "") .. ',\n  "files": [')
  local list, any = download.list({ report = out }), false
  for _, entries in ipairs({ self.files, self.made }) do
    for _, entry in ipairs(entries) do
      add_entry(list, entry)
      any = true
    end
  end
  for _, queue in ipairs(self.queues) do
    queue:list(list)
    any = any or #queue > 0
  end
  out:append((any and "\n  " or "") .. "]\n}\n")
  out:commit()
end

return M
