"""The tables, their versions, and how the one file is opened.

`MIGRATIONS[i]` takes a journal from version i to i + 1. A released entry never changes; a new format is a new
entry. The version is SQLite's `user_version`, so it is kept by the transaction that changes the tables.
"""

import errno
import os
import sqlite3
from pathlib import Path
from typing import Literal

from ..errors import StateFolderFull, StateFolderUnusable
from . import folder as state_folder

Synchronous = Literal["normal", "full"]

FILE_NAME = "journal.db"

#: SQLite's codes of a disk, quota or file size limit that leaves no room; the last is that of the -shm file.
NO_ROOM = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE})

#: How long a writer waits for a checkpoint that resets the WAL: far above what one takes.
BUSY_S = 10.0

#: What a connection keeps of the file: enough for the pages that live runs share. SQLite's own 2 MB only fill up with
#: what is never read again, and the kernel has the file in memory anyhow.
CACHE_KIB = 512

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # `key` orders runs by age and stands for them in every other table: an integer is the cheapest index.
        """CREATE TABLE run (
            key INTEGER PRIMARY KEY, run_id TEXT NOT NULL UNIQUE, agent TEXT NOT NULL, status TEXT NOT NULL,
            owner TEXT NOT NULL, session_id TEXT, parent_run_id TEXT, created_at REAL NOT NULL,
            updated_at REAL NOT NULL, record BLOB NOT NULL)""",
        # Every index ends with the key of itself, so each lists its filter newest first without sorting.
        "CREATE INDEX run_by_status ON run (status)",
        "CREATE INDEX run_by_agent ON run (agent)",
        "CREATE INDEX run_by_owner ON run (owner)",
        "CREATE INDEX run_by_session ON run (session_id) WHERE session_id IS NOT NULL",
        "CREATE INDEX run_by_parent ON run (parent_run_id) WHERE parent_run_id IS NOT NULL",
        # Apart from `run`: SQLite writes rows whole, and an input may be large where a record is saved often.
        "CREATE TABLE given (run INTEGER PRIMARY KEY, data BLOB NOT NULL)",
        # One row per batch, JSON lines each ended by a newline: a row per event costs 5 to 10 times as much.
        """CREATE TABLE batch (
            id INTEGER PRIMARY KEY, run INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
            data BLOB NOT NULL)""",
        "CREATE UNIQUE INDEX batch_by_first ON batch (run, first)",
        """CREATE TABLE command (
            id TEXT PRIMARY KEY, run INTEGER NOT NULL, kind TEXT NOT NULL, at REAL NOT NULL,
            body BLOB NOT NULL, done_at REAL)""",
        "CREATE INDEX command_pending ON command (done_at) WHERE done_at IS NULL",
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL)",
    ),
    (
        # What a client's Idempotency-Key stands for: a run, and the hash of the body that started it.
        """CREATE TABLE idempotency (
            owner TEXT NOT NULL, key TEXT NOT NULL, run INTEGER NOT NULL, body BLOB NOT NULL, at REAL NOT NULL,
            PRIMARY KEY (owner, key)) WITHOUT ROWID""",
        "CREATE INDEX idempotency_by_age ON idempotency (at)",
        "CREATE INDEX idempotency_by_run ON idempotency (run)",
        # The number of a run's last change, so that whoever follows the list reads on where it was. 0: of old.
        "ALTER TABLE run ADD COLUMN changed INTEGER NOT NULL DEFAULT 0",
        "CREATE INDEX run_by_change ON run (changed)",
        # Deleted runs of which events are left: those go a slice at a time, for there may be millions.
        "CREATE TABLE erased (run INTEGER PRIMARY KEY)",
        "CREATE INDEX command_by_run ON command (run)",
    ),
    (
        # Bytes of events that the run has up to here, so that both ends of it tell how much there is. 0: of old.
        "ALTER TABLE batch ADD COLUMN upto INTEGER NOT NULL DEFAULT 0",
        # Ended runs by their ends: an ended run is never saved again.
        "CREATE INDEX run_by_end ON run (updated_at) WHERE status IN ('completed', 'failed', 'cancelled')",
        # Its row is gone when its files are removed.
        "ALTER TABLE erased ADD COLUMN run_id TEXT NOT NULL DEFAULT ''",
        # A key outlives a run that was not kept as long, so that a start sent twice is still one run.
        "ALTER TABLE idempotency ADD COLUMN run_id TEXT NOT NULL DEFAULT ''",
        "UPDATE idempotency SET run_id = ifnull((SELECT run_id FROM run WHERE key = idempotency.run), '')",
    ),
    (
        # Ended runs whose end is still to be told to a webhook, and when that is tried next (Unix seconds).
        "CREATE TABLE delivery (run INTEGER PRIMARY KEY, due REAL NOT NULL)",
        "CREATE INDEX delivery_by_due ON delivery (due)",
    ),
)

VERSION = len(MIGRATIONS)


def open_to_write(folder: Path, synchronous: Synchronous, may_be_full: bool = False) -> sqlite3.Connection:
    """The supervisor's connection, its tables up to date, the file made (0600) if it is absent. Blocks.

    Raises `StateFolderUnusable`: read-only, full, on a network, not a journal, or written by a newer version.
    Transactions are the caller's, and so are checkpoints. With `may_be_full` it is not tried whether there is room.
    """
    state_folder.prepare(folder)
    path = folder / FILE_NAME
    try:
        _make_private(path)
        database = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
        try:
            _prepare(database, path, synchronous, may_be_full)
        except BaseException:
            database.close()
            raise
    except OSError as error:
        kind = StateFolderFull if error.errno in (errno.ENOSPC, errno.EDQUOT) else StateFolderUnusable
        raise kind(f"the journal {path} can't be opened: {error.strerror}") from error
    except sqlite3.Error as error:
        if error.sqlite_errorcode in NO_ROOM:
            raise StateFolderFull(
                f"the journal {path} can't be opened: no room on its disk ({error}); make room there"
            ) from error
        raise StateFolderUnusable(f"the journal {path} can't be opened: {error}") from error
    return database


def open_to_read(folder: Path) -> sqlite3.Connection:
    """A facade's connection, which can't write. Any thread may use it, one at a time.

    Raises `StateFolderUnusable` if there is no journal of this version yet: the supervisor makes it.
    """
    path = folder / FILE_NAME
    try:
        database = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
        )
        try:
            database.execute(f"PRAGMA cache_size = -{CACHE_KIB:d}")
            version = _version(database, path)
        except BaseException:
            database.close()
            raise
    except sqlite3.Error as error:
        raise StateFolderUnusable(f"no journal can be read at {path}: {error}") from error
    if version != VERSION:
        database.close()
        raise StateFolderUnusable(f"the journal {path} has format {version}; this runward reads {VERSION}")
    return database


def _make_private(path: Path) -> None:
    """SQLite would make the file with the umask's mode; its -wal and -shm files take the mode of the file.

    An existing one is not opened here: closing it would drop the locks of this process's other connections
    (https://sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_).
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        os.chmod(path, 0o600)


def _prepare(database: sqlite3.Connection, path: Path, synchronous: Synchronous, may_be_full: bool) -> None:
    version = _version(database, path)
    database.execute("PRAGMA journal_mode = WAL").fetchall()
    database.execute("PRAGMA synchronous = FULL" if synchronous == "full" else "PRAGMA synchronous = NORMAL")
    database.execute("PRAGMA wal_autocheckpoint = 0").fetchall()
    database.execute(f"PRAGMA cache_size = -{CACHE_KIB:d}")
    # Debian's SQLite writes zeros over each page that it frees, and so all that is removed a second time.
    database.execute("PRAGMA secure_delete = FAST").fetchall()
    if may_be_full and version == VERSION:
        return
    database.execute("BEGIN IMMEDIATE")
    for number, statements in enumerate(MIGRATIONS[version:], version + 1):
        for statement in statements:
            database.execute(statement)
        database.execute(f"PRAGMA user_version = {number:d}")
    # A write at every start: it finds a full disk now, when it can still be said, and not at the first run.
    database.execute("INSERT OR REPLACE INTO meta VALUES ('opened_by', ?)", (b"%d" % os.getpid(),))
    database.execute("COMMIT")


def _version(database: sqlite3.Connection, path: Path) -> int:
    version: int = database.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise StateFolderUnusable(
            f"the journal {path} is of a newer runward (format {version}, this one knows {VERSION}); "
            "use that version or another state folder"
        )
    return version
