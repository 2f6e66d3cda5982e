-- SPDX-License-Identifier: BSD-3-Clause
-- Recorded control documents against the READMEs beside them.
local json = require("halyard.json")

local data = (os.getenv("HALYARD_SHARED") or "../shared") .. "/data/"

local function recorded(name)
  local file <close> = assert(io.open(data .. name))
  return json.decode(file:read("a"))
end

local function count(t, holds)
  local n = 0
  for _, v in pairs(t) do
    if not holds or holds(v) then
      n = n + 1
    end
  end
  return n
end

describe("recorded control documents", function()
  it("describe the columns of a service", function()
    local caom = recorded("mashup/columnsconfig.json")
    assert.equal(51, count(caom))
    assert.equal(19, count(caom, function(c) return c.remove == true end))
    assert.equal(5, count(caom, function(c) return c.separator ~= nil end))
    assert.equal(";", caom.filters.separator)
    assert.equal("arcsec", caom.distance["vot.unit"])
    assert.equal(-9999, caom.em_resolution.ignoreValue)
    local tic = recorded("mashup/ticcolumns.json")
    assert.equal(95, count(tic))
    assert.equal(6, count(tic, function(c) return c.remove == true end))
    assert.equal("TIC ID", tic.ID.text)
    assert.is_true(tic.HIP.intAsString)
    assert.equal(5, tic.Bmag.prefilterOrder)
  end)

  it("tell where a bundle is", function()
    local bundle = recorded("mashup/bundleResponse.json")
    assert.equal(7, count(bundle))
    assert.equal("COMPLETE", bundle.status)
    assert.equal(0, bundle.bytesStreamed)
    assert.equal(1, bundle.progress)
    assert.truthy(bundle.url:find("mastDownload_20170621142037.sh", 1, true))
    assert.equal(3, count(bundle.statusList))
    assert.equal("COMPLETE", bundle.statusList["mast:HST/product/u9o40504m_drz.fits"])
  end)

  it("name a planet in every way", function()
    local planet = recorded("mast-exo/identifiers_wasp18b.json")
    assert.equal(9, count(planet))
    assert.equal(16, #planet.planetNames)
    assert.equal("WASP-18 b", planet.canonicalName)
    assert.equal(24.354208334287005, planet.ra)
    assert.equal(-45.677930555343636, planet.dec)
  end)
end)
