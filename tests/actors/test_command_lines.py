"""What a program may say, and what it comes to: however it is cut, and without growing."""

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runward.actors.command_lines import CommandIntake
from runward.actors.intake import LONGEST_JOINED
from runward.actors.messages import Claim
from runward.actors.records import Usage

from .test_intake import line
from .test_intake_laws import cut

LIMIT = 1_000


def said(*chunks: bytes, limit: int = LIMIT) -> tuple[Claim, list[str], int]:
    """What a program's chunks come to: the account of it, the names of its events, how much was refused."""
    intake = CommandIntake(limit)
    names: list[str] = []
    refused = 0
    for chunk in (*chunks, None):
        taken = intake.feed(intake.unfinished() if chunk is None else chunk, 1.0)
        names += [json.loads(each)["event"] for each in taken.blob.split(b"\n")[:-1]]
        refused += len(taken.refused)
    return intake.account(), names, refused


@pytest.mark.parametrize(
    ("lines", "output"),
    [
        ([], b""),
        ([{"output": "done"}], b'"done"'),
        ([{"output": 1}, {"output": [2]}], b"[2]"),
        ([{"output": None}], b""),
        ([{"event": "message.delta", "delta": "a"}, {"event": "message.delta", "delta": "b"}], b'"ab"'),
        ([{"event": "message.delta", "delta": "a"}, {"output": "b"}], b'"b"'),
        ([{"output": "b"}, {"event": "message.delta", "delta": "a"}], b'"b"'),
        ([{"event": "reasoning.delta", "delta": "a"}, {"event": "tool.started", "delta": "b"}], b""),
        ([{"event": "message.delta", "delta": 1}, {"event": "message.delta"}], b""),
        ([{"event": "message.delta", "delta": "\r\n\u2028"}], '"\\r\\n\u2028"'.encode()),
    ],
    ids=repr,
)
def test_its_result_is_what_it_said_last_or_its_deltas_joined(lines: list[Any], output: bytes) -> None:
    account, _, refused = said(*(line(**each) for each in lines))
    assert account == Claim(kind="completed", output=output)
    assert refused == 0


def test_a_result_may_come_with_its_usage() -> None:
    account, _, _ = said(line(output="x", usage={"input_tokens": 1, "output_tokens": 2}))
    assert account.usage == Usage(1, 2, 0)


def test_a_last_line_without_its_end_is_a_line() -> None:
    assert said(b'{"event":"a.b"}\n{"output":1}')[:2] == (Claim(kind="completed", output=b"1"), ["a.b"])
    assert said(b'{"event":"a.b"}')[1] == ["a.b"]
    assert said(b"nonsense")[2] == 1
    assert said(b"x" * 2 * LIMIT)[2] == 1


@pytest.mark.parametrize("claim", ["completed", "exception", "interrupted"])
def test_it_may_not_claim_how_it_ended(claim: str) -> None:
    account, _, refused = said(line(claim=claim, error="no"))
    assert account == Claim(kind="completed")
    assert refused == 1


@pytest.mark.parametrize(
    "text",
    [
        *(b'{"output":1,"reason":"killed"}', b'{"output":1,"usage":{"input_tokens":-1}}', b'{"output":NaN}'),
        *(b'{"output":1,"usage":[]}', b'{"output":' + b"[" * 200 + b"]" * 200 + b"}"),
        b'{"output":"' + b"x" * LIMIT + b'"}',
    ],
    ids=lambda text: repr(text[:40]),
)
def test_a_result_of_another_form_is_refused(text: bytes) -> None:
    account, _, refused = said(text + b"\n")
    assert account == Claim(kind="completed")
    assert refused == 1


def test_deltas_too_long_to_be_an_output_are_none() -> None:
    delta = line(event="message.delta", delta="x" * 900)
    account, names, _ = said(delta * (LONGEST_JOINED // 900 + 2), limit=10**6)
    assert account.output == b""
    assert len(names) == LONGEST_JOINED // 900 + 2


spoken = st.one_of(
    st.builds(lambda delta: {"event": "message.delta", "delta": delta}, st.text(max_size=5)),
    st.builds(lambda output: {"output": output}, st.text(max_size=5) | st.none() | st.lists(st.integers())),
    st.builds(lambda x: {"event": "a.b", "x": x}, st.text(max_size=5)),
    st.just({"claim": "completed"}),
)
programs = st.lists(spoken, max_size=6).map(lambda lines: b"".join(line(**each) for each in lines))


@settings(max_examples=60)
@given(programs, st.lists(st.integers(0, 10_000), max_size=6), st.booleans())
def test_however_its_words_are_cut_they_come_to_the_same(program: bytes, at: list[int], whole: bool) -> None:
    stream = program if whole else program[:-1]
    assert said(*cut(stream, at))[:2] == said(stream)[:2]


@pytest.mark.xfail(strict=True, reason="empty deltas are counted by their length, and kept for ever")
def test_deltas_that_say_nothing_are_not_kept() -> None:
    intake = CommandIntake(LIMIT)
    chunk = line(event="message.delta", delta="") * 2_000
    intake.feed(chunk, 1.0)
    tracemalloc.start()
    try:
        for _ in range(50):
            intake.feed(chunk, 1.0)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 100_000
