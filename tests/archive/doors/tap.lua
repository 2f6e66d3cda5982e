-- SPDX-License-Identifier: BSD-3-Clause
local client, meta = "lua/halyard/archive/tap.lua", "lua/halyard/archive/tap_meta.lua"
local uws, adql = "lua/halyard/archive/uws.lua", "lua/halyard/archive/adql.lua"
local server, documents = "lua/practice/tap.lua", "lua/practice/tap_documents.lua"
local jobs, tables = "lua/practice/uws.lua", "lua/practice/tap_tables.lua"
local spec, unit = "tests/archive/tap_spec.lua", "tests/spec/tap_spec.lua"
local peers, lint = "tests/peers/tap_clients.py", "tests/peers/taplint_clients.py"

local function catalogue(word, call)
  return {
    "/vo-tap/api/v0.1/" .. word, call,
    client = { client, '"' .. word .. '"' }, practice = { tables, 'M.catalog("' .. word .. '"' },
    tests = { { spec, word == "caom" and "ivoa.obscore" or "a TAP service" },
      { "tests/archive/tap_words_spec.lua", word } },
  }
end

return {
  title = "TAP", page = "docs/archives/tap.md", rows = {
    { "/sync", "tap:query", client = { client }, practice = { server, "sync" },
      tests = { { spec, "at once and as a job with the same rows" }, { peers, "pyvo sync" },
        { peers, "stilts tapquery at once" } } },
    { "/async", "tap:query { mode }, tap:submit", client = { client },
      practice = { jobs, "create" },
      tests = { { spec, "waits for a job, reads it, and deletes it" }, { peers, "pyvo async" },
        { peers, "stilts tapquery" } } },
    { "job with `WAIT` and `PHASE`", "job:wait", client = { uws, '"WAIT"' },
      practice = { jobs, "p.wait" },
      tests = { { spec, "waits for a job, reads it, and deletes it" },
        { unit, "through every phase on its way" } } },
    { "job of another run", "tap:job(url)", client = { client, "methods:job" },
      practice = { jobs, "jobs[id]" }, tests = { { spec, "job of another run by its address" } } },
    { "phase, abort, delete, duration", "job:abort, job:delete", client = { uws, "ACTION" },
      practice = { jobs, "ABORT" }, tests = { { spec, "raises what ends a job badly" },
        { unit, "is deleted by DELETE or" } } },
    { "job/error", "job:wait", client = { uws, "/error" }, practice = { jobs, 'gets["error"]' },
      tests = { { spec, "fails in the job what fails while it computes" } } },
    { "UPLOAD, TAP_UPLOAD", "tap:query { upload, split }", client = { client, "UPLOAD" },
      practice = { server, "uploads_of" }, tests = { { spec, "joins an upload, whole or in parts" },
        { peers, "pyvo upload" }, { peers, "tapskymatch" } } },
    { "MAXREC and OVERFLOW", "tap:query { maxrec }", client = { client, "MAXREC" },
      practice = { server, "OVERFLOW" },
      tests = { { spec, "never takes an answer that was cut" } } },
    { "tiles through ADQL", "tap:table(name):query", practice = { server, "max_rows" },
      client = { "lua/halyard/archive/tap_catalog.lua", "half-open" },
      tests = { { spec, "every row of a region once past its limit" }, { peers, "tiles" } } },
    { "TAP_SCHEMA", "tap:columns(table)", client = { meta }, practice = { documents },
      tests = { { spec, "checks names before it asks" }, { lint, "taplint" } } },
    { "/tables", "tap:tables", client = { meta }, practice = { documents, "tableset" },
      tests = { { peers, "pyvo tables" }, { "tests/archive/tap_words_spec.lua", "/tables" } } },
    { "/capabilities", "tap:capabilities", client = { meta }, practice = { documents },
      tests = { { spec, "more rows than the 300" }, { lint, "taplint" } } },
    { "/availability, /examples", "tap:query (for other clients)",
      client = { client, "methods:query" }, practice = { documents, "availability" },
      tests = { { lint, "taplint" } } },
    { "errors with HTTP 200, BINARY2, jobs elsewhere (DaCHS)", "tap:query",
      client = { meta, "binary2" }, practice = { server, "tap-dachs" },
      tests = { { spec, "may answer errors with HTTP 200" }, { peers, "pyvo BINARY2" } } },
    { "ADQL geometry", "tap:query", client = { adql, "M.read" },
      practice = { "lua/practice/adql_shapes.lua", "CIRCLE" },
      tests = { { "tests/archive/tap_words_spec.lua", "POLYGON" } } },
    catalogue("caom", 'mast.tap("caom")'), catalogue("ps1dr2", 'mast.tap("ps1dr2")'),
    catalogue("hsc", 'mast.tap("hsc")'), catalogue("gaiadr3", 'mast.tap("gaiadr3")'),
    catalogue("mast_catalogs", 'mast.tap("mast_catalogs")'),
    catalogue("registry", 'mast.tap("registry")'),
    { "http://vao.stsci.edu/{CAOMTAP,HSCTAP,PS1DR2}/tapservice.aspx", "vo.tap(url)",
      client = { client, "vao%.stsci" }, practice = { tables, "caom" },
      tests = { { spec, "found under its new address" } } },
  },
  left_out = {
    { "words of TIC, CLASSY, ULLYSES, GOODS, 3D-HST, CANDELS",
      "not recorded; `mast.tap(word)` takes any word" },
    { "the listing page `/vo-tap`",
      "a page for people, not recorded" },
  },
}
