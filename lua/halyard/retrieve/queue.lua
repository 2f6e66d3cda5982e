-- SPDX-License-Identifier: BSD-3-Clause
-- The files of one download: what a row means (source, address, name), each source once, where each
-- file goes and what became of it. Rows stay in their table, and what came is in the state of the
-- folder: a queue holds per file a status and a number of tries, so that a million files fit.

local door = require("halyard.archive.door")
local download = require("halyard.core.download")
local errors = require("halyard.error")
local holdings = require("halyard.core.holdings")
local http = require("halyard.core.http")
local system = require("halyard.core.system")
local task = require("halyard.core.task")

local M = {}

local head_deadline_s = 60

local methods = {}
methods.__index = methods

function methods:__len()
  return self.n
end

-- What a row means -------------------------------------------------------------------------------

-- Why a row is none of a file.
local function refuse(row)
  if type(row) ~= "table" then
    errors.raise("usage", ("retrieve.products takes rows, not a %s; a data URI alone is "
      .. "{ dataURI = uri }"):format(type(row)))
  end
  local url = rawget(row, "access_url")
  if not rawget(row, "dataURI") and type(url) == "string" and door.host(url) then
    errors.raise("usage", ("%s is a document of links, not a file: pass vo.datalink(rows):this()")
      :format(url))
  end
  errors.raise("usage", "a product row has no dataURI or access_url; pass rows of mast.products")
end

local mashup

-- Where a file is: an address, a file at a mission's own address, or a data URI. MAST's own URIs,
-- some of which look like addresses, go to its download service.
local function address_of(uri, direct)
  if direct then
    return uri
  end
  local mission, product = uri:match("^mission:([%w_]+)/(.+)$")
  if mission then
    return require("halyard.archive.missions").file_url(mission, product)
  end
  mashup = mashup or require("halyard.archive.mashup") -- other services' files do without
  return mashup.file_url(uri)
end

-- Names ------------------------------------------------------------------------------------------

-- A name that the workflow gives is taken as it is, or refused (security model 7.1).
local function explicit_name(give, row, uri)
  local name = give(row)
  if name == nil then
    return nil
  end
  local good = type(name) == "string" and name ~= "" and not name:find("^/") and not name:find("/$")
  for part in (good and name or ""):gmatch("[^/]*") do
    good = good and part ~= "" and download.safe_name(part) == part
  end
  if not good then
    errors.raise("usage", ("name gives %q for %s: a name below dir is wanted, without \"..\", "
      .. "leading dots and characters that file systems refuse"):format(tostring(name), uri))
  end
  return name
end

-- The last part of an address: a file name at the end of its arguments, else of its path.
local function name_in_url(url)
  local path, query = url:gsub("#.*$", ""):match("^%a+://[^/?]*([^?]*)%??(.*)$")
  return query:match("=([^/&=]+%.%w+)$") or query:match("/([^/&=]+%.%w+)$")
    or path:match("([^/]+)/*$") or "file"
end

-- Layout as astroquery: <collection>/<observation>/<file>, or flat (mashup-api 10.3).
-- @tparam string name a safe one
local function laid_out(row, name, flat)
  if flat then
    return name
  end
  return ("%s/%s/%s"):format(download.safe_name(rawget(row, "obs_collection") or "unknown"),
    download.safe_name(rawget(row, "obs_id") or "unknown"), name)
end

-- A name that an earlier file has gets digits of its source's SHA-256 before its ending, the same
-- in every run: 8, more where even those are taken.
local function renamed(path, uri, digits)
  local stem, ending = path:match("^(.*[^/])(%.%w+%.%w+)$")
  if not stem then
    stem, ending = path:match("^(.*[^/])(%.%w+)$")
  end
  return ("%s~%s%s"):format(stem or path, system.sha256(uri):sub(1, digits), ending or "")
end

-- How many digits `path` needs to be new; nil: none. The name is taken then.
local function take(taken, path, uri)
  if taken:add(path) then
    return nil
  end
  for digits = 8, 64, 8 do
    if taken:add(renamed(path, uri, digits)) then
      return digits
    end
  end
end

-- The name of the file as its service gives it, else as its address does.
local function asked_name(url)
  local ok, reply = errors.try(http.request, { url = url, method = "HEAD", tries = 2,
    deadline = head_deadline_s })
  local said = ok and reply.status < 300 and reply.headers["content-disposition"]
  return said and download.disposition(said) or name_in_url(url)
end

-- Making a queue ---------------------------------------------------------------------------------

-- The row of file `k` and what `download.row` says of it. Rows may be a list of the script's,
-- which can change after its hosts were allowed.
local function look_up(self, k)
  local row = self.rows[self.picked and self.picked[k] or k]
  local uri, direct, source, host, name, size, sha256 = download.row(row)
  if not uri then
    refuse(row)
  elseif not self.is_host[host] then
    errors.raise("permission", ("a row was changed to %s while files were being fetched")
      :format(source), { fault = "limit" })
  end
  return row, uri, direct, source, name, size, sha256
end

-- Finds a path for file `k`: by the workflow, by the name that the catalogue or an address that
-- ends in one gives it (`name`; to ask its service would cost a request for each file), or by an
-- earlier download of its source.
local function name_file(self, k, row, source, name)
  local options = self.options
  local path = options.name and explicit_name(options.name, row, source)
  if name and not path then
    self.digits[k] = take(self.taken, laid_out(row, name, options.flat), source)
    return
  end
  local before = not path and self.state:of(source)
  name = before and download.safe_name(before.path:match("[^/]+$"))
  path = name and laid_out(row, name, options.flat) or path
  if path then
    self.names[k], self.digits[k] = path, take(self.taken, path, source)
  else
    self.unnamed[#self.unnamed + 1] = k
  end
end

--- A queue of the distinct files of `products`.
-- @tparam table products table or list of rows
-- @tparam table options those of `retrieve.products`
-- @tparam string folder name of the folder below the output folder
-- @tparam string dir the folder itself
function M.new(products, options, folder, dir)
  if type(products) ~= "table" and type(products) ~= "userdata" then
    errors.raise("usage", "retrieve.products takes a table or list of rows of mast.products, not "
      .. (products == nil and "nothing" or "a " .. type(products)))
  end
  local self = setmetatable({
    rows = products, options = options, folder = folder, dir = dir, n = 0, hosts = {}, is_host = {},
    state = holdings.state(dir), taken = download.names(true), digits = {}, names = {},
    unnamed = {}, statuses = {}, tries = {}, notes = {}, problems = {}, origins = {},
    bytes = 0, requests = 0, counts = {},
  }, methods)
  local sources <close> = download.names(false)
  for i = 1, #products do
    local row = products[i]
    local uri, _, source, host, name = download.row(row)
    if not uri then
      refuse(row)
    elseif sources:add(source) then
      local k = self.n + 1
      self.n = k
      if self.picked then
        self.picked[k] = i
      end
      self.statuses[k], self.tries[k] = "waiting", 0
      if not self.is_host[host] then
        self.hosts[#self.hosts + 1], self.is_host[host] = host, true
      end
      name_file(self, k, row, source, name)
    elseif not self.picked then
      self.picked = {}
      for k = 1, self.n do
        self.picked[k] = k
      end
    end
  end
  return self
end

--- Asks the services for the names of files that no catalogue names.
function methods:ask_names(parallel)
  local block = 1000
  for first = 1, #self.unnamed, block do
    local list = table.move(self.unnamed, first, math.min(first + block - 1, #self.unnamed), 1, {})
    local names = task.map(list, parallel, function(k)
      local _, uri = look_up(self, k)
      return asked_name(uri)
    end)
    for j, k in ipairs(list) do -- in the order of the rows: the same in every run
      local row, _, _, source = look_up(self, k)
      self.names[k] = laid_out(row, download.safe_name(names[j]), self.options.flat)
      self.digits[k] = take(self.taken, self.names[k], source)
    end
  end
  self.unnamed = {}
  self.taken:close()
end

-- What is to be done, and what was ---------------------------------------------------------------

--- The file number `k`: uri, source (as records call it), address, direct (of another service),
-- place (below the folder), size and expected_sha256 as the catalogue gives them.
-- @tparam integer k
-- @tparam[opt] table item to be used again: thousands of new ones would only be collected
function methods:item(k, item)
  item = item or {}
  local row, uri, direct, source, name, size, sha256 = look_up(self, k)
  local place = self.names[k] or name and laid_out(row, name, self.options.flat)
  if self.digits[k] then
    place = renamed(place, source, self.digits[k])
  end
  item.uri, item.source, item.direct, item.address = uri, source, direct, address_of(uri, direct)
  item.place, item.size, item.expected_sha256 = place, size, sha256
  return item
end

local function count(self, status, n)
  self.counts[status] = (self.counts[status] or 0) + n
end

--- Notes what became of file `k`: "complete", "there" (was already), "failed", "deferred" (a later
-- run may fetch it), "absent" (not in the cloud), "listed" (exported); by what came, or the error.
function methods:settle(k, status, got, err)
  self.statuses[k] = status
  count(self, status, 1)
  self.tries[k] = got and got.tries or err and err.tries or 0
  self.requests = self.requests + self.tries[k]
  if got then
    self.bytes = self.bytes + got.bytes
    self.notes[k], self.origins[k] = got.warning, got.from
    if got.warning then
      count(self, "warned", 1)
      self.first_warned = self.first_warned or k
    end
  elseif err then
    local last = self.last_problem -- of a host that is down a million times the same
    if not last or last.code ~= err.code or last.message ~= err.message then
      last = { code = err.code, message = err.message, fault = err.fault }
    end
    self.problems[k], self.last_problem = last, last
  end
end

--- File `k` is being fetched from now on.
function methods:begin(k)
  self.statuses[k] = "begun"
end

--- The rest is not fetched, because of `why`, another failure; nil: the run was interrupted. Of
-- what had begun nobody knows the tries.
function methods:abandon(why)
  local err = errors.new("cancelled", ("not downloaded, because %s: run the same command again")
    :format(why and "another file failed" or "the run ended before"),
    { fault = errors.is(why) and why.fault or "local" })
  for k = 1, self.n do
    local begun = self.statuses[k] == "begun"
    if begun or self.statuses[k] == "waiting" then
      self:settle(k, "failed", nil, err)
      self.tries[k] = not begun and 0
    end
  end
end

--- Number of the first file that failed, else of the first that is deferred; nil: none.
function methods:first_failure()
  local deferred
  for k = 1, next(self.problems) and self.n or 0 do
    if self.problems[k] and self.statuses[k] ~= "deferred" then
      return k
    end
    deferred = deferred or self.problems[k] and k or nil
  end
  return deferred
end

--- How many files are in that state; "warned": how many are there with a warning.
function methods:count(status)
  return self.counts[status] or 0
end

--- Everything about file `k`, as reports and manifests tell it: what `item` does, and file (its
-- name below the output folder), status, tries, ok, skipped, bytes, sha256, etag, warning, from,
-- err.
-- @tparam integer k
-- @tparam[opt] table entry of another file, to be used again
function methods:entry(k, entry)
  if k < 1 or k > self.n then
    return nil
  end
  local status, problem = self.statuses[k], self.problems[k]
  entry = self:item(k, entry)
  entry.file, entry.status = self.folder .. "/" .. entry.place, status
  entry.tries = self.tries[k] or nil
  entry.ok = status == "complete" or status == "there"
  if entry.ok then
    entry.bytes, entry.sha256, entry.etag = download.record(self.dir, entry.place)
    entry.skipped, entry.warning, entry.from = status == "there", self.notes[k], self.origins[k]
    entry.err = nil
  else
    entry.bytes, entry.sha256, entry.etag = nil, nil, nil
    entry.skipped, entry.warning, entry.from = nil, nil, nil
    entry.err = problem
      and errors.new(problem.code, problem.message, { fault = problem.fault }) or nil
  end
  return entry
end

--- The same with the path of a file that is there, without what only this program needs.
function methods:public_entry(k)
  local entry = self:entry(k)
  if entry then
    entry.path = entry.ok and self.dir .. "/" .. entry.place or nil
    entry.source, entry.address, entry.direct, entry.place = nil, nil, nil, nil
    entry.expected_sha256 = nil
  end
  return entry
end

return M
