"""Lives of runs to judge: plans, records, and histories of what the lifecycle decided."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from runward.actors.lifecycle import (
    Admitted,
    Answered,
    AnswerTaken,
    Asked,
    Effect,
    Greeted,
    LifeMessage,
    Misbehaved,
    NotForked,
    Phase,
    Recorded,
    Silent,
    State,
    StopPlan,
    StopWanted,
    Stuck,
    WardenForked,
    WardenGone,
    step,
)
from runward.actors.messages.from_run import ExitRecord
from runward.actors.records import ApprovalAnswer, ApprovalRequest

PLAN = StopPlan("stop_1", "interrupt", 5.0, 2.0)
SHUTDOWN = StopPlan("", "interrupt", 5.0, 2.0, shutdown=True)


def a_record(**facts: Any) -> ExitRecord:
    """The record of an agent that returned nothing and exited with 0, but for these facts."""
    plain: dict[str, Any] = {
        "last_n": 0,
        "code": 0,
        "signal": None,
        "rung": None,
        "stopped": False,
        "limit": None,
        "claim": None,
        "took_ms": None,
        "proof": "pidns",
        "survivors": [],
        "max_rss_bytes": 1,
        "cpu_s": 0.0,
        "stderr_tail": "",
        "ended_at": 0.0,
    }
    return ExitRecord(**plain | facts)


ADMITTED = Admitted()
FORKED = WardenForked()
NOT_FORKED = NotForked("the kernel said no")
GREETED = Greeted()
STOP = StopWanted(PLAN)
RECORDED = Recorded(a_record())
SILENT = Silent("it did not come")
MISBEHAVED = Misbehaved("it lied")
GONE = WardenGone()
STUCK = Stuck((7, 8))
ASKED = Asked((ApprovalRequest("approval_1_1", ("once", "deny")),))
ANSWERED = Answered((ApprovalAnswer("approval_1_1", "once"),))
ANSWER_TAKEN = AnswerTaken("approval_1_1")

#: One of each.
MESSAGES: tuple[LifeMessage, ...] = (
    *(ADMITTED, FORKED, NOT_FORKED, GREETED, STOP, RECORDED, SILENT, MISBEHAVED, GONE, STUCK),
    *(ASKED, ANSWERED, ANSWER_TAKEN),
)


@dataclass(frozen=True)
class Turn:
    """One message, the states around it, and what was decided."""

    before: State
    message: LifeMessage
    after: State
    effects: tuple[Effect, ...]


def live(messages: Iterable[LifeMessage], state: State | None = None) -> list[Turn]:
    """The life of an attempt that hears these messages, from the queue on or from this state."""
    state = state or State()
    turns = []
    for message in messages:
        after, effects = step(state, message)
        turns.append(Turn(state, message, after, effects))
        state = after
    return turns


def height(phase: Phase) -> int:
    """How far along a life is in this phase."""
    return list(Phase).index(phase)
