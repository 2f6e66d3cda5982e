-- SPDX-License-Identifier: BSD-3-Clause
-- Small FITS files (FITS 4.0): images of floats or integers, target pixel files of TESS.
local M = {}

local BLOCK <const> = 2880

local function card(key, value)
  local text = type(value) == "string" and ("'%-8s'"):format(value)
    or ("%20s"):format(type(value) == "boolean" and (value and "T" or "F")
      or math.type(value) == "integer" and ("%d"):format(value) or ("%.10G"):format(value))
  return ("%-80s"):format(("%-8s= %s"):format(key, text))
end

local function padded(text, fill)
  return text .. fill:rep(-#text % BLOCK)
end

--- A header and its data; `cards` is a list of { key, value }.
local function unit(cards, data)
  local out = {}
  for i, pair in ipairs(cards) do
    out[i] = card(pair[1], pair[2])
  end
  out[#out + 1] = ("%-80s"):format("END")
  return padded(table.concat(out), " ") .. padded(data or "", "\0")
end

local function joined(...)
  local out = {}
  for _, list in ipairs({ ... }) do
    table.move(list, 1, #list, #out + 1, out)
  end
  return out
end

--- A primary header without data.
function M.primary(more)
  return unit(joined({ { "SIMPLE", true }, { "BITPIX", 8 }, { "NAXIS", 0 }, { "EXTEND", true } },
    more))
end

local function pixels(kind, values)
  local format = kind == "float" and ">f" or ">i4"
  local out = {}
  for i, v in ipairs(values) do
    out[i] = format:pack(v)
  end
  return table.concat(out)
end

--- A primary header with an image: `values` row by row, `kind` "float" or "int".
function M.primary_image(width, height, kind, values, more)
  return unit(joined({ { "SIMPLE", true }, { "BITPIX", kind == "float" and -32 or 32 },
    { "NAXIS", 2 }, { "NAXIS1", width }, { "NAXIS2", height } }, more), pixels(kind, values))
end

--- An image extension: `values` row by row, `kind` "float" or "int".
function M.image(width, height, kind, values, more)
  return unit(joined({ { "XTENSION", "IMAGE" }, { "BITPIX", kind == "float" and -32 or 32 },
    { "NAXIS", 2 }, { "NAXIS1", width }, { "NAXIS2", height }, { "PCOUNT", 0 }, { "GCOUNT", 1 } },
    more), pixels(kind, values))
end

--- A binary table: `columns` a list of { name, form, unit, dim }, `rows` a list of packed rows.
function M.table(columns, rows, more)
  local cards = { { "XTENSION", "BINTABLE" }, { "BITPIX", 8 }, { "NAXIS", 2 },
    { "NAXIS1", #rows[1] }, { "NAXIS2", #rows }, { "PCOUNT", 0 }, { "GCOUNT", 1 },
    { "TFIELDS", #columns } }
  for i, column in ipairs(columns) do
    for k, key in ipairs({ "TTYPE", "TFORM", "TUNIT", "TDIM" }) do
      if column[k] then
        cards[#cards + 1] = { key .. i, column[k] }
      end
    end
  end
  return unit(joined(cards, more), table.concat(rows))
end

return M
