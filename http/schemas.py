"""The JSON bodies of the HTTP surface, in and out. The OpenAPI document is made from these.

In bodies that come in, null is the same as absent; what is not named here is ignored, and said to be.
"""

from typing import Annotated, Any, Literal

import msgspec

from ..actors.containment.report import Report
from ..actors.messages.answers import AgentInfo
from ..actors.messages.base import StopMode
from ..actors.records import (
    HIGHEST_PRIORITY,
    LOWEST_PRIORITY,
    Containment,
    Crash,
    Exit,
    Reason,
    Status,
    Usage,
)


class StartBody(msgspec.Struct):
    """`POST /v1/runs`. `input`: the message, or a list of messages whose last is the message.

    `on_conflict`: what it does while another run of its session has not ended. `priority`: the higher is first.
    `history`: whether it is given what earlier runs of its session were given and said.
    `on_disconnect`: what becomes of the run when the client leaves the stream that it asked for.
    """

    input: str | list[dict[str, Any]] | None = None
    agent: str | None = None
    instructions: str | None = None
    conversation_history: list[dict[str, Any]] | None = None
    session_id: str | None = None
    on_conflict: Literal["queue", "reject", "interrupt", "parallel"] | None = None
    priority: Annotated[int, msgspec.Meta(ge=LOWEST_PRIORITY, le=HIGHEST_PRIORITY)] | None = None
    history: Literal["none", "session"] | None = None
    model: str | None = None
    metadata: dict[str, str] | None = None
    limits: dict[str, Any] | None = None
    parent_run_id: str | None = None
    on_disconnect: Literal["continue", "stop"] | None = None
    webhook: "WebhookBody | None" = None


class WebhookBody(msgspec.Struct, forbid_unknown_fields=True):
    """Who is told of the end of the run. What signs it is the server's, so there is no secret here."""

    url: str


class StopBody(msgspec.Struct):
    """`POST /v1/runs/{id}/stop`. `wait`: answer when it is over, with the run object."""

    mode: StopMode | None = None
    grace_s: float | None = None
    reason: str | None = None
    wait: bool | None = None


class KillBody(msgspec.Struct):
    """`POST /v1/runs/{id}/kill`."""

    reason: str | None = None
    wait: bool | None = None


class ApprovalBody(msgspec.Struct):
    """`POST /v1/runs/{id}/approval`. `choice`: once, session, always or deny; approve and allow are once.

    `request_id`: which request; else the oldest, or with `all` all of them. `note`: for the agent.
    """

    choice: str | None = None
    request_id: str | None = None
    all: bool | None = None
    note: str | None = None


class SteerBody(msgspec.Struct):
    """`POST /v1/runs/{id}/steer`: the guidance, under any of these names."""

    input: str | None = None
    message: str | None = None
    text: str | None = None


class StopAllBody(msgspec.Struct):
    """`POST /v1/runs/stop`: what all have in common, or `all`; then as in `StopBody`."""

    all: bool | None = None
    status: Status | None = None
    agent: str | None = None
    session_id: str | None = None
    mode: StopMode | None = None
    grace_s: float | None = None
    reason: str | None = None


class SessionBody(msgspec.Struct):
    """`POST /v1/session`: a key, or the one-time token of the link."""

    key: str | None = None
    token: str | None = None


class Started(msgspec.Struct):
    """The run is journalled and will reach exactly one end."""

    run_id: str
    status: Literal["started"] = "started"


class Stopping(msgspec.Struct):
    """The stop is journalled and the run will end."""

    run_id: str
    status: Literal["stopping"] = "stopping"


class ApprovalResponse(msgspec.Struct):
    """The answers of `resolved` requests are journalled; the agent will have them, once."""

    run_id: str
    choice: str
    resolved: int
    object: Literal["run.approval_response"] = "run.approval_response"


class Steered(msgspec.Struct):
    """The agent took the guidance."""

    run_id: str
    accepted: Literal[True] = True
    object: Literal["run.steer"] = "run.steer"


class AllStopping(msgspec.Struct):
    """The stops of these runs are journalled and each will end."""

    stopping: list[str]


class ProcessView(msgspec.Struct):
    """What a live run uses now. `pid`: the agent's, on the host; the rest counts its warden too."""

    pid: int | None
    processes: int
    rss_bytes: int
    cpu_s: float


class WebhookView(msgspec.Struct, kw_only=True):
    """How far it came to tell the webhook of the run's end. `url` is without its query."""

    url: str
    state: Literal["pending", "delivered", "given_up"]
    tries: int
    error: str | None
    told_at: float | None


class RunView(msgspec.Struct, kw_only=True):
    """The run object. `exit` and `containment` are null until known, `process` once the run is over.

    `next_attempt_at`, `first_crash`, `last_crash`: null but for runs of agents that ask for restarts. `rung`: where
    its stop stands (interrupt, terminate, kill), null where nobody stopped it.
    """

    object: Literal["run"] = "run"
    run_id: str
    agent: str
    status: Status
    reason: Reason | None
    created_at: float
    started_at: float | None
    updated_at: float
    ended_at: float | None
    attempt: int
    session_id: str | None
    parent_run_id: str | None
    metadata: dict[str, str]
    model: str | None
    output: msgspec.Raw | None
    error: str | None
    usage: Usage
    last_event: str | None
    last_seq: int
    exit: Exit | None
    containment: Containment | None
    process: ProcessView | None
    next_attempt_at: float | None
    first_crash: Crash | None
    last_crash: Crash | None
    webhook: WebhookView | None
    rung: str | None


class RunList(msgspec.Struct, kw_only=True):
    """Runs, newest first. `next`: the `before` of the next page."""

    object: Literal["list"] = "list"
    data: list[RunView]
    has_more: bool
    next: str | None


class FileView(msgspec.Struct):
    """A file that a run keeps. `path`: from its work folder, what is no UTF-8 as \\xNN; `href`: where it is."""

    path: str
    href: str
    size_bytes: int
    modified_at: float


class FileList(msgspec.Struct, kw_only=True):
    """The files that a run keeps, by path. Not `complete`: there are more, too deep or too many to list."""

    object: Literal["list"] = "list"
    data: list[FileView]
    complete: bool


class AgentList(msgspec.Struct, kw_only=True):
    """Every registered agent."""

    object: Literal["list"] = "list"
    data: list[AgentInfo]


class Health(msgspec.Struct):
    """Whether the supervisor answers."""

    status: Literal["ok", "down"]


class SessionView(msgspec.Struct, kw_only=True):
    """The session that the cookie beside this holds."""

    object: Literal["session"] = "session"
    name: str
    role: str
    expires_at: float


class WhoAmI(msgspec.Struct, kw_only=True):
    """`GET /v1/session`: who the caller is; null where he has neither key nor session."""

    object: Literal["session"] = "session"
    name: str | None = None
    role: str | None = None


class SupervisorHealth(msgspec.Struct):
    """How the one process stands that owns all live runs.

    `held_back`: why no run is begun, whatever slots there are; null if runs are.
    """

    pid: int
    uptime_s: float
    live_runs: int
    queued_runs: int
    held_back: str | None = None


class AgentHealth(msgspec.Struct):
    """One agent: `health` as in `AgentInfo`."""

    name: str
    health: str
    live_runs: int
    warnings: list[str]


class DetailedHealth(msgspec.Struct):
    """`GET /health/detailed`. `supervisor` and `agents` are null while the supervisor does not answer."""

    status: str
    version: str
    containment: Report
    supervisor: SupervisorHealth | None = None
    agents: list[AgentHealth] | None = None


class Error(msgspec.Struct):
    """What went wrong. `message` says what to do about it; `status`: of the run, where that is the reason."""

    message: str
    type: str
    code: str
    param: str | None
    status: str | msgspec.UnsetType = msgspec.UNSET


class ErrorAnswer(msgspec.Struct):
    """Every answer that is an error."""

    error: Error
