"""One table from what went wrong to a status code, and the one shape of every error answer (OpenAI's).

Actors never learn a status code; handlers raise a `Problem` or let an actor's error through.
"""

import math
from typing import NamedTuple

import msgspec

from ..actors import errors
from .schemas import Error, ErrorAnswer


class Kind(NamedTuple):
    """What a code means to HTTP, and the OpenAI `type` of it."""

    status: int
    type: str


_INVALID = "invalid_request_error"
_LIMIT = "rate_limit_error"
_SERVER = "server_error"

KINDS: dict[str, Kind] = {
    "bad_request": Kind(400, _INVALID),
    "invalid_json": Kind(400, _INVALID),
    "invalid_value": Kind(400, _INVALID),
    "missing_field": Kind(400, _INVALID),
    "invalid_cursor": Kind(400, _INVALID),
    "unsupported_parameter": Kind(400, _INVALID),
    "previous_response_not_found": Kind(400, _INVALID),
    "response_ended": Kind(400, _INVALID),
    "invalid_approval_choice": Kind(400, _INVALID),
    "invalid_api_key": Kind(401, _INVALID),
    "forbidden": Kind(403, _INVALID),
    "cross_site_request": Kind(403, _INVALID),
    "origin_not_allowed": Kind(403, _INVALID),
    "not_found": Kind(404, _INVALID),
    "run_not_found": Kind(404, _INVALID),
    "run_ended": Kind(404, _INVALID),
    "agent_not_found": Kind(404, _INVALID),
    "file_not_found": Kind(404, _INVALID),
    "files_not_kept": Kind(404, _INVALID),
    "model_not_found": Kind(404, _INVALID),
    "response_not_found": Kind(404, _INVALID),
    "method_not_allowed": Kind(405, _INVALID),
    "request_timeout": Kind(408, _INVALID),
    "run_exists": Kind(409, _INVALID),
    "run_live": Kind(409, _INVALID),
    "idempotency_key_conflict": Kind(409, _INVALID),
    "run_not_live": Kind(409, _INVALID),
    "file_unreadable": Kind(409, _INVALID),
    "run_cancelled": Kind(409, _INVALID),
    "approval_not_active": Kind(409, _INVALID),
    "steer_not_accepted": Kind(409, _INVALID),
    "tree_full": Kind(409, _INVALID),
    "session_busy": Kind(409, _INVALID),
    "body_too_large": Kind(413, _INVALID),
    "not_json": Kind(415, _INVALID),
    "expectation_failed": Kind(417, _INVALID),
    "wrong_host": Kind(421, _INVALID),
    "queue_full": Kind(429, _LIMIT),
    "key_queue_full": Kind(429, _LIMIT),
    "headers_too_large": Kind(431, _INVALID),
    "internal_error": Kind(500, _SERVER),
    "run_failed": Kind(502, _SERVER),
    "too_many_connections": Kind(503, _SERVER),
    "supervisor_unreachable": Kind(503, _SERVER),
    "agent_quarantined": Kind(503, _SERVER),
    "shutting_down": Kind(503, _SERVER),
    "stack_unavailable": Kind(504, _SERVER),
    "steer_unanswered": Kind(504, _SERVER),
    "journal_full": Kind(507, _SERVER),
}

RETRY_AFTER_S = 1.0
RETRIED = frozenset({429, 503, 507})


class Problem(Exception):
    """An answer that is an error. `message` tells a person what to do; it must hold no secret."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        param: str | None = None,
        run_status: str | None = None,
        retry_after_s: float | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.kind = KINDS.get(code, KINDS["internal_error"])
        self.param = param
        self.run_status = run_status
        self.retry_after_s = retry_after_s
        self.more_headers = headers or {}

    @property
    def headers(self) -> dict[str, str]:
        """The headers that belong to this error."""
        if self.kind.status not in RETRIED:
            return self.more_headers
        wait_s = RETRY_AFTER_S if self.retry_after_s is None else self.retry_after_s
        return {**self.more_headers, "Retry-After": str(max(1, math.ceil(wait_s)))}

    @property
    def body(self) -> bytes:
        """The JSON body."""
        status = msgspec.UNSET if self.run_status is None else self.run_status
        return msgspec.json.encode(
            ErrorAnswer(Error(str(self), self.kind.type, self.code, self.param, status))
        )


def from_actors(error: errors.RunwardError) -> Problem:
    """What an error of the actors is to a client."""
    if isinstance(error, errors.Refused):
        return Problem(
            error.code,
            str(error),
            param=error.param,
            run_status=error.status,
            retry_after_s=error.retry_after_s,
        )
    if isinstance(error, errors.AskTimeout | errors.Unreachable | errors.BadMessage):
        return Problem(
            "supervisor_unreachable",
            "The supervisor does not answer. Try again in a moment; a run whose start was not answered may "
            "still begin, so look at GET /v1/runs before you start it again.",
        )
    return Problem("internal_error", "Something went wrong in the server; its log says what.")


def from_http(status: int) -> Problem:
    """What an error that aiohttp itself raised is to a client."""
    code, message = _HTTP.get(status, _HTTP[400] if status < 500 else _HTTP[500])
    return Problem(code, message)


_HTTP: dict[int, tuple[str, str]] = {
    400: ("bad_request", "This is not a valid HTTP request; the connection is closed."),
    404: ("not_found", "There is nothing at this path. Check it against the documentation."),
    405: (
        "method_not_allowed",
        "This path does not take this method; the Allow header names those it takes.",
    ),
    413: ("body_too_large", "The body is too large. Send less, or raise http.max_body_bytes."),
    417: ("expectation_failed", "Only 'Expect: 100-continue' is understood. Leave the Expect header out."),
    431: (
        "headers_too_large",
        "The request line or a header is too long. Send less, or raise http.max_header_bytes.",
    ),
    500: ("internal_error", "Something went wrong in the server; its log says what."),
}
