"""Every request of a client, and what its answer means. Pure: the transports send these and hand back the bytes."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from ..actors.messages.base import StopMode
from .api_errors import ApiError, api_error
from .api_types import FilePage, Input, RunFilters, RunInfo, RunPage, StartOptions, StopFilters
from .schemas import AgentList, AllStopping, ApprovalResponse, Health, Started, Steered, Stopping

T = TypeVar("T")

PAGE = 200  # the most that the server gives at once
OPENED = range(200, 300)
NO_CONTENT = 204


class Call(NamedTuple, Generic[T]):
    """One request. `answer`: what comes back; `accepts`: a status beyond 2xx with which it may come."""

    method: str
    path: str
    answer: type[T]
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = MappingProxyType({})
    accepts: int = 0


def start(
    input: Input, agent: str | None, idempotency_key: str | None, options: StartOptions
) -> Call[Started]:
    """Start a run."""
    headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
    body = {"input": input, **_given({"agent": agent, **options})}
    return Call("POST", "/v1/runs", Started, body, headers)


def get(run_id: str) -> Call[RunInfo]:
    """The run object."""
    return Call("GET", run_path(run_id), RunInfo)


def page(filters: RunFilters, before: str | None) -> Call[RunPage]:
    """One page of the list of runs."""
    query = _given({**filters, "limit": str(PAGE), "before": before})
    return Call("GET", f"/v1/runs?{urlencode(query)}", RunPage)


def stop(run_id: str, mode: StopMode | None, grace_s: float | None, reason: str | None) -> Call[Stopping]:
    """Ask for the run's end."""
    body = _given({"mode": mode, "grace_s": grace_s, "reason": reason})
    return Call("POST", f"{run_path(run_id)}/stop", Stopping, body)


def kill(run_id: str, reason: str | None) -> Call[Stopping]:
    """Ask for the run's end with no grace."""
    return Call("POST", f"{run_path(run_id)}/kill", Stopping, _given({"reason": reason}))


def files(run_id: str) -> Call[FilePage]:
    """The files that the run keeps."""
    return Call("GET", f"{run_path(run_id)}/files", FilePage)


def stop_all(
    filters: StopFilters, mode: StopMode | None, grace_s: float | None, reason: str | None
) -> Call[AllStopping]:
    """Ask for the end of all that match; of all there are, where nothing is said that they must match."""
    wanted = _given(filters) or {"all": True}
    body = _given({**wanted, "mode": mode, "grace_s": grace_s, "reason": reason})
    return Call("POST", "/v1/runs/stop", AllStopping, body)


def logs_path(run_id: str, stream: str | None, tail: int | None, follow: bool) -> str:
    """Where what it wrote is."""
    query = urlencode(_given({"stream": stream, "tail": tail, "follow": "1" if follow else None}))
    return f"{run_path(run_id)}/logs" + (f"?{query}" if query else "")


def approve(
    run_id: str, choice: str, request_id: str | None, all: bool, note: str | None
) -> Call[ApprovalResponse]:
    """Answer what the run asks."""
    body = _given({"choice": choice, "request_id": request_id, "all": all or None, "note": note})
    return Call("POST", f"{run_path(run_id)}/approval", ApprovalResponse, body)


def steer(run_id: str, text: str) -> Call[Steered]:
    """Give a live run guidance."""
    return Call("POST", f"{run_path(run_id)}/steer", Steered, {"input": text})


def agents() -> Call[AgentList]:
    """The registered agents."""
    return Call("GET", "/v1/agents", AgentList)


def health() -> Call[Health]:
    """Whether the server works; it says "down" with a 503."""
    return Call("GET", "/health", Health, accepts=503)


def run_path(run_id: str) -> str:
    """Where a run is; the id is one part of the path, whatever it holds."""
    return f"/v1/runs/{quote(run_id, safe='')}"


def understood(call: Call[T], url: str, status: int, retry_after: str, body: bytes) -> T:
    """What the answer to a call says. Raises ApiError where it says no, or is no runward's."""
    if status in OPENED or status == call.accepts:
        try:
            return msgspec.json.decode(body, type=call.answer)
        except ValueError as error:  # msgspec's errors are, and so is text that is not UTF-8
            if status in OPENED:
                raise _not_ours(status, url) from error
    raise refusal(url, status, retry_after, body)


def refusal(url: str, status: int, retry_after: str, body: bytes) -> ApiError:
    """The error that an answer stands for that says no. `retry_after`: that header, or empty."""
    try:
        error = msgspec.json.decode(body, type=dict[str, Any]).get("error")
    except ValueError:
        error = None
    if not isinstance(error, dict):
        return _not_ours(status, url)
    is_number = retry_after.isascii() and retry_after.isdigit()
    return api_error(status, error, float(retry_after) if is_number else None)


def _not_ours(status: int, url: str) -> ApiError:
    message = f"what answers at {url} is not runward (status {status}); check the URL"
    error = {"message": message, "type": "client_error", "code": "not_runward", "param": None}
    return ApiError(status, error)


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}
