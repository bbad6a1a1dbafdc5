"""What this machine can hold and what not, as data: `runward doctor` prints it, `GET /health/detailed` answers it.

Light, since facades carry it; `reporting.py` makes it.
"""

import msgspec


class RungReport(msgspec.Struct, frozen=True):
    """One rung of the kill ladder. `works`: it could be used here; `why` not."""

    level: str
    name: str  # as in `containment.kill`
    title: str
    works: bool
    why: str | None = None


class HeldReport(msgspec.Struct, frozen=True):
    """A limit or a wall: who holds it for every run, None for nobody, and what is amiss."""

    axis: str
    by: str | None
    why: str | None = None


class MechanismReport(msgspec.Struct, frozen=True):
    """One mechanism, tried. `error`: the kernel's word, None if it works."""

    name: str
    works: bool
    took_ms: float
    error: str | None = None
    detail: str | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The whole. `kill` is the rung in use; `unmet` what `containment.require` asks for and is not there."""

    kill: str
    proof: str
    promise: str
    rungs: list[RungReport]
    limits: list[HeldReport]
    walls: list[HeldReport]
    mechanisms: list[MechanismReport]
    advice: list[str]
    unmet: list[str]
    surroundings: dict[str, str]
