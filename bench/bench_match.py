#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Halyard's positional match against astropy, Gnuastro and STILTS on the same places, in one run.

usage: bench/bench_match.py [BUILD_FOLDER] [ROWS] [PEERS]
       (default: build/release 1000000 astropy,gnuastro,stilts; 10000000 rows need 8 GiB and minutes)
Two all-sky lists of ROWS places, every pair within 1 arcsec, both cores. astropy: search_around_sky
from SkyCoord; Halyard: mode all on the same arrays; both without reading files. Gnuastro and STILTS
read FITS; the time of reading alone (asttable, stilts tpipe) is taken off. Prints ratios; fails when
the ratio to astropy is below 10 (below 15 from 5 million rows) or Halyard takes more than 60 bytes
per row."""

import os
import shutil
import subprocess
import sys
import tempfile
import time

import numpy
from astropy import units
from astropy.coordinates import SkyCoord, search_around_sky
from astropy.io import fits as astropy_fits
from astropy.table import Table

build = sys.argv[1] if len(sys.argv) > 1 else "build/release"
rows = int(sys.argv[2]) if len(sys.argv) > 2 else 1000000
peers = (sys.argv[3] if len(sys.argv) > 3 else "astropy,gnuastro,stilts").split(",")
program = build + "/bin/bench_match"
RADIUS_ARCSEC = 1.0
wanted = 15 if rows >= 5_000_000 else 10
status = 0


def ours(left, right, mode, threads=2):
    best = None
    for _ in range(5):
        out = subprocess.run([program, "run", left, right, str(RADIUS_ARCSEC), str(threads), mode],
                             check=True, capture_output=True, text=True)
        seconds, pairs, total, bytes_per_row = map(float, out.stdout.split())
        if best is None or seconds < best[0]:
            best = (seconds, int(pairs), total, bytes_per_row)
    return best


def load(path):
    values = numpy.fromfile(path)
    return values[:rows], values[rows:]


def rows_of(path):
    return astropy_fits.getheader(path, 1)["NAXIS2"]


def timed(command):
    start = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   env={**os.environ, "JAVA_TOOL_OPTIONS": "-Xmx10g"})
    return time.monotonic() - start


def report(name, seconds, pairs, base, note=""):
    print(f"{name:22s} {seconds:9.3f} s  {pairs:>9d} pairs  {seconds / base:7.1f} x {note}")


def bench_astropy(left, right, all_mode):
    global status
    l_ra, l_dec = load(left)
    r_ra, r_dec = load(right)
    start = time.monotonic()
    a = SkyCoord(l_ra, l_dec, unit="deg")
    b = SkyCoord(r_ra, r_dec, unit="deg")
    made = time.monotonic()
    i, _, sep, _ = search_around_sky(a, b, RADIUS_ARCSEC * units.arcsec)
    seconds = time.monotonic() - made
    total = float(sep.deg.sum())
    if len(i) != all_mode[1] or abs(total - all_mode[2]) > 1e-6 * total:
        print(f"astropy finds {len(i)} pairs, sum {total}; ours {all_mode[1]}, {all_mode[2]}")
        status = 1
    ratio = seconds / all_mode[0]
    report("astropy all", seconds, len(i), all_mode[0],
           f"(wanted: {wanted}; SkyCoord took {made - start:.1f} s more)")
    if ratio < wanted:
        status = 1


def save_fits(folder, left, right):
    paths = []
    for name, path in (("left", left), ("right", right)):
        ra, dec = load(path)
        paths.append(f"{folder}/{name}.fits")
        Table({"RA": ra, "DEC": dec}, units=["deg", "deg"]).write(paths[-1])
    return paths


def bench_gnuastro(folder, fits, best):
    output = folder + "/gnuastro.fits"
    match = timed(["astmatch", fits[0], fits[1], "--hdu=1", "--hdu2=1", "--ccol1=RA,DEC",
                   "--ccol2=RA,DEC", f"--aperture={RADIUS_ARCSEC}/3600", "--outcols=aRA,bRA",
                   "--output=" + output])
    read = sum(timed(["asttable", f, "--hdu=1", "--head=1"]) for f in fits)
    pairs = rows_of(output)
    report("gnuastro astmatch", max(match - read, 0), pairs, best[0], f"(reading {read:.1f} s)")


def bench_stilts(folder, fits, mode, find, base):
    output = folder + "/stilts.fits"
    match = timed(["stilts", "tmatch2", "matcher=sky", f"params={RADIUS_ARCSEC}", "values1=RA DEC",
                   "values2=RA DEC", "find=" + find, "join=1and2", "in1=" + fits[0],
                   "in2=" + fits[1], "out=" + output, "progress=none", "runner=parallel"])
    read = sum(timed(["stilts", "tpipe", "in=" + f, "omode=count"]) for f in fits)
    report("stilts " + mode, max(match - read, 0), rows_of(output), base[0],
           f"(reading {read:.1f} s)")


with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
    left, right = folder + "/left", folder + "/right"
    subprocess.run([program, "make", left, right, str(rows)], check=True)
    results = {mode: ours(left, right, mode) for mode in ("best", "symmetric", "all")}
    print(f"{rows} x {rows} places within {RADIUS_ARCSEC} arcsec")
    for mode, result in results.items():
        print(f"{'halyard ' + mode:22s} {result[0]:9.3f} s  {result[1]:>9d} pairs  "
              f"{result[3]:5.1f} bytes per row (wanted: 60)")
        if result[3] > 60 and rows >= 1_000_000:
            status = 1
    one = ours(left, right, "all", threads=1)
    print(f"{'halyard all, 1 thread':22s} {one[0]:9.3f} s")
    if "astropy" in peers:
        bench_astropy(left, right, results["all"])
    fits = None
    if "gnuastro" in peers and shutil.which("astmatch"):
        fits = save_fits(folder, left, right)
        bench_gnuastro(folder, fits, results["symmetric"])
    if "stilts" in peers and shutil.which("stilts"):
        fits = fits or save_fits(folder, left, right)
        bench_stilts(folder, fits, "all", "all", results["all"])
        bench_stilts(folder, fits, "symmetric", "best", results["symmetric"])
sys.exit(status)
