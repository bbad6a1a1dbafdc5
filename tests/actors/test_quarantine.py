"""An agent of which something outlived a kill gets nothing new until that is gone. Real processes, a real loop."""

import os
import signal
from collections.abc import Iterator

import pytest

from runward.actors.actor import Actor
from runward.actors.quarantine import Quarantine
from runward.actors.survivors import described, left_of
from tests.support.waiting import AT_LAST_S


@pytest.fixture
def actor() -> Iterator[Actor]:
    made = Actor()
    yield made
    made.close()


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def quarantine(actor: Actor, lines: list[str]) -> Iterator[Quarantine]:
    made = Quarantine(actor, lines.append)
    yield made
    made.close()


@pytest.fixture
def alive() -> Iterator[list[int]]:
    """Two processes that pause."""
    pids = []
    for _ in range(2):
        pid = os.fork()
        if pid == 0:
            signal.alarm(30)
            while True:
                signal.pause()
        pids.append(pid)
    yield pids
    for pid in pids:
        end(pid)


def end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError):
        pass


def turn_until_free(actor: Actor, quarantine: Quarantine, agent: str) -> None:
    deadline = actor.after(AT_LAST_S, lambda: None)
    while quarantine.why(agent) and deadline.callback is not None:
        actor.turn()


def test_it_lasts_until_the_last_of_them_is_gone(
    actor: Actor, quarantine: Quarantine, lines: list[str], alive: list[int]
) -> None:
    quarantine.begin("a", alive)
    assert quarantine.agents == {"a"}
    assert quarantine.why("b") is None
    why = quarantine.why("a")
    assert why is not None
    assert all(str(pid) in why for pid in alive)
    end(alive[0])
    actor.turn()
    assert quarantine.agents == {"a"}
    end(alive[1])
    turn_until_free(actor, quarantine, "a")
    assert quarantine.agents == frozenset()
    assert ["did not die" in lines[0], "out of quarantine" in lines[1], len(lines)] == [True, True, 2]


def test_more_may_come_to_it_and_one_that_is_named_twice_is_one(
    actor: Actor, quarantine: Quarantine, alive: list[int]
) -> None:
    quarantine.begin("a", alive[:1])
    quarantine.begin("a", alive)
    end(alive[0])
    actor.turn()
    assert quarantine.agents == {"a"}
    end(alive[1])
    turn_until_free(actor, quarantine, "a")
    assert quarantine.agents == frozenset()


def test_who_is_gone_already_keeps_nobody_in_it(quarantine: Quarantine, lines: list[str]) -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    quarantine.begin("a", [pid])
    assert (quarantine.agents, lines) == (frozenset(), [])


def test_it_leaves_no_descriptor_open(actor: Actor, alive: list[int]) -> None:
    before = os.listdir("/proc/self/fd")
    quarantine = Quarantine(actor, lambda _: None)
    quarantine.begin("a", alive)
    quarantine.close()
    assert os.listdir("/proc/self/fd") == before


# ── who is left ─────────────────────────────────────────────────────────────────────────────────


def test_who_is_left_is_told_with_name_and_state(alive: list[int]) -> None:
    assert "state S" in described(alive[0])
    assert described(alive[0]).startswith(f"{alive[0]} (")
    os.kill(alive[0], signal.SIGSTOP)
    os.waitid(os.P_PID, alive[0], os.WSTOPPED)
    assert "state T" in described(alive[0])


def test_the_dead_are_not_left(alive: list[int]) -> None:
    os.kill(alive[0], signal.SIGKILL)
    os.waitid(os.P_PID, alive[0], os.WEXITED | os.WNOWAIT)  # nobody has waited for it
    assert left_of(None, [*alive, 2**22 + 1]) == [alive[1]]
    assert described(2**22 + 1) == "4194305 (gone by now)"


def test_all_below_a_warden_is_looked_at(alive: list[int]) -> None:
    assert set(left_of(os.getpid(), [])) >= {os.getpid(), *alive}
