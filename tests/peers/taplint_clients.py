# SPDX-License-Identifier: BSD-3-Clause
"""The practice archive's TAP services pass STILTS taplint without an error."""

import concurrent.futures
import shutil
import subprocess
import sys

import doors

if not shutil.which("stilts"):
    print("skipped: stilts is not installed", file=sys.stderr)
    sys.exit(77)

WORDS = ("caom", "gaiadr3", "ps1dr2", "hsc", "mast_catalogs", "registry")


def lint(word):
    """What taplint says of a service."""
    run = subprocess.run(["stilts", "taplint", "report=EWSF",
                          f"tapurl={archive.url}/vo-tap/api/v0.1/{word}"],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return run.stdout


with doors.archive() as archive, concurrent.futures.ThreadPoolExecutor(2) as two:
    for word, said in zip(WORDS, two.map(lint, WORDS)):
        bad = [line for line in said.splitlines() if line.startswith("E-")]
        assert not bad, word + ":\n" + "\n".join(bad[:20])
        assert "Totals: Errors: 0" in said, said[-2000:]
        print(word, said.strip().splitlines()[-1])
