"""Killing everything that a warden's run ever started, and reaping it until the kernel says that nothing is left.

Two ways, same promise: when `end_all` returns no survivors, waitpid(-1) said ECHILD, and since a warden is pid 1 of
its namespace or a subreaper, every descendant is its child or below one.
"""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator

from . import linux

PATIENCE_S = 2.0  # then what is left is in the kernel's hands (D state), and is named
_DEATH = (signal.SIGCHLD,)
_ROUND_S = 0.005  # between two rounds of killing, where one reaches all
_RACE_ROUND_S = 0.0005  # and where it does not: at the other pace a chain of forks lives ten times as long
_SCAN_EVERY = 50  # rounds; direct children are enough but for a chain that forks faster than it reparents


def end_all(
    kill_round: Callable[[], None],
    reaped: Callable[[int, int], None] = lambda _pid, _status: None,
    patience_s: float = PATIENCE_S,
) -> list[int]:
    """Kill and reap, round after round, until nothing is left; returns the pids that survived, normally none.

    Blocks at most about `patience_s`; `reaped` is told each pid and wait status. Called by a warden when its agent
    is gone or must go.
    """
    if not reap_dead(reaped):
        return []  # the agent was all there was, as in most runs
    deadline = time.monotonic() + patience_s
    with _deaths_awaited():
        while True:
            kill_round()
            if not _reap_for(_ROUND_S if os.getpid() == 1 else _RACE_ROUND_S, reaped):
                return []
            if time.monotonic() > deadline:
                return children(host_pid()) or by_parent(host_pid())


def kill_namespace() -> None:
    """SIGKILL to all in this pid namespace but its init, which is the caller (kill(2), pid -1)."""
    assert os.getpid() == 1, "kill(-1) outside a pid namespace would end the host's processes"
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)


def kill_group(leader_pid: int) -> None:
    """SIGKILL to a process group, where nothing better can be had. Who has left it is not reached.

    Once its leader is reaped and it is empty, its number may become another group's: nothing here is certain.
    """
    if leader_pid > 1:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(leader_pid, signal.SIGKILL)


class SubreaperRounds:
    """SIGKILL to all descendants of this subreaper: its own children in every round, all below now and then.

    What a killed parent leaves becomes our child at once, so the tree shrinks from the top faster than it can grow
    (measured: 0 survivors in 400 trials, fork chains and bombs included). Certain against crashes; a process of
    the same uid that means harm could kill the warden first.
    """

    def __init__(self) -> None:
        self._round = 0

    def __call__(self) -> None:
        """One round."""
        own = host_pid()
        pids = (children if self._round % _SCAN_EVERY else descendants)(own) or by_parent(own)
        self._round += 1
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def host_pid() -> int:
    """This process's pid as the mounted /proc counts: the host's, also inside a pid namespace of its own."""
    return int(os.readlink("/proc/self"))


def children(pid: int) -> list[int]:
    """Pids of the live and the dead children of a process's threads (proc_pid_task_children(5))."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{task}/children") as file:
                found += map(int, file.read().split())
    return found


def by_parent(pid: int) -> list[int]:
    """As `children`, the slow way: for a kernel that was built without CONFIG_PROC_CHILDREN."""
    found: list[int] = []
    for entry in os.listdir("/proc"):
        if entry.isdecimal():
            with contextlib.suppress(OSError), open(f"/proc/{entry}/stat", "rb") as file:
                if int(file.read().rpartition(b")")[2].split()[1]) == pid:
                    found.append(int(entry))
    return found


def own_children() -> list[int]:
    """The caller's, the live and the dead."""
    own = host_pid()
    return children(own) or by_parent(own)


def descendants(pid: int) -> list[int]:
    """All pids below a process, parents first. A snapshot: what forks meanwhile may be missing."""
    found = children(pid)
    for parent in found:
        found += children(parent)
    return found


def has_ended(pid: int) -> bool:
    """Whether this child is dead, or was reaped before; it is not reaped here."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def reap_dead(reaped: Callable[[int, int], None]) -> bool:
    """Reap the children that are dead by now, without waiting. False when there is no child at all."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid == 0:
            return True
        reaped(pid, status)


def _reap_for(seconds: float, reaped: Callable[[int, int], None]) -> bool:
    """Reap what is dead, wait a little for what is dying. False when there is no child left at all."""
    deadline = time.monotonic() + seconds
    while reap_dead(reaped):
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            return True
        if os.getpid() == 1:
            # All were killed at once. To ask again and again would take from a bomb the processors to die by: it took
            # a third longer (measured).
            signal.sigtimedwait(_DEATH, left_s)
        else:
            os.sched_yield()  # a race with what forks on: who sleeps lets a chain run at full speed
    return False


@contextlib.contextmanager
def _deaths_awaited() -> Iterator[None]:
    """So that `sigtimedwait` gets the signals of children that die (sigwait(3)); what comes just before it waits."""
    before = linux.set_signal_mask(signal.SIG_BLOCK, _DEATH)
    try:
        yield
    finally:
        linux.set_signal_mask(signal.SIG_SETMASK, before)
