std = "lua54"
max_line_length = 100
files["tests/**/*_spec.lua"] = { std = "lua54+busted" }
files["workflows/**/*.lua"] = { read_globals = { "workflow" } }
files["tests/data/**/*.lua"] = { read_globals = { "workflow" } }
