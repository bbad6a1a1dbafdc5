"""Room on the journal's disk: looked at before a run is taken, so that a disk fills up before a promise is broken."""

import os
from collections.abc import Callable

LOOK_EVERY_S = 1.0


class Room:
    """Whether the folder's disk has `reserve_bytes` free. Asks the kernel at most once a second."""

    def __init__(self, folder: str, reserve_bytes: int, clock: Callable[[], float]) -> None:
        self._folder = folder
        self._reserve_bytes = reserve_bytes
        self._clock = clock
        self._looked_at = -LOOK_EVERY_S
        self._is_short = False

    def is_short(self) -> bool:
        """Less is free than the reserve. Blocks for one statvfs(3), now and then."""
        now = self._clock()
        if now - self._looked_at >= LOOK_EVERY_S:
            self._looked_at = now
            found = os.statvfs(self._folder)
            self._is_short = found.f_bavail * found.f_frsize < self._reserve_bytes
        return self._is_short
