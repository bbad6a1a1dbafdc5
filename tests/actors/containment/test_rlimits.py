"""Limits that a warden sets for its agent's process: hard, for all that it starts, and never above what was."""

import os
import resource
import signal
from collections.abc import Callable

import pytest

from runward.actors.containment import rlimits

from ..forks import in_a_fork
from .nobody import become_nobody, needs_root

pytestmark = pytest.mark.usefixtures("nothing_left")

MEGABYTE = 1 << 20


def of_a_child(work: Callable[[int], None], kind: int) -> tuple[int, int]:
    """What the limits of a child of this kind are after the work on its pid."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        signal.pause()
    try:
        work(pid)
        return resource.prlimit(pid, kind)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@pytest.mark.parametrize(
    ("name", "kind", "limit", "held"),
    [
        ("open_files", resource.RLIMIT_NOFILE, 40, 40),
        ("file_bytes", resource.RLIMIT_FSIZE, 4096, 4096),
        ("pids", resource.RLIMIT_NPROC, 10, 12),  # its own thread of ours, and its warden
    ],
)
def test_a_limit_is_hard_at_once(name: str, kind: int, limit: int, held: int) -> None:
    assert of_a_child(lambda pid: rlimits.bind(pid, {name: float(limit)}, own_threads=1), kind) == (
        held,
        held,
    )


def test_who_has_a_user_of_its_own_shares_it_with_no_warden() -> None:
    held = of_a_child(
        lambda pid: rlimits.bind(pid, {"pids": 10.0}, own_threads=1, own_user=True), resource.RLIMIT_NPROC
    )
    assert held == (11, 11)


def test_nothing_is_set_that_is_not_named() -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    assert of_a_child(lambda pid: rlimits.bind(pid, {"open_files": 9.0}, 0), resource.RLIMIT_FSIZE) == before
    assert of_a_child(lambda pid: rlimits.fence(pid, {"wall_s": 9.0}), resource.RLIMIT_CPU) == (-1, -1)


@needs_root
def test_an_ordinary_warden_sets_no_more_than_is_allowed_already() -> None:
    def work() -> list[int]:
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
        become_nobody()
        return list(of_a_child(lambda pid: rlimits.bind(pid, {"open_files": 1e6}, 0), resource.RLIMIT_NOFILE))

    assert in_a_fork(work) == [100, 100]


def test_an_agent_that_has_ended_has_no_limits() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    rlimits.bind(pid, {"open_files": 9.0}, 0)
    rlimits.fence(pid, {"cpu_s": 9.0, "memory_bytes": 9.0})


def test_behind_the_cpu_time_that_the_warden_holds_the_kernel_ends_it() -> None:
    assert of_a_child(lambda pid: rlimits.fence(pid, {"cpu_s": 1.5}), resource.RLIMIT_CPU) == (3, 5)


def test_behind_the_memory_that_the_warden_holds_the_kernel_refuses_more() -> None:
    """Above the limit, so that the warden comes first; and not so far that a jump is free."""

    def takes(megabytes: int) -> bool:
        def work() -> bool:
            reads, writes = os.pipe()
            pid = os.fork()
            if pid == 0:
                os.read(reads, 1)
                try:
                    taken = bytearray(megabytes * MEGABYTE)
                except MemoryError:
                    os._exit(7)
                os._exit(len(taken) % 2)
            rlimits.fence(pid, {"memory_bytes": 100.0 * MEGABYTE})
            os.write(writes, b"x")
            return os.waitpid(pid, 0)[1] == 0

        done: bool = in_a_fork(work)
        return done

    assert takes(90)
    assert not takes(400)
