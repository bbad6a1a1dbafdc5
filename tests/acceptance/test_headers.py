"""Behaviour 16 of the contract: security and CORS headers are on every answer, errors and streams included."""

from collections.abc import Iterator
from http.client import HTTPMessage
from typing import Any

import pytest

from ..support.client import Client
from ..support.server import Server, running

KEY = "operators-key"
ORIGIN = "https://console.example"
FOREIGN = "https://elsewhere.example"
UNKNOWN = "run_00000000000000000000000000000000"
SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}

# Every kind of answer: status, method, path, body, headers. RUN is a run that is over.
ANSWERS: dict[str, tuple[int, str, str, Any, dict[str, str]]] = {
    "health": (200, "GET", "/health", None, {}),
    "run": (200, "GET", "/v1/runs/RUN", None, {}),
    "list": (200, "GET", "/v1/runs", None, {}),
    "stream": (200, "GET", "/v1/runs/RUN/events", None, {}),
    "nothing to come": (204, "GET", "/v1/runs/RUN/events?after=99", None, {}),
    "preflight": (204, "OPTIONS", "/v1/runs", None, {"Access-Control-Request-Method": "POST"}),
    "not JSON": (400, "POST", "/v1/runs", b"{", {}),
    "bad cursor": (400, "GET", "/v1/runs/RUN/events?after=x", None, {}),
    "no key": (401, "GET", "/v1/runs/RUN/events", None, {"Authorization": ""}),
    "wrong key": (401, "POST", "/v1/runs", {"input": "x"}, {"Authorization": "Bearer wrong"}),
    "unknown run": (404, "GET", f"/v1/runs/{UNKNOWN}/events", None, {}),
    "unknown path": (404, "GET", "/v2/nothing", None, {}),
    "ended": (404, "POST", "/v1/runs/RUN/stop", {}, {}),
    "wrong method": (405, "PUT", "/v1/runs", {}, {}),
    "too large": (413, "POST", "/v1/runs", {"input": "x" * 5000}, {}),
    "not by its type": (415, "POST", "/v1/runs", b"input=x", {"Content-Type": "text/plain"}),
    "wrong host": (421, "GET", "/v1/runs", None, {"Host": "evil.example"}),
    "large headers": (431, "GET", "/v1/runs", None, {"X-Large": "x" * 9_000, "X-Larger": "x" * 9_000}),
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = {"http": {"cors_origins": [ORIGIN], "max_body_bytes": 4096}}
    with running(tmp_path_factory.mktemp("headers"), config, KEY) as server:
        yield server


@pytest.fixture(scope="module")
def run_id(house: Server) -> str:
    run_id = house.client.start("echo")
    house.client.ended(run_id)
    return run_id


@pytest.fixture
def client(house: Server, run_id: str) -> Iterator[Client]:
    with house.without_leftovers():
        yield house.client


def _asked(client: Client, kind: str, run_id: str, origin: str) -> HTTPMessage:
    status, method, path, body, headers = ANSWERS[kind]
    sent = {**headers, "Origin": origin}
    answer = client.ask(method, path.replace("RUN", run_id), body, sent)
    assert answer.status == status, answer.body
    return answer.headers


@pytest.mark.parametrize("kind", ANSWERS)
def test_16_every_answer_has_the_security_headers_and_those_for_a_listed_origin(
    client: Client, run_id: str, kind: str
) -> None:
    headers = _asked(client, kind, run_id, ORIGIN)
    assert {name: headers[name] for name in SECURITY} == SECURITY
    assert headers["X-Request-Id"]
    assert headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "Origin" in headers["Vary"]
    assert headers["Access-Control-Allow-Credentials"] is None


@pytest.mark.parametrize("kind", sorted(ANSWERS.keys() - {"preflight"}))
def test_16_an_origin_that_is_not_listed_gets_no_leave_to_read(
    client: Client, run_id: str, kind: str
) -> None:
    headers = _asked(client, kind, run_id, FOREIGN)
    assert {name: headers[name] for name in SECURITY} == SECURITY
    assert headers["Access-Control-Allow-Origin"] is None


def test_16_a_preflight_of_an_origin_that_is_not_listed_is_refused(client: Client) -> None:
    sent = {"Origin": FOREIGN, "Access-Control-Request-Method": "POST"}
    answer = client.ask("OPTIONS", "/v1/runs", None, sent)
    assert answer.status == 403
    assert answer.headers["Access-Control-Allow-Origin"] is None


@pytest.mark.parametrize("header", [b"no header", b"X-Large: " + b"x" * 20_000], ids=["not HTTP", "too long"])
def test_16_what_can_not_be_read_is_answered_with_the_security_headers(client: Client, header: bytes) -> None:
    answer = client.say(b"GET /v1/runs HTTP/1.1\r\nHost: localhost\r\n" + header + b"\r\n\r\n")
    assert answer.status in (400, 431)
    assert {name: answer.headers[name] for name in SECURITY} == SECURITY
    assert answer.error["message"]


def test_16_a_live_stream_has_the_headers_before_it_ends(client: Client) -> None:
    live = client.start("count", "forever")
    with client.stream(live, headers={"Origin": ORIGIN}) as stream:
        stream.until("message.delta")
        assert {name: stream.headers[name] for name in SECURITY} == SECURITY
        assert stream.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert stream.headers["Content-Type"] == "text/event-stream"
    client.kill(live)
    client.ended(live)
