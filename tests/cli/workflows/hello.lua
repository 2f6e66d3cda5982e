-- SPDX-License-Identifier: BSD-3-Clause
return workflow {
  name = "hello",
  summary = "Greets somebody after a moment",
  version = "1.0.0",
  api = 1,
  budget = { download = "2 GiB" },
  examples = { { who = "Messier" } },
  params = {
    { "who", "string", default = "world", help = "whom to greet" },
    { "offset", "number", default = 0, min = -90, max = 90, help = "a number with a sign" },
    { "wait", "number", default = 0, min = 0, max = 10, help = "seconds" },
  },
  run = function(_, p)
    task.sleep(p.wait)
    return { greeting = "hello " .. p.who, offset = p.offset }
  end,
}
