"""Forgetting ended runs: what the journal and the state folder keep of them goes, and no other run waits for it."""

from collections.abc import Callable
from functools import partial
from typing import Protocol

from . import logs
from .actor import Callback, Timer
from .journal.erasing import Erased
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

    def __init__(self, house: House, state_dir: str, folder: Callable[[str], object]) -> None:
        """`folder` throws away the work folder that a run kept."""
        self._house = house
        self._state_dir = state_dir
        self._folder = folder
        self._bare: list[int] = []  # runs of which nothing is left
        self.is_sweeping = False  # something is left of runs that were forgotten
        self._sweep_on()

    def forget(self, key: int, run_id: str, *, keep_idempotency: bool = False) -> None:
        """Remove an ended run; files go once the journal has forgotten it, and many events a bit later.

        `keep_idempotency`: its Idempotency-Key goes on standing for it.
        """
        self._house.journal.delete_run(key, keep_idempotency=keep_idempotency)
        self._house.then(partial(self._remove_files, run_id))
        self._sweep_on()

    def _sweep_on(self) -> None:
        if not self.is_sweeping:
            self.is_sweeping = True
            self._house.after(SWEEP_EVERY_S, self._sweep)

    def _sweep(self) -> None:
        journal = self._house.journal
        if not journal.held_up:
            for key in self._bare:
                journal.forgotten(key)
            self._bare.clear()
        swept = journal.sweep()
        self.is_sweeping = False
        for erased in swept or ():
            self._house.then(partial(self._finish, erased))
        if swept is not None:
            self._sweep_on()

    def _finish(self, erased: Erased) -> None:
        """Its files again, for a supervisor that died may have left them."""
        if erased.run_id:
            self._remove_files(erased.run_id)
        self._bare.append(erased.key)

    def _remove_files(self, run_id: str) -> None:
        logs.remove(self._state_dir, run_id)
        self._folder(run_id)
