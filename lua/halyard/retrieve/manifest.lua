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

local function csv_line(csv, entry, err, message)
  csv:cells(entry.file, words[entry.status][1], message, not entry.ok and entry.address or nil,
    entry.bytes, entry.sha256, entry.uri, entry.etag, entry.tries, err and err.code,
    err and err.fault)
end

local function json_line(document, before, entry, err, message)
  document:object(before, "bytes", entry.bytes, "error", err and err.code, "etag", entry.etag,
    "expected_sha256", entry.expected_sha256, "fault", err and err.fault, "message", message,
    "path", entry.place, "sha256", entry.sha256, "size", entry.size,
    "status", words[entry.status][2], "tries", entry.tries, "uri", entry.uri,
    "url", entry.address)
end

-- Calls `see` with every file of the queues (in one table, used again): of those that go to one
-- place the latest, where the first of them stands.
local function each(queues, see)
  local entry = {}
  if #queues == 1 then
    for k = 1, #queues[1] do
      see(queues[1]:entry(k, entry))
    end
    return
  end
  local order, latest = {}, {}
  for i, queue in ipairs(queues) do
    for k = 1, #queue do
      local place = queue:item(k, entry).place
      order[#order + 1] = not latest[place] and place or nil
      latest[place] = i << 32 | k
    end
  end
  for _, place in ipairs(order) do
    see(queues[latest[place] >> 32]:entry(latest[place] & 0xffffffff, entry))
  end
end

--- Writes both manifests into `dir`.
-- @tparam list queues what this run downloaded into it (halyard.retrieve.queue)
-- @tparam string dir
-- @tparam table head what manifest.json says of the run
function M.write(queues, dir, head)
  local csv <close> = system.create_file(dir .. "/manifest.csv")
  local document <close> = system.create_file(dir .. "/manifest.json")
  csv:cells(table.unpack(columns))
  document:append(json.encode(head):gsub("}$", "") .. ',\n"data":[')
  local before = "\n"
  each(queues, function(entry)
    local uri, address, err = entry.uri, entry.address, entry.err
    local message = err and err.message or entry.warning
    message = message and system.redact(message)
    entry.uri = system.redact(uri)
    entry.address = address == uri and entry.uri or system.redact(address)
    csv_line(csv, entry, err, message)
    json_line(document, before, entry, err, message)
    before = ",\n"
  end)
  document:append("\n]}\n")
  csv:commit()
  document:commit()
end

return M
