# SPDX-License-Identifier: BSD-3-Clause
"""A small raw-socket server of files for tests of downloads: quick enough for a hundred thousand,
with answers that a test can change while it runs."""
import asyncio
import contextlib
import threading
import urllib.parse


class Files:
    """`answers[path]`: bytes of a whole answer, or a function of the request (method, path, headers)
    that gives them; any other path /f/N is a small file. `log`: (method, path) of every request."""

    def __init__(self):
        self.answers, self.log, self.keep_log = {}, [], True
        self.url = self.host = None

    @staticmethod
    def body(path):
        return b"the file " + path.encode() + b"\n"

    @staticmethod
    def answer(body, *headers, status="200 OK"):
        head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
        return "\r\n".join(head).encode() + b"\r\n\r\n" + body

    def reply(self, method, path, headers):
        if self.keep_log:
            self.log.append((method, path))
        given = self.answers.get(path)
        if callable(given):
            given = given(method, path, headers)
        if given is None:
            if not path.startswith("/f/"):
                return self.answer(b"no such file", status="404 Not Found")
            given = self.answer(self.body(path), f'ETag: "{len(path)}"')
        if method == "HEAD":
            given = given.split(b"\r\n\r\n", 1)[0] + b"\r\n\r\n"
        return given

    def count(self, method, part):
        return sum(1 for m, path in self.log if m == method and part in path)


class Connection(asyncio.Protocol):
    def __init__(self, files):
        self.files, self.held = files, b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.held += data
        while b"\r\n\r\n" in self.held:
            head, self.held = self.held.split(b"\r\n\r\n", 1)
            first, *lines = head.decode("latin-1").split("\r\n")
            method, target, _ = first.split(" ")
            headers = {name.lower(): value.strip()
                       for name, value in (line.split(":", 1) for line in lines)}
            self.transport.write(self.files.reply(method, urllib.parse.unquote(target), headers))


@contextlib.contextmanager
def serving():
    """A server of its own, in a thread."""
    files, loop, ready = Files(), asyncio.new_event_loop(), threading.Event()

    server = []

    async def start():
        server.append(await loop.create_server(lambda: Connection(files), "127.0.0.1", 0))
        port = server[0].sockets[0].getsockname()[1]
        files.host, files.url = f"127.0.0.1:{port}", f"http://127.0.0.1:{port}"
        ready.set()

    def run():
        asyncio.set_event_loop(loop)
        loop.run_until_complete(start())
        loop.run_forever()
        server[0].close()
        loop.run_until_complete(server[0].wait_closed())
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    ready.wait()
    try:
        yield files
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
