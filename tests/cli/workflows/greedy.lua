-- SPDX-License-Identifier: BSD-3-Clause
return workflow {
  name = "greedy",
  summary = "Uses up one of its budgets",
  budget = { memory = "8 MiB", cpu = "0.2 s", wall = 0.5 },
  params = { { "what", "choice", choices = { "memory", "cpu", "wall" }, help = "which" } },
  run = function(_, p)
    local hoard = {}
    while p.what == "memory" do
      hoard[#hoard + 1] = {}
    end
    while p.what == "cpu" do
      hoard[1] = {}
    end
    task.sleep(3600)
    return #hoard
  end,
}
