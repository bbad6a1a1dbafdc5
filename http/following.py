"""The stream of changes of `GET /v1/runs?follow=1`.

A frame for each run that changed: `id` is the number of the change, `data` the run object as it is now. A run that
changes quickly may be told of once for several changes, but never not for its last. The first frame holds an `id`
alone, so that a browser that comes back is told of what it missed; the stream has no end of its own.
"""

import asyncio
import contextlib
from collections.abc import Callable

import msgspec
from aiohttp import web

from ..actors.records import RunRecord
from . import events, frames, views
from .context import Call, Facade

PAGE = 100
GATHER_S = 0.05  # what changes within this is read at once

Match = Callable[[RunRecord], bool]


async def follow(call: Call, match: Match) -> web.StreamResponse:
    """The changes from now on, or after `Last-Event-ID` or `?after=N`, of runs that match as they are now."""
    seen, newest = events.said_cursor(call.request), call.facade.journal.last_change()
    after = newest if seen is None else min(seen, newest)  # after a power loss one may have seen more
    response = web.StreamResponse(headers=events.STREAM_HEADERS)
    await response.prepare(call.request)
    transport = call.request.transport
    if call.request.method != "HEAD" and transport is not None:
        following = _Following(call.facade, response, transport, match, after)
        with contextlib.suppress(ConnectionError), call.facade.changes.followed_by(following):
            await following.run()
    return response


class _Following:
    """One client: a cursor over the journal's changes. A `changes.Follower`."""

    def __init__(
        self,
        facade: Facade,
        response: web.StreamResponse,
        transport: asyncio.Transport,
        match: Match,
        after: int,
    ) -> None:
        self._facade = facade
        self._response = response
        self._transport = transport
        self._match = match
        self._after = after
        self._news = asyncio.Event()

    def rouse(self) -> None:
        """There is something new."""
        self._news.set()

    def end(self) -> None:
        """This facade goes. A client that takes nothing now is cut off instead of waited for."""
        if self._transport.get_write_buffer_size() > 0:
            self._transport.abort()
        self._news.set()

    async def run(self) -> None:
        """Return when the facade goes; raises ConnectionError when the client is gone."""
        retry = frames.retry(self._facade.settings.http.retry_ms)
        await self._response.write(retry + b"id: %d\n\n" % self._after)
        while not self._facade.changes.closing:
            self._news.clear()
            if not await self._tell_news():
                await self._rest()

    async def _tell_news(self) -> bool:
        """Write a page of news; whether there may be more."""
        page = self._facade.journal.changes(self._after, PAGE)
        matching = [(number, record) for number, record in page if self._match(record)]
        shown = await views.of_all(self._facade.journal, [record for _, record in matching])
        told = [
            b"id: %d\ndata: %b\n\n" % (number, msgspec.json.encode(view))
            for (number, _), view in zip(matching, shown, strict=True)
        ]
        if told:
            await self._response.write(b"".join(told))
        self._after = page[-1][0] if page else self._after
        return len(page) == PAGE

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(self._facade.settings.http.keepalive_s):
                await self._news.wait()
        except TimeoutError:
            await self._response.write(frames.KEEPALIVE)
        else:
            await asyncio.sleep(0 if self._facade.changes.closing else GATHER_S)
