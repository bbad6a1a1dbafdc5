"""Killing each process of the tree while runs are live: what is lost, what goes on, what is told."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from uuid import uuid4

import pytest

from ..support import census
from ..support.census import Process
from ..support.client import BrokenOff, Client, Frame, Json
from ..support.rungs import BOTH_WAYS, PROOF, skip_unless_held
from ..support.server import Server, agent, running
from ..support.waiting import AT_LAST_S, until

LONG_S = 60.0


@pytest.fixture(scope="module", params=BOTH_WAYS)
def rung(request: pytest.FixtureRequest) -> str:
    return skip_unless_held(request.param)


@pytest.fixture(scope="module")
def house(rung: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that may lose many processes before it gives up."""
    config = {
        "containment": {"kill": rung},
        "runs": {
            "interrupt_grace_s": LONG_S,
            "terminate_grace_s": LONG_S,
            "default_agent": "act",
            "builtin_agents": ["echo", "count"],
        },
        "supervision": {"restart_intensity": 100},
        "agents": {"act": agent("acting", "act", max_concurrent=2)},
    }
    with running(tmp_path_factory.mktemp("deaths"), config) as server:
        yield server


@pytest.fixture
def server(house: Server) -> Iterator[Server]:
    """Whole before the test, and after it whole again and without runs."""
    until(house.client.is_healthy, AT_LAST_S, "health")
    yield house
    until(house.client.is_healthy, AT_LAST_S, "health")
    house.await_no_runs()


@pytest.fixture
def client(server: Server) -> Client:
    return server.client


def _killed(server: Server, title: str) -> None:
    """Kill the process with this title; return once another one has it."""
    old = server.member(title).pid
    os.kill(old, signal.SIGKILL)
    until(lambda: server.member(title).pid != old, AT_LAST_S, f"another {title}")


def _works(client: Client) -> None:
    until(client.is_healthy, AT_LAST_S, "health")
    assert client.ended(client.start("echo", "works"))["output"] == "works"


def _check_numbers(events: list[Json]) -> None:
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))


# ── the facade ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_killed_facade_is_replaced_on_the_same_port_and_no_run_notices(
    server: Server, client: Client
) -> None:
    run_id = client.begun("act", "obeys")
    supervisor = server.member("supervisor").pid
    _killed(server, "facade 1")
    until(client.is_healthy, AT_LAST_S, "health")
    assert client.run(run_id)["status"] == "running"
    assert server.member("supervisor").pid == supervisor
    assert client.stopped(run_id)["reason"] == "interrupted"


def test_a_reader_that_lost_its_facade_goes_on_where_it_was(server: Server, client: Client) -> None:
    run_id = client.begun("act", "endless")
    seen: list[Frame] = []
    with client.stream(run_id) as stream, suppress(BrokenOff):
        for frame in stream:
            seen.append(frame)
            if len(seen) == 10:
                os.kill(server.member("facade 1").pid, signal.SIGKILL)
    until(client.is_healthy, AT_LAST_S, "health")
    with client.stream(run_id, headers={"Last-Event-ID": seen[-1].id}) as stream:
        client.stop(run_id)
        seen += stream.rest()
    assert [frame.event for frame in seen] == client.events(run_id)
    _check_numbers([frame.event for frame in seen])


# ── the supervisor ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_killed_supervisor_is_replaced_and_its_live_runs_go_on(server: Server, client: Client) -> None:
    run_ids = [client.begun("act", "obeys"), client.begun("act", "endless")]
    agents = [server.member(f"agent {run_id}").pid for run_id in run_ids]
    _killed(server, "supervisor")
    until(client.is_healthy, AT_LAST_S, "health")
    assert [client.run(run_id)["status"] for run_id in run_ids] == ["running", "running"]
    assert [server.member(f"agent {run_id}").pid for run_id in run_ids] == agents
    for run_id in run_ids:
        run = client.stopped(run_id)
        assert (run["status"], run["reason"]) == ("cancelled", "interrupted")
        events = client.events(run_id)
        _check_numbers(events)
        assert [event["event"] for event in events].count("run.started") == 1
    _works(client)


def test_an_open_stream_outlives_the_supervisor_and_misses_nothing(server: Server, client: Client) -> None:
    """An event is in the journal before anyone sees it, and its number is never given again."""
    run_id = client.begun("act", "endless")
    seen: list[Json] = []
    with client.stream(run_id) as stream:
        for frame in stream:
            seen.append(frame.event)
            if len(seen) in (10, 100):
                os.kill(server.member("supervisor").pid, signal.SIGKILL)
            if len(seen) == 300:
                break
        client.stop(run_id)
        seen += [frame.event for frame in stream.rest()]
    assert seen[-1]["reason"] == "interrupted"
    _check_numbers(seen)
    assert client.events(run_id) == seen


def test_a_run_that_waited_for_its_turn_outlives_the_supervisor(server: Server, client: Client) -> None:
    live = [client.begun("act", "obeys"), client.begun("act", "obeys")]
    waiting = client.start("act", "obeys")
    assert client.run(waiting)["status"] == "queued"
    _killed(server, "supervisor")
    until(client.is_healthy, AT_LAST_S, "health")
    assert client.run(waiting)["status"] == "queued"  # the live ones hold their slots
    assert [client.stopped(run_id)["reason"] for run_id in live] == ["interrupted", "interrupted"]
    with client.stream(waiting) as stream:
        stream.until("message.delta")
    assert client.stopped(waiting)["reason"] == "interrupted"


def test_health_is_not_green_while_the_supervisor_does_not_answer(server: Server, client: Client) -> None:
    supervisor = server.member("supervisor").pid
    os.kill(supervisor, signal.SIGSTOP)
    try:
        answer = client.ask("GET", "/health")
        assert (answer.status, answer.json) == (503, {"status": "down"})
    finally:
        os.kill(supervisor, signal.SIGCONT)
    _works(client)


# ── warden, agent, zygote ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_killed_warden_ends_its_run_with_all_that_it_started(
    server: Server, client: Client, rung: str
) -> None:
    seconds = f"1000000.{uuid4().int}"
    run_id = client.begun("act", f"fathers {seconds}", metadata={"then": "wait"})
    # Its arguments can be read a moment after it was executed.
    until(lambda: len(_sleepers(seconds)) == 1, AT_LAST_S, "the daemon")
    os.kill(server.member(f"warden {run_id}").pid, signal.SIGKILL)
    run = client.ended(run_id)
    assert (run["status"], run["reason"]) == ("failed", "lost")
    assert (run["exit"]["proof"], run["exit"]["survivors"]) == (PROOF[rung], [])
    assert _sleepers(seconds) == []
    assert client.events(run_id)[-1]["event"] == "run.failed"


def test_a_killed_warden_hurts_no_other_run_of_its_zygote(server: Server, client: Client) -> None:
    victim, other = client.begun("act", "obeys"), client.begun("act", "obeys")
    os.kill(server.member(f"warden {victim}").pid, signal.SIGKILL)
    assert client.ended(victim)["reason"] == "lost"
    assert client.run(other)["status"] == "running"
    assert client.stopped(other)["reason"] == "interrupted"


def test_a_warden_that_does_not_answer_is_killed_and_its_run_with_it(
    server: Server, client: Client, rung: str
) -> None:
    run_id = client.begun("act", "obeys")
    os.kill(server.member(f"warden {run_id}").pid, signal.SIGSTOP)
    client.kill(run_id)
    run = client.ended(run_id)
    assert (run["status"], run["reason"], run["exit"]["rung"]) == ("cancelled", "killed", "kill")
    assert (run["exit"]["proof"], run["exit"]["survivors"]) == (PROOF[rung], [])
    assert run["exit"]["max_rss_bytes"] is None  # what only the warden could have known


def test_a_killed_agent_is_a_failed_run_and_the_signal_is_named(
    server: Server, client: Client, rung: str
) -> None:
    run_id = client.begun("act", "obeys")
    os.kill(server.member(f"agent {run_id}").pid, signal.SIGKILL)
    run = client.ended(run_id)
    assert (run["status"], run["reason"], run["exit"]["signal"]) == ("failed", "signal", "SIGKILL")
    assert (run["exit"]["rung"], run["exit"]["proof"]) == (None, PROOF[rung])


def test_a_killed_zygote_hurts_no_run_and_the_next_one_starts(server: Server, client: Client) -> None:
    own, other = client.begun("act", "obeys"), client.begun("count", "forever")
    _killed_zygote(server, "act")
    after = client.begun("act", "obeys")
    for run_id in (own, other, after):
        assert client.run(run_id)["status"] == "running"
        run = client.stopped(run_id)
        assert (run["status"], run["reason"]) == ("cancelled", "interrupted")
        assert run["exit"]["survivors"] == []


def test_a_run_whose_zygote_was_killed_can_still_be_killed(server: Server, client: Client) -> None:
    run_id = client.begun("act", "obeys")
    _killed_zygote(server, "act")
    client.kill(run_id)
    run = client.ended(run_id)
    assert (run["reason"], run["exit"]["rung"], run["exit"]["survivors"]) == ("killed", "kill", [])
    assert client.stopped(client.begun("act", "obeys"))["reason"] == "interrupted"


def test_a_run_that_its_zygote_was_asked_for_and_died_over_ends_in_time(
    server: Server, client: Client
) -> None:
    zygote = server.member("zygote act").pid
    os.kill(zygote, signal.SIGSTOP)
    run_id = client.start("act", "obeys")
    os.kill(zygote, signal.SIGKILL)
    run = client.ended(run_id)
    assert (run["status"], run["reason"]) == ("failed", "start_failed")
    assert "zygote" in run["error"]
    assert client.stopped(client.begun("act", "obeys"))["reason"] == "interrupted"


def test_when_a_zygote_and_then_its_warden_are_killed_nothing_of_the_run_is_left(
    server: Server, client: Client
) -> None:
    seconds = f"1000000.{uuid4().int}"
    run_id = client.begun("act", f"fathers {seconds}", metadata={"then": "wait"})
    _killed_zygote(server, "act")
    os.kill(server.member(f"warden {run_id}").pid, signal.SIGKILL)
    run = client.ended(run_id)
    left = _sleepers(seconds)
    for process in left:
        os.kill(process.pid, signal.SIGKILL)
    assert (run["status"], run["reason"]) == ("failed", "lost")
    assert left == []


def test_what_was_forked_since_outlives_a_sweep_that_comes_late(server: Server, client: Client) -> None:
    lost = client.begun("act", "obeys")
    _killed_zygote(server, "act")
    warden = server.member(f"warden {lost}").pid
    server.signal(
        signal.SIGSTOP
    )  # it is asked to end what that left, and does so once the next zygote is dead, too
    try:
        os.kill(warden, signal.SIGKILL)
        later = client.begun("act", "obeys")
        _killed_zygote(server, "act")
    finally:
        server.signal(signal.SIGCONT)
    assert client.ended(lost)["reason"] == "lost"
    assert client.stopped(later)["reason"] == "interrupted"


def _sleepers(seconds: str) -> list[Process]:
    return [each for each in census.processes() if each.title == f"sleep {seconds}"]


def _killed_zygote(server: Server, name: str) -> None:
    zygote = server.member(f"zygote {name}").pid
    os.kill(zygote, signal.SIGKILL)
    until(lambda: zygote not in [each.pid for each in census.below(server.pid)], AT_LAST_S, "its end")
