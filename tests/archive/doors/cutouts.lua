-- SPDX-License-Identifier: BSD-3-Clause
local client, practice = "lua/halyard/archive/cutouts.lua", "lua/practice/cutouts.lua"
local spec, peers = "tests/archive/cutouts_spec.lua", "tests/peers/cutouts_clients.py"
return {
  title = "Cutouts", page = "docs/archives/cutouts.md", rows = {
    {
      "POST `/tesscut/api/v0.1/sector`", "mast.cutouts.tess_sectors",
      client = { client, 'tess_url(place, "sector")' },
      practice = { practice, '"/tesscut/api/v0.1/sector"' },
      tests = { { peers, "Tesscut.get_sectors(coordinates=at)" } },
    },
    {
      "`/tesscut/api/v0.1/astrocut`", "mast.cutouts.tess",
      client = { client, 'tess_url(place, "astrocut")' },
      practice = { practice, '"/tesscut/api/v0.1/astrocut"' },
      tests = {
        { spec, "of TESS come sector by sector, one file for each frame" },
        { spec, "are never more than nine at a time" }, { peers, "Tesscut.download_cutouts" },
      },
    },
    {
      "POST `/tesscut/api/v0.1/moving_target/sector`", "mast.cutouts.tess_sectors",
      client = { client, '"moving_target/"' },
      practice = { practice, '"/tesscut/api/v0.1/moving_target/sector"' },
      tests = { { spec, "follow a moving target" }, { peers, "sectors of Neptune" } },
    },
    {
      "`/tesscut/api/v0.1/moving_target/astrocut`", "mast.cutouts.tess",
      client = { client, '"moving_target/"' },
      practice = { practice, '"/tesscut/api/v0.1/moving_target/astrocut"' },
      tests = { { spec, "follow a moving target" }, { peers, "moving_target=True, size=5" } },
    },
    {
      "POST `/zcut/api/v0.1/survey`", "mast.cutouts.z_surveys",
      client = { client, "/zcut/api/v0.1/survey" },
      practice = { practice, '"/zcut/api/v0.1/survey"' },
      tests = {
        { spec, "of deep fields are FITS or pictures of each survey" },
        { peers, "Zcut.get_surveys" },
      },
    },
    {
      "`/zcut/api/v0.1/astrocut`", "mast.cutouts.z",
      client = { client, "/zcut/api/v0.1/astrocut" },
      practice = { practice, '"/zcut/api/v0.1/astrocut"' },
      tests = {
        { spec, "of deep fields are FITS or pictures of each survey" },
        { peers, "Zcut.download_cutouts" },
      },
    },
    {
      "`/hapcut/api/v0.1/astrocut`", "mast.cutouts.hap",
      client = { client, "/hapcut/api/v0.1/astrocut" },
      practice = { practice, '"/hapcut/api/v0.1/astrocut"' },
      tests = { { spec, "of Hubble come where Hubble has looked" } },
    },
    {
      "JSON `msg` instead of a zip", "mast.cutouts",
      client = { client, "message_of" }, practice = { practice, "msg = text" },
      tests = { { spec, "that do not exist are an error with the service's words" } },
    },
    {
      "zips unpacked safely", "retrieve.unpack, mast.cutouts",
      client = { "src/net/bundle.c", "safe_path" }, practice = { "lua/practice/zip.lua", "PK" },
      tests = {
        { "tests/spec/archive_core_spec.lua", "when one name leads elsewhere" },
        { spec, "are an error when something else comes than a zip" },
      },
    },
  },
}
