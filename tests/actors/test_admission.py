"""Which waiting runs may start: first come first served, and never more than there is room for."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runward.actors.admission import admissible

WAITING = [("run_1", "a"), ("run_2", "b"), ("run_3", "a"), ("run_4", "b")]


@pytest.mark.parametrize(
    ("live", "max_live", "bounds", "admitted"),
    [
        ({}, 9, {}, ["run_1", "run_2", "run_3", "run_4"]),
        ({}, 2, {}, ["run_1", "run_2"]),
        ({"a": 1}, 3, {}, ["run_1", "run_2"]),
        ({"c": 3}, 3, {}, []),
        ({"c": 5}, 3, {}, []),  # a bound that was lowered ends nobody
        ({}, 9, {"a": 1}, ["run_1", "run_2", "run_4"]),
        ({"a": 1}, 9, {"a": 1}, ["run_2", "run_4"]),  # who waits for his own bound holds up nobody else
        ({"a": 2}, 9, {"a": 1}, ["run_2", "run_4"]),
        ({}, 9, {"a": 0, "b": 1}, ["run_1", "run_2", "run_3"]),
        ({}, 2, {"a": 1}, ["run_1", "run_2"]),
        ({}, 0, {}, []),
    ],
    ids=repr,
)
def test_these_may_start(
    live: dict[str, int], max_live: int, bounds: dict[str, int], admitted: list[str]
) -> None:
    assert admissible(WAITING, live, max_live, bounds) == admitted


def test_nothing_that_is_given_is_changed() -> None:
    live = {"a": 1}
    admissible(WAITING, live, 9, {"a": 2})
    assert live == {"a": 1}


def test_no_more_of_a_long_queue_is_looked_at_than_there_are_slots() -> None:
    queue = iter([(f"run_{number}", "a") for number in range(1000)])
    admissible(queue, {}, 10, {})
    assert len(list(queue)) >= 989


agents = st.sampled_from("abc")
queues = st.lists(agents, max_size=12).map(
    lambda kinds: [(f"run_{at}", kind) for at, kind in enumerate(kinds)]
)
counts = st.dictionaries(agents, st.integers(0, 4))


@given(queues, counts, st.integers(0, 12), counts)
def test_the_order_is_kept_the_bounds_hold_and_no_slot_is_wasted(
    waiting: list[tuple[str, str]], live: dict[str, int], max_live: int, bounds: dict[str, int]
) -> None:
    admitted = admissible(waiting, live, max_live, bounds)
    kinds = dict(waiting)
    assert admitted == [run_id for run_id, _ in waiting if run_id in admitted]
    after = Counter(live) + Counter(kinds[run_id] for run_id in admitted)
    assert len(admitted) <= max(0, max_live - sum(live.values()))
    for kind, bound in bounds.items():
        assert not bound or after[kind] <= max(bound, live.get(kind, 0))
    for run_id in kinds.keys() - set(admitted):
        full = after.total() >= max_live
        assert full or 0 < bounds.get(kinds[run_id], 0) <= after[kinds[run_id]]


@given(queues, counts, st.integers(0, 12), counts)
def test_of_one_agent_the_first_are_first(
    waiting: list[tuple[str, str]], live: dict[str, int], max_live: int, bounds: dict[str, int]
) -> None:
    admitted = set(admissible(waiting, live, max_live, bounds))
    for kind in "abc":
        own = [run_id in admitted for run_id, agent in waiting if agent == kind]
        assert own == sorted(own, reverse=True)
