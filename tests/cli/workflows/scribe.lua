-- SPDX-License-Identifier: BSD-3-Clause
return workflow {
  name = "scribe",
  summary = "Writes a table of 8,000,000 rows",
  run = function()
    local rows, parts = {}, {}
    for i = 1, 100000 do
      rows[i] = { x = i * 0.37 }
    end
    local part = halyard.table.from_rows(rows, { "x" })
    for i = 1, 80 do
      parts[i] = part
    end
    halyard.table.concat(parts):write("late.csv")
  end,
}
