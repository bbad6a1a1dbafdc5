"""What a run may use: how a request tightens its agent's limits, and what holds each limit. Pure.

A limit is a number above 0 under one of the names of `Limits`; a mapping of limits holds no others. Its axis is the
name without the unit. Who holds which limit on this machine is `containment/holders.py`'s to say.
"""

import math
from collections.abc import Mapping

from ..config.sections import AgentSpec, Limits
from .records import Containment, LimitReason

_REASONS: dict[str, LimitReason] = {
    "memory_bytes": LimitReason.MEMORY_LIMIT,
    "cpu_s": LimitReason.CPU_LIMIT,
    "wall_s": LimitReason.WALL_LIMIT,
    "idle_s": LimitReason.IDLE_LIMIT,
    "output_bytes": LimitReason.OUTPUT_LIMIT,
    "output_events": LimitReason.OUTPUT_LIMIT,
    "stdout_bytes": LimitReason.OUTPUT_LIMIT,
}
_WHOLE = frozenset(
    {"pids", "open_files", "output_events"}
    | {name for name in Limits.__struct_fields__ if name.endswith("_bytes")}
)
_UNITS = ("_s", "_bytes")
_SHORTEST_LOOK_S = 0.02
_FILLED_BYTES_S = 2e9  # by one CPU: a page fault takes 2 µs on fast machines


def tightened(agent: Limits, asked: Mapping[str, float]) -> dict[str, float]:
    """The limits of a run: its agent's, with what the request asks for on top.

    Raises ValueError, whose message names the field, for a limit that there is not, that is no such number, or
    that is looser than the agent's (0, no limit, is the loosest).
    """
    limits = {name: float(limit) for name in Limits.__struct_fields__ if (limit := getattr(agent, name))}
    for name, wanted in asked.items():
        why = _why_not(name, wanted, limits)
        if why is not None:
            raise ValueError(f"'limits.{name}' {why}.")
        if wanted:
            limits[name] = float(wanted)
    return limits


def containment(
    everywhere: Containment, limits: Mapping[str, float], holders: Mapping[str, str], gaps: Mapping[str, str]
) -> Containment:
    """What holds a run: what holds every run here, and what holds its limits, or that nothing does.

    `holders` and `gaps`: name of a limit → who holds it; what is amiss with that.
    """
    applied = {axis(name): holders[name] for name in limits if name in holders}
    missing = [gaps[name] for name in limits if name in gaps]
    return Containment(everywhere.kill, {**everywhere.applied, **applied}, [*everywhere.missing, *missing])


def own_threads(spec: AgentSpec) -> int:
    """How many threads of ours an agent's process has, which are not to count as the agent's: its listener."""
    return 0 if spec.command else 1


def held_by(holder: str, limits: Mapping[str, float], holders: Mapping[str, str]) -> dict[str, float]:
    """Those that this holder holds."""
    return {name: limit for name, limit in limits.items() if holders.get(name) == holder}


def axis(name: str) -> str:
    """The name of a limit without its unit."""
    unit = next((unit for unit in _UNITS if name.endswith(unit)), "")
    return name.removesuffix(unit)


def reason_of(name: str) -> LimitReason:
    """Why a run ended that broke this limit. KeyError for one whose breach ends no run: `pids` refuses a fork,
    `open_files` and `file_bytes` a call.
    """
    return _REASONS[name]


def next_look_s(left_s: float, cpus: int) -> float:
    """How long a run that may use `left_s` of CPU time can be left alone: on all CPUs it would just be used up.

    So looks are rare while there is much left, and a breach is seen at most some 20 ms late.
    """
    return max(left_s / cpus, _SHORTEST_LOOK_S)


def _why_not(name: str, wanted: float, limits: Mapping[str, float]) -> str | None:
    if name not in Limits.__struct_fields__:
        return f"is no limit; there are {', '.join(Limits.__struct_fields__)}"
    if isinstance(wanted, bool) or not math.isfinite(wanted) or wanted < 0:
        return "must be a number from 0 up"
    if name in _WHOLE and wanted != int(wanted):
        return "must be a whole number"
    bound = limits.get(name)
    if bound is not None and not 0 < wanted <= bound:
        return f"may only tighten the agent's own limit, which is {bound:g}"
    return None


def next_memory_look_s(left_bytes: float, cpus: int) -> float:
    """As `next_look_s`, for memory that is taken as fast as CPUs can fill it."""
    return max(left_bytes / (_FILLED_BYTES_S * cpus), _SHORTEST_LOOK_S)
