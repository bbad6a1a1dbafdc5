"""How a server ends: told to, hurried, killed, or because its own processes fall over again and again."""

import os
import signal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from ..support import census
from ..support.client import Client
from ..support.rungs import RUNGS, skip_unless_held
from ..support.server import Server, agent, running
from ..support.waiting import AT_LAST_S, until

GAVE_UP = 1
GRACE_S = 0.3
LONG_S = 60.0


def _config(grace_s: float, **more: Any) -> dict[str, Any]:
    grace = {"interrupt_grace_s": grace_s, "terminate_grace_s": grace_s}
    runs = {**grace, "default_agent": "act", "builtin_agents": []}
    return {"runs": runs, "agents": {"act": agent("acting", "act")}, **more}


def _ended_well(server: Server) -> None:
    assert server.await_end() == 0, server.log
    assert "Traceback" not in server.log, server.log


# ── told to ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_runs_end_by_the_ladder_and_the_journal_says_so_to_the_next_server(tmp_path: Path) -> None:
    config = _config(GRACE_S)
    config["runs"] |= {"max_live": 2}
    with running(tmp_path, config) as server:
        rungs = {"obeys": "interrupt", "stubborn": "kill"}
        ends = {server.client.begun("act", name): rung for name, rung in rungs.items()}
        waiting = server.client.start("act", "answers")
        server.signal()
        _ended_well(server)
    with running(tmp_path, config) as server:
        for run_id, rung in ends.items():
            run = server.client.run(run_id)
            assert (run["status"], run["reason"], run["exit"]["rung"]) == ("cancelled", "shutdown", rung)
            assert run["exit"]["survivors"] == []
            events = server.client.events(run_id)
            assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        run = server.client.run(waiting)
        assert (run["status"], run["reason"], run["exit"]["proof"]) == (
            "cancelled",
            "shutdown",
            "never_started",
        )


def test_readers_get_the_true_end_before_their_streams_close(tmp_path: Path) -> None:
    with running(tmp_path, _config(LONG_S)) as server:
        run_id = server.client.begun("act", "obeys")
        with server.client.stream(run_id, "?after=3") as stream:
            server.signal()
            events = [frame.event for frame in stream]
        assert [event["event"] for event in events] == ["run.stopping", "run.cancelled"]
        assert [event["reason"] for event in events] == ["shutdown", "shutdown"]
        assert stream.comments == ["stream closed"]
        _ended_well(server)


def test_while_it_ends_it_starts_nothing_new_and_says_when_to_come_again(tmp_path: Path) -> None:
    with running(tmp_path, _config(LONG_S)) as server:
        run_id = server.client.begun("act", "stubborn")
        with server.client.stream(run_id) as stream:
            server.signal()
            stream.until("run.stopping")
            answer = server.client.ask("POST", "/v1/runs", {"input": "too late"})
            assert (answer.status, answer.error["code"]) == (503, "shutting_down")
            assert int(answer.headers["Retry-After"]) >= 1
            server.client.kill(run_id)
            assert stream.until("run.cancelled").event["exit"]["rung"] == "kill"
        _ended_well(server)


def test_a_second_ctrl_c_gives_no_grace(tmp_path: Path) -> None:
    with running(tmp_path, _config(LONG_S)) as server:
        run_id = server.client.begun("act", "stubborn")
        with server.client.stream(run_id) as stream:
            server.signal(signal.SIGINT)
            stream.until("run.stopping")
            server.signal(signal.SIGINT)
            last = stream.until("run.cancelled").event
        assert (last["reason"], last["exit"]["rung"]) == ("shutdown", "kill")
        _ended_well(server)


# ── drained ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _drains(drain_s: float, **more: Any) -> dict[str, Any]:
    config = _config(LONG_S, **more)
    config["runs"] |= {"drain_s": drain_s}
    config["agents"]["waits"] = agent("outage", "waits")
    return config


def _is_refused(client: Client) -> bool:
    answer = client.ask("POST", "/v1/runs", {"input": "too late"})
    assert (answer.status, answer.error["code"]) == (503, "shutting_down")
    return int(answer.headers["Retry-After"]) >= 1


def test_a_draining_server_lets_its_live_runs_end_and_is_gone_with_the_last(tmp_path: Path) -> None:
    go = tmp_path / "house" / "go"
    with running(tmp_path / "house", _drains(LONG_S)) as server:
        run_id = server.client.begun("waits", str(go))
        with server.client.stream(run_id) as stream:
            server.signal()
            until(lambda: _takes_no_more(server.client), AT_LAST_S, "a server that takes no more")
            assert _is_refused(server.client)
            assert server.client.run(run_id)["status"] == "running"
            go.touch()
            last = stream.rest()[-1].event
        assert (last["event"], last["output"]) == ("run.completed", "went")
        _ended_well(server)


def _takes_no_more(client: Client) -> bool:
    return client.ask("POST", "/v1/runs", {"input": "answers x"}).status == 503


def test_a_draining_server_does_not_begin_what_waits(tmp_path: Path) -> None:
    go, config = tmp_path / "house" / "go", _drains(LONG_S)
    config["runs"] |= {"max_live": 1}
    with running(tmp_path / "house", config) as server:
        live, waiting = server.client.begun("waits", str(go)), server.client.start("act", "obeys")
        server.signal()
        until(lambda: _takes_no_more(server.client), AT_LAST_S, "a server that takes no more")
        with server.client.stream(waiting) as stream:
            go.touch()
            assert stream.rest()[-1].event["reason"] == "shutdown"
        _ended_well(server)
    with running(tmp_path / "house", config) as server:
        assert server.client.run(live)["status"] == "completed"
        assert server.client.run(waiting)["exit"]["proof"] == "never_started"


def test_when_its_patience_is_over_a_draining_server_stops_what_is_left(tmp_path: Path) -> None:
    with running(tmp_path, _drains(GRACE_S)) as server:
        run_id = server.client.begun("act", "obeys")
        with server.client.stream(run_id) as stream:
            server.signal()
            events = {frame.event["event"]: frame.event for frame in stream}
        assert events["run.cancelled"]["reason"] == "shutdown"
        assert events["run.stopping"]["timestamp"] - events["run.started"]["timestamp"] >= GRACE_S
        _ended_well(server)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_the_patience_of_a_draining_server(tmp_path: Path, number: int) -> None:
    with running(tmp_path, _drains(LONG_S)) as server:
        run_id = server.client.begun("act", "obeys")
        with server.client.stream(run_id) as stream:
            server.signal()
            until(lambda: _takes_no_more(server.client), AT_LAST_S, "a server that takes no more")
            server.signal(number)
            last = stream.rest()[-1].event
        assert (last["reason"], last["exit"]["rung"]) == ("shutdown", "interrupt")
        _ended_well(server)


def test_a_supervisor_that_dies_amid_the_drain_is_replaced_and_drains_on(tmp_path: Path) -> None:
    go = tmp_path / "house" / "go"
    with running(tmp_path / "house", _drains(LONG_S)) as server:
        run_id = server.client.begun("waits", str(go))
        with server.client.stream(run_id) as stream:
            server.signal()
            until(lambda: _takes_no_more(server.client), AT_LAST_S, "a server that takes no more")
            _kill_one(server, "supervisor")
            until(lambda: _takes_no_more(server.client), AT_LAST_S, "a server that takes no more")
            go.touch()
            assert stream.rest()[-1].event["output"] == "went"
        _ended_well(server)


def test_a_server_without_live_runs_is_drained_at_once(tmp_path: Path) -> None:
    with running(tmp_path, _drains(LONG_S)) as server:
        server.signal()
        _ended_well(server)


# ── killed ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("rung", RUNGS)
def test_when_root_is_killed_nothing_is_left_and_the_next_server_tells_what_was_lost(
    tmp_path: Path, rung: str
) -> None:
    config = _config(LONG_S, containment={"kill": skip_unless_held(rung)})
    seconds = f"1000000.{uuid4().int}"
    with running(tmp_path, config) as server:
        live = [
            server.client.begun("act", "obeys"),
            server.client.begun("act", "stubborn"),
            server.client.begun("act", f"fathers {seconds}", metadata={"then": "wait"}),
        ]
        server.kill()
        assert not any(each.title == f"sleep {seconds}" for each in census.processes())
    with running(tmp_path, config) as server:
        for run_id in live:
            run = server.client.run(run_id)
            assert (run["status"], run["reason"]) == ("failed", "lost")
            assert run["exit"]["proof"]
        assert server.client.ended(server.client.start("act", "answers works"))["output"] == "works"


@pytest.mark.parametrize("role", ["facade 1", "supervisor"])
def test_a_server_whose_own_processes_fall_over_too_often_gives_up(tmp_path: Path, role: str) -> None:
    with running(tmp_path, _config(GRACE_S, supervision={"restart_intensity": 1})) as server:
        server.client.begun("act", "obeys")
        for _ in range(2):
            _kill_one(server, role)
        assert server.await_end() == GAVE_UP
        assert f"{role} ended too often" in server.log


def _kill_one(server: Server, role: str) -> None:
    victim = server.member(role).pid
    os.kill(victim, signal.SIGKILL)
    until(lambda: victim not in [each.pid for each in census.below(server.pid)], AT_LAST_S, "its end")
