-- SPDX-License-Identifier: BSD-3-Clause
-- The Hubble Source Catalog beside its summary (mast.catalog "HSC v3"): detections of a match, and
-- spectra with their files. Sections 7.3 and 10.5 of the protocol specification.

local door = require("halyard.archive.door")
local errors = require("halyard.error")
local mashup = require("halyard.archive.mashup")
local suggest = require("halyard.suggest")
local table_core = require("halyard.core.table")

local M = {}

local units = { MatchRA = "deg", MatchDec = "deg", SourceRA = "deg", SourceDec = "deg",
  D = "arcsec", DSigma = "mas", ExposureTime = "s", StartMJD = "d", StopMJD = "d",
  MagAper2 = "mag", MagAuto = "mag", RA = "deg", Dec = "deg" }

--- Units that the answers lack (caom-fields section 6), as a column map.
M.columns = {}
for name, unit in pairs(units) do
  M.columns[name:lower()] = { unit = unit }
end

--- The unit of a column of the catalogue, whose lists tell none; nil: none, or it is not known.
-- Filters are columns of their own: A_F475W, its scatter A_F475W_MAD or _Sigma, its number _N.
function M.unit(name)
  local known, of_filter = M.columns[name:lower()], name:match("^[AW]%d?_F%d+%a+(.*)$")
  local is_magnitude = of_filter == "" or of_filter == "_MAD" or of_filter == "_Sigma"
    or name:find("Mag$") or name:find("MagErr$")
  return known and known.unit or is_magnitude and "mag" or nil
end

local function ask(service, params, roles, empty)
  local record = door.begin("mast", door.base("mashup"))
  if record.dry then
    record.notes[#record.notes + 1] = service .. " would be asked for rows"
    return table_core.from_rows({}, empty)
  end
  local rows, cost = mashup.rows(service, params)
  record:spent(cost)
  record.queries[#record.queries + 1] = {
    service = service, rows = #rows, requests = cost.requests, bytes = cost.bytes,
  }
  rows = door.described(door.without(rows, { _selected_ = true }), roles)
  return door.described(rows, M.columns)
end

--- The detections that make up one match.
-- @tparam integer|string match a MatchID of `mast.catalog("HSC")`
-- @tparam[opt] table options `version` (3, the default, or 2)
-- @treturn halyard.table
-- @raise `not_found` when the catalogue has no such match
function M.hsc_matches(match, options)
  options = options or {}
  suggest.check_keys(options, { "version" }, "mast.hsc_matches")
  local version = options.version or 3
  if version ~= 2 and version ~= 3 then
    errors.raise("usage", "mast.hsc_matches: version is 3 or 2")
  elseif not tostring(match):find("^%d+$") then
    errors.raise("usage", "mast.hsc_matches takes a MatchID, a whole number")
  end
  local rows = ask(("Mast.HscMatches.Db.v%d"):format(version), { input = tostring(match) },
    door.roles("SourceID", "SourceRA", "SourceDec"), { "CatID", "MatchID" })
  if #rows == 0 and not door.begin("mast", door.base("mashup")).dry then
    errors.raise("not_found", ("HSC version %d has no match %s"):format(version, tostring(match)))
  end
  return rows
end

-- Where a spectrum's file is (10.5).
local function spectrum_uri(row)
  local name = door.escape(row.DatasetName)
  if row.SpectrumType < 2 then
    return door.base("hla") .. "/cgi-bin/getdata.cgi?config=ops&dataset=" .. name
  end
  return door.base("hla") .. "/cgi-bin/ecfproxy?file_id=" .. name .. ".fits"
end

--- All spectra of the catalogue, each with the columns that `retrieve.products` needs to download
-- its file.
-- @treturn halyard.table
-- @usage local s = mast.hsc_spectra():where { TargetName = "NGC*" }; retrieve.products(s)
function M.hsc_spectra()
  local rows = ask("Mast.HscSpectra.Db.All", {}, door.roles("ObjID", "RA", "Dec"),
    { "DatasetName", "SpectrumType", "RA", "Dec" })
  if #rows == 0 then
    return rows
  end
  return rows:with("obs_collection", function()
    return "HSC"
  end):with("obs_id", rows:column("DatasetName")):with("dataURI", spectrum_uri)
    :with("productFilename", function(row)
      return row.DatasetName .. ".fits"
    end)
end

return M
