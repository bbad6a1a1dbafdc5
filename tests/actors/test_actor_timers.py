"""The actor's timers and asks, by a clock that a test moves."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runward.actors.actor import Timer
from runward.actors.errors import AskTimeout

from .loops import Clock, Recorder


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def actor(clock: Clock) -> Iterator[Recorder]:
    made = Recorder(clock)
    yield made
    made.close()


def test_a_timer_fires_once_and_not_before_it_is_due(actor: Recorder, clock: Clock) -> None:
    actor.after(2.0, actor.note("fired"))
    for time_s, log in ((1_001.9, []), (1_002.0, ["fired"]), (1_010.0, ["fired"])):
        clock.time_s = time_s
        assert actor.turn_at_once().log == log


def test_cancelled_timers_are_not_kept_until_they_would_be_due(actor: Recorder, clock: Clock) -> None:
    kept = [actor.after(float(n), actor.note(n)) for n in range(5)]
    for _ in range(20_000):
        actor.after(3600.0, actor.note("never")).cancel()
    assert len(actor._timers) <= 1_100
    assert all(timer.callback is not None for timer in kept)
    clock.time_s += 5
    assert actor.turn_at_once().log == list(range(5))


def test_timers_fire_in_the_order_in_which_they_are_due(actor: Recorder, clock: Clock) -> None:
    for delay_s in (3.0, 1.0, 2.0, 1.0):
        actor.after(delay_s, actor.note(delay_s))
    clock.time_s += 5
    assert actor.turn_at_once().log == [1.0, 1.0, 2.0, 3.0]


def test_of_timers_that_are_due_together_the_first_that_was_set_is_the_first(
    actor: Recorder, clock: Clock
) -> None:
    for number in range(20):
        actor.after(1.0, actor.note(number))
    clock.time_s += 1
    assert actor.turn_at_once().log == list(range(20))


def test_a_timer_that_was_cancelled_does_not_fire(actor: Recorder, clock: Clock) -> None:
    first, second = actor.after(1.0, actor.note("first")), actor.after(1.0, actor.note("second"))
    first.cancel()
    clock.time_s += 2
    assert actor.turn_at_once().log == ["second"]
    second.cancel()
    assert actor.turn_at_once().log == ["second"]


def test_a_timer_may_cancel_one_that_is_due_with_it(actor: Recorder, clock: Clock) -> None:
    later: list[Timer] = []
    actor.after(1.0, lambda: later[0].cancel())
    later.append(actor.after(1.0, actor.note("cancelled")))
    clock.time_s += 2
    assert actor.turn_at_once().log == []


def test_a_timer_may_set_another(actor: Recorder, clock: Clock) -> None:
    def first() -> None:
        actor.after(1.0, actor.note("second"))

    actor.after(1.0, first)
    clock.time_s += 1
    assert actor.turn_at_once().log == []
    clock.time_s += 1
    assert actor.turn_at_once().log == ["second"]


def test_a_timer_that_sets_itself_again_at_once_lets_the_loop_go_on(actor: Recorder) -> None:
    def again() -> None:
        actor.log.append("again")
        if len(actor.log) < 100:
            actor.after(0, again)

    actor.after(0, again)
    assert actor.turn_at_once().log == ["again"]


def test_a_turn_waits_for_no_timer_that_was_cancelled(actor: Recorder) -> None:
    """Else this one would wait for an hour less than the next."""
    actor.after(3_600.0, lambda: None)
    for _ in range(3):
        actor.after(-1.0, lambda: None).cancel()
    actor.after(0.001, lambda: None)
    actor.turn_at_once()


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=20))
def test_timers_agree_with_sorting_them(set_timers: list[tuple[int, bool]]) -> None:
    clock = Clock()
    actor = Recorder(clock)
    try:
        timers = [
            actor.after(delay_s, actor.note((delay_s, at))) for at, (delay_s, _) in enumerate(set_timers)
        ]
        for timer, (_, cancelled) in zip(timers, set_timers, strict=True):
            if cancelled:
                timer.cancel()
        clock.time_s += 10
        wanted = sorted((delay_s, at) for at, (delay_s, cancelled) in enumerate(set_timers) if not cancelled)
        assert actor.turn_at_once().log == wanted
    finally:
        actor.close()


# ── asking ──────────────────────────────────────────────────────────────────────────────────────


def ask(actor: Recorder, key: str, deadline_s: float = 5.0, tell: Callable[[], None] = lambda: None) -> None:
    """Ask, and write down what comes of it."""

    def answered(message: Any) -> None:
        actor.log.append(("answered", key, message))

    actor.ask(key, tell, deadline_s, answered, lambda error: actor.log.append(("failed", key, str(error))))


def test_an_answer_in_time_is_given_to_who_asked(actor: Recorder, clock: Clock) -> None:
    ask(actor, "a", tell=actor.note("told"))
    assert actor.answer("a", 42)
    clock.time_s += 10
    assert actor.turn_at_once().log == ["told", ("answered", "a", 42)]


def test_who_gets_no_answer_is_told_so_when_the_deadline_passes(actor: Recorder, clock: Clock) -> None:
    ask(actor, "a", deadline_s=5.0)
    clock.time_s += 4.9
    assert actor.turn_at_once().log == []
    clock.time_s += 0.1
    assert actor.turn_at_once().log == [("failed", "a", "no answer to a within 5.0 s")]
    assert not actor.answer("a", "late")


def test_the_failure_is_an_ask_timeout(actor: Recorder, clock: Clock) -> None:
    errors: list[AskTimeout] = []
    actor.ask(("fork", 1), lambda: None, 1.0, lambda _: None, errors.append)
    clock.time_s += 1
    actor.turn_at_once()
    assert isinstance(errors[0], AskTimeout)


def test_an_answer_that_nobody_asked_for_or_has_had_is_not_taken(actor: Recorder) -> None:
    assert not actor.answer("a", 1)
    ask(actor, "a")
    assert actor.answer("a", 1)
    assert not actor.answer("a", 2)
    assert actor.log == [("answered", "a", 1)]


def test_to_ask_again_takes_the_place_of_the_first_ask_and_its_deadline(
    actor: Recorder, clock: Clock
) -> None:
    ask(actor, "a", deadline_s=5.0)
    clock.time_s += 4
    ask(actor, "a", deadline_s=5.0)
    clock.time_s += 4
    assert actor.turn_at_once().log == []
    actor.answer("a", "for the second")
    clock.time_s += 10
    assert actor.turn_at_once().log == [("answered", "a", "for the second")]


def test_an_ask_that_was_withdrawn_neither_fails_nor_is_answered(actor: Recorder, clock: Clock) -> None:
    ask(actor, "a")
    actor.withdraw("a")
    actor.withdraw("a")
    clock.time_s += 10
    assert actor.turn_at_once().log == []
    assert not actor.answer("a", 1)


def test_asks_of_different_keys_do_not_touch_each_other(actor: Recorder, clock: Clock) -> None:
    ask(actor, "a", deadline_s=1.0)
    ask(actor, "b", deadline_s=2.0)
    actor.answer("b", 1)
    clock.time_s += 5
    assert actor.turn_at_once().log == [("answered", "b", 1), ("failed", "a", "no answer to a within 1.0 s")]


def test_who_is_told_may_answer_at_once(actor: Recorder, clock: Clock) -> None:
    def tell() -> None:
        actor.answer("a", "at once")

    ask(actor, "a", tell=tell)
    clock.time_s += 10
    assert actor.turn_at_once().log == [("answered", "a", "at once")]


def test_who_was_not_answered_may_ask_again_at_once(actor: Recorder, clock: Clock) -> None:
    actor.ask("a", lambda: None, 1.0, lambda _: None, lambda _: ask(actor, "a"))
    clock.time_s += 1
    actor.turn_at_once()
    assert actor.answer("a", "to the second")
    assert actor.log == [("answered", "a", "to the second")]


def test_an_answer_may_lead_to_the_next_ask(actor: Recorder) -> None:
    actor.ask("a", lambda: None, 1.0, lambda _: ask(actor, "a"), lambda _: None)
    actor.answer("a", 1)
    actor.answer("a", 2)
    assert actor.log == [("answered", "a", 2)]
