"""Facade → supervisor: commands. Each carries an id; sent again, it is the same command."""

from typing import Literal

from ..records import Choice, RunInput, Status
from .base import Message, StopMode


class StartRun(Message, frozen=True, tag="start"):
    """Journal a new run and admit it. Answered by `RunAccepted` or `Refusal`.

    `run_id` is the facade's proposal; a run that takes a spare has the spare's. A repeated command starts no second
    run. `idempotency_key`: the client's, for one run per owner, key and `body_hash`; another body is refused.
    `on_conflict`, `history` None: as the agent's configuration has it.
    """

    id: str
    run_id: str
    owner: str
    agent: str
    given: RunInput
    parent_run_id: str | None = None
    limits: dict[str, float] = {}
    idempotency_key: str | None = None
    body_hash: bytes = b""
    on_conflict: Literal["queue", "reject", "interrupt", "parallel"] | None = None
    priority: int = 0
    history: Literal["none", "session"] | None = None
    webhook: str | None = None
    trace_parent: str = ""  # of the span of the request (W3C Trace Context), where requests have some


class StopRun(Message, frozen=True, tag="stop"):
    """Journal the wish to end a run and begin its ladder at `mode`. Answered by `StopAccepted` or `Refusal`.

    `owner` None means any run; else another key's run is `run_not_found`. A grace of None is the configured one.
    """

    id: str
    run_id: str
    owner: str | None
    mode: StopMode = "interrupt"
    grace_s: float | None = None
    reason: str | None = None


class Ping(Message, frozen=True, tag="ping"):
    """Are you there? Answered by `Pong`."""

    id: str


class AskAgents(Message, frozen=True, tag="agents"):
    """What agents are registered? Answered by `Agents`."""

    id: str


class StopRuns(Message, frozen=True, tag="stop_all"):
    """`StopRun` for every unended run that matches all that is not None. Answered by `RunsStopping`."""

    id: str
    owner: str | None
    status: Status | None = None
    agent: str | None = None
    session_id: str | None = None
    mode: StopMode = "interrupt"
    grace_s: float | None = None
    reason: str | None = None


class DeleteRun(Message, frozen=True, tag="delete"):
    """Forget an ended run and all that is kept of it. Answered by `RunDeleted` or `Refusal`."""

    id: str
    run_id: str
    owner: str | None


class AskStack(Message, frozen=True, tag="ask_stack"):
    """Where is the run's agent in its code? Answered by `Stack` or `Refusal`. `owner` as in `StopRun`."""

    id: str
    run_id: str
    owner: str | None


class AskFigures(Message, frozen=True, tag="ask_figures"):
    """How does everything stand, in figures? And this is what the asking facade counted. Answered by `FiguresTold`.

    `life`: the facade's name, "/", and what no other process has. `counters`: since it began; `gauges`: now.
    Not `wanted`: it only reports.
    """

    id: str
    life: str
    counters: dict[str, float]
    gauges: dict[str, float]
    wanted: bool = True


class AnswerApproval(Message, frozen=True, tag="approve"):
    """Answer what the run waits for: this request, else the oldest, or `all`. Answered by `ApprovalAnswered` or
    `Refusal`. `owner` as in `StopRun`.
    """

    id: str
    run_id: str
    owner: str | None
    choice: Choice
    request_id: str | None = None
    all: bool = False
    note: str | None = None


class SteerRun(Message, frozen=True, tag="steer_run"):
    """Give a live run guidance. Answered by `RunSteered` once its agent took it, or `Refusal`. `owner` as above."""

    id: str
    run_id: str
    owner: str | None
    text: str


class NoteDelivery(Message, frozen=True, tag="note_delivery"):
    """The run's end was told to its webhook for the `tries`-th time. Answered by `DeliveryNoted`.

    `error`: why in vain, None if it was taken. `final`: there is no use in telling it again.
    """

    id: str
    run_id: str
    tries: int
    error: str | None = None
    final: bool = False


ToSupervisor = (
    StartRun
    | StopRun
    | Ping
    | AskAgents
    | StopRuns
    | DeleteRun
    | AskStack
    | AskFigures
    | AnswerApproval
    | SteerRun
    | NoteDelivery
)
