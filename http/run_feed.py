"""One run as this facade hears it, shared by everyone who follows it here.

The feed may drop; the journal can't. So a `RunFeed` only ever says how far the run has come (`head`) and keeps the
newest events in a bounded tail; whoever is further back reads the journal. Nothing in it waits for a follower.
"""

import asyncio
from typing import Protocol

from ..actors.journal.reader import Reader
from ..actors.messages.feed import Published
from . import frames
from .frames import Slice
from .paging import Gap, page
from .tail import Tail, merged

FEW_FOLLOWERS = 10
PACE_S = 0.015  # with many followers, at most one write to each in this time
FLUSH_BYTES = 65_536  # … unless this much has gathered
READ_BYTES = 262_144  # of what was read at once, this much is kept for others
PIECE_BYTES = 32_768  # what a follower is given at once, however much came at once: some 0.2 ms of work


class Follower(Protocol):
    """Someone who follows a run."""

    def offer(self, events: Slice) -> None:
        """Here are the newest events. Must not block, and may be refused: `RunFeed.page` has them later."""

    def rouse(self) -> None:
        """`head` or `ended` changed."""

    def end(self) -> None:
        """This facade goes (`closing`): leave soon."""


class RunFeed:
    """One run: how far it has come, its newest events, its followers."""

    def __init__(self, run_id: str, key: int, journal: Reader, tail_bytes: int) -> None:
        self.run_id = run_id
        self.key = key
        self.head = 0  # every event up to here can be had by `page`
        self.ended = False  # … and the last of them is the terminal one
        self.closing = False  # this facade is about to go
        self.subscribed = False
        self.followers: set[Follower] = set()
        self.heard = True  # something since the last check
        self._journal = journal
        self._tail = Tail(tail_bytes)
        self._read = Tail(
            READ_BYTES
        )  # what was read last of the journal, for all who are about as far behind
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
        if not lines or note.first > known + 1:
            self.jump(last, note.ended)
        elif last > known:
            news = Slice(self.run_id, note.first, last, lines, note.ended)
            self._pending.append(news.after(known))
            self._pending_bytes += len(lines)

    def jump(self, head: int, ended: bool) -> None:
        """The run has come to `head`, by a way that was not heard: every follower turns to the journal."""
        self._pending.clear()
        self._pending_bytes = 0
        self._tail.clear()
        self.head, self.ended = max(head, self.head), ended or self.ended
        self._rouse_all()

    def flush(self, now: float) -> None:
        """Offer what is pending to every follower, at once or when the pace allows it."""
        wait_s = self._pushed_at + PACE_S - now
        if len(self.followers) <= FEW_FOLLOWERS or wait_s <= 0 or self._pending_bytes >= FLUSH_BYTES:
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

    # ── what followers want ───────────────────────────────────────────────────────────────────────────────────

    def page(self, after: int) -> Slice | None:
        """About `PIECE_BYTES` of events after `after`, from memory or the journal; None if there is none.

        Who is at the same event gets the same object, so that its frames are made once. What is gone though it was
        told of, since the run was deleted meanwhile, is a gap.
        """
        kept = self._tail.after(after, PIECE_BYTES // 2) or self._read.after(after, PIECE_BYTES // 2)
        if kept is not None:
            return kept
        found = page(self._journal, self.run_id, self.key, after, 2 * PIECE_BYTES)
        if found is not None:
            return self._keep(found)
        return (
            Gap(self.run_id, after + 1, self.head, self.ended) if self.ended and after < self.head else None
        )

    def _keep(self, found: Slice) -> Slice:
        """The first piece of what was read, which may be all of a turn of the supervisor."""
        self._read.clear()
        pieces = found.pieces(PIECE_BYTES)
        first = next(pieces)
        if first.lines:  # a gap has none, and is nobody else's
            self._read.fill(first, pieces)
        return first

    def close(self) -> None:
        """This facade goes: every follower is told to end, and its client to come again.

        But if the run has ended, which may be why this facade goes, they hear of that first.
        """
        self.closing = True
        last = self._journal.last(self.key)
        if last is not None and last.event in frames.TERMINAL and not self.ended:
            self.jump(last.seq, True)
        for follower in tuple(self.followers):
            follower.end()

    def stop(self) -> None:
        """No follower is left: forget the timer."""
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
        news = merged(self._pending)
        self._pending = []
        self._pending_bytes = 0
        for piece in news.pieces(PIECE_BYTES):
            self._tail.keep(piece)
            self.head, self.ended = piece.last, piece.ended
            for follower in tuple(self.followers):
                follower.offer(piece)

    def _rouse_all(self) -> None:
        for follower in tuple(self.followers):
            follower.rouse()
