#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""halyard match against STILTS on a million places a side: the same pairs, the same separations.

usage: stilts_match.py --halyard PROGRAM [--rows N]
All-sky places with companions at up to 2.5 arcsec, a dense cluster, both poles and the meridian 0.
Every pair within 2 arcsec (STILTS find=all), the nearest of each left row (find=best1), and pairs
that are each other's nearest: STILTS find=best takes pairs greedily by separation, which keeps
each of them and adds more, so there every symmetric pair of ours must be among its pairs. The STILTS
of Debian 12 misses some pairs across RA 0; what it does not have must lie there and be within the
radius by vectors in extended precision, and be less than a thousandth of all."""

import argparse
import csv
import shutil
import subprocess
import sys
import tempfile

import numpy

RADIUS_ARCSEC = 2


def sky(rows, seed):
    random = numpy.random.default_rng(seed)
    ra = random.uniform(0, 360, rows)
    dec = numpy.degrees(numpy.arcsin(random.uniform(-1, 1, rows)))
    n = min(rows // 20, 5000)
    ra[:n], dec[:n] = random.normal(83.8, 0.05, n), random.normal(-5.4, 0.05, n)
    dec[n:2 * n] = 90 - numpy.abs(random.normal(0, 0.02, n))
    dec[2 * n:3 * n] = -90 + numpy.abs(random.normal(0, 0.02, n))
    ra[3 * n:4 * n] = random.normal(0, 0.001, n) % 360
    return ra, dec


def companions(ra, dec, seed):
    """The places moved by up to 2.5 arcsec, by rotation of vectors: exact at the poles."""
    random = numpy.random.default_rng(seed)
    a, d = numpy.radians(ra), numpy.radians(dec)
    up = numpy.array([numpy.cos(d) * numpy.cos(a), numpy.cos(d) * numpy.sin(a), numpy.sin(d)])
    shift = random.normal(size=up.shape)
    shift -= (shift * up).sum(axis=0) * up
    size = numpy.radians(2.5 / 3600) * numpy.sqrt(random.uniform(0, 1, ra.size))
    up += shift / numpy.sqrt((shift ** 2).sum(axis=0)) * size
    up /= numpy.sqrt((up ** 2).sum(axis=0))
    order = random.permutation(ra.size)
    return (numpy.degrees(numpy.arctan2(up[1], up[0]))[order] % 360,
            numpy.degrees(numpy.arctan2(up[2], numpy.hypot(up[0], up[1])))[order])


def save(path, names, places):
    with open(path, "w", newline="", encoding="ascii") as out:
        writer = csv.writer(out)
        writer.writerow(names)
        for i, (ra, dec) in enumerate(zip(*map(numpy.ndarray.tolist, places))):
            writer.writerow((i, repr(ra), repr(dec)))


def pairs(path, left, right, sep):
    with open(path, newline="", encoding="ascii") as text:
        lines = csv.reader(text)
        left, right, sep = map(next(lines).index, (left, right, sep))
        return {(int(row[left]), int(row[right])): float(row[sep]) for row in lines}


def stilts(folder, find):
    out = f"{folder}/stilts-{find}.csv"
    subprocess.run(["stilts", "tmatch2", "matcher=sky", f"params={RADIUS_ARCSEC}", f"find={find}",
                    "join=1and2", f"in1={folder}/left.csv", "ifmt1=csv", "values1=ra dec",
                    f"in2={folder}/right.csv", "ifmt2=csv", "values2=ra2 dec2", f"out={out}",
                    "ofmt=csv", "progress=none"], check=True)
    return pairs(out, "left", "right", "Separation")


def ours(halyard, folder, mode):
    out = f"{folder}/halyard-{mode}.csv"
    subprocess.run([halyard, "match", f"{folder}/left.csv", f"{folder}/right.csv", "--radius",
                    f"{RADIUS_ARCSEC}arcsec", "--mode", mode, "-o", out, "--ra1", "ra", "--dec1",
                    "dec", "--ra2", "ra2", "--dec2", "dec2"], check=True)
    return pairs(out, "left", "right", "sep_arcsec")


def near_border(sep):
    """STILTS measures by vectors: the two may differ by rounding where it decides."""
    return abs(sep - RADIUS_ARCSEC) < 1e-6


def vector(place):
    a, d = numpy.radians(numpy.longdouble(place[0])), numpy.radians(numpy.longdouble(place[1]))
    return numpy.array([numpy.cos(d) * numpy.cos(a), numpy.cos(d) * numpy.sin(a), numpy.sin(d)])


def missed_by_stilts(left, right, sep):
    half = numpy.sqrt(((vector(left) - vector(right)) ** 2).sum()) / 2
    exact = float(numpy.degrees(2 * numpy.arcsin(half)) * 3600)
    return abs(left[0] - right[0]) > 180 and exact <= RADIUS_ARCSEC and abs(exact - sep) < 1e-6


def compare(name, mine, theirs, left, right, only_included=False):
    wrong, missed = [], 0
    for pair, sep in mine.items():
        if pair not in theirs and missed_by_stilts(left[pair[0]], right[pair[1]], sep):
            missed += 1
        elif abs(theirs.get(pair, -1) - sep) > 1e-6 and not near_border(sep):
            wrong.append(pair)
    # A left row whose nearest STILTS misses gets the next one there.
    rows = {pair[0] for pair in mine if pair not in theirs}
    if not only_included:
        wrong += [pair for pair, sep in theirs.items()
                  if pair not in mine and not near_border(sep)
                  and not (name == "best" and pair[0] in rows)]
    print(f"{name}: {len(mine)} pairs, STILTS {len(theirs)}, missed there {missed}, "
          f"{len(wrong)} disagree")
    for pair in wrong[:5]:
        print("  ", pair, "ours", mine.get(pair), "STILTS", theirs.get(pair))
    return not wrong and missed <= len(mine) / 1000 and len(mine) > 0


parser = argparse.ArgumentParser()
parser.add_argument("--halyard", required=True)
parser.add_argument("--rows", type=int, default=1000000)
args = parser.parse_args()
if not shutil.which("stilts"):
    print("STILTS is not installed")
    sys.exit(77)
with tempfile.TemporaryDirectory() as folder:
    left = sky(args.rows, 1)
    right = companions(*left, 2)
    save(folder + "/left.csv", ("left", "ra", "dec"), left)
    save(folder + "/right.csv", ("right", "ra2", "dec2"), right)
    left, right = list(zip(*left)), list(zip(*right))
    ok = True
    for mode, find in (("all", "all"), ("best", "best1"), ("symmetric", "best")):
        ok &= compare(mode, ours(args.halyard, folder, mode), stilts(folder, find), left, right,
                      mode == "symmetric")
sys.exit(not ok)
