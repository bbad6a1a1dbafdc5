"""Walls raised in a throw-away process like a run's, to see whether they can be: on this machine, for this agent."""

import errno
import os
from collections.abc import Callable, Iterable

from ...config.sections import AgentSpec
from ..messages.with_zygote import Place
from . import rungs
from .findings import Found, Tried
from .throwaway import tried
from .walls import MOUNTS, UID, Walls

_SIZE_BYTES = 1 << 20
# What a server's root may lack in a container, and needs once its runs are others (capabilities(7)): to signal them,
# and to remove what they leave.
_POWERS_OVER_OTHERS = {"CAP_DAC_OVERRIDE": 1, "CAP_KILL": 5}


def try_wall(
    name: str, found: Found, stage: str, uid: int = 0, needed: Iterable[tuple[str, int]] = ()
) -> Tried:
    """Raise it where a run would, with an empty folder to build on. Single-threaded callers only.

    `needed`: what the run's own user must get at where it has no root of its own; there it has all it needs.
    """
    alone = rungs.RUNGS[found.rung].has_pid_namespace
    names = (MOUNTS, UID) if name == UID and not needed else (name,)
    # Planned in the throw-away process, since some can't even be planned where the kernel does not know them.
    return try_walls(
        lambda: Walls(names, AgentSpec(), alone, stage, hidden=()), found, uid if name == UID else 0, needed
    )


def try_walls(
    plan: Callable[[], Walls], found: Found, uid: int, needed: Iterable[tuple[str, int]] = ()
) -> Tried:
    """Raise what is planned where a run would, and see whether it has what it needs then.

    `needed`: paths, with modes of `os.access`. For single-threaded callers.
    """
    rung, own_uid, own_gid = rungs.RUNGS[found.rung], os.geteuid(), os.getegid()

    def work() -> None:
        if uid:
            _require_powers_over_others()
        walls = plan()
        rungs.settle(rung, found.user_namespace, own_uid, own_gid)
        walls.raise_all(Place(_SIZE_BYTES, uid=uid))
        for path, mode in needed:
            if not os.access(path, mode):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    return tried(work, rungs.namespaces(rung, found.user_namespace))


def _require_powers_over_others() -> None:
    with open("/proc/self/status") as status:
        held = next(int(line.split()[1], 16) for line in status if line.startswith("CapEff:"))
    for name, number in _POWERS_OVER_OTHERS.items():
        if not held >> number & 1:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), name)
