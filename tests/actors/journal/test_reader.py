import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from runward.actors.journal import schema
from runward.actors.journal.reader import OLDEST_OWED, LastEvent, Reader
from runward.actors.journal.writer import Writer
from runward.actors.records import Status

from .making import GIVEN, a_record, everything, line, lines, numbers


def a_run(writer: Writer, *batches: tuple[int, int], run_id: str = "run_1", filling: str = "") -> int:
    key = writer.add_run(a_record(run_id), GIVEN)
    for first, last in batches:
        writer.append(key, first, last, lines(first, last, filling))
    writer.commit()
    return key


def test_an_unknown_run_is_none(reader: Reader) -> None:
    assert reader.run("run_0") is None
    assert reader.last(1) is None
    assert reader.batches(1, 0, 1000) == []
    assert reader.runs() == ([], False, None)


@pytest.mark.parametrize(
    ("after", "firsts"),
    [(0, [1, 4, 5]), (1, [1, 4, 5]), (2, [1, 4, 5]), (3, [4, 5]), (4, [5]), (8, [5]), (9, [])],
)
def test_reading_begins_with_the_batch_that_holds_the_next_event(
    after: int, firsts: list[int], writer: Writer, reader: Reader
) -> None:
    key = a_run(writer, (1, 3), (4, 4), (5, 9))
    a_run(writer, (1, 20), run_id="run_2")
    assert [batch.first for batch in reader.batches(key, after, 10_000)] == firsts


def test_what_is_owed_to_webhooks_is_counted_and_the_oldest_end_is_known(
    writer: Writer, reader: Reader
) -> None:
    assert reader.owed(10) == (0, None)
    keys = [
        writer.add_run(a_record(f"run_{at}", status=Status.COMPLETED, updated_at=ended_at), GIVEN)
        for at, ended_at in enumerate((50.0, 30.0, 40.0))
    ]
    for key in keys:
        writer.owe(key, 1e9 - key)
    writer.commit()
    assert reader.owed(10) == (3, 30.0)
    assert reader.owed(1) == (3, 50.0)
    writer.paid(keys[1])
    writer.commit()
    assert reader.owed(10) == (2, 40.0)


def test_the_oldest_end_that_is_owed_is_found_without_a_look_at_all_runs(
    writer: Writer, reader: Reader, folder: Path
) -> None:
    with closing(sqlite3.connect(folder / schema.FILE_NAME)) as database:
        plan = [step[3] for step in database.execute(f"EXPLAIN QUERY PLAN {OLDEST_OWED}", (1,)).fetchall()]
    assert not any("SCAN run" in step or "B-TREE" in step for step in plan), plan


def test_reading_goes_on_behind_a_gap(writer: Writer, reader: Reader) -> None:
    key = a_run(writer, (1, 3), (10, 12))
    assert [batch.first for batch in reader.batches(key, 3, 10_000)] == [10]
    assert [batch.first for batch in reader.batches(key, 7, 10_000)] == [10]
    assert [batch.first for batch in reader.batches(key, 2, 10_000)] == [1, 10]


def test_a_page_holds_what_fits_and_one_batch_at_least(writer: Writer, reader: Reader) -> None:
    key = a_run(writer, (1, 1), (2, 2), (3, 3), (4, 4), filling="x" * 100)
    size = len(line(1, "x" * 100))
    assert len(reader.batches(key, 0, 1)) == 1
    assert len(reader.batches(key, 0, 2 * size - 1)) == 1
    assert len(reader.batches(key, 0, 2 * size)) == 2
    assert len(reader.batches(key, 0, 100 * size)) == 4


def test_the_last_event_is_the_last_line_of_the_last_batch(writer: Writer, reader: Reader) -> None:
    key = a_run(writer, (1, 3), (4, 4))
    assert reader.last(key) == LastEvent(4, "message.delta", 4.0)
    writer.append(key, 5, 7, lines(5, 6) + b'{"event":"run.completed","timestamp":7,"output":{"event":1}}\n')
    writer.commit()
    assert reader.last(key) == LastEvent(7, "run.completed", 7.0)


def test_runs_are_listed_newest_first_page_by_page(writer: Writer, reader: Reader) -> None:
    for n in range(5):
        a_run(writer, run_id=f"run_{n}")
    first = reader.runs(limit=2)
    second = reader.runs(limit=2, before=first.next)
    third = reader.runs(limit=2, before=second.next)
    assert [record.run_id for page in (first, second, third) for record in page.records] == [
        "run_4", "run_3", "run_2", "run_1", "run_0",
    ]  # fmt: skip
    assert [page.has_more for page in (first, second, third)] == [True, True, False]
    assert third.next is None


def test_a_full_last_page_says_that_it_is_the_last(writer: Writer, reader: Reader) -> None:
    a_run(writer, run_id="run_1")
    a_run(writer, run_id="run_2")
    assert reader.runs(limit=2).has_more is False


def test_a_run_that_comes_while_paging_does_not_shift_the_pages(writer: Writer, reader: Reader) -> None:
    for n in range(4):
        a_run(writer, run_id=f"run_{n}")
    first = reader.runs(limit=2)
    a_run(writer, run_id="run_late")
    assert [record.run_id for record in reader.runs(limit=2, before=first.next).records] == ["run_1", "run_0"]


@pytest.mark.parametrize(
    "cursor", ["", "x", "run_1", "AAAAAAAAAA", "//////////8", "__________8=", "é" * 11, "A" * 999]
)
def test_a_cursor_that_was_never_given_is_refused(cursor: str, reader: Reader) -> None:
    with pytest.raises(ValueError, match="not a cursor"):
        reader.runs(before=cursor)


def test_a_reader_can_not_write(reader: Reader) -> None:
    with pytest.raises(Exception, match="readonly"):
        reader._database.execute("DELETE FROM run")


def test_a_reader_may_be_used_in_another_thread(writer: Writer, reader: Reader) -> None:
    key = a_run(writer, (1, 2))
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.extend(numbers(reader.batches(key, 0, 1000))))
    thread.start()
    thread.join()
    assert found == [1, 2]


def test_no_call_leaves_a_snapshot_behind(writer: Writer, reader: Reader, folder: Path) -> None:
    """A snapshot would keep the WAL from being begun anew, so that it would grow for ever."""
    key = a_run(writer, *[(n, n) for n in range(1, 50)])
    for n in range(5):
        a_run(writer, run_id=f"run_{n + 2}")
    reader.run("run_1")
    reader.given(key)
    reader.runs(limit=2, status=Status.QUEUED)
    reader.batches(key, 0, 1)
    reader.batches(key, 0, 500)
    reader.last(key)
    wal = folder / "journal.db-wal"
    writer._database.execute("PRAGMA busy_timeout = 0")
    assert writer._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    assert os.stat(wal).st_size == 0
    assert numbers(everything(reader, key)) == list(range(1, 50))


def test_a_reader_outlives_the_writer_and_sees_the_next_one(
    writer: Writer, reader: Reader, folder: Path
) -> None:
    key = a_run(writer, (1, 1))
    writer.close()
    assert numbers(everything(reader, key)) == [1]
    again = Writer(folder)
    again.append(key, 2, 2, line(2))
    again.commit()
    assert numbers(everything(reader, key)) == [1, 2]
    again.close()
    assert numbers(everything(reader, key)) == [1, 2]


def test_a_journal_can_be_read_when_nobody_writes(writer: Writer, folder: Path) -> None:
    key = a_run(writer, (1, 2))
    writer.close()
    reader = Reader(folder)
    assert numbers(everything(reader, key)) == [1, 2]
    reader.close()
    reader.close()
