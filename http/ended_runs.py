"""Tells of each run that ends, once, as this facade hears of it. One facade does, the first.

What ended while there was none is not told: a trace is no record.
"""

import asyncio
import time

from ..actors.records import RunRecord
from . import traces
from .context import Facade
from .traces import Traces

LOOKED_AT = 256
FRESH_S = 60.0  # a record that changes later than this after its end says what came of its webhook


class EndedRuns:
    """A `changes.Follower`."""

    def __init__(self, facade: Facade, told: Traces) -> None:
        self._journal = facade.journal
        self._changes = facade.changes
        self._traces = told
        self._news = asyncio.Event()
        self._fresh: dict[str, float] = {}  # told, and when they ended; in the order in which they were told

    def rouse(self) -> None:
        """A run has changed."""
        self._news.set()

    def end(self) -> None:
        """This facade goes, and the loop's task with it."""

    async def keep_telling(self) -> None:
        """For ever."""
        cursor = self._journal.last_change()
        with self._changes.followed_by(self):
            while True:
                self._news.clear()
                while page := self._journal.changes(cursor, LOOKED_AT):
                    cursor = page[-1][0]
                    self._tell([record for _, record in page if record.status.ended], time.time())
                    await asyncio.sleep(0)
                await self._news.wait()

    def _tell(self, ended: list[RunRecord], now: float) -> None:
        for record in ended:
            at = record.ended_at
            if at is not None and now - at < FRESH_S and record.run_id not in self._fresh:
                self._fresh[record.run_id] = at
                self._traces.run_ended(record, traces.place_of(record, self._above(record)))
        while self._fresh and now - next(iter(self._fresh.values())) > 2 * FRESH_S:
            del self._fresh[next(iter(self._fresh))]

    def _above(self, record: RunRecord) -> list[RunRecord]:
        """Its parent, and so on, as far as the journal has them."""
        line: list[RunRecord] = []
        while record.parent_run_id is not None and (found := self._journal.run(record.parent_run_id)):
            record = found[1]
            line.append(record)
        return line
