"""What is kept of runs and for how long, as pure decisions: which ended runs go, and how many events of one run.

Live runs are never removed, only trimmed. A run's last batch is never trimmed: it tells how far the run has come.
"""

from collections.abc import Callable, Iterable

from ..config.sections import RetentionSettings
from .journal.holdings import Ended, Extent, Head


def to_remove(
    ended: Iterable[Ended],
    runs: int,
    used_bytes: int,
    weight: Callable[[int], int],
    bounds: RetentionSettings,
    now: float,
) -> list[Ended]:
    """Of these ended runs, the oldest end first, those that go.

    `runs`: how many there are, live ones too. `used_bytes`: of the journal. `weight`: what goes with a run.
    """
    runs_over = runs - bounds.max_runs if bounds.max_runs else 0
    bytes_over = used_bytes - bounds.max_bytes if bounds.max_bytes else 0
    gone: list[Ended] = []
    for run in ended:
        age_s = now - run.ended_at
        too_old = bounds.max_age_s and age_s > bounds.max_age_s
        if age_s < bounds.min_age_s or not (too_old or runs_over > 0 or bytes_over > 0):
            break
        gone.append(run)
        runs_over -= 1
        if bytes_over > 0:
            bytes_over -= weight(run.key)
    return gone


def trims(bounds: RetentionSettings) -> bool:
    """Whether runs are trimmed at all."""
    return bool(bounds.run_max_age_s or bounds.run_max_events or bounds.run_max_bytes)


def trim_through(
    oldest: Iterable[Head], extent: Extent, bounds: RetentionSettings, now: float, slice_bytes: int
) -> int:
    """The last event that goes; 0 if none does. What is kept is what the bounds say, and up to a batch more.

    `oldest`: the run's oldest batches in order. About `slice_bytes` go at once.
    """
    through = size = 0
    for head in oldest:
        if head.last == extent.last or size >= slice_bytes or not _is_over(head, extent, bounds, now):
            break
        through = head.last
        size += head.size
    return through


def _is_over(head: Head, extent: Extent, bounds: RetentionSettings, now: float) -> bool:
    """Whether without this batch, and those before it, there is still as much as may be there."""
    events, size = extent.last - head.last, extent.upto - head.upto
    return (
        0 < bounds.run_max_events <= events
        or 0 < bounds.run_max_bytes <= size
        or (head.at is not None and 0 < bounds.run_max_age_s < now - head.at)
    )
