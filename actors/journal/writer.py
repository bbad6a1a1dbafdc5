"""The only writer of the journal: one transaction a loop turn, committed before anything is told.

For the supervisor alone, on its one thread. A commit is made inline: it takes tens of microseconds, and a
thread to do it would cost more than that to wake.
"""

import sqlite3
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, Protocol

from ..errors import JournalFull
from ..records import RunInput, RunRecord
from . import codec, erasing, intents, keyed, schema, sessions
from .checkpoint import Checkpoints
from .holdings import Holdings

SIZES_KNOWN = 512  # runs whose bytes need not be looked up at each append
ROW_BYTES = 8192  # about what a row adds to the WAL beside its blob: a page of its table and one of an index

ADD_RUN = (
    "INSERT INTO run"
    " (key, run_id, agent, status, owner, session_id, parent_run_id, created_at, updated_at, changed, record)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
ADD_GIVEN = "INSERT INTO given (run, data) VALUES (?, ?)"
SAVE_RUN = "UPDATE run SET status = ?, updated_at = ?, changed = ?, record = ? WHERE key = ?"
RUN_KEY = "SELECT key FROM run WHERE run_id = ?"
RECORD = "SELECT record FROM run WHERE run_id = ?"
OWNER = "SELECT owner FROM run WHERE key = ?"
NEWEST = "SELECT ifnull(max(key), 0), ifnull(max(changed), 0) FROM run"
UNENDED = (
    "SELECT key, record, data FROM run JOIN given ON given.run = run.key"
    " WHERE status IN ('queued', 'running', 'waiting_for_approval', 'stopping') ORDER BY key"
)
APPEND = "INSERT INTO batch (run, first, last, data, upto) VALUES (?, ?, ?, ?, ?)"
LAST_SEQ = "SELECT last FROM batch WHERE run = ? ORDER BY first DESC LIMIT 1"
OWE = "INSERT OR REPLACE INTO delivery (run, due) VALUES (?, ?)"
OWED = "SELECT 1 FROM delivery WHERE run = ?"
PAID = "DELETE FROM delivery WHERE run = ?"
SET_META = "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)"
META = "SELECT value FROM meta WHERE key = ?"
SPENT = "numbers spent"  # by deleted runs: their key and change are never given again


class UnendedRun(NamedTuple):
    """A run that the last supervisor left without an end."""

    key: int
    record: RunRecord
    given: RunInput
    last_seq: int


class Changes(Protocol):
    """What became of a statement."""

    @property
    def rowcount(self) -> int:
        """How many rows it changed."""


class Writer:
    """Writes the journal of one state folder.

    The first write after a commit opens a transaction; until `commit` no other process sees it and a crash
    undoes it. Any write or commit may raise `JournalFull`: then all since the last commit is undone, and the
    writer can be used again. A run is named by its key, which `add_run` gave. `changed` counts the changes of
    records.
    """

    def __init__(
        self, folder: Path, synchronous: schema.Synchronous = "normal", may_be_full: bool = False
    ) -> None:
        """Open or make the journal; blocks. Raises `StateFolderUnusable`, unless `may_be_full` for want of room, too.

        `normal` survives the crash of any process, `full` that of the machine, for a disk flush per commit.
        """
        self.synchronous = synchronous
        self._database = schema.open_to_write(folder, synchronous, may_be_full)
        self._checkpoints = Checkpoints(folder / schema.FILE_NAME)
        self.holdings = Holdings(self._database)
        self._sizes: dict[int, int] = {}  # run → bytes of its events, of some that were written lately
        self._uncommitted = 0  # bytes, roughly
        self._key, self.changed = self._numbers()

    def add_run(self, record: RunRecord, given: RunInput) -> int:
        """Add a run; its key, which is above that of every earlier run. The id must be new: ask `run_key`."""
        data, input_data = codec.encode_record(record), codec.encode_given(given)
        self._key = key = self._key + 1
        row = (
            key, record.run_id, record.agent, record.status.value, record.owner, record.session_id,
            record.parent_run_id, record.created_at, record.updated_at, self._next_change(), data,
        )  # fmt: skip
        self._write(ADD_RUN, row, len(data) + ROW_BYTES)
        self._write(ADD_GIVEN, (key, input_data), len(input_data) + ROW_BYTES)
        return key

    def save_run(self, key: int, record: RunRecord) -> None:
        """Replace the record of a run. Its id, agent, owner, session, parent and input don't change."""
        data = codec.encode_record(record)
        row = (record.status.value, record.updated_at, self._next_change(), data, key)
        self._write(SAVE_RUN, row, len(data) + ROW_BYTES)

    def append(self, key: int, first: int, last: int, blob: bytes) -> None:
        """Add events `first` … `last` of a run as JSON lines, each ended by a newline."""
        upto = self._size(key) + len(blob)
        self._sizes[key] = upto
        self._write(APPEND, (key, first, last, blob, upto), len(blob) + ROW_BYTES)

    def add_command(self, id: str, run_key: int, kind: str, at: float, body: bytes) -> bool:
        """Add an intent; False, and nothing is changed, if that id is known."""
        return (
            self._write(intents.ADD_COMMAND, (id, run_key, kind, at, body), len(body) + ROW_BYTES).rowcount
            == 1
        )

    def commanded(self, id: str) -> list[str]:
        """The runs that a command for many, whose parts go by `ID/RUN_ID`, was journalled for; oldest first."""
        return [row[0] for row in self._database.execute(intents.COMMANDED, (id,)).fetchall()]

    def finish_command(self, id: str, at: float) -> None:
        """The intent was carried out at `at` (Unix seconds). An unknown id is no error."""
        self._write(intents.FINISH_COMMAND, (at, id), ROW_BYTES)

    def owe(self, key: int, due: float) -> None:
        """The run's end is to be told to its webhook, next at `due` (Unix seconds)."""
        self._write(OWE, (key, due), ROW_BYTES)

    def owes(self, key: int) -> bool:
        """Whether that is still to be told."""
        return self._value(OWED, key) is not None

    def paid(self, key: int) -> None:
        """It was told, or is given up."""
        self._write(PAID, (key,), ROW_BYTES)

    def set_meta(self, key: str, value: bytes) -> None:
        """Keep a fact about the journal as a whole, such as the boot it was last written in."""
        self._write(SET_META, (key, value), ROW_BYTES)

    def note_key(self, owner: str, key: str, run: int, body: bytes, at: float) -> None:
        """From now on (Unix seconds) this Idempotency-Key of this owner stands for that run and body."""
        self._write(keyed.NOTE, (owner, key, run, body, at), 2 * ROW_BYTES)

    def noted_key(self, owner: str, key: str, since: float) -> keyed.Noted | None:
        """What the key stands for, if it was noted at `since` (Unix seconds) or later."""
        row = self._database.execute(keyed.NOTED, (owner, key, since)).fetchone()
        return None if row is None else keyed.Noted(*row)

    def said(self, owner: str, session_id: str, most: int, most_bytes: int) -> list[sessions.Said]:
        """What this owner's newest ended runs of the session were given and said: see `sessions.said`."""
        return sessions.said(self._database, owner, session_id, most, most_bytes)

    def drop_keys(self, before: float) -> None:
        """Remove some of the keys that were noted before then, oldest first: more than come in meanwhile."""
        self._write(keyed.DROP, (before, keyed.DROPPED_AT_ONCE), ROW_BYTES)

    def trim(self, key: int, through: int) -> None:
        """Remove the run's events up to and with `through`, which ends one of its batches; not the last one."""
        self._write(erasing.DELETE_EVENTS, (key, through), ROW_BYTES)

    def delete_run(self, key: int, *, keep_idempotency: bool = False) -> None:
        """Remove a run, which nobody finds from the next commit on, and some of its events: then `sweep`.

        `keep_idempotency`: its Idempotency-Key goes on standing for it.
        """
        self._write(SET_META, (SPENT, b"%d %d" % (self._key, self.changed)), ROW_BYTES)
        for sql in erasing.DELETE_RUN:
            self._write(sql, (key,), ROW_BYTES)
        if not keep_idempotency:
            self._write(erasing.DELETE_KEYS, (key,), ROW_BYTES)
        erasing.Slice(self._database, self._write).remove_all(key)

    def sweep(self) -> list[erasing.Erased] | None:
        """Remove some events of deleted runs. Blocks for some ms at the most.

        Returns the runs of which no event is left: once their files are gone, too, say `forgotten`. None: no deleted
        run is left.
        """
        return erasing.sweep(self._database, self._write)

    def forgotten(self, key: int) -> None:
        """Nothing is left of a deleted run."""
        self._write(erasing.FORGET, (key,), ROW_BYTES)

    def commit(self) -> bool:
        """Make all since the last commit safe and visible; False, at no cost, if nothing was written.

        Blocks for tens of microseconds, under `full` for a disk flush. Once a loop turn, before it is told.
        """
        if not self._database.in_transaction:
            return False
        try:
            self._database.execute("COMMIT")
        except sqlite3.OperationalError as error:
            self._undo(error)
        self._checkpoints.wrote(self._uncommitted)
        self._uncommitted = 0
        return True

    def run_key(self, run_id: str) -> int | None:
        """The key of a run by its id."""
        key: int | None = self._value(RUN_KEY, run_id)
        return key

    def record(self, run_id: str) -> RunRecord | None:
        """The record of a run by its id, as it was saved last."""
        data = self._value(RECORD, run_id)
        return None if data is None else codec.decode_record(data)

    def owner(self, key: int) -> str:
        """Whose run it is."""
        owner: str = self._value(OWNER, key)
        return owner

    def last_seq(self, key: int) -> int:
        """The number of the run's last event; 0 before the first."""
        return self._value(LAST_SEQ, key) or 0

    def unended(self) -> list[UnendedRun]:
        """Every run without an end, oldest first: what a new supervisor has to take up."""
        rows = self._database.execute(UNENDED).fetchall()
        return [self._unended(key, codec.decode_record(data), given) for key, data, given in rows]

    def command(self, id: str) -> tuple[str, str] | None:
        """The run id and kind of a known command."""
        row: tuple[str, str] | None = self._database.execute(intents.COMMAND, (id,)).fetchone()
        return row

    def command_body(self, id: str) -> bytes | None:
        """What a known command was journalled with."""
        body: bytes | None = self._value(intents.BODY, id)
        return body

    def is_finished(self, id: str) -> bool:
        """Whether it is the id of an intent that was carried out."""
        return self._value(intents.FINISHED, id) is not None

    def pending_commands(self) -> list[intents.PendingCommand]:
        """Every intent that is not finished, in the order they came."""
        return [intents.PendingCommand(*row) for row in self._database.execute(intents.PENDING).fetchall()]

    def pending_of(self, run_key: int, kind: str) -> list[intents.PendingCommand]:
        """This run's intents of this kind that are not finished, in the order they came."""
        rows = self._database.execute(intents.PENDING_OF, (run_key, kind)).fetchall()
        return [intents.PendingCommand(*row) for row in rows]

    def stops(self) -> list[intents.JournalledStop]:
        """Every stop of a run that has not ended, in the order they came."""
        return [intents.JournalledStop(*row) for row in self._database.execute(intents.STOPS).fetchall()]

    def meta(self, key: str) -> bytes | None:
        """What `set_meta` kept."""
        value: bytes | None = self._value(META, key)
        return value

    def close(self) -> None:
        """End the checkpoints and close the file; what was not committed is undone. May be called twice."""
        self._checkpoints.close()
        self._database.close()

    def _numbers(self) -> tuple[int, int]:
        """The highest key and change that were ever given."""
        key, changed = self._database.execute(NEWEST).fetchone()
        spent = (self.meta(SPENT) or b"0 0").split()
        return max(key, int(spent[0])), max(changed, int(spent[1]))

    def _size(self, key: int) -> int:
        """Bytes of the run's events."""
        known = self._sizes.get(key)
        if known is not None:
            return known
        if len(self._sizes) >= SIZES_KNOWN:
            self._sizes.clear()
        return self.holdings.extent(key).upto

    def _next_change(self) -> int:
        self.changed += 1
        return self.changed

    def _write(self, sql: str, values: tuple[Any, ...], size: int) -> Changes:
        self._uncommitted += size
        try:
            if not self._database.in_transaction:
                self._database.execute("BEGIN IMMEDIATE")
            return self._database.execute(sql, values)
        except sqlite3.OperationalError as error:
            self._undo(error)

    def _undo(self, error: sqlite3.OperationalError) -> NoReturn:
        if self._database.in_transaction:  # SQLite has already undone it after some errors
            self._database.execute("ROLLBACK")
        self._uncommitted = 0
        if error.sqlite_errorcode not in schema.NO_ROOM:
            raise error
        self._checkpoints.wake()  # what a checkpoint frees in the WAL can be written again
        raise JournalFull(f"no room for the journal: {error}; make room on its disk") from error

    def _value(self, sql: str, value: object) -> Any:
        row = self._database.execute(sql, (value,)).fetchone()
        return None if row is None else row[0]

    def _unended(self, key: int, record: RunRecord, given: bytes) -> UnendedRun:
        last_seq = max(self.last_seq(key), record.last_seq)
        return UnendedRun(key, record, codec.decode_given(given), last_seq)
