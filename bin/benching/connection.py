"""One kept-alive HTTP/1.1 connection on a plain blocking socket: the load client must cost next to nothing.

It knows just as much HTTP as our own server speaks to it: answers with a length, and chunked event streams.
"""

import re
import socket
import time
from collections.abc import Iterator

READ_BYTES = 1 << 18
END_OF_HEAD = b"\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"
TERMINAL = re.compile(rb'"event":"run\.(completed|failed|cancelled)"')
SEAM_BYTES = 64  # a terminal event's name may lie across two reads
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Refused(Exception):
    """The server's answer was not the one that the load needs; the message quotes it."""


class Connection:
    """To one server. For one thread; requests are made one after another."""

    def __init__(self, address: tuple[str, int], timeout_s: float = 60.0) -> None:
        self.socket = socket.create_connection(address, timeout_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._host = f"{address[0]}:{address[1]}".encode()

    def post(self, path: str, body: bytes) -> bytes:
        """The body of a 2xx answer; raises `Refused` for any other."""
        self.send(b"POST", path, body)
        return self._answer()

    def get(self, path: str) -> bytes:
        """The same."""
        self.send(b"GET", path)
        return self._answer()

    def send(self, method: bytes, path: str, body: bytes | None = None, accept: bytes = b"") -> None:
        """Only ask."""
        head = b"%b %b HTTP/1.1\r\nHost: %b\r\n" % (method, path.encode(), self._host)
        if accept:
            head += b"Accept: %b\r\n" % accept
        if body is not None:
            head += b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(body)
        self.socket.sendall(head + b"\r\n" + (body or b""))

    def stream(self, path: str, body: bytes | None = None) -> Iterator[tuple[float, bytes]]:
        """The parts of an event stream as they come, still chunked, each with the moment that it came.

        With a `body` it is POSTed. Reads the answer to its end, so that the connection can be used again. Raises
        `Refused`.
        """
        self.send(b"GET" if body is None else b"POST", path, body, b"text/event-stream")
        head, rest = self.begin_stream()
        tail = b""
        while True:
            if rest:
                yield time.time(), rest
                tail = (tail + rest)[-len(LAST_CHUNK) :]
                if tail == LAST_CHUNK:
                    return
            rest = self.socket.recv(READ_BYTES)
            if not rest:
                raise Refused(f"the stream broke off after {head[:80]!r}")

    def begin_stream(self) -> tuple[bytes, bytes]:
        """The head of the answer, and what came with it."""
        head, rest = self._head()
        if b" 200 " not in head[:16]:
            raise Refused(f"{head[:200]!r} {rest[:300]!r}")
        return head, rest

    def close(self) -> None:
        """Hang up."""
        self.socket.close()

    def _head(self) -> tuple[bytes, bytes]:
        received = b""
        while END_OF_HEAD not in received:
            more = self.socket.recv(READ_BYTES)
            if not more:
                raise Refused(f"the server hung up after {received[:200]!r}")
            received += more
        head, _, rest = received.partition(END_OF_HEAD)
        return head, rest

    def _answer(self) -> bytes:
        head, body = self._head()
        found = _LENGTH.search(head)
        length = int(found[1]) if found else 0
        while len(body) < length:
            body += self.socket.recv(READ_BYTES)
        if head[9:10] != b"2":
            raise Refused(f"{head[:30]!r} {body[:300]!r}")
        return body


def unchunked(raw: bytes) -> bytes:
    """The content of a whole chunked body (RFC 9112, 7.1)."""
    parts: list[bytes] = []
    at = 0
    while True:
        line_end = raw.index(b"\r\n", at)
        size = int(raw[at:line_end], 16)
        if size == 0:
            return b"".join(parts)
        parts.append(raw[line_end + 2 : line_end + 2 + size])
        at = line_end + 2 + size + 2


class SeamCounter:
    """Counts a word in bytes that come cut anywhere: once each, also where a cut goes through it."""

    def __init__(self, word: bytes) -> None:
        self.count = 0
        self._word = word
        self._tail = b""

    def feed(self, part: bytes) -> int:
        """How many this part completes."""
        text = self._tail + part
        found = text.count(self._word)
        self._tail = text[len(text) - len(self._word) + 1 :] if len(text) >= len(self._word) else text
        self.count += found
        return found
