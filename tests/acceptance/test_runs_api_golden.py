"""Our frames beside those of hermes-agent 0.19.0: what its clients read is here, by the same name and order.

What we add (`seq`, `run.queued`, `run.started`, `run.stopping`, receipts) is beside it, never instead of it.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from ..support.client import Client, Frame, Json, Stream
from ..support.hermes_frames import (
    APPROVALS,
    APPROVED,
    CLOSED,
    LIVE,
    RUNS,
    STARTED,
    STOPPING,
    STREAMS,
    WAITING,
)
from ..support.server import Server, agent, running

OURS = {"run.queued", "run.started", "run.stopping"}
STOPPED = {"slow 100 0.3": "message.delta", "toolhang": "tool.started"}
DIFFERENT_ON_PURPOSE = {"object", "model"}  # `object` is "run"; `model` is what the start said
VARYING = ("run_id", "timestamp", "created_at", "updated_at", "session_id")
NOBODY = "run_" + "0" * 32


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    agents = {"hermes": agent("scripted", "Scripted"), "deaf": agent("acting", "act")}
    config = {"agents": agents, "runs": {"default_agent": "hermes"}}
    with running(tmp_path_factory.mktemp("golden"), config) as server:
        server.client.ended(server.client.start("hermes", "text please"))
        yield server


@pytest.fixture
def client(house: Server) -> Iterator[Client]:
    with house.without_leftovers():
        yield house.client


def _played(client: Client, text: str) -> tuple[str, list[Json], list[str]]:
    """Start and, where hermes' run was stopped, stop: the run's id, its events that hermes has, and the comments."""
    answer = client.ask("POST", "/v1/runs", {"input": text})
    assert (answer.status, _without_id(answer.json)) == (202, json.loads(STARTED))
    run_id: str = answer.json["run_id"]
    with client.stream(run_id) as stream:
        assert stream.headers["Content-Type"] == "text/event-stream"
        assert stream.headers["Cache-Control"] == "no-cache"
        assert stream.headers["X-Accel-Buffering"] == "no"
        events = _events(client, stream, run_id, text)
    return run_id, [event for event in events if event["event"] not in OURS], stream.comments


def _events(client: Client, stream: Stream, run_id: str, text: str) -> Iterator[Json]:
    events = []
    awaited = [event["event"] for event in map(json.loads, STREAMS[text])].count(STOPPED.get(text))
    for frame in stream:
        events.append(frame.event)
        awaited -= frame.event["event"] == STOPPED.get(text)
        if awaited == 0 and frame.event["event"] == STOPPED.get(text):
            answer = client.stop(run_id)
            assert (answer.status, _without_id(answer.json)) == (200, json.loads(STOPPING))
    return iter(events)


def _without_id(answer: Json) -> Json:
    assert answer["run_id"].startswith("run_")
    return answer | {"run_id": None}


def _as_hermes_writes(event: Json, written: Json) -> Json:
    """The fields that hermes has, in our order of them; times and ids are null, and so is what took a while."""
    varying = (*VARYING, "duration")
    return {name: None if name in varying else event[name] for name in event if name in written}


@pytest.mark.parametrize("text", STREAMS)
def test_a_client_of_hermes_reads_the_same_events_with_the_same_fields(client: Client, text: str) -> None:
    run_id, events, comments = _played(client, text)
    written: list[Json] = [json.loads(line) for line in STREAMS[text]]
    assert [event["event"] for event in events] == [each["event"] for each in written]
    for event, each in zip(events, written, strict=True):
        assert _as_hermes_writes(event, each) == each
        own = [name for name in event if name in each and name not in ("event", "run_id", "timestamp")]
        assert own == list(each)[3:], "in another order"
        assert event["run_id"] == run_id
        assert isinstance(event["timestamp"], float)
        assert isinstance(event.get("duration", 0.0), float)
    assert comments == [CLOSED]


@pytest.mark.parametrize("text", STREAMS)
def test_events_that_hermes_has_in_common_carry_nothing_that_would_surprise_its_clients(
    client: Client, text: str
) -> None:
    added = {"run.failed": {"reason", "exit"}, "run.cancelled": {"reason", "exit", "output"}}
    _, events, _ = _played(client, text)
    for event, line in zip(events, STREAMS[text], strict=True):
        assert event.keys() - json.loads(line).keys() == {"seq"} | added.get(event["event"], set())


@pytest.mark.parametrize("text", RUNS)
def test_a_client_of_hermes_finds_the_same_in_the_run_object(client: Client, text: str) -> None:
    run_id, *_ = _played(client, text)
    run = client.run(run_id)
    _check_run(run, json.loads(RUNS[text]))
    assert run["session_id"] == run_id, "a run without a session is one of its own"
    assert (run["object"], run["model"]) == ("run", None)


def _check_run(run: Json, written: Json) -> None:
    """It has all that hermes' has, and says the same."""
    assert written.keys() <= run.keys()
    shown: dict[str, Any] = {name: None if name in VARYING else run[name] for name in written}
    same = written.keys() - DIFFERENT_ON_PURPOSE
    assert {name: shown[name] for name in same} == {name: written[name] for name in same}


def test_a_client_of_hermes_finds_the_same_in_the_object_of_a_live_run(client: Client) -> None:
    run_id = client.start("hermes", "toolhang")
    with client.stream(run_id) as stream:
        stream.until("tool.started")
        _check_run(client.run(run_id), json.loads(LIVE["running"]))
    client.stopped(run_id)
    deaf = client.begun("deaf", "stubborn")
    client.stop(deaf)
    _check_run(client.run(deaf), json.loads(LIVE["stopping"]))
    client.kill(deaf)
    client.ended(deaf)


@pytest.mark.parametrize(
    ("method", "path"), [("GET", ""), ("GET", "/events"), ("POST", "/stop"), ("POST", "/approval")]
)
def test_a_client_of_hermes_finds_the_same_error_for_a_run_that_nobody_knows(
    client: Client, method: str, path: str
) -> None:
    answer = client.ask(method, f"/v1/runs/{NOBODY}{path}")
    assert answer.status == 404
    assert answer.error.pop("message").startswith("Run not found: ")
    assert {**answer.error, "message": None} == {
        "message": None,
        "type": "invalid_request_error",
        "param": None,
        "code": "run_not_found",
    }


def test_a_client_of_hermes_finds_the_same_in_a_refused_body(client: Client) -> None:
    missing, broken = client.ask("POST", "/v1/runs", {}), client.ask("POST", "/v1/runs", b"{")
    assert (missing.status, broken.status) == (400, 400)
    assert missing.error["message"].startswith("Missing 'input'")
    assert broken.error["message"].startswith("Invalid JSON")
    assert {missing.error["type"], broken.error["type"]} == {"invalid_request_error"}


@pytest.mark.parametrize(("choice", "said"), [("once", "approve"), ("deny", "deny")])
def test_a_client_of_hermes_answers_for_a_person_and_reads_the_same(
    client: Client, choice: str, said: str
) -> None:
    run_id = client.start("hermes", "danger")
    with client.stream(run_id) as stream:
        first = [frame.event for frame in _through(stream, "approval.request")]
        _check_run(client.run(run_id), json.loads(WAITING))
        answer = client.ask("POST", f"/v1/runs/{run_id}/approval", {"choice": said})
        events = [*first, *(frame.event for frame in stream)]
    written_answer = json.loads(APPROVED[choice]) | {"object": "run.approval_response"}
    assert (answer.status, _without_id(answer.json)) == (200, written_answer)
    events = [event for event in events if event["event"] not in OURS]
    written: list[Json] = [json.loads(line) for line in APPROVALS[choice]]
    assert [event["event"] for event in events] == [each["event"] for each in written]
    ours = {"approval.request": {"prompt", "request_id", "expires_at"}, "approval.responded": {"request_id"}}
    for event, each in zip(events, written, strict=True):
        assert _as_hermes_writes(event, each) == each
        assert event.keys() - each.keys() == {"seq"} | ours.get(event["event"], set())


def _through(stream: Stream, event: str) -> Iterator[Frame]:
    """What comes, to the first frame with this event."""
    for frame in stream:
        yield frame
        if frame.event["event"] == event:
            return


def test_a_client_of_hermes_is_refused_in_the_same_words_when_nothing_can_be_answered(client: Client) -> None:
    run_id = client.start("hermes", "text please")
    client.ended(run_id)
    path, error = f"/v1/runs/{run_id}/approval", {"type": "invalid_request_error", "param": None}
    over = client.ask("POST", path, {"choice": "once"})
    message = f"Run has no active approval session: {run_id}"
    assert (over.status, over.error) == (409, error | {"message": message, "code": "approval_not_active"})
    wrong = client.ask("POST", path, {"choice": "perhaps"})
    message = "Invalid approval choice; expected one of: once, session, always, deny"
    assert wrong.status == 400
    assert wrong.error | {"param": None} == error | {"message": message, "code": "invalid_approval_choice"}
