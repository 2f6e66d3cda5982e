#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Coverage maps through pymoc in both directions and all forms; discs, polygons and areas against
healpy: what it says is inside must be covered, what we cover must be near what it says."""

import os
import shutil
import subprocess
import sys
import tempfile

try:
    import healpy
    import numpy as np
    from astropy.io import fits
    from pymoc import MOC
    from pymoc.io.ascii import write_moc_ascii
    from pymoc.io.fits import read_moc_fits, write_moc_fits
    from pymoc.io.json import read_moc_json, write_moc_json
except ImportError:
    sys.exit(77)

HALYARD = os.path.join(os.environ["HALYARD_BIN"], "halyard")
FOLDER = tempfile.mkdtemp()
OUT = os.path.join(FOLDER, "out")
os.mkdir(OUT)


def read_moc_ascii(moc, path):
    """MOC 2.0 (blanks), where pymoc reads MOC 1.0 only (commas)."""
    order = None
    for word in open(path).read().replace("/", "/ ").split():
        if word.endswith("/"):
            order = int(word[:-1])
        else:
            first, _, last = word.partition("-")
            moc.add(order, range(int(first), int(last or first) + 1))


READ = {"fits": read_moc_fits, "json": read_moc_json, "txt": read_moc_ascii}
WRITE = {"fits": write_moc_fits, "json": write_moc_json, "txt": write_moc_ascii}


def run(body):
    path = os.path.join(FOLDER, "maps.lua")
    with open(path, "w") as out:
        out.write('return workflow { name = "maps", summary = "a test", run = function()\n'
                  + body + "\nend }\n")
    done = subprocess.run([HALYARD, "run", path, "-o", OUT, "--quiet"], capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stderr


def read(name):
    moc = MOC()
    READ[name.split(".")[-1]](moc, os.path.join(OUT, name))
    return moc


def cells(moc):
    return {order: sorted(int(c) for c in found) for order, found in moc if len(found)}


def flat(moc, order):
    return set(int(c) for c in moc.flattened(order=order))


rng = np.random.default_rng(12)
LISTS = []
for k in range(6):
    orders = {3: rng.integers(0, 768, 40), 6: rng.integers(0, 12 * 4**6, 400),
              9: rng.integers(0, 12 * 4**9, 300)}
    moc = MOC()
    for order, found in orders.items():
        moc.add(order, [int(c) for c in found])
    moc.normalize()
    LISTS.append(moc)


def test_maps_of_pymoc_are_read_and_ours_are_read_by_it():
    body = []
    for k, moc in enumerate(LISTS):
        for form, write in WRITE.items():
            write(moc, os.path.join(OUT, f"in{k}.{form}"))
            for to in WRITE:
                body.append(f'sky.moc("in{k}.{form}"):write("out{k}-{form}.{to}")')
    run("\n".join(body))
    for k, moc in enumerate(LISTS):
        for form in WRITE:
            for to in WRITE:
                assert cells(read(f"out{k}-{form}.{to}")) == cells(moc), (k, form, to)


def test_sets_are_those_of_pymoc():
    run("\n".join(f'local a{k}, b{k} = sky.moc("in{k}.fits"), sky.moc("in{k + 1}.fits")\n'
                  f'; (a{k} + b{k}):write("or{k}.fits"); (a{k} * b{k}):write("and{k}.fits")\n'
                  f'; (a{k} - b{k}):write("not{k}.fits")' for k in range(4)))
    for k in range(4):
        a, b = flat(LISTS[k], 9), flat(LISTS[k + 1], 9)
        assert flat(read(f"or{k}.fits"), 9) == a | b
        assert flat(read(f"and{k}.fits"), 9) == a & b
        assert flat(read(f"not{k}.fits"), 9) == a - b


def test_the_header_is_what_the_standard_asks_for():
    header = fits.getheader(os.path.join(OUT, "or0.fits"), 1)
    wanted = {"MOCVERS": "2.0", "MOCDIM": "SPACE", "ORDERING": "NUNIQ", "COORDSYS": "C",
              "MOCORD_S": 9, "MOCORDER": 9, "TTYPE1": "UNIQ", "TFIELDS": 1, "PIXTYPE": "HEALPIX"}
    for key, value in wanted.items():
        assert header[key] == value, (key, header.get(key))
    assert header["TFORM1"] in ("K", "1K")
    fits.open(os.path.join(OUT, "or0.fits")).verify("exception")


def test_circles_and_polygons_cover_what_healpy_finds():
    nside = 2**8
    size = np.degrees(healpy.max_pixrad(nside))
    shapes, body = [], []
    for k in range(12):
        ra, dec = rng.uniform(0, 360), np.degrees(np.arcsin(rng.uniform(-1, 1)))
        if k % 4 == 0:
            ra, dec = 0.2, 89.5 if k % 8 else -89.9
        radius = 10 ** rng.uniform(-0.5, 1.3)
        body.append(f'sky.circle({ra!r}, {dec!r}, {radius!r}):moc(8):write("disc{k}.fits")')
        # A convex polygon: places on a circle.
        turns = np.sort(rng.uniform(0, 2 * np.pi, 3)) if k % 2 else np.arange(7) * 2 * np.pi / 7
        centre = healpy.ang2vec(ra, dec, lonlat=True)
        east = np.cross([0.0, 0.0, 1.0], centre)
        east /= np.linalg.norm(east)
        north = np.cross(centre, east)
        vertices = [np.cos(np.radians(radius)) * centre
                    + np.sin(np.radians(radius)) * (np.cos(t) * north + np.sin(t) * east)
                    for t in turns]
        places = [healpy.vec2ang(v, lonlat=True) for v in vertices]
        outline = ", ".join("{ %r, %r }" % (float(a[0]), float(d[0])) for a, d in places)
        body.append(f'sky.polygon({{ {outline} }}):moc(8):write("poly{k}.fits")')
        shapes.append((centre, np.radians(radius), np.array(vertices)))
    run("\n".join(body))
    for k, (centre, radius, vertices) in enumerate(shapes):
        ours = flat(read(f"disc{k}.fits"), 8)
        inner = set(healpy.query_disc(nside, centre, radius, nest=True).tolist())
        outer = set(healpy.query_disc(nside, centre, radius + np.radians(size), inclusive=True,
                                      fact=16, nest=True).tolist())
        assert inner <= ours <= outer, ("disc", k, len(inner - ours), len(ours - outer))
        wide = set(healpy.query_disc(nside, centre, radius, inclusive=True, fact=16,
                                     nest=True).tolist())
        assert len(ours) <= 1.05 * len(wide) + 4, (k, len(ours), len(wide))
        try:
            inner = set(healpy.query_polygon(nside, vertices, nest=True).tolist())
            outer = set(healpy.query_polygon(nside, vertices, inclusive=True, fact=16,
                                             nest=True).tolist())
        except RuntimeError:  # it refuses what it takes for degenerate or not convex
            continue
        ours = flat(read(f"poly{k}.fits"), 8)
        if len(inner) > 2 * np.pi / healpy.nside2pixarea(nside):
            continue
        near = set()
        for cell in ours - outer:
            near.update(healpy.get_all_neighbours(nside, cell, nest=True).tolist())
        assert inner <= ours, ("polygon", k, len(inner - ours))
        assert not (ours - outer) or near & outer, ("polygon", k)


def test_places_have_the_cells_of_healpy():
    ra = rng.uniform(0, 360, 3000)
    dec = np.degrees(np.arcsin(rng.uniform(-1, 1, 3000)))
    inside = LISTS[0]
    with open(os.path.join(OUT, "places.csv"), "w") as out:
        out.write("ra,dec\n" + "\n".join(f"{a!r},{d!r}" for a, d in zip(ra.tolist(), dec.tolist()))
                  + "\n")
    run('local m = sky.moc("in0.fits")\nlocal list = {}\n'
        'for i, row in halyard.table.read("places.csv"):rows() do\n'
        'list[i] = { inside = m:contains(row.ra, row.dec) and 1 or 0 }\nend\n'
        'halyard.table.from_rows(list, { "inside" }):write("answers.csv")')
    with open(os.path.join(OUT, "answers.csv")) as answers:
        ours = [int(line) for line in answers.read().split()[1:]]
    theirs = flat(inside, 9)
    cell = healpy.ang2pix(2**9, ra, dec, nest=True, lonlat=True)
    assert ours == [int(int(c) in theirs) for c in cell]
    assert 20 < sum(ours) < 2900


try:
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            test()
            print("ok", name)
finally:
    shutil.rmtree(FOLDER)
