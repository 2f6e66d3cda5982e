-- SPDX-License-Identifier: BSD-3-Clause
-- Fetches again what the manifests of a run's output folder say failed or was deferred, without the
-- workflow: with its permission to contact hosts, and no other.

local door = require("halyard.archive.door")
local errors = require("halyard.error")
local holdings = require("halyard.core.holdings")
local json = require("halyard.json")
local outcome = require("halyard.retrieve.outcome")
local queue_module = require("halyard.retrieve.queue")
local report = require("halyard.report")
local system = require("halyard.core.system")

local M = {}

local states = { complete = "complete", ["already there"] = "there", failed = "failed",
  deferred = "deferred", ["not in the cloud"] = "absent" }

-- Manifests as they are --------------------------------------------------------------------------

--- What manifest.json at `path` says of its run, and its rows as a table.
function M.read(dir, name)
  local line = holdings.first_line(dir, name)
  local ok, head = pcall(json.decode, line and line:gsub(",%s*$", "") .. "}" or "")
  if not ok or type(head) ~= "table" or type(head.folder) ~= "string" then
    errors.raise("usage", ("%s/%s is not as a run writes it; run the workflow again"):format(dir,
      name))
  end
  return head, require("halyard.core.table").read({ name, "" })
end

-- The rows of a manifest as a queue that is done.
local settled = {}
settled.__index = settled

function settled:__len()
  return #self.rows
end

function settled:place(k)
  return self.rows[k].path
end

function settled:list(list, k)
  local row = self.rows[k]
  local function get(name)
    return rawget(row, name)
  end
  local status = states[row.status]
  local ok, message = status == "complete" or status == "there", get("message")
  list:add(self.folder, row.uri, row.url, row.path, get("size"), get("expected_sha256"), status,
    get("tries"), get("bytes"), get("sha256"), get("etag"), ok and message or nil, not ok
    and { code = get("error") or "archive", message = message or "", fault = get("fault") } or nil)
end

-- The rows to fetch, as rows of products that are made when they are looked at.
local function wanted(rows, numbers)
  return setmetatable({}, {
    __len = function()
      return #numbers
    end,
    __index = function(_, i)
      local row = rows[numbers[i]]
      local direct = row.uri == row.url
      return { dataURI = not direct and row.uri or nil, access_url = direct and row.uri or nil,
        size = rawget(row, "size"), sha256 = rawget(row, "expected_sha256"), place = row.path }
    end,
  })
end

local function is_loopback(url)
  local host = door.host(url) or ""
  return host:find("^127%.") or host:find("^localhost") or host:find("^%[::1%]")
end

local function check_archive(head)
  local now, before = door.base("download"), head.archive
  if before and before ~= now and not (is_loopback(before) and is_loopback(now)) then
    errors.raise("usage", ("the run asked %s, this would ask %s: give --archive %s"):format(before,
      now, before))
  end
end

local function retry(record, dir, name, allowed)
  local head, rows = M.read(dir, name)
  local numbers = {}
  for i = 1, #rows do
    local row = rows[i]
    if row.status == "failed" or row.status == "deferred" then
      if row.uri:find("[?&][^=&%s]+=%*") then
        errors.raise("permission", ("%s: its address held a secret, which no manifest keeps: run "
          .. "the workflow again"):format(row.path))
      end
      numbers[#numbers + 1] = i
    end
  end
  if #numbers == 0 then
    return
  end
  check_archive(head)
  record.hosts = table.move(allowed, 1, #allowed, #head.hosts + 1, head.hosts)
  record.workflow = head.workflow
  report.begin(record) -- these hosts alone may be contacted from here on
  local options = { name = function(row)
    return rawget(row, "place")
  end }
  local folder = name:match("^(.*)/[^/]*$") or "."
  local target = folder == "." and dir or dir .. "/" .. folder
  local queue = queue_module.new(wanted(rows, numbers), options, head.folder, target)
  record:require_hosts(queue.hosts)
  record.manifests[target] = { setmetatable({ rows = rows, folder = head.folder }, settled) }
  require("halyard.retrieve.fetch").run(queue, 4, "keep", record)
end

--- `halyard retry DIR`.
-- @tparam string dir the output folder of a run
-- @tparam list allowed hosts that may be contacted beside those of the workflow
function M.main(dir, allowed)
  if not system.exists(dir .. "/report.json") then
    errors.raise("not_found", ("%s is not the output folder of a run: it has no report.json")
      :format(dir))
  end
  local record = report.begin(report.new({ output = system.default_output(dir), hosts = {} }))
  local _ <close> = report.lock_output()
  local fetch = require("halyard.retrieve.fetch")
  local _ <close> = setmetatable({}, { __close = function()
    errors.try(fetch.flush_few, record) -- of a run that is interrupted
  end })
  local found = {}
  for _, path in ipairs(holdings.tree(dir)) do
    if path:match("[^/]+$") == "manifest.json" then
      found[#found + 1] = path
    end
  end
  table.sort(found)
  for _, name in ipairs(found) do
    retry(record, dir, name, table.move(allowed, 1, #allowed, 1, {}))
  end
  fetch.flush(record)
  local sum = outcome.of(record.queues)
  system.log("info", #found == 0 and "nothing was downloaded here"
    or sum.files == 0 and "nothing failed and nothing is deferred"
    or ("%d of %d files are there now, %d bytes downloaded"):format(
      sum.files - sum.failed - sum.deferred, sum.files, record.download_bytes))
  outcome.warn(sum)
  local err = outcome.failure(sum, ("run halyard retry %s again later"):format(dir))
  if err then
    error(err, 0)
  end
end

return M
