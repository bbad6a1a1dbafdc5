"""hermes-agent's `AIAgent`, the real package, with a model over a real port."""

import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from ..support.client import Client, Json
from ..support.extras import python_with
from ..support.language_model import COMPLETION_TOKENS, PROMPT_TOKENS, LanguageModel
from ..support.server import Server, running
from ..support.waiting import AT_LAST_S, until
from .houses import VARIABLES, reaching

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1000)]

AGENT = {"entrypoint": "runward.actors.hermes:Agent", "options": {"model": "scripted"}}


@pytest.fixture(scope="module")
def house(model: LanguageModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = {
        "agents": {"hermes": {**AGENT, **reaching(model.url)}},
        "runs": {"builtin_agents": ["echo"]},
    }
    with running(
        tmp_path_factory.mktemp("hermes"), config, python=python_with("hermes"), variables=VARIABLES
    ) as server:
        yield server


@pytest.fixture
def client(house: Server) -> Client:
    return house.client


def _terminal(command: str) -> str:
    return f"call terminal {json.dumps({'command': command})}"


def _named(events: list[Json], name: str) -> list[Json]:
    return [event for event in events if event["event"] == name]


def _waiting_in_a_tool(client: Client, command: str) -> str:
    run_id = client.start("hermes", _terminal(command))
    with client.stream(run_id) as stream:
        stream.until("tool.started")
    return run_id


def test_a_turn_with_a_tool_call(client: Client) -> None:
    run_id = client.start("hermes", _terminal("echo hi"))
    events = client.events(run_id)
    run = client.run(run_id)
    answer = 'done: {"output": "hi", "exit_code": 0, "error": null}'
    assert (run["status"], run["output"]) == ("completed", answer), run
    own = [event["event"] for event in events if not event["event"].startswith("run.")]
    assert own[:2] == ["tool.started", "tool.completed"]
    assert set(own[2:-1]) == {"message.delta"}
    assert own[-1] == "reasoning.available"
    assert (events[2]["tool"], events[2]["preview"]) == ("terminal", "echo hi")
    assert (events[3]["tool"], events[3]["error"]) == ("terminal", False)
    spent, made = 2 * PROMPT_TOKENS, 2 * COMPLETION_TOKENS
    assert run["usage"] == {"input_tokens": spent, "output_tokens": made, "total_tokens": spent + made}


def test_what_its_model_thinks_is_reasoning(client: Client) -> None:
    run_id = client.start("hermes", "think hard about it")
    events = client.events(run_id)
    assert "".join(event["delta"] for event in _named(events, "reasoning.delta")) == "hard about it"
    assert client.run(run_id)["output"] == "thought about it"


def test_an_interrupt_ends_an_answer_in_the_middle(client: Client, model: LanguageModel) -> None:
    run = client.stopped(client.begun("hermes", "slow 1000 0.05"))
    assert (run["status"], run["reason"], run["exit"]["rung"]) == ("cancelled", "interrupted", "interrupt")
    assert run["output"].startswith("w0")
    until(lambda: model.open == 0, AT_LAST_S, "the end of the request to the model")


def test_an_interrupt_ends_a_tool_that_hangs(house: Server, client: Client) -> None:
    with house.without_leftovers():
        run_id = _waiting_in_a_tool(client, "(setsid sleep 299 &); trap '' TERM INT HUP; sleep 300")
        run = client.stopped(run_id)
        assert (run["status"], run["reason"], run["exit"]["rung"]) == (
            "cancelled",
            "interrupted",
            "interrupt",
        )
        assert run["exit"]["survivors"] == []
    (completed,) = _named(client.events(run_id), "tool.completed")
    assert completed["error"] is True


def test_guidance_reaches_it_in_a_tool(client: Client, model: LanguageModel) -> None:
    run_id = _waiting_in_a_tool(
        client, "until [ -e go ]; do sleep 0.1; [ $((i=i+1)) -lt 40 ] || exit 0; done"
    )
    answer = client.ask("POST", f"/v1/runs/{run_id}/steer", {"input": "in French, please"})
    assert answer.status == 200, answer.body
    assert client.ended(run_id)["status"] == "completed"
    assert "in French, please" in model.requests[-1]["messages"][-1]["content"]


@pytest.mark.parametrize(("choice", "said"), [("once", "was approved by the user"), ("deny", "BLOCKED")])
def test_people_are_asked_before_what_is_dangerous(client: Client, choice: str, said: str) -> None:
    run_id = client.start("hermes", _terminal("mkdir -p /tmp/x/victim; rm -rf /tmp/x/victim"))
    with client.stream(run_id) as stream:
        asked = stream.until("approval.request").event
        assert client.run(run_id)["status"] == "waiting_for_approval"
        answer = client.ask("POST", f"/v1/runs/{run_id}/approval", {"choice": choice})
        assert answer.status == 200, answer.body
        stream.rest()
    assert asked["choices"] == ["once", "session", "always", "deny"]
    assert asked["command"].endswith("rm -rf /tmp/x/victim")
    assert asked["pattern_keys"]
    assert said in client.run(run_id)["output"]


def test_a_stop_ends_a_run_that_waits_for_people(client: Client) -> None:
    run_id = client.start("hermes", _terminal("rm -rf /tmp/x/victim"))
    with client.stream(run_id) as stream:
        stream.until("approval.request")
    run = client.stopped(run_id)
    assert (run["status"], run["exit"]["rung"]) == ("cancelled", "interrupt")


def test_its_home_is_its_own_and_goes_with_it(house: Server, client: Client) -> None:
    homes = set()
    for _ in range(2):
        output = client.ended(client.start("hermes", _terminal("cd; ls -a; touch .hermes/mine")))["output"]
        found: dict[str, Any] = json.loads(output.removeprefix("done: "))
        homes.add(found["output"])
    (listed,) = homes  # the second finds nothing of the first
    assert ".hermes" in listed.split()
    folders = list((house.folder / "state").rglob(".hermes"))
    assert folders == []


def test_a_kill_in_mid_turn_hurts_nobody_else(house: Server, client: Client) -> None:
    with house.without_leftovers():
        victim = _waiting_in_a_tool(client, "sleep 299")
        siblings = [client.begun("hermes", "slow 40 0.1") for _ in range(2)]
        os.kill(client.run(victim)["process"]["pid"], signal.SIGKILL)
        run = client.ended(victim)
        assert (run["status"], run["reason"], run["exit"]["signal"]) == ("failed", "signal", "SIGKILL")
        for run_id in (victim, *siblings):
            events = client.events(run_id)
            assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        assert [client.run(sibling)["status"] for sibling in siblings] == ["completed", "completed"]
        assert client.is_healthy()
        assert client.ended(client.start("echo", "still here"))["output"] == "still here"


def test_what_was_said_before_goes_to_the_model(client: Client, model: LanguageModel) -> None:
    before = [{"role": "user", "content": "What is 6 × 7?"}, {"role": "assistant", "content": "42"}]
    run_id = client.start("hermes", "say and again", conversation_history=before, instructions="Be a pirate.")
    assert client.ended(run_id)["output"] == "and again"
    told = str(model.requests[-1]["messages"])
    assert told.index("What is 6 × 7?") < told.index("42") < told.index("say and again")
    assert "Be a pirate." in told


def test_a_model_that_refuses_fails_the_run(client: Client) -> None:
    run = client.ended(client.start("hermes", "error 401"))
    assert (run["status"], run["reason"]) == ("failed", "exception")
    assert "scripted error" in run["error"]
