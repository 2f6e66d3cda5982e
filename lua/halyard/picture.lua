-- SPDX-License-Identifier: BSD-3-Clause
-- Pictures, region files and coverage maps of queries, where the user named files for them: taken
-- while a query is planned or has ended, written when the workflow is over.

local plot = require("halyard.core.plot")

local M = {}

local scales = {
  predicted = "rows per square degree, as predicted",
  actual = "rows per square degree, as they came",
}

--- Checks the endings of the files that the arguments of a job name.
-- @raise `usage` for endings that no form has
function M.wanted(args)
  plot.check(args.plot, args.moc)
  return true
end

--- Keeps what a plan holds now. `kind`: "predicted" or "actual"; `asks`: what would be asked first.
-- @treturn table an entry for record.pictures, with title, notes
function M.take(kind, plan, region, asks)
  local text = tostring(region)
  return {
    tiles = plot.take(plan, region, kind, asks), scale = scales[kind],
    region = #text <= 300 and text or text:sub(1, 300), title = "", note = "",
  }
end

-- "plan.svg" -> "plan-2.svg"
local function numbered(path, i)
  if i == 1 then
    return path
  end
  local stem, ending = path:match("^(.*[^/])(%.[^./]*)$")
  return ("%s-%d%s"):format(stem or path, i, ending or "")
end

--- Writes what was kept.
-- @treturn table names of the files
function M.write(pictures, args)
  local written = {}
  local function name(path, i)
    written[#written + 1] = numbered(path, i)
    return written[#written]
  end
  for i, picture in ipairs(pictures) do
    if args.plot then
      picture.tiles:draw(name(args.plot, i), picture.title, picture.region, picture.note,
        picture.scale)
    end
    if args.regions then
      picture.tiles:regions(name(args.regions, i))
    end
    if args.moc then
      picture.tiles:coverage(name(args.moc, i))
    end
  end
  return written
end

return M
