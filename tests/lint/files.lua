-- SPDX-License-Identifier: BSD-3-Clause
-- What the lint checks share: the list of tracked files, and one way to report.
local M = {}

--- Tracked files whose path matches a Lua pattern.
function M.list(pattern)
  local found = {}
  local pipe = assert(io.popen("git ls-files"))
  for path in pipe:lines() do
    if path:find(pattern) then found[#found + 1] = path end
  end
  pipe:close()
  assert(#found > 0, "no file matches " .. pattern)
  return found
end

function M.read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("a")
  file:close()
  return text
end

--- C source without comments and string contents; line breaks stay.
function M.code_only(text)
  local out, i = {}, 1
  while i <= #text do
    local c, two = text:sub(i, i), text:sub(i, i + 1)
    if two == "/*" then
      local stop = text:find("*/", i + 2, true) or #text
      out[#out + 1] = text:sub(i, stop + 1):gsub("[^\n]", " ")
      i = stop + 2
    elseif two == "//" then
      i = text:find("\n", i, true) or #text + 1
    elseif c == '"' or c == "'" then
      local stop = i + 1
      while stop <= #text and text:sub(stop, stop) ~= c do
        stop = stop + (text:sub(stop, stop) == "\\" and 2 or 1)
      end
      out[#out + 1] = c .. c
      i = stop + 1
    else
      out[#out + 1] = c
      i = i + 1
    end
  end
  return table.concat(out)
end

local problems = {}

function M.problem(path, line, message)
  problems[#problems + 1] = ("%s:%d: %s"):format(path, line, message)
end

--- Prints what was found and ends the process.
function M.finish()
  for _, text in ipairs(problems) do print(text) end
  os.exit(#problems == 0 and 0 or 1)
end

return M
