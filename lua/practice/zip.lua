-- SPDX-License-Identifier: BSD-3-Clause
-- Zip files (PKWARE APPNOTE 6.3, without zip64) of a few members, with one date for all.
local core = require "practice.core"

local DATE <const> = 0x5A21 -- 2025-01-01
local DEFLATED <const> = 8

--- The bytes of a zip of members: a list of { name, bytes }.
return function(members)
  local parts, directory, at = {}, {}, 0
  for _, member in ipairs(members) do
    local name, bytes = member[1], member[2]
    local packed = core.deflate(bytes)
    local common = ("<I2I2I2I2I2I4I4I4I2I2"):pack(20, 0, DEFLATED, 0, DATE, core.crc32(bytes),
      #packed, #bytes, #name, 0)
    parts[#parts + 1] = "PK\3\4" .. common .. name .. packed
    directory[#directory + 1] = "PK\1\2" .. ("<I2"):pack(20) .. common
      .. ("<I2I2I2I4I4"):pack(0, 0, 0, 0, at) .. name
    at = at + #parts[#parts]
  end
  local list = table.concat(directory)
  return table.concat(parts) .. list
    .. ("<c4I2I2I2I2I4I4I2"):pack("PK\5\6", 0, 0, #members, #members, #list, at, 0)
end
