"""Runs below runs: born, told of, counted, and ended with what is above them."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..support.client import Client, Json
from ..support.figures import figures
from ..support.server import AGENTS, Server, agent, running
from ..support.waiting import AT_LAST_S, until

PROGRAM = AGENTS.parent / "programs" / "spawning.py"


def _config(**runs: object) -> Any:
    def one(name: str, *spawn: str, **more: object) -> dict[str, object]:
        return agent("spawning", name, spawn=list(spawn), **more)

    return {
        "runs": {
            "builtin_agents": [],
            "default_agent": "acts",
            "max_children": 2,
            "interrupt_grace_s": 30,
            **runs,
        },
        "agents": {
            "acts": one("act", "leaf", "sleeper"),
            "leaf": one("leaf"),
            "sleeper": one("sleeper"),
            "tree": one("tree", "tree"),
            "program": {"command": [sys.executable, "-I", str(PROGRAM)], "spawn": ["leaf", "sleeper"]},
        },
    }


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With four slots: of a run's children one uses its own, so that no tree waits for itself."""
    with running(tmp_path_factory.mktemp("trees"), _config(max_live=4)) as server:
        yield server


def _start(client: Client, what: str, given: object = "") -> str:
    """A run that does that (`agents/spawning.py`); its id."""
    words = given if isinstance(given, str) else json.dumps(given)
    return client.start("tree" if what in ("descender", "grower") else "acts", f"{what} {words}")


def _result(client: Client, what: str, given: object = "") -> Json:
    """The run object of such a run, once it has ended."""
    return client.ended(_start(client, what, given))


def _below(client: Client, run_id: str) -> list[Json]:
    """Its children, live or not."""
    found: list[Json] = client.ask("GET", f"/v1/runs?parent_run_id={run_id}&limit=200").json["data"]
    return found


def test_a_child_is_a_run_of_its_own_whose_end_its_parent_is_told(server: Server) -> None:
    client = server.client
    asked = {"agent": "leaf", "input": "hello", "instructions": "be brief", "metadata": {"a": "b"}}
    run = _result(client, "parent", asked)
    assert run["status"] == "completed", run
    output = run["output"]
    assert (output["status"], output["output"]) == ("completed", "hello True be brief")
    [child] = _below(client, run["run_id"])
    assert child["run_id"] == output["run_id"]
    assert (child["parent_run_id"], child["metadata"]) == (run["run_id"], {"a": "b"})
    told = [event for event in client.events(run["run_id"]) if event["event"].startswith("subagent.")]
    assert [event["event"] for event in told] == ["subagent.start", "subagent.complete"]
    assert all(event["child_run_id"] == child["run_id"] for event in told)
    assert (told[0]["agent"], told[1]["status"]) == ("leaf", "completed")
    assert told[1]["summary"] == "hello True be brief"


def test_usage_adds_up_to_the_parent(server: Server) -> None:
    run = _result(server.client, "parent", {"agent": "leaf", "input": "x"})
    assert run["usage"] == {"input_tokens": 11, "output_tokens": 22, "total_tokens": 33}
    assert server.client.events(run["run_id"])[-1]["usage"] == run["usage"]


def test_parents_that_hold_all_slots_do_not_keep_their_children_from_running(server: Server) -> None:
    client = server.client
    asked = {"agent": "leaf", "input": "x"}
    runs = [client.ended(run_id) for run_id in [_start(client, "parent", asked) for _ in range(5)]]
    assert {run["output"]["status"] for run in runs} == {"completed"}


def test_an_async_agent_awaits_its_children(server: Server) -> None:
    run = _result(server.client, "gatherer", "2")
    assert run["output"] == [f"{n} True None" for n in range(2)]


def test_a_stop_of_the_parent_stops_the_child_and_ends_after_it(server: Server) -> None:
    client = server.client
    run_id = _start(client, "parent", {"agent": "sleeper", "input": "x"})
    child_id = _until_child_runs(client, run_id)
    assert client.stop(run_id).status == 200
    run, child = client.ended(run_id), client.ended(child_id)
    assert (run["status"], child["status"], child["reason"]) == ("cancelled", "cancelled", "interrupted")
    assert child["ended_at"] <= run["ended_at"]
    names = [event["event"] for event in client.events(run_id)]
    assert names[-2:] == ["subagent.complete", "run.cancelled"]
    [stopping] = [event for event in client.events(child_id) if event["event"] == "run.stopping"]
    assert run_id in stopping["reason"]


def test_a_stop_that_was_accepted_ends_the_tree_though_the_supervisor_dies_over_it(server: Server) -> None:
    client = server.client
    run_id = _start(client, "parent", {"agent": "sleeper", "input": "x"})
    child_id = _until_child_runs(client, run_id)
    assert client.stop(run_id).status == 200
    os.kill(server.member("supervisor").pid, signal.SIGKILL)
    run, child = client.ended(run_id), client.ended(child_id)
    assert (run["status"], child["status"], child["reason"]) == ("cancelled", "cancelled", "interrupted")


def test_a_child_that_is_stopped_as_a_child_and_for_itself_is_stopped_once(server: Server) -> None:
    """Else it would be a second stop, which takes it up a rung."""
    client = server.client
    run_id = _start(client, "parent", {"agent": "sleeper", "input": "x"})
    child_id = _until_child_runs(client, run_id)
    stopping = client.ask("POST", "/v1/runs/stop", {"all": True}).json["stopping"]
    assert {run_id, child_id} <= set(stopping)
    for each in (run_id, child_id):
        run = client.ended(each)
        rungs = [event["mode"] for event in client.events(each) if event["event"] == "run.stopping"]
        assert (run["reason"], rungs) == ("interrupted", ["interrupt"])


@pytest.mark.parametrize(
    ("name", "given", "status"), [("leaver", "2", "completed"), ("crasher", "", "failed")]
)
def test_what_a_parent_leaves_behind_is_stopped(server: Server, name: str, given: str, status: str) -> None:
    run = _result(server.client, name, given)
    assert run["status"] == status
    children = _below(server.client, run["run_id"])
    assert {child["status"] for child in children} == {"cancelled"}
    assert all(child["ended_at"] <= run["ended_at"] for child in children)
    assert server.client.events(run["run_id"])[-1]["event"] == f"run.{status}"


def test_a_killed_warden_takes_its_tree_with_it(server: Server) -> None:
    client = server.client
    run_id = _start(client, "parent", {"agent": "sleeper", "input": "x"})
    child_id = _until_child_runs(client, run_id)
    os.kill(server.member(f"warden {run_id}").pid, signal.SIGKILL)
    assert client.ended(run_id)["reason"] == "lost"
    assert client.ended(child_id)["status"] == "cancelled"


def test_an_agent_may_stop_its_child_and_live_on(server: Server) -> None:
    assert _result(server.client, "stopper")["output"] == ["cancelled", "interrupted", True]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"agent": "tree", "input": "x"}, "spawn_not_allowed"),
        ({"agent": "leaf", "input": ""}, "invalid_value"),
        ({"agent": "leaf", "input": "x", "limits": {"pids": 1e6}}, "invalid_value"),
        ({"agent": "leaf", "input": "x", "color": "red"}, "invalid_value"),
    ],
)
def test_a_spawn_that_may_not_be_is_refused_with_its_reason(server: Server, asked: Json, code: str) -> None:
    run = _result(server.client, "refused", asked)
    assert run["output"][0] == code, run
    assert _below(server.client, run["run_id"]) == []
    agents = {each["name"]: each["spawn"] for each in server.client.ask("GET", "/v1/agents").json["data"]}
    assert (agents["acts"], agents["leaf"]) == (["leaf", "sleeper"], [])


def test_children_are_counted_those_that_live_and_those_that_were_refused(server: Server) -> None:
    client = server.client
    before = figures(client)
    assert before.of("runward_run_tree_depth") == 1
    run_id = _start(client, "parent", {"agent": "sleeper", "input": "x"})
    _until_child_runs(client, run_id)
    told = figures(client)
    assert told.of("runward_live_child_runs", agent="sleeper") == 1
    assert told.of("runward_run_tree_depth") == 2
    born = "runward_child_runs_total"
    assert told.of(born, agent="sleeper") == before.of(born, agent="sleeper") + 1
    client.kill(run_id, wait=True)
    assert _result(client, "descender", "1")["output"][:2] == [4, "tree_full"]
    told, refused = figures(client), "runward_child_runs_refused_total"
    assert told.of("runward_live_child_runs") == 0
    full = {"agent": "tree", "code": "tree_full"}
    assert told.of(refused, **full) == before.of(refused, **full) + 1


def test_a_tree_is_bounded_in_breadth_and_depth(server: Server) -> None:
    assert _result(server.client, "filler")["output"] == [2, "tree_full"]
    deepest, code, why = _result(server.client, "descender", "1")["output"]
    assert (deepest, code) == (4, "tree_full")
    assert "runs.max_tree_depth" in why


def test_a_client_may_start_a_run_below_its_own_live_one(server: Server) -> None:
    client = server.client
    run_id = client.start("sleeper", "x")
    until(lambda: client.run(run_id)["status"] == "running", AT_LAST_S, "its start")
    child_id = client.ask(
        "POST", "/v1/runs", {"agent": "sleeper", "input": "x", "parent_run_id": run_id}
    ).json["run_id"]
    assert [child["run_id"] for child in _below(client, run_id)] == [child_id]
    assert client.stop(run_id).status == 200
    assert client.ended(child_id)["status"] == "cancelled"
    client.ended(run_id)
    late = client.ask("POST", "/v1/runs", {"agent": "leaf", "input": "x", "parent_run_id": run_id})
    assert (late.status, late.error["code"], late.error["param"]) == (409, "run_not_live", "parent_run_id")


def _until_child_runs(client: Client, run_id: str) -> str:
    """The id of its only child, once that sleeps."""

    def sleeping() -> str | None:
        found = [run for run in _below(client, run_id) if run["last_event"] == "message.delta"]
        return found[0]["run_id"] if found else None

    return until(sleeping, AT_LAST_S, "a child that sleeps")


def _whole_tree(client: Client, run_id: str) -> list[Json]:
    found = _below(client, run_id)
    return found + [each for child in found for each in _whole_tree(client, child["run_id"])]


def _grown(server: Server, runs: int, kill_supervisor: bool) -> None:
    """A tree that grows up to so many runs is stopped at its root before it is at the end of that."""
    client = server.client
    run_id = _start(client, "grower", "2")
    until(lambda: len(_whole_tree(client, run_id)) >= runs - 2, 120.0, "a tree that has grown")
    assert client.stop(run_id, mode="terminate").status == 200
    if kill_supervisor:
        os.kill(server.member("supervisor").pid, signal.SIGKILL)
    root = client.ended(run_id)
    server.await_no_runs()
    tree = _whole_tree(client, run_id)
    assert (root["status"], root["exit"]["survivors"]) == ("cancelled", [])
    assert {each["status"] for each in tree} == {"cancelled"}
    assert all(each["ended_at"] <= root["ended_at"] for each in tree)
    for each in [root, *tree]:
        last = client.events(each["run_id"])[-1]
        assert (last["event"], last["seq"]) == ("run.cancelled", each["last_seq"])
        assert each["exit"]["survivors"] == []


def test_a_tree_that_still_grows_is_stopped_at_its_root(server: Server) -> None:
    _grown(server, runs=7, kill_supervisor=False)


@pytest.mark.slow
@pytest.mark.parametrize("kill_supervisor", [False, True])
def test_forty_runs_on_three_levels_are_stopped_at_their_root_while_they_grow(
    tmp_path: Path, kill_supervisor: bool
) -> None:
    config = _config(max_tree_depth=3, max_tree_runs=40, max_children=12)
    with running(tmp_path, config) as server, server.without_leftovers():
        _grown(server, runs=40, kill_supervisor=kill_supervisor)


def test_a_program_spawns_and_stops_runs_by_lines(server: Server) -> None:
    client = server.client
    run = client.ended(client.start("program", "hello"))
    assert run["status"] == "completed", run
    assert run["output"] == {
        "refused": "spawn_not_allowed",
        "leaf": ["completed", "hello True None"],
        "sleeper": "cancelled",
    }
    assert len(_below(client, run["run_id"])) == 2


@pytest.mark.slow
def test_a_flood_of_wishes_is_refused_and_hurts_nobody(server: Server) -> None:
    client = server.client
    run_id = _start(client, "flooder", "20000")
    assert _result(client, "parent", {"agent": "leaf", "input": "x"})["status"] == "completed"
    assert client.ended(run_id)["output"] == "flooded"
    assert _below(client, run_id) == []


def test_a_child_is_one_run_though_the_supervisor_dies_as_it_is_asked_for(server: Server) -> None:
    """And what a parent waits for comes, though its child ended while nobody was there to tell."""
    client = server.client
    run_id = _start(client, "parent", {"agent": "leaf", "input": "hello"})
    os.kill(server.member("supervisor").pid, signal.SIGKILL)
    run = client.ended(run_id)
    assert run["output"]["output"] == "hello True None", run
    assert len(_below(client, run_id)) == 1
