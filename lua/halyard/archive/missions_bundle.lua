-- SPDX-License-Identifier: BSD-3-Clause
-- Many files of a mission of the search API in one zip, and the archive's list of them (MAST
-- interfaces, section 3.4). Answers are held in memory, so a zip has a size; every file asked for
-- has to be in it.

local bundles = require("halyard.archive.bundles")
local door = require("halyard.archive.door")
local errors = require("halyard.error")
local http = require("halyard.core.http")
local report = require("halyard.report")
local suggest = require("halyard.suggest")
local system = require("halyard.core.system")

local M = {}

local zip_bytes, zip_files = 200 * 1024 * 1024, 1000 -- of the files in one
local answer_bytes = 256 * 1024 * 1024
local unpacked_max = 100 << 30
local structures = { "flat", "nested" }

-- Distinct files of product rows: list of { uri, name, size }.
local function files_of(mission, products)
  local list, seen, n = {}, {}, 0
  if type(products) ~= "userdata" and type(products) ~= "table" then
    errors.raise("usage", "bundle takes rows of products")
  end
  for i = 1, #products do
    local row = products[i]
    local uri = type(row) == "table" and rawget(row, "dataURI")
    local name = uri and uri:match("^mission:" .. mission .. "/(.+)$")
    if not name or name:find(",", 1, true) then
      errors.raise("usage", ("bundle: row %d is no file of %s; pass rows of its products, and "
        .. "files with mast: URIs to mast.bundle"):format(i, mission))
    elseif not seen[name] then
      n = n + 1
      list[n], seen[name] = { uri = name, name = name:match("([^/]+)$"),
        size = math.tointeger(rawget(row, "size")) or 0 }, true
    end
  end
  if n == 0 then
    errors.raise("not_found", mission .. ": there are no files to bundle: widen the selection")
  end
  return list
end

-- Lists of files that fit into one zip.
local function groups_of(mission, files)
  local groups, size = {}, 0
  for _, file in ipairs(files) do
    if file.size > zip_bytes then
      errors.raise("usage", ("%s: %s has %d bytes, too many for a zip: use retrieve.products")
        :format(mission, file.name, file.size))
    elseif #groups == 0 or size + file.size > zip_bytes or #groups[#groups] == zip_files then
      groups[#groups + 1], size = {}, 0
    end
    local group = groups[#groups]
    group[#group + 1], size = file, size + file.size
  end
  return groups
end

-- Set of the base names of a zip's members; nil when the bytes are no whole zip (APPNOTE 4.3.16).
local function members_of(bytes)
  local last
  for at in bytes:sub(-65557):gmatch("()PK\5\6") do
    last = math.max(0, #bytes - 65557) + at
  end
  if bytes:sub(1, 4) ~= "PK\3\4" or not last or #bytes < last + 21 then
    return nil
  end
  local n, _, at = ("<I2I4I4"):unpack(bytes, last + 10)
  local names = {}
  at = at + 1
  for _ = 1, n do
    if bytes:sub(at, at + 3) ~= "PK\1\2" or #bytes < at + 45 then
      return nil
    end
    local name, extra, comment = ("<I2I2I2"):unpack(bytes, at + 28)
    names[bytes:sub(at + 46, at + 45 + name):match("([^/]*)$")] = true
    at = at + 46 + name + extra + comment
  end
  return names
end

local function check_zip(what, bytes, files)
  local names, missing = members_of(bytes), {}
  if not names then
    errors.raise("protocol", ("%s: %s came and not a whole zip"):format(what,
      door.looks_like(bytes)))
  end
  for _, file in ipairs(files) do
    missing[#missing + 1] = not names[file.name] and file.name or nil
  end
  if #missing > 0 then
    errors.raise("partial", ("%s: the archive left %d of %d files out of the zip: %s"):format(what,
      #missing, #files, table.concat(missing, ", ", 1, math.min(3, #missing))))
  end
end

local function ask(mission, address, files, options)
  local uris = {}
  for i, file in ipairs(files) do
    uris[i] = file.uri
  end
  local parts = {
    { name = "mission", value = mission:upper() },
    { name = "structure", value = options.structure or "flat" },
    { name = "uri", value = table.concat(uris, ",") },
  }
  parts[#parts + 1] = options.manifest and { name = "manifestonly", value = "true" } or nil
  local body, content_type = http.multipart(parts)
  return door.reply(mission .. " bundle", { method = "POST", url = address, body = body,
    headers = { ["Content-Type"] = content_type }, auth = "mast", max_bytes = answer_bytes }).body
end

--- Files of products as zips below the output folder, of at most 200 MiB and 1,000 files each
-- (several are numbered), or with `manifest` the archive's list of them as HTML.
-- @tparam string mission
-- @tparam string address of the service
-- @tparam halyard.table products rows of the mission's products
-- @tparam[opt] table options `name` (without ending; default the mission's), `structure` ("flat",
-- the default, or "nested": a folder for each dataset), `manifest` (true)
-- @treturn table list of { file, path, bytes, files, ok }
function M.bundle(mission, address, products, options)
  options = options or {}
  suggest.check_keys(options, { "name", "structure", "manifest" }, "bundle")
  local name, structure = options.name or mission, options.structure or "flat"
  if structure ~= "flat" and structure ~= "nested" then
    suggest.unknown("structure of bundle", tostring(structure), structures)
  end
  door.begin("mast", address)
  local record, what = report.current(), mission .. " bundle"
  local files = files_of(mission, products)
  if record.dry then
    record.notes[#record.notes + 1] = ("%d files of %s would be bundled"):format(#files, mission)
    return {}
  end
  local entries = {}
  local groups = options.manifest and { files } or groups_of(mission, files)
  for i, group in ipairs(groups) do
    local file = name .. (#groups > 1 and ("-%d"):format(i) or "")
      .. (options.manifest and ".html" or ".zip")
    local path, tries, bytes = record:path(file), 1, nil
    if options.manifest then
      bytes = ask(mission, address, group, options)
      if not bytes:lower():find("<html", 1, true) then
        errors.raise("protocol", ("%s: %s came and not a list of files"):format(what,
          door.looks_like(bytes)))
      end
      system.write_file(path, bytes)
    else
      tries = select(3, bundles.fetch({ dir = record.output, file = file,
        max_bytes = unpacked_max }, function()
        bytes = ask(mission, address, group, options)
        check_zip(what, bytes, group)
        system.write_file(path, bytes)
      end))
    end
    record:downloaded(#bytes)
    record.queries[#record.queries + 1] = { service = what, rows = #group, requests = tries,
      bytes = #bytes }
    entries[i] = { file = file, path = path, bytes = #bytes, files = #group, ok = true }
    record.made[#record.made + 1] = { uri = address, file = file, bytes = #bytes,
      sha256 = system.sha256(bytes), tries = tries, ok = true }
  end
  return entries
end

return M
