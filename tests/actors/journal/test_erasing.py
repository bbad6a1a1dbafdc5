"""Forgetting a run: what goes at once, what goes later, and that nothing of it comes back under another name."""

import sqlite3
from contextlib import closing
from pathlib import Path

from runward.actors.journal import erasing, schema
from runward.actors.journal.holdings import ENDED
from runward.actors.journal.intents import COMMANDED
from runward.actors.journal.reader import Reader
from runward.actors.journal.writer import Writer

from .making import GIVEN, a_record, everything, line, numbers

TABLES = ("run", "given", "batch", "command", "idempotency", "erased")


def _rows(folder: Path) -> dict[str, int]:
    with closing(sqlite3.connect(folder / schema.FILE_NAME)) as database:
        return {
            table: database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - of TABLES
            for table in TABLES
        }


def _long_run(writer: Writer, run_id: str, batches: int) -> int:
    key = writer.add_run(a_record(run_id), GIVEN)
    for number in range(1, batches + 1):
        writer.append(key, number, number, line(number))
    return key


def _swept(writer: Writer) -> list[str]:
    """Sweep to the end; the runs of which nothing was left, in that order."""
    gone: list[str] = []
    while (bare := writer.sweep()) is not None:
        for erased in bare:
            gone.append(erased.run_id)
            writer.forgotten(erased.key)
        writer.commit()
    return gone


def test_a_forgotten_run_is_gone_with_the_commit_and_with_all_that_belongs_to_it(
    writer: Writer, reader: Reader, folder: Path
) -> None:
    key = _long_run(writer, "run_1", 3)
    writer.add_command("c", key, "stop", 1.0, b"")
    writer.note_key("alice", "k", key, b"hash", 1.0)
    writer.commit()
    writer.delete_run(key)
    assert reader.run("run_1") is not None
    writer.commit()
    assert reader.run("run_1") is None
    assert reader.given(key) is None
    assert reader.last(key) is None
    assert writer.run_key("run_1") is None
    assert writer.noted_key("alice", "k", 0.0) is None
    assert _rows(folder) == dict.fromkeys(TABLES, 0) | {"erased": 1}
    assert _swept(writer) == ["run_1"]
    assert _rows(folder) == dict.fromkeys(TABLES, 0)


def test_a_key_may_outlive_its_run(writer: Writer) -> None:
    key = _long_run(writer, "run_1", 3)
    writer.note_key("alice", "k", key, b"hash", 1.0)
    writer.delete_run(key, keep_idempotency=True)
    writer.commit()
    assert writer.noted_key("alice", "k", 0.0) == ("run_1", b"hash")


def test_many_events_go_a_slice_at_a_time(writer: Writer, reader: Reader, folder: Path) -> None:
    key = _long_run(writer, "run_1", 2 * erasing.BATCHES + 1)
    writer.delete_run(key)
    writer.commit()
    assert (_rows(folder)["run"], _rows(folder)["batch"]) == (0, erasing.BATCHES + 1)
    assert numbers(everything(reader, key, erasing.BATCHES))[0] == erasing.BATCHES + 1  # the oldest go first
    assert writer.sweep() == []
    assert writer.sweep() == [(key, "run_1")]
    writer.forgotten(key)
    assert writer.sweep() is None
    writer.commit()
    assert _rows(folder) == dict.fromkeys(TABLES, 0)


def test_large_events_go_fewer_at_a_time(writer: Writer, folder: Path) -> None:
    key = writer.add_run(a_record("run_1"), GIVEN)
    for number in range(1, 9):
        writer.append(key, number, number, line(number, "x" * (erasing.BYTES // 2)))
    writer.delete_run(key)
    writer.commit()
    assert _rows(folder)["batch"] == 6
    assert _swept(writer) == ["run_1"]


def test_of_many_small_runs_many_go_at_once(writer: Writer, folder: Path) -> None:
    keys = [_long_run(writer, f"run_{number}", 3) for number in range(erasing.RUNS + 1)]
    for key in keys:
        writer.delete_run(key)
    writer.commit()
    assert [len(writer.sweep() or ())] == [erasing.RUNS]
    assert sorted(_swept(writer)) == sorted(f"run_{number}" for number in range(erasing.RUNS + 1))
    assert _rows(folder) == dict.fromkeys(TABLES, 0)


def test_a_later_writer_goes_on_where_the_last_one_was_sweeping(folder: Path) -> None:
    first = Writer(folder)
    first.delete_run(_long_run(first, "run_1", 3 * erasing.BATCHES))
    first.commit()
    first.close()
    second = Writer(folder)
    assert _swept(second) == ["run_1"]
    second.close()
    assert _rows(folder) == dict.fromkeys(TABLES, 0)


def test_a_later_writer_knows_whose_files_may_not_be_removed_yet(folder: Path) -> None:
    first = Writer(folder)
    first.delete_run(_long_run(first, "run_1", 1))
    first.sweep()
    first.commit()
    first.close()
    second = Writer(folder)
    assert _swept(second) == ["run_1"]
    second.close()


def test_no_later_run_gets_the_key_or_a_change_of_a_forgotten_one(folder: Path) -> None:
    first = Writer(folder)
    keys = [_long_run(first, f"run_{number}", 1) for number in range(3)]
    first.delete_run(keys[-1])
    first.delete_run(keys[-2])
    changed = first.changed
    first.commit()
    first.close()
    second = Writer(folder)
    assert second.changed == changed
    assert second.add_run(a_record("run_new"), GIVEN) == keys[-1] + 1
    second.close()


def test_other_runs_keep_everything(writer: Writer, reader: Reader) -> None:
    kept, gone = _long_run(writer, "run_kept", 5), _long_run(writer, "run_gone", 5)
    for key in (kept, gone):
        writer.add_command(f"c/{key}", key, "stop", 1.0, b"")
        writer.note_key("alice", str(key), key, b"hash", 1.0)
    writer.delete_run(gone)
    writer.commit()
    assert numbers(everything(reader, kept)) == [1, 2, 3, 4, 5]
    assert writer.command(f"c/{kept}") == ("run_kept", "stop")
    assert writer.noted_key("alice", str(kept), 0.0) == ("run_kept", b"hash")


def test_what_belongs_to_a_run_is_found_by_index(writer: Writer, folder: Path) -> None:
    with closing(sqlite3.connect(folder / schema.FILE_NAME)) as database:
        for sql in (*erasing.DELETE_RUN, erasing.DELETE_KEYS, COMMANDED):
            plan = database.execute(f"EXPLAIN QUERY PLAN {sql}", ("x",)).fetchall()
            assert all(step[3].startswith(("SEARCH", "USE TEMP B-TREE")) for step in plan), plan
        plan = database.execute(f"EXPLAIN QUERY PLAN {erasing.DELETE_EVENTS}", (1, 1)).fetchall()
        plan += database.execute(f"EXPLAIN QUERY PLAN {erasing.OLDEST}", (1, 1)).fetchall()
        plan += database.execute(f"EXPLAIN QUERY PLAN {ENDED}", (1,)).fetchall()
    assert "run_by_end" in plan[-1][3]
    plan = plan[:-1]
    assert not [step for step in plan if step[3].startswith("SCAN")], plan


def test_a_command_for_many_knows_its_runs_and_no_other_command_s(writer: Writer) -> None:
    keys = [writer.add_run(a_record(f"run_{number}"), GIVEN) for number in range(3)]
    for command_id, key in (
        ("a/run_1", keys[1]),
        ("a/run_0", keys[0]),
        ("ab/run_2", keys[2]),
        ("a", keys[2]),
    ):
        writer.add_command(command_id, key, "stop", 1.0, b"")
    assert writer.commanded("a") == ["run_0", "run_1"]
    assert writer.commanded("b") == []
