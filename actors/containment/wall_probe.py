"""Finds out which walls this machine lets a run have, by raising each in a throw-away process like a run's."""

import os
import tempfile
from collections.abc import Iterable

import msgspec

from ...config.sections import AgentSpec
from ..messages import Place
from . import rungs
from .findings import Found, Tried
from .throwaway import tried, why
from .walls import WALLS, Walls

_PLACE = Place(size_bytes=1 << 20)


def probe_walls(found: Found, without: Iterable[str] = ()) -> Found:
    """The same, with the walls that a run on its rung can have, but for those that settings do `without`.

    Forks: call it in a process with one thread. Takes 1-2 ms a wall.
    """
    left_out = frozenset(without)
    with tempfile.TemporaryDirectory() as stage:
        walls = {name: try_wall(name, found, stage) for name in WALLS if name not in left_out}
    missing = [f"wall {name}: {why(outcome)}" for name, outcome in walls.items() if not outcome.works]
    missing += [f"wall {name}: left out by containment.without" for name in WALLS if name in left_out]
    return msgspec.structs.replace(found, walls=walls, missing=(*found.missing, *missing))


def try_wall(name: str, found: Found, stage: str) -> Tried:
    """Raise it where a run would, with an empty folder to build on. Single-threaded callers only."""
    rung, uid, gid = rungs.RUNGS[found.rung], os.geteuid(), os.getegid()

    def work() -> None:
        # Here, since some can't even be planned where the kernel does not know them.
        walls = Walls((name,), AgentSpec(), rung.has_pid_namespace, stage, hidden=())
        rungs.settle(rung, found.user_namespace, uid, gid)
        walls.raise_all(_PLACE)

    return tried(work, rungs.namespaces(rung, found.user_namespace))
