"""All that is found out at the start: what works, the rung that holds runs here, the walls round them.

A rung may need walls, and walls are tried on the rung that they are to stand on. So one is chosen, they are tried,
and where they are not there the next lower rung is chosen.
"""

from ...config.sections import Settings
from .findings import Found
from .probe import choose, lacking_wall, try_everything
from .rungs import RUNGS
from .wall_probe import probe_walls


def find_out(settings: Settings) -> Found:
    """What holds runs here, as these settings ask. Raises `ContainmentMissing`.

    Forks: call it in a process with one thread. Takes some 50 ms. Where cgroups are ours to arrange, this process may
    step aside into a cgroup of its own.
    """
    asked, tried, lacking = settings.containment, try_everything(), dict[str, str]()
    while True:
        found = probe_walls(choose(tried, asked.kill, lacking), settings)
        no = lacking_wall(found, RUNGS[found.rung])
        if no is None:
            return found
        lacking[found.rung] = no
