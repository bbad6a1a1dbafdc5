"""Forgetting ended runs: what the journal and the state folder keep of them goes, and no other run waits for it."""

import contextlib
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol

from .actor import Callback, Timer
from .journal.writer import Writer

SWEEP_EVERY_S = 0.02
LOGS = "logs"  # in the state folder: a folder or files named by their run


class House(Protocol):
    """What forgetting needs of the supervisor."""

    journal: Writer

    def after(self, delay_s: float, callback: Callback) -> Timer:
        """A timer."""

    def then(self, action: Callable[[], object]) -> None:
        """Do it once all that was written is committed."""


class Forgetting:
    """Removes runs, and goes on with those of which an earlier supervisor left events behind."""

    def __init__(self, house: House, state_dir: Path) -> None:
        self._house = house
        self._logs = state_dir / LOGS
        self._sweeping = False
        self._sweep_on()

    def forget(self, key: int, run_id: str) -> None:
        """Remove an ended run; files go once the journal has forgotten it, and many events a bit later."""
        self._house.journal.delete_run(key)
        self._house.then(partial(_remove, self._logs, run_id))
        self._sweep_on()

    def _sweep_on(self) -> None:
        if not self._sweeping:
            self._sweeping = True
            self._house.after(SWEEP_EVERY_S, self._sweep)

    def _sweep(self) -> None:
        self._sweeping = False
        if self._house.journal.sweep():
            self._sweep_on()


def _remove(logs: Path, run_id: str) -> None:
    for path in (logs / run_id, *logs.glob(f"{run_id}.*")):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                path.unlink()
