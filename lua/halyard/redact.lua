-- SPDX-License-Identifier: BSD-3-Clause
-- Texts without the secrets that addresses may hold (security model 6.4): what is written down for
-- others, manifests, reports and records, holds none.

local M = {}

local secret = { token = true, access_token = true, key = true, apikey = true, api_key = true,
  password = true, signature = true, sig = true }

--- The text with *** in place of the values of such arguments: "?token=***".
function M.text(text)
  if not text:find("[?&]") then
    return text
  end
  return (text:gsub("([?&]([^=&%s]+)=)[^&#%s]+", function(start, name)
    name = name:lower()
    if secret[name] or name:find("^x%-amz%-") then
      return start .. "***"
    end
  end))
end

--- Has something been cut from the text?
function M.is_cut(text)
  return text:find("[?&][^=&%s]+=%*%*%*") ~= nil
end

return M
