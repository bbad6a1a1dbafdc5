"""The stop ladder: interrupt, terminate, kill, each with its own time. Pure: no clock, no signal, no process.

A warden climbs it. `LADDER` decides every pair of rung and message; what it decides are steps for the warden to
take, in order. Two rules hold in every row: a ladder never goes down, and every wait on it has a deadline, so that
a run that was told to stop ends. Waiting for the kernel to finish a kill is not a rung: it is `KILLING`, until the
warden has reaped everything.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from typing import assert_never

from .messages.base import StopMode


class Rung(IntEnum):
    """Where the ladder stands. Order is height."""

    GROUND = 0  # the agent runs, nobody wants it to end
    LINGERING = 1  # the agent claimed its end and has the grace to go
    INTERRUPT = 2
    TERMINATE = 3
    KILL = 4
    OVER = 5  # the agent process is gone; what it left is being killed


class Step(StrEnum):
    """What the warden does next. A rung is reported before it is taken: a kill may take a while."""

    INTERRUPT = "deliver the interrupt message"
    TERMINATE = "send SIGTERM and SIGCONT"
    KILL = "kill everything of the run"
    REPORT = "tell the supervisor the rung"


@dataclass(frozen=True, slots=True)
class StopAsked:
    """Somebody wants the run to end, from this rung on."""

    mode: StopMode
    interrupt_grace_s: float
    terminate_grace_s: float


@dataclass(frozen=True, slots=True)
class Claimed:
    """The agent said that it is done; now it should exit."""

    grace_s: float


@dataclass(frozen=True, slots=True)
class Overdue:
    """The deadline of the rung has passed."""


@dataclass(frozen=True, slots=True)
class LimitHit:
    """The run broke a limit, or its supervisor is gone: no grace."""


@dataclass(frozen=True, slots=True)
class AgentGone:
    """The agent process ended, for whatever reason."""


LadderMessage = StopAsked | Claimed | Overdue | LimitHit | AgentGone


@dataclass(frozen=True, slots=True)
class Ladder:
    """The state. `wait_s`: how long to wait at this rung before `Overdue`; None: for ever (the ground) or no wait.

    `stopped`: a stop was in force before the agent claimed its end, so its end is a cancelling.
    """

    rung: Rung = Rung.GROUND
    wait_s: float | None = None
    terminate_grace_s: float = 0.0
    claimed: bool = False
    stopped: bool = False


Decision = tuple[Ladder, tuple[Step, ...]]

_BEGIN = {"interrupt": Rung.INTERRUPT, "terminate": Rung.TERMINATE, "kill": Rung.KILL}
_STEPS = {Rung.INTERRUPT: (Step.INTERRUPT,), Rung.TERMINATE: (Step.TERMINATE,), Rung.KILL: (Step.KILL,)}
MODES: dict[Rung, StopMode] = {
    Rung.INTERRUPT: "interrupt",
    Rung.TERMINATE: "terminate",
    Rung.KILL: "kill",
}


def climb(ladder: Ladder, message: LadderMessage) -> Decision:
    """The ladder after this message, and the steps that go with it. Every pair is decided."""
    match message:
        case StopAsked():
            return _asked(ladder, message)
        case Claimed():
            return _claimed(ladder, message)
        case Overdue():
            return _OVERDUE[ladder.rung](ladder)
        case LimitHit():
            return _at_least_kill(ladder)
        case AgentGone():
            return _gone(ladder)
        case _:
            assert_never(message)


def longest_s(asked: StopAsked) -> float:
    """How long after `asked` a warden may take to reach the kill. The supervisor waits this long, and a bit."""
    interrupt_s = asked.interrupt_grace_s if asked.mode == "interrupt" else 0.0
    terminate_s = asked.terminate_grace_s if asked.mode != "kill" else 0.0
    return interrupt_s + terminate_s


def _asked(ladder: Ladder, asked: StopAsked) -> Decision:
    """A first stop begins at its rung; a second moves one up at once; a kill goes straight there."""
    if ladder.rung >= Rung.KILL:
        return ladder, (Step.REPORT,)
    wanted = _BEGIN[asked.mode]
    rung = max(wanted, Rung(ladder.rung + 1)) if ladder.rung >= Rung.INTERRUPT else wanted
    stopped = ladder.stopped or not ladder.claimed
    return _stand(replace(ladder, stopped=stopped, terminate_grace_s=asked.terminate_grace_s), rung, asked)


def _stand(ladder: Ladder, rung: Rung, asked: StopAsked) -> Decision:
    wait_s = {Rung.INTERRUPT: asked.interrupt_grace_s, Rung.TERMINATE: asked.terminate_grace_s}.get(rung)
    return replace(ladder, rung=rung, wait_s=wait_s), (Step.REPORT, *_STEPS[rung])


def _claimed(ladder: Ladder, claimed: Claimed) -> Decision:
    """On the ground the grace begins; higher up the rung's own deadline goes on."""
    if ladder.claimed or ladder.rung is not Rung.GROUND:
        return replace(ladder, claimed=True), ()
    return replace(ladder, rung=Rung.LINGERING, wait_s=claimed.grace_s, claimed=True), ()


def _nothing(ladder: Ladder) -> Decision:
    return ladder, ()


def _to_terminate(ladder: Ladder) -> Decision:
    higher = replace(ladder, rung=Rung.TERMINATE, wait_s=ladder.terminate_grace_s)
    return higher, (Step.REPORT, Step.TERMINATE)


def _at_least_kill(ladder: Ladder) -> Decision:
    if ladder.rung >= Rung.KILL:
        return ladder, ()
    return replace(ladder, rung=Rung.KILL, wait_s=None), (Step.REPORT, Step.KILL)


def _gone(ladder: Ladder) -> Decision:
    """The agent may have left others behind, so its end is a kill of the rest, whatever the rung."""
    if ladder.rung is Rung.OVER:
        return ladder, ()
    return replace(ladder, rung=Rung.OVER, wait_s=None), (Step.KILL,)


_OVERDUE: dict[Rung, Callable[[Ladder], Decision]] = {
    Rung.GROUND: _nothing,  # a deadline that was cancelled too late
    Rung.LINGERING: _at_least_kill,
    Rung.INTERRUPT: _to_terminate,
    Rung.TERMINATE: _at_least_kill,
    Rung.KILL: _nothing,
    Rung.OVER: _nothing,
}
