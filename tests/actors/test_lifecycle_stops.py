"""A stop always leads to the end: the lifecycle against a model of the world that answers it.

The world is fair, not kind: what was killed dies, a deadline that was set passes, a zygote answers or is ended.
Beyond that anything may happen in any order, wardens may never say a word, and two more stops may come.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runward.actors.lifecycle import Effect, LifeMessage, Phase, State, StopWanted, step

from .lives import (
    ADMITTED,
    FORKED,
    GONE,
    GREETED,
    MISBEHAVED,
    NOT_FORKED,
    RECORDED,
    SHUTDOWN,
    SILENT,
    STOP,
)

LONGEST_LIFE = 40  # messages; none of these lives needs more than about fifteen


class World:
    """Zygote, warden and timers as far as the lifecycle hears of them; `next` are the messages that may come."""

    def __init__(self, mute: bool) -> None:
        self.state = State()
        self.mute = mute  # the warden never speaks
        self.zygote_owes = False  # an answer to the fork
        self.stuck_zygote = False
        self.warden_lives = False
        self.deadline_set = False
        self.said: set[type[LifeMessage]] = set()
        self.stops = 0
        self.admitted = False

    @property
    def stop_wanted(self) -> bool:
        return self.stops > 0

    def next(self) -> list[LifeMessage]:
        """What may be heard now."""
        return [
            *self._from_outside(),
            *self._from_zygote(),
            *self._from_warden(),
            *([SILENT] * self.deadline_set),
        ]

    def hear(self, message: LifeMessage) -> None:
        """Let it be heard, and let the effects have their effect."""
        self._happened(message)
        self.state, effects = step(self.state, message)
        for effect in effects:
            self._take_effect(effect)

    def _from_outside(self) -> list[LifeMessage]:
        stops: list[LifeMessage] = [STOP, StopWanted(SHUTDOWN)] if self.stops < 3 else []
        return stops if self.admitted else [ADMITTED, *stops]

    def _from_zygote(self) -> list[LifeMessage]:
        if self.stuck_zygote:
            return [NOT_FORKED] if self.state.phase is Phase.FORKING else []
        return [FORKED, NOT_FORKED, SILENT] if self.zygote_owes else []

    def _from_warden(self) -> list[LifeMessage]:
        if not self.warden_lives:
            return []
        if self.mute:
            return [GONE]
        words: list[LifeMessage] = [GREETED, MISBEHAVED, *([RECORDED] * self.state.began)]
        return [GONE, *(word for word in words if type(word) not in self.said)]

    def _happened(self, message: LifeMessage) -> None:
        self.said.add(type(message))
        self.stops += isinstance(message, StopWanted)
        self.admitted |= message is ADMITTED
        if message is SILENT:
            self.stuck_zygote |= self.zygote_owes
            self.deadline_set = self.zygote_owes = False
        if message in (FORKED, NOT_FORKED):
            self.zygote_owes = self.stuck_zygote = False
            self.warden_lives = message is FORKED
        if message is GONE:
            self.warden_lives = False

    def _take_effect(self, effect: Effect) -> None:
        if effect is Effect.FORK:
            self.zygote_owes = True
        elif effect in (Effect.EXPECT_HELLO, Effect.TELL_STOP, Effect.ACK_EXIT):
            self.deadline_set = True
        elif effect in (Effect.BEGIN, Effect.KILL_WARDEN, Effect.END):
            self.deadline_set = False


@pytest.mark.parametrize(
    "mute", [False, True], ids=["a warden that speaks", "a warden that never says a word"]
)
@given(st.data())
def test_once_a_stop_is_wanted_the_world_leads_to_the_end(mute: bool, data: st.DataObject) -> None:
    world = World(mute)
    for _ in range(LONGEST_LIFE):
        if world.state.phase is Phase.ENDED:
            return
        may_come = world.next()
        assert may_come, f"nothing can end it any more: {world.state}"
        world.hear(data.draw(st.sampled_from(may_come)))
    assert not world.stop_wanted, f"still not ended: {world.state}"


@pytest.mark.parametrize(
    "mute", [False, True], ids=["a warden that speaks", "a warden that never says a word"]
)
@given(st.data())
def test_nothing_lives_when_the_end_is_told(mute: bool, data: st.DataObject) -> None:
    world = World(mute)
    for _ in range(LONGEST_LIFE):
        if world.state.phase is Phase.ENDED:
            assert not world.warden_lives
            return
        world.hear(data.draw(st.sampled_from(world.next())))


def test_a_stop_needs_no_word_of_the_warden_but_only_its_deadline() -> None:
    world = World(mute=True)
    for message in (ADMITTED, FORKED, GREETED, STOP):
        world.hear(message)
    assert world.deadline_set
    world.hear(SILENT)
    assert world.state.killed
    world.hear(GONE)
    assert world.state.phase is Phase.ENDED
