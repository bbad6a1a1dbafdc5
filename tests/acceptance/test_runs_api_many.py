"""Stops for many runs at once, and forgetting runs that are over, over a real port."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from ..support.client import Client, Json
from ..support.keys import ALICE, AUTH, BOB, OPERATOR, READER
from ..support.server import Server, agent, running
from ..support.waiting import AT_LAST_S, until

MANY, MANY_WITHIN_S = 100, 2.0
COUNTS = {"run": "SELECT count(*) FROM run WHERE key = ?"} | {
    table: f"SELECT count(*) FROM {table} WHERE run = ?"  # noqa: S608 - the names are these
    for table in ("given", "batch", "command", "idempotency", "erased")
}
FAST = {"entrypoint": "runward.actors.builtin:count", "options": {"interval_s": 0}}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = {
        "auth": AUTH,
        "runs": {"interrupt_grace_s": 30.0, "terminate_grace_s": 30.0, "max_live": 200},
        "agents": {"act": agent("acting", "act"), "other": agent("acting", "act"), "fast": FAST},
    }
    with running(tmp_path_factory.mktemp("many"), config, OPERATOR) as server:
        for name in ("act", "other"):
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


# ── stops for many ────────────────────────────────────────────────────────────────────────────────────────────────


def _stop_all(client: Client, **body: object) -> set[str]:
    answer = client.ask("POST", "/v1/runs/stop", body)
    assert answer.status == 200, answer.body
    assert set(answer.json) == {"stopping"}
    return set(answer.json["stopping"])


def test_all_that_match_are_stopped_and_no_other(client: Client) -> None:
    a = client.begun("act", "obeys", session_id="s1")
    b = client.begun("other", "obeys", session_id="s1", on_conflict="parallel")
    c = client.begun("other", "obeys", session_id="s2")
    assert _stop_all(client, agent="other", session_id="s1") == {b}
    assert client.ended(b)["status"] == "cancelled"
    assert _stop_all(client, session_id="s2", status="running", reason="enough") == {c}
    assert next(each for each in client.events(c) if each["event"] == "run.stopping")["reason"] == "enough"
    assert _stop_all(client, agent="other") == set()
    assert _status(client, a) == "running"
    assert _stop_all(client, all=True) == {a}
    client.ended(a)


def test_the_holder_of_a_key_stops_his_own(client: Client, alice: Client, bob: Client) -> None:
    hers, his = alice.begun("act", "obeys"), bob.begun("act", "obeys")
    assert _stop_all(alice, all=True) == {hers}
    client.ended(hers)
    assert _status(client, his) == "running"
    assert _stop_all(client, all=True) == {his}
    client.ended(his)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "all"),
        ({"all": False}, "all"),
        ({"all": True, "agent": "act"}, "all"),
        ({"agnet": "act"}, "agnet"),
        ({"agent": "act", "sesion_id": "s"}, "sesion_id"),
        ({"status": "alive"}, "status"),
        ({"all": "yes"}, "all"),
        ({"all": True, "grace_s": -1}, "grace_s"),
        ({"all": True, "mode": "hard"}, "mode"),
    ],
)
def test_a_stop_that_does_not_say_which_runs_is_refused(client: Client, body: Json, param: str) -> None:
    answer = client.ask("POST", "/v1/runs/stop", body)
    assert (answer.status, answer.error["param"]) == (400, param)


def test_a_reader_stops_and_forgets_nothing(house: Server, client: Client) -> None:
    reader = house.with_key(READER)
    assert reader.ask("POST", "/v1/runs/stop", {"all": True}).status == 403
    run_id = client.start("echo")
    client.ended(run_id)
    assert reader.ask("DELETE", f"/v1/runs/{run_id}").status == 403


def test_a_hundred_runs_are_proved_dead_within_two_seconds(client: Client) -> None:
    started = {client.start("act", "stubborn") for _ in range(MANY)}
    for run_id in started:
        with client.stream(run_id) as stream:
            stream.until("message.delta")
    began = time.monotonic()
    assert _stop_all(client, all=True, mode="kill") == started
    runs = [client.ended(run_id) for run_id in started]
    took_s = time.monotonic() - began
    assert {(run["status"], run["reason"], tuple(run["exit"]["survivors"])) for run in runs} == {
        ("cancelled", "killed", ())
    }
    assert all(run["exit"]["proof"] for run in runs)
    assert took_s < MANY_WITHIN_S


# ── forgetting ────────────────────────────────────────────────────────────────────────────────────────────────────


def _rows(house: Server, run_id: str) -> tuple[int, dict[str, int]]:
    """The run's key in the journal, and how many rows each table has of it."""
    with closing(sqlite3.connect(house.folder / "state" / "journal.db")) as database:
        (key,) = database.execute("SELECT key FROM run WHERE run_id = ?", (run_id,)).fetchone()
    return key, _rows_of(house, key)


def _rows_of(house: Server, key: int) -> dict[str, int]:
    with closing(sqlite3.connect(house.folder / "state" / "journal.db")) as database:
        return {table: database.execute(count, (key,)).fetchone()[0] for table, count in COUNTS.items()}


def test_of_a_forgotten_run_nothing_is_left(house: Server, client: Client) -> None:
    answer = client.ask("POST", "/v1/runs", {"agent": "act", "input": "obeys"}, {"Idempotency-Key": "gone"})
    run_id = answer.json["run_id"]
    client.stopped(run_id)
    key, rows = _rows(house, run_id)
    assert all(rows[table] for table in ("run", "given", "batch", "command", "idempotency"))
    answer = client.ask("DELETE", f"/v1/runs/{run_id}")
    assert (answer.status, answer.body) == (204, b"")
    assert _rows_of(house, key) | {"erased": 0} == dict.fromkeys(COUNTS, 0)
    until(lambda: not _rows_of(house, key)["erased"], AT_LAST_S, "the end of the note that files may be left")
    for method, path in (("GET", ""), ("GET", "/events"), ("POST", "/stop"), ("DELETE", "")):
        answer = client.ask(method, f"/v1/runs/{run_id}{path}")
        assert (answer.status, answer.error["code"]) == (404, "run_not_found"), path
    assert run_id not in [run["run_id"] for run in client.ask("GET", "/v1/runs").json["data"]]
    again = client.ask("POST", "/v1/runs", {"agent": "echo", "input": "x"}, {"Idempotency-Key": "gone"})
    assert "Idempotency-Replayed" not in again.headers
    assert again.json["run_id"] != run_id
    client.ended(again.json["run_id"])


def test_the_log_files_of_a_forgotten_run_are_gone(house: Server, client: Client) -> None:
    run_id = client.start("act", "raises")
    client.ended(run_id)
    files = house.folder / "state" / "logs"
    assert [file.name for file in files.glob(f"{run_id}*")]
    assert client.ask("DELETE", f"/v1/runs/{run_id}").status == 204
    assert not [file.name for file in files.glob(f"{run_id}*")]
    assert client.ask("GET", f"/v1/runs/{run_id}/logs").status == 404


def test_a_live_run_is_not_forgotten(client: Client) -> None:
    run_id = client.begun("act", "obeys")
    answer = client.ask("DELETE", f"/v1/runs/{run_id}")
    assert (answer.status, answer.error["code"], answer.error["status"]) == (409, "run_live", "running")
    client.stopped(run_id)
    assert client.ask("DELETE", f"/v1/runs/{run_id}").status == 204


def test_another_keys_run_can_t_be_forgotten(client: Client, alice: Client, bob: Client) -> None:
    run_id = alice.start("echo")
    client.ended(run_id)
    answer = bob.ask("DELETE", f"/v1/runs/{run_id}")
    assert (answer.status, answer.error["code"]) == (404, "run_not_found")
    assert alice.ask("DELETE", f"/v1/runs/{run_id}").status == 204


def test_a_reader_that_is_in_the_middle_of_a_forgotten_run_ends_cleanly_and_sees_nothing_of_a_later_one(
    client: Client,
) -> None:
    run_id = client.start("fast", "150000")  # far more than the sockets between us hold
    client.ended(run_id)
    with client.stream(run_id) as stream:
        first = next(iter(stream))
        assert client.ask("DELETE", f"/v1/runs/{run_id}").status == 204
        later = client.start("echo", "somebody else's")
        client.ended(later)
        assert {frame.event["run_id"] for frame in stream} <= {run_id}
    assert first.event["run_id"] == run_id
    assert "stream closed" in stream.comments
