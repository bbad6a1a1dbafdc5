"""The numbers of changes: whoever reads on after the last that it saw misses no run's last change."""

import sqlite3
from contextlib import closing
from pathlib import Path

from runward.actors.journal import codec, schema
from runward.actors.journal.reader import CHANGES, LAST_CHANGE, Reader
from runward.actors.journal.writer import Writer
from runward.actors.records import Status

from .making import GIVEN, a_record

ADD_OLD = (
    "INSERT INTO run (run_id, agent, status, owner, created_at, updated_at, record)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
)


def test_each_run_is_told_once_with_its_last_change(writer: Writer, reader: Reader) -> None:
    records = [a_record(f"run_{number}") for number in range(3)]
    keys = [writer.add_run(record, GIVEN) for record in records]
    records[0].status = Status.RUNNING
    writer.save_run(keys[0], records[0])
    writer.commit()
    told = reader.changes(0, 10)
    assert [(number, record.run_id) for number, record in told] == [(2, "run_1"), (3, "run_2"), (4, "run_0")]
    assert told[-1][1].status is Status.RUNNING
    assert reader.changes(3, 10) == told[-1:]
    assert [number for number, _ in reader.changes(0, 2)] == [2, 3]
    assert reader.last_change() == writer.changed == 4


def test_events_are_no_changes(writer: Writer, reader: Reader) -> None:
    key = writer.add_run(a_record(), GIVEN)
    writer.append(key, 1, 1, b"{}\n")
    writer.commit()
    assert reader.last_change() == 1


def test_an_empty_journal_has_no_change(writer: Writer, reader: Reader) -> None:
    assert (reader.last_change(), reader.changes(0, 10)) == (0, [])


def test_a_journal_of_the_first_format_keeps_its_runs_and_counts_from_there(folder: Path) -> None:
    folder.mkdir()
    with closing(sqlite3.connect(folder / schema.FILE_NAME, isolation_level=None)) as database:
        for statement in schema.MIGRATIONS[0]:
            database.execute(statement)
        database.execute("PRAGMA user_version = 1")
        old = ("run_old", "echo", "completed", "alice", 1.0, 1.0, codec.encode_record(a_record("run_old")))
        database.execute(ADD_OLD, old)
    writer, reader = Writer(folder), Reader(folder)
    key = writer.add_run(a_record("run_new"), GIVEN)
    writer.commit()
    assert (key, writer.changed) == (2, 1)
    assert [record.run_id for record in reader.runs().records] == ["run_new", "run_old"]
    assert [record.run_id for _, record in reader.changes(0, 10)] == ["run_new"]
    reader.close()
    writer.close()


def test_changes_are_found_by_index(writer: Writer, folder: Path) -> None:
    with closing(sqlite3.connect(folder / schema.FILE_NAME)) as database:
        for sql, values in ((CHANGES, (1, 1)), (LAST_CHANGE, ())):
            plan = database.execute(f"EXPLAIN QUERY PLAN {sql}", values).fetchall()
            assert [step[3].split()[0] for step in plan] == ["SEARCH"], plan
