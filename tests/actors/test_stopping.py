"""The stop ladder, rung by rung."""

from itertools import product
from typing import get_args

import pytest

from runward.actors.messages.base import StopMode
from runward.actors.stopping import (
    MODES,
    AgentGone,
    Claimed,
    Ladder,
    LadderMessage,
    LimitHit,
    Overdue,
    Rung,
    Step,
    StopAsked,
    climb,
    longest_s,
)

INTERRUPT = StopAsked("interrupt", 5.0, 2.0)
TERMINATE = StopAsked("terminate", 5.0, 2.0)
KILL = StopAsked("kill", 5.0, 2.0)
CLAIMED = Claimed(3.0)
MESSAGES: tuple[LadderMessage, ...] = (
    INTERRUPT,
    TERMINATE,
    KILL,
    CLAIMED,
    Overdue(),
    LimitHit(),
    AgentGone(),
)

REPORTED_INTERRUPT = (Step.REPORT, Step.INTERRUPT)
REPORTED_TERMINATE = (Step.REPORT, Step.TERMINATE)
REPORTED_KILL = (Step.REPORT, Step.KILL)


def climbed(*messages: LadderMessage) -> Ladder:
    """The ladder from the ground, after these messages."""
    ladder = Ladder()
    for message in messages:
        ladder, _ = climb(ladder, message)
    return ladder


def test_one_of_each_message_is_tried_here() -> None:
    assert {type(message) for message in MESSAGES} == set(get_args(LadderMessage))


@pytest.mark.parametrize("message", MESSAGES, ids=repr)
@pytest.mark.parametrize("rung", Rung)
def test_every_pair_of_rung_and_message_is_decided(rung: Rung, message: LadderMessage) -> None:
    for claimed, stopped in product((False, True), repeat=2):
        higher, steps = climb(Ladder(rung, 1.0, 2.0, claimed, stopped), message)
        assert isinstance(higher, Ladder)
        assert all(isinstance(step, Step) for step in steps)


#: From a rung, by a message, to a rung, with these steps. What is not here changes nothing and does nothing.
CLIMBS: dict[tuple[Rung, LadderMessage], tuple[Rung, tuple[Step, ...]]] = {
    (Rung.GROUND, INTERRUPT): (Rung.INTERRUPT, REPORTED_INTERRUPT),
    (Rung.GROUND, TERMINATE): (Rung.TERMINATE, REPORTED_TERMINATE),
    (Rung.GROUND, KILL): (Rung.KILL, REPORTED_KILL),
    (Rung.GROUND, CLAIMED): (Rung.LINGERING, ()),
    (Rung.GROUND, LimitHit()): (Rung.KILL, REPORTED_KILL),
    (Rung.GROUND, AgentGone()): (Rung.OVER, (Step.KILL,)),
    (Rung.LINGERING, INTERRUPT): (Rung.INTERRUPT, REPORTED_INTERRUPT),
    (Rung.LINGERING, TERMINATE): (Rung.TERMINATE, REPORTED_TERMINATE),
    (Rung.LINGERING, KILL): (Rung.KILL, REPORTED_KILL),
    (Rung.LINGERING, Overdue()): (Rung.KILL, REPORTED_KILL),
    (Rung.LINGERING, LimitHit()): (Rung.KILL, REPORTED_KILL),
    (Rung.LINGERING, AgentGone()): (Rung.OVER, (Step.KILL,)),
    (Rung.INTERRUPT, INTERRUPT): (Rung.TERMINATE, REPORTED_TERMINATE),
    (Rung.INTERRUPT, TERMINATE): (Rung.TERMINATE, REPORTED_TERMINATE),
    (Rung.INTERRUPT, KILL): (Rung.KILL, REPORTED_KILL),
    (Rung.INTERRUPT, Overdue()): (Rung.TERMINATE, REPORTED_TERMINATE),
    (Rung.INTERRUPT, LimitHit()): (Rung.KILL, REPORTED_KILL),
    (Rung.INTERRUPT, AgentGone()): (Rung.OVER, (Step.KILL,)),
    (Rung.TERMINATE, INTERRUPT): (Rung.KILL, REPORTED_KILL),
    (Rung.TERMINATE, TERMINATE): (Rung.KILL, REPORTED_KILL),
    (Rung.TERMINATE, KILL): (Rung.KILL, REPORTED_KILL),
    (Rung.TERMINATE, Overdue()): (Rung.KILL, REPORTED_KILL),
    (Rung.TERMINATE, LimitHit()): (Rung.KILL, REPORTED_KILL),
    (Rung.TERMINATE, AgentGone()): (Rung.OVER, (Step.KILL,)),
    (Rung.KILL, INTERRUPT): (Rung.KILL, (Step.REPORT,)),
    (Rung.KILL, TERMINATE): (Rung.KILL, (Step.REPORT,)),
    (Rung.KILL, KILL): (Rung.KILL, (Step.REPORT,)),
    (Rung.KILL, AgentGone()): (Rung.OVER, (Step.KILL,)),
    (Rung.OVER, INTERRUPT): (Rung.OVER, (Step.REPORT,)),
    (Rung.OVER, TERMINATE): (Rung.OVER, (Step.REPORT,)),
    (Rung.OVER, KILL): (Rung.OVER, (Step.REPORT,)),
}


@pytest.mark.parametrize("message", MESSAGES, ids=repr)
@pytest.mark.parametrize("rung", Rung)
def test_a_message_leads_to_its_rung_and_steps(rung: Rung, message: LadderMessage) -> None:
    higher, steps = climb(Ladder(rung, terminate_grace_s=2.0), message)
    assert (higher.rung, steps) == CLIMBS.get((rung, message), (rung, ()))


@pytest.mark.parametrize(
    ("messages", "wait_s"),
    [
        ((), None),
        ((INTERRUPT,), 5.0),
        ((TERMINATE,), 2.0),
        ((KILL,), None),
        ((CLAIMED,), 3.0),
        ((INTERRUPT, Overdue()), 2.0),
        ((INTERRUPT, INTERRUPT), 2.0),
        ((INTERRUPT, StopAsked("interrupt", 9.0, 1.0)), 1.0),
        ((INTERRUPT, CLAIMED), 5.0),
        ((CLAIMED, INTERRUPT), 5.0),
        ((INTERRUPT, Overdue(), Overdue()), None),
        ((INTERRUPT, AgentGone()), None),
        ((StopAsked("interrupt", 0.0, 0.0),), 0.0),
    ],
    ids=repr,
)
def test_each_rung_waits_its_own_time(messages: tuple[LadderMessage, ...], wait_s: float | None) -> None:
    assert climbed(*messages).wait_s == wait_s


@pytest.mark.parametrize(
    ("messages", "stopped", "claimed"),
    [
        ((), False, False),
        ((CLAIMED,), False, True),
        ((INTERRUPT,), True, False),
        ((KILL,), True, False),
        ((INTERRUPT, CLAIMED), True, True),
        ((CLAIMED, INTERRUPT), False, True),  # it was done before anybody wanted it to end
        ((CLAIMED, INTERRUPT, KILL), False, True),
        ((INTERRUPT, CLAIMED, KILL), True, True),
        ((LimitHit(),), False, False),
        ((LimitHit(), INTERRUPT), False, False),  # nobody's stop: the limit had ended it
        ((AgentGone(), KILL), False, False),
        ((CLAIMED, CLAIMED), False, True),
        ((CLAIMED, Overdue()), False, True),
    ],
    ids=repr,
)
def test_an_end_is_a_cancelling_if_the_stop_came_before_the_claim(
    messages: tuple[LadderMessage, ...], stopped: bool, claimed: bool
) -> None:
    ladder = climbed(*messages)
    assert (ladder.stopped, ladder.claimed) == (stopped, claimed)


def test_a_second_claim_gives_no_new_grace() -> None:
    first = climbed(CLAIMED)
    assert climb(first, Claimed(60.0)) == (first, ())


@pytest.mark.parametrize(
    ("mode", "within_s"), [("interrupt", 7.0), ("terminate", 2.0), ("kill", 0.0)], ids=["all", "two", "one"]
)
def test_the_longest_way_to_the_kill_is_the_sum_of_the_graces_that_are_given(
    mode: StopMode, within_s: float
) -> None:
    assert longest_s(StopAsked(mode, 5.0, 2.0)) == within_s


def test_what_is_reported_and_asked_for_has_one_name() -> None:
    assert set(MODES.values()) == set(get_args(StopMode))
    assert [MODES.get(climbed(StopAsked(mode, 1, 1)).rung) for mode in get_args(StopMode)] == list(
        get_args(StopMode)
    )
