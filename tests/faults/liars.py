# SPDX-License-Identifier: BSD-3-Clause
"""The same misbehaving server against Halyard and the tools that people download with: which of them
report success with wrong bytes. `liars.py --table` prints the table of docs/faults.md."""
import gzip
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import case
import rows
from peer import Peer

CARDS = ["SIMPLE  =                    T", "BITPIX  =                    8",
         "NAXIS   =                    1", "NAXIS1  =               115200", "END"]


def image(fill):
    """A FITS file of 41 blocks."""
    return "".join(f"{card:80}" for card in CARDS).ljust(2880).encode() + bytes([fill]) * 115200


NEW, OLD = image(7), image(5)
HALF = len(NEW) // 2 + 1
PAGE = b"<!DOCTYPE html><html><head><title>Maintenance</title></head><body>Back soon</body></html>"


def head(text, body=b""):
    return text.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body


def cut(request, wire, n=HALF, of=NEW, tag='"new"'):
    """A file of which half arrives."""
    wire.send(head(f"HTTP/1.1 200 OK\nETag: {tag}\nAccept-Ranges: bytes\n"
                   f"Content-Length: {len(of)}", of[:n]))
    wire.wait(0.1)
    wire.close()


def rest(request, wire, content, **headers):
    """The range that is asked for, whatever the validator says; without one, the whole."""
    at = request.offset() or 0
    if at >= len(content):
        return wire.answer(status="416 Range Not Satisfiable",
                           Content_Range=f"bytes */{len(content)}")
    return wire.answer(content[at:], "206 Partial Content" if at else "200 OK",
                       Content_Range=f"bytes {at}-{len(content) - 1}/{len(content)}" if at else None,
                       Accept_Ranges="bytes", **headers)


def cut_then(then):
    return lambda request, wire: cut(request, wire) if request.again == 0 else then(request, wire)


def other_range(request, wire):
    """206 for the bytes from the beginning, though others were asked for."""
    if request.offset() is None:
        return wire.file(request, NEW)
    n = len(NEW) - request.offset()
    return wire.answer(NEW[:n], "206 Partial Content", ETag='"new"',
                       Content_Range=f"bytes 0-{n - 1}/{len(NEW)}")


def changed(request, wire):
    """Half of an older file; then the file is another, of the same size."""
    if request.again == 0:
        return cut(request, wire, of=OLD, tag='"old"')
    return rest(request, wire, NEW, ETag='"new"')


def changed_unnamed(request, wire):
    """The same, by a server that overlooks If-Range and does not name the version of the rest."""
    return cut(request, wire, of=OLD, tag='"old"') if request.again == 0 else rest(request, wire, NEW)


def changed_without_tag(request, wire):
    if request.again == 0:
        wire.send(head(f"HTTP/1.1 200 OK\nAccept-Ranges: bytes\nContent-Length: {len(OLD)}",
                       OLD[:HALF]))
        wire.wait(0.1)
        wire.close()
    return rest(request, wire, NEW)


def no_length(request, wire):
    wire.send(head("HTTP/1.1 200 OK\nContent-Type: image/fits\nConnection: close", NEW[:HALF]))
    wire.close()


def two_lengths(request, wire):
    wire.send(head(f"HTTP/1.1 200 OK\nContent-Length: {len(NEW)}\nContent-Length: {HALF}",
                   NEW[:HALF]))
    wire.close()


def zipped_and_cut(request, wire):
    """Compressed for the way, cut, and the cut body is announced as whole."""
    body = gzip.compress(NEW)
    wire.answer(body[:len(body) // 2], Content_Encoding="gzip")


def zipped_by_the_transfer_and_cut(request, wire):
    """As `zipped_and_cut`, in chunks of which none is missing."""
    body = gzip.compress(NEW)[:-20]
    wire.send(head("HTTP/1.1 200 OK\nTransfer-Encoding: gzip, chunked",
                   b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"))


def page_in_pieces(request, wire):
    wire.send(head(f"HTTP/1.1 200 OK\nContent-Type: image/fits\nContent-Length: {len(PAGE)}"))
    for piece in (PAGE[:1], PAGE[1:]):
        wire.send(piece)
        wire.wait(0.1)


def chunked_and_cut(request, wire):
    if request.again:
        return wire.file(request, NEW)
    wire.send(head("HTTP/1.1 200 OK\nTransfer-Encoding: chunked",
                   b"%x\r\n" % len(NEW) + NEW[:HALF]))
    wire.wait(0.1)
    wire.close()


def short(request, wire):
    """The server has lost the end of the file, and says that this is all of it."""
    wire.answer(NEW[:HALF], ETag='"short"')


FAULTS = {
    "connection closed in the middle, then good": cut_then(lambda q, w: w.file(q, NEW)),
    "closed in the middle, then another range than asked for": cut_then(other_range),
    "closed in the middle, then the file is another one": changed,
    "the same, and the rest is sent without a validator": changed_unnamed,
    "the same, and the server has no validators": changed_without_tag,
    "closed in the middle, no length was announced": no_length,
    "chunked, closed in the middle, then good": chunked_and_cut,
    "two lengths, the body has the smaller": two_lengths,
    "half of the file as if it were all": short,
    "compressed on the way and cut": zipped_and_cut,
    "compressed for the transfer alone and cut": zipped_by_the_transfer_and_cut,
    "a page of HTML in pieces, called a file": page_in_pieces,
    "a page of HTML with status 200": lambda q, w: w.answer(PAGE, Content_Type="text/html"),
    "status 200 without a body": lambda q, w: w.answer(b""),
    "redirect to a login page": lambda q, w: w.answer(PAGE, Content_Type="text/html")
    if q.path == "/login" else w.answer(status="302 Found", Location="/login"),
    "an older file of the same size is there already": lambda q, w: w.file(q, NEW),
    "a shorter older file is there already": lambda q, w: rest(q, w, NEW, ETag='"new"'),
}
THERE = {"an older file of the same size is there already": OLD,
         "a shorter older file is there already": OLD[:HALF]}

ASTROQUERY = """
import sys
from astroquery.mast import Observations
status, message, _ = Observations.download_file(
    "mast:FAULTS/a.fits", local_path=sys.argv[2], base_url=sys.argv[1])
sys.exit(status not in ("COMPLETE", "SKIPPED"))
"""


def curl(url, folder, _):
    return ["curl", "-sS", "--fail", "-L", "-C", "-", "--retry", "3", "--retry-delay", "1", "-o",
            os.path.join(folder, "a.fits"), url]


def wget(url, folder, _):
    return ["wget", "-q", "-c", "--tries=3", "--waitretry=1", "--timeout=10", "-P", folder, url]


def aria2(url, folder, _):
    return ["aria2c", "-q", "-c", "--max-tries=3", "--retry-wait=1", "--auto-file-renaming=false",
            "-d", folder, "-o", "a.fits", url]


def astroquery(url, folder, _):
    return ["/usr/bin/python3", "-c", ASTROQUERY, url, os.path.join(folder, "a.fits")]


def halyard(url, folder, peer):
    path = os.path.join(folder, "..", "get.lua")
    with open(path, "w", encoding="utf-8") as file:
        file.write('return workflow { name = "get", summary = "one file", '
                   f'hosts = {{ "{peer.host}" }}, run = function()\n'
                   f'  retrieve.products({{ {{ access_url = "{url}", '
                   f'content_length = {len(NEW)} }} }}, {{ dir = ".", flat = true }})\nend }}\n')
    return [case.HALYARD, "run", path, "--allow-private-net", "-q", "-o", folder]


TOOLS = {"Halyard": halyard, "astroquery": astroquery, "aria2c -c": aria2,
         "curl -C - --retry": curl, "wget -c": wget}
PROGRAMS = {"aria2c -c": "aria2c", "curl -C - --retry": "curl", "wget -c": "wget"}


def became(tool, fault):
    """What a tool says of a fault, and what then is on the disk. A run that fails is made again,
    as people do; a file that is refused because another is there counts as a failure."""
    with tempfile.TemporaryDirectory() as place, Peer(FAULTS[fault]) as peer:
        folder = os.path.join(place, "out")
        os.mkdir(folder)
        target = os.path.join(folder, "a.fits")
        if fault in THERE:
            with open(target, "wb") as file:
                file.write(THERE[fault])
        command = TOOLS[tool](f"{peer.url}/a.fits", folder, peer)
        environment = {**os.environ, "HOME": place, "ASAN_OPTIONS": "verify_asan_link_order=0"}
        fast = case.with_clock(f"+0 x{case.HASTEN}") if tool == "Halyard" else []
        for _ in range(2):
            ended = subprocess.run([*fast, *command], capture_output=True, timeout=300, check=False,
                                   env=environment, cwd=folder)
            if ended.returncode == 0:
                break
        if ended.returncode != 0:
            return "fails"
        with open(target, "rb") as file:
            return "right" if file.read() == NEW else "WRONG"


class Liars(unittest.TestCase):
    def test_never_success_with_wrong_bytes(self):
        for fault in FAULTS:
            with self.subTest(fault):
                self.assertNotEqual(became("Halyard", fault), "WRONG")

    def test_what_can_be_had_right_is(self):
        for fault in ("connection closed in the middle, then good",
                      "closed in the middle, then another range than asked for",
                      "closed in the middle, then the file is another one",
                      "the same, and the rest is sent without a validator",
                      "the same, and the server has no validators",
                      "chunked, closed in the middle, then good"):
            with self.subTest(fault):
                self.assertEqual(became("Halyard", fault), "right")

    @case.needs("curl")
    def test_the_faults_bite(self):
        self.assertEqual(became("curl -C - --retry", "a page of HTML with status 200"), "WRONG")
        self.assertEqual(
            became("curl -C - --retry", "a shorter older file is there already"), "WRONG")


def version(tool):
    command = {"Halyard": [case.HALYARD, "version"], "astroquery": [
        "/usr/bin/python3", "-W", "ignore", "-c", "import astroquery; print(astroquery.__version__)"
    ]}.get(tool, [PROGRAMS.get(tool, ""), "--version"])
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return re.search(r"\d+\.\d+(\.\d+)?", said)[0]


def table():
    tools = [tool for tool in TOOLS if tool not in PROGRAMS or shutil.which(PROGRAMS[tool])]
    print("| fault | " + " | ".join(f"{tool} ({version(tool)})" for tool in tools) + " |")
    print("| --- |" + " --- |" * len(tools))
    for fault in FAULTS:
        said = [became(tool, fault) for tool in tools]
        print(f"| {fault} | " + " | ".join(f"**{word}**" if word == "WRONG" else word
                                           for word in said) + " |", flush=True)


if __name__ == "__main__":
    if sys.argv[1:] == ["--table"]:
        table()
    else:
        unittest.main(testRunner=rows.Runner)
