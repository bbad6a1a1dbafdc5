"""`runward restart`: other code and other settings, and neither a run nor a client notices more than a reconnect."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, RemoteDisconnected
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import runward

from ..support.client import Client, Json
from ..support.server import Server, agent, running, written
from ..support.waiting import AT_LAST_S, until

OURS = ("supervisor", "facade 1", "facade 2")
PACE_S = 0.02
A_PAGE = 200  # of runs
COUNT = {"entrypoint": "runward.actors.builtin:count", "options": {"interval_s": 0.005}}


def _config(**more: Any) -> dict[str, Any]:
    return {
        "auth": {"mode": "none"},
        "http": {"workers": 2},
        "runs": {"default_agent": "count", "builtin_agents": ["echo"], "drain_s": 0, "spares": 0},
        "agents": {"count": COUNT, "act": agent("acting", "act")},
        **more,
    }


def _restarted(server: Server) -> tuple[int, str]:
    """Exit code and words of the command."""
    command = [sys.executable, "-P", "-m", "runward", "restart", "--state", str(server.folder / "state")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return ended.returncode, ended.stderr


def _pids(server: Server) -> list[int]:
    return [server.member(title).pid for title in OURS]


def _check_numbers(events: list[Json]) -> None:
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))


class Callers:
    """Ask all the time until the block ends: one by a new connection each time, one by the same while it is kept."""

    def __init__(self, server: Server) -> None:
        self.wrong: list[str] = []
        self.asked = 0
        self.run_ids: list[str] = []
        self._client = server.client
        self._address = urlsplit(server.url).netloc
        self._over = threading.Event()
        self._threads = [threading.Thread(target=each) for each in (self._start_runs, self._keep_asking)]

    @contextmanager
    def calling(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in self._threads:
                thread.join()

    def _start_runs(self) -> None:
        while not self._over.wait(PACE_S) and len(self.run_ids) < A_PAGE:
            try:
                self.run_ids.append(self._client.start("echo", "hello"))
                self.asked += 1
            except (OSError, AssertionError) as error:
                self.wrong.append(f"start: {error!r}")

    def _keep_asking(self) -> None:
        connection = HTTPConnection(self._address, timeout=AT_LAST_S)
        while not self._over.wait(PACE_S):
            try:
                connection.request("GET", "/health")
                answer = connection.getresponse()
                answer.read()
            except (OSError, RemoteDisconnected) as error:
                self.wrong.append(f"health: {error!r}")
                connection.close()
                continue
            self.asked += 1
            if answer.status != 200:
                self.wrong.append(f"health: {answer.status} {answer.headers}")
        connection.close()


def test_a_run_streams_through_a_restart_without_a_gap_and_nobody_is_refused(tmp_path: Path) -> None:
    with running(tmp_path, _config()) as server:
        run_id = server.client.begun("count", "for ever")
        undeclared = server.client.begun("act", "obeys")
        ours, its = _pids(server), server.member(f"agent {run_id}").pid
        seen: list[runward.Event] = []
        follower = threading.Thread(target=lambda: seen.extend(runward.Client(server.url).stream(run_id)))
        follower.start()
        written(_config(agents={"count": COUNT, "new": agent("acting", "act")}), tmp_path)
        callers = Callers(server)
        with callers.calling():
            assert _restarted(server)[0] == 0, server.log
            before = callers.asked
            until(lambda: callers.asked > before + 10, AT_LAST_S, "calls after it")
        assert callers.wrong == [], server.log
        assert not set(_pids(server)) & set(ours)
        assert server.member(f"agent {run_id}").pid == its
        assert server.client.ended(server.client.start("new", "answers"))["status"] == "completed"
        assert server.client.stopped(run_id)["reason"] == "interrupted"
        assert server.client.stopped(undeclared)["reason"] == "interrupted"
        follower.join(AT_LAST_S)
        assert [event.seq for event in seen] == list(range(1, len(seen) + 1))
        assert seen[-1].event == "run.cancelled"
        assert [event.event for event in seen].count("run.started") == 1
        server.await_no_runs()
        listed = server.client.ask("GET", f"/v1/runs?limit={A_PAGE}&agent=echo").json
        assert not listed["has_more"]
        assert {run["run_id"]: run["output"] for run in listed["data"]} == dict.fromkeys(
            callers.run_ids, "hello"
        )


@pytest.mark.slow
def test_what_can_not_be_taken_over_is_refused_with_the_reason_and_all_goes_on(tmp_path: Path) -> None:
    with running(tmp_path, _config()) as server:
        run_id = server.client.begun("count", "for ever")
        ours = _pids(server)
        (tmp_path / "runward.toml").write_text("nonsense")
        code, said = _restarted(server)
        assert (code, "runward.toml" in said) == (78, True), said
        written(_config(containment={"kill": "subreaper"}), tmp_path)
        code, said = _restarted(server)
        assert (code, "containment.kill is 'subreaper' and was 'auto'" in said) == (78, True), said
        assert _pids(server) == ours
        written(_config(), tmp_path)
        assert _restarted(server) == (
            0,
            f"the server (pid {server.pid}) goes on with the code and the settings of now\n",
        )
        assert server.client.stopped(run_id)["reason"] == "interrupted"
        _check_numbers(server.client.events(run_id))


@pytest.mark.slow
@pytest.mark.parametrize("delay_s", [0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2])
def test_a_server_that_is_to_end_amid_a_restart_ends(tmp_path: Path, delay_s: float) -> None:
    with running(tmp_path, _config()) as server:
        run_id = server.client.begun("act", "obeys")
        server.signal(signal.SIGUSR2)
        over = threading.Event()
        over.wait(delay_s)  # the moment is the point
        server.signal()
        assert server.await_end() == 0, server.log
        assert "Traceback" not in server.log
    with running(tmp_path, _config()) as server:
        assert server.client.run(run_id)["reason"] == "shutdown"


@pytest.mark.slow
@pytest.mark.parametrize("title", ["supervisor", "standby supervisor", "facade 1"])
def test_whoever_is_killed_amid_a_restart_the_runs_go_on(tmp_path: Path, title: str) -> None:
    with running(tmp_path, _config()) as server:
        client: Client = server.client
        run_id = client.begun("count", "for ever")
        server.signal(signal.SIGUSR2)
        standby = server.member("standby supervisor").pid  # or supervisor by now
        os.kill(standby if title == "standby supervisor" else server.member(title).pid, signal.SIGKILL)
        until(client.is_healthy, AT_LAST_S, "health")
        until(lambda: "restarted" in server.log, AT_LAST_S, lambda: f"a conclusion; log: {server.log}")
        assert client.stopped(run_id)["reason"] == "interrupted"
        _check_numbers(client.events(run_id))
