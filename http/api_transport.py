"""One request to a runward server, by the standard library: it loads in a tenth of aiohttp's time.

A connection for each request, so that one client may be used by many threads. Nothing here knows a path.
"""

import json
import socket
from collections.abc import Mapping
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
        self._headers = {"Accept": "application/json"} | _authorization(key)
        self._timeout_s = timeout_s

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        timeout_s: float | None = None,
    ) -> Any:
        """The JSON that the server answers with; None for an empty answer. Blocks `timeout_s` at most.

        Raises ApiError when it says no, and ServerUnreachable when it says nothing.
        """
        response = self.open(method, path, body, timeout_s=timeout_s)
        with response:
            return _json(response, self.url)

    def open(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> HTTPResponse:
        """The answer with its body unread; the caller closes it. Raises as `ask` does."""
        connection = self._connection(timeout_s or self._timeout_s)
        sent = self._headers | {"Connection": "close"} | dict(headers or {})
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        try:
            connection.request(method, self._parts.path + path, data, sent)
            response = connection.getresponse()
        except (OSError, HTTPException) as error:
            connection.close()
            raise ServerUnreachable(self.url, reason(error)) from error
        if response.status not in OPENED:
            with response:
                raise _refusal(response, self.url)
        return response

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


def _json(response: HTTPResponse, url: str) -> Any:
    try:
        text = response.read()
        return json.loads(text) if text else None
    except (OSError, HTTPException) as error:
        raise ServerUnreachable(url, reason(error)) from error
    except ValueError as error:
        raise ApiError(response.status, _not_ours(response, url)) from error


def _refusal(response: HTTPResponse, url: str) -> ApiError:
    try:
        answer = _json(response, url)
    except ApiError as not_ours:
        return not_ours
    error = answer.get("error") if isinstance(answer, dict) else None
    wait = response.getheader("Retry-After") or ""
    return ApiError(
        response.status,
        error if isinstance(error, dict) else _not_ours(response, url),
        float(wait) if wait.isascii() and wait.isdigit() else None,
    )


def _not_ours(response: HTTPResponse, url: str) -> dict[str, Any]:
    message = f"what answers at {url} is not runward (status {response.status}); check the URL"
    return {"message": message, "type": "client_error", "code": "not_runward", "param": None}
