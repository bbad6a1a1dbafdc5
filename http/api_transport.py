"""One request to a runward server, by the standard library: it loads in a tenth of aiohttp's time.

A connection for each request, so that one client may be used by many threads. Nothing here knows a path.
"""

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import SplitResult, urlsplit

from .api_errors import ApiError, ServerUnreachable

OPENED = range(200, 300)


class Transport:
    """How to reach one server. Raises ValueError for a URL or a key that can't be one."""

    def __init__(self, url: str, key: str | None, timeout_s: float) -> None:
        self.url = url.rstrip("/")
        self._parts = _split(self.url)
        self.headers = {"Accept": "application/json"} | _authorization(key)
        self._timeout_s = timeout_s

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        having: str = "",
        timeout_s: float | None = None,
    ) -> dict[str, Any]:
        """The JSON object that the server answers with. Blocks `timeout_s` at most.

        Raises ApiError when it says no, or is no runward (whose answer has a field `having`), and
        ServerUnreachable when it says nothing.
        """
        with self.open(method, path, body, timeout_s=timeout_s) as response:
            return _object(response, self.url, having)

    @contextmanager
    def open(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> Iterator[HTTPResponse]:
        """The answer with its body unread; its connection is closed in the end. Raises as `ask` does."""
        with (
            closing(self._connection(timeout_s or self._timeout_s)) as connection,
            self._answer(connection, method, path, body, headers or {}) as response,
        ):
            if response.status not in OPENED:
                raise _refusal(response, self.url)
            yield response

    def _answer(
        self, connection: HTTPConnection, method: str, path: str, body: Any, headers: Mapping[str, str]
    ) -> HTTPResponse:
        sent = self.headers | {"Connection": "close"} | dict(headers)
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        try:
            connection.request(method, self._parts.path + path, data, sent)
            return connection.getresponse()
        except (OSError, HTTPException) as error:
            raise ServerUnreachable(self.url, reason(error)) from error

    def _connection(self, timeout_s: float) -> HTTPConnection:
        kind = HTTPSConnection if self._parts.scheme == "https" else HTTPConnection
        return kind(self._parts.hostname or "", self._parts.port, timeout=timeout_s)


def reason(error: Exception) -> str:
    """Why a connection failed, in a few words for a person."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, socket.gaierror):
        return "no such host"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__


def _split(url: str) -> SplitResult:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"{url!r} is not the URL of a server, such as http://127.0.0.1:8642")
    if parts.username is not None:
        raise ValueError("the URL must not hold a user or a password; give the key as RUNWARD_API_KEY")
    _ = parts.port  # raises ValueError where it is none
    return parts


def _authorization(key: str | None) -> dict[str, str]:
    if key is None:
        return {}
    if not (key and key.isascii() and key.isprintable() and " " not in key):
        raise ValueError("the API key holds characters that no key can hold")
    return {"Authorization": f"Bearer {key}"}


def _object(response: HTTPResponse, url: str, having: str) -> dict[str, Any]:
    try:
        document = json.loads(response.read())
    except (OSError, HTTPException) as error:
        raise ServerUnreachable(url, reason(error)) from error
    except ValueError as error:
        raise ApiError(response.status, _not_ours(response, url)) from error
    if isinstance(document, dict) and having in {"", *document}:
        return document
    raise ApiError(response.status, _not_ours(response, url))


def _refusal(response: HTTPResponse, url: str) -> ApiError:
    try:
        error = _object(response, url, having="error")["error"]
    except ApiError as not_ours:
        return not_ours
    wait = response.getheader("Retry-After") or ""
    return ApiError(
        response.status,
        error if isinstance(error, dict) else _not_ours(response, url),
        float(wait) if wait.isascii() and wait.isdigit() else None,
    )


def _not_ours(response: HTTPResponse, url: str) -> dict[str, Any]:
    message = f"what answers at {url} is not runward (status {response.status}); check the URL"
    return {"message": message, "type": "client_error", "code": "not_runward", "param": None}
