"""Keeping the journal within its bounds, on the supervisor's loop: a slice of some ms, then others have their turn.

Decides nothing (`retention.py`). Looks at what there is now and then, and at once again while something has to go. Of
runs it looks at those that are live each time, and beside them walks all others, a few at a time: bounds that were
lowered, and what a supervisor that died had still to do, are met so.
"""

from collections import deque
from contextlib import closing
from typing import Protocol

from ..config.sections import RetentionSettings
from . import retention
from .actor import Callback, Timer
from .forgetting import Forgetting
from .journal import erasing
from .journal.patient import PatientWriter
from .register import Register
from .replays import KEPT_S

LOOK_EVERY_S = 1.0
SLICE_EVERY_S = 0.02
REMOVED_AT_ONCE = 16
LOOKED_AT_AT_ONCE = 64
WALKED_AT_ONCE = 16


class House(Protocol):
    """What retaining needs of the supervisor."""

    journal: PatientWriter

    def now(self) -> float:
        """Unix seconds."""

    def after(self, delay_s: float, callback: Callback) -> Timer:
        """A timer."""


class Retaining:
    """Removes ended runs, and the oldest events of long ones, while there are more than the bounds allow."""

    def __init__(
        self, house: House, bounds: RetentionSettings, register: Register, forgetting: Forgetting
    ) -> None:
        self._house = house
        self._bounds = bounds
        self._register = register
        self._forgetting = forgetting
        self._to_see: deque[int] = deque()  # keys of runs
        self._walked = 0
        house.after(LOOK_EVERY_S, self._look)

    def _look(self) -> None:
        busy = False
        if not self._house.journal.held_up:
            busy = self._remove() or busy
            busy = self._trim() or busy
            busy = self._drop_keys() or busy
        self._house.after(SLICE_EVERY_S if busy else LOOK_EVERY_S, self._look)

    def _remove(self) -> bool:
        """Remove some runs; whether there may be more to remove."""
        if self._forgetting.is_sweeping:  # what is being removed still counts as used
            return True
        journal = self._house.journal.holdings
        found = retention.to_remove(
            journal.ended(REMOVED_AT_ONCE),
            journal.runs(),
            journal.used_bytes(),
            journal.weight,
            self._bounds,
            self._house.now(),
        )
        for run in found:
            self._forgetting.forget(run.key, run.run_id, keep_idempotency=True)
        return bool(found)

    def _trim(self) -> bool:
        """Trim one run, if one of the next has too much; whether there are others to look at by now."""
        if not retention.trims(self._bounds):
            return False
        if not self._to_see:
            self._to_see.extend([*(run.key for run in self._register.all()), *self._walk()])
        for _ in range(min(LOOKED_AT_AT_ONCE, len(self._to_see))):
            key = self._to_see.popleft()
            if self._trim_one(key):
                self._to_see.append(key)
                break
        return bool(self._to_see)

    def _drop_keys(self) -> bool:
        """Idempotency-Keys that have expired, and whose runs may be gone long since."""
        expired = self._house.now() - KEPT_S
        found = self._house.journal.holdings.has_keys_before(expired)
        if found:
            self._house.journal.drop_keys(expired)
        return found

    def _walk(self) -> list[int]:
        found = self._house.journal.holdings.runs_after(self._walked, WALKED_AT_ONCE)
        self._walked = found[-1] if found else 0
        return found

    def _trim_one(self, key: int) -> bool:
        journal = self._house.journal
        extent = journal.holdings.extent(key)
        with closing(journal.holdings.oldest(key, erasing.BATCHES)) as oldest:
            through = retention.trim_through(oldest, extent, self._bounds, self._house.now(), erasing.BYTES)
        if through:
            journal.trim(key, through)
        return through > 0
