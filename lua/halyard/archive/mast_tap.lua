-- SPDX-License-Identifier: BSD-3-Clause
-- MAST's TAP services by the word for their catalogue.

return {
  --- @see halyard.archive.tap.mast
  tap = function(word)
    return require("halyard.archive.tap").mast(word)
  end,
}
