"""What can go wrong for a client of the API. Light on purpose: the command line always loads it."""

from typing import Any


class ClientError(Exception):
    """The base of what `ApiClient` raises. The message is for a person."""


class ServerUnreachable(ClientError):
    """No answer came from this URL; whether the request was acted on is not known."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(f"no runward answers at {url} ({why})")
        self.url = url


class ApiError(ClientError):
    """The server answered, and said no. `error` is the object it gave: message, type, code, param."""

    def __init__(self, status: int, error: dict[str, Any], retry_after_s: float | None = None) -> None:
        super().__init__(str(error.get("message") or f"the server answered with status {status}"))
        self.status = status
        self.error = error
        self.code = str(error.get("code") or "")
        self.retry_after_s = retry_after_s
