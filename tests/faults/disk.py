# SPDX-License-Identifier: BSD-3-Clause
"""A disk that loses what was not saved: replays a trace of a run's calls and gives every state that
a loss of power may leave."""
import os
import re

CALLS = ("mkdir,mkdirat,openat,ftruncate,pwrite64,write,fsync,fdatasync,rename,renameat,renameat2,"
         "unlink,unlinkat,linkat")
STRACE = ["strace", "-f", "-qq", "-y", "-xx", "-s", "400000", "-e", f"trace={CALLS}"]
TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
PLACE = re.compile(r"<((?:\\x[0-9a-f]{2})*)>")


def _bytes(text):
    return bytes.fromhex(text.replace("\\x", ""))


def _calls(trace):
    """Name, arguments and result of each call, in the order in which they ended."""
    begun = {}
    for line in trace:
        pid, text = line.rstrip("\n").split(None, 1)
        if text.endswith("<unfinished ...>"):
            begun[pid] = text[:-len("<unfinished ...>")]
            continue
        if text.startswith("<..."):
            text = begun.pop(pid) + text.split("resumed>", 1)[1]
        found = re.fullmatch(r"(\w+)\((.*)\)\s+= (\d+)(?:<.*>)?", text)  # those that failed do nothing
        if found:
            yield found[1], found[2], int(found[3])


class Disk:
    """`names`: path below the root -> file or None for a folder; `saved_names`: those on the disk.
    A file is [content, saved content]."""

    def __init__(self, root, folders, posix):
        self.root, self.posix = root.encode() + b"/", posix
        self.names, self.saved_names = dict.fromkeys(folders), dict.fromkeys(folders)

    def below(self, path):
        """"" for the root."""
        return (path + b"/")[len(self.root):-1].decode() if (path + b"/").startswith(self.root) else None

    def do(self, call, arguments, result):
        """Returns whether anything below the root changed."""
        places = [_bytes(place) for place in PLACE.findall(arguments)]
        texts = [_bytes(text) for text in TEXT.findall(arguments)]
        if call in ("mkdir", "rename", "unlink"):
            paths = texts
        elif call in ("write", "pwrite64", "ftruncate", "fsync", "fdatasync"):
            paths = places
        else:
            paths = [os.path.join(place, text) for place, text in zip(places, texts)]
        paths = [self.below(os.path.normpath(path)) for path in paths]
        if not paths or paths[0] is None:
            return False
        path, file = paths[0], self.names.get(paths[0])
        if call in ("mkdir", "mkdirat"):
            self.names[path] = None
        elif call == "openat":
            if "O_CREAT" not in arguments or path in self.names:
                return False
            self.names[path] = [b"", b""]
        elif call == "ftruncate":
            file[0] = file[0][:int(arguments.rsplit(",", 1)[1])]
        elif call == "write":
            file[0] += texts[0][:result]
        elif call == "pwrite64":
            at = int(arguments.rsplit(",", 1)[1])
            file[0] = file[0][:at].ljust(at, b"\0") + texts[0][:result] + file[0][at + result:]
        elif call in ("fsync", "fdatasync"):
            if file:
                file[1] = file[0]
            if not self.posix:
                self.saved_names = dict(self.names)
            elif not file:
                self.saved_names = {
                    name: what for names, here in ((self.saved_names, False), (self.names, True))
                    for name, what in names.items() if (os.path.dirname(name) == path) == here}
        elif call.startswith("rename"):
            self.names[paths[1]] = self.names.pop(path)
        elif call.startswith("unlink"):
            del self.names[path]
        else:
            self.names[paths[1]] = file
        return True

    def is_saved(self, path):
        return not path or path in self.saved_names and self.is_saved(os.path.dirname(path))

    def states(self):
        """Path -> content, None for a folder."""
        yield {path: file and file[0] for path, file in self.names.items()}  # all is saved
        yield {path: file and file[1] for path, file in self.saved_names.items()
               if self.is_saved(path)}  # nothing else is
        yield {path: file and file[1] + file[0][len(file[1]):][:100]
               for path, file in self.names.items()}  # the beginnings of what was added are
        # The names and sizes are, the data are not.
        yield {path: file and file[1][:len(file[0])].ljust(len(file[0]), b"\0")
               for path, file in self.names.items()}


def after_power_loss(root, folders, trace, posix):
    """All states of the folder `root` that had only `folders`, each once. A file system with a journal saves all names with
    every file; POSIX promises those of a folder when that is saved."""
    disk, seen = Disk(root, folders, posix), set()
    for call in _calls(trace):
        if not disk.do(*call):
            continue
        for state in disk.states():
            state.pop(".halyard/lock", None)  # says who had it, to people
            key = hash(frozenset(state.items()))
            if key not in seen:
                seen.add(key)
                yield state
