"""Spares: what a run gains by one, who may take it, and what becomes of those that nobody takes."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from ..support import census
from ..support.census import Process
from ..support.rungs import skip_unless_held
from ..support.server import Server, agent, running
from ..support.waiting import AT_LAST_S, until

#: With a pid namespace and without: how the rest of a spare ends differs.
BOTH = pytest.mark.parametrize("house", ["pidns", "subreaper"], indirect=True)
ONE = pytest.mark.parametrize("house", ["pidns"], indirect=True)


def _config(rung: str) -> dict[str, Any]:
    return {
        "containment": {"kill": rung},
        "runs": {"spares": 1, "builtin_agents": ["echo"], "default_agent": "echo"},
        "supervision": {"restart_intensity": 100},
        "agents": {"act": agent("acting", "act", max_concurrent=1)},
    }


@pytest.fixture(scope="module")
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("spares"), _config(skip_unless_held(request.param))) as server:
        yield server


@pytest.fixture
def server(house: Server) -> Iterator[Server]:
    """With a supervisor of this test's own, and so without spares at first."""
    yield house
    os.kill(house.member("supervisor").pid, signal.SIGKILL)
    house.await_no_runs()
    until(house.client.is_healthy, AT_LAST_S, "health")


def _spares(server: Server) -> list[Process]:
    """Wardens and agents that wait for a run; a warden that has greeted is not told from one that has not."""
    return [each for each in census.below(server.pid) if each.role == "spare" and each.state != "Z"]


def _spare(server: Server) -> tuple[str, int]:
    """The id that its run will have, and the pid of its agent; waits for the one spare to be whole."""

    def whole() -> Process | None:
        found = _spares(server)
        agents = [each for each in found if " agent " in each.title]
        return agents[0] if (len(found), len(agents)) == (2, 1) else None

    one = until(whole, AT_LAST_S, "a spare")
    return one.title.rpartition(" ")[2], one.pid


def _await_end(*pids: int) -> None:
    """Return once they are waited for: a process may be a zombie before its last thread has ended."""

    def there() -> list[str]:
        return [str(each) for each in census.processes() if each.pid in pids]

    until(lambda: not there(), AT_LAST_S, lambda: f"the end of {there()}")


def test_after_the_first_run_each_one_takes_the_spare_of_its_agent(tmp_path: Path) -> None:
    with running(tmp_path, _config(skip_unless_held("pidns"))) as server:
        assert _spares(server) == []
        _check_that_each_takes_its_spare(server)


def _check_that_each_takes_its_spare(server: Server) -> None:
    client = server.client
    assert client.ended(client.start("echo", "first"))["output"] == "first"
    taken = set()
    for number in range(5):
        run_id, pid = _spare(server)
        started = client.start("echo", f"run {number}")
        run = client.ended(started)
        assert (started, run["output"], run["status"]) == (run_id, f"run {number}", "completed")
        (event,) = [each for each in client.events(started) if each["event"] == "run.started"]
        assert event["pid"] == pid
        assert run["exit"]["survivors"] == []
        taken.add(run_id)
    assert len(taken) == 5


@BOTH
def test_what_took_a_spare_bears_the_title_of_its_run_and_is_stopped_like_any(server: Server) -> None:
    client = server.client
    client.ended(client.start("act", "answers x"))
    run_id, pid = _spare(server)
    assert client.begun("act", "stubborn") == run_id
    assert server.member(f"agent {run_id}").pid == pid
    server.member(f"warden {run_id}")
    assert client.stopped(run_id, mode="kill")["reason"] == "killed"
    _await_end(pid)


@ONE
def test_a_spare_is_no_run(server: Server) -> None:
    client = server.client
    first = client.start("echo", "first")
    client.ended(first)
    run_id, _ = _spare(server)
    listed = [run["run_id"] for run in client.ask("GET", "/v1/runs?limit=100").json["data"]]
    assert (listed[0], run_id in listed) == (first, False)
    assert client.ask("GET", f"/v1/runs/{run_id}").status == 404
    assert client.ask("GET", "/health").status == 200


@ONE
def test_a_run_with_tighter_limits_takes_none(server: Server) -> None:
    client = server.client
    client.ended(client.start("echo", "first"))
    run_id, _ = _spare(server)
    other = client.start("echo", "tight", limits={"wall_s": 30})
    assert other != run_id
    assert client.ended(other)["output"] == "tight"
    assert client.start("echo", "usual") == run_id
    assert client.ended(run_id)["output"] == "usual"


@BOTH
@pytest.mark.parametrize("role", ["warden", "agent"])
def test_a_spare_that_dies_is_missed_by_nobody(server: Server, role: str) -> None:
    client = server.client
    client.ended(client.start("echo", "first"))
    run_id, pid = _spare(server)
    (victim,) = [each for each in _spares(server) if f" {role} " in each.title]
    both = [each.pid for each in _spares(server)]
    os.kill(victim.pid, signal.SIGKILL)
    _await_end(pid, *both)
    run = client.ended(client.start("echo", "next"))
    assert (run["output"], run["run_id"] != run_id) == ("next", True)


@BOTH
@pytest.mark.parametrize("role", ["supervisor", "zygote echo"])
def test_spares_end_with_their_supervisor_and_runs_go_on_without_their_zygote(
    server: Server, role: str
) -> None:
    client = server.client
    client.ended(client.start("echo", "first"))
    _, pid = _spare(server)
    os.kill(server.member(role).pid, signal.SIGKILL)
    if role == "supervisor":
        _await_end(pid)
    until(client.is_healthy, AT_LAST_S, "health")
    for number in range(3):
        assert client.ended(client.start("echo", f"run {number}"))["output"] == f"run {number}"


@ONE
def test_a_run_that_waits_for_a_slot_keeps_its_spare_and_lets_it_go_if_it_is_stopped(server: Server) -> None:
    client = server.client
    client.ended(client.start("act", "answers x"))
    first = client.begun("act", "obeys")  # holds the only slot
    run_id, pid = _spare(server)
    waiting = client.start("act", "answers y")
    assert waiting == run_id
    assert client.run(waiting)["status"] == "queued"
    client.stopped(waiting)
    _await_end(pid)
    run_id, pid = _spare(server)
    waiting = client.start("act", "answers z")
    client.stopped(first)
    assert (client.ended(waiting)["output"], waiting) == ("z", run_id)


@ONE
def test_the_same_start_sent_again_is_the_run_that_took_the_spare(server: Server) -> None:
    client = server.client
    client.ended(client.start("echo", "first"))
    run_id, _ = _spare(server)
    answers = [
        client.ask("POST", "/v1/runs", {"agent": "echo", "input": "x"}, headers={"Idempotency-Key": "one"})
        for _ in range(2)
    ]
    assert [answer.json["run_id"] for answer in answers] == [run_id, run_id]


@ONE
def test_a_supervisor_with_more_descriptors_than_select_knows_gives_spares_all_the_same(
    server: Server,
) -> None:
    client = server.client
    client.ended(client.start("echo", "first"))
    _, first = _spare(server)
    supervisor = server.member("supervisor").pid
    with ExitStack() as held:
        for _ in range(1100):  # each is a descriptor of the supervisor's
            connection = held.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            connection.connect(str(server.mailboxes / "commands"))
        until(lambda: len(os.listdir(f"/proc/{supervisor}/fd")) > 1024, AT_LAST_S, "descriptors")
        both = [each.pid for each in _spares(server)]
        os.kill(first, signal.SIGKILL)  # so that the next one has a number above
        _await_end(*both)
        assert client.ended(client.start("echo", "a cold start"))["output"] == "a cold start"
        run_id, _ = _spare(server)
        run = client.ended(client.start("echo", "a spare"))
        assert (run["run_id"], run["output"]) == (run_id, "a spare")
    assert server.member("supervisor").pid == supervisor
