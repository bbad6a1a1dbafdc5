"""One small POST by a bare socket: for a stop that is on its way before a client is even loaded.

It knows just as much HTTP as that needs: the status of the answer. Whoever wants more asks `api_client.py`.
"""

import json
import socket
from collections.abc import Mapping
from contextlib import closing
from typing import Any

from .api_address import Address
from .api_errors import ServerUnreachable

MOST_BYTES = 4096  # of an answer, until its first line is over


def post(address: Address, path: str, body: Mapping[str, Any], timeout_s: float) -> int | None:
    """The status of the answer. None: nothing was sent, since this does not reach that server.

    Raises ServerUnreachable where something was sent, and whether it was acted on is not known.
    """
    if address.secure:
        return None
    try:
        connected = socket.create_connection((address.host, address.port or 80), timeout_s)
    except OSError:
        return None
    with closing(connected):
        try:
            connected.sendall(_request(address, path, json.dumps(body).encode()))
            return _status(connected)
        except OSError as error:
            raise ServerUnreachable(address.url, error.strerror or "no answer in time") from error
        except ValueError as error:
            raise ServerUnreachable(address.url, "what answers is not runward") from error


def _request(address: Address, path: str, body: bytes) -> bytes:
    host = f"[{address.host}]" if ":" in address.host else address.host
    headers = {
        "Host": host if address.port is None else f"{host}:{address.port}",
        **address.headers,
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Connection": "close",
    }
    lines = [f"POST {address.path}{path} HTTP/1.1", *(f"{name}: {text}" for name, text in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _status(connected: socket.socket) -> int:
    answer = b""
    while b"\r\n" not in answer:
        more = connected.recv(MOST_BYTES)
        if not more or len(answer) > MOST_BYTES:
            raise ValueError("the answer has no first line")
        answer += more
    version, status, *_ = answer.split(None, 2)
    if not version.startswith(b"HTTP/"):
        raise ValueError("the answer is not HTTP")
    return int(status)
