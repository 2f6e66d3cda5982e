# SPDX-License-Identifier: BSD-3-Clause
"""Starts the practice archive for a test and asks it for the truth. Standard library only."""

import csv
import io
import json
import subprocess
import urllib.parse
import urllib.request


class Archive:
    """One running archive: `with Archive(program, "--row-cap", "500") as a: a.url`."""

    def __init__(self, program, *options):
        self.program = program
        self.process = subprocess.Popen(
            [program, *options], stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()
        if not self.url.startswith("http://127.0.0.1:"):
            raise SystemExit("the practice archive did not start")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.terminate()
        code = self.process.wait(30)
        self.process.stdout.close()
        if code and exc[0] is None:
            raise AssertionError(f"the practice archive ended with {code}")

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=60) as answer:
            return answer.read()

    def post(self, path, form):
        data = urllib.parse.urlencode(form).encode()
        with urllib.request.urlopen(self.url + path, data, timeout=60) as answer:
            return answer.read()

    def ask(self, service, params, **properties):
        """One request object; the answer as text."""
        request = {"service": service, "params": params, "format": "json", **properties}
        return self.post("/api/v0/invoke", {"request": json.dumps(request)}).decode()

    def rows(self, service, params, **properties):
        """Rows of a finished answer, polling while it executes."""
        while True:
            answer = json.loads(self.ask(service, params, **properties))
            if answer["status"] == "COMPLETE":
                return answer
            assert answer["status"] == "EXECUTING", answer

    def stats(self):
        return json.loads(self.get("/practice/stats"))

    def dump(self, catalog, region):
        """--dump as text."""
        return subprocess.run([self.program, "--dump", catalog, "--region", region], check=True,
                              capture_output=True, text=True).stdout

    def truth(self, catalog, region):
        """--dump as a list of dictionaries of text."""
        return list(csv.DictReader(io.StringIO(self.dump(catalog, region))))
