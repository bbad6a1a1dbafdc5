"""What not even the kernel can end: a frozen process, which no SIGKILL reaches until it is thawed (cgroups v1).

The run ends all the same, in time, and says what it could not do; the agent is held back until it is over.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from ..support.client import Client, Json
from ..support.rungs import skip_unless_held
from ..support.server import Server, agent, running
from ..support.waiting import AT_LAST_S, until

FREEZER = Path("/sys/fs/cgroup/freezer")


@pytest.fixture(scope="module", params=["cgroup", pytest.param("pidns", marks=pytest.mark.slow), "subreaper"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if not (FREEZER / "cgroup.procs").exists() or os.geteuid() != 0:
        pytest.skip("nothing here can freeze a process so that no signal reaches it")
    config = {
        "containment": {"kill": skip_unless_held(request.param)},
        "agents": {"act": agent("acting", "act"), "other": agent("acting", "act")},
    }
    with running(tmp_path_factory.mktemp("stuck"), config) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Client:
    return server.client


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """The process, until the block ends. It is thawed whatever happens."""
    folder = FREEZER / f"test-{os.getpid()}"
    folder.mkdir()
    try:
        (folder / "cgroup.procs").write_text(str(pid))
        (folder / "freezer.state").write_text("FROZEN")
        until(lambda: "FROZEN" in (folder / "freezer.state").read_text(), AT_LAST_S, "a frozen process")
        yield
    finally:
        (folder / "freezer.state").write_text("THAWED")

        def is_gone() -> bool:
            with suppress(OSError):
                folder.rmdir()
            return not folder.exists()

        until(is_gone, AT_LAST_S, "the end of what was frozen")


def _agent(client: Client, name: str) -> Json:
    agents: list[Json] = client.ask("GET", "/v1/agents").json["data"]
    return next(each for each in agents if each["name"] == name)


def test_a_run_that_can_not_be_killed_ends_and_says_so_and_its_agent_is_held_back(
    server: Server, client: Client
) -> None:
    run_id = client.begun("act", "obeys")
    pid = server.member(f"agent {run_id}").pid
    with frozen(pid):
        run = client.kill(run_id, wait=True).json
        assert (run["status"], run["reason"]) == ("failed", "kill_stuck")
        assert pid in run["exit"]["survivors"]
        assert run["exit"]["proof"] is None
        assert f"{pid} (" in run["error"]
        assert "state D, waiting in " in run["error"]
        assert client.events(run_id)[-1]["reason"] == "kill_stuck"

        refused = client.ask("POST", "/v1/runs", {"agent": "act", "input": "obeys"})
        assert (refused.status, refused.error["code"]) == (503, "agent_quarantined")
        assert str(pid) in refused.error["message"]
        assert "Retry-After" in refused.headers
        told = _agent(client, "act")
        assert told["health"] == "quarantined"
        assert str(pid) in told["warnings"][-1]
        assert "did not die" in server.log
        assert client.ended(client.start("echo", "well"))["output"] == "well"
        assert client.stopped(client.begun("other", "obeys"))["reason"] == "interrupted"
    until(lambda: _agent(client, "act")["health"] != "quarantined", AT_LAST_S, "the end of the quarantine")
    assert "out of quarantine" in server.log
    assert client.stopped(client.begun("act", "obeys"))["reason"] == "interrupted"
    server.await_no_runs()


def test_what_waits_for_such_an_agent_begins_when_it_is_over(server: Server, client: Client) -> None:
    run_id = client.begun("act", "obeys")
    with frozen(server.member(f"agent {run_id}").pid):
        assert client.kill(run_id, wait=True).json["reason"] == "kill_stuck"
    run_id = until(lambda: _started(client), AT_LAST_S, "the end of the quarantine")
    assert client.stopped(run_id)["reason"] == "interrupted"
    server.await_no_runs()


def _started(client: Client) -> str:
    answer = client.ask("POST", "/v1/runs", {"agent": "act", "input": "obeys"})
    return str(answer.json["run_id"]) if answer.status == 202 else ""
