-- SPDX-License-Identifier: BSD-3-Clause
-- Workflows: finding the file, reading its manifest without effect, checking parameters, running
-- it and recording the run. `main` is what the runtime calls for the commands of the same names.

local download = require("halyard.core.download")
local errors = require("halyard.error")
local json = require("halyard.json")
local outcome = require("halyard.retrieve.outcome")
local params = require("halyard.params")
local prices = require("halyard.price")
local render = require("halyard.render")
local report = require("halyard.report")
local resume = require("halyard.resume")
local sandbox = require("halyard.core.sandbox")
local suggest = require("halyard.suggest")
local system = require("halyard.core.system")

local M = {}

local file_max_bytes = 1024 * 1024
local manifest_type = { __name = "halyard.workflow" }

-- Manifest --------------------------------------------------------------------------------------

local texts = { "name", "summary", "description", "author", "license", "version" }
local keys = {
  "name", "summary", "description", "author", "license", "version", "api", "hosts", "budget",
  "tags", "params", "examples", "run",
}
local budget_keys = { "memory", "cpu", "wall", "download", "files", "requests", "rows" }
local text_max = 200

local function wrong(what)
  errors.raise("usage", "workflow: " .. what)
end

local function check_text(key, value)
  local long = key == "description"
  if type(value) ~= "string" or not utf8.len(value) then
    wrong(key .. " is not a text")
  elseif #value > text_max and not long then
    wrong(("%s is longer than %d bytes"):format(key, text_max))
  elseif value:gsub(long and "\n" or "", ""):find("%c") or value:find("\u{202A}", 1, true)
    or value:find("\u{202E}", 1, true) or value:find("\u{2066}", 1, true) then
    wrong(key .. " holds control or direction-changing characters")
  end
end

local function check_list(key, value, kind)
  if type(value) ~= "table" then
    wrong(key .. " is not a list")
  end
  for i, item in pairs(value) do
    if math.type(i) ~= "integer" or type(item) ~= kind then
      wrong(("%s is not a list of %ss"):format(key, kind))
    end
  end
end

local scale = { b = 1, kb = 1e3, mb = 1e6, gb = 1e9, tb = 1e12,
  kib = 2 ^ 10, mib = 2 ^ 20, gib = 2 ^ 30, tib = 2 ^ 40 }

-- "2 GiB" or a number of bytes as an integer.
local function size_of(key, value)
  local digits, unit = tostring(value):match("^%s*([%d.]+)%s*(%a*)%s*$")
  local factor = scale[unit and unit ~= "" and unit:lower() or "b"]
  local n = tonumber(digits)
  if not n or not factor then
    wrong(("budget.%s = %s is not a size such as \"2 GiB\""):format(key, tostring(value)))
  end
  return math.floor(n * factor)
end

local seconds = { s = 1, min = 60, h = 3600, d = 86400 }

-- "10 min" or a number of seconds.
local function duration_of(key, value)
  local digits, unit = tostring(value):match("^%s*([%d.]+)%s*(%a*)%s*$")
  local n, factor = tonumber(digits), seconds[unit ~= "" and unit or "s"]
  if not n or not factor or n <= 0 then
    wrong(("budget.%s = %s is not a time such as \"10 min\""):format(key, tostring(value)))
  end
  return n * factor
end

local function budget_of(raw)
  local budget = {}
  suggest.check_keys(raw, budget_keys, "the workflow's budget")
  for key, value in pairs(raw) do
    if key == "download" or key == "memory" then
      budget[key] = size_of(key, value)
    elseif key == "files" or key == "requests" or key == "rows" then
      if math.type(value) ~= "integer" or value < 1 then
        wrong(("budget.%s = %s is not a positive whole number"):format(key, tostring(value)))
      end
      budget[key] = value
    else
      budget[key] = duration_of(key, value)
    end
  end
  return budget
end

local function check_hosts(hosts)
  check_list("hosts", hosts, "string")
  for _, host in ipairs(hosts) do
    if host ~= "mast" and not host:find("^[%w.-]+%.%a+$") and not host:find("^[%w.-]+:%d+$")
      and not host:find("^%*%.[%w-][%w.-]*%.%a+$") then
      wrong(('hosts: %q is neither "mast" nor a host such as "dc.g-vo.org" or "127.0.0.1:8080" nor '
        .. 'all below a name, such as "*.g-vo.org"'):format(host))
    end
  end
end

--- The `workflow` of workflow files: checks a manifest and returns it.
-- @raise `usage` naming the key that is wrong
function M.manifest(raw)
  suggest.check_keys(raw, keys, "workflow")
  for _, key in ipairs(texts) do
    if raw[key] ~= nil then
      check_text(key, raw[key])
    end
  end
  if not raw.name or not raw.name:find("^[%w][%w-]*$") then
    wrong("name is missing or holds more than letters, digits and hyphens")
  elseif not raw.summary then
    wrong("summary is missing")
  elseif type(raw.run) ~= "function" then
    wrong("run is missing: run = function(ctx, p) ... end")
  elseif raw.api ~= nil and math.type(raw.api) ~= "integer" then
    wrong("api is not a whole number")
  elseif raw.api and raw.api > system.api_level then
    wrong(("%s needs API level %d, this Halyard has %d: install a newer one"):format(raw.name,
      raw.api, system.api_level))
  end
  check_hosts(raw.hosts or {})
  check_list("tags", raw.tags or {}, "string")
  check_list("examples", raw.examples or {}, "table")
  local manifest = {}
  for key, value in pairs(raw) do
    manifest[key] = value
  end
  manifest.hosts, manifest.tags, manifest.examples = raw.hosts or {}, raw.tags or {},
    raw.examples or {}
  manifest.params = params.declare(raw.params)
  manifest.budget = budget_of(raw.budget or {})
  return setmetatable(manifest, manifest_type)
end

-- Loading ---------------------------------------------------------------------------------------

-- A module as workflows see it: read-only, loaded when it is first used.
local function module(name, call)
  return setmetatable({}, {
    __index = function(_, key)
      return require("halyard." .. name)[key]
    end,
    __newindex = function()
      error("this table is read-only", 2)
    end,
    __call = call, __metatable = false,
  })
end

-- Globals of a workflow: the sandbox's, and the public modules by name. `select` is the function of
-- the language and the module in one.
local function environment(folder)
  local env = sandbox.environment(folder)
  for _, name in ipairs({ "mast", "vo", "sky", "task", "retrieve" }) do
    rawset(env, name, module(name))
  end
  rawset(env, "select", module("select", function(_, ...)
    return select(...)
  end))
  rawset(env, "halyard", sandbox.readonly(require("halyard")))
  rawset(env, "try", errors.try)
  rawset(env, "workflow", M.manifest)
  return env
end

-- Calls a chunk where nothing can wait, so that loading cannot reach the network.
local function call_without_effect(chunk)
  local value
  string.gsub("x", "x", function()
    value = chunk()
  end)
  return value
end

--- Reads a workflow file and returns its manifest; runs nothing but the table's own expressions.
-- @tparam string path
-- @raise `usage` (syntax, manifest), `not_found`, `io`
function M.load(path)
  local folder, stem = path:match("^(.*)/([^/]*)$")
  folder, stem = folder or ".", (stem or path):gsub("%.lua$", "")
  local text = system.read_file(path, file_max_bytes)
  local chunk, why = sandbox.load(text, "@" .. path, environment(folder))
  if not chunk then
    errors.raise("usage", "workflow does not compile: " .. tostring(why))
  end
  local ok, manifest = pcall(call_without_effect, chunk)
  if not ok then
    if errors.is(manifest) then
      if not tostring(manifest):find(path, 1, true) then
        manifest.message = path .. ": " .. manifest.message
      end
      error(manifest, 0)
    end
    errors.raise("usage", ("%s: loading failed: %s"):format(path, tostring(manifest)))
  elseif getmetatable(manifest) ~= manifest_type then
    errors.raise("usage", path .. ": a workflow file ends with: return workflow { ... }")
  elseif manifest.name ~= stem then
    errors.raise("usage", ("%s: the name %s differs from the file name: rename one of them")
      :format(path, manifest.name))
  end
  return manifest
end

-- Every workflow file on the search path: list of { name, path, shadowed }.
local function files()
  local list, seen = {}, {}
  for _, folder in ipairs(system.workflow_paths()) do
    if system.exists(folder) then
      local names = system.list_files(folder, ".lua")
      table.sort(names)
      for _, file in ipairs(names) do
        local name = file:match("([^/]+)%.lua$")
        list[#list + 1] = { name = name, path = folder .. "/" .. name .. ".lua",
          shadowed = seen[name] or false }
        seen[name] = true
      end
    end
  end
  return list
end

--- Path of a workflow given by path (contains a slash or ends in .lua) or by name.
function M.find(name)
  if type(name) ~= "string" or name == "" then
    errors.raise("usage", "no workflow named: halyard list shows them")
  elseif name:find("/", 1, true) or name:find("%.lua$") then
    if not system.exists(name) then
      errors.raise("not_found", ("there is no workflow file %s"):format(name))
    end
    return name
  end
  local names = {}
  for _, file in ipairs(files()) do
    if file.name == name then
      return file.path
    end
    names[#names + 1] = file.name
  end
  suggest.unknown("workflow", name, names, "not_found")
end

-- Running ---------------------------------------------------------------------------------------

local context_methods = {}
context_methods.__index = context_methods

--- Writes a line to the log.
function context_methods.log(_, text)
  system.log("info", tostring(text))
end

--- Shows progress: fields stage, done, known, unit, rows, bytes.
function context_methods.progress(_, fields)
  system.emit("progress", fields)
end

--- Path below the output folder.
function context_methods.path(_, name)
  return report.current():path(name)
end

--- Runs another workflow with parameters and returns its result.
function context_methods:run(name, given)
  local manifest = M.load(M.find(name))
  report.current():require_hosts(manifest.hosts)
  local values = params.values(manifest.params, given or {}, "workflow " .. manifest.name)
  return manifest.run(setmetatable({ output = self.output, params = values }, context_methods),
    values)
end

local function underscored(given)
  local out = {}
  for name, value in pairs(given or {}) do
    out[tostring(name):gsub("-", "_")] = value
  end
  return out
end

-- The program that downloads are listed for.
local function list_for(args)
  if args.export and args.export ~= "curl" and args.export ~= "aria2" then
    suggest.unknown("program", args.export, { "aria2", "curl" })
  end
  return args.export
end

local function prepare(args, dry)
  local pictures = (args.plot or args.regions or args.moc)
    and require("halyard.picture").wanted(args)
  require("halyard.archive.readings").check()
  local path = M.find(args.workflow)
  local manifest = M.load(path)
  local values = params.values(manifest.params, underscored(args.params),
    "workflow " .. manifest.name, args.options)
  local budget, program = manifest.budget, not dry and list_for(args) or nil
  local output = system.default_output(manifest.name .. "-out")
  local lock = not dry and report.lock_output() or nil -- to wait for it is no time of the run
  system.declare({ memory = budget.memory, cpu = budget.cpu, wall = budget.wall })
  local record = report.begin(report.new({
    output = output, dry = dry, hosts = manifest.hosts, pictures = pictures, list_for = program,
    budget = budget, workflow = { name = manifest.name, version = manifest.version },
  }))
  if #manifest.hosts > 0 and not dry then
    download.expect()
  end
  return manifest, values, record, path, lock
end

local function save(record, manifest, values, status, err)
  local document = record:summary()
  document.parameters, document.status = values, status
  document.error = err and { code = err.code, message = tostring(err) } or nil
  if #manifest.hosts > 0 then
    document.archive = require("halyard.archive.door").base("mashup")
  end
  document.halyard, document.written = system.version, os.date("!%Y-%m-%dT%H:%M:%SZ")
  record:save(document)
end

-- Did the workflow take a query that lacks tiles?
local function some_partial(record)
  for _, query in ipairs(record.queries) do
    if query.state == "partial" then
      return true
    end
  end
  return false
end

-- "1 tile", "2 tiles".
local function count(n, what)
  return ("%d %s%s"):format(n, what, n == 1 and "" or "s")
end

local function totals(record)
  for _, query in ipairs(record.queries) do
    if query.tiles then
      system.log("info", ("%s: %s in %s, %s, %s, %.1f s (%s)"):format(query.service,
        count(query.rows, "row"), count(query.tiles, "tile"), count(query.requests, "request"),
        count(query.bytes, "byte"), query.elapsed_s, query.verified))
    end
    if query.remedy then
      system.log("warning", ("%s is %s: %s"):format(query.service, query.state, query.remedy))
    end
  end
  local sum = outcome.of(record.queues, record.files)
  if sum.files > 0 then
    system.log("info", ("%s, %s downloaded, %d were already there%s%s"):format(
      count(sum.files, "file"), count(record.download_bytes, "byte"), sum.there,
      sum.failed > 0 and (", %d failed"):format(sum.failed) or "",
      sum.deferred > 0 and (", %d deferred"):format(sum.deferred) or ""))
    outcome.warn(sum)
  end
  system.log("info", ("%s in all, %s, %.1f s; everything is in %s"):format(
    count(record.requests + sum.requests, "request"),
    count(record.bytes + record.download_bytes, "byte"),
    record:elapsed(), record.output))
end

-- Files of halyard.picture that the user named.
local function write_pictures(record, args)
  for _, name in ipairs(require("halyard.picture").write(record.pictures, args)) do
    system.log("info", "written: " .. name)
  end
  if #record.pictures == 0 then
    system.log("warning", "nothing to draw: no query of the workflow goes by sky tiles")
  end
end

-- What a run that is interrupted leaves when its variables are closed: its files are recorded.
local function leave(record, manifest, values)
  return setmetatable({}, { __close = function()
    local left, why = pcall(function()
      if not record.ended and #record.queues > 0
        and require("halyard.retrieve.fetch").flush_few(record) then
        save(record, manifest, values, "unfinished")
      end
    end)
    if not left then
      system.log("warning", tostring(why))
    end
  end })
end

-- Manifests are written also of a run that fails.
local function run_and_flush(manifest, ctx, values, record)
  local ok, result = pcall(manifest.run, ctx, values)
  if #record.queues > 0 and (ok or not errors.is(result, "cancelled")) then
    local flushed, why = errors.try(require("halyard.retrieve.fetch").flush, record)
    ok, result = ok and flushed, ok and not flushed and why or result
  end
  if not ok then
    error(result, 0)
  end
  return result
end

local verbs = {}

function verbs.run(args)
  local manifest, values, record, path, lock = prepare(args, false)
  local _ <close> = lock
  local _ <close> = leave(record, manifest, values)
  save(record, manifest, values, "unfinished") -- before any request: the folder can be written
  local ctx = setmetatable({ output = record.output, params = values }, context_methods)
  local ok, result = pcall(run_and_flush, manifest, ctx, values, record)
  if record.requests > 0 then -- the digest library is dear to load where nothing was asked
    record.workflow.sha256 = system.sha256(system.read_file(path, file_max_bytes))
  end
  record.ended = ok or not errors.is(result, "cancelled")
  if not ok then
    if record.ended then
      local err = errors.is(result) and result or { code = "script", message = tostring(result) }
      local saved, unsaved = pcall(save, record, manifest, values,
        err.code == "partial" and "partial" or "failed", err)
      if not saved then -- a full disk must not hide the first failure
        system.log("warning", tostring(unsaved))
      end
      if record.pictures and #record.pictures > 0 then
        local drawn, why = pcall(write_pictures, record, args) -- of as much as there is
        if not drawn then
          system.log("warning", tostring(why))
        end
      end
    end
    error(result, 0)
  end
  resume.forget(record)
  local failure = outcome.failure(outcome.of(record.queues, record.files), ("%s/report.json lists "
    .. "them; halyard retry %s fetches them alone"):format(record.output, record.output))
  save(record, manifest, values, (failure or some_partial(record)) and "partial" or "complete")
  render.write(result, args.format or "table", system.output)
  totals(record)
  if record.pictures then
    write_pictures(record, args)
  end
  for _, note in ipairs(record.list_for and record.notes or {}) do
    system.log("info", note)
  end
  if failure then
    error(failure, 0)
  end
end

-- Runs a workflow without fetching anything; its record holds what it would ask.
local function rehearse(args, silent)
  local manifest, values, record = prepare(args, true)
  record.silent = silent
  local ctx = setmetatable({ output = record.output, params = values }, context_methods)
  local ok, err = pcall(manifest.run, ctx, values)
  if not ok and (#record.plans + #record.notes == 0 or errors.is(err, "cancelled")
    or errors.is(err) and err.code ~= "usage" and err.code ~= "not_found") then
    error(err, 0)
  elseif not ok then
    record.notes[#record.notes + 1] = "what follows depends on the answers"
  end
  return record
end

local function tell_notes(record)
  for _, note in ipairs(record.notes) do
    system.output(note .. "\n")
  end
end

function verbs.plan(args)
  local record = rehearse(args, false)
  if record.pictures then
    write_pictures(record, args)
  end
  if args.format == "json" then
    system.output(json.encode({
      plans = json.array(record.plans), notes = json.array(record.notes),
    }) .. "\n")
    return
  end
  for _, plan in ipairs(record.plans) do
    local lines = prices.lines(plan)
    table.move(prices.tiles(plan), 1, #plan.leaves + 1, #lines + 1, lines)
    system.output(table.concat(lines, "\n") .. "\n")
  end
  tell_notes(record)
end

function verbs.explain(args)
  local record = rehearse(args, true)
  if args.format == "json" then
    local list = json.array({})
    for i, plan in ipairs(record.plans) do
      list[i] = { service = plan.service, region = plan.region, strategy = plan.strategy }
    end
    system.output(json.encode({ queries = list, notes = json.array(record.notes) }) .. "\n")
    return
  end
  for _, plan in ipairs(record.plans) do
    system.output(("%s, %s\n"):format(plan.service, plan.region)
      .. plan.strategy:gsub("([^\n]+)", "  %1"))
  end
  tell_notes(record)
end

function verbs.list(args)
  local rows = {}
  for _, file in ipairs(files()) do
    local ok, manifest = errors.try(M.load, file.path)
    rows[#rows + 1] = {
      name = file.name, path = file.path, shadowed = file.shadowed,
      summary = ok and manifest.summary or "cannot be loaded: " .. tostring(manifest.message),
    }
  end
  if args.format == "json" then
    system.output(json.encode(json.array(rows)) .. "\n")
    return
  end
  for _, row in ipairs(rows) do
    system.output(("%-24s %s%s\n"):format(row.name, row.summary,
      row.shadowed and (" (%s, hidden by an earlier folder)"):format(row.path) or ""))
  end
end

local function quoted(text)
  return text:find("[^%w./_-]") and '"' .. text .. '"' or text
end

-- `name_given`: the workflow as the caller named it, so that the line runs as it stands.
local function example_line(name_given, example)
  local names, parts = {}, { "halyard run " .. quoted(name_given) }
  for name in pairs(example) do
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    parts[#parts + 1] = ("--%s %s"):format(name, quoted(tostring(example[name])))
  end
  return "  " .. table.concat(parts, " ")
end

local function budget_text(key, value)
  if key == "cpu" or key == "wall" then
    return ("%g s"):format(value)
  elseif key == "download" or key == "memory" then
    for _, unit in ipairs({ "TiB", "GiB", "MiB", "KiB" }) do
      local factor = scale[unit:lower()]
      if value >= factor and value % factor == 0 then
        return ("%d %s"):format(value // factor, unit)
      end
    end
    return count(value, "byte")
  end
  return tostring(value)
end

local function permissions(manifest)
  local lines = { "  contacts: " .. (#manifest.hosts > 0 and table.concat(manifest.hosts, ", ")
    or "nobody") }
  local names = {}
  for name in pairs(manifest.budget) do
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    lines[#lines + 1] = ("  at most: %s %s"):format(name, budget_text(name,
      manifest.budget[name]))
  end
  return table.concat(lines, "\n")
end

local function help_json(manifest)
  local document = {}
  for _, key in ipairs({ "name", "summary", "description", "author", "license", "version", "api",
    "budget" }) do
    document[key] = manifest[key]
  end
  for _, key in ipairs({ "hosts", "tags", "params", "examples" }) do
    document[key] = json.array(manifest[key])
  end
  return json.encode(document) .. "\n"
end

function verbs.help(args)
  local manifest = M.load(M.find(args.workflow))
  if args.format == "json" then
    system.output(help_json(manifest))
    return
  end
  local parts = { ("%s - %s"):format(manifest.name, manifest.summary) }
  if manifest.description then
    parts[#parts + 1] = (manifest.description:gsub("^%s+", ""):gsub("%s+$", ""))
  end
  if #manifest.params > 0 then
    parts[#parts + 1] = "Parameters:\n" .. params.describe(manifest.params)
  end
  parts[#parts + 1] = "Permissions:\n" .. permissions(manifest)
  if #manifest.examples > 0 then
    local lines = {}
    for i, example in ipairs(manifest.examples) do
      lines[i] = example_line(args.workflow, example)
    end
    parts[#parts + 1] = "Examples:\n" .. table.concat(lines, "\n")
  end
  system.output(table.concat(parts, "\n\n") .. "\n")
end

function verbs.check(args)
  local manifest = M.load(M.find(args.workflow))
  for _, example in ipairs(manifest.examples) do
    params.values(manifest.params, example, "example of workflow " .. manifest.name)
  end
  system.output(("%s: in order\n"):format(manifest.name
    .. (manifest.version and " " .. manifest.version or "")))
end

function verbs.verify(args)
  require("halyard.retrieve.verify").main(args.workflow, args.format)
end

function verbs.retry(args)
  local hosts = {}
  for host in (args.params and args.params.allow_host or ""):gmatch("[^,%s]+") do
    hosts[#hosts + 1] = host
  end
  require("halyard.retrieve.retry").main(args.workflow, hosts)
end

--- Runs a command. `args`: workflow (name or path), params (name -> text), format ("table",
-- "json", "csv").
function M.main(verb, args)
  if not verbs[verb] then
    suggest.unknown("command", tostring(verb), { "check", "explain", "help", "list", "plan",
      "retry", "run", "verify" })
  end
  args = args or {}
  if args.format and args.format ~= "table" and args.format ~= "json" and args.format ~= "csv" then
    suggest.unknown("format", args.format, { "csv", "json", "table" })
  end
  return verbs[verb](args)
end

return M
