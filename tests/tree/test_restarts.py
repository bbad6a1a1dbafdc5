"""Runs whose agents ask to be begun again: attempts, what each of them leaves, and who waits for the next one."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..support import census
from ..support.client import Client, Json
from ..support.server import Server, agent, running
from ..support.waiting import AT_LAST_S, until


def _config(delay_s: float) -> Any:
    return {
        "runs": {
            "restart_intensity": 2,
            "restart_delay_s": delay_s,
            "builtin_agents": [],
            "default_agent": "fails",
        },
        "supervision": {"restart_intensity": 100},
        "agents": {
            "fails": agent("outage", "fails", restart="transient"),
            "waits": agent("outage", "waits", restart="transient"),
            "resumes": agent("outage", "resumes", restart="transient", work_folder="keep"),
        },
    }


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One where a crashed run waits for a tenth of a second, and the second time for two."""
    with running(tmp_path_factory.mktemp("restarts"), _config(0.1)) as server:
        yield server


def _told(client: Client, run_id: str, name: str) -> list[Json]:
    """The run's events of this name, of a history without a gap."""
    events = client.events(run_id)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    return [event for event in events if event["event"] == name]


def test_a_run_that_crashed_is_begun_again_until_it_completes(server: Server) -> None:
    client, go = server.client, server.folder / "go"
    run_id = client.start("fails", str(go))
    with client.stream(run_id) as stream:
        stream.until("run.restarting")
        go.touch()
        stream.rest()
    run = client.run(run_id)
    assert (run["status"], run["output"], run["error"]) == ("completed", "at last", None)
    attempts = [event["attempt"] for event in _told(client, run_id, "run.started")]
    assert attempts == list(range(1, run["attempt"] + 1))
    first = _told(client, run_id, "run.restarting")[0]
    assert (first["attempt"], first["reason"], first["error"]) == (2, "exception", "LookupError: no go")
    assert 0.08 <= first["delay_s"] <= 0.12
    assert run["first_crash"]["attempt"] == 1
    assert run["first_crash"]["exit"]["proof"]
    assert run["last_crash"]["attempt"] == run["attempt"] - 1


def test_a_crash_loop_is_given_up_and_its_first_and_last_crash_are_kept(server: Server) -> None:
    client = server.client
    run = client.ended(client.start("fails", str(server.folder / "never")))
    assert (run["status"], run["reason"], run["attempt"]) == ("failed", "exception", 3)
    assert run["error"] == (
        "given up after 3 attempts: LookupError: no never; attempt 1 had ended with: LookupError: no never"
    )
    assert (run["first_crash"]["attempt"], run["last_crash"]["attempt"]) == (1, 3)
    assert run["last_crash"]["exit"] == run["exit"]
    assert len(_told(client, run["run_id"], "run.restarting")) == 2


def test_a_run_whose_warden_died_is_begun_again_once_nothing_of_it_is_left(server: Server) -> None:
    client, go = server.client, server.folder / "again"
    run_id = client.begun("waits", str(go))
    old = server.member(f"agent {run_id}").pid
    os.kill(server.member(f"warden {run_id}").pid, signal.SIGKILL)
    with client.stream(run_id) as stream:
        stream.until("run.restarting")
        assert old not in [each.pid for each in census.below(server.pid)]
        go.touch()
        stream.rest()
    run = client.run(run_id)
    assert (run["status"], run["attempt"], run["first_crash"]["reason"]) == ("completed", 2, "lost")
    _told(client, run_id, "run.completed")


def test_a_stop_ends_a_run_that_waits_for_its_next_attempt(tmp_path: Path) -> None:
    with running(tmp_path, _config(60.0)) as server:
        client = server.client
        run_id = client.start("fails", str(tmp_path / "never"))
        with client.stream(run_id) as stream:
            stream.until("run.restarting")
            waiting = client.run(run_id)
            assert (waiting["status"], waiting["attempt"], waiting["process"]) == ("queued", 2, None)
            assert waiting["next_attempt_at"] > waiting["updated_at"]
            client.stop(run_id)
            end = stream.rest()[-1].event
    assert (end["event"], end["reason"]) == ("run.cancelled", "interrupted")


@pytest.mark.slow
def test_a_run_that_waits_for_its_next_attempt_waits_on_under_the_next_supervisor(tmp_path: Path) -> None:
    with running(tmp_path, _config(2.0)) as server:
        client, go = server.client, tmp_path / "go"
        run_id = client.start("fails", str(go))
        with client.stream(run_id) as stream:
            stream.until("run.restarting")
            due = client.run(run_id)["next_attempt_at"]
            os.kill(server.member("supervisor").pid, signal.SIGKILL)
            go.touch()
            stream.rest()
        until(client.is_healthy, AT_LAST_S, "health")
        run = client.run(run_id)
        assert (run["status"], run["attempt"]) == ("completed", 2)
        assert _told(client, run_id, "run.started")[-1]["timestamp"] >= due


def test_what_an_attempt_left_in_a_kept_work_folder_is_the_next_ones_to_write_to(server: Server) -> None:
    run = server.client.ended(server.client.start("resumes"))
    assert (run["status"], run["output"], run["attempt"]) == ("completed", "begun again", 2)
