"""What can go wrong for a client of the API. Light on purpose: the command line always loads it."""

from collections.abc import Mapping
from typing import Any

from ..actors.errors import RunwardError


class ClientError(RunwardError):
    """The base of what `Client` and `AsyncClient` raise. The message is for a person, and holds no secret."""


class ServerUnreachable(ClientError):
    """No answer came from this URL; whether the request was acted on is not known."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(f"no runward answers at {url} ({why})")
        self.url = url


class WaitTimeout(ClientError, TimeoutError):
    """The run had not ended in the time that the caller gave. It goes on."""


class ApiError(ClientError):
    """The server answered, and said no. `error` is the object it gave: message, type, code, param.

    `code` is "not_runward" where the answer can't be from a runward server.
    """

    def __init__(self, status: int, error: Mapping[str, Any], retry_after_s: float | None = None) -> None:
        super().__init__(str(error.get("message") or f"the server answered with status {status}"))
        self.status = status
        self.error = dict(error)
        self.code = str(error.get("code") or "")
        self.retry_after_s = retry_after_s


class InvalidRequest(ApiError):
    """The request itself is wrong (400, 413, 415); `error["param"]` may say where."""


class Unauthorized(ApiError):
    """The key is missing or wrong (401)."""


class Forbidden(ApiError):
    """The key lacks the right (403)."""


class RunNotFound(ApiError):
    """There is no such run, or it is not this key's to see."""


class RunEnded(ApiError):
    """The run is over, so it can't be stopped; `error["status"]` says how it ended."""


class AgentNotFound(ApiError):
    """The server declares no agent of that name."""


class Conflict(ApiError):
    """The run, or what an idempotency key stands for, is in a state that forbids this (409)."""


class LimitReached(ApiError):
    """Too much at once (429); try again after `retry_after_s`."""


class NotReady(ApiError):
    """The server answers but can't act just now: it restarts or shuts down (503)."""


_BY_CODE: dict[str, type[ApiError]] = {
    "run_not_found": RunNotFound,
    "run_ended": RunEnded,
    "agent_not_found": AgentNotFound,
}
_BY_STATUS: dict[int, type[ApiError]] = {
    400: InvalidRequest,
    401: Unauthorized,
    403: Forbidden,
    409: Conflict,
    413: InvalidRequest,
    415: InvalidRequest,
    429: LimitReached,
    503: NotReady,
}


def api_error(status: int, error: Mapping[str, Any], retry_after_s: float | None = None) -> ApiError:
    """The error that stands for this refusal: told by its code, else by its status."""
    kind = _BY_CODE.get(str(error.get("code"))) or _BY_STATUS.get(status, ApiError)
    return kind(status, error, retry_after_s)
