"""What holds of the stop ladder, whatever it is told in whatever order."""

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

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

DEEDS = {Step.INTERRUPT: Rung.INTERRUPT, Step.TERMINATE: Rung.TERMINATE, Step.KILL: Rung.KILL}

graces = st.floats(0, 1e6)
stops = st.builds(StopAsked, st.sampled_from(["interrupt", "terminate", "kill"]), graces, graces)
others: st.SearchStrategy[LadderMessage] = st.one_of(
    st.builds(Claimed, graces), *(st.just(kind()) for kind in (Overdue, LimitHit, AgentGone))
)
anything = st.lists(st.one_of(stops, others), max_size=12)


def ladders(messages: Sequence[LadderMessage]) -> list[tuple[Ladder, tuple[Step, ...]]]:
    """The ladder before, and after each message, with the steps that led there."""
    standing: list[tuple[Ladder, tuple[Step, ...]]] = [(Ladder(), ())]
    for message in messages:
        standing.append(climb(standing[-1][0], message))
    return standing


@given(anything)
def test_a_ladder_never_goes_down_and_forgets_nothing(messages: list[LadderMessage]) -> None:
    for (before, _), (after, _) in pairwise(ladders(messages)):
        assert after.rung >= before.rung
        assert after.stopped >= before.stopped
        assert after.claimed >= before.claimed


@given(anything)
def test_every_wait_on_the_ladder_has_a_deadline(messages: list[LadderMessage]) -> None:
    for ladder, _ in ladders(messages):
        assert (ladder.wait_s is not None) == (Rung.GROUND < ladder.rung < Rung.KILL)


@given(anything, stops, st.integers(3, 6))
def test_a_stop_and_enough_deadlines_that_pass_reach_the_kill(
    messages: list[LadderMessage], stop: StopAsked, deadlines: int
) -> None:
    ladder, _ = ladders([*messages, stop, *[Overdue()] * deadlines])[-1]
    assert ladder.rung >= Rung.KILL


@given(anything, stops)
def test_a_second_stop_goes_up_at_least_one_rung(messages: list[LadderMessage], stop: StopAsked) -> None:
    before, _ = ladders(messages)[-1]
    after, _ = climb(before, stop)
    if Rung.INTERRUPT <= before.rung < Rung.KILL:
        assert after.rung > before.rung
    if stop.mode == "kill":
        assert after.rung >= Rung.KILL


@given(anything)
def test_a_rung_is_reported_before_its_deed_and_each_deed_is_done_once(messages: list[LadderMessage]) -> None:
    done: list[Step] = []
    for ladder, steps in ladders(messages):
        assert Step.REPORT not in steps[1:]
        deeds = [step for step in steps if step is not Step.REPORT]
        assert len(deeds) <= 1
        if deeds and ladder.rung is not Rung.OVER:
            assert steps[0] is Step.REPORT
            assert ladder.rung is DEEDS[deeds[0]]
        done += deeds if ladder.rung is not Rung.OVER else []
    assert len(done) == len(set(done))
    assert done == sorted(done, key=lambda step: DEEDS[step])


@given(anything)
def test_every_rung_that_is_climbed_has_its_deed(messages: list[LadderMessage]) -> None:
    for (before, _), (after, steps) in pairwise(ladders(messages)):
        if after.rung is not before.rung and after.rung in MODES:
            assert any(DEEDS.get(step) is after.rung for step in steps)


@given(anything)
def test_when_the_agent_is_gone_what_it_left_is_killed_once(messages: list[LadderMessage]) -> None:
    over = [steps for ladder, steps in ladders([*messages, AgentGone()]) if ladder.rung is Rung.OVER]
    assert over[0] == (Step.KILL,)
    assert all(Step.KILL not in steps for steps in over[1:])


@given(stops)
def test_a_ladder_that_only_its_deadlines_drive_is_at_the_kill_when_it_was_said_to_be(
    stop: StopAsked,
) -> None:
    ladder, _ = climb(Ladder(), stop)
    waited_s = 0.0
    while ladder.rung < Rung.KILL:
        assert ladder.wait_s is not None
        waited_s += ladder.wait_s
        ladder, _ = climb(ladder, Overdue())
    assert waited_s == longest_s(stop)


@given(anything, stops)
def test_no_ladder_that_is_asked_again_takes_longer_than_the_last_one_who_asked_was_told(
    messages: list[LadderMessage], stop: StopAsked
) -> None:
    ladder, _ = ladders([*messages, stop])[-1]
    waited_s = 0.0
    while ladder.rung < Rung.KILL:
        waited_s += ladder.wait_s or 0.0
        ladder, _ = climb(ladder, Overdue())
    assert waited_s <= longest_s(stop)
