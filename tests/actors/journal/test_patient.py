"""A writer that waits for room: what it keeps, that it says so, and that nothing of it is lost or written twice."""

from collections.abc import Iterator

import pytest

from runward.actors.journal.patient import PatientWriter
from runward.actors.journal.reader import Reader

from .disks import KIB, SmallDisk
from .making import GIVEN, a_record, everything, lines, numbers


@pytest.fixture
def writer(disk: SmallDisk) -> Iterator[PatientWriter]:
    writer = PatientWriter(disk.folder)
    yield writer
    writer.close()


def fill(writer: PatientWriter, key: int) -> int:
    """Append and commit until it is held up; the last that was committed."""
    for n in range(1, 1000, 2):
        writer.append(key, n, n + 1, lines(n, n + 1, "x" * 4 * KIB))
        if not writer.commit():
            assert writer.held_up
            return n - 1
    raise AssertionError("the disk never filled")


def written(disk: SmallDisk, key: int) -> list[int]:
    reader = Reader(disk.folder)
    found = numbers(everything(reader, key))
    reader.close()
    return found


def test_what_there_is_no_room_for_is_written_once_there_is(disk: SmallDisk, writer: PatientWriter) -> None:
    key = writer.add_run(a_record(), GIVEN)
    writer.commit()
    last = fill(writer, key)
    for n in range(last + 3, last + 20):
        writer.append(key, n, n, lines(n, n))
        assert writer.commit() is False
    writer.save_run(key, a_record(last_seq=last + 19))
    assert written(disk, key) == list(range(1, last + 1))
    disk.set_room(8 * 1024 * KIB)
    assert writer.commit() is True
    assert not writer.held_up
    assert written(disk, key) == list(range(1, last + 20))
    assert writer.unended()[0].record.last_seq == last + 19
    writer.append(key, last + 20, last + 20, lines(last + 20, last + 20))
    assert writer.commit() is True
    assert written(disk, key) == list(range(1, last + 21))


def test_a_turn_that_fails_half_way_is_kept_whole(disk: SmallDisk, writer: PatientWriter) -> None:
    key = writer.add_run(a_record(), GIVEN)
    writer.commit()
    writer.append(key, 1, 1, lines(1, 1))
    writer.append(key, 2, 2, lines(2, 2, "x" * 8 * 1024 * KIB))  # spills, so it fails before the commit
    assert writer.held_up
    writer.append(key, 3, 3, lines(3, 3))
    assert writer.commit() is False
    assert written(disk, key) == []
    disk.set_room(64 * 1024 * KIB)
    assert writer.commit() is True
    assert written(disk, key) == [1, 2, 3]


def test_an_intent_that_is_only_kept_is_known(disk: SmallDisk, writer: PatientWriter) -> None:
    key = writer.add_run(a_record(), GIVEN)
    assert writer.add_command("before", key, "stop", 1.0, b"") is True
    writer.commit()
    fill(writer, key)
    assert writer.add_command("before", key, "stop", 1.0, b"") is False
    assert writer.add_command("kept", key, "stop", 2.0, b"") is True
    assert writer.add_command("kept", key, "stop", 2.0, b"") is False
    disk.set_room(8 * 1024 * KIB)
    assert writer.commit() is True
    assert [stop.id for stop in writer.stops()] == ["before", "kept"]


def test_a_later_supervisor_opens_a_journal_that_is_full(disk: SmallDisk) -> None:
    first = PatientWriter(disk.folder)
    key = first.add_run(a_record(), GIVEN)
    first.commit()
    last = fill(first, key)
    second = PatientWriter(disk.folder, may_be_full=True)
    assert (second.last_seq(key), second.held_up) == (last, False)
    second.append(key, last + 1, last + 1, lines(last + 1, last + 1, "x" * 512 * KIB))
    assert second.commit() is False
    disk.set_room(64 * 1024 * KIB)
    assert second.commit() is True
    assert second.last_seq(key) == last + 1
    second.close()
    first.close()
