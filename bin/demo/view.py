"""What the demo shows while it runs: a live table, or plain lines, or nothing to programs."""

import sys
import threading
from collections.abc import Sequence
from typing import Any, Protocol

from ...http.api_types import Event
from .. import describing
from ..terminal import one_line, tame
from .watch import Watched

COLOURS = {
    "running": "cyan",
    "stopping": "magenta",
    "completed": "green",
    "failed": "red",
    "cancelled": "yellow",
}


class View(Protocol):
    """Something that shows how the runs go on."""

    def __enter__(self) -> "View": ...
    def __exit__(self, *raised: Any) -> None: ...
    def tell(self, watched: Watched, event: Event) -> None:
        """An event came. Called by the thread of its run."""

    def show(self, runs: Sequence[Watched]) -> None:
        """Show how all stand. Called ten times a second by the main thread."""


class Silent:
    """For programs."""

    def __enter__(self) -> "Silent":
        return self

    def __exit__(self, *raised: Any) -> None:
        """Nothing to undo."""

    def tell(self, watched: Watched, event: Event) -> None:
        """Nothing is told."""

    def show(self, runs: Sequence[Watched]) -> None:
        """Nothing is shown."""


class Plain(Silent):
    """For a pipe or a log: a line for each event, none after the end."""

    def __init__(self) -> None:
        self._printing = threading.Lock()
        self._over = False

    def __exit__(self, *raised: Any) -> None:
        # A thread that prints while the interpreter ends would bring it down.
        with self._printing:
            self._over = True

    def tell(self, watched: Watched, event: Event) -> None:
        line = f"{watched.case.agent:8}{one_line(describing.event(event), 160)}"
        with self._printing:
            if not self._over:
                print(line, flush=True)


class Live(Silent):
    """For a terminal: a table that stays in its place."""

    def __init__(self) -> None:
        from rich.live import Live as RichLive

        self._live = RichLive(auto_refresh=False)

    def __enter__(self) -> "Live":
        self._live.start()
        return self

    def __exit__(self, *raised: Any) -> None:
        self._live.stop()

    def show(self, runs: Sequence[Watched]) -> None:
        self._live.update(_table(runs), refresh=True)


def view(as_json: bool) -> View:
    """The view that fits where stdout goes."""
    if as_json:
        return Silent()
    return Live() if sys.stdout.isatty() else Plain()


def _table(runs: Sequence[Watched]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for title in ("agent", "pid", "status", "it says"):
        table.add_column(title, no_wrap=title != "it says", vertical="top")
    for watched in runs:
        pid = str(watched.story.process.pid) if watched.story.process else "-"
        status = Text(watched.status, style=COLOURS.get(watched.status, ""))
        table.add_row(watched.case.agent, pid, status, Text(_says(watched)))
    return table


def _says(watched: Watched) -> str:
    """Its words, or what it is for as long as it says nothing."""
    said = tame(" ".join(watched.story.text.split()))
    return said or watched.case.about
