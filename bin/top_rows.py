"""What `top` shows of runs, and in which order. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

from ..http.api_types import RunInfo
from . import describing
from .rates import Rates


class Row(NamedTuple):
    """One run at one look."""

    run: RunInfo
    rates: Rates


#: By its key: what rows are sorted by, and in which column that is shown. Largest first, but for names.
ORDERS: dict[str, tuple[str, Callable[[Row], float]]] = {
    "c": ("CPU", lambda row: row.rates.cpu or 0.0),
    "m": ("RSS", lambda row: row.run.process.rss_bytes if row.run.process else 0),
    "p": ("PROCS", lambda row: row.run.process.processes if row.run.process else 0),
    "e": ("EVENTS/S", lambda row: row.rates.events or 0.0),
    "a": ("AGE", lambda row: -row.run.created_at),
}
FIRST = "c"


def ordered(rows: Iterable[Row], order: str) -> list[Row]:
    """The rows by this order; of equals the newest first."""
    newest_first = sorted(rows, key=lambda row: row.run.created_at, reverse=True)
    return sorted(newest_first, key=ORDERS[order][1], reverse=True)


def summary(rows: Iterable[Row]) -> str:
    """All of them on one line: how many there are of each status, and what they use together."""
    rows = list(rows)
    counts = Counter(str(row.run.status) for row in rows)
    stood = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    cpu = sum(row.rates.cpu or 0.0 for row in rows)
    rss_bytes = sum(row.run.process.rss_bytes for row in rows if row.run.process)
    processes = sum(row.run.process.processes for row in rows if row.run.process)
    return (
        f"{len(rows)} runs{f' ({stood})' if stood else ''}  CPU {cpu * 100:.0f}%  "
        f"memory {describing.size(rss_bytes)}  {processes} processes"
    )
