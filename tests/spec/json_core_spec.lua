-- SPDX-License-Identifier: BSD-3-Clause
local json = require("halyard.core.json")

local function failure(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.equal("table", type(err))
  return err.code, err.message
end

describe("encoding a control document", function()
  it("writes integers exactly and floats so that they read back", function()
    assert.equal("[9223372036854775807,-9223372036854775808,68960059717834079]",
      json.encode({ math.maxinteger, math.mininteger, 68960059717834079 }))
    for _, v in ipairs({ 0.1, 1 / 3, 1e300, -2.5e-7, 180.0 }) do
      assert.equal(v, tonumber(json.encode(v)))
    end
  end)

  it("sorts keys, so that equal values give equal text", function()
    assert.equal('{"a":1,"b":{"x":true,"y":null},"c":"z"}',
      json.encode({ c = "z", b = { y = json.null, x = true }, a = 1 }))
  end)

  it("tells an empty list from an empty object by the marker", function()
    assert.equal('{"filters":[],"params":{}}',
      json.encode({ filters = json.array({}), params = {} }))
    assert.equal("[1,2]", json.encode(json.array({ 1, 2 })))
    assert.equal("[]", json.encode(json.array()))
  end)

  it("escapes what JSON demands and keeps UTF-8", function()
    assert.equal([["a\"b\\c\n\u0000\u001f/é"]], json.encode("a\"b\\c\n\0\31/é"))
  end)

  it("refuses what JSON cannot hold", function()
    for _, v in ipairs({ 0 / 0, math.huge, print, "\xff", "\xc0\x80", "\xed\xa0\x80",
      { 1, nil, 3 }, { 1, x = 2 }, { [1.5] = 1 }, { [true] = 1 } }) do
      assert.equal("usage", (failure(json.encode, v)))
    end
    local ring = {}
    ring.ring = ring
    local code, message = failure(json.encode, ring)
    assert.equal("usage", code)
    assert.truthy(message:find("64 deep"))
    assert.equal("usage", (failure(json.array, "text")))
  end)
end)

describe("decoding a control document", function()
  it("gives whole numbers as integers and others as floats", function()
    local t = json.decode('{"page":1,"ra":23.5,"list":[2,3.25,{"deep":4}],"big":1e300}')
    assert.equal("integer", math.type(t.page))
    assert.equal("float", math.type(t.ra))
    assert.equal("integer", math.type(t.list[1]))
    assert.equal("integer", math.type(t.list[3].deep))
    assert.equal("float", math.type(t.big))
    assert.equal(7, json.decode("7"))
  end)

  it("gives a float, never a wrong integer, for what a double does not hold", function()
    assert.equal("float", math.type(json.decode("[68960059717834079]")[1]))
  end)

  it("reads null as the sentinel and its own text back", function()
    local t = json.decode('{"a":null,"b":[1,"x",false]}')
    assert.equal(json.null, t.a)
    assert.equal('{"a":null,"b":[1,"x",false]}', json.encode(t))
  end)

  it("refuses broken, foreign and too deep text", function()
    for _, text in ipairs({ "", "{", "<html>", "[1,]", "{'a':1}", "NaN", "[1] x",
      ("["):rep(65) .. ("]"):rep(65) }) do
      assert.equal("protocol", (failure(json.decode, text)))
    end
    assert.is_table(json.decode(("["):rep(64) .. ("]"):rep(64)))
    assert.equal("usage", (failure(json.decode, 5)))
  end)
end)
