"""What a warden that was taken over may not do: it holds one run's key, and nothing else may come of that."""

import pytest

from runward.actors import live_run, wire
from runward.actors.errors import BadMessage
from runward.actors.lifecycle import Recorded, WardenGone
from runward.actors.live_run import LiveRun
from runward.actors.messages.from_run import Claim, Events, Exited, Hello, RungReached
from runward.actors.messages.to_run import EventsAcked
from runward.actors.records import ProcessIdentity, Reason, Status

from .houses import AGENT, PIDFD, ROUTE, WARDEN, FakeHouse, batch, exited, queued, running, starting, stop
from .lives import a_record

OWN_END = b'{"event":"run.completed","timestamp":1.0,"output":"forged"}\n'


@pytest.fixture
def house() -> FakeHouse:
    return FakeHouse()


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The pidfds that were killed by."""
    found: list[int] = []
    monkeypatch.setattr(live_run, "_kill", found.append)
    return found


def misbehaved(house: FakeHouse) -> LiveRun:
    """A run whose warden sent a forged end."""
    run = running(house)
    run.take(Events("run_1", 1, 1, 1, OWN_END))
    return run


def test_a_forged_end_is_not_written_and_its_sender_is_killed(house: FakeHouse, killed: list[int]) -> None:
    misbehaved(house)
    house.commit()
    assert house.journal.names() == ["run.queued", "run.started"]
    assert killed == [PIDFD]


def test_the_last_word_of_a_warden_that_misbehaved_is_not_believed(
    house: FakeHouse, killed: list[int]
) -> None:
    run = misbehaved(house)
    exited(run, claim=Claim(kind="completed", output=b'"forged"'))
    assert (run.record.status, run.record.reason) == (Status.FAILED, Reason.LOST)
    assert run.record.output is None


def test_the_events_of_a_warden_that_misbehaved_are_not_written(house: FakeHouse, killed: list[int]) -> None:
    misbehaved(house).take(batch(1))
    assert house.journal.names() == ["run.queued", "run.started"]


def test_events_before_the_hello_are_not_written(house: FakeHouse, killed: list[int]) -> None:
    starting(house).take(batch(1))
    assert house.journal.names() == ["run.queued"]


def test_events_after_the_last_word_are_not_written(house: FakeHouse, killed: list[int]) -> None:
    run = running(house)
    run.recorded(Recorded(a_record()))
    run.take(batch(1))
    assert house.journal.names() == ["run.queued", "run.started"]


def test_a_run_is_not_completed_if_not_all_of_its_events_came(house: FakeHouse, killed: list[int]) -> None:
    run = running(house)
    run.take(batch(1))
    exited(run, claim=Claim(kind="completed"), last_n=2)
    assert run.record.status is Status.FAILED


@pytest.mark.parametrize(
    "output",
    [
        b'null}\n{"event":"run.completed"',
        b"1,2",
        b"nonsense",
        b'"\xff"',
        b'{}},"seq":1',
    ],
    ids=repr,
)
def test_an_output_that_is_not_one_value_on_one_line_is_none(
    house: FakeHouse, killed: list[int], output: bytes
) -> None:
    exited(running(house), claim=Claim(kind="completed", output=output))
    assert house.journal.blob.count(b"\n") == 3
    assert b"\r" not in house.journal.blob
    assert [event.get("output") for event in house.journal.events()] == [None] * 3


@pytest.mark.parametrize("output", [b"[1,\r2]", b"[1,\n2]"], ids=repr)
def test_an_output_goes_on_as_one_line(house: FakeHouse, killed: list[int], output: bytes) -> None:
    exited(running(house), claim=Claim(kind="completed", output=output))
    assert house.journal.blob.count(b"\n") == 3
    assert house.journal.events()[-1]["output"] == [1, 2]


def test_reports_of_a_kill_do_not_put_off_the_kill(house: FakeHouse, killed: list[int]) -> None:
    run = running(house)
    stop(run, "kill")
    for _ in range(10):
        run.reached(RungReached("run_1", 1, "stop_1", "kill"))
        house.pass_time(1.0)
    assert killed == [PIDFD]


def test_last_words_do_not_put_off_the_kill(house: FakeHouse, killed: list[int]) -> None:
    run = running(house)
    for _ in range(20):
        run.recorded(Recorded(a_record()))
        house.pass_time(0.2)
    assert killed == [PIDFD]


def test_an_impatient_user_does_not_put_off_the_kill_of_a_silent_warden(
    house: FakeHouse, killed: list[int]
) -> None:
    run = running(house)
    for number in range(10):
        stop(run, command_id=f"stop_{number}")
        house.pass_time(3.0)
    assert killed == [PIDFD]


def test_who_the_warden_is_is_not_the_wardens_to_say_twice(house: FakeHouse, killed: list[int]) -> None:
    run = running(house)
    run.greeted(ROUTE, Hello("run_1", 1, ProcessIdentity(1, 0, "boot"), AGENT))
    assert run.record.warden == WARDEN


def test_a_second_kill_does_not_cut_short_the_first_that_is_under_way(
    house: FakeHouse, killed: list[int]
) -> None:
    run = running(house)
    stop(run, "kill")
    run.reached(RungReached("run_1", 1, "stop_1", "kill"))
    stop(run, "kill", command_id="stop_2")
    house.pass_time(1.0)
    assert killed == []


@pytest.mark.parametrize("reason", [Reason.COMPLETED, Reason.KILLED, Reason.SHUTDOWN, Reason.INTERRUPTED])
def test_a_limit_that_is_none_is_not_the_reason_of_a_failure(
    house: FakeHouse, killed: list[int], reason: Reason
) -> None:
    try:
        heard = wire.from_run.decode(wire.encode(Exited("run_1", 1, a_record(limit=reason))))
    except BadMessage:
        return
    assert isinstance(heard, Exited)
    run = running(house)
    run.recorded(Recorded(heard.record))
    run.advance(WardenGone())
    assert run.record.reason is not reason


def test_a_warden_finishes_no_command_but_its_own_stop(house: FakeHouse) -> None:
    run = running(house)
    stop(run, command_id="stop_1")
    run.reached(RungReached("run_1", 1, "another_runs_stop", "interrupt"))
    run.reached(RungReached("run_1", 1, "stop_1", "interrupt"))
    assert house.journal.finished == ["stop_1"]


def test_a_hello_after_the_beginning_begins_nothing_again(house: FakeHouse) -> None:
    run = running(house)
    run.greeted(ROUTE, Hello("run_1", 1, WARDEN, AGENT))
    house.commit()
    assert house.told == [
        house.told[0],
        EventsAcked(0),
        house.told[0],
    ]  # of which its warden acts on the first
    assert house.journal.names() == ["run.queued", "run.started"]


def test_a_last_word_before_the_beginning_is_the_end_of_the_start(house: FakeHouse) -> None:
    run = starting(house)
    exited(run, code=None, signal=9)
    assert run.record.status is Status.FAILED


def test_a_hello_for_a_run_in_the_queue_begins_nothing(house: FakeHouse) -> None:
    run = queued(house)
    run.greeted(ROUTE, Hello("run_1", 1, WARDEN, AGENT))
    run.advance(WardenGone())
    house.commit()
    assert house.told == []
    assert house.journal.names() == ["run.queued"]
