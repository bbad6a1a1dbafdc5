"""Agents of frameworks that ask before they call a tool, and that are guided: with the real packages."""

import pytest

from ..support.client import Client, Json
from ..support.language_model import LanguageModel
from ..support.server import Server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1000)]

WIPE = 'call wipe {"what": "it"}'
that_asks = pytest.mark.parametrize("framework", ["langchain", "langgraph", "openai_agents", "pydantic_ai"])


@pytest.fixture
def client(house: Server) -> Client:
    return house.client


def _answered(client: Client, run_id: str, **answer: str) -> tuple[list[Json], Json]:
    """All events and the run object, once its question was answered so."""
    with client.stream(run_id) as stream:
        stream.until("approval.request")
        assert client.run(run_id)["status"] == "waiting_for_approval"
        said = client.ask("POST", f"/v1/runs/{run_id}/approval", answer)
        assert said.status == 200, said.body
        stream.rest()
    return client.events(run_id), client.run(run_id)


def _named(events: list[Json], name: str) -> list[Json]:
    return [event for event in events if event["event"] == name]


@pytest.mark.parametrize(
    ("framework", "output"),
    [
        ("langchain", "done: wiped it"),
        ("langgraph", "done: wiped it: True"),
        ("openai_agents", "done: wiped it"),
        ("pydantic_ai", "done: wiped it"),
    ],
)
def test_what_people_allow_is_done(client: Client, framework: str, output: str) -> None:
    events, run = _answered(client, client.start(framework, WIPE), choice="once")
    assert (run["status"], run["output"]) == ("completed", output), run
    (asked,) = _named(events, "approval.request")
    assert "it" in asked["prompt"]
    # A graph begins the tool that asked anew.
    tools = [event["tool"] for event in events if event["event"].startswith("tool.")]
    assert tools == ["wipe"] * (4 if framework == "langgraph" else 2)
    assert not any(event["error"] for event in _named(events, "tool.completed"))


@pytest.mark.parametrize("framework", ["langchain", "openai_agents", "pydantic_ai"])
def test_people_see_which_tool_would_be_called_with_what(client: Client, framework: str) -> None:
    events, _ = _answered(client, client.start(framework, WIPE), choice="session")
    (asked,) = _named(events, "approval.request")
    assert (asked["tool"], asked["prompt"]) == ("wipe", "wipe: it")
    assert asked["choices"] == ["once", "session", "always", "deny"]


def test_people_see_what_a_graph_asks(client: Client) -> None:
    events, _ = _answered(client, client.start("langgraph", WIPE), choice="deny")
    (asked,) = _named(events, "approval.request")
    assert (asked["question"], asked["choices"]) == ({"question": "wipe it?"}, ["once", "deny"])
    assert asked["prompt"] == "wipe it?"


@pytest.mark.parametrize(
    ("framework", "output"),
    [
        ("langchain", "done: User rejected the tool call for `wipe` with reason: it is needed"),
        ("langgraph", "done: kept it"),
        ("openai_agents", "done: it is needed"),
        ("pydantic_ai", "done: it is needed"),
    ],
)
def test_what_people_deny_is_not_done(client: Client, framework: str, output: str) -> None:
    events, run = _answered(client, client.start(framework, WIPE), choice="deny", note="it is needed")
    assert (run["status"], run["output"]) == ("completed", output), run
    if framework not in ("langchain", "langgraph"):  # there the tool is not called; or is told, and returns
        assert [event["error"] for event in _named(events, "tool.completed")] == [True]


def test_what_people_write_resumes_a_graph(client: Client) -> None:
    _, run = _answered(client, client.start("langgraph", WIPE), choice="once", note="but gently")
    assert run["output"] == "done: wiped it: but gently"


@that_asks
def test_a_stop_ends_a_run_that_waits_for_people(client: Client, framework: str) -> None:
    run_id = client.start(framework, WIPE)
    with client.stream(run_id) as stream:
        stream.until("approval.request")
    run = client.stopped(run_id)
    assert (run["status"], run["reason"], run["exit"]["rung"]) == ("cancelled", "interrupted", "interrupt")


def test_guidance_reaches_pydantic_ai_with_its_next_request(client: Client, model: LanguageModel) -> None:
    run_id = client.begun("pydantic_ai", "slow 40 0.1")
    answer = client.ask("POST", f"/v1/runs/{run_id}/steer", {"input": "say bonjour"})
    assert answer.status == 200, answer.body
    run = client.ended(run_id)
    assert (run["status"], run["output"]) == ("completed", "bonjour"), run
    assert "say bonjour" in str(model.requests[-1]["messages"][-1])


@pytest.mark.parametrize("framework", ["langgraph", "openai_agents"])
def test_a_framework_that_takes_no_guidance_says_so(client: Client, framework: str) -> None:
    run_id = client.begun(framework, "slow 100 0.1")
    answer = client.ask("POST", f"/v1/runs/{run_id}/steer", {"input": "say bonjour"})
    assert answer.status == 409, answer.body
    client.stopped(run_id)
