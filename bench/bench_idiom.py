#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The notebook idiom (idiom_astroquery.py: declination strips, five requests in parallel) against
Halyard (harvest.lua, eight lines) on the same practice archive in one run.

usage: bench/bench_idiom.py [BUILD_FOLDER]   (default: build/release)
A strip of sky across the Galactic plane, 33 times the row limit. The idiom gets the heights that a
user tries until no strip is full, then an archive that ends its answers early without a word.
(Strips have closed borders: a row on one comes twice.)
Requests are the archive's own count. Fails unless Halyard is complete with both archives, with fewer
requests and in less time than the idiom at the height that is answered."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request

from bench_harvest import SOURCE, build, digest, truth

BOX = ("266", "267", "-32", "8")
REGION = "RANGE " + " ".join(BOX)
LIMIT = 50000
REPORT = "{:36} {:>8} {:>7} {:>9}  {}"


def measured(command, options, table, folder):
    """A command against an archive of its own: exit code, its requests, seconds, rows' digest."""
    archive = subprocess.Popen([build + "/bin/halyard-practice", *options], stdout=subprocess.PIPE,
                               text=True)
    url = archive.stdout.readline().strip()
    config = pathlib.Path(folder, ".astropy", "config") # where astroquery's users name the server
    config.mkdir(parents=True)
    config.joinpath("astroquery.cfg").write_text(f"[mast]\nserver = {url}\n", encoding="ascii")
    start = time.monotonic()
    done = subprocess.run([word.replace("URL", url) for word in command], cwd=folder, check=False,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                          env={**os.environ, "HOME": folder, "no_proxy": "127.0.0.1"})
    seconds = time.monotonic() - start
    with urllib.request.urlopen(url + "/practice/stats") as reply:
        requests = json.load(reply)["requests"]
    archive.terminate()
    archive.wait()
    if done.returncode != 0:
        why = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else ""
        return requests, seconds, None, f"fails: {why[:60]}"
    with open(table, "rb") as file:
        file.readline()
        return requests, seconds, digest(file), ""


def bench(name, command, options, table):
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        requests, seconds, found, verdict = measured(
            [word.replace("FOLDER", folder) for word in command], options, folder + table, folder)
    if found:
        verdict = "exactly once" if found == want else f"{found[0] - want[0]:+d} rows, no error"
    print(REPORT.format(name, requests, f"{seconds:.0f}", found[0] if found else "-", verdict),
          flush=True)
    return requests, seconds, found == want


def idiom(height, *options):
    return bench(f"strips of {height} deg" + (", silent archive" if len(options) > 2 else ""),
                 [sys.executable, SOURCE + "/bench/idiom_astroquery.py", *BOX, height, str(LIMIT),
                  "FOLDER/rows.csv"], options, "/rows.csv")


def halyard(*options):
    return bench("halyard" + (", silent archive" if len(options) > 2 else ""),
                 [os.path.abspath(build + "/bin/halyard"), "run", SOURCE + "/bench/harvest.lua",
                  "--archive", "URL", "-o", "FOLDER/out", "--quiet", "--region=" + REGION,
                  f"--row_limit={LIMIT}", "--parallel=5"], options, "/out/rows.csv")


want = truth(REGION)
plain = ("--row-cap", str(LIMIT))
silent = plain + ("--faults", "silent-cap=10000")
print(f"{want[0]} rows, {LIMIT} an answer: at least {-(-want[0] // LIMIT)} requests")
print(REPORT.format("", "requests", "s", "rows", ""))
ours = halyard(*plain)
tries = [idiom(height, *plain) for height in ("1", "0.5", "0.25")]
ours_silent = halyard(*silent)
idiom("0.25", *silent)
theirs = tries[-1]
sys.exit(not (ours[2] and ours_silent[2] and ours[0] < theirs[0] and ours[1] < theirs[1]))
