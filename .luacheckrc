std = "lua54"
max_line_length = 100
files["tests/**/*_spec.lua"] = { std = "lua54+busted" }
local guest = {
  read_globals = {
    "workflow", "halyard", "mast", "sky", "task", "retrieve", "try",
    select = { fields = { "rows", "products", "first" } },
  },
}
files["workflows/**/*.lua"] = guest
files["tests/data/**/*.lua"] = guest
files["tests/cli/workflows/*.lua"] = guest
files["tests/peers/*.lua"] = guest
