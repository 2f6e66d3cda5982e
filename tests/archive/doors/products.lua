-- SPDX-License-Identifier: BSD-3-Clause
return {
  title = "Products and bundles", page = "docs/archives/products.md", rows = {
    {
      "Mast.Caom.Products",
      "mast.products(observations)",
      client = { "lua/halyard/archive/products.lua", "Mast.Caom.Products" },
      practice = { "lua/practice/mashup.lua", "Mast.Caom.Products" },
      tests = {
        { "tests/peers/mashup_clients.py", "get_product_list" },
        { "tests/peers/astroquery_practice.py", "test_products_are_listed" },
      },
    },
    {
      "minimum recommended products, extensions, criteria",
      "select.products(files, { minimum = true })",
      client = { "lua/halyard/select.lua", "Minimum Recommended Products" },
      practice = { "lua/practice/mashup.lua", "Mast.Caom.Products" },
      tests = {
        { "tests/peers/mashup_clients.py", "mrp_only=True" },
      },
    },
    {
      "/api/v0.1/Download/file",
      "retrieve.products, mast.download",
      client = { "lua/halyard/archive/mashup.lua", "/api/v0.1/Download/file" },
      practice = { "lua/practice/init.lua", "/api/v0.1/Download/file" },
      tests = {
        { "tests/archive/first_light_spec.lua", "downloads the bytes that the archive serves" },
      },
    },
    {
      "/jwst/api/v0.1/Download/file",
      "mast.download, setting archive.download",
      client = { "lua/halyard/archive/mashup.lua", 'door.base("download")' },
      practice = { "lua/practice/init.lua" },
      tests = {
        { "tests/archive/auth_spec.lua", "goes with files at the address of JWST's own" },
      },
    },
    {
      "/api/v0.1/Download/bundle.zip, bundle.tar.gz",
      "mast.bundle(files, { format = })",
      client = { "lua/halyard/archive/products.lua", "/api/v0.1/Download/bundle" },
      practice = { "lua/practice/bundles.lua", "/api/v0.1/Download/bundle." },
      tests = {
        { "tests/archive/mashup_spec.lua", "bundles files as zip, tar.gz and script" },
      },
    },
    {
      "/api/v0.1/Download/bundle.sh",
      "mast.bundle(files, { format = \"sh\" })",
      client = { "lua/halyard/archive/products.lua", "bundle.sh" },
      practice = { "lua/practice/bundles.lua", "/api/v0.1/Download/bundle." },
      tests = {
        { "tests/archive/mashup_spec.lua", "bundles files as zip, tar.gz and script" },
        { "tests/peers/mashup_clients.py", "curl_flag=True" },
      },
    },
    {
      "Mast.Bundle.Request, /portal/Download/stage",
      "mast.bundle(files, { via = \"request\" })",
      client = { "lua/halyard/archive/products.lua", "Mast.Bundle.Request" },
      practice = { "lua/practice/bundles.lua", "/portal/Download/stage/" },
      tests = {
        { "tests/archive/mashup_spec.lua", "bundles files as zip, tar.gz and script" },
      },
    },
    {
      "/cgi-bin/getdata.cgi, /cgi-bin/ecfproxy (HSC spectra)",
      "retrieve.products(mast.hsc_spectra())",
      client = { "lua/halyard/archive/hsc.lua", "/cgi-bin/getdata.cgi" },
      practice = { "lua/practice/bundles.lua", "/cgi-bin/ecfproxy" },
      tests = {
        { "tests/archive/mashup_spec.lua", "has the Hubble Source Catalog" },
      },
    },
  },
  left_out = {
    { "`bundle.*` with `obsid=` and `previews=false`",
      "what such a bundle holds is not recorded, so it could not be checked; "
        .. "`mast.products` lists the files of observations" },
  },
}
