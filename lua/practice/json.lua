-- SPDX-License-Identifier: BSD-3-Clause
-- JSON that keeps 64-bit integers exact and can write empty lists. Requests are small: clarity
-- before speed. Rows never come through here.
local M = {}

--- JSON null, where the difference from "absent" matters.
M.null = setmetatable({}, { __name = "json.null" })
local list_mark = { __name = "json.list" }

--- Marks a table as a list, so that it is written as [] even when empty.
function M.list(t)
  return setmetatable(t, list_mark)
end

local escapes = {
  ['"'] = '"', ["\\"] = "\\", ["/"] = "/",
  b = "\b", f = "\f", n = "\n", r = "\r", t = "\t",
}

local function fail(at, what)
  error({ json = ("%s at byte %d"):format(what, at) }, 0)
end

local value

local function text_at(s, at)
  local out = {}
  while true do
    local plain, stop = s:match('^([^"\\]*)()', at)
    out[#out + 1] = plain
    local c = s:sub(stop, stop)
    if c == '"' then
      return table.concat(out), stop + 1
    elseif c == "" then
      fail(at, "text without end")
    end
    local e = s:sub(stop + 1, stop + 1)
    at = stop + 2
    if e == "u" then
      local code = tonumber(s:match("^%x%x%x%x", at) or fail(at, "bad \\u escape"), 16)
      at = at + 4
      local low = code >= 0xD800 and code < 0xDC00 and s:match("^\\u([Dd][C-Fc-f]%x%x)", at)
      if low then
        code = 0x10000 + (code - 0xD800) * 1024 + tonumber(low, 16) - 0xDC00
        at = at + 6
      end
      out[#out + 1] = utf8.char(code)
    else
      out[#out + 1] = escapes[e] or fail(stop, "bad escape")
    end
  end
end

local function blank(s, at)
  return s:match("^[ \t\r\n]*()", at)
end

local function items(s, at, close, each)
  at = blank(s, at)
  if s:sub(at, at) == close then
    return at + 1
  end
  while true do
    at = blank(s, each(blank(s, at)))
    local c = s:sub(at, at)
    if c == close then
      return at + 1
    elseif c ~= "," then
      fail(at, "expected , or " .. close)
    end
    at = at + 1
  end
end

local function object_at(s, at, depth)
  local out = {}
  at = items(s, at, "}", function(i)
    if s:sub(i, i) ~= '"' then
      fail(i, "expected a name")
    end
    local key, v
    key, i = text_at(s, i + 1)
    i = blank(s, i)
    if s:sub(i, i) ~= ":" then
      fail(i, "expected :")
    end
    v, i = value(s, i + 1, depth)
    out[key] = v
    return i
  end)
  return out, at
end

local function array_at(s, at, depth)
  local out = M.list({})
  at = items(s, at, "]", function(i)
    out[#out + 1], i = value(s, i, depth)
    return i
  end)
  return out, at
end

local words = { t = { "true", true }, f = { "false", false }, n = { "null", M.null } }

function value(s, at, depth)
  if depth > 100 then
    fail(at, "nested too deeply")
  end
  at = blank(s, at)
  local c = s:sub(at, at)
  if c == "{" then
    return object_at(s, at + 1, depth + 1)
  elseif c == "[" then
    return array_at(s, at + 1, depth + 1)
  elseif c == '"' then
    return text_at(s, at + 1)
  end
  local word = words[c]
  if word and s:sub(at, at + #word[1] - 1) == word[1] then
    return word[2], at + #word[1]
  end
  local number, stop = s:match("^(-?%d+%.?%d*[eE]?[+-]?%d*)()", at)
  local n = number and (math.tointeger(tonumber(number)) and not number:find("[.eE]")
    and math.tointeger(number) or tonumber(number))
  if not n then
    fail(at, "not a value")
  end
  return n, stop
end

--- Reads one JSON document; raises { json = message }.
function M.decode(s)
  local v, at = value(s, 1, 0)
  at = blank(s, at)
  if at <= #s then
    fail(at, "text behind the value")
  end
  return v
end

local function quote(s)
  return '"' .. s:gsub('[%c"\\]', function(c)
    return (c == '"' or c == "\\") and "\\" .. c or ("\\u%04x"):format(c:byte())
  end) .. '"'
end

local function number_text(n)
  if math.type(n) == "integer" then
    return ("%d"):format(n)
  end
  local whole = math.tointeger(n)
  if whole and math.abs(whole) < 1 << 53 then
    return ("%d"):format(whole)
  end
  local short = ("%.15g"):format(n)
  return tonumber(short) == n and short or ("%.17g"):format(n)
end

--- Writes a value; names of objects in alphabetical order.
function M.encode(v)
  local kind = type(v)
  if v == nil or v == M.null then
    return "null"
  elseif kind == "string" then
    return quote(v)
  elseif kind == "number" then
    return number_text(v)
  elseif kind == "boolean" then
    return tostring(v)
  end
  local out = {}
  if getmetatable(v) == list_mark or #v > 0 then
    for i = 1, #v do
      out[i] = M.encode(v[i])
    end
    return "[" .. table.concat(out, ",") .. "]"
  end
  local names = {}
  for name in pairs(v) do
    names[#names + 1] = name
  end
  table.sort(names)
  for i, name in ipairs(names) do
    out[i] = quote(name) .. ":" .. M.encode(v[name])
  end
  return "{" .. table.concat(out, ",") .. "}"
end

return M
