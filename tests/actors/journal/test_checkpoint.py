import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from runward.actors.journal import checkpoint
from runward.actors.journal.checkpoint import Checkpoints
from runward.actors.journal.reader import Reader
from runward.actors.journal.writer import Writer

from .making import GIVEN, a_record, everything, lines, numbers

BATCH = 10
BLOB_BYTES = BATCH * 400


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints as in a busy server, at a fiftieth of the size."""
    monkeypatch.setattr(checkpoint, "PERIOD_S", 0.005)
    monkeypatch.setattr(checkpoint, "WAKE_BYTES", 80 << 10)
    monkeypatch.setattr(checkpoint, "RESTART_BYTES", 640 << 10)
    monkeypatch.setattr(checkpoint, "LITTLE_FRAMES", 32)


def times_begun(wal: Path) -> int:
    """How often the WAL was begun anew: its header counts that (checkpoint sequence number)."""
    with wal.open("rb") as file:
        return int.from_bytes(file.read(16)[12:])


class SteadyWriter:
    """Adds a batch at a time to one run, and knows how large the WAL ever was."""

    def __init__(self, folder: Path, writer: Writer) -> None:
        self._writer = writer
        self._wal = folder / "journal.db-wal"
        self.key = writer.add_run(a_record(), GIVEN)
        self.last = 0
        self.peak_bytes = 0

    def write_until(self, met: Callable[[], bool], never: str, deadline_s: float = 40) -> None:
        end = time.monotonic() + deadline_s
        while not met():
            assert time.monotonic() < end, f"{never} in {deadline_s} s, {self.last} events"
            self.write()

    def write(self) -> None:
        first, self.last = self.last + 1, self.last + BATCH
        self._writer.append(self.key, first, self.last, lines(first, self.last, "x" * (BLOB_BYTES // BATCH)))
        self._writer.commit()
        self.peak_bytes = max(self.peak_bytes, self._wal.stat().st_size)


def test_the_wal_stays_bounded_under_steady_writes_while_a_slow_reader_pages(
    hurried: None, folder: Path, writer: Writer, reader: Reader
) -> None:
    steady = SteadyWriter(folder, writer)
    seen: list[int] = []

    def written_thrice_the_wal() -> bool:
        seen.extend(numbers(reader.batches(steady.key, seen[-1] if seen else 0, BLOB_BYTES)))
        often = times_begun(folder / "journal.db-wal") >= 10
        return often and steady.last // BATCH * BLOB_BYTES > 3 * steady.peak_bytes

    # The thread may be starved for a while on a busy machine; but a WAL that is not begun anew is always larger
    # than all that was written.
    steady.write_until(written_thrice_the_wal, "the WAL grew with what was written")
    assert seen == list(range(1, seen[-1] + 1))
    assert numbers(everything(reader, steady.key, max_bytes=1 << 20)) == list(range(1, steady.last + 1))


def test_a_reader_that_keeps_a_snapshot_stops_no_commit_and_the_wal_recovers(
    hurried: None, folder: Path, writer: Writer
) -> None:
    steady = SteadyWriter(folder, writer)
    steady.write()
    pinned = sqlite3.connect(folder / "journal.db", isolation_level=None)
    pinned.execute("BEGIN")
    assert pinned.execute("SELECT count(*) FROM batch").fetchone() == (1,)
    steady.write_until(lambda: steady.peak_bytes > 3 * checkpoint.RESTART_BYTES, "commits stopped")
    assert times_begun(folder / "journal.db-wal") == 0
    assert pinned.execute("SELECT count(*) FROM batch").fetchone() == (1,)
    pinned.close()
    steady.write_until(lambda: times_begun(folder / "journal.db-wal") > 0, "the WAL was not begun anew")


def test_little_writing_wakes_nobody(folder: Path) -> None:
    Writer(folder).close()
    checkpoints = Checkpoints(folder / "journal.db")
    checkpoints.wrote(checkpoint.WAKE_BYTES - 1)
    assert not checkpoints._wake.is_set()
    checkpoints.close()


def test_closing_waits_for_no_period(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "PERIOD_S", 3600.0)
    Writer(folder).close()
    checkpoints = Checkpoints(folder / "journal.db")
    checkpoints.wrote(checkpoint.WAKE_BYTES)
    checkpoints.close()
    checkpoints.close()


def test_a_checkpoint_that_fails_is_tried_again_later(
    hurried: None, folder: Path, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = threading.Event()

    def fail(self: Checkpoints, sql: str) -> tuple[int, int, int]:
        failed.set()
        raise sqlite3.OperationalError("database or disk is full")

    steady = SteadyWriter(folder, writer)
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "_checkpoint", fail)
        steady.write_until(failed.is_set, "no checkpoint was tried")
    steady.write_until(lambda: times_begun(folder / "journal.db-wal") > 0, "the WAL was not begun anew")


def test_a_closed_journal_leaves_no_wal(folder: Path, writer: Writer) -> None:
    steady = SteadyWriter(folder, writer)
    for _ in range(50):
        steady.write()
    writer.close()
    assert [file.name for file in folder.iterdir()] == ["journal.db"]
    reader = Reader(folder)
    assert numbers(everything(reader, steady.key)) == list(range(1, steady.last + 1))
    reader.close()
