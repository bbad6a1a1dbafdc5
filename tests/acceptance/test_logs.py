"""What a run writes to stdout and stderr, over a real port."""

import os
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from ..support import census
from ..support.client import Answer, Client
from ..support.server import Server, agent, running
from ..support.waiting import AT_LAST_S, until

BOUND = 65_536
KEY = "logs-key"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = {
        "events": {"max_log_bytes": BOUND},
        "runs": {"interrupt_grace_s": 1.0, "builtin_agents": ["echo"]},
        "agents": {"use": agent("using", "use")},
    }
    with running(tmp_path_factory.mktemp("logs"), config, KEY) as server:
        server.client.ended(server.client.start("echo"))
        yield server


@pytest.fixture
def client(house: Server) -> Iterator[Client]:
    with house.without_leftovers():
        yield house.client


def _log(client: Client, run_id: str, query: str = "") -> str:
    answer = _ask(client, run_id, query)
    assert answer.status == 200, answer.body
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    return answer.body.decode()


def _ask(client: Client, run_id: str, query: str = "", method: str = "GET") -> Answer:
    return client.ask(method, f"/v1/runs/{run_id}/logs{query}")


def _ended(client: Client, text: str) -> str:
    run_id = client.start("use", text)
    client.ended(run_id)
    return run_id


# ── what is in it ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_both_streams_are_one_text_and_each_can_be_had_alone(client: Client) -> None:
    run_id = _ended(client, "says hello")
    assert _log(client, run_id) == "hello\n==> stderr <==\nhello, complained\n"
    assert _log(client, run_id, "?stream=both") == _log(client, run_id)
    assert _log(client, run_id, "?stream=stdout") == "hello\n"
    assert _log(client, run_id, "?stream=stderr") == "hello, complained\n"


def test_a_run_that_wrote_nothing_has_an_empty_log_and_no_files(client: Client, house: Server) -> None:
    run_id = client.start("echo")
    client.ended(run_id)
    assert _log(client, run_id) == ""
    assert not [name for name in os.listdir(house.folder / "state" / "logs") if name.startswith(run_id)]


def test_a_crash_leaves_its_traceback_in_the_log(client: Client) -> None:
    run_id = _ended(client, "counts nonsense")
    assert "ValueError: invalid literal for int()" in _log(client, run_id, "?stream=stderr")


def test_a_million_lines_are_kept_by_their_head_and_their_newest_and_the_gap_is_told(client: Client) -> None:
    run_id = _ended(client, "counts 1000000")
    lines = _log(client, run_id, "?stream=stdout").splitlines()
    assert lines[:3] == ["0", "1", "2"]
    assert lines[-3:] == ["999997", "999998", "999999"]
    (gap,) = [line for line in lines if "runward" in line]
    total = sum(len(f"{number}\n") for number in range(1_000_000))
    assert gap == f"[runward: {total - BOUND} bytes of stdout were dropped here]"
    assert len("\n".join(lines)) < BOUND + 200
    assert _log(client, run_id, "?tail=2") == "999998\n999999\n"


@pytest.mark.parametrize(("lines", "kept"), [(0, ""), (1, "4\n"), (3, "2\n3\n4\n"), (9, "0\n1\n2\n3\n4\n")])
def test_the_tail_is_the_last_lines(client: Client, lines: int, kept: str) -> None:
    assert _log(client, _ended(client, "counts 5"), f"?tail={lines}") == kept


def test_bytes_that_are_no_text_show_as_such(client: Client) -> None:
    assert _log(client, _ended(client, "writes_bytes ff41c3a9c3")) == "\\xffAé\\xc3"


def test_what_a_child_writes_after_its_parent_is_gone_is_no_endless_log(client: Client) -> None:
    run_id = client.begun("use", "leaves_a_writer")
    assert client.ended(run_id)["status"] == "completed"
    assert set(_log(client, run_id, "?stream=stdout&tail=10").splitlines()) == {"orphan"}


# ── while it lives ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_live_runs_log_can_be_read(client: Client) -> None:
    run_id = client.begun("use", "prints_now_and_then")
    until(lambda: _log(client, run_id) == "first\n", AT_LAST_S, "the first line")
    client.stopped(run_id)
    assert _log(client, run_id) == "first\nsecond\n"


def test_a_follower_gets_what_comes_and_is_let_go_when_the_run_ends(client: Client, house: Server) -> None:
    run_id = client.begun("use", "prints_now_and_then")
    connection = HTTPConnection(urlsplit(house.url).netloc, timeout=AT_LAST_S)
    try:
        connection.request(
            "GET", f"/v1/runs/{run_id}/logs?follow=1", headers={"Authorization": f"Bearer {KEY}"}
        )
        with connection.getresponse() as response:
            assert response.headers["Transfer-Encoding"] == "chunked"
            assert response.readline() == b"first\n"
            client.stop(run_id)
            assert response.read() == b"second\n"
    finally:
        connection.close()


def test_following_a_run_that_is_over_ends_at_once(client: Client) -> None:
    assert _log(client, _ended(client, "counts 3"), "?follow=1") == "0\n1\n2\n"


def test_a_follower_that_leaves_is_forgotten(client: Client, house: Server) -> None:
    run_id = client.begun("use", "sleeps")
    facade = house.member("facade 1").pid

    def held() -> list[str]:
        return [path for path in census.descriptors(facade) if run_id in path]

    connection = HTTPConnection(urlsplit(house.url).netloc, timeout=AT_LAST_S)
    connection.request("GET", f"/v1/runs/{run_id}/logs?follow=1", headers={"Authorization": f"Bearer {KEY}"})
    with connection.getresponse():
        until(held, AT_LAST_S, "open logs")
    connection.close()
    until(lambda: not held(), AT_LAST_S, "the logs to be closed")
    client.kill(run_id, wait=True)


def test_head_answers_the_headers_alone_and_does_not_follow(client: Client) -> None:
    run_id = client.begun("use", "prints_now_and_then")
    answer = _ask(client, run_id, "?follow=1", "HEAD")
    assert (answer.status, answer.body) == (200, b"")
    client.stopped(run_id)


# ── a flood ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_flood_of_output_leaves_its_neighbour_quick_its_warden_cool_and_its_log_small(
    client: Client, house: Server
) -> None:
    run_id = client.begun("use", "floods_stdout")
    (warden,) = house.members("warden")
    ticks, began = _ticks(warden.pid), time.monotonic()
    took_s = []
    for _ in range(20):
        asked = time.monotonic()
        client.ended(client.start("echo"))
        took_s.append(time.monotonic() - asked)
    burnt_s = (_ticks(warden.pid) - ticks) / os.sysconf("SC_CLK_TCK")
    assert burnt_s < 0.25 * (time.monotonic() - began)
    assert sorted(took_s)[10] < 1.0
    size = (house.folder / "state" / "logs" / f"{run_id}.stdout").stat().st_size
    assert size <= BOUND + 100
    assert client.stop(run_id, wait=True).json["status"] == "cancelled"


def test_a_flood_goes_on_when_the_pace_allows_it(client: Client) -> None:
    run_id = client.begun("use", "floods_stdout")

    def dropped() -> int:
        gap = next((line for line in _log(client, run_id).splitlines() if "runward" in line), "0 0")
        return int(gap.split()[1])

    first = until(dropped, AT_LAST_S, "dropped bytes")
    until(lambda: dropped() > first + 2**20, AT_LAST_S, "a MiB more to be taken")
    client.kill(run_id, wait=True)


def _ticks(pid: int) -> int:
    with open(f"/proc/{pid}/stat", "rb") as file:
        return sum(map(int, file.read().rpartition(b")")[2].split()[11:13]))


# ── who may, and what is wrong ────────────────────────────────────────────────────────────────────────────────────


def test_an_agent_holds_neither_its_log_nor_that_of_another(client: Client) -> None:
    run_id = client.start("use", "lists_files")
    assert not [name for name in client.ended(run_id)["output"] if "logs" in name or "journal" in name]


def test_the_log_goes_with_the_run(client: Client, house: Server) -> None:
    run_id = _ended(client, "says hello")
    assert client.ask("DELETE", f"/v1/runs/{run_id}").status == 204
    assert _ask(client, run_id).status == 404
    left = house.folder / "state" / "logs"
    until(
        lambda: not [name for name in os.listdir(left) if name.startswith(run_id)], AT_LAST_S, "no log files"
    )


def test_an_unknown_run_has_no_log(client: Client) -> None:
    answer = _ask(client, "run_0")
    assert (answer.status, answer.error["code"]) == (404, "run_not_found")


def test_without_a_key_there_is_no_log(client: Client, house: Server) -> None:
    run_id = _ended(client, "says hello")
    assert _ask(Client(house.url), run_id).status == 401
    assert _ask(house.with_key("wrong"), run_id).status == 401


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("?stream=stdin", "stream"),
        ("?tail=-1", "tail"),
        ("?tail=1e3", "tail"),
        ("?tail=", "tail"),
        ("?tail=" + "9" * 30, "tail"),
        ("?follow=yes", "follow"),
    ],
)
def test_a_query_that_makes_no_sense_is_refused_by_name(client: Client, query: str, param: str) -> None:
    answer = _ask(client, _ended(client, "says hello"), query)
    assert (answer.status, answer.error["code"], answer.error["param"]) == (400, "invalid_value", param)


def test_where_no_logs_are_kept_runs_go_on_without(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("no-logs")
    config = {
        "events": {"max_log_bytes": 0},
        "runs": {"builtin_agents": [], "default_agent": "use"},
        "agents": {"use": agent("using", "use")},
    }
    with running(folder, config) as server:
        run_id = _ended(server.client, "counts nonsense")
        assert _log(server.client, run_id) == ""
        assert "ValueError" in server.client.run(run_id)["exit"]["stderr_tail"]
        assert os.listdir(folder / "state" / "logs") == []
