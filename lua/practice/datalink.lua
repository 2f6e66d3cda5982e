-- SPDX-License-Identifier: BSD-3-Clause
-- DataLink 1.1, server side (/datalink/links): the files of an observation by its publisher's
-- identifier, and the service that cuts out of its images (practice.soda). HST's data are one
-- document further ("<identifier>/files"). The URL of the service may choose what services differ
-- in: `ids=N` answers for N identifiers only, `flag=none` without a word about it.
local faults = require "practice.faults"
local http = require "practice.http"
local json = require "practice.json"
local soda = require "practice.soda"
local sql = require "practice.sql"
local vo = require "practice.vo"

local M = {}

local IDS_MAX <const> = 50
local DATALINK <const> = "application/x-votable+xml;content=datalink"

local fields = {
  { name = "ID", ID = "ID", type = "char", ucd = "meta.id;meta.main" },
  { name = "access_url", type = "char", ucd = "meta.ref.url" },
  { name = "service_def", type = "char", ucd = "meta.ref" },
  { name = "error_message", type = "char", ucd = "meta.code.error" },
  { name = "semantics", type = "char", ucd = "meta.code" },
  { name = "description", type = "char", ucd = "meta.note" },
  { name = "content_type", type = "char", ucd = "meta.code.mime" },
  { name = "content_length", type = "long", unit = "byte", ucd = "phys.size;meta.file" },
}

local function add(rows, id, t)
  rows[#rows + 1] = { id, t.url, t.service, t.failure, t.semantics, t.description, t.kind, t.size }
end

local kinds = { fits = "application/fits", jpg = "image/jpeg" }

-- The rows of one identifier; nil, message when the archive itself fails.
local function links_of(base, id, rows)
  local obsid, deeper = soda.obsid(id)
  local found, why = {}, nil
  if obsid then
    found, why = sql.query("SELECT dataURI, size, productType, description, obs_collection FROM "
      .. "products WHERE obsID = ?", { obsid })
  end
  if not found then
    return nil, why
  elseif #found == 0 then
    add(rows, id, { failure = "NotFoundFault: no data set " .. id, semantics = "#this" })
    return true
  elseif found[1][5] == "HST" and deeper == "" then
    add(rows, id, { url = base .. "/datalink/links?ID=" .. http.encode(id .. "/files"),
      semantics = "#this", description = "Files", kind = DATALINK })
    return true
  end
  for _, row in ipairs(found) do
    local role = row[3] == "SCIENCE" and "#this" or row[3] == "PREVIEW" and "#preview"
      or "#auxiliary"
    add(rows, id, { url = base .. "/api/v0.1/Download/file?uri=" .. row[1], semantics = role,
      description = row[4] ~= json.null and row[4] or nil,
      kind = kinds[row[1]:match("%.(%a+)$")] or "application/octet-stream", size = row[2] })
  end
  if soda.serves(found[1][5]) then
    add(rows, id, { service = "soda", semantics = "#cutout", description = "Cutout of the image",
      kind = "application/fits" })
  end
  return true
end

local function refused(message)
  return vo.refused(message, 400)
end

local function links(request)
  local ids, p = {}, http.parameters(request)
  local most = math.min(IDS_MAX, math.tointeger(tonumber(p.ids)) or IDS_MAX)
  for _, list in ipairs({ request.arguments, request.form }) do
    for _, pair in ipairs(list) do
      ids[#ids + 1] = pair[1]:lower() == "id" and pair[2] or nil
    end
  end
  if #ids == 0 then
    return refused("UsageFault: ID is missing")
  end
  local rows = {}
  for i = 1, math.min(#ids, most) do
    local ok, why = links_of(request.base, ids[i], rows)
    if not ok then
      return refused("TransientFault: " .. why)
    end
  end
  return vo.document(vo.status(#ids > most and p.flag ~= "none" and "OVERFLOW" or "OK")
    .. '<INFO name="standardID" value="ivo://ivoa.net/std/DataLink#links-1.1"/>', fields, rows,
    soda.descriptor(request.base))
end

M.routes = { ["/datalink/links"] = faults.data(links, refused) }

return M
