"""`POST /v1/runs` over a real port: a start as a stream, and a start that may be sent twice."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from ..support.client import Client, Json
from ..support.keys import ALICE, AUTH, BOB, OPERATOR
from ..support.server import Server, agent, running
from ..support.waiting import AT_LAST_S, until

STREAM = {"Accept": "text/event-stream"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = {
        "auth": AUTH,
        "runs": {"interrupt_grace_s": 30.0, "terminate_grace_s": 30.0, "max_live": 200},
        "agents": {"act": agent("acting", "act")},
    }
    with running(tmp_path_factory.mktemp("runs_api"), config, OPERATOR) as server:
        for name in ("act",):
            server.client.stopped(server.client.begun(name, "obeys"))
        server.client.ended(server.client.start("echo"))
        yield server


@pytest.fixture
def client(house: Server) -> Iterator[Client]:
    with house.without_leftovers():
        yield house.client


@pytest.fixture
def alice(house: Server) -> Client:
    return house.with_key(ALICE)


@pytest.fixture
def bob(house: Server) -> Client:
    return house.with_key(BOB)


def _status(client: Client, run_id: str) -> str:
    status: str = client.run(run_id)["status"]
    return status


def _starting(client: Client, text: str, **more: object) -> Any:
    return client.opened("POST", "/v1/runs", {"agent": "act", "input": text, **more}, STREAM)


# ── a start that is answered by its stream ────────────────────────────────────────────────────────────────────────


def test_a_start_that_asks_for_the_stream_is_answered_by_it_from_the_first_event(client: Client) -> None:
    with client.opened(
        "POST", "/v1/runs", {"agent": "echo", "input": "hello", "colour": 1}, STREAM
    ) as stream:
        assert (stream.status, stream.headers["Content-Type"]) == (200, "text/event-stream")
        frames = stream.rest()
    run_id = frames[0].event["run_id"]
    assert [frame.id for frame in frames] == ["1", "2", "3", "4"]
    assert [frame.event for frame in frames] == client.events(run_id)
    assert frames[-1].event["output"] == "hello"
    assert stream.headers["Location"] == f"/v1/runs/{run_id}"
    assert stream.headers["Content-Location"] == f"/v1/runs/{run_id}/events"
    assert stream.headers["Runward-Ignored"] == "colour"
    assert stream.headers["X-Content-Type-Options"] == "nosniff"
    assert stream.comments == ["stream closed"]


@pytest.mark.parametrize("more", [{}, {"on_disconnect": "continue"}])
def test_a_run_goes_on_when_the_client_leaves_its_stream(client: Client, more: Json) -> None:
    with _starting(client, "obeys", **more) as stream:
        run_id = stream.until("message.delta").event["run_id"]
    other = client.begun(
        "act", "obeys"
    )  # by the time this has begun, the facade has seen the first one leave
    assert _status(client, run_id) == "running"
    client.stopped(run_id)
    client.stopped(other)


def test_a_run_is_stopped_when_the_client_leaves_its_stream_if_he_said_so(client: Client) -> None:
    with _starting(client, "obeys", on_disconnect="stop") as stream:
        run_id = stream.until("message.delta").event["run_id"]
    events = client.events(run_id)
    stopping = next(event for event in events if event["event"] == "run.stopping")
    assert (stopping["mode"], stopping["reason"]) == ("interrupt", "the client left its stream")
    assert events[-1]["event"] == "run.cancelled"


def test_a_client_that_stays_to_the_end_stops_nothing(client: Client) -> None:
    with _starting(client, "answers", on_disconnect="stop") as stream:
        assert [frame.event["event"] for frame in stream][-1] == "run.completed"


def test_a_start_that_asks_for_the_stream_is_refused_like_any_other(client: Client) -> None:
    answer = client.ask("POST", "/v1/runs", {"agent": "act"}, STREAM)
    assert (answer.status, answer.error["param"]) == (400, "input")
    answer = client.ask("POST", "/v1/runs", {"input": "x", "on_disconnect": "explode"}, STREAM)
    assert (answer.status, answer.error["param"]) == (400, "on_disconnect")


def test_leaving_means_nothing_to_a_start_that_is_answered_at_once(client: Client) -> None:
    answer = client.ask("POST", "/v1/runs", {"input": "x", "on_disconnect": "stop", "colour": 1})
    assert answer.headers["Runward-Ignored"] == "colour, on_disconnect"
    client.ended(answer.json["run_id"])


# ── a key for a start that may be sent twice ──────────────────────────────────────────────────────────────────────


def test_a_start_sent_again_with_its_key_is_the_same_run(client: Client) -> None:
    body, key = {"agent": "echo", "input": "once", "metadata": {"a": "1"}}, {"Idempotency-Key": "again"}
    first = client.ask("POST", "/v1/runs", body, key)
    assert "Idempotency-Replayed" not in first.headers
    client.ended(first.json["run_id"])
    written_otherwise = b'{ "metadata":{"a":"\\u0031"}, "input": "once","agent":"echo" }'
    second = client.ask("POST", "/v1/runs", written_otherwise, key)
    assert (second.status, second.json) == (202, first.json)
    assert second.headers["Idempotency-Replayed"] == "true"
    assert second.headers["Location"] == first.headers["Location"]


def test_a_key_with_another_body_is_a_conflict(client: Client) -> None:
    key = {"Idempotency-Key": "conflict"}
    client.ended(client.ask("POST", "/v1/runs", {"input": "one"}, key).json["run_id"])
    answer = client.ask("POST", "/v1/runs", {"input": "two"}, key)
    assert (answer.status, answer.error["code"]) == (409, "idempotency_key_conflict")
    assert (answer.error["type"], answer.error["param"]) == ("invalid_request_error", "Idempotency-Key")


def test_what_was_refused_is_not_kept_under_its_key(client: Client) -> None:
    key = {"Idempotency-Key": "refused"}
    assert client.ask("POST", "/v1/runs", {"input": ""}, key).status == 400
    assert client.ask("POST", "/v1/runs", {"input": "x", "agent": "nobody"}, key).status == 404
    answer = client.ask("POST", "/v1/runs", {"input": "x"}, key)
    assert (answer.status, answer.headers["Idempotency-Replayed"]) == (202, None)
    client.ended(answer.json["run_id"])


def test_each_holder_of_an_api_key_has_idempotency_keys_of_his_own(
    client: Client, alice: Client, bob: Client
) -> None:
    sent = [
        each.ask("POST", "/v1/runs", {"input": "x"}, {"Idempotency-Key": "mine"}) for each in (alice, bob)
    ]
    first, second = (answer.json["run_id"] for answer in sent)
    assert first != second
    client.ended(first)
    client.ended(second)


def test_the_stream_of_a_start_is_resumed_by_sending_the_start_again(client: Client) -> None:
    body, key = {"agent": "echo", "input": "twice"}, {"Idempotency-Key": "resumed", **STREAM}
    with client.opened("POST", "/v1/runs", body, key) as stream:
        whole = [frame.event for frame in stream]
    with client.opened("POST", "/v1/runs", body, {**key, "Last-Event-ID": "2"}) as stream:
        assert (stream.status, stream.headers["Idempotency-Replayed"]) == (200, "true")
        assert [frame.event for frame in stream] == whole[2:]
    assert client.ask("POST", "/v1/runs", body, {**key, "Last-Event-ID": "4"}).status == 204


def test_a_start_that_is_sent_again_as_a_stream_can_stop_the_run_by_leaving(client: Client) -> None:
    body = {"agent": "act", "input": "obeys", "on_disconnect": "stop"}
    key = {"Idempotency-Key": "left"}
    run_id = client.ask("POST", "/v1/runs", body, key).json["run_id"]
    with client.opened("POST", "/v1/runs", body, key | STREAM) as stream:
        assert stream.until("message.delta").event["run_id"] == run_id
    assert client.ended(run_id)["status"] == "cancelled"


def test_a_key_outlives_the_supervisor(house: Server) -> None:
    client, key = house.client, {"Idempotency-Key": "survivor"}
    first = client.ask("POST", "/v1/runs", {"agent": "echo", "input": "x"}, key)
    client.ended(first.json["run_id"])
    os.kill(house.member("supervisor").pid, signal.SIGKILL)
    until(client.is_healthy, AT_LAST_S, "a new supervisor")
    again = client.ask("POST", "/v1/runs", {"agent": "echo", "input": "x"}, key)
    assert (again.json, again.headers["Idempotency-Replayed"]) == (first.json, "true")
