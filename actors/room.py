"""Room on the journal's disk: looked at before more is taken, so that a disk fills up before a promise is broken.

Below the reserve no run is taken, and what live runs say waits, each at the end of its credit; what the runtime
itself has to write (stops, ends) goes on, for that is what the reserve is for.
"""

import os
from collections.abc import Callable
from typing import Protocol

from .actor import Callback, Timer

LOOK_EVERY_S = 1.0


class Clocked(Protocol):
    """What a room needs of the supervisor."""

    def clock(self) -> float:
        """Monotonic seconds."""

    def after(self, delay_s: float, callback: Callback) -> Timer:
        """A timer."""


class Room:
    """Whether the folder's disk has `reserve_bytes` free. While it has, the kernel is asked at most once a second."""

    def __init__(self, folder: str, reserve_bytes: int, house: Clocked) -> None:
        self._folder = folder
        self._reserve_bytes = reserve_bytes
        self._house = house
        self._looked_at = -LOOK_EVERY_S
        self._is_short = False
        self._waiting: list[Callable[[], object]] = []

    def is_short(self) -> bool:
        """Less is free than the reserve. Blocks for one statvfs(3), now and then."""
        now = self._house.clock()
        if self._is_short or now - self._looked_at >= LOOK_EVERY_S:
            self._looked_at = now
            found = os.statvfs(self._folder)
            self._is_short = found.f_bavail * found.f_frsize < self._reserve_bytes
        return self._is_short

    def wait(self, go_on: Callable[[], object]) -> None:
        """Call it, once, when there is room again."""
        self._waiting.append(go_on)
        if len(self._waiting) == 1:
            self._house.after(LOOK_EVERY_S, self._look)

    def _look(self) -> None:
        if self.is_short():
            self._house.after(LOOK_EVERY_S, self._look)
            return
        waiting, self._waiting = self._waiting, []
        for go_on in waiting:
            go_on()
