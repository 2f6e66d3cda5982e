#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A queue of very many files: little memory, and a folder that holds as many starts at once.

Usage: many_files.py N MEMORY_MIB
The folder is made as N downloads leave it; then all are asked for again, one is damaged and one new.
"""
import hashlib
import os
import subprocess
import sys
import tempfile
import time
import zlib

import practice
import raw_files

N, MEMORY_MIB = int(sys.argv[1]), float(sys.argv[2])
START_S = 2.0


def place(i):
    return f"C{i % 7}/obs_{i % 1000:05d}/product_{i:07d}_s.dat"


def fill(folder, base, body):
    """N files and the state that their downloads leave."""
    os.makedirs(f"{folder}/.halyard")
    with open(f"{folder}/.halyard/files", "w") as state:
        for i in range(N):
            path = f"{folder}/{place(i)}"
            try:
                fd = os.open(path, os.O_CREAT | os.O_WRONLY, 0o644)
            except FileNotFoundError:
                os.makedirs(os.path.dirname(path))
                fd = os.open(path, os.O_CREAT | os.O_WRONLY, 0o644)
            content = body(f"/f/{i:07d}")
            os.write(fd, content)
            line = (f"{len(content)} {os.fstat(fd).st_mtime_ns} {hashlib.sha256(content).hexdigest()} "
                    f'{place(i)}\t{base}/f/{i:07d}\t"10"\t{len(content)}')
            os.close(fd)
            state.write(f"{zlib.crc32(line.encode()):08x} {line}\n")


def rows(path, base, numbers, body):
    with open(path, "w") as table:
        table.write("access_url,productFilename,obs_collection,obs_id,size\n")
        for i in numbers:
            table.write(f"{base}/f/{i:07d},product_{i:07d}_s.dat,C{i % 7},obs_{i % 1000:05d},"
                        f"{len(body(f'/f/{i:07d}'))}\n")


with raw_files.serving() as files, tempfile.TemporaryDirectory() as folder:
    out, script = folder + "/out", folder + "/many.lua"
    fill(out + "/files", files.url, files.body)
    with open(script, "w") as workflow:
        workflow.write(
            f'return workflow {{ name = "many", summary = "a test", hosts = {{ "{files.host}" }},\n'
            'budget = { cpu = "1 h" }, params = { { "list", "string" } }, run = function(ctx, p)\n'
            'local files = retrieve.products(halyard.table.read(p.list), { dir = "files",\n'
            'parallel = 16, on_error = "keep" }):check() return { files = #files } end }\n')

    def run(name):
        with open(folder + "/log", "w") as log:
            code, memory, seconds = practice.run("run", script, "--list", name, "-o", out,
                                                 "--allow-private-net", "--quiet", log=log)
        with open(folder + "/log") as log:
            assert code == 0, f"exit code {code}: {log.read()}"
        return memory, seconds

    rows(out + "/one.csv", files.url, [N], files.body)
    memory, seconds = run("one.csv")
    print(f"one file more in a folder of {N}: {seconds:.2f} s, {memory:.0f} MiB")
    assert seconds < START_S, f"{seconds:.2f} s to begin"
    assert len(files.log) == 1

    rows(out + "/all.csv", files.url, range(N), files.body)
    damaged = f"{out}/files/{place(7)}"
    os.remove(damaged)
    memory, seconds = run("all.csv")
    print(f"{N} files in a queue: {memory:.1f} MiB at most, {seconds:.1f} s")
    assert [path for _, path in files.log[1:]] == ["/f/0000007"], files.log[:5]
    assert memory < MEMORY_MIB, f"{memory:.1f} MiB resident"
    with open(damaged, "rb") as again:
        assert again.read() == files.body("/f/0000007")
    with open(out + "/files/manifest.csv") as manifest:
        assert sum(1 for _ in manifest) == N + 1
    start = time.monotonic()
    done = subprocess.run([practice.HALYARD, "verify", out], capture_output=True, text=True,
                          check=False)
    print(f"verified in {time.monotonic() - start:.1f} s: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
