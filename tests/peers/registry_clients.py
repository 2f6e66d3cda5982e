# SPDX-License-Identifier: BSD-3-Clause
"""The registry: pyvo.registry.search finds what Halyard finds, and its records' services work.

Ends with 77 (skipped) where pyvo is not installed."""

import sys
import tempfile
import warnings

try:
    from pyvo.registry import regtap
except ImportError:
    print("skipped: pyvo is not installed", file=sys.stderr)
    sys.exit(77)

import doors

warnings.simplefilter("ignore")

# Options of pyvo and of Halyard; pyvo leaves out version 2 of SIA.
SEARCHES = [
    ({"keywords": "stars", "servicetype": "conesearch"},
     'keywords = "stars", service_type = "cone"'),
    ({"waveband": "uv", "servicetype": "conesearch"}, 'waveband = "uv", service_type = "cone"'),
    ({"keywords": "stars", "waveband": "optical", "servicetype": "tap"},
     'keywords = "stars", waveband = "optical", service_type = "tap"'),
    ({"servicetype": "ssa"}, 'service_type = "ssa"'),
]

with doors.archive() as archive:
    regtap.REGISTRY_BASEURL = archive.url + "/vo-tap/api/v0.1/registry"
    for theirs, ours in SEARCHES:
        with tempfile.TemporaryDirectory() as folder:
            rows = doors.halyard(archive.url, f"""
              vo.registry.search {{ {ours} }}:write(ctx:path("rows.csv"))""", folder)
        found = regtap.search(**theirs)
        records = [{"ivoid": r.ivoid, "short_name": r.short_name, "title": r.res_title,
                    "description": r.res_description, "access_url": r.access_url,
                    "standard_id": r.standard_id, "waveband": "#".join(r.waveband)}
                   for r in found]
        doors.assert_same(f"pyvo {theirs}", records, rows, "ivoid")
    gaia = [r for r in regtap.search(keywords="parallaxes", servicetype="conesearch")]
    assert len(gaia) == 1 and len(gaia[0].service.search((52.5, -27.4), 0.1)) > 0
