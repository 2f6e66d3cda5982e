-- SPDX-License-Identifier: BSD-3-Clause
-- The questions of astroquery_practice.py, asked by Halyard; each answer becomes a CSV file.
local POSITION = { ra = 201.697, dec = -47.4795 }

return workflow {
  name = "same-rows",
  summary = "what astroquery asks for as well",
  hosts = { "mast" },
  run = function()
    local near = sky.cone(POSITION, "0.1 deg")
    local m101 = mast.resolve("M 101")
    mast.observations { region = near }:write("observations.csv")
    mast.observations {
      region = near,
      where = { obs_collection = { "HST", "JWST" }, em_max = { min = 400, max = 1000 },
        instrument_name = "*WFC*" },
    }:write("observations-by-criteria.csv")
    local hst = mast.observations { region = near, where = { obs_collection = "HST" } }
    mast.products(hst):write("products.csv")
    local function stars(name, options, file)
      options.into = file
      mast.catalog(name):query(options)
    end
    stars("Gaia DR3", { region = sky.cone(POSITION, "0.005 deg") }, "gaia.csv")
    stars("GALEX", { region = sky.cone(POSITION, "0.2 deg") }, "galex.csv")
    stars("TIC", { region = sky.cone(m101, "0.3 deg") }, "tic.csv")
    stars("TIC", {
      region = sky.cone(m101, "1 deg"),
      where = { Tmag = { min = 10, max = 15 }, objType = "STAR" },
    }, "tic-by-criteria.csv")
  end,
}
