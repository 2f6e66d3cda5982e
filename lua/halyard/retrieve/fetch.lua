-- SPDX-License-Identifier: BSD-3-Clause
-- Fetching what a queue holds: how many at once, what is done about failures, when manifests are
-- written. Not for workflows, which it could take to hosts that they did not declare. The transfer,
-- its checks and the rename into place are C.

local door = require("halyard.archive.door")
local download = require("halyard.core.download")
local errors = require("halyard.error")
local export = require("halyard.retrieve.export")
local http = require("halyard.core.http")
local manifest = require("halyard.retrieve.manifest")
local system = require("halyard.core.system")
local task = require("halyard.core.task")
local watch = require("halyard.retrieve.watch")

local M = {}

local interrupted_most = 20000 -- 55 us of a processor for each, and an interrupt ends a run in 2 s

-- The failure with the file's name. A listed file that is not there is the archive's fault, not the
-- caller's.
local function named(err, path)
  local name = path:match("[^/]+$")
  if err.code == "not_found" then
    err.code = "archive"
    local words = err.message:match("%(HTTP %d+%)(: .+); check the address$") or ""
    err.message = ("%s: the archive lists this file but does not have it (HTTP %d)%s; leave it out "
      .. "or report it to the archive"):format(name, err.http_status or 404, words)
  elseif not err.message:find(name, 1, true) then
    err.message = name .. ": " .. err.message
  end
  return err
end

local function transfer(item, url, auth, queue)
  local existing = queue.options.existing
  return errors.try(download.file, {
    url = url, source = item.source, dir = queue.dir, path = item.place, size = item.size,
    sha256 = item.expected_sha256, replace = existing == "replace", verify = existing == "verify",
    keep_bad = system.setting("keep_bad") == "yes", auth = auth,
  })
end

-- Failures that another copy of the file cannot mend.
local final = { io = true, budget = true, cancelled = true, permission = true }

-- The copy in the cloud: true and what came; false and why not.
local function from_cloud(item, queue)
  local url = queue.cloud_urls[item.uri]
  if not url then
    return false, errors.new("not_found", "the file is not in the cloud", { fault = "permanent" })
  end
  local ok, got = transfer(item, url, nil, queue)
  if not ok and final[got.code] then
    error(named(got, item.place), 0)
  elseif not ok and got.code == "not_found" then
    got = errors.new("not_found", "the file is not in the cloud, though the archive lists it there",
      { fault = "permanent", tries = got.tries })
  end
  return ok, got
end

-- What came. Raises what went wrong, with `absent` when the cloud alone was asked and has it not.
local function fetch(item, queue)
  local cloud = queue.options.cloud
  local ok, got, from = false, nil, nil
  if cloud then
    ok, got = from_cloud(item, queue)
    from = "cloud"
  end
  if not ok and cloud == "only" and got.code == "not_found" then
    got.message = ("%s: %s; cloud = \"first\" takes it from the archive"):format(
      item.place:match("[^/]+$"), got.message)
    got.absent = true
    error(got, 0)
  elseif not ok and cloud ~= "only" then
    ok, got = transfer(item, item.address, not item.direct and "mast" or nil, queue)
    from = "archive"
  end
  if not ok then
    error(named(got, item.place), 0)
  end
  got.from = cloud and from or nil
  return got
end

-- A later run may fetch it, and nothing else need stop for it (fault matrix section 2).
local function is_deferred(err)
  return err.deferred or err.code == "busy" and err.retry_after ~= nil
end

-- Fetches file `k`, notes what became of it. Raises when the others shall not go on.
-- @tparam table item for what is known of it, used again
local function fetch_one(queue, k, on_error, item)
  queue:begin(k)
  local ok, got = errors.try(fetch, queue:item(k, item), queue)
  if ok then
    queue:settle(k, got.skipped and "there" or "complete", got)
    return got
  end
  local err, status = got, got.absent and "absent" or is_deferred(got) and "deferred" or "failed"
  queue:settle(k, status, nil, err)
  local entry
  if type(on_error) == "function" and status == "failed" then
    entry = queue:public_entry(k)
    entry.err = err
  end
  local go_on = status ~= "failed" or on_error == "keep" or entry and on_error(entry)
  if not go_on or err.code == "io" or err.code == "memory" or err.code == "budget" then
    error(err, 0)
  end
end

-- Tasks that take one file after the other, twice as many as may be asked for at once: while some
-- come in, others are looked for or get their names, and no host waits for that.
local function fetch_all(queue, parallel, on_error, record)
  local next_k, done, bytes, tasks = 0, 0, 0, {}
  local function show()
    system.emit("progress", {
      stage = "files", done = done, known = #queue, unit = "files",
      bytes = bytes + download.coming(), elapsed_s = record:elapsed(),
    })
  end
  for i = 1, 2 * parallel do
    tasks[i] = i
  end
  local _ <close> = watch(show)
  task.map(tasks, #tasks, function()
    local item = {}
    while next_k < #queue do
      next_k = next_k + 1
      local got = fetch_one(queue, next_k, on_error, item)
      done = done + 1
      if got and not got.skipped then
        bytes = bytes + got.bytes
        record:downloaded(got.bytes)
      end
      show()
    end
  end)
end

-- A manifest is written after every call, unless a workflow calls so often that this would take
-- more than a tenth of its time: then at its end, by `flush`.
local function write_manifest(record, all)
  local started = system.monotonic()
  manifest.write(all, all.dir, record:head(all.folder))
  all.pending, all.due = false, system.monotonic() + 10 * (system.monotonic() - started)
end

-- The queue has come to its end and belongs into a manifest.
local function note(record, queue)
  local all = record.manifests[queue.dir] or {}
  all[#all + 1] = queue
  all.dir, all.folder, all.pending = queue.dir, queue.folder, true
  record.manifests[queue.dir], queue.noted = all, true
  return all
end

local function save(record, queue)
  local all = note(record, queue)
  if not record.workflow or system.monotonic() >= (all.due or 0) then
    write_manifest(record, all)
  end
end

--- For the runner of workflows: writes what manifests are still to be written. What is under way
-- has come to its end there.
function M.flush(record)
  for _, queue in ipairs(record.queues) do
    if not queue.noted then
      queue:abandon()
      note(record, queue)
    end
  end
  for _, all in pairs(record.manifests) do
    if all.pending then
      write_manifest(record, all)
    end
  end
end

--- For a run that is interrupted, which must not take long: as `flush`, unless there are very many
-- files. Was it done?
function M.flush_few(record)
  local n = 0
  for _, all in pairs(record.manifests) do
    for _, queue in ipairs(all) do
      n = n + #queue
    end
  end
  for _, queue in ipairs(record.queues) do
    n = n + (queue.noted and 0 or #queue)
  end
  if n > interrupted_most then
    return false
  end
  M.flush(record)
  return true
end

-- As many requests at once to each host as the caller says; to MAST never more than 8.
local function be_polite(queue, parallel)
  door.polite(door.base("download"), parallel)
  for _, host in ipairs(queue.hosts) do
    if host ~= "mast" then
      http.limit(host, parallel)
    end
  end
end

--- Fetches what a queue holds, and leaves its manifests.
-- @tparam table queue halyard.retrieve.queue, whose hosts have been allowed
-- @tparam integer parallel
-- @tparam string|function on_error as of `retrieve.products`
-- @tparam table record of the run
function M.run(queue, parallel, on_error, record)
  system.make_dirs(queue.dir)
  be_polite(queue, parallel)
  queue:ask_names(parallel)
  if record.list_for then
    export.write(record.list_for, queue)
    queue.state:close()
    record.notes[#record.notes + 1] = ("%d files are listed in %s"):format(#queue,
      export.file(record.list_for, queue))
    return
  end
  if queue.options.cloud then
    local uris = {}
    for k = 1, #queue do
      uris[k] = queue:item(k).uri
    end
    queue.cloud_urls = require("halyard.archive.cloud").locate(uris, parallel)
  end
  queue.state:close()
  record.queues[#record.queues + 1] = queue
  local whole, why = pcall(fetch_all, queue, parallel, on_error, record)
  if not whole and not errors.is(why, "cancelled") then
    queue:abandon(why)
    errors.try(save, record, queue) -- a full disk must not hide the first failure
  end
  if not whole then
    error(why, 0)
  end
  save(record, queue)
end

return M
