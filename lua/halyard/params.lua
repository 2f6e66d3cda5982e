-- SPDX-License-Identifier: BSD-3-Clause
-- Parameters of a workflow: their declaration checked, texts from a command line turned into typed
-- values inside their limits. Pure.

local errors = require("halyard.error")
local sky = require("halyard.core.sky")
local suggest = require("halyard.suggest")

local M = {}

local entry_keys = { "unit", "default", "min", "max", "help", "choices", "optional" }

local function number_of(value)
  local n = type(value) == "number" and value or type(value) == "string" and tonumber(value)
  if n and n == n and math.abs(n) ~= math.huge then
    return n
  end
  return nil, "is not a number"
end

local truth = {
  ["true"] = true, yes = true, on = true, ["1"] = true,
  ["false"] = false, no = false, off = false, ["0"] = false,
}

local function text_of(value)
  if type(value) == "string" then
    return value
  end
  return nil, "is not a text"
end

local function target_of(value)
  if type(value) ~= "string" or not value:find("%S") then
    return nil, 'is neither a name nor a position such as "52.5 -27.4"'
  end
  local ok, err = errors.try(sky.position, value)
  if not ok then
    local lead = ('position "%s": '):format(value)
    local at = err.message:find(lead, 1, true) == 1 and #lead + 1 or 1
    return nil, "is no position: " .. err.message:sub(at)
  end
  return value
end

-- type -> function(value, entry) giving the typed value, or nil and what is wrong.
local readers = {
  number = number_of,
  integer = function(value)
    local n = math.tointeger(number_of(value))
    return n, "is not a whole number"
  end,
  string = text_of,
  boolean = function(value)
    if type(value) == "boolean" then
      return value
    end
    local known = truth[tostring(value):lower()]
    if known == nil then
      return nil, "is neither true nor false"
    end
    return known
  end,
  angle = function(value, entry)
    local ok, deg = errors.try(sky.angle, value, entry.unit or "deg")
    if not ok then
      return nil, "is not an angle such as \"12 arcmin\""
    end
    return deg
  end,
  skycoord = target_of,
  target = target_of,
  choice = function(value, entry)
    for _, choice in ipairs(entry.choices) do
      if tostring(value):lower() == tostring(choice):lower() then
        return choice
      end
    end
    return nil, "is not one of " .. table.concat(entry.choices, ", ")
  end,
}

--- Names of the parameter types, sorted.
M.types = { "angle", "boolean", "choice", "integer", "number", "skycoord", "string", "target" }

local function show(value, entry)
  local unit = entry.unit and (entry.kind == "number" or entry.kind == "integer"
    or type(value) == "number") and " " .. entry.unit or ""
  return tostring(value) .. unit
end

-- Wrong value of a parameter.
local function refuse(entry, value, why)
  errors.raise("usage", ("parameter %s = %s %s"):format(entry.name, show(value, entry), why),
    { parameter = entry.name })
end

local function limit_of(entry, bound)
  if entry.kind == "angle" then
    return sky.angle(bound, entry.unit or "deg")
  end
  return bound
end

local function check_limits(entry, given, value)
  if entry.min ~= nil and value < limit_of(entry, entry.min) then
    refuse(entry, given, ("is below its limit: give at least %s"):format(show(entry.min, entry)))
  elseif entry.max ~= nil and value > limit_of(entry, entry.max) then
    refuse(entry, given, ("is above its limit: give at most %s"):format(show(entry.max, entry)))
  end
end

--- One value, typed and inside its limits; angles become degrees.
-- @raise `usage` naming parameter, value and limit
function M.read(entry, given)
  if given == true and entry.kind ~= "boolean" then
    errors.raise("usage", ("--%s needs a value (%s%s)"):format(entry.name, entry.kind,
      entry.help and ", " .. entry.help or ""), { parameter = entry.name })
  end
  local value, why = readers[entry.kind](given, entry)
  if value == nil then
    refuse(entry, given, why)
  end
  if entry.kind == "number" or entry.kind == "integer" or entry.kind == "angle" then
    check_limits(entry, given, value)
  end
  return value
end

-- One declaration { name, type, key = value ... } as { name, kind, key = value ... }.
local function declared(raw, i)
  if type(raw) ~= "table" or type(raw[1]) ~= "string" or not raw[1]:find("^%a[%w_]*$") then
    errors.raise("usage", ("params[%d]: write { \"name\", \"type\", help = ... }"):format(i))
  end
  local entry = {}
  for key, value in pairs(raw) do
    if key ~= 1 and key ~= 2 then
      entry[key] = value
    end
  end
  suggest.check_keys(entry, entry_keys, "parameter " .. raw[1])
  entry.name, entry.kind = raw[1], raw[2]
  if not readers[entry.kind] then
    suggest.unknown("type of parameter " .. entry.name, tostring(entry.kind), M.types)
  elseif entry.kind == "choice" and (type(entry.choices) ~= "table" or #entry.choices == 0) then
    errors.raise("usage", ("parameter %s: a choice needs choices = { ... }"):format(entry.name))
  end
  return entry
end

--- Checks a `params` list and returns it as entries { name, kind, unit, default, min, max, help,
-- choices, optional }. Defaults must be readable and inside the limits.
function M.declare(list)
  local entries, seen = {}, {}
  for i, raw in ipairs(list or {}) do
    local entry = declared(raw, i)
    if seen[entry.name] then
      errors.raise("usage", ("parameter %s is declared twice"):format(entry.name))
    end
    entries[i], seen[entry.name] = entry, true
    if entry.default ~= nil then
      M.read(entry, entry.default)
    end
  end
  for key in pairs(list or {}) do
    if not entries[key] then
      errors.raise("usage", ("params is a list without gaps, and %s is not in it: write "
        .. "{ \"name\", \"type\", help = ... }"):format(tostring(key)))
    end
  end
  return entries
end

--- Values for all entries from what was given by name.
-- @tparam table entries from `declare`
-- @tparam table given name -> text or typed value
-- @tparam string owner for messages: "workflow first-light"
-- @tparam[opt] table options names that a misspelt parameter may stand for: the command's own
-- @raise `usage` for unknown, missing and wrong ones
function M.values(entries, given, owner, options)
  local names, values = {}, {}
  for i, entry in ipairs(entries) do
    names[i] = entry.name
  end
  suggest.check_params(given, names, owner, options)
  for _, entry in ipairs(entries) do
    local value = given[entry.name]
    if value == nil then
      value = entry.default
    end
    if value ~= nil then
      values[entry.name] = M.read(entry, value)
    elseif not entry.optional then
      errors.raise("usage", ("parameter %s is missing: give --%s (%s%s)"):format(entry.name,
        entry.name, entry.kind, entry.help and ", " .. entry.help or ""),
        { parameter = entry.name })
    end
  end
  return values
end

--- Lines that describe the entries, for help texts.
function M.describe(entries)
  local lines = {}
  for _, entry in ipairs(entries) do
    local notes = { entry.kind .. (entry.unit and " in " .. entry.unit or "") }
    if entry.choices then
      notes[#notes + 1] = "one of " .. table.concat(entry.choices, ", ")
    end
    if entry.default ~= nil then
      notes[#notes + 1] = "default " .. show(entry.default, entry)
    elseif not entry.optional then
      notes[#notes + 1] = "required"
    end
    if entry.min ~= nil or entry.max ~= nil then
      notes[#notes + 1] = ("%s to %s"):format(entry.min ~= nil and show(entry.min, entry) or "any",
        entry.max ~= nil and show(entry.max, entry) or "any")
    end
    lines[#lines + 1] = ("  --%-14s %s"):format(entry.name, entry.help or "")
    lines[#lines + 1] = ("  %-16s (%s)"):format("", table.concat(notes, "; "))
  end
  return table.concat(lines, "\n")
end

return M
