"""A journal, a wire and a connection with a memory, for feeds and streams without sockets."""

import asyncio
from typing import Any

import msgspec

from runward.actors.journal.reader import Batch, LastEvent
from runward.actors.messages.feed import Published
from runward.http.feeds import Feeds
from runward.http.frames import Slice

RUN = "run_1"


class Journal:
    """What `journal.reader.Reader` gives, of one run."""

    def __init__(self) -> None:
        self.stored: list[Batch] = []
        self.reads = 0

    def append(self, count: int, end: bool = False) -> Batch:
        first = self.stored[-1].last + 1 if self.stored else 1
        names = ["message.delta"] * count
        if end:
            names[-1] = "run.completed"
        data = b"".join(msgspec.json.encode({"event": name, "timestamp": 1.0}) + b"\n" for name in names)
        batch = Batch(first, first + count - 1, data)
        self.stored.append(batch)
        return batch

    def batches(self, key: int, after: int, max_bytes: int) -> list[Batch]:
        self.reads += 1
        found: list[Batch] = []
        size = 0
        for batch in self.stored:
            if batch.last > after and (not found or size + len(batch.data) <= max_bytes):
                found.append(batch)
                size += len(batch.data)
        return found

    def last(self, key: int) -> LastEvent | None:
        if not self.stored:
            return None
        batch = self.stored[-1]
        event = msgspec.json.decode(batch.data.splitlines()[-1])["event"]
        return LastEvent(batch.last, event, 1.0)


class Wire:
    """Remembers what is subscribed."""

    def __init__(self) -> None:
        self.topics: list[str] = []

    def subscribe(self, run_id: str) -> None:
        self.topics.append(run_id)

    def unsubscribe(self, run_id: str) -> None:
        self.topics.remove(run_id)


class Follower:
    """Remembers what it was offered."""

    def __init__(self) -> None:
        self.offered: list[tuple[int, int]] = []
        self.roused = 0

    def offer(self, events: Slice) -> None:
        self.offered.append((events.first, events.last))

    def rouse(self) -> None:
        self.roused += 1

    def end(self) -> None:
        self.rouse()


class Connection(asyncio.Transport):
    """A transport whose client reads when it is told to, at most `room` bytes at once; `drain` as aiohttp's."""

    def __init__(self, room: int = 1 << 30) -> None:
        super().__init__()
        self.room = room
        self.sent = bytearray()
        self.waiting = bytearray()
        self.most_waiting = 0
        self.writes = 0
        self.gone = False
        self._read = asyncio.Event()

    def write(self, data: Any) -> None:
        self.writes += 1
        self.waiting += data
        self._take()
        self.most_waiting = max(self.most_waiting, len(self.waiting))

    def read(self, size: int) -> None:
        """The client takes this much more."""
        self.room += size
        self._take()
        self._read.set()

    def get_write_buffer_size(self) -> int:
        return len(self.waiting)

    def is_closing(self) -> bool:
        return self.gone

    async def drain(self) -> None:
        while len(self.waiting) > 65_536:
            if self.gone:
                raise ConnectionResetError
            self._read.clear()
            await self._read.wait()

    def abort(self) -> None:
        self.leave()

    def leave(self) -> None:
        """The client goes."""
        self.gone = True
        self._read.set()

    def _take(self) -> None:
        taken = min(self.room, len(self.waiting))
        self.sent += self.waiting[:taken]
        del self.waiting[:taken]
        self.room -= taken


def tell(feeds: Feeds, batch: Batch, ended: bool = False) -> None:
    """What the supervisor publishes of a batch."""
    feeds.hear(RUN, Published(batch.first, batch.last - batch.first + 1, ended), batch.data)
