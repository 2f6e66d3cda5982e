-- SPDX-License-Identifier: BSD-3-Clause
-- Reads the files below a folder again and compares them with what was recorded when they were
-- downloaded: by the state of their folder, else by its manifest. Asks no network.

local errors = require("halyard.error")
local holdings = require("halyard.core.holdings")
local json = require("halyard.json")
local names = require("halyard.core.download").names
local report = require("halyard.report")
local system = require("halyard.core.system")
local task = require("halyard.core.task")

local M = {}

local parallel, shown = 8, 20
local report_bytes_max = 64 << 20
local memory_bytes = 2 << 30 -- more than 256 MiB are needed for a million files
local own = { ["manifest.csv"] = true, ["manifest.json"] = true, ["download.sh"] = true,
  ["download.aria2"] = true, ["report.json"] = true }

local function folder_of(path)
  return path:match("^(.*)/[^/]*$") or ""
end

local function below(folder, path)
  return folder == "" and path or folder .. "/" .. path
end

-- The folders of downloads among `paths`: those with a state or a manifest.
local function folders_among(paths)
  local list, seen = {}, {}
  for _, path in ipairs(paths) do
    local folder = path == ".halyard/files" and "" or path:match("^(.*)/%.halyard/files$")
      or path:match("[^/]+$") == "manifest.json" and folder_of(path)
    if folder and not seen[folder] then
      list[#list + 1], seen[folder] = folder, true
    end
  end
  table.sort(list)
  return list, seen
end

-- The folder of downloads that a path belongs to: the innermost.
local function owner_of(path, folders)
  local folder = folder_of(path)
  while not folders[folder] do
    if folder == "" then
      return nil
    end
    folder = folder_of(folder)
  end
  return folder
end

-- The files that the report of a run names and that lie in no folder of downloads: bundles, what
-- was unpacked, cutouts.
local function reported_in(dir, folders)
  local path, list = dir .. "/report.json", {}
  local ok, text = true, ""
  if system.exists(path) then
    ok, text = errors.try(system.read_file, path, report_bytes_max)
  end
  if not ok then
    system.log("warning", ("what was unpacked is not verified: %s"):format(text.message))
    return list
  end
  for line in text:gmatch("[^\n]+") do
    local entry = line:find('^    {"') and json.decode((line:gsub(",$", "")))
    if entry and entry.file and entry.sha256 and (owner_of(entry.file, folders) or "") == "" then
      list[#list + 1] = entry
    end
  end
  return list
end

-- What a folder should hold: { path, bytes, sha256 } (false: it was never downloaded) by number.
local function expected_in(dir, folder, reported)
  local place = folder == "" and dir or dir .. "/" .. folder
  local state, known = holdings.state(place), names(false)
  local list = {}
  local function add(path, row)
    if known:add(path) then
      local record = state:find(path) or row
      list[#list + 1] = { folder = folder, path = path, bytes = record.bytes,
        sha256 = record.sha256 or false }
    end
  end
  if system.exists(place .. "/manifest.json") then
    local _, rows = require("halyard.retrieve.retry").read(dir, below(folder, "manifest.json"))
    for i = 1, #rows do
      local row = rows[i]
      add(row.path, { bytes = rawget(row, "bytes"), sha256 = rawget(row, "sha256") })
    end
  end
  for _, path in ipairs(state:paths()) do
    add(path)
  end
  for _, entry in ipairs(folder == "" and reported or {}) do
    add(entry.file, entry)
  end
  return list, known
end

-- Reads the files of a list; fills found.missing, changed and lacking.
local function read_files(dir, list, found)
  local tasks, next_i, started = {}, 0, system.monotonic()
  for i = 1, parallel do
    tasks[i] = i
  end
  local verdicts = {}
  task.map(tasks, parallel, function()
    while next_i < #list do
      next_i = next_i + 1
      local i, file = next_i, list[next_i]
      local bytes, sha256
      if file.sha256 then
        bytes, sha256 = holdings.digest(dir, below(file.folder, file.path))
      end
      verdicts[i] = not file.sha256 and "lacking" or not bytes and "missing"
        or (bytes ~= file.bytes or sha256 ~= file.sha256) and "changed" or "whole"
      found.bytes = found.bytes + (bytes or 0)
      found.files = found.files + 1
      if system.monotonic() - started > 2 then
        system.emit("progress", { stage = "verifying", done = found.files, known = found.known,
          unit = "files", bytes = found.bytes })
      end
    end
  end)
  for i, file in ipairs(list) do
    local into = found[verdicts[i]]
    if into then
      into[#into + 1] = below(file.folder, file.path)
    end
  end
end

-- What lies in a folder of downloads and is none of them.
local function judge_other(found, path, place)
  local name = place:match("[^/]+$")
  if own[place] or place:find("^%.halyard/") then
    return
  end
  local into = (name:find("^%..*%.part$") or name:find("^%..*%.part%.info$")
    or name:find("%.part$") or name:find("^%..*%.halyard%-")) and found.leftovers or found.foreign
  into[#into + 1] = path
end

local kinds = {
  { "changed", "changed since it was downloaded" }, { "missing", "missing" },
  { "lacking", "never downloaded" }, { "leftovers", "left over of a download" },
  { "foreign", "not of these downloads" },
}

local function tell(found)
  for _, kind in ipairs(kinds) do
    local list = found[kind[1]]
    for i = 1, math.min(#list, shown) do
      system.output(("%s: %s\n"):format(list[i]:gsub("%c", "?"), kind[2]))
    end
    if #list > shown then
      system.output(("... and %d more %s\n"):format(#list - shown, kind[2]))
    end
  end
end

--- `halyard verify DIR`.
-- @tparam string dir
-- @tparam string format "json": one document; else lines for people
-- @raise `integrity` when a file is changed, missing or was never downloaded
function M.main(dir, format)
  report.begin(report.new({ output = system.default_output(dir) }))
  system.declare({ memory = memory_bytes })
  local paths = holdings.tree(dir)
  table.sort(paths)
  local folders, is_folder = folders_among(paths)
  local reported = reported_in(dir, is_folder)
  if #reported > 0 and not is_folder[""] then
    folders[#folders + 1], is_folder[""] = "", true
  end
  if #folders == 0 then
    errors.raise("not_found", ("nothing was downloaded into %s: it holds no manifest.json")
      :format(dir))
  end
  local found = { files = 0, bytes = 0, known = 0, changed = json.array({}),
    missing = json.array({}), lacking = json.array({}), leftovers = json.array({}),
    foreign = json.array({}) }
  local lists, known = {}, {}
  for i, folder in ipairs(folders) do
    lists[i], known[folder] = expected_in(dir, folder, reported)
    found.known = found.known + #lists[i]
  end
  for _, list in ipairs(lists) do
    read_files(dir, list, found)
  end
  for _, path in ipairs(paths) do
    local folder = owner_of(path, is_folder)
    local place = folder and (folder == "" and path or path:sub(#folder + 2))
    if place and known[folder]:add(place) then
      judge_other(found, path, place)
    end
  end
  found.whole = found.known - #found.changed - #found.missing - #found.lacking
  found.known = nil
  if format == "json" then
    system.output(json.pretty(found) .. "\n")
  else
    tell(found)
    system.log("info", ("%d of %d files are whole, %d bytes"):format(found.whole, found.files,
      found.bytes))
  end
  if found.whole < found.files then
    errors.raise("integrity", ("%d of %d files below %s are not what was downloaded: %d changed, "
      .. "%d missing, %d never downloaded; %srun the workflow again%s"):format(
      found.files - found.whole, found.files, dir, #found.changed, #found.missing, #found.lacking,
      #found.changed > 0 and "move changed ones away, then " or "",
      #found.lacking > 0 and " (halyard retry fetches the last kind alone)" or ""))
  end
end

return M
