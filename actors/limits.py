"""What a run may use: how a request tightens its agent's limits, and what holds each limit. Pure.

A limit is a number above 0 under one of the names of `Limits`; a mapping of limits holds no others. Its axis is the
name without the unit, and "AXIS_limit" is the reason of a run that was ended for it.
"""

import math
from collections.abc import Mapping

from ..config.sections import Limits
from .records import Containment, LimitReason

#: Held by the run's warden; the others need containment that this build does not have yet.
BY_WARDEN = ("wall_s", "idle_s", "output_bytes", "cpu_s")

_REASONS: dict[str, LimitReason] = {
    "memory_bytes": LimitReason.MEMORY_LIMIT,
    "cpu_s": LimitReason.CPU_LIMIT,
    "wall_s": LimitReason.WALL_LIMIT,
    "idle_s": LimitReason.IDLE_LIMIT,
    "output_bytes": LimitReason.OUTPUT_LIMIT,
}
_WHOLE = frozenset({"memory_bytes", "pids", "output_bytes", "work_folder_bytes"})
_SHORTEST_LOOK_S = 0.02


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


def containment(everywhere: Containment, limits: Mapping[str, float]) -> Containment:
    """What holds a run: what holds every run here, and what holds its limits, or that nothing does."""
    applied = {**everywhere.applied, **{axis(name): "warden" for name in by_warden(limits)}}
    missing = [f"{axis(name)}: nothing here holds {name}" for name in limits if axis(name) not in applied]
    return Containment(everywhere.kill, applied, [*everywhere.missing, *missing])


def by_warden(limits: Mapping[str, float]) -> dict[str, float]:
    """Those that the run's warden holds."""
    return {name: limit for name, limit in limits.items() if name in BY_WARDEN}


def axis(name: str) -> str:
    """The name of a limit without its unit."""
    return name.rpartition("_")[0] or name


def reason_of(name: str) -> LimitReason:
    """Why a run ended that broke this limit. KeyError for one whose breach ends no run: `pids` refuses a fork."""
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
