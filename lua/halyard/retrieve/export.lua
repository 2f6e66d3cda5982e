-- SPDX-License-Identifier: BSD-3-Clause
-- A queue as a list for other programs: a shell script of curl, or an input file of aria2. Other
-- programs check less than Halyard: sizes and SHA-256 are in the lists where they are known.

local errors = require("halyard.error")
local system = require("halyard.core.system")

local M = {}

local names = { curl = "download.sh", aria2 = "download.aria2" }

local function quoted(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- What is asked of the files; `token` stays in the environment and out of the process list.
local script_head = [=[
#!/bin/sh
# %d files by curl, below the folder of this script. Run it again after a failure: what is there is
# left as it is, what has begun goes on. Files under exclusive access need MAST_API_TOKEN.
cd "$(dirname "$0")" || exit 5
failed=0

# transfer PART URL AUTH: AUTH is mast or none
transfer() {
  if [ "$3" = mast ] && [ -n "${MAST_API_TOKEN-}" ]; then
    printf 'header = "Authorization: token %%s"\n' "$MAST_API_TOKEN" |
      curl --config - --globoff --fail --location --retry 5 -C - --output "$1" "$2"
  else
    curl --globoff --fail --location --retry 5 -C - --output "$1" "$2"
  fi
}

bytes() {
  echo $(($(wc -c <"$1")))
}

# get FILE BYTES SHA256 AUTH URL: "-" where the catalogue does not tell
get() {
  [ -e "$1" ] && return
  part="$1.part"
  mkdir -p "$(dirname "$1")"
  if [ ! -e "$part" ] || [ "$(bytes "$part")" != "$2" ]; then
    transfer "$part" "$5" "$4"
    code=$?
    # the part is not one of this file (HTTP 416), or the server sends whole files only
    if [ -s "$part" ] && { [ $code = 22 ] || [ $code = 33 ]; }; then
      rm -f "$part"
      transfer "$part" "$5" "$4"
      code=$?
    fi
    if [ $code != 0 ]; then
      echo "$1: curl failed with $code" >&2
      failed=1
      return
    fi
  fi
  if [ "$2" != - ] && [ "$(bytes "$part")" != "$2" ]; then
    echo "$1: $(bytes "$part") bytes came, the catalogue says $2; removed" >&2
  elif [ "$3" != - ] && [ "$(sha256sum <"$part" | cut -d ' ' -f 1)" != "$3" ]; then
    echo "$1: the SHA-256 is not $3; removed" >&2
  else
    mv "$part" "$1"
    return
  fi
  rm -f "$part"
  failed=1
}

]=]

-- What an earlier run knows of the file: a catalogue's size may be stale.
local function expectation(queue, item)
  local known = queue.state:find(item.place)
  if known and known.source == item.source then
    return known.bytes, known.sha256
  end
  return item.size, item.expected_sha256
end

local writers = {}

function writers.curl(queue, append)
  append(script_head:format(#queue))
  for k = 1, #queue do
    local item = queue:item(k)
    local size, sha256 = expectation(queue, item)
    append(("get %s %s %s %s %s\n"):format(quoted("./" .. item.place), size or "-", sha256 or "-",
      item.direct and "none" or "mast", quoted(item.address)))
  end
  append("exit $failed\n")
end

function writers.aria2(queue, append)
  append(("# %d files: aria2c -i FILE, from the folder where halyard ran\n"):format(#queue))
  for k = 1, #queue do
    local item = queue:item(k)
    local _, sha256 = expectation(queue, item)
    append(("%s\n  dir=%s\n  out=%s\n  continue=true\n  auto-file-renaming=false\n%s"):format(
      item.address, queue.dir, item.place, sha256 and ("  checksum=sha-256=%s\n"):format(sha256)
      or ""))
  end
end

--- The file that `write` makes.
function M.file(program, queue)
  return queue.dir .. "/" .. names[program]
end

--- Writes what a queue would fetch.
-- @tparam string program "curl" or "aria2"
-- @tparam table queue halyard.retrieve.queue
-- @raise `permission` when an address holds a secret, which a file must not
function M.write(program, queue)
  local out <close> = system.create_file(M.file(program, queue))
  for k = 1, #queue do
    local item = queue:item(k)
    if system.redact(item.address) ~= item.address then
      errors.raise("permission", ("%s: its address holds a secret, which a list must not: run "
        .. "without --export"):format(item.place))
    end
    queue:settle(k, "listed")
  end
  writers[program](queue, function(text)
    out:append(text)
  end)
  out:commit()
end

return M
