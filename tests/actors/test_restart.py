"""Restart intensity, as OTP's supervisors count it: at most so many restarts within the period. And who, and when."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runward.actors.records import Reason
from runward.actors.restart import JITTER, Backoff, Intensity, delay_s, is_wanted, left_s, restarted


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


# ── which runs, and after how long ──────────────────────────────────────────────────────────────

#: Reason → the classes that are begun again after it, at the first attempt and at a later one.
AGAIN: dict[Reason, tuple[set[str], set[str]]] = {
    Reason.COMPLETED: ({"permanent"}, {"permanent"}),
    Reason.EXCEPTION: ({"transient", "permanent"}, {"transient", "permanent"}),
    Reason.EXIT_CODE: ({"transient", "permanent"}, {"transient", "permanent"}),
    Reason.SIGNAL: ({"transient", "permanent"}, {"transient", "permanent"}),
    Reason.OUT_OF_MEMORY: ({"transient", "permanent"}, {"transient", "permanent"}),
    Reason.LOST: ({"transient", "permanent"}, {"transient", "permanent"}),
    Reason.START_FAILED: (set(), {"transient", "permanent"}),
    Reason.MEMORY_LIMIT: (set(), set()),
    Reason.CPU_LIMIT: (set(), set()),
    Reason.WALL_LIMIT: (set(), set()),
    Reason.IDLE_LIMIT: (set(), set()),
    Reason.OUTPUT_LIMIT: (set(), set()),
    Reason.INTERRUPTED: (set(), set()),
    Reason.TERMINATED: (set(), set()),
    Reason.KILLED: (set(), set()),
    Reason.SHUTDOWN: (set(), set()),
    Reason.KILL_STUCK: (set(), set()),
}


@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("attempt", [1, 2])
@pytest.mark.parametrize("restart", ["temporary", "transient", "permanent"])
def test_which_ends_are_followed_by_another_attempt(reason: Reason, attempt: int, restart: str) -> None:
    assert is_wanted(restart, reason, attempt) == (restart in AGAIN[reason][attempt - 1])


@pytest.mark.parametrize(
    ("restarts", "chance", "delay"),
    [
        (1, 0.5, 1.0),
        (2, 0.5, 2.0),
        (3, 0.5, 4.0),
        (4, 0.5, 5.0),
        (1, 0.0, 0.8),
        (1, 1.0, 1.2),
        (900, 0.5, 5.0),
    ],
)
def test_each_delay_is_twice_the_one_before_up_to_the_longest_and_a_little_apart(
    restarts: int, chance: float, delay: float
) -> None:
    assert delay_s(Backoff(1.0, 5.0), [0.0] * restarts, chance) == pytest.approx(delay)


seconds = st.floats(0, 1e6)
chances = st.floats(0, 1)


@given(seconds, seconds, st.integers(1, 2000), chances)
def test_no_delay_is_longer_than_the_longest_and_its_jitter(
    first_s: float, longest_s: float, restarts: int, chance: float
) -> None:
    backoff = Backoff(first_s, longest_s)
    assert 0 <= delay_s(backoff, [0.0] * restarts, chance) <= longest_s * (1 + JITTER)
    assert delay_s(backoff, [0.0] * restarts, 1.0) <= delay_s(backoff, [0.0] * (restarts + 1), 1.0)


@given(seconds, seconds, st.floats(-1e9, 1e9), chances)
def test_who_waits_on_under_another_clock_waits_no_longer_than_the_longest(
    first_s: float, longest_s: float, clock_step_s: float, chance: float
) -> None:
    backoff = Backoff(first_s, longest_s)
    due = 1e9 + delay_s(backoff, [0.0], chance)
    assert 0 <= left_s(backoff, due, 1e9 + clock_step_s) <= longest_s * (1 + JITTER)


def test_who_waits_on_waits_for_what_is_left() -> None:
    assert [left_s(Backoff(1.0, 30.0), 107.0, now) for now in (100.0, 105.0, 107.0, 200.0)] == [7, 2, 0, 0]
