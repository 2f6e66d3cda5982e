-- SPDX-License-Identifier: BSD-3-Clause
-- The library exports exactly the functions that halyard.h marks HAL_API.
-- Usage: exports.lua halyard.h libhalyard.so
local header, library = arg[1], arg[2]
local file = assert(io.open(header))
local text = file:read("a"):gsub("/%*.-%*/", ""):gsub("#[^\n]*", "")
file:close()

local declared, exported = {}, {}
for name in text:gmatch("HAL_API[^;]-([%w_]+)%s*%(") do declared[name] = true end
local pipe = assert(io.popen("nm -D --defined-only '" .. library .. "'"))
for line in pipe:lines() do
  local kind, name = line:match("^%x+ (%a) ([%w_]+)")
  if kind then exported[name] = true end
end
assert(pipe:close(), "nm failed")
assert(next(declared), "the header declares nothing")

local ok = true
for name in pairs(declared) do
  if not exported[name] then print("declared, not exported: " .. name) ok = false end
end
for name in pairs(exported) do
  if not declared[name] then print("exported, not declared: " .. name) ok = false end
end
os.exit(ok and 0 or 1)
