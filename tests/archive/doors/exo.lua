-- SPDX-License-Identifier: BSD-3-Clause
local client, practice = "lua/halyard/archive/exo.lua", "lua/practice/exo.lua"
local spec = "tests/archive/exo_spec.lua"

local function of(endpoint, name, word, answer, test)
  return { endpoint, name, client = { client, word }, practice = { practice, answer },
    tests = { { spec, test } } }
end

local names = of("`/exoplanets/identifiers/`", "mast.exo.planet", "identifiers", "identifiers",
  "finds a planet by any of its names")
names.tests[2] = { "tests/spec/recordings_spec.lua", "mast-exo/identifiers_wasp18b.json" }

return {
  title = "exo.MAST", page = "docs/archives/exo.md", rows = {
    names,
    of("`/exoplanets/<name>/properties/`", "mast.exo.properties", "/properties/", "/properties$",
      "gives properties with units, errors and references by source"),
    of("`/exoplanets/tic/<id>/properties/`", "mast.exo.properties", "tic/", "^tic/",
      "TIC 100100827"),
    of("`/dvdata/<mission>/info/`", "mast.exo.columns", "DV Data Table", "DV Data Table",
      'exo.columns("kepler")'),
    of("`/dvdata/<mission>/<star>/info/`", "mast.exo.headers", "DV Primary Header",
      "DV Primary Header", "exo.headers"),
    of("`/dvdata/<mission>/<star>/tces/`", "mast.exo.tces", '"tces"', '"tces"', "exo.tces"),
    of("`/dvdata/<mission>/<star>/table/`", "mast.exo.series", '"table"', '"table"', "exo.series"),
    {
      "`/dvdata/<mission>/<star>/phaseplot/`", "mast.exo.phase_plot",
      client = { client, "phaseplot" }, practice = { practice, "phaseplot" },
      tests = { { spec, "keeps phase plots, tells vetting, reads spectra" } },
    },
    {
      "`/exoplanets/vetting/`", "mast.exo.vetting", client = { client, "exoplanets/vetting/" },
      practice = { practice, '"vetting"' }, tests = { { spec, "exo.vetting" } },
    },
    {
      "`/spectra/<name>/filelist/`, `/spectra/<name>/file/<file>`",
      "mast.exo.spectra, mast.exo.spectrum", client = { client, "/filelist/" },
      practice = { practice, "filelist" }, tests = { { spec, "exo.spectrum" } },
    },
  },
  left_out = {
    { "`list_tce` of `/info/`",
      "`mast.exo.tces` lists them" },
    { "`/spectra/<name>/plot/`",
      "seen in one client, a plot for a library of its own" },
  },
}
