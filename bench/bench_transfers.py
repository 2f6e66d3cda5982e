#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Files from a web server on loopback, beside other clients in the same run.

usage: bench/bench_transfers.py [--build FOLDER] [--dir FOLDER] [--rounds N] [CASE ...]
Cases: small (2,000 files of 64 KiB), large (8 of 256 MiB), think (400 answers that take 100 ms
each). Everything lies below --dir (default /dev/shm; /var/tmp shows what syncing to a disk costs,
which only halyard does). Each client runs once a round, in turns; its figure is the median of the
ratios to halyard in the same round. MiB is VmHWM. Fails when a file differs or a demand is missed:
small at least as fast as curl and 10 times as fast as a loop of requests, large at least as fast as
aria2c -x4, both at least twice as fast as aria2c with check sums, think within 3 % of its bound at 8
in parallel and within 5 % at 32. Told beside them: what libcurl alone reaches (multi, by
bench_curl_multi.c) and how far curl is from the bound of think. Needs the packages below, and ports
8097 and 8098."""

import argparse
import asyncio
import hashlib
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NGINX_PORT, SLOW_PORT = 8097, 8098
PACKAGES = {"nginx": "nginx-light", "curl": "curl", "aria2c": "aria2"}
SETS = {"small": (2000, 64 << 10), "large": (8, 256 << 20)}
THINK_N, THINK_S = 400, 0.1
NGINX = """daemon off; worker_processes 1; pid {dir}/nginx.pid; error_log {dir}/error.log;
events {{ worker_connections 512; }}
http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000;
  client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3;
  uwsgi_temp_path {dir}/t4; scgi_temp_path {dir}/t5;
  server {{ listen 127.0.0.1:{port}; root {dir}/www; }} }}
"""
LOOP_OF_REQUESTS = """
import sys, requests
base, n, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
for i in range(1, n + 1):
    answer = requests.get(f"{base}/{i}.bin")
    answer.raise_for_status()
    with open(f"{folder}/{i}.bin", "wb") as out:
        out.write(answer.content)
"""


def make_files(folder, n, size):
    """Files of noise; the large ones are names of one. Returns the SHA-256 of each."""
    os.makedirs(folder)
    digests = []
    for i in range(1, n + 1):
        path = f"{folder}/{i}.bin"
        if size > 1 << 20 and i > 1:
            os.link(f"{folder}/1.bin", path)
            digests.append(digests[0])
            continue
        with open(path, "wb") as out:
            left, digest = size, hashlib.sha256()
            while left:
                block = os.urandom(min(left, 1 << 20))
                out.write(block)
                digest.update(block)
                left -= len(block)
        digests.append(digest.hexdigest())
    return digests


def watch_memory(pid, memory):
    """The largest VmHWM in MiB (ru_maxrss of a child counts this program, too)."""
    while True:
        try:
            with open(f"/proc/{pid}/status", encoding="ascii") as status:
                line = next((line for line in status if line.startswith("VmHWM")), None)
        except OSError:
            line = None
        if not line:
            return
        memory[0] = max(memory[0], int(line.split()[1]) / 1024)
        time.sleep(0.02)


def timed(command, **options):
    """Seconds, seconds of CPU and MiB of a command."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, **options)
    memory = [0]
    watcher = threading.Thread(target=watch_memory, args=(process.pid, memory))
    watcher.start()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - start
    watcher.join()
    assert status == 0, f"{command[0]}: exit status {status}"
    return seconds, usage.ru_utime + usage.ru_stime, memory[0]


class Clients:
    def __init__(self, build, work, base, n, digests):
        self.build, self.work, self.base, self.n, self.digests = build, work, base, n, digests

    def halyard(self, out, parallel=16):
        return timed([self.build + "/bin/halyard", "run", SOURCE + "/bench/transfers.lua",
                      "--allow-private-net", "-q", "-o", out, f"--server={self.base}",
                      f"--n={self.n}", f"--parallel={parallel}"])

    def curl(self, out, parallel=16):
        config = self.work + "/curl.config"
        with open(config, "w", encoding="ascii") as text:
            for i in range(1, self.n + 1):
                text.write(f'url="{self.base}/{i}.bin"\noutput="{out}/{i}.bin"\n')
        return timed(["curl", "-s", "--parallel", "--parallel-max", str(parallel), "-K", config],
                     stderr=subprocess.DEVNULL)

    def multi(self, out):
        return timed([self.build + "/bin/bench_curl_multi", self.base, str(self.n), out])

    def requests(self, out):
        return timed(["/usr/bin/python3", "-c", LOOP_OF_REQUESTS, self.base, str(self.n), out])

    def aria2c(self, out, digests=None):
        config = self.work + "/aria2.list"
        with open(config, "w", encoding="ascii") as text:
            for i in range(1, self.n + 1):
                text.write(f"{self.base}/{i}.bin\n out={i}.bin\n")
                if digests:
                    text.write(f" checksum=sha-256={digests[i - 1]}\n")
        return timed(["aria2c", "-q", "-x4", "-s4", "-j16", "--file-allocation=none", "--no-conf",
                      "-d", out, "-i", config])

    def aria2c_sums(self, out):
        return self.aria2c(out, self.digests)


def check(folder, n, digests):
    found = {name: os.path.join(root, name) for root, _, names in os.walk(folder) for name in names
             if name.endswith(".bin")}
    assert len(found) == n, f"{len(found)} files of {n}"
    for i in range(1, n + 1):
        with open(found[f"{i}.bin"], "rb") as file:
            assert hashlib.file_digest(file, "sha256").hexdigest() == digests[i - 1], f"file {i}"


def bench_set(name, arguments, work, demands):
    """True when halyard's time times each demand is at most the client's."""
    n, size = SETS[name]
    digests = make_files(f"{work}/www/{name}", n, size)
    clients = Clients(arguments.build, work, f"http://127.0.0.1:{NGINX_PORT}/{name}", n, digests)
    figures = {client: [] for client in ("halyard", *demands)}
    for i in range(arguments.rounds):
        for client, rounds in figures.items():
            out = f"{work}/{client}"
            os.mkdir(out)
            rounds.append(getattr(clients, client)(out))
            if i == 0:
                check(out, n, digests)
            shutil.rmtree(out)
    print(f"{name}: {n} files of {size >> 10} KiB in {work}, medians of {arguments.rounds} rounds")
    print(f"  {'':12} {'s':>7} {'CPU s':>7} {'MiB':>6} {'ratio':>6} demanded")
    good = True
    for client, rounds in figures.items():
        ratio = statistics.median(r[0] / h[0] for r, h in zip(rounds, figures["halyard"]))
        s, cpu, mib = (statistics.median(column) for column in zip(*rounds))
        demand = demands.get(client)
        missed = demand is not None and ratio < demand
        print(f"  {client:12} {s:7.2f} {cpu:7.2f} {mib:6.1f} {ratio:6.2f} "
              f"{'' if demand is None else demand}{'  MISSED' if missed else ''}", flush=True)
        good = good and not missed
    if "multi" in demands:
        bound = statistics.median(r[0] / m[0] for r, m in zip(figures["requests"], figures["multi"]))
        print(f"  libcurl alone, which writes files and checks nothing: {bound:.1f} times as fast as "
              "requests")
    return good


def serve_slowly():
    """A server that thinks for THINK_S before each answer."""

    class Peer(asyncio.Protocol):
        def connection_made(self, transport):
            self.transport, self.head = transport, b""

        def data_received(self, data):
            self.head += data
            while (end := self.head.find(b"\r\n\r\n")) >= 0:
                self.head = self.head[end + 4:]
                asyncio.get_running_loop().call_later(THINK_S, self.answer)

        def answer(self):
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\n" + b"x" * 1024)

    async def serve():
        server = await asyncio.get_running_loop().create_server(Peer, "127.0.0.1", SLOW_PORT)
        await server.serve_forever()

    asyncio.run(serve())


def bench_think(arguments, work):
    server = multiprocessing.Process(target=serve_slowly, daemon=True)
    server.start()
    time.sleep(0.5)
    clients = Clients(arguments.build, work, f"http://127.0.0.1:{SLOW_PORT}", THINK_N, None)
    good = True
    print(f"think: {THINK_N} answers after {THINK_S} s, best of {arguments.rounds} rounds")
    for parallel, allowed in ((8, 0.03), (32, 0.05)):
        rounds = []
        for _ in range(arguments.rounds):
            rounds.append(clients.halyard(f"{work}/think", parallel)[0])
            shutil.rmtree(f"{work}/think")
        os.mkdir(f"{work}/think")
        curl_s = clients.curl(f"{work}/think", parallel)[0]
        shutil.rmtree(f"{work}/think")
        bound = -(-THINK_N // parallel) * THINK_S
        over = min(rounds) / bound - 1
        good = good and over <= allowed
        print(f"  {parallel:2} in parallel: {min(rounds):.3f} s, bound {bound:.2f} s, over by "
              f"{over:.1%} of {allowed:.0%}{'  MISSED' if over > allowed else ''}, curl by "
              f"{curl_s / bound - 1:.1%}", flush=True)
    server.terminate()
    return good


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--dir", default="/dev/shm")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("cases", nargs="*", metavar="CASE", default=["small", "large", "think"])
    arguments = parser.parse_args()
    os.environ["PATH"] += ":/usr/sbin"
    missing = [package for tool, package in PACKAGES.items() if not shutil.which(tool)]
    try:
        __import__("requests")
    except ImportError:
        missing.append("python3-requests")
    if missing:
        sys.exit("this bench compares with other programs: apt-get install " + " ".join(missing))
    good = True
    with tempfile.TemporaryDirectory(dir=arguments.dir) as work:
        os.chmod(work, 0o755) # nginx leaves root
        with open(work + "/nginx.conf", "w", encoding="ascii") as text:
            text.write(NGINX.format(dir=work, port=NGINX_PORT))
        nginx = subprocess.Popen(["nginx", "-p", work, "-c", work + "/nginx.conf"],
                                 stderr=subprocess.DEVNULL)
        try:
            time.sleep(0.5)
            assert nginx.poll() is None, f"nginx does not start: is port {NGINX_PORT} in use?"
            if "small" in arguments.cases:
                good = bench_set("small", arguments, work,
                                 {"curl": 1, "multi": None, "requests": 10, "aria2c": None,
                                  "aria2c_sums": 2})
            if "large" in arguments.cases:
                good = bench_set("large", arguments, work, {"aria2c": 1, "aria2c_sums": 2}) and good
            if "think" in arguments.cases:
                good = bench_think(arguments, work) and good
        finally:
            nginx.terminate()
            nginx.wait()
    sys.exit(not good)


if __name__ == "__main__":
    main()
