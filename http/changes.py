"""That records of runs have changed: told by the feed, found in the journal if the feed drops it.

The journal numbers changes and keeps each run's last one, so a follower is a cursor: whatever it missed, it reads
every run that changed since, as that is now.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from ..actors.journal.reader import Reader
from ..actors.messages.feed import RUNS_TOPIC
from .feeds import Wire

CHECK_S = 0.5


class Follower(Protocol):
    """Someone who follows the list of runs."""

    def rouse(self) -> None:
        """There is something new."""

    def end(self) -> None:
        """This facade goes (`closing`): leave soon."""


class Changes:
    """Every follower of the list in this facade."""

    def __init__(self, wire: Wire, journal: Reader) -> None:
        self.closing = False
        self._wire = wire
        self._journal = journal
        self._head = 0
        self._followers: set[Follower] = set()

    @contextmanager
    def followed_by(self, follower: Follower) -> Iterator[None]:
        """Rouse it from now on, to the end of the block."""
        if not self._followers:
            self._wire.subscribe(RUNS_TOPIC)
        self._followers.add(follower)
        try:
            yield
        finally:
            self._followers.discard(follower)
            if not self._followers:
                self._wire.unsubscribe(RUNS_TOPIC)

    def hear(self, last: int) -> None:
        """The supervisor says, or the journal shows, that this is the newest change."""
        if last > self._head:
            self._head = last
            for follower in tuple(self._followers):
                follower.rouse()

    async def keep_checking(self) -> None:
        """For ever: look for news that never came, and for followers that came with the news."""
        while True:
            await asyncio.sleep(CHECK_S)
            if self._followers:
                self.hear(self._journal.last_change())

    def close(self) -> None:
        """This facade goes: every follower is told to end."""
        self.closing = True
        for follower in tuple(self._followers):
            follower.end()
