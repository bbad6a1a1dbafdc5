"""Runs that wait for a slot: they begin in order, and a stop ends them before they ever exist."""

from collections.abc import Iterator

import pytest

from ..support import census
from ..support.client import Client
from ..support.server import Server, agent, running

MOST_WAITING = 3


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = {
        "runs": {"max_live": 1, "max_queued": MOST_WAITING, "default_agent": "act", "builtin_agents": []},
        "agents": {"act": agent("acting", "act")},
    }
    with running(tmp_path_factory.mktemp("waiting"), config) as server:
        server.client.ended(server.client.start("act", "answers"))
        yield server


@pytest.fixture
def client(house: Server) -> Iterator[Client]:
    with house.without_leftovers():
        yield house.client


@pytest.fixture
def first(client: Client) -> Iterator[str]:
    """The run that has the only slot."""
    run_id = client.begun("act", "obeys")
    yield run_id
    if client.run(run_id)["status"] == "running":
        client.stopped(run_id)


def test_a_run_without_a_slot_waits_and_has_no_process(house: Server, client: Client, first: str) -> None:
    run_id = client.start("act", "answers later")
    run = client.run(run_id)
    assert (run["status"], run["started_at"], run["process"]) == ("queued", None, None)
    assert [each.title for each in census.runs_below(house.pid) if first not in each.title] == []
    client.stop(first)
    assert client.ended(run_id)["output"] == "later"


def test_waiting_runs_begin_in_the_order_in_which_they_came(client: Client, first: str) -> None:
    waiting = [client.start("act", f"answers {number}") for number in range(MOST_WAITING)]
    assert [client.run(run_id)["last_event"] for run_id in waiting] == ["run.queued"] * MOST_WAITING
    client.stop(first)
    started = [client.ended(run_id)["started_at"] for run_id in waiting]
    assert started == sorted(started)


def test_a_stop_of_a_waiting_run_ends_it_before_it_begins(client: Client, first: str) -> None:
    run_id = client.start("act", "obeys")
    answer = client.stop(run_id)
    assert (answer.status, answer.json) == (200, {"run_id": run_id, "status": "stopping"})
    events = client.events(run_id)
    run = client.run(run_id)
    assert [event["event"] for event in events] == ["run.queued", "run.cancelled"]
    assert (run["status"], run["reason"], run["started_at"]) == ("cancelled", "interrupted", None)
    assert (run["exit"]["proof"], run["exit"]["survivors"]) == ("never_started", [])


def test_a_stopped_run_gives_its_place_in_the_queue_to_others(client: Client, first: str) -> None:
    waiting = [client.start("act", "obeys") for _ in range(MOST_WAITING)]
    full = client.ask("POST", "/v1/runs", {"input": "one too many"})
    assert (full.status, full.error["code"]) == (429, "queue_full")
    assert int(full.headers["Retry-After"]) >= 1
    for run_id in waiting:
        client.stop(run_id)
        client.ended(run_id)
    client.stopped(client.start("act", "obeys"))


def test_a_stop_of_the_live_run_lets_the_next_one_begin(client: Client, first: str) -> None:
    second = client.start("act", "obeys")
    client.stop(first)
    with client.stream(second) as stream:
        stream.until("message.delta")
    assert client.run(first)["status"] == "cancelled"
    client.stopped(second)
