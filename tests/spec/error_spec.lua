-- SPDX-License-Identifier: BSD-3-Clause
local errors = require("halyard.error")

describe("error objects", function()
  it("become values through try, with the results of success untouched", function()
    assert.same({ true, 1, nil, 3, n = 4 }, table.pack(errors.try(function()
      return 1, nil, 3
    end)))
    local ok, err = errors.try(errors.raise, "network", "no route", { http_status = 502 })
    assert.is_nil(ok)
    assert.equal("network", err.code)
    assert.equal(502, err.http_status)
    assert.is_true(err.retryable)
  end)

  it("are one line of text that holds the message", function()
    local text = tostring(errors.new("usage", "radius is negative"))
    assert.is_truthy(text:find("radius is negative", 1, true))
    assert.is_nil(text:find("\n", 1, true))
  end)

  it("do not hide a typo: try raises it again", function()
    assert.has_error(function()
      errors.try(function()
        return ({}).nothing.field
      end)
    end)
  end)

  it("do not hide cancellation: try raises it again", function()
    local ok, err = pcall(errors.try, errors.raise, "cancelled", "interrupted")
    assert.is_false(ok)
    assert.is_true(errors.is(err, "cancelled"))
  end)
end)
