-- SPDX-License-Identifier: BSD-3-Clause
-- Base URLs of interfaces, each for itself.

package.path = assert(os.getenv("HALYARD_SOURCE")) .. "/tests/archive/?.lua;" .. package.path
local door = require("halyard.archive.door")
local practice = require("practice")

describe("a base URL", function()
  it("can be given for every interface alone", function()
    local file = practice.shipped .. "/first-light.lua"
    for _, name in ipairs(door.interfaces()) do
      local code, _, err = practice.halyard(("plan %s --base %s=nowhere")
        :format(practice.quote(file), name))
      assert.equal(2, code)
      assert.is_nil(err:find("there is no interface", 1, true), err)
      assert.is_truthy(err:find("nowhere", 1, true), err)
    end
  end)

  it("is refused for interfaces that do not exist, with the list of them", function()
    local code, _, err = practice.halyard(("plan %s --base mishap=http://127.0.0.1:1")
      :format(practice.quote(practice.shipped .. "/first-light.lua")))
    assert.equal(2, code)
    for _, name in ipairs(door.interfaces()) do
      assert.is_truthy(err:find(name, 1, true), err)
    end
  end)
end)
