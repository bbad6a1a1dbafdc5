"""One client of an event stream: a cursor, and bytes pushed to its connection.

While the client keeps up, the feed pushes the same bytes to it as to everyone, straight to the transport: a
queue and a task per client cost ten times as much (measured). Once its connection holds more than a little,
it is left alone; its own task then waits for the connection to drain and goes on from the journal. So a slow
client costs neither the run nor this process anything but a cursor.
"""

import asyncio
from collections.abc import Awaitable, Callable

from . import frames
from .frames import Slice
from .run_feed import RunFeed

ENOUGH_BYTES = 65_536  # a connection that holds this much is not pushed to
AGAIN_S = 0.05


class Stream:
    """A `run_feed.Follower` that writes to one connection. `run` is its task; all else is called by the feed."""

    def __init__(
        self,
        transport: asyncio.Transport,
        drain: Callable[[], Awaitable[None]],
        *,
        after: int,
        chunked: bool,
        keepalive_s: float,
        clock: Callable[[], float],
    ) -> None:
        self._transport = transport
        self._drain = drain
        self._after = after
        self._chunked = chunked
        self._keepalive_s = keepalive_s
        self._clock = clock
        self._wake = asyncio.Event()
        self._resting = False
        self._finished = False
        self._wrote_at = clock()

    def offer(self, events: Slice) -> None:
        """Write the newest events, if this client is at them and its connection takes them."""
        if not self._resting or events.last <= self._after:
            return
        behind = events.first != self._after + 1
        if behind or self._transport.get_write_buffer_size() > ENOUGH_BYTES or self._transport.is_closing():
            self.rouse()
        else:
            self._write(events)

    def rouse(self) -> None:
        """Have the task look at the feed."""
        self._resting = False
        self._wake.set()

    def end(self) -> None:
        """Let the task end. A client that takes nothing now is cut off instead of waited for; it comes again."""
        if self._transport.get_write_buffer_size() > 0:
            self._transport.abort()
        self.rouse()

    async def run(self, feed: RunFeed) -> None:
        """Return when the terminal event is written, or when the feed closes before (the client will come again).

        Raises ConnectionError when the client is gone.
        """
        while not self._finished and (feed.ended or not feed.closing):
            if self._after < feed.head:
                await self._catch_up(feed)
            elif feed.ended:
                self._finished = True
            else:
                await self._rest()
        if self._finished:
            self._put(frames.CLOSED)

    def say(self, comment: bytes) -> None:
        """Write what is not an event."""
        self._put(comment)

    async def _catch_up(self, feed: RunFeed) -> None:
        await self._drain()
        events = feed.page(self._after)
        if events is not None:
            self._write(events)
            await asyncio.sleep(0)  # others have their turn between two pages
        else:
            await asyncio.sleep(AGAIN_S)

    async def _rest(self) -> None:
        self._wake.clear()
        self._resting = True
        silence_s = self._clock() - self._wrote_at
        try:
            async with asyncio.timeout(max(self._keepalive_s - silence_s, 0)):
                await self._wake.wait()
        except TimeoutError:
            self._keep_alive()
        finally:
            self._resting = False

    def _keep_alive(self) -> None:
        if self._clock() - self._wrote_at < self._keepalive_s:
            return
        if self._transport.get_write_buffer_size() == 0:
            self._put(frames.KEEPALIVE)
        self._wrote_at = self._clock()

    def _write(self, events: Slice) -> None:
        self._after = events.last
        self._finished = events.ended
        self._wrote_at = self._clock()
        self._transport.write(events.chunk() if self._chunked else events.frames())
        if events.ended:
            self.rouse()

    def _put(self, comment: bytes) -> None:
        if self._transport.is_closing():
            raise ConnectionResetError("the client is gone")
        self._wrote_at = self._clock()
        self._transport.write(frames.chunk(comment) if self._chunked else comment)
