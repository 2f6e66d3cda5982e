-- SPDX-License-Identifier: BSD-3-Clause
-- Small control documents in XML (job descriptions, capabilities) as trees. Names without their
-- prefixes; no DTD is read and no entity is expanded but the five of XML. Rows never pass through
-- it.

local errors = require("halyard.error")

local M = {}

local depth_max = 100

local function refuse(what, why)
  errors.raise("protocol", ("%s: the answer is not XML: %s"):format(what, why))
end

local entities = { lt = "<", gt = ">", amp = "&", quot = '"', apos = "'" }

local function plain(text)
  return (text:gsub("&(#?x?)(%w+);", function(mark, name)
    local code = mark == "#x" and tonumber(name, 16) or mark == "#" and tonumber(name)
    if code then
      return code < 0x110000 and utf8.char(math.tointeger(code)) or ""
    end
    return mark == "" and entities[name] or nil
  end))
end

local function attributes_of(text)
  local out, at = {}, 1
  while true do
    local _, before, name, quote = text:find("([^%s=]+)%s*=%s*([\"'])", at)
    local stop = before and text:find(quote, before + 1, true)
    if not stop then
      return out
    end
    out[name:match("([^:]*)$")] = plain(text:sub(before + 1, stop - 1))
    at = stop + 1
  end
end

-- Where the tag that begins at `at` ends: a ">" outside quotes.
local function tag_end(text, at)
  local quote
  for i, c in text:gmatch("()([>\"'])", at) do
    if quote then
      quote = c ~= quote and quote or nil
    elseif c == ">" then
      return i
    else
      quote = c
    end
  end
end

-- What is passed over: comments, instructions, DOCTYPE. Gives the place behind it.
local function passed(text, at)
  for _, pair in ipairs({ { "<!--", "-->" }, { "<?", "?>" }, { "<!D", ">" }, { "<!d", ">" } }) do
    if text:sub(at, at + #pair[1] - 1) == pair[1] then
      local _, stop = text:find(pair[2], at + #pair[1], true)
      return stop and stop + 1 or #text + 1
    end
  end
end

local function add_text(node, text)
  node.text = node.text .. text
end

--- The root element of a document: { name, attributes, text, children }; `text` is all that stands
-- directly in it.
-- @tparam string what for messages
-- @raise `protocol`, also for an HTML page: in which a reader would find nothing, and say so
function M.parse(text, what)
  local root = { name = "", attributes = {}, text = "", children = {} }
  local open, at = { root }, 1
  while true do
    local node, start = open[#open], text:find("<", at, true)
    add_text(node, plain(text:sub(at, (start or #text + 1) - 1)))
    if not start then
      break
    end
    local behind = passed(text, start)
    if behind then
      at = behind
    elseif text:sub(start, start + 8) == "<![CDATA[" then
      local stop = text:find("]]>", start, true) or refuse(what, "a CDATA section has no end")
      add_text(node, text:sub(start + 9, stop - 1))
      at = stop + 3
    else
      local stop = tag_end(text, start) or refuse(what, "it ends inside a tag")
      local slash, name, rest = text:sub(start + 1, stop - 1):match("^(/?)([^%s/]+)(.*)$")
      local short = name and name:match("([^:]*)$") or refuse(what, "it has a tag without a name")
      if slash == "/" then
        if #open == 1 or node.name ~= short then
          refuse(what, ("</%s> closes nothing"):format(short))
        end
        open[#open] = nil
      else
        local child = { name = short, attributes = attributes_of(rest), text = "", children = {} }
        table.insert(node.children, child)
        if rest:sub(-1) ~= "/" then
          open[#open + 1] = child
        end
        if #open > depth_max then
          refuse(what, "it is nested too deep")
        end
      end
      at = stop + 1
    end
  end
  if #open > 1 then
    refuse(what, ("<%s> has no end"):format(open[#open].name))
  end
  local top = root.children[1] or refuse(what, "it holds no element")
  return top.name:lower() ~= "html" and top
    or refuse(what, "it is an HTML page; the service may be down or the address wrong")
end

--- The children of that name, in order.
function M.all(node, name)
  local out = {}
  for _, child in ipairs(node.children) do
    out[#out + 1] = child.name == name and child or nil
  end
  return out
end

--- The first child at the end of a path of names; nil when there is none.
function M.child(node, ...)
  for _, name in ipairs({ ... }) do
    node = node and M.all(node, name)[1]
  end
  return node
end

--- The text of that child without the blanks around it; nil when there is none or it is empty.
function M.text(node, ...)
  local child = M.child(node, ...)
  local text = child and child.text:match("^%s*(.-)%s*$")
  return text ~= "" and text or nil
end

return M
