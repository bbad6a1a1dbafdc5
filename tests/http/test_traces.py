"""Where runs stand in traces, and what their spans say."""

import pytest

from runward.actors.records import Exit, Reason, RunRecord, Status, Usage
from runward.http.traces import Place, Span, attributes, place_of, read, written

TRACE, ABOVE = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HEADER = f"00-{TRACE}-{ABOVE}-01"


def a_run(run_id: str = "run_1", **fields: object) -> RunRecord:
    return RunRecord(run_id=run_id, agent="echo", created_at=1.0, updated_at=1.0, **fields)  # type: ignore[arg-type]


def test_what_is_written_is_read_again() -> None:
    span = read(HEADER)
    assert span == Span(int(TRACE, 16), int(ABOVE, 16), True)
    assert written(span) == HEADER
    assert read(f"00-{TRACE}-{ABOVE}-00") == span._replace(sampled=False)
    assert read(f"00-{TRACE}-{ABOVE}-ff") == span
    assert read(f"cc-{TRACE}-{ABOVE}-01-of-a-later-version") == span


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        f"00-{'0' * 32}-{ABOVE}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{ABOVE}-01",
        f"00-{TRACE}-{ABOVE}-01-more",
        f"00-{TRACE.upper()}-{ABOVE}-01",
        f"00-{TRACE}-{ABOVE}-1",
        f" 00-{TRACE}-{ABOVE}-01",
        f"{HEADER}\n",
    ],
)
def test_what_is_no_trace_parent_is_none(header: str) -> None:
    assert read(header) is None


def test_a_run_stands_below_its_request_and_alone_it_begins_a_trace() -> None:
    place = place_of(a_run(trace_parent=HEADER), [])
    assert place[::2] == (int(TRACE, 16), int(ABOVE, 16))
    alone = place_of(a_run(), [])
    assert (alone.span_id, alone.above, alone.sampled) == (place.span_id, 0, True)
    assert alone.trace_id != place_of(a_run("run_2"), []).trace_id
    assert alone.span_id != place_of(a_run("run_2"), []).span_id


def test_a_child_stands_below_its_parent_in_the_trace_of_the_root() -> None:
    root = a_run("run_0", trace_parent=f"00-{TRACE}-{ABOVE}-00")
    parent = a_run("run_1", parent_run_id="run_0")
    child = a_run("run_2", parent_run_id="run_1")
    place = place_of(child, [parent, root])
    assert place == Place(int(TRACE, 16), place.span_id, place_of(parent, [root]).span_id, False)
    assert place_of(parent, [root]).above == place_of(root, []).span_id


@pytest.mark.parametrize("above", [[], [a_run("run_1", parent_run_id="run_0"), a_run("run_0")]])
def test_children_of_runs_without_a_trace_share_one(above: list[RunRecord]) -> None:
    child = a_run("run_2", parent_run_id="run_1")
    place = place_of(child, above)
    root = above[-1] if above else a_run("run_1")
    assert place.trace_id == place_of(root, []).trace_id
    assert place.above == place_of(a_run("run_1"), []).span_id


def test_a_child_that_was_asked_for_stands_below_that_request() -> None:
    place = place_of(a_run(parent_run_id="run_0", trace_parent=HEADER), [a_run("run_0")])
    assert place.above == int(ABOVE, 16)


def test_a_span_says_nothing_that_somebody_wrote() -> None:
    record = a_run(
        status=Status.FAILED,
        reason=Reason.EXCEPTION,
        error="words",
        metadata={"words": "words"},
        session_id="words",
        model="words",
        stop_reason="words",
        usage=Usage(input_tokens=3, output_tokens=4, total_tokens=7),
        exit=Exit(rung="kill", took_ms=1.5, proof="pidns", survivors=[9], stderr_tail="words"),
    )
    told = attributes(record)
    assert "words" not in repr(told)
    assert told == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "echo",
        "gen_ai.usage.input_tokens": 3,
        "gen_ai.usage.output_tokens": 4,
        "runward.run.id": "run_1",
        "runward.run.status": "failed",
        "runward.run.reason": "exception",
        "runward.run.attempt": 1,
        "runward.run.events": 0,
        "runward.exit.rung": "kill",
        "runward.exit.took_ms": 1.5,
        "runward.exit.proof": "pidns",
        "runward.exit.survivors": 1,
    }
