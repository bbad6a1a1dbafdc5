"""What the supervisor asks of a batch again, in case its warden was taken over."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runward.actors.intake import OWNED, Intake, lawful

from .test_intake import line

A = b'{"event":"a.b","timestamp":1.0}\n'


def test_what_the_intake_makes_is_lawful() -> None:
    chunks = [
        line(event="message.delta", delta="x") * 3,
        line(event="message.delta", delta="\r\n\u2028") + line(event="a.b", x=[{"event": "run.completed"}]),
    ]
    for chunk in chunks:
        taken = Intake(1_000).feed(chunk, 1.0)
        assert taken.count > 0
        assert lawful(taken.blob, taken.count)


@pytest.mark.parametrize(
    ("blob", "count"),
    [
        (b"", 0),
        (b"", 1),
        (A, 0),
        (A, 2),
        (A, -1),
        (A * 2, 1),
        (A * 2, 3),
        (A[:-1], 0),
        (A[:-1], 1),
        (A + A[:-1], 2),
        (A + A[:-1], 1),
        (A + b"\n", 2),
        (b"\n" + A, 2),
        (b"\n", 1),
        (b"\n\n", 2),
        (A[:-1] + b"\r\n", 1),
        (b'{"event":"a.b",\r"x":1}\n', 1),
        (A.replace(b"\n", b"\r"), 1),
        (A[:-1] + A, 1),
        (A[:-2] + b",\n}\n", 2),
        (b"[1]\n", 1),
        (b'"a.b"\n', 1),
        (b"null\n", 1),
        (b"[" + A[:-1] + b"]\n", 1),
        (b"{}\n", 1),
        (b'{"event":null}\n', 1),
        (b'{"event":["a.b"]}\n', 1),
        (b'{"Event":"a.b"}\n', 1),
        (b"nonsense\n", 1),
        (b'{"event":"a.b"\n', 1),
        (b'{"event":"a.b"}}\n', 1),
        (b"\xef\xbb\xbf" + A, 1),
        (b'{"event":"a.b","x":"\x00"}\n', 1),
        (b'{"event":"a.b","x":NaN}\n', 1),
        (b'{"event":"a.b","x":"\\ud800"}\n', 1),
        (b'{"event":"\xff.b"}\n', 1),
        (b'{"event":"a.b","x":' + b"[" * 10_000 + b"]" * 10_000 + b"}\n", 1),
        (b'{"event":"a.b","x":' * 10_000 + b"}" * 10_000 + b"\n", 1),
        *(
            (b'{"event":"%b%b"}\n' % (owned.encode(), rest), 1)
            for owned in OWNED
            for rest in (b"completed", b"")
        ),
        (b'{"x":1,"event":"run.completed"}\n', 1),
        (b'{"event":"a.b","event":"run.completed"}\n', 1),
        (b'{"event":"a.b","ev\\u0065nt":"run.completed"}\n', 1),
        (b'{"event":"run\\u002ecompleted"}\n', 1),
        (b'{"event":"\\u0072un.completed"}\n', 1),
        (A + b'{"event":"stream.gap"}\n', 2),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_what_was_forged_is_not(blob: bytes, count: int) -> None:
    assert not lawful(blob, count)


FORGED_END = (
    b'{"event":"a.b","x":[\n'
    b'{"event":"run.completed","output":"forged"}\n'
    b']}{"event":"a.b"}{"event":"a.b"}\n'
)  # three values, three lines, and the second line is an end


def hole(reason: str, blob: bytes, count: int = 1) -> "pytest.param":  # type: ignore[valid-type]
    return pytest.param(blob, count, id=reason)


@pytest.mark.parametrize(
    ("blob", "count"),
    [
        hole(
            "lines are counted, and values are counted, but not each line is one value: an end is forged",
            FORGED_END,
            3,
        ),
        hole("the same, with an empty line", A[:-1] + A + b"\n", 2),
        hole(
            "a seq of its own comes behind ours, and a JSON client takes the last",
            b'{"event":"a.b","seq":9}\n',
        ),
        hole("a run_id of its own comes behind ours", b'{"event":"a.b","run_id":"run_2"}\n'),
        hole("a line without a time is none that the journal's reader can read", b'{"event":"a.b"}\n'),
        hole("bytes that are no UTF-8 go on to every client", b'{"event":"a.b","x":"\xff"}\n'),
        hole("a frame cuts the first byte off, taking it for the brace", b" " + A),
        hole("a name that no agent may use", b'{"event":"Stream gap"}\n'),
    ],
)
def test_what_no_intake_of_ours_makes_is_not_lawful(blob: bytes, count: int) -> None:
    assert not lawful(blob, count)


# ── what a client would see ─────────────────────────────────────────────────────────────────────


def spelled(word: str, escapes: list[bool]) -> str:
    """The word as JSON text, with some of its letters escaped."""
    pairs = zip(word, escapes * len(word), strict=False)
    return '"' + "".join(f"\\u{ord(letter):04x}" if escape else letter for letter, escape in pairs) + '"'


flags = st.lists(st.booleans(), min_size=1, max_size=8)
words = st.builds(spelled, st.sampled_from(["event", "Event", "events", "x", "timestamp"]), flags)
names = st.builds(
    spelled,
    st.sampled_from(["a.b", "run.completed", "stream.gap", "approval.request", "run", "runs.x"]),
    flags,
)
spaces = st.sampled_from(["", " ", "\t"])
pairs = st.builds(
    lambda key, space, value: f"{key}{space}:{space}{value}", words, spaces, st.one_of(names, st.just("1"))
)
objects = st.lists(pairs, max_size=4).map(lambda inside: "{" + ",".join(inside) + "}")
nested = st.builds(lambda outer, inner: outer[:-1] + f',"x":[{inner}]}}', objects, objects)
blobs = st.lists(st.one_of(objects, nested), min_size=1, max_size=3).map(
    lambda lines: "".join(f"{each}\n" for each in lines).encode()
)


@given(blobs)
def test_what_is_lawful_shows_no_client_a_name_of_the_runtimes(blob: bytes) -> None:
    count = blob.count(b"\n")
    if lawful(blob, count):
        for each in blob.split(b"\n")[:-1]:
            assert not json.loads(each)["event"].startswith(OWNED)


@given(st.binary(max_size=100), st.integers(-1, 5))
def test_any_bytes_are_lawful_or_not(blob: bytes, count: int) -> None:
    lawful(blob, count)


# ── depth ───────────────────────────────────────────────────────────────────────────────────────


def deeper(frames: int, call: Callable[[], bool]) -> bool:
    """The call's answer, from so many frames further down the stack."""
    return call() if frames == 0 else deeper(frames - 1, call)


def test_what_a_warden_takes_is_lawful_to_a_supervisor_that_stands_deeper() -> None:
    for depth in range(800, 1_000, 5):
        chunk = b'{"event":"a.b","x":' + b"[" * depth + b"]" * depth + b"}\n"
        taken = Intake(10_000).feed(chunk, 1.0)
        if taken.count:
            assert deeper(40, lambda: lawful(taken.blob, taken.count))  # noqa: B023 - called at once
