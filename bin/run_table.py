"""Runs as a table for people: what each is, how it stands, what it uses. Pure."""

from collections.abc import Sequence

from ..http.api_types import RunInfo
from . import describing
from .columns import columns
from .rates import Rates
from .terminal import one_line

HEADER = ("ID", "AGENT", "STATUS", "AGE", "CPU", "RSS", "PROCS", "EVENTS/S", "LAST EVENT", "RUNG")
NUMBERS = range(3, 8)
SHORT_ID = 12  # of an id where a terminal has no room for all of it; a beginning is enough for every command


def table(rows: Sequence[Sequence[str]], width: int | None) -> list[str]:
    """Header and rows as lines. `width`: of the terminal, if it is one: ids are cut short to fit, then lines."""
    lines = list(columns([HEADER, *rows], NUMBERS))
    if width is None or max(map(len, lines)) <= width:
        return lines
    short = [(row[0][:SHORT_ID], *row[1:]) for row in rows]
    return [one_line(line, width) for line in columns([HEADER, *short], NUMBERS)]


def row(run: RunInfo, rates: Rates, now: float) -> tuple[str, ...]:
    """One run as the cells below `HEADER`. `now`: Unix seconds. An age ends with its run."""
    process = run.process
    cells = (
        run.run_id,
        run.agent,
        status(run),
        describing.age((run.ended_at or now) - run.created_at),
        None if rates.cpu is None else f"{rates.cpu * 100:.0f}%",
        process and describing.size(process.rss_bytes),
        process and process.processes,
        None if rates.events is None else describing.rate(rates.events),
        run.last_event,
        run.exit.rung if run.exit else run.rung,
    )
    return tuple("-" if cell in (None, "") else one_line(str(cell)) for cell in cells)


def status(run: RunInfo) -> str:
    """How it stands, and after its end why, where that says more."""
    return run.status if run.reason in (None, run.status) else f"{run.status} ({run.reason})"
