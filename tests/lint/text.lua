-- SPDX-License-Identifier: BSD-3-Clause
-- Every source file names its licence in the first lines; no tabs in code, no blanks at line ends.
package.path = "tests/lint/?.lua;" .. package.path
local files = require("files")

local function is_data(path)
  return path:find("^tests/data/") or path:find("/corpus/") or path:find("%.json$")
end

local function is_source(path)
  for _, ending in ipairs({ "c", "h", "lua", "cpp", "py", "sh", "def" }) do
    if path:find("%." .. ending .. "$") then return true end
  end
  return path:find("CMakeLists%.txt$") or path:find("^scripts/") or path:find("^%.ci/")
end

for _, path in ipairs(files.list(".")) do
  if not is_data(path) then
    local text = files.read(path)
    local head = text:sub(1, 200)
    if is_source(path) and not head:find("SPDX-License-Identifier: BSD-3-Clause", 1, true) then
      files.problem(path, 1, "no SPDX line")
    end
    local n = 0
    for line in (text .. "\n"):gmatch("(.-)\n") do
      n = n + 1
      if line:find("[ \t\r]$") then files.problem(path, n, "blank at the end of the line") end
      if is_source(path) and line:find("\t") then files.problem(path, n, "tab") end
    end
  end
end
files.finish()
