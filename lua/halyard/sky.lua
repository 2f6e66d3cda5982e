-- SPDX-License-Identifier: BSD-3-Clause
-- Angles, positions and regions for scripts. Degrees, ICRS. The geometry itself is C.

local core = require("halyard.core.sky")
local errors = require("halyard.error")

local M = {}

--- Degrees from a number of degrees or a text such as "12 arcmin", "0.5deg", "1h30m".
function M.angle(value)
  if value == nil then
    errors.raise("usage", "an angle is missing: a number of degrees or a text, \"12 arcmin\"")
  end
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
  elseif type(value) == "number" then
    errors.raise("usage", "a centre is a name, a text such as \"52.5 -27.4\" or a table; for "
      .. "numbers there is sky.circle(ra, dec, radius)")
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

--- An ellipse: semi-axes as for `angle`; the first one points to `angle`, from north through east.
function M.ellipse(center, first, second, angle)
  local first_deg, second_deg = M.angle(first), M.angle(second)
  local angle_deg = M.angle(angle or 0)
  local ra, dec = centre(center)
  return core.ellipse(ra, dec, first_deg, second_deg, angle_deg)
end

--- Great-circle polygon from a list of {ra, dec}, of any size. The smaller side of the outline is
-- inside; with `{ outside = true }` the larger one (then the border is not).
function M.polygon(vertices, options)
  if options ~= nil and type(options) ~= "table" then
    errors.raise("usage", "sky.polygon takes a list of vertices and { outside = true }")
  end
  for key, value in pairs(options or {}) do
    if key ~= "outside" or type(value) ~= "boolean" then
      errors.raise("usage", "sky.polygon has no option " .. tostring(key)
        .. "; there is outside = true")
    end
  end
  local region = core.polygon(vertices)
  return options and options.outside and core.complement(region) or region
end

--- The whole sky.
M.all = core.all

-- A table of orders and cells, { [3] = { 1, 2 }, [5] = { 7 } }, as the text of a MOC.
local function moc_text(cells)
  local parts = {}
  for order, list in pairs(cells) do
    if math.type(order) ~= "integer" or type(list) ~= "table" then
      errors.raise("usage", "sky.moc takes { [order] = { cell, ... }, ... }")
    end
    parts[#parts + 1] = order .. "/"
    for _, cell in ipairs(list) do
      if math.type(cell) ~= "integer" then
        errors.raise("usage", ("sky.moc: cells of order %d are integers, not %s"):format(order,
          type(cell)))
      end
      parts[#parts + 1] = tostring(cell)
    end
  end
  return #parts > 0 and table.concat(parts, " ") or "0/"
end

--- A coverage map (MOC 2.0) as a region: from its text ("3/1-4 5/7", with or without "MOC" before
-- it, or JSON), from a table { [order] = { cell, ... } }, or from a file below the output folder
-- (FITS, JSON or ASCII; waits).
function M.moc(source)
  if type(source) == "table" then
    return core.moc(moc_text(source))
  elseif type(source) ~= "string" then
    errors.raise("usage", "sky.moc takes a text, a table of cells or a path, not a "
      .. type(source))
  end
  local text = source:match("^%s*[Mm][Oo][Cc]%s+(.*)$") or source
  if text:find("^%s*{") or text:find("^%s*[sS]?%s*%d+/[%d%s,/-]*$") then
    return core.moc(text)
  end
  return core.moc_read(source)
end

--- What is in any region of a list; `a + b` for two.
M.union = core.union
--- What is in all regions of a list; `a * b` for two.
M.intersection = core.intersection
--- Everything else; also `-r`. `a - b` is what is in `a` and not in `b`.
M.complement = core.complement

--- A region from its text: "CIRCLE ra dec r", "RANGE ra1 ra2 dec1 dec2", "POLYGON ...",
-- "ELLIPSE ra dec first second angle", "MOC 3/1-4 ...", "ALL", and "UNION (... ...)",
-- "INTERSECTION (... ...)", "NOT (...)", "DIFFERENCE (a b)" of these.
M.parse = core.parse

return M
