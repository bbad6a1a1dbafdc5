"""Which runs go and how much of one, as tables and laws."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runward.actors.journal.holdings import Ended, Extent, Head
from runward.actors.retention import to_remove, trim_through, trims
from runward.config.sections import RetentionSettings

NOW = 1000.0
NONE = RetentionSettings(
    max_age_s=0, max_runs=0, max_bytes=0, min_age_s=0, run_max_age_s=0, run_max_events=0, run_max_bytes=0
)
ENDED = [Ended(number, f"run_{number}", 100.0 * number) for number in range(1, 10)]  # 900 s old … 100 s old
#: Ten events in each, of 100 bytes together, one batch in 10 s.
HEADS = [Head(10 * n + 1, 10 * n + 10, 100 * (n + 1), 100, 900.0 + 10 * n) for n in range(10)]
EXTENT = Extent(100, 1000)


def bounds(**set_: float) -> RetentionSettings:
    values: Any = {name: getattr(NONE, name) for name in RetentionSettings.__struct_fields__}
    return RetentionSettings(**values | set_)


def removed(set_: dict[str, float], runs: int = 9, used: int = 900) -> int:
    found = to_remove(ENDED, runs, used, lambda _: 100, bounds(**set_), NOW)
    assert found == ENDED[: len(found)], "the oldest end goes first"
    return len(found)


@pytest.mark.parametrize(
    ("set_", "count"),
    [
        ({}, 0),
        ({"max_age_s": 950}, 0),
        ({"max_age_s": 450}, 5),
        ({"max_age_s": 1}, 9),
        ({"max_runs": 9}, 0),
        ({"max_runs": 7}, 2),
        ({"max_bytes": 900}, 0),
        ({"max_bytes": 899}, 1),
        ({"max_bytes": 650}, 3),
        ({"max_age_s": 750, "max_runs": 5, "max_bytes": 650}, 4),
        ({"max_runs": 1, "min_age_s": 450}, 5),
        ({"max_bytes": 1, "min_age_s": 2000}, 0),
    ],
)
def test_what_goes_is_what_is_over_the_bounds(set_: dict[str, float], count: int) -> None:
    assert removed(set_) == count


def test_live_runs_count_and_stay() -> None:
    assert removed({"max_runs": 5}, runs=50) == len(ENDED)


def test_a_clock_that_was_set_back_removes_nothing() -> None:
    assert to_remove(ENDED, 9, 900, lambda _: 100, bounds(max_runs=1), 50.0) == []


def trimmed(set_: dict[str, float], slice_bytes: int = 10_000) -> int:
    return trim_through(HEADS, EXTENT, bounds(**set_), NOW, slice_bytes)


@pytest.mark.parametrize(
    ("set_", "through"),
    [
        ({}, 0),
        ({"run_max_events": 100}, 0),
        ({"run_max_events": 90}, 10),
        ({"run_max_events": 85}, 10),
        ({"run_max_events": 1}, 90),
        ({"run_max_bytes": 1000}, 0),
        ({"run_max_bytes": 899}, 10),
        ({"run_max_bytes": 1}, 90),
        ({"run_max_age_s": 101}, 0),
        ({"run_max_age_s": 75}, 30),
        ({"run_max_age_s": 0.5}, 90),
        ({"run_max_events": 70, "run_max_bytes": 500}, 50),
    ],
)
def test_the_oldest_events_go_batch_by_batch_but_never_the_last(set_: dict[str, float], through: int) -> None:
    assert trimmed(set_) == through
    assert trims(bounds(**set_)) == bool(set_)


def test_a_slice_is_bounded_by_bytes() -> None:
    assert trimmed({"run_max_events": 1}, slice_bytes=150) == 20


def test_a_batch_of_unknown_age_does_not_go_for_its_age() -> None:
    old = [Head(1, 1, 10, 10, None)]
    assert trim_through(old, Extent(2, 20), bounds(run_max_age_s=1), NOW, 1000) == 0


@given(
    sizes=st.lists(st.tuples(st.integers(1, 20), st.integers(1, 5000)), min_size=1, max_size=30),
    events=st.integers(0, 200),
    size=st.integers(0, 40_000),
)
def test_as_much_is_kept_as_may_be_and_no_more_than_a_batch_beyond(
    sizes: list[tuple[int, int]], events: int, size: int
) -> None:
    heads: list[Head] = []
    last = upto = 0
    for count, length in sizes:
        first, last, upto = last + 1, last + count, upto + length
        heads.append(Head(first, last, upto, length, 0.0))
    extent, bound = Extent(last, upto), bounds(run_max_events=events, run_max_bytes=size)
    through = trim_through(heads, extent, bound, NOW, 1 << 30)
    kept = [head for head in heads if head.last > through]
    assert kept[-1] == heads[-1]
    if through:
        enough_events = events and last - through >= events
        assert enough_events or (size and upto - next(h for h in heads if h.last == through).upto >= size)
    for head in kept[:-1]:  # without it there would be too little
        assert not (events and last - head.last >= events)
        assert not (size and upto - head.upto >= size)
