"""Leaves hold who is in them, go from run to run only when empty, and go away with their server."""

import os
import select
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from runward.actors.containment import cgroups, linux
from runward.actors.containment.cgroup_trials import try_cgroups
from runward.actors.containment.findings import Place
from runward.actors.containment.leaf import Leaf
from runward.actors.containment.leaves import Leaves, tag_of
from tests.support.waiting import AT_LAST_S, until

from ..forks import in_a_fork

pytestmark = pytest.mark.usefixtures("nothing_left")

STATE = f"the state of tests in {os.getpid()}"
PLACES = try_cgroups()[1]
MEMORY_BYTES = 1 << 26


def places_with(controller: str) -> tuple[Place, ...]:
    held = tuple(place for place in PLACES if controller in place.controllers)
    if not held:
        pytest.skip(f"no cgroup limits {controller} here")
    return held


@pytest.fixture
def leaves() -> Iterator[Leaves]:
    if not PLACES:
        pytest.skip("no cgroup can be made here")
    made = Leaves(PLACES, STATE)
    yield made
    made.remove_all()
    assert there(STATE) == set()


def there(state: str) -> set[str]:
    """The leaves of this state that exist."""
    return {name for place in PLACES for name in cgroups.leaves(place, tag_of(state))}


def fork_into(name: str, work: Callable[[], object], places: tuple[Place, ...] = PLACES) -> tuple[int, Leaf]:
    """A child in the leaf, as a warden makes one; its pid."""
    leaf = Leaf(places, name)
    child = linux.fork(leaf.fd)
    if child is None:
        try:
            signal.alarm(20)
            leaf.enter()
            work()
        finally:
            os._exit(0)
    os.close(child.pidfd)
    if leaf.fd is not None:
        os.close(leaf.fd)
    return child.pid, leaf


def pause() -> None:
    while True:
        signal.pause()


def ended(pid: int) -> int:
    """How it ended: an exit code, or a signal below zero."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def end(leaves: Leaves, name: str) -> None:
    """Kill all in it. What came to us, since its parent is dead, is waited for."""

    def is_empty() -> bool:
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        return leaves.is_empty(name)

    leaves.kill(name)
    until(is_empty, AT_LAST_S, "an empty leaf")


# ── who is in one ───────────────────────────────────────────────────────────────────────────────


def test_who_is_born_in_a_leaf_is_in_all_of_it_and_so_is_who_he_forks(leaves: Leaves) -> None:
    def two() -> None:
        if os.fork() == 0:
            signal.alarm(20)
        pause()

    name = leaves.take()
    assert leaves.is_empty(name)
    pid, _ = fork_into(name, two)
    until(lambda: len(leaves.processes(name)) == 2, AT_LAST_S, "two processes in the leaf")
    for place in PLACES:
        assert pid in cgroups.processes(place, name)
        assert len(cgroups.processes(place, name)) == 2
    assert os.getpid() not in leaves.processes(name)
    leaves.kill(name)
    assert ended(pid) == -signal.SIGKILL
    until(lambda: leaves.is_empty(name), AT_LAST_S, "an empty leaf")


def test_the_run_kills_its_own_leaf_and_nothing_else(leaves: Leaves) -> None:
    mine, other = leaves.take(), leaves.take()
    pid, leaf = fork_into(mine, pause)
    spared, _ = fork_into(other, pause)
    leaf.kill()
    for each in leaves.processes(mine):  # where no cgroup kills
        os.kill(each, signal.SIGKILL)
    assert ended(pid) == -signal.SIGKILL
    assert leaves.processes(other) == [spared]
    leaves.kill(other)
    assert ended(spared) == -signal.SIGKILL


def test_after_its_kill_nobody_in_a_leaf_can_fork(leaves: Leaves) -> None:
    places = places_with("pids")
    name = leaves.take(pids=10)
    reads, writes = os.pipe()

    def fork_when_told() -> None:
        os.read(reads, 1)
        try:
            os.fork()
        except BlockingIOError:
            os._exit(7)

    pid, leaf = fork_into(name, fork_when_told, tuple(place for place in places if place.version == 1))
    leaf.kill()
    os.write(writes, b"x")
    os.close(reads)
    os.close(writes)
    assert ended(pid) in (7, -signal.SIGKILL)


def test_a_leaf_that_is_not_there_is_said_to_be_missing() -> None:
    if not PLACES or PLACES[0].version != 2:
        pytest.skip("no cgroups of version 2 here")
    with pytest.raises(FileNotFoundError):
        Leaf(PLACES, "runward-that-nobody-made")


# ── limits ──────────────────────────────────────────────────────────────────────────────────────


def most_processes(name: str) -> int:
    """How many there can be in the leaf."""

    def work() -> int:
        count = 1
        for _ in range(40):
            try:
                pid = os.fork()
            except BlockingIOError:
                break
            if pid == 0:
                signal.alarm(20)
                pause()
            count += 1
        return count

    reads, writes = os.pipe()
    pid, _ = fork_into(name, lambda: os.write(writes, b"%d" % work()))
    os.close(writes)
    with open(reads, "rb") as pipe:
        select.select([reads], [], [], AT_LAST_S)
        said = int(os.read(pipe.fileno(), 10))
    return said if ended(pid) == 0 else -1


@pytest.mark.parametrize("pids", [1, 7])
def test_so_many_processes_and_no_more(leaves: Leaves, pids: int) -> None:
    places_with("pids")
    name = leaves.take(pids=pids)
    assert most_processes(name) == pids
    end(leaves, name)


def test_without_a_limit_there_is_none(leaves: Leaves) -> None:
    places_with("pids")
    name = leaves.take()
    assert most_processes(name) == 41
    end(leaves, name)


def take_memory() -> None:
    """Twice what is allowed, in small steps."""
    taken = [bytearray(1 << 20) for _ in range(2 * MEMORY_BYTES >> 20)]
    os._exit(len(taken) & 1)


def test_so_much_memory_and_no_more_and_it_is_told_who_killed(leaves: Leaves) -> None:
    places_with("memory")
    name = leaves.take(memory_bytes=MEMORY_BYTES)
    pid, leaf = fork_into(name, take_memory)
    assert ended(pid) == -signal.SIGKILL
    assert leaf.out_of_memory() == "limit"


def test_who_keeps_to_his_limit_is_not_told_of(leaves: Leaves) -> None:
    places_with("memory")
    name = leaves.take(memory_bytes=MEMORY_BYTES)
    pid, leaf = fork_into(name, lambda: bytearray(1 << 22))
    assert ended(pid) == 0
    assert leaf.out_of_memory() is None


def test_what_an_earlier_run_broke_is_not_told_of_the_next(leaves: Leaves) -> None:
    places_with("memory")
    name = leaves.take(memory_bytes=MEMORY_BYTES)
    pid, _ = fork_into(name, take_memory)
    ended(pid)
    leaves.give_back(name)
    assert leaves.take(memory_bytes=4 * MEMORY_BYTES) == name
    pid, leaf = fork_into(name, take_memory)
    assert ended(pid) == 0
    assert leaf.out_of_memory() is None


def test_a_leaf_weighs_little_until_it_is_killed_and_little_again_for_the_next(leaves: Leaves) -> None:
    [place] = places_with("cpu")
    file = "cpu.weight" if place.version == 2 else "cpu.shares"
    name = leaves.take()
    low = int(cgroups.get(place, name, file))
    Leaf((place,), name).kill()
    assert int(cgroups.get(place, name, file)) > 10 * low
    leaves.give_back(name)
    assert leaves.take() == name
    assert int(cgroups.get(place, name, file)) == low


# ── from run to run ─────────────────────────────────────────────────────────────────────────────


def test_a_leaf_is_used_again_and_is_never_two_runs(leaves: Leaves) -> None:
    first, second = leaves.take(), leaves.take()
    assert first != second
    leaves.give_back(first)
    leaves.give_back(first)
    assert leaves.take() == first
    assert leaves.take() not in (first, second)


def test_who_is_born_in_a_leaf_that_an_earlier_run_was_killed_in_lives(leaves: Leaves) -> None:
    """On Linux 6.18 a cgroup that was killed kills who is born in it later."""
    name = leaves.take()
    first, leaf = fork_into(name, pause)
    leaf.kill()
    leaves.kill(name)
    assert ended(first) == -signal.SIGKILL
    leaves.give_back(name)
    assert leaves.take() == name
    second, _ = fork_into(name, lambda: os._exit(5))
    assert ended(second) == 5


def test_a_leaf_in_which_somebody_is_left_is_given_to_nobody(leaves: Leaves) -> None:
    name = leaves.take()
    pid, _ = fork_into(name, pause)
    leaves.give_back(name)
    assert leaves.take() != name
    assert ended(pid) == -signal.SIGKILL
    until(lambda: leaves.is_empty(name), AT_LAST_S, "an empty leaf")
    assert leaves.take() == name


def test_a_leaf_that_somebody_tidied_away_is_missed_by_nobody(leaves: Leaves) -> None:
    name = leaves.take()
    leaves.give_back(name)
    cgroups.remove(PLACES[-1], name)
    other = leaves.take()
    pid, _ = fork_into(other, lambda: os._exit(5))
    assert ended(pid) == 5
    assert there(STATE) == {other}


def test_few_are_kept_for_later(leaves: Leaves) -> None:
    names = [leaves.take() for _ in range(40)]
    for name in names:
        leaves.give_back(name)
    assert len(there(STATE)) == 32


def test_where_there_are_no_cgroups_there_is_no_leaf() -> None:
    none = Leaves((), STATE)
    assert none.take(1, 1) == ""
    none.give_back("")
    none.take_over([])
    none.remove_all()
    leaf = Leaf((), "")
    leaf.enter()
    leaf.kill()
    assert (leaf.fd, leaf.out_of_memory()) == (None, None)


def test_what_can_not_be_limited_is_refused_and_the_leaf_is_not_lost() -> None:
    def work() -> Any:
        leaves = Leaves(PLACES, STATE)
        leaves.remove_all()
        try:
            leaves.take(
                memory_bytes=1
            )  # in a leaf that somebody is in this could not be had; of ours, it can
        finally:
            leaves.remove_all()
        return sorted(there(STATE))

    if not PLACES:
        pytest.skip("no cgroup can be made here")
    assert in_a_fork(work) == []


# ── from server to server ───────────────────────────────────────────────────────────────────────


def test_the_next_server_ends_what_is_left_but_not_what_it_takes_over(leaves: Leaves) -> None:
    kept, left = leaves.take(), leaves.take()
    survivor, _ = fork_into(kept, pause)
    orphan, _ = fork_into(left, pause)
    following = Leaves(PLACES, STATE)
    following.take_over([kept])
    assert ended(orphan) == -signal.SIGKILL
    assert following.processes(kept) == [survivor]
    until(lambda: following.is_empty(left), AT_LAST_S, "an empty leaf")
    assert following.take() == left
    assert following.take() not in (kept, left)
    following.kill(kept)
    assert ended(survivor) == -signal.SIGKILL
    following.remove_all()


def test_a_leaf_that_is_held_is_given_to_no_other_run_also_if_it_is_gone(leaves: Leaves) -> None:
    held = leaves.take()
    following = Leaves(PLACES, STATE)
    leaves.remove_all()
    following.take_over([held])
    other = following.take()
    assert other != held
    following.give_back(held)
    assert following.take() != other
    following.remove_all()


def test_servers_with_another_state_have_other_leaves(leaves: Leaves) -> None:
    name = leaves.take()
    other = Leaves(PLACES, f"{STATE}, another one")
    other.take_over([])
    other.remove_all()
    assert there(STATE) == {name}


def test_leaves_leave_no_descriptor_open(leaves: Leaves) -> None:
    before = os.listdir("/proc/self/fd")
    name = leaves.take(MEMORY_BYTES, 5)
    leaves.kill(name)
    leaves.give_back(name)
    leaves.take_over([])
    assert os.listdir("/proc/self/fd") == before
