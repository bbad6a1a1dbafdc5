"""The client against real sockets: what it sends, what it makes of each answer, how it resumes."""

import itertools
import socket
import threading
from typing import Any

import pytest

from runward.http.api_client import ApiClient
from runward.http.api_errors import ApiError, ClientError, ServerUnreachable
from runward.http.api_events import EventStream

from .fake_server import KEY, FakeRun, FakeServer


@pytest.fixture
def client(fake: FakeServer) -> ApiClient:
    return ApiClient(fake.url, KEY, timeout_s=5)


def test_a_run_is_started_and_looked_at(client: ApiClient, fake: FakeServer) -> None:
    run_id = client.start({"agent": "spin", "input": "grüße"})
    assert fake.runs[run_id].body["input"] == "grüße"
    assert client.run(run_id)["agent"] == "spin"


def test_every_page_of_the_list_is_turned(client: ApiClient, fake: FakeServer) -> None:
    for number in range(5):
        fake.add(f"run_{number}")
    assert [run["run_id"] for run in client.runs()] == [f"run_{number}" for number in (4, 3, 2, 1, 0)]
    assert not list(client.runs(status="queued"))


def test_an_id_is_one_part_of_the_path_whatever_it_holds(client: ApiClient, fake: FakeServer) -> None:
    with pytest.raises(ApiError):
        client.run("../../health?x#y")
    assert fake.asked[-1][1] == "/v1/runs/..%2F..%2Fhealth%3Fx%23y"


def test_a_refusal_carries_what_the_server_said(client: ApiClient, fake: FakeServer) -> None:
    fake.refusals = [(429, {"error": {"message": "Later", "code": "queue_full"}}, {"Retry-After": "7"})]
    with pytest.raises(ApiError, match="Later") as caught:
        client.run("run_1")
    assert (caught.value.status, caught.value.code, caught.value.retry_after_s) == (429, "queue_full", 7.0)


@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize("body", [b"<html>", b"\xff", b"[]", b'{"error": "no"}'])
def test_an_answer_that_is_not_runwards_is_told_as_such(
    status: int, body: bytes, client: ApiClient, fake: FakeServer
) -> None:
    fake.refusals = [(status, body, {})]  # type: ignore[list-item]
    with pytest.raises(ClientError, match="is not runward"):
        client.run("run_1")


@pytest.mark.parametrize(
    "url", ["", "localhost:8642", "ftp://x", "http://", "http://a:b@c", "http://x:port", "http://x/?a=b"]
)
def test_what_is_no_url_of_a_server_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL|[Pp]ort"):
        ApiClient(url)


@pytest.mark.parametrize("key", ["", "a b", "a\nX-Evil: 1", "schlüssel"])
def test_what_can_be_no_key_is_refused_at_once(key: str) -> None:
    with pytest.raises(ValueError, match="key"):
        ApiClient("http://localhost", key)


def test_a_url_may_have_a_path_of_its_own(fake: FakeServer) -> None:
    with pytest.raises(ApiError):
        ApiClient(f"{fake.url}/under/here/", KEY).run("run_1")
    assert fake.asked[-1][1] == "/under/here/v1/runs/run_1"


def test_nobody_there_is_told_apart_from_a_refusal() -> None:
    with pytest.raises(ServerUnreachable, match="connection refused"):
        ApiClient(f"http://127.0.0.1:{free_port()}").health()


def test_a_server_that_says_nothing_is_unreachable_after_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ServerUnreachable, match="in time"):
            ApiClient(url, timeout_s=0.05).health()


def test_what_is_no_http_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        answering = threading.Thread(target=answer_once, args=(server, b"SSH-2.0-x\r\n\r\n"))
        answering.start()
        with pytest.raises(ServerUnreachable):
            ApiClient(f"http://127.0.0.1:{server.getsockname()[1]}", timeout_s=5).health()
        answering.join()


def numbers(stream: EventStream) -> list[int]:
    return [event["seq"] for event in stream]


def talk(run: FakeRun) -> None:
    for number in range(6):
        run.emit("message.delta", delta=str(number))
    run.emit("run.completed", output="", usage={})


def test_events_come_in_order_to_the_end(client: ApiClient, fake: FakeServer) -> None:
    fake.agents["echo"] = talk
    fake.add("run_1")
    assert numbers(client.events("run_1")) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert numbers(client.events("run_1", after=6)) == [7, 8]


def test_an_ended_run_that_we_have_all_of_gives_nothing(client: ApiClient, fake: FakeServer) -> None:
    fake.add("run_1")
    assert not numbers(client.events("run_1", after=4))
    assert fake.resumed_from == [4]


@pytest.mark.parametrize("cuts", [[0], [3], [7], [0, 0, 0], [1, 1, 1, 1, 1, 1, 1], [5, 2]])
def test_a_stream_cut_within_a_frame_goes_on_where_it_stood(
    cuts: list[int], client: ApiClient, fake: FakeServer
) -> None:
    fake.agents["echo"] = talk
    fake.add("run_1")
    fake.cut_after = list(cuts)
    losses: list[str] = []
    assert numbers(client.events("run_1", on_loss=losses.append)) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert len(losses) == len(cuts)
    assert fake.resumed_from == [0, *itertools.accumulate(cuts)]


def test_a_server_that_restarts_is_asked_again(client: ApiClient, fake: FakeServer) -> None:
    fake.add("run_1")
    busy: dict[str, Any] = {"error": {"message": "Back soon", "code": "supervisor_unreachable"}}
    fake.refusals = [(503, busy, {}), (503, busy, {})]
    waits: list[float] = []
    stream = EventStream(client.transport, "/v1/runs/run_1/events", sleep=waits.append)
    assert numbers(stream) == [1, 2, 3, 4]
    assert waits == [1.0, 1.0]


def test_patience_with_a_dead_server_ends() -> None:
    now = itertools.count(step=0.5)
    client = ApiClient(f"http://127.0.0.1:{free_port()}")
    slept: list[float] = []
    stream = EventStream(
        client.transport, "/", patience_s=3, sleep=slept.append, clock=lambda: float(next(now))
    )
    with pytest.raises(ServerUnreachable):
        numbers(stream)
    assert 1 <= len(slept) <= 6


def test_a_run_that_is_unknown_is_not_waited_for(client: ApiClient) -> None:
    with pytest.raises(ApiError) as caught:
        numbers(client.events("run_1"))
    assert caught.value.code == "run_not_found"


@pytest.mark.parametrize("frame", [b"data: no\n\n", b"data: []\n\n", b"data: {}\n\n", b"id: x\ndata: {}\n\n"])
def test_what_is_no_event_ends_the_stream_with_an_error(frame: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
        answering = threading.Thread(target=answer_once, args=(server, head + frame))
        answering.start()
        client = ApiClient(f"http://127.0.0.1:{server.getsockname()[1]}", timeout_s=5)
        with pytest.raises(ClientError, match="no event"):
            numbers(client.events("run_1"))
        answering.join()


def free_port() -> int:
    """A port that nobody listens on: it was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def answer_once(server: socket.socket, answer: bytes) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(answer)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass
