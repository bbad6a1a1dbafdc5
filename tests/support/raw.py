"""Connections that do what no HTTP client does: send slowly, never read, close one half, only sit there."""

import json
import resource
import select
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

from .waiting import AT_LAST_S

READ_AT_ONCE = 65_536
PACE_S = 0.02  # between two bytes of somebody who sends slowly


@contextmanager
def dialled(url: str, receive_bytes: int | None = None) -> Iterator[socket.socket]:
    """A connection to the server. `receive_bytes`: of the kernel's buffer for what we don't read."""
    address = urlsplit(url)
    with socket.socket() as connection:
        if receive_bytes is not None:  # before it connects, or the window is larger already (tcp(7))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        connection.settimeout(AT_LAST_S)
        connection.connect((address.hostname, address.port))
        yield connection


@contextmanager
def many_dialled(url: str, count: int, receive_bytes: int | None = None) -> Iterator[list[socket.socket]]:
    """So many connections at once."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 2 * count)), hard))
    try:
        with ExitStack() as open_:
            yield [open_.enter_context(dialled(url, receive_bytes)) for _ in range(count)]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def request(method: str, path: str, *headers: str, body: object = None) -> bytes:
    """A request as it goes over the wire. `body` is sent as JSON, bytes as they are; no key."""
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *headers]
    if data:
        lines += ["Content-Type: application/json", f"Content-Length: {len(data)}"]
    return "\r\n".join([*lines, "", ""]).encode() + data


def slowly(connection: socket.socket, data: bytes) -> int:
    """Send a byte at a time until the server has had enough (it answers or closes); how many were sent."""
    for sent in range(len(data)):
        if _is_readable(connection, PACE_S):
            return sent
        connection.send(data[sent : sent + 1])
    return len(data)


def send_what_is_taken(connection: socket.socket, data: bytes) -> None:
    """Send it, or as much as the server takes before it has had enough."""
    try:
        connection.sendall(data)
    except (BrokenPipeError, ConnectionResetError):
        pass


def rest(connection: socket.socket) -> bytes:
    """All that still comes until the server closes; a reset is an end, too."""
    received = b""
    try:
        while chunk := connection.recv(READ_AT_ONCE):
            received += chunk
    except ConnectionResetError:
        pass
    except TimeoutError as error:
        raise AssertionError(f"the server did not close; it said {received[-500:]!r}") from error
    return received


def readable(connections: list[socket.socket]) -> list[socket.socket]:
    """Those on which something came, or that the server closed."""
    watched = select.poll()
    by_number = {connection.fileno(): connection for connection in connections}
    for number in by_number:
        watched.register(number, select.POLLIN)
    return [by_number[number] for number, _ in watched.poll(0)]


def until(connection: socket.socket, mark: bytes) -> bytes:
    """What comes up to and with `mark`, and what came along behind it."""
    received = bytearray()
    while received.find(mark, max(0, len(received) - READ_AT_ONCE - len(mark))) < 0:
        chunk = connection.recv(READ_AT_ONCE)
        assert chunk, f"closed before {mark!r}: {received[-500:]!r}"
        received += chunk
    return bytes(received)


def reset(connection: socket.socket) -> None:
    """Close it so that the server gets an RST, as from a client whose machine fell over (SO_LINGER of 0)."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def _is_readable(connection: socket.socket, within_s: float) -> bool:
    watched = select.poll()
    watched.register(connection, select.POLLIN)
    return bool(watched.poll(within_s * 1000))
