"""What the journal holds, asked through the writer's connection by who decides how much of it is kept.

Nothing is counted as it comes: pages in use are in the file's header, runs and ends of runs are found by index, and
each batch knows how many bytes of events its run has up to there. So nothing can be miscounted over a crash.
"""

import re
import sqlite3
from collections.abc import Generator
from contextlib import closing
from typing import NamedTuple

RUNS = "SELECT count(*) FROM run"
RUNS_AFTER = "SELECT key FROM run WHERE key > ? ORDER BY key LIMIT ?"
ENDED = (
    "SELECT key, run_id, updated_at FROM run INDEXED BY run_by_end"
    " WHERE status IN ('completed', 'failed', 'cancelled') ORDER BY updated_at LIMIT ?"
)
KEYS_BEFORE = "SELECT 1 FROM idempotency WHERE at < ? LIMIT 1"
NEWEST = "SELECT last, upto FROM batch WHERE run = ? ORDER BY first DESC LIMIT 1"
GIVEN_BYTES = "SELECT length(data) FROM given WHERE run = ?"
OLDEST = (
    "SELECT first, last, upto, length(data), substr(data, 1, 256) FROM batch"
    " WHERE run = ? ORDER BY first LIMIT ?"
)

#: Every line begins so, by who stamped it.
_STAMP = re.compile(rb'\A\{"event":"[^"]*","timestamp":([0-9.eE+-]+)')


class Ended(NamedTuple):
    """A run that is over. `ended_at`: Unix seconds."""

    key: int
    run_id: str
    ended_at: float


class Extent(NamedTuple):
    """How far a run has come: its last event, and the bytes of all events it ever had."""

    last: int
    upto: int


class Head(NamedTuple):
    """One batch without its events: the first and the last of them, the run's bytes up to and with it, its own.

    `at`: Unix seconds of its first event; None if that can't be told. `upto` is 0 in a batch of an older version.
    """

    first: int
    last: int
    upto: int
    size: int
    at: float | None


class Holdings:
    """Questions about one journal. Each takes microseconds, unless it says otherwise."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def used_bytes(self) -> int:
        """Of the file, without what is free in it to be used again."""
        total, free, size = (
            self._number(f"PRAGMA {name}") for name in ("page_count", "freelist_count", "page_size")
        )
        return (total - free) * size

    def runs(self) -> int:
        """How many there are, ended or not. Blocks for 0.1 ms for 100,000 of them."""
        return self._number(RUNS)

    def ended(self, limit: int) -> list[Ended]:
        """The runs that ended first, in that order."""
        return [Ended(*row) for row in self._database.execute(ENDED, (limit,))]

    def runs_after(self, key: int, limit: int) -> list[int]:
        """The keys that come after this one."""
        return [found for (found,) in self._database.execute(RUNS_AFTER, (key, limit))]

    def has_keys_before(self, at: float) -> bool:
        """Whether there are Idempotency-Keys that were noted before then (Unix seconds)."""
        return self._database.execute(KEYS_BEFORE, (at,)).fetchone() is not None

    def extent(self, key: int) -> Extent:
        """Of one run; zeros if it has no event."""
        row = self._database.execute(NEWEST, (key,)).fetchone()
        return Extent(0, 0) if row is None else Extent(*row)

    def weight(self, key: int) -> int:
        """About how many bytes go with the run: its events and its input."""
        row = self._database.execute(GIVEN_BYTES, (key,)).fetchone()
        return self.extent(key).upto + (0 if row is None else row[0])

    def oldest(self, key: int, limit: int) -> Generator[Head, None, None]:
        """The run's oldest batches in order, each read when it is asked for. Close it before the next write."""
        with closing(self._database.execute(OLDEST, (key, limit))) as rows:
            for first, last, upto, size, beginning in rows:
                stamp = _STAMP.match(beginning)
                yield Head(first, last, upto, size, None if stamp is None else float(stamp[1]))

    def _number(self, sql: str) -> int:
        number: int = self._database.execute(sql).fetchone()[0]
        return number
