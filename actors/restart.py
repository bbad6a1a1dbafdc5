"""How often a process of ours, or a run, may fall over and is begun again. Pure; the words are OTP's.

A temporary run is never begun again, a transient one after a crash, a permanent one also after it completed; none
after a stop, nor after a limit that somebody set.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from .records import Reason

#: Ends that neither the agent nor its operator meant.
CRASHES = frozenset({Reason.EXCEPTION, Reason.EXIT_CODE, Reason.SIGNAL, Reason.OUT_OF_MEMORY, Reason.LOST})
JITTER = 0.2  # of a delay, both ways, so that what fell over together does not come back together


@dataclass(frozen=True, slots=True)
class Intensity:
    """At most `most` restarts within `period_s`; `restarts` are the times of those that count."""

    most: int
    period_s: float
    restarts: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Backoff:
    """The first restart waits `delay_s`, each further one in the period twice as long, at the most `longest_s`."""

    delay_s: float
    longest_s: float


def restarted(intensity: Intensity, now: float) -> Intensity | None:
    """The window with one more restart in it; None when that is one too many and the parent should give up."""
    more = (*recent(intensity, now), now)
    if len(more) > intensity.most:
        return None
    return Intensity(intensity.most, intensity.period_s, more)


def recent(intensity: Intensity, now: float) -> tuple[float, ...]:
    """The restarts that still count."""
    return tuple(at for at in intensity.restarts if now - at < intensity.period_s)


def is_crash(reason: Reason, attempt: int) -> bool:
    """Whether it fell over. What could not even start once will not the next time; what could, may well."""
    return reason in CRASHES or (reason is Reason.START_FAILED and attempt > 1)


def is_wanted(restart: str, reason: Reason, attempt: int) -> bool:
    """Whether a run of an agent of this class is begun again after this end, which no stop brought about."""
    if restart == "permanent" and reason is Reason.COMPLETED:
        return True
    return restart in ("transient", "permanent") and is_crash(reason, attempt)


def delay_s(backoff: Backoff, restarts: Sequence[float], chance: float) -> float:
    """How long to wait before the last of these restarts. `chance`: from 0 to 1."""
    doubled = backoff.delay_s * 2.0 ** min(len(restarts) - 1, 64)
    return min(doubled, backoff.longest_s) * (1 - JITTER + 2 * JITTER * chance)


def left_s(backoff: Backoff, due: float, now: float) -> float:
    """How long there is to wait still. A clock that was set back lets nobody wait for longer than the longest."""
    return min(max(0.0, due - now), backoff.longest_s * (1 + JITTER))
