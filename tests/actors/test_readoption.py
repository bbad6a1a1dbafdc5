"""What a new supervisor takes up from the journal that an earlier one left: a real journal, and stops as tables."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from runward.actors import wire
from runward.actors.admission import Caps
from runward.actors.journal.intents import JournalledStop
from runward.actors.journal.patient import PatientWriter
from runward.actors.journal.reader import Reader
from runward.actors.lifecycle import Phase, StopPlan
from runward.actors.live_run import LiveRun
from runward.actors.messages.base import StopMode
from runward.actors.messages.commands import StopRun, StopRuns
from runward.actors.messages.from_run import Claim
from runward.actors.readoption import MAY_BE_LOST, lost_numbers, stop_in_force, take_up
from runward.actors.records import ProcessIdentity, Reason, Status
from runward.actors.register import Register
from runward.actors.restarting import Restarting
from runward.actors.verdict import Verdict
from runward.config.sections import AgentSpec, RunsSettings, Settings
from runward.http.paging import Gap, page

from .houses import FakeHouse
from .journal.making import GIVEN, a_record
from .lives import a_record as an_exit

RUNS = RunsSettings(interrupt_grace_s=5.0, terminate_grace_s=2.0)
SETTINGS = Settings(runs=RUNS, agents={"again": AgentSpec(name="again", restart="transient")})
ROOT, BOOT = b"70 7 boot", "boot"
WARDEN = ProcessIdentity(2**22 + 1, 1, BOOT)


class Wardens:
    """Remembers whose were taken up."""

    def __init__(self) -> None:
        self.adopted: list[LiveRun] = []

    def adopt(self, run: LiveRun) -> None:
        self.adopted.append(run)


class House(FakeHouse):
    """A supervisor with a real journal."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.journal = PatientWriter(folder)
        self.register = Register(Caps(10))
        self.wardens = Wardens()
        self.restarting = Restarting(self, SETTINGS, self.register, lambda _: None, chance=lambda: 0.5)

    def again(self, run: LiveRun, end: Verdict) -> Verdict | None:
        return self.restarting.again(run, end)

    def publish(self, *_: object) -> None:
        pass

    def ended(self, run: LiveRun) -> None:
        self.register.leave(run)
        super().ended(run)

    def leave(self, run_id: str, status: Status, *stops: StopRun | StopRuns, **fields: object) -> int:
        """A run that an earlier supervisor left like this."""
        record = a_record(run_id, status=status, warden=WARDEN, warden_key="key", last_seq=7, **fields)
        key: int = self.journal.add_run(record, GIVEN)
        self.journal.append(key, 1, 7, b"{}\n" * 7)
        for command in stops:
            self.journal.add_command(command.id, key, "stop", 1.0, wire.encode(command))
        return key

    def take_up(self, root: bytes = ROOT) -> None:
        self.journal.commit()
        take_up(self, self.register, self.restarting, self.wardens, RUNS, root, BOOT)
        self.commit()
        self.journal.commit()

    def run(self, run_id: str) -> LiveRun:
        run = self.register.get(run_id)
        assert run is not None
        return run


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    made.journal.set_meta("root", ROOT)
    yield made
    made.journal.close()


def stop(command_id: str = "stop_1", mode: StopMode = "interrupt", grace_s: float | None = None) -> StopRun:
    return StopRun(command_id, "run_1", None, mode, grace_s, "enough")


def test_a_run_that_waited_waits_on(house: House) -> None:
    house.leave("run_1", Status.QUEUED)
    house.take_up()
    assert house.register.waiting == 1
    assert house.run("run_1").state.phase is Phase.QUEUED
    assert house.wardens.adopted == []


def test_a_run_that_waited_and_was_to_stop_ends_without_having_begun(house: House) -> None:
    house.leave("run_1", Status.QUEUED, stop())
    house.take_up()
    assert len(house.register) == 0
    [run] = house.gone
    assert (run.record.status, run.record.reason) == (Status.CANCELLED, Reason.INTERRUPTED)
    assert house.journal.stops() == []


def test_a_live_run_keeps_its_slot_and_its_numbers(house: House) -> None:
    key = house.leave("run_1", Status.RUNNING, runtime_events=2)
    house.take_up()
    [run] = house.wardens.adopted
    assert (run.key, run.seq, run.state.phase, run.state.began) == (key, 7, Phase.RUNNING, True)
    assert (house.register.live("echo"), house.register.waiting) == (1, 0)


def test_a_stop_is_in_force_though_its_warden_said_that_it_had_it(house: House) -> None:
    house.leave("run_1", Status.STOPPING, stop(grace_s=1.0))
    house.journal.finish_command("stop_1", 2.0)
    house.take_up()
    assert house.run("run_1").state.stop == StopPlan("stop_1", "interrupt", 1.0, 1.0)
    assert house.run("run_1").state.phase is Phase.STOPPING


def test_a_run_that_was_stopping_with_no_stop_of_its_own_was_so_by_the_shutdown(house: House) -> None:
    house.leave("run_1", Status.STOPPING)
    house.take_up()
    plan = house.run("run_1").state.stop
    assert plan is not None
    assert plan.shutdown


def test_a_last_word_that_was_journalled_is_not_lost(house: House) -> None:
    word = an_exit(code=3, last_n=5)
    house.leave("run_1", Status.RUNNING, runtime_events=2, exit_record=msgspec.msgpack.encode(word))
    house.take_up()
    state = house.run("run_1").state
    assert (state.phase, state.record) == (Phase.EXITED, word)


def test_the_runs_of_an_earlier_server_are_lost_and_it_is_remembered_whose_journal_it_is(
    house: House,
) -> None:
    house.leave("run_1", Status.RUNNING)
    house.leave("run_2", Status.QUEUED)
    house.take_up(root=b"71 8 boot")
    assert house.wardens.adopted == []
    [record] = [run.record for run in house.journal.unended()]
    assert record.run_id == "run_2"
    assert house.journal.meta("root") == b"71 8 boot"


def test_a_run_that_waited_for_its_next_attempt_goes_on_waiting_and_no_longer(house: House) -> None:
    house.leave("run_1", Status.QUEUED, agent="again", attempt=2, next_attempt_at=house.now() + 7.0)
    house.take_up()
    assert house.register.admit() == []
    house.pass_time(6.9)
    assert house.register.admit() == []
    house.pass_time(0.2)
    assert [run.record.attempt for run in house.register.admit()] == [2]


def test_an_attempt_that_was_due_meanwhile_begins_at_once(house: House) -> None:
    house.leave("run_1", Status.QUEUED, agent="again", attempt=2, next_attempt_at=house.now() - 7.0)
    house.take_up()
    house.pass_time(0)
    assert [run.record.attempt for run in house.register.admit()] == [2]


def test_a_stop_that_was_journalled_while_a_run_waited_for_its_next_attempt_ends_it(house: House) -> None:
    house.leave("run_1", Status.QUEUED, stop(), agent="again", attempt=2, next_attempt_at=house.now() + 7.0)
    house.take_up()
    [run] = house.gone
    assert (run.record.status, run.record.reason) == (Status.CANCELLED, Reason.INTERRUPTED)
    assert len(house.register) == 0


def test_a_run_that_was_lost_with_its_server_is_begun_again_by_the_next_if_its_agent_wants_that(
    house: House,
) -> None:
    house.leave("run_1", Status.RUNNING, agent="again", attempt=1)
    house.leave("run_2", Status.STOPPING, agent="again", attempt=1)
    house.take_up(root=b"71 8 boot")
    [record] = [run.record for run in house.journal.unended()]
    assert (record.run_id, record.attempt, record.status) == ("run_1", 2, Status.QUEUED)
    assert record.last_crash is not None
    assert record.last_crash.reason is Reason.LOST


def test_a_stop_that_came_after_the_last_word_is_in_force(house: House) -> None:
    word = an_exit(code=3, last_n=5)
    house.leave("run_1", Status.RUNNING, stop(), runtime_events=2, exit_record=msgspec.msgpack.encode(word))
    house.take_up()
    state = house.run("run_1").state
    assert (state.phase, state.record) == (Phase.EXITED, word)
    assert state.stop == StopPlan("stop_1", "interrupt", 5.0, 2.0)


def test_a_run_of_an_earlier_server_whose_last_word_was_journalled_is_not_lost(house: House) -> None:
    word = an_exit(code=0, last_n=5, claim=Claim(kind="completed", output=b'"done"'))
    house.leave("run_1", Status.RUNNING, runtime_events=2, exit_record=msgspec.msgpack.encode(word))
    house.take_up(root=b"71 8 boot")
    [run] = house.gone
    assert (run.record.status, bytes(run.record.output or b"")) == (Status.COMPLETED, b'"done"')
    assert len(house.register) == 0
    assert house.journal.unended() == []


@pytest.mark.parametrize("status", [Status.RUNNING, Status.QUEUED])
def test_after_a_power_loss_numbers_that_may_have_been_seen_are_not_given_again_and_that_is_told(
    house: House, status: Status
) -> None:
    key = house.leave("run_1", status, stop())
    house.journal.set_meta("root", b"70 7 earlier")
    house.take_up()
    reader = Reader(house.folder)
    found, first = reader.run("run_1"), 7 + MAY_BE_LOST + 1
    assert found is not None
    assert (found[1].status.ended, found[1].last_seq) == (True, first)
    gap = page(reader, "run_1", key, 7, 1 << 20)
    assert isinstance(gap, Gap)
    assert (gap.first, gap.last) == (8, first - 1)
    end = page(reader, "run_1", key, gap.last, 1 << 20)
    assert end is not None
    assert (end.first, end.last, end.ended) == (first, first, True)
    reader.close()


@pytest.mark.parametrize(
    ("root", "synchronous", "count"),
    [
        (None, None, 0),
        (b"70 7 boot", b"normal", 0),
        (b"70 7 earlier", b"normal", MAY_BE_LOST),
        (b"70 7 earlier", None, MAY_BE_LOST),
        (b"70 7 earlier", b"full", 0),
    ],
)
def test_numbers_are_skipped_after_the_machine_went_down_under_normal_only(
    root: bytes | None, synchronous: bytes | None, count: int
) -> None:
    assert lost_numbers(root, synchronous, BOOT) == count


def test_the_journal_remembers_how_it_is_written(house: House) -> None:
    house.take_up()
    assert house.journal.meta("synchronous") == b"normal"


def test_nothing_left_is_nothing_to_do(house: House) -> None:
    house.take_up()
    assert len(house.register) == 0


class Stops(NamedTuple):
    """What came, one after the other, and what is in force."""

    name: str
    stops: list[tuple[StopRun | StopRuns, bool]]  # whether the warden said that it had it
    mode: StopMode | None
    command_id: str = "two"


CASES = [
    Stops("none", [], None),
    Stops("one, unheard", [(stop("two", "terminate"), False)], "terminate"),
    Stops("one, heard", [(stop("two", "terminate"), True)], "terminate"),
    Stops("a second on the first, which was heard", [(stop("one"), True), (stop("two"), False)], "interrupt"),
    Stops("a second on one that was not heard", [(stop("one"), False), (stop("two"), False)], "terminate"),
    Stops("a kill on one that was not heard", [(stop("one"), False), (stop("two", "kill"), False)], "kill"),
    Stops("a second on a kill", [(stop("one", "kill"), False), (stop("two"), False)], "kill"),
    Stops(
        "three of which none was heard",
        [(stop("zero"), False), (stop("one"), False), (stop("two"), False)],
        "kill",
    ),
    Stops("a stop for many", [(StopRuns("two", None, mode="kill"), False)], "kill"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_of_stops_the_newest_is_in_force_as_high_as_all_together(case: Stops) -> None:
    stops = [
        JournalledStop(command.id, 1, "stop", 1.0, wire.encode(command), 2.0 if heard else None)
        for command, heard in case.stops
    ]
    plan = stop_in_force(stops, RUNS)
    if case.mode is None:
        assert plan is None
    else:
        assert plan == StopPlan(case.command_id, case.mode, 5.0, 2.0)
