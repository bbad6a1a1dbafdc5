"""A run that a supervisor took up from an earlier one: what it is told, what counts twice, how it ends."""

import msgspec
import pytest

from runward.actors import live_run
from runward.actors.lifecycle import Phase, Recorded, StopPlan, WardenGone, resumed
from runward.actors.live_run import RETURN_S, LiveRun
from runward.actors.messages.from_run import Claim, ExitRecord, Hello
from runward.actors.messages.to_run import EventsAcked, ExitAcked, Go, Stop
from runward.actors.records import ProcessIdentity, Reason, RunInput, RunRecord, Status

from .houses import AGENT, PIDFD, ROUTE, WARDEN, FakeHouse, batch, exited, running, stop
from .lives import a_record

GO = Go(RunInput(input="hello"))
PLAN = StopPlan("stop_1", "interrupt", 5.0, 2.0)
COMPLETED = Claim(kind="completed", output=b'"done"')


@pytest.fixture
def house() -> FakeHouse:
    return FakeHouse()


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The pidfds that were killed by."""
    found: list[int] = []
    monkeypatch.setattr(live_run, "_kill", found.append)
    return found


def taken_up(house: FakeHouse, plan: StopPlan | None = None, word: ExitRecord | None = None) -> LiveRun:
    """A run with five events of its agent in the journal, among two of the runtime's."""
    record = RunRecord(
        run_id="run_1",
        agent="echo",
        status=Status.STOPPING if plan else Status.RUNNING,
        created_at=1.0,
        started_at=2.0,
        updated_at=3.0,
        warden=WARDEN,
        warden_key="key",
        agent_pid=AGENT.pid,
        runtime_events=2,
    )
    run = LiveRun(house, 1, record, RunInput(input="hello"), 7)
    run.adopt(resumed(plan, word))
    run.pidfd = PIDFD
    return run


def back(run: LiveRun, house: FakeHouse, last_n: int = 5) -> None:
    """Its warden says hello again."""
    run.greeted(ROUTE, Hello("run_1", 1, WARDEN, AGENT, last_n))
    house.commit()


def test_the_journal_knows_how_many_events_were_the_agents_at_every_save(house: FakeHouse) -> None:
    run = running(house)
    run.take(batch(1, 3))
    stop(run)
    run.take(batch(4, 2))
    exited(run, last_n=5)
    own = [saved["last_seq"] - saved["runtime_events"] for saved in house.journal.saved]
    assert own == [0, 3, 5, 5]


def test_it_is_told_where_the_journal_stands_and_to_let_its_agent_go(house: FakeHouse) -> None:
    back(taken_up(house), house)
    assert house.told == [EventsAcked(5), GO]


def test_what_the_earlier_supervisor_wrote_is_not_written_again(house: FakeHouse) -> None:
    run = taken_up(house)
    back(run, house, last_n=7)
    run.take(batch(4, 2))
    run.take(batch(6, 2))
    assert house.journal.numbers == [(8, 9)]
    assert run.seq == 9


def test_events_that_are_missing_are_not_passed_over(house: FakeHouse, killed: list[int]) -> None:
    run = taken_up(house)
    back(run, house, last_n=9)
    run.take(batch(7))
    house.commit()
    assert (house.journal.numbers, killed) == ([], [PIDFD])


def test_a_warden_that_has_lost_what_the_journal_has_is_not_believed(
    house: FakeHouse, killed: list[int]
) -> None:
    run = taken_up(house)
    back(run, house, last_n=4)
    assert (killed, house.told) == ([PIDFD], [])


@pytest.mark.parametrize(
    "hello",
    [
        Hello("run_1", 1, ProcessIdentity(99, 7, "boot"), AGENT, 5),
        Hello("run_1", 1, WARDEN, ProcessIdentity(99, 7, "boot"), 5),
    ],
    ids=["warden", "agent"],
)
def test_another_in_the_place_of_its_processes_is_not_believed(
    house: FakeHouse, killed: list[int], hello: Hello
) -> None:
    run = taken_up(house)
    run.greeted(ROUTE, hello)
    house.commit()
    assert (killed, house.told) == ([PIDFD], [])


def test_its_stop_is_told_again_and_has_all_its_time(house: FakeHouse, killed: list[int]) -> None:
    run = taken_up(house, PLAN)
    house.pass_time(RETURN_S - 0.1)
    back(run, house)
    assert house.told == [
        EventsAcked(5),
        GO,
        Stop("stop_1", "interrupt", 5.0, 2.0, live_run.INTERRUPT_MESSAGE),
    ]
    house.pass_time(7.2)
    assert killed == []
    house.pass_time(0.1)
    assert killed == [PIDFD]


def test_amid_a_stop_its_warden_is_not_waited_for_long(house: FakeHouse, killed: list[int]) -> None:
    run = taken_up(house, PLAN)
    house.pass_time(RETURN_S + 0.1)
    assert killed == [PIDFD]
    run.advance(WardenGone())
    assert (run.record.status, run.record.reason) == (Status.CANCELLED, Reason.KILLED)


def test_a_warden_that_does_not_come_back_is_killed_and_the_run_lost(
    house: FakeHouse, killed: list[int]
) -> None:
    run = taken_up(house)
    house.pass_time(29.9)
    assert killed == []
    house.pass_time(0.2)
    assert killed == [PIDFD]
    run.advance(WardenGone())
    assert (run.record.status, run.record.reason) == (Status.FAILED, Reason.LOST)
    assert run.record.error == "the return of its warden did not come within 30 s"


def test_once_it_is_back_nobody_waits_for_it(house: FakeHouse, killed: list[int]) -> None:
    run = taken_up(house)
    back(run, house)
    house.pass_time(1_000)
    assert killed == []


def test_a_stop_before_it_is_back_is_told_when_it_is(house: FakeHouse) -> None:
    run = taken_up(house)
    stop(run)
    house.commit()
    assert house.told == []
    back(run, house)
    assert [type(message) for message in house.told] == [EventsAcked, Go, Stop]


def test_a_last_word_is_in_the_journal_before_it_is_acknowledged(house: FakeHouse) -> None:
    run = running(house)
    run.take(batch(1))
    house.commit()
    run.recorded(Recorded(a_record(claim=COMPLETED, last_n=1)))
    kept = run.record.exit_record
    assert kept is not None
    assert msgspec.msgpack.decode(kept, type=ExitRecord) == run.state.record
    assert house.journal.saved[-1]["exit_record"] is not None
    assert ExitAcked() not in house.told
    house.commit()
    assert house.told[-1] == ExitAcked()
    run.advance(WardenGone())
    assert run.record.exit_record is None


def test_a_run_whose_last_word_the_journal_has_ends_by_it(house: FakeHouse) -> None:
    run = taken_up(house, word=a_record(claim=COMPLETED, last_n=5))
    run.proof = "pidns"
    run.advance(WardenGone())
    assert (run.record.status, run.record.reason) == (Status.COMPLETED, Reason.COMPLETED)


def test_a_warden_that_waits_to_be_let_go_is_let_go(house: FakeHouse) -> None:
    run = taken_up(house, word=a_record(claim=COMPLETED, last_n=5))
    back(run, house)
    assert house.told[-1] == ExitAcked()
    assert run.state.phase is Phase.EXITED


def test_a_stop_that_began_before_takes_as_long_as_its_warden_saw(house: FakeHouse) -> None:
    run = taken_up(house, PLAN)
    back(run, house)
    house.time_s += 0.5
    exited(run, last_n=5, stopped=True, rung="interrupt", took_ms=4000.0)
    assert house.journal.events()[-1]["exit"]["took_ms"] == 4000.0


def test_what_comes_back_on_another_line_amid_its_life_goes_on_there(house: FakeHouse) -> None:
    run = running(house)
    run.take(batch(1))
    house.commit()
    house.told.clear()
    run.greeted(b"another", Hello("run_1", 1, WARDEN, AGENT, 1))
    assert run.route == b"another"
