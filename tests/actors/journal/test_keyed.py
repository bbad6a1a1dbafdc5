"""Idempotency keys in the journal: kept with the run, by owner, for a time."""

import sqlite3
from contextlib import closing
from pathlib import Path

from runward.actors.journal import keyed, schema
from runward.actors.journal.keyed import Noted
from runward.actors.journal.writer import Writer

from .making import GIVEN, a_record


def test_a_key_is_kept_by_the_commit_that_adds_its_run(folder: Path) -> None:
    first = Writer(folder)
    first.note_key("alice", "kept", first.add_run(a_record("run_1"), GIVEN), b"hash", 5.0)
    first.commit()
    first.note_key("alice", "lost", first.add_run(a_record("run_2"), GIVEN), b"hash", 5.0)
    first.close()  # as a crash would
    second = Writer(folder)
    assert second.noted_key("alice", "kept", 5.0) == Noted("run_1", b"hash")
    assert second.noted_key("alice", "lost", 5.0) is None
    assert second.run_key("run_2") is None
    second.close()


def test_a_key_stands_for_its_owner_and_until_it_expires(writer: Writer) -> None:
    writer.note_key("alice", "k", writer.add_run(a_record(), GIVEN), b"hash", 5.0)
    assert writer.noted_key("bob", "k", 0.0) is None
    assert writer.noted_key("alice", "K", 0.0) is None
    assert writer.noted_key("alice", "k", 5.1) is None


def test_a_key_that_has_expired_may_be_used_again(writer: Writer) -> None:
    writer.note_key("alice", "k", writer.add_run(a_record("run_1"), GIVEN), b"one", 1.0)
    writer.note_key("alice", "k", writer.add_run(a_record("run_2"), GIVEN), b"two", 9.0)
    assert writer.noted_key("alice", "k", 5.0) == Noted("run_2", b"two")


def test_expired_keys_go_a_few_at_a_time_the_oldest_first_and_by_index(writer: Writer, folder: Path) -> None:
    run = writer.add_run(a_record(), GIVEN)
    for number in range(keyed.DROPPED_AT_ONCE + 2):
        writer.note_key("alice", str(number), run, b"", float(number))
    writer.drop_keys(keyed.DROPPED_AT_ONCE + 1.0)
    left = [n for n in range(keyed.DROPPED_AT_ONCE + 2) if writer.noted_key("alice", str(n), 0.0)]
    assert left == [keyed.DROPPED_AT_ONCE, keyed.DROPPED_AT_ONCE + 1]
    writer.drop_keys(keyed.DROPPED_AT_ONCE + 1.0)
    assert writer.noted_key("alice", str(keyed.DROPPED_AT_ONCE), 0.0) is None
    assert writer.noted_key("alice", str(keyed.DROPPED_AT_ONCE + 1), 0.0) is not None
    writer.commit()
    with closing(sqlite3.connect(folder / schema.FILE_NAME)) as database:
        plan = database.execute(f"EXPLAIN QUERY PLAN {keyed.DROP}", (1.0, 1)).fetchall()
    assert not [step for step in plan if step[3].startswith("SCAN idem")], plan
