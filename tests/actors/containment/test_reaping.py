"""The parts of `end_all`, and what it says where it can't end all."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from runward.actors.containment import linux, reaping
from runward.actors.containment.reaping import children, descendants, end_all, host_pid, reap_dead

from ..forks import in_a_fork

pytestmark = pytest.mark.usefixtures("nothing_left")


def pausing_child() -> int:
    """A child that waits for its end."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(10)
        while True:
            signal.pause()
    return pid


def test_the_children_of_a_process_are_found_the_dead_ones_too() -> None:
    def look() -> bool:
        linux.become_subreaper()
        living, dead = pausing_child(), os.fork()
        if dead == 0:
            os._exit(0)
        os.waitid(os.P_PID, dead, os.WEXITED | os.WNOWAIT)
        found = sorted(children(os.getpid()))
        os.kill(living, signal.SIGKILL)
        return found == sorted([living, dead])

    assert in_a_fork(look)


def test_the_children_of_every_thread_are_found() -> None:
    import threading

    def look() -> bool:
        pids: list[int] = []
        forked, done = threading.Event(), threading.Event()

        def fork_and_stay() -> None:
            pids.append(pausing_child())
            forked.set()
            done.wait(10)

        thread = threading.Thread(target=fork_and_stay)
        thread.start()
        forked.wait(10)
        found = children(os.getpid())
        os.kill(pids[0], signal.SIGKILL)
        done.set()
        thread.join()
        return found == pids

    assert in_a_fork(look)


def test_descendants_are_found_parents_first() -> None:
    def look() -> bool:
        reads, writes = os.pipe()
        top = os.fork()
        if top == 0:
            middle = os.fork()
            if middle == 0:
                bottom = pausing_child()
                os.write(writes, f"{os.getppid()} {os.getpid()} {bottom}".encode())
            signal.alarm(10)
            signal.pause()
        wanted = [int(pid) for pid in os.read(reads, 100).split()]
        found = descendants(os.getpid())
        for pid in found:
            os.kill(pid, signal.SIGKILL)
        return found == wanted

    assert in_a_fork(look)


def test_nobody_has_children_who_is_not_there() -> None:
    assert children(2**22 + 1) == descendants(2**22 + 1) == []


def test_the_host_pid_is_the_one_that_proc_shows() -> None:
    assert host_pid() == os.getpid()


def test_reaping_takes_what_is_dead_and_leaves_what_lives() -> None:
    def reap() -> list[Any]:
        living, dead = pausing_child(), os.fork()
        if dead == 0:
            os._exit(7)
        os.waitid(os.P_PID, dead, os.WEXITED | os.WNOWAIT)
        seen: list[tuple[int, int]] = []
        left = reap_dead(lambda pid, status: seen.append((pid, os.waitstatus_to_exitcode(status))))
        os.kill(living, signal.SIGKILL)
        os.waitpid(living, 0)
        return [left, seen == [(dead, 7)], reap_dead(lambda *_: None)]

    assert in_a_fork(reap) == [True, True, False]


def test_each_end_is_told_once_with_its_status() -> None:
    def end() -> bool:
        linux.become_subreaper()
        pids = [pausing_child() for _ in range(5)]
        seen: dict[int, int] = {}
        survivors = end_all(reaping.SubreaperRounds(), seen.__setitem__)
        killed = all(os.WTERMSIG(status) == signal.SIGKILL for status in seen.values())
        return survivors == [] and sorted(seen) == sorted(pids) and killed

    assert in_a_fork(end)


def test_what_does_not_die_is_named_and_waited_for_no_longer_than_patience_allows() -> None:
    """Here nothing dies since nothing is killed, as in a kernel that hangs."""

    def end() -> list[Any]:
        pid = pausing_child()
        began = time.monotonic()
        survivors = end_all(lambda: None, patience_s=0.1)
        took_s = time.monotonic() - began
        os.kill(pid, signal.SIGKILL)
        return [survivors == [pid], 0.1 <= took_s < 2.0]

    assert in_a_fork(end) == [True, True]


def test_where_children_are_not_listed_it_is_not_said_that_none_survived(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """CONFIG_PROC_CHILDREN is a choice of whoever built the kernel."""
    monkeypatch.setattr(reaping, "children", lambda _pid: [])

    def end() -> list[bool]:
        linux.become_subreaper()
        pid = pausing_child()
        survivors = end_all(reaping.SubreaperRounds(), patience_s=1.0)
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return [survivors == [], True]
        return [survivors == [pid], False]

    told_the_truth, all_ended = in_a_fork(end)
    assert told_the_truth
    assert all_ended


def test_outside_of_a_namespace_all_are_never_killed() -> None:
    with pytest.raises(AssertionError, match="would end the host's processes"):
        reaping.kill_namespace()


def test_rounds_of_a_subreaper_touch_nobody_but_its_own() -> None:
    def end() -> list[bool]:
        stranger = pausing_child()
        if (warden := os.fork()) == 0:
            linux.become_subreaper()
            pausing_child()
            os._exit(len(end_all(reaping.SubreaperRounds())))
        _, status = os.waitpid(warden, 0)
        alive = Path(f"/proc/{stranger}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        os.kill(stranger, signal.SIGKILL)
        return [status == 0, alive]

    assert in_a_fork(end) == [True, True]
