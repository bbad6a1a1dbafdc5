"""Moves the WAL into the database, away from the event loop. Why a thread, and two kinds of checkpoint:

SQLite's own (automatic) checkpoints stall the committing thread, 5 ms at the 99th percentile. A PASSIVE one
from another thread stalls nobody, but under steady writes it never catches up, so the WAL grows without end.
A RESTART lets the next commit begin the WAL anew, and holds the write lock while it works: so it comes last,
when PASSIVE ones have left it little to do, and only above a size; commits then wait 3 to 12 ms.
Not TRUNCATE: cutting the file under the lock takes far longer (60 ms for 160 MB on ext4), and a file that is
written over is faster than one that grows. The last connection to close removes it.
"""

import sqlite3
import threading
from pathlib import Path

PERIOD_S = 0.25  # between two checkpoints, at the least
WAKE_BYTES = 4 << 20  # written since the last one; below this the WAL may lie
RESTART_BYTES = 32 << 20  # a WAL above this is begun anew
FRAME_BYTES = 4096 + 24  # a page and its header, https://sqlite.org/fileformat.html#the_wal_file_format

LITTLE_FRAMES = 256  # what a RESTART may be left to copy
MOVES = 8  # tries to get there
TRIES = 50  # to find a moment without a transaction
TRY_PAUSE_S = 0.001

PASSIVE = "PRAGMA wal_checkpoint(PASSIVE)"
RESTART = "PRAGMA wal_checkpoint(RESTART)"


class Checkpoints:
    """A thread with a connection of its own that sleeps while nothing is written.

    Its methods are called by the writer's thread. It never raises: what fails is tried again when more was
    written.
    """

    def __init__(self, path: Path) -> None:
        # It waits for no lock: while a RESTART waits for readers it holds the write lock, and so the loop.
        self._database = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
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
        """End the thread; waits for the checkpoint that it may be in. May be called twice."""
        self._stop.set()
        self._wake.set()
        self._thread.join()
        self._database.close()

    def _work(self) -> None:
        while self._next():
            try:
                self._move()
            except sqlite3.Error:
                pass  # a full disk, most likely; the commits, which matter, find that for themselves

    def _next(self) -> bool:
        self._wake.wait()
        self._wake.clear()
        return not self._stop.wait(PERIOD_S)

    def _move(self) -> None:
        """Copy what readers allow, stopping nobody; a long WAL until little is left, then begin it anew."""
        frames = self._checkpoint(PASSIVE)[1]
        if frames * FRAME_BYTES <= RESTART_BYTES:
            return
        for _ in range(MOVES):
            before, frames = frames, self._checkpoint(PASSIVE)[1]
            if frames - before <= LITTLE_FRAMES or self._stop.is_set():
                break
        self._begin_anew()

    def _begin_anew(self) -> None:
        """It takes a moment in which nobody writes and no reader needs the WAL: short ones, but frequent."""
        for _ in range(TRIES):
            busy = self._checkpoint(RESTART)[0]
            if not busy or self._stop.wait(TRY_PAUSE_S):
                return

    def _checkpoint(self, sql: str) -> tuple[int, int, int]:
        """Whether it was in somebody's way (0 or 1), frames in the WAL, frames of them copied by now."""
        row: tuple[int, int, int] = self._database.execute(sql).fetchone()
        return row
