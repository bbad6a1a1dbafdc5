"""The sixteen behaviours of the contract, in its order, each against real processes over a real port."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..support import census
from ..support.client import Client
from ..support.server import Server, agent, running
from ..support.waiting import until

KEY = "the operator's key 1".replace(" ", "-")
ORIGIN = "https://console.example"
UNKNOWN = "run_00000000000000000000000000000000"
STOP_MESSAGE = "Stop requested via API"
AT_ONCE_S = 0.5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("contract")


@pytest.fixture(scope="module")
def house(folder: Path) -> Iterator[Server]:
    record = str(folder / "interrupts")
    writes = {"writable": [str(folder)]}
    config = {
        "http": {"cors_origins": [ORIGIN], "max_body_bytes": 4096},
        "runs": {"default_agent": "talker"},
        "agents": {
            "talker": agent("conversing", "Talker", options={"record": record}, paths=writes),
            "thrower": agent(
                "conversing", "Talker", options={"record": record, "raises": True}, paths=writes
            ),
        },
    }
    with running(folder, config, KEY) as server:
        server.client.ended(server.client.start("talker"))  # what opens once is then open
        yield server


@pytest.fixture
def server(house: Server) -> Iterator[Server]:
    with house.without_leftovers():
        yield house


@pytest.fixture
def client(server: Server) -> Client:
    return server.client


@pytest.fixture
def stranger(server: Server) -> Client:
    """Without a key."""
    return Client(server.url)


@pytest.fixture
def record(folder: Path) -> Path:
    """The file in which agents write down each call of `interrupt`."""
    path = folder / "interrupts"
    path.unlink(missing_ok=True)
    return path


# ── 1 to 6: starting ──────────────────────────────────────────────────────────────────────────────────────────────


def test_1_and_6_a_start_with_the_right_key_is_accepted_at_once(client: Client) -> None:
    answer = client.ask("POST", "/v1/runs", {"input": "hello"})
    assert answer.status == 202
    assert answer.json["status"] == "started"
    assert answer.json["run_id"].startswith("run_")
    client.ended(answer.json["run_id"])


@pytest.mark.parametrize("body", [b"{", b"", b"input=hello", b"[]", b'"hello"', b"\xff"])
def test_2_a_body_that_is_no_json_object_is_refused(client: Client, body: bytes) -> None:
    answer = client.ask("POST", "/v1/runs", body)
    assert answer.status == 400
    assert answer.error["message"]


@pytest.mark.parametrize("body", [{}, {"agent": "talker"}, {"input": None}])
def test_3_a_start_without_input_is_refused_and_told_what_is_missing(client: Client, body: Any) -> None:
    answer = client.ask("POST", "/v1/runs", body)
    assert answer.status == 400
    assert "input" in answer.error["message"]


@pytest.mark.parametrize("given", ["", [], [{"role": "user", "content": ""}]])
def test_4_an_empty_input_is_refused(client: Client, given: Any) -> None:
    answer = client.ask("POST", "/v1/runs", {"input": given})
    assert answer.status == 400
    assert "input" in answer.error["message"]


def test_5_a_start_without_the_key_is_refused_and_starts_nothing(client: Client, stranger: Client) -> None:
    before = client.ask("GET", "/v1/runs?limit=1").json["data"]
    answer = stranger.ask("POST", "/v1/runs", {"input": "hello"})
    assert answer.status == 401
    assert answer.error["code"] == "invalid_api_key"
    assert client.ask("GET", "/v1/runs?limit=1").json["data"] == before


def test_5_a_wrong_key_is_no_key(server: Server) -> None:
    assert Client(server.url, "another-key").ask("POST", "/v1/runs", {"input": "hello"}).status == 401


# ── 7 to 9: watching ──────────────────────────────────────────────────────────────────────────────────────────────


def test_7_the_stream_of_a_finished_run_holds_its_completion_and_output(client: Client) -> None:
    run_id = client.start("talker", "hello")
    client.ended(run_id)
    last = client.events(run_id)[-1]
    assert (last["event"], last["output"]) == ("run.completed", "hello!")


def test_8_the_events_of_an_unknown_run_are_not_found(client: Client) -> None:
    answer = client.ask("GET", f"/v1/runs/{UNKNOWN}/events")
    assert (answer.status, answer.error["code"]) == (404, "run_not_found")


def test_9_events_without_the_key_are_refused_whether_or_not_the_run_is_known(
    client: Client, stranger: Client
) -> None:
    run_id = client.start("talker")
    client.ended(run_id)
    assert stranger.ask("GET", f"/v1/runs/{run_id}/events").status == 401
    assert stranger.ask("GET", f"/v1/runs/{UNKNOWN}/events").status == 401


# ── 10 to 15: stopping ────────────────────────────────────────────────────────────────────────────────────────────


def test_10_a_stop_interrupts_once_and_within_half_a_second_nothing_of_the_run_is_left(
    server: Server, client: Client, record: Path
) -> None:
    idle = server.holdings()
    run_id = client.begun("talker", "wait")
    assert {each.role for each in census.runs_below(server.pid)} == {"warden", "agent"}

    asked_at = time.monotonic()
    answer = client.stop(run_id)
    left_s = asked_at + AT_ONCE_S - time.monotonic()
    until(lambda: _is_forgotten(server, run_id, idle), left_s, lambda: _what_is_left(server, run_id, idle))

    assert (answer.status, answer.json) == (200, {"run_id": run_id, "status": "stopping"})
    assert record.read_text() == f"{STOP_MESSAGE}\n"
    run = client.run(run_id)
    assert (run["status"], run["reason"]) == ("cancelled", "interrupted")
    assert run["exit"]["survivors"] == []


def test_11_a_stop_of_an_unknown_run_is_not_found(client: Client) -> None:
    answer = client.stop(UNKNOWN)
    assert (answer.status, answer.error["code"]) == (404, "run_not_found")


def test_12_a_stop_without_the_key_is_refused_and_the_run_goes_on(
    client: Client, stranger: Client, record: Path
) -> None:
    run_id = client.begun("talker", "wait")
    assert stranger.stop(run_id).status == 401
    assert client.run(run_id)["status"] == "running"
    assert not record.exists()
    client.stopped(run_id)


def test_13_a_stop_of_a_completed_run_is_not_found_and_told_why(client: Client) -> None:
    run_id = client.start("talker")
    client.ended(run_id)
    answer = client.stop(run_id)
    assert (answer.status, answer.error["code"], answer.error["status"]) == (404, "run_ended", "completed")


def test_14_an_interrupt_that_raises_changes_nothing(client: Client, record: Path) -> None:
    run_id = client.begun("thrower", "wait")
    answer = client.stop(run_id)
    assert (answer.status, answer.json["status"]) == (200, "stopping")
    run = client.ended(run_id)
    assert (run["status"], run["reason"]) == ("cancelled", "interrupted")
    assert record.read_text() == f"{STOP_MESSAGE}\n"


def test_15_after_a_stop_every_open_stream_gets_the_end_and_closes(client: Client, record: Path) -> None:
    run_id = client.start("talker", "wait")
    with client.stream(run_id) as one, client.stream(run_id) as other:
        one.until("message.delta")
        other.until("message.delta")
        client.stop(run_id)
        for stream in (one, other):
            assert [frame.event["event"] for frame in stream.rest()] == ["run.stopping", "run.cancelled"]
            assert stream.comments[-1] == "stream closed"


def _is_forgotten(server: Server, run_id: str, idle: Any) -> bool:
    """Not in the supervisor's registry, over for its readers, and neither a process nor a descriptor of it."""
    live = [each["live_runs"] for each in server.client.ask("GET", "/v1/agents").json["data"]]
    return (
        not any(live)
        and server.client.run(run_id)["status"] == "cancelled"
        and not census.runs_below(server.pid)
        and not server.gained(idle)
    )


def _what_is_left(server: Server, run_id: str, idle: Any) -> str:
    status = server.client.run(run_id)["status"]
    processes = [str(each) for each in census.runs_below(server.pid)]
    return f"the end of {run_id} ({status}), of {processes} and of {server.gained(idle)}"
