"""Supervisor → facade: one answer per command, with the command's id."""

from typing import Literal

import msgspec

from ..records import Choice, Containment
from .base import Message


class RunAccepted(Message, frozen=True, tag="accepted"):
    """The run is in the journal; it will reach exactly one end. `replayed`: an earlier start of the same key."""

    id: str
    run_id: str
    replayed: bool = False


class StopAccepted(Message, frozen=True, tag="stopping"):
    """The stop is in the journal; the run will end."""

    id: str
    run_id: str


class Refusal(Message, frozen=True, tag="refused"):
    """No, and why, for a person to read. `status`: of the run, where that is the reason."""

    id: str
    code: Literal[
        "run_not_found",
        "run_ended",
        "agent_not_found",
        "queue_full",
        "shutting_down",
        "run_exists",
        "journal_full",
        "idempotency_key_conflict",
        "run_live",
        "invalid_value",
        "run_not_live",
        "stack_unavailable",
        "agent_quarantined",
        "approval_not_active",
        "invalid_approval_choice",
        "steer_not_accepted",
        "steer_unanswered",
        "tree_full",
        "session_busy",
        "key_queue_full",
    ]
    message: str
    param: str | None = None
    status: str | None = None
    retry_after_s: float | None = None


class Pong(Message, frozen=True, tag="pong"):
    """Here, and this is how it stands."""

    id: str
    pid: int
    uptime_s: float
    live_runs: int
    queued_runs: int
    held_back: str | None = None  # why none of those that wait is begun, whatever slots there are


class AgentInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One registered agent, as `GET /v1/agents` shows it."""

    name: str
    description: str = ""
    kind: str | None = (
        None  # function, generator, …: known after the first run, since only walls import an agent
    )
    entrypoint: str = ""
    network: str = "none"
    restart: str = "temporary"
    limits: dict[str, float] = {}
    containment: Containment = Containment()
    health: Literal["ready", "starting", "down", "idle", "quarantined"] = "idle"
    live_runs: int = 0
    warnings: list[str] = []
    spawn: list[str] = []  # agents that its runs may start runs of
    work_folder: Literal["discard", "keep"] = "discard"  # what becomes of what its runs leave there


class Agents(Message, frozen=True, tag="agent_list"):
    """Every registered agent."""

    id: str
    agents: list[AgentInfo]


class RunsStopping(Message, frozen=True, tag="all_stopping"):
    """The stops of these runs are in the journal; each will end."""

    id: str
    run_ids: list[str]


class RunDeleted(Message, frozen=True, tag="deleted"):
    """Nothing of the run can be found any more."""

    id: str
    run_id: str


class Stack(Message, frozen=True, tag="stack"):
    """The stacks of all threads of the run's agent, as it wrote them: untrusted text."""

    id: str
    text: str


class FiguresTold(Message, frozen=True, tag="figures"):
    """By the names of Prometheus series; empty if they were not wanted. `pid`: the supervisor's."""

    id: str
    pid: int
    series: dict[str, float]


class ApprovalAnswered(Message, frozen=True, tag="approved"):
    """The answers of so many requests are in the journal; the agent will have them."""

    id: str
    run_id: str
    choice: Choice
    resolved: int


class RunSteered(Message, frozen=True, tag="steered"):
    """The agent took the guidance; `run.steered` is in the journal."""

    id: str
    run_id: str


class DeliveryNoted(Message, frozen=True, tag="delivery_noted"):
    """The journal has it, or has no such run any more."""

    id: str


FromSupervisor = (
    RunAccepted
    | StopAccepted
    | Refusal
    | Pong
    | Agents
    | RunsStopping
    | RunDeleted
    | Stack
    | FiguresTold
    | ApprovalAnswered
    | RunSteered
    | DeliveryNoted
)
