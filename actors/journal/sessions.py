"""What was said in a session: the inputs and outputs of its ended runs, newest first."""

import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from . import codec

#: A session's name is the client's choice, and its rows are told apart by their owner only once they are read: what
#: other keys have under the same name must not hold the supervisor up.
LOOKED_AT = 1000

ENDED = (
    "SELECT key FROM (SELECT key, owner, status FROM run WHERE session_id = ?1 ORDER BY key DESC LIMIT ?4)"
    " WHERE owner = ?2 AND status IN ('completed', 'failed', 'cancelled') ORDER BY key DESC LIMIT ?3"
)
ROW = "SELECT record, data FROM run JOIN given ON given.run = run.key WHERE run.key = ?"


class Said(NamedTuple):
    """By one run: what it was given, and its output as JSON, if it has one."""

    input: str
    output: msgspec.Raw | None
    ended_at: float


def said(database: sqlite3.Connection, owner: str, session_id: str, most: int, most_bytes: int) -> list[Said]:
    """By this owner's newest ended runs of the session, at most so many, the one that ended last first.

    Only by those that had begun. No more are read once their rows are larger than `most_bytes` together.
    """
    keys = database.execute(ENDED, (session_id, owner, most, LOOKED_AT)).fetchall()
    # A run that interrupts goes before those that came earlier.
    return sorted(_read(database, keys, most_bytes), key=lambda each: each.ended_at, reverse=True)


def _read(database: sqlite3.Connection, keys: list[tuple[int]], most_bytes: int) -> Iterator[Said]:
    size = 0
    for key in keys:
        row = database.execute(ROW, key).fetchone()
        size += len(row[0]) + len(row[1])
        record = codec.decode_record(row[0])
        if record.started_at is not None:
            yield Said(codec.decode_given(row[1]).input, record.output, record.ended_at or 0.0)
        if size > most_bytes:
            return
