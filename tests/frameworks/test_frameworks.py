"""An agent of each framework, with the real package and a model over a real port."""

import os
import signal

import pytest

from ..support.client import Client, Json
from ..support.language_model import COMPLETION_TOKENS, PROMPT_TOKENS, LanguageModel
from ..support.server import Server
from ..support.waiting import AT_LAST_S, until
from . import houses

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1000)]

every_framework = pytest.mark.parametrize("framework", houses.FILES)


@pytest.fixture
def client(house: Server) -> Client:
    return house.client


def _named(events: list[Json], name: str) -> list[Json]:
    return [event for event in events if event["event"] == name]


def _said(events: list[Json], name: str = "message.delta") -> str:
    return "".join(event["delta"] for event in _named(events, name))


def _used(requests: int) -> Json:
    spent, made = requests * PROMPT_TOKENS, requests * COMPLETION_TOKENS
    return {"input_tokens": spent, "output_tokens": made, "total_tokens": spent + made}


@every_framework
def test_an_answer_comes_in_pieces(client: Client, framework: str) -> None:
    run_id = client.start(framework, "say one two three")
    events = client.events(run_id)
    run = client.run(run_id)
    assert (run["status"], run["output"]) == ("completed", "one two three"), run
    assert _said(events) == "one two three"
    assert run["usage"] == _used(1)


@every_framework
def test_a_tool_is_called_and_its_result_answered(client: Client, framework: str) -> None:
    run_id = client.start(framework, 'call add {"x": 1, "y": 2}')
    events = client.events(run_id)
    run = client.run(run_id)
    assert (run["status"], run["output"]) == ("completed", "done: 3"), run
    (started,) = _named(events, "tool.started")
    (completed,) = _named(events, "tool.completed")
    assert (started["tool"], started["preview"]) == ("add", '{"x": 1, "y": 2}')
    assert (completed["tool"], completed["error"]) == ("add", False)
    assert started["seq"] < completed["seq"] < _named(events, "message.delta")[0]["seq"]
    assert run["usage"] == _used(2)


@every_framework
def test_what_was_said_before_goes_to_the_model(client: Client, model: LanguageModel, framework: str) -> None:
    before = [{"role": "user", "content": "What is 6 × 7?"}, {"role": "assistant", "content": "42"}]
    run_id = client.start(
        framework, "say and again", conversation_history=before, instructions="Speak like a pirate."
    )
    assert client.ended(run_id)["output"] == "and again"
    told = str(model.requests[-1]["messages"])
    assert told.index("What is 6 × 7?") < told.index("42") < told.index("say and again")
    assert "Speak like a pirate." in told


@every_framework
def test_an_interrupt_ends_an_answer_in_the_middle(
    client: Client, model: LanguageModel, framework: str
) -> None:
    run = client.stopped(client.begun(framework, "slow 1000 0.05"))
    assert (run["status"], run["reason"], run["exit"]["rung"]) == ("cancelled", "interrupted", "interrupt")
    assert run["output"].startswith("w0 ")
    until(lambda: model.open == 0, AT_LAST_S, "the end of the request to the model")


@every_framework
def test_an_interrupt_ends_a_tool_that_hangs(client: Client, framework: str) -> None:
    run_id = client.start(framework, "call hang")
    with client.stream(run_id) as stream:
        stream.until("tool.started")
    run = client.stopped(run_id)
    assert (run["status"], run["reason"], run["exit"]["rung"]) == ("cancelled", "interrupted", "interrupt")


@every_framework
def test_a_model_that_refuses_fails_the_run(client: Client, framework: str) -> None:
    run = client.ended(client.start(framework, "error 401"))
    assert (run["status"], run["reason"]) == ("failed", "exception")
    assert "scripted error" in run["error"]


@every_framework
def test_a_function_may_make_the_agent(house: Server, client: Client, framework: str) -> None:
    assert client.ended(client.start(f"{framework}_made", "say hello"))["output"] == "hello"
    kinds = {each["name"]: each["kind"] for each in client.ask("GET", "/v1/agents").json["data"]}
    assert kinds[f"{framework}_made"] == framework


@every_framework
def test_a_kill_in_mid_turn_hurts_nobody_else(house: Server, client: Client, framework: str) -> None:
    with house.without_leftovers():
        victim = client.begun(framework, "slow 1000 0.05")
        siblings = [client.begun(framework, "slow 40 0.1") for _ in range(2)]
        os.kill(client.run(victim)["process"]["pid"], signal.SIGKILL)
        run = client.ended(victim)
        assert (run["status"], run["reason"], run["exit"]["signal"]) == ("failed", "signal", "SIGKILL")
        assert client.is_healthy()
        for sibling in siblings:
            events = client.events(sibling)
            assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
            run = client.run(sibling)
            assert (run["status"], run["output"]) == ("completed", "".join(f"w{n} " for n in range(40)))
        events = client.events(victim)
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        assert client.ended(client.start("echo", "still here"))["output"] == "still here"
