"""The headers and the error shape that every kind of answer has, those that aiohttp makes by itself included."""

import asyncio
import logging

import pytest

from .conftest import StartFacade
from .fake_supervisor import FakeSupervisor
from .running_facade import DEADLINE_S, Answer, Running, key_of

EVERYWHERE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}
AUTH = f"Authorization: Bearer {key_of('olga')}\r\n"
MANY_HEADERS = "".join(f"X-{n}: {'x' * 200}\r\n" for n in range(90))
START = f"POST /v1/runs HTTP/1.1\r\nHost: localhost\r\n{AUTH}"


def check(status: int, headers: dict[str, str], body: bytes) -> None:
    lowered = {name.lower(): text for name, text in headers.items()}
    for name, text in EVERYWHERE.items():
        assert lowered.get(name.lower()) == text, (status, name, lowered)
    assert lowered["x-request-id"]
    assert "server" not in lowered
    if status >= 400 and body:
        error = Answer(status, headers, body).json["error"]
        assert {"message", "type", "code", "param"} <= set(error)
        assert len(error["message"]) > 20
        assert "Traceback" not in error["message"]


def parsed(raw: bytes) -> tuple[int, dict[str, str], bytes]:
    head, _, body = raw.partition(b"\r\n\r\n")
    status_line, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return int(status_line.split()[1]), headers, body


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/health", 200), ("HEAD", "/health", 200), ("GET", "/v1/runs", 200), ("GET", "/v1/agents", 200),
        ("GET", "/v1/runs/RUN", 200), ("GET", "/v1/runs/RUN/events", 200),
        ("GET", "/v1/runs/RUN/events?after=1", 204),
        ("GET", "/v1/runs/RUN/events?after=x", 400), ("POST", "/v1/runs", 400), ("GET", "/nope", 404),
        ("GET", "/", 200), ("GET", "/v1/runs/x", 404), ("GET", "/v1/runs/", 404), ("GET", "//", 200),
        ("PUT", "/v1/runs", 405), ("OPTIONS", "/v1/runs", 405), ("TRACE", "/health", 405),
        ("PATCH", "/v1/runs/x", 405),
        ("DELETE", "/v1/session", 204), ("POST", "/v1/session", 401), ("GET", "/%ff%00", 404),
        ("GET", "/a%2f..%2fb", 404),
    ],
)  # fmt: skip
async def test_every_answer_has_them(
    facade: Running, supervisor: FakeSupervisor, method: str, path: str, status: int
) -> None:
    run_id = supervisor.add_run()
    supervisor.emit(run_id, "run.completed")
    name = None if path == "/v1/session" else "olga"
    answer = await facade.ask(method, path.replace("RUN", run_id), name)
    assert answer.status == status
    check(status, dict(answer.headers), answer.body)
    if status == 405:
        assert answer.headers["Allow"]


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        ("nonsense\r\n\r\n", 400), ("GET / HTTP/1.1\r\n\r\n", 400), ("GET /\r\n\r\n", 421),
        ("\x16\x03\x01\x02\r\n\r\n", 400),
        ("GET / HTTP/9.9\r\nHost: x\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: x\r\nA: \x00\r\n\r\n", 400),
        (START + "Content-Length: x\r\n\r\n", 400), (START + "Content-Length: -1\r\n\r\n", 400),
        (START + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (START + "Transfer-Encoding: gzip\r\n\r\n", 400),
        ("GET /" + "x" * 20_000 + " HTTP/1.1\r\nHost: localhost\r\n\r\n", 431),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nX: " + "x" * 20_000 + "\r\n\r\n", 431),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + MANY_HEADERS + "\r\n", 431),
        ("GET / HTTP/1.1\r\nHost: localhost\r\n" + "X: x\r\n" * 500 + "\r\n", 431),
        (START + "Expect: magic\r\nConnection: close\r\n\r\n", 417),
        ("GET /nope HTTP/1.1\r\nHost: localhost\r\nExpect: magic\r\nConnection: close\r\n\r\n", 417),
        ("CONNECT localhost:1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 404),
        ("OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 404),
        ("GET http://evil/v1/runs HTTP/1.1\r\nHost: evil\r\nConnection: close\r\n\r\n", 421),
        ("GET /v1/runs HTTP/1.0\r\n\r\n", 421), ("GET /health HTTP/1.0\r\n\r\n", 200),
    ],
)  # fmt: skip
async def test_what_is_hardly_http_is_answered_in_the_same_shape(
    facade: Running, request_text: str, status: int
) -> None:
    got, headers, body = parsed(await facade.raw(request_text.encode("latin-1")))
    assert got == status, body
    check(status, headers, body)
    assert (await facade.ask("GET", "/health")).status == 200


async def test_a_mistake_of_ours_is_a_500_that_tells_nothing(
    facade: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr("runward.actors.journal.reader.Reader.runs", broken)
    with caplog.at_level(logging.ERROR):
        answer = await facade.ask("GET", "/v1/runs")
    assert (answer.status, answer.code) == (500, "internal_error")
    check(500, dict(answer.headers), answer.body)
    assert b"secret" not in answer.body
    assert "ZeroDivisionError" in caplog.text


async def test_a_request_id_that_is_given_comes_back_if_it_is_harmless(facade: Running) -> None:
    for given, kept in (("abc-1.2_3", True), ("x" * 65, False), ("a b", False), ("", False), ("a\tb", False)):
        answer = await facade.ask("GET", "/health", headers={"X-Request-Id": given})
        assert (answer.headers["X-Request-Id"] == given) is kept
    ids = {(await facade.ask("GET", "/health")).headers["X-Request-Id"] for _ in range(5)}
    assert len(ids) == 5


async def test_headers_that_come_too_slowly_end_the_connection(start_facade: StartFacade) -> None:
    facade = await start_facade(http={"body_timeout_s": 0.1})
    reader, writer = await asyncio.open_connection("127.0.0.1", facade.port)
    writer.write(b"GET /health HTTP/1.1\r\nHost: local")
    async with asyncio.timeout(DEADLINE_S):
        assert await reader.read() == b""
    writer.close()


async def test_more_connections_than_allowed_are_told_so(start_facade: StartFacade) -> None:
    facade = await start_facade(http={"max_connections": 3})
    idle = [await asyncio.open_connection("127.0.0.1", facade.port) for _ in range(3)]
    status, headers, body = parsed(await facade.raw(b""))
    assert status == 503
    assert headers["Retry-After"] == "1"
    assert b"too_many_connections" in body
    for _, writer in idle:
        writer.close()
        await writer.wait_closed()
    await let_in_again(facade)


async def let_in_again(facade: Running) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            if (await facade.raw(b"GET /health HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.0 200"):
                return


async def test_one_connection_takes_many_requests_one_after_another(facade: Running) -> None:
    request = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    last = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    raw = await facade.raw(request * 50 + last)
    assert raw.count(b"HTTP/1.1 200 OK") == 51
