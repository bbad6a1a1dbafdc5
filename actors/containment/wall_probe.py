"""Finds out which walls this machine lets a run have, by raising each in a throw-away process like a run's."""

import os
import tempfile

import msgspec

from ...config.sections import Settings
from . import uids
from .findings import Found
from .throwaway import why
from .wall_trials import try_wall
from .walls import UID, WALLS


def probe_walls(found: Found, settings: Settings) -> Found:
    """The same, with the walls that a run on its rung can have, but for those that settings do without.

    Forks: call it in a process with one thread. Takes 1-2 ms a wall.
    """
    wanted = [name for name in WALLS if name != UID or os.geteuid() == 0]
    left_out = frozenset(settings.containment.without)
    uid = uids.range_of(settings, settings.state.dir)[0]
    with tempfile.TemporaryDirectory() as stage:
        walls = {name: try_wall(name, found, stage, uid) for name in wanted if name not in left_out}
    missing = [f"wall {name}: {why(outcome)}" for name, outcome in walls.items() if not outcome.works]
    missing += [f"wall {name}: left out by containment.without" for name in wanted if name in left_out]
    return msgspec.structs.replace(found, walls=walls, missing=(*found.missing, *missing))
