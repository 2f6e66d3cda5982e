-- SPDX-License-Identifier: BSD-3-Clause
-- The table of doors, docs/archives/index.md, from tests/archive/doors/*.lua: every service and
-- endpoint of the archive's interfaces with the function that asks it, the side of the practice
-- archive that answers it and the tests that show it. Every row is checked: the files exist and
-- hold the words they are listed with. `lua5.4 tests/lint/doors.lua write` writes the table anew.
--
-- A file of that folder returns { title = "...", page = "docs/archives/x.md", rows = {
--   { "endpoint or service", "client function",
--     client = { "lua/halyard/...", "a text in it" },
--     practice = { "lua/practice/...", "a text in it" },
--     tests = { { "tests/...", "a text in it" } } },
-- }, left_out = { { "endpoint or parameter", "why nothing asks it" } } }; a text of a row may be
-- absent where the endpoint itself stands in the file.
package.path = "tests/lint/?.lua;" .. package.path
local files = require("files")

local order = { "mashup", "products", "cutouts", "cloud", "auth", "missions", "classic", "catalogs",
  "exo", "images", "resolver", "gsss", "casjobs", "cone", "sia", "ssa", "datalink", "tap",
  "registry" }
local output = "docs/archives/index.md"

local function holds(path, text)
  local file = io.open(path, "rb")
  if not file then
    return false, path .. " does not exist"
  end
  local found = file:read("a"):find(text, 1, true)
  file:close()
  return found, ("%s does not hold %q"):format(path, text)
end

local function check(where, endpoint, side, what)
  if type(side) ~= "table" or not side[1] then
    files.problem(where, 1, ("%s: no %s"):format(endpoint, what))
    return "?"
  end
  local ok, why = holds(side[1], side[2] or endpoint)
  if not ok then
    files.problem(where, 1, ("%s: %s: %s"):format(endpoint, what, why))
  end
  return side[1]
end

local function test_name(entry)
  return ("`%s`: %s"):format(entry[1]:match("([^/]+)$"), entry[2])
end

local function row(where, entry)
  local endpoint, client = entry[1], entry[2]
  check(where, endpoint, entry.client, "client")
  local handler = check(where, endpoint, entry.practice, "practice")
  local tests = {}
  for i, test in ipairs(entry.tests or {}) do
    check(where, endpoint, test, "test")
    tests[i] = test_name(test)
  end
  if #tests == 0 then
    files.problem(where, 1, endpoint .. ": no test")
  end
  return ("| %s | `%s` | `%s` | %s |"):format(endpoint:gsub("|", "\\|"), client, handler,
    table.concat(tests, "; "))
end

local out = {
  "# Doors of the archive", "",
  "Every service and endpoint that Halyard asks, the function for it, the file of the practice",
  "archive that answers it, and the tests that show both; then what the specifications name and",
  "nothing asks, with the reason. Written by `tests/lint/doors.lua`.", "",
  "Each page has a workflow to start from: save it under its name and run it,",
  "`halyard run ./NAME.lua --archive practice`. Examples with the address 127.0.0.1:8642 need a",
  "practice archive there, `halyard-practice --port 8642`, and the option",
  "`--archive http://127.0.0.1:8642`.", "",
}
for _, name in ipairs(order) do
  local path = "tests/archive/doors/" .. name .. ".lua"
  local chunk = loadfile(path)
  if not chunk then
    files.problem(path, 1, "cannot be read")
  else
    local door = chunk()
    out[#out + 1] = ("## %s"):format(door.title)
    out[#out + 1] = ""
    if door.page then
      check(path, door.title, { door.page, "return workflow" }, "example")
      out[#out + 1] = ("How to use it: [%s](%s)."):format(door.page:match("([^/]+)$"),
        door.page:match("([^/]+)$"))
      out[#out + 1] = ""
    end
    out[#out + 1] = "| Service or endpoint | Function | Practice archive | Tests |"
    out[#out + 1] = "|---|---|---|---|"
    for _, entry in ipairs(door.rows) do
      out[#out + 1] = row(path, entry)
    end
    out[#out + 1] = ""
    if door.left_out then
      table.move({ "| Not asked | Because |", "|---|---|" }, 1, 2, #out + 1, out)
      for _, pair in ipairs(door.left_out) do
        if type(pair[1]) ~= "string" or type(pair[2]) ~= "string" then
          files.problem(path, 1, "left_out: what and why")
        end
        out[#out + 1] = ("| %s | %s |"):format(pair[1], pair[2])
      end
      out[#out + 1] = ""
    end
  end
end
local text = table.concat(out, "\n")
if arg[1] == "write" then
  local file <close> = assert(io.open(output, "wb"))
  file:write(text)
else
  local file <close> = io.open(output, "rb")
  if not file or file:read("a") ~= text then
    files.problem(output, 1, "is not what lua5.4 tests/lint/doors.lua write gives")
  end
end
files.finish()
