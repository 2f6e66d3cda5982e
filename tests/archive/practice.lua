-- SPDX-License-Identifier: BSD-3-Clause
-- For specs: a practice archive of one's own, the command run against it, files compared.

local M = {}

local bin = assert(os.getenv("HALYARD_BIN"), "HALYARD_BIN is not set")
local source = assert(os.getenv("HALYARD_SOURCE"), "HALYARD_SOURCE is not set")

M.workflows = source .. "/tests/data/workflows"
M.shipped = source .. "/workflows"
--- Variables for the command: "A=b C=d".
M.environment = ""

--- Quotes a text for the shell.
function M.quote(text)
  return "'" .. tostring(text):gsub("'", "'\\''") .. "'"
end

--- A new empty folder.
function M.folder()
  local pipe <close> = io.popen("mktemp -d")
  return pipe:read("l")
end

function M.remove(folder)
  os.execute("rm -rf " .. M.quote(folder))
end

function M.read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

--- The whole output of a shell command.
function M.shell(command)
  local pipe <close> = io.popen(command)
  return pipe:read("a")
end

local archive = {}
archive.__index = archive

--- Starts a practice archive with further options; `url` is its base URL. Call stop().
function M.start(options)
  local pipe = io.popen(("echo $$; exec %s --port 0 %s"):format(M.quote(bin .. "/halyard-practice"),
    options or ""))
  local pid = pipe:read("l")
  local url = assert(pipe:read("l"), "the practice archive did not start")
  return setmetatable({ pipe = pipe, pid = pid, url = url:match("http://%S+") }, archive)
end

function archive:stop()
  if self.pipe then
    os.execute("kill " .. self.pid .. " 2>/dev/null")
    self.pipe:close()
    self.pipe = nil
  end
end

--- Runs `halyard ARGUMENTS`: exit code, standard output, standard error.
function M.halyard(arguments)
  local folder = M.folder()
  local out, err = folder .. "/out", folder .. "/err"
  local _, how, code = os.execute(("%s %s %s >%s 2>%s"):format(M.environment,
    M.quote(bin .. "/halyard"), arguments, out, err))
  local stdout, stderr = M.read(out), M.read(err)
  M.remove(folder)
  return how == "exit" and code or 128 + code, stdout, stderr
end

--- Runs a workflow file against this archive; `params` name -> value.
function archive:run(workflow, output, params, more)
  local parts = { "run", M.quote(workflow), "--archive", self.url, "-o", M.quote(output) }
  for name, value in pairs(params or {}) do
    parts[#parts + 1] = ("--%s=%s"):format(name, M.quote(value))
  end
  return M.halyard(table.concat(parts, " ") .. " " .. (more or ""))
end

--- Writes the workflow `name` whose run function has the text `body` into a folder: its path.
-- `hosts`: what it may contact, the inside of a list as text; "mast" when absent.
function M.workflow(folder, name, body, hosts)
  local path = ("%s/%s.lua"):format(folder, name)
  local out <close> = assert(io.open(path, "wb"))
  out:write(('return workflow {\n  name = "%s", summary = "a test", hosts = { %s },\n'
    .. "  run = function(ctx)\n%s\n  end,\n}\n"):format(name, hosts or '"mast"', body))
  return path
end

--- Runs such a workflow quietly against this archive, with output in <folder>/out; `more`: further
-- options. Gives what M.halyard gives.
function archive:try(folder, name, body, hosts, more)
  return self:run(M.workflow(folder, name, body, hosts), folder .. "/out", {},
    "--quiet " .. (more or ""))
end

--- This archive in a list of hosts.
function archive:host()
  return ('"%s"'):format(self.url:match("//(.*)$"))
end

local dump_names = { ["Gaia DR3"] = "gaia", TIC = "tic", CTL = "ctl", GALEX = "galex" }

--- Writes the archive's own list of identifiers in a region, sorted, to a file.
function M.dump_ids(catalog, region, path, options)
  assert(os.execute(("%s --dump %s --region %s %s | tail -n +2 | cut -d, -f1 | LC_ALL=C sort > %s")
    :format(M.quote(bin .. "/halyard-practice"), dump_names[catalog], M.quote(region),
      options or "", M.quote(path))))
end

--- Identifiers (first column) of a CSV file, sorted, to a file; returns their number.
function M.file_ids(csv, path)
  assert(os.execute(("tail -n +2 %s | cut -d, -f1 | LC_ALL=C sort > %s"):format(M.quote(csv),
    M.quote(path))))
  return tonumber(M.shell("wc -l < " .. M.quote(path)))
end

--- Are two files the same, byte for byte?
function M.same(a, b)
  return os.execute(("cmp -s %s %s"):format(M.quote(a), M.quote(b))) == true
end

return M
