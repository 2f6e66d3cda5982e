-- SPDX-License-Identifier: BSD-3-Clause
-- Files of JWST by the keywords of their headers, and the observations they belong to. Section 7.5
-- of the protocol specification.

local caom = require("halyard.archive.caom")
local door = require("halyard.archive.door")
local errors = require("halyard.error")
local json = require("halyard.json")
local mashup = require("halyard.archive.mashup")
local portions = require("halyard.archive.portions")
local suggest = require("halyard.suggest")
local table_core = require("halyard.core.table")

local M = {}

local services = { nircam = "Nircam", niriss = "Niriss", nirspec = "Nirspec", miri = "Miri",
  fgs = "Fgs", guidestar = "GuideStar", wss = "Wss" }
local key, along = "ArchiveFileID", "date_beg_mjd"

-- Columns as an answer without rows names them: the portal has no list of them.
local function columns_of(service)
  return mashup.columns_of(door.aside(mashup.rows(service, { columns = "*", filters = json.array({
    { paramName = key, values = json.array({ "-1" }) } }) }, { pagesize = 1 })))
end

-- The observation that a file belongs to is called as the file is, without its last part:
-- jw02733001001_02103_00001_nrcb1_cal.fits of jw02733001001_02103_00001_nrcb1.
local function obs_id_of(row)
  local name = row.filename or ""
  return name:match("^(.*)_[^_]*$") or row.fileSetName or name
end

-- Each file with the columns of its observation; null where it has none.
local function joined(rows)
  rows = rows:with("obs_id", obs_id_of)
  local ids = rows:unique("obs_id"):list("obs_id")
  if #ids == 0 then
    return rows
  end
  return rows:join(caom.of_ids("JWST", ids):unique("obs_id"), "obs_id",
    { how = "left", suffix = "_caom" })
end

local function check(options)
  suggest.check_keys(options, { "instrument", "where", "columns", "observations", "row_limit" },
    "mast.jwst_keywords")
  local name = tostring(options.instrument or ""):lower():gsub("[%s_-]", "")
  if not services[name] then
    suggest.unknown("instrument of mast.jwst_keywords", tostring(options.instrument), { "NIRCam",
      "NIRISS", "NIRSpec", "MIRI", "FGS", "GuideStar", "WSS" })
  elseif not (options.where and next(options.where)) then
    errors.raise("usage", "mast.jwst_keywords needs criteria (where): it lists files, millions")
  end
  return "Mast.Jwst.Filtered." .. services[name]
end

--- Files of JWST, a row each, by the keywords of their headers; rows past the archive's limit are
-- asked for in portions of time.
-- @tparam table options `instrument` ("NIRCam", "NIRISS", "NIRSpec", "MIRI", "FGS", "GuideStar",
-- "WSS"), `where` (criteria; times by the columns that end in _mjd, as ranges), `columns`,
-- `observations` (true: with the columns of each file's observation, such as obsid, which
-- `mast.products` takes; names that are taken get "_caom"), `row_limit`
-- @treturn halyard.table
-- @raise `usage` for unknown columns with the nearest names, `integrity`
-- @usage mast.jwst_keywords { instrument = "NIRCam", where = { program = "2733" },
--   observations = true }
function M.jwst_keywords(options)
  local service = check(options)
  door.check_names(options.columns, "mast.jwst_keywords")
  local record = door.begin("mast", door.base("mashup"))
  if record.dry then
    record.notes[#record.notes + 1] = service .. " would be asked for files"
    return table_core.from_rows({}, { key, "filename" })
  end
  local columns = columns_of(service)
  local names = options.columns
    and door.chosen({ key, "filename" }, options.columns, columns, service)
  local asked = names and table.concat(door.chosen(names, { along }, columns, service), ",") or "*"
  local rows, cost, counted = portions.rows({
    name = service, filters = mashup.filters(columns, options.where, service), column = along,
    key = key, cap = options.row_limit or mashup.row_cap,
    count = function(filters)
      return mashup.count(service, { filters = filters })
    end,
    fetch = function(filters)
      return mashup.rows(service, { columns = asked, filters = filters })
    end,
  })
  record:spent(cost)
  if #rows ~= counted then
    errors.raise("integrity", ("%s: %d files came, the archive counts %d; the answer cannot be "
      .. "trusted, run it again"):format(service, #rows, counted))
  end
  record.queries[#record.queries + 1] = {
    service = service, rows = #rows, rows_counted = counted, requests = cost.requests,
    bytes = cost.bytes,
  }
  rows = names and rows:project(names) or door.without(rows, { _selected_ = true })
  rows = mashup.with_mjd(rows)
  return options.observations and joined(rows) or rows
end

return M
