"""One client of a stream, on a connection that the test controls."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import cast

import pytest

from runward.actors.journal.reader import Reader
from runward.http.feeds import Feeds
from runward.http.run_feed import RunFeed
from runward.http.stream import Stream

from .eventually import DEADLINE_S, until
from .feed_parts import RUN, Connection, Journal, Wire, tell


class Clock:
    """The true one, which counts how often it is asked: some times for each silence."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> float:
        self.asked += 1
        return time.monotonic()


class Room:
    """A run, its feed and one client."""

    def __init__(
        self,
        connection: Connection,
        keepalive_s: float = 60.0,
        tail_bytes: int = 100_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.journal = Journal()
        self.feeds = Feeds(Wire(), cast(Reader, self.journal), tail_bytes, time.monotonic)
        self.connection = connection
        self.stream = Stream(
            connection,
            connection.drain,
            after=0,
            chunked=False,
            keepalive_s=keepalive_s,
            clock=clock,
        )
        self.feed: RunFeed = self.feeds.join(RUN, 1, self.stream)
        self.task = asyncio.ensure_future(self.stream.run(self.feed))

    def happen(self, count: int, end: bool = False, heard: bool = True) -> None:
        batch = self.journal.append(count, end)
        if heard:
            tell(self.feeds, batch, end)
            self.feeds.flush()

    @property
    def ids(self) -> list[int]:
        return [
            int(line[4:]) for line in bytes(self.connection.sent).split(b"\n") if line.startswith(b"id: ")
        ]


async def finished(task: Awaitable[None]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        await task


async def test_a_client_that_keeps_up_is_pushed_to_at_once() -> None:
    room = Room(Connection())
    await asyncio.sleep(0)
    room.happen(3)
    assert room.ids == [1, 2, 3]
    room.happen(1, end=True)
    await finished(room.task)
    assert room.ids == [1, 2, 3, 4]
    assert room.connection.sent.endswith(b"\n\n: stream closed\n\n")
    assert room.journal.reads == 0


async def test_a_client_that_does_not_read_costs_a_bounded_buffer_and_gets_everything_later() -> None:
    room = Room(Connection(room=0))
    await asyncio.sleep(0)
    for _ in range(400):
        room.happen(50)
        await asyncio.sleep(0)
    room.happen(1, end=True)
    assert room.connection.most_waiting < 400_000
    assert room.connection.most_waiting < len(b"".join(batch.data for batch in room.journal.stored)) / 2
    while not room.task.done():
        room.connection.read(10_000)
        await asyncio.sleep(0)
    room.connection.read(1 << 30)
    assert room.ids == list(range(1, 20_002))
    assert room.connection.most_waiting < 400_000


async def test_of_a_turn_that_is_large_a_client_that_does_not_read_gets_no_more_than_of_a_small_one() -> None:
    room = Room(Connection(room=0))
    await asyncio.sleep(0)
    for _ in range(4):
        room.happen(20_000)
        await asyncio.sleep(0)
    room.happen(1, end=True)
    assert room.connection.most_waiting < 400_000
    while not room.task.done():
        room.connection.read(100_000)
        await asyncio.sleep(0)
    room.connection.read(1 << 30)
    assert room.ids == list(range(1, 80_002))
    assert room.connection.most_waiting < 400_000


async def test_a_client_that_was_behind_is_pushed_to_again() -> None:
    room = Room(Connection(room=0))
    await asyncio.sleep(0)
    for _ in range(40):
        room.happen(100)
        await asyncio.sleep(0)
    room.connection.read(1 << 30)
    await until(lambda: len(room.ids) == 4000, "all that happened")
    await until(lambda: room.stream._resting, "rest")
    reads = room.journal.reads
    room.happen(5)
    assert room.ids == list(range(1, 4006))
    assert room.journal.reads == reads
    room.task.cancel()


async def test_what_the_feed_lost_comes_from_the_journal_before_what_it_did_not() -> None:
    room = Room(Connection())
    await asyncio.sleep(0)
    room.happen(2)
    room.happen(3, heard=False)
    room.happen(1, end=True)
    await finished(room.task)
    assert room.ids == [1, 2, 3, 4, 5, 6]


async def test_a_stream_may_run_ahead_of_its_feed_and_sees_nothing_twice() -> None:
    room = Room(Connection())
    early = room.journal.append(3)
    later = room.journal.append(3)
    room.feed.jump(3, ended=False)
    await until(lambda: room.ids == [1, 2, 3, 4, 5, 6], "a page from the journal")
    tell(room.feeds, early)
    tell(room.feeds, later)
    room.feeds.flush()
    room.happen(1, end=True)
    await finished(room.task)
    assert room.ids == [1, 2, 3, 4, 5, 6, 7]


async def test_keepalives_come_in_silence_only() -> None:
    room = Room(Connection(), keepalive_s=0.02)
    await until(lambda: room.connection.sent.count(b": keepalive\n\n") >= 2, "two keepalives")
    room.task.cancel()


async def test_a_client_that_reads_nothing_gets_no_heap_of_keepalives() -> None:
    clock = Clock()
    room = Room(Connection(room=0), keepalive_s=0.001, clock=clock)
    await until(lambda: room.connection.writes == 1, "the first keepalive")
    asked = clock.asked
    await until(lambda: clock.asked > asked + 50, "the next silences")
    assert room.connection.waiting == b": keepalive\n\n"
    room.task.cancel()


async def test_a_client_that_left_while_it_was_waited_for_ends_the_stream() -> None:
    room = Room(Connection(room=0))
    for _ in range(40):
        room.happen(100)
        await asyncio.sleep(0)
    room.connection.leave()
    with pytest.raises(ConnectionResetError):
        await finished(room.task)


async def test_nothing_is_written_to_a_connection_that_is_closing() -> None:
    room = Room(Connection())
    await asyncio.sleep(0)
    room.connection.gone = True
    room.happen(3)
    assert room.connection.writes == 0
    room.task.cancel()


async def test_a_run_that_is_deleted_under_its_reader_ends_the_stream_and_admits_what_is_gone() -> None:
    room = Room(Connection())
    await asyncio.sleep(0)
    room.feed.jump(9, ended=True)
    await finished(room.task)
    gap = f'{{"run_id":"{RUN}","seq":9,"event":"stream.gap","from":1,"to":9}}'
    assert room.connection.sent == f"id: 9\ndata: {gap}\n\n: stream closed\n\n".encode()
