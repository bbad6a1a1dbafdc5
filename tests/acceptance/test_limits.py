"""Limits that the warden holds, each against a real run, on both kill rungs."""

from collections.abc import Iterator
from typing import Any

import pytest

from ..support.client import Client, Json
from ..support.rungs import RUNGS, skip_unless_held
from ..support.server import Server, agent, running


@pytest.fixture(scope="module", params=RUNGS)
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    own = {"wall_s": 30.0, "memory_bytes": 2**30, "pids": 64}
    config = {
        "containment": {"kill": skip_unless_held(request.param)},
        "runs": {"interrupt_grace_s": 1.0, "builtin_agents": ["echo"]},
        "agents": {"use": agent("using", "use"), "bound": agent("using", "use", limits=own)},
    }
    with running(tmp_path_factory.mktemp("limits"), config) as server:
        server.client.ended(server.client.start("echo"))
        yield server


@pytest.fixture
def client(house: Server) -> Iterator[Client]:
    with house.without_leftovers():
        yield house.client


def _ended(client: Client, text: str, limits: dict[str, float], agent: str = "use") -> Json:
    return client.ended(client.start(agent, text, limits=limits))


def _by_warden(run: Json) -> set[str]:
    """The axes that its warden held."""
    return {axis for axis, mechanism in run["containment"]["applied"].items() if mechanism == "warden"}


BREACHES: list[tuple[str, dict[str, float], str]] = [
    ("sleeps", {"wall_s": 0.2}, "wall"),
    ("floods_events", {"wall_s": 0.2}, "wall"),
    ("stops_itself", {"wall_s": 0.2}, "wall"),
    ("sleeps", {"idle_s": 0.2}, "idle"),
    ("floods_stdout", {"idle_s": 0.2}, "idle"),
    ("floods_stdout", {"output_bytes": 100_000}, "output"),
    ("floods_events", {"output_bytes": 100_000}, "output"),
    ("hangs_in_c", {"cpu_s": 0.3}, "cpu"),
    ("burns_in_children", {"cpu_s": 0.5}, "cpu"),
    ("burns_in_an_orphan", {"cpu_s": 0.3}, "cpu"),
]


@pytest.mark.parametrize(("text", "limits", "axis"), BREACHES, ids=lambda each: str(each))
def test_a_broken_limit_ends_its_run_and_is_the_reason(
    client: Client, text: str, limits: dict[str, float], axis: str
) -> None:
    run = _ended(client, text, limits)
    assert (run["status"], run["reason"]) == ("failed", f"{axis}_limit")
    assert axis in run["error"]
    assert (run["exit"]["rung"], run["exit"]["signal"], run["exit"]["survivors"]) == ("kill", "SIGKILL", [])
    assert _by_warden(run) == {axis}
    failed = client.events(run["run_id"])[-1]
    assert (failed["event"], failed["reason"]) == ("run.failed", f"{axis}_limit")


def test_the_cpu_limit_counts_what_the_receipt_says(client: Client) -> None:
    run = _ended(client, "hangs_in_c", {"cpu_s": 0.5})
    assert 0.45 < run["exit"]["cpu_s"] < 0.9


def test_a_run_within_its_limits_ends_as_it_would(client: Client) -> None:
    limits = {"wall_s": 60.0, "idle_s": 30.0, "output_bytes": 10_000, "cpu_s": 30.0}
    run = _ended(client, "talks 3", limits)
    assert (run["status"], run["output"]) == ("completed", "done")
    assert _by_warden(run) == {"wall", "idle", "output", "cpu"}


@pytest.mark.parametrize("name", ["wall_s", "idle_s", "cpu_s", "output_bytes"])
def test_a_limit_beyond_any_wait_is_as_good_as_none(client: Client, name: str) -> None:
    assert _ended(client, "talks 1", {name: 1e15})["status"] == "completed"


def test_a_grace_beyond_any_wait_is_cut_short_by_the_next_stop(client: Client) -> None:
    run_id = client.begun("use", "hangs_in_c")
    assert client.stop(run_id, grace_s=9e8).status == 200
    run = client.kill(run_id, wait=True).json
    assert (run["status"], run["reason"]) == ("cancelled", "killed")


def test_events_keep_a_run_from_being_idle(client: Client) -> None:
    run = _ended(client, "talks 20", {"idle_s": 1.0})
    assert run["status"] == "completed"


def test_a_stop_that_was_asked_before_is_the_reason_and_the_limit_still_holds(client: Client) -> None:
    run_id = client.start("use", "hangs_in_c", limits={"wall_s": 3.0})  # it must come to hang before
    with client.stream(run_id) as stream:
        stream.until("message.delta")
    run = client.stopped(run_id, mode="interrupt", grace_s=60)
    assert (run["status"], run["reason"], run["exit"]["rung"]) == ("cancelled", "killed", "kill")


def test_the_agents_own_limits_hold_and_may_be_tightened(client: Client) -> None:
    run = _ended(client, "says hello", {}, "bound")
    assert _by_warden(run) - {"memory"} == {"wall"}
    tightened = _ended(client, "sleeps", {"wall_s": 0.2}, "bound")
    assert tightened["reason"] == "wall_limit"


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"wall_s": 31}, "wall_s"),
    ({"wall_s": 0}, "wall_s"),
    ({"pids": 65}, "pids"),
    ({"pids": 1.5}, "pids"),
    ({"idle_s": -1}, "idle_s"),
    ({"idle_s": "5"}, "idle_s"),
    ({"idle_s": True}, "idle_s"),
    ({"idle_s": None}, "idle_s"),
    ({"idle_s": [1]}, "idle_s"),
    ({"walls": 1}, "walls"),
]


@pytest.mark.parametrize(("limits", "name"), REFUSED, ids=lambda each: str(each))
def test_a_looser_an_unknown_and_a_senseless_limit_are_refused_by_name(
    client: Client, limits: dict[str, Any], name: str
) -> None:
    answer = client.ask("POST", "/v1/runs", {"agent": "bound", "input": "says hello", "limits": limits})
    assert (answer.status, answer.error["code"], answer.error["param"]) == (400, "invalid_value", "limits")
    assert f"limits.{name}" in answer.error["message"]


def test_limits_that_are_no_object_are_refused(client: Client) -> None:
    answer = client.ask("POST", "/v1/runs", {"agent": "bound", "input": "says hello", "limits": 5})
    assert (answer.status, answer.error["param"]) == (400, "limits")
