"""Conversation agents, in real processes."""

import json
from pathlib import Path
from typing import Any

import pytest

from .harness import Warden, until


def interrupts(folder: Path) -> list[str]:
    notes = folder / "interrupts"
    return notes.read_text().splitlines() if notes.exists() else []


def test_callbacks_become_the_events_of_the_golden_frames(warden: Warden) -> None:
    life = warden.run_to_end("conversations:Talker", "run echo")
    assert life.events == [
        {"event": "message.delta", "delta": "I will "},
        {"event": "message.delta", "delta": "run it. "},
        {"event": "reasoning.available", "text": "I will run it."},
        {"event": "tool.started", "tool": "terminal", "preview": "echo hi"},
        {"event": "tool.completed", "tool": "terminal", "duration": 0.123, "error": False},
        {"event": "message.delta", "delta": "\n\nDone."},
    ]
    assert life.claim == {
        "claim": "completed",
        "output": "Done.",
        "usage": {"input_tokens": 205, "output_tokens": 14, "total_tokens": 219},
        "kind": "conversation",
    }
    assert life.end() == 0


def test_it_is_built_and_asked_with_what_its_signatures_take(warden: Warden) -> None:
    life = warden.fork("conversations:Talker", options={"mood": "sunny", "unknown": 1})
    life.begin("hi", session_id="s1", instructions="be kind", history=[{"role": "user", "content": "x"}])
    life.end()
    said = json.loads(life.stdout.replace("'", '"'))
    assert said == ["s1", "be kind", "sunny", "hi", [{"role": "user", "content": "x"}], "run_1"]
    assert life.stderr == "runward: the agent takes no option 'unknown': left out\n"


def test_without_a_session_it_is_labelled_with_the_run(warden: Warden) -> None:
    assert "['run_1', None, 'made'" in warden.run_to_end("conversations:factory").stdout


@pytest.mark.parametrize("agent", ["Gives", "instance", "annotated_factory"])
def test_a_class_a_factory_and_an_instance_will_do(warden: Warden, agent: str) -> None:
    life = warden.run_to_end(f"conversations:{agent}", "{'final_response': user_message.upper()[:6]}")
    assert life.claim == {"claim": "completed", "output": "{'FINA", "kind": "conversation"}


RESULTS: list[tuple[str, dict[str, Any], int]] = [
    ("None", {"claim": "completed"}, 0),
    ("{}", {"claim": "completed"}, 0),
    ("'just text'", {"claim": "completed", "output": "just text"}, 0),
    ("{'final_response': {'a': 1}}", {"claim": "completed", "output": {"a": 1}}, 0),
    (
        "{'final_response': None, 'failed': True, 'error': 'HTTP 401: no'}",
        {"claim": "exception", "error": "HTTP 401: no"},
        1,
    ),
    (
        "{'final_response': 'half', 'failed': True}",
        {"claim": "exception", "error": "the conversation failed and did not say why", "output": "half"},
        1,
    ),
    ("{'final_response': 'x', 'interrupted': True}", {"claim": "interrupted", "output": "x"}, 130),
    ("self.raises()", {"claim": "exception", "error": "ValueError: as asked"}, 1),
]


@pytest.mark.parametrize(("text", "claim", "code"), RESULTS)
def test_its_result_tells_how_it_ended(warden: Warden, text: str, claim: dict[str, Any], code: int) -> None:
    life = warden.run_to_end("conversations:Gives", text)
    assert life.claim == {**claim, "kind": "conversation"}
    assert life.end() == code


def test_a_result_that_is_neither_dict_nor_text_is_an_exception(warden: Warden) -> None:
    life = warden.run_to_end("conversations:Gives", "42")
    assert life.claim["error"] == "TypeError: run_conversation returned a int, not a dict"


def test_an_interrupt_is_called_exactly_once_and_the_rest_is_its_own(warden: Warden, tmp_path: Path) -> None:
    life = warden.run("conversations:Waiter")
    life.hear_deltas()
    life.interrupt("Stop requested via API")
    assert life.end() == 130
    assert interrupts(tmp_path) == ["Stop requested via API"]
    assert life.claim == {"claim": "interrupted", "output": "partial hello", "kind": "conversation"}


def test_what_its_interrupt_raises_is_printed_and_changes_nothing(warden: Warden, tmp_path: Path) -> None:
    life = warden.run("conversations:BadInterrupt")
    life.hear_deltas()
    life.interrupt("one")
    life.hear_stderr("RuntimeError: interrupt is broken")
    life.interrupt("two")
    assert life.end() == 130
    assert interrupts(tmp_path) == ["two"]


def test_an_interrupt_that_never_returns_changes_nothing(warden: Warden, tmp_path: Path) -> None:
    life = warden.run("conversations:HangingInterrupt")
    life.hear_deltas()
    life.interrupt()
    assert life.end() == 130
    assert interrupts(tmp_path) == ["Stop requested via API"]
    assert life.claim["output"] == "partial hello"


def test_a_hanging_interrupt_does_not_hide_the_wardens_death(warden: Warden, tmp_path: Path) -> None:
    life = warden.run("conversations:DeafAndHanging")
    life.hear_deltas()
    life.interrupt()
    until(lambda: bool(interrupts(tmp_path)), "the interrupt")
    life.hang_up()
    assert life.end() == 1


def test_an_interrupt_while_it_is_built_is_delivered_right_after(warden: Warden, tmp_path: Path) -> None:
    life = warden.run("conversations:Waiter", options={"slow_s": 0.3})
    life.hear_deltas()
    life.interrupt()
    assert life.end() == 130
    assert life.deltas == ["building"]
    assert interrupts(tmp_path) == ["Stop requested via API"]


def test_an_interrupt_before_the_start_is_delivered_too(warden: Warden, tmp_path: Path) -> None:
    life = warden.fork("conversations:Waiter")
    life.interrupt()
    life.begin()
    assert life.end() == 130
    assert interrupts(tmp_path) == ["Stop requested via API"]


def test_one_without_interrupt_is_left_by_sigterm_with_what_it_said(warden: Warden) -> None:
    life = warden.run("conversations:Deaf")
    life.hear_deltas()
    life.interrupt()
    life.signal()
    assert life.end() == 130
    assert life.claim == {"claim": "interrupted", "output": "waiting", "kind": "conversation"}
