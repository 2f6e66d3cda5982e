-- SPDX-License-Identifier: BSD-3-Clause
-- Who the archive takes us for. The token itself is found, sent and hidden in C
-- (src/host/secret.h); no script sees it.

local door = require("halyard.archive.door")
local errors = require("halyard.error")

local M = {}

local function text(value)
  return type(value) == "string" and value ~= "" and value or nil
end

--- What the archive says of the user: is the token (MAST_API_TOKEN or the token file) accepted?
-- @treturn table anonymous (true without a token and with one that is not accepted), ezid (account;
-- "anonymous"), name, scopes (list: what the token allows)
-- @raise `protocol` when the answer does not say who
-- @usage if mast.whoami().anonymous then error("this needs a token") end
function M.whoami()
  local url = door.base("auth") .. "/whoami"
  local record = door.begin("mast", url)
  if record.dry then
    record.notes[#record.notes + 1] = "the archive would be asked who you are"
    return { anonymous = true, ezid = "anonymous", scopes = {} }
  end
  local said = door.document("who am I", {
    url = url, auth = "mast", headers = { Accept = "application/json" },
  })
  if type(said) ~= "table" or type(said.anon) ~= "boolean" then
    errors.raise("protocol", ("%s does not say who asks (no anon); check --archive"):format(url))
  end
  local attributes = type(said.attrib) == "table" and said.attrib or {}
  local scopes = {}
  for _, scope in ipairs(type(said.scopes) == "table" and said.scopes or {}) do
    scopes[#scopes + 1] = tostring(scope)
  end
  return {
    anonymous = said.anon, ezid = text(said.ezid) or "anonymous",
    name = text(attributes.display_name), scopes = scopes,
  }
end

return M
