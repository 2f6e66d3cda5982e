# SPDX-License-Identifier: BSD-3-Clause
"""Bundles for archive_core_spec.lua, good and hostile, into the folder given."""
import gzip
import io
import pathlib
import random
import sys
import tarfile
import zipfile
import zlib

folder = pathlib.Path(sys.argv[1])


def zipped(name, members, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(folder / name, "w", method) as z:
        for member, content in members:
            z.writestr(member, content)


def tarred(name, members):
    with tarfile.open(folder / name, "w:gz") as t:
        for info, content in members:
            if isinstance(info, str):
                info = tarfile.TarInfo(info)
            info.size = len(content)
            t.addfile(info, io.BytesIO(content))


def special(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


two = [("MAST_1/HST/a.fits", b"hello"), ("MAST_1/HST/b.txt", b"")]
zipped("good.zip", two)
zipped("stored.zip", two, zipfile.ZIP_STORED)
zipped("other.zip", [("c.txt", b"other")])
tarred("good.tar.gz", two)
tarred("dots.tar.gz", [special("./", tarfile.DIRTYPE), ("./a.txt", b"hello")])
zipped("names.zip", [("-x.fits", b"1"), (".halyard/files", b"2"), ("CON", b"3"), ("an:b", b"4")])
zipped("empty.zip", [])

zipped("up.zip", [("a.txt", b"1"), ("../up.txt", b"2")])
zipped("inner-up.zip", [("a/../../up.txt", b"2")])
zipped("absolute.zip", [("/tmp/halyard-absolute.txt", b"2")])
zipped("drive.zip", [("C:/x.txt", b"2")])
zipped("backslash.zip", [("a\\..\\up.txt", b"2")])
zipped("twice.zip", [("a.txt", b"1"), ("b/../a.txt", b"2")])
tarred("same.tar.gz", [("a.txt", b"1"), ("a.txt", b"2")])
tarred("file-as-folder.tar.gz", [("a", b"1"), ("a/b", b"2")])
tarred("symlink.tar.gz", [special("l", tarfile.SYMTYPE, "/tmp"), ("l/x.txt", b"2")])
tarred("hardlink.tar.gz", [("a", b"1"), special("h", tarfile.LNKTYPE, "a")])
tarred("fifo.tar.gz", [special("p", tarfile.FIFOTYPE)])
tarred("device.tar.gz", [special("d", tarfile.CHRTYPE)])
link = zipfile.ZipInfo("l")
link.create_system, link.external_attr = 3, 0o120777 << 16
zipped("symlink.zip", [(link, b"/etc/passwd")])
zipped("deep.zip", [("d/" * 20 + "x", b"1")])
zipped("many.zip", [(f"{i}.txt", b"") for i in range(10001)], zipfile.ZIP_STORED)
zipped("bomb.zip", [("zeros", bytes(40 << 20))])
tarred("bomb.tar.gz", [("zeros", bytes(40 << 20))])

good = (folder / "good.zip").read_bytes()
(folder / "cut.zip").write_bytes(good[:len(good) // 2])
stored = bytearray((folder / "stored.zip").read_bytes())
stored[stored.index(b"hello")] ^= 1
(folder / "flipped.zip").write_bytes(stored)
packed = bytes((i * 7919) >> 3 & 255 for i in range(200000))
tarred("whole.tar.gz", [("a", packed)])
whole = (folder / "whole.tar.gz").read_bytes()
(folder / "cut.tar.gz").write_bytes(whole[:len(whole) // 2])
(folder / "message.zip").write_bytes(b'{"msg":"No TESS data"}')
(folder / "junk.tar.gz").write_bytes(b"\x1f\x8b" + zlib.compress(b"nothing"))

# Bytes that do not deflate, so a change of one stays one unless the check sum is looked at.
tar = io.BytesIO()
with tarfile.open(fileobj=tar, mode="w") as t:
    info = tarfile.TarInfo("noise")
    info.size = 400000
    t.addfile(info, io.BytesIO(random.Random(1).randbytes(info.size)))
tar = tar.getvalue()
noise = gzip.compress(tar, mtime=0)
for i, at in enumerate([*range(1000, len(noise) - 8, 20011), *range(len(noise) - 8, len(noise))]):
    changed = bytearray(noise)
    changed[at] ^= 0xff
    (folder / f"changed-{i}.tar.gz").write_bytes(changed)
for n in range(1, 9):
    (folder / f"short-{n}.tar.gz").write_bytes(noise[:-n])
(folder / "behind.tar.gz").write_bytes(noise + b"more")
(folder / "padded.tar.gz").write_bytes(noise + bytes(100000))
(folder / "members.tar.gz").write_bytes(gzip.compress(tar[:70000]) + gzip.compress(tar[70000:]))
(folder / "joined.tar.gz").write_bytes((folder / "good.tar.gz").read_bytes() + noise)
(folder / "zeros.tar.gz").write_bytes(
    (folder / "good.tar.gz").read_bytes() + gzip.compress(bytes(40 << 20)))

# One gzip member for each member of the tar, and one for its end: cut where a member ends.
pieces = []
with tarfile.open(folder / "pieces.tar", "w") as t:
    for info, content in [("a.txt", b"hello"), ("zeros", bytes(2048)), special("d", tarfile.DIRTYPE),
                          ("empty", b"")]:
        info = tarfile.TarInfo(info) if isinstance(info, str) else info
        info.size = len(content)
        t.addfile(info, io.BytesIO(content))
        pieces.append(t.offset)
tar = (folder / "pieces.tar").read_bytes()
packed = [gzip.compress(tar[a:b]) for a, b in zip([0, *pieces], [*pieces, len(tar)])]
(folder / "pieces.tar.gz").write_bytes(b"".join(packed))
for n in range(1, len(packed)):
    (folder / f"first-{n}.tar.gz").write_bytes(b"".join(packed[:n]))
(folder / "second-cut.tar.gz").write_bytes((folder / "good.tar.gz").read_bytes() + packed[0])
