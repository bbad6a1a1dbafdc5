"""Whether there is memory for another run: begun without, it would cost the live ones theirs."""

from collections.abc import Callable

from .actor import Callback, Timer

RUN_BYTES = 4 << 20  # about what a run takes that has just begun; it may take more later
LOOK_EVERY_S = 0.05  # while runs are let in
TRY_AGAIN_S = 0.5  # while none is


class MemoryGate:
    """Open while the machine has `floor_bytes` available; 0: always. Calls `opened` where it was shut.

    What runs that were just let in will take is not seen yet, so a look is good for as many as its surplus holds.
    """

    def __init__(
        self,
        floor_bytes: int,
        clock: Callable[[], float],
        after: Callable[[float, Callback], Timer],
        opened: Callback,
        available: Callable[[], int | None],
    ) -> None:
        """`clock`: monotonic seconds. `available`: bytes; None where the kernel does not tell."""
        self._floor_bytes = floor_bytes
        self._clock = clock
        self._after = after
        self._opened = opened
        self._available = available
        self._looked_at: float | None = None
        self._room: int | None = 0
        self._found: int | None = None
        self._trying = False

    def room(self) -> int | None:
        """For how many runs; None: for any number. Blocks for a look, now and then."""
        if not self._floor_bytes:
            return None
        now = self._clock()
        if self._looked_at is None or now - self._looked_at >= LOOK_EVERY_S:
            self._looked_at, self._found = now, self._available()
            self._room = self._counted()
        if self._room == 0:
            self._try_again()
        return self._room

    def took(self, runs: int) -> None:
        """So many were let in."""
        if self._room is not None:
            self._room = max(0, self._room - runs)

    def why_shut(self) -> str | None:
        """For people: why no run is begun; None if one may be."""
        self.room()
        if self._found is None or self._found >= self._floor_bytes:
            return None
        return (
            f"{self._found >> 20} MiB of memory are available, and runs.min_available_bytes asks for "
            f"{self._floor_bytes >> 20} MiB: runs wait for memory"
        )

    def _counted(self) -> int | None:
        if self._found is None:  # nothing is known: no reason to hold anybody up
            return None
        surplus = self._found - self._floor_bytes
        return 0 if surplus < 0 else 1 + surplus // RUN_BYTES

    def _try_again(self) -> None:
        if not self._trying:
            self._trying = True
            is_short = self._found is not None and self._found < self._floor_bytes
            self._after(TRY_AGAIN_S if is_short else LOOK_EVERY_S, self._open)

    def _open(self) -> None:
        self._trying, self._looked_at = False, None
        self._opened()
