-- SPDX-License-Identifier: BSD-3-Clause
return workflow {
  name = "transfers", summary = "Numbered files of a server", hosts = { "127.0.0.1:8097", "127.0.0.1:8098" },
  params = { { "server", "string" }, { "n", "integer" }, { "parallel", "integer", default = 16 } },
  run = function(_, p)
    local rows = {}
    for i = 1, p.n do
      rows[i] = { access_url = ("%s/%d.bin"):format(p.server, i) }
    end
    local files = retrieve.products(rows, { dir = "files", flat = true, parallel = p.parallel })
    return { { files = #files, bytes = files:bytes() } }
  end }
