"""Killing all of one user: everybody of it, nobody else, and nobody of it can strike back."""

import os
import select
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runward.actors.containment import linux
from runward.actors.containment.reaping import end_all
from runward.actors.containment.users import LAST_UID, UserRounds, kill_user, kill_users
from tests.support.waiting import until

from ..forks import in_a_fork
from .nobody import become, become_nobody, needs_root

pytestmark = [pytest.mark.usefixtures("nothing_left"), needs_root]

UID = 2_147_352_010  # nobody's, as its neighbours
LONGEST_S = 20


@contextmanager
def a_process_of(uid: int, work: Callable[[], object]) -> Iterator[int]:
    """The pid of one that does this, and then nothing."""
    ready_reads, ready_writes = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            signal.alarm(LONGEST_S)
            if uid:
                become(uid)
            os.write(ready_writes, b"y")
            work()
            while True:
                signal.pause()
        finally:
            os._exit(0)
    os.close(ready_writes)
    try:
        assert select.select([ready_reads], [], [], LONGEST_S)[0]
        yield pid
    finally:
        os.close(ready_reads)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def is_dead(pid: int) -> bool:
    """Though nobody has waited for it."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def test_all_of_one_user_are_killed_and_nobody_else() -> None:
    def ignores() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())

    with (
        a_process_of(UID, ignores) as one,
        a_process_of(UID, ignores) as other,
        a_process_of(UID + 1, ignores) as neighbour,
        a_process_of(0, ignores) as of_root,
    ):
        kill_user(UID)
        pidfds = [os.pidfd_open(pid) for pid in (one, other)]
        assert len([pidfd for pidfd in pidfds if select.select([pidfd], [], [], 10)[0]]) == 2
        for pidfd in pidfds:
            os.close(pidfd)
        assert [is_dead(pid) for pid in (one, other, neighbour, of_root)] == [True, True, False, False]


def test_of_many_users_those_who_have_processes_are_killed() -> None:
    with a_process_of(UID, lambda: None) as meant, a_process_of(UID + 1, lambda: None) as other:
        assert kill_users(range(UID + 2, UID + 500)) == set()
        assert kill_users({0, UID, UID + 2}) == {UID}
        pidfd = os.pidfd_open(meant)
        assert select.select([pidfd], [], [], 10)[0]
        os.close(pidfd)
        assert not is_dead(other)


def test_who_is_not_dumpable_is_found_too() -> None:
    with a_process_of(UID, lambda: linux.set_dumpable(False)) as pid:
        until(
            lambda: Path(f"/proc/{pid}/environ").stat().st_uid == 0,
            10,
            "a process that is root's to look into",
        )
        assert kill_users({UID}) == {UID}


def test_where_there_is_nobody_nothing_happens_and_the_caller_is_who_it_was() -> None:
    def work() -> list[object]:
        linux.set_dumpable(False)
        kill_user(UID)
        status = Path("/proc/self/status").read_text()
        uids = next(line.split()[1:] for line in status.splitlines() if line.startswith("Uid:"))
        effective = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff:"))
        return [uids, int(effective, 16) != 0]

    assert in_a_fork(work) == [["0", "0", "0", "0"], True]


@pytest.mark.parametrize("uid", [0, -1, LAST_UID + 1, 1 << 31, (1 << 31) + 1000, (1 << 32) - 1])
def test_who_has_no_counterpart_is_not_touched(uid: int) -> None:
    with pytest.raises(PermissionError):
        kill_user(uid)


def test_only_root_may() -> None:
    def work() -> str:
        become_nobody()
        try:
            kill_user(UID)
        except PermissionError as error:
            return str(error.filename)
        return "it may"

    assert in_a_fork(work) == f"kill as user {UID}"


def test_who_is_killed_can_not_kill_whoever_does_it() -> None:
    """It tries without pause, also while the killer is half of its user."""

    def work() -> list[object]:
        linux.become_subreaper()
        killer = os.getpid()

        def strikes() -> None:
            while True:
                try:
                    os.kill(killer, signal.SIGKILL)
                except PermissionError:
                    continue

        survivors: list[int] = []
        for _ in range(50):
            ready_reads, ready_writes = os.pipe()
            if os.fork() == 0:
                signal.alarm(LONGEST_S)
                become(UID)
                os.fork()
                os.write(ready_writes, b"y")
                strikes()
            os.close(ready_writes)
            os.read(ready_reads, 1)
            os.close(ready_reads)
            survivors += end_all(UserRounds(UID))
        return [survivors, os.getresuid()]

    assert in_a_fork(work) == [[], [0, 0, 0]]
