-- SPDX-License-Identifier: BSD-3-Clause
-- Many files in one (mashup-api section 10.4): bundle.zip, bundle.tar.gz and bundle.sh of
-- Download, the older Mast.Bundle.Request with its staged results; spectra of the HLA (10.5).
local core = require "practice.core"
local faults = require "practice.faults"
local http = require "practice.http"
local images = require "practice.images"
local json = require "practice.json"
local sql = require "practice.sql"

local M = {}

local BYTES_MAX <const> = 64 << 20 -- of all files of an archive
local STAGED_MAX <const> = 100

-- Files -----------------------------------------------------------------------------------------

-- Path below the bundle's folder; nil for a file that the archive does not list.
local function path_of(uri)
  local rows = sql.query("SELECT obs_collection, obs_id, productFilename FROM products "
    .. "WHERE dataURI = ?", { uri }, { max = 1 })
  local row = rows and rows[1]
  return row and ("%s/%s/%s"):format(row[1], row[2], row[3])
end

-- A spectrum's file is a header with its name.
local function card(text)
  return text .. (" "):rep(80 - #text)
end

local function spectrum(name)
  local cards = { card("SIMPLE  =                    T"), card("BITPIX  =                    8"),
    card("NAXIS   =                    0"), card(("OBJECT  = '%s'"):format(name)), card("END") }
  local head = table.concat(cards)
  return head .. (" "):rep(-#head % 2880)
end

local function spectrum_of(uri)
  return uri:match("getdata%.cgi%?config=ops&dataset=([%w._-]+)$")
    or uri:match("ecfproxy%?file_id=([%w._-]+)%.fits$")
end

-- What a bundle holds: list of { path, body } and what became of each URI.
local function gather(uris, folder, paths)
  local files, status, bytes = {}, {}, 0
  for i, uri in ipairs(uris) do
    local name = spectrum_of(uri)
    local path = paths and paths[i] or name and name .. ".fits" or path_of(uri)
    local body = path and (name and spectrum(name) or core.file(uri))
    if body and bytes + #body <= BYTES_MAX then
      files[#files + 1] = { path = folder .. "/" .. path, body = body }
      bytes, status[uri] = bytes + #body, "COMPLETE"
    else
      status[uri] = path and "ERROR" or "NOT FOUND"
    end
  end
  local lines = {}
  for i, uri in ipairs(uris) do
    lines[i] = ("<tr><td>%s</td><td>%s</td></tr>\n"):format(http.xml(uri), status[uri])
  end
  files[#files + 1] = { path = folder .. "/MANIFEST.HTML",
    body = "<html><table>\n" .. table.concat(lines) .. "</table></html>\n" }
  return files, status
end

-- Archives --------------------------------------------------------------------------------------

local pack = {}

-- PKZIP APPNOTE 6.3, sections 4.3.7, 4.3.12, 4.3.16; deflated.
function pack.zip(files)
  local out, entries, at = {}, {}, 0
  for i, file in ipairs(files) do
    local body, crc = core.deflate(file.body), core.crc32(file.body)
    local common = ("<I2I2I2I2I2I4I4I4I2I2"):pack(20, 0, 8, 0, 0x5a21, crc, #body, #file.body,
      #file.path, 0)
    local piece = "PK\3\4" .. common .. file.path .. body
    out[i] = piece
    entries[i] = "PK\1\2\20\0" .. common .. ("<I2I2I2I4I4"):pack(0, 0, 0, 0, at) .. file.path
    at = at + #piece
  end
  local directory = table.concat(entries)
  return table.concat(out) .. directory .. "PK\5\6"
    .. ("<I2I2I2I2I4I4I2"):pack(0, 0, #files, #files, #directory, at, 0)
end

-- POSIX ustar: a name longer than 100 bytes is cut at a slash.
local function ustar(file)
  local name, prefix = file.path, ""
  if #name > 100 then
    local cut = name:sub(1, 155):match("^.*()/")
    prefix, name = name:sub(1, cut - 1), name:sub(cut + 1)
  end
  local head = ("c100c8c8c8c12c12"):pack(name, "0000644\0", "0000000\0", "0000000\0",
    ("%011o\0"):format(#file.body), "13417764000\0")
  local rest = "0" .. ("c100"):pack("") .. "ustar\00000"
    .. ("c32c32c8c8c155c12"):pack("", "", "", "", prefix, "")
  local sum = 8 * 32
  for _, part in ipairs({ head, rest }) do
    for i = 1, #part do
      sum = sum + part:byte(i)
    end
  end
  return head .. ("%06o\0 "):format(sum) .. rest .. file.body .. ("\0"):rep(-#file.body % 512)
end

pack["tar.gz"] = function(files)
  local out = {}
  for i, file in ipairs(files) do
    out[i] = ustar(file)
  end
  return core.gzip(table.concat(out) .. ("\0"):rep(1024))
end

local SCRIPT <const> = [[
#!/bin/bash
## Practice archive: downloads %d files into %s
FOLDER=%s
cat >/dev/null <<EOF
<a href="MANIFEST.HTML"></a>
EOF
mkdir -p "$FOLDER"
]]
local LINE <const> = [[
echo "Downloading %s"
curl --globoff --location-trusted -f --progress-bar --create-dirs $CONT --output ./%s/%s \
  '%s/api/v0.1/Download/file?bundle_name=%s&uri=%s'
]]

local function script(uris, folder, base, paths)
  local out = { SCRIPT:format(#uris, folder, folder) }
  for i, uri in ipairs(uris) do
    local path = paths and paths[i] or path_of(uri) or uri:match("[^/=]+$")
    out[#out + 1] = LINE:format(path, folder, path, base, folder, uri)
  end
  return table.concat(out)
end

local content = { zip = "application/zip", ["tar.gz"] = "application/gzip",
  sh = "application/x-sh" }

local function bundle(format)
  return function(request)
    local uris = http.values(request.form, "uri")
    for _, uri in ipairs(http.values(request.arguments, "uri")) do
      uris[#uris + 1] = uri
    end
    request.record.request = table.concat(uris, " ")
    local folder = http.value(request.arguments, "bundle_name")
      or http.value(request.form, "bundle_name") or os.date("!MAST_%Y-%m-%dT%H%M")
    if not folder:find("^[%w._-]+$") then
      return http.answer("bad bundle_name\n", "text/plain", 400)
    elseif #uris == 0 then
      return http.answer("uri is missing\n", "text/plain", 400)
    elseif format == "sh" then
      return http.answer(script(uris, folder, request.base), content.sh)
    end
    local files, status = gather(uris, folder)
    for _, how in pairs(status) do
      if how ~= "COMPLETE" then
        request.record.note = "incomplete"
      end
    end
    return http.answer(pack[format](files), content[format])
  end
end

-- Mast.Bundle.Request ---------------------------------------------------------------------------

local staged, order, asked = {}, {}, {}

--- Keeps a result; gives the path at which it is to be had.
-- @param body bytes, or function(request) that answers
-- @param same text that tells it from others of the same name, where body is a function; else its
-- content type
function M.stage(name, body, same)
  if #order >= STAGED_MAX then
    staged[table.remove(order, 1)] = nil
  end
  local id = ("%08x-0000-4000-8000-%012x"):format(core.crc32(name),
    core.crc32(type(body) == "string" and body or same))
  local path = ("/portal/Download/stage/anonymous/public/%s/%s"):format(id, name)
  if not staged[path] then
    order[#order + 1] = path
  end
  staged[path] = type(body) == "function" and body or faults.data(function()
    return http.answer(body, same or "application/octet-stream")
  end)
  return path
end

local function list_of(value)
  if type(value) == "table" then
    return value
  end
  local out = {}
  for item in tostring(value or ""):gmatch("[^,]+") do
    out[#out + 1] = item
  end
  return out
end

--- The answer to the service: EXECUTING once, then where the result is.
function M.request(params, request)
  local uris, paths = list_of(params.urlList), list_of(params.pathList)
  local extension = params.extension
  local format = (extension == "curl" or extension == "sh") and "sh" or extension
  if #uris == 0 or not content[format] or #paths > 0 and #paths ~= #uris then
    return http.answer(json.encode({ status = "ERROR",
      msg = #uris == 0 and "urlList is empty" or "extension or pathList is not understood" }),
      "text/javascript")
  end
  local key = json.encode(params)
  if not asked[key] then
    asked[key] = true
    return http.answer('{"status":"EXECUTING","msg":"","bytesStreamed":0,"url":"",'
      .. '"manifestUrl":"","statusList":{},"progress":0.5}', "text/javascript")
  end
  asked[key] = nil
  local folder = tostring(params.filename or "mastDownload"):gsub("[^%w._-]", "_")
  paths = #paths > 0 and paths or nil
  local files, status = gather(uris, folder, paths)
  local body = format == "sh" and script(uris, folder, request.base, paths) or pack[format](files)
  return http.answer(json.encode({
    status = "COMPLETE", msg = "", bytesStreamed = #body, progress = 1, statusList = status,
    url = request.base .. M.stage(folder .. "." .. format, body),
    manifestUrl = request.base .. M.stage(folder .. "_MANIFEST.html", files[#files].body),
  }), "text/javascript")
end

--- The answer that is the result at a path.
function M.staged(path, request)
  local answer = staged[path]
  return answer and answer(request)
    or http.answer("Nothing is staged here\n", "text/plain", 404)
end

local function staged_file(request)
  return M.staged(request.path, request)
end

local function hla(request)
  local name = http.value(request.arguments, "dataset")
    or (http.value(request.arguments, "file_id") or ""):match("^(.*)%.fits$")
  if not name or not name:find("^[%w._-]+$") then
    return http.answer("dataset is missing\n", "text/plain", 404)
  end
  return images.dataset(name, http.parameters(request))
    or http.answer(spectrum(name), "application/fits")
end

M.routes = {
  ["/portal/Download/stage/"] = staged_file, ["/cgi-bin/getdata.cgi"] = faults.data(hla),
  ["/cgi-bin/ecfproxy"] = faults.data(hla),
}
for format in pairs(content) do
  M.routes["/api/v0.1/Download/bundle." .. format] = faults.data(bundle(format))
end

return M
