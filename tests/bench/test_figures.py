"""Percentiles, targets and ratios, by tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runward.bin.benching.figures import REDUCTIONS, Target, percentile, ratio

finite = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1)


@pytest.mark.parametrize(
    ("samples", "percent", "expected"),
    [
        ([1.0], 50, 1.0),
        ([1.0], 99, 1.0),
        ([3.0, 1.0, 2.0], 50, 2.0),
        ([4.0, 1.0, 3.0, 2.0], 50, 2.0),
        (list(range(1, 101)), 99, 99),
        (list(range(1, 1001)), 99, 990),
        (list(range(1, 11)), 99, 10),
    ],
)
def test_a_percentile_is_the_nearest_rank(samples: list[float], percent: float, expected: float) -> None:
    assert percentile(samples, percent) == expected


def test_no_samples_have_no_percentile() -> None:
    with pytest.raises(ValueError, match="no samples"):
        percentile([], 50)


@given(finite, st.floats(min_value=0, max_value=100))
def test_a_percentile_is_one_of_the_samples_and_enough_are_not_above(
    samples: list[float], percent: float
) -> None:
    found = percentile(samples, percent)
    assert found in samples
    assert sum(sample <= found for sample in samples) >= len(samples) * percent / 100 - 1e-9


@given(finite)
def test_every_reduction_makes_one_number(samples: list[float]) -> None:
    for reduce in REDUCTIONS.values():
        assert isinstance(reduce(samples), float)


@pytest.mark.parametrize(
    ("figure", "more", "verdict"),
    [
        (5.0, False, "then"),
        (6.0, False, "then"),
        (14.0, False, "first"),
        (16.0, False, "miss"),
        (16.0, True, "then"),
        (15.0, True, "then"),
        (6.0, True, "first"),
        (5.0, True, "miss"),
    ],
)
def test_a_verdict_is_the_best_target_that_is_reached(figure: float, more: bool, verdict: str) -> None:
    target = Target(6, 15, more=True) if more else Target(15, 6)
    assert target.verdict(figure) == verdict


def test_there_is_no_ratio_without_a_baseline() -> None:
    assert ratio(6.0, 3.0) == 2.0
    assert ratio(6.0, None) is None
    assert ratio(6.0, 0.0) is None
