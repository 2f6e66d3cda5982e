-- SPDX-License-Identifier: BSD-3-Clause
-- Bundles that an archive makes on demand: nobody states what they hold, so each is read to its end
-- once it is there, with the check sums of its members, or unpacked.

local archive = require("halyard.core.archive")
local errors = require("halyard.error")

local M = {}

local tries_max = 3 -- as of any damaged answer (fault matrix, section 2)

--- Fetches a bundle, again while it is damaged: such a one is removed.
-- @tparam table options as of `archive.unpack`
-- @tparam function get fetches it
-- @treturn ?list members; nil: it is no bundle, and its first bytes are the second result
-- @treturn ?string
-- @treturn integer how often it was fetched
-- @raise `integrity`, and what `archive.unpack` and `get` raise
function M.fetch(options, get)
  options.remove = true
  local ok, members, head
  local try = 0
  repeat
    try = try + 1
    get()
    ok, members, head = errors.try(archive.unpack, options)
  until ok or members.code ~= "integrity" or try == tries_max
  if not ok then
    members.message = members.message:gsub("remove it and run again$",
      ("it was removed (fetched %d times); run again later"):format(try))
    error(members, 0)
  end
  return members, head, try
end

return M
