-- SPDX-License-Identifier: BSD-3-Clause
-- Services that recorded documents of links describe (tests/data/votable).

local descriptors = require("halyard.archive.descriptors")
local errors = require("halyard.error")
local tables = require("halyard.table")
local xml = require("halyard.xml")

local data = assert(os.getenv("HALYARD_SOURCE")) .. "/tests/data/votable/"

-- The rows of a document, whose cells are all texts.
local function rows_of(body)
  local results = xml.child(xml.parse(body, "test"), "RESOURCE", "TABLE")
  local names, rows = {}, {}
  for i, field in ipairs(xml.all(results, "FIELD")) do
    names[i] = field.attributes.name
  end
  for i, line in ipairs(xml.all(xml.child(results, "DATA", "TABLEDATA"), "TR")) do
    rows[i] = {}
    for k, cell in ipairs(xml.all(line, "TD")) do
      rows[i][names[k]] = cell.text ~= "" and cell.text or nil
    end
  end
  return tables.from_rows(rows, names)
end

local function services_of(name)
  local file <close> = assert(io.open(data .. name, "rb"))
  local body = file:read("a")
  return descriptors.services(body, rows_of(body), "http://a.org/links")
end

describe("services of a document of links", function()
  it("are one for each row, with fixed values and limits, at CADC", function()
    local services = services_of("pyvo-datalink-cutout1.xml")
    local sync = 0
    for _, service in ipairs(services) do
      assert.equal(1, #service.rows)
      sync = sync + (service.standard_id == "ivo://ivoa.net/std/SODA#sync-1.0" and 1 or 0)
    end
    assert.equal(#services // 2, sync)
    local one = services[1]
    assert.equal("https://www.cadc-ccda.hia-iha.nrc-cnrc.gc.ca/caom2ops/sync", one.access_url)
    assert.equal("ivo://cadc.nrc.ca/caom2ops", one.resource_id)
    local inputs = one:inputs()
    assert.equal(7, #inputs)
    assert.equal("7.8E-7", inputs:where({ name = "BAND" }):get(1, "max"))
    local rows = one:addresses { circle = "88.7 -67.7 0.01" }
    assert.equal(1, #rows)
    assert.equal("ivo://cadc.nrc.ca/MACHO?54150/cal054150r", rows:get(1, "ID"))
    assert.equal("https://www.cadc-ccda.hia-iha.nrc-cnrc.gc.ca/caom2ops/sync?"
      .. "ID=ad%3AMACHO/cal054150r.fits.fz&RUNID=e3h6rssb161oyf7j&CIRCLE=88.7%20-67.7%200.01",
      rows:get(1, "access_url"))
  end)

  it("take one of their options only, at GAVO", function()
    local service = services_of("pyvo-datalink-datalink.xml")[1]
    assert.equal("RELATIVE NORMALIZED", service:inputs():where({ name = "FLUXCALIB" })
      :get(1, "options"))
    local url = service:addresses({ FLUXCALIB = "RELATIVE", BAND = "4.1e-7 5e-7" })
      :get(1, "access_url")
    assert.is_truthy(url:find("&FLUXCALIB=RELATIVE&BAND=4.1e-7%205e-7", 1, true), url)
    for values, words in pairs({ [{ FLUXCALIB = "RELATIV" }] = "did you mean RELATIVE",
      [{ FLUXCALIBB = "RELATIVE" }] = "did you mean FLUXCALIB",
      [{ BAND = true }] = "BAND is a text or a number" }) do
      local ok, err = errors.try(service.addresses, service, values)
      assert.is_nil(ok)
      assert.is_truthy(err.message:find(words, 1, true), err.message)
    end
  end)

  it("refer to columns by the IDs of their fields, which must be there", function()
    local document = [[<VOTABLE><RESOURCE type="results"><TABLE>
      <FIELD ID="f1" name="ID" datatype="char" arraysize="*"/>
      <FIELD ID="f2" name="service_def" datatype="char" arraysize="*"/></TABLE></RESOURCE>
      <RESOURCE type="meta" utype="adhoc:service" ID="s"><PARAM name="accessURL"
      value="http://b.org/x?k=1"/><GROUP name="inputParams"><PARAM name="WHAT" ref="%s" value="x"/>
      </GROUP></RESOURCE></VOTABLE>]]
    local rows = tables.from_rows({ { ID = "a b", service_def = "s" }, { ID = "c" } },
      { "ID", "service_def" })
    local service = descriptors.services(document:format("f1"), rows, "http://a.org/links")[1]
    local asked = service:addresses()
    assert.equal(1, #asked)
    assert.equal("http://b.org/x?k=1&WHAT=a%20b", asked:get(1, "access_url"))
    local ok, err = errors.try(descriptors.services, document:format("f3"), rows, "http://a.org/l")
    assert.is_nil(ok)
    assert.equal("protocol", err.code)
    assert.is_truthy(err.message:find("refers to a column f3", 1, true), err.message)
  end)
end)
