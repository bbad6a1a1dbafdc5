"""Who goes first when memory runs out, and whether it did."""

import os
from pathlib import Path

import pytest

from runward.actors.containment import linux, oom
from runward.actors.containment.oom import OomKills

from ..forks import in_a_fork
from .nobody import become_nobody, needs_root

SCORE = Path("/proc/self/oom_score_adj")


def score() -> int:
    return int(SCORE.read_text())


def test_an_agent_goes_first() -> None:
    def work() -> int:
        oom.be_killed_first()
        return score()

    assert in_a_fork(work) == 1000


@needs_root
def test_so_it_does_where_it_is_an_ordinary_users_and_can_not_be_looked_into() -> None:
    def work() -> list[object]:
        become_nobody()
        linux.set_dumpable(False)
        oom.be_killed_first()
        unreadable = os.stat("/proc/self/environ").st_uid == 0
        linux.set_dumpable(True)
        return [score(), unreadable]

    assert in_a_fork(work) == [1000, True]


CAP_SYS_RESOURCE = 24


def may_protect_itself() -> bool:
    """Even root may lack the right, in a container."""
    status = Path("/proc/self/status").read_text().splitlines()
    [effective] = [line.split()[1] for line in status if line.startswith("CapEff:")]
    return bool(int(effective, 16) >> CAP_SYS_RESOURCE & 1)


@needs_root
def test_root_goes_last_if_it_may_and_not_later_than_it_was_told_to() -> None:
    def protected(before: int) -> int:
        SCORE.write_text(str(before))
        oom.protect_ourselves()
        return score()

    if may_protect_itself():
        assert in_a_fork(lambda: [protected(each) for each in (0, -500, -900)]) == [-500, -500, -900]
    else:
        assert in_a_fork(lambda: [protected(each) for each in (0, 100)]) == [0, 100]


@needs_root
def test_an_ordinary_user_stays_as_he_was() -> None:
    def work() -> int:
        SCORE.write_text("100")
        become_nobody()
        linux.set_dumpable(True)
        oom.protect_ourselves()
        return score()

    assert in_a_fork(work) == 100


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often the kernel has killed, as the test says; the last counts."""
    counts = [5]
    monkeypatch.setattr(oom, "_count", lambda: counts[-1])
    return counts


def test_lately_is_since_the_look_before_the_last(count: list[int]) -> None:
    kills = OomKills()
    assert not kills.lately()
    count.append(6)
    assert kills.lately()
    kills.look()
    assert kills.lately()
    kills.look()
    assert not kills.lately()


def test_the_kernel_tells_how_often_it_killed() -> None:
    told = [line for line in Path("/proc/vmstat").read_text().splitlines() if line.startswith("oom_kill ")]
    if not told:
        pytest.skip("this kernel does not count it")
    assert oom._count() >= int(told[0].split()[1])
