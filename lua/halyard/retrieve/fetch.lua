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

-- A later run may fetch it, and nothing else need stop for it (fault matrix section 2).
local function is_deferred(err)
  return err.deferred or err.code == "busy" and err.retry_after ~= nil
end

-- Failures that another copy of the file cannot mend.
local final = { io = true, budget = true, cancelled = true, permission = true }

-- File `k` is not there. Raises when the others shall not go on.
local function failed(work, k, err)
  local queue, on_error = work.queue, work.on_error
  local status = err.absent and "absent" or is_deferred(err) and "deferred" or "failed"
  queue:fail(k, status, err)
  local entry
  if type(on_error) == "function" and status == "failed" then
    entry = queue:entry(k)
    entry.err = err
  end
  local go_on = status ~= "failed" or on_error == "keep" or entry and on_error(entry)
  if not go_on or err.code == "io" or err.code == "memory" or err.code == "budget" then
    error(err, 0)
  end
end

-- The cloud, which alone was to be asked, has no such file.
local function absent(work, k, message, tries)
  failed(work, k, errors.new("not_found", ("%s: %s; cloud = \"first\" takes it from the archive")
    :format(work.queue:place(k):match("[^/]+$"), message),
    { fault = "permanent", absent = true, tries = tries }))
end

-- Did file `k` begin to come in?
local function begin(work, k)
  local queue, from = work.queue, work.from
  local cloud = queue.options.cloud
  local url = cloud and queue.cloud_urls[queue:item(k).uri]
  if url or cloud ~= "only" then
    from[k] = cloud and (url and "cloud" or "archive") or nil
    queue:start(k, work.files, url)
    return true
  end
  absent(work, k, "the file is not in the cloud")
  return false
end

-- As `failed`, unless another copy may mend it: then true.
local function try_elsewhere(work, k, err)
  local queue, from = work.queue, work.from
  local cloud = from[k] == "cloud" and not final[err.code] and queue.options.cloud
  if cloud == "first" then
    from[k] = "archive"
    queue:start(k, work.files)
    return true
  elseif cloud == "only" and err.code == "not_found" then
    absent(work, k, "the file is not in the cloud, though the archive lists it there", err.tries)
  else
    failed(work, k, named(err, queue:place(k)))
  end
end

-- Four times as many files are under way as may be asked for at once: while some come in, others
-- are looked for or get their names, and no host waits for that.
local function drive(work, parallel, record)
  local queue, files, n_files = work.queue, work.files, #work.queue
  local next_k, done, shown, bytes = 0, 0, 0, 0
  local function show()
    shown = done
    system.emit("progress", {
      stage = "files", done = done, known = n_files, unit = "files",
      bytes = bytes + download.coming(), elapsed_s = record:elapsed(),
    })
  end
  local _ <close> = watch(show)
  repeat
    while next_k < n_files and next_k - done < 4 * parallel do
      next_k = next_k + 1
      if not begin(work, next_k) then
        done = done + 1
      end
    end
    local k, n, skipped, tries, warning = files:next()
    if n then
      queue:settle(k, skipped and "there" or "complete", n, tries, warning, work.from[k])
      done = done + 1
      if not skipped then
        bytes = bytes + n
        record:downloaded(n)
      end
    elseif k and not try_elsewhere(work, k, skipped) then
      done = done + 1
    end
    if done ~= shown and not files:has_ended() then -- else more is told at once
      show()
    end
  until not k
end

local function fetch_all(queue, parallel, on_error, record)
  local existing = queue.options.existing
  local files <close> = download.set({ dir = queue.dir, flat = queue.options.flat or false,
    replace = existing == "replace", verify = existing == "verify",
    keep_bad = system.setting("keep_bad") == "yes" })
  local work = { queue = queue, files = files, on_error = on_error, from = {} }
  local ok, why = pcall(drive, work, parallel, record)
  if not ok then
    files:cancel()
    repeat until not files:next() -- their ends: no transfer outlives the call
    error(why, 0)
  end
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
  for _, host in ipairs(queue.hosts) do
    if host == "mast" then
      door.limit(door.base("download"), parallel)
    else
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
