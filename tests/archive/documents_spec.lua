-- SPDX-License-Identifier: BSD-3-Clause
-- The worked examples of docs/archives: every complete workflow in them runs against a practice
-- archive and prints the lines that the document shows behind it.

package.path = assert(os.getenv("HALYARD_SOURCE")) .. "/tests/archive/?.lua;" .. package.path
local practice = require("practice")

-- The account of the practice archive's CasJobs.
practice.environment = "CASJOBS_WSID=1001 CASJOBS_USERID=practice CASJOBS_PW=practice"

local folder_of_documents = assert(os.getenv("HALYARD_SOURCE")) .. "/docs/archives"

local documents = {}
for path in practice.shell("ls " .. practice.quote(folder_of_documents) .. "/*.md"):gmatch("%S+") do
  documents[#documents + 1] = path
end

describe("docs/archives", function()
  local archive, folder

  setup(function()
    archive = practice.start("")
    folder = practice.folder()
  end)

  teardown(function()
    archive:stop()
    practice.remove(folder)
  end)

  -- ```lua blocks that are workflows, each with the ```text block that may follow.
  local function examples(text)
    local found = {}
    for code, after in text:gmatch("```lua\n(.-)```\n()") do
      if code:find("return workflow", 1, true) then
        found[#found + 1] = { code = code, shown = text:match("^%s*```text\n(.-)```", after) }
      end
    end
    return found
  end

  it("have an example on every page but the table of doors, with lines that it prints", function()
    for _, path in ipairs(documents) do
      local found = examples(practice.read(path))
      assert.is_true(#found > 0 or path:find("/index%.md$") ~= nil, path)
      for _, example in ipairs(found) do
        assert.is_truthy(example.shown, path)
      end
    end
  end)

  for _, path in ipairs(documents) do
    local name = path:match("([^/]+)%.md$")
    local text = practice.read(path)
    for i, example in ipairs(examples(text)) do
      it(("has an example that runs: %s, number %d"):format(name, i), function()
        -- Addresses of services elsewhere are written as this host in the documents.
        local code = example.code:gsub("http://127%.0%.0%.1:8642", archive.url)
          :gsub("127%.0%.0%.1:8642", (archive.url:match("//(.*)$")))
        local own = ("%s/%s-%d"):format(folder, name, i)
        local file = own .. "/" .. (code:match('name%s*=%s*"([%w-]+)"') or "example") .. ".lua"
        os.execute("mkdir -p " .. practice.quote(own))
        local out <close> = assert(io.open(file, "wb"))
        out:write(code)
        out:flush()
        local status, printed, errors = archive:run(file, own .. "/out", {}, "--quiet")
        assert.equal(0, status, errors)
        for line in (example.shown or ""):gmatch("[^\n]+") do
          assert.is_truthy(printed:find(line, 1, true), ("%q is not in\n%s"):format(line, printed))
        end
      end)
    end
  end
end)
