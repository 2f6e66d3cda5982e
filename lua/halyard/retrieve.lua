-- SPDX-License-Identifier: BSD-3-Clause
-- Downloading products and unpacking bundles, as workflows see it. What is to be fetched and where
-- it goes is halyard.retrieve.queue's, how it is fetched halyard.retrieve.fetch's.

local archive = require("halyard.core.archive")
local door = require("halyard.archive.door")
local errors = require("halyard.error")
local fetch = require("halyard.retrieve.fetch")
local outcome = require("halyard.retrieve.outcome")
local queue_module = require("halyard.retrieve.queue")
local report = require("halyard.report")
local suggest = require("halyard.suggest")

local M = {}

local parallel_default, parallel_max = 4, 32
local unpacked_max = 100 << 30

-- Reports -----------------------------------------------------------------------------------------

-- A report is a list of entries that are made when they are looked at.
local queues = setmetatable({}, { __mode = "k" })
local report_methods = {}

--- Entries that failed, or were deferred.
function report_methods:failed()
  local list, queue = {}, queues[self]
  for k = 1, #queue do
    list[#list + 1] = queue.problems[k] and queue:entry(k) or nil
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
        return queue:entry(key)
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
  fetch.run(queue, parallel, on_error, record)
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
    record.made[#record.made + 1] = { uri = file, file = entry.file, bytes = entry.bytes,
      sha256 = entry.sha256, ok = true }
  end
  return list
end

return M
