"""Chat completions of a facade: a run each, answered whole or in chunks, in OpenAI's words."""

import asyncio
from typing import Any

import msgspec
import pytest

from runward.actors.messages.answers import Refusal
from runward.actors.messages.commands import StartRun, StopRun
from runward.actors.records import Usage

from .conftest import StartFacade
from .eventually import until
from .fake_supervisor import FakeSupervisor
from .running_facade import Answer, Running

HELLO = [{"role": "user", "content": "hello"}]
PATH = "/v1/chat/completions"


def _starts(supervisor: FakeSupervisor) -> list[StartRun]:
    return [each for each in supervisor.heard if isinstance(each, StartRun)]


def _stops(supervisor: FakeSupervisor) -> list[StopRun]:
    return [each for each in supervisor.heard if isinstance(each, StopRun)]


def _asking(facade: Running, **body: Any) -> "asyncio.Task[Answer]":
    return asyncio.ensure_future(facade.ask("POST", PATH, json={"model": "echo", "messages": HELLO, **body}))


async def _run_of(supervisor: FakeSupervisor) -> str:
    await until(lambda: bool(supervisor.inputs), "the start")
    (run_id,) = supervisor.inputs
    return run_id


async def _ended(
    supervisor: FakeSupervisor, asking: "asyncio.Task[Answer]", end: str, **record: Any
) -> Answer:
    """The answer to a run that said "hel", "lo" and ended so."""
    run_id = await _run_of(supervisor)
    supervisor.emit(run_id, "run.started", attempt=1)
    supervisor.emit(run_id, "message.delta", delta="hel")
    supervisor.emit(run_id, "tool.started", tool="t", delta=5)
    supervisor.emit(run_id, "message.delta", delta="lo")
    supervisor.save(run_id, **record)
    supervisor.emit(run_id, end)
    return await asking


def _data(answer: Answer) -> list[Any]:
    """What the frames of a stream hold."""
    frames = [frame for frame in answer.body.decode().split("\n\n") if frame and not frame.startswith(":")]
    assert all(frame.startswith("data: ") for frame in frames), frames
    return [frame if frame == "data: [DONE]" else msgspec.json.decode(frame[6:]) for frame in frames]


async def test_a_completion_is_a_run_of_the_agent_that_the_model_names(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    asking = _asking(facade, metadata={"a": "b"}, temperature=1)
    answer = await _ended(
        supervisor, asking, "run.completed", output=msgspec.Raw(b'"hello!"'), usage=Usage(3, 4, 7)
    )
    (start,) = _starts(supervisor)
    run_id = await _run_of(supervisor)
    assert (start.agent, start.given.input, start.given.metadata) == ("echo", "hello", {"a": "b"})
    assert answer.status == 200
    assert answer.headers["Runward-Run-Id"] == run_id
    assert answer.headers["Runward-Ignored"] == "temperature"
    assert answer.json == {
        "id": run_id.replace("run_", "chatcmpl-"),
        "object": "chat.completion",
        "created": int(supervisor.record(run_id).created_at),
        "model": "echo",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "hello!", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
    }
    assert _stops(supervisor) == []


@pytest.mark.parametrize(
    ("output", "content"), [(None, "hello"), (b'{"a": 1}', '{"a": 1}'), (b'"other"', "other")]
)
async def test_the_content_is_the_output_or_else_what_was_streamed(
    facade: Running, supervisor: FakeSupervisor, output: bytes | None, content: str
) -> None:
    raw = None if output is None else msgspec.Raw(output)
    answer = await _ended(supervisor, _asking(facade), "run.completed", output=raw)
    assert answer.json["choices"][0]["message"]["content"] == content


async def test_a_stream_is_one_chunk_for_each_delta_and_an_end(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    asking = _asking(facade, stream=True)
    answer = await _ended(supervisor, asking, "run.completed", output=msgspec.Raw(b'"hello!"'))
    *chunks, done = _data(answer)
    assert (answer.headers["Content-Type"], done) == ("text/event-stream", "data: [DONE]")
    run_id = await _run_of(supervisor)
    assert chunks[1] == {
        "id": run_id.replace("run_", "chatcmpl-"),
        "object": "chat.completion.chunk",
        "created": int(supervisor.record(run_id).created_at),
        "model": "echo",
        "choices": [{"index": 0, "delta": {"content": "hel"}, "logprobs": None, "finish_reason": None}],
    }
    assert [(chunk["choices"][0]["delta"], chunk["choices"][0]["finish_reason"]) for chunk in chunks] == [
        ({"role": "assistant", "content": ""}, None),
        ({"content": "hel"}, None),
        ({"content": "lo"}, None),
        ({"content": "!"}, None),  # the output goes on where the deltas ended
        ({}, "stop"),
    ]


async def test_usage_comes_last_in_a_stream_where_it_is_asked_for(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    asking = _asking(facade, stream=True, stream_options={"include_usage": True})
    answer = await _ended(supervisor, asking, "run.completed", usage=Usage(1, 2, 3))
    *chunks, last, done = _data(answer)
    assert all(chunk["usage"] is None and chunk["choices"] for chunk in chunks)
    assert (last["choices"], last["usage"]["total_tokens"], done) == ([], 3, "data: [DONE]")


ENDS = [
    ("run.failed", {"error": "LookupError: x"}, 502, "run_failed", "exception"),
    ("run.cancelled", {}, 409, "run_cancelled", "interrupted"),
]


@pytest.mark.parametrize(("end", "record", "status", "code", "reason"), ENDS)
async def test_a_run_without_an_answer_is_an_error_that_no_client_retries(
    facade: Running, supervisor: FakeSupervisor, end: str, record: Any, status: int, code: str, reason: str
) -> None:
    answer = await _ended(supervisor, _asking(facade), end, **record)
    assert (answer.status, answer.code) == (status, code)
    assert reason in answer.json["error"]["message"]
    assert answer.headers["X-Should-Retry"] == "false"
    assert answer.headers["Runward-Run-Id"] == await _run_of(supervisor)


@pytest.mark.parametrize(("end", "record", "status", "code", "reason"), ENDS)
async def test_a_stream_without_an_answer_ends_with_the_error(
    facade: Running, supervisor: FakeSupervisor, end: str, record: Any, status: int, code: str, reason: str
) -> None:
    answer = await _ended(supervisor, _asking(facade, stream=True), end, **record)
    assert answer.status == 200
    assert [chunk["choices"][0]["delta"].get("content") for chunk in _data(answer)[:-1]] == ["", "hel", "lo"]
    assert _data(answer)[-1]["error"]["code"] == code


async def test_what_was_said_before_another_attempt_counts_no_more(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    asking = _asking(facade)
    run_id = await _run_of(supervisor)
    supervisor.emit(run_id, "message.delta", delta="lost")
    supervisor.emit(run_id, "run.restarting", attempt=2)
    answer = await _ended(supervisor, asking, "run.completed")
    assert answer.json["choices"][0]["message"]["content"] == "hello"


async def test_a_text_with_a_hole_in_it_is_said_to_be_cut_short(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    asking = _asking(facade)
    supervisor.skip_numbers(await _run_of(supervisor), 5)
    answer = await _ended(supervisor, asking, "run.completed")
    choice = answer.json["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("hello", "length")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_stops_the_run(
    facade: Running, supervisor: FakeSupervisor, stream: bool
) -> None:
    asking = _asking(facade, stream=stream)
    run_id = await _run_of(supervisor)
    supervisor.emit(run_id, "message.delta", delta="x")
    asking.cancel()
    await until(lambda: bool(_stops(supervisor)), "the stop")
    (stop,) = _stops(supervisor)
    assert (stop.run_id, stop.mode, stop.reason) == (
        run_id,
        "interrupt",
        "the client left",
    )


async def test_a_facade_that_goes_says_where_the_run_can_be_had(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    asking, whole = _asking(facade, stream=True), _asking(facade)
    await until(lambda: len(supervisor.inputs) == 2, "both starts")
    facade.control.close()
    assert _data(await asking)[-1]["error"]["code"] == "shutting_down"
    answer = await whole
    assert (answer.status, answer.code, answer.headers["X-Should-Retry"]) == (503, "shutting_down", "false")
    assert _stops(supervisor) == []


async def test_an_agent_that_is_not_there_is_a_model_that_is_not_there(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    supervisor.refusing[StartRun] = Refusal("", "agent_not_found", "no such agent", "agent")
    answer = await facade.ask("POST", PATH, json={"model": "gpt-5", "messages": HELLO})
    assert (answer.status, answer.code, answer.json["error"]["param"]) == (404, "model_not_found", "model")


async def test_a_completion_sent_again_with_its_key_is_the_same_run(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    body, headers = {"model": "echo", "messages": HELLO}, {"Idempotency-Key": "k"}
    asking = asyncio.ensure_future(facade.ask("POST", PATH, json=body, headers=headers))
    first = await _ended(supervisor, asking, "run.completed")
    again = await facade.ask("POST", PATH, json=body, headers=headers)
    assert (again.json, again.headers["Idempotency-Replayed"]) == (first.json, "true")
    assert len(supervisor.inputs) == 1


@pytest.mark.parametrize(
    ("body", "status", "code", "param"),
    [
        ({"messages": HELLO}, 400, "missing_field", "model"),
        ({"model": "echo"}, 400, "missing_field", "messages"),
        ({"model": "echo", "messages": "hello"}, 400, "invalid_value", "messages"),
        ({"model": "echo", "messages": HELLO, "stream": "yes"}, 400, "invalid_value", "stream"),
        ({"model": "echo", "messages": HELLO, "n": 2}, 400, "unsupported_parameter", "n"),
        ({"model": "echo", "messages": HELLO, "metadata": {"a": 1}}, 400, "invalid_value", "metadata[...]"),
    ],
)
async def test_a_body_that_is_wrong_starts_nothing(
    facade: Running, supervisor: FakeSupervisor, body: Any, status: int, code: str, param: str
) -> None:
    answer = await facade.ask("POST", PATH, json=body)
    assert (answer.status, answer.code, answer.json["error"]["param"]) == (status, code, param)
    assert _starts(supervisor) == []


async def test_only_who_may_start_runs_may_complete(facade: Running) -> None:
    answers = [
        await facade.ask("POST", PATH, name, json={"model": "echo", "messages": HELLO})
        for name in (None, "eve")
    ]
    assert [(answer.status, answer.code) for answer in answers] == [
        (401, "invalid_api_key"),
        (403, "forbidden"),
    ]


async def test_a_page_of_a_listed_origin_may_use_openais_client(start_facade: StartFacade) -> None:
    origin = "https://app.example"
    facade = await start_facade(http={"cors_origins": (origin,)})
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    answer = await facade.ask("OPTIONS", PATH, None, headers=asked)
    allowed = answer.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert {"authorization", "content-type", "x-stainless-lang", "x-stainless-retry-count"} <= set(allowed)


async def test_models_are_the_agents(facade: Running) -> None:
    echo = {"id": "echo", "object": "model", "created": 0, "owned_by": "runward"}
    assert (await facade.ask("GET", "/v1/models", "eve")).json == {"object": "list", "data": [echo]}
    assert (await facade.ask("GET", "/v1/models/echo")).json == echo
    answer = await facade.ask("GET", "/v1/models/gpt-5")
    assert (answer.status, answer.code) == (404, "model_not_found")
    assert (await facade.ask("GET", "/v1/models", None)).status == 401
