"""The events of one run, in order and each once, over as many connections as it takes; for asyncio."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Self

from . import api_calls
from .api_async_transport import AsyncTransport
from .api_errors import ApiError, ServerUnreachable
from .api_following import Following
from .api_types import Event


class AsyncEventStream:
    """As `api_events.EventStream`, whose words hold here too. Who leaves early should `await aclose()`."""

    def __init__(
        self,
        transport: AsyncTransport,
        path: str,
        after: int,
        patience_s: float,
        timeout_s: float | None,
        on_loss: Callable[[str], None],
    ) -> None:
        self._following = Following(transport.url, after, patience_s, timeout_s, on_loss)
        self._events = _follow(transport, path, self._following)

    @property
    def last_seq(self) -> int:
        """The number of the last event that was given; at first, the one to begin after."""
        return self._following.last_seq

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        return await anext(self._events)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Let go of the connection; no event comes after."""
        await self._events.aclose()


async def _follow(transport: AsyncTransport, path: str, following: Following) -> AsyncGenerator[Event, None]:
    while not following.ended:
        lost: ServerUnreachable | ApiError | None = None
        try:
            headers, timeout_s = following.connect(), following.left_s()
            async with transport.open("GET", path, headers=headers, timeout_s=timeout_s) as reply:
                if reply.status == api_calls.NO_CONTENT:  # the run is over and we have it all
                    return
                if reply.status not in api_calls.OPENED:
                    body = await reply.read()
                    raise api_calls.refusal(transport.url, reply.status, reply.retry_after, body)
                while not following.ended and (chunk := await reply.read_some(following.left_s())):
                    for event in following.feed(chunk):
                        yield event
        except (ServerUnreachable, ApiError) as error:
            lost = error
        if not following.ended:
            await asyncio.sleep(following.lost(lost))
