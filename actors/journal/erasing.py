"""How events are removed, whole runs or the oldest of one: a slice at a time, so that nothing waits for it.

A deleted run is out of every table at once but for its events. Until those are gone, and the caller has removed the
run's files, its id stays in `erased`: a later supervisor goes on there.
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any, NamedTuple

BATCHES = 64  # of a slice, at the most,
BYTES = 2 << 20  # and about so much of them: under 1 ms of work
RUNS = 16  # deleted runs that a slice may touch

DELETE_RUN = (
    "INSERT OR IGNORE INTO erased (run, run_id) SELECT key, run_id FROM run WHERE key = ?",
    "DELETE FROM run WHERE key = ?",
    "DELETE FROM given WHERE run = ?",
    "DELETE FROM command WHERE run = ?",
    "DELETE FROM delivery WHERE run = ?",
)
DELETE_KEYS = "DELETE FROM idempotency WHERE run = ?"
ERASED = "SELECT run, run_id FROM erased ORDER BY run LIMIT ?"
OLDEST = "SELECT last, length(data) FROM batch WHERE run = ? ORDER BY first LIMIT ?"
DELETE_EVENTS = "DELETE FROM batch WHERE run = ? AND first <= ?"
FORGET = "DELETE FROM erased WHERE run = ?"

Write = Callable[[str, tuple[Any, ...], int], object]
_PAGE_BYTES = 4096


class Erased(NamedTuple):
    """A deleted run of which no event is left. `run_id` is empty if an older version deleted it."""

    key: int
    run_id: str


class Slice:
    """How much may still be removed in this transaction."""

    def __init__(self, database: sqlite3.Connection, write: Write) -> None:
        self._database = database
        self._write = write
        self._batches = BATCHES
        self._bytes = BYTES

    def remove_all(self, key: int) -> bool:
        """Remove the run's oldest events, as many as go into what is left of the slice; whether that was all."""
        taken, last, more = self._oldest(key)
        if last:
            self._write(DELETE_EVENTS, (key, last), taken * _PAGE_BYTES)
            self._batches -= taken
        return not more

    def _oldest(self, key: int) -> tuple[int, int, bool]:
        """How many batches fit, the last event of them, and whether there are others."""
        taken = last = 0
        with closing(self._database.execute(OLDEST, (key, self._batches + 1))) as rows:
            for end, size in rows:
                if taken == self._batches or self._bytes <= 0:
                    return taken, last, True
                taken, last = taken + 1, end
                self._bytes -= size
        return taken, last, False


def sweep(database: sqlite3.Connection, write: Write) -> list[Erased] | None:
    """Remove a slice of what deleted runs left; those of them of which no event is left. None: no run is deleted."""
    found = [Erased(*row) for row in database.execute(ERASED, (RUNS,))]
    if not found:
        return None
    rest = Slice(database, write)
    bare: list[Erased] = []
    for erased in found:
        if not rest.remove_all(erased.key):
            break
        bare.append(erased)
    return bare
