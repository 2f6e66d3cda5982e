# SPDX-License-Identifier: BSD-3-Clause
"""Queries that are killed, interrupted or out of disk, and go on where they were (cases 15, 16 and
24 of the tiling design): the output is that of an undisturbed run, and what was answered is not
asked again."""
import contextlib
import functools
import glob
import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
import unittest
import urllib.request

import practice

WORKFLOW = os.path.join(practice.SOURCE, "tests", "data", "workflows", "catalogue.lua")
GAIA = ("Gaia DR3", "CIRCLE 200 60 1")  # cones; a reset is all that tells "too many rows"
TIC = ("Tic", "CIRCLE 200 60 2.5", "--row_limit", "2000")  # boxes; the archive counts
DEADLINE_S = 120
# Without a cache: what one run learned about densities would change what the next one asks.
PLACE = {**os.environ, "HOME": "", "XDG_CACHE_HOME": ""}


def ledgers(out):
    """What changes whenever a ledger below `out` is written: to read them takes longer."""
    found = glob.glob(os.path.join(out, ".halyard", "*.tiles", "ledger.sqlite*"))
    with contextlib.suppress(FileNotFoundError):
        return [(path, (at := os.stat(path)).st_size, at.st_mtime_ns) for path in found]
    return None


def records(out):
    """How many records the ledgers below `out` have; 0 without one."""
    found = glob.glob(os.path.join(out, ".halyard", "*.tiles", "ledger.sqlite"))
    return sum(records_of(path) for path in found)


def records_of(path):
    """Of one ledger. Reads a copy: the file is the run's alone."""
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, "ledger.sqlite")
        try:
            for tail in ("", "-wal"):
                if os.path.exists(path + tail):
                    shutil.copy(path + tail, copy + tail)
            with sqlite3.connect(copy) as ledger:
                return sum(ledger.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                           for table in ("done", "told", "over"))
        except (sqlite3.Error, FileNotFoundError):
            return 0  # in the middle of a write


class Resume(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.out = os.path.join(self.folder.name, "out")
        self.running = practice.archive("--row-cap", "2000", "--latency", "20")
        self.url = self.running.__enter__()

    def tearDown(self):
        self.running.__exit__(None, None, None)
        self.folder.cleanup()

    def command(self, what, *more, out=None, region=None):
        return [practice.HALYARD, "run", WORKFLOW, "--archive", self.url, "--output",
                out or self.out, "--catalog", what[0], "--region", region or what[1], *what[2:], *more]

    def run_it(self, what, *more, **options):
        """A run to its end: exit code, its messages."""
        done = subprocess.run(self.command(what, *more, **options), stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True, timeout=DEADLINE_S, env=PLACE)
        return done.returncode, done.stderr

    def questions(self):
        """Requests for rows and counts that the archive has had."""
        with urllib.request.urlopen(self.url + "/practice/stats") as answer:
            stats = json.load(answer)
        images = sum(n for path, n in stats["by_path"].items() if "/sia" in path or "-sia/" in path)
        return sum(stats["by_service"].values()) + images

    def rows(self, out=None):
        with open(os.path.join(out or self.out, "rows.csv"), "rb") as table:
            return table.read()

    @staticmethod
    @functools.cache
    def usual(what):
        """As undisturbed with one request at a time; every test's archive has the same rows."""
        one = Resume()
        one.setUp()
        try:
            return one.undisturbed(what, "--parallel", "1")
        finally:
            one.tearDown()

    def undisturbed(self, what, *more):
        """The rows of a run in a folder of its own, and what it asked."""
        out, before = os.path.join(self.folder.name, "undisturbed"), self.questions()
        code, log = self.run_it(what, *more, out=out)
        self.assertEqual(code, 0, log)
        self.assertEqual(glob.glob(os.path.join(out, ".halyard", "*.tiles")), [])
        rows = self.rows(out)
        shutil.rmtree(out)
        return rows, self.questions() - before

    def stop_after(self, n_records, what, *more, by=signal.SIGKILL):
        """As stop_run, of the usual workflow."""
        return self.stop_run(self.command(what, *more), n_records, by)

    def stop_run(self, command, n_records, by=signal.SIGKILL):
        """Begins a run and stops it once the ledger has so many records; gives how many there are,
        or None when the run ended before."""
        run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               env=PLACE)
        end = time.monotonic() + DEADLINE_S
        seen = None
        while run.poll() is None:
            if seen != (seen := ledgers(self.out)) and records(self.out) >= n_records:
                break
            self.assertLess(time.monotonic(), end, "no such record")
            time.sleep(0.002)
        if run.poll() is None:
            run.send_signal(by)
        code = run.wait(timeout=DEADLINE_S)
        if code == 0:
            return None
        self.assertEqual(code, -by if by == signal.SIGKILL else 130)
        return records(self.out)

    def test_a_run_killed_after_each_record_in_turn_gives_the_same_bytes(self):
        for what in (GAIA, TIC):
            want, asked = self.usual(what)
            before, stops, have = self.questions(), 0, 0
            while have is not None and stops < 3 * asked:
                have = self.stop_after(have + 1, what, "--parallel", "1")
                stops += 1
            self.assertIsNone(have)
            self.assertGreater(stops, 10, what)
            self.assertEqual(self.rows(), want)
            # Of a stopped run at most the question under way, which had no answer, is asked again,
            # and the failure before it, which alone proves nothing.
            self.assertLessEqual(self.questions() - before, asked + 2 * stops)
            self.assertEqual(glob.glob(os.path.join(self.out, ".halyard", "*.tiles")), [])
            shutil.rmtree(self.out)

    def test_answers_in_the_ledger_are_not_asked_for_again(self):
        for what in (GAIA, TIC):
            want, asked = self.usual(what)
            counts = 1 if what is TIC else 0  # of the whole region, before the plan
            for share in (0.3, 0.9):
                have = self.stop_after(max(1, int(share * asked)), what, "--parallel", "1")
                before = self.questions()
                code, log = self.run_it(what, "--parallel", "1")
                self.assertEqual(code, 0, log)
                self.assertIn(f"resuming: {have} of ", log)
                self.assertEqual(self.questions() - before, asked - counts - have, (what, share))
                self.assertEqual(self.rows(), want)
                shutil.rmtree(self.out)

    def test_the_window_does_not_show_in_the_output(self):
        for what in (GAIA, TIC):
            want, _ = self.usual(what)
            for window in ("2", "8"):
                self.assertEqual(self.undisturbed(what, "--parallel", window)[0], want)
            self.assertIsNotNone(self.stop_after(6, what, "--parallel", "8"))
            code, log = self.run_it(what, "--parallel", "1")
            self.assertEqual(code, 0, log)
            self.assertEqual(self.rows(), want)
            shutil.rmtree(self.out)

    def test_ctrl_c_keeps_what_came(self):
        want, asked = self.usual(TIC)
        have = self.stop_after(8, TIC, "--parallel", "1", by=signal.SIGINT)
        before = self.questions()
        code, log = self.run_it(TIC, "--parallel", "1")
        self.assertEqual(code, 0, log)
        self.assertEqual(self.questions() - before, asked - 1 - have)
        self.assertEqual(self.rows(), want)

    def test_rows_that_were_damaged_meanwhile_are_asked_for_again(self):
        want, asked = self.usual(TIC)
        have = self.stop_after(10, TIC, "--parallel", "1")
        spools = sorted(glob.glob(os.path.join(self.out, ".halyard", "*.tiles", "*.spool")))
        self.assertGreater(len(spools), 3)
        with open(spools[0], "r+b") as flipped:
            flipped.seek(os.path.getsize(spools[0]) // 2)
            byte = flipped.read(1)
            flipped.seek(-1, os.SEEK_CUR)
            flipped.write(bytes([byte[0] ^ 1]))
        os.truncate(spools[1], os.path.getsize(spools[1]) - 1)
        os.remove(spools[2])
        stray = os.path.join(os.path.dirname(spools[0]), "999.spool")
        shutil.copy(spools[3], stray)
        before = self.questions()
        code, log = self.run_it(TIC, "--parallel", "1")
        self.assertEqual(code, 0, log)
        self.assertEqual(log.count("asking again: "), 3, log)
        self.assertEqual(self.questions() - before, asked - 1 - have + 3)
        self.assertEqual(self.rows(), want)

    def test_another_query_is_refused_until_told_to_begin_anew(self):
        self.stop_after(5, TIC, "--parallel", "1")
        other = "CIRCLE 200 60 0.5"
        before = self.questions()
        code, log = self.run_it(TIC, "--parallel", "1", region=other)
        self.assertEqual(code, 2, log)
        for text in ("another region: CIRCLE 200 60 2.5", other, "--restart"):
            self.assertIn(text, log)
        self.assertEqual(self.questions(), before)
        code, log = self.run_it(TIC, "--parallel", "1", "--restart", region=other)
        self.assertEqual(code, 0, log)
        self.assertNotIn("resuming", log)
        got = self.rows()
        self.assertEqual(self.undisturbed((TIC[0], other), "--parallel", "1")[0], got)

    def test_tables_of_other_criteria_are_other_queries(self):
        """They have no file by whose name an earlier run is known."""
        workflow = os.path.join(self.folder.name, "seen.lua")
        with open(workflow, "w", encoding="ascii") as text:
            text.write("""return workflow {
              name = "seen", summary = "Observations, as a table", hosts = { "mast" },
              params = { { "collection", "string" } },
              run = function(_, p)
                return mast.observations { region = sky.circle(200, 60, 3), row_limit = 20,
                  where = { obs_collection = p.collection } }
              end }""")

        def command(collection, out):
            return [practice.HALYARD, "run", workflow, "--archive", self.url, "--format", "csv",
                    "--collection", collection, "--output", os.path.join(self.folder.name, out)]

        def rows_of(collection, out):
            done = subprocess.run(command(collection, out), capture_output=True, env=PLACE,
                                  timeout=DEADLINE_S, check=True)
            return done.stdout, done.stderr.decode()

        want = {name: rows_of(name, "undisturbed")[0] for name in ("TESS", "HST")}
        self.assertNotEqual(want["TESS"], want["HST"])
        run = subprocess.Popen(command("TESS", "out"), stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, env=PLACE)
        while run.poll() is None and records(self.out) < 3:
            time.sleep(0.002)
        run.kill()
        self.assertEqual(run.wait(), -signal.SIGKILL)
        rows, log = rows_of("HST", "out")
        self.assertNotIn("resuming", log)
        self.assertEqual(rows, want["HST"])
        rows, log = rows_of("TESS", "out")
        self.assertIn("resuming", log)
        self.assertEqual(rows, want["TESS"])

    def test_a_list_of_targets_goes_on_where_it_was(self):
        workflow = os.path.join(self.folder.name, "near.lua")
        with open(workflow, "w", encoding="ascii") as text:
            text.write("""return workflow {
              name = "near", summary = "Stars near targets", hosts = { "mast" },
              params = { { "radius", "string" } },
              run = function(_, p)
                return mast.catalog("Gaia DR3"):query { targets = "targets.csv", parallel = 1,
                  radius = p.radius, into = "rows.csv" }
              end }""")

        def command(radius, out):
            os.makedirs(out, exist_ok=True)
            with open(os.path.join(out, "targets.csv"), "w", encoding="ascii") as targets:
                targets.write("ra,dec\n" + "".join(
                    f"{200 + i * 0.618034 % 1 * 40},{60 + i * 0.414214 % 1 * 20}\n"
                    for i in range(40)))
            return [practice.HALYARD, "run", workflow, "--archive", self.url, "--radius", radius,
                    "--output", out]

        def run_it(radius, out):
            before = self.questions()
            done = subprocess.run(command(radius, out), capture_output=True, text=True, env=PLACE,
                                  timeout=DEADLINE_S, check=False)
            return done.returncode, done.stderr, self.questions() - before

        whole = os.path.join(self.folder.name, "whole")
        code, log, asked = run_it("2 arcmin", whole)
        self.assertEqual(code, 0, log)
        self.assertGreater(asked, 20)
        want = self.rows(whole)
        self.assertGreater(want.count(b"\n"), 50)
        have = self.stop_run(command("2 arcmin", self.out), asked // 2)
        self.assertIsNotNone(have)
        code, log, _ = run_it("3 arcmin", self.out)
        self.assertEqual(code, 2, log)
        self.assertIn("40 targets within 2 arcmin", log)
        code, log, rest = run_it("2 arcmin", self.out)
        self.assertEqual(code, 0, log)
        self.assertEqual(rest, asked - have)
        self.assertEqual(self.rows(), want)

    def test_images_by_their_centres_go_on_where_they_were(self):
        """Circles in one version; in the other also ranges of the start of exposure."""
        self.running.__exit__(None, None, None)
        self.running = practice.archive("--row-cap", "20", "--latency", "20")
        self.url = self.running.__enter__()
        host = self.url.split("//")[1]
        for version, path in ((1, "/siap/search.php"), (2, "/vo-sia/api/v0.1/query")):
            name = f"images{version}"
            workflow = os.path.join(self.folder.name, name + ".lua")
            with open(workflow, "w", encoding="ascii") as text:
                text.write(f"""return workflow {{
                  name = "{name}", summary = "Images", hosts = {{ "{host}" }},
                  run = function()
                    return vo.sia("{self.url}{path}?"):query {{ intersect = "center",
                      region = sky.circle(210.8, 54.35, 0.3), format = "image/fits" }}
                  end }}""")

            def command(out):
                return [practice.HALYARD, "run", workflow, "--archive", self.url, "--format", "csv",
                        "--output", os.path.join(self.folder.name, out)]

            def rows_of(out):
                before = self.questions()
                done = subprocess.run(command(out), capture_output=True, env=PLACE, check=True,
                                      timeout=DEADLINE_S)
                return done.stdout, done.stderr.decode(), self.questions() - before

            want, _, asked = rows_of("undisturbed")
            self.assertGreater(want.count(b"\n"), 20)
            self.assertGreater(asked, 8)
            for share in (0.3, 0.8):
                have = self.stop_run(command("out"), max(2, int(share * asked)))
                self.assertIsNotNone(have)
                rows, log, rest = rows_of("out")
                self.assertIn(f"resuming: {have} of ", log)
                self.assertEqual(rows, want)
                # At most the questions under way are asked again.
                self.assertLess(rest, asked - have + 8)
                self.assertEqual(glob.glob(os.path.join(self.out, ".halyard", "*.tiles")), [])
                shutil.rmtree(self.out)

    def test_what_a_first_query_brought_is_there_when_the_second_is_killed(self):
        workflow = os.path.join(self.folder.name, "two.lua")
        with open(workflow, "w", encoding="ascii") as text:
            text.write("""return workflow {
              name = "two", summary = "Stars of two regions", hosts = { "mast" },
              params = { { "ra", "number" } },
              run = function(_, p)
                local tic = mast.catalog("TIC")
                for i, ra in ipairs({ p.ra, 220 }) do
                  tic:query { region = sky.circle(ra, 60, 1.5), row_limit = 2000, parallel = 1,
                    into = ("rows%d.csv"):format(i) }
                end
              end }""")

        def command(out, ra="200"):
            return [practice.HALYARD, "run", workflow, "--archive", self.url, "--output", out,
                    "--ra", ra]

        def run_it(out, ra="200"):
            before = self.questions()
            subprocess.run(command(out, ra), capture_output=True, env=PLACE, timeout=DEADLINE_S,
                           check=True)
            self.assertEqual(glob.glob(os.path.join(out, ".halyard", "*.tiles")), [])
            rows = []
            for name in ("rows1.csv", "rows2.csv"):
                with open(os.path.join(out, name), "rb") as table:
                    rows.append(table.read())
            return rows, self.questions() - before

        def stop_in_the_second():
            run = subprocess.Popen(command(self.out), stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, env=PLACE)
            second = os.path.join(self.out, ".halyard", "rows2.csv.tiles", "ledger.sqlite")
            while run.poll() is None and not (os.path.exists(second) and records_of(second)):
                time.sleep(0.002)
            run.kill()
            self.assertEqual(run.wait(), -signal.SIGKILL)
            return records(self.out)

        want, asked = run_it(os.path.join(self.folder.name, "whole"))
        have = stop_in_the_second()
        self.assertGreater(have, 3)
        rows, rest = run_it(self.out)
        self.assertEqual(rows, want)
        self.assertEqual(rest, asked - 2 - have)  # both counts are known
        # Whoever asks for something else then is not kept from it by what was complete.
        stop_in_the_second()
        rows, _ = run_it(self.out, ra="190")
        self.assertNotEqual(rows[0], want[0])
        self.assertEqual(rows[1], want[1])

    def test_faults_before_and_after_a_kill_lose_nothing(self):
        want, _ = self.usual(TIC)
        for faults in ("reset=0.2", "http503=0.1,cut=0.1"):
            with practice.archive("--row-cap", "2000", "--latency", "20", "--faults", faults) as url:
                self.url, quiet = url, self.url
                self.assertIsNotNone(self.stop_after(9, TIC, "--parallel", "3"))
                code, log = self.run_it(TIC, "--parallel", "3")
                self.url = quiet
            self.assertEqual(code, 0, log)
            self.assertIn("resuming", log)
            self.assertEqual(self.rows(), want)
            shutil.rmtree(self.out)

    def test_a_full_disk_is_an_error_after_which_the_run_goes_on(self):
        want, asked = self.usual(TIC)
        sizes = []  # of files of rows
        self.stop_after(12, TIC, "--parallel", "1")
        for spool in glob.glob(os.path.join(self.out, ".halyard", "*.tiles", "*.spool")):
            sizes.append(os.path.getsize(spool))
        shutil.rmtree(self.out)

        def limit():
            most = sorted(sizes)[-2]
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

        full = subprocess.run(self.command(TIC, "--parallel", "1"), stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True, preexec_fn=limit,
                              timeout=DEADLINE_S, env=PLACE)
        self.assertEqual(full.returncode, 5, full.stderr)
        have, before = records(self.out), self.questions()
        self.assertGreater(have, 0)
        code, log = self.run_it(TIC, "--parallel", "1")
        self.assertEqual(code, 0, log)
        self.assertEqual(self.questions() - before, asked - 1 - have)
        self.assertEqual(self.rows(), want)


if __name__ == "__main__":
    unittest.main()
