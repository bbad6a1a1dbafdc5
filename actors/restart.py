"""How often a process of ours may fall over. Pure; the words are OTP's (supervisor: intensity and period)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Intensity:
    """At most `most` restarts within `period_s`; `restarts` are the times of those that count, monotonic seconds."""

    most: int
    period_s: float
    restarts: tuple[float, ...] = ()


def restarted(intensity: Intensity, now: float) -> Intensity | None:
    """The window with one more restart in it; None when that is one too many and the parent should give up."""
    recent = (*(at for at in intensity.restarts if now - at < intensity.period_s), now)
    if len(recent) > intensity.most:
        return None
    return Intensity(intensity.most, intensity.period_s, recent)
