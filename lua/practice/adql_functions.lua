-- SPDX-License-Identifier: BSD-3-Clause
-- Functions of ADQL (sections 2.3, 4.2, 4.3) as SQL of SQLite.
local text = require "practice.adql_text"

local M = {}

local fail = text.fail

M.aggregates = { COUNT = true, SUM = true, AVG = true, MIN = true, MAX = true }

-- name -> { least, most arguments, SQL with %1 %2 for the arguments, type or nil: the argument's }
local known = {
  ABS = { 1, 1, "abs(%1)" }, CEILING = { 1, 1, "ceil(%1)", "double" },
  DEGREES = { 1, 1, "degrees(%1)", "double" }, EXP = { 1, 1, "exp(%1)", "double" },
  FLOOR = { 1, 1, "floor(%1)", "double" }, LOG = { 1, 1, "ln(%1)", "double" },
  LOG10 = { 1, 1, "log10(%1)", "double" }, MOD = { 2, 2, "(%1 %% %2)", "long" },
  PI = { 0, 0, "pi()", "double" }, POWER = { 2, 2, "pow(%1, %2)", "double" },
  RADIANS = { 1, 1, "radians(%1)", "double" },
  RAND = { 0, 1, "(abs(random() / 2) / 4611686018427387904.0)", "double" },
  ROUND = { 1, 2, "round(%1, %2)", "double" }, SQRT = { 1, 1, "sqrt(%1)", "double" },
  TRUNCATE = { 1, 2, "(trunc(%1 * pow(10, %2)) / pow(10, %2))", "double" },
  SIN = { 1, 1, "sin(%1)", "double" }, COS = { 1, 1, "cos(%1)", "double" },
  TAN = { 1, 1, "tan(%1)", "double" }, ASIN = { 1, 1, "asin(%1)", "double" },
  ACOS = { 1, 1, "acos(%1)", "double" }, ATAN = { 1, 1, "atan(%1)", "double" },
  ATAN2 = { 2, 2, "atan2(%1, %2)", "double" }, COT = { 1, 1, "(1.0 / tan(%1))", "double" },
  SIGN = { 1, 1, "sign(%1)", "int" },
  LOWER = { 1, 1, "lower(%1)", "char" }, UPPER = { 1, 1, "upper(%1)", "char" },
  COALESCE = { 2, 2, "coalesce(%1, %2)" },
  -- The IVOA's catalogue of user defined functions.
  IVO_HEALPIX_INDEX = { 3, 3, "cell(%1, %2, %3)", "long" },
  -- RegTAP 1.1 section 9: functions of registries.
  IVO_NOCASEMATCH = { 2, 2, "(%1 LIKE %2)", "int" },
  IVO_HASWORD = { 2, 2, "(words(%2) <> ' ' AND instr(words(%1), words(%2)) > 0)", "int" },
  IVO_HASHLIST_HAS = { 2, 2, "('#' || lower(%1) || '#' LIKE '%%%#' || lower(%2) || '#%%%')",
    "int" },
}

--- A call: { sql, type }; nil for an unknown function.
function M.call(name, args)
  local f = known[name]
  if not f then
    return nil
  elseif #args < f[1] or #args > f[2] then
    fail("%s takes %s", name, f[1] == f[2] and ("%d arguments"):format(f[1])
      or ("%d to %d arguments"):format(f[1], f[2]))
  end
  local sql = f[3]:gsub("%%(.)", function(c)
    local arg = args[tonumber(c)]
    return tonumber(c) and (arg and arg.sql or "0") or c
  end)
  return { sql = sql, type = f[4] or args[1].type, unit = not f[4] and args[1].unit or nil }
end

local casts = { SMALLINT = { "INTEGER", "short" }, INTEGER = { "INTEGER", "int" },
  BIGINT = { "INTEGER", "long" }, REAL = { "REAL", "float" }, DOUBLE = { "REAL", "double" },
  CHAR = { "TEXT", "char" }, VARCHAR = { "TEXT", "char" } }

function M.cast(arg, type_name)
  local cast = casts[type_name:upper()] or fail("CAST to %s is not supported", type_name)
  return { sql = ("CAST(%s AS %s)"):format(arg.sql, cast[1]), type = cast[2], tables = arg.tables }
end

--- LIKE with regard to case, which SQLite's own has not.
function M.like(left, pattern, negated)
  if not pattern.literal_text then
    return ("%s %sLIKE %s"):format(left.sql, negated, pattern.sql)
  end
  local glob = pattern.literal_text:gsub("[%*%?%[]", "[%0]"):gsub("%%", "*"):gsub("_", "?")
  return ("%s %sGLOB '%s'"):format(left.sql, negated, glob:gsub("'", "''"))
end

return M
