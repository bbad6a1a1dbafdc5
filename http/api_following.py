"""Where a follower of one run stands, and what a lost connection means to it. No I/O: both clients follow by it.

The journal numbers events without a gap, so the last number seen is all that has to be remembered.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from .api_errors import ApiError, ClientError, ServerUnreachable, WaitTimeout
from .api_types import Event
from .sse_reader import Frame, SseReader

PATIENCE_S = 30.0  # with a server that says nothing
SILENCE_S = 35.0  # the server sends a keepalive after 10 s: three missed ones are a dead connection
TRY_AGAIN = frozenset({429, 502, 503, 504})  # what a server, or a proxy before it, says while it restarts
FIRST_WAIT = 0.1  # of the server's own `retry` time; doubled for each connection that brought nothing
LONGEST_WAIT = 5.0  # of the same

_object = msgspec.json.Decoder(dict[str, Any])


def ignore(_: str) -> None:
    """Tell nobody."""


class Following:
    """One run's events from after `after` on, over as many connections as it takes.

    A server that says nothing at all for `patience_s` is given up. `timeout_s`: how long all of it may take.
    """

    def __init__(
        self,
        url: str,
        after: int = 0,
        patience_s: float = PATIENCE_S,
        timeout_s: float | None = None,
        on_loss: Callable[[str], None] = ignore,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.last_seq = after
        self.ended = False
        self._url = url
        self._patience_s = patience_s
        self._on_loss = on_loss
        self._clock = clock
        self._heard = clock()  # when the server last said anything
        self._deadline = None if timeout_s is None else self._heard + timeout_s
        self._retry_s = 1.0
        self._in_vain = 0  # connections since the last event
        self._reader = SseReader()

    def connect(self) -> dict[str, str]:
        """A new connection begins: the headers of its request."""
        self._reader = SseReader()
        headers = {"Accept": "text/event-stream"}
        return headers | ({"Last-Event-ID": str(self.last_seq)} if self.last_seq else {})

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """The events that a chunk completes. Raises ClientError for what is no event."""
        self._heard = self._clock()
        for frame in self._reader.feed(chunk):
            event = _event(frame)
            if event.seq > self.last_seq:  # else seen on the connection before
                self.last_seq = event.seq
                self.ended = event.ends_run
                self._in_vain = 0
                yield event
        if self._reader.retry_ms is not None:
            self._retry_s = self._reader.retry_ms / 1000

    def lost(self, error: ServerUnreachable | ApiError | None = None) -> float:
        """How long to wait before the next connection, in s. Raises the error where there should be none.

        None: the stream broke off.
        """
        if isinstance(error, ApiError) and error.status not in TRY_AGAIN:
            raise error
        left_s = self.left_s()
        error = error or ServerUnreachable(self._url, "the stream broke off")
        wait_s = min(FIRST_WAIT * 2.0**self._in_vain, LONGEST_WAIT) * self._retry_s
        if isinstance(error, ApiError):
            wait_s = max(wait_s, error.retry_after_s or 0.0)
        self._in_vain += 1
        if self._clock() - self._heard + wait_s > self._patience_s:
            raise error
        self._on_loss(str(error))
        return min(wait_s, left_s)

    def left_s(self) -> float:
        """How long the next read, or the next rest, may be. Raises WaitTimeout when the time is over."""
        if self._deadline is None:
            return SILENCE_S
        left_s = self._deadline - self._clock()
        if left_s <= 0:
            raise WaitTimeout("the run has not ended in this time; it goes on")
        return min(left_s, SILENCE_S)


def _event(frame: Frame) -> Event:
    try:
        fields = _object.decode(frame.data)
        seq = int(frame.id or fields["seq"])
        name, run_id = str(fields.pop("event")), str(fields.pop("run_id", ""))
        timestamp = fields.pop("timestamp", None)
        fields.pop("seq", None)
        return Event(name, run_id, seq, None if timestamp is None else float(timestamp), fields)
    except (ValueError, TypeError, KeyError) as error:
        raise ClientError(f"the server sent what is no event: {frame.data[:80]!r}") from error
