"""`GET /v1/runs/{run_id}/events`: the event stream of a run, from anywhere in it.

Where to begin: after `Last-Event-ID` if that header is there, else after `?after=N`, else at the first event.
The header wins because a browser repeats the URL, `?after` included, each time it connects again, and only
the header tells how far it has come.
"""

import asyncio
from collections.abc import Mapping
from typing import Annotated

from aiohttp import HttpVersion11, web
from msgspec import Meta

from ..actors.journal.reader import LastEvent
from ..actors.records import RunRecord
from . import frames
from .context import Call
from .errors import Problem
from .parameters import Parameter, number
from .stream import Stream

STREAM_HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",  # nginx must not wait for more
}
NO_HEADERS: Mapping[str, str] = {}

_SEEN = Annotated[int, Meta(ge=0)], "the number of the last event that you have seen, or 0 for all"
LAST_EVENT_ID = Parameter[int]("Last-Event-ID", *_SEEN, where="header", read=number, code="invalid_cursor")
AFTER = Parameter[int]("after", *_SEEN, read=number, code="invalid_cursor")
PARAMETERS = (LAST_EVENT_ID, AFTER)


async def events(call: Call) -> web.StreamResponse:
    """The stream; 204, which stops a browser from retrying, if nothing will ever come after the cursor."""
    key, record = call.run()
    return await stream_from(call, key, record, cursor(call.request))


async def stream_from(
    call: Call, key: int, record: RunRecord, after: int, headers: Mapping[str, str] = NO_HEADERS
) -> web.StreamResponse:
    """The same for a run that was found, with more headers. Raises `Problem`."""
    last = call.facade.journal.last(key)
    end = last.seq if last is not None else 0
    over = _is_over(last) or (last is None and record.status.ended)
    if over and after >= end:
        return web.Response(status=204, headers=headers)
    if after > end:
        raise Problem(
            "invalid_cursor",
            f"The run has come to event {end}, so nobody can have seen {after}. Resume after an event that you "
            "have seen.",
        )
    response = web.StreamResponse(headers={**STREAM_HEADERS, **headers})
    await response.prepare(call.request)
    if call.request.transport is not None:  # else the client left meanwhile
        await _stream(call, call.request.transport, record.run_id, key, after)
    return response


async def _stream(call: Call, transport: asyncio.Transport, run_id: str, key: int, after: int) -> None:
    request, facade = call.request, call.facade
    stream = Stream(
        transport,
        request.writer.drain,
        after=after,
        chunked=request.version >= HttpVersion11,
        keepalive_s=facade.settings.http.keepalive_s,
        clock=facade.clock,
    )
    feed = facade.feeds.join(run_id, key, stream)
    try:
        stream.say(frames.retry(facade.settings.http.retry_ms))
        await stream.run(feed)
    except ConnectionError:
        pass  # the client is gone, and nobody is left to tell
    finally:
        facade.feeds.leave(feed, stream)


def _is_over(last: LastEvent | None) -> bool:
    return last is not None and last.event in frames.TERMINAL


def cursor(request: web.Request) -> int:
    """After which event to begin; 0 where nobody says."""
    return said_cursor(request) or 0


def said_cursor(request: web.Request) -> int | None:
    """The same; None where nobody says. Raises `Problem` if either is no number, also the one that does not count."""
    said, after = LAST_EVENT_ID.of(request), AFTER.of(request)
    return after if said is None else said
