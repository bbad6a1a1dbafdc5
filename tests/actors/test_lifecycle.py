"""The lifecycle as a table: every pair is there, and the histories that matter, written out."""

from itertools import product
from typing import NamedTuple, get_args

import pytest

from runward.actors.lifecycle import (
    PUBLIC,
    TABLE,
    Effect,
    LifeMessage,
    Phase,
    Recorded,
    State,
    StopPlan,
    StopWanted,
    resumed,
    step,
)

from .lives import (
    ADMITTED,
    FORKED,
    GONE,
    GREETED,
    MESSAGES,
    MISBEHAVED,
    NOT_FORKED,
    PLAN,
    RECORDED,
    SHUTDOWN,
    SILENT,
    STOP,
    STUCK,
    a_record,
    live,
)

FORK, EXPECT_HELLO, BEGIN, RESUME = Effect.FORK, Effect.EXPECT_HELLO, Effect.BEGIN, Effect.RESUME
ANNOUNCE, TELL, KILL = Effect.ANNOUNCE_STOP, Effect.TELL_STOP, Effect.KILL_WARDEN
ACK, LOOK, END = Effect.ACK_EXIT, Effect.LOOK_WHO_IS_LEFT, Effect.END
LEFT = Recorded(a_record(survivors=[7]))


def test_every_pair_of_phase_and_message_is_in_the_table() -> None:
    assert set(TABLE) == set(product(Phase, get_args(LifeMessage)))


def test_one_of_each_message_is_tried_here() -> None:
    assert [type(message) for message in MESSAGES] == list(get_args(LifeMessage))


def test_every_phase_but_the_last_has_a_public_status() -> None:
    assert set(PUBLIC) == set(Phase) - {Phase.ENDED}


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
@pytest.mark.parametrize("phase", Phase)
def test_no_pair_raises_whatever_happened_before(phase: Phase, message: LifeMessage) -> None:
    for stop, record, trouble in product((None, PLAN, SHUTDOWN), (None, a_record()), (None, "trouble")):
        for greeted, began, killed in product((False, True), repeat=3):
            after, effects = step(State(phase, stop, greeted, began, killed, record, trouble), message)
            assert isinstance(after, State)
            assert all(isinstance(effect, Effect) for effect in effects)


class History(NamedTuple):
    """What is heard, one message after another, and what each leads to."""

    name: str
    turns: list[tuple[LifeMessage, tuple[Effect, ...]]]


HISTORIES = [
    History(
        "it runs and ends by itself",
        [
            (ADMITTED, (FORK,)),
            (FORKED, (EXPECT_HELLO,)),
            (GREETED, (BEGIN,)),
            (RECORDED, (ACK,)),
            (GONE, (END,)),
        ],
    ),
    History("it is stopped in the queue, where it is nothing but a wish", [(STOP, (END,)), (ADMITTED, ())]),
    History(
        "it is stopped while it is forked, so its warden never learns what it was for",
        [(ADMITTED, (FORK,)), (STOP, ()), (FORKED, (KILL,)), (GREETED, ()), (GONE, (END,))],
    ),
    History(
        "it is stopped while it is forked, and no fork comes",
        [(ADMITTED, (FORK,)), (STOP, ()), (NOT_FORKED, (END,))],
    ),
    History(
        "it is stopped before its warden greets",
        [
            (ADMITTED, (FORK,)),
            (FORKED, (EXPECT_HELLO,)),
            (STOP, (ANNOUNCE, KILL)),
            (GREETED, ()),
            (GONE, (END,)),
        ],
    ),
    History(
        "the hello overtakes the zygote's answer",
        [(ADMITTED, (FORK,)), (GREETED, ()), (FORKED, (BEGIN,)), (RECORDED, (ACK,)), (GONE, (END,))],
    ),
    History(
        "the hello overtakes the zygote's answer, and a stop comes between them",
        [(ADMITTED, (FORK,)), (GREETED, ()), (STOP, ()), (FORKED, (KILL,)), (GONE, (END,))],
    ),
    History("its zygote dies", [(ADMITTED, (FORK,)), (NOT_FORKED, (END,)), (FORKED, (KILL,)), (GONE, ())]),
    History(
        "its zygote is stuck, and is ended for that",
        [(ADMITTED, (FORK,)), (SILENT, ()), (NOT_FORKED, (END,))],
    ),
    History(
        "its zygote was only slow: who comes too late does not begin",
        [(ADMITTED, (FORK,)), (SILENT, ()), (FORKED, (KILL,)), (GREETED, ()), (GONE, (END,))],
    ),
    History(
        "its warden never greets",
        [(ADMITTED, (FORK,)), (FORKED, (EXPECT_HELLO,)), (SILENT, (KILL,)), (GONE, (END,))],
    ),
    History(
        "its warden dies before it greets",
        [(ADMITTED, (FORK,)), (FORKED, (EXPECT_HELLO,)), (GONE, (END,))],
    ),
    History(
        "its warden dies under it",
        [(ADMITTED, (FORK,)), (FORKED, (EXPECT_HELLO,)), (GREETED, (BEGIN,)), (GONE, (END,))],
    ),
    History(
        "a stop is wanted of a run and does its work",
        [
            *((ADMITTED, (FORK,)), (FORKED, (EXPECT_HELLO,)), (GREETED, (BEGIN,))),
            *((STOP, (ANNOUNCE, TELL)), (RECORDED, (ACK,)), (GONE, (END,))),
        ],
    ),
    History(
        "a second stop is told too, but announced no second time",
        [
            *((ADMITTED, (FORK,)), (FORKED, (EXPECT_HELLO,)), (GREETED, (BEGIN,))),
            *((STOP, (ANNOUNCE, TELL)), (STOP, (TELL,)), (RECORDED, (ACK,)), (GONE, (END,))),
        ],
    ),
    History(
        "a warden is silent about a stop, so it is killed; a stop after that has no one to be told to",
        [
            *((ADMITTED, (FORK,)), (FORKED, (EXPECT_HELLO,)), (GREETED, (BEGIN,))),
            *((STOP, (ANNOUNCE, TELL)), (SILENT, (KILL,)), (STOP, ()), (GONE, (END,))),
        ],
    ),
    History(
        "a killed warden's last word still counts",
        [
            *((ADMITTED, (FORK,)), (FORKED, (EXPECT_HELLO,)), (GREETED, (BEGIN,)), (STOP, (ANNOUNCE, TELL))),
            *((SILENT, (KILL,)), (RECORDED, (ACK,)), (GONE, (END,))),
        ],
    ),
    History(
        "what was killed does not die, which is its end, and is told as such",
        [
            *((ADMITTED, (FORK,)), (FORKED, (EXPECT_HELLO,)), (GREETED, (BEGIN,)), (STOP, (ANNOUNCE, TELL))),
            *((SILENT, (KILL,)), (SILENT, (LOOK,)), (STUCK, (END,)), (GONE, ()), (STUCK, ())),
        ],
    ),
    History(
        "what was killed does not die in time, and then it does",
        [
            *((ADMITTED, (FORK,)), (FORKED, (EXPECT_HELLO,)), (STOP, (ANNOUNCE, KILL))),
            *((SILENT, (LOOK,)), (SILENT, (LOOK,)), (GONE, (END,))),
        ],
    ),
    History(
        "a warden said who would not die, and can not go itself",
        [
            *((ADMITTED, (FORK,)), (FORKED, (EXPECT_HELLO,)), (GREETED, (BEGIN,)), (STOP, (ANNOUNCE, TELL))),
            *((LEFT, (ACK,)), (SILENT, (LOOK,)), (STUCK, (END,))),
        ],
    ),
    History(
        "a warden does not go after its last word, nor take the ack the first time",
        [
            *((ADMITTED, (FORK,)), (FORKED, (EXPECT_HELLO,)), (GREETED, (BEGIN,))),
            *((RECORDED, (ACK,)), (RECORDED, (ACK,)), (SILENT, (KILL,)), (GONE, (END,))),
        ],
    ),
    History(
        "a stop after the last word changes nothing",
        [
            *((ADMITTED, (FORK,)), (FORKED, (EXPECT_HELLO,)), (GREETED, (BEGIN,))),
            *((RECORDED, (ACK,)), (STOP, ()), (GONE, (END,)), (STOP, ())),
        ],
    ),
    History(
        "a warden that was taken over is killed and not listened to",
        [
            *((ADMITTED, (FORK,)), (FORKED, (EXPECT_HELLO,)), (GREETED, (BEGIN,))),
            *((MISBEHAVED, (KILL,)), (GREETED, ()), (GONE, (END,))),
        ],
    ),
    History(
        "its warden comes back on a new line while it runs, and is told where it stands",
        [
            *((ADMITTED, (FORK,)), (FORKED, (EXPECT_HELLO,)), (GREETED, (BEGIN,))),
            *((GREETED, (RESUME,)), (RECORDED, (ACK,)), (GREETED, (RESUME, ACK)), (GONE, (END,))),
        ],
    ),
    History(
        "its warden comes back on a new line amid a stop, and is told of it again",
        [
            *((ADMITTED, (FORK,)), (FORKED, (EXPECT_HELLO,)), (GREETED, (BEGIN,)), (STOP, (ANNOUNCE, TELL))),
            *((GREETED, (RESUME, TELL)), (RECORDED, (ACK,)), (GONE, (END,))),
        ],
    ),
    History(
        "a deadline of the start that was withdrawn too late does not hurt a run",
        [
            *((ADMITTED, (FORK,)), (FORKED, (EXPECT_HELLO,)), (GREETED, (BEGIN,))),
            *((SILENT, ()), (RECORDED, (ACK,)), (GONE, (END,))),
        ],
    ),
]


@pytest.mark.parametrize("history", HISTORIES, ids=lambda history: history.name)
def test_this_history_has_these_effects(history: History) -> None:
    turns = live(message for message, _ in history.turns)
    assert [(turn.message, turn.effects) for turn in turns] == history.turns
    assert turns[-1].after.phase is Phase.ENDED


#: What an earlier supervisor left, and what is heard of it.
RESUMED = [
    ("it goes on and ends by itself", resumed(None, None), [(GREETED, (RESUME,)), (RECORDED, (ACK,))]),
    ("its warden is gone", resumed(None, None), []),
    ("its warden does not come back, so it is killed", resumed(None, None), [(SILENT, (KILL,))]),
    (
        "it is stopped before its warden is back, which is told then",
        resumed(None, None),
        [(STOP, (ANNOUNCE, TELL)), (GREETED, (RESUME, TELL))],
    ),
    ("its stop is told again", resumed(PLAN, None), [(GREETED, (RESUME, TELL)), (RECORDED, (ACK,))]),
    ("amid its stop its warden does not come back", resumed(PLAN, None), [(SILENT, (KILL,))]),
    (
        "its last word was here, but the warden did not hear so",
        resumed(None, a_record()),
        [(GREETED, (RESUME, ACK)), (RECORDED, (ACK,))],
    ),
    (
        "its last word was here, and its warden does not go",
        resumed(None, a_record()),
        [(SILENT, (KILL,))],
    ),
    ("another came in its warden's place", resumed(None, None), [(MISBEHAVED, (KILL,)), (GREETED, ())]),
]


@pytest.mark.parametrize(("left", "turns"), [each[1:] for each in RESUMED], ids=[each[0] for each in RESUMED])
def test_a_run_of_an_earlier_supervisor_has_these_effects(
    left: State, turns: list[tuple[LifeMessage, tuple[Effect, ...]]]
) -> None:
    turns = [*turns, (GONE, (END,))]
    lived = live((message for message, _ in turns), left)
    assert [(turn.message, turn.effects) for turn in lived] == turns
    assert lived[-1].after.phase is Phase.ENDED


def test_a_run_that_was_taken_up_is_never_forked_or_begun_again() -> None:
    for stop, record in product((None, PLAN), (None, a_record())):
        for messages in product(MESSAGES, repeat=3):
            effects = [effect for turn in live(messages, resumed(stop, record)) for effect in turn.effects]
            assert not {FORK, BEGIN} & set(effects)


def test_a_shutdown_does_not_hide_a_stop_that_somebody_wanted_before() -> None:
    turns = live([ADMITTED, FORKED, GREETED, STOP, StopWanted(SHUTDOWN)])
    assert turns[-1].after.stop == StopPlan("", "interrupt", 5.0, 2.0, shutdown=False)


def test_a_stop_that_somebody_wants_takes_the_place_of_a_shutdown() -> None:
    turns = live([ADMITTED, FORKED, GREETED, StopWanted(SHUTDOWN), STOP])
    assert turns[-1].after.stop == PLAN


def test_a_second_shutdown_is_still_a_shutdown() -> None:
    turns = live([ADMITTED, FORKED, GREETED, StopWanted(SHUTDOWN), StopWanted(SHUTDOWN)])
    assert turns[-1].after.stop == SHUTDOWN
