"""What a killed writer leaves, with real processes and SIGKILL."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runward.actors.journal.reader import Reader
from runward.actors.journal.writer import Writer

from .making import everything, line, numbers

CHECKOUT = Path(__file__).parents[3]


@contextmanager
def writing(folder: Path, what: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "tests.actors.journal.endless_writer", str(folder), what]
    with subprocess.Popen(command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    return process.stdout.readline()


def check_whole(writer: Writer) -> None:
    assert writer._database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.parametrize("enough", [1, 30, 400])
def test_a_killed_writer_loses_nothing_that_it_committed(folder: Path, enough: int) -> None:
    with writing(folder, "commits") as process:
        told = [int(said(process)) for _ in range(enough)][-1]
        process.kill()
        assert process.stdout is not None
        told = max([told, *map(int, process.stdout.read().split(b"\n")[:-1])])
    writer = Writer(folder)
    check_whole(writer)
    [(key, record, _, last_seq)] = writer.unended()
    reader = Reader(folder)
    assert told <= last_seq <= told + 1  # one may have been committed and not told
    assert record.last_seq == last_seq
    assert numbers(everything(reader, key)) == list(range(1, last_seq + 1))
    reader.close()
    writer.close()


def test_nothing_of_an_open_transaction_survives_a_kill(folder: Path) -> None:
    with writing(folder, "uncommitted") as process:
        assert said(process) == b"open\n"
        wal = (folder / "journal.db-wal").stat().st_size
    assert wal > 1 << 20, "the transaction was to spill, so that there is something to undo"
    writer = Writer(folder)
    check_whole(writer)
    [(key, _, _, last_seq)] = writer.unended()
    assert last_seq == 1
    writer.append(key, 2, 2, line(2))
    writer.commit()
    reader = Reader(folder)
    assert numbers(everything(reader, key)) == [1, 2]
    reader.close()
    writer.close()


def test_a_reader_goes_on_over_the_death_of_a_writer_and_the_next_one(folder: Path) -> None:
    with writing(folder, "commits") as process:
        said(process)
        reader = Reader(folder)
        found = reader.run("run_1")
        assert found is not None
        key = found[0]
        for _ in range(20):
            said(process)
    seen = numbers(everything(reader, key))
    writer = Writer(folder)
    last_seq = writer.last_seq(key)
    assert seen == list(range(1, last_seq + 1))
    writer.append(key, last_seq + 1, last_seq + 1, line(last_seq + 1))
    writer.commit()
    assert numbers(everything(reader, key, after=last_seq)) == [last_seq + 1]
    writer.close()
    reader.close()


def test_a_reader_sees_whole_commits_while_another_process_writes(folder: Path) -> None:
    with writing(folder, "commits") as process:
        said(process)
        reader = Reader(folder)
        seen: list[int] = []
        while len(seen) < 500:
            last = reader.last(1)
            found = reader.run("run_1")
            assert last is not None
            assert found is not None
            assert last.seq <= found[1].last_seq, "the record is saved in the commit that adds the event"
            page = reader.batches(1, seen[-1] if seen else 0, 20_000)
            seen += numbers(page)
            said(process)
        assert seen == list(range(1, len(seen) + 1))
        reader.close()
