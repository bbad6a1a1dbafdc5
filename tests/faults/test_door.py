"""What comes in at the door: bodies, headers and connections of every bad kind. None of it starts a run, and while
it goes on others are served."""

import json
from collections.abc import Iterator

import pytest

from ..support import census, raw
from ..support.client import Client, Json
from ..support.server import Server, running
from ..support.waiting import AT_LAST_S, until

DEEP = 10_000
BODY_S = 0.5
ERROR_FIELDS = {"message", "type", "code", "param"}
IDLE, MANY = 1000, 1100
MIB = 1_048_576
MUCH_BYTES = 8 * MIB  # of 64 that were sent; a body of lawful size takes some


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = {"http": {"body_timeout_s": BODY_S}, "runs": {"builtin_agents": ["echo", "count"]}}
    with running(tmp_path_factory.mktemp("door"), config) as server:
        server.client.ended(server.client.start("echo"))
        yield server


@pytest.fixture
def client(house: Server) -> Iterator[Client]:
    with house.without_leftovers():
        yield house.client


def _runs(client: Client) -> list[Json]:
    runs: list[Json] = client.ask("GET", "/v1/runs?limit=200").json["data"]
    return runs


def _refused(client: Client, body: object) -> tuple[int, Json]:
    """Status and error of a start that is refused: in the one shape, and nothing has begun."""
    before = _runs(client)
    answer = client.ask("POST", "/v1/runs", body)
    assert set(answer.error) == ERROR_FIELDS
    assert b"Traceback" not in answer.body
    assert _runs(client) == before
    return answer.status, answer.error


def _works(client: Client) -> None:
    assert client.is_healthy()
    assert client.ended(client.start("echo", "still there"))["output"] == "still there"


# ── bodies ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "body", [b"not json", b"{", b"", b'{"input": "x"}{}', b"\0", b"[1]", b'"x"', b"null"]
)
def test_a_body_that_is_no_json_object_is_400_and_starts_nothing(client: Client, body: bytes) -> None:
    status, error = _refused(client, body)
    assert (status, error["code"]) == (400, "invalid_json")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("input", 1),
        ("input", {"text": "x"}),
        ("agent", ["echo"]),
        ("metadata", {"a": 1}),
        ("conversation_history", "x"),
        ("limits", {"wall_s": "long"}),
        ("session_id", 7),
    ],
)
def test_a_field_of_the_wrong_type_is_400_and_named(client: Client, field: str, value: object) -> None:
    status, error = _refused(client, {"input": "x"} | {field: value})
    assert (status, error["code"]) == (400, "invalid_value")
    assert error["param"].startswith(field)


@pytest.mark.parametrize("given", ["", [], None, [{"role": "user", "content": ""}]])
def test_an_empty_input_is_400_and_named(client: Client, given: object) -> None:
    status, error = _refused(client, {"input": given})
    assert (status, error["param"]) == (400, "input")


def test_a_giant_input_is_413_and_the_facade_holds_none_of_it(house: Server, client: Client) -> None:
    body = b'{"input": "%b"}' % (b"x" * (64 * MIB))
    facade = house.member("facade 1").pid
    before = census.private_bytes(facade)
    for _ in range(3):
        status, error = _refused(client, body)
        assert (status, error["code"]) == (413, "body_too_large")
    assert census.private_bytes(facade) < before + MUCH_BYTES
    _works(client)


def _deep(opening: str, closing: str) -> str:
    return opening * DEEP + "1" + closing * DEEP


@pytest.mark.parametrize("nest", [_deep("[", "]"), _deep('{"a":', "}")], ids=["lists", "objects"])
@pytest.mark.parametrize(
    "field", ["input", "metadata", "limits", "conversation_history", "webhook", "no_such_field"]
)
def test_json_ten_thousand_deep_is_400_wherever_it_stands(client: Client, field: str, nest: str) -> None:
    status, _ = _refused(client, f'{{"input": "x", "{field}": {nest}}}'.encode())
    assert status == 400
    assert _refused(client, nest.encode())[0] == 400


@pytest.mark.parametrize(
    "path", ["/v1/session", "/v1/runs/stop", "/v1/runs/run_0/stop", "/v1/runs/run_0/kill"]
)
def test_json_ten_thousand_deep_is_refused_by_every_route_that_takes_a_body(
    client: Client, path: str
) -> None:
    answer = client.ask("POST", path, f'{{"x": {_deep("[", "]")}}}'.encode())
    assert 400 <= answer.status < 500, answer.body
    _works(client)


@pytest.mark.parametrize("text", [b"\xff", b"\xed\xa0\x80", b"\xc0\xaf", b"\\ud800"])
def test_invalid_utf_8_is_400_and_starts_nothing(client: Client, text: bytes) -> None:
    status, error = _refused(client, b'{"input": "%b"}' % text)
    assert (status, error["code"]) == (400, "invalid_json")


def test_an_unknown_agent_is_404_and_the_known_ones_are_named(client: Client) -> None:
    status, error = _refused(client, {"input": "x", "agent": "nobody"})
    assert (status, error["code"], error["param"]) == (404, "agent_not_found", "agent")
    assert "echo" in error["message"]


# ── headers ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "headers",
    [["X: " + "x" * 20_000], [f"X-{n}: {'x' * 200}" for n in range(200)], ["X: " + "x" * MIB]],
    ids=["one of 20 kB", "two hundred", "one of 1 MiB"],
)
def test_giant_headers_are_431_and_others_are_served(
    house: Server, client: Client, headers: list[str]
) -> None:
    with raw.dialled(house.url) as connection:
        raw.send_what_is_taken(connection, raw.request("GET", "/v1/runs", *headers))
        answer = raw.rest(connection)
    assert answer.startswith(b"HTTP/1.1 431 "), answer[:100]
    assert set(json.loads(answer.partition(b"\r\n\r\n")[2])["error"]) == ERROR_FIELDS
    _works(client)


def test_headers_without_an_end_are_cut_off_and_the_facade_holds_none_of_it(
    house: Server, client: Client
) -> None:
    endless = b"GET /v1/runs HTTP/1.1\r\nHost: localhost\r\n" + b"X-Filler: x\r\n" * (5 * MIB)
    facade = house.member("facade 1").pid
    before = census.private_bytes(facade)
    with raw.dialled(house.url) as connection:
        raw.send_what_is_taken(connection, endless)
        assert raw.rest(connection).startswith(b"HTTP/1.1 431 ")
    assert census.private_bytes(facade) < before + MUCH_BYTES
    _works(client)


# ── slow ones ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_body_that_comes_byte_by_byte_is_408_in_time(house: Server, client: Client) -> None:
    whole = raw.request("POST", "/v1/runs", body={"input": "x" * 1000})
    head, body = whole[:-1000], whole[-1000:]
    before = _runs(client)
    with raw.dialled(house.url) as connection:
        connection.sendall(head)
        assert raw.slowly(connection, body) < len(body)
        answer = raw.until(connection, b"request_timeout")
    assert answer.startswith(b"HTTP/1.1 408 "), answer[:100]
    assert b"Connection: close" in answer
    assert _runs(client) == before


def test_headers_that_come_byte_by_byte_end_their_connection_in_time(house: Server, client: Client) -> None:
    whole = raw.request("GET", "/v1/runs", "X: " + "x" * 1000)
    with raw.dialled(house.url) as connection:
        assert raw.slowly(connection, whole) < len(whole)
        raw.rest(connection)
    _works(client)


def test_two_hundred_slow_senders_keep_nobody_waiting(house: Server, client: Client) -> None:
    """Half of them never finish their headers, half their bodies."""
    head = raw.request("POST", "/v1/runs", body={"input": "x" * 1000})[:-500]
    before = _runs(client)
    with raw.many_dialled(house.url, 200) as connections:
        for number, connection in enumerate(connections):
            connection.sendall(head if number % 2 else head[:40])
        _works(client)
        for number, connection in enumerate(connections):
            if number % 2:
                raw.until(connection, b"request_timeout")
            else:
                assert raw.rest(connection) == b""
    assert len(_runs(client)) == len(before) + 1


# ── idle ones ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def large_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that waits for its clients as long as by default."""
    config = {"http": {"max_connections": MANY}, "runs": {"builtin_agents": ["echo"]}}
    with running(tmp_path_factory.mktemp("large"), config) as server:
        _works(server.client)
        yield server


def test_a_thousand_idle_connections_keep_nobody_out_and_are_kept(large_house: Server) -> None:
    """Half of them never say a word, half asked once and stay."""
    ask = raw.request("GET", "/health")
    with large_house.without_leftovers(), raw.many_dialled(large_house.url, IDLE) as connections:
        for connection in connections[::2]:
            connection.sendall(ask)
            raw.until(connection, b'{"status":"ok"}')
        _works(large_house.client)
        assert raw.readable(connections) == []


def test_of_more_connections_than_it_may_hold_a_facade_says_so_and_serves_again_when_they_go(
    large_house: Server,
) -> None:
    with large_house.without_leftovers():
        with raw.many_dialled(large_house.url, MANY), raw.dialled(large_house.url) as late:
            answer = raw.rest(late)
            assert answer.startswith(b"HTTP/1.1 503 "), answer[:100]
            assert b"too_many_connections" in answer
        until(large_house.client.is_healthy, AT_LAST_S, "health")
        _works(large_house.client)
