"""Warden → supervisor: what becomes of a run. `Hello` first, `Exited` last and once, nothing after."""

from typing import Literal

import msgspec

from ..records import LimitReason, NetworkUse, ProcessIdentity, RunInput, Usage
from .base import Message, StopMode


class Hello(Message, frozen=True, tag="hello"):
    """The agent process exists, blocked, and waits for `Go`. First, and again after each reconnection."""

    run_id: str
    attempt: int
    warden: ProcessIdentity
    agent: ProcessIdentity
    last_n: int = 0


class Events(Message, frozen=True, tag="events"):
    """A numbered batch: events `n` … `n + count - 1`, one JSON object a line, each line ended by a newline.

    At most `events.batches_in_flight` batches are unacked; then the warden leaves the agent's socket alone.
    """

    run_id: str
    attempt: int
    n: int
    count: int
    blob: bytes


class RungReached(Message, frozen=True, tag="rung"):
    """The ladder stands at this rung now. Acknowledges the `Stop` of that command id."""

    run_id: str
    attempt: int
    command_id: str
    rung: StopMode


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """What the agent process said of itself before it ended. A claim, checked for form, believed for nothing else.

    `output` is JSON text, empty for none.
    """

    kind: Literal["completed", "exception", "start_failed", "interrupted"]
    output: bytes = b""
    error: str | None = None
    usage: Usage | None = None


class ExitRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The warden's last word: cause, usage and proof of one attempt's end. The journal has it before it is acked.

    `proof`: "pidns" (the warden is init and reaped to ECHILD; the kernel ends the rest with it) or "echild".
    """

    last_n: int
    code: int | None
    signal: int | None
    rung: StopMode | None  # the rung that was in force when the agent ended
    stopped: bool  # a stop was in force before the agent claimed its end: the end is a cancelling
    limit: LimitReason | None  # the limit that ended it
    claim: Claim | None
    took_ms: float | None
    proof: str
    survivors: list[int]
    max_rss_bytes: int
    cpu_s: float
    stderr_tail: str
    ended_at: float
    kind: str | None = None  # what the entrypoint was
    network: NetworkUse | None = None  # what its proxy passed on, if it had one
    refusals: list[str] = []  # what its proxy refused, and why: the first of them


class Exited(Message, frozen=True, tag="exited"):
    """Nothing of the run is left but the warden, which exits once this is acked."""

    run_id: str
    attempt: int
    record: ExitRecord


class StackTaken(Message, frozen=True, tag="stack_taken"):
    """What the agent wrote when it was asked for its stacks, or why it wrote nothing. Answers `TakeStack`."""

    run_id: str
    attempt: int
    command_id: str
    text: str
    error: str | None = None


class AnswerTaken(Message, frozen=True, tag="answer_taken"):
    """The warden has the `Answer` to this request; the agent is told, or is past it."""

    run_id: str
    attempt: int
    request_id: str


class SteerTaken(Message, frozen=True, tag="steer_taken"):
    """What became of a `Steer`. `why`: the agent did not take it; None: it did, and `run.steered` was sent before."""

    run_id: str
    attempt: int
    command_id: str
    why: str | None = None


class SpawnRun(Message, frozen=True, tag="spawn"):
    """The agent wants a child run. `n`: the number of this wish in the attempt, so that said again it is the same.

    Answered by `Spawned` or `NotSpawned`, and when the child has ended by `ChildGone`.
    """

    run_id: str
    attempt: int
    n: int
    agent: str
    given: RunInput
    limits: dict[str, float] = {}


class AskChild(Message, frozen=True, tag="ask_child"):
    """The agent wants this child of its run to end, for the `stops`-th time (0: not at all), and to know its end.

    Answered by `ChildGone`, once it has ended.
    """

    run_id: str
    attempt: int
    child_run_id: str
    stops: int = 0


FromRun = Hello | Events | RungReached | Exited | StackTaken | AnswerTaken | SteerTaken | SpawnRun | AskChild
