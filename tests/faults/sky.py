# SPDX-License-Identifier: BSD-3-Clause
"""A small sky behind the protocols that queries speak, for peers that answer well at times: the
portal's invoke (a cone catalogue, observations), cone search, TAP. And what must hold after every
query: it fails, or it has every row exactly once."""
import csv
import io
import json
import math
import os
import random
import urllib.parse

from case import Case

RA, DEC, RADIUS = 10.0, 20.0, 0.5
FIRST_ID = 2 ** 53 + 1  # beyond what a float holds


def separation(ra, dec, other_ra, other_dec):
    """Degrees."""
    a, d, b, e = map(math.radians, (ra, dec, other_ra, other_dec))
    half = math.sin((e - d) / 2) ** 2 + math.cos(d) * math.cos(e) * math.sin((b - a) / 2) ** 2
    return math.degrees(2 * math.asin(math.sqrt(half)))


def question(request):
    """Of the portal: what the form holds."""
    form = urllib.parse.parse_qs(request.body.decode())
    return json.loads(form["request"][0])


class Sky:
    """`n` rows in the circle that is asked for, with identifier and position."""

    def __init__(self, n, seed=1):
        rng = random.Random(seed)
        self.rows = []
        while len(self.rows) < n:
            ra, dec = RA + rng.uniform(-0.6, 0.6), DEC + rng.uniform(-0.5, 0.5)
            if separation(ra, dec, RA, DEC) < RADIUS * 0.999:
                self.rows.append((FIRST_ID + len(self.rows), round(ra, 9), round(dec, 9)))

    def ids(self):
        return [row[0] for row in self.rows]

    def within(self, ra, dec, radius):
        return [row for row in self.rows if separation(row[1], row[2], ra, dec) <= radius]

    def asked(self, request):
        """The rows that a question of the portal is about."""
        asked = question(request)
        params = asked["params"]
        if asked["service"].endswith(".Cone"):
            return self.within(params["ra"], params["dec"], params["radius"])
        rows = self.rows
        for name, place in (("s_ra", 1), ("s_dec", 2)):
            for each in params["filters"]:
                if each["paramName"] == name:
                    low, high = each["values"][0]["min"], each["values"][0]["max"]
                    rows = [row for row in rows if low <= row[place] <= high]
        return rows

    # -- answers of the portal

    def portal(self, rows, observations=False, total=None, page=1, page_size=50000):
        """A whole answer of the portal."""
        names = ("objID", "s_ra", "s_dec") if observations else ("source_id", "ra", "dec")
        total = len(rows) if total is None else total
        return json.dumps({
            "status": "COMPLETE", "msg": "", "data": [dict(zip(names, row)) for row in rows],
            "fields": [{"name": name, "type": kind}
                       for name, kind in zip(names, ("string", "float", "float"))],
            "paging": {"page": page, "pageSize": page_size, "rows": len(rows),
                       "pagesFiltered": max(1, -(-total // page_size)), "rowsFiltered": total,
                       "rowsTotal": total}})

    @staticmethod
    def count(n):
        return json.dumps({"status": "COMPLETE", "msg": "", "data": [{"Column1": n}],
                           "fields": [{"name": "Column1", "type": "string"}],
                           "paging": {"page": 1, "pageSize": 1, "rows": 1, "pagesFiltered": 1,
                                      "rowsFiltered": 1, "rowsTotal": 1}})

    def is_count(self, request):
        return "COUNT_BIG" in str(question(request)["params"].get("columns"))

    # -- answers of other services

    def votable(self, rows, status="OK"):
        cells = "".join(f"<TR><TD>{n}</TD><TD>{ra!r}</TD><TD>{dec!r}</TD></TR>\n"
                        for n, ra, dec in rows)
        return ('<?xml version="1.0"?><VOTABLE version="1.3" '
                'xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE type="results">'
                '<INFO name="QUERY_STATUS" value="OK"/><TABLE>'
                '<FIELD name="id" datatype="long" ucd="meta.id;meta.main"/>'
                '<FIELD name="ra" datatype="double" unit="deg" ucd="pos.eq.ra;meta.main"/>'
                '<FIELD name="dec" datatype="double" unit="deg" ucd="pos.eq.dec;meta.main"/>'
                f'<DATA><TABLEDATA>{cells}</TABLEDATA></DATA></TABLE>'
                + (f'<INFO name="QUERY_STATUS" value="{status}"/>' if status != "OK" else "")
                + '</RESOURCE></VOTABLE>')

    def cone_asked(self, request):
        """The rows that a cone search is about."""
        form = urllib.parse.parse_qs(urllib.parse.urlsplit(request.target).query)
        return self.within(*(float(form[name][0]) for name in ("RA", "DEC", "SR")))

    # -- all of them

    def serve(self, request, wire):
        """What a good archive answers."""
        if request.path.endswith("/columnsconfig"):
            columns = {name: {"vot.datatype": "double", "vot.unit": "deg"}
                       for name in ("ra", "dec", "s_ra", "s_dec")}
            columns["source_id"] = columns["objID"] = {"vot.datatype": "long"}
            return wire.answer(json.dumps(columns), Content_Type="text/javascript")
        if request.path.endswith("/invoke"):
            rows, observations = self.asked(request), "Caom" in question(request)["service"]
            return wire.answer(self.count(len(rows)) if self.is_count(request)
                               else self.portal(rows, observations), Content_Type="text/javascript")
        if request.path == "/cone":
            return wire.answer(self.votable(self.cone_asked(request)), Content_Type="text/xml")
        if request.path == "/tap/sync":
            return wire.answer(self.votable(self.rows), Content_Type="text/xml")
        return wire.answer("no such thing", "404 Not Found")


class Query(Case):
    """A test that asks for all rows of `self.sky`."""

    def setUp(self):
        super().setUp()
        self.sky = Sky(300)

    def good(self, request, wire):
        self.sky.serve(request, wire)

    def serve_sky(self, fault):
        """A peer that answers as a good archive unless `fault(request, wire)` has answered: that
        gives anything but None then, or raises."""
        def answer(request, wire):
            if fault(request, wire) is None:
                self.sky.serve(request, wire)
        return self.serve(answer)

    def ask(self, peer, door, *arguments, options="", **run_options):
        """All rows by one of the doors "catalog", "observations", "service", "cone", "tap", which
        end in rows.csv. Whatever happens: a run that succeeds has every row once, one that fails has
        nothing that could be taken for it."""
        circle = f'sky.cone("{RA} {DEC}", "{RADIUS} deg")'
        host, text = {
            "catalog": ("mast", f'mast.catalog("Gaia DR3"):query {{ region = {circle}, '
                        f'into = "rows.csv", {options} }}'),
            "observations": ("mast", f'return mast.observations {{ region = {circle}, {options} }}'),
            "service": ("mast", 'return mast.service("Mast.Any", {}, { pagesize = 200 })'),
            "cone": (peer.host, f'vo.cone("{peer.url}/cone"):query {{ region = {circle}, '
                     f'into = "rows.csv", {options} }}'),
            "tap": (peer.host, f'vo.tap("{peer.url}/tap"):query("SELECT * FROM t", {{ '
                    f'into = "rows.csv", check = false, {options} }})'),
        }[door]
        ended = self.run_text(text, [host], "--archive", peer.url, "--format", "csv", *arguments,
                              **run_options)
        path = os.path.join(self.out, "rows.csv")
        if door in ("observations", "service"):
            got = list(csv.DictReader(io.StringIO(ended.output)))
        elif os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                got = list(csv.DictReader(file))
        else:
            got = []
        ids = sorted(int(next(row[name] for name in ("source_id", "objID", "id") if name in row))
                     for row in got)
        self.assertEqual(ids, [] if ended.code else sorted(self.sky.ids()), ended.messages)
        return ended

    def invoked(self, peer, counts=False):
        """The questions for rows (or counts) that the portal was asked."""
        return [request for request in peer.requests if request.path.endswith("/invoke")
                and self.sky.is_count(request) == counts]

    def assert_heals_query(self, peer, door, **options):
        """The same question to a good archive gives everything."""
        self.honest = True
        ended = self.ask(peer, door, **options)
        self.assertEqual(ended.code, 0, ended.messages)
