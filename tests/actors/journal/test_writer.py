import sqlite3
from pathlib import Path

import msgspec
import pytest

from runward.actors.journal.reader import Reader
from runward.actors.journal.writer import Writer
from runward.actors.records import (
    Containment,
    Exit,
    ProcessIdentity,
    Reason,
    RunInput,
    RunRecord,
    Status,
    Usage,
)

from .making import GIVEN, a_record, line, lines

WARDEN = ProcessIdentity(pid=12, start_ticks=34, boot_id="56")

FULL_RECORD = RunRecord(
    run_id="run_ünï", agent="echo", status=Status.FAILED, reason=Reason.OUT_OF_MEMORY, created_at=1.5,
    started_at=2.5, updated_at=3.5, ended_at=4.5, attempt=3, session_id="s", parent_run_id="run_0",
    metadata={"a": "b"}, model="m", output=msgspec.Raw(b'{"answer": [42, null, "\xc3\xa9"]}'), error="no",
    usage=Usage(1, 2, 3), last_event="run.failed", last_seq=9, exit=Exit(code=1, survivors=[7]),
    containment=Containment(kill="K3", applied={"memory": "cgroup"}), agent_pid=99, owner="key",
    warden=WARDEN, warden_key="z85", stop_reason="enough",
)  # fmt: skip


def shown(record: RunRecord) -> dict[str, object]:
    """The fields, with the text of `output`, since two `Raw` of the same text are not equal."""
    fields = msgspec.structs.asdict(record)
    return fields | {"output": record.output and bytes(record.output)}


@pytest.mark.parametrize("record", [a_record(), FULL_RECORD, a_record(output=msgspec.Raw(b"null"))])
def test_a_record_comes_back_as_it_was(record: RunRecord, writer: Writer, reader: Reader) -> None:
    key = writer.add_run(record, GIVEN)
    writer.commit()
    found = reader.run(record.run_id)
    assert found is not None
    assert found[0] == key
    assert shown(found[1]) == shown(record)


def test_an_input_comes_back_as_it_was(writer: Writer, reader: Reader) -> None:
    given = RunInput(
        input="hi\x00é", history=[{"role": "user", "content": [1, None, {"deep": 2.5}]}],
        instructions="be brief", session_id="s", model="m", metadata={"a": "b"},
    )  # fmt: skip
    key = writer.add_run(a_record(), given)
    writer.commit()
    assert reader.given(key) == given
    assert reader.given(key + 1) is None


def test_saving_a_record_replaces_it_and_leaves_the_callers_alone(writer: Writer, reader: Reader) -> None:
    record = a_record()
    key = writer.add_run(record, GIVEN)
    record.status, record.updated_at, record.output = Status.COMPLETED, 5.0, msgspec.Raw(b'"done"')
    writer.save_run(key, record)
    writer.commit()
    assert bytes(record.output) == b'"done"'
    found = reader.run("run_1")
    assert found is not None
    assert (found[1].status, found[1].updated_at) == (Status.COMPLETED, 5.0)
    assert reader.runs(status=Status.QUEUED).records == []
    assert len(reader.runs(status=Status.COMPLETED).records) == 1


def test_nothing_is_seen_before_it_is_committed(writer: Writer, reader: Reader) -> None:
    key = writer.add_run(a_record(), GIVEN)
    writer.append(key, 1, 1, line(1))
    assert reader.run("run_1") is None
    assert reader.batches(key, 0, 1000) == []
    assert writer.run_key("run_1") == key
    assert writer.commit() is True
    assert reader.run("run_1") is not None
    assert len(reader.batches(key, 0, 1000)) == 1


def test_a_commit_of_nothing_says_so(writer: Writer) -> None:
    assert writer.commit() is False
    writer.set_meta("boot", b"1")
    assert writer.commit() is True
    assert writer.commit() is False


def test_closing_undoes_what_was_not_committed(writer: Writer, folder: Path) -> None:
    writer.add_run(a_record(), GIVEN)
    writer.close()
    writer.close()
    again = Writer(folder)
    assert again.run_key("run_1") is None
    again.close()


def test_keys_rise_and_are_found_by_run_id(writer: Writer) -> None:
    keys = [writer.add_run(a_record(f"run_{n}"), GIVEN) for n in range(5)]
    assert keys == sorted(set(keys))
    assert [writer.run_key(f"run_{n}") for n in range(5)] == keys
    assert writer.run_key("run_5") is None


def test_a_run_or_batch_that_is_there_already_is_not_taken_twice(writer: Writer) -> None:
    key = writer.add_run(a_record(), GIVEN)
    writer.append(key, 1, 2, lines(1, 2))
    writer.commit()
    with pytest.raises(sqlite3.IntegrityError):
        writer.add_run(a_record(), GIVEN)
    with pytest.raises(sqlite3.IntegrityError):
        writer.append(key, 1, 1, line(1))


def test_the_last_seq_is_that_of_the_newest_batch(writer: Writer) -> None:
    key, other = writer.add_run(a_record(), GIVEN), writer.add_run(a_record("run_2"), GIVEN)
    assert writer.last_seq(key) == 0
    writer.append(key, 1, 3, lines(1, 3))
    writer.append(other, 1, 9, lines(1, 9))
    writer.append(key, 4, 4, lines(4, 4))
    assert writer.last_seq(key) == 4


def test_a_command_is_taken_once(writer: Writer) -> None:
    key = writer.add_run(a_record(), GIVEN)
    assert writer.add_command("c1", key, "stop", 1.0, b"body") is True
    assert writer.add_command("c1", key, "kill", 2.0, b"other") is False
    writer.commit()
    assert writer.add_command("c1", key, "kill", 3.0, b"other") is False
    assert writer.command("c1") == ("run_1", "stop")
    assert writer.command("c2") is None


def test_commands_are_pending_in_order_until_they_are_finished(writer: Writer) -> None:
    key = writer.add_run(a_record(), GIVEN)
    for id in ("z", "a", "m"):
        writer.add_command(id, key, "stop", 1.0, b"body " + id.encode())
    assert [command.id for command in writer.pending_commands()] == ["z", "a", "m"]
    writer.finish_command("a", 2.0)
    writer.finish_command("never came", 2.0)
    writer.commit()
    assert writer.pending_commands()[1] == ("m", key, "stop", 1.0, b"body m")
    assert [command.id for command in writer.pending_commands()] == ["z", "m"]
    assert writer.command("a") == ("run_1", "stop")


def test_meta_keeps_the_newest_value(writer: Writer) -> None:
    assert writer.meta("boot") is None
    writer.set_meta("boot", b"1")
    writer.set_meta("boot", b"2")
    assert writer.meta("boot") == b"2"


@pytest.mark.parametrize("status", list(Status))
def test_every_run_without_an_end_is_taken_up_again(status: Status, writer: Writer, folder: Path) -> None:
    key = writer.add_run(a_record(status=status, warden=WARDEN), GIVEN)
    writer.append(key, 1, 3, lines(1, 3))
    writer.commit()
    writer.close()
    again = Writer(folder)
    unended = again.unended()
    again.close()
    if status.ended:
        assert unended == []
    else:
        assert unended == [(key, a_record(status=status, warden=WARDEN), GIVEN, 3)]


def test_runs_are_taken_up_oldest_first_and_no_number_is_given_twice(writer: Writer) -> None:
    for n, status in enumerate([Status.STOPPING, Status.QUEUED, Status.RUNNING]):
        writer.add_run(a_record(f"run_{n}", status=status, last_seq=n), GIVEN)
    assert [(run.record.run_id, run.last_seq) for run in writer.unended()] == [
        ("run_0", 0), ("run_1", 1), ("run_2", 2),
    ]  # fmt: skip
