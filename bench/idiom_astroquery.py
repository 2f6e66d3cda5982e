#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What notebooks do for a catalogue above an archive's row limit: declination strips of one height,
five requests in parallel, an error when a strip is full.

usage: idiom_astroquery.py RA1 RA2 DEC1 DEC2 HEIGHT_DEG ROW_LIMIT FILE"""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy
from astropy.table import vstack
from astroquery.mast import MastClass

ra1, ra2, dec1, dec2, height = map(float, sys.argv[1:6])
cap, path = int(sys.argv[6]), sys.argv[7]


def strip(low):
    filters = [{"paramName": "ra", "values": [{"min": ra1, "max": ra2}]},
               {"paramName": "dec", "values": [{"min": low, "max": low + height}]}]
    rows = MastClass().service_request("Mast.Catalogs.Filtered.Tic",
                                       {"columns": "ID,ra,dec", "filters": filters}, pagesize=cap)
    if len(rows) >= cap:
        raise RuntimeError(f"the strip at {low} reached the limit")
    return rows


with ThreadPoolExecutor(5) as pool:
    tables = list(pool.map(strip, numpy.arange(dec1, dec2, height)))
vstack([t for t in tables if len(t)], metadata_conflicts="silent").write(path, format="csv")
