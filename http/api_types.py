"""What a client is given: runs and their events as typed objects.

Tolerant where a newer server may say more than this client knows: unknown fields are passed over, and whatever
is no closed set in the contract is plain text.
"""

from typing import Any, Literal, TypedDict

import msgspec

from ..actors.records import Containment, Crash, Exit, Status, Usage

#: The message for the agent, or messages {role, content} of which the last is the message and the rest history.
Input = str | list[dict[str, Any]]
OnConflict = Literal["queue", "reject", "interrupt", "parallel"]
ENDS = frozenset({"run.completed", "run.failed", "run.cancelled"})


class StartOptions(TypedDict, total=False):
    """What a start may say beside the input and the agent; CONTRACT 2. `limits` may only tighten.

    `on_conflict`: what it does while another run of its session has not ended. `priority`: -10 to 10, the higher is
    first. `history` "session": it is given what earlier runs of its session were given and said. `webhook`: its `url`
    is told of the end.
    """

    instructions: str | None
    conversation_history: list[dict[str, Any]] | None
    session_id: str | None
    on_conflict: OnConflict | None
    priority: int | None
    history: Literal["none", "session"] | None
    model: str | None
    metadata: dict[str, str] | None
    limits: dict[str, float] | None
    parent_run_id: str | None
    webhook: dict[str, str] | None


class RunFilters(TypedDict, total=False):
    """Which runs to list; None is any."""

    status: str | None
    agent: str | None
    session_id: str | None
    parent_run_id: str | None


class StopFilters(TypedDict, total=False):
    """Which runs to stop; None is any, and what is given must all match."""

    status: str | None
    agent: str | None
    session_id: str | None


class ProcessInfo(msgspec.Struct, frozen=True):
    """What a live run uses now. `pid`: the agent's, on the server's machine; the rest counts its warden too."""

    pid: int | None = None
    processes: int = 0
    rss_bytes: int = 0
    cpu_s: float = 0.0


class WebhookInfo(msgspec.Struct, frozen=True):
    """How far the server came to tell a webhook of the run's end. `url` is without its query."""

    url: str
    state: str
    tries: int = 0
    error: str | None = None
    told_at: float | None = None


class RunInfo(msgspec.Struct, kw_only=True, frozen=True):
    """The run object (CONTRACT 3) as it was when the server was asked. Times are Unix seconds.

    `reason` tells ends apart: None until then. `exit` is the receipt: what ended it, and what proves it.
    """

    object: Literal["run"] = "run"
    run_id: str
    agent: str
    status: Status
    reason: str | None = None
    created_at: float
    started_at: float | None = None
    updated_at: float = 0.0
    ended_at: float | None = None
    attempt: int = 1
    session_id: str | None = None
    parent_run_id: str | None = None
    metadata: dict[str, str] = {}
    model: str | None = None
    output: Any = None
    error: str | None = None
    usage: Usage = Usage()
    last_event: str | None = None
    last_seq: int = 0
    exit: Exit | None = None
    containment: Containment | None = None
    process: ProcessInfo | None = None
    next_attempt_at: float | None = None
    first_crash: Crash | None = None
    last_crash: Crash | None = None
    webhook: WebhookInfo | None = None
    rung: str | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing of the run is left."""
        return self.status.ended

    def document(self) -> dict[str, Any]:
        """The run object as plain JSON data."""
        document: dict[str, Any] = msgspec.to_builtins(self)
        return document


class FileInfo(msgspec.Struct, frozen=True):
    """A file that a run keeps. `path`: from its work folder, in the agent's words; `href`: on the server."""

    path: str
    href: str
    size_bytes: int = 0
    modified_at: float = 0.0


class FilePage(msgspec.Struct, frozen=True):
    """The files that a run keeps, by path; not `complete` if there are more, too deep or too many to list."""

    data: list[FileInfo]
    complete: bool = True


class RunPage(msgspec.Struct, frozen=True):
    """Some runs, newest first. `next`: the `before` of the next page."""

    data: list[RunInfo]
    has_more: bool = False
    next: str | None = None


class Event(msgspec.Struct, frozen=True):
    """One event of a run: its name, its number in the run from 1, when it happened, and its own fields.

    `stream.gap` admits that events are lost (`from` … `to` in its fields); its `seq` is the last of them.
    """

    event: str
    run_id: str
    seq: int
    timestamp: float | None = None
    fields: dict[str, Any] = {}

    @property
    def ends_run(self) -> bool:
        """Whether it is the run's last."""
        return self.event in ENDS

    @property
    def text(self) -> str:
        """What the agent said, where this is a `message.delta`; else empty."""
        return str(self.fields.get("delta", "")) if self.event == "message.delta" else ""

    def document(self) -> dict[str, Any]:
        """The event as plain JSON data."""
        head: dict[str, Any] = {"event": self.event, "run_id": self.run_id, "seq": self.seq}
        return head | ({} if self.timestamp is None else {"timestamp": self.timestamp}) | self.fields
