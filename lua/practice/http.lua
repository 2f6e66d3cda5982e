-- SPDX-License-Identifier: BSD-3-Clause
-- What protocols need of HTTP: forms, multipart bodies, parameters, ready-made answers.
local json = require "practice.json"

local M = {}

--- Undoes percent-encoding; "+" is a blank.
function M.decode(text)
  return (text:gsub("+", " "):gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end))
end

function M.encode(text)
  return (text:gsub("[^%w%-%._~]", function(c)
    return ("%%%02X"):format(c:byte())
  end))
end

--- Escapes text for XML, also inside attributes.
function M.xml(text)
  return (tostring(text):gsub("[&<>\"']", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;",
    ['"'] = "&quot;", ["'"] = "&apos;" }))
end

--- name=value pairs of a form body or query string, in order.
function M.form(text)
  local out = {}
  for item in text:gmatch("[^&]+") do
    local name, v = item:match("^([^=]*)=(.*)$")
    out[#out + 1] = { M.decode(name or item), M.decode(v or "") }
  end
  return out
end

local function quoted(line, name)
  return line:match(";%s*" .. name .. '="([^"]*)"') or line:match(";%s*" .. name .. "=([^;%s]*)")
end

--- The parts of a multipart/form-data body (RFC 7578), or nil, message.
function M.multipart(body, content_type)
  local boundary = quoted(";" .. (content_type:match(";(.*)") or ""), "boundary")
  if not boundary then
    return nil, "multipart without boundary"
  end
  local out = {}
  local mark = "\r\n--" .. boundary
  local text = "\r\n" .. body
  local at = select(2, text:find(mark, 1, true))
  while at do
    if text:sub(at + 1, at + 2) == "--" then
      return out
    end
    local stop, next_at = text:find(mark, at + 1, true)
    local head_end, body_start = text:find("\r\n\r\n", at, true)
    if not stop or not head_end or head_end > stop then
      break
    end
    local part = { body = text:sub(body_start + 1, stop - 1) }
    for name, v in text:sub(at + 1, head_end + 1):gmatch("([%w%-]+):[ \t]*([^\r]*)\r\n") do
      if name:lower() == "content-disposition" then
        part.name, part.filename = quoted(v, "name"), quoted(v, "filename")
      elseif name:lower() == "content-type" then
        part.content_type = v
      end
    end
    out[#out + 1] = part
    at = next_at
  end
  return nil, "the multipart body has no end"
end

function M.value(list, name)
  for _, p in ipairs(list) do
    if p[1] == name then
      return p[2]
    end
  end
end

function M.values(list, name)
  local out = {}
  for _, p in ipairs(list) do
    if p[1] == name then
      out[#out + 1] = p[2]
    end
  end
  return out
end

--- The first value of each parameter, names in lower case.
function M.parameters(request)
  local out = {}
  for _, list in ipairs({ request.arguments, request.form }) do
    for _, p in ipairs(list) do
      local name = p[1]:lower()
      out[name] = out[name] or p[2]
    end
  end
  return out
end

function M.answer(body, content_type, status)
  return { outcome = "body", body = body, content_type = content_type, status = status or 200 }
end

function M.json(value, status)
  return M.answer(json.encode(value), "application/json", status)
end

function M.redirect(location, status)
  return { outcome = "body", body = "", status = status or 303, headers = { Location = location } }
end

--- Adds headers by name, base, form and parts to a request as it came from C. False, message when
-- the body is not what it says it is.
function M.read(request)
  local headers = {}
  for _, p in ipairs(request.headers) do
    local name = p[1]:lower()
    headers[name] = headers[name] and headers[name] .. ", " .. p[2] or p[2]
  end
  request.headers = headers
  request.base = "http://" .. (headers.host or "127.0.0.1")
  request.form, request.parts, request.rest = {}, {}, ""
  local kind = (headers["content-type"] or ""):lower()
  if kind:find("^multipart/form%-data") then
    local parts, why = M.multipart(request.body, headers["content-type"])
    if not parts then
      return false, why
    end
    request.parts = parts
    for _, part in ipairs(parts) do
      if part.name and not part.filename then
        request.form[#request.form + 1] = { part.name, part.body }
      end
    end
  elseif kind:find("^application/x%-www%-form%-urlencoded") or
    request.method == "POST" and kind == "" then
    request.form = M.form(request.body)
  end
  return true
end

return M
