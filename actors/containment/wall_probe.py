"""Finds out which walls this machine lets a run have, by raising each in a throw-away process like a run's."""

import os
import tempfile
from collections.abc import Mapping

import msgspec

from ...config.sections import AgentSpec, Settings
from . import uids
from .findings import Found, Tried
from .throwaway import why
from .visible import needed, way_to
from .wall_trials import try_wall
from .walls import MOUNTS, UID, WALLS


def probe_walls(found: Found, settings: Settings) -> Found:
    """The same, with the walls that a run on its rung can have, but for those that settings do without.

    Forks: call it in a process with one thread. Takes 1-2 ms a wall.
    """
    wanted = [name for name in WALLS if name != UID or os.geteuid() == 0]
    left_out = frozenset(settings.containment.without)
    uid, walls = uids.range_of(settings, settings.state.dir)[0], dict[str, Tried]()
    with tempfile.TemporaryDirectory() as stage:
        for name in wanted:
            if name not in left_out:
                walls[name] = try_wall(name, found, stage, uid, _to_reach(name, walls, settings))
    missing = [f"wall {name}: {why(outcome)}" for name, outcome in walls.items() if not outcome.works]
    missing += [f"wall {name}: left out by containment.without" for name in wanted if name in left_out]
    return msgspec.structs.replace(found, walls=walls, missing=(*found.missing, *missing))


def _to_reach(name: str, walls: Mapping[str, Tried], settings: Settings) -> list[tuple[str, int]]:
    """By the run's own user, where there is no root of its own that holds it."""
    if name != UID or (MOUNTS in walls and walls[MOUNTS].works):
        return []
    return [*needed(AgentSpec()), way_to(settings.state.dir)]
