"""What holds each limit of a run here, as far as this machine lets it. Pure.

Kinds of holder, the surer first: a `cgroup` bounds all processes of a run together, a `tmpfs` what they write; an
`rlimit` bounds each of them, or, for `pids` of a user or in a user namespace of the run's own, all; the `warden`
counts and kills.
"""

import msgspec

from .findings import Found, Tried
from .throwaway import why

CGROUP, RLIMIT, TMPFS, WARDEN = "cgroup", "rlimit", "tmpfs", "warden"
_ALWAYS = {
    **dict.fromkeys(("cpu_s", "wall_s", "idle_s", "output_bytes", "output_events", "stdout_bytes"), WARDEN),
    **dict.fromkeys(("open_files", "file_bytes"), RLIMIT),
}


class Holders(msgspec.Struct, frozen=True):
    """`limits`: name of a limit → its holder; what is not there nothing holds. `gaps`: name → what is amiss.

    `everywhere`: what holds every run, whatever its limits: axis → mechanism; `missing`: what could not be had of it.
    """

    limits: dict[str, str]
    gaps: dict[str, str]
    everywhere: dict[str, str]
    missing: tuple[str, ...]


def holders(found: Found, own_users: bool = False) -> Holders:
    """Of every run here; with `own_users`, of every one that has a user of its own."""
    by_cgroup = {controller for place in found.places for controller in place.controllers}
    limits, gaps = dict(_ALWAYS), dict[str, str]()
    limits["memory_bytes"] = CGROUP if "memory" in by_cgroup else WARDEN
    if "memory" not in by_cgroup:
        gaps["memory_bytes"] = (
            f"memory: only watched by the warden, since no cgroup holds it: {_no(found, 'memory')}"
        )
    if "pids" in by_cgroup:
        limits["pids"] = CGROUP
    elif found.user_namespace or own_users:
        limits["pids"] = RLIMIT
    else:
        gaps["pids"] = f"pids: nothing holds it; no cgroup: {_no(found, 'pids')}"
    if "mounts" in found.walls_held:
        limits["work_folder_bytes"] = TMPFS
    else:
        gaps["work_folder_bytes"] = "work_folder: nothing holds it, since runs have no root of their own"
    has_weight = "cpu" in by_cgroup
    return Holders(
        limits,
        gaps,
        everywhere={"cpu_weight": CGROUP} if has_weight else {},
        missing=() if has_weight else (f"cpu_weight: no cgroup: {_no(found, 'cpu')}",),
    )


def _no(found: Found, controller: str) -> str:
    outcome = found.tried.get(f"{controller}_cgroup", Tried())
    return "left out" if outcome.works else why(outcome)
