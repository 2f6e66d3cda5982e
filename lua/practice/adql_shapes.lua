-- SPDX-License-Identifier: BSD-3-Clause
-- Geometry of ADQL as SQL: points, circles, convex polygons, boxes and what is asked of them. A
-- condition has two forms: `sql`, true on its own, and `fast`, which lets the sky's tables read one
-- circle only and works where it is joined with AND.
local text = require "practice.adql_text"

local M = {}

local fail = text.fail

local function number(node, what)
  if node.type == "char" or node.shape then
    fail("%s must be a number", what)
  end
  return node
end

-- Arguments without the coordinate system that ADQL 2.0 puts first.
local function without_frame(args, name)
  local first = args[1]
  if first and first.literal_text then
    local frame = first.literal_text:upper():match("^%s*(%S*)")
    if frame ~= "" and frame ~= "ICRS" and frame ~= "FK5" and frame ~= "J2000" then
      fail("%s: coordinate system %s is not supported", name, first.literal_text)
    end
    return table.move(args, 2, #args, 1, {})
  end
  return args
end

function M.point(args)
  args = without_frame(args, "POINT")
  if #args ~= 2 then
    fail("POINT takes two coordinates")
  end
  return { shape = "point", ra = number(args[1], "POINT"), dec = number(args[2], "POINT") }
end

-- A centre given as a point or as two numbers, then the rest.
local function centred(args, name, n)
  args = without_frame(args, name)
  local at
  if args[1] and args[1].shape == "point" then
    at = table.move(args, 2, #args, 3, { args[1].ra, args[1].dec })
  else
    at = args
  end
  if #at ~= 2 + n then
    fail("%s takes a centre and %d more", name, n)
  end
  for _, node in ipairs(at) do
    number(node, name)
  end
  return at
end

function M.circle(args)
  local at = centred(args, "CIRCLE", 1)
  return { shape = "circle", ra = at[1], dec = at[2], radius = at[3] }
end

local function constant(node, name)
  local value = tonumber(node.value)
  if not value then
    fail("%s takes numbers only", name)
  end
  return value
end

local function unit(ra, dec)
  ra, dec = math.rad(ra), math.rad(dec)
  return { math.cos(dec) * math.cos(ra), math.cos(dec) * math.sin(ra), math.sin(dec) }
end

local function dot(a, b)
  return a[1] * b[1] + a[2] * b[2] + a[3] * b[3]
end

local function cross(a, b)
  return { a[2] * b[3] - a[3] * b[2], a[3] * b[1] - a[1] * b[3], a[1] * b[2] - a[2] * b[1] }
end

-- The polygon of these corners: the normals of its edges, pointing inside, and a circle round it.
local function polygon(corners)
  local sum = { 0, 0, 0 }
  for _, c in ipairs(corners) do
    for i = 1, 3 do
      sum[i] = sum[i] + c[i]
    end
  end
  local length = math.sqrt(dot(sum, sum))
  if length < 1e-9 then
    fail("POLYGON: the corners do not tell an inside")
  end
  local centre, normals, least = { sum[1] / length, sum[2] / length, sum[3] / length }, {}, 1
  for i, c in ipairs(corners) do
    local normal = cross(c, corners[i % #corners + 1])
    local side = dot(normal, centre)
    if side < 0 then
      normal = { -normal[1], -normal[2], -normal[3] }
    end
    for _, other in ipairs(corners) do
      if dot(normal, other) < -1e-12 then
        fail("POLYGON: only convex polygons of less than half the sky are supported")
      end
    end
    normals[i] = normal
    least = math.min(least, dot(c, centre))
  end
  return {
    shape = "polygon", normals = normals, radius = math.deg(math.acos(math.max(-1, least))) + 1e-6,
    ra = math.deg(math.atan(centre[2], centre[1])) % 360, dec = math.deg(math.asin(centre[3])),
  }
end

function M.polygon(args)
  args = without_frame(args, "POLYGON")
  local corners = {}
  if args[1] and args[1].shape == "point" then
    for i, point in ipairs(args) do
      corners[i] = unit(constant(point.ra, "POLYGON"), constant(point.dec, "POLYGON"))
    end
  else
    if #args % 2 ~= 0 then
      fail("POLYGON takes pairs of coordinates")
    end
    for i = 1, #args, 2 do
      corners[#corners + 1] = unit(constant(args[i], "POLYGON"), constant(args[i + 1], "POLYGON"))
    end
  end
  if #corners < 3 then
    fail("POLYGON takes at least three corners")
  end
  return polygon(corners)
end

function M.box(args)
  local at = centred(args, "BOX", 2)
  local ra, dec = constant(at[1], "BOX"), constant(at[2], "BOX")
  local half_w, half_h = constant(at[3], "BOX") / 2, constant(at[4], "BOX") / 2
  if math.abs(dec) + half_h >= 90 or half_w >= 90 then
    fail("BOX: a box that reaches a pole or half the sky is not supported")
  end
  return polygon({ unit(ra - half_w, dec - half_h), unit(ra + half_w, dec - half_h),
    unit(ra + half_w, dec + half_h), unit(ra - half_w, dec + half_h) })
end

local function separation(a, b)
  return ("separation(%s, %s, %s, %s)"):format(a.ra.sql, a.dec.sql, b.ra.sql, b.dec.sql)
end

-- "This table's rows in a circle" through its hidden columns; nil where the point is not the
-- table's position.
local function hidden(point, ra, dec, radius)
  local t = point.ra.from
  local place = t and t == point.dec.from and t.def.position
  if not place or point.ra.column.name ~= place.ra or point.dec.column.name ~= place.dec then
    return nil
  end
  return t, ("%s.circle_ra = %s AND %s.circle_dec = %s AND %s.circle_radius = %s")
    :format(t.sql, ra, t.sql, dec, t.sql, radius), place.exact
end

local function uses(node, t)
  return node.tables ~= nil and node.tables[t] == true
end

--- Point in shape: { sql, fast, table }.
function M.contains(args, name)
  local a, b = args[1], args[2]
  if #args ~= 2 or not a.shape or not b.shape then
    fail("%s takes two shapes", name)
  elseif b.shape == "point" and a.shape ~= "point" and name == "INTERSECTS" then
    a, b = b, a
  end
  local out = { type = "int", question = true }
  if a.shape == "circle" and b.shape == "circle" and name == "INTERSECTS" then
    out.sql = ("(%s <= %s + %s)"):format(separation(a, b), a.radius.sql, b.radius.sql)
    return out
  elseif a.shape ~= "point" then
    fail("%s of a %s and a %s is not supported", name, a.shape, b.shape)
  elseif b.shape == "point" then
    out.sql = ("(%s = 0)"):format(separation(a, b))
    return out
  elseif b.shape == "circle" then
    out.sql = ("(%s <= %s)"):format(separation(a, b), b.radius.sql)
    local t, fast, exact = hidden(a, b.ra.sql, b.dec.sql, b.radius.sql)
    if t and not (uses(b.ra, t) or uses(b.dec, t) or uses(b.radius, t)) then
      out.table, out.fast = t, exact and fast or fast .. " AND " .. out.sql
    end
    return out
  end
  local tests = {}
  for i, n in ipairs(b.normals) do
    tests[i] = ("%.17g * cos(radians(%s)) * cos(radians(%s)) + %.17g * cos(radians(%s)) * "
      .. "sin(radians(%s)) + %.17g * sin(radians(%s)) >= 0"):format(n[1], a.dec.sql, a.ra.sql, n[2],
      a.dec.sql, a.ra.sql, n[3], a.dec.sql)
  end
  out.sql = ("(%s)"):format(table.concat(tests, " AND "))
  local t, fast = hidden(a, ("%.17g"):format(b.ra), ("%.17g"):format(b.dec),
    ("%.17g"):format(b.radius))
  if t then
    out.table, out.fast = t, fast .. " AND " .. out.sql
  end
  return out
end

function M.distance(args)
  local a, b = args[1], args[2]
  if #args == 4 then
    a, b = { ra = args[1], dec = args[2] }, { ra = args[3], dec = args[4] }
  elseif #args ~= 2 or a.shape ~= "point" or b.shape ~= "point" then
    fail("DISTANCE takes two points or four numbers")
  end
  return { sql = separation(a, b), type = "double", between = { a, b }, unit = "deg",
    ucd = "pos.angDistance", tables = {} }
end

--- DISTANCE(a, b) below a limit, as `contains` gives it.
function M.near(distance, op, limit)
  local out = { type = "int", sql = ("(%s %s %s)"):format(distance.sql, op, limit.sql) }
  for i = 1, 2 do
    local a, b = distance.between[i], distance.between[3 - i]
    local t, fast = hidden(a, b.ra.sql, b.dec.sql, limit.sql)
    if t and not (uses(b.ra, t) or uses(b.dec, t) or uses(limit, t)) then
      out.table, out.fast = t, fast .. " AND " .. out.sql
      return out
    end
  end
  return out
end

--- Functions of a shape that give a number.
function M.measure(name, args)
  local a = args[1]
  if #args ~= 1 or not a.shape then
    fail("%s takes a shape", name)
  elseif name == "AREA" and a.shape == "circle" then
    return { sql = ("(360 * 180 / pi() * (1 - cos(radians(%s))) / 1.0)"):format(a.radius.sql),
      type = "double", unit = "deg**2" }
  elseif name ~= "AREA" and a.shape == "point" then
    return name == "COORD1" and a.ra or a.dec
  end
  fail("%s of a %s is not supported", name, a.shape)
end

return M
