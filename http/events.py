"""`GET /v1/runs/{run_id}/events`: the event stream of a run, from anywhere in it.

Where to begin: after `Last-Event-ID` if that header is there, else after `?after=N`, else at the first event.
The header wins because a browser repeats the URL, `?after` included, each time it connects again, and only
the header tells how far it has come.
"""

import re

from aiohttp import HttpVersion11, web

from ..actors.journal.reader import LastEvent
from . import frames
from .context import Call
from .errors import Problem
from .stream import Stream

STREAM_HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",  # nginx must not wait for more
}
_NUMBER = re.compile(r"[0-9]{1,18}\Z", re.ASCII)


async def events(call: Call) -> web.StreamResponse:
    """The stream; 204, which stops a browser from retrying, if nothing will ever come after the cursor."""
    key, record = call.run()
    after = _cursor(call.request)
    last = call.facade.journal.last(key)
    end = last.seq if last is not None else 0
    over = _is_over(last) or (last is None and record.status.ended)
    if over and after >= end:
        return web.Response(status=204)
    if after > end:
        raise Problem(
            "invalid_cursor",
            f"The run has come to event {end}, so nobody can have seen {after}. Resume after an event that you "
            "have seen.",
        )
    return await _stream(call, record.run_id, key, after)


async def _stream(call: Call, run_id: str, key: int, after: int) -> web.StreamResponse:
    request, facade = call.request, call.facade
    response = web.StreamResponse(headers=STREAM_HEADERS)
    await response.prepare(request)
    transport = request.transport
    if transport is None:  # the client left meanwhile
        return response
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
    return response


def _is_over(last: LastEvent | None) -> bool:
    return last is not None and last.event in frames.TERMINAL


def _cursor(request: web.Request) -> int:
    for name, given in (
        ("Last-Event-ID", request.headers.get("Last-Event-ID")),
        ("after", request.query.get("after")),
    ):
        if given is not None:
            if not _NUMBER.match(given):
                raise Problem(
                    "invalid_cursor",
                    f"'{name}' must be the number of the last event that you have seen, or 0 for all.",
                    param=name,
                )
            return int(given)
    return 0
