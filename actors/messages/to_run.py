"""Supervisor → warden: what is asked of a run."""

from ..records import Choice, RunInput, Usage
from .base import Message, StopMode


class Go(Message, frozen=True, tag="go"):
    """Let the agent begin, with this. `limits`: those that the warden holds, by their names in the settings;
    `leaf_limits_memory`: whether the run's cgroup holds that, which on version 1 kills one process where the whole
    run is to end.
    """

    given: RunInput
    limits: dict[str, float] = {}
    leaf_limits_memory: bool = False


class Stop(Message, frozen=True, tag="stop"):
    """Climb the ladder from `mode`. The warden holds these deadlines by itself, whatever becomes of the supervisor.

    A second one moves to the next rung at once. `message` is what the agent's `interrupt` is called with.
    """

    command_id: str
    mode: StopMode
    interrupt_grace_s: float
    terminate_grace_s: float
    message: str


class EventsAcked(Message, frozen=True, tag="acked"):
    """Events up to `n` are in the journal: cumulative credit."""

    n: int


class ExitAcked(Message, frozen=True, tag="exit_acked"):
    """The exit record is in the journal: exit."""


class TakeStack(Message, frozen=True, tag="take_stack"):
    """Have the agent write its stacks. Answered by `StackTaken` within `stack_pipe.MOST_S`."""

    command_id: str


class Answer(Message, frozen=True, tag="answer"):
    """A request of the agent is answered. Said again until `AnswerTaken` comes; the agent hears it once."""

    request_id: str
    choice: Choice
    note: str | None = None
    timed_out: bool = False


class Steer(Message, frozen=True, tag="steer"):
    """Guidance for the agent. Answered by `SteerTaken` within `relaying.OVERDUE_S`, each time it is said."""

    command_id: str
    text: str


class Spawned(Message, frozen=True, tag="spawned"):
    """The wish `n` is this run, which is in the journal."""

    n: int
    child_run_id: str


class NotSpawned(Message, frozen=True, tag="not_spawned"):
    """No run came of the wish `n`, and why, for a person to read."""

    n: int
    code: str
    message: str


class ChildGone(Message, frozen=True, tag="child_gone"):
    """A child has ended, and nothing of it is left. `output`: JSON text, empty for none."""

    child_run_id: str
    status: str
    reason: str | None
    output: bytes
    error: str | None
    usage: Usage


ToRun = Go | Stop | EventsAcked | ExitAcked | TakeStack | Answer | Steer | Spawned | NotSpawned | ChildGone
