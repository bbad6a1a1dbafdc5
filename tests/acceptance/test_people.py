"""People in the loop, on real processes over a real port: approvals, guidance, and their errors."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

import runward

from ..support.client import Client, Json
from ..support.server import AGENTS, Server, agent, running
from ..support.waiting import AT_LAST_S, until

NOBODY = "run_" + "0" * 32


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    agents = {
        "asks": agent("asking", "ask"),
        "idler": agent("asking", "ask", limits={"idle_s": 1.5}),
        "stopper": agent("asking", "ask", approval_deadline="stop"),
        "waiter": agent("asking", "ask", approval_deadline="wait"),
        "at_leisure": agent("asking", "at_leisure"),
        "between_words": agent("asking", "between_words"),
        "talk": agent("asking", "Talk"),
        "shell": {"command": [str(AGENTS / "asking.sh")]},
    }
    with running(tmp_path_factory.mktemp("people"), {"agents": agents}) as server:
        yield server


@pytest.fixture
def client(house: Server) -> Iterator[Client]:
    with house.without_leftovers():
        yield house.client


def _asked(client: Client, agent: str, text: str = "once sure?") -> tuple[str, Json]:
    """A run that waits, and what it asks."""
    run_id = client.start(agent, text)
    with client.stream(run_id) as stream:
        request = stream.until("approval.request").event
    assert client.run(run_id)["status"] == "waiting_for_approval"
    return run_id, request


def _answer(client: Client, run_id: str, choice: str = "once", **more: object) -> Any:
    return client.ask("POST", f"/v1/runs/{run_id}/approval", {"choice": choice, **more})


def _steer(client: Client, run_id: str, **body: object) -> Any:
    return client.ask("POST", f"/v1/runs/{run_id}/steer", body)


def _names(events: list[Json]) -> list[str]:
    return [event["event"] for event in events]


# ── approvals ───────────────────────────────────────────────────────────────────────────────────


def test_a_person_is_asked_and_what_he_chose_reaches_the_agent(client: Client) -> None:
    run_id, request = _asked(client, "asks", "once Delete x?")
    asked = {name: request[name] for name in ("prompt", "choices", "command")}
    assert asked == {"prompt": "Delete x?", "choices": ["once", "deny"], "command": "rm -rf x"}
    assert 3500 < request["expires_at"] - request["timestamp"] <= 3600
    answer = _answer(client, run_id, "approve", note="but only x")
    assert (answer.status, answer.json) == (
        200,
        {"object": "run.approval_response", "run_id": run_id, "choice": "once", "resolved": 1},
    )
    events = client.events(run_id)
    (responded,) = [event for event in events if event["event"] == "approval.responded"]
    assert (responded["choice"], responded["resolved"]) == ("once", 1)
    assert responded["request_id"] == request["request_id"]
    output = client.run(run_id)["output"]
    assert output == {"choice": "once", "note": "but only x", "timed_out": False}
    assert _answer(client, run_id).error["code"] == "approval_not_active"


def test_a_run_is_running_again_once_it_is_answered(client: Client) -> None:
    run_id, _ = _asked(client, "shell")
    _answer(client, run_id)
    with client.stream(run_id) as stream:
        stream.until("message.delta")
    assert client.run(run_id)["status"] == "running"
    client.stopped(run_id)


@pytest.mark.parametrize("name", ["at_leisure", "between_words"])
def test_async_agents_and_generators_ask_as_well(client: Client, name: str) -> None:
    run_id, _ = _asked(client, name, "sure?")
    _answer(client, run_id, "always")
    assert client.ended(run_id)["output"] == {"at_leisure": "always", "between_words": "before always"}[name]


def test_code_that_was_not_handed_its_run_finds_it(client: Client) -> None:
    run_id, _ = _asked(client, "asks", "deep sure?")
    _answer(client, run_id, "session")
    assert client.ended(run_id)["output"] == "session"


def test_a_program_asks_by_a_line_and_reads_the_answer(client: Client) -> None:
    run_id, request = _asked(client, "shell")
    _answer(client, run_id, "deny", note="not now")
    with client.stream(run_id) as stream:
        stream.until("message.delta")
    assert _steer(client, run_id, text="left").status == 200
    answer, guidance = client.ended(run_id)["output"]
    assert answer == {
        "control": "approval",
        "choice": "deny",
        "id": "mine",
        "note": "not now",
        "request_id": request["request_id"],
    }
    assert (guidance["control"], guidance["text"]) == ("steer", "left")


def test_two_questions_are_answered_one_by_one_the_oldest_first_or_by_their_ids(client: Client) -> None:
    run_id, first = _asked(client, "asks", "twice")
    second = until(
        lambda: next((each for each in _requests(client, run_id) if each != first), None),
        AT_LAST_S,
        "the second question",
    )
    assert _answer(client, run_id, "deny", request_id=second["request_id"]).json["resolved"] == 1
    assert client.run(run_id)["status"] == "waiting_for_approval"
    again = _answer(client, run_id, "once", request_id=second["request_id"])
    assert (again.status, again.error["code"]) == (409, "approval_not_active")
    assert _answer(client, run_id, "once").json["resolved"] == 1
    prompts = [first["prompt"], second["prompt"]]
    chosen = dict(zip(prompts, ["once", "deny"], strict=True))
    assert client.ended(run_id)["output"] == [chosen["question 0"], chosen["question 1"]]


def test_all_questions_are_answered_at_once(client: Client) -> None:
    run_id, _ = _asked(client, "asks", "twice")
    until(lambda: len(_requests(client, run_id)) == 2, AT_LAST_S, "both questions")
    assert _answer(client, run_id, "always", all=True).json["resolved"] == 2
    assert client.ended(run_id)["output"] == ["always", "always"]
    assert _names(client.events(run_id)).count("approval.responded") == 2


def _requests(client: Client, run_id: str) -> list[Json]:
    last = client.run(run_id)["last_seq"]
    found = []
    with client.stream(run_id) as stream:
        for frame in stream:
            found += [frame.event] if frame.event["event"] == "approval.request" else []
            if frame.event["seq"] >= last:
                return found
    return found


def test_a_question_that_nobody_answers_in_time_is_denied(client: Client) -> None:
    run_id = client.start("asks", "briefly 0.2")
    events = client.events(run_id)
    (responded,) = [event for event in events if event["event"] == "approval.responded"]
    assert (responded["choice"], responded["timed_out"]) == ("deny", True)
    assert client.run(run_id)["output"] == {"choice": "deny", "note": None, "timed_out": True}


def test_where_the_agent_says_so_a_question_that_nobody_answers_stops_the_run(client: Client) -> None:
    run_id = client.start("stopper", "briefly 0.2")
    run = client.ended(run_id)
    assert (run["status"], run["reason"]) == ("cancelled", "interrupted")
    (stopping,) = [event for event in client.events(run_id) if event["event"] == "run.stopping"]
    assert stopping["reason"] == "approval_timeout"


def test_where_the_agent_says_so_a_question_has_no_deadline(client: Client) -> None:
    run_id, request = _asked(client, "waiter", "briefly 0.2")
    assert request["expires_at"] is None
    _answer(client, run_id)
    assert client.ended(run_id)["output"]["choice"] == "once"


@pytest.mark.slow
def test_who_waits_for_a_person_is_not_idle(client: Client) -> None:
    run_id = client.start("idler", "briefly 1.8")
    assert client.ended(run_id)["output"]["timed_out"] is True


def test_a_run_is_stopped_while_it_waits_and_can_not_be_answered_then(client: Client) -> None:
    for name in ("asks", "at_leisure", "between_words"):
        run_id, _ = _asked(client, name)
        assert client.stop(run_id).status == 200
        answer = _answer(client, run_id)
        assert (answer.status, answer.error["code"]) == (409, "approval_not_active")
        run = client.ended(run_id)
        assert (run["status"], run["reason"], run["exit"]["rung"]) == (
            "cancelled",
            "interrupted",
            "interrupt",
        )
        assert "approval.responded" not in _names(client.events(run_id))


def test_no_more_questions_wait_at_once_than_may(client: Client) -> None:
    run_id = client.start("asks", "many 17")
    with client.stream(run_id) as stream:
        stream.until("message.delta")
    assert _answer(client, run_id, all=True).json["resolved"] == 16
    assert "16 requests are open" in client.ended(run_id)["output"]


def test_a_question_that_is_none_is_refused_where_it_was_asked(client: Client) -> None:
    run = client.ended(client.start("asks", "wrongly"))
    assert "Invalid enum value 'maybe'" in run["output"]


def test_a_choice_that_does_not_exist_or_was_not_offered_is_refused(client: Client) -> None:
    run_id, _ = _asked(client, "asks")
    for choice in ("perhaps", "", "always"):
        answer = _answer(client, run_id, choice)
        assert (answer.status, answer.error["code"]) == (400, "invalid_approval_choice")
    assert answer.error["message"] == "Invalid approval choice; expected one of: once, deny"
    assert client.run(run_id)["status"] == "waiting_for_approval"
    client.stopped(run_id)


def test_a_run_that_nobody_knows_is_neither_answered_nor_steered(client: Client) -> None:
    for answer in (_answer(client, NOBODY), _answer(client, NOBODY, "x"), _steer(client, NOBODY, input="x")):
        assert (answer.status, answer.error["code"]) == (404, "run_not_found")


# ── guidance ────────────────────────────────────────────────────────────────────────────────────


def test_guidance_reaches_the_agent_in_order_and_is_told_as_an_event(client: Client) -> None:
    run_id = client.begun("asks", "heeds 3")
    for body in ({"input": "one"}, {"message": "two"}, {"text": "three"}):
        answer = _steer(client, run_id, **body)
        assert (answer.status, answer.json) == (
            200,
            {"object": "run.steer", "run_id": run_id, "accepted": True},
        )
    events = client.events(run_id)
    assert client.run(run_id)["output"] == ["one", "two", "three"]
    assert [event["input"] for event in events if event["event"] == "run.steered"] == ["one", "two", "three"]


def test_a_conversation_is_steered_by_its_own_method_which_may_say_no(client: Client) -> None:
    run_id = client.begun("talk", "hello")
    refused = _steer(client, run_id, input="no")
    assert (refused.status, refused.error["code"]) == (409, "steer_not_accepted")
    assert _steer(client, run_id, input="to the left").status == 200
    assert client.ended(run_id)["output"] == "hello: to the left"
    assert _names(client.events(run_id)).count("run.steered") == 1


def test_an_agent_that_takes_no_guidance_is_not_waited_for_for_ever(client: Client) -> None:
    run_id = client.begun("asks", "heedless")
    answer = _steer(client, run_id, input="left")
    assert (answer.status, answer.error["code"]) == (409, "steer_not_accepted")
    assert "within 2 s" in answer.error["message"]
    client.stopped(run_id)
    over = _steer(client, run_id, input="left")
    assert (over.status, over.error["code"]) == (409, "steer_not_accepted")
    assert "run.steered" not in _names(client.events(run_id))


def test_guidance_that_says_nothing_is_refused(client: Client) -> None:
    run_id = client.begun("asks", "heeds 1")
    for body in ({}, {"input": " "}):
        answer = _steer(client, run_id, **body)
        assert (answer.status, answer.error["code"]) == (400, "missing_field")
    assert _steer(client, run_id, input="x" * 70_000).error["code"] == "invalid_value"
    assert _steer(client, run_id, input="on").status == 200
    client.ended(run_id)


# ── by the clients and the command line ─────────────────────────────────────────────────────────


def test_the_python_client_answers_and_steers(house: Server, client: Client) -> None:
    runs = runward.Client(house.url, "none")
    run = runs.start("twice", "asks")
    until(lambda: len(_requests(client, run.run_id)) == 2, AT_LAST_S, "both questions")
    assert run.approve("once", note="the first") == 1
    assert runs.approve(run.run_id, "allow", all=True) == 1
    assert run.result(AT_LAST_S) == ["once", "once"]
    with pytest.raises(runward.Conflict, match="no active approval"):
        run.approve("once")
    steered = runs.start("heeds 1", "asks")
    _await_ready(client, steered.run_id)
    steered.steer("left")
    assert steered.result(AT_LAST_S) == ["left"]
    with pytest.raises(runward.Conflict, match="has ended"):
        steered.steer("right")


def test_the_async_client_answers_and_steers(house: Server, client: Client) -> None:
    async def both() -> tuple[object, object]:
        async with runward.AsyncClient(house.url, "none") as runs:
            asked = await runs.start("deep sure?", "asks")
            await asyncio.to_thread(_await, client, asked.run_id, "approval.request")
            assert await asked.approve("session") == 1
            steered = await runs.start("heeds 1", "asks")
            await asyncio.to_thread(_await_ready, client, steered.run_id)
            await steered.steer("left")
            return await asked.result(AT_LAST_S), await steered.result(AT_LAST_S)

    assert asyncio.run(both()) == ("session", ["left"])


def test_the_command_line_answers_and_steers(house: Server, client: Client) -> None:
    run_id, request = _asked(client, "shell")
    request_id = request["request_id"]
    assert _said(house, "approve", run_id, "once", "--request", request_id) == f"{run_id} answered: once\n"
    with client.stream(run_id) as stream:
        stream.until("message.delta")
    assert json.loads(_said(house, "steer", run_id, "left", "--json")) == {"run_id": run_id, "accepted": True}
    client.ended(run_id)
    assert "approval_not_active" in _said(house, "approve", run_id, "once", "--json", code=1)
    assert "has ended" in _said(house, "steer", run_id, "left", code=1)


def test_who_follows_a_run_on_the_command_line_is_told_how_to_answer(house: Server, client: Client) -> None:
    command = [sys.executable, "-P", "-m", "runward", "run", "asks", "deep sure?"]
    environment = {**os.environ, "RUNWARD_URL": house.url, "RUNWARD_API_KEY": "none"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as following:
        assert following.stderr is not None
        hint = next(line for line in iter(following.stderr.readline, "") if "answer it:" in line)
        words = hint.split("runward ")[1].replace("once|session|always|deny", "session").split()
        _said(house, *words)
        said, _ = following.communicate(timeout=AT_LAST_S)
    assert said == "session\n"


def _said(house: Server, *words: str, code: int = 0) -> str:
    environment = {**os.environ, "RUNWARD_URL": house.url, "RUNWARD_API_KEY": "none"}
    ended = subprocess.run(
        [sys.executable, "-P", "-m", "runward", *words],
        capture_output=True,
        text=True,
        timeout=AT_LAST_S,
        check=False,
        stdin=subprocess.DEVNULL,
        env=environment,
    )
    assert ended.returncode == code, ended
    return ended.stdout + ended.stderr


def _await(client: Client, run_id: str, event: str) -> None:
    with client.stream(run_id) as stream:
        stream.until(event)


def _await_ready(client: Client, run_id: str) -> None:
    _await(client, run_id, "message.delta")
