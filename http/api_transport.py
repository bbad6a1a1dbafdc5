"""One request to a runward server, by the standard library: it loads in a tenth of aiohttp's time.

A connection for each request, so that one client may be used by many threads. Nothing here knows a path.
"""

import json
import socket
from codecs import getincrementaldecoder
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any, TypeVar

from . import api_calls
from .api_address import Address
from .api_calls import Call
from .api_errors import ServerUnreachable

T = TypeVar("T")

CHUNK_BYTES = 65_536


class Reply:
    """An answer whose body is still to be read."""

    def __init__(self, url: str, response: HTTPResponse, connected: socket.socket) -> None:
        self.status = response.status
        self.retry_after = response.headers.get("Retry-After") or ""
        self._url = url
        self._response = response
        self._connected = connected

    def read(self) -> bytes:
        """All of it. Raises ServerUnreachable."""
        try:
            return self._response.read()
        except (OSError, HTTPException) as error:
            raise ServerUnreachable(self._url, reason(error)) from error

    def read_some(self, timeout_s: float | None) -> bytes:
        """What there is, once there is something; empty at the end. Raises ServerUnreachable. None: for ever."""
        try:
            self._connected.settimeout(timeout_s)
            return self._response.read1(CHUNK_BYTES)
        except (OSError, HTTPException) as error:
            raise ServerUnreachable(self._url, reason(error)) from error

    @property
    def is_whole(self) -> bool:
        """Whether all came that was promised, once nothing more comes."""
        return not self._response.length


class Transport:
    """How to reach one server, which may be silent for `timeout_s`."""

    def __init__(self, address: Address, timeout_s: float) -> None:
        self.address = address
        self.timeout_s = timeout_s

    @property
    def url(self) -> str:
        """The server's, without a slash at its end."""
        return self.address.url

    def ask(self, call: Call[T], timeout_s: float | None = None) -> T:
        """What the server answers. Blocks. Raises ApiError when it says no, ServerUnreachable if nothing."""
        with self.open(call.method, call.path, call.body, call.headers, timeout_s) as reply:
            return api_calls.understood(call, self.url, reply.status, reply.retry_after, reply.read())

    def text(
        self, path: str, timeout_s: float | None = None, silence_s: float | None = None
    ) -> Generator[str, None, None]:
        """A text, as it comes. `silence_s`: how long the server may say nothing in its middle; None: for ever.

        Blocks. Raises as `ask`.
        """
        decoder = getincrementaldecoder("utf-8")("replace")
        with self.open("GET", path, timeout_s=timeout_s) as reply:
            if reply.status not in api_calls.OPENED:
                raise api_calls.refusal(self.url, reply.status, reply.retry_after, reply.read())
            while chunk := reply.read_some(silence_s):
                yield decoder.decode(chunk)

    @contextmanager
    def open(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> Iterator[Reply]:
        """The answer with its body unread; its connection is closed in the end. Raises ServerUnreachable."""
        with (
            closing(self._connection(timeout_s or self.timeout_s)) as connection,
            self._answer(connection, method, path, body, headers or {}) as (response, connected),
        ):
            yield Reply(self.url, response, connected)

    @contextmanager
    def _answer(
        self,
        connection: HTTPConnection,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        headers: Mapping[str, str],
    ) -> Iterator[tuple[HTTPResponse, socket.socket]]:
        sent = self.address.headers | {"Connection": "close"} | dict(headers)
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        try:
            connection.request(method, self.address.path + path, data, sent)
            connected = connection.sock  # with the answer the connection lets go of it
            response = connection.getresponse()
        except (OSError, HTTPException) as error:
            raise ServerUnreachable(self.url, reason(error)) from error
        with response:
            yield response, connected

    def _connection(self, timeout_s: float) -> HTTPConnection:
        kind = HTTPSConnection if self.address.secure else HTTPConnection
        return kind(self.address.host, self.address.port, timeout=timeout_s)


def reason(error: BaseException) -> str:
    """Why a connection failed, in a few words for a person."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, socket.gaierror):
        return "no such host"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__
