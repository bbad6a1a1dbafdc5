"""Function agents of every kind, in real processes."""

from collections import defaultdict
from typing import Any

import pytest

from .harness import Warden

OUTCOMES: list[tuple[str, str, Any, list[str]]] = [
    ("returns", "function", "you said hello", []),
    ("returns_json", "function", {"said": "hello", "list": [1, 2.5, None, True]}, []),
    ("returns_nothing", "function", None, []),
    ("takes_run_by_name", "function", "run_1", []),
    ("partial", "function", "ho ho ho ", []),
    ("instance.method", "function", "run_1 hello", []),
    ("instance", "generator", "hello", ["hello"]),
    ("generates", "generator", "you said hello", ["you ", "said ", "hello"]),
    ("generates_and_returns", "generator", {"answer": 42}, ["thinking"]),
    ("returns_an_iterator", "generator", "HELLO", ["HELLO"]),
    ("awaits", "async_function", "awaited hello", ["async"]),
    ("generates_async", "async_generator", "hello", ["hello"]),
    ("returns_an_async_iterator", "async_generator", "hello", ["hello"]),
    ("decorated", "async_generator", "hello", ["hello"]),
    ("generates_half_a_pair", "generator", "?? \0 \n \x7f é", ["?", "? \0 \n \x7f é"]),
]


@pytest.mark.parametrize(("agent", "kind", "output", "deltas"), OUTCOMES)
def test_each_kind_streams_its_yields_and_claims_its_output(
    warden: Warden, agent: str, kind: str, output: Any, deltas: list[str]
) -> None:
    life = warden.run_to_end(f"functions:{agent}")
    expected = {"claim": "completed", "kind": kind}
    assert life.claim == (expected if output is None else {**expected, "output": output})
    assert life.deltas == deltas
    assert life.end() == 0
    assert life.stderr == ""


def test_the_claim_comes_last_and_once(warden: Warden) -> None:
    life = warden.run_to_end("functions:generates")
    assert [("claim" in line) for line in life.lines] == [False, False, False, False, True]


def test_the_run_holds_what_was_given(warden: Warden, tmp_path: Any) -> None:
    life = warden.fork("functions:tells_of_its_run")
    given: dict[str, Any] = {
        "session_id": "s1",
        "history": [{"role": "user", "content": "before"}],
        "instructions": "be brief",
        "metadata": {"a": "b"},
        "model": "m",
    }
    life.begin("hello", **given)
    life.end()
    assert life.claim["output"] == {
        **given,
        "input": "hello",
        "run_id": "run_1",
        "work_folder": str(tmp_path),
    }


def test_without_a_session_the_run_is_its_own(warden: Warden) -> None:
    assert warden.run_to_end("functions:tells_of_its_run").claim["output"]["session_id"] == "run_1"


def test_options_are_keyword_arguments(warden: Warden) -> None:
    life = warden.run_to_end("functions:takes_options", options={"greeting": "ha", "times": 2})
    assert life.claim["output"] == "haha"


def test_events_pass_with_their_fields(warden: Warden) -> None:
    assert warden.run_to_end("functions:emits").events == [
        {"event": "tool.started", "tool": "search", "preview": "hello"},
        {"event": "a.b_c.d1", "text": "hello", "numbers": [1, 2], "nothing": None},
    ]


def test_usage_is_part_of_the_claim(warden: Warden) -> None:
    usage = warden.run_to_end("functions:counts_tokens").claim["usage"]
    assert usage == {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}


def test_events_of_many_threads_arrive_whole_and_in_each_threads_order(warden: Warden) -> None:
    life = warden.run_to_end("functions:emits_from_threads", "1000")
    heard = defaultdict(list)
    for event in life.events:
        heard[event["thread"]].append(event["number"])
    assert dict(heard) == {thread: list(range(1000)) for thread in range(4)}


def test_a_long_stream_is_no_output_but_is_all_there(warden: Warden) -> None:
    life = warden.run_to_end("functions:generates_much", "20000")
    assert len(life.deltas) == 20_000
    assert life.claim == {"claim": "completed", "kind": "generator"}


def test_what_it_prints_goes_to_stdout_line_by_line(warden: Warden) -> None:
    life = warden.run_to_end("functions:prints", "é \ud83d".encode("utf-8", "replace").decode())
    assert life.stdout == "é ?\n"
    assert life.lines == [life.claim]


def test_a_long_input_arrives(warden: Warden) -> None:
    life = warden.run_to_end("functions:returns_json", "x" * 900_000)
    assert len(life.claim["output"]["said"]) == 900_000


def test_what_comes_before_the_start_is_passed_over(warden: Warden) -> None:
    life = warden.fork("functions:returns")
    life.send(b'{"control":"from.the.future"}\nnot json\n')
    life.refuse("x.y", "why not")
    life.begin()
    assert life.end() == 0
    assert life.claim["output"] == "you said hello"


def test_a_refused_event_is_a_warning_on_stderr(warden: Warden) -> None:
    life = warden.fork("patient:polls")
    life.begin()
    life.hear_deltas()
    life.refuse("run.completed", "belongs to the runtime")
    life.interrupt()
    life.end()
    assert life.stderr == "runward: event 'run.completed' was refused: belongs to the runtime\n"


def test_a_module_agent_runs_too(warden: Warden) -> None:
    life = warden.run_to_end("runward.actors.builtin:echo", "hi")
    assert life.claim == {"claim": "completed", "output": "hi", "kind": "generator"}
