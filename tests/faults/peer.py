# SPDX-License-Identifier: BSD-3-Clause
"""A loopback HTTP server that misbehaves byte for byte, and counts what it was asked (fault matrix,
column S)."""
import email.utils
import fcntl
import hashlib
import re
import socket
import struct
import termios
import threading
import time


class Gone(Exception):
    """The connection has ended."""


class Request:
    """What a client asked: `number` from 0 over all connections, `again` from 0 over those of the
    same target, `connection` from 0, `at` in seconds of the monotonic clock."""

    def __init__(self, number, again, connection, head, body):
        lines = head.decode("latin-1").split("\r\n")
        self.number, self.again, self.connection = number, again, connection
        self.at, self.body = time.monotonic(), body
        self.method, self.target, _ = lines[0].split(" ", 2)
        self.path = self.target.split("?")[0]
        self.headers = {name.lower(): value.strip()
                        for name, value in (line.split(":", 1) for line in lines[1:] if ":" in line)}

    def offset(self):
        """First byte of a range to the end; None: the whole is asked for."""
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("range", ""))
        return int(found[1]) if found else None


class Wire:
    """The server's end of one connection. Everything raises Gone once it has ended."""

    def __init__(self, peer, connection):
        self.peer, self.connection, self.buffer = peer, connection, b""
        self.counted = False  # among the requests under way

    def receive(self, ending):
        """Bytes up to and with `ending`."""
        while ending not in self.buffer:
            more = self.connection.recv(65536)
            if not more:
                raise Gone
            self.buffer += more
        at = self.buffer.index(ending) + len(ending)
        out, self.buffer = self.buffer[:at], self.buffer[at:]
        return out

    def take(self, n):
        while len(self.buffer) < n:
            more = self.connection.recv(65536)
            if not more:
                raise Gone
            self.buffer += more
        out, self.buffer = self.buffer[:n], self.buffer[n:]
        return out

    def send(self, text):
        """Exactly these bytes."""
        self.connection.sendall(text if isinstance(text, bytes) else text.encode("latin-1"))

    def drip(self, text, pause_s, piece=1):
        """A piece at a time."""
        for at in range(0, len(text), piece):
            self.send(text[at:at + piece])
            self.wait(pause_s)

    def wait(self, seconds):
        if self.peer.stopping.wait(seconds):
            raise Gone

    def arrived(self):
        """Waits until all that was sent lies with the client, who reads it even after a reset."""
        while struct.unpack("i", fcntl.ioctl(self.connection, termios.TIOCOUTQ, bytes(4)))[0]:
            self.wait(0.01)

    def hold(self):
        """Says nothing more until the client leaves."""
        while self.connection.recv(65536):
            pass
        raise Gone

    def over(self):
        """The client may take the answer for ended from here on: its request counts no more."""
        with self.peer.lock:
            self.peer.at_once -= self.counted
            self.counted = False

    def close(self):
        """An orderly end."""
        raise Gone

    def reset(self):
        """RST instead of an end."""
        self.over()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        raise Gone

    def answer(self, body=b"", status="200 OK", **headers):
        """A well-formed answer. `Content_Type="text/csv"` is a header; one that is None is left
        out."""
        body = body if isinstance(body, bytes) else body.encode()
        lines = {"Content_Length": len(body), "Date": email.utils.formatdate(usegmt=True), **headers}
        head = "".join(f"{name.replace('_', '-')}: {value}\r\n"
                       for name, value in lines.items() if value is not None)
        whole = f"HTTP/1.1 {status}\r\n{head}\r\n".encode("latin-1") + body
        self.send(whole[:-1])
        self.over()
        self.send(whole[-1:])

    def file(self, request, content, **headers):
        """`content` as a good server sends a file: entity tag, ranges and If-Range."""
        tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        kind = {"ETag": tag, "Accept_Ranges": "bytes", "Content_Type": "application/octet-stream",
                **headers}
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
        if not found or request.headers.get("if-range", tag) != tag:
            return self.answer(content, **kind)
        first, last = int(found[1]), min(int(found[2] or len(content)), len(content) - 1)
        if first > last:
            return self.answer(status="416 Range Not Satisfiable",
                               Content_Range=f"bytes */{len(content)}")
        return self.answer(content[first:last + 1], "206 Partial Content",
                           Content_Range=f"bytes {first}-{last}/{len(content)}", **kind)


class Peer:
    """Serves `answer(request, wire)`, on a thread for each connection. A connection serves on when
    `answer` returns, and ends when it raises Gone."""

    def __init__(self, answer, tls=None):
        self.answer, self.tls = answer, tls
        self.requests, self.lock, self.stopping = [], threading.Lock(), threading.Event()
        self.at_once = self.most_at_once = self.n_connections = self.n_open = 0
        self.ended = set()  # the clients' ports
        self.asked = {}
        self.failure = None  # what went wrong in `answer` itself
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"{'https' if tls else 'http'}://{self.host}"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stopping.set()
        # Closed alone, it goes on listening in `accept`, on a port that may be given out again.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        if self.failure:
            raise self.failure

    def settle(self):
        """Waits until all that clients which have ended had sent is read and counted."""
        with socket.socket() as last:  # connections are accepted in their order
            last.bind(("127.0.0.1", 0))
            port = last.getsockname()[1]
            self.ended.discard(port)
            last.connect(("127.0.0.1", self.port))
        while self.n_open or port not in self.ended:
            time.sleep(0.001)
        self.n_connections -= 1

    def _accept(self):
        while not self.stopping.is_set():
            try:
                connection, client = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.n_open += 1
            threading.Thread(target=self._serve, args=(connection, client[1]),
                             daemon=True).start()

    def _serve(self, connection, port):
        with self.lock:
            number_of_connection, self.n_connections = self.n_connections, self.n_connections + 1
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
            wire = Wire(self, connection)
            while True:
                head = wire.receive(b"\r\n\r\n")
                n = re.search(rb"(?im)^content-length: *(\d+)", head)
                body = wire.take(int(n[1])) if n else b""
                with self.lock:
                    target = head.split(b" ", 2)[1]
                    again = self.asked.get(target, 0)
                    self.asked[target] = again + 1
                    request = Request(len(self.requests), again, number_of_connection, head, body)
                    self.requests.append(request)
                    self.at_once += 1
                    wire.counted = True
                    self.most_at_once = max(self.most_at_once, self.at_once)
                try:
                    self.answer(request, wire)
                finally:
                    wire.over()
        except (Gone, OSError):
            pass
        except Exception as failure:  # pylint: disable=broad-except
            self.failure = failure
        finally:
            connection.close()
            with self.lock:
                self.n_open -= 1
                self.ended.add(port)
