-- SPDX-License-Identifier: BSD-3-Clause
return workflow {
  name = "chatty",
  summary = "Shows what progress and messages look like",
  run = function(ctx)
    ctx:progress({
      stage = "tiles", done = 1, known = 3, unit = "tiles", rows = 12, bytes = 1500000,
    })
    ctx:log("a line")
    print("one", 2, "\27[31mred")
    warn("careful")
    ctx:progress({ stage = "files", done = 2, unit = "files" })
  end,
}
