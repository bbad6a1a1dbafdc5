"""Live runs as this facade hears them: one `RunFeed` for each run that has readers here, shared by all.

The feed may drop; the journal can't. So a feed only ever says how far the run has come (`head`) and keeps the
newest events in a bounded tail; whoever is further back reads the journal. Nothing in it waits for a reader.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from ..actors.journal.reader import Reader
from ..actors.messages import Published
from . import frames
from .frames import Slice
from .paging import page

FEW_READERS = 10
PACE_S = 0.015  # with many readers, at most one write to each in this time
FLUSH_BYTES = 65_536  # … unless this much has gathered
PAGE_BYTES = 131_072  # what a reader that is behind is given at once: about 1 ms of work
CHECK_S = 0.5


class Follower(Protocol):
    """Someone who follows a run."""

    def offer(self, events: Slice) -> None:
        """Here are the newest events. Must not block, and may be refused: `RunFeed.page` has them later."""

    def rouse(self) -> None:
        """`head` or `ended` changed."""

    def end(self) -> None:
        """This facade goes (`closing`): leave soon."""


class Wire(Protocol):
    """What the feeds need of the link."""

    def subscribe(self, run_id: str) -> None: ...
    def unsubscribe(self, run_id: str) -> None: ...


class RunFeed:
    """One run: how far it has come, its newest events, its readers."""

    def __init__(self, run_id: str, key: int, journal: Reader, tail_bytes: int) -> None:
        self.run_id = run_id
        self.key = key
        self.head = 0  # every event up to here can be had by `page`
        self.ended = False  # … and the last of them is the terminal one
        self.closing = False  # this facade is about to go
        self.subscribed = False
        self.readers: set[Follower] = set()
        self.heard = True  # something since the last check
        self._journal = journal
        self._tail: deque[Slice] = deque()
        self._tail_bytes = 0
        self._max_tail_bytes = tail_bytes
        self._pending: list[Slice] = []
        self._pending_bytes = 0
        self._pushed_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    # ── what the supervisor says ────────────────────────────────────────────────────────────────────────────

    def hear(self, note: Published, lines: bytes) -> None:
        """Take a message. Dropped ones show as a jump, repeated ones as a step back; both are fine."""
        self.heard = True
        known = self._known()
        last = note.first + note.count - 1
        if last < known or (last == known and not note.ended):
            return
        if note.count == 0 or note.first > known + 1:
            self.jump(last, note.ended)
        elif last > known:
            news = Slice(self.run_id, note.first, last, lines, note.ended)
            self._pending.append(news.after(known))
            self._pending_bytes += len(lines)

    def jump(self, head: int, ended: bool) -> None:
        """The run has come to `head`, by a way that was not heard: every reader turns to the journal."""
        self._pending.clear()
        self._pending_bytes = 0
        self._tail.clear()
        self._tail_bytes = 0
        self.head, self.ended = max(head, self.head), ended or self.ended
        self._rouse_all()

    def flush(self, now: float) -> None:
        """Offer what is pending to every reader, at once or when the pace allows it."""
        wait_s = self._pushed_at + PACE_S - now
        if len(self.readers) <= FEW_READERS or wait_s <= 0 or self._pending_bytes >= FLUSH_BYTES:
            self._push(now)
        elif self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(wait_s, lambda: self._push(loop.time()))

    def check(self) -> None:
        """If nothing was heard since the last check, ask the journal: a last message may be lost."""
        if self.heard or self.ended:
            self.heard = False
            return
        last = self._journal.last(self.key)
        if last is not None and last.seq > self._known():
            self.jump(last.seq, last.event in frames.TERMINAL)

    # ── what readers want ───────────────────────────────────────────────────────────────────────────────────

    def page(self, after: int) -> Slice | None:
        """About `PAGE_BYTES` of events after `after`, from the tail or the journal; None if there is none."""
        if self._tail and self._tail[0].first <= after + 1 <= self._tail[-1].last:
            return self._from_tail(after)
        return page(self._journal, self.run_id, self.key, after, PAGE_BYTES)

    def close(self) -> None:
        """This facade goes: every reader is told to end, and its client to come again."""
        self.closing = True
        for reader in tuple(self.readers):
            reader.end()

    def stop(self) -> None:
        """No reader is left: forget the timer."""
        if self._timer is not None:
            self._timer.cancel()

    def _known(self) -> int:
        return self._pending[-1].last if self._pending else self.head

    def _push(self, now: float) -> None:
        self.stop()
        self._timer = None
        self._pushed_at = now
        if not self._pending:
            return
        news = _merged(self._pending)
        self._pending = []
        self._pending_bytes = 0
        self._keep(news)
        self.head, self.ended = news.last, news.ended
        for reader in tuple(self.readers):
            reader.offer(news)

    def _keep(self, news: Slice) -> None:
        self._tail.append(news)
        self._tail_bytes += len(news.lines)
        while self._tail_bytes > self._max_tail_bytes:
            self._tail_bytes -= len(self._tail.popleft().lines)

    def _from_tail(self, after: int) -> Slice:
        wanted: list[Slice] = []
        size = 0
        for part in self._tail:
            if part.last > after and size < PAGE_BYTES:
                wanted.append(part.after(after))
                size += len(part.lines)
        return _merged(wanted)

    def _rouse_all(self) -> None:
        for reader in tuple(self.readers):
            reader.rouse()


class Feeds:
    """Every run that has readers in this facade."""

    def __init__(self, wire: Wire, journal: Reader, tail_bytes: int, clock: Callable[[], float]) -> None:
        self._wire = wire
        self._journal = journal
        self._tail_bytes = tail_bytes
        self._clock = clock
        self._feeds: dict[str, RunFeed] = {}
        self._dirty: set[RunFeed] = set()
        self._closing = False

    def join(self, run_id: str, key: int, reader: Follower) -> RunFeed:
        """Follow a run. The feed's `head` is what the journal holds; the caller reads on from where it is."""
        feed = self._feeds.get(run_id) or self._open(run_id, key)
        feed.readers.add(reader)
        return feed

    def leave(self, feed: RunFeed, reader: Follower) -> None:
        """Follow it no more. The last one out closes the feed."""
        feed.readers.discard(reader)
        if not feed.readers and self._feeds.get(feed.run_id) is feed:
            del self._feeds[feed.run_id]
            self._dirty.discard(feed)
            feed.stop()
            if feed.subscribed:
                self._wire.unsubscribe(feed.run_id)

    def hear(self, run_id: str, note: Published, lines: bytes) -> None:
        """Take one message; readers see it at the next `flush`."""
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

    async def keep_checking(self) -> None:
        """For ever: look for messages that never came."""
        while True:
            await asyncio.sleep(CHECK_S)
            for feed in tuple(self._feeds.values()):
                feed.check()

    def close(self) -> None:
        """End every reader; later ones end at once."""
        self._closing = True
        for feed in tuple(self._feeds.values()):
            feed.close()

    def _open(self, run_id: str, key: int) -> RunFeed:
        feed = self._feeds[run_id] = RunFeed(run_id, key, self._journal, self._tail_bytes)
        feed.closing = self._closing
        last = self._journal.last(key)
        if last is not None:
            feed.jump(last.seq, last.event in frames.TERMINAL)
        if not feed.ended:  # what comes before the subscription holds is told by the welcome
            self._wire.subscribe(run_id)
            feed.subscribed = True
        return feed


def _merged(parts: list[Slice]) -> Slice:
    if len(parts) == 1:
        return parts[0]
    first, last = parts[0], parts[-1]
    return Slice(first.run_id, first.first, last.last, b"".join([part.lines for part in parts]), last.ended)
