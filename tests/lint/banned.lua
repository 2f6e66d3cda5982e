-- SPDX-License-Identifier: BSD-3-Clause
-- Functions that are never called: unbounded, locale-dependent, or a way out of the process.
package.path = "tests/lint/?.lua;" .. package.path
local files = require("files")

local everywhere = { "strcpy", "strcat", "sprintf", "vsprintf", "strtok", "gets", "atoi", "atof",
  "atol", "alloca", "system", "popen", "localtime", "strtod", "strtof", "luaL_openlibs" }
local in_libraries = { "abort", "exit", "assert", "printf", "puts", "malloc", "calloc", "realloc",
  "free", "strdup", "strndup" }
local programs = { cli = true, practice = true }
-- The heap's own door.
local allowed = { ["src/base/alloc.c"] = true }
local allowed_names = {
  ["src/cli/json.c"] = { strtod = true }, -- a program that never calls setlocale
  ["src/host/state.c"] = { luaL_openlibs = true }, -- for the test runner only
}

for _, path in ipairs(files.list("^src/.*%.[ch]$")) do
  local n = 0
  local layer = path:match("^src/([^/]+)/")
  for line in (files.code_only(files.read(path)) .. "\n"):gmatch("(.-)\n") do
    n = n + 1
    local function check(names)
      for _, name in ipairs(names) do
        local is_allowed = allowed_names[path] and allowed_names[path][name]
        -- A member of that name is somebody else's function.
        local calls = line:find(name, 1, true)
          and line:gsub("[%.>]" .. name, ""):find("%f[%w_]" .. name .. "%s*%(")
        if calls and not is_allowed then
          files.problem(path, n, name .. " is banned here")
        end
      end
    end
    check(everywhere)
    if not programs[layer] and not allowed[path] then check(in_libraries) end
  end
end
files.finish()
