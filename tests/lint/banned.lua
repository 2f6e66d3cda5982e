-- SPDX-License-Identifier: BSD-3-Clause
-- Functions that are never called: unbounded, locale-dependent, or a way out of the process.
package.path = "tests/lint/?.lua;" .. package.path
local files = require("files")

local everywhere = { "strcpy", "strcat", "sprintf", "vsprintf", "strtok", "gets", "atoi", "atof",
  "atol", "alloca", "system", "popen", "localtime", "strtod", "strtof", "luaL_openlibs" }
local in_libraries = { "abort", "exit", "assert", "printf", "puts", "malloc", "calloc", "realloc",
  "free", "strdup", "strndup" }
local programs = { cli = true, practice = true }
-- The heap's own door; the test runner's full standard library.
local allowed = { ["src/base/alloc.c"] = true }
-- Converts under the "C" locale, which it sets for the call.
local allowed_names = { ["src/base/decimal.c"] = { strtod = true } }

for _, path in ipairs(files.list("^src/.*%.[ch]$")) do
  local n = 0
  local layer = path:match("^src/([^/]+)/")
  for line in (files.code_only(files.read(path)) .. "\n"):gmatch("(.-)\n") do
    n = n + 1
    local function check(names)
      for _, name in ipairs(names) do
        local is_allowed = allowed_names[path] and allowed_names[path][name]
        if not is_allowed and line:find("%f[%w_]" .. name .. "%s*%(") then
          files.problem(path, n, name .. " is banned here")
        end
      end
    end
    check(everywhere)
    if not programs[layer] and not allowed[path] then check(in_libraries) end
  end
end
files.finish()
