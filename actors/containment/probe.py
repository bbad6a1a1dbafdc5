"""Finds out what this machine allows, by doing it in throw-away processes, and what is the best of it."""

import errno
from collections.abc import Mapping

import msgspec

from ...config.sections import AgentSpec
from ..errors import ContainmentMissing
from . import surroundings, walls
from .cgroup_trials import try_cgroups
from .findings import Found, Place, Tried
from .holders import holders
from .rungs import CGROUP, GROUP, LEVELS, RUNGS, KillRung
from .throwaway import why
from .trials import in_user_namespace, try_kernel

NOTHING: Mapping[str, str] = {}


def probe(wanted: str = "auto") -> Found:
    """The best rung, or the `wanted` one, and all that was tried. Raises `ContainmentMissing` if it can't be had.

    Forks: call it in a process with one thread. Takes some 40 ms. Where cgroups are ours to arrange, this process
    may step aside into a cgroup of its own.
    """
    return choose(try_everything(), wanted)


def try_everything() -> Found:
    """What works here, with nothing chosen yet. As `probe`, but it raises nothing."""
    kernel = try_kernel()
    cgroups, places = try_cgroups()
    return Found(rung="", tried=kernel | cgroups, places=places, surroundings=surroundings.look())


def choose(found: Found, wanted: str, lacking: Mapping[str, str] = NOTHING) -> Found:
    """What was found, with the best rung of it, or the `wanted` one. Pure. Raises `ContainmentMissing`.

    `lacking`: rungs that can't be had for another reason than what was tried, and that reason.
    """
    missing: list[str] = []
    for rung in _candidates(wanted):
        no = lacking.get(rung.name) or refusal(found, rung)
        if no is None:
            return msgspec.structs.replace(
                found,
                rung=rung.name,
                user_namespace=rung.has_pid_namespace and in_user_namespace(found.tried["pid_namespace"]),
                missing=tuple(missing),
                places=_places(found, rung, wanted),
            )
        missing.append(f"{rung.level} {rung.title}: {no}")
    if wanted in RUNGS:
        raise ContainmentMissing(f"containment.kill = {wanted!r} can't be had here: {'; '.join(missing)}")
    raise ContainmentMissing(f"no kill rung can be had here: {'; '.join(missing)}")


def lower_rung(found: Found, wanted: str, required: tuple[str, ...]) -> str:
    """The best one below that in use which settings allow, for agents that lack a wall of it; "" for none. Pure."""
    if wanted in RUNGS:
        return ""
    for rung in _candidates(wanted):
        below = LEVELS.index(rung.level) < LEVELS.index(RUNGS[found.rung].level)
        had = below and refusal(found, rung) is None and lacking_wall(found, rung) is None
        if had and not unmet(msgspec.structs.replace(found, rung=rung.name), required):
            return rung.name
    return ""


def check_required(found: Found, required: tuple[str, ...]) -> None:
    """Raise `ContainmentMissing`, naming each requirement (like "kill>=K1-") that is not met, and why."""
    lacking = unmet(found, required)
    if lacking:
        raise ContainmentMissing(f"containment.require asks for what can't be had here: {'; '.join(lacking)}")


def unmet(found: Found, required: tuple[str, ...]) -> list[str]:
    """The requirements that are not met, each with the reason."""
    return [f"{requirement} ({why})" for requirement in required if (why := _unmet(found, requirement))]


def _unmet(found: Found, requirement: str) -> str | None:
    """Why not; None if it is met."""
    held = holders(found)
    axis, _, level = requirement.partition(">=")
    match axis:
        case "kill" if level in LEVELS:
            best = RUNGS[found.rung].level
            reached = LEVELS.index(best) >= LEVELS.index(level)
            return None if reached else "; ".join(found.missing) or f"this build reaches {best}"
        case "memory" if not level:
            return held.gaps.get("memory_bytes")
        case "pids" if not level:
            return held.gaps.get("pids")
        case _ if axis in walls.held(found.walls_held, AgentSpec()) and not level:
            return None
    return "; ".join(found.missing) or "nothing in this build holds it"


def _candidates(wanted: str) -> list[KillRung]:
    """Best first. Who asks for one gets that or nothing; one that promises nothing is only for who asks for it."""
    if wanted in RUNGS:
        return [RUNGS[wanted]]
    return sorted(set(RUNGS.values()) - {GROUP}, key=lambda rung: -LEVELS.index(rung.level))


def _places(found: Found, rung: KillRung, wanted: str) -> tuple[Place, ...]:
    """Who asks for another rung than that of the cgroup gets no cgroup to kill by, unless it limits, too."""
    pinned = wanted == rung.name and rung is not CGROUP
    return tuple(place for place in found.places if not pinned or place.controllers)


def refusal(found: Found, rung: KillRung) -> str | None:
    """Why it can't be had; None if it can."""
    for mechanism in rung.needs:
        if not found.works(mechanism):
            words = why(found.tried.get(mechanism, Tried(errno.EPERM)))
            return words if len(rung.needs) == 1 else f"{mechanism}: {words}"
    return None


def lacking_wall(found: Found, rung: KillRung) -> str | None:
    """The first wall that the rung needs and that this machine's runs don't get, and why; None if there is none."""
    for wall in rung.walls:
        if wall not in found.walls_held:
            tried = found.walls.get(wall)
            return f"wall {wall}: {why(tried) if tried is not None else 'left out by containment.without'}"
    return None
