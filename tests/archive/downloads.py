#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Downloads as users see them: manifests, verification, retrying, lists for other programs, names.
The command runs against a server that the tests steer, and against the practice archive."""
import csv
import hashlib
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

import practice
import raw_files

TOKEN = "s3cr3t-0123456789"
KEEP = 'on_error = "keep"'


def tree(folder):
    """The files below a folder by their relative names, without the engine's own."""
    own = {"manifest.csv", "manifest.json", "download.sh", "download.aria2"}
    return {str(path.relative_to(folder)): path.read_bytes()
            for path in pathlib.Path(folder).rglob("*")
            if path.is_file() and ".halyard" not in path.parts and path.name not in own}


class Downloads(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.out = os.path.join(self.folder.name, "out")
        os.mkdir(self.out)
        running = raw_files.serving()
        self.files = running.__enter__()
        self.addCleanup(running.__exit__, None, None, None)

    def command(self, *arguments):
        """Exit code, standard output, standard error."""
        done = subprocess.run([practice.HALYARD, *arguments], capture_output=True, text=True,
                              check=False, cwd=self.folder.name)
        return done.returncode, done.stdout, done.stderr

    def script(self, body, hosts=None, name="get"):
        """A workflow file whose run function has the text `body`."""
        path = os.path.join(self.folder.name, name + ".lua")
        hosts = ", ".join(f'"{host}"' for host in (hosts or [self.files.host]))
        pathlib.Path(path).write_text(
            f'return workflow {{ name = "{name}", summary = "a test", hosts = {{ {hosts} }},\n'
            f"run = function(ctx) {body} end }}\n")
        return path

    def run_rows(self, rows, options="", more=(), hosts=None):
        """Downloads rows, dictionaries, into out/files."""
        keys = sorted({key for row in rows for key in row})
        with open(os.path.join(self.out, "rows.csv"), "w", newline="") as table:
            writer = csv.DictWriter(table, keys)
            writer.writeheader()
            writer.writerows(rows)
        script = self.script('return retrieve.products(halyard.table.read("rows.csv"), { '
                             f'dir = "files", flat = true, {options or KEEP} }})', hosts)
        return self.command("run", script, "-o", self.out, "--allow-private-net", "--quiet", *more)

    def urls(self, *paths, **more):
        return [{"access_url": self.files.url + path, **more} for path in paths]

    def manifest(self, name="manifest.json"):
        return json.loads(pathlib.Path(self.out, "files", name).read_text())

    def by_path(self):
        return {row["path"]: row for row in self.manifest()["data"]}

    def stored(self, name):
        return pathlib.Path(self.out, "files", name)

    # Manifests ----------------------------------------------------------------------------------

    def test_both_manifests_tell_every_file_in_the_order_of_the_rows(self):
        self.files.answers["/f/gone"] = self.files.answer(b"", status="404 Not Found")
        code, _, err = self.run_rows(self.urls("/f/b", "/f/gone", "/f/a", "/f/b"))
        self.assertEqual(code, 3, err)
        document = self.manifest()
        self.assertEqual([row["path"] for row in document["data"]], ["b", "gone", "a"])
        self.assertEqual(document["workflow"], {"name": "get"})
        self.assertEqual(document["hosts"], [self.files.host])
        good, bad = document["data"][0], document["data"][1]
        body = self.files.body("/f/b")
        self.assertEqual((good["status"], good["bytes"], good["sha256"], good["etag"], good["tries"]),
                         ("complete", len(body), hashlib.sha256(body).hexdigest(), '"4"', 1))
        self.assertEqual((bad["status"], bad["error"], bad["tries"]), ("failed", "archive", 1))
        self.assertIn("HTTP 404", bad["message"])
        with self.stored("manifest.csv").open(newline="") as table:
            rows = list(csv.DictReader(table))
        self.assertEqual(list(rows[0])[:4], ["Local Path", "Status", "Message", "URL"])
        self.assertEqual([(row["Local Path"], row["Status"], row["URL"]) for row in rows],
                         [("files/b", "COMPLETE", ""),
                          ("files/gone", "ERROR", self.files.url + "/f/gone"),
                          ("files/a", "COMPLETE", "")])
        first = self.manifest()["data"]
        code, _, err = self.run_rows(self.urls("/f/b", "/f/a"))
        self.assertEqual(code, 0, err)
        self.assertEqual([(row["path"], row["status"]) for row in self.manifest()["data"]],
                         [("b", "already there"), ("a", "already there")])
        self.assertEqual(first[0]["sha256"], self.manifest()["data"][0]["sha256"])

    def test_many_calls_leave_one_manifest_and_no_open_file(self):
        script = self.script(
            "for i = 1, 150 do retrieve.products({ { access_url = "
            f'"{self.files.url}/f/" .. i }} }}, {{ dir = "files", flat = true }}) end')
        done = subprocess.run(
            ["sh", "-c", 'ulimit -n 60; exec "$@"', "sh", practice.HALYARD, "run", script, "-o",
             self.out, "--allow-private-net", "--quiet"], capture_output=True, text=True,
            check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([row["path"] for row in self.manifest()["data"]],
                         [str(i) for i in range(1, 151)])

    def test_a_host_that_asks_to_wait_long_defers_what_was_not_there_yet(self):
        self.files.answers["/f/later.bin"] = self.files.answer(
            b"", "Retry-After: 7200", status="503 Service Unavailable")
        code, _, err = self.run_rows(self.urls("/f/a.bin", "/f/later.bin"), "parallel = 1, " + KEEP)
        self.assertEqual(code, 75, err)
        self.assertIn("1 of 2 files are deferred", err)
        self.assertEqual(self.by_path()["later.bin"]["status"], "deferred")
        self.assertEqual(self.by_path()["later.bin"]["error"], "busy")
        self.assertEqual(self.by_path()["a.bin"]["status"], "complete")

    def test_a_workflow_that_stops_at_failures_never_sees_a_deferred_file(self):
        self.files.answers["/f/later.bin"] = self.files.answer(
            b"", "Retry-After: 7200", status="503 Service Unavailable")
        code, out, err = self.run_rows(self.urls("/f/later.bin", "/f/a.bin"),
                                       'parallel = 1')
        self.assertEqual((code, out), (75, ""), err)
        self.assertEqual([row["status"] for row in self.manifest()["data"]],
                         ["deferred", "deferred"]) # the whole host is left alone (N24)
        self.assertEqual(self.files.count("GET", "/f/a.bin"), 0)

    def test_no_manifest_and_no_report_keeps_a_secret_of_an_address(self):
        self.files.answers[f"/f/x?id=1&token={TOKEN}"] = self.files.answer(b"", status="410 Gone")
        code, _, err = self.run_rows(self.urls("/f/a", f"/f/x?id=1&token={TOKEN}"))
        self.assertEqual(code, 3, err)
        self.assertNotIn(TOKEN, err)
        self.assertEqual(self.run_rows(self.urls(f"/f/y?token={TOKEN}"))[0], 0)
        self.files.log.clear()
        other = self.urls(f"/f/y?token={TOKEN}", "/f/y?token=other", f"/f/x?id=1&token={TOKEN}")
        code, _, err = self.run_rows(other)
        self.assertEqual((code, self.files.count("GET", f"/f/y?token={TOKEN}")), (3, 0), err)
        self.assertEqual(self.files.count("GET", "/f/y?token=other"), 1) # may be another file
        for path in pathlib.Path(self.out).rglob("*"):
            if path.is_file() and path.name != "rows.csv" and path.name[0] != "y":
                self.assertNotIn(TOKEN, path.read_text(), path)
        for name in ("manifest.csv", "manifest.json"):
            self.assertIn("id=1&token=***", self.stored(name).read_text())
        code, _, err = self.command("retry", self.out, "--allow-private-net")
        self.assertEqual(code, 6, err)
        self.assertIn("run the workflow again", err)

    def test_a_failure_that_ends_the_run_leaves_a_manifest_that_can_be_retried(self):
        self.files.answers["/f/1"] = self.files.answer(b"", status="404 Not Found")
        with open(os.path.join(self.out, "rows.csv"), "w") as table:
            table.write("access_url\n" + "".join(f"{self.files.url}/f/{i}\n" for i in range(9)))
        script = self.script('return retrieve.products(halyard.table.read("rows.csv"), '
                             '{ dir = "files", flat = true, parallel = 1 })')
        code, _, err = self.command("run", script, "-o", self.out, "--allow-private-net", "--quiet")
        self.assertEqual(code, 4, err)
        errors = [row.get("error") for row in self.manifest()["data"]]
        self.assertIn(errors[0], (None, "cancelled")) # it may be on its way to the disk
        self.assertEqual(errors[1:], ["archive"] + ["cancelled"] * 7)
        self.files.answers.clear()
        code, _, err = self.command("retry", self.out, "--allow-private-net")
        self.assertEqual(code, 0, err)
        self.assertEqual(len(tree(self.out + "/files")), 9)

    # Verification -------------------------------------------------------------------------------

    def test_verify_finds_what_was_done_to_the_files(self):
        code, _, err = self.run_rows(self.urls(*(f"/f/{i}" for i in range(30))))
        self.assertEqual(code, 0, err)
        code, out, err = self.command("verify", self.out)
        self.assertEqual((code, out), (0, ""), err)
        self.assertIn("30 of 30 files are whole", err)
        self.stored("3").write_bytes(b"x" * len(self.files.body("/f/3"))) # the same size
        self.stored("4").unlink()
        self.stored("5").unlink()
        self.stored("5").symlink_to("6")
        self.stored("mine.txt").write_text("hello")
        self.stored(".9.part").write_text("part")
        for where in (self.out, os.path.join(self.out, "files")):
            code, out, err = self.command("verify", where, "--json")
            self.assertEqual(code, 7, err)
            self.assertNotIn("halyard retry", err) # which knows of failures alone
            found = json.loads(out)
            prefix = "files/" if where == self.out else ""
            self.assertEqual(found["changed"], [prefix + "3"])
            self.assertEqual(found["missing"], [prefix + "4", prefix + "5"])
            self.assertEqual(found["foreign"], [prefix + "mine.txt"])
            self.assertEqual(found["leftovers"], [prefix + ".9.part"])
            self.assertEqual((found["files"], found["whole"]), (30, 27))

    def test_verify_goes_by_the_manifest_alone_and_by_the_state_alone(self):
        code, _, err = self.run_rows(self.urls("/f/a", "/f/b"))
        self.assertEqual(code, 0, err)
        self.stored("b").write_bytes(b"other")
        state = self.stored(".halyard/files")
        text = state.read_bytes()
        state.unlink()
        code, out, _ = self.command("verify", self.out)
        self.assertEqual((code, out), (7, "files/b: changed since it was downloaded\n"))
        state.write_bytes(text)
        self.stored("manifest.json").unlink()
        code, out, _ = self.command("verify", self.out)
        self.assertEqual((code, out), (7, "files/b: changed since it was downloaded\n"))
        code, _, err = self.command("verify", self.folder.name + "/nothing")
        self.assertEqual(code, 5, err)

    def test_verify_says_what_was_never_downloaded(self):
        self.files.answers["/f/gone"] = self.files.answer(b"", status="404 Not Found")
        self.run_rows(self.urls("/f/a", "/f/gone"))
        code, out, err = self.command("verify", self.out)
        self.assertEqual((code, out), (7, "files/gone: never downloaded\n"), err)
        self.assertIn("1 never downloaded; run the workflow again (halyard retry fetches the last kind "
                      "alone)", err)

    def test_verify_writes_nothing_and_loads_no_network(self):
        code, _, err = self.run_rows(self.urls("/f/a"))
        self.assertEqual(code, 0, err)
        before = {path: path.stat().st_mtime_ns for path in pathlib.Path(self.out).rglob("*")}
        environment = {**os.environ, "LD_DEBUG": "files"}
        done = subprocess.run([practice.HALYARD, "verify", self.out], capture_output=True, text=True,
                              check=False, env=environment)
        self.assertEqual(done.returncode, 0)
        self.assertIn("libcrypto", done.stderr)
        self.assertNotIn("libcurl", done.stderr)
        after = {path: path.stat().st_mtime_ns for path in pathlib.Path(self.out).rglob("*")}
        self.assertEqual(before, after)

    # Retrying -----------------------------------------------------------------------------------

    def test_retry_fetches_exactly_what_failed_and_updates_the_manifest(self):
        bad = ("/f/1.bin", "/f/3.bin")
        for path in bad:
            self.files.answers[path] = self.files.answer(b"", status="404 Not Found")
        self.files.answers["/f/5.bin"] = self.files.answer(
            b"", "Retry-After: 7200", status="429 Too Many Requests")
        code, _, err = self.run_rows(self.urls(*(f"/f/{i}.bin" for i in range(6))), "parallel = 1, " + KEEP)
        self.assertEqual(code, 3, err)
        self.assertIn("halyard retry " + self.out, err)
        os.remove(os.path.join(self.folder.name, "get.lua"))
        self.files.answers.clear()
        self.files.answers["/f/3.bin"] = self.files.answer(b"", status="410 Gone")
        self.files.log.clear()
        code, _, err = self.command("retry", self.out, "--allow-private-net")
        self.assertEqual(code, 3, err)
        self.assertEqual(sorted({path for _, path in self.files.log}), ["/f/1.bin", "/f/3.bin", "/f/5.bin"])
        self.assertEqual([row["path"] for row in self.manifest()["data"]], [f"{i}.bin" for i in range(6)])
        self.assertEqual([row["status"] for row in self.manifest()["data"]],
                         ["complete"] * 3 + ["failed"] + ["complete"] * 2)
        self.files.answers.clear()
        self.assertEqual(self.command("retry", self.out, "--allow-private-net")[0], 0)
        self.assertEqual(tree(self.out + "/files"),
                         {f"{i}.bin": self.files.body(f"/f/{i}.bin") for i in range(6)})
        self.files.log.clear()
        code, _, err = self.command("retry", self.out, "--allow-private-net")
        self.assertEqual((code, self.files.log), (0, []), err)
        self.assertIn("nothing failed", err)
        self.assertEqual(self.command("verify", self.out)[0], 0)

    def test_retry_contacts_no_host_but_those_of_the_run(self):
        self.files.answers["/f/a"] = self.files.answer(b"", status="404 Not Found")
        self.run_rows(self.urls("/f/a", "/f/b"))
        path = self.stored("manifest.json")
        path.write_text(path.read_text().replace(f'"hosts":["{self.files.host}"]',
                                                 '"hosts":["example.org"]'))
        self.files.answers.clear()
        self.files.log.clear()
        code, _, err = self.command("retry", self.out, "--allow-private-net")
        self.assertEqual((code, self.files.log), (6, []), err)
        self.assertIn(self.files.host, err)
        code, _, err = self.command("retry", self.out, "--allow-private-net", "--allow-host",
                                    self.files.host)
        self.assertEqual(code, 0, err)
        self.assertEqual(self.stored("a").read_bytes(), self.files.body("/f/a"))

    def test_retry_and_verify_say_where_there_is_nothing(self):
        code, _, err = self.command("retry", self.out)
        self.assertEqual(code, 2, err)
        self.assertIn("report.json", err)
        code, _, err = self.command("verify", self.out)
        self.assertEqual(code, 2, err)
        self.assertIn("manifest.json", err)

    # Names --------------------------------------------------------------------------------------

    def test_names_come_from_the_service_before_the_address_and_stay(self):
        body = self.files.body("/get")
        for i, name in enumerate(('attachment; filename="img.fits"',
                                  "attachment; filename*=UTF-8''%C3%A9toile.fits; filename=x",
                                  'attachment; filename="../../IMG.fits"', None)):
            self.files.answers[f"/get?id={i}"] = self.files.answer(
                body, *([f"Content-Disposition: {name}"] if name else []))
        rows = self.urls(*(f"/get?id={i}" for i in range(4)))
        code, _, err = self.run_rows(rows)
        self.assertEqual(code, 0, err)
        other = hashlib.sha256((self.files.url + "/get?id=2").encode()).hexdigest()[:8]
        want = ["img.fits", "étoile.fits", f"IMG~{other}.fits", "get"]
        self.assertEqual([row["path"] for row in self.manifest()["data"]], want)
        self.assertEqual(set(tree(self.out + "/files")), set(want))
        self.assertEqual(self.files.count("HEAD", "/get"), 4)
        self.files.log.clear()
        code, _, err = self.run_rows(rows)
        self.assertEqual((code, self.files.log), (0, []), err) # known: not asked again
        self.assertEqual([row["path"] for row in self.manifest()["data"]], want)

    def test_the_name_of_the_catalogue_and_of_the_workflow_come_first(self):
        self.files.answers["/get?id=0"] = self.files.answer(
            b"x", 'Content-Disposition: attachment; filename="server.fits"')
        code, _, err = self.run_rows(self.urls("/get?id=0", productFilename="catalogue.fits"))
        self.assertEqual(code, 0, err)
        self.assertEqual(self.files.count("HEAD", ""), 0)
        self.assertEqual(list(self.by_path()), ["catalogue.fits"])
        code, _, err = self.run_rows(
            self.urls("/get?id=0"), 'name = function(row) return "sub/mine.fits" end,')
        self.assertEqual(code, 0, err)
        self.assertEqual(list(self.by_path()), ["sub/mine.fits"])
        for bad in ("../up.fits", "/abs", "a//b", ".hidden", "con", "a:b", "x.part", ""):
            code, _, err = self.run_rows(self.urls("/get?id=0"),
                                         f'name = function() return "{bad}" end,')
            self.assertEqual(code, 2, bad)
            self.assertIn("a name below dir is wanted", err)

    def test_names_that_differ_in_case_or_composition_are_told_apart(self):
        names = ["Na\u00efve.fits", "NAI\u0308VE.FITS", "other.fits"]
        rows = [{"access_url": f"{self.files.url}/f/{i}", "productFilename": name}
                for i, name in enumerate(names)]
        code, _, err = self.run_rows(rows)
        self.assertEqual(code, 0, err)
        second = hashlib.sha256(rows[1]["access_url"].encode()).hexdigest()[:8]
        self.assertEqual(list(self.by_path()), [names[0], f"NAI\u0308VE~{second}.FITS", names[2]])

    def test_a_sha256_of_the_catalogue_is_what_the_file_must_have(self):
        good = hashlib.sha256(self.files.body("/f/a")).hexdigest()
        rows = self.urls("/f/a", sha256=good) + self.urls("/f/b", sha256=good)
        code, _, err = self.run_rows(rows)
        self.assertEqual(code, 3, err)
        self.assertEqual([(row["path"], row["status"], row.get("error"))
                          for row in self.manifest()["data"]],
                         [("a", "complete", None), ("b", "failed", "integrity")])

    def test_existing_says_what_becomes_of_files_that_are_there(self):
        rows, good = self.urls("/f/a"), self.files.body("/f/a")
        self.assertEqual(self.run_rows(rows)[0], 0)
        path = self.stored("a")
        when = path.stat().st_mtime_ns

        def change(content, time_ns):
            path.write_bytes(content)
            os.utime(path, ns=(time_ns, time_ns))
            self.files.log.clear()

        change(good[::-1], when) # as the record has it, but for the bytes
        code, _, err = self.run_rows(rows, 'existing = "skip",')
        self.assertEqual((code, self.files.count("GET", "")), (0, 0), err)
        code, _, err = self.run_rows(rows, 'existing = "verify",')
        self.assertEqual((code, path.read_bytes()), (0, good), err)
        change(b"somebody else's", when + 1)
        for existing in ("skip", "verify"):
            code, _, err = self.run_rows(rows, f'existing = "{existing}",')
            self.assertEqual((code, path.read_bytes()), (5, b"somebody else's"), err)
        code, _, err = self.run_rows(rows, 'existing = "replace",')
        self.assertEqual((code, path.read_bytes()), (0, good), err)
        self.files.log.clear()
        code, _, err = self.run_rows(rows, 'existing = "replace",')
        self.assertEqual((code, self.files.count("GET", "")), (0, 0), err)

    def test_rows_that_change_on_the_way_lead_to_no_other_host(self):
        with raw_files.serving() as other:
            script = self.script(f"""
                local rows = {{}}
                for i = 1, 3 do rows[i] = {{ access_url = "{self.files.url}/f/" .. i }} end
                return retrieve.products(rows, {{ dir = "files", flat = true, parallel = 1,
                  name = function(row)
                    rows[3].access_url = "{other.url}/f/3"
                    return row.access_url:match("%d+$")
                  end }})""")
            code, _, err = self.command("run", script, "-o", self.out, "--allow-private-net",
                                        "--quiet")
            self.assertEqual((code, other.log), (6, []), err)
            script = self.script(f"""
                local rows = {{ {{ access_url = "{self.files.url}/none" }},
                  {{ access_url = "{self.files.url}/f/2", productFilename = "2" }} }}
                return retrieve.products(rows, {{ dir = "files", flat = true, parallel = 1,
                  on_error = function() rows[2].access_url = "{other.url}/f/2" return true end }})""")
            code, _, err = self.command("run", script, "-o", self.out, "--allow-private-net",
                                        "--quiet")
            self.assertEqual((code, other.log), (6, []), err)

    def test_a_download_that_another_task_cut_short_is_in_the_lists(self):
        script = self.script(f"""
            local rows = {{ {{ access_url = "{self.files.url}/f/1", productFilename = "1" }} }}
            local ok, err = halyard.try(task.all, {{
              function() retrieve.products(rows, {{ dir = "files" }}) end,
              function() retrieve.products("no rows") end }})
            return {{ {{ failed = not ok, code = err.code }} }}""")
        code, text, err = self.command("run", script, "-o", self.out, "--allow-private-net",
                                       "--quiet", "--json")
        self.assertEqual(code, 3, err)
        with open(f"{self.out}/report.json", encoding="utf-8") as report:
            (entry,) = json.load(report)["files"]
        self.assertEqual((entry["status"], entry["fault"]), ("error", "local"))
        with open(f"{self.out}/files/manifest.json", encoding="utf-8") as manifest:
            (row,) = json.load(manifest)["data"]
        self.assertEqual((row["status"], row["error"]), ("failed", "cancelled"))

    # Lists for other programs -------------------------------------------------------------------

    def rows_for_export(self):
        names = ["plain.fits", "it's \"odd\" $HOME `x`.fits", "-n.fits", "b c.fits"]
        rows = []
        for i, name in enumerate(names):
            body = self.files.body(f"/f/{i}")
            row = {"access_url": f"{self.files.url}/f/{i}", "productFilename": name,
                   "size": len(body)}
            if i % 2:
                row["sha256"] = hashlib.sha256(body).hexdigest()
            rows.append(row)
        return rows

    def export(self, program):
        code, _, err = self.run_rows(self.rows_for_export(), more=("--export", program))
        self.assertEqual(code, 0, err)
        self.assertEqual(tree(self.out + "/files"), {})

    def reference(self):
        """The tree as Halyard itself makes it."""
        keep, self.out = self.out, os.path.join(self.folder.name, "reference")
        os.mkdir(self.out)
        code, _, err = self.run_rows(self.rows_for_export())
        self.assertEqual(code, 0, err)
        got = tree(self.out + "/files")
        self.out = keep
        return got

    def test_curl_makes_the_same_tree_from_its_script(self):
        want = self.reference()
        self.export("curl")
        self.assertEqual(self.files.log[-1][0], "GET") # nothing of the export itself
        script = str(self.stored("download.sh"))
        for _ in range(2):
            done = subprocess.run(["sh", script], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(tree(self.out + "/files"), want)
        self.assertEqual(subprocess.run(["sh", "-n", script], check=False).returncode, 0)

    def test_the_script_of_curl_goes_on_with_parts_and_refuses_wrong_bytes(self):
        self.export("curl")
        part = self.stored("plain.fits.part")
        part.write_bytes(self.files.body("/f/0")[:5]) # this server has no ranges: from zero
        self.files.answers["/f/1"] = self.files.answer(b"y" * len(self.files.body("/f/1")))
        self.files.answers["/f/2"] = self.files.answer(b"short")
        done = subprocess.run(["sh", str(self.stored("download.sh"))], capture_output=True,
                              text=True, check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("the SHA-256 is not", done.stderr)
        self.assertIn("5 bytes came", done.stderr)
        self.assertEqual(set(tree(self.out + "/files")), {"plain.fits", "b c.fits"})
        self.assertEqual(self.stored("plain.fits").read_bytes(), self.files.body("/f/0"))

    def test_aria2_makes_the_same_tree_from_its_list(self):
        want = self.reference()
        self.export("aria2")
        done = subprocess.run(["aria2c", "--quiet", "-i", str(self.stored("download.aria2"))],
                              capture_output=True, text=True, check=False, cwd=self.folder.name)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(tree(self.out + "/files"), want)

    def test_an_export_holds_no_secret_and_knows_its_programs(self):
        code, _, err = self.run_rows(self.urls(f"/f/x?token={TOKEN}"), more=("--export", "curl"))
        self.assertEqual(code, 6, err)
        self.assertFalse(self.stored("download.sh").exists())
        code, _, err = self.run_rows(self.urls("/f/a"), more=("--export", "wget"))
        self.assertEqual(code, 2, err)
        self.assertIn("curl", err)

    def test_products_of_the_practice_archive_come_by_curl_and_aria2(self):
        with practice.archive() as url:
            def run(out, *more):
                code, _, err = self.command(
                    "run", os.path.join(practice.SOURCE, "workflows", "first-light.lua"),
                    "--archive", url, "--radius", "0.02deg", "--files", "5", "-o", out, "--quiet",
                    *more)
                self.assertEqual(code, 0, err)
                return os.path.join(self.folder.name, out, "mastDownload")
            want = tree(run("whole"))
            self.assertEqual(len(want), 5)
            by_curl, by_aria2 = run("by-curl", "--export", "curl"), run("by-aria2", "--export", "aria2")
            for program in (["sh", by_curl + "/download.sh"],
                            ["aria2c", "--quiet", "-i", by_aria2 + "/download.aria2"]):
                done = subprocess.run(program, capture_output=True, text=True, check=False,
                                      cwd=self.folder.name)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertEqual(tree(by_curl), want)
            self.assertEqual(tree(by_aria2), want)

    def test_verify_knows_what_was_bundled_unpacked_and_cut_out(self):
        script = self.script('''
          local field = sky.circle(201.697, -47.4795, 0.02)
          local files = mast.products(mast.observations { region = field,
            where = { obs_collection = "HST" } }):where({ dataRights = "PUBLIC" }):head(2)
          for _, bundle in ipairs(mast.bundle(files)) do
            retrieve.unpack(bundle.file, { dir = "unpacked" })
          end
          mast.cutouts.z { target = "189.2 62.2", size = 3 }
          local hst = mast.mission("hst")
          hst:bundle(hst:products(hst:query { region = sky.circle(148.9, 69.1, 0.1),
            where = { sci_status = "PUBLIC" } }.table:head(1)):head(1))''', ["mast"])
        with practice.archive() as url:
            code, _, err = self.command("run", script, "--archive", url, "-o", self.out, "--quiet")
        self.assertEqual(code, 0, err)
        made = [path for path in sorted(pathlib.Path(self.out).rglob("*")) if path.is_file()
                and ".halyard" not in path.parts and path.name != "report.json"
                and not path.name.startswith("query-1.")]
        code, out, err = self.command("verify", self.out)
        self.assertEqual(code, 0, out + err)
        self.assertIn(f"{len(made)} of {len(made)} files are whole", err)
        self.assertGreaterEqual(len(made), 6)
        self.assertTrue(any("unpacked" in path.parts for path in made), made)
        for path in made:
            content = path.read_bytes()
            path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        code, out, _ = self.command("verify", self.out)
        self.assertEqual(code, 7)
        self.assertEqual({line for line in out.splitlines() if "query-1." not in line}, {
            f"{path.relative_to(self.out)}: changed since it was downloaded" for path in made})

    def test_the_practice_archive_sends_too_little_when_told_to(self):
        def run(out, faults):
            with practice.archive(*faults) as url:
                code, _, err = self.command(
                    "run", os.path.join(practice.SOURCE, "workflows", "first-light.lua"),
                    "--archive", url, "--radius", "0.02deg", "--files", "1", "-o", out, "--quiet")
            folder = pathlib.Path(self.folder.name, out, "mastDownload")
            item, = json.loads((folder / "manifest.json").read_text())["data"]
            return code, err, tree(folder), item["tries"]
        want = run("good", [])[2]
        self.assertEqual(len(want), 1)
        for kind, code, words in (("empty", 4, "the server sent an empty file"),
                                  ("short", 7, "bytes came")):
            with self.subTest(kind):
                once = run(kind + "-once", ["--faults", f"file-{kind}=1,first=1"])
                self.assertEqual((once[0], once[2], once[3]), (0, want, 2), once[1])
                always = run(kind, ["--faults", f"file-{kind}"])
                self.assertEqual((always[0], always[2]), (code, {}), always[1])
                self.assertIn(words, always[1])


if __name__ == "__main__":
    unittest.main()
