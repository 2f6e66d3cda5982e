-- SPDX-License-Identifier: BSD-3-Clause
-- Cutouts by Server-side Operations for Data Access (SODA 1.0, its synchronous form), at services
-- that documents of links describe. Section 10 of the VO specification.

local access = require("halyard.archive.access")
local door = require("halyard.archive.door")
local errors = require("halyard.error")
local images = require("halyard.archive.images")
local report = require("halyard.report")
local suggest = require("halyard.suggest")
local task = require("halyard.task")

local M = {}

local file_columns = { "path", "ID", "bytes", "sha256", "file", "url" }

local function interval(value, name)
  if type(value) == "number" then
    return ("%.17g %.17g"):format(value, value)
  elseif type(value) ~= "table" or value.min == nil and value.max == nil
    or type(value.min or 0) ~= "number" or type(value.max or 0) ~= "number" then
    errors.raise("usage", ("links:cutout: %s is a number or { min = a, max = b }"):format(name))
  end
  return ("%s %s"):format(value.min and ("%.17g"):format(value.min) or "-Inf",
    value.max and ("%.17g"):format(value.max) or "+Inf")
end

-- A region as the service takes it: CIRCLE and POLYGON have inputs of their own, POS takes all.
local function region_of(service, region)
  if type(region) ~= "userdata" then
    errors.raise("usage", "links:cutout: region is a region, such as sky.cone(center, radius)")
  end
  local text = access.pos(region, "links:cutout")
  local kind, numbers = text:match("^(%a+) (.*)$")
  if service:takes(kind) then
    return kind, numbers
  elseif service:takes("POS") then
    return "POS", text
  end
  errors.raise("usage", ("links:cutout: %s takes no %s"):format(tostring(service), kind))
end

local function values_of(service, options)
  local out = { BAND = options.band and interval(options.band, "band"),
    TIME = options.time and interval(options.time, "time"), POL = options.pol }
  if options.region then
    local name, value = region_of(service, options.region)
    out[name] = value
  end
  if not next(out) then
    errors.raise("usage", "links:cutout takes region, band, time or pol; links:this() is the whole "
      .. "file")
  end
  return out
end

-- A file is called by the identifier; its address tells cutouts of one data set apart. What is not
-- said to be something else must be FITS.
local function name_of(row)
  local kind = (rawget(row, "content_type") or ""):lower()
  return images.name_of((tostring(row.ID):gsub("^%w+://", ""):gsub("[^%w.]+", "_")), row.access_url,
    (kind == "" or kind:find("fits", 1, true)) and "fits" or kind:find("votable", 1, true) and "vot"
    or "dat")
end

--- Cutouts of data sets.
-- @tparam list services those of the documents (halyard.archive.descriptors)
-- @tparam table wanted set of the identifiers that must have one
-- @tparam table options `region` (circle, box or polygon, as the service takes it), `band` (m),
-- `time` (MJD): a number or { min =, max = }; `pol` (text or list); `dir` ("cutouts"), `parallel`
-- (1 to 8, default 4)
-- @treturn halyard.table path, ID, bytes, sha256, file, url
-- @raise `not_found` when no document has such a service, `usage`, `archive` with its words
function M.cutout(services, wanted, options)
  suggest.check_keys(options, { "region", "band", "time", "pol", "dir", "parallel" },
    "links:cutout")
  local parallel = options.parallel or 4
  if math.type(parallel) ~= "integer" or parallel < 1 or parallel > 8 then
    errors.raise("usage", "links:cutout: parallel is a whole number from 1 to 8")
  end
  local record, list, hosts = report.current(), {}, {}
  for _, service in ipairs(services) do
    if service.standard_id:lower():find("^ivo://ivoa%.net/std/soda#sync") then
      for _, row in service:addresses(values_of(service, options)):rows() do
        list[#list + 1], wanted[row.ID] = row, nil
        hosts[#hosts + 1] = door.host(row.access_url)
      end
    end
  end
  if record.dry then
    return images.noted(record, "the services of the links", file_columns)
  elseif next(wanted) then
    local ids = {}
    for id in pairs(wanted) do
      ids[#ids + 1] = id
    end
    table.sort(ids)
    errors.raise("not_found", ("links:cutout: %d of the data sets have no service for cutouts "
      .. "(SODA), the first: %s; links:this() is the whole file"):format(#ids, ids[1]))
  end
  record:require_hosts(hosts)
  local dir = images.folder_of(record, options, "cutouts")
  return images.told(record, { task.map(list, parallel, function(row)
    door.polite(row.access_url, parallel)
    local entry = images.fetch(record, dir, name_of(row), row.access_url,
      door.host(row.access_url))
    entry.ID = row.ID
    return entry
  end) }, file_columns)
end

return M
