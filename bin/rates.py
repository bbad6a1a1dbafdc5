"""What runs use a second: between two looks at them, or over a run's life. Pure: the time is an argument."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ..http.api_types import RunInfo


class Rates(NamedTuple):
    """`cpu`: cores, so 1.0 is one that is busy all the time. None: nobody knows, or there is no process."""

    cpu: float | None
    events: float | None


class Seen(NamedTuple):
    """What a run had used at one look."""

    attempt: int
    cpu_s: float
    last_seq: int


class Look:
    """One look at runs. `at`: monotonic seconds."""

    def __init__(self, runs: Iterable[RunInfo], at: float) -> None:
        self.at = at
        self.seen: Mapping[str, Seen] = {
            run.run_id: Seen(run.attempt, run.process.cpu_s if run.process else 0.0, run.last_seq)
            for run in runs
        }


def rates(run: RunInfo, before: Look | None, at: float, now: float) -> Rates:
    """Since an earlier look at this attempt, else over its life. `at`: of this look; `now`: Unix seconds."""
    seen = before.seen.get(run.run_id) if before is not None else None
    if before is None or seen is None or seen.attempt != run.attempt or not at > before.at:
        return _over_life(run, now)
    took_s = at - before.at
    events = max(run.last_seq - seen.last_seq, 0) / took_s
    if run.process is None:
        return Rates(None, None if run.ended else events)
    return Rates(max(run.process.cpu_s - seen.cpu_s, 0.0) / took_s, events)


def _over_life(run: RunInfo, now: float) -> Rates:
    """As ps(1) has it. An attempt's life is not told, so of a run that was begun again there is no CPU."""
    lived_s = (run.ended_at or now) - (run.started_at or now)
    if lived_s <= 0:
        return Rates(None, None)
    cpu_s = None
    if run.process is not None and run.attempt == 1:
        cpu_s = run.process.cpu_s
    elif run.exit is not None:
        cpu_s = run.exit.cpu_s
    return Rates(None if cpu_s is None else cpu_s / lived_s, run.last_seq / lived_s)
