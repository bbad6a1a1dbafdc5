"""A disk without room: a tiny tmpfs where we may mount one, and a file size limit, which anybody may set."""

import pytest

from runward.actors.errors import JournalFull, StateFolderUnusable
from runward.actors.journal.reader import Reader
from runward.actors.journal.writer import Writer

from .disks import KIB, SmallDisk
from .making import GIVEN, a_record, everything, lines, numbers


def fill(writer: Writer, key: int) -> int:
    """Commit events until there is no room; the last that was committed."""
    for n in range(1, 1000, 2):
        writer.append(key, n, n + 1, lines(n, n + 1, "x" * 4 * KIB))
        try:
            writer.commit()
        except JournalFull:
            return n - 1
    raise AssertionError("the disk never filled")


def test_a_full_disk_is_told_and_undoes_only_what_was_not_committed(disk: SmallDisk) -> None:
    writer = Writer(disk.folder)
    key = writer.add_run(a_record(), GIVEN)
    writer.commit()
    last = fill(writer, key)
    assert writer.commit() is False
    assert writer.last_seq(key) == last
    reader = Reader(disk.folder)
    assert numbers(everything(reader, key)) == list(range(1, last + 1))
    reader.close()
    writer.close()


def test_a_writer_goes_on_once_there_is_room_again(disk: SmallDisk) -> None:
    writer = Writer(disk.folder)
    key = writer.add_run(a_record(), GIVEN)
    writer.commit()
    last = fill(writer, key)
    disk.set_room(8 * 1024 * KIB)
    writer.append(key, last + 1, last + 2, lines(last + 1, last + 2))
    writer.save_run(key, a_record(last_seq=last + 2))
    assert writer.commit() is True
    reader = Reader(disk.folder)
    assert numbers(everything(reader, key)) == list(range(1, last + 3))
    reader.close()
    writer.close()


def test_a_transaction_larger_than_the_room_fails_where_it_spills(disk: SmallDisk) -> None:
    writer = Writer(disk.folder)
    key = writer.add_run(a_record(), GIVEN)
    writer.commit()
    with pytest.raises(JournalFull, match="make room"):
        writer.append(key, 1, 1, lines(1, 1, "x" * 8 * 1024 * KIB))
    assert writer.commit() is False
    assert writer.last_seq(key) == 0
    writer.append(key, 1, 1, lines(1, 1))
    assert writer.commit() is True
    writer.close()


def test_a_folder_without_room_is_refused_at_the_start(disk: SmallDisk) -> None:
    disk.set_room(16 * KIB)
    with pytest.raises(StateFolderUnusable, match="no room"):
        Writer(disk.folder)
    disk.set_room(1024 * KIB)
    Writer(disk.folder).close()


def test_a_full_journal_is_refused_at_the_start_and_kept(disk: SmallDisk) -> None:
    writer = Writer(disk.folder)
    key = writer.add_run(a_record(), GIVEN)
    writer.append(key, 1, 1, lines(1, 1))
    writer.commit()
    writer.close()
    disk.set_room(4 * KIB)
    with pytest.raises(StateFolderUnusable, match="no room"):
        Writer(disk.folder)
    disk.set_room(1024 * KIB)
    writer = Writer(disk.folder)
    assert writer.last_seq(key) == 1
    writer.close()
