-- SPDX-License-Identifier: BSD-3-Clause
-- "Did you mean": the nearest of the known names to a misspelt one, and the one way in which
-- unknown names are refused.

local errors = require("halyard.error")

local M = {}

local shown_max = 12

-- Optimal string alignment distance (Damerau-Levenshtein without repeated edits) of two byte texts.
local function distance(a, b)
  local before, last = {}, {}
  for j = 0, #b do
    last[j] = j
  end
  for i = 1, #a do
    local row = { [0] = i }
    for j = 1, #b do
      local change = a:byte(i) == b:byte(j) and 0 or 1
      local best = math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + change)
      if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        best = math.min(best, before[j - 2] + 1)
      end
      row[j] = best
    end
    before, last = last, row
  end
  return last[#b]
end

--- The names of `known` nearest to `name`, best first, ignoring case; empty when none is near.
-- @tparam string name at most its first 64 bytes count
-- @tparam table known list of names, which may hold one twice
-- @tparam[opt=3] integer n how many at most
function M.nearest(name, known, n)
  local wanted = name:sub(1, 64):lower()
  local limit = math.max(1, #wanted // 3)
  local found, seen = {}, {}
  for _, candidate in ipairs(known) do
    local text = candidate:lower()
    local d = distance(wanted, text:sub(1, 64))
    if #wanted >= 3 and (text:find(wanted, 1, true) or (#text >= 3 and wanted:find(text, 1, true)))
    then
      d = math.min(d, 1)
    end
    if d <= limit and not seen[candidate] then
      seen[candidate] = true
      found[#found + 1] = { name = candidate, d = d }
    end
  end
  table.sort(found, function(a, b)
    if a.d ~= b.d then
      return a.d < b.d
    end
    return a.name < b.name
  end)
  local names = {}
  for i = 1, math.min(n or 3, #found) do
    names[i] = found[i].name
  end
  return names
end

--- Raises for an unknown name.
-- @tparam string what kind of thing, with its owner: "parameter of workflow first-light"
-- @tparam string name the misspelt name
-- @tparam table known list of names
-- @tparam[opt="usage"] string code
function M.unknown(what, name, known, code)
  local near = M.nearest(name, known)
  local hint
  if #near > 0 then
    hint = "did you mean " .. table.concat(near, ", ") .. "?"
  elseif #known == 0 then
    hint = "there are none"
  else
    hint = "known: " .. table.concat(known, ", ", 1, math.min(#known, shown_max))
      .. (#known > shown_max and ", ..." or "")
  end
  errors.raise(code or "usage", ("unknown %s: %s; %s"):format(what, name, hint))
end

local function check(t, known, what, options)
  local allowed = {}
  for _, key in ipairs(known) do
    allowed[key] = true
  end
  for key in pairs(t) do
    if not allowed[key] then
      local name = tostring(key)
      local option = #M.nearest(name, known) == 0 and M.nearest(name, options or {}, 1)[1]
      if option then
        errors.raise("usage", ("unknown %s: %s; did you mean --%s?"):format(what, name, option))
      end
      M.unknown(what, name, known)
    end
  end
end

--- Refuses keys of a table that are not in `known`.
-- @tparam table t options as given by the caller
-- @tparam table known list of allowed keys
-- @tparam string what the function the options belong to
function M.check_keys(t, known, what)
  if type(t) ~= "table" then
    errors.raise("usage", ("%s takes a table of options { %s = ... }, not %s"):format(what,
      table.concat(known, " =, ", 1, math.min(#known, shown_max)), t == nil and "nothing"
      or "a " .. type(t)))
  end
  check(t, known, "option of " .. what)
end

--- The same for the parameters given to a workflow; `options`: names of the command's own options,
-- which may be meant instead.
function M.check_params(t, known, owner, options)
  check(t, known, "parameter of " .. owner, options)
end

return M
