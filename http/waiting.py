"""Waiting for the end of a run, for answers that are given only then."""

import asyncio

from .errors import Problem
from .feeds import Feeds
from .frames import Slice
from .run_feed import RunFeed


class Ending:
    """A `run_feed.Follower` that looks at nothing but the end."""

    def __init__(self, feeds: Feeds, run_id: str, key: int) -> None:
        self._feeds = feeds
        self._run_id = run_id
        self._key = key
        self._changed = asyncio.Event()

    def offer(self, events: Slice) -> None:
        """New events: only the last one matters."""
        if events.ended:
            self._changed.set()

    def rouse(self) -> None:
        """The feed changed."""
        self._changed.set()

    def end(self) -> None:
        """This facade goes."""
        self._changed.set()

    async def wait(self) -> None:
        """Return when the run's terminal event is in the journal; `Problem` if this facade goes first."""
        feed = self._feeds.join(self._run_id, self._key, self)
        try:
            await self._ended(feed)
        finally:
            self._feeds.leave(feed, self)

    async def _ended(self, feed: RunFeed) -> None:
        while not feed.ended:
            if feed.closing:
                raise Problem(
                    "shutting_down",
                    "This server process is restarting; the stop stands. Ask for the run again.",
                )
            await self._changed.wait()
            self._changed.clear()
