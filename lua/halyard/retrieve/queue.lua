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

-- Where the file of a data URI is: a file at a mission's own address, or at the download service,
-- to which go also those that look like addresses.
local function address_of(uri)
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

local function row_of(self, k)
  return self.rows[self.picked and self.picked[k] or k]
end

-- Finds a path for file `k`: by the workflow, by the name that the catalogue or an address that
-- ends in one gives it (`name`; to ask its service would cost a request for each file), or by an
-- earlier download of its source.
local function name_file(self, k, row, source, name)
  local options = self.options
  local path = options.name and explicit_name(options.name, row, source)
  if name and not path then
    self.digits[k] = take(self.taken, download.place(row, name, options.flat), source)
    return
  end
  local before = not path and self.state:of(source)
  name = before and download.safe_name(before.path:match("[^/]+$"))
  path = name and download.place(row, name, options.flat) or path
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
  local statuses, tries, is_host = self.statuses, self.tries, self.is_host
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
      statuses[k], tries[k] = "waiting", 0
      if not is_host[host] then
        self.hosts[#self.hosts + 1], is_host[host] = host, true
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
      local uri = download.row(row_of(self, k))
      return asked_name(uri)
    end)
    for j, k in ipairs(list) do -- in the order of the rows: the same in every run
      local row = row_of(self, k)
      local _, _, source = download.row(row)
      self.names[k] = download.place(row, download.safe_name(names[j]), self.options.flat)
      self.digits[k] = take(self.taken, self.names[k], source)
    end
  end
  self.unnamed = {}
  self.taken:close()
end

-- What is to be done, and what was ---------------------------------------------------------------

-- Where file `k` goes, below the folder; nil: where its row says.
local function given_place(self, k, row)
  local place, digits = self.names[k], self.digits[k]
  if not digits then
    return place
  end
  local _, _, source, _, name = download.row(row)
  return source and renamed(place or download.place(row, name, self.options.flat), source, digits)
end

-- The address of a row's file, nil where the row gives it itself.
local function archive_address(row)
  local uri = type(row) == "table" and rawget(row, "dataURI")
  return type(uri) == "string" and address_of(uri) or nil
end

--- The file number `k`: uri, source (as records call it), address, direct (of another service),
-- place (below the folder), size and expected_sha256 as the catalogue gives them.
function methods:item(k)
  local row = row_of(self, k)
  local uri, direct, source, _, name, size, sha256 = download.row(row, self.is_host)
  if not uri then
    refuse(row)
  end
  return { uri = uri, address = archive_address(row) or uri, source = source, direct = direct,
    place = given_place(self, k, row) or download.place(row, name, self.options.flat),
    size = size, expected_sha256 = sha256 }
end

--- Has file `k` begin to come in.
-- @tparam integer k
-- @tparam userdata files the set of downloads
-- @tparam[opt] string url a copy in the cloud
function methods:start(k, files, url)
  local row = row_of(self, k)
  local address = not url and archive_address(row)
  self.statuses[k] = "begun"
  if not files:start(k, row, given_place(self, k, row), url or address or nil,
      address and "mast" or nil, self.is_host) then
    refuse(row)
  end
end

--- Adds file `k`, or all files, to a list (`download.list`).
-- @tparam userdata list
-- @tparam[opt] integer k
function methods:list(list, k)
  local add_row, flat, of_archive = list.add_row, self.options.flat, self.is_host.mast
  local statuses, tries, notes, problems = self.statuses, self.tries, self.notes, self.problems
  for i = k or 1, k or self.n do
    local row = row_of(self, i)
    if not add_row(list, self.folder, row, given_place(self, i, row), flat, self.dir,
        of_archive and archive_address(row) or nil, statuses[i], tries[i] or nil, notes[i],
        problems[i], self.is_host) then
      refuse(row)
    end
  end
end

--- Where file `k` goes, below the folder.
function methods:place(k)
  return self:item(k).place
end

local function count(self, status, n)
  self.counts[status] = (self.counts[status] or 0) + n
end

--- File `k` is "complete", "there" (was already) or "listed" (exported).
-- @tparam integer k
-- @tparam string status
-- @tparam[opt] integer bytes of the file
-- @tparam[opt] integer tries requests for it
-- @tparam[opt] string warning
-- @tparam[opt] string from "cloud" or "archive"
function methods:settle(k, status, bytes, tries, warning, from)
  self.statuses[k], self.tries[k] = status, tries or 0
  count(self, status, 1)
  self.requests = self.requests + (tries or 0)
  self.bytes = self.bytes + (bytes or 0)
  self.notes[k], self.origins[k] = warning, from
  if warning then
    count(self, "warned", 1)
    self.first_warned = self.first_warned or k
  end
end

--- File `k` is not there: "failed", "deferred" (a later run may fetch it) or "absent" (not in the
-- cloud), by its error.
function methods:fail(k, status, err)
  self.statuses[k], self.tries[k] = status, err.tries or 0
  count(self, status, 1)
  self.requests = self.requests + self.tries[k]
  local last = self.last_problem -- of a host that is down a million times the same
  if not last or last.code ~= err.code or last.message ~= err.message then
    last = { code = err.code, message = err.message, fault = err.fault }
  end
  self.problems[k], self.last_problem = last, last
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
      self:fail(k, "failed", err)
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

--- Everything about file `k`, as workflows see it: uri, size, file (its name below the output
-- folder), status, tries, ok; of one that is there path, bytes, sha256, etag, skipped, warning,
-- with `cloud` also from; else err.
function methods:entry(k)
  if k < 1 or k > self.n then
    return nil
  end
  local item, status, problem = self:item(k), self.statuses[k], self.problems[k]
  local place = item.place
  local entry = { uri = item.uri, size = item.size, file = self.folder .. "/" .. place,
    status = status, tries = self.tries[k] or nil,
    ok = status == "complete" or status == "there" }
  if entry.ok then
    entry.path = self.dir .. "/" .. place
    entry.bytes, entry.sha256, entry.etag = download.record(self.dir, place)
    entry.skipped, entry.warning, entry.from = status == "there", self.notes[k], self.origins[k]
  elseif problem then
    entry.err = errors.new(problem.code, problem.message, { fault = problem.fault })
  end
  return entry
end

return M
