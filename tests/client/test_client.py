"""The client against real sockets: what it sends, and what it makes of each answer."""

import socket
import threading

import pytest

from runward.http.api_address import Address
from runward.http.api_client import Client
from runward.http.api_errors import (
    AgentNotFound,
    ApiError,
    ClientError,
    Conflict,
    Forbidden,
    InvalidRequest,
    LimitReached,
    NotReady,
    RunEnded,
    RunNotFound,
    ServerUnreachable,
    Unauthorized,
    WaitTimeout,
)
from runward.http.api_types import RunInfo
from runward.http.schemas import RunView

from ..bin.fake_server import KEY, FakeServer
from ..bin.processes import free_port
from .answering import answer_once


def test_a_run_is_started_and_looked_at(client: Client, fake: FakeServer) -> None:
    run = client.start("grüße", "spin", metadata={"a": "b"})
    assert fake.runs[run.run_id].body == {"input": "grüße", "agent": "spin", "metadata": {"a": "b"}}
    assert client.get(run.run_id).agent == run.get().agent == "spin"


def test_every_page_of_the_list_is_turned(client: Client, fake: FakeServer) -> None:
    for number in range(5):
        fake.add(f"run_{number}")
    assert [run.run_id for run in client.list()] == [f"run_{number}" for number in (4, 3, 2, 1, 0)]
    assert not list(client.list(status="queued"))


def test_an_id_is_one_part_of_the_path_whatever_it_holds(client: Client, fake: FakeServer) -> None:
    with pytest.raises(ApiError):
        client.get("../../health?x#y")
    assert fake.asked[-1][1] == "/v1/runs/..%2F..%2Fhealth%3Fx%23y"


def test_a_refusal_carries_what_the_server_said(client: Client, fake: FakeServer) -> None:
    fake.refusals = [(429, {"error": {"message": "Later", "code": "queue_full"}}, {"Retry-After": "7"})]
    with pytest.raises(ApiError, match="Later") as caught:
        client.get("run_1")
    assert (caught.value.status, caught.value.code, caught.value.retry_after_s) == (429, "queue_full", 7.0)


@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize("body", [b"<html>", b"\xff", b"[]", b'{"error": "no"}'])
def test_an_answer_that_is_not_runwards_is_told_as_such(
    status: int, body: bytes, client: Client, fake: FakeServer
) -> None:
    fake.refusals = [(status, body, {})]  # type: ignore[list-item]
    with pytest.raises(ClientError, match="is not runward"):
        client.get("run_1")


@pytest.mark.parametrize(
    "url", ["", "localhost:8642", "ftp://x", "http://", "http://a:b@c", "http://x:port", "http://x/?a=b"]
)
def test_what_is_no_url_of_a_server_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL|[Pp]ort"):
        Client(url)


@pytest.mark.parametrize("key", ["", "a b", "a\nX-Evil: 1", "schlüssel"])
def test_what_can_be_no_key_is_refused_at_once(key: str) -> None:
    with pytest.raises(ValueError, match="key"):
        Client("http://localhost", key)


def test_a_url_may_have_a_path_of_its_own(fake: FakeServer) -> None:
    with pytest.raises(ApiError):
        Client(f"{fake.url}/under/here/", KEY).get("run_1")
    assert fake.asked[-1][1] == "/under/here/v1/runs/run_1"


def test_nobody_there_is_told_apart_from_a_refusal() -> None:
    with pytest.raises(ServerUnreachable, match="connection refused"):
        Client(f"http://127.0.0.1:{free_port()}").health()


def test_a_server_that_says_nothing_is_unreachable_after_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ServerUnreachable, match="in time"):
            Client(url, timeout_s=0.05).health()


def test_what_is_no_http_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        answering = threading.Thread(target=answer_once, args=(server, b"SSH-2.0-x\r\n\r\n"))
        answering.start()
        with pytest.raises(ServerUnreachable):
            Client(f"http://127.0.0.1:{server.getsockname()[1]}", timeout_s=5).health()
        answering.join()


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "invalid_value", InvalidRequest),
        (401, "invalid_api_key", Unauthorized),
        (403, "forbidden", Forbidden),
        (404, "run_not_found", RunNotFound),
        (404, "run_ended", RunEnded),
        (404, "agent_not_found", AgentNotFound),
        (409, "idempotency_key_conflict", Conflict),
        (413, "body_too_large", InvalidRequest),
        (429, "queue_full", LimitReached),
        (503, "shutting_down", NotReady),
        (507, "no_room", ApiError),
    ],
)
def test_every_refusal_has_a_type_of_its_own(
    status: int, code: str, kind: type[ApiError], client: Client, fake: FakeServer
) -> None:
    fake.refusals = [(status, {"error": {"message": "No", "code": code}}, {})]
    with pytest.raises(ApiError) as caught:
        client.get("run_1")
    assert type(caught.value) is kind


def test_the_client_knows_every_field_of_the_run_object() -> None:
    assert RunInfo.__struct_fields__ == RunView.__struct_fields__


def test_what_a_newer_server_says_more_is_passed_over(client: Client, fake: FakeServer) -> None:
    fake.add("run_1", "spin").more |= {"reason": "boredom", "mood": "good"}
    assert client.get("run_1").reason == "boredom"


def test_a_wait_that_takes_too_long_ends_and_the_run_goes_on(client: Client, fake: FakeServer) -> None:
    run = fake.add("run_1", "spin")
    with pytest.raises(WaitTimeout):
        client.wait("run_1", timeout_s=0.05)
    assert not run.ended
    fake.stop(run, "kill")
    assert client.wait("run_1", timeout_s=0.05).reason == "killed"


def test_a_stop_gives_the_run_as_it_is_or_with_wait_as_it_ended(client: Client, fake: FakeServer) -> None:
    fake.gently = True
    fake.add("run_1", "spin")
    assert client.stop("run_1", grace_s=1).status == "stopping"
    assert client.kill("run_1", reason="enough", wait=True).status == "cancelled"
    assert ("POST", "/v1/runs/run_1/kill", {"reason": "enough"}) in fake.asked
    with pytest.raises(RunEnded):
        client.stop("run_1")


def test_a_server_that_says_it_is_down_is_not_healthy(client: Client, fake: FakeServer) -> None:
    assert client.health()
    fake.refusals = [(503, {"status": "down"}, {})]
    assert not client.health()


def test_an_idempotency_key_is_sent_as_a_header(client: Client, fake: FakeServer) -> None:
    client.start("x", "spin", idempotency_key="mine")
    assert fake.headers[-1]["Idempotency-Key"] == "mine"


def test_no_key_is_shown_by_what_a_client_is_made_of(fake: FakeServer) -> None:
    client = Client(fake.url, "secret-key", timeout_s=1)
    with pytest.raises(Unauthorized) as caught:
        client.get("run_1")
    shown = [repr(client), str(client), repr(client.stream("x")), repr(caught.value), str(caught.value)]
    assert not [text for text in [*shown, repr(Address(fake.url, "secret-key"))] if "secret" in text]
