-- SPDX-License-Identifier: BSD-3-Clause
-- What MAST's documents leave open where a question has to take one of two readings: found out by
-- asking, or taken so that both give the same rows, unless a setting says which one holds
-- (docs/archives/readings.md).

local errors = require("halyard.error")
local suggest = require("halyard.suggest")
local system = require("halyard.core.system")

local M = {}

--- Name of a reading -> its choices, in the order in which they are tried.
M.choices = {
  ["catalogs-ranges"] = { "or", "and" },
  ["jwst-portal"] = { "portal", "portal_jwst" },
  ["wfc3-psf"] = { "Wfc3Psf", "Wfc3" },
}

--- The choice of the user (setting "reading.<name>"), nil without one.
function M.chosen(name)
  assert(M.choices[name], name)
  return system.setting("reading." .. name)
end

--- Checks the settings.
-- @raise `usage` for readings and choices that do not exist
function M.check()
  for setting, value in pairs(system.settings()) do
    local name = setting:match("^reading%.(.*)$")
    local choices = name and M.choices[name]
    if name and not choices then
      local names = {}
      for each in pairs(M.choices) do
        names[#names + 1] = each
      end
      table.sort(names)
      suggest.unknown("reading", name, names)
    elseif name and value ~= choices[1] and value ~= choices[2] then
      suggest.unknown("choice of the reading " .. name, value, choices)
    end
  end
end

local found = {}

--- Asks by the chosen reading or, without a choice, by the one that the archive turns out to have
-- at `place`: the first one is tried and, where the archive does not know it, the second.
-- @tparam string name of the reading
-- @tparam string place what the answer holds for: a base URL, a service
-- @tparam function ask gets the choice
-- @tparam function is_unknown gets an error: is it the archive's word for what it does not have?
-- @treturn what `ask` returns
function M.ask(name, place, ask, is_unknown)
  local first, second = table.unpack(M.choices[name])
  local chosen, key = M.chosen(name), name .. " " .. place
  local answer = table.pack(errors.try(ask, chosen or found[key] or first))
  if not answer[1] and is_unknown(answer[2]) then
    if chosen then
      local err = answer[2]
      errors.raise(err.code, ("%s; the reading %s=%s was chosen: without it the archive is also "
        .. "asked for the other one"):format(err.message, name, chosen))
    elseif not found[key] then
      answer = table.pack(errors.try(ask, second))
      found[key] = answer[1] and second or nil
    end
  elseif answer[1] and not chosen then
    found[key] = found[key] or first
  end
  if not answer[1] then
    error(answer[2], 0)
  end
  return table.unpack(answer, 2, answer.n)
end

return M
