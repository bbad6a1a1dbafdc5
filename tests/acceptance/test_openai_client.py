"""OpenAI's own client, unchanged, against a real server."""

import json
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.responses import Response

from ..support.client import Json
from ..support.keys import ALICE, AUTH, BOB, OPERATOR
from ..support.server import Server, agent, running
from ..support.waiting import AT_LAST_S, until

HELLO: Any = [{"role": "user", "content": "answers hello"}]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = {
        "auth": AUTH,
        "runs": {"interrupt_grace_s": 0.2, "terminate_grace_s": 0.2},
        "agents": {"act": agent("acting", "act")},
    }
    with running(tmp_path_factory.mktemp("openai"), config, OPERATOR) as server:
        server.client.ended(server.client.start("act", "answers x"))
        yield server


@pytest.fixture
def client(house: Server) -> Iterator[OpenAI]:
    """Alice's. After each test nothing of any run is left, nor a descriptor in the server."""
    with house.without_leftovers(), _client(house, ALICE) as client:
        yield client


@pytest.fixture
async def later(house: Server) -> AsyncIterator[AsyncOpenAI]:
    with house.without_leftovers():
        async with AsyncOpenAI(base_url=f"{house.url}/v1", api_key=ALICE, timeout=AT_LAST_S) as client:
            yield client


def _client(house: Server, key: str) -> OpenAI:
    return OpenAI(base_url=f"{house.url}/v1", api_key=key, timeout=AT_LAST_S)


def _say(text: str) -> Any:
    return [{"role": "user", "content": text}]


def _run_behind(house: Server, id: str) -> Json:
    """The run behind a completion or response, once it is over."""
    return house.client.ended("run_" + id.replace("-", "_").partition("_")[2])


# ── chat completions ──────────────────────────────────────────────────────────────────────────────────────────────


def test_models_are_the_agents(client: OpenAI) -> None:
    names = {model.id for model in client.models.list()}
    assert {"act", "echo"} <= names
    assert client.models.retrieve("act").owned_by == "runward"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-5")


def test_a_completion_is_what_the_agent_answers(client: OpenAI, house: Server) -> None:
    raw = client.chat.completions.with_raw_response.create(model="act", messages=HELLO, temperature=0.3)
    completion = raw.parse()
    assert completion.choices[0].message.content == "hello"
    assert completion.choices[0].finish_reason == "stop"
    assert raw.headers["Runward-Ignored"] == "temperature"
    assert house.client.run(raw.headers["Runward-Run-Id"])["output"] == "hello"


def test_an_agent_is_given_the_conversation(client: OpenAI) -> None:
    completion = client.chat.completions.create(
        model="act",
        messages=[
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "assistant", "content": "c"},
            {"role": "user", "content": "tells"},
        ],
        metadata={"k": "v"},
    )
    assert json.loads(completion.choices[0].message.content or "") == {
        "instructions": "be brief",
        "history": [{"role": "user", "content": "a\nb"}, {"role": "assistant", "content": "c"}],
        "metadata": {"k": "v"},
    }
    assert completion.usage is not None
    assert (completion.usage.prompt_tokens, completion.usage.completion_tokens) == (5, 7)


def test_a_stream_has_a_chunk_for_each_delta(client: OpenAI) -> None:
    with client.chat.completions.create(
        model="act", messages=_say("spells hello"), stream=True, stream_options={"include_usage": True}
    ) as stream:
        chunks = list(stream)
    said = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert [text for text in said if text] == list("hello")
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].usage is not None


def test_the_streaming_helper_understands_it(client: OpenAI) -> None:
    with client.chat.completions.stream(model="act", messages=_say("spells hello")) as stream:
        deltas = [event.delta for event in stream if event.type == "content.delta"]
    assert deltas == ["", *"hello"]  # the first says whose the text is
    assert stream.get_final_completion().choices[0].message.content == "hello"


def test_errors_are_those_that_the_client_knows(client: OpenAI, house: Server) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        client.chat.completions.create(model="gpt-5", messages=HELLO)
    assert (unknown.value.code, unknown.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.BadRequestError) as unsupported:
        client.chat.completions.create(model="act", messages=HELLO, n=2)
    assert (unsupported.value.code, unsupported.value.param) == ("unsupported_parameter", "n")
    with _client(house, "nobody's") as stranger, pytest.raises(openai.AuthenticationError):
        stranger.models.list()


def test_a_run_that_fails_is_an_error_and_is_not_begun_again(client: OpenAI, house: Server) -> None:
    with pytest.raises(openai.InternalServerError) as failed:
        client.chat.completions.create(model="act", messages=_say("raises oh"), metadata={"once": "only"})
    assert failed.value.code == "run_failed"
    assert "LookupError: oh" in str(failed.value)
    runs = house.client.ask("GET", "/v1/runs?agent=act&status=failed").json["data"]
    assert len([run for run in runs if run["metadata"] == {"once": "only"}]) == 1
    with pytest.raises(openai.APIError, match="LookupError: oh"):
        list(client.chat.completions.create(model="act", messages=_say("raises oh"), stream=True))


@pytest.mark.parametrize(("way", "rungs"), [("obeys", {"interrupt", "terminate"}), ("stubborn", {"kill"})])
def test_closing_the_stream_ends_the_run_for_certain(
    client: OpenAI, house: Server, way: str, rungs: set[str]
) -> None:
    """`without_leftovers` looks for its processes besides."""
    with client.chat.completions.create(model="act", messages=_say(way), stream=True) as stream:
        chunk = next(chunk for chunk in stream if chunk.choices[0].delta.content == "ready")
    run = _run_behind(house, chunk.id)
    assert (run["status"], run["exit"]["survivors"]) == ("cancelled", [])
    assert run["exit"]["rung"] in rungs
    assert run["exit"]["proof"]


def test_a_client_that_gives_up_waiting_ends_the_run(client: OpenAI, house: Server) -> None:
    hurried = client.with_options(timeout=0.5, max_retries=0)
    with pytest.raises(openai.APITimeoutError):
        hurried.chat.completions.create(model="act", messages=_say("obeys"), metadata={"left": "early"})
    (run,) = (
        run
        for run in house.client.ask("GET", "/v1/runs?agent=act").json["data"]
        if run["metadata"] == {"left": "early"}
    )
    assert house.client.ended(run["run_id"])["status"] == "cancelled"


# ── responses ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _is(client: OpenAI, response: Response, status: str) -> Callable[[], Response | None]:
    def now() -> Response | None:
        found = client.responses.retrieve(response.id)
        return found if found.status == status else None

    return now


def test_a_response_is_what_the_agent_answers(client: OpenAI) -> None:
    response = client.responses.create(model="act", input="answers hello", instructions="be brief")
    assert (response.status, response.output_text, response.instructions) == (
        "completed",
        "hello",
        "be brief",
    )
    assert client.responses.retrieve(response.id) == response
    client.responses.delete(response.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(response.id)


def test_the_helper_for_streams_of_responses_understands_them(client: OpenAI) -> None:
    with client.responses.stream(model="act", input="spells hello") as stream:
        events = list(stream)
        final = stream.get_final_response()
    assert [event.delta for event in events if event.type == "response.output_text.delta"] == list("hello")
    assert (final.output_text, final.status) == ("hello", "completed")


def test_a_conversation_goes_on_from_a_response(client: OpenAI, house: Server) -> None:
    first = client.responses.create(model="act", input="answers one")
    second = client.responses.create(model="act", input="tells", previous_response_id=first.id)
    assert json.loads(second.output_text)["history"] == [
        {"role": "user", "content": "answers one"},
        {"role": "assistant", "content": "one"},
    ]
    with _client(house, BOB) as bob, pytest.raises(openai.BadRequestError) as refused:
        bob.responses.create(model="act", input="tells", previous_response_id=first.id)
    assert refused.value.code == "previous_response_not_found"


def test_a_response_in_the_background_is_retrieved_and_cancelled(client: OpenAI, house: Server) -> None:
    response = client.responses.create(model="act", input="stubborn", background=True)
    assert response.status in ("queued", "in_progress")
    until(_is(client, response, "in_progress"), AT_LAST_S, "a response in progress")
    cancelled = client.responses.cancel(response.id)
    assert cancelled.status == "cancelled"
    run = _run_behind(house, response.id)
    assert (run["status"], run["exit"]["survivors"]) == ("cancelled", [])
    assert client.responses.cancel(response.id).status == "cancelled"


def test_a_stream_in_the_background_is_taken_up_where_it_was_left(client: OpenAI) -> None:
    with client.responses.create(model="act", input="spells hello", background=True, stream=True) as stream:
        first = [next(stream) for _ in range(3)]
    assert first[0].type == "response.created"
    response_id = first[0].response.id
    with client.responses.retrieve(
        response_id, stream=True, starting_after=first[-1].sequence_number
    ) as stream:
        rest = list(stream)
    numbers = [event.sequence_number for event in [*first, *rest]]
    assert numbers == list(range(len(numbers)))
    assert rest[-1].type == "response.completed"
    assert rest[-1].response.output_text == "hello"


def test_closing_the_stream_of_a_response_ends_the_run(client: OpenAI, house: Server) -> None:
    with client.responses.create(model="act", input="obeys", stream=True) as stream:
        event = next(event for event in stream if event.type == "response.created")
    assert _run_behind(house, event.response.id)["status"] == "cancelled"
    assert client.responses.retrieve(event.response.id).status == "cancelled"


def test_a_response_that_fails_says_so(client: OpenAI) -> None:
    response = client.responses.create(model="act", input="raises oh")
    assert response.status == "failed"
    assert response.error is not None
    assert "LookupError: oh" in response.error.message


# ── the asynchronous client ───────────────────────────────────────────────────────────────────────────────────────


async def test_the_asynchronous_client_does_all_that_too(later: AsyncOpenAI, house: Server) -> None:
    completion = await later.chat.completions.create(model="act", messages=HELLO)
    assert completion.choices[0].message.content == "hello"
    stream = await later.chat.completions.create(model="act", messages=_say("spells hey"), stream=True)
    said = [chunk.choices[0].delta.content async for chunk in stream]
    assert [text for text in said if text] == list("hey")
    async with later.responses.stream(model="act", input="spells hey") as events:
        assert (await events.get_final_response()).output_text == "hey"
    begun = await later.responses.create(model="act", input="obeys", background=True)
    assert (await later.responses.cancel(begun.id)).status == "cancelled"


async def test_closing_an_asynchronous_stream_ends_the_run(later: AsyncOpenAI, house: Server) -> None:
    async with await later.chat.completions.create(
        model="act", messages=_say("obeys"), stream=True
    ) as stream:
        async for chunk in stream:
            if chunk.choices[0].delta.content == "ready":
                break
    assert _run_behind(house, chunk.id)["status"] == "cancelled"


# ── and the last, as it leaves another supervisor behind ────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_a_stream_goes_on_when_the_supervisor_is_replaced(house: Server) -> None:
    with (
        _client(house, ALICE) as client,
        client.chat.completions.create(model="act", messages=_say("obeys"), stream=True) as stream,
    ):
        chunk = next(chunk for chunk in stream if chunk.choices[0].delta.content == "ready")
        os.kill(house.member("supervisor").pid, signal.SIGKILL)
        until(house.client.is_healthy, AT_LAST_S, "a new supervisor")
        house.client.stop("run_" + chunk.id.removeprefix("chatcmpl-"))
        with pytest.raises(openai.APIError) as stopped:
            list(stream)
    assert stopped.value.code == "run_cancelled"
    house.await_no_runs()
