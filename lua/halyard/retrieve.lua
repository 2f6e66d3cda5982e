-- SPDX-License-Identifier: BSD-3-Clause
-- Downloading products: how many at once, what is done about failures, what is told of it. Where
-- files go is halyard.retrieve.queue's; the transfer, its checks and the rename into place are C.

local archive = require("halyard.core.archive")
local door = require("halyard.archive.door")
local download = require("halyard.core.download")
local errors = require("halyard.error")
local export = require("halyard.retrieve.export")
local http = require("halyard.core.http")
local manifest = require("halyard.retrieve.manifest")
local outcome = require("halyard.retrieve.outcome")
local queue_module = require("halyard.retrieve.queue")
local report = require("halyard.report")
local suggest = require("halyard.suggest")
local system = require("halyard.core.system")
local task = require("halyard.core.task")

local M = {}

local parallel_default, parallel_max = 4, 32
local unpacked_max = 100 << 30

-- Reports -----------------------------------------------------------------------------------------

-- A report is a list of entries that are made when they are looked at.
local queues = setmetatable({}, { __mode = "k" })
local report_methods = {}

local function public_entry(queue, k)
  local entry = queue:entry(k)
  if entry then
    entry.source, entry.address, entry.direct, entry.place = nil, nil, nil, nil
    entry.expected_sha256 = nil
  end
  return entry
end

--- Entries that failed, or were deferred.
function report_methods:failed()
  local list, queue = {}, queues[self]
  for k = 1, #queue do
    list[#list + 1] = queue.problems[k] and public_entry(queue, k) or nil
  end
  return list
end

--- Raises `partial` if some files failed, the code of the first failure if all did, `busy` if none
-- failed but some are deferred; returns the report.
function report_methods:check()
  local err = outcome.failure(outcome.of({ queues[self] }),
    "run the same command again to fetch the rest")
  if err then
    error(err, 0)
  end
  return self
end

--- Bytes of all whole files.
function report_methods:bytes()
  return queues[self].bytes
end

local function new_report(queue)
  local self = setmetatable({}, {
    __name = "halyard.files",
    __len = function()
      return #queue
    end,
    __index = function(_, key)
      if math.type(key) == "integer" then
        return public_entry(queue, key)
      end
      return report_methods[key]
    end,
    __pairs = function(t)
      return ipairs(t)
    end,
  })
  queues[self] = queue
  return self
end

-- Fetching ----------------------------------------------------------------------------------------

-- The failure with the file's name. A listed file that is not there is the archive's fault, not the
-- caller's.
local function named(err, path)
  local name = path:match("[^/]+$")
  if err.code == "not_found" then
    err.code = "archive"
    err.message = ("%s: the archive lists this file but does not have it (HTTP %d); leave it out "
      .. "or report it to the archive"):format(name, err.http_status or 404)
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
    auth = auth,
  })
end

-- Failures that another copy of the file cannot mend.
local final = { io = true, budget = true, cancelled = true, permission = true }

-- The copy in the cloud: true and what came; false and why not.
local function from_cloud(item, queue)
  local url = queue.cloud_urls[item.uri]
  if not url then
    return false, errors.new("not_found", "the file is not in the cloud")
  end
  local ok, got = transfer(item, url, nil, queue)
  if not ok and final[got.code] then
    error(named(got, item.place), 0)
  elseif not ok and got.code == "not_found" then
    got = errors.new("not_found", "the file is not in the cloud, though the archive lists it there")
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
local function fetch_one(queue, k, on_error)
  local ok, got = errors.try(fetch, queue:item(k), queue)
  if ok then
    queue:settle(k, got.skipped and "there" or "complete", got)
    return got
  end
  local err, status = got, got.absent and "absent" or is_deferred(got) and "deferred" or "failed"
  queue:settle(k, status, nil, err)
  local entry
  if type(on_error) == "function" and status == "failed" then
    entry = public_entry(queue, k)
    entry.err = err
  end
  local go_on = status ~= "failed" or on_error == "keep" or entry and on_error(entry)
  if not go_on or err.code == "io" or err.code == "budget" then
    error(err, 0)
  end
end

-- Tasks that take one file after the other, twice as many as may be asked for at once: while some
-- come in, others are looked for or get their names, and no host waits for that.
local function fetch_all(queue, parallel, on_error, record)
  local next_k, done, bytes, tasks = 0, 0, 0, {}
  for i = 1, 2 * parallel do
    tasks[i] = i
  end
  task.map(tasks, #tasks, function()
    while next_k < #queue do
      next_k = next_k + 1
      local got = fetch_one(queue, next_k, on_error)
      done = done + 1
      if got and not got.skipped then
        bytes = bytes + got.bytes
        record:downloaded(got.bytes)
      end
      system.emit("progress", {
        stage = "files", done = done, known = #queue, unit = "files", bytes = bytes,
        elapsed_s = record:elapsed(),
      })
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

local function save(record, queue)
  local all = record.manifests[queue.dir] or {}
  all[#all + 1] = queue
  all.dir, all.folder, all.pending = queue.dir, queue.folder, true
  record.manifests[queue.dir] = all
  if not record.workflow or system.monotonic() >= (all.due or 0) then
    write_manifest(record, all)
  end
end

--- For the runner of workflows: writes what manifests are still to be written.
function M.flush(record)
  for _, all in pairs(record.manifests) do
    if all.pending then
      write_manifest(record, all)
    end
  end
end

local function check_options(options)
  suggest.check_keys(options, { "dir", "parallel", "on_error", "flat", "name", "existing",
    "cloud" }, "retrieve.products")
  local n = options.parallel or parallel_default
  if math.type(n) ~= "integer" or n < 1 or n > parallel_max then
    errors.raise("usage", ("parallel is a whole number from 1 to %d"):format(parallel_max))
  end
  local existing = options.existing or "skip"
  if existing ~= "skip" and existing ~= "replace" and existing ~= "verify" then
    errors.raise("usage", 'existing is "skip", "replace" or "verify"')
  end
  if options.cloud ~= nil and options.cloud ~= "first" and options.cloud ~= "only" then
    errors.raise("usage", 'cloud is "first" (then the archive) or "only"')
  end
  if options.name ~= nil and type(options.name) ~= "function" then
    errors.raise("usage", "name is a function of a row that gives the file's name below dir")
  end
  local on_error = options.on_error or "stop"
  if on_error ~= "stop" and on_error ~= "keep" and type(on_error) ~= "function" then
    errors.raise("usage", 'on_error is "stop", "keep" or a function of the failed entry')
  end
  return n, on_error
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

--- For halyard.retrieve.retry: fetches what a queue holds, and leaves its manifests.
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
  if not whole and (not errors.is(why) or why.code == "cancelled") then
    error(why, 0)
  elseif not whole then
    queue:abandon()
    errors.try(save, record, queue) -- a full disk must not hide the first failure
    error(why, 0)
  end
  save(record, queue)
end

--- Downloads products. What is already there, whole, is not fetched again. Files that are there
-- under their final name are whole, always.
-- @tparam table products rows from `mast.products` (table or list of rows with dataURI), or rows of
-- any service with access_url. A column sha256 is what the file must have
-- @tparam[opt] table options `dir` (below the output folder, default "mastDownload"), `parallel`
-- (1-32, default 4), `flat` (no sub-folders), `name` (a function of a row that gives the file's
-- name below `dir`, or nil for the usual one), `on_error` ("stop", "keep", or a function of the
-- failed entry that returns true to go on; default "stop": what can be fetched after a deferred
-- file is fetched, then it is raised), `existing` (what becomes of files that
-- are there: "skip", the default, leaves them when they are these products, whole, and raises `io`
-- when they are not; "verify" the same, but reads them and compares SHA-256; "replace": files that
-- are not these products are overwritten), `cloud` ("first": the public copy in the cloud where
-- there is one, else the archive; "only": files that are not in the cloud are entries with `err`,
-- and do not stop the others)
-- @treturn report list with one entry per file: uri, file (below the output folder), path, bytes,
-- sha256, skipped, ok, err, warning, tries, status ("complete", "there", "failed", "deferred": a
-- later run may fetch it, "absent"), with `cloud` also from ("cloud", "archive"); methods check(),
-- failed(), bytes(). manifest.csv and manifest.json in `dir` say the same of all files that the run
-- put there
-- @raise `usage`, `io`; transfer failures are entries unless `on_error` says stop
-- @usage retrieve.products(rows, { dir = "tess", on_error = "keep" }):check()
function M.products(products, options)
  options = options or {}
  local parallel, on_error = check_options(options)
  local record = report.current()
  local folder = options.dir or "mastDownload"
  local queue = queue_module.new(products, options, folder, record:path(folder))
  record:require_hosts(queue.hosts)
  if record.dry then
    record.notes[#record.notes + 1] = ("the selected files would be downloaded into %s")
      :format(folder)
    queue.n = 0
    return new_report(queue)
  end
  record:require_files(#queue)
  M.run(queue, parallel, on_error, record)
  local files = new_report(queue)
  return on_error == "stop" and queue:count("deferred") > 0 and files:check() or files
end

--- Unpacks a zip or tar.gz that lies below the output folder. The files appear all together or not
-- at all. Members with names that lead elsewhere, links, devices, more than 10,000 files or 200
-- times the bundle's size are refused; other names are made safe.
-- @tparam string file the bundle, below the output folder
-- @tparam[opt] table options `dir` (the folder to make, below the output folder; default: the
-- bundle's name without its ending), `replace` (true: a folder of that name, with all that is in
-- it, is replaced)
-- @treturn table list of files: path (in the output folder), file (below it), bytes, sha256
-- @raise `integrity` (damaged, or refused), `budget` (too large), `io` (also when the folder is
-- there), `protocol` (no zip or tar.gz; the file is removed), `not_found`
-- @usage retrieve.unpack("mastDownload/bundle.zip", { dir = "mastDownload/bundle" })
function M.unpack(file, options)
  options = options or {}
  suggest.check_keys(options, { "dir", "replace" }, "retrieve.unpack")
  local record = report.current()
  record:path(file)
  local into = options.dir or file:gsub("%.zip$", ""):gsub("%.tgz$", ""):gsub("%.tar%.gz$", "")
  record:path(into)
  if into == file then
    errors.raise("usage", ("retrieve.unpack: %s has no ending .zip or .tar.gz: give dir")
      :format(file))
  end
  if record.dry then
    record.notes[#record.notes + 1] = ("%s would be unpacked into %s"):format(file, into)
    return {}
  end
  local list, head = archive.unpack({
    dir = record.output, file = file, into = into, replace = options.replace,
    max_bytes = record.budget.download or unpacked_max,
  })
  if not list then
    errors.raise("protocol", ("%s is neither zip nor tar.gz but %s"):format(file,
      door.looks_like(head)), { head = head })
  end
  for _, entry in ipairs(list) do
    entry.file = into .. "/" .. entry.path
    entry.path = record.output .. "/" .. entry.file
  end
  return list
end

return M
