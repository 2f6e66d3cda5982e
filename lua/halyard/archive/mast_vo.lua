-- SPDX-License-Identifier: BSD-3-Clause
-- MAST's own VO services without their addresses: TAP by the word for a catalogue, images.

local door = require("halyard.archive.door")

return {
  --- @see halyard.archive.tap.mast
  tap = function(word)
    return require("halyard.archive.tap").mast(word)
  end,

  --- MAST's service of images (SIA 2): what `vo.sia` gives for its address.
  sia = function()
    return require("halyard.archive.sia").sia(door.base("sia2") .. "/vo-sia/api/v0.1/query",
      { version = 2 })
  end,
}
