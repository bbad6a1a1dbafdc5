"""What a new supervisor does about the runs that an earlier one left: with real processes in the wardens' place."""

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from runward.actors import birth, recovery
from runward.actors.journal.writer import UnendedRun
from runward.actors.records import ProcessIdentity, RunInput, RunRecord, Status
from runward.actors.recovery import Left, Lost, settle

pytestmark = pytest.mark.usefixtures("nothing_left")

BOOT = birth.boot_id()
WENT_DOWN = "the supervisor went down while the run was live"


def unended(
    warden: ProcessIdentity | None = None, status: Status = Status.RUNNING, key: int = 1
) -> UnendedRun:
    """A run that was left, and whose warden was this."""
    record = RunRecord(
        run_id=f"run_{key}", agent="echo", created_at=1.0, updated_at=1.0, status=status, warden=warden
    )
    return UnendedRun(key, record, RunInput(input="hello"), 7)


def settled(*runs: UnendedRun) -> list[Left]:
    return list(settle(runs, BOOT))


@pytest.fixture
def warden() -> Iterator[Callable[[float | None], ProcessIdentity]]:
    """Makes processes that end by themselves after so many seconds, or never."""
    pids: list[int] = []

    def made(lives_s: float | None) -> ProcessIdentity:
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, 20.0 if lives_s is None else lives_s)
            while True:
                signal.pause()
        pids.append(pid)
        return ProcessIdentity(pid, birth.start_ticks(pid), BOOT)

    yield made
    for pid in pids:
        os.kill(pid, signal.SIGKILL)  # dead or not, it is still ours
        os.waitpid(pid, 0)


def how_it_ended(identity: ProcessIdentity) -> int | None:
    """The signal that ended it; None if it lives. It stays to be waited for."""
    ended = os.waitid(os.P_PID, identity.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    return None if ended is None else ended.si_status


def test_a_run_in_the_queue_waits_on() -> None:
    run = unended(status=Status.QUEUED)
    assert settled(run) == [Left(1, run.record, run.given, 7, None)]


def test_what_was_left_keeps_its_order_and_its_number_of_events() -> None:
    runs = [unended(key=key, status=Status.QUEUED if key % 2 else Status.RUNNING) for key in range(5)]
    left = settled(*runs)
    assert [each.key for each in left] == [0, 1, 2, 3, 4]
    assert {each.last_seq for each in left} == {7}
    assert [each.lost is None for each in left] == [False, True, False, True, False]


@pytest.mark.parametrize("status", [Status.RUNNING, Status.STOPPING, Status.WAITING_FOR_APPROVAL])
def test_a_run_without_a_warden_never_began(status: Status) -> None:
    [left] = settled(unended(status=status))
    assert left.lost is not None
    assert left.lost.proof == "never_started"


def test_a_run_of_an_earlier_boot_went_with_it() -> None:
    alive = ProcessIdentity(os.getpid(), birth.start_ticks(os.getpid()), "another boot")
    [left] = settled(unended(alive))
    assert left.lost == Lost("reboot", "the machine went down while the run was live")


def test_a_warden_that_is_gone_is_not_waited_for() -> None:
    [left] = settled(unended(ProcessIdentity(2**22 + 1, 1, BOOT)))
    assert left.lost == Lost("warden_gone", WENT_DOWN)


def test_a_warden_that_ends_by_itself_is_waited_for(
    warden: Callable[[float | None], ProcessIdentity],
) -> None:
    its = warden(0.05)
    [left] = settled(unended(its))
    assert left.lost == Lost("warden_gone", WENT_DOWN)
    assert how_it_ended(its) == signal.SIGALRM


def test_wardens_that_do_not_are_killed_when_the_one_time_for_all_is_over(
    warden: Callable[[float | None], ProcessIdentity], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "WARDENS_OWN_S", 0.2)
    stuck = [warden(None) for _ in range(5)]
    began = time.monotonic()
    left = settled(*(unended(each, key=key) for key, each in enumerate(stuck)))
    assert 0.2 <= time.monotonic() - began < 0.2 * 5
    assert {each.lost for each in left} == {Lost("warden_gone", WENT_DOWN)}
    assert [how_it_ended(each) for each in stuck] == [signal.SIGKILL] * 5


def test_a_stranger_who_has_the_pid_now_is_left_alone(
    warden: Callable[[float | None], ProcessIdentity], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "WARDENS_OWN_S", 0.0)
    stranger = warden(None)
    [left] = settled(unended(ProcessIdentity(stranger.pid, stranger.start_ticks - 1, BOOT)))
    assert left.lost == Lost("warden_gone", WENT_DOWN)
    assert how_it_ended(stranger) is None


def test_nothing_left_is_nothing_to_do() -> None:
    assert settled() == []
