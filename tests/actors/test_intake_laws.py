"""What holds of everything that an agent may write, however it is cut into chunks."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runward.actors.intake import OWNED, Taken, lawful

from .test_intake import LIMIT, events, line, taken

keys = st.sampled_from(["event", "delta", "run_id", "seq", "timestamp", "x", "claim", "output", "\r", "é"])
names = st.sampled_from(
    [
        *("a.b", "message.delta", "reasoning.delta", "run.completed", "stream.gap", "approval.request"),
        "",
        "A",
        "run",
    ]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | names,
    lambda deeper: st.lists(deeper, max_size=3) | st.dictionaries(keys, deeper, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(keys, values, max_size=5)
named = st.builds(lambda said, name: {**said, "event": name}, objects, names)
deltas = st.builds(
    lambda name, delta: {"event": name, "delta": delta},
    st.sampled_from(["message.delta", "reasoning.delta"]),
    st.text(max_size=20),
)
claims = st.builds(
    lambda kind, output: {"claim": kind, "output": output},
    st.sampled_from(["completed", "exception", "x"]),
    values,
)


def doubled(said: dict[str, Any], other: dict[str, Any]) -> bytes:
    """One object that says both."""
    return (json.dumps(said)[:-1] + ("," if said and other else "") + json.dumps(other)[1:]).encode()


as_json = st.one_of(named, deltas, deltas, claims, objects).map(lambda said: json.dumps(said).encode())
garbage = st.binary(min_size=1, max_size=30).filter(lambda text: b"\n" not in text and text.strip(b" \t\r"))
too_long = st.sampled_from([b"x" * 3 * LIMIT, json.dumps({"event": "a.b", "x": "y" * 3 * LIMIT}).encode()])
#: Not blank, and one value at most: what those do is said below.
one_line = st.one_of(as_json, as_json, st.builds(doubled, named, named), garbage, too_long)
streams = st.lists(one_line, max_size=6).map(lambda lines: b"".join(each + b"\n" for each in lines))


def cut(stream: bytes, at: list[int]) -> list[bytes]:
    edges = [0, *sorted(where % (len(stream) + 1) for where in at), len(stream)]
    return [stream[start:end] for start, end in pairwise(edges)]


def told(whole: Taken) -> tuple[list[Any], object, object, int]:
    """What it comes to. A line that is too long may be refused before its name is known, so names don't count."""
    return events(whole), whole.claim, whole.kind, len(whole.refused)


@given(streams, st.lists(st.integers(0, 10_000), max_size=6))
def test_however_a_stream_is_cut_the_same_is_taken_and_refused(stream: bytes, at: list[int]) -> None:
    assert told(taken(*cut(stream, at))) == told(taken(stream))


@given(streams)
def test_a_stream_that_trickles_is_no_different(stream: bytes) -> None:
    assert told(taken(*(stream[at : at + 7] for at in range(0, len(stream), 7)))) == told(taken(stream))


@given(streams, st.lists(st.integers(0, 10_000), max_size=4))
def test_every_line_is_taken_or_refused_or_a_claim(stream: bytes, at: list[int]) -> None:
    whole = taken(*cut(stream, at))
    claims_at_most = stream.count(b'"claim"')
    assert whole.count + len(whole.refused) <= stream.count(b"\n")
    assert whole.count + len(whole.refused) + claims_at_most >= stream.count(b"\n")


@given(st.lists(st.one_of(one_line, st.just(b""), st.just(b"\r")), max_size=8))
def test_what_goes_on_is_clean(lines: list[bytes]) -> None:
    whole = taken(b"\n".join(lines) + b"\n")
    assert b"\r" not in whole.blob
    assert whole.count == 0 or lawful(whole.blob, whole.count)
    for each in whole.blob.split(b"\n")[:-1]:
        assert len(each) <= LIMIT + 40
        pairs = json.loads(each, object_pairs_hook=list)
        assert sorted(key for key, _ in pairs) == sorted({key for key, _ in pairs})
        found = dict(pairs)
        assert not found.keys() & {"run_id", "seq"}
        assert not found["event"].startswith(OWNED)
        assert found["timestamp"] == 1_700_000_000.25


@given(st.binary(max_size=300))
def test_any_bytes_whatever_raise_nothing(stream: bytes) -> None:
    taken(stream, stream[::-1], b"\n")


# ── where cutting still makes a difference ──────────────────────────────────────────────────────

DELTA = line(event="message.delta", delta="x")


@pytest.mark.parametrize(
    "stream",
    [
        b'{"event":"message.delta",\n"delta":"x"}\n',
        DELTA[:-1] + DELTA,
        DELTA[:-1] + b" " + DELTA,
    ],
    ids=["one value on two lines", "two values on one line", "the same with a space"],
)
def test_a_line_is_one_value_in_whatever_company_it_comes(stream: bytes) -> None:
    assert events(taken(stream)) == events(taken(stream + line(event="a.b")))[:-1]


def test_a_blank_line_is_the_same_in_whatever_company_it_comes() -> None:
    among_deltas = taken(DELTA + b"\n" + DELTA)
    among_others = taken(line(event="a.b") + b"\n" + line(event="a.b"))
    assert len(among_deltas.refused) == len(among_others.refused)


def test_a_line_of_just_the_longest_length_is_the_same_in_whatever_company_it_comes() -> None:
    longest = line(event="message.delta", delta="")
    longest = line(event="message.delta", delta="x" * (LIMIT - len(longest) + 1))
    assert len(longest) == LIMIT + 1
    assert taken(longest).count + 1 == taken(longest + DELTA).count


def test_a_claim_that_is_too_long_is_refused_however_it_is_cut() -> None:
    claim = line(claim="completed", output="x" * 3 * LIMIT)
    assert taken(claim).claim == taken(claim[:2000], claim[2000:]).claim
