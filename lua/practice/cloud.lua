-- SPDX-License-Identifier: BSD-3-Clause
-- The public bucket (mashup-api section 12): path look-up, objects with ranges, ListObjectsV2.
-- Files under exclusive access are not in it, and one in 17 is listed and not there.
local core = require "practice.core"
local faults = require "practice.faults"
local http = require "practice.http"
local json = require "practice.json"
local sql = require "practice.sql"

local M = {}

local BUCKET <const> = "/stpubdata/"
local PAGE <const> = 4 -- prefixes or keys in a page: so that clients have to turn it

local COLUMNS <const> = "obs_collection, obs_id, productFilename, dataURI, dataRights"

-- The key of a product: a list with COLUMNS.
local function key_of(product)
  local collection, id, file = product[1], product[2], product[3]
  if product[5] ~= "PUBLIC" then
    return nil
  elseif collection == "HST" then
    return ("hst/public/%s/%s/%s"):format(id:sub(1, 4), id, file)
  elseif collection == "JWST" then
    return ("jwst/public/%s/L3/t/o%s/%s"):format(id:sub(1, 7), id:match("%-o(%d+)"), file)
  elseif collection == "PS1" then
    local project, cell = id:match("skycell%.(%d+)%.(%d+)")
    return ("panstarrs/ps1/public/rings.v3.skycell/%s/%s/%s"):format(project, cell, file)
  elseif collection == "TESS" then
    local sector, camera, ccd = id:match("^tess%-(s%d+)%-(%d)%-(%d)%-")
    if camera then
      return ("tess/public/ffi/%s/2020/001/%s-%s/%s"):format(sector, camera, ccd, file)
    end
    return ("tess/public/tid/%s/%s"):format(id:match("(s%d%d%d%d)"), file)
  elseif collection == "GALEX" then
    return "galex/GR7/pipe/02-vsn/" .. file
  end
  return "mast/hlsp/practice/" .. file
end

-- All products whose observation's number stands in a text (see the names of files).
local function products_in(text)
  local list, seen = {}, {}
  for at in text:gmatch("()x") do
    local digits = text:match("^x(%w%w%w%w%w%w%w%w%w)", at)
    if digits and not digits:find("%u") and not seen[digits] then
      seen[digits] = true
      local rows = sql.query("SELECT " .. COLUMNS .. " FROM products WHERE obsID = ?",
        { tonumber(digits, 36) }) or {}
      table.move(rows, 1, #rows, #list + 1, list)
    end
  end
  return list
end

local function lost(uri)
  return core.crc32(uri) % 17 == 0
end

local look_up_max = 40 -- files of one question (mashup-api 6.4)

local function look_up(request)
  local out, n = {}, 0
  for _, list in ipairs({ request.arguments, request.form }) do
    for _, uri in ipairs(http.values(list, "uri")) do
      n = n + 1
      if n > look_up_max then
        return http.json({ message = "Request-URI Too Large" }, 414)
      end
      local rows = sql.query("SELECT " .. COLUMNS .. " FROM products WHERE dataURI = ?", { uri })
      local key = rows and rows[1] and key_of(rows[1])
      out[uri] = { status_code = key and 200 or 404, path = key and "/" .. key or json.null }
    end
  end
  return next(out) and http.json(out) or http.json({ message = "uri is missing" }, 400)
end

local function xml(body, status)
  return http.answer('<?xml version="1.0" encoding="UTF-8"?>\n' .. body, "application/xml", status)
end

local function no_such_key(key)
  return xml("<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message>"
    .. ("<Key>%s</Key></Error>"):format(http.xml(key)), 404)
end

local missions = { "gaia", "galex", "hst", "jwst", "k2", "kepler", "mast", "panstarrs", "roman",
  "tess" }
local collections = { "3cr", "clash", "frontier", "goods", "hudf09", "practice" }

-- Names below a prefix: those that end in "/" go on.
local function names_below(prefix)
  local out = {}
  if prefix == "" or prefix == "mast/hlsp/" then
    for i, name in ipairs(prefix == "" and missions or collections) do
      out[i] = prefix .. name .. "/"
    end
    return out
  end
  for _, product in ipairs(products_in(prefix)) do
    local key = key_of(product)
    if key and key:sub(1, #prefix) == prefix and not lost(product[4]) then
      out[#out + 1] = key
    end
  end
  table.sort(out)
  return out
end

-- ListObjectsV2 with delimiter "/": a page of it. The token is the number of the next name.
local function listing(request)
  local p = http.parameters(request)
  local prefix = p.prefix or ""
  local names = names_below(prefix)
  local first = math.tointeger(tonumber(p["continuation-token"])) or 1
  local last = math.min(#names, first + PAGE - 1)
  local parts = { '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    .. ("<Name>stpubdata</Name><Prefix>%s</Prefix>"):format(http.xml(prefix)) }
  for i = first, last do
    parts[#parts + 1] = (names[i]:sub(-1) == "/" and "<CommonPrefixes><Prefix>%s</Prefix>"
      .. "</CommonPrefixes>" or "<Contents><Key>%s</Key></Contents>"):format(http.xml(names[i]))
  end
  parts[#parts + 1] = ("<IsTruncated>%s</IsTruncated>"):format(last < #names)
    .. (last < #names and ("<NextContinuationToken>%d</NextContinuationToken>"):format(last + 1)
      or "") .. "</ListBucketResult>"
  return xml(table.concat(parts))
end

local list = faults.data(listing)

local function object(request)
  local key = request.rest
  if key == "" then
    return list(request)
  elseif request.headers.authorization or request.headers.cookie then
    return xml("<Error><Code>InvalidArgument</Code><Message>Unsupported Authorization Type"
      .. "</Message></Error>", 400)
  end
  for _, product in ipairs(products_in(key)) do
    if key_of(product) == key and not lost(product[4]) then
      return faults.file(request, product[4])
    end
  end
  return no_such_key(key)
end

M.routes = {
  ["/api/v0.1/path_lookup"] = faults.data(look_up),
  ["/api/v0.1/path_lookup/"] = faults.data(look_up),
  [BUCKET] = object,
}

return M
