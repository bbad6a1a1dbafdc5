"""Readers of event streams that never read, close one half or vanish. They cost the run nothing and the facade
little; whoever reads gets everything."""

import re
import socket
from collections.abc import Iterator

import pytest

from ..support import census, raw
from ..support.client import Client
from ..support.server import Server, agent, running
from ..support.waiting import AT_LAST_S, until

NEVER_READING = 200
RECEIVE_BYTES = 4096
STEP = 10_000  # events of 1 kB
FLAT_BYTES = 1_048_576
EACH_BYTES = 262_144  # what one that never reads may cost: what its connection holds, and its task
LONG_S = 45.0


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = {
        "runs": {"builtin_agents": ["echo"]},
        "agents": {"use": agent("using", "use"), "act": agent("acting", "act")},
    }
    with running(tmp_path_factory.mktemp("streams"), config) as server:
        for name in ("use", "act"):
            server.client.ended(server.client.start(name, "answers"))
        yield server


@pytest.fixture
def client(house: Server) -> Iterator[Client]:
    with house.without_leftovers():
        yield house.client


def _ask(run_id: str) -> bytes:
    return raw.request("GET", f"/v1/runs/{run_id}/events")


# ── who never reads ───────────────────────────────────────────────────────────────────────────────────────────────


def test_two_hundred_clients_that_never_read_leave_the_facades_memory_flat_while_a_run_floods(
    house: Server, client: Client
) -> None:
    """And one of them that reads at last gets everything."""
    facade = house.member("facade 1").pid
    before = census.private_bytes(facade)
    run_id = client.begun("use", "floods_events")
    with (
        raw.many_dialled(house.url, NEVER_READING - 1, RECEIVE_BYTES) as connections,
        raw.dialled(house.url) as late,
    ):
        for connection in (*connections, late):
            connection.sendall(_ask(run_id))
        weights = _weights_until_flat(client, run_id, facade)
        assert weights[-1] < before + NEVER_READING * EACH_BYTES, weights
        assert client.is_healthy()
        client.stopped(run_id, mode="kill")
        _check_everything(raw.until(late, b": stream closed"), client.run(run_id)["last_seq"])


def _weights_until_flat(client: Client, run_id: str, facade: int) -> list[int]:
    """What the facade weighed after each so many events, to when it did not grow over three times as many."""
    weights: list[int] = []

    def is_flat() -> bool:
        _await_event(client, run_id, (len(weights) + 1) * STEP)
        weights.append(census.private_bytes(facade))
        last = weights[-4:]
        return len(last) == 4 and max(last) - last[0] < FLAT_BYTES

    until(is_flat, LONG_S, lambda: f"an end of {weights}")
    return weights


def _await_event(client: Client, run_id: str, seq: int) -> None:
    until(lambda: client.run(run_id)["last_seq"] >= seq, LONG_S, f"event {seq}")


def _check_everything(stream: bytes, last: int) -> None:
    seqs = [int(number) for number in re.findall(rb"^id: (\d+)$", stream, re.MULTILINE)]
    assert seqs == list(range(1, last + 1))


def test_a_client_that_never_reads_slows_no_other(house: Server, client: Client) -> None:
    run_id = client.begun("use", "floods_events")
    with raw.dialled(house.url, RECEIVE_BYTES) as stuck, client.stream(run_id) as stream:
        stuck.sendall(_ask(run_id))
        seqs = [int(frame.id) for frame, _ in zip(stream, range(STEP), strict=False)]
        assert seqs == list(range(1, STEP + 1))
        client.stopped(run_id, mode="kill")


# ── who closes one half, or vanishes ──────────────────────────────────────────────────────────────────────────────


def test_a_half_closed_client_is_let_go_of_its_run_goes_on_and_it_comes_back_to_where_it_was(
    house: Server, client: Client
) -> None:
    run_id = client.begun("act", "endless")
    before = house.holdings()
    with raw.dialled(house.url) as connection:
        connection.sendall(_ask(run_id))
        raw.until(connection, b"\nid: 20\n")
        connection.shutdown(socket.SHUT_WR)
        raw.rest(connection)  # to its end, though the run has none
        until(lambda: not house.gained(before), AT_LAST_S, lambda: f"the end of {house.gained(before)}")
    assert client.run(run_id)["status"] == "running"
    with client.stream(run_id, headers={"Last-Event-ID": "20"}) as stream:
        assert next(iter(stream)).id == "21"
    client.stopped(run_id)


def test_a_half_closed_client_that_said_so_stops_its_run(house: Server, client: Client) -> None:
    body = {"agent": "act", "input": "obeys", "on_disconnect": "stop"}
    with raw.dialled(house.url) as connection:
        connection.sendall(raw.request("POST", "/v1/runs", "Accept: text/event-stream", body=body))
        opened = raw.until(connection, b'"delta":"ready"')
        connection.shutdown(socket.SHUT_WR)
        raw.rest(connection)
    found = re.search(rb"run_[0-9a-f]+", opened)
    assert found is not None
    run = client.ended(found[0].decode())
    assert (run["status"], run["reason"]) == ("cancelled", "interrupted")


def test_a_hundred_clients_that_vanish_in_the_middle_leave_nothing_and_the_run_goes_on(
    house: Server, client: Client
) -> None:
    run_id = client.begun("act", "endless")
    before = house.holdings()
    with raw.many_dialled(house.url, 100) as connections:
        for connection in connections:
            connection.sendall(_ask(run_id))
        for connection in connections:
            raw.until(connection, b"\nid: 3\n")
            raw.reset(connection)
    until(lambda: not house.gained(before), AT_LAST_S, lambda: f"the end of {house.gained(before)}")
    assert client.run(run_id)["status"] == "running"
    client.stopped(run_id)
    assert [event["seq"] for event in client.events(run_id)] == list(
        range(1, client.run(run_id)["last_seq"] + 1)
    )
