#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Reading, converting and receiving tables against other programs, as ratios within one run.

usage: bench/bench_tables.py [BUILD_FOLDER] [ROWS] [STAGES]
       (default: build/release 500000 read,link,convert; convert takes ten times ROWS and minutes)
read: ROWS x 20 mixed columns to columns in memory. Baselines: json.load, astroquery's conversion on
top of it, pandas, STILTS, astropy. Python peers are timed without their imports, STILTS and Halyard
as whole processes. Also: growth at four times the rows, peak memory over the columns, blanks in
JSON, one row in a hundred that deviates from the others.
link: the same bodies over a loopback connection paced at 116 MB/s: parsing against dropping.
convert: ten times ROWS from CSV and VOTable to FITS against STILTS, and its peak memory.
Needs python3-astroquery, python3-pandas and stilts. Prints ratios beside what is demanded; the exit
code is 1 when one is missed."""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time

build = sys.argv[1] if len(sys.argv) > 1 else "build/release"
rows = int(sys.argv[2]) if len(sys.argv) > 2 else 500000
stages = (sys.argv[3] if len(sys.argv) > 3 else "read,link,convert").split(",")
program, halyard = build + "/bin/bench_table", build + "/bin/halyard"
LINK_BYTES_PER_S = 116e6
MIB = 1 << 20
missed = []

PEERS = {
    "json.load": "import json\n---\njson.load(open(path))",
    "astroquery": "import json; from astroquery.mast.discovery_portal import _json_to_table\n---\n"
                  "_json_to_table(json.load(open(path)))",
    "pandas": "import pandas\n---\npandas.read_csv(path)",
    "astropy": "from astropy.io.votable import parse_single_table\n---\n"
               "parse_single_table(path).to_table()",
    "astropy fits": "from astropy.table import Table\n---\nTable.read(path, format='fits')",
}


def peer(name, path):
    imports, job = PEERS[name].split("\n---\n")
    script = (f"import sys, time\npath = sys.argv[1]\n{imports}\nbegan = time.monotonic()\n"
              f"{job}\nprint(time.monotonic() - began)")
    done = subprocess.run(["/usr/bin/python3", "-W", "ignore", "-c", script, path], check=True,
                          capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def timed(*command):
    began = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - began


def stilts_read(path, form):
    return timed("stilts", "tpipe", "in=" + path, "ifmt=" + form, "cmd=stats", "omode=discard")


def ours(action, what, times=5):
    """The fastest of several runs: seconds, bytes of columns, peak bytes."""
    runs = [subprocess.run([program, action, what], capture_output=True, text=True,
                           check=True).stdout.split() for _ in range(times)]
    best = min(runs, key=lambda r: float(r[0]))
    return float(best[0]), int(best[2]), int(best[3])


def check(what, value, demanded, at_least=True, unit="times"):
    good = value >= demanded if at_least else value <= demanded
    print(f"{what:52s} {value:8.2f} {unit} (demanded {'>=' if at_least else '<='} {demanded})"
          f"{'' if good else '  MISSED'}", flush=True)
    if not good:
        missed.append(what)


def make(kind, path, n):
    subprocess.run([program, "make", kind, path, str(n)], check=True)
    return path


def made(folder, form, n):
    """A file of `n` rows; FITS and VOTable by STILTS from the CSV."""
    path = os.path.join(folder, f"{n}.{form}")
    if os.path.exists(path):
        return path
    if form in ("csv", "json"):
        return make(form, path, n)
    subprocess.run(["stilts", "tcopy", "in=" + made(folder, "csv", n), "ifmt=csv", "out=" + path,
                    "ofmt=" + {"fits": "fits-basic"}.get(form, form)], check=True)
    return path


READ = {
    "json": [("json.load", lambda p: peer("json.load", p), 7),
             ("astroquery", lambda p: peer("astroquery", p), 16)],
    "csv": [("pandas", lambda p: peer("pandas", p), 6),
            ("STILTS", lambda p: stilts_read(p, "csv"), 35)],
    "votable-tabledata": [("STILTS", lambda p: stilts_read(p, "votable"), 14),
                          ("astropy", lambda p: peer("astropy", p), 50)],
    "votable-binary2": [("STILTS", lambda p: stilts_read(p, "votable"), 9),
                        ("astropy", lambda p: peer("astropy", p), 90)],
    "fits": [("STILTS", lambda p: stilts_read(p, "fits"), 1),
             ("astropy", lambda p: peer("astropy fits", p), 1)],
}


def bench_read(folder):
    for form, peers in READ.items():
        path, large = made(folder, form, rows), made(folder, form, 4 * rows)
        seconds, columns, peak = ours("read", path)
        print(f"{form}: {os.path.getsize(path) / 1e6:.0f} MB in {seconds:.3f} s")
        for name, job, demanded in peers:
            check(f"{form}: {name}", min(job(path) for _ in range(2)) / seconds, demanded)
        large_seconds, large_columns, large_peak = ours("read", large)
        check(f"{form}: time of four times the rows", large_seconds / seconds, 4.2, False)
        over = max(peak - columns, large_peak - large_columns) / MIB
        check(f"{form}: peak memory over the columns", over, 64, False, "MiB")
        os.unlink(large)
    for kind, form, at_most in (("json-blanks", "json", 1.1), ("json-deviant", "json", 1.1),
                                ("csv-deviant", "csv", 1.1)):
        path = make(kind, os.path.join(folder, kind), rows)
        plain = made(folder, form, rows)
        # A blank costs what its byte costs: compare by the time per byte.
        scale = os.path.getsize(plain) / os.path.getsize(path)
        pairs = [(ours("read", path, 1)[0], ours("read", plain, 1)[0]) for _ in range(7)]
        check(f"{kind} against {form}, per byte",
              min(p[0] for p in pairs) * scale / min(p[1] for p in pairs), at_most, False)
        os.unlink(path)


def serve(listener, path):
    """Answers every connection with the file, paced; the pages are in memory before."""
    with open(path, "rb") as f:
        body = f.read()
    view = memoryview(body)
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
                               b"Content-Length: %d\r\n\r\n" % len(body))
            began, step = time.monotonic(), 256 << 10
            for at in range(0, len(body), step):
                wait = began + at / LINK_BYTES_PER_S - time.monotonic()
                if wait > 0:
                    time.sleep(wait)
                connection.sendall(view[at:at + step])


def bench_link(folder):
    for form in ("json", "csv", "votable-tabledata", "votable-binary2"):
        with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listener:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
            threading.Thread(target=serve, args=(listener, made(folder, form, rows)),
                             daemon=True).start()
            dropped, parsed = ours("get", url, 3)[0], ours("fetch", url, 3)[0]
            listener.shutdown(socket.SHUT_RDWR)
        check(f"{form}: over 116 MB/s, parsed against dropped", parsed / dropped, 1.05, False)


def peak_of(*command):
    pid = os.spawnvp(os.P_NOWAIT, command[0], command)
    _, status, used = os.wait4(pid, 0)
    if status:
        sys.exit(f"{command[0]} failed: {status}")
    return used.ru_maxrss * 1024


def bench_convert(folder):
    n = 10 * rows
    for form, demanded in (("csv", 40), ("votable-tabledata", 12)):
        source, target = made(folder, form, n), os.path.join(folder, "out.fits")
        seconds = min(timed(halyard, "convert", source, target) for _ in range(3))
        peak = peak_of(halyard, "convert", source, target)
        os.unlink(target)
        theirs = timed("stilts", "tcopy", "in=" + source, "ifmt=" + form.split("-")[0],
                       "out=" + target, "ofmt=fits-basic")
        os.unlink(target)
        print(f"{form} to fits: {n} rows, {os.path.getsize(source) / 1e6:.0f} MB in {seconds:.2f} s")
        check(f"{form} to fits: STILTS", theirs / seconds, demanded)
        check(f"{form} to fits: peak memory", peak / MIB, 128, False, "MiB")


with tempfile.TemporaryDirectory(dir="/var/tmp") as scratch:
    for stage in stages:
        {"read": bench_read, "link": bench_link, "convert": bench_convert}[stage](scratch)
if missed:
    print("missed: " + "; ".join(missed))
sys.exit(bool(missed))
