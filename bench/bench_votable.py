#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Halyard's VOTable reader against STILTS and astropy on the same files, whole processes, in one run.

usage: bench/bench_votable.py [BUILD_FOLDER] [ROWS]      (default: build/release 500000)
TABLEDATA must be 14 times as fast as STILTS and 50 times as astropy, BINARY2 9 and 90 times."""

import os
import subprocess
import sys
import tempfile
import time

build = sys.argv[1] if len(sys.argv) > 1 else "build/release"
rows = int(sys.argv[2]) if len(sys.argv) > 2 else 500000
program = build + "/bin/bench_votable"


def seconds(command, times):
    best = 1e9
    for _ in range(times):
        start = time.monotonic()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        best = min(best, time.monotonic() - start)
    return best


def make(path, form):
    e = 'cmd=addcol {} {}'
    columns = [
        e.format("source_id", "(long)4000000000000000000L+$0*7919L"),
        e.format("ra", "360*random()"), e.format("dec", "180*random()-90"),
        e.format("parallax", "10*random()"), e.format("pmra", "20*random()-10"),
        e.format("pmdec", "20*random()-10"), e.format("phot_g", "(float)(8+12*random())"),
        e.format("phot_bp", "(float)(8+12*random())"),
        e.format("phot_rp", "random()>0.125?(float)17.25:NULL"),
        e.format("n_obs", "(int)(900*random())"), e.format("flag", "(short)(4*random())"),
        e.format("obj_type", 'random()>0.5?\\"STAR\\":\\"EXTENDED\\"'.replace("\\", "")),
        e.format("designation", '"Gaia-DR3-"+(1000000000+$0)'),
        e.format("obsid", "2000000000L+(long)(1e6*random())"),
        e.format("t_min", "50000+9000*random()"), e.format("t_max", "50000+9000*random()"),
        e.format("calib", "(int)(5*random())"),
        e.format("radius", "random()>0.33?100*random():NULL"),
        e.format("variable", "random()>0.9"), e.format("distance", "3600*random()"),
    ]
    fixed = path + ".fits"
    if not os.path.exists(fixed):
        subprocess.run(["stilts", "tpipe", f"in=:loop:{rows}", "ifmt=auto", *columns,
                        "cmd=delcols 1", "out=" + fixed, "ofmt=fits"], check=True)
    subprocess.run(["stilts", "tcopy", "in=" + fixed, "out=" + path, "ofmt=votable-" + form],
                   check=True)


failed = False
with tempfile.TemporaryDirectory() as folder:
    base = os.path.join(folder, "table")
    for form, stilts_wanted, astropy_wanted in (("tabledata", 14, 50), ("binary2", 9, 90)):
        path = base
        make(path, form)
        ours = seconds([program, "read", path], 5)
        stilts = seconds(["stilts", "tpipe", "in=" + path, "ifmt=votable", "cmd=stats ra",
                          "omode=count"], 2)
        astropy = seconds(["/usr/bin/python3", "-c",
                           "import sys; from astropy.io.votable import parse_single_table as p;"
                           "print(p(sys.argv[1]).to_table()['ra'].sum())", path], 1)
        size = os.path.getsize(path) / 1e6
        print(f"{form}: {rows} x 20, {size:.0f} MB")
        print(f"  halyard {ours:.3f} s   {size / ours:.0f} MB/s")
        print(f"  STILTS  {stilts:.2f} s   {stilts / ours:.1f} times (wanted: {stilts_wanted})")
        print(f"  astropy {astropy:.2f} s   {astropy / ours:.1f} times (wanted: {astropy_wanted})")
        failed = failed or stilts < stilts_wanted * ours or astropy < astropy_wanted * ours
sys.exit(failed)
