"""Restart intensity, as OTP's supervisors count it: at most so many restarts within the period."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runward.actors.restart import Intensity, restarted


def outlived(most: int, period_s: float, times: list[float]) -> list[bool]:
    """For each restart until the one that is too many: whether the parent goes on."""
    intensity: Intensity | None = Intensity(most, period_s)
    answers = []
    for now in times:
        assert intensity is not None
        intensity = restarted(intensity, now)
        answers.append(intensity is not None)
        if intensity is None:
            break
    return answers


@pytest.mark.parametrize(
    ("most", "period_s", "times", "answers"),
    [
        (0, 10.0, [0.0], [False]),
        (1, 10.0, [0.0], [True]),
        (1, 10.0, [0.0, 0.0], [True, False]),
        (1, 10.0, [0.0, 9.9], [True, False]),
        (1, 10.0, [0.0, 10.1], [True, True]),
        (2, 10.0, [0.0, 5.0, 9.0], [True, True, False]),
        (2, 10.0, [0.0, 5.0, 11.0], [True, True, True]),
        (2, 10.0, [0.0, 5.0, 11.0, 14.0], [True, True, True, False]),
        (2, 10.0, [0.0, 5.0, 11.0, 16.0, 22.0, 27.0], [True] * 6),
        (5, 10.0, [1e9 + each for each in range(6)], [True] * 5 + [False]),
    ],
    ids=repr,
)
def test_so_many_restarts_and_no_more(
    most: int, period_s: float, times: list[float], answers: list[bool]
) -> None:
    assert outlived(most, period_s, times) == answers


def test_what_was_counted_before_is_not_changed() -> None:
    first = Intensity(3, 10.0)
    second = restarted(first, 1.0)
    assert second is not None
    assert (first.restarts, second.restarts) == ((), (1.0,))
    assert restarted(second, 2.0) == Intensity(3, 10.0, (1.0, 2.0))


steps = st.lists(st.integers(0, 30).map(lambda tenths: tenths / 2), max_size=40)


@given(st.integers(0, 5), st.integers(1, 20), steps)
def test_the_window_agrees_with_counting_by_hand(most: int, period_s: int, steps: list[float]) -> None:
    """Times are halves, so that sums are exact; a restart exactly one period old counts no longer."""
    times = [sum(steps[: count + 1]) for count in range(len(steps))]
    expected = []
    for at, now in enumerate(times):
        within = [time for time in times[: at + 1] if time > now - period_s]
        expected.append(len(within) <= most)
        if not expected[-1]:
            break
    assert outlived(most, float(period_s), times) == expected


@given(st.integers(1, 5), steps)
def test_the_window_never_holds_more_than_it_may(most: int, steps: list[float]) -> None:
    intensity: Intensity | None = Intensity(most, 10.0)
    for count in range(len(steps)):
        intensity = restarted(intensity, sum(steps[: count + 1])) if intensity is not None else None
        assert intensity is None or len(intensity.restarts) <= most
