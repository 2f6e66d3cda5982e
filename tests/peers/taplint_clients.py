# SPDX-License-Identifier: BSD-3-Clause
"""The practice archive's TAP services pass STILTS taplint without an error."""

import shutil
import subprocess
import sys

import doors

if not shutil.which("stilts"):
    print("skipped: stilts is not installed", file=sys.stderr)
    sys.exit(77)

with doors.archive() as archive:
    for word in ("gaiadr3", "caom"):
        run = subprocess.run(["stilts", "taplint", "report=EWSF",
                              f"tapurl={archive.url}/vo-tap/api/v0.1/{word}"],
                             capture_output=True, text=True, check=False)
        bad = [line for line in run.stdout.splitlines() if line.startswith("E-")]
        assert not bad, word + ":\n" + "\n".join(bad[:20])
        assert "Totals: Errors: 0" in run.stdout, run.stdout[-2000:] + run.stderr[-2000:]
        print(word, run.stdout.strip().splitlines()[-1])
