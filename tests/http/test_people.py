"""What people say to live runs: what is asked of the supervisor, and for whom; what its refusals become."""

from typing import Any

import pytest

from runward.actors.messages.answers import Refusal
from runward.actors.messages.commands import AnswerApproval, SteerRun

from .fake_supervisor import FakeSupervisor
from .running_facade import Running

NEVER = "run_" + "f" * 32


def heard(supervisor: FakeSupervisor) -> list[Any]:
    """What was asked of it for people."""
    return [command for command in supervisor.heard if isinstance(command, AnswerApproval | SteerRun)]


@pytest.mark.parametrize(
    ("said", "meant"),
    [("once", "once"), ("approve", "once"), ("allow", "once"), (" Always ", "always"), ("DENY", "deny")],
)
async def test_a_choice_goes_by_several_names(
    facade: Running, supervisor: FakeSupervisor, said: str, meant: str
) -> None:
    run_id = supervisor.add_run()
    answer = await facade.ask("POST", f"/v1/runs/{run_id}/approval", json={"choice": said})
    assert answer.status == 200
    assert answer.json == {
        "object": "run.approval_response",
        "run_id": run_id,
        "choice": meant,
        "resolved": 1,
    }
    assert heard(supervisor)[0].choice == meant


async def test_all_that_is_said_goes_along_and_what_is_not_known_is_named(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    run_id = supervisor.add_run(owner="alice")
    body = {"choice": "once", "request_id": "r", "all": True, "note": "why", "colour": 1}
    answer = await facade.ask("POST", f"/v1/runs/{run_id}/approval", "alice", json=body)
    assert answer.headers["Runward-Ignored"] == "colour"
    (command,) = heard(supervisor)
    assert (command.run_id, command.owner, command.request_id) == (run_id, "alice", "r")
    assert (command.all, command.note) == (True, "why")


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({}, "invalid_approval_choice", "choice"),
        ({"choice": "perhaps"}, "invalid_approval_choice", "choice"),
        ({"choice": 7}, "invalid_value", "choice"),
        ({"choice": "once", "all": "yes"}, "invalid_value", "all"),
        ({"choice": "once", "note": "x" * 5000}, "invalid_value", "note"),
    ],
)
async def test_an_answer_that_is_none_is_refused_and_asked_of_nobody(
    facade: Running, supervisor: FakeSupervisor, body: Any, code: str, param: str
) -> None:
    run_id = supervisor.add_run()
    answer = await facade.ask("POST", f"/v1/runs/{run_id}/approval", json=body)
    assert (answer.status, answer.code, answer.json["error"]["param"]) == (400, code, param)
    assert not heard(supervisor)


@pytest.mark.parametrize("name", ["input", "message", "text"])
async def test_guidance_goes_by_three_names(facade: Running, supervisor: FakeSupervisor, name: str) -> None:
    run_id = supervisor.add_run()
    answer = await facade.ask("POST", f"/v1/runs/{run_id}/steer", json={name: "left\u2026"})
    assert (answer.status, answer.json) == (
        200,
        {"object": "run.steer", "run_id": run_id, "accepted": True},
    )
    assert heard(supervisor)[0].text == "left\u2026"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "missing_field"),
        ({"input": ""}, "missing_field"),
        ({"input": 7}, "invalid_value"),
        ({"text": "\u00e4" * 40_000}, "invalid_value"),
    ],
)
async def test_guidance_that_is_none_is_refused(
    facade: Running, supervisor: FakeSupervisor, body: Any, code: str
) -> None:
    run_id = supervisor.add_run()
    answer = await facade.ask("POST", f"/v1/runs/{run_id}/steer", json=body)
    assert (answer.status, answer.code) == (400, code)
    assert not heard(supervisor)


@pytest.mark.parametrize(("path", "body"), [("approval", {"choice": "once"}), ("steer", {"input": "left"})])
@pytest.mark.parametrize(
    ("name", "status"), [("alice", 200), ("bob", 404), ("eve", 403), ("olga", 200), (None, 401)]
)
async def test_only_who_may_control_a_run_speaks_to_it(
    facade: Running, supervisor: FakeSupervisor, path: str, body: Any, name: str | None, status: int
) -> None:
    run_id = supervisor.add_run(owner="alice")
    answer = await facade.ask("POST", f"/v1/runs/{run_id}/{path}", name, json=body)
    assert answer.status == status
    assert [command.owner for command in heard(supervisor)] == (
        [None if name == "olga" else name] if status == 200 else []
    )


@pytest.mark.parametrize(("path", "body"), [("approval", {"choice": "no"}), ("steer", {})])
async def test_a_run_that_never_was_is_not_found_whatever_is_said(
    facade: Running, path: str, body: Any
) -> None:
    answer = await facade.ask("POST", f"/v1/runs/{NEVER}/{path}", json=body)
    assert (answer.status, answer.code) == (404, "run_not_found")


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("approval_not_active", 409),
        ("invalid_approval_choice", 400),
        ("steer_not_accepted", 409),
        ("steer_unanswered", 504),
        ("journal_full", 507),
    ],
)
async def test_a_refusal_has_its_status(
    facade: Running, supervisor: FakeSupervisor, code: Any, status: int
) -> None:
    run_id = supervisor.add_run()
    for command in (AnswerApproval, SteerRun):
        supervisor.refusing[command] = Refusal("", code, "no")
    for path, body in (("approval", {"choice": "once"}), ("steer", {"input": "left"})):
        answer = await facade.ask("POST", f"/v1/runs/{run_id}/{path}", json=body)
        assert (answer.status, answer.code) == (status, code)
