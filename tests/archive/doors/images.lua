-- SPDX-License-Identifier: BSD-3-Clause
local client, practice = "lua/halyard/archive/images.lua", "lua/practice/images.lua"
local spec = "tests/archive/images_spec.lua"
return {
  title = "Images", page = "docs/archives/images.md", rows = {
    {
      "`/cgi-bin/ps1filenames.py`", "mast.images.ps1",
      client = { client, "/cgi-bin/ps1filenames.py" },
      practice = { practice, "/cgi-bin/ps1filenames.py" },
      tests = { { spec, "of Pan-STARRS are listed with the address of a cutout" },
        { spec, "of Pan-STARRS are those of a cell, cut out where they are" } },
    },
    {
      "`/cgi-bin/fitscut.cgi`", "mast.images.ps1, mast.images.download",
      client = { client, "/cgi-bin/fitscut.cgi" },
      practice = { practice, "/cgi-bin/fitscut.cgi" },
      tests = {
        { spec, "of Pan-STARRS are whole FITS files, asked for once" },
        { spec, "of Pan-STARRS are pictures, the reddest filter as red" },
      },
    },
    {
      "`/cgi-bin/dss_search`", "mast.images.dss",
      client = { client, "/cgi-bin/dss_search" }, practice = { practice, "/cgi-bin/dss_search" },
      tests = { { spec, "of the sky survey are FITS or GIF" } },
    },
    {
      "`/cgi-bin/hlaSIAP.cgi`", "mast.images.hla",
      client = { client, "/cgi-bin/hlaSIAP.cgi" }, practice = { practice, "/cgi-bin/hlaSIAP.cgi" },
      tests = { { spec, "of Hubble's archive are listed by instrument and filter" },
        { spec, "of Hubble's archive are pictures that look as wanted" } },
    },
    {
      "`/cgi-bin/getdata.cgi`, `/cgi-bin/ecfproxy`", "mast.images.download, mast.hsc_spectra",
      client = { "lua/halyard/archive/hsc.lua", "/cgi-bin/getdata.cgi" },
      practice = { "lua/practice/bundles.lua", "images.dataset" },
      tests = { { spec, "of Hubble's archive are listed by instrument and filter" } },
    },
    {
      "pages and texts instead of images", "mast.images",
      client = { client, "starts = starts" }, practice = { practice, "local function page" },
      tests = {
        { spec, "that a service refuses are errors with its words" },
        { spec, "are not what a page says" }, { spec, "are not what a text says" },
      },
    },
  },
  left_out = {
    { "`x`, `y`, `wcs` of `fitscut.cgi`, `sep` of `ps1filenames.py`",
      "cutouts are asked for by position; the list is read as it is by default" },
    { "`e=B1950`, `c=gz` of `dss_search`",
      "positions are J2000; files come as they are" },
  },
}
