"""Finds out what this machine allows, by doing it in a throw-away process, and what is the best of it."""

import os
from dataclasses import dataclass

from ..errors import ContainmentMissing
from .rungs import LEVELS, PIDNS, RUNGS, SUBREAPER, KillRung, try_rung


@dataclass(frozen=True, slots=True)
class Found:
    """What holds a run here. `missing` names each better rung with the kernel's answer to it."""

    rung: KillRung
    user_namespace: bool
    missing: tuple[str, ...]


def probe(wanted: str = "auto") -> Found:
    """The best rung, or the `wanted` one. Raises `ContainmentMissing` if that can't be had.

    Forks: call it in a process with one thread. Takes some milliseconds.
    """
    missing: list[str] = []
    if wanted in ("auto", PIDNS.name):
        for user_namespace in (False, True) if os.geteuid() == 0 else (True,):
            error = try_rung(PIDNS, user_namespace)
            if error is None:
                return Found(PIDNS, user_namespace, ())
            missing.append(
                f"{PIDNS.level} pid namespace{' in a user namespace' * user_namespace}: {error.strerror}"
            )
    if wanted == PIDNS.name:
        raise ContainmentMissing(f"containment.kill = {wanted!r} can't be had here: {'; '.join(missing)}")
    error = try_rung(SUBREAPER, False)
    if error is not None:
        raise ContainmentMissing(f"no kill rung can be had here: {'; '.join(missing)}; {error}")
    return Found(RUNGS[SUBREAPER.name], False, tuple(missing))


def check_required(found: Found, required: tuple[str, ...]) -> None:
    """Raise `ContainmentMissing`, naming each requirement (like "kill>=K1-") that is not met, and why."""
    unmet = [requirement for requirement in required if not _met(found, requirement)]
    if unmet:
        why = "; ".join(found.missing) or f"this build reaches {found.rung.level}"
        raise ContainmentMissing(f"containment.require asks for {', '.join(unmet)}: {why}")


def _met(found: Found, requirement: str) -> bool:
    axis, _, level = requirement.partition(">=")
    return axis == "kill" and level in LEVELS and LEVELS.index(found.rung.level) >= LEVELS.index(level)
