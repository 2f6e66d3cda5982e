-- SPDX-License-Identifier: BSD-3-Clause
-- The public copies of the archive's files in a cloud bucket (mashup-api section 12): anonymous
-- HTTPS, no account, no signature. The archive says where a copy should be; only the bucket says
-- whether it is there.

local door = require("halyard.archive.door")
local errors = require("halyard.error")
local http = require("halyard.core.http")
local suggest = require("halyard.suggest")
local table_core = require("halyard.core.table")
local task = require("halyard.core.task")

local M = {}

local bucket = "stpubdata"
-- A question is a URL: the service takes some 40 files (mashup-api 6.4), servers some 8,000 bytes.
local batch_uris, batch_bytes = 40, 6000
local parallel_default, parallel_max = 4, 8

local function bucket_url(key)
  return ("%s/%s/%s"):format(door.base("cloud"), bucket, door.escape(key))
end

-- Where copies should be ------------------------------------------------------------------------

-- Lists of URIs, each short enough for one question.
local function batches_of(uris)
  local list, size = {}, math.huge
  for _, uri in ipairs(uris) do
    local bytes = #door.escape(uri) + #"&uri="
    local last = list[#list]
    if not last or #last == batch_uris or size + bytes > batch_bytes then
      last, size = {}, 0
      list[#list + 1] = last
    end
    last[#last + 1] = uri
    size = size + bytes
  end
  return list
end

-- Key in the bucket by URI, for one batch; none for files that are not in the cloud.
local function look_up(uris)
  local arguments = {}
  for i, uri in ipairs(uris) do
    arguments[i] = { "uri", uri }
  end
  arguments[#arguments + 1] = { "use_cloud_path", "True" }
  local said = door.document("path look-up", {
    url = door.url(door.base("download") .. "/api/v0.1/path_lookup/", arguments),
  })
  local keys = {}
  for _, uri in ipairs(uris) do
    local entry = type(said) == "table" and said[uri]
    if type(entry) ~= "table" then
      errors.raise("protocol", ("path look-up: the answer says nothing of %s; check --archive")
        :format(uri))
    end
    local path = entry.status_code == 200 and type(entry.path) == "string" and entry.path
    keys[uri] = path and path:gsub("^/+", "") or nil
  end
  return keys
end

local function keys_of(uris, parallel)
  local keys = {}
  for _, found in ipairs(task.map(batches_of(uris), parallel, function(batch)
    return look_up(batch)
  end)) do
    for uri, key in pairs(found) do
      keys[uri] = key
    end
  end
  return keys
end

-- Does the bucket hold the object? Its size where it says so.
local function head(record, key)
  local reply = http.request({ url = bucket_url(key), method = "HEAD" })
  record:spent({ requests = 1, bytes = 0 })
  if reply.status == 404 then
    return false
  elseif reply.status < 200 or reply.status > 299 then
    errors.raise((reply.status == 429 or reply.status == 503) and "busy" or "archive",
      ("cloud: %s answered HTTP %d; run it again, or leave out cloud"):format(reply.url,
        reply.status), { http_status = reply.status })
  end
  return true, math.tointeger(tonumber(reply.headers and reply.headers["content-length"]))
end

--- For halyard.retrieve: the addresses of copies in the cloud by URI, where there are some.
function M.locate(uris, parallel)
  door.polite(bucket_url(""), parallel)
  local urls = keys_of(uris, parallel_default)
  for uri, key in pairs(urls) do
    urls[uri] = bucket_url(key)
  end
  return urls
end

-- What users see --------------------------------------------------------------------------------

local function begin()
  local record = door.begin("mast", door.base("download"))
  door.polite(bucket_url(""))
  return record
end

-- Distinct URIs of a table with dataURI, a list of rows, a list of URIs or one URI.
local function uris_of(products, what)
  local list, uris, seen = products, {}, {}
  if type(products) == "userdata" then
    list = products:list("dataURI")
  elseif type(products) == "string" then
    list = { products }
  elseif type(products) ~= "table" then
    errors.raise("usage", what .. " takes rows of mast.products, or data URIs")
  end
  for _, value in ipairs(list) do
    local uri = type(value) == "table" and rawget(value, "dataURI") or value
    if type(uri) ~= "string" or uri == "" then
      errors.raise("usage", what .. ": a product has no dataURI; pass rows of mast.products")
    elseif not seen[uri] then
      uris[#uris + 1], seen[uri] = uri, true
    end
  end
  return uris
end

local uri_columns = { "dataURI", "in_cloud", "cloud_uri", "url", "bytes" }

local function uris_in_cloud(products, options)
  local what = "mast.cloud.uris"
  options = options or {}
  suggest.check_keys(options, { "check", "parallel" }, what)
  local parallel = options.parallel or parallel_default
  if math.type(parallel) ~= "integer" or parallel < 1 or parallel > parallel_max then
    errors.raise("usage", ("%s: parallel is a whole number from 1 to %d"):format(what,
      parallel_max))
  end
  local record, uris = begin(), uris_of(products, what)
  if record.dry then
    record.notes[#record.notes + 1] = "the archive would be asked for the copies in the cloud"
    return table_core.from_rows({}, uri_columns)
  end
  local keys = keys_of(uris, parallel)
  local rows = task.map(uris, parallel, function(uri)
    local key, there, bytes = keys[uri], nil, nil
    if key and options.check ~= false then
      there, bytes = head(record, key)
    end
    if not key or there == false then
      return { dataURI = uri, in_cloud = false }
    end
    return { dataURI = uri, in_cloud = true, cloud_uri = ("s3://%s/%s"):format(bucket, key),
      url = bucket_url(key), bytes = bytes }
  end)
  return table_core.from_rows(rows, uri_columns)
end

local function exists(product)
  local what = "mast.cloud.exists"
  local one = type(product) == "table" and rawget(product, "dataURI") or product
  local record, uris = begin(), uris_of(one, what)
  if #uris ~= 1 then
    errors.raise("usage", what .. " takes one product or data URI; mast.cloud.uris takes many")
  elseif record.dry then
    record.notes[#record.notes + 1] = "the archive would be asked for a file's copy in the cloud"
    return false
  end
  local key = look_up(uris)[uris[1]]
  if not key then
    return false
  end
  return head(record, key)
end

-- The prefixes below `prefix`, over all pages of the listing (S3 ListObjectsV2).
local function prefixes(prefix)
  local list, token = {}, nil
  repeat
    local reply = door.reply("cloud", {
      url = door.url(("%s/%s/"):format(door.base("cloud"), bucket), {
        { "list-type", "2" }, { "delimiter", "/" }, { "prefix", prefix },
        { "continuation-token", token },
      }),
    })
    if not reply.body:find("<ListBucketResult", 1, true) then
      errors.raise("protocol", ("cloud: %s sent %s instead of a listing; check --base cloud")
        :format(reply.url, door.looks_like(reply.body)))
    end
    for name in reply.body:gmatch("<CommonPrefixes>%s*<Prefix>([^<]*)</Prefix>") do
      list[#list + 1] = name:gsub("&amp;", "&"):gsub("/$", "")
    end
    local next_token = reply.body:match("<NextContinuationToken>([^<]+)<")
    if reply.body:find("<IsTruncated>true<", 1, true) and (not next_token or next_token == token)
    then
      errors.raise("protocol", "cloud: a listing is cut and says not how it goes on")
    end
    token = next_token
  until not token
  return list
end

local function datasets()
  local record = begin()
  if record.dry then
    record.notes[#record.notes + 1] = "the cloud would be asked what it holds"
    return table_core.from_rows({}, { "dataset" })
  end
  local names = {}
  for _, name in ipairs(prefixes(nil)) do
    if name == "mast" then
      for _, collection in ipairs(prefixes("mast/hlsp/")) do
        names[#names + 1] = collection
      end
    else
      names[#names + 1] = name
    end
  end
  table.sort(names)
  for i, name in ipairs(names) do
    names[i] = { dataset = name }
  end
  return table_core.from_rows(names, { "dataset" })
end

M.cloud = {
  --- Where the copies of products are. The archive is asked in batches, then the bucket for each.
  -- @tparam table products rows of `mast.products`, or a list of data URIs
  -- @tparam[opt] table options `check` (false: believe the archive, do not ask the bucket),
  -- `parallel` (1 to 8, default 4)
  -- @treturn halyard.table one row for each file: dataURI, in_cloud, cloud_uri ("s3://..."), url
  -- (anonymous HTTPS), bytes (with `check`)
  -- @usage mast.cloud.uris(mast.products(observations)):where({ in_cloud = true })
  uris = uris_in_cloud,
  --- Is there a copy of this file?
  -- @param product a row of `mast.products`, or a data URI
  -- @treturn boolean
  -- @treturn[opt] integer its bytes
  exists = exists,
  --- What the bucket holds: the missions, and "mast/hlsp/<collection>".
  -- @treturn halyard.table dataset
  datasets = datasets,
}

return M
