-- SPDX-License-Identifier: BSD-3-Clause
-- The manifests of a folder of downloads: manifest.csv, whose first columns are those of astroquery
-- (mashup-api 10.3), and manifest.json, which says the same to programs. Written file by file, so
-- that their length does not matter, and whole or not at all.

local download = require("halyard.core.download")
local json = require("halyard.json")
local system = require("halyard.core.system")

local M = {}

-- Adds every file of the queues to a list: of those that go to one place the latest, where the
-- first of them stands.
local function add_all(queues, list)
  if #queues == 1 then
    queues[1]:list(list)
    return
  end
  local order, latest = {}, {}
  for i, queue in ipairs(queues) do
    for k = 1, #queue do
      local place = queue:place(k)
      order[#order + 1] = not latest[place] and place or nil
      latest[place] = i << 32 | k
    end
  end
  for _, place in ipairs(order) do
    queues[latest[place] >> 32]:list(list, latest[place] & 0xffffffff)
  end
end

--- Writes both manifests into `dir`.
-- @tparam list queues what this run downloaded into it (halyard.retrieve.queue)
-- @tparam string dir
-- @tparam table head what manifest.json says of the run
function M.write(queues, dir, head)
  local csv <close> = system.create_file(dir .. "/manifest.csv")
  local document <close> = system.create_file(dir .. "/manifest.json")
  csv:cells("Local Path", "Status", "Message", "URL", "Bytes", "SHA256", "URI", "ETag", "Tries",
    "Error", "Fault")
  document:append(json.encode(head):gsub("}$", "") .. ',\n"data":[')
  add_all(queues, download.list({ csv = csv, json = document }))
  document:append("\n]}\n")
  csv:commit()
  document:commit()
end

return M
