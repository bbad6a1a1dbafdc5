"""`GET /v1/runs`: following the list over a real port, and what is refused."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from ..support.client import Client, Json, Stream
from ..support.keys import ALICE, AUTH, BOB, OPERATOR
from ..support.server import Server, agent, running
from ..support.waiting import AT_LAST_S, until


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = {
        "auth": AUTH,
        "runs": {"interrupt_grace_s": 30.0, "terminate_grace_s": 30.0, "max_live": 200},
        "agents": {"act": agent("acting", "act")},
    }
    with running(tmp_path_factory.mktemp("follow"), config, OPERATOR) as server:
        for name in ("act",):
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


# ── following the list ────────────────────────────────────────────────────────────────────────────────────────────


def _follow(client: Client, query: str = "", headers: dict[str, str] | None = None) -> Any:
    return client.opened("GET", f"/v1/runs?follow=1{query}", headers=headers or {})


def _until_status(stream: Stream, run_id: str, status: str) -> list[tuple[str, Json]]:
    """Id and run object of every frame up to the one that shows this."""
    seen: list[tuple[str, Json]] = []
    for frame in stream:
        seen.append((frame.id, frame.event))
        if (frame.event["run_id"], frame.event["status"]) == (run_id, status):
            return seen
    raise AssertionError(f"the stream ended before {run_id} was {status}")


def test_who_follows_the_list_sees_each_run_come_and_end(client: Client) -> None:
    with _follow(client) as stream:
        assert (stream.status, stream.headers["Content-Type"]) == (200, "text/event-stream")
        run_id = client.begun("act", "obeys")
        seen = _until_status(stream, run_id, "running")
        client.stopped(run_id)
        seen += _until_status(stream, run_id, "cancelled")
    numbers = [int(number) for number, _ in seen]
    assert numbers == sorted(set(numbers))
    assert seen[-1][1] == client.run(run_id)
    assert {run["object"] for _, run in seen} == {"run"}


def test_who_comes_back_is_told_how_what_he_missed_stands_now(client: Client) -> None:
    with _follow(client) as stream:
        first = client.start("echo", "one")
        seen = _until_status(stream, first, "completed")
    second = client.start("echo", "two")
    client.ended(second)
    with _follow(client, headers={"Last-Event-ID": seen[-1][0]}) as stream:
        missed = _until_status(stream, second, "completed")
    assert [run["run_id"] for _, run in missed] == [second]


def test_a_follower_is_told_of_what_matches_and_of_what_he_may_see(
    client: Client, alice: Client, bob: Client
) -> None:
    with _follow(alice, "&agent=echo&session_id=wanted") as stream:
        others = [bob.start("echo", session_id="wanted"), alice.start("echo")]
        others.append(alice.start("act", "answers", session_id="wanted"))
        for each in others:
            client.ended(each)
        wanted = alice.start("echo", session_id="wanted")
        seen = _until_status(stream, wanted, "completed")
    assert {run["run_id"] for _, run in seen} == {wanted}


def test_a_follower_misses_no_end_while_the_supervisor_is_replaced(house: Server) -> None:
    client = house.client
    with _follow(client) as stream:
        run_id = client.begun("act", "stubborn")
        warden = house.member(f"warden {run_id}").pid
        os.kill(house.member("supervisor").pid, signal.SIGKILL)
        os.kill(warden, signal.SIGKILL)
        ended = _until_status(stream, run_id, "failed")[-1][1]
    assert ended["reason"] == "lost"
    until(client.is_healthy, AT_LAST_S, "a new supervisor")
    until(lambda: _zygotes(client) == {"act": "ready", "echo": "ready"}, AT_LAST_S, "its zygotes")


def _zygotes(client: Client) -> Json:
    listed = client.ask("GET", "/v1/agents").json["data"]
    return {each["name"]: each["health"] for each in listed if each["name"] in ("act", "echo")}


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("follow=yes", "follow"),
        ("follow=1&limit=5", "limit"),
        ("follow=1&before=AAAAAAAAAAE", "before"),
        ("follow=1&status=alive", "status"),
        ("follow=1&after=x", "after"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("before=x", "before"),
        ("status=", "status"),
    ],
)
def test_a_list_that_is_asked_for_wrongly_is_refused_by_the_name_of_what_is_wrong(
    client: Client, query: str, param: str
) -> None:
    answer = client.ask("GET", f"/v1/runs?{query}")
    assert (answer.status, answer.error["param"]) == (400, param)
