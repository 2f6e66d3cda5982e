-- SPDX-License-Identifier: BSD-3-Clause
-- Words of an ADQL text (ADQL 2.1 section 2.1): identifiers, literals, operators.
local M = {}

--- Raises what translate() gives as its message.
function M.fail(...)
  error({ adql = string.format(...) }, 0)
end

local operators = { "<=", ">=", "<>", "!=", "||" }

local function text_until(text, at, quote, what)
  local parts = {}
  while true do
    local stop = text:find(quote, at, true)
    if not stop then
      M.fail("the %s that begins at character %d has no end", what, at - 1)
    end
    parts[#parts + 1] = text:sub(at, stop - 1)
    at = stop + 1
    if text:sub(at, at) ~= quote then
      return table.concat(parts, quote), at
    end
    at = at + 1
  end
end

local function number_at(text, at)
  local digits = text:match("^%d+%.?%d*", at) or text:match("^%.%d+", at)
  local exponent = digits and text:match("^[eE][+-]?%d+", at + #digits) or ""
  return digits and digits .. exponent
end

local function next_word(text, at)
  local c = text:sub(at, at)
  if c == "'" then
    local value, after = text_until(text, at + 1, "'", "text")
    return { kind = "text", text = value }, after
  elseif c == '"' then
    local value, after = text_until(text, at + 1, '"', "delimited identifier")
    return { kind = "quoted", text = value }, after
  end
  local name = text:match("^[%a_][%w_]*", at)
  if name then
    return { kind = "name", text = name, upper = name:upper() }, at + #name
  end
  local number = number_at(text, at)
  if number then
    return { kind = "number", text = number }, at + #number
  end
  for _, op in ipairs(operators) do
    if text:sub(at, at + 1) == op then
      return { kind = "op", text = op }, at + 2
    end
  end
  if not c:find("[-+*/=<>(),.&|^~]") then
    M.fail('Encountered "%s" at character %d', c, at)
  end
  return { kind = "op", text = c }, at + 1
end

--- List of { kind, text, upper, at }; kind is "name", "quoted", "text", "number", "op" or "end".
function M.words(text)
  local list, at = {}, 1
  while true do
    at = text:find("%S", at)
    if not at then
      break
    elseif text:sub(at, at + 1) == "--" then
      at = text:find("\n", at, true) or #text + 1
    else
      local word, after = next_word(text, at)
      word.at = at
      list[#list + 1] = word
      at = after
    end
  end
  list[#list + 1] = { kind = "end", text = "end of the query", at = #text + 1 }
  return list
end

return M
