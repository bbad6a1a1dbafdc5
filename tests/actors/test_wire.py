"""Messages to bytes and back: what one direction says, and nothing else, is understood there."""

from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runward.actors import wire
from runward.actors.errors import BadMessage
from runward.actors.messages.answers import FromSupervisor
from runward.actors.messages.commands import Ping, StartRun, StopRun, ToSupervisor
from runward.actors.messages.feed import Published
from runward.actors.messages.from_run import Events, Exited, FromRun
from runward.actors.messages.to_run import Go, Stop, ToRun
from runward.actors.messages.with_root import FromRole, ToRole
from runward.actors.messages.with_zygote import FromZygote, ToZygote
from runward.actors.records import RunInput
from runward.actors.wire import Direction

from .lives import a_record
from .shapes import strategy_of

#: Each direction with the messages that it may carry.
DIRECTIONS: list[tuple[Direction[Any], Any]] = [
    (wire.to_supervisor, ToSupervisor),
    (wire.from_supervisor, FromSupervisor),
    (wire.from_run, FromRun),
    (wire.to_run, ToRun),
    (wire.feed, Published),
    (wire.to_zygote, ToZygote),
    (wire.from_zygote, FromZygote),
    (wire.to_role, ToRole),
    (wire.from_role, FromRole),
]
SENT = [(direction, kind) for direction, union in DIRECTIONS for kind in get_args(union) or (union,)]
each_message = pytest.mark.parametrize(
    ("direction", "kind"), SENT, ids=[f"{kind.__name__} {direction.name}" for direction, kind in SENT]
)
each_direction = pytest.mark.parametrize(
    "direction", [direction for direction, _ in DIRECTIONS], ids=lambda direction: direction.name
)

anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary(),
    lambda deeper: st.lists(deeper, max_size=4) | st.dictionaries(st.text(max_size=5), deeper, max_size=4),
    max_leaves=12,
)
tags = st.sampled_from(sorted({msgspec.inspect.type_info(kind).tag for _, kind in SENT}))  # type: ignore[attr-defined]


def test_every_direction_is_tried_here() -> None:
    directions = [value for value in vars(wire).values() if isinstance(value, Direction)]
    assert directions == [direction for direction, _ in DIRECTIONS]


@each_message
@settings(max_examples=10)
@given(st.data())
def test_a_message_comes_back_as_it_was(direction: Direction[Any], kind: Any, data: st.DataObject) -> None:
    message = data.draw(strategy_of(kind))
    decoded = direction.decode(wire.encode(message))
    assert decoded == message
    assert type(decoded) is kind


@each_message
@settings(max_examples=10)
@given(st.data())
def test_no_other_direction_understands_it(direction: Direction[Any], kind: Any, data: st.DataObject) -> None:
    body = wire.encode(data.draw(strategy_of(kind)))
    for other, _ in DIRECTIONS:
        if other is not direction:
            with pytest.raises(BadMessage):
                other.decode(body)


@each_message
@settings(max_examples=10)
@given(st.data())
def test_a_tuple_that_is_too_long_or_too_short_is_none(
    direction: Direction[Any], kind: Any, data: st.DataObject
) -> None:
    parts = msgspec.msgpack.decode(wire.encode(data.draw(strategy_of(kind))))
    required = 1 + sum(field.required for field in msgspec.structs.fields(kind))
    for wrong in ([*parts, None], parts[: required - 1], []):
        with pytest.raises(BadMessage):
            direction.decode(msgspec.msgpack.encode(wrong))


@each_direction
@settings(max_examples=30)
@given(body=st.binary(max_size=200))
def test_any_bytes_are_a_message_or_bad(direction: Direction[Any], body: bytes) -> None:
    understood(direction, body)


@each_direction
@settings(max_examples=30)
@given(tag=tags, fields=st.lists(anything, max_size=8))
def test_any_tuple_is_a_message_or_bad(direction: Direction[Any], tag: str, fields: list[Any]) -> None:
    understood(direction, msgspec.msgpack.encode([tag, *fields]))


def understood(direction: Direction[Any], body: bytes) -> bool:
    """Whether it is a message; no other error than `BadMessage` may come."""
    bad: BadMessage | None = None
    try:
        direction.decode(body)
    except BadMessage as error:
        bad = error
    assert bad is None or (bad.__cause__ is not None and len(bad.body) <= 64)
    return bad is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",  # never used by msgpack
        b"\x00",
        b"\x90",
        b"\xdd\xff\xff\xff\xff",  # an array of four billion, and nothing in it
        b"\xdf\xff\xff\xff\xff",
        b"\x91\xa5hello",
        b"\x92\xa5hello\xdb\xff\xff\xff\xff",
        b"\x96\xa6events\xa1r\x01\x01\x01\xc6\xff\xff\xff\xff",
        b"\x94\xa6exited\xa1r\x01\x81\xa9survivors\xdd\xff\xff\xff\xff",
        b"\x92\xa5hello\xa2\xff\xfe",  # not UTF-8
        b"\xc7\x0c\xff" + b"\xff" * 12,  # a time that no calendar holds
        b"\x91" * 5_000,
        b"\x81\xa1a" * 5_000,
    ],
    ids=lambda body: repr(body[:20]),
)
@each_direction
def test_none_of_this_is_a_message(direction: Direction[Any], body: bytes) -> None:
    assert not understood(direction, body)


def test_what_is_nested_too_deeply_is_bad_also_where_anything_may_stand() -> None:
    history: Any = {}
    for _ in range(100):
        history = {"deeper": [history]}
    shallow = wire.encode(Go(RunInput(input="x", history=[history])))
    assert understood(wire.to_run, shallow)
    at = shallow.index(b"\xa6deeper")
    assert not understood(wire.to_run, shallow[:at] + b"\xa6deeper\x91\x81" * 5_000 + shallow[at:])


def test_a_message_with_anything_behind_it_is_bad() -> None:
    body = wire.encode(Ping("1"))
    assert understood(wire.to_supervisor, body)
    assert not understood(wire.to_supervisor, body + body)


@pytest.mark.parametrize(
    ("at", "value"), [(1, 1), (2, "1"), (3, 1.5), (4, None), (5, "text"), (5, None)], ids=repr
)
def test_a_field_of_another_type_is_never_guessed(at: int, value: object) -> None:
    parts = msgspec.msgpack.decode(wire.encode(Events("run_1", 1, 1, 1, b"{}\n")))
    parts[at] = value
    assert not understood(wire.from_run, msgspec.msgpack.encode(parts))


@pytest.mark.parametrize("rung", ["", "KILL", "pidns", 1, ["kill"]], ids=repr)
def test_a_word_that_is_not_in_the_set_is_bad(rung: object) -> None:
    body = msgspec.msgpack.encode(["rung", "run_1", 1, "stop_1", rung])
    assert not understood(wire.from_run, body)


def test_an_error_keeps_the_first_bytes_and_names_the_direction() -> None:
    with pytest.raises(BadMessage, match="from warden to supervisor") as caught:
        wire.from_run.decode(b"x" * 1_000)
    assert caught.value.body == b"x" * 64


def test_a_view_is_as_good_as_bytes() -> None:
    body = memoryview(wire.encode(Ping("1")))
    assert wire.to_supervisor.decode(body) == Ping("1")
    with pytest.raises(BadMessage):
        wire.from_supervisor.decode(body)


def test_what_is_decoded_does_not_change_with_what_it_was_decoded_from() -> None:
    body = bytearray(wire.encode(Events("run_1", 1, 1, 1, b"{}\n")))
    decoded = wire.from_run.decode(memoryview(body))
    body[-3:] = b"xxx"
    assert decoded == Events("run_1", 1, 1, 1, b"{}\n")


def test_messages_that_look_alike_are_told_apart_by_their_direction() -> None:
    """Both directions know a `stop`."""
    stop = Stop("stop_1", "kill", 1.0, 1.0, "message")
    asked = StopRun("stop_1", "run_1", None)
    assert wire.to_run.decode(wire.encode(stop)) == stop
    assert wire.to_supervisor.decode(wire.encode(asked)) == asked


def test_defaults_may_be_left_out() -> None:
    given = {"input": "hello"}
    body = msgspec.msgpack.encode(["start", "1", "run_1", "local", "echo", given])
    assert wire.to_supervisor.decode(body) == StartRun("1", "run_1", "local", "echo", RunInput(input="hello"))


def test_a_record_of_a_newer_warden_with_a_field_more_is_read() -> None:
    parts = msgspec.msgpack.decode(wire.encode(Exited("run_1", 1, a_record())))
    parts[3]["newer"] = 1
    assert understood(wire.from_run, msgspec.msgpack.encode(parts))
