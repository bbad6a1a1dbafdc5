"""Reads the journal in a facade: never writes, never waits for the writer, holds no snapshot between calls.

A snapshot that stays open keeps the WAL from being reset, so every call is one statement, read to its end or
closed before it returns.
"""

import base64
import binascii
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from ..records import ENDS, RunInput, RunRecord, Status
from . import codec, schema

RUN = "SELECT key, record FROM run WHERE run_id = ?"
GIVEN = "SELECT data FROM given WHERE run = ?"
RUNS = "SELECT key, record FROM run WHERE key < ?"
CHANGES = "SELECT changed, record FROM run WHERE changed > ? ORDER BY changed LIMIT ?"
LAST_CHANGE = "SELECT ifnull(max(changed), 0) FROM run"
NEWEST_FIRST = "ORDER BY key DESC LIMIT ?"
# From the batch that holds ?2, or the next one where there is a gap.
BATCHES = (
    "SELECT first, last, data FROM batch WHERE run = ?1 AND last >= ?2 AND first >= ifnull("
    "(SELECT max(first) FROM batch WHERE run = ?1 AND first <= ?2), 0) ORDER BY first"
)
LAST = "SELECT last, data FROM batch WHERE run = ? ORDER BY first DESC LIMIT 1"

DUE = "SELECT record FROM delivery JOIN run ON run.key = delivery.run WHERE due <= ? ORDER BY due LIMIT ?"
OWED = "SELECT count(*) FROM delivery"
# An ended run's record changes by what came of its webhook, its `updated_at` does not.
OLDEST_OWED = (
    "SELECT min(updated_at) FROM (SELECT updated_at FROM delivery CROSS JOIN run ON run.key = delivery.run "
    "ORDER BY delivery.run LIMIT ?)"
)
NEXT_DUE = "SELECT min(due) FROM delivery WHERE due > ?"

#: Filters of `runs`, the one that leaves fewest rows first; an ended status comes after all of them.
FILTERS = ("parent_run_id", "session_id", "status", "owner", "agent")
MATCHES = {name: f"AND {name} = ?" for name in FILTERS}
CHECKS = {name: f"AND +{name} = ?" for name in FILTERS}  # the + keeps SQLite from using the index of that one

NEWEST = (1 << 63) - 1  # above every key


class Page(NamedTuple):
    """Runs, newest first. `next` is the cursor of the page after this one, None if this is the last."""

    records: list[RunRecord]
    has_more: bool
    next: str | None


class Batch(NamedTuple):
    """Events `first` … `last`, one JSON object a line, each line ended by a newline."""

    first: int
    last: int
    data: bytes


class LastEvent(NamedTuple):
    """The newest event of a run. `timestamp`: Unix seconds."""

    seq: int
    event: str
    timestamp: float


class _Line(msgspec.Struct):
    event: str
    timestamp: float


class Reader:
    """A view of one state folder's journal as of the last commit. Any thread may use it, one at a time.

    Every call blocks for as long as it reads: microseconds for a run, 3 µs for each small batch of a page.
    """

    def __init__(self, folder: Path) -> None:
        """Raises `StateFolderUnusable` if no journal of this version is there: start the supervisor first."""
        self._database = schema.open_to_read(folder)
        self._file = folder / schema.FILE_NAME
        self._last_line = msgspec.json.Decoder(_Line)

    def size_bytes(self) -> tuple[int, int]:
        """Of the journal's main file, and of the WAL beside it; 0 of what is not there."""
        return _size(self._file), _size(self._file.with_name(f"{schema.FILE_NAME}-wal"))

    def run(self, run_id: str) -> tuple[int, RunRecord] | None:
        """The run's key and record."""
        row = self._row(RUN, run_id)
        return None if row is None else (row[0], codec.decode_record(row[1]))

    def given(self, key: int) -> RunInput | None:
        """What the run of that key was given."""
        row = self._row(GIVEN, key)
        return None if row is None else codec.decode_given(row[0])

    def runs(
        self,
        *,
        status: Status | None = None,
        agent: str | None = None,
        session_id: str | None = None,
        parent_run_id: str | None = None,
        owner: str | None = None,
        limit: int = 50,
        before: str | None = None,
    ) -> Page:
        """A page of at most `limit` runs that match every filter given, newest first.

        `before` is the `next` of an earlier page; anything else is a `ValueError`.
        """
        older_than = NEWEST if before is None else _key(before)
        values = (parent_run_id, session_id, status, owner, agent)
        filters = {name: value for name, value in zip(FILTERS, values, strict=True) if value is not None}
        asked = (older_than, *filters.values(), limit + 1)
        rows = self._database.execute(_listing(filters), asked).fetchall()
        records = [codec.decode_record(data) for _, data in rows[:limit]]
        has_more = len(rows) > limit
        return Page(records, has_more, _cursor(rows[limit - 1][0]) if has_more else None)

    def changes(self, after: int, limit: int) -> list[tuple[int, RunRecord]]:
        """At most `limit` runs that changed after change `after`, as they are now, each with its last change."""
        rows = self._database.execute(CHANGES, (after, limit)).fetchall()
        return [(changed, codec.decode_record(data)) for changed, data in rows]

    def last_change(self) -> int:
        """The number of the newest change of a run that is there."""
        changed: int = self._database.execute(LAST_CHANGE).fetchone()[0]
        return changed

    def due(self, now: float, limit: int) -> list[RunRecord]:
        """At most `limit` runs whose end is to be told to a webhook by now (Unix seconds), the longest due first."""
        return [codec.decode_record(row[0]) for row in self._database.execute(DUE, (now, limit)).fetchall()]

    def next_due(self, now: float) -> float | None:
        """When the next of them is, after now."""
        due: float | None = self._row(NEXT_DUE, now)[0]
        return due

    def owed(self, looked_at: int) -> tuple[int, float | None]:
        """How many ends are still to be told to webhooks; when the oldest of them was (Unix seconds), if any is.

        The oldest of the `looked_at` whose runs began first.
        """
        count: int = self._database.execute(OWED).fetchone()[0]
        oldest: float | None = self._row(OLDEST_OWED, looked_at)[0] if count else None
        return count, oldest

    def batches(self, key: int, after: int, max_bytes: int) -> list[Batch]:
        """The run's batches in order from the one that holds event `after` + 1; the caller cuts its head.

        As many as fit into `max_bytes`, but one at least; none if no event comes after `after`.
        """
        batches: list[Batch] = []
        size = 0
        with closing(self._database.execute(BATCHES, (key, after + 1))) as rows:
            for row in rows:
                size += len(row[2])
                if batches and size > max_bytes:
                    break
                batches.append(Batch(*row))
        return batches

    def last(self, key: int) -> LastEvent | None:
        """The run's newest event; None before the first."""
        row = self._row(LAST, key)
        if row is None:
            return None
        seq, data = row
        line = self._last_line.decode(data[data.rfind(b"\n", 0, -1) + 1 :])
        return LastEvent(seq, line.event, line.timestamp)

    def close(self) -> None:
        """Close the file. May be called twice."""
        self._database.close()

    def _row(self, sql: str, value: object) -> Any:
        return self._database.execute(sql, (value,)).fetchone()


def _listing(filters: dict[str, Any]) -> str:
    """The statement for these filters: the narrowest is looked up, the others are checked row by row.

    Left to itself SQLite, which knows no counts, may walk all runs of an owner to find the one that is live.
    """
    narrow = [name for name in filters if name != "status" or filters[name] not in ENDS]
    looked_up = next(iter(narrow or filters), None)
    tests = [MATCHES[name] if name == looked_up else CHECKS[name] for name in filters]
    return " ".join([RUNS, *tests, NEWEST_FIRST])


def _cursor(key: int) -> str:
    return base64.urlsafe_b64encode(key.to_bytes(8)).decode().rstrip("=")


def _key(cursor: str) -> int:
    try:
        key = int.from_bytes(base64.b64decode(cursor + "=", b"-_", validate=True))
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"not a cursor of this list: {cursor[:40]!r}") from error
    if key > NEWEST or _cursor(key) != cursor:
        raise ValueError(f"not a cursor of this list: {cursor[:40]!r}")
    return key


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
