"""The events of one run, in order and each once, over as many connections as it takes; blocking."""

import time
from collections.abc import Callable, Generator, Iterator
from typing import Self

from . import api_calls
from .api_errors import ApiError, ServerUnreachable
from .api_following import PATIENCE_S, Following, ignore
from .api_transport import Transport
from .api_types import Event


class EventStream:
    """Iterate it to follow a run; it ends after the terminal event. `last_seq` is where it stands.

    A lost connection is made again from there, in a tenth of the server's own `retry` time and then ever more
    slowly; `on_loss` is told why. Raises ServerUnreachable when nothing came for `patience_s`, ApiError when the
    server refuses (unknown run), WaitTimeout when `timeout_s` is over. Blocks between events. Leaving the loop,
    by ctrl-C too, closes the connection, at the latest with the last reference to this; `close` does it now.
    """

    def __init__(
        self,
        transport: Transport,
        path: str,
        after: int = 0,
        patience_s: float = PATIENCE_S,
        timeout_s: float | None = None,
        on_loss: Callable[[str], None] = ignore,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._following = Following(transport.url, after, patience_s, timeout_s, on_loss, clock)
        # It does not know this object: a ring of references would keep the connection open.
        self._events = _follow(transport, path, self._following, sleep)

    @property
    def last_seq(self) -> int:
        """The number of the last event that was given; at first, the one to begin after."""
        return self._following.last_seq

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        return next(self._events)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection; no event comes after."""
        self._events.close()


def _follow(
    transport: Transport, path: str, following: Following, sleep: Callable[[float], None]
) -> Generator[Event, None, None]:
    while not following.ended:
        lost: ServerUnreachable | ApiError | None = None
        try:
            yield from _connection(transport, path, following)
        except (ServerUnreachable, ApiError) as error:
            lost = error
        if not following.ended:
            sleep(following.lost(lost))


def _connection(transport: Transport, path: str, following: Following) -> Iterator[Event]:
    headers, timeout_s = following.connect(), following.left_s()
    with transport.open("GET", path, headers=headers, timeout_s=timeout_s) as reply:
        if reply.status == api_calls.NO_CONTENT:  # the run is over and we have it all
            following.ended = True
            return
        if reply.status not in api_calls.OPENED:
            raise api_calls.refusal(transport.url, reply.status, reply.retry_after, reply.read())
        while not following.ended and (chunk := reply.read_some(following.left_s())):
            yield from following.feed(chunk)
