-- SPDX-License-Identifier: BSD-3-Clause
-- Files of observations: lists of them, and bundles of many in one archive file or script. Single
-- files are halyard.retrieve's. Section 10 of the protocol specification.

local bundles = require("halyard.archive.bundles")
local door = require("halyard.archive.door")
local download = require("halyard.core.download")
local errors = require("halyard.error")
local json = require("halyard.json")
local mashup = require("halyard.archive.mashup")
local report = require("halyard.report")
local suggest = require("halyard.suggest")
local system = require("halyard.core.system")
local table_core = require("halyard.core.table")
local task = require("halyard.core.task")
local watch = require("halyard.retrieve.watch")

local M = {}

--- Name of the archive's list of product columns.
M.config = "Mast.Caom.Products"

local obsids_per_question = 500 -- as astroquery (10.1)
local unpacked_max = 100 << 30
local full_frames = { "!TESS FFI", "!TICA FFI" }

local function has_column(rows, name)
  for _, column in ipairs(rows.columns) do
    if column == name then
      return true
    end
  end
  return false
end

-- Distinct product group ids as texts, first occurrence first.
local function obsids_of(observations)
  local list = observations
  if type(observations) == "userdata" then
    if not has_column(observations, "obsid") then
      errors.raise("usage", "mast.products needs rows with the column obsid, or a list of obsids")
    end
    if has_column(observations, "target_name") then
      local kept = observations:where({ target_name = full_frames })
      if #kept < #observations then
        system.log("warning", ("products of %d full-frame observations are left out; give their "
          .. "obsids to get them"):format(#observations - #kept))
      end
      observations = kept
    end
    list = observations:list("obsid")
  elseif type(observations) ~= "table" then
    list = { observations }
  end
  local ids, seen = {}, {}
  for _, value in ipairs(list) do
    local id = type(value) == "number" and ("%d"):format(value) or tostring(value):match("%S+")
    if not id or id:find("[^%d]") then
      errors.raise("usage", ("obsid %q is not a number"):format(tostring(value)))
    elseif not seen[id] then
      ids[#ids + 1], seen[id] = id, true
    end
  end
  return ids
end

--- Products (files) of observations, each file once, in the order of the observations.
-- @tparam table observations rows from `mast.observations`, or a list of obsids
-- @treturn halyard.table
function M.products(observations)
  local record = door.begin("mast", door.base("mashup"))
  if record.dry then
    record.notes[#record.notes + 1] = "Mast.Caom.Products would be asked for the files of the "
      .. "observations found"
    return table_core.from_rows({}, {
      "dataURI", "productFilename", "obs_collection", "obs_id", "size", "productType",
      "calib_level", "productGroupDescription", "productSubGroupDescription", "dataproduct_type",
    })
  end
  local ids, batches = obsids_of(observations), {}
  if #ids == 0 then
    errors.raise("not_found", "there are no observations to list products of: widen the search")
  end
  for first = 1, #ids, obsids_per_question do
    batches[#batches + 1] = table.concat(ids, ",", first,
      math.min(first + obsids_per_question - 1, #ids))
  end
  local answers = task.map(batches, 4, function(batch)
    local rows, cost = mashup.rows("Mast.Caom.Products", { obsid = batch })
    record:spent(cost)
    record.queries[#record.queries + 1] = {
      service = "Mast.Caom.Products", rows = #rows, requests = cost.requests, bytes = cost.bytes,
    }
    return rows
  end)
  local rows = door.without(table_core.concat(answers):unique("dataURI"), { _selected_ = true })
  if #rows == 0 then
    system.log("warning", "the archive lists no products of " .. (#ids == 1 and "obsid " .. ids[1]
      or ("%d obsids"):format(#ids)))
  end
  system.emit("progress", { stage = "products", rows = #rows })
  local ok, columns = errors.try(mashup.columns, M.config)
  return door.described(rows, ok and columns or {})
end

-- Bundles ---------------------------------------------------------------------------------------

local endings = { zip = ".zip", ["tar.gz"] = ".tar.gz", sh = ".sh" }
local url_bytes_max = 6000 -- of the files in one address

-- Distinct data URIs of product rows or a list of URIs.
local function uris_of(products)
  local list, seen, out = products, {}, {}
  if type(products) == "userdata" then
    list = products:list("dataURI")
  elseif type(products) ~= "table" then
    errors.raise("usage", "mast.bundle takes rows of mast.products or a list of data URIs")
  end
  for _, uri in ipairs(list) do
    uri = type(uri) == "table" and uri.dataURI or uri
    if type(uri) ~= "string" or uri == "" then
      errors.raise("usage", "a product row has no dataURI; pass rows of mast.products")
    elseif not seen[uri] then
      out[#out + 1], seen[uri] = uri, true
    end
  end
  if #out == 0 then
    errors.raise("not_found", "there are no files to bundle: widen the selection")
  end
  return out
end

local function arguments_of(uris)
  local arguments = {}
  for i, uri in ipairs(uris) do
    arguments[i] = "uri=" .. door.escape(uri, ":")
  end
  return arguments
end

-- Lists of URIs for addresses that servers take, in order.
local function groups_of(uris)
  local groups, size = {}, url_bytes_max
  for i, argument in ipairs(arguments_of(uris)) do
    if size + #argument > url_bytes_max then
      groups[#groups + 1], size = {}, 0
    end
    local group = groups[#groups]
    group[#group + 1], size = uris[i], size + #argument + 1
  end
  return groups
end

-- The script that fetches all files: a text, however many they are.
local function script(uris, path, file)
  local reply = door.reply("bundle", {
    method = "POST", url = door.base("download") .. "/api/v0.1/Download/bundle.sh",
    body = table.concat(arguments_of(uris), "&"), auth = "mast",
    headers = { ["Content-Type"] = "application/x-www-form-urlencoded" },
  })
  if not reply.body:find("^#!") then
    errors.raise("protocol", ("bundle: %s sent something that is no script; check --archive")
      :format(reply.url))
  end
  system.write_file(path, reply.body)
  return { { file = file, path = path, bytes = #reply.body, files = #uris, ok = true } }
end

-- Refuses an archive file that lacks files (mashup-api 10.4: it holds a manifest beside them). They
-- are counted: what a file is called in it, not every URI tells.
local function check_members(members, head, file, uris)
  local n, there = 0, {}
  if not members then
    errors.raise("protocol", ("bundle: %s came and not an archive file"):format(
      door.looks_like(head)))
  end
  for _, member in ipairs(members) do
    local name = member.path:match("[^/]+$")
    if name:upper() ~= "MANIFEST.HTML" then
      n, there[name] = n + 1, true
    end
  end
  if n < #uris then
    local missing = {}
    for _, uri in ipairs(uris) do
      missing[#missing + 1] = not there[uri:match("[^/]+$")] and uri or nil
    end
    errors.raise("partial", ("the archive left %d of %d files out of %s: %s; fetch them by "
      .. "retrieve.products"):format(#uris - n, #uris, file,
      table.concat(missing, ", ", 1, math.min(3, #missing))))
  end
end

local function fetched(record, url, file, replace)
  local path = record:path(file)
  local _ <close> = watch(function()
    system.emit("progress", { stage = "bundle", bytes = download.coming() })
  end)
  local ok, got = errors.try(download.file, {
    url = url, source = url, dir = path:sub(1, #path - #file - 1), path = file,
    replace = replace, auth = "mast",
  })
  if not ok then
    error(door.note(got, "bundle"), 0)
  end
  record:downloaded(got.skipped and 0 or got.bytes)
  record.requests = record.requests + got.tries
  return { file = file, path = path, bytes = got.bytes, sha256 = got.sha256, ok = true }
end

-- Names of the files inside a bundle, each once; the service wants them told.
local function names_of(uris)
  local names, taken = {}, {}
  for i, uri in ipairs(uris) do
    local name = download.safe_name(uri:match("([^/=]+)$") or uri)
    names[i] = taken[name] and ("%d-%s"):format(i, name) or name
    taken[name] = true
  end
  return names
end

-- The older service (10.4): makes the bundle, then tells where it is. It takes comma lists.
local function requested(record, uris, name, format, replace)
  for _, uri in ipairs(uris) do
    if uri:find(",", 1, true) then
      errors.raise("usage", ("mast.bundle: the service takes no URI with a comma: %s"):format(uri))
    end
  end
  local empty = {}
  for i = 1, #uris do
    empty[i] = ""
  end
  local answer = mashup.document("Mast.Bundle.Request", {
    urlList = table.concat(uris, ","), pathList = table.concat(names_of(uris), ","),
    filename = name, descriptionList = json.array(empty), productTypeList = json.array(empty),
    extension = format == "sh" and "curl" or format,
  })
  if type(answer) ~= "table" or type(answer.url) ~= "string" or answer.url == "" then
    errors.raise("protocol", "Mast.Bundle.Request: the answer names no file")
  end
  local missing = {}
  for uri, status in pairs(type(answer.statusList) == "table" and answer.statusList or {}) do
    missing[#missing + 1] = status ~= "COMPLETE" and ("%s (%s)"):format(uri, tostring(status))
      or nil
  end
  table.sort(missing)
  if #missing > 0 then
    errors.raise("partial", ("the archive left %d of %d files out of the bundle: %s")
      :format(#missing, #uris, table.concat(missing, ", ", 1, math.min(3, #missing))))
  end
  local entry
  local file = name .. endings[format]
  local function get()
    entry = fetched(record, answer.url, file, replace)
  end
  if format == "sh" then
    get()
  else
    bundles.fetch({ dir = record.output, file = file, max_bytes = unpacked_max }, get)
  end
  entry.files = #uris
  return { entry }
end

--- Many files in one: an archive file of them, or the script that fetches them (for machines where
-- Halyard is not). Archives with more files than one address can name come as several, numbered.
-- @tparam halyard.table|table products rows of `mast.products`, or a list of data URIs
-- @tparam[opt] table options `format` ("zip", the default, "tar.gz" or "sh"), `name` (of the file,
-- without ending; default "mastDownload"), `replace` (true: overwrite), `via` ("request": by the
-- portal's older service, which makes the bundle first and says which files it could not get)
-- @treturn table list of { file (below the output folder), path, bytes, sha256, files }
-- @raise `usage`, `permission` for files the user may not have, `io`
-- @usage mast.bundle(select.products(products, { minimum = true }), { format = "tar.gz" })
function M.bundle(products, options)
  options = options or {}
  suggest.check_keys(options, { "format", "name", "replace", "via" }, "mast.bundle")
  local format, name = options.format or "zip", options.name or "mastDownload"
  if not endings[format] then
    suggest.unknown("format of mast.bundle", tostring(format), { "zip", "tar.gz", "sh" })
  end
  if options.via ~= nil and options.via ~= "request" then
    suggest.unknown("way of mast.bundle", tostring(options.via), { "request" })
  end
  local record = report.current()
  record:require_host("mast")
  local uris = uris_of(products)
  if record.dry then
    record.notes[#record.notes + 1] = ("%d files would be bundled as %s"):format(#uris, format)
    return {}
  end
  door.polite(door.base("download"))
  if options.via then
    return requested(record, uris, name, format, options.replace)
  elseif format == "sh" then
    return script(uris, record:path(name .. ".sh"), name .. ".sh")
  end
  local entries, groups = {}, groups_of(uris)
  for i, group in ipairs(groups) do
    local file = name .. (#groups > 1 and ("-%d"):format(i) or "") .. endings[format]
    local url = ("%s/api/v0.1/Download/bundle%s?%s"):format(door.base("download"), endings[format],
      table.concat(arguments_of(group), "&"))
    local members, head = bundles.fetch({ dir = record.output, file = file,
      max_bytes = unpacked_max }, function()
      entries[i] = fetched(record, url, file, options.replace)
    end)
    entries[i].files = #group
    check_members(members, head, file, group)
  end
  return entries
end

return M
