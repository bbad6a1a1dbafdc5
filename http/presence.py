"""Who has a request under way in this facade, so that he leaves with his key: a stream may be open for days."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from .auth import ANYONE, LINK, Keys, Who

CHECK_S = 1.0


class Presence:
    """Every request of somebody known. Belongs to one event loop."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._here: set[tuple[Who, asyncio.BaseTransport | None]] = set()

    @contextmanager
    def here(self, who: Who, transport: asyncio.BaseTransport | None) -> Iterator[None]:
        """His request is under way, to the end of the block. `transport`: of its connection, None if that is gone."""
        present = who, transport
        self._here.add(present)
        try:
            yield
        finally:
            self._here.discard(present)

    async def keep_checking(self) -> None:
        """For ever: cut off whoever has no key any more."""
        while True:
            await asyncio.sleep(CHECK_S)
            self.check()

    def check(self) -> None:
        """Once."""
        asked = {who for who, _ in self._here if who.name not in (ANYONE.name, LINK.name)}
        gone = {who for who in asked if not self._keys.has(who)}
        for who, transport in tuple(self._here):
            if who in gone and isinstance(transport, asyncio.WriteTransport):
                transport.abort()
