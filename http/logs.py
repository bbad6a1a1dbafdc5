"""`GET /v1/runs/{run_id}/logs`: what the run wrote to stdout and stderr, as text.

Both streams are one text that begins with stdout; a line `==> stderr <==`, as tail(1) writes it, stands wherever it
changes to the other. When each was written is not known between the two, so without `follow` all of stdout comes
first. Text only: bytes that are not UTF-8 show as \\xNN; control characters are the run's own and pass.
"""

import asyncio
import codecs
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Annotated, Literal, NamedTuple

from aiohttp import web
from msgspec import Meta

from ..actors import logs as files
from .context import Call
from .parameters import Parameter, number
from .waiting import Ending

HEADERS = {"Content-Type": "text/plain; charset=utf-8", "X-Accel-Buffering": "no"}
SOON_S = 0.05  # how long a follower waits for more where there was some just now,
LATER_S = 0.5  # and where there was none for a while

STREAM = Parameter[str]("stream", Literal["stdout", "stderr", "both"], "stdout, stderr or both")
TAIL = Parameter[int](
    "tail", Annotated[int, Meta(ge=0, lt=10**9)], "a number of lines, from 0 up", read=number
)
FOLLOW = Parameter[str]("follow", Literal["0", "1"], "1, or 0 for what there is now")
PARAMETERS = (STREAM, TAIL, FOLLOW)


class Wanted(NamedTuple):
    """What the query asks for; `tail` None is all."""

    streams: tuple[str, ...]
    tail: int | None
    follow: bool


async def logs(call: Call) -> web.StreamResponse:
    """What there is now; with `follow=1`, then what comes, until the run is over."""
    key, record = call.run()
    wanted = _wanted(call.request)
    response = web.StreamResponse(headers=HEADERS)
    with ExitStack() as held:
        sources = [
            held.enter_context(closing(Source(call.facade.state_dir, record.run_id, stream)))
            for stream in wanted.streams
        ]
        await asyncio.to_thread(_begin, sources, wanted.tail)
        await response.prepare(call.request)
        if call.request.method == "HEAD":
            return response
        try:
            text = Text(response)
            await text.put_all(sources)
            if wanted.follow:
                await _follow(call, text, sources, Ending(call.facade.feeds, record.run_id, key))
            await text.end(sources)
        except ConnectionError:
            pass  # the client is gone
    return response


async def _follow(call: Call, text: "Text", sources: list["Source"], ending: Ending) -> None:
    """Until the run is over, the client is gone, or this facade goes."""
    over = asyncio.ensure_future(ending.wait())
    pause_s = SOON_S
    try:
        while call.request.transport is not None and not call.request.transport.is_closing():
            last = over.done()  # asked before reading: what came before the end is then read
            for source in sources:
                source.look()
            came = await text.put_all(sources)
            if last:
                return
            pause_s = SOON_S if came else min(2 * pause_s, LATER_S)
            await asyncio.wait((over,), timeout=pause_s)
    finally:
        over.cancel()
        await asyncio.gather(over, return_exceptions=True)


class Source:
    """One stream's log, from where its reader is up to where it was when it was last looked at."""

    def __init__(self, state_dir: str, run_id: str, stream: str) -> None:
        self.stream = stream
        self._place = state_dir, run_id, stream
        self._fd: int | None = None
        self._position = self._end = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")

    def look(self) -> None:
        """See how much there is by now."""
        if self._fd is None:
            self._fd = files.open_one(*self._place)
        if self._fd is not None:
            self._end = files.layout(self._fd).done

    def skip_to_tail(self, lines: int) -> None:
        """Begin with the last so many lines. May take some ms."""
        if self._fd is not None:
            self._position = files.tail_start(self._fd, lines)

    def pieces(self) -> Iterator[str]:
        """The text up to there; says where some of it was dropped."""
        while self._fd is not None and self._position < self._end:
            piece = files.read(self._fd, self._position, min(files.BLOCK_BYTES, self._end - self._position))
            dropped, self._position = piece.start - self._position, piece.start + len(piece.text)
            if dropped:
                yield f"{self.last()}\n[runward: {dropped} bytes of {self.stream} were dropped here]\n"
            elif not piece.text:
                return
            yield self._decoder.decode(piece.text)

    def last(self) -> str:
        """What stands for a character that broke off."""
        return self._decoder.decode(b"", final=True)

    def close(self) -> None:
        """Read no more."""
        if self._fd is not None:
            files.close(self._fd)


class Text:
    """The text as it goes to the client, which sets the pace."""

    def __init__(self, response: web.StreamResponse) -> None:
        self._response = response
        self._stream = files.STREAMS[0]
        self._at_line_start = True

    async def put_all(self, sources: list[Source]) -> bool:
        """Write what they have; whether that was anything."""
        came = False
        for source in sources:
            for piece in source.pieces():
                came = True
                await self._put(source.stream, piece, headed=len(sources) > 1)
        return came

    async def end(self, sources: list[Source]) -> None:
        """Nothing more comes."""
        for source in sources:
            if last := source.last():
                await self._put(source.stream, last, headed=len(sources) > 1)

    async def _put(self, stream: str, piece: str, headed: bool) -> None:
        if headed and stream != self._stream:
            self._stream = stream
            piece = f"{'' if self._at_line_start else chr(10)}==> {stream} <==\n{piece}"
        if piece:
            self._at_line_start = piece.endswith("\n")
            await self._response.write(piece.encode())


def _begin(sources: list[Source], tail: int | None) -> None:
    for source in sources:
        source.look()
        if tail is not None:
            source.skip_to_tail(tail)


def _wanted(request: web.Request) -> Wanted:
    stream = STREAM.of(request) or "both"
    streams = files.STREAMS if stream == "both" else (stream,)
    return Wanted(streams, TAIL.of(request), FOLLOW.of(request) == "1")
