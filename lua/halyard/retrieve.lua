-- SPDX-License-Identifier: BSD-3-Clause
-- Downloading products: where each file goes, how many at once, what became of each. The transfer,
-- its verification and the rename into place are C.

local archive = require("halyard.core.archive")
local door = require("halyard.archive.door")
local download = require("halyard.core.download")
local errors = require("halyard.error")
local http = require("halyard.core.http")
local mashup = require("halyard.archive.mashup")
local report = require("halyard.report")
local suggest = require("halyard.suggest")
local system = require("halyard.core.system")
local table_core = require("halyard.core.table")
local task = require("halyard.core.task")

local M = {}

local parallel_default, parallel_max = 4, 32
local unpacked_max = 100 << 30

local report_methods = {}
report_methods.__index = report_methods

--- Entries that failed.
function report_methods:failed()
  local list = {}
  for _, entry in ipairs(self) do
    list[#list + 1] = not entry.ok and entry or nil
  end
  return list
end

--- Raises `partial` if some files failed, the code of the first failure if all did; returns the
-- report.
function report_methods:check()
  local failed = self:failed()
  if #failed > 0 then
    errors.raise(#failed < #self and "partial" or failed[1].err.code,
      ("%d of %d files failed, the first: %s; run the same command again to fetch the rest")
      :format(#failed, #self, tostring(failed[1].err)))
  end
  return self
end

--- Bytes of all whole files.
function report_methods:bytes()
  local sum = 0
  for _, entry in ipairs(self) do
    sum = sum + (entry.bytes or 0)
  end
  return sum
end

-- Last component of a product's file name: URL-type products carry CGI text before it.
local function base_name(row)
  local name = rawget(row, "productFilename") or row.dataURI
  return name:match("([^/]+)/*$") or name
end

-- Layout as astroquery: <dir>/<collection>/<observation>/<file>, or flat (specification 10.3).
local function relative_path(row, flat)
  local name = download.safe_name(base_name(row))
  if flat then
    return name
  end
  return ("%s/%s/%s"):format(download.safe_name(rawget(row, "obs_collection") or "unknown"),
    download.safe_name(rawget(row, "obs_id") or "unknown"), name)
end

local direct = {} -- key of the address in rows of other services

-- A row of another service (`access_url`) as a row of products.
local function product_of(row)
  local url = rawget(row, "access_url")
  if rawget(row, "dataURI") or type(url) ~= "string" or not door.host(url) then
    return row
  end
  local kind = rawget(row, "access_format") or rawget(row, "content_type")
  if type(kind) == "string" and kind:lower():find("content=datalink", 1, true) then
    errors.raise("usage", ("%s is a document of links, not a file: pass vo.datalink(rows):this()")
      :format(url))
  end
  return {
    [direct] = url, dataURI = url, productFilename = url:match("([^/=]+)[/=]*$"),
    obs_id = rawget(row, "obs_id"), obs_collection = rawget(row, "obs_collection"),
    size = rawget(row, "content_length"),
  }
end

-- Where a file is: an address, a file at a mission's own address, or a data URI. MAST's own URIs,
-- some of which look like addresses, go to its download service.
local function address_of(entry)
  local mission, product = entry.uri:match("^mission:([%w_]+)/(.+)$")
  if entry.address then
    return entry.address
  elseif mission then
    return require("halyard.archive.missions").file_url(mission, product)
  end
  return mashup.file_url(entry.uri)
end

-- Rows as a list of tables, each file once.
local function listed(products)
  local rows, seen = {}, {}
  local function add(row)
    row = product_of(row)
    local uri = rawget(row, "dataURI")
    if type(uri) ~= "string" or uri == "" then
      errors.raise("usage", "a product row has no dataURI or access_url; pass rows of "
        .. "mast.products")
    elseif not seen[uri] then
      rows[#rows + 1], seen[uri] = row, true
    end
  end
  if type(products) == "userdata" then
    for _, row in products:rows() do
      add(row)
    end
  else
    for _, row in ipairs(products) do
      add(row)
    end
  end
  return rows
end

-- A name that an earlier file of the call has gets 8 digits of its source's SHA-256 before its
-- ending (security model 7.1), the same in every run.
local function renamed(path, uri)
  local stem, ending = path:match("^(.*[^/])(%.%w+%.%w+)$")
  if not stem then
    stem, ending = path:match("^(.*[^/])(%.%w+)$")
  end
  return ("%s~%s%s"):format(stem or path, system.sha256(uri):sub(1, 8), ending or "")
end

-- One entry per row, with paths that differ in more than case.
local function entries_of(rows, options, folder)
  local entries, taken = {}, {}
  for i, row in ipairs(rows) do
    local path = relative_path(row, options.flat)
    if taken[path:lower()] then
      path = renamed(path, row.dataURI)
    end
    taken[path:lower()] = true
    local size = tonumber(rawget(row, "size"))
    entries[i] = {
      uri = row.dataURI, address = rawget(row, direct), file = folder .. "/" .. path,
      size = size and size > 0 and math.tointeger(size) or nil,
    }
  end
  return entries
end

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

local function transfer(entry, url, auth, dir, path, options)
  return errors.try(download.file, {
    url = url, source = entry.uri, dir = dir, path = path, size = entry.size,
    replace = options.existing == "replace", verify = options.existing == "verify", auth = auth,
  })
end

-- Failures that another copy of the file cannot mend.
local final = { io = true, budget = true, cancelled = true, permission = true }

-- The copy in the cloud: true and what came; false and why not.
local function from_cloud(entry, dir, path, options)
  if not entry.cloud_url then
    return false, errors.new("not_found", "the file is not in the cloud")
  end
  local ok, got = transfer(entry, entry.cloud_url, nil, dir, path, options)
  if not ok and final[got.code] then
    error(named(got, path), 0)
  elseif not ok and got.code == "not_found" then
    got = errors.new("not_found", "the file is not in the cloud, though the archive lists it there")
  end
  return ok, got
end

local function fetch(entry, dir, folder, options)
  local path = entry.file:sub(#folder + 2)
  local ok, got
  if options.cloud then
    ok, got = from_cloud(entry, dir, path, options)
    entry.from = ok and "cloud" or nil
    entry.absent = not ok and options.cloud == "only" and got.code == "not_found"
  end
  if entry.absent then
    got.message = ("%s: %s; cloud = \"first\" takes it from the archive"):format(
      path:match("[^/]+$"), got.message)
    error(got, 0)
  elseif not ok and options.cloud ~= "only" then
    local auth = not entry.address and "mast" or nil
    ok, got = transfer(entry, address_of(entry), auth, dir, path, options)
    entry.from = ok and "archive" or nil
  end
  if not ok then
    error(named(got, path), 0)
  end
  entry.path, entry.bytes, entry.sha256 = dir .. "/" .. path, got.bytes, got.sha256
  entry.skipped, entry.warning, entry.ok = got.skipped, got.warning, true
end

-- All files that this run put into `dir`: a later call's entry of a file replaces the earlier one.
local function manifest(record, entries, dir)
  record.manifests = record.manifests or {}
  local all, at = {}, {}
  for _, list in ipairs({ record.manifests[dir] or {}, entries }) do
    for _, entry in ipairs(list) do
      at[entry.file] = at[entry.file] or #all + 1
      all[at[entry.file]] = entry
    end
  end
  record.manifests[dir] = all
  local rows = {}
  for i, entry in ipairs(all) do
    rows[i] = {
      ["Local Path"] = entry.ok and entry.file or "",
      Status = entry.ok and "COMPLETE" or entry.absent and "SKIPPED" or "ERROR",
      Message = entry.err and tostring(entry.err) or "",
      URL = entry.ok and "" or address_of(entry),
      Bytes = entry.bytes, SHA256 = entry.sha256, URI = entry.uri,
    }
  end
  table_core.from_rows(rows, { "Local Path", "Status", "Message", "URL", "Bytes", "SHA256", "URI" })
    :write(dir .. "/manifest.csv", "csv")
end

-- Records what a failure left undone, then raises it.
local function stop(record, entries, dir, err)
  if not errors.is(err) or err.code == "cancelled" then
    error(err, 0)
  end
  for _, entry in ipairs(entries) do
    if entry.ok == nil then
      entry.ok = false
      entry.err = errors.new("cancelled", "not downloaded, because another file failed: run the "
        .. "same command again")
    end
  end
  errors.try(manifest, record, entries, dir) -- a full disk must not hide the first failure
  error(err, 0)
end

local function check_options(options)
  suggest.check_keys(options, { "dir", "parallel", "on_error", "flat", "existing", "cloud" },
    "retrieve.products")
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
  local on_error = options.on_error or "stop"
  if on_error ~= "stop" and on_error ~= "keep" and type(on_error) ~= "function" then
    errors.raise("usage", 'on_error is "stop", "keep" or a function of the failed entry')
  end
  return n, on_error
end

--- Downloads products. What is already there, whole, is not fetched again. Files that are there
-- under their final name are whole, always.
-- @tparam table products rows from `mast.products` (table or list of rows with dataURI), or rows of
-- any service with access_url
-- @tparam[opt] table options `dir` (below the output folder, default "mastDownload"), `parallel`
-- (1-32, default 4), `flat` (no sub-folders), `on_error` ("stop", "keep", or a function of the
-- failed entry that returns true to go on; default "stop"), `existing` (what becomes of files that
-- are there: "skip", the default, leaves them when they are these products, whole, and raises `io`
-- when they are not; "verify" the same, but reads them and compares SHA-256; "replace": files that
-- are not these products are overwritten), `cloud` ("first": the public copy in the cloud where
-- there is one, else the archive; "only":
-- files that are not in the cloud are entries with `err`, and do not stop the others)
-- @treturn report list with one entry per file: uri, file (below the output folder), path, bytes,
-- sha256, skipped, ok, err, warning, with `cloud` also from ("cloud", "archive"); methods check(),
-- failed(), bytes(); manifest.csv in `dir` says the same of all files that the run put there
-- @raise `usage`, `io`; transfer failures are entries unless `on_error` says stop
-- @usage retrieve.products(rows, { dir = "tess", on_error = "keep" }):check()
function M.products(products, options)
  options = options or {}
  local parallel, on_error = check_options(options)
  local record = report.current()
  local folder = options.dir or "mastDownload"
  local dir = record:path(folder)
  local entries = entries_of(listed(products), options, folder)
  local asked_hosts = {}
  for i, entry in ipairs(entries) do
    asked_hosts[i] = entry.address and door.host(entry.address) or "mast"
  end
  record:require_hosts(asked_hosts)
  if record.dry then
    record.notes[#record.notes + 1] = ("the selected files would be downloaded into %s")
      :format(folder)
    return setmetatable({}, report_methods)
  end
  local limit = record.budget.files
  if limit and #record.files + #entries > limit then
    errors.raise("budget", ("%d files, the workflow's budget is %d: raise budget.files or select "
      .. "fewer"):format(#record.files + #entries, limit))
  end
  system.make_dirs(dir)
  door.polite(door.base("download"), parallel)
  for _, entry in ipairs(entries) do
    if entry.address then -- of a service that is not MAST's: as many as the caller says
      http.limit(door.host(entry.address), parallel, 0)
    end
  end
  if options.cloud then
    require("halyard.archive.cloud").locate(entries, parallel)
  end
  table.move(entries, 1, #entries, #record.files + 1, record.files)
  local done, bytes = 0, 0
  -- Twice as many as may be asked at once: while some come in, others are looked for or get their
  -- names, and no host waits for that.
  local whole, why = pcall(task.map, entries, 2 * parallel, function(entry)
    local ok, err = errors.try(fetch, entry, dir, folder, options)
    if not ok then
      entry.ok, entry.err = false, err
      local go_on = entry.absent or on_error == "keep"
        or type(on_error) == "function" and on_error(entry)
      if not go_on or err.code == "io" or err.code == "budget" then
        error(err, 0)
      end
    end
    done = done + 1
    if entry.ok and not entry.skipped then
      bytes = bytes + entry.bytes
      record:downloaded(entry.bytes)
    end
    system.emit("progress", {
      stage = "files", done = done, known = #entries, unit = "files", bytes = bytes,
      elapsed_s = record:elapsed(),
    })
  end)
  if not whole then
    stop(record, entries, dir, why)
  end
  manifest(record, entries, dir)
  return setmetatable(entries, report_methods)
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
