-- SPDX-License-Identifier: BSD-3-Clause
return {
  title = "The portal (Mashup)", page = "docs/archives/mashup.md", rows = {
    {
      "Mast.Caom.Cone",
      "mast.observations { region = }",
      client = { "lua/halyard/archive/caom.lua", "Mast.Caom.Cone" },
      practice = { "lua/practice/mashup.lua", "Mast.Caom.Cone" },
      tests = {
        { "tests/peers/astroquery_practice.py", "test_observations_around_a_position" },
        { "tests/archive/mashup_spec.lua", "gives observations past its limit each once" },
      },
    },
    {
      "Mast.Caom.Filtered",
      "mast.observations { where = }",
      client = { "lua/halyard/archive/caom.lua", "Mast.Caom.Filtered" },
      practice = { "lua/practice/mashup.lua", "Mast.Caom.Filtered" },
      tests = {
        { "tests/archive/mashup_spec.lua", "gives observations past its limit each once" },
      },
    },
    {
      "Mast.Caom.Filtered.Position",
      "mast.observations { region =, where = }",
      client = { "lua/halyard/archive/caom.lua", "Mast.Caom.Filtered.Position" },
      practice = { "lua/practice/mashup.lua", "Mast.Caom.Filtered.Position" },
      tests = {
        { "tests/peers/astroquery_practice.py", "test_observations_by_criteria" },
        { "tests/archive/mashup_spec.lua", "gives observations past its limit each once" },
      },
    },
    {
      "Mast.Caom.All",
      "mast.values(\"observations\", column)",
      client = { "lua/halyard/archive/portal_help.lua", "Mast.Caom.All" },
      practice = { "lua/practice/mashup.lua", "Mast.Caom.All" },
      tests = {
        { "tests/archive/mashup_spec.lua", "tells missions, columns and the values" },
        { "tests/peers/astroquery_practice.py", "test_missions_and_metadata" },
      },
    },
    {
      "Mast.Missions.List",
      "mast.missions()",
      client = { "lua/halyard/archive/caom.lua", "Mast.Missions.List" },
      practice = { "lua/practice/mashup.lua", "Mast.Missions.List" },
      tests = {
        { "tests/archive/mashup_spec.lua", "tells missions, columns and the values" },
      },
    },
    {
      "COUNT_BIG(*)",
      "mast.count, catalog:count",
      client = { "lua/halyard/archive/mashup.lua", "COUNT_BIG(*)" },
      practice = { "lua/practice/mashup.lua", "COUNT_BIG(*)" },
      tests = {
        { "tests/archive/mashup_spec.lua", "gives observations past its limit each once" },
        { "tests/peers/astroquery_practice.py", "query_criteria_count" },
      },
    },
    {
      "Mast.Caom.Filtered.JwstOps, Mast.Caom.Products.JwstOps; /portal_jwst/",
      "mast.service(name, params)",
      client = { "lua/halyard/archive/service.lua", "/portal_jwst/" },
      practice = { "lua/practice/mashup.lua", "/portal_jwst/" },
      tests = {
        { "tests/archive/auth_spec.lua", "opens the services of JWST's observers" },
        { "tests/archive/readings_spec.lua", "jwst-portal is found out, and may be chosen" },
        { "tests/archive/mashup_spec.lua", "answers any service by its name" },
      },
    },
    {
      "columnsconfig",
      "mast.columns, catalog:columns",
      client = { "lua/halyard/archive/mashup.lua", "columnsconfig" },
      practice = { "lua/practice/init.lua", "columnsconfig" },
      tests = {
        { "tests/archive/mashup_spec.lua", "tells missions, columns and the values" },
        { "tests/peers/astroquery_practice.py", "get_metadata" },
      },
    },
    {
      "Mast.Name.Lookup",
      "mast.resolve(name)",
      client = { "lua/halyard/archive/mashup.lua", "Mast.Name.Lookup" },
      practice = { "lua/practice/mashup.lua", "Mast.Name.Lookup" },
      tests = {
        { "tests/peers/astroquery_practice.py", "test_names_resolve" },
      },
    },
    {
      "formats json, extjs, csv, votable",
      "mast.service(name, params, { format = })",
      client = { "lua/halyard/archive/service.lua", "\"votable\"" },
      practice = { "lua/practice/mashup_words.lua", "frame.votable" },
      tests = {
        { "tests/archive/mashup_spec.lua", "answers any service by its name" },
      },
    },
    {
      "EXECUTING, ERROR, pages",
      "all",
      client = { "lua/halyard/archive/mashup.lua", "wanted = have < total" },
      practice = { "lua/practice/mashup_life.lua", "executing" },
      tests = {
        { "tests/archive/mashup_spec.lua", "is an error when it sends a page" },
        { "tests/spec/mashup_spec.lua", "reads all pages with one and the same question" },
      },
    },
    {
      "any other service",
      "mast.service(name, params)",
      client = { "lua/halyard/archive/service.lua", "function M.service" },
      practice = { "lua/practice/mashup.lua", "Unable to Find Service Adaptor" },
      tests = {
        { "tests/archive/mashup_spec.lua", "answers any service by its name" },
      },
    },
    {
      "`filename`, `filetype` (stored results)",
      "mast.store(name, params, { into = })",
      client = { "lua/halyard/archive/portal_files.lua", "filetype" },
      practice = { "lua/practice/mashup_files.lua", "filetype" },
      tests = {
        { "tests/archive/portal_files_spec.lua", "stores results of any service in files" },
      },
    },
    {
      "Mashup.Table.Exporter, Mashup.File.Download",
      "mast.export(table, { into = })",
      client = { "lua/halyard/archive/portal_files.lua", "Mashup.Table.Exporter" },
      practice = { "lua/practice/mashup_files.lua", "Mashup.File.Download" },
      tests = {
        { "tests/archive/portal_files_spec.lua", "writes uploaded tables to files" },
      },
    },
    {
      "`removenullcolumns`",
      "mast.service(name, params, { drop_empty = true })",
      client = { "lua/halyard/archive/mashup.lua", "removenullcolumns" },
      practice = { "lua/practice/mashup_sql.lua", "removenullcolumns" },
      tests = {
        { "tests/archive/portal_files_spec.lua", "leaves columns without a value out" },
      },
    },
    {
      "Vo.Hesarc.DatascopeListable, Vo.Hesarc.Datascope, Vo.Generic.Table, Vo.Generic.Cone",
      "mast.service(name, params)",
      client = { "lua/halyard/archive/service.lua", "mast.service" },
      practice = { "lua/practice/mashup_vo.lua", "Vo.Hesarc.DatascopeListable" },
      tests = {
        { "tests/archive/portal_files_spec.lua", "Vo.Hesarc.DatascopeListable" },
      },
    },
    {
      "Vo.Generic.Siap, Vo.Inventory.Cone, Vo.Inventory2.DrillDown, Vo.Galex.Cone, Vo.Galex.Siap, "
        .. "Vo.Hla.Cone, Vo.Caom.Tap, Caom.Cone.Votable",
      "mast.service(name, params)",
      client = { "lua/halyard/archive/service.lua", "mast.service" },
      practice = { "lua/practice/mashup_vo.lua", "Vo.Inventory2.DrillDown" },
      tests = {
        { "tests/archive/portal_files_spec.lua", "Vo.Inventory2.DrillDown" },
      },
    },
    {
      "Mast.Hlsp.Project, Mast.Hlsp.Products, Mast.Galex.Tile",
      "mast.service(name, params)",
      client = { "lua/halyard/archive/service.lua", "mast.service" },
      practice = { "lua/practice/mashup_vo.lua", "Mast.Hlsp.Project" },
      tests = {
        { "tests/archive/portal_files_spec.lua", "Mast.Hlsp.Project" },
      },
    },
    {
      "Mast.Catalogs.DiskDetective.Cone",
      "mast.service(name, params)",
      client = { "lua/halyard/archive/service.lua", "mast.service" },
      practice = { "lua/practice/mashup_catalogs.lua", "Mast.Catalogs.DiskDetective.Cone" },
      tests = {
        { "tests/archive/portal_files_spec.lua", "Mast.Catalogs.DiskDetective.Cone" },
      },
    },
    {
      "Mast.Catalogs.GaiaDR1.Cone",
      "mast.catalog(\"Gaia DR1\"):query",
      client = { "lua/halyard/archive/mashup_catalogs.lua", "\"GaiaDR1\"" },
      practice = { "lua/practice/mashup_catalogs.lua", "GaiaDR1" },
      tests = {
        { "tests/archive/mashup_spec.lua", "has the releases of Gaia with the same stars" },
        { "tests/peers/mashup_clients.py", "\"Gaia DR1\"" },
      },
    },
    {
      "Mast.Catalogs.GaiaDR2.Cone",
      "mast.catalog(\"Gaia DR2\"):query",
      client = { "lua/halyard/archive/mashup_catalogs.lua", "\"GaiaDR2\"" },
      practice = { "lua/practice/mashup.lua", "GaiaDR2" },
      tests = {
        { "tests/archive/mashup_spec.lua", "has the releases of Gaia with the same stars" },
        { "tests/peers/mashup_clients.py", "\"Gaia DR2\"" },
      },
    },
    {
      "Mast.Catalogs.GaiaDR3.Cone",
      "mast.catalog(\"Gaia DR3\"):query",
      client = { "lua/halyard/archive/mashup_catalogs.lua", "\"GaiaDR3\"" },
      practice = { "lua/practice/mashup.lua", "GaiaDR3" },
      tests = {
        { "tests/archive/mashup_spec.lua", "has the releases of Gaia with the same stars" },
        { "tests/peers/mashup_clients.py", "\"Gaia DR3\"" },
      },
    },
    {
      "Mast.Catalogs.Tgas.Cone",
      "mast.catalog(\"TGAS\"):query",
      client = { "lua/halyard/archive/mashup_catalogs.lua", "\"Tgas\"" },
      practice = { "lua/practice/mashup_catalogs.lua", "Tgas" },
      tests = {
        { "tests/archive/mashup_spec.lua", "has the releases of Gaia with the same stars" },
        { "tests/peers/mashup_clients.py", "\"TGAS\"" },
      },
    },
    {
      "Mast.Hsc.Db.v2",
      "mast.catalog(\"HSC v2\"):query",
      client = { "lua/halyard/archive/mashup_catalogs.lua", "\"v2\"" },
      practice = { "lua/practice/mashup_catalogs.lua", "Mast.Hsc.Db." },
      tests = {
        { "tests/archive/mashup_spec.lua", "has the Hubble Source Catalog" },
        { "tests/peers/mashup_clients.py", "HSC v2" },
      },
    },
    {
      "Mast.Hsc.Db.v3",
      "mast.catalog(\"HSC v3\"):query",
      client = { "lua/halyard/archive/mashup_catalogs.lua", "\"v3\"" },
      practice = { "lua/practice/mashup_catalogs.lua", "Mast.Hsc.Db." },
      tests = {
        { "tests/archive/mashup_spec.lua", "has the Hubble Source Catalog" },
        { "tests/peers/mashup_clients.py", "HSC v3" },
      },
    },
    {
      "Mast.HscMatches.Db.v2, Mast.HscMatches.Db.v3",
      "mast.hsc_matches(id)",
      client = { "lua/halyard/archive/hsc.lua", "Mast.HscMatches.Db.v" },
      practice = { "lua/practice/mashup_catalogs.lua", "Mast.HscMatches.Db." },
      tests = {
        { "tests/archive/mashup_spec.lua", "has the Hubble Source Catalog" },
      },
    },
    {
      "Mast.HscSpectra.Db.All",
      "mast.hsc_spectra()",
      client = { "lua/halyard/archive/hsc.lua", "Mast.HscSpectra.Db.All" },
      practice = { "lua/practice/mashup_catalogs.lua", "Mast.HscSpectra.Db.All" },
      tests = {
        { "tests/archive/mashup_spec.lua", "has the Hubble Source Catalog" },
      },
    },
    {
      "Mast.Galex.Catalog",
      "mast.catalog(\"GALEX\"):query",
      client = { "lua/halyard/archive/mashup_catalogs.lua", "Mast.Galex.Catalog" },
      practice = { "lua/practice/mashup.lua", "Mast.Galex.Catalog" },
      tests = {
        { "tests/peers/mashup_clients.py", "\"GALEX\"" },
        { "tests/peers/astroquery_practice.py", "test_galex_warns_at_its_limit" },
      },
    },
    {
      "Mast.Catalogs.Filtered.Tic (also .Rows, .Position, .Position.Rows), Mast.Catalogs.Tic.Cone",
      "mast.catalog(\"TIC\"):query, :count",
      client = { "lua/halyard/archive/mashup_catalogs.lua", "filtered(\"Tic\", \"TIC\")" },
      practice = { "lua/practice/mashup.lua", "tic = \"Tic\"" },
      tests = {
        { "tests/peers/mashup_clients.py", "\"TIC\"" },
        { "tests/archive/exactly_once_spec.lua", "TIC" },
      },
    },
    {
      "Mast.Catalogs.Filtered.Ctl (also .Rows, .Position, .Position.Rows), Mast.Catalogs.Ctl.Cone",
      "mast.catalog(\"CTL\"):query, :count",
      client = { "lua/halyard/archive/mashup_catalogs.lua", "filtered(\"Ctl\", \"CTL\")" },
      practice = { "lua/practice/mashup.lua", "ctl = \"Ctl\"" },
      tests = {
        { "tests/peers/mashup_clients.py", "\"CTL\"" },
        { "tests/archive/exactly_once_spec.lua", "TIC" },
      },
    },
    {
      "Mast.Catalogs.Plato.Cone",
      "mast.catalog(\"PLATO\"):query",
      client = { "lua/halyard/archive/mashup_catalogs.lua", "Mast.Catalogs.Plato.Cone" },
      practice = { "lua/practice/mashup_catalogs.lua", "Mast.Catalogs.Plato.Cone" },
      tests = {
        { "tests/archive/mashup_spec.lua", "has PLATO and Disk Detective stars" },
        { "tests/peers/mashup_clients.py", "\"PLATO\"" },
      },
    },
    {
      "Mast.Catalogs.Filtered.DiskDetective (also .Position, .Count, .Position.Count)",
      "mast.catalog(\"Disk Detective\"):query, :count",
      client = {
        "lua/halyard/archive/mashup_catalogs.lua", "Mast.Catalogs.Filtered.DiskDetective",
      },
      practice = { "lua/practice/mashup_catalogs.lua", "Mast.Catalogs.Filtered.DiskDetective" },
      tests = {
        { "tests/archive/mashup_spec.lua", "has PLATO and Disk Detective stars" },
        { "tests/peers/mashup_clients.py", "Disk Detective by criteria" },
      },
    },
    {
      "Mast.Catalogs.Filtered.Wfc3Psf.Uvis, .Ir (or Wfc3.Uvis, Wfc3.Ir)",
      "mast.catalog(\"WFC3 PSF UVIS\"):query",
      client = { "lua/halyard/archive/readings.lua", "Wfc3Psf" },
      practice = { "lua/practice/mashup_catalogs.lua", "Wfc3Psf" },
      tests = {
        { "tests/archive/mashup_spec.lua", "asks for a table without positions in portions" },
        { "tests/archive/mashup_spec.lua", "under the service's other name" },
        { "tests/archive/readings_spec.lua", "wfc3-psf is found out, and may be chosen" },
      },
    },
    {
      "Mast.Catalogs.All.Tic, Mast.Catalogs.All.DiskDetective",
      "mast.values(name, column)",
      client = { "lua/halyard/archive/portal_help.lua", "Mast.Catalogs.All.Tic" },
      practice = { "lua/practice/mashup_catalogs.lua", "Mast.Catalogs.All.DiskDetective" },
      tests = {
        { "tests/archive/mashup_spec.lua", "tells the histograms of catalogues" },
      },
    },
    {
      "Mast.Jwst.Filtered.Nircam, Niriss, Nirspec, Miri, Fgs, GuideStar, Wss",
      "mast.jwst_keywords",
      client = { "lua/halyard/archive/jwst_keywords.lua", "Mast.Jwst.Filtered." },
      practice = { "lua/practice/mashup_catalogs.lua", "Mast.Jwst.Filtered." },
      tests = {
        { "tests/archive/mashup_spec.lua", "tells files of JWST by keyword" },
        { "tests/archive/mashup_spec.lua", '"NIRISS", "NIRSpec", "MIRI"' },
      },
    },
    {
      "Mast.Caom.Crossmatch",
      "mast.crossmatch(table, \"observations\")",
      client = { "lua/halyard/archive/crossmatch.lua", "Mast.Caom.Crossmatch" },
      practice = { "lua/practice/mashup_crossmatch.lua", "Caom = " },
      tests = {
        { "tests/archive/mashup_spec.lua", "matches with every catalogue that it offers" },
      },
    },
    {
      "Mast.Galex.Crossmatch",
      "mast.crossmatch(table, \"GALEX\")",
      client = { "lua/halyard/archive/crossmatch.lua", "Mast.Galex.Crossmatch" },
      practice = { "lua/practice/mashup_crossmatch.lua", "Galex = " },
      tests = {
        { "tests/archive/mashup_spec.lua", "matches with every catalogue that it offers" },
      },
    },
    {
      "Mast.Sdss.Crossmatch",
      "mast.crossmatch(table, \"SDSS\")",
      client = { "lua/halyard/archive/crossmatch.lua", "Mast.Sdss.Crossmatch" },
      practice = { "lua/practice/mashup_crossmatch.lua", "Sdss = " },
      tests = {
        { "tests/archive/mashup_spec.lua", "matches with every catalogue that it offers" },
      },
    },
    {
      "Mast.2Mass.Crossmatch",
      "mast.crossmatch(table, \"2MASS\")",
      client = { "lua/halyard/archive/crossmatch.lua", "Mast.2Mass.Crossmatch" },
      practice = { "lua/practice/mashup_crossmatch.lua", "2Mass" },
      tests = {
        { "tests/archive/mashup_spec.lua", "matches with every catalogue that it offers" },
      },
    },
    {
      "Mast.GaiaDR1.Crossmatch",
      "mast.crossmatch(table, \"Gaia DR1\")",
      client = { "lua/halyard/archive/crossmatch.lua", "Mast.GaiaDR1.Crossmatch" },
      practice = { "lua/practice/mashup_crossmatch.lua", "GaiaDR1 = " },
      tests = {
        { "tests/archive/mashup_spec.lua", "matches with every catalogue that it offers" },
      },
    },
    {
      "Mast.GaiaDR2.Crossmatch",
      "mast.crossmatch(table, \"Gaia DR2\")",
      client = { "lua/halyard/archive/crossmatch.lua", "Mast.GaiaDR2.Crossmatch" },
      practice = { "lua/practice/mashup_crossmatch.lua", "GaiaDR2 = " },
      tests = {
        { "tests/archive/mashup_spec.lua", "matches with every catalogue that it offers" },
      },
    },
    {
      "Mast.GaiaDR3.Crossmatch",
      "mast.crossmatch(table, \"Gaia DR3\")",
      client = { "lua/halyard/archive/crossmatch.lua", "Mast.GaiaDR3.Crossmatch" },
      practice = { "lua/practice/mashup_crossmatch.lua", "GaiaDR3 = " },
      tests = {
        { "tests/archive/mashup_spec.lua", "matches an uploaded list" },
      },
    },
    {
      "Mast.Tgas.Crossmatch",
      "mast.crossmatch(table, \"TGAS\")",
      client = { "lua/halyard/archive/crossmatch.lua", "Mast.Tgas.Crossmatch" },
      practice = { "lua/practice/mashup_crossmatch.lua", "Tgas = " },
      tests = {
        { "tests/archive/mashup_spec.lua", "matches with every catalogue that it offers" },
      },
    },
    {
      "Mast.Tic.Crossmatch",
      "mast.crossmatch(table, \"TIC\")",
      client = { "lua/halyard/archive/crossmatch.lua", "Mast.Tic.Crossmatch" },
      practice = { "lua/practice/mashup_crossmatch.lua", "Tic = " },
      tests = {
        { "tests/archive/mashup_spec.lua", "matches with every catalogue that it offers" },
      },
    },
    {
      "Mast.Ctl.Crossmatch",
      "mast.crossmatch(table, \"CTL\")",
      client = { "lua/halyard/archive/crossmatch.lua", "Mast.Ctl.Crossmatch" },
      practice = { "lua/practice/mashup_crossmatch.lua", "Ctl = " },
      tests = {
        { "tests/archive/mashup_spec.lua", "matches with every catalogue that it offers" },
      },
    },
    {
      "Mast.Hsc.Crossmatch.MagAper2v3, Mast.Hsc.Crossmatch.MagAutov3",
      "mast.crossmatch(table, \"HSC\")",
      client = { "lua/halyard/archive/crossmatch.lua", "MagAutov3" },
      practice = { "lua/practice/mashup_crossmatch.lua", "MagAutov3" },
      tests = {
        { "tests/archive/mashup_spec.lua", "matches with every catalogue that it offers" },
      },
    },
  },
  left_out = {
    { "`/portal/Mashup/Mashup.asmx/invoke`",
      "the old spelling of `/api/v0/invoke`; the practice archive serves both" },
    { "`timeout`, `clearcache`, `removecache`, `attachment`, `columnsconfigid`, "
      .. "`columnsconfig`, `requestBaseUrl`, `sleep`",
      "a new `cachebreaker` forces a fresh run and calls are polled; the others change how "
        .. "a page of the portal looks" },
    { "formats `xml`, `html`, `xls` as answers",
      "they are types of files: `mast.store`" },
    { "`Mast.Catalogs.<X>.Cone` of catalogues that no source names",
      "`mast.service(name, params)` asks any" },
    { "the layout of VOTables and of dates in JSON at the live portal",
      "not recorded: VOTables are read leniently, dates in four forms" },
  },
}
