"""The system calls that are made by ctypes: what they promise, and that a process is whole after them."""

import ctypes
import os
import random
import select
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runward.actors.containment import linux
from runward.actors.containment.linux import CLONE_NEWPID, CLONE_NEWUSER, clone_process
from tests.support.rungs import skip_unless_held

from ..forks import ChildFailed, in_a_fork, own_children
from .nobody import become_nobody, needs_root

pytestmark = pytest.mark.usefixtures("nothing_left")


def cloned(flags: int = 0) -> int:
    """As `os.fork`."""
    child = clone_process(flags)
    if child is None:
        return 0
    os.close(child.pidfd)
    return child.pid


def in_a_clone(work: Callable[[], Any], flags: int = 0) -> Any:
    """What the work returns in a cloned child."""
    return in_a_fork(work, lambda: cloned(flags))


def test_a_clone_is_a_child_with_a_descriptor_that_is_its_own() -> None:
    child = clone_process()
    if child is None:
        signal.alarm(10)
        signal.pause()
        os._exit(0)
    assert not os.get_inheritable(child.pidfd)
    assert select.select([child.pidfd], [], [], 0) == ([], [], [])
    assert f"Pid:\t{child.pid}\n" in Path(f"/proc/self/fdinfo/{child.pidfd}").read_text()
    signal.pidfd_send_signal(child.pidfd, signal.SIGKILL)
    assert select.select([child.pidfd], [], [], 10)[0]
    pid, status = os.waitpid(child.pid, 0)
    os.close(child.pidfd)
    assert (pid, os.waitstatus_to_exitcode(status)) == (child.pid, -signal.SIGKILL)


def test_a_clone_knows_who_it_is() -> None:
    pid, parent, thread = in_a_clone(lambda: [os.getpid(), os.getppid(), threading.get_native_id()])
    assert parent == os.getpid()
    assert pid not in (0, parent)
    assert thread == pid


def test_glibc_knows_who_a_clone_is() -> None:
    """Its recursive locks know their owners by the id that it keeps: a wrong one could be a thread's of the child."""

    def kept() -> list[int]:
        return [ctypes.c_int.from_address(linux._tid_address()).value, os.getpid()]

    there, pid = in_a_clone(kept)
    assert there == pid
    there, pid = in_a_clone(kept, CLONE_NEWPID | (0 if os.geteuid() == 0 else CLONE_NEWUSER))
    assert there == pid == 1


def test_a_fork_runs_what_was_registered_for_it_and_a_clone_does_not() -> None:
    called: list[str] = []

    def in_a_process_of_its_own() -> list[list[str]]:
        os.register_at_fork(after_in_child=lambda: called.append("called"))
        forked = in_a_fork(lambda: called, lambda: 0 if (child := linux.fork()) is None else child.pid)
        return [forked, in_a_clone(lambda: called)]

    assert in_a_fork(in_a_process_of_its_own) == [["called"], []]


def test_what_a_clone_changes_is_its_own() -> None:
    mine = ["before"]
    assert in_a_clone(lambda: mine.insert(1, "there") or mine) == ["before", "there"]  # type: ignore[func-returns-value]
    assert mine == ["before"]


def test_a_clone_may_raise_signals_for_itself() -> None:
    """glibc keeps the thread's id, and a clone that it did not make has another."""

    def raise_it() -> list[int]:
        caught: list[int] = []
        signal.signal(signal.SIGUSR1, lambda number, _: caught.append(number))
        signal.raise_signal(signal.SIGUSR1)
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGUSR1)
        return caught

    assert in_a_clone(raise_it) == [signal.SIGUSR1] * 3


@pytest.mark.parametrize("flags", [0, CLONE_NEWPID], ids=["same namespace", "pid namespace"])
def test_a_clone_that_aborts_dies_of_it(flags: int) -> None:
    if flags:
        skip_unless_held("pidns")
        flags |= 0 if os.geteuid() == 0 else CLONE_NEWUSER
    child = clone_process(flags)
    if child is None:
        signal.signal(signal.SIGABRT, signal.SIG_DFL)
        if os.fork() == 0:  # the namespace's own init is immune to itself
            os.abort()
        _, status = os.wait()
        os._exit(os.WTERMSIG(status))
    _, status = os.waitpid(child.pid, 0)
    os.close(child.pidfd)
    assert os.waitstatus_to_exitcode(status) == signal.SIGABRT


def test_a_clone_may_have_threads_locks_and_timers() -> None:
    def work() -> list[Any]:
        total, lock = [0], threading.Lock()

        def add() -> None:
            for _ in range(1_000):
                with lock:
                    total[0] += 1

        threads = [threading.Thread(target=add) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        rang = threading.Event()
        threading.Timer(0.001, rang.set).start()
        return [total[0], rang.wait(10), threading.current_thread() is threading.main_thread()]

    assert in_a_clone(work) == [10_000, True, True]


def test_a_clone_may_fork_start_programs_and_clone_again() -> None:
    def work() -> list[Any]:
        forked = in_a_fork(os.getppid) == os.getpid()
        again = in_a_clone(os.getppid) == os.getpid()
        printed = subprocess.run(["/bin/echo", "hello"], capture_output=True, check=True).stdout
        return [forked, again, printed.decode()]

    assert in_a_clone(work) == [True, True, "hello\n"]


def test_who_cloned_may_fork_and_clone_on() -> None:
    in_a_clone(os.getpid)
    assert in_a_fork(os.getppid) == os.getpid()
    assert in_a_clone(os.getppid) == os.getpid()


def test_the_runs_of_two_clones_do_not_draw_the_same_numbers() -> None:
    """The clone itself does: it is the fork in it, the agent's, that draws anew."""
    drawn = [in_a_clone(lambda: in_a_fork(random.random)) for _ in range(2)]
    assert drawn[0] != drawn[1]


# ── namespaces ──────────────────────────────────────────────────────────────────────────────────


def namespaces() -> list[Any]:
    """What there is to see of one's namespaces."""
    links = [os.readlink(f"/proc/self/ns/{name}") for name in ("pid", "user", "net", "mnt")]
    return [os.getpid(), os.getppid(), *links]


def test_in_a_pid_namespace_of_its_own_a_clone_is_the_first_and_nothing_else_changes() -> None:
    skip_unless_held("pidns")
    _, _, *ours = namespaces()
    pid, parent, *theirs = in_a_clone(namespaces, CLONE_NEWPID | (0 if os.geteuid() == 0 else CLONE_NEWUSER))
    assert (pid, parent) == (1, 0)
    assert [theirs[at] != ours[at] for at in range(4)] == [True, os.geteuid() != 0, False, False]


def mapped(uid: int, gid: int) -> list[Any]:
    """In a new user namespace: be who one was."""
    linux.set_dumpable(True)
    linux.map_own_ids(uid, gid)
    maps = [Path(f"/proc/self/{name}").read_text().split() for name in ("uid_map", "gid_map", "setgroups")]
    return [os.getuid(), os.getgid(), maps]


def test_in_a_user_namespace_of_its_own_a_clone_can_be_who_it_was() -> None:
    uid, gid = os.geteuid(), os.getegid()
    there = in_a_clone(lambda: mapped(uid, gid), CLONE_NEWUSER | CLONE_NEWPID)
    assert there == [uid, gid, [[str(uid), str(uid), "1"], [str(gid), str(gid), "1"], ["deny"]]]


@needs_root
def test_an_ordinary_user_can_too_without_anybodys_help() -> None:
    def work() -> Any:
        become_nobody()
        return in_a_clone(lambda: mapped(65_534, 65_534), CLONE_NEWUSER | CLONE_NEWPID)

    uid, gid, _ = in_a_fork(work)
    assert (uid, gid) == (65_534, 65_534)


def test_ids_are_mapped_once_and_only_ones_own() -> None:
    def twice() -> None:
        mapped(os.geteuid(), os.getegid())
        mapped(os.geteuid(), os.getegid())

    with pytest.raises(ChildFailed, match="PermissionError"):
        in_a_clone(twice, CLONE_NEWUSER)


def clone_refused() -> None:
    """With part of an exit signal among the flags, which clone3 does not take there."""
    if clone_process(0x01) is None:
        os._exit(1)


def test_what_the_kernel_refuses_is_an_error_with_its_number_and_no_child() -> None:
    before, children = os.listdir("/proc/self/fd"), own_children()
    with pytest.raises(OSError, match="Invalid argument") as caught:
        clone_refused()
    assert caught.value.errno == 22
    assert os.listdir("/proc/self/fd") == before
    assert own_children() == children
