"""The events of one run, in order and each once, over as many connections as it takes.

The journal numbers them without a gap, so the last number seen is all that has to be remembered.
"""

import json
import time
from collections.abc import Callable, Iterator
from http.client import HTTPException, HTTPResponse
from typing import Any

from .api_errors import ApiError, ClientError, ServerUnreachable
from .api_transport import Transport, reason
from .sse_reader import Frame, SseReader

Event = dict[str, Any]

ENDS = frozenset({"run.completed", "run.failed", "run.cancelled"})
SILENCE_S = 35.0  # the server sends a keepalive after 10 s: three missed ones are a dead connection
CHUNK_BYTES = 65_536
NO_CONTENT = 204
TRY_AGAIN = frozenset({429, 502, 503, 504})  # what a server, or a proxy before it, says while it restarts


class EventStream:
    """Iterate it to follow a run; it ends after the terminal event. `last_seq` is where it stands.

    A lost connection is made again from there, after the server's own `retry` time; `on_loss` is told why.
    Raises ServerUnreachable when nothing came for `patience_s`, ApiError when the server refuses (unknown
    run), and ClientError for what is no event. Blocks between events.
    """

    def __init__(
        self,
        transport: Transport,
        path: str,
        after: int = 0,
        patience_s: float = 30.0,
        on_loss: Callable[[str], None] = lambda _: None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.last_seq = after
        self.ended = False
        self._transport = transport
        self._path = path
        self._patience_s = patience_s
        self._on_loss = on_loss
        self._sleep = sleep
        self._clock = clock
        self._retry_s = 1.0
        self._heard = 0.0  # when the server last said anything

    def __iter__(self) -> Iterator[Event]:
        self._heard = self._clock()
        while not self.ended:
            try:
                yield from self._connection()
                lost: Exception = ServerUnreachable(self._transport.url, "the stream broke off")
            except ServerUnreachable as error:
                lost = error
            except ApiError as error:
                if error.status not in TRY_AGAIN:
                    raise
                lost = error
            if not self.ended:
                self._wait(lost)

    def _wait(self, lost: Exception) -> None:
        if self._clock() - self._heard + self._retry_s > self._patience_s:
            raise lost
        self._on_loss(str(lost))
        self._sleep(self._retry_s)

    def _connection(self) -> Iterator[Event]:
        headers = {"Accept": "text/event-stream"}
        if self.last_seq:
            headers["Last-Event-ID"] = str(self.last_seq)
        with self._transport.open("GET", self._path, headers=headers, timeout_s=SILENCE_S) as response:
            if response.status == NO_CONTENT:  # the run is over and we have it all
                self.ended = True
                return
            for frame in self._frames(response):
                yield from self._event(frame)
                if self.ended:
                    return

    def _frames(self, response: HTTPResponse) -> Iterator[Frame]:
        reader = SseReader()
        while chunk := self._receive(response):
            yield from reader.feed(chunk)
            if reader.retry_ms is not None:
                self._retry_s = reader.retry_ms / 1000

    def _receive(self, response: HTTPResponse) -> bytes:
        try:
            chunk = response.read1(CHUNK_BYTES)
        except (OSError, HTTPException) as error:
            raise ServerUnreachable(self._transport.url, reason(error)) from error
        self._heard = self._clock()
        return chunk

    def _event(self, frame: Frame) -> Iterator[Event]:
        event, seq = _read(frame)
        if seq <= self.last_seq:  # seen on the connection before
            return
        self.last_seq = seq
        self.ended = event.get("event") in ENDS
        yield event


def _read(frame: Frame) -> tuple[Event, int]:
    try:
        event = json.loads(frame.data)
        return dict(event), int(frame.id or event["seq"])
    except (ValueError, TypeError, KeyError) as error:
        raise ClientError(f"the server sent what is no event: {frame.data[:80]!r}") from error
