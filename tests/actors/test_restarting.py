"""Runs that are begun again: which, when, for how long, and what the next attempt has of the one before."""

from typing import Literal

import pytest

from runward.actors.admission import Caps
from runward.actors.lifecycle import Phase, Recorded, WardenGone
from runward.actors.live_run import LiveRun
from runward.actors.messages.from_run import Claim
from runward.actors.records import Reason, Status
from runward.actors.register import Register
from runward.actors.restarting import Restarting
from runward.actors.verdict import Verdict
from runward.config.sections import AgentSpec, RunsSettings, Settings

from .houses import FakeHouse, batch, exited, running, stop
from .lives import a_record as an_exit

CRASH = {"code": 3}
COMPLETED = {"claim": Claim(kind="completed", output=b'"done"')}
RUNS = RunsSettings(
    restart_intensity=2, restart_period_s=60.0, restart_delay_s=1.0, longest_restart_delay_s=1.5
)


RestartClass = Literal["temporary", "transient", "permanent"]


class House(FakeHouse):
    """A supervisor of one agent of this class."""

    def __init__(self, restart: RestartClass) -> None:
        super().__init__()
        settings = Settings(runs=RUNS, agents={"echo": AgentSpec(name="echo", restart=restart)})
        self.register = Register(Caps(10))
        self.released: list[LiveRun] = []
        self.restarting = Restarting(self, settings, self.register, self.released.append, chance=lambda: 0.5)

    def again(self, run: LiveRun, end: Verdict) -> Verdict | None:
        return self.restarting.again(run, end)

    def next_of(self, run: LiveRun) -> LiveRun:
        """The attempt after this one."""
        found = self.register.get("run_1")
        assert found is not None
        assert found is not run
        return found

    def begun_again(self, run: LiveRun) -> LiveRun:
        """The next attempt, as far as the one before came."""
        found = self.next_of(run)
        self.pass_time(2.0)
        [admitted] = self.register.admit()
        assert admitted is found
        return running(self, found)


def house(restart: RestartClass = "transient") -> House:
    return House(restart)


def test_a_crash_is_told_and_the_next_attempt_waits_with_the_same_input_and_numbers_that_go_on() -> None:
    its = house()
    run = running(its)
    run.take(batch(1, 3))
    exited(run, last_n=3, **CRASH)
    assert its.journal.names()[-1] == "run.restarting"
    told = its.journal.events()[-1]
    assert (told["attempt"], told["reason"], told["delay_s"]) == (2, "exit_code", 1.0)
    assert told["exit"]["code"] == 3
    following = its.next_of(run)
    assert (following.seq, following.given, following.state.phase) == (run.seq, run.given, Phase.QUEUED)
    saved = its.journal.saved[-1]
    assert (saved.get("status", "queued"), saved["attempt"]) == ("queued", 2)
    assert not {"warden", "warden_key", "agent_pid", "exit", "ended_at"} & saved.keys()
    assert (its.gone, its.released) == ([], [run])
    its.commit()
    assert not its.published[-1][0].ended


def test_the_next_attempt_counts_its_events_from_one() -> None:
    its = house()
    run = running(its)
    run.take(batch(1, 3))
    exited(run, last_n=3, **CRASH)
    following = its.begun_again(run)
    following.take(batch(1, 2))
    exited(following, last_n=2, **COMPLETED)
    started = [event for event in its.journal.events() if event["event"] == "run.started"]
    assert [event["attempt"] for event in started] == [1, 2]
    firsts = [first for first, _ in its.journal.numbers]
    assert firsts == sorted(firsts)
    assert its.journal.numbers[-1][1] == len(its.journal.events())
    assert its.journal.names()[-1] == "run.completed"


def test_nobody_speaks_for_a_run_but_the_warden_of_its_newest_attempt() -> None:
    its = house()
    run = running(its)
    its.register.readmit(run)
    assert its.register.spoken_for("run_1/1") is run
    exited(run, **CRASH)
    assert its.register.spoken_for("run_1/1") is None
    following = its.begun_again(run)
    assert [its.register.spoken_for(f"run_1/{n}") for n in (1, 2, 3)] == [None, following, None]
    assert its.register.spoken_for("run_2/1") is None


def test_it_waits_before_it_takes_a_slot() -> None:
    its = house()
    exited(running(its), **CRASH)
    assert (its.register.live("echo"), its.register.waiting) == (0, 1)
    assert its.register.admit() == []
    its.pass_time(0.9)
    assert its.register.admit() == []
    its.pass_time(0.2)
    assert [run.record.attempt for run in its.register.admit()] == [2]


def test_each_further_delay_is_twice_as_long_up_to_the_longest() -> None:
    its = house()
    run = running(its)
    exited(run, **CRASH)
    exited(its.begun_again(run), **CRASH)
    delays = [event["delay_s"] for event in its.journal.events() if event["event"] == "run.restarting"]
    assert delays == [1.0, 1.5]


def test_a_crash_loop_is_given_up_with_the_first_error_and_the_last() -> None:
    its = house()
    run = running(its)
    exited(run, code=3)
    run = its.begun_again(run)
    exited(run, code=4)
    run = its.begun_again(run)
    exited(run, code=5)
    [gone] = its.gone
    assert (gone.record.status, gone.record.reason, gone.record.attempt) == (
        *(Status.FAILED, Reason.EXIT_CODE, 3),
    )
    assert gone.record.error == (
        "given up after 3 attempts: exited with code 5 before it returned; "
        "attempt 1 had ended with: exited with code 3 before it returned"
    )
    first, last = gone.record.first_crash, gone.record.last_crash
    assert first is not None
    assert last is not None
    assert [(each.attempt, each.exit.code) for each in (first, last)] == [(1, 3), (3, 5)]
    assert gone.record.exit == last.exit


def test_crashes_that_are_long_ago_do_not_count() -> None:
    its = house()
    run = running(its)
    for _ in range(10):
        exited(run, **CRASH)
        run = its.begun_again(run)
        its.time_s += 60.0
    assert its.gone == []
    assert run.record.first_crash == run.record.last_crash


def test_a_crash_amid_the_end_of_the_server_is_a_crash_and_no_attempt_follows() -> None:
    its = house()
    its.restarting.closing = True
    exited(running(its), code=3)
    [gone] = its.gone
    assert gone.record.error == "exited with code 3 before it returned"


def test_what_a_permanent_run_returned_is_told_each_time() -> None:
    its = house("permanent")
    exited(running(its), **COMPLETED)
    told = its.journal.events()[-1]
    assert (told["event"], told["reason"], told["output"]) == ("run.restarting", "completed", "done")


def test_a_permanent_run_that_completes_too_often_ends_as_it_ended_last() -> None:
    its = house("permanent")
    run = running(its)
    for _ in range(2):
        exited(run, **COMPLETED)
        run = its.begun_again(run)
    exited(run, **COMPLETED)
    [gone] = its.gone
    assert (gone.record.status, gone.record.error, gone.record.first_crash) == (Status.COMPLETED, None, None)


def test_an_attempt_that_could_not_even_start_is_tried_again_if_an_earlier_one_could() -> None:
    its = house()
    run = running(its)
    exited(run, **CRASH)
    run = its.begun_again(run)
    exited(run, claim=Claim(kind="start_failed", error="no such module"))
    assert its.gone == []


@pytest.mark.parametrize(
    ("restart", "facts", "goes_on"),
    [
        ("temporary", CRASH, False),
        ("transient", CRASH, True),
        ("permanent", CRASH, True),
        ("transient", COMPLETED, False),
        ("permanent", COMPLETED, True),
        ("transient", {"claim": Claim(kind="exception", error="LookupError")}, True),
        ("transient", {"code": None, "signal": 11}, True),
        ("transient", {"limit": "cpu_limit"}, False),
        ("permanent", {"limit": "wall_limit"}, False),
        ("transient", {"limit": "out_of_memory"}, True),
        ("permanent", {"claim": Claim(kind="start_failed", error="no such module")}, False),
        ("permanent", {"survivors": [7]}, False),
    ],
)
def test_what_is_begun_again_is_what_its_class_says(
    restart: RestartClass, facts: dict[str, object], goes_on: bool
) -> None:
    its = house(restart)
    exited(running(its), **facts)
    assert (its.gone == []) == goes_on
    assert (its.register.get("run_1") is not None) == goes_on


def test_a_stopped_run_is_not_begun_again_whatever_ended_it() -> None:
    its = house("permanent")
    run = running(its)
    stop(run)
    exited(run, **CRASH)
    assert its.gone == [run]


def test_a_stop_between_the_last_word_and_the_proof_keeps_the_run_from_being_begun_again() -> None:
    made = house()
    run = running(made)
    run.recorded(Recorded(an_exit(**CRASH)))
    stop(run)
    run.advance(WardenGone())
    assert run.record.status is Status.FAILED
    assert made.register.get("run_1") is None
    assert made.journal.names()[-1] == "run.failed"


def test_a_stop_while_it_waits_for_its_next_attempt_ends_it() -> None:
    its = house()
    run = running(its)
    exited(run, **CRASH)
    following = its.next_of(run)
    stop(following, "kill")
    assert (following.record.status, following.record.reason) == (Status.CANCELLED, Reason.KILLED)
    assert following.record.exit is not None
    assert following.record.exit.proof == "pidns"
    its.register.leave(following)
    its.pass_time(5.0)
    assert its.register.waiting == 0


def test_a_run_that_was_lost_with_its_server_is_begun_again_by_the_next() -> None:
    its = house()
    run = running(its)
    run.lose("reboot", "the machine went down while the run was live")
    assert its.next_of(run).record.attempt == 2
    assert its.journal.events()[-1]["reason"] == "lost"
