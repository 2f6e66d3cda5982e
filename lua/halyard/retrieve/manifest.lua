-- SPDX-License-Identifier: BSD-3-Clause
-- The manifests of a folder of downloads: manifest.csv, whose first columns are those of astroquery
-- (mashup-api 10.3), and manifest.json, which says the same to programs. Written file by file, so
-- that their length does not matter, and whole or not at all.

local json = require("halyard.json")
local system = require("halyard.core.system")

local M = {}

-- Status in manifest.csv and in manifest.json.
local words = {
  complete = { "COMPLETE", "complete" }, there = { "COMPLETE", "already there" },
  failed = { "ERROR", "failed" }, deferred = { "DEFERRED", "deferred" },
  absent = { "SKIPPED", "not in the cloud" },
}

local columns = { "Local Path", "Status", "Message", "URL", "Bytes", "SHA256", "URI", "ETag",
  "Tries", "Error", "Fault" }

local function cell(value)
  local text = value == nil and "" or tostring(value)
  if text:find('[",\r\n]') then
    return '"' .. text:gsub('"', '""') .. '"'
  end
  return text
end

local function message_of(entry)
  local text = entry.err and entry.err.message or entry.warning
  return text and system.redact(text)
end

local function csv_line(entry)
  local url = not entry.ok and system.redact(entry.address) or nil
  local values = { entry.file, words[entry.status][1], message_of(entry), url, entry.bytes,
    entry.sha256, system.redact(entry.uri), entry.etag, entry.tries,
    entry.err and entry.err.code, entry.err and entry.err.fault }
  for i = 1, #columns do
    values[i] = cell(values[i])
  end
  return table.concat(values, ",") .. "\n"
end

local function json_line(entry)
  return json.encode({
    uri = system.redact(entry.uri), path = entry.place, status = words[entry.status][2],
    bytes = entry.bytes, sha256 = entry.sha256, etag = entry.etag, tries = entry.tries,
    url = system.redact(entry.address), size = entry.size,
    expected_sha256 = entry.expected_sha256, error = entry.err and entry.err.code,
    fault = entry.err and entry.err.fault, message = message_of(entry),
  })
end

-- Calls `see` with every file of the queues: of those that go to one place the latest, where the
-- first of them stands.
local function each(queues, see)
  if #queues == 1 then
    for k = 1, #queues[1] do
      see(queues[1]:entry(k))
    end
    return
  end
  local order, latest = {}, {}
  for i, queue in ipairs(queues) do
    for k = 1, #queue do
      local place = queue:item(k).place
      order[#order + 1] = not latest[place] and place or nil
      latest[place] = i << 32 | k
    end
  end
  for _, place in ipairs(order) do
    see(queues[latest[place] >> 32]:entry(latest[place] & 0xffffffff))
  end
end

--- Writes both manifests into `dir`.
-- @tparam list queues what this run downloaded into it (halyard.retrieve.queue)
-- @tparam string dir
-- @tparam table head what manifest.json says of the run
function M.write(queues, dir, head)
  local csv <close> = system.create_file(dir .. "/manifest.csv")
  local document <close> = system.create_file(dir .. "/manifest.json")
  csv:append(table.concat(columns, ",") .. "\n")
  document:append(json.encode(head):gsub("}$", "") .. ',\n"data":[')
  local before = "\n"
  each(queues, function(entry)
    csv:append(csv_line(entry))
    document:append(before .. json_line(entry))
    before = ",\n"
  end)
  document:append("\n]}\n")
  csv:commit()
  document:commit()
end

return M
