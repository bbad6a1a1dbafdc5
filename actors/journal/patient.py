"""A writer for when the disk is full: what there is no room for is kept, and written once there is.

A turn that can't be written is not forgotten: its statements are kept in order, as are those of later turns, and are
run again as one transaction. Until then `held_up` is true, and nothing of it may be told. What is kept is bounded by
what the caller takes in meanwhile: no new runs, and of the live ones no more than their credit.
"""

from pathlib import Path
from typing import Any

from ..errors import JournalFull
from . import schema
from .erasing import Erased
from .intents import ADD_COMMAND
from .writer import Changes, Writer


class _Kept:
    """In place of a cursor: what was kept will change one row, as far as anybody knows."""

    rowcount = 1


class PatientWriter(Writer):
    """A `Writer` that never raises `JournalFull`. While it is held up its reads are of the last commit."""

    def __init__(
        self, folder: Path, synchronous: schema.Synchronous = "normal", may_be_full: bool = False
    ) -> None:
        super().__init__(folder, synchronous, may_be_full)
        self.held_up = False
        self._kept: list[tuple[str, tuple[Any, ...], int]] = []  # since the last commit

    def add_command(self, id: str, run_key: int, kind: str, at: float, body: bytes) -> bool:
        """As `Writer`'s, also of an intent that is only kept yet."""
        if self.held_up and self._knows(id):
            return False
        return super().add_command(id, run_key, kind, at, body)

    def sweep(self) -> list[Erased] | None:
        """As `Writer`'s; does nothing while there is no room."""
        return [] if self.held_up else super().sweep()

    def commit(self) -> bool:
        """As `Writer`'s; False as well while there is no room. Tries again whatever is kept. May take long then."""
        try:
            if self.held_up:
                for statement in self._kept:
                    super()._write(*statement)
            committed = super().commit()
        except JournalFull:
            self.held_up = True
            return False
        self.held_up = False
        self._kept.clear()
        return committed

    def _write(self, sql: str, values: tuple[Any, ...], size: int) -> Changes:
        self._kept.append((sql, values, size))
        if not self.held_up:
            try:
                return super()._write(sql, values, size)
            except JournalFull:
                self.held_up = True
        return _Kept()

    def _knows(self, id: str) -> bool:
        kept = any(sql == ADD_COMMAND and values[0] == id for sql, values, _ in self._kept)
        return kept or self.command(id) is not None
