"""Starting, listing, looking at, stopping runs, over a real port."""

import asyncio
import os
from typing import Any

import msgspec
import pytest

from runward import __version__
from runward.actors import birth
from runward.actors.messages.answers import AgentInfo, Refusal
from runward.actors.messages.commands import StartRun, StopRun
from runward.actors.records import Containment, Exit, ProcessIdentity, Reason, Status, Usage

from .conftest import StartFacade
from .eventually import until
from .fake_supervisor import FakeSupervisor
from .running_facade import REPORT, Running


async def start(facade: Running, body: Any, name: str = "alice") -> str:
    answer = await facade.ask("POST", "/v1/runs", name, json=body)
    assert answer.status == 202, answer.body
    run_id: str = answer.json["run_id"]
    return run_id


async def test_a_start_is_journalled_when_it_is_answered(facade: Running, supervisor: FakeSupervisor) -> None:
    answer = await facade.ask("POST", "/v1/runs", "alice", json={"input": "hello"})
    assert answer.status == 202
    run_id = answer.json["run_id"]
    assert answer.json == {"run_id": run_id, "status": "started"}
    assert run_id.startswith("run_")
    assert len(run_id) == 36
    assert answer.headers["Location"] == f"/v1/runs/{run_id}"
    shown = (await facade.ask("GET", f"/v1/runs/{run_id}", "alice")).json
    assert (shown["object"], shown["run_id"], shown["status"]) == ("run", run_id, "queued")


async def test_all_that_was_given_reaches_the_supervisor(facade: Running, supervisor: FakeSupervisor) -> None:
    parent = await start(facade, {"input": "first"})
    run_id = await start(
        facade,
        {
            "input": "hello",
            "agent": "count",
            "instructions": "be brief",
            "conversation_history": [{"role": "user", "content": "before"}],
            "session_id": "s 1",
            "model": "m",
            "metadata": {"k": "v"},
            "limits": {"wall_s": 3, "memory_bytes": 1e6},
            "parent_run_id": parent,
        },
    )
    told = supervisor.inputs[run_id]
    assert (told.owner, told.agent, told.parent_run_id) == ("alice", "count", parent)
    assert told.limits == {"wall_s": 3.0, "memory_bytes": 1e6}
    given = told.given
    assert (given.input, given.instructions, given.session_id, given.model) == (
        "hello",
        "be brief",
        "s 1",
        "m",
    )
    assert given.history == [{"role": "user", "content": "before"}]
    assert given.metadata == {"k": "v"}


async def test_without_an_agent_the_configured_one_is_meant(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    assert supervisor.inputs[await start(facade, {"input": "x"})].agent == "echo"
    assert supervisor.inputs[await start(facade, {"input": "x", "agent": None})].agent == "echo"


async def test_of_a_list_the_last_entry_is_the_message_and_the_rest_history(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    messages = [
        {"role": "user", "content": "one", "name": "kept"},
        {"role": "assistant", "content": [{"type": "text", "text": "two"}]},
        {
            "role": "user",
            "content": [{"type": "input_text", "text": "three"}, {"type": "text", "text": "four"}],
        },
    ]
    earlier = [{"role": "system", "content": "zero"}]
    run_id = await start(facade, {"input": messages, "conversation_history": earlier})
    given = supervisor.inputs[run_id].given
    assert given.input == "three\nfour"
    assert given.history == [*earlier, *messages[:2]]


async def test_what_is_not_known_is_ignored_and_named(facade: Running) -> None:
    body = {"input": "x", "colour": "red", "shade": 1, "ünï\r\nX-Evil: 1": 2}
    answer = await facade.ask("POST", "/v1/runs", json=body)
    assert answer.status == 202
    assert answer.headers["Runward-Ignored"] == "colour, shade, %C3%BCn%C3%AF%0D%0AX-Evil: 1"
    assert "X-Evil" not in answer.headers


async def test_many_unknown_fields_are_named_only_in_part(facade: Running) -> None:
    body = {"input": "x"} | {f"{'n' * 200}{n}": 1 for n in range(500)}
    answer = await facade.ask("POST", "/v1/runs", json=body)
    assert answer.status == 202
    assert len(answer.headers["Runward-Ignored"]) < 2000


@pytest.mark.parametrize(
    ("refusal", "status"),
    [
        (Refusal("", "agent_not_found", "no such agent", "agent"), 404),
        (Refusal("", "queue_full", "too many", retry_after_s=2.5), 429),
        (Refusal("", "shutting_down", "bye"), 503),
    ],
)
async def test_what_the_supervisor_refuses_has_a_status_of_its_own(
    facade: Running, supervisor: FakeSupervisor, refusal: Refusal, status: int
) -> None:
    supervisor.refusing[StartRun] = refusal
    answer = await facade.ask("POST", "/v1/runs", json={"input": "x"})
    assert (answer.status, answer.code) == (status, refusal.code)
    assert answer.json["error"]["message"] == refusal.message
    assert answer.json["error"]["param"] == refusal.param
    retry = {429: "3", 503: "1"}.get(status)
    assert answer.headers.get("Retry-After") == retry


async def test_a_silent_supervisor_is_503_and_the_command_is_sent_again_with_the_same_id(
    start_facade: StartFacade, supervisor: FakeSupervisor
) -> None:
    facade = await start_facade(command_timeout_s=0.2)
    supervisor.silent = True
    answer = await facade.ask("POST", "/v1/runs", json={"input": "x"})
    assert (answer.status, answer.code) == (503, "supervisor_unreachable")
    assert "Retry-After" in answer.headers
    starts = [command for command in supervisor.heard if isinstance(command, StartRun)]
    assert len(starts) == 2
    assert starts[0] == starts[1]


async def test_a_repeated_start_that_was_done_the_first_time_is_a_success(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    supervisor.refusing[StartRun] = Refusal("", "run_exists", "done before")
    assert (await facade.ask("POST", "/v1/runs", json={"input": "x"})).status == 202


async def test_an_unknown_parent_is_not_found(facade: Running, supervisor: FakeSupervisor) -> None:
    hidden = supervisor.add_run(owner="bob")
    for parent in ("run_x", hidden):
        answer = await facade.ask("POST", "/v1/runs", "alice", json={"input": "x", "parent_run_id": parent})
        assert (answer.status, answer.code) == (404, "run_not_found")


async def test_the_run_object_of_an_ended_run(facade: Running, supervisor: FakeSupervisor) -> None:
    run_id = supervisor.add_run(session_id="s", metadata={"a": "b"}, model="m")
    supervisor.emit(run_id, "run.cancelled")
    supervisor.save(
        run_id,
        reason=Reason.KILLED,
        started_at=1.5,
        ended_at=2.5,
        output=msgspec.Raw(b'{"part":[1]}'),
        error="stopped",
        usage=Usage(1, 2, 3),
        exit=Exit(signal="SIGKILL", rung="kill", took_ms=3.1, proof="pidns", max_rss_bytes=5, cpu_s=0.5),
        containment=Containment("K3", {"memory": "cgroup"}, ["files"]),
        warden=ProcessIdentity(os.getpid(), 0, "boot"),
    )
    shown = (await facade.ask("GET", f"/v1/runs/{run_id}")).json
    created, updated = shown.pop("created_at"), shown.pop("updated_at")
    assert updated >= created > 1e9
    assert shown == {
        "object": "run", "run_id": run_id, "agent": "echo", "status": "cancelled", "reason": "killed",
        "started_at": 1.5, "ended_at": 2.5, "attempt": 1, "session_id": "s", "parent_run_id": None,
        "metadata": {"a": "b"}, "model": "m", "output": {"part": [1]}, "error": "stopped",
        "usage": {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
        "last_event": "run.cancelled", "last_seq": 1,
        "exit": {"code": None, "signal": "SIGKILL", "rung": "kill", "took_ms": 3.1, "proof": "pidns",
                 "survivors": [], "max_rss_bytes": 5, "cpu_s": 0.5, "stderr_tail": None, "network": None},
        "containment": {"kill": "K3", "applied": {"memory": "cgroup"}, "missing": ["files"]},
        "process": None, "next_attempt_at": None, "first_crash": None, "last_crash": None, "rung": None,
        "webhook": None,
    }  # fmt: skip


async def test_a_live_run_shows_its_newest_event_and_its_processes(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    run_id = supervisor.add_run(status=Status.RUNNING)
    me = os.getpid()
    supervisor.save(run_id, warden=ProcessIdentity(me, birth.start_ticks(me), birth.boot_id()), agent_pid=77)
    supervisor.emit_many(run_id, 4)
    shown = (await facade.ask("GET", f"/v1/runs/{run_id}")).json
    assert (shown["last_event"], shown["last_seq"]) == ("message.delta", 4)
    assert shown["updated_at"] > shown["created_at"]
    process = shown["process"]
    assert process["pid"] == 77
    assert process["processes"] >= 1
    assert process["rss_bytes"] > 1e6
    assert process["cpu_s"] > 0


async def test_processes_that_are_gone_are_null(facade: Running, supervisor: FakeSupervisor) -> None:
    run_id = supervisor.add_run(status=Status.RUNNING)
    supervisor.save(run_id, warden=ProcessIdentity(os.getpid(), 1, birth.boot_id()), agent_pid=77)
    assert (await facade.ask("GET", f"/v1/runs/{run_id}")).json["process"] is None


async def test_the_list_is_newest_first_and_pages_through_all(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    added = [supervisor.add_run() for _ in range(7)]
    seen, before = [], None
    while True:
        query = {"limit": "3"} | ({"before": before} if before else {})
        page = (await facade.ask("GET", "/v1/runs", params=query)).json
        assert page["object"] == "list"
        seen += [run["run_id"] for run in page["data"]]
        before = page["next"]
        assert page["has_more"] == (before is not None)
        if before is None:
            break
    assert seen == added[::-1]


async def test_the_list_is_filtered(facade: Running, supervisor: FakeSupervisor) -> None:
    parent = supervisor.add_run()
    child = supervisor.add_run(parent_run_id=parent, session_id="s", agent="count")
    supervisor.emit(child, "run.completed")
    for query in ("status=completed", "agent=count", "session_id=s", f"parent_run_id={parent}"):
        page = (await facade.ask("GET", f"/v1/runs?{query}")).json
        assert [run["run_id"] for run in page["data"]] == [child], query
    assert (await facade.ask("GET", "/v1/runs?status=completed&agent=echo")).json["data"] == []


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=201", "limit=x", "limit=", "limit=-1", "limit=1.5", "limit=9999999999999999999",
        "status=dead", "status=", "before=x", "before=%ff", "before=", "agent=%00", "session_id=%0a",
    ],
)  # fmt: skip
async def test_a_bad_filter_is_refused(facade: Running, query: str) -> None:
    answer = await facade.ask("GET", f"/v1/runs?{query}")
    assert answer.status == 400, answer.body
    assert answer.json["error"]["param"] == query.partition("=")[0]


async def test_a_stop_is_answered_when_it_is_accepted(facade: Running, supervisor: FakeSupervisor) -> None:
    run_id = await start(facade, {"input": "x"})
    answer = await facade.ask("POST", f"/v1/runs/{run_id}/stop", "alice")
    assert (answer.status, answer.json) == (200, {"run_id": run_id, "status": "stopping"})
    assert (await facade.ask("GET", f"/v1/runs/{run_id}", "alice")).json["status"] == "stopping"


async def test_a_stop_carries_its_wishes(facade: Running, supervisor: FakeSupervisor) -> None:
    run_id = await start(facade, {"input": "x"})
    body = {"mode": "terminate", "grace_s": 0, "reason": "enough", "extra": 1}
    answer = await facade.ask("POST", f"/v1/runs/{run_id}/stop", "alice", json=body)
    assert answer.headers["Runward-Ignored"] == "extra"
    stop = supervisor.heard[-1]
    assert isinstance(stop, StopRun)
    assert (stop.owner, stop.mode, stop.grace_s, stop.reason) == ("alice", "terminate", 0.0, "enough")


async def test_a_kill_is_a_stop_without_grace(facade: Running, supervisor: FakeSupervisor) -> None:
    run_id = await start(facade, {"input": "x"})
    assert (await facade.ask("POST", f"/v1/runs/{run_id}/kill")).status == 200
    stop = supervisor.heard[-1]
    assert isinstance(stop, StopRun)
    assert (stop.owner, stop.mode, stop.grace_s) == (None, "kill", 0.0)


@pytest.mark.parametrize(
    "body",
    [{"mode": "nicely"}, {"grace_s": -1}, {"grace_s": "x"}, {"grace_s": 1e300}, {"reason": 1}, {"wait": 3}],
)
async def test_a_stop_with_bad_wishes_is_refused(
    facade: Running, supervisor: FakeSupervisor, body: dict[str, Any]
) -> None:
    run_id = supervisor.add_run()
    answer = await facade.ask("POST", f"/v1/runs/{run_id}/stop", json=body)
    assert answer.status == 400
    assert answer.json["error"]["param"] in body
    assert not any(isinstance(command, StopRun) for command in supervisor.heard)


@pytest.mark.parametrize("verb", ["stop", "kill"])
async def test_stopping_what_is_unknown_or_over_is_not_found_and_the_code_tells_which(
    facade: Running, supervisor: FakeSupervisor, verb: str
) -> None:
    answer = await facade.ask("POST", f"/v1/runs/run_nope/{verb}")
    assert (answer.status, answer.code) == (404, "run_not_found")
    run_id = supervisor.add_run()
    supervisor.emit(run_id, "run.completed")
    answer = await facade.ask("POST", f"/v1/runs/{run_id}/{verb}")
    assert (answer.status, answer.code) == (404, "run_ended")
    assert answer.json["error"]["status"] == "completed"


async def test_a_stop_that_waits_is_answered_with_the_ended_run(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    run_id = supervisor.add_run(status=Status.RUNNING)
    stopping = asyncio.ensure_future(facade.ask("POST", f"/v1/runs/{run_id}/stop", json={"wait": True}))
    await until(lambda: supervisor.record(run_id).status is Status.STOPPING, "the stop")
    supervisor.emit_many(run_id, 3)
    assert not stopping.done()
    supervisor.emit(run_id, "run.cancelled", publish=False)
    answer = await stopping
    assert answer.status == 200
    assert (answer.json["object"], answer.json["status"]) == ("run", "cancelled")


async def test_agents_are_shown_as_the_supervisor_knows_them(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    supervisor.agents = [AgentInfo(name="a", warnings=["w"]), AgentInfo(name="b", health="ready")]
    answer = (await facade.ask("GET", "/v1/agents")).json
    assert answer["object"] == "list"
    assert [agent["name"] for agent in answer["data"]] == ["a", "b"]
    assert answer["data"][0]["warnings"] == ["w"]


async def test_health_is_open_and_never_green_while_the_supervisor_is_silent(
    start_facade: StartFacade, supervisor: FakeSupervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runward.http.health.PING_TIMEOUT_S", 0.1)
    facade = await start_facade()
    answer = await facade.ask("GET", "/health", None)
    assert (answer.status, answer.json) == (200, {"status": "ok"})
    supervisor.silent = True
    answer = await facade.ask("GET", "/health", None)
    assert (answer.status, answer.json) == (503, {"status": "down"})
    supervisor.silent = False
    assert (await facade.ask("GET", "/health", None)).status == 200


async def test_how_everything_stands_is_told_to_who_may_see_all(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    supervisor.agents = [AgentInfo(name="a", warnings=["w"], health="quarantined", live_runs=2)]
    for name in ("eve", "olga"):
        answer = await facade.ask("GET", "/health/detailed", name)
        assert answer.status == 200
        told = answer.json
        assert (told["status"], told["version"]) == ("ok", __version__)
        assert set(told["supervisor"]) == {"pid", "uptime_s", "live_runs", "queued_runs", "held_back"}
        assert told["agents"] == [{"name": "a", "health": "quarantined", "live_runs": 2, "warnings": ["w"]}]
        assert told["containment"]["kill"] == "K3"
        assert told["containment"] == msgspec.to_builtins(REPORT)


async def test_how_everything_stands_is_not_told_to_others(facade: Running) -> None:
    assert (await facade.ask("GET", "/health/detailed", None)).status == 401
    answer = await facade.ask("GET", "/health/detailed", "alice")
    assert (answer.status, answer.json["error"]["code"]) == (403, "forbidden")


async def test_what_holds_a_run_is_told_even_while_the_supervisor_is_silent(
    start_facade: StartFacade, supervisor: FakeSupervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runward.http.health.PING_TIMEOUT_S", 0.1)
    facade = await start_facade()
    supervisor.silent = True
    answer = await facade.ask("GET", "/health/detailed")
    assert (answer.status, answer.json["status"], answer.json["supervisor"]) == (503, "down", None)
    assert answer.json["containment"]["kill"] == "K3"
    assert "Retry-After" in answer.headers
