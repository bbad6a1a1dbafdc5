"""Live runs while there is no supervisor: what goes on, what waits, and what ends when none comes.

Root is stopped (SIGSTOP) while there is to be none, since it would start another at once.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ..support import census
from ..support.client import Client, Json
from ..support.rungs import PROOF, RUNGS, skip_unless_held
from ..support.server import Server, agent, running
from ..support.waiting import AT_LAST_S, until

LONG_S = 60.0
SHORT_S = 1.0


@pytest.fixture(scope="module", params=RUNGS)
def rung(request: pytest.FixtureRequest) -> str:
    return skip_unless_held(request.param)


def _config(rung: str, orphan_timeout_s: float = 30.0, grace_s: float = LONG_S, **agents: object) -> Any:
    return {
        "containment": {"kill": rung},
        "runs": {
            "orphan_timeout_s": orphan_timeout_s,
            "interrupt_grace_s": grace_s,
            "terminate_grace_s": grace_s,
            "builtin_agents": [],
            "default_agent": "act",
        },
        "supervision": {"restart_intensity": 100},
        "events": {"batches_in_flight": 2},
        "agents": {
            "act": agent("acting", "act"),
            "waits": agent("outage", "waits"),
            "notes": agent("outage", "notes"),
            **agents,
        },
    }


@pytest.fixture
def server(rung: str, tmp_path: Path) -> Iterator[Server]:
    with running(tmp_path, _config(rung)) as server:
        yield server


@contextmanager
def _no_supervisor(server: Server) -> Iterator[None]:
    """From the death of the one before to that of the block."""
    supervisor = server.member("supervisor").pid
    server.signal(signal.SIGSTOP)
    try:
        os.kill(supervisor, signal.SIGKILL)
        until(lambda: not _lives(supervisor), AT_LAST_S, "the end of the supervisor")
        yield
    finally:
        server.signal(signal.SIGCONT)
    until(server.client.is_healthy, AT_LAST_S, "health")


def _lives(pid: int) -> bool:
    return any(each.pid == pid and each.state != "Z" for each in census.processes())


def _agent(server: Server, run_id: str) -> int:
    return server.member(f"agent {run_id}").pid


def _await_end(server: Server, pid: int) -> None:
    until(lambda: not _lives(pid), AT_LAST_S, f"the end of process {pid}")


def _check_numbers(events: list[Json]) -> None:
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))


def _waits(client: Client, go: Path, **more: object) -> str:
    """A run that goes on once the file GO is there."""
    return client.begun("waits", str(go), **more)


def test_an_end_that_no_supervisor_saw_is_told_by_the_warden_to_the_next(
    server: Server, tmp_path: Path, rung: str
) -> None:
    run_id = _waits(server.client, tmp_path / "go")
    its = _agent(server, run_id)
    with _no_supervisor(server):
        (tmp_path / "go").touch()
        _await_end(server, its)
    run = server.client.ended(run_id)
    assert (run["status"], run["output"]) == ("completed", "went")
    assert (run["exit"]["code"], run["exit"]["proof"]) == (0, PROOF[rung])
    _check_numbers(server.client.events(run_id))


def test_a_warden_that_died_meanwhile_costs_its_own_run_and_no_other(server: Server, tmp_path: Path) -> None:
    """The older of the two, so that it is taken up before the other one is known again."""
    dies, lives = (_waits(server.client, tmp_path / "go") for _ in range(2))
    warden = server.member(f"warden {dies}").pid
    with _no_supervisor(server):
        os.kill(warden, signal.SIGKILL)
        _await_end(server, warden)
    assert server.client.ended(dies)["reason"] == "lost"
    (tmp_path / "go").touch()
    assert server.client.ended(lives)["output"] == "went"


def test_an_agent_that_says_more_than_may_wait_is_held_up_and_nothing_of_it_is_lost(
    server: Server, tmp_path: Path
) -> None:
    """What may wait is two batches; the socket between agent and warden holds some more."""
    run_id = _waits(server.client, tmp_path / "go", metadata={"says": "20000"})
    its = _agent(server, run_id)
    with _no_supervisor(server):
        (tmp_path / "go").touch()
        until(lambda: census.status(its)["State"].startswith("S"), AT_LAST_S, "an agent that waits")
        assert _lives(its)
    events = server.client.events(run_id)
    _check_numbers(events)
    said = [event["n"] for event in events if event["event"] == "test.said"]
    assert said == list(range(20000))
    assert events[-1]["output"] == "went"


def test_a_stop_that_has_begun_goes_on_by_the_wardens_clock(rung: str, tmp_path: Path) -> None:
    with running(tmp_path, _config(rung, grace_s=SHORT_S)) as server:
        run_id = server.client.begun("notes")
        its = _agent(server, run_id)
        with server.client.stream(run_id) as stream:
            server.client.stop(run_id)
            stream.until("test.asked")
        with _no_supervisor(server):
            _await_end(server, its)
        run = server.client.ended(run_id)
        assert (run["status"], run["reason"], run["exit"]["rung"]) == ("cancelled", "killed", "kill")
        assert run["exit"]["took_ms"] >= 2 * SHORT_S * 1000
        events = server.client.events(run_id)
        _check_numbers(events)
        assert [event["event"] for event in events].count("run.stopping") == 1


def test_a_warden_that_dies_unseen_is_a_lost_run_with_nothing_left(server: Server, rung: str) -> None:
    run_id = server.client.begun("act", "obeys")
    its, warden = _agent(server, run_id), server.member(f"warden {run_id}").pid
    with _no_supervisor(server):
        os.kill(warden, signal.SIGKILL)
        _await_end(server, its)
    run = server.client.ended(run_id)
    assert (run["status"], run["reason"]) == ("failed", "lost")
    assert (run["exit"]["proof"], run["exit"]["survivors"]) == (PROOF[rung], [])
    events = server.client.events(run_id)
    assert [event["event"] for event in events][-1:] == ["run.failed"]
    _check_numbers(events)


def test_a_warden_that_dies_after_it_was_taken_up_is_a_lost_run_with_nothing_left(
    server: Server, rung: str
) -> None:
    run_id = server.client.begun("act", "fathers 1000000.7", metadata={"then": "wait"})
    with _no_supervisor(server):
        pass
    os.kill(server.member(f"warden {run_id}").pid, signal.SIGKILL)
    run = server.client.ended(run_id)
    assert (run["reason"], run["exit"]["proof"], run["exit"]["survivors"]) == ("lost", PROOF[rung], [])
    assert [each for each in census.below(server.pid) if each.title == "sleep 1000000.7"] == []


def test_when_no_supervisor_comes_in_time_the_runs_end_and_the_next_one_says_so(
    rung: str, tmp_path: Path
) -> None:
    with running(tmp_path, _config(rung, orphan_timeout_s=SHORT_S)) as server:
        run_ids = [server.client.begun("act", what) for what in ("obeys", "stubborn", "endless")]
        agents = [_agent(server, run_id) for run_id in run_ids]
        with _no_supervisor(server):
            for its in agents:
                _await_end(server, its)
        for run_id in run_ids:
            run = server.client.ended(run_id)
            assert (run["status"], run["reason"], run["exit"]["proof"]) == ("failed", "lost", PROOF[rung])
            _check_numbers(server.client.events(run_id))


def test_with_no_timeout_the_runs_end_with_their_supervisor(rung: str, tmp_path: Path) -> None:
    with running(tmp_path, _config(rung, orphan_timeout_s=0.0)) as server:
        run_id = server.client.begun("act", "stubborn")
        its = _agent(server, run_id)
        with _no_supervisor(server):
            _await_end(server, its)
        assert server.client.ended(run_id)["reason"] == "lost"


def test_with_root_killed_nothing_is_left_alive_and_the_next_server_says_what_became_of_each(
    rung: str, tmp_path: Path
) -> None:
    config = _config(rung)
    with running(tmp_path, config) as server:
        ended = server.client.start("act", "answers done")
        assert server.client.ended(ended)["output"] == "done"
        run_ids = [
            *(server.client.begun("act", what) for what in ("obeys", "stubborn", "endless")),
            server.client.begun("act", "fathers 1000000.8", metadata={"then": "wait"}),
        ]
        server.kill()
    assert [each for each in census.processes() if each.title == "sleep 1000000.8"] == []
    with running(tmp_path, config) as server:
        assert server.client.run(ended)["status"] == "completed"
        for run_id in run_ids:
            run = server.client.run(run_id)
            assert (run["status"], run["reason"]) == ("failed", "lost")
            _check_numbers(server.client.events(run_id))


def test_a_supervisor_that_dies_amid_the_shutdown_is_replaced_and_the_runs_end_as_shut_down(
    rung: str, tmp_path: Path
) -> None:
    with running(tmp_path, _config(rung, grace_s=SHORT_S)) as server:
        run_id = server.client.begun("act", "stubborn")
        with server.client.stream(run_id) as stream:
            supervisor = server.member("supervisor").pid
            server.signal()
            stream.until("run.stopping")
            os.kill(supervisor, signal.SIGKILL)
            last = stream.rest()[-1].event
        assert (last["event"], last["reason"]) == ("run.cancelled", "shutdown")
        assert server.await_end() == 0
