"""A stop that has begun ends its run by the warden's own clock, whatever becomes of the supervisor meanwhile."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from ..support import census
from ..support.client import Client
from ..support.rungs import PROOF, RUNGS, skip_unless_held
from ..support.server import Server, agent, running
from ..support.waiting import AT_LAST_S, until

GRACE_S = 0.7

#: What becomes of the supervisor, until the block ends.
Outage = Callable[[Server], AbstractContextManager[None]]


@pytest.fixture(scope="module", params=RUNGS)
def rung(request: pytest.FixtureRequest) -> str:
    return skip_unless_held(request.param)


@pytest.fixture(scope="module")
def server(rung: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = {
        "containment": {"kill": rung},
        "runs": {
            "orphan_timeout_s": 60.0,  # so that it is not this which ends them
            "interrupt_grace_s": GRACE_S,
            "terminate_grace_s": GRACE_S,
            "builtin_agents": [],
            "default_agent": "act",
        },
        "supervision": {"restart_intensity": 100},
        "agents": {"act": agent("acting", "act")},
    }
    with running(tmp_path_factory.mktemp("alone"), config) as server:
        yield server


@contextmanager
def stopped(server: Server) -> Iterator[None]:
    """It is there, and does nothing."""
    supervisor = server.member("supervisor").pid
    os.kill(supervisor, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(supervisor, signal.SIGCONT)


@contextmanager
def dead(server: Server) -> Iterator[None]:
    """It is gone, and root, which would start another, does nothing."""
    supervisor = server.member("supervisor").pid
    server.signal(signal.SIGSTOP)
    try:
        os.kill(supervisor, signal.SIGKILL)
        yield
    finally:
        server.signal(signal.SIGCONT)
    until(server.client.is_healthy, AT_LAST_S, "health")


def _family(server: Server, run_id: str) -> set[int]:
    """The agent and all else below its warden."""
    server.member(f"agent {run_id}")
    return {each.pid for each in census.below(server.member(f"warden {run_id}").pid)}


def _alive(pids: set[int]) -> list[str]:
    return [str(each) for each in census.processes() if each.pid in pids and each.state != "Z"]


@pytest.mark.parametrize("outage", [stopped, dead], ids=lambda each: each.__name__)
@pytest.mark.parametrize("what", ["hears", "fathers"])
def test_a_stop_that_has_begun_ends_the_run(
    server: Server, rung: str, outage: Outage, what: str, tmp_path: Path
) -> None:
    client: Client = server.client
    more = {"metadata": {"then": "hear"}} if what == "fathers" else {}
    run_id = client.begun("act", f"{what} 60", **more)
    pids = _family(server, run_id)
    began = time.monotonic()
    assert client.stop(run_id).status == 200
    with client.stream(run_id) as stream:
        stream.until(
            "test.heard"
        )  # before that the stop is the journal's, and the next supervisor sends it again
    with outage(server):
        until(lambda: not _alive(pids), AT_LAST_S, lambda: f"the end of {_alive(pids)}")
    assert time.monotonic() - began < 2 * GRACE_S + AT_LAST_S / 2
    run = client.ended(run_id)
    assert run["status"] in ("cancelled", "completed")
    assert (run["exit"]["proof"], run["exit"]["survivors"]) == (PROOF[rung], [])
    assert not _alive(pids)
    server.await_no_runs()
