"""Moves the WAL into the database, away from the event loop. Why a thread, and two kinds of checkpoint:

SQLite's own (automatic) checkpoints stall the committing thread, 5 ms at the 99th percentile. A PASSIVE one
from another thread stalls nobody, but under steady writes it never catches up, so the WAL grows without end.
A TRUNCATE resets the WAL but holds the write lock while it works: so it comes last, when a PASSIVE one has
left it little to do, only above a size, and gives up soon if a reader is in its way.
"""

import sqlite3
import threading
from pathlib import Path

PERIOD_S = 0.25  # between two checkpoints, at the least
WAKE_BYTES = 4 << 20  # written since the last one; below this the WAL may lie
RESET_BYTES = 32 << 20  # a WAL above this is reset
RESET_BUSY_S = 0.02  # what readers can make a reset, and so the writer, wait
FRAME_BYTES = 4096 + 24  # a page and its header, https://sqlite.org/fileformat.html#the_wal_file_format


class Checkpoints:
    """A thread with a connection of its own that sleeps while nothing is written.

    Its methods are called by the writer's thread. It never raises: what fails is tried again when more was
    written.
    """

    def __init__(self, path: Path, reset_bytes: int = RESET_BYTES) -> None:
        self._path = path
        self._reset_bytes = reset_bytes
        self._unseen = 0
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="journal checkpoints", daemon=True)
        self._thread.start()

    def wrote(self, size: int) -> None:
        """About `size` bytes were added to the WAL. Wakes the thread once that has become much."""
        self._unseen += size
        if self._unseen >= WAKE_BYTES:
            self.wake()

    def wake(self) -> None:
        """Checkpoint soon, however little was written. Does not wait."""
        self._unseen = 0
        self._wake.set()

    def close(self) -> None:
        """End the thread; waits for the checkpoint that it may be in."""
        self._stop.set()
        self._wake.set()
        self._thread.join()

    def _work(self) -> None:
        database = sqlite3.connect(self._path, timeout=RESET_BUSY_S, isolation_level=None)
        try:
            while self._next():
                self._checkpoint(database)
        finally:
            database.close()

    def _next(self) -> bool:
        self._wake.wait()
        self._wake.clear()
        return not self._stop.wait(PERIOD_S)

    def _checkpoint(self, database: sqlite3.Connection) -> None:
        try:
            _, frames, _ = database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if frames * FRAME_BYTES > self._reset_bytes:
                # Once more for what came during the first, which may have taken long.
                database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.OperationalError:
            pass  # a full disk or a busy moment; the commits, which matter, find the former for themselves
