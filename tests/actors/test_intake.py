"""What comes up from an agent: what is taken, what is refused and why, and that nothing grows."""

import json
import tracemalloc
from typing import Any

import pytest

from runward.actors import wire
from runward.actors.intake import OWNED, Intake, Refused, Taken, why_not
from runward.actors.messages.from_run import Claim, Exited
from runward.actors.records import Usage

from .lives import a_record

NOW = 1_700_000_000.25
LIMIT = 1_000


def taken(*chunks: bytes, limit: int = LIMIT) -> Taken:
    """All that was taken of these chunks, as if it were one."""
    intake = Intake(limit)
    whole = Taken()
    for chunk in chunks:
        part = intake.feed(chunk, NOW)
        whole.blob += part.blob
        whole.count += part.count
        whole.claim = whole.claim or part.claim
        whole.kind = whole.kind or part.kind
        whole.refused += part.refused
    return whole


def events(whole: Taken) -> list[Any]:
    """The events as a JSON client reads them, line by line."""
    lines = [json.loads(line) for line in whole.blob.split(b"\n")[:-1]]
    assert len(lines) == whole.count
    return lines


def line(**fields: Any) -> bytes:
    return json.dumps(fields).encode() + b"\n"


def test_nothing_is_taken_of_nothing() -> None:
    assert taken(b"") == Taken()
    assert taken() == Taken()


def test_an_event_is_taken_with_its_fields_and_our_time() -> None:
    whole = taken(line(event="tool.started", tool="search", preview={"deep": [1, None, True]}))
    assert events(whole) == [
        {"event": "tool.started", "timestamp": NOW, "tool": "search", "preview": {"deep": [1, None, True]}}
    ]
    assert whole.refused == []


@pytest.mark.parametrize("event", ["message.delta", "reasoning.delta"])
def test_deltas_are_taken_the_fast_way_and_look_no_different(event: str) -> None:
    fast = taken(line(event=event, delta='é\n\r"\\'))
    slow = taken(line(event=event, delta='é\n\r"\\', more=1))
    assert [{**each, "more": 1} for each in events(fast)] == events(slow)


def test_a_line_is_taken_when_its_end_comes() -> None:
    intake = Intake(LIMIT)
    assert intake.feed(b'{"event":"a.', NOW) == Taken()
    assert intake.feed(b'b"}', NOW) == Taken()
    assert intake.feed(b"\n", NOW).count == 1
    assert intake.feed(b"\n", NOW).count == 0


@pytest.mark.parametrize("given", [0, 12, 1e300, "2020-01-01", None, [1], {"a": 1}], ids=repr)
@pytest.mark.parametrize("event", ["message.delta", "a.b"])
def test_a_timestamp_of_the_agents_is_ours_instead(event: str, given: object) -> None:
    [found] = events(taken(line(event=event, delta="x", timestamp=given)))
    assert found["timestamp"] == NOW


@pytest.mark.parametrize("event", ["message.delta", "a.b"])
@pytest.mark.parametrize("key", ["run_id", "seq"])
def test_what_the_runtime_stamps_is_stripped(event: str, key: str) -> None:
    [found] = events(taken(line(event=event, delta="x", **{key: 99})))
    assert found == {"event": event, "timestamp": NOW, "delta": "x"}


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        (b'{"event":"message.delta","delta":"x","delta":"y"}', {"event": "message.delta", "delta": "y"}),
        (b'{"event":"message.delta","event":"a.b","delta":"x"}', {"event": "a.b", "delta": "x"}),
        (b'{"event":"run.completed","event":"a.b"}', {"event": "a.b"}),
        (b'{"event":"a.b","x":1,"x":2}', {"event": "a.b", "x": 2}),
        (b'{"event":"a.b","se\\u0071":5}', {"event": "a.b"}),
        (b'{"\\u0065vent":"a.b"}', {"event": "a.b"}),
    ],
    ids=repr,
)
def test_of_a_doubled_key_the_last_is_taken_and_one_goes_on(text: bytes, seen: dict[str, Any]) -> None:
    whole = taken(text + b"\n")
    assert events(whole) == [{**seen, "timestamp": NOW}]
    assert whole.blob.count(b'"event"') == 1
    assert whole.blob.count(b'"delta"') <= 1


@pytest.mark.parametrize(
    "text",
    [
        b'{"event":"a.b","event":"run.completed"}',
        b'{"event":"message.delta","event":"run.completed","delta":"x"}',
        b'{"event":"a.b","\\u0065vent":"stream.gap"}',
        b'{"event":"run\\u002ecompleted"}',
        b'{"event":"\\u0072un.completed"}',
    ],
    ids=repr,
)
def test_no_spelling_hides_a_name_of_the_runtimes(text: bytes) -> None:
    whole = taken(text + b"\n")
    assert whole.count == 0
    assert "belong to the runtime" in whole.refused[0].why


@pytest.mark.parametrize("name", ["a.b", "tool.started", "a.b.c", "x_1.2", "runner.up", "a.run.completed"])
def test_a_dotted_name_is_the_agents_to_choose(name: str) -> None:
    assert why_not(name) is None


@pytest.mark.parametrize(
    "name", [f"{owned}{rest}" for owned in OWNED for rest in ("completed", "gap", "x.y")]
)
def test_what_begins_with_a_name_of_the_runtimes_is_the_runtimes(name: str) -> None:
    assert "belong to the runtime" in (why_not(name) or "")


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            "run",
            "a",
            "a.",
            ".a",
            "a..b",
            "A.b",
            "a.B",
            "1.a",
            "a-b.c",
            "a b.c",
            " a.b",
            "a.b ",
            "a.b\n",
            "é.a",
        ),
        *("a.b\x00", "a." + "b" * 127, "run.", None, 1, ["a.b"], {"a": "b"}, True),
    ],
    ids=repr,
)
def test_what_is_no_dotted_name_is_refused_and_the_agent_is_told(name: object) -> None:
    whole = taken(line(event=name))
    assert whole.count == 0
    assert whole.refused == [Refused(name[:128] if isinstance(name, str) else "", why_not(name) or "")]


def test_an_object_without_a_name_is_refused() -> None:
    assert "needs a name" in taken(line(delta="x")).refused[0].why


@pytest.mark.parametrize(
    "text",
    [
        *(b"hello", b"{", b"[]", b"1", b"null", b'"a.b"', b"{}}", b"{'event':'a.b'}", b'{"event":"a.b",}'),
        *(
            b"\x00",
            b"\xff\xfe",
            b"\xef\xbb\xbf{}",
            b'{"event":"a.b","x":NaN}',
            b'{"event":"a.b","x":Infinity}',
        ),
        *(b'{"event":"a.b","x":1e999}', b'{"event":"a.b","x":"\xff"}', b'{"event":"a.b","x":"\x01"}'),
        *(b'{"event":"a.b","x":"\\ud800"}', b'{"event":"a.b","\\udc00":1}', b'{"event":"\\ud800.b"}'),
        *(b'{"event":"a.b","x":01}', b'{"event":"a.b","x":1' + b"0" * 5_000 + b"}"),
        *(b"[" * 10_000, b'{"event":"a.b","x":' + b"[" * 10_000 + b"]" * 10_000 + b"}", b'{"a":' * 10_000),
        *(b'{"claim":' + b"[" * 10_000 + b"]" * 10_000 + b"}", b'{"claim":"completed","output":NaN}'),
        *(b'{"claim":"completed","output":"\\ud800"}', b'{"claim":"exception","error":"\\udfff"}'),
    ],
    ids=lambda text: repr(text[:40]),
)
def test_what_is_no_object_of_json_is_refused_and_hurts_nothing(text: bytes) -> None:
    whole = taken(text + b"\n", line(event="a.b"), limit=100_000)
    assert len(whole.refused) == 1
    assert whole.claim is None
    assert [found["event"] for found in events(whole)] == ["a.b"]
    json.dumps(whole.refused[0].why).encode()


def test_an_integer_of_any_size_goes_on_as_it_is() -> None:
    [found] = events(taken(line(event="a.b", x=10**400, y=-(2**63) - 1, z=2**64)))
    assert (found["x"], found["y"], found["z"]) == (10**400, -(2**63) - 1, 2**64)


# ── claims ──────────────────────────────────────────────────────────────────────────────────────


def test_a_claim_is_taken_with_all_that_it_says() -> None:
    whole = taken(line(claim="completed", output=[1, 2], usage={"input_tokens": 3}, kind="function"))
    assert whole.claim == Claim(kind="completed", output=b"[1,2]", usage=Usage(input_tokens=3))
    assert whole.kind == "function"
    assert whole.count == 0


@pytest.mark.parametrize("kind", ["completed", "exception", "start_failed", "interrupted"])
def test_a_claim_may_say_no_more_than_its_kind(kind: Any) -> None:
    assert taken(line(claim=kind)).claim == Claim(kind=kind)


@pytest.mark.parametrize(
    "said",
    [
        *({"claim": "killed"}, {"claim": None}, {"claim": "completed", "reason": "shutdown"}),
        *({"claim": "completed", "error": 1}, {"claim": "completed", "usage": {"input_tokens": "3"}}),
        *({"claim": "completed", "event": "a.b"}, {"claim": "completed", "kind": 1}),
    ],
    ids=repr,
)
def test_a_claim_of_another_form_is_refused(said: dict[str, Any]) -> None:
    whole = taken(line(**said))
    assert whole.claim is None
    assert whole.refused[0].why.startswith("not a claim")


@pytest.mark.parametrize("kind", ["", "nonsense", "<script>", "x" * 900])
def test_a_kind_that_there_is_not_is_not_taken(kind: str) -> None:
    assert taken(line(claim="completed", kind=kind)).kind is None


def test_the_first_claim_of_a_chunk_counts() -> None:
    assert taken(line(claim="completed") + line(claim="exception")).claim == Claim(kind="completed")


def test_events_around_a_claim_are_taken_too() -> None:
    whole = taken(line(event="a.b") + line(claim="completed") + line(event="c.d"))
    assert [found["event"] for found in events(whole)] == ["a.b", "c.d"]


def test_whatever_is_claimed_can_be_sent_on() -> None:
    claim = taken(line(claim="completed", usage={"input_tokens": 2**64})).claim
    wire.encode(Exited("run_1", 1, a_record(claim=claim)))


def test_no_output_holds_a_carriage_return() -> None:
    claim = taken(b'{"claim":"completed","output":[1,\r\r2]}\n').claim
    assert claim is not None
    assert b"\r" not in claim.output


# ── sizes ───────────────────────────────────────────────────────────────────────────────────────


def test_a_line_that_is_too_long_is_refused_once_and_the_next_is_taken() -> None:
    whole = taken(b"x" * 900, b"x" * 900, b"x" * 900, b"x\n" + line(event="a.b"))
    assert whole.refused == [Refused("", "an event is longer than 1000 bytes")]
    assert [found["event"] for found in events(whole)] == ["a.b"]


def test_after_a_line_that_is_too_long_nothing_of_it_is_taken_for_a_line() -> None:
    whole = taken(b"x" * 2_000, b'{"event":"a.b"}', b'{"event":"c.d"}\n{"event":"e.f"}', b"\n")
    assert [found["event"] for found in events(whole)] == ["e.f"]
    assert len(whole.refused) == 1


@pytest.mark.parametrize("event", ["message.delta", "a.b"])
def test_an_event_that_is_too_long_is_refused_by_name(event: str) -> None:
    whole = taken(line(event=event, delta="x" * 2_000) + line(event="a.b"))
    assert [refused.event for refused in whole.refused] == [event]
    assert whole.count == 1


def test_an_event_that_grows_in_the_making_is_refused_too() -> None:
    """`1e15` is four bytes and `1000000000000000.0` eighteen."""
    whole = taken(b'{"event":"a.b","x":[' + b"1e15," * 150 + b"1]}\n")
    assert whole.count == 0
    assert "longer than" in whole.refused[0].why


def test_what_has_no_end_of_line_is_not_kept() -> None:
    intake = Intake(LIMIT)
    chunk = b"x" * 65_536
    tracemalloc.start()
    try:
        refused = sum(len(intake.feed(chunk, NOW).refused) for _ in range(200))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert refused == 1
    assert peak < 4 * len(chunk)
