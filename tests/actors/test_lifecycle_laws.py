"""What holds of every life, whatever is heard in whatever order."""

from hypothesis import given
from hypothesis import strategies as st

from runward.actors.lifecycle import (
    Effect,
    Greeted,
    LifeMessage,
    Phase,
    StopPlan,
    StopWanted,
    Stuck,
    WardenForked,
    WardenGone,
)

from .lives import MESSAGES, Turn, height, live

NOT_BEGUN = (Phase.QUEUED, Phase.FORKING, Phase.STARTING)

modes = st.sampled_from(["interrupt", "terminate", "kill"])
plans = st.builds(StopPlan, st.text(max_size=3), modes, st.just(1.0), st.just(1.0), st.booleans())
messages = st.one_of(st.sampled_from(MESSAGES), plans.map(StopWanted))
#: Most random sequences die in the queue, so many begin with what a life begins with.
beginnings = st.sampled_from([MESSAGES[:0], MESSAGES[:1], MESSAGES[:2], (*MESSAGES[:2], MESSAGES[3])])
lives = st.builds(
    lambda beginning, rest: live([*beginning, *rest]), beginnings, st.lists(messages, max_size=12)
)


def turns_with(effect: Effect, turns: list[Turn]) -> list[int]:
    return [at for at, turn in enumerate(turns) if effect in turn.effects]


def heard(kind: type[LifeMessage], turns: list[Turn], *phases: Phase) -> list[int]:
    """When this was heard, in one of these phases."""
    return [at for at, turn in enumerate(turns) if type(turn.message) is kind and turn.before.phase in phases]


@given(lives)
def test_a_life_ends_once_at_most(turns: list[Turn]) -> None:
    assert len(turns_with(Effect.END, turns)) <= 1


@given(lives)
def test_a_life_ends_by_the_proof_or_where_nothing_that_was_asked_for_was_forked(turns: list[Turn]) -> None:
    for at in turns_with(Effect.END, turns):
        proved = isinstance(turns[at].message, WardenGone | Stuck)  # or it is said who is left
        assert proved or not heard(WardenForked, turns[:at], Phase.FORKING)


@given(lives)
def test_it_is_over_when_the_end_is_told_and_only_then(turns: list[Turn]) -> None:
    for turn in turns:
        entered = turn.after.phase is Phase.ENDED and turn.before.phase is not Phase.ENDED
        assert entered == (Effect.END in turn.effects)


@given(lives)
def test_after_the_end_nothing_is_done_but_to_kill_a_warden_that_comes_late(turns: list[Turn]) -> None:
    for turn in turns:
        if turn.before.phase is Phase.ENDED:
            late = isinstance(turn.message, WardenForked)
            assert turn.effects == ((Effect.KILL_WARDEN,) if late else ())
            assert turn.after == turn.before


@given(lives)
def test_what_was_to_stop_before_it_began_never_begins(turns: list[Turn]) -> None:
    for at in heard(StopWanted, turns, *NOT_BEGUN):
        assert not turns_with(Effect.BEGIN, turns[at:])


@given(lives)
def test_it_begins_once_at_most_with_a_warden_that_can_be_killed_and_has_greeted(turns: list[Turn]) -> None:
    begun = turns_with(Effect.BEGIN, turns)
    assert len(begun) <= 1
    for at in begun:
        assert heard(WardenForked, turns[: at + 1], Phase.FORKING)
        assert heard(Greeted, turns[: at + 1], Phase.FORKING, Phase.STARTING)
    for at, turn in enumerate(turns):
        assert turn.after.began == any(when <= at for when in begun)


@given(lives)
def test_it_never_goes_back(turns: list[Turn]) -> None:
    for turn in turns:
        before, after = turn.before, turn.after
        assert height(after.phase) >= height(before.phase)
        assert after.began >= before.began
        assert after.killed >= before.killed
        assert after.greeted >= before.greeted
        assert after.stop is not None or before.stop is None
        assert after.record is before.record or before.record is None


@given(lives)
def test_it_is_forked_once_and_its_stop_is_announced_once(turns: list[Turn]) -> None:
    assert len(turns_with(Effect.FORK, turns)) <= 1
    assert len(turns_with(Effect.ANNOUNCE_STOP, turns)) <= 1


@given(lives)
def test_only_a_warden_that_greeted_is_told_to_stop(turns: list[Turn]) -> None:
    for at in turns_with(Effect.TELL_STOP, turns):
        assert turns[at].before.began
        assert turns[at].after.stop is not None


@given(lives)
def test_only_a_last_word_is_acknowledged(turns: list[Turn]) -> None:
    for at in turns_with(Effect.ACK_EXIT, turns):
        assert turns[at].after.record is not None


@given(lives)
def test_who_is_killed_is_remembered_as_killed(turns: list[Turn]) -> None:
    for at in turns_with(Effect.KILL_WARDEN, turns):
        late = isinstance(turns[at].message, WardenForked) and turns[at].after == turns[at].before
        assert turns[at].after.killed or late
