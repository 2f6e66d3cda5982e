-- SPDX-License-Identifier: BSD-3-Clause
-- Angles, positions and regions for scripts. Degrees, ICRS. The geometry itself is C.

local core = require("halyard.core.sky")
local errors = require("halyard.error")

local M = {}

--- Degrees from a number of degrees or a text such as "12 arcmin", "0.5deg", "1h30m".
function M.angle(value)
  return core.angle(value, "deg")
end

--- Great-circle distance of two positions, in degrees: separation(ra1, dec1, ra2, dec2).
M.separation = core.separation

--- ra and dec of a position text ("52.5 -27.4", "13:26:47.28 -47:28:46.1"); nil for a name.
M.position = core.position

local function centre(value)
  if type(value) == "table" then
    if type(value.ra) ~= "number" or type(value.dec) ~= "number" then
      errors.raise("usage", "a centre is a text or a table with the numbers ra and dec (degrees)")
    end
    return value.ra, value.dec
  end
  local target = require("halyard.mast").resolve(value)
  return target.ra, target.dec
end

--- A circle. `center` is a position text, a table with ra and dec (what `mast.resolve` gives), or a
-- name, which is looked up. `radius` as for `angle`.
function M.cone(center, radius)
  local radius_deg = M.angle(radius)
  local ra, dec = centre(center)
  return core.circle(ra, dec, radius_deg)
end

--- The same from ra, dec and radius.
function M.circle(ra, dec, radius)
  return core.circle(M.angle(ra), M.angle(dec), M.angle(radius))
end

--- Ranges of ra (eastward from ra1 to ra2, across 0 if need be) and dec.
function M.box(ra1, ra2, dec1, dec2)
  return core.box(M.angle(ra1), M.angle(ra2), M.angle(dec1), M.angle(dec2))
end

--- Great-circle polygon from a list of {ra, dec}.
M.polygon = core.polygon
--- The whole sky.
M.all = core.all
--- A region from its text: "CIRCLE ra dec r", "RANGE ra1 ra2 dec1 dec2", "POLYGON ...", "ALL".
M.parse = core.parse

return M
