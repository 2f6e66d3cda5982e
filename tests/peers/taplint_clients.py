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
    runs = {word: subprocess.Popen(["stilts", "taplint", "report=EWSF",
                                    f"tapurl={archive.url}/vo-tap/api/v0.1/{word}"],
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            for word in ("caom", "gaiadr3")}
    for word, run in runs.items():
        said = run.communicate()[0]
        bad = [line for line in said.splitlines() if line.startswith("E-")]
        assert not bad, word + ":\n" + "\n".join(bad[:20])
        assert "Totals: Errors: 0" in said, said[-2000:]
        print(word, said.strip().splitlines()[-1])
