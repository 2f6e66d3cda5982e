-- SPDX-License-Identifier: BSD-3-Clause
-- From a name on the sky to a complete catalogue and verified files.
return workflow {
  name = "first-light",
  summary = "Complete Gaia catalogue around a target, and science files of its observations",
  description = [[
Resolves the target, takes every Gaia DR3 source within the radius - more than an archive hands out
in one answer: the query is split into sky tiles - and writes them to gaia.csv, each exactly once.
Then finds the observations around the target, selects their calibrated science files and downloads
them, verified.]],
  author = "Halyard authors",
  license = "BSD-3-Clause",
  version = "1.0.0",
  api = 1,
  hosts = { "mast" },
  budget = { download = "4 GiB", files = 2000 },
  tags = { "gaia", "catalogue", "download" },
  params = {
    { "target", "skycoord", default = "NGC 5139", help = "name or ICRS position" },
    { "radius", "angle", unit = "deg", default = 2, min = 0.0001, max = 20,
      help = "radius of the catalogue" },
    { "obs_radius", "angle", unit = "deg", default = 0.1, min = 0.0001, max = 1,
      help = "radius for observations" },
    { "files", "integer", default = 24, min = 1, max = 2000, help = "download at most so many" },
    { "parallel", "integer", default = 4, min = 1, max = 8, help = "requests at a time" },
  },
  examples = { { target = "NGC 5139", radius = 0.2, files = 20 } },
  run = function(ctx, p)
    local target = mast.resolve(p.target)
    ctx:log(("%s is at %.6f %+.6f"):format(target.name, target.ra, target.dec))

    local stars = mast.catalog("Gaia DR3"):query {
      region = sky.cone(target, p.radius), into = "gaia.csv", parallel = p.parallel,
    }

    local observations = mast.observations { region = sky.cone(target, p.obs_radius) }
    local products = mast.products(observations)
    local chosen = select.products(products, {
      productType = "SCIENCE", calib_level = ">=2", extension = "fits",
    })
    local files = retrieve.products(select.first(chosen, p.files), {
      parallel = p.parallel, on_error = "keep",
    })

    return {
      target = target.name, rows = stars.rows, catalogue = stars.path,
      tiles = stars.account.tiles_done, catalogue_requests = stars.account.requests,
      observations = #observations, products = #products,
      files = #files - #files:failed(), files_bytes = files:bytes(), folder = ctx.output,
    }
  end,
}
