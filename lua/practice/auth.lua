-- SPDX-License-Identifier: BSD-3-Clause
-- Who asks: /whoami, tokens, and the files that only their owners may have. Every token that
-- begins with "practice-" is good, but for "practice-expired". Tokens are kept nowhere.
local faults = require "practice.faults"
local http = require "practice.http"
local json = require "practice.json"
local sql = require "practice.sql"

local M = {}

-- The token of a request: archive scripts send a header, astroquery a cookie.
local function token_of(request)
  return (request.headers.authorization or ""):match("^[Tt]oken%s+(%S+)$")
    or ("; " .. (request.headers.cookie or "")):match(";%s*mast_token=([^;%s]+)")
end

local function accepted(request)
  local token = token_of(request)
  return token and token:sub(1, 9) == "practice-" and token ~= "practice-expired" and token
end

--- May the sender of `request` have the product file `uri`?
function M.may_read(request, uri)
  if accepted(request) then
    return true
  end
  local rows = sql.query("SELECT dataRights FROM products WHERE dataURI = ?", { uri })
  return not (rows and rows[1]) or rows[1][1] == "PUBLIC"
end

function M.refused()
  return http.json({ message = "You are not authorized to access this file: it is under exclusive "
    .. "access" }, 401)
end

local function whoami(request)
  local token = accepted(request)
  if not token then
    return http.json({ eppn = "", ezid = "anonymous", anon = true, scopes = json.list({}),
      attrib = { display_name = "Anonymous" }, session = json.null, token = json.null })
  end
  return http.json({ eppn = "ahubble@stsci.edu", ezid = "ahubble", anon = false,
    scopes = json.list({ "mast:user:info", "mast:exclusive_access" }), session = json.null,
    token = token, attrib = { uuid = "00000000-0000-0000-0000-000000000001", first_name = "Ada",
      last_name = "Hubble", display_name = "Ada Hubble", internal = false,
      email = "ahubble@example.org", Jwstcalengdataaccess = "false" } })
end

M.routes = { ["/whoami"] = faults.data(whoami) }

return M
