"""The event stream over a real port: resume, order, many readers, lost messages, silence, the end."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ..support import raw
from .conftest import StartFacade
from .fake_supervisor import FakeSupervisor
from .running_facade import DEADLINE_S, Running, key_of
from .sse import EventStream, is_gapless


@asynccontextmanager
async def stream(facade: Running, run_id: str, query: str = "", **headers: str) -> AsyncIterator[EventStream]:
    path = f"/v1/runs/{run_id}/events{query}"
    given = {name.replace("_", "-"): text for name, text in headers.items()}
    async with facade.session() as session, session.get(path, headers=given) as response:
        assert response.status == 200, await response.text()
        yield EventStream(response)


def plain_request(run_id: str) -> bytes:
    """Without chunks, so that the bytes that come are the frames."""
    path = f"/v1/runs/{run_id}/events"
    return (
        f"GET {path} HTTP/1.0\r\nHost: localhost\r\nAuthorization: Bearer {key_of('olga')}\r\n\r\n".encode()
    )


async def test_a_finished_run_is_replayed_to_its_terminal_event_and_closed(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    run_id = supervisor.add_run()
    supervisor.emit_many(run_id, 3)
    supervisor.emit(run_id, "run.completed", output="done")
    async with stream(facade, run_id) as events:
        seen = await events.rest()
    assert is_gapless(seen)
    assert len(seen) == 4
    assert seen[-1].data["event"] == "run.completed"
    assert seen[-1].data["output"] == "done"
    assert {event.data["run_id"] for event in seen} == {run_id}
    assert all(isinstance(event.data["timestamp"], float) for event in seen)
    assert events.comments == ["stream closed"]
    assert events.retry_ms == 1000


async def test_a_live_run_is_seen_as_it_happens(facade: Running, supervisor: FakeSupervisor) -> None:
    run_id = supervisor.add_run()
    supervisor.emit(run_id, "run.queued")
    async with stream(facade, run_id) as events:
        assert (await events.next()).data["event"] == "run.queued"
        supervisor.emit(run_id, "run.started")
        assert (await events.next()).data["event"] == "run.started"
        supervisor.emit(run_id, "run.cancelled", reason="killed")
        last = await events.rest()
    assert [event.data["event"] for event in last] == ["run.cancelled"]
    assert events.comments == ["stream closed"]


async def test_a_run_without_any_event_yet_opens_a_stream(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    run_id = supervisor.add_run()
    async with stream(facade, run_id) as events:
        supervisor.emit(run_id, "run.queued")
        assert (await events.next()).id == 1


@pytest.mark.parametrize("after", [0, 1, 4, 5, 6, 9])
@pytest.mark.parametrize("way", ["header", "query"])
async def test_a_stream_resumes_after_any_event(
    facade: Running, supervisor: FakeSupervisor, after: int, way: str
) -> None:
    run_id = supervisor.add_run()
    supervisor.emit_many(run_id, 5)
    supervisor.emit_many(run_id, 4)
    supervisor.emit(run_id, "run.completed")
    query, headers = (f"?after={after}", {}) if way == "query" else ("", {"Last_Event_ID": str(after)})
    async with stream(facade, run_id, query, **headers) as events:
        seen = await events.rest()
    assert is_gapless(seen, after + 1)
    assert seen[-1].id == 10


async def test_the_header_wins_because_a_browser_repeats_the_url(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    run_id = supervisor.add_run()
    supervisor.emit_many(run_id, 5)
    supervisor.emit(run_id, "run.completed")
    async with stream(facade, run_id, "?after=1", Last_Event_ID="4") as events:
        assert [event.id for event in await events.rest()] == [5, 6]


@pytest.mark.parametrize("cursor", ["-1", "x", "", "1.0", "1e3", "+1", " ", "٣", "9" * 30, "0x1", "1 2"])
async def test_a_cursor_that_is_no_number_is_refused(
    facade: Running, supervisor: FakeSupervisor, cursor: str
) -> None:
    run_id = supervisor.add_run()
    supervisor.emit_many(run_id, 3)
    answer = await facade.ask("GET", f"/v1/runs/{run_id}/events", params={"after": cursor})
    assert (answer.status, answer.code) == (400, "invalid_cursor")
    if cursor.isascii() and cursor.strip():
        headers = {"Last-Event-ID": cursor}
        answer = await facade.ask("GET", f"/v1/runs/{run_id}/events", headers=headers)
        assert (answer.status, answer.code) == (400, "invalid_cursor")


async def test_a_cursor_beyond_a_live_runs_end_is_refused(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    run_id = supervisor.add_run()
    supervisor.emit_many(run_id, 3)
    answer = await facade.ask("GET", f"/v1/runs/{run_id}/events?after=4")
    assert (answer.status, answer.code) == (400, "invalid_cursor")
    async with stream(facade, run_id, "?after=3") as events:
        supervisor.emit(run_id, "run.completed")
        assert [event.id for event in await events.rest()] == [4]


@pytest.mark.parametrize("after", [4, 5, 10**17])
async def test_at_or_past_the_end_of_an_ended_run_there_is_no_content(
    facade: Running, supervisor: FakeSupervisor, after: int
) -> None:
    run_id = supervisor.add_run()
    supervisor.emit_many(run_id, 3)
    supervisor.emit(run_id, "run.failed", error="no")
    answer = await facade.ask("GET", f"/v1/runs/{run_id}/events?after={after}")
    assert (answer.status, answer.body) == (204, b"")


@pytest.mark.parametrize(
    "run_id", ["run_nope", "run_" + "0" * 32, "%ff", "..", "a%00b", "%2e%2e%2f", "ü", "'"]
)
async def test_an_unknown_run_is_not_found(facade: Running, run_id: str) -> None:
    answer = await facade.ask("GET", f"/v1/runs/{run_id}/events")
    assert answer.status == 404


async def test_every_one_of_many_readers_sees_every_event(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    run_id = supervisor.add_run()

    async def read() -> list[int]:
        async with stream(facade, run_id) as events:
            return [event.id for event in await events.rest()]

    readers = [asyncio.ensure_future(read()) for _ in range(30)]
    for _ in range(40):
        supervisor.emit_many(run_id, 5)
        await asyncio.sleep(0)
    supervisor.emit(run_id, "run.completed")
    async with asyncio.timeout(DEADLINE_S):
        seen = await asyncio.gather(*readers)
    assert all(ids == list(range(1, 202)) for ids in seen)


async def test_a_reader_that_comes_later_sees_the_same(facade: Running, supervisor: FakeSupervisor) -> None:
    run_id = supervisor.add_run()
    async with stream(facade, run_id) as first:
        supervisor.emit_many(run_id, 10)
        await first.take(10)
        async with stream(facade, run_id) as second:
            supervisor.emit_many(run_id, 10)
            supervisor.emit(run_id, "run.completed")
            assert is_gapless(await second.rest())
        assert is_gapless(await first.rest(), 11)


async def test_events_that_the_feed_dropped_come_from_the_journal_in_order(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    run_id = supervisor.add_run()
    async with stream(facade, run_id) as events:
        supervisor.emit_many(run_id, 3)
        await events.take(3)
        supervisor.emit_many(run_id, 4, publish=False)
        supervisor.emit_many(run_id, 2)
        supervisor.emit(run_id, "run.completed")
        assert is_gapless(await events.rest(), 4)


async def test_a_dropped_last_message_is_found_by_the_check(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    run_id = supervisor.add_run()
    async with stream(facade, run_id) as events:
        supervisor.emit_many(run_id, 3)
        await events.take(3)
        supervisor.emit(run_id, "run.completed", publish=False)
        assert [event.id for event in await events.rest()] == [4]
    assert events.comments == ["stream closed"]


async def test_without_any_feed_the_journal_is_enough(facade: Running, supervisor: FakeSupervisor) -> None:
    supervisor.publishing = False
    run_id = supervisor.add_run()
    async with stream(facade, run_id) as events:
        supervisor.emit_many(run_id, 3)
        await events.take(3)
        supervisor.emit(run_id, "run.completed")
        assert is_gapless(await events.rest(), 4)


async def test_lost_numbers_are_admitted_by_a_gap(facade: Running, supervisor: FakeSupervisor) -> None:
    run_id = supervisor.add_run()
    supervisor.emit_many(run_id, 2)
    supervisor.skip_numbers(run_id, 5)
    supervisor.emit(run_id, "run.failed", error="power")
    async with stream(facade, run_id) as events:
        seen = await events.rest()
    gap = {"run_id": run_id, "seq": 7, "event": "stream.gap", "from": 3, "to": 7}
    assert [event.id for event in seen] == [1, 2, 7, 8]
    assert seen[2].data == gap
    async with stream(facade, run_id, "?after=4") as events:
        seen = await events.rest()
    assert [event.id for event in seen] == [7, 8]
    assert seen[0].data["from"] == 5


async def test_silence_is_filled_with_keepalives(
    start_facade: StartFacade, supervisor: FakeSupervisor
) -> None:
    facade = await start_facade(http={"keepalive_s": 0.05, "retry_ms": 250})
    run_id = supervisor.add_run()
    async with stream(facade, run_id) as events:
        await events.comment("keepalive")
        supervisor.emit(run_id, "run.completed")
        assert len(await events.rest()) == 1
    assert events.retry_ms == 250


async def test_a_client_that_leaves_is_forgotten(facade: Running, supervisor: FakeSupervisor) -> None:
    run_id = supervisor.add_run()
    async with stream(facade, run_id) as stays:
        async with stream(facade, run_id) as leaves:
            supervisor.emit_many(run_id, 1)
            await leaves.take(1)
        supervisor.emit(run_id, "run.completed")
        assert is_gapless(await stays.rest())


async def test_clients_that_are_gone_before_their_answer_begins_are_nobodys_error(
    facade: Running, supervisor: FakeSupervisor, caplog: pytest.LogCaptureFixture
) -> None:
    run_id = supervisor.add_run()
    for turns in range(20):  # of the loop, until they are gone
        client = socket.create_connection(("127.0.0.1", facade.port))
        client.sendall(plain_request(run_id))
        for _ in range(turns):
            await asyncio.sleep(0)
        raw.reset(client)
    assert (await facade.ask("GET", f"/v1/runs/{run_id}")).status == 200
    assert caplog.messages == []


async def test_http_1_0_gets_the_frames_without_chunks(facade: Running, supervisor: FakeSupervisor) -> None:
    run_id = supervisor.add_run()
    supervisor.emit(run_id, "run.completed")
    head, _, body = (await facade.raw(plain_request(run_id))).partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert body.startswith(b"retry: 1000\n\nid: 1\ndata: {")
    assert body.endswith(b"}\n\n: stream closed\n\n")


async def test_streams_are_not_for_head(facade: Running, supervisor: FakeSupervisor) -> None:
    run_id = supervisor.add_run()
    assert (await facade.ask("HEAD", f"/v1/runs/{run_id}/events")).status == 405


async def test_a_slow_reader_slows_nobody_and_misses_nothing(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    run_id = supervisor.add_run()
    text = "x" * 2000
    slow_reader, slow_writer = await asyncio.open_connection("127.0.0.1", facade.port, limit=4096)
    slow_writer.write(plain_request(run_id))
    await slow_reader.readuntil(b"retry: 1000\n\n")
    async with stream(facade, run_id) as quick:
        for _ in range(100):
            supervisor.emit_many(run_id, 100, text=text)
            await quick.take(100)
        supervisor.emit(run_id, "run.completed")
        assert len(await quick.rest()) == 1
    async with asyncio.timeout(DEADLINE_S):
        rest = await slow_reader.read()
    slow_writer.close()
    assert [int(line[4:]) for line in rest.split(b"\n") if line.startswith(b"id: ")] == list(range(1, 10_002))
    assert rest.endswith(b": stream closed\n\n")


async def test_a_client_that_does_not_read_does_not_hold_up_the_end(
    start_facade: StartFacade, supervisor: FakeSupervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runward.http.serving.END_S", 10 * DEADLINE_S)
    facade = await start_facade()
    run_id = supervisor.add_run()
    reader, writer = await asyncio.open_connection("127.0.0.1", facade.port, limit=4096)
    writer.write(plain_request(run_id))
    await reader.readuntil(b"retry: 1000\n\n")
    async with stream(facade, run_id) as quick:  # when it has all, the other's connection is full
        for _ in range(50):
            supervisor.emit_many(run_id, 100, text="x" * 4000)
        await quick.take(5000)
    facade.control.close()
    async with asyncio.timeout(DEADLINE_S):
        await asyncio.wait((facade.task,))
    writer.close()


async def test_when_the_facade_goes_streams_end_without_the_closing_comment(
    facade: Running, supervisor: FakeSupervisor
) -> None:
    run_id = supervisor.add_run()
    async with stream(facade, run_id) as events:
        supervisor.emit_many(run_id, 1)
        await events.take(1)
        facade.control.close()
        assert await events.rest() == []
    assert events.comments == []
    async with asyncio.timeout(DEADLINE_S):
        await asyncio.wait((facade.task,))
