-- SPDX-License-Identifier: BSD-3-Clause
-- exo.MAST against the practice archive: planets, properties, data validation, what is not there.

package.path = assert(os.getenv("HALYARD_SOURCE")) .. "/tests/archive/?.lua;" .. package.path
local practice = require("practice")

describe("exo.MAST", function()
  local archive, folder

  setup(function()
    archive = practice.start("")
    folder = practice.folder()
  end)

  teardown(function()
    archive:stop()
    practice.remove(folder)
  end)

  local function run(body, url)
    local path = practice.workflow(folder, "exo-test", "local exo = mast.exo\n" .. body)
    return practice.halyard(("run %s --archive %s -o %s/out --quiet"):format(path,
      url or archive.url, folder))
  end

  local function passes(body)
    local code, _, err = run(body)
    assert.equal(0, code, err)
  end

  local function fails(code, words, body)
    local got, _, err = run(body)
    assert.equal(code, got, err)
    assert.is_truthy(err:find(words, 1, true), err)
  end

  it("finds a planet by any of its names", function()
    passes([[for _, name in ipairs { "WASP-18 b", "HD 10069 b" } do
        local planet = exo.planet(name)
        assert(planet.name == "WASP-18 b" and planet.star == "WASP-18" and #planet.names == 4)
        assert(planet.ra == 24.354208334287005 and planet.dec == -45.677930555343636)
        assert(planet.tess == 100100827 and planet.tess_tce == "TCE_1" and planet.kepler == nil)
      end
      assert(exo.planet("HAT-P-7 b").kepler == 10666592)]])
  end)

  it("gives properties with units, errors and references by source", function()
    passes([[local all = exo.properties("WASP-18 b")
      assert(#all:unique("catalog_name") == 2)
      local one = exo.properties("HD 10069 b", { catalog = "nexsci" })
      local radius = one:where({ quantity = "Rp" })[1]
      assert(radius.unit == "R_jupiter" and radius.value > 0 and radius.upper > 0 and radius.ref)
      assert(#one:where { quantity = "a/Rs" } == 1 and #one:where { quantity = "Fe/H" } == 1)
      assert(one:where({ quantity = "star_name" })[1].text == "WASP-18")
      assert(#exo.properties("TIC 100100827") == #all)
      local eaot = mast.catalog("EAOT"):query { where = { planet_name = "WASP-18 b",
        catalog_name = "nexsci" } }.table
      assert(eaot[1].Rp == radius.value)]])
  end)

  it("gives data validation of TESS and Kepler stars", function()
    passes([[
      local events = exo.tces("tess", 100100827)
      assert(events[1].sector == "s0001-s0003" and events[1].tce == "TCE_1")
      assert(exo.tces("kepler", 10666592)[1].tce == "TCE_1")
      assert(exo.headers("tess", 100100827, { tce = 1 }).primary.OBJECT == "WASP-18")
      assert(#exo.columns("kepler") == 4)
      local series = exo.series("tess", 100100827, { tce = "TCE_1", sector = "s0001-s0003" })
      assert(#series == 240 and series:field("TIME").unit == "d")
      assert(series:field("LC_DETREND").description == "Light curve, without trends")
      assert(series:column("MODEL_INIT"):min() == -0.01)]])
  end)

  it("keeps phase plots, tells vetting, reads spectra", function()
    passes([[
      local plot = exo.phase_plot("tess", 100100827, { tce = 1, sector = "s0001-s0003" })
      assert(plot.file == "phase-tess-100100827.html" and plot.bytes > 20)
      assert(exo.phase_plot("kepler", 10666592).file == "phase-kepler-10666592.json")
      assert(exo.phase_plot("kepler", 10666592, { into = "k.json" }).file == "k.json")
      assert(exo.vetting(62870349).tests[1].name == "odd-even")
      local files = exo.spectra("HD 10069 b")
      local rows, notes = exo.spectrum("HD 10069 b", files[1])
      assert(#files == 1 and #rows == 20 and notes[2]:find("micron"))
      assert(rows:column("wavelength"):min() == 1.1 and rows:field("error").type == "float64")]])
    assert.is_truthy(practice.read(folder .. "/out/phase-tess-100100827.html")
      :find("bk-root", 1, true))
  end)

  it("says what is not there, in words", function()
    fails(2, "is not known to exo.MAST", [[exo.planet("Vulcan b")]])
    fails(2, "takes the name of a planet", [[exo.planet("")]])
    fails(2, "did you mean nexsci", [[exo.properties("WASP-18 b", { catalog = "nexci" })]])
    fails(2, "unknown mission", [[exo.tces("gaia", 1)]])
    fails(2, "is not known to exo.MAST", [[exo.tces("tess", 1)]])
    fails(2, "no spectrum file/x of WASP-1", [[exo.spectrum("WASP-18 b", "x")]])
    fails(2, "takes a file name", [[exo.spectrum("WASP-18 b", 1)]])
    fails(2, "is not known to exo.MAST", [[exo.phase_plot("tess", 1)]])
    fails(2, "did you mean sector", [[exo.phase_plot("tess", 1, { sectr = 1 })]])
    fails(2, "an observation's number", [[exo.vetting("")]])
    fails(2, "no vetting of", [[exo.vetting("nothing")]])
    fails(2, "has no TCE_9", [[exo.series("tess", 100100827, { tce = "TCE_9" })]])
  end)

  it("is an error when it is something else", function()
    local other = practice.start("--faults html")
    for body, words in pairs({ ['exo.planet("WASP-18 b")'] = "HTML",
      ['exo.phase_plot("tess", 100100827)'] = "a whole HTML page came" }) do
      local code, _, err = run(body, other.url)
      assert.equal(4, code, err)
      assert.is_truthy(err:find(words, 1, true), err)
    end
    other:stop()
  end)
end)
