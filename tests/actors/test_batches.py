"""Batches between warden and supervisor, through a real server: as large as the configuration allows, no larger."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import running
from tests.support.waiting import AT_LAST_S, until

COUNT = {"entrypoint": "runward.actors.builtin:count", "options": {"interval_s": 0.0}}
SMALL = {"max_event_bytes": 4_096, "max_batch_bytes": 4_096, "max_message_bytes": 16_384}
#: One byte more than the two others together is the least that a configuration may say.
SMALLEST = {"max_event_bytes": 8_192, "max_batch_bytes": 512, "max_message_bytes": 8_705}


def program(script: str) -> Mapping[str, object]:
    """An agent that is a line of shell."""
    return {"command": ["/bin/sh", "-c", script]}


def outcome(folder: Path, events: Mapping[str, int], agent: Mapping[str, object], text: str = "go") -> Any:
    """The run of this agent, once it ended, on a server with these bounds."""
    with running(folder, {"events": events, "agents": {"quick": agent}}) as server:
        run_id = server.client.start("quick", text)
        return until(
            lambda: run if (run := server.client.run(run_id))["ended_at"] is not None else None,
            AT_LAST_S,
            lambda: f"the end of {server.client.run(run_id)}",
        )


def test_an_agent_in_a_hurry_gets_all_its_events_through_messages_that_are_small(tmp_path: Path) -> None:
    run = outcome(tmp_path, SMALL, COUNT, "5000")
    assert run["last_seq"] == 5_003  # queued, started, every number, the end


@pytest.mark.slow
def test_events_that_grow_in_the_making_get_through_too(tmp_path: Path) -> None:
    """`1e15,` is five bytes, and what goes on of it nineteen."""
    numbers = "1e15," * 40
    script = f'for i in $(seq 300); do echo \'{{"event":"a.b","x":[{numbers}1]}}\'; done'
    run = outcome(tmp_path, SMALL, program(script))
    assert run["last_seq"] == 303


@pytest.mark.slow
def test_the_smallest_events_get_through_the_smallest_messages(tmp_path: Path) -> None:
    script = 'for i in $(seq 2000); do echo \'{"event":"a.b"}\'; done'
    run = outcome(tmp_path, SMALLEST, program(script))
    assert run["last_seq"] == 2_003


@pytest.mark.slow
def test_the_largest_event_gets_through_the_smallest_messages(tmp_path: Path) -> None:
    text = "x" * (8_192 - len('{"event":"a.b","x":""}'))
    tiny = 'echo \'{"event":"a.b"}\'; ' * 30
    script = f'for i in $(seq 20); do {tiny} echo \'{{"event":"a.b","x":"{text}"}}\'; done'
    run = outcome(tmp_path, SMALLEST, program(script))
    assert run["last_seq"] == 20 * 31 + 3


def test_a_last_word_gets_through_with_the_end_of_a_stderr_that_is_no_text(tmp_path: Path) -> None:
    """Each byte of it takes four letters to show."""
    script = "head -c 5000 /dev/zero | tr '\\0' '\\377' >&2; echo '{\"output\":1}'"
    run = outcome(tmp_path, SMALL, program(script))
    assert (run["status"], run["output"]) == ("completed", 1)
    assert run["exit"]["code"] == 0
