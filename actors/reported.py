"""What facades report of themselves, so that whichever is asked for the metrics can give those of all.

A facade can't see the others; the supervisor is told by each. What one counted stays counted when it is gone, as
counters must; what one has now (`gauges`) is forgotten soon after its last report. Pure: the time is an argument.
"""

from collections.abc import Mapping
from typing import NamedTuple

from .figures import Series, summed

FRESH_S = 10.0  # how long what a facade has now is believed; it reports five times within this
MOST_LIVES = 64  # of facades whose reports are kept apart


class Report(NamedTuple):
    """The newest of one facade."""

    at: float
    counters: Mapping[str, float]
    gauges: Mapping[str, float]


class Reported:
    """The facades' figures. A life is one facade process: the facade's name, "/", and what no other life has."""

    def __init__(self) -> None:
        self._lives: dict[str, Report] = {}  # the one that reported last is the last
        self._past: Series = {}

    def take(self, life: str, counters: Mapping[str, float], gauges: Mapping[str, float], now: float) -> None:
        """A report: all that was counted in this life, and what there is now."""
        self._lives.pop(life, None)
        self._lives[life] = Report(now, counters, gauges)
        if len(self._lives) > MOST_LIVES:
            oldest = next(iter(self._lives))
            self._past = summed((self._past, self._lives.pop(oldest).counters))

    def series(self, now: float) -> Series:
        """The figures of all of them."""
        counted = [report.counters for report in self._lives.values()]
        newest = {life.partition("/")[0]: report for life, report in self._lives.items()}
        present = [report.gauges for report in newest.values() if now - report.at < FRESH_S]
        return summed([self._past, *counted, *present])
