import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import combinations
from pathlib import Path

import pytest

from runward.actors.errors import StateFolderUnusable
from runward.actors.journal import reader as reading
from runward.actors.journal import schema
from runward.actors.journal.intents import PENDING, PENDING_OF
from runward.actors.journal.reader import Reader
from runward.actors.journal.writer import Writer
from runward.actors.records import Status

from .making import GIVEN, a_record


@pytest.fixture
def loose_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def plain(folder: Path) -> "closing[sqlite3.Connection]":
    return closing(sqlite3.connect(folder / schema.FILE_NAME, isolation_level=None))


def test_no_file_of_a_journal_can_be_read_by_others(loose_umask: None, folder: Path) -> None:
    writer = Writer(folder)
    writer.add_run(a_record(), GIVEN)
    writer.commit()
    modes = {file.name: oct(file.stat().st_mode & 0o777) for file in folder.iterdir()}
    writer.close()
    assert modes == dict.fromkeys(["journal.db", "journal.db-shm", "journal.db-wal"], "0o600")
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_file_that_others_could_read_is_made_private(folder: Path) -> None:
    Writer(folder).close()
    (folder / schema.FILE_NAME).chmod(0o644)
    Writer(folder).close()
    assert (folder / schema.FILE_NAME).stat().st_mode & 0o777 == 0o600


def test_a_journal_of_a_newer_version_is_refused_and_left_as_it_was(folder: Path) -> None:
    Writer(folder).close()
    with plain(folder) as database:
        database.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    before = (folder / schema.FILE_NAME).read_bytes()
    with pytest.raises(StateFolderUnusable, match=f"newer runward .format {schema.VERSION + 1}, this one"):
        Writer(folder)
    with pytest.raises(StateFolderUnusable, match="newer runward"):
        Reader(folder)
    assert (folder / schema.FILE_NAME).read_bytes() == before


def test_a_file_that_is_no_journal_is_refused_and_left_as_it_was(folder: Path) -> None:
    folder.mkdir()
    content = b"these are my notes, they are not a database\n" * 100
    (folder / schema.FILE_NAME).write_bytes(content)
    with pytest.raises(StateFolderUnusable, match="not a database"):
        Writer(folder)
    with pytest.raises(StateFolderUnusable, match="not a database"):
        Reader(folder)
    assert (folder / schema.FILE_NAME).read_bytes() == content


def test_a_reader_before_the_first_writer_is_told_so(folder: Path) -> None:
    with pytest.raises(StateFolderUnusable, match="no journal can be read"):
        Reader(folder)
    assert not folder.exists()


def test_a_reader_of_a_journal_without_tables_is_told_so(folder: Path) -> None:
    folder.mkdir()
    (folder / schema.FILE_NAME).touch()
    with pytest.raises(StateFolderUnusable, match=f"has format 0; this runward reads {schema.VERSION}"):
        Reader(folder)


def test_an_older_journal_is_brought_up_to_date_with_all_that_is_in_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = Writer(folder)
    writer.add_run(a_record("run_old"), GIVEN)
    writer.commit()
    writer.close()
    more = ("CREATE TABLE note (run INTEGER)", "INSERT INTO note SELECT key FROM run")
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, more))
    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 1)
    writer = Writer(folder)
    assert [run.record.run_id for run in writer.unended()] == ["run_old"]
    writer.close()
    with plain(folder) as database:
        assert database.execute("SELECT run FROM note").fetchall() == [(1,)]
        assert database.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)


def test_a_migration_that_fails_half_way_leaves_the_old_journal(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Writer(folder).close()
    old = schema.VERSION
    broken = ("CREATE TABLE note (run INTEGER)", "INSERT INTO nowhere VALUES (1)")
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, broken))
        patch.setattr(schema, "VERSION", old + 1)
        with pytest.raises(StateFolderUnusable, match="nowhere"):
            Writer(folder)
    with plain(folder) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (old,)
        assert database.execute("SELECT * FROM sqlite_master WHERE name = 'note'").fetchall() == []
    Writer(folder).close()


@pytest.mark.parametrize(("synchronous", "number"), [("normal", 1), ("full", 2)])
def test_the_flush_that_was_asked_for_is_set(
    synchronous: schema.Synchronous, number: int, folder: Path
) -> None:
    with closing(schema.open_to_write(folder, synchronous)) as database:
        assert database.execute("PRAGMA synchronous").fetchone() == (number,)
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert database.execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)


@pytest.mark.parametrize("status", [Status.RUNNING, Status.FAILED])
@pytest.mark.parametrize("count", range(len(reading.FILTERS) + 1))
def test_no_listing_walks_the_table_or_sorts(
    count: int, status: Status, writer: Writer, folder: Path
) -> None:
    with plain(folder) as database:
        for names in combinations(reading.FILTERS, count):
            filters = {name: status if name == "status" else "x" for name in names}
            values = (9, *filters.values(), 50)
            plan = database.execute(f"EXPLAIN QUERY PLAN {reading._listing(filters)}", values).fetchall()
            assert [step[3].split()[0] for step in plan] == ["SEARCH"], filters


def test_pending_commands_are_found_without_walking_the_finished(writer: Writer, folder: Path) -> None:
    with plain(folder) as database:
        plan = database.execute(f"EXPLAIN QUERY PLAN {PENDING}").fetchall()
    assert len(plan) == 1
    assert "command_pending" in plan[0][3]


def test_a_runs_pending_commands_are_found_without_walking_those_of_others(
    writer: Writer, folder: Path
) -> None:
    with plain(folder) as database:
        plan = database.execute(f"EXPLAIN QUERY PLAN {PENDING_OF}", (1, "steer")).fetchall()
    assert "command_by_run" in plan[0][3]
