"""Which waiting runs may start. Pure. A slot is free when a run's end is proved, never earlier."""

from collections import Counter
from collections.abc import Iterable, Mapping


def admissible(
    waiting: Iterable[tuple[str, str]],
    live: Mapping[str, int],
    max_live: int,
    max_concurrent: Mapping[str, int],
) -> list[str]:
    """The run ids to start now, first come first served.

    `waiting`: (run id, agent) in order of arrival. `live`: agent → runs that hold a slot. `max_concurrent`: agent →
    its own bound, 0 for none; an agent at its bound holds up nobody else.
    """
    taken = Counter(live)
    slots = max_live - sum(taken.values())
    admitted: list[str] = []
    for run_id, agent in waiting:
        if slots <= 0:
            break
        bound = max_concurrent.get(agent, 0)
        if bound and taken[agent] >= bound:
            continue
        taken[agent] += 1
        slots -= 1
        admitted.append(run_id)
    return admitted
