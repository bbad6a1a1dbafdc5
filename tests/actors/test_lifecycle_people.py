"""A run that waits for people: what is asked, answered and told, in every phase and order."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runward.actors.lifecycle import (
    Answered,
    AnswerTaken,
    Asked,
    Effect,
    LifeMessage,
    Phase,
    State,
    resumed,
    step,
)
from runward.actors.records import MOST_OPEN, ApprovalAnswer, ApprovalRequest

from .lives import (
    ADMITTED,
    ANSWER_TAKEN,
    ANSWERED,
    ASKED,
    FORKED,
    GONE,
    GREETED,
    MESSAGES,
    MISBEHAVED,
    PLAN,
    RECORDED,
    SILENT,
    STOP,
    STUCK,
    a_record,
    live,
)

SHOW, TELL, RESUME = Effect.SHOW_WAITING, Effect.TELL_ANSWERS, Effect.RESUME
BEGINNING: list[LifeMessage] = [ADMITTED, FORKED, GREETED]
ONE, TWO = ApprovalRequest("1", ("once", "deny")), ApprovalRequest("2", ("once", "deny"))
YES, NO = ApprovalAnswer("1", "once"), ApprovalAnswer("2", "deny")


def after(*messages: LifeMessage, state: State | None = None) -> tuple[State, tuple[Effect, ...]]:
    """Where a run is after these, the beginning before them if no state is given, and what the last led to."""
    last = live([*messages] if state is not None else [*BEGINNING, *messages], state)[-1]
    return last.after, last.effects


def test_a_question_makes_it_wait_and_the_answer_is_told_and_kept_until_the_warden_has_it() -> None:
    waiting, effects = after(ASKED)
    assert (waiting.phase, waiting.asked, effects) == (Phase.RUNNING, ASKED.requests, (SHOW,))
    told, effects = after(ANSWERED, state=waiting)
    assert (told.asked, told.answers, effects) == ((), ANSWERED.answers, (SHOW, TELL))
    assert after(ANSWER_TAKEN, state=told) == (replace(told, answers=()), (SHOW,))


def test_of_two_questions_each_has_its_answer() -> None:
    waiting, _ = after(Asked((ONE,)), Asked((TWO,)))
    assert waiting.asked == (ONE, TWO)
    one_left, _ = after(Answered((NO,)), state=waiting)
    assert (one_left.asked, one_left.answers) == ((ONE,), (NO,))
    both, effects = after(Answered((YES,)), state=one_left)
    assert (both.asked, both.answers, effects) == ((), (NO, YES), (SHOW, TELL))
    at_once, _ = after(Answered((YES, NO)), state=waiting)
    assert (at_once.asked, at_once.answers) == ((), (YES, NO))


def test_a_second_answer_to_the_same_question_is_none() -> None:
    told, _ = after(Asked((ONE,)), Answered((YES,)))
    assert after(Answered((replace_choice(YES),)), state=told) == (told, ())
    both, effects = after(Asked((TWO,)), Answered((replace_choice(YES), NO)), state=told)
    assert (both.answers, effects) == ((YES, NO), (SHOW, TELL))


def replace_choice(answer: ApprovalAnswer) -> ApprovalAnswer:
    return ApprovalAnswer(answer.request_id, "deny")


def test_what_the_warden_never_heard_is_not_taken() -> None:
    told, _ = after(Asked((ONE,)), Answered((YES,)))
    assert after(AnswerTaken("2"), state=told) == (told, ())


def test_no_more_is_remembered_than_a_warden_lets_an_agent_ask() -> None:
    many = tuple(ApprovalRequest(str(number), ("once",)) for number in range(MOST_OPEN + 3))
    assert after(Asked(many))[0].asked == many[:MOST_OPEN]


@pytest.mark.parametrize(
    "message", [STOP, RECORDED, MISBEHAVED, GONE, STUCK], ids=lambda each: type(each).__name__
)
def test_whatever_ends_it_closes_what_it_asked_and_what_it_was_not_told(message: LifeMessage) -> None:
    state, _ = after(Asked((ONE, TWO)), Answered((YES,)))
    ended, _ = after(message, state=state)
    assert ended.phase is not Phase.RUNNING
    assert (ended.asked, ended.answers) == ((), ())


def test_a_warden_that_does_not_come_back_closes_it_too() -> None:
    state, _ = after(SILENT, state=resumed(None, None, (ONE,), (NO,)))
    assert (state.phase, state.asked, state.answers) == (Phase.STOPPING, (), ())


@pytest.mark.parametrize("phase", set(Phase) - {Phase.RUNNING})
@pytest.mark.parametrize("message", [ASKED, ANSWERED, ANSWER_TAKEN], ids=lambda each: type(each).__name__)
def test_only_a_running_agent_asks_and_is_answered(phase: Phase, message: LifeMessage) -> None:
    state = State(phase, PLAN if phase is Phase.STOPPING else None)
    assert step(state, message) == (state, ())


def test_the_next_supervisor_tells_again_what_the_warden_may_not_have() -> None:
    told, effects = after(GREETED, state=resumed(None, None, (ONE,), (NO,)))
    assert (told.asked, told.answers, effects) == ((ONE,), (NO,), (RESUME, TELL))
    assert after(GREETED, state=resumed(None, None, (ONE,)))[1] == (RESUME,)


def test_a_run_that_was_to_stop_is_taken_up_without_its_questions() -> None:
    for state in (resumed(PLAN, None, (ONE,), (NO,)), resumed(None, a_record(), (ONE,), (NO,))):
        assert (state.asked, state.answers) == ((), ())


@given(st.lists(st.sampled_from([*MESSAGES, Asked((TWO,)), Answered((NO,))]), max_size=15))
def test_in_every_life_only_a_running_run_waits_and_each_answer_is_to_what_was_open(
    messages: list[LifeMessage],
) -> None:
    for turn in live([*BEGINNING, *messages]):
        waits = bool(turn.after.asked or turn.after.answers)
        assert turn.after.phase is Phase.RUNNING or not waits
        new = set(turn.after.answers) - set(turn.before.answers)
        was_open = {request.request_id for request in turn.before.asked}
        assert {answer.request_id for answer in new} <= was_open
        assert (TELL in turn.effects) <= bool(turn.after.answers)
