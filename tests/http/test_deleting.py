"""Forgetting runs and stopping many: what is asked of the supervisor, and what its answers become."""

from runward.actors.messages.answers import Refusal
from runward.actors.messages.commands import DeleteRun, StopRuns
from runward.actors.records import Status

from .fake_supervisor import FakeSupervisor
from .running_facade import Running


async def test_a_run_that_somebody_else_forgot_a_moment_before_is_forgotten(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    run_id = supervisor.add_run()
    supervisor.refusing[DeleteRun] = Refusal("", "run_not_found", "gone")
    assert (await facade.ask("DELETE", f"/v1/runs/{run_id}")).status == 204


async def test_a_live_run_is_a_conflict_that_says_how_the_run_stands(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    run_id = supervisor.add_run()
    supervisor.refusing[DeleteRun] = Refusal("", "run_live", "stop it first", status="running")
    answer = await facade.ask("DELETE", f"/v1/runs/{run_id}")
    assert (answer.status, answer.code, answer.json["error"]["status"]) == (409, "run_live", "running")


async def test_what_one_may_not_see_is_not_asked_about(facade: Running, supervisor: FakeSupervisor) -> None:
    run_id = supervisor.add_run(owner="bob")
    assert (await facade.ask("DELETE", f"/v1/runs/{run_id}", "alice")).status == 404
    assert (await facade.ask("DELETE", f"/v1/runs/{run_id}", "eve")).status == 403
    assert not [each for each in supervisor.heard if isinstance(each, DeleteRun)]


async def test_the_owner_goes_along_so_that_the_supervisor_decides(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    run_id = supervisor.add_run(owner="alice")
    assert (await facade.ask("DELETE", f"/v1/runs/{run_id}", "alice")).status == 204
    assert [each.owner for each in supervisor.heard if isinstance(each, DeleteRun)] == ["alice"]


async def test_a_stop_for_many_passes_on_all_that_it_says(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    run_id = supervisor.add_run()
    body = {
        "status": "running",
        "agent": "echo",
        "session_id": "s",
        "mode": "kill",
        "grace_s": 1,
        "reason": "r",
    }
    answer = await facade.ask("POST", "/v1/runs/stop", "alice", json=body)
    assert (answer.status, answer.json) == (200, {"stopping": [run_id]})
    (command,) = [each for each in supervisor.heard if isinstance(each, StopRuns)]
    assert command == StopRuns(command.id, "alice", Status.RUNNING, "echo", "s", "kill", 1.0, "r")


async def test_a_stop_for_many_needs_a_body(facade: Running, supervisor: FakeSupervisor) -> None:
    for body in (b"", b"{}", b"[]", b'{"all": false}'):
        answer = await facade.ask(
            "POST", "/v1/runs/stop", data=body, headers={"Content-Type": "application/json"}
        )
        assert answer.status == 400
    assert not [each for each in supervisor.heard if isinstance(each, StopRuns)]


async def test_stop_is_a_path_and_no_run(facade: Running) -> None:
    assert (await facade.ask("GET", "/v1/runs/stop")).code == "run_not_found"
