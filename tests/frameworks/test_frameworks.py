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


def _says(framework: str) -> str:
    """The event that its model's words become."""
    return "reasoning.delta" if framework in houses.THINKS else "message.delta"


def _begun(client: Client, framework: str, text: str) -> str:
    """Start a run; its id, once its model has said something."""
    run_id = client.start(framework, text)
    with client.stream(run_id) as stream:
        stream.until(_says(framework))
    return run_id


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


@pytest.mark.parametrize("framework", ["langgraph", "smolagents"])  # the others raise, or don't say so
def test_a_tool_that_fails_is_said_to_have_failed(client: Client, framework: str) -> None:
    run_id = client.start(framework, 'call fail {"why": "no such luck"}')
    (completed,) = _named(client.events(run_id), "tool.completed")
    assert (completed["tool"], completed["error"]) == ("fail", True)
    run = client.run(run_id)
    assert run["status"] == "completed"
    assert "no such luck" in run["output"]


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
    run = client.stopped(_begun(client, framework, "slow 1000 0.05"))
    assert (run["status"], run["reason"], run["exit"]["rung"]) == ("cancelled", "interrupted", "interrupt")
    said = _said(client.events(run["run_id"]), _says(framework))
    assert said.startswith("w0 ")
    assert run["output"] == (None if framework in houses.THINKS else said)
    until(lambda: model.open == 0, AT_LAST_S, "the end of the request to the model")


@every_framework
def test_a_tool_that_hangs_is_ended(client: Client, framework: str) -> None:
    run_id = client.start(framework, "call hang")
    with client.stream(run_id) as stream:
        stream.until("tool.started")
    run = client.stopped(run_id)
    # What is an ordinary function is not cancelled, but broken off: by the next rung.
    reason, rung = ("terminated", "terminate") if framework == "smolagents" else ("interrupted", "interrupt")
    assert (run["status"], run["reason"], run["exit"]["rung"]) == ("cancelled", reason, rung)


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
        victim = _begun(client, framework, "slow 100000 0.05")
        siblings = [_begun(client, framework, "slow 40 0.1") for _ in range(2)]
        os.kill(client.run(victim)["process"]["pid"], signal.SIGKILL)
        run = client.ended(victim)
        assert (run["status"], run["reason"], run["exit"]["signal"]) == ("failed", "signal", "SIGKILL")
        assert client.is_healthy()
        for sibling in siblings:
            events = client.events(sibling)
            assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
            assert client.run(sibling)["status"] == "completed"
            assert _said(events, _says(framework)).startswith("".join(f"w{n} " for n in range(40)))
        events = client.events(victim)
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        assert client.ended(client.start("echo", "still here"))["output"] == "still here"
