"""The run behind a call of the OpenAI surface: begun, followed to its end, and stopped if its client leaves.

Whoever holds the connection holds the run: there is no way to come back to a completion. A facade that goes is not
a client that leaves; the run goes on and can be had by its id.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import NamedTuple, Protocol

from aiohttp import web

from ..actors.errors import Refused
from ..actors.messages.commands import StartRun
from ..actors.records import RunRecord
from . import bodies, events, frames, keyed, starting
from .context import Call, Facade, find_run
from .errors import Problem
from .feeds import Feeds
from .frames import Slice
from .openai_text import Said

RUN_ID = "Runward-Run-Id"
LEFT = "the client left"


class Begun(NamedTuple):
    """A run that was journalled, and the headers of its answer."""

    key: int
    record: RunRecord
    headers: dict[str, str]


Answering = Callable[[Begun], Awaitable[web.StreamResponse]]


async def answered(
    call: Call, command: StartRun, ignored: list[str], answer: Answering, *, stays: bool = False
) -> web.StreamResponse:
    """Start a run and answer; stop it if its client leaves before it is over, unless it `stays`."""
    begin = asyncio.ensure_future(starting.started(call, command))
    try:
        accepted = await (begin if stays else asyncio.shield(begin))
        key, record = find_run(call.facade.journal, call.who, accepted.run_id)
        headers = {RUN_ID: record.run_id, **bodies.ignored_header(ignored)}
        if accepted.replayed:
            headers |= keyed.REPLAYED
        return await answer(Begun(key, record, headers))
    except Refused as refusal:
        if refusal.code != "agent_not_found":
            raise
        raise no_such_model(command.agent) from refusal
    finally:
        if not stays:
            call.facade.link.see_to(starting.stop_if_left(call, begin, LEFT))


def no_such_model(name: str) -> Problem:
    """There is no agent of that name."""
    return Problem(
        "model_not_found",
        f"There is no agent {name[:64]!r}. GET /v1/models lists those there are.",
        param="model",
    )


def model_of(model: str | None) -> str:
    """The agent that a body names. Raises `Problem`."""
    if not model:
        raise Problem(
            "missing_field", "Missing 'model': name an agent. GET /v1/models lists them.", param="model"
        )
    return model


async def ended(facade: Facade, begun: Begun, said: Said) -> RunRecord:
    """The record of the run once it is over; `said` has then heard all of it."""
    reading = Reading(facade.feeds, begun.record.run_id, begun.key)
    async with aclosing(reading.pieces(None)) as pieces:
        async for piece in pieces:
            if piece is not None:
                said.hear(piece)
    return record_now(facade, begun.record.run_id)


def record_now(facade: Facade, run_id: str) -> RunRecord:
    """The record as it is now. Raises `Problem` if it was deleted meanwhile."""
    found = facade.journal.run(run_id)
    if found is None:
        raise Problem("run_not_found", "The run was deleted while it was read.")
    return found[1]


class Frames(Protocol):
    """What makes frames of a run, for `stream`."""

    def begin(self) -> bytes:
        """What comes first."""

    def hear(self, piece: Slice) -> bytes:
        """The next events."""

    def end(self, record: RunRecord) -> bytes:
        """The run is over."""

    def fail(self, problem: Problem) -> bytes:
        """It can't be followed to its end."""


async def stream(call: Call, begun: Begun, made: Frames) -> web.StreamResponse:
    """The run's events as frames, from the first to the last, with comments in between to keep the line up."""
    response = web.StreamResponse(headers={**events.STREAM_HEADERS, **begun.headers})
    await response.prepare(call.request)
    reading = Reading(call.facade.feeds, begun.record.run_id, begun.key)
    try:
        await response.write(made.begin())
        async with aclosing(reading.pieces(call.facade.settings.http.keepalive_s)) as pieces:
            async for piece in pieces:
                await response.write(frames.KEEPALIVE if piece is None else made.hear(piece))
        await response.write(made.end(record_now(call.facade, begun.record.run_id)))
    except Problem as problem:
        await response.write(made.fail(problem))
    except ConnectionError:
        pass  # the client is gone
    return response


class Reading:
    """A `run_feed.Follower` that hands on the events of a run piece by piece."""

    def __init__(self, feeds: Feeds, run_id: str, key: int) -> None:
        self._feeds = feeds
        self._run_id = run_id
        self._key = key
        self._after = 0
        self._news = asyncio.Event()

    def offer(self, events: Slice) -> None:
        """New events: they are read when their turn comes."""
        if events.last > self._after:
            self._news.set()

    def rouse(self) -> None:
        """The feed changed."""
        self._news.set()

    def end(self) -> None:
        """This facade goes."""
        self._news.set()

    async def pieces(self, keepalive_s: float | None) -> AsyncGenerator[Slice | None]:
        """All events to the terminal one; None after so many seconds of silence. Raises `Problem` if cut short."""
        feed = self._feeds.join(self._run_id, self._key, self)
        try:
            while self._after < feed.head or not feed.ended:
                self._news.clear()
                piece = feed.page(self._after) if self._after < feed.head else None
                if piece is not None:
                    self._after = piece.last
                    yield piece
                    await asyncio.sleep(0)  # others have their turn between two pieces
                elif feed.closing:
                    raise _going(self._run_id)
                elif not await self._came(keepalive_s):
                    yield None
        finally:
            self._feeds.leave(feed, self)

    async def _came(self, within_s: float | None) -> bool:
        try:
            async with asyncio.timeout(within_s):
                await self._news.wait()
        except TimeoutError:
            return False
        return True


def _going(run_id: str) -> Problem:
    return Problem(
        "shutting_down",
        f"This server process is restarting. The run goes on: GET /v1/runs/{run_id} tells how it ends.",
        headers={"X-Should-Retry": "false", RUN_ID: run_id},
    )
