"""All that is found out at the start: what works, the rung that holds runs here, the walls round them.

A rung may need walls, and walls are tried on the rung that they are to stand on. So one is chosen, they are tried,
and where they are not there the next lower rung is chosen.
"""

import msgspec

from ...config.sections import Settings
from .findings import Found
from .probe import choose, lacking_wall, lower_rung, try_everything
from .rungs import OWN_USER, RUNGS
from .uids import range_of
from .users import LAST_UID
from .wall_probe import probe_walls


def find_out(settings: Settings) -> Found:
    """What holds runs here, as these settings ask. Raises `ContainmentMissing`.

    Forks: call it in a process with one thread. Takes some 50 ms. Where cgroups are ours to arrange, this process may
    step aside into a cgroup of its own.
    """
    asked, tried = settings.containment, try_everything()
    lacking = _out_of_reach(settings)
    while True:
        found = probe_walls(choose(tried, asked.kill, lacking), settings)
        no = lacking_wall(found, RUNGS[found.rung])
        if no is None:
            lower = lower_rung(found, asked.kill, asked.require)
            return msgspec.structs.replace(found, lower=lower)
        lacking[found.rung] = no


def _out_of_reach(settings: Settings) -> dict[str, str]:
    """Rungs that these settings rule out, and why."""
    if range_of(settings, settings.state.dir)[1] > LAST_UID:
        return {OWN_USER.name: f"containment.uid_pool goes beyond {LAST_UID}"}
    return {}
