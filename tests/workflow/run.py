#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs every entry of a shipped workflow's `examples` on the practice archive.

Usage: run.py WORKFLOW.lua
"""
import json
import os
import subprocess
import sys
import tempfile

workflow = sys.argv[1]
halyard = os.path.join(os.environ["HALYARD_BIN"], "halyard")

help_text = subprocess.run([halyard, "help", workflow, "--json"], stdout=subprocess.PIPE, check=True)
examples = json.loads(help_text.stdout)["examples"]
assert examples, "a shipped workflow has at least one example"
for example in examples:
    with tempfile.TemporaryDirectory() as out:
        options = [word for name, value in example.items() for word in (f"--{name}", str(value))]
        subprocess.run([halyard, "run", workflow, "--archive", "practice", "--output", out, "--json",
                        *options], check=True)
        with open(os.path.join(out, "report.json"), encoding="utf-8") as report:
            json.load(report)
