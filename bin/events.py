"""`runward events`: a run's events, from the journal and then as they come."""

import shutil
import sys
from typing import Annotated

from ..http.api_types import Event
from . import describing, options
from .arguments import Option
from .naming import find
from .outcome import ExitCode, print_json
from .server import connect
from .terminal import one_line, say


def events(
    run_id: options.RunId,
    after: Annotated[int, Option(min=0, help="Only events after this number.")] = 0,
    follow: Annotated[
        bool, Option("--follow", "-f", help="Wait for more until the run ends, or print what there is.")
    ] = True,
    as_json: options.Json = False,
    url: options.Url = None,
    state: options.State = None,
) -> int:
    """Print a run's events, one a line, until it ends. Leaving with ctrl-C doesn't touch the run."""
    client = connect(url, state)
    run = find(client, run_id)
    show = _show_json if as_json else _Lines().show
    stream = client.stream(run.run_id, after, on_loss=lambda why: say(f"{why}; trying again"))
    for event in stream if follow else client.events(run.run_id, after):
        show(event)
    return ExitCode.DONE


def _show_json(event: Event) -> None:
    print_json(event.document())


class _Lines:
    """For people: number, seconds since the first one shown, name, fields; on a terminal cut to its width."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None

    def show(self, event: Event) -> None:
        stamp = event.timestamp or 0.0
        self._began = stamp if self._began is None else self._began
        line = f"{event.seq:6}  {stamp - self._began:+9.3f}s  {describing.event(event)}"
        print(one_line(line, self._width), flush=True)
