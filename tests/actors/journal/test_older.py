"""Journals as earlier versions left them, byte for byte: what is in them is there for this version, and goes on.

`older/format_N.sql` is the dump of a journal that the code of format N wrote. It never changes; a new format adds
one.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from runward.actors.journal import schema
from runward.actors.journal.reader import Reader
from runward.actors.journal.writer import Writer
from runward.actors.records import Status

from .making import GIVEN, a_record, everything

OLDER = Path(__file__).parent / "older"
FORMATS = range(1, schema.VERSION)
NEWER_THAN_KEYS = 2
NEWER_THAN_SIZES = 3
LIVE_BYTES = 133  # of the live run's events
COLUMNS = {"table": "SELECT * FROM pragma_table_xinfo(?)", "index": "SELECT * FROM pragma_index_xinfo(?)"}


def an_older(folder: Path, number: int) -> Path:
    """The state folder of a server of that format."""
    folder.mkdir()
    with closing(sqlite3.connect(folder / schema.FILE_NAME)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript((OLDER / f"format_{number}.sql").read_text())
    return folder


def shape(folder: Path) -> list[tuple[str, str, str]]:
    """Every table and index: what it is, its name, its columns."""
    with closing(sqlite3.connect(folder / schema.FILE_NAME)) as database:
        names = database.execute("SELECT type, name FROM sqlite_master ORDER BY type, name").fetchall()
        return [
            (kind, name, str(database.execute(COLUMNS[kind], (name,)).fetchall())) for kind, name in names
        ]


def test_there_is_one_of_every_earlier_format() -> None:
    assert {file.name for file in OLDER.iterdir()} == {f"format_{number}.sql" for number in FORMATS}


@pytest.mark.parametrize("number", FORMATS)
def test_all_that_was_in_an_older_journal_is_there(folder: Path, number: int) -> None:
    writer = Writer(an_older(folder, number))
    reader = Reader(folder)
    found = reader.run("run_done")
    assert found is not None
    assert (found[1].status, bytes(found[1].output or b"")) == (Status.COMPLETED, b'"hello"')
    assert [(batch.first, batch.last) for batch in everything(reader, found[0])] == [(1, 2), (3, 3)]
    [live] = writer.unended()
    assert (live.record.run_id, live.last_seq, live.given) == ("run_live", 2, GIVEN)
    assert [(stop.id, stop.run) for stop in writer.stops()] == [("stop_1", live.key)]
    assert writer.meta("root") == b"7 8 boot"
    if number >= NEWER_THAN_KEYS:
        assert writer.noted_key("alice", "key", 1000.0) == ("run_done", b"hash")
    reader.close()
    writer.close()


@pytest.mark.parametrize("number", FORMATS)
def test_a_journal_that_was_brought_up_to_date_has_the_tables_of_a_new_one(
    folder: Path, tmp_path: Path, number: int
) -> None:
    Writer(an_older(folder, number)).close()
    new = tmp_path / "new"
    Writer(new).close()
    assert shape(folder) == shape(new)


@pytest.mark.parametrize("number", FORMATS)
def test_an_older_journal_goes_on(folder: Path, number: int) -> None:
    writer = Writer(an_older(folder, number))
    [live] = writer.unended()
    writer.append(live.key, 3, 3, b'{"event":"x.y","timestamp":1.0}\n')
    assert writer.add_run(a_record("run_new"), GIVEN) > live.key
    while (bare := writer.sweep()) is not None:
        for erased in bare:
            writer.forgotten(erased.key)
    writer.commit()
    before = LIVE_BYTES if number >= NEWER_THAN_SIZES else 0  # what was not counted counts for nothing
    assert writer.holdings.extent(live.key) == (3, before + 32)
    assert [head.upto for head in writer.holdings.oldest(live.key, 9)] == [before, before + 32]
    assert [run.run_id for run in writer.holdings.ended(9)] == ["run_done"]
    writer.close()
    with closing(sqlite3.connect(folder / schema.FILE_NAME)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("SELECT DISTINCT run FROM batch").fetchall() == [(1,), (live.key,)]
