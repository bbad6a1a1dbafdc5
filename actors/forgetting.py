"""Forgetting ended runs: what the journal and the state folder keep of them goes, and no other run waits for it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol

from . import logs
from .actor import Callback, Timer
from .journal.patient import PatientWriter

SWEEP_EVERY_S = 0.02


class House(Protocol):
    """What forgetting needs of the supervisor."""

    journal: PatientWriter

    def after(self, delay_s: float, callback: Callback) -> Timer:
        """A timer."""

    def then(self, action: Callable[[], object]) -> None:
        """Do it once all that was written is committed."""


class Forgetting:
    """Removes runs, and goes on with those of which an earlier supervisor left events behind."""

    def __init__(self, house: House, state_dir: Path, folder: Callable[[str], object]) -> None:
        """`folder` throws away the work folder that a run kept."""
        self._house = house
        self._state_dir = str(state_dir)
        self._folder = folder
        self._sweeping = False
        self._sweep_on()

    def forget(self, key: int, run_id: str) -> None:
        """Remove an ended run; files go once the journal has forgotten it, and many events a bit later."""
        self._house.journal.delete_run(key)
        self._house.then(partial(logs.remove, self._state_dir, run_id))
        self._house.then(partial(self._folder, run_id))
        self._sweep_on()

    def _sweep_on(self) -> None:
        if not self._sweeping:
            self._sweeping = True
            self._house.after(SWEEP_EVERY_S, self._sweep)

    def _sweep(self) -> None:
        self._sweeping = False
        if self._house.journal.sweep():
            self._sweep_on()
