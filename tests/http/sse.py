"""Reading an event stream as a client does, strictly: what is not a frame as promised fails the test."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import aiohttp
import msgspec

from .running_facade import DEADLINE_S


class Event(NamedTuple):
    id: int
    data: dict[str, Any]


class EventStream:
    """The frames of one response. `comments` are those seen so far; `retry_ms` what it opened with."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response
        self.comments: list[str] = []
        self.retry_ms: int | None = None

    async def events(self) -> AsyncIterator[Event]:
        """Each event, until the response ends."""
        while (block := await self._block()) is not None:
            event = self._understood(block)
            if event is not None:
                yield event

    async def next(self) -> Event:
        """The next event."""
        return await anext(aiter(self.events()))

    async def take(self, count: int) -> list[Event]:
        """The next `count` events."""
        return [await self.next() for _ in range(count)]

    async def rest(self) -> list[Event]:
        """All events to the end of the response."""
        return [event async for event in self.events()]

    async def comment(self, text: str) -> None:
        """Read on until this comment was seen."""
        while text not in self.comments:
            block = await self._block()
            assert block is not None, f"the stream ended without ': {text}'"
            self._understood(block)

    async def _block(self) -> bytes | None:
        async with asyncio.timeout(DEADLINE_S):
            block = await self.response.content.readuntil(b"\n\n")
        assert not block or block.endswith(b"\n\n"), f"the stream broke off in a frame: {block[-80:]!r}"
        return block or None

    def _understood(self, block: bytes) -> Event | None:
        lines = block[:-2].decode().split("\n")
        if lines[0].startswith(": "):
            self.comments.append(lines[0][2:])
            return None
        if lines[0].startswith("retry: "):
            self.retry_ms = int(lines[0][7:])
            return None
        id_line, data_line = lines
        assert id_line.startswith("id: "), lines
        assert data_line.startswith("data: {"), lines
        return Event(int(id_line[4:]), msgspec.json.decode(data_line[6:]))


def is_gapless(events: list[Event], first: int = 1) -> bool:
    """Whether ids and numbers run from `first` without a hole."""
    return all(event.id == event.data["seq"] == n for n, event in enumerate(events, first))
