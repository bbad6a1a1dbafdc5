"""Every run that somebody follows in this facade: opened for the first, closed after the last."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from ..actors.journal.reader import Reader
from ..actors.messages.feed import Published
from . import frames
from .run_feed import Follower, RunFeed

CHECK_S = 0.5  # a lost last message is found at the second check after it


class Wire(Protocol):
    """What the feeds need of the link."""

    def subscribe(self, run_id: str) -> None: ...
    def unsubscribe(self, run_id: str) -> None: ...


class Feeds:
    """Every run that has followers in this facade."""

    def __init__(self, wire: Wire, journal: Reader, tail_bytes: int, clock: Callable[[], float]) -> None:
        self._wire = wire
        self._journal = journal
        self._tail_bytes = tail_bytes
        self._clock = clock
        self._feeds: dict[str, RunFeed] = {}
        self._dirty: set[RunFeed] = set()
        self.closing = False

    def join(self, run_id: str, key: int, follower: Follower) -> RunFeed:
        """Follow a run. The feed's `head` is what the journal holds; the caller reads on from where it is."""
        feed = self._feeds.get(run_id) or self._open(run_id, key)
        feed.followers.add(follower)
        return feed

    def leave(self, feed: RunFeed, follower: Follower) -> None:
        """Follow it no more. The last one out closes the feed."""
        feed.followers.discard(follower)
        if not feed.followers and self._feeds.get(feed.run_id) is feed:
            del self._feeds[feed.run_id]
            self._dirty.discard(feed)
            feed.stop()
            if feed.subscribed:
                self._wire.unsubscribe(feed.run_id)

    def hear(self, run_id: str, note: Published, lines: bytes) -> None:
        """Take one message; followers see it at the next `flush`."""
        feed = self._feeds.get(run_id)
        if feed is not None:
            feed.hear(note, lines)
            self._dirty.add(feed)

    def flush(self) -> None:
        """Offer what was heard. The link calls it after each burst, so that a burst is one write."""
        now = self._clock()
        for feed in self._dirty:
            feed.flush(now)
        self._dirty.clear()

    @property
    def followers(self) -> int:
        """How many follow a run here."""
        return sum(len(feed.followers) for feed in self._feeds.values())

    async def keep_checking(self) -> None:
        """For ever: look for messages that never came."""
        while True:
            await asyncio.sleep(CHECK_S)
            for feed in tuple(self._feeds.values()):
                feed.check()

    def close(self) -> None:
        """End every follower; later ones end at once."""
        self.closing = True
        for feed in tuple(self._feeds.values()):
            feed.close()

    def _open(self, run_id: str, key: int) -> RunFeed:
        feed = self._feeds[run_id] = RunFeed(run_id, key, self._journal, self._tail_bytes)
        feed.closing = self.closing
        last = self._journal.last(key)
        if last is not None:
            feed.jump(last.seq, last.event in frames.TERMINAL)
        if not feed.ended:  # what comes before the subscription holds is told by the welcome
            self._wire.subscribe(run_id)
            feed.subscribed = True
        return feed
