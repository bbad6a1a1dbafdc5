"""A client that others wrote for hermes' own `/v1/runs` reads our streams unchanged: hermes-control-mcp.

hermes-agent itself has none: docs/decisions/0029-frameworks.md says where that was looked for.
"""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ..support.client import Json
from ..support.extras import python_with
from ..support.language_model import LanguageModel
from ..support.server import Server, running
from .houses import VARIABLES, reaching
from .started import PROGRAMS
from .test_hermes import AGENT, _terminal
from .test_hermes_tens import own_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1000)]

KEY = "a key that is long enough"
CALLED_WITHIN_S = 120.0

Call = tuple[str, Json]
Bridge = Callable[..., list[Json]]


@pytest.fixture(scope="module")
def house(model: LanguageModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = {
        "agents": {"hermes": {**AGENT, **reaching(model.url)}},
        "runs": {"default_agent": "hermes"},
    }
    folder = tmp_path_factory.mktemp("client")
    with running(folder, config, key=KEY, python=python_with("hermes"), variables=VARIABLES) as server:
        yield server


@pytest.fixture
def bridge(tmp_path: Path) -> Bridge:
    """Calls its tools, on a server; what each answered."""

    def call(url: str, *calls: Call) -> list[Json]:
        variables = {"API_SERVER_KEY": KEY, "HOME": str(tmp_path), "PYTHONPATH": "", "NO_PROXY": "127.0.0.1"}
        done = subprocess.run(
            [python_with("hermes-client"), str(PROGRAMS / "hermes_client.py"), url, str(tmp_path)],
            input=json.dumps(calls),
            cwd=tmp_path,
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            timeout=CALLED_WITHIN_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return [json.loads(line) for line in done.stdout.splitlines()]

    return call


def _begin(text: str) -> Call:
    return "run_start", {"lane": "one", "prompt": text}


EVENTS: Call = ("run_events", {"lane": "one"})
STATUS: Call = ("run_wait", {"lane": "one"})
STOP: Call = ("run_stop", {"lane": "one"})


def _of_both(events: list[Json]) -> list[Json]:
    """Without what ours has besides (the run's beginning, and more fields), and what differs each time."""
    added = {"run.queued", "run.started", "run.stopping", "reasoning.delta"}
    own = {"run_id", "timestamp", "seq", "duration", "reason", "exit"}
    return [
        {name: each for name, each in event.items() if name not in own}
        for event in events
        if event["event"] not in added
    ]


@pytest.mark.parametrize("text", ["say one two three", _terminal("echo hi")])
def test_it_reads_the_same_of_us_as_of_hermes_server(
    house: Server, model: LanguageModel, tmp_path: Path, bridge: Bridge, text: str
) -> None:
    with own_server(model, tmp_path) as beside:
        there = bridge(beside.url, _begin(text), EVENTS, STATUS)
    (tmp_path / "bridge.db").unlink()  # it takes the one server for the other
    here = bridge(house.url, _begin(text), EVENTS, STATUS)
    for (started, read, ended), server in ((there, "theirs"), (here, "ours")):
        assert (started["ok"], started["status"]) == (True, "started"), (server, started)
        assert (read["error_code"], bool(read["answer"])) == (None, True), (server, read)
        assert (ended["ok"], ended["status"], bool(ended["answer"])) == (True, "completed", True), server
    assert _of_both(here[1]["events"]) == _of_both(there[1]["events"])
    assert here[2]["answer"] == there[2]["answer"]


def test_it_stops_a_run_and_reads_that_it_ended(house: Server, bridge: Bridge) -> None:
    begun = bridge(house.url, _begin("slow 1000 0.05"))[0]
    with house.client.stream(begun["run_id"]) as stream:
        stream.until("message.delta")
    stopping, read, ended = bridge(house.url, STOP, EVENTS, STATUS)
    assert stopping["status"] == "stopping", stopping
    assert read["events"][-1]["event"] == "run.cancelled"
    assert ended["status"] == "cancelled"
    assert house.client.run(begun["run_id"])["exit"]["survivors"] == []


def test_it_guides_a_run(house: Server, model: LanguageModel, bridge: Bridge) -> None:
    command = "until [ -e go ]; do sleep 0.1; [ $((i=i+1)) -lt 80 ] || exit 0; done"
    begun = bridge(house.url, _begin(_terminal(command)))[0]
    with house.client.stream(begun["run_id"]) as stream:
        stream.until("tool.started")
    steered, ended = bridge(house.url, ("run_steer", {"lane": "one", "text": "in French, please"}), STATUS)
    assert (steered["error_code"], steered["status"]) == (None, "running"), steered
    assert ended["status"] == "completed", ended
    told: dict[str, Any] = model.requests[-1]["messages"][-1]
    assert "in French, please" in told["content"]


def test_a_request_that_it_repeats_is_the_same_run(house: Server, tmp_path: Path, bridge: Bridge) -> None:
    asked = {"lane": "one", "prompt": "say hello", "idempotency_key": "once-and-again"}
    first = bridge(house.url, ("run_start", asked), STATUS)[0]
    (tmp_path / "bridge.db").unlink()  # it has forgotten, so it asks
    again = bridge(house.url, ("run_start", asked))[0]
    assert (first["replayed"], again["run_id"]) == (False, first["run_id"])
