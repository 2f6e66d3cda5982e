-- SPDX-License-Identifier: BSD-3-Clause
local errors = require("halyard.error")
local select_rows = require("halyard.select")
local tables = require("halyard.core.table")

describe("selecting rows", function()
  local products = tables.from_rows({
    { productFilename = "a_drz.fits", productType = "SCIENCE", calib_level = 3,
      productGroupDescription = "Minimum Recommended Products" },
    { productFilename = "a_flt.FITS", productType = "SCIENCE", calib_level = 2 },
    { productFilename = "a_raw.fits.gz", productType = "SCIENCE", calib_level = 1 },
    { productFilename = "a_prev.jpg", productType = "PREVIEW", calib_level = 3 },
  }, { "productFilename", "productType", "calib_level", "productGroupDescription" })

  local function names(rows)
    return rows:list("productFilename")
  end

  it("joins criteria by AND and values of a list by OR", function()
    assert.same({ "a_drz.fits", "a_flt.FITS" },
      names(select_rows.rows(products, { productType = "science", calib_level = ">=2" })))
    assert.same({ "a_raw.fits.gz", "a_prev.jpg" },
      names(select_rows.rows(products, { productFilename = { "*.gz", "*.jpg" } })))
  end)

  it("takes an extension as the plain end of a file name, in any case", function()
    assert.same({ "a_drz.fits", "a_flt.FITS" },
      names(select_rows.products(products, { extension = "fits" })))
    assert.same({ "a_raw.fits.gz", "a_prev.jpg" },
      names(select_rows.products(products, { extension = { "gz", ".jpg" } })))
  end)

  it("knows the minimum recommended products", function()
    assert.same({ "a_drz.fits" }, names(select_rows.products(products, { minimum = true })))
  end)

  it("refuses what is no table, and keys that are neither columns nor its own", function()
    for what, call in pairs({
      ["select.rows takes a table (of a query: result.table"] = function()
        select_rows.rows({ { productType = "SCIENCE" } }, { productType = "SCIENCE" })
      end,
      ["select.first takes a table"] = function() select_rows.first(nil, 1) end,
      ["select.products takes a table of criteria"] = function() select_rows.products(products) end,
      ["unknown criterion of select.products: extnsion; did you mean extension?"] = function()
        select_rows.products(products, { extnsion = "fits" })
      end,
    }) do
      local ok, err = errors.try(call)
      assert.is_nil(ok)
      assert.equal("usage", err.code)
      assert.is_truthy(err.message:find(what, 1, true), err.message)
    end
  end)

  it("takes the first rows, or all there are", function()
    assert.same({ "a_drz.fits" }, names(select_rows.first(products, 1)))
    assert.equal(4, #select_rows.first(products, 100))
  end)

  it("refuses unknown columns with the nearest name", function()
    local ok, err = errors.try(select_rows.products, products, { productTyp = "SCIENCE" })
    assert.is_nil(ok)
    assert.truthy(err.message:find('no column "productTyp"; nearest: "productType"', 1, true))
  end)
end)
