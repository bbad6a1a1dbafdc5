"""Which users runs have: numbers of nobody's, never two live runs with one, and the lowest first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runward.actors.containment.uids import UidPool, range_of
from runward.config.sections import ContainmentSettings, RunsSettings, Settings


def settings(pool: str = "", max_live: int = 256) -> Settings:
    return Settings(containment=ContainmentSettings(uid_pool=pool), runs=RunsSettings(max_live=max_live))


@given(st.text())
def test_by_default_they_are_those_that_systemd_leaves_to_nobody(state_dir: str) -> None:
    first, last = range_of(settings(), state_dir)
    assert 1_879_048_192 <= first < last <= 2_147_352_575
    assert last - first == 4095


def test_one_state_folder_has_the_same_ones_again_and_another_has_others() -> None:
    assert range_of(settings(), "/a") == range_of(settings(), "/a")
    assert range_of(settings(), "/a") != range_of(settings(), "/b")


def test_there_is_one_for_each_run_that_may_be_live_and_one_for_proxies() -> None:
    first, last = range_of(settings(max_live=10_000), "/a")
    assert last - first + 1 == 10_001


def test_they_can_be_set() -> None:
    assert range_of(settings("700000-700999"), "/a") == (700_000, 700_999)


def test_the_lowest_free_one_is_taken_and_comes_back() -> None:
    pool = UidPool(10, 12)
    assert [pool.take() for _ in range(3)] == [10, 11, 12]
    pool.give_back(11)
    pool.give_back(11)
    assert pool.take() == 11


def test_when_all_are_in_use_none_is_given_rather_than_one_twice() -> None:
    pool = UidPool(10, 11)
    pool.take_over([10, 11])
    with pytest.raises(OSError, match=r"every id of containment\.uid_pool is in use"):
        pool.take()


def test_a_run_that_is_begun_again_has_the_same_one_again() -> None:
    pool = UidPool(10, 12)
    first = pool.take()
    other = pool.take()
    assert pool.take(first) == first
    assert pool.take(99) == 12  # of a pool that was set otherwise then
    pool.give_back(other)
    assert pool.take(0) == other


def test_one_that_an_earlier_supervisor_gave_is_not_given_twice() -> None:
    pool = UidPool(10, 13)
    pool.take_over([0, 11, 12, 99])
    assert [pool.take() for _ in range(2)] == [10, 13]
    pool.give_back(12)
    assert pool.take() == 12


@pytest.mark.parametrize("uid", [0, 9, 14, -1])
def test_to_give_back_what_is_not_in_use_is_harmless(uid: int) -> None:
    pool = UidPool(10, 13)
    pool.give_back(uid)
    assert [pool.take() for _ in range(4)] == [10, 11, 12, 13]


@given(st.lists(st.one_of(st.none(), st.integers(10, 15))))
def test_no_two_have_one(steps: list[int | None]) -> None:
    """None takes one, a number gives that back."""
    pool, held = UidPool(10, 15), set[int]()
    for step in steps:
        if step is None:
            if len(held) == 6:
                continue
            uid = pool.take()
            assert uid not in held
            held.add(uid)
        else:
            pool.give_back(step)
            held.discard(step)
