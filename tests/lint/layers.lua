-- SPDX-License-Identifier: BSD-3-Clause
-- Includes point down the tower only, third-party headers have one room each, every .c includes its
-- own header first, and the two sides of a dialect share no code.
package.path = "tests/lint/?.lua;" .. package.path
local files = require("files")

local function set(text)
  local s = {}
  for word in text:gmatch("%S+") do s[word] = true end
  return s
end

local may_include = {
  base = set "base",
  data = set "base data",
  sky = set "base sky",
  plot = set "base sky plot",
  journal = set "base journal",
  net = set "base journal net",
  plan = set "base sky plan",
  host = set "base data sky journal net plan host",
  bind = set "base data sky plot journal net plan host bind",
  runtime = set "base data sky journal net plan host bind runtime",
  cli = set "cli",
  practice = set "base data sky practice",
  mydb = set "base data sky mydb",
}

local third_party = {
  { "^curl/", "net" },
  { "^archive", "net" },
  { "^openssl/", "net practice" },
  { "^expat", "data" },
  { "^yaml", "data" },
  { "^utf8proc", "net" },
  { "^fitsio", "data" },
  { "^zlib", "base data net practice" },
  { "^zstd", "base data" },
  { "^erfa", "sky" },
  { "^cairo", "plot" },
  { "^sqlite3", "journal practice" },
  { "^microhttpd", "practice" },
  { "^duckdb", "mydb" },
  { "^lua", "host bind runtime mydb practice" },
  { "^lauxlib", "host bind runtime mydb practice" },
  { "^lualib", "host bind runtime mydb practice" },
}

for _, path in ipairs(files.list("^src/.*%.[ch]$")) do
  local layer = path:match("^src/([^/]+)/")
  local own = path:match("^src/(.*)%.c$")
  local n, first = 0, nil
  for line in (files.read(path) .. "\n"):gmatch("(.-)\n") do
    n = n + 1
    local ours = line:match('^%s*#%s*include%s*"(.-)"')
    local system = line:match("^%s*#%s*include%s*<(.-)>")
    first = first or ours or system
    if ours and ours ~= "halyard.h" then
      local target = ours:match("^([^/]+)/")
      if not target then
        files.problem(path, n, ours .. ": include our headers with their folder")
      elseif not may_include[layer] or not may_include[layer][target] then
        files.problem(path, n, layer .. " must not include " .. ours)
      end
    elseif system then
      for _, rule in ipairs(third_party) do
        if system:find(rule[1]) and not set(rule[2])[layer] then
          files.problem(path, n, "<" .. system .. "> belongs to " .. rule[2])
        end
      end
    end
  end
  if own and first ~= own .. ".h" and io.open("src/" .. own .. ".h") then
    files.problem(path, 1, "include \"" .. own .. ".h\" first")
  end
end

for _, path in ipairs(files.list("^lua/.*%.lua$")) do
  local n = 0
  for line in (files.read(path) .. "\n"):gmatch("(.-)\n") do
    n = n + 1
    for name in line:gmatch("require%s*%(?%s*[\"']([%w_.]+)[\"']") do
      if path:find("^lua/practice/") and name:find("^halyard%.") then
        files.problem(path, n, "the practice archive must not use client code: " .. name)
      elseif path:find("^lua/halyard/") and name:find("^practice%.") then
        files.problem(path, n, "the client must not use practice code: " .. name)
      end
    end
  end
end
files.finish()
