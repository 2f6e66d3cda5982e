# SPDX-License-Identifier: BSD-3-Clause
"""Copies in the cloud: astroquery's look-up of paths gives the keys that Halyard gives, and the
objects are the files. Its other functions need a library for the cloud, which is not asked for.

Ends with 77 (skipped) where astroquery is not installed."""

import hashlib
import pathlib
import tempfile
import urllib.error
import urllib.request
import warnings

import astroquery_practice
import doors

warnings.simplefilter("ignore")

with doors.archive() as archive, tempfile.TemporaryDirectory() as folder:
    mast = astroquery_practice.import_astroquery(folder, archive.url)
    from astroquery.mast import utils

    # The address of the look-up is fixed in this version.
    simple_request = utils._simple_request
    utils._simple_request = lambda url, *args, **more: simple_request(
        url.replace("https://mast.stsci.edu", archive.url), *args, **more)

    ours = doors.halyard(archive.url, """
      local products = mast.products(mast.observations {
        region = sky.circle(201.697, -47.4795, 0.02), where = { obs_collection = "HST" } }):head(12)
      retrieve.products(products, { dir = "files", flat = true })
      mast.cloud.uris(products):write(ctx.output .. "/rows.csv")""", folder)
    files = {path.name: path for path in pathlib.Path(folder, "out", "files").iterdir()}
    there = 0
    for row in ours:
        key = utils.mast_relative_path(row["dataURI"]).lstrip("/")
        address = f"{archive.url}/stpubdata/{key}"
        if row["in_cloud"] == "false":
            try:
                urllib.request.urlopen(address)
                raise SystemExit(f"{address} is there")
            except urllib.error.HTTPError as error:
                assert error.code == 404
            continue
        assert row["cloud_uri"] == f"s3://stpubdata/{key}" and row["url"] == address, row
        content = urllib.request.urlopen(address).read()
        assert len(content) == int(row["bytes"])
        local = files[pathlib.Path(key).name].read_bytes()
        assert hashlib.sha256(content).digest() == hashlib.sha256(local).digest(), key
        part = urllib.request.Request(address, headers={"Range": "bytes=100-199"})
        with urllib.request.urlopen(part) as answer:
            assert answer.status == 206 and answer.read() == content[100:200]
        there += 1
    assert there > len(ours) / 2
    print(f"cloud: {len(ours)} look-ups and {there} files equal")
