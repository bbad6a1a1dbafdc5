"""A run as the supervisor holds it: what is written, and only then told."""

import gc
import weakref

import pytest

from runward.actors import live_run
from runward.actors.containment.findings import Found, Place
from runward.actors.containment.holders import holders
from runward.actors.lifecycle import Phase, Recorded, WardenGone
from runward.actors.live_run import FED_BYTES, INTERRUPT_MESSAGE
from runward.actors.messages.base import StopMode
from runward.actors.messages.feed import Published
from runward.actors.messages.from_run import Claim, Events, Hello, RungReached
from runward.actors.messages.to_run import EventsAcked, ExitAcked, Go, Stop
from runward.actors.records import Reason, RunInput, Status, Usage

from .houses import (
    AGENT,
    PIDFD,
    ROUTE,
    WARDEN,
    FakeHouse,
    batch,
    exited,
    queued,
    running,
    starting,
    stop,
)
from .lives import a_record

COMPLETED = Claim(kind="completed", output=b'"done"', usage=Usage(1, 2, 3))


@pytest.fixture
def house() -> FakeHouse:
    return FakeHouse()


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The pidfds that were killed by."""
    found: list[int] = []
    monkeypatch.setattr(live_run, "_kill", found.append)
    return found


def test_a_life_is_written_from_the_queue_to_its_end_without_a_gap(house: FakeHouse) -> None:
    run = running(house)
    run.take(batch(1, 3))
    run.take(batch(4, 2))
    exited(run, claim=COMPLETED, last_n=5)
    assert house.journal.names() == ["run.queued", "run.started", *["message.delta"] * 5, "run.completed"]
    assert house.journal.numbers == [(1, 1), (2, 2), (3, 5), (6, 7), (8, 8)]
    assert (run.seq, run.record.last_seq, run.record.last_event) == (8, 8, "run.completed")
    assert house.gone == [run]


def test_nothing_is_told_or_published_before_it_is_committed(house: FakeHouse) -> None:
    run = starting(house)
    run.greeted(ROUTE, Hello("run_1", 1, WARDEN, AGENT))
    run.take(batch(1))
    exited(run, claim=COMPLETED, last_n=1)
    assert (house.told, house.published) == ([], [])
    house.commit()
    assert [type(message) for message in house.told] == [Go, EventsAcked, ExitAcked]
    assert [published.first for published, _ in house.published] == [1, 2, 3, 4]
    assert b"".join(blob for _, blob in house.published) == house.journal.blob


def test_only_the_last_that_is_published_says_that_the_run_ended(house: FakeHouse) -> None:
    run = running(house)
    exited(run, claim=COMPLETED)
    house.commit()
    assert [published for published, _ in house.published] == [
        *(Published(1, 1), Published(2, 1), Published(3, 1, True)),
    ]


def test_many_events_of_a_turn_are_only_announced(house: FakeHouse) -> None:
    run = running(house)
    house.commit()
    house.published.clear()
    event = b'{"event":"message.delta","timestamp":1.0,"delta":"%b"}\n' % (b"x" * (FED_BYTES // 2))
    run.take(Events("run_1", 1, 1, 1, event))
    house.commit()
    run.take(Events("run_1", 1, 2, 2, event + event))
    house.commit()
    assert house.published == [(Published(3, 1), event), (Published(4, 2), b"")]
    assert house.journal.blob.endswith(event * 3)


def test_a_run_begins_when_its_warden_has_greeted(house: FakeHouse) -> None:
    run = starting(house)
    assert run.record.status is Status.QUEUED
    run = running(house)
    assert house.told == [Go(RunInput(input="hello"))]
    assert (run.record.status, run.record.warden, run.record.agent_pid) == (Status.RUNNING, WARDEN, AGENT.pid)
    assert run.record.started_at == house.now()
    assert house.journal.events()[-1]["pid"] == AGENT.pid


def test_a_warden_that_does_not_greet_in_time_is_killed(house: FakeHouse, killed: list[int]) -> None:
    run = starting(house)
    house.pass_time(29.9)
    assert killed == []
    house.pass_time(0.2)
    assert killed == [PIDFD]
    run.advance(WardenGone())
    assert (run.record.status, run.record.reason) == (Status.FAILED, Reason.START_FAILED)
    assert run.record.error == "the start did not come within 30 s"


def test_once_it_runs_the_deadline_of_the_start_is_forgotten(house: FakeHouse, killed: list[int]) -> None:
    running(house)
    house.pass_time(1_000)
    assert killed == []


# ── events ──────────────────────────────────────────────────────────────────────────────────────


def test_a_batch_that_comes_again_is_acknowledged_and_not_written_again(house: FakeHouse) -> None:
    run = running(house)
    run.take(batch(1, 3))
    house.commit()
    run.take(batch(1, 3))
    house.commit()
    assert house.told[1:] == [EventsAcked(3), EventsAcked(3)]
    assert house.journal.names().count("message.delta") == 3


def test_credit_is_given_back_by_the_commit(house: FakeHouse, killed: list[int]) -> None:
    run = running(house)
    for first in (1, 3, 5):
        run.take(batch(first))
        run.take(batch(first + 1))
        house.commit()
    assert killed == []
    assert house.told[1:] == [EventsAcked(2), EventsAcked(4), EventsAcked(6)]


@pytest.mark.parametrize(
    "batches",
    [
        [batch(2)],
        [batch(0)],
        [batch(1, 2), batch(2, 2)],
        [batch(1), batch(3)],
        [batch(1), batch(2), batch(3)],  # more than its credit
        [Events("run_1", 1, 1, 2, batch(1).blob)],
        [Events("run_1", 1, 1, 0, b"")],
        [Events("run_1", 1, 1, 1, b"")],
        [batch(1, event="run.completed")],
        [Events("run_1", 1, 2**62, 2**62, b"x")],
    ],
    ids=lambda batches: " ".join(f"{each.n}+{each.count}" for each in batches),
)
def test_a_warden_that_sends_what_it_may_not_is_killed(
    house: FakeHouse, killed: list[int], batches: list[Events]
) -> None:
    run = running(house)
    for each in batches:
        run.take(each)
    house.commit()
    repeated = batches[-1].n + batches[-1].count - 1 <= 0  # nothing new in it: no harm, no word
    assert killed == ([] if repeated else [PIDFD])
    if not repeated:
        run.advance(WardenGone())
        assert (run.record.status, run.record.reason) == (Status.FAILED, Reason.LOST)


# ── stops ───────────────────────────────────────────────────────────────────────────────────────


def test_a_stop_is_written_and_told_with_its_graces(house: FakeHouse) -> None:
    run = running(house)
    run.record.stop_reason = "enough"
    stop(run)
    assert house.journal.events()[-1] | {"timestamp": 0} == {
        "event": "run.stopping",
        "timestamp": 0,
        "mode": "interrupt",
        "reason": "enough",
    }
    assert run.record.status is Status.STOPPING
    house.commit()
    assert house.told[-1] == Stop("stop_1", "interrupt", 5.0, 2.0, INTERRUPT_MESSAGE)


def test_a_shutdown_says_that_it_is_one(house: FakeHouse) -> None:
    run = running(house)
    stop(run, shutdown=True)
    house.commit()
    assert house.journal.events()[-1]["reason"] == "shutdown"
    assert isinstance(house.told[-1], Stop)
    assert house.told[-1].message == "Server is shutting down"


@pytest.mark.parametrize(("mode", "within_s"), [("interrupt", 7.25), ("terminate", 2.25), ("kill", 0.25)])
def test_a_warden_that_is_silent_beyond_the_ladder_is_killed(
    house: FakeHouse, killed: list[int], mode: StopMode, within_s: float
) -> None:
    run = running(house)
    stop(run, mode)
    house.pass_time(within_s - 0.01)
    assert killed == []
    house.pass_time(0.02)
    assert killed == [PIDFD]
    run.proof = "pidns"
    run.advance(WardenGone())
    assert (run.record.status, run.record.reason) == (Status.CANCELLED, Reason.KILLED)


def test_a_warden_that_reports_the_kill_has_the_time_that_a_kill_may_take(
    house: FakeHouse, killed: list[int]
) -> None:
    run = running(house)
    stop(run, "kill")
    run.reached(RungReached("run_1", 1, "stop_1", "kill"))
    assert house.journal.finished == ["stop_1"]
    house.pass_time(2.2)
    assert killed == []
    house.pass_time(0.1)
    assert killed == [PIDFD]


def test_a_warden_that_does_not_go_after_its_last_word_is_killed(house: FakeHouse, killed: list[int]) -> None:
    run = running(house)
    run.recorded(Recorded(a_record(claim=COMPLETED)))
    house.pass_time(0.3)
    assert killed == [PIDFD]


def test_a_stop_in_the_queue_ends_it_with_nothing_told(house: FakeHouse) -> None:
    run = queued(house)
    stop(run, "kill")
    house.commit()
    assert (run.record.status, run.record.reason) == (Status.CANCELLED, Reason.KILLED)
    assert house.journal.names() == ["run.queued", "run.cancelled"]
    assert house.journal.finished == ["stop_1"]
    assert house.told == []


# ── ends ────────────────────────────────────────────────────────────────────────────────────────


def test_a_completed_run_ends_with_its_output_and_usage(house: FakeHouse) -> None:
    run = running(house)
    exited(run, claim=COMPLETED)
    end = house.journal.events()[-1]
    assert (end["event"], end["output"]) == ("run.completed", "done")
    assert end["usage"] == {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    assert house.journal.saved[-1]["status"] == "completed"
    assert house.journal.saved[-1]["ended_at"] == house.now()


def test_a_completed_run_without_output_says_null(house: FakeHouse) -> None:
    exited(running(house), claim=Claim(kind="completed"))
    assert house.journal.events()[-1]["output"] is None


def test_a_failed_run_ends_with_its_error_reason_and_receipt(house: FakeHouse) -> None:
    exited(running(house), code=None, signal=11, stderr_tail="Segmentation fault")
    end = house.journal.events()[-1]
    assert (end["event"], end["reason"], end["error"]) == ("run.failed", "signal", "ended by SIGSEGV")
    assert (end["exit"]["signal"], end["exit"]["stderr_tail"]) == ("SIGSEGV", "Segmentation fault")


def test_a_cancelled_run_ends_with_its_receipt_and_what_it_had_made(house: FakeHouse) -> None:
    run = running(house)
    stop(run)
    house.time_s += 0.5
    exited(run, stopped=True, rung="interrupt", claim=Claim(kind="interrupted", output=b'"so far"'))
    end = house.journal.events()[-1]
    assert (end["event"], end["reason"], end["output"]) == ("run.cancelled", "interrupted", "so far")
    assert (end["exit"]["rung"], end["exit"]["proof"], end["exit"]["took_ms"]) == (
        "interrupt",
        "pidns",
        500.0,
    )


def test_a_run_is_ended_once_however_often_it_is_proved(house: FakeHouse) -> None:
    run = running(house)
    exited(run)
    run.advance(WardenGone())
    assert house.gone == [run]
    assert house.journal.names().count("run.failed") == 1


@pytest.mark.parametrize("stopped", [False, True])
def test_a_run_that_ended_is_no_garbage_to_be_collected(house: FakeHouse, stopped: bool) -> None:
    """Else a server is heavier by hundreds of them from one collection to the next."""
    gc.disable()
    try:
        run = running(house)
        run.take(batch(1))
        house.commit()
        if stopped:
            stop(run)
        exited(run, claim=COMPLETED, last_n=1)
        house.commit()
        house.gone.clear()
        house.forked.clear()
        left = weakref.ref(run)
        del run
        assert left() is None
    finally:
        gc.enable()


def test_a_run_of_an_earlier_server_is_lost_with_what_proves_it(house: FakeHouse) -> None:
    run = queued(house)
    run.lose("reboot", "the machine went down")
    assert run.state.phase is Phase.ENDED
    assert (run.record.status, run.record.reason, run.record.error) == (
        *(Status.FAILED, Reason.LOST, "the machine went down"),
    )
    assert house.journal.events()[-1]["exit"]["proof"] == "reboot"


def test_who_was_killed_by_none_of_us_when_memory_ran_out_ran_out_of_memory(house: FakeHouse) -> None:
    house.short_of_memory = True
    exited(running(house), code=None, signal=9)
    assert house.journal.saved[-1]["reason"] == Reason.OUT_OF_MEMORY


def test_who_was_killed_when_there_was_enough_of_it_was_killed_by_a_signal(house: FakeHouse) -> None:
    exited(running(house), code=None, signal=9)
    assert house.journal.saved[-1]["reason"] == Reason.SIGNAL


def test_where_a_cgroup_tells_of_whom_memory_was_taken_it_alone_is_believed(house: FakeHouse) -> None:
    house.short_of_memory = True
    place = Place(2, "/x", ("memory",))
    house.holders = holders(Found(rung="cgroup", places=(place,)))
    exited(running(house), code=None, signal=9)
    assert house.journal.saved[-1]["reason"] == Reason.SIGNAL


def test_who_was_stopped_was_stopped_however_short_memory_was(house: FakeHouse) -> None:
    house.short_of_memory = True
    run = running(house)
    stop(run, mode="kill")
    exited(run, code=None, signal=9, rung="kill", stopped=True)
    assert house.journal.saved[-1]["reason"] == Reason.KILLED


def test_who_does_not_die_of_the_kill_ends_the_run_without_proof_and_is_told_of(
    house: FakeHouse, killed: list[int]
) -> None:
    run = running(house)
    stop(run, "kill")
    house.commit()
    house.pass_time(0.3)
    house.commit()
    assert (killed, house.leaves_killed) == ([PIDFD], [run])
    house.left = [2**22 + 1]
    house.pass_time(1.9)
    assert house.gone == []
    house.pass_time(0.2)
    house.commit()
    assert house.gone == [run]
    saved = house.journal.saved[-1]
    assert (saved["status"], saved["reason"]) == ("failed", "kill_stuck")
    assert saved["error"] == "these processes did not die: 4194305 (gone by now)"
    assert saved["exit"]["survivors"] == [2**22 + 1]
    assert saved["exit"].get("proof") is None
    assert house.stuck == [(run, [2**22 + 1])]


def test_who_is_gone_when_it_is_looked_for_is_proved_in_time(house: FakeHouse, killed: list[int]) -> None:
    run = running(house)
    stop(run, "kill")
    house.commit()
    for _ in range(5):
        house.pass_time(2.1)
        house.commit()
    assert house.gone == []
    run.proof = "pidns"
    run.advance(WardenGone())
    house.commit()
    assert (house.gone, house.stuck) == ([run], [])
    assert house.journal.saved[-1]["reason"] == "killed"
    assert killed == [PIDFD]
