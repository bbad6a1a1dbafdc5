"""A start that is answered by its stream: who gets one, and what it means to leave it early."""

import asyncio
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import make_mocked_request

from runward.actors.messages.answers import Refusal
from runward.actors.messages.commands import StartRun, StopRun
from runward.http.accepting import wants_stream

from .conftest import StartFacade
from .eventually import until
from .fake_supervisor import FakeSupervisor
from .running_facade import Running
from .sse import EventStream

STREAM = {"Accept": "text/event-stream"}


def _stops(supervisor: FakeSupervisor) -> list[StopRun]:
    return [each for each in supervisor.heard if isinstance(each, StopRun)]


def _starts(supervisor: FakeSupervisor) -> list[StartRun]:
    return [each for each in supervisor.heard if isinstance(each, StartRun)]


def _start(session: aiohttp.ClientSession, **body: Any) -> Any:
    return session.post("/v1/runs", json={"input": "x", **body}, headers=STREAM)


async def _opened(session: aiohttp.ClientSession) -> None:
    async with _start(session, on_disconnect="stop"):
        pass


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("text/event-stream", True),
        ("TEXT/Event-Stream; charset=utf-8", True),
        ("application/json;q=0.5, text/event-stream", True),
        ("text/event-stream;q=0.9, */*", True),
        ("", False),
        ("*/*", False),
        ("application/json, text/event-stream", False),
        ("text/event-stream;q=0", False),
        ("text/event-stream;q=much", False),
        ("text/*", False),
    ],
)
def test_a_stream_is_for_who_asks_for_it_more_than_for_json(accept: str, wanted: bool) -> None:
    assert wants_stream(make_mocked_request("POST", "/v1/runs", {"Accept": accept})) is wanted


async def test_a_client_that_leaves_before_its_start_is_answered_stops_the_run(
    start_facade: StartFacade, supervisor: FakeSupervisor
) -> None:
    facade = await start_facade(command_timeout_s=1.0)
    supervisor.silent = True
    async with facade.session() as session:
        asking = asyncio.ensure_future(_opened(session))
        await until(lambda: bool(_starts(supervisor)), "the start")
        asking.cancel()
    supervisor.silent = False  # it answers the second sending
    await until(lambda: bool(_stops(supervisor)), "the stop")
    (stop,) = _stops(supervisor)
    assert stop.run_id == _starts(supervisor)[0].run_id
    assert (stop.mode, stop.reason) == ("interrupt", "the client left its stream")


async def test_a_facade_that_goes_is_no_client_that_leaves(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    async with facade.session() as session, _start(session, on_disconnect="stop") as response:
        events = EventStream(response)
        assert (await events.next()).data["event"] == "run.queued"
        facade.control.close()
        assert await events.rest() == []
    await facade.task
    assert _stops(supervisor) == []


async def test_a_run_that_ended_is_not_stopped(facade: Running, supervisor: FakeSupervisor) -> None:
    async with facade.session() as session, _start(session, on_disconnect="stop") as response:
        events = EventStream(response)
        run_id = (await events.next()).data["run_id"]
        supervisor.emit(run_id, "run.completed")
        assert [event.data["event"] for event in await events.rest()] == ["run.completed"]
    assert (await facade.ask("GET", f"/v1/runs/{run_id}")).status == 200  # a round trip behind it
    assert _stops(supervisor) == []


async def test_a_refused_start_is_answered_as_json(facade: Running, supervisor: FakeSupervisor) -> None:
    supervisor.refusing[StartRun] = Refusal("", "queue_full", "too many", retry_after_s=2.5)
    answer = await facade.ask(
        "POST", "/v1/runs", json={"input": "x", "on_disconnect": "stop"}, headers=STREAM
    )
    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (429, "queue_full", "3")


async def test_a_cursor_that_is_no_number_is_refused_before_anything_starts(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    headers = STREAM | {"Last-Event-ID": "x"}
    answer = await facade.ask("POST", "/v1/runs", json={"input": "x"}, headers=headers)
    assert (answer.status, answer.code) == (400, "invalid_cursor")
    assert _starts(supervisor) == []


async def test_a_new_run_is_streamed_from_its_first_event_whatever_the_client_saw_elsewhere(
    facade: Running,
) -> None:
    async with facade.session() as session:
        headers = STREAM | {"Last-Event-ID": "7"}
        async with session.post("/v1/runs", json={"input": "x"}, headers=headers) as response:
            assert response.status == 200
            assert (await EventStream(response).next()).id == 1


@pytest.mark.parametrize("accept", ["text/event-stream", "application/json"])
async def test_a_cursor_that_is_none_is_refused_whatever_is_asked_for(facade: Running, accept: str) -> None:
    for query, headers in (("?after=x", {}), ("", {"Last-Event-ID": "x"})):
        sent = {"Accept": accept, **headers}
        answer = await facade.ask("POST", f"/v1/runs{query}", "alice", json={"input": "go"}, headers=sent)
        assert (answer.status, answer.code) == (400, "invalid_cursor")
