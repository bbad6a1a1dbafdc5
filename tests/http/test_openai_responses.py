"""Responses of a facade: a run each, whole, as events or in the background; what may be done with them later."""

import asyncio
from typing import Any

import msgspec
import pytest

from runward.actors.messages.commands import DeleteRun, StartRun, StopRun
from runward.actors.records import Reason, Status, Usage

from .eventually import until
from .fake_supervisor import FakeSupervisor
from .running_facade import Answer, Running

PATH = "/v1/responses"
HELLO = {"role": "user", "content": "hello"}


def _starts(supervisor: FakeSupervisor) -> list[StartRun]:
    return [each for each in supervisor.heard if isinstance(each, StartRun)]


def _stops(supervisor: FakeSupervisor) -> list[StopRun]:
    return [each for each in supervisor.heard if isinstance(each, StopRun)]


def _create(facade: Running, who: str = "olga", **body: Any) -> "asyncio.Task[Answer]":
    return asyncio.ensure_future(facade.ask("POST", PATH, who, json={"model": "echo", "input": "hi", **body}))


async def _begun(facade: Running, who: str = "olga", **body: Any) -> tuple[str, str]:
    """A response in the background: its id, and that of its run."""
    answer = await _create(facade, who, background=True, **body)
    assert answer.status == 200, answer.body
    return answer.json["id"], answer.headers["Runward-Run-Id"]


async def _run_of(supervisor: FakeSupervisor) -> str:
    await until(lambda: bool(supervisor.inputs), "the start")
    (run_id,) = supervisor.inputs
    return run_id


def _speak(supervisor: FakeSupervisor, run_id: str) -> None:
    supervisor.emit(run_id, "run.started", attempt=1)
    supervisor.emit(run_id, "message.delta", delta="hel")
    supervisor.emit(run_id, "message.delta", delta="lo")


def _end(supervisor: FakeSupervisor, run_id: str, end: str = "run.completed", **record: Any) -> None:
    supervisor.save(run_id, **record)
    supervisor.emit(run_id, end)


def _events(answer: Answer) -> list[tuple[str, Any]]:
    """Names and data of the frames of a stream."""
    frames = [frame for frame in answer.body.decode().split("\n\n") if frame and not frame.startswith(":")]
    events = []
    for frame in frames:
        name, data = frame.split("\n")
        events.append((name.removeprefix("event: "), msgspec.json.decode(data.removeprefix("data: "))))
    assert all(name == data["type"] for name, data in events)
    return events


def _message(run_id: str, text: str, status: str = "completed") -> dict[str, Any]:
    return {
        "type": "message",
        "id": run_id.replace("run_", "msg_"),
        "status": status,
        "role": "assistant",
        "content": [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}],
    }


async def test_a_response_is_a_run_of_the_agent_that_the_model_names(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    asking = _create(facade, input=[HELLO], instructions="be brief", metadata={"a": "b"}, temperature=0.5)
    run_id = await _run_of(supervisor)
    _speak(supervisor, run_id)
    _end(supervisor, run_id, output=msgspec.Raw(b'"hello!"'), usage=Usage(3, 4, 7), ended_at=1.5)
    answer = await asking
    (start,) = _starts(supervisor)
    assert (start.agent, start.given.input, start.given.instructions) == ("echo", "hello", "be brief")
    assert answer.status == 200
    assert answer.headers["Runward-Run-Id"] == run_id
    assert answer.headers["Runward-Ignored"] == "temperature"
    assert answer.json == {
        "id": run_id.replace("run_", "resp_"),
        "object": "response",
        "created_at": supervisor.record(run_id).created_at,
        "completed_at": 1.5,
        "status": "completed",
        "model": "echo",
        "output": [_message(run_id, "hello!")],
        "error": None,
        "incomplete_details": None,
        "usage": {
            "input_tokens": 3,
            "output_tokens": 4,
            "total_tokens": 7,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
        },
        "instructions": "be brief",
        "metadata": {"a": "b"},
        "previous_response_id": None,
        "background": False,
        "store": True,
        "max_output_tokens": None,
        "parallel_tool_calls": False,
        "temperature": None,
        "text": {"format": {"type": "text"}},
        "tool_choice": "none",
        "tools": [],
        "top_p": None,
        "truncation": "disabled",
    }
    assert (await facade.ask("GET", f"{PATH}/{answer.json['id']}")).json == answer.json
    assert _stops(supervisor) == []


SPOKEN = [
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
]


async def test_a_stream_tells_of_one_message_and_the_end(facade: Running, supervisor: FakeSupervisor) -> None:
    asking = _create(facade, stream=True)
    run_id = await _run_of(supervisor)
    _speak(supervisor, run_id)
    _end(supervisor, run_id, output=msgspec.Raw(b'"hello"'))
    answer = await asking
    events = _events(answer)
    assert [name for name, _ in events] == [*SPOKEN, "response.completed"]
    assert [data["sequence_number"] for _, data in events] == list(range(10))
    created, progress, added, part, hel, lo, text, part_done, item_done, completed = [
        data for _, data in events
    ]
    assert (created["response"]["status"], created["response"]["output"]) == ("in_progress", [])
    assert progress["response"] == created["response"]
    assert added["item"] == {**_message(run_id, "", "in_progress"), "content": []}
    where = {"item_id": run_id.replace("run_", "msg_"), "output_index": 0, "content_index": 0}
    assert all(where.items() <= each.items() for each in (part, hel, lo, text, part_done))
    assert (hel["delta"], lo["delta"], text["text"]) == ("hel", "lo", "hello")
    assert (item_done["item"], item_done["output_index"]) == (_message(run_id, "hello"), 0)
    assert part_done["part"] == item_done["item"]["content"][0]
    stored = await facade.ask("GET", f"{PATH}/{completed['response']['id']}")
    assert completed["response"] == stored.json


async def test_a_stream_can_be_read_again_from_any_event(facade: Running, supervisor: FakeSupervisor) -> None:
    asking = _create(facade, stream=True, background=True)
    run_id = await _run_of(supervisor)
    _speak(supervisor, run_id)
    _end(supervisor, run_id)
    first = _events(await asking)
    assert [name for name, _ in first][:3] == ["response.created", "response.queued", "response.in_progress"]
    path = f"{PATH}/{first[0][1]['response']['id']}?stream=true"
    assert _events(await facade.ask("GET", path)) == first
    for seen in (0, 4, len(first) - 1, 99):
        answer = await facade.ask("GET", f"{path}&starting_after={seen}")
        assert _events(answer) == first[seen + 1 :]


@pytest.mark.parametrize(
    ("end", "reason", "status", "last"),
    [
        ("run.failed", Reason.EXCEPTION, "failed", "response.failed"),
        ("run.failed", Reason.OUTPUT_LIMIT, "incomplete", "response.incomplete"),
        ("run.cancelled", Reason.KILLED, "cancelled", "response.incomplete"),
    ],
)
async def test_other_ends_are_told_with_what_was_said(
    facade: Running, supervisor: FakeSupervisor, end: str, reason: Reason, status: str, last: str
) -> None:
    asking = _create(facade, stream=True)
    run_id = await _run_of(supervisor)
    _speak(supervisor, run_id)
    _end(supervisor, run_id, end, error="LookupError: x", reason=reason)
    events = _events(await asking)
    response = (await facade.ask("GET", f"{PATH}/{run_id.replace('run_', 'resp_')}")).json
    assert [name for name, _ in events] == [*SPOKEN, last]
    assert (response["status"], response["output"]) == (status, [_message(run_id, "hello", "incomplete")])
    failed = {"code": "server_error", "message": f"The run failed ({reason}): LookupError: x"}
    assert response["error"] == (failed if status == "failed" else None)
    assert response["incomplete_details"] == (
        {"reason": "max_output_tokens"} if status == "incomplete" else None
    )


async def test_a_run_that_never_began_says_nothing(facade: Running, supervisor: FakeSupervisor) -> None:
    asking = _create(facade, stream=True)
    run_id = await _run_of(supervisor)
    _end(supervisor, run_id, "run.cancelled")
    created, ended = _events(await asking)
    assert (created[0], ended[0]) == ("response.created", "response.incomplete")
    assert (ended[1]["response"]["status"], ended[1]["response"]["output"]) == ("cancelled", [])


async def test_a_response_in_the_background_is_answered_at_once_and_goes_on(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    response_id, run_id = await _begun(facade)
    seen = [(await facade.ask("GET", f"{PATH}/{response_id}")).json]
    supervisor.save(run_id, status=Status.RUNNING)
    seen.append((await facade.ask("GET", f"{PATH}/{response_id}")).json)
    _speak(supervisor, run_id)
    _end(supervisor, run_id)
    seen.append((await facade.ask("GET", f"{PATH}/{response_id}")).json)
    assert [each["status"] for each in seen] == ["queued", "in_progress", "completed"]
    assert [(each["output"], each["usage"] is None, each["background"]) for each in seen] == [
        ([], True, True),
        ([], True, True),
        ([_message(run_id, "hello")], False, True),
    ]
    assert _stops(supervisor) == []


@pytest.mark.parametrize(("background", "stops"), [(False, 1), (True, 0)])
async def test_a_client_that_leaves_stops_the_run_unless_it_is_in_the_background(
    facade: Running, supervisor: FakeSupervisor, background: bool, stops: int
) -> None:
    asking = _create(facade, stream=True, background=background)
    run_id = await _run_of(supervisor)
    _speak(supervisor, run_id)
    asking.cancel()
    other = _create(facade, stream=True)  # which leaves later, and so is seen to leave later
    await until(lambda: len(supervisor.inputs) == 2, "the other start")
    other.cancel()
    await until(lambda: len(_stops(supervisor)) == 1 + stops, "the stops")
    assert (run_id in [stop.run_id for stop in _stops(supervisor)]) is not background


async def test_cancelling_answers_when_the_run_is_over(facade: Running, supervisor: FakeSupervisor) -> None:
    response_id, run_id = await _begun(facade)
    cancelling = asyncio.ensure_future(facade.ask("POST", f"{PATH}/{response_id}/cancel"))
    await until(lambda: bool(_stops(supervisor)), "the stop")
    assert not cancelling.done()
    _end(supervisor, run_id, "run.cancelled")
    answer = await cancelling
    assert (answer.status, answer.json["status"], answer.json["id"]) == (200, "cancelled", response_id)
    (stop,) = _stops(supervisor)
    assert (stop.run_id, stop.mode, stop.reason) == (run_id, "interrupt", "the response was cancelled")
    again = await facade.ask("POST", f"{PATH}/{response_id}/cancel")
    assert (again.status, again.json["status"]) == (200, "cancelled")


async def test_what_is_over_can_not_be_cancelled(facade: Running, supervisor: FakeSupervisor) -> None:
    response_id, run_id = await _begun(facade)
    _end(supervisor, run_id)
    answer = await facade.ask("POST", f"{PATH}/{response_id}/cancel")
    assert (answer.status, answer.code) == (400, "response_ended")


async def test_a_deleted_response_is_gone_with_its_run(facade: Running, supervisor: FakeSupervisor) -> None:
    response_id, run_id = await _begun(facade)
    _end(supervisor, run_id)
    answer = await facade.ask("DELETE", f"{PATH}/{response_id}")
    assert (answer.status, answer.json) == (200, {"id": response_id, "object": "response", "deleted": True})
    assert any(isinstance(each, DeleteRun) and each.run_id == run_id for each in supervisor.heard)
    assert (await facade.ask("GET", f"{PATH}/{response_id}")).code == "response_not_found"


async def test_a_response_goes_on_from_an_earlier_one(facade: Running, supervisor: FakeSupervisor) -> None:
    previous = None
    for text, answer in (("one", b'"1"'), ("two", b'"2"')):
        response_id, run_id = await _begun(
            facade, "alice", input=text, previous_response_id=previous, instructions=f"in {text}"
        )
        _end(supervisor, run_id, output=msgspec.Raw(answer))
        previous = response_id
    items = [{"role": "user", "content": "and"}, {"role": "user", "content": "three"}]
    response_id, _ = await _begun(facade, "alice", input=items, previous_response_id=previous)
    given = _starts(supervisor)[-1].given
    assert [(each["role"], each["content"]) for each in given.history] == [
        ("user", "one"),
        ("assistant", "1"),
        ("user", "two"),
        ("assistant", "2"),
        ("user", "and"),
    ]
    assert (given.input, given.instructions) == ("three", None)
    stored = (await facade.ask("GET", f"{PATH}/{response_id}")).json
    assert stored["previous_response_id"] == previous


@pytest.mark.parametrize("who", ["bob", "olga"])
async def test_nobody_goes_on_from_what_another_began(
    facade: Running, supervisor: FakeSupervisor, who: str
) -> None:
    """Not even who sees all runs: it would become a part of his own."""
    response_id, run_id = await _begun(facade, "alice")
    _end(supervisor, run_id)
    answer = await _create(facade, who, previous_response_id=response_id)
    assert (answer.status, answer.code) == (400, "previous_response_not_found")
    assert answer.json["error"]["param"] == "previous_response_id"
    assert len(_starts(supervisor)) == 1


async def test_nobody_goes_on_from_what_is_not_over(facade: Running, supervisor: FakeSupervisor) -> None:
    response_id, _ = await _begun(facade)
    answer = await _create(facade, previous_response_id=response_id)
    assert (answer.status, answer.code) == (400, "invalid_value")


async def test_what_is_not_stored_is_not_there_for_later(facade: Running, supervisor: FakeSupervisor) -> None:
    asking = _create(facade, store=False)
    run_id = await _run_of(supervisor)
    _end(supervisor, run_id, output=msgspec.Raw(b'"x"'))
    answer = await asking
    assert (answer.status, answer.json["store"]) == (200, False)
    response_id = answer.json["id"]
    assert (await facade.ask("GET", f"{PATH}/{response_id}")).code == "response_not_found"
    assert (await facade.ask("DELETE", f"{PATH}/{response_id}")).code == "response_not_found"
    next_one = await _create(facade, previous_response_id=response_id)
    assert next_one.code == "previous_response_not_found"


async def test_a_response_is_seen_by_whoever_sees_its_run(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    response_id, _ = await _begun(facade, "alice")
    seen = [
        (await facade.ask("GET", f"{PATH}/{response_id}", who)).status
        for who in ("alice", "bob", "eve", "olga", None)
    ]
    assert seen == [200, 404, 200, 200, 401]
    assert (await facade.ask("POST", f"{PATH}/{response_id}/cancel", "bob")).status == 404
    assert (await facade.ask("POST", f"{PATH}/{response_id}/cancel", "eve")).status == 403
    assert (await facade.ask("DELETE", f"{PATH}/{response_id}", "eve")).status == 403


async def test_a_run_that_was_not_begun_as_one_is_no_response(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    run_id = supervisor.add_run()
    for response_id in (run_id.replace("run_", "resp_"), run_id, "resp_", "resp_\u00e9", "x"):
        answer = await facade.ask("GET", f"{PATH}/{response_id}")
        assert (answer.status, answer.code) == (404, "response_not_found")


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"model": None}, "missing_field", "model"),
        ({"input": None}, "missing_field", "input"),
        ({"input": [{"type": "function_call_output"}]}, "unsupported_parameter", "input[0]"),
        ({"tools": [{"type": "web_search"}]}, "unsupported_parameter", "tools"),
        ({"background": True, "store": False}, "invalid_value", "store"),
        ({"previous_response_id": "resp_1"}, "previous_response_not_found", "previous_response_id"),
    ],
)
async def test_a_body_that_is_wrong_starts_nothing(
    facade: Running, supervisor: FakeSupervisor, body: Any, code: str, param: str
) -> None:
    answer = await _create(facade, **body)
    assert (answer.status, answer.code, answer.json["error"]["param"]) == (400, code, param)
    assert _starts(supervisor) == []


@pytest.mark.parametrize("query", ["stream=maybe", "stream=true&starting_after=x", "starting_after=1"])
async def test_a_query_that_is_wrong_is_refused(facade: Running, query: str) -> None:
    response_id, _ = await _begun(facade)
    answer = await facade.ask("GET", f"{PATH}/{response_id}?{query}")
    assert (answer.status, answer.code) == (400, "invalid_value")


async def test_a_facade_that_goes_tells_so_and_counts_no_event_for_it(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    asking = _create(facade, stream=True, background=True)
    _speak(supervisor, await _run_of(supervisor))
    facade.control.close()
    *told, (name, error) = _events(await asking)
    assert (name, error["code"]) == ("error", "shutting_down")
    assert error["sequence_number"] == told[-1][1]["sequence_number"]
