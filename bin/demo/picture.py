"""Draws the terminal picture of the README: `python -m runward.bin.demo.picture docs/pictures/demo.svg`.

The commands are typed for real, at a server like the demo's, and what they print is what is drawn.
"""

import io
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from .server import demo_server
from .waiting import Waits

WIDTH = 132
PATIENCE_S = 60.0
LEFT_OUT = "stderr:"  # where in our code it crashed is of interest to nobody here
AGENTS = ("echo", "count", "crash", "spin")
_FONTS = re.compile(r"@font-face {.*?}\n", re.DOTALL)  # from elsewhere: a reader has one of his own
_RECEIPT = re.compile(r"^run_\w+ (completed|failed|cancelled)")


def main(target: Path) -> None:
    """Make the picture."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    for line in _session():
        console.print(_coloured(line), soft_wrap=False, highlight=False)
    target.parent.mkdir(parents=True, exist_ok=True)
    picture = console.export_svg(title="runward", theme=MONOKAI)
    target.write_text(_FONTS.sub("", picture).replace("Fira Code", "ui-monospace"))


def _session() -> Iterator[str]:
    with Waits() as waits, demo_server(AGENTS) as (server, _):
        server.client(waits.wait)
        state = server.state_dir
        yield from _typed("runward run count 3", state)
        yield from _typed("runward run crash go", state)
        said = list(_typed("runward run spin go --detach", state))
        yield from said
        run_id = said[1]
        yield from _until_running(state)
        yield from _typed(f"runward stop {run_id[:12]} --yes", state, full=run_id)


def _until_running(state: Path) -> list[str]:
    """What `ps` prints once the run is seen to run."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        said = list(_typed("runward ps", state))
        if any("message.delta" in line for line in said) or time.monotonic() > deadline:
            return said


def _typed(command: str, state: Path, full: str = "") -> Iterator[str]:
    """A line for the command, those that it prints, and an empty one."""
    yield f"$ {command.removesuffix(' --yes')}"
    words = command.split()[1:]
    words = [full if full and full.startswith(word) else word for word in words]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "runward", *words],
        env={**os.environ, "RUNWARD_STATE_DIR": str(state), "COLUMNS": str(WIDTH), "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    yield from (line[:WIDTH].rstrip() for line in done.stdout.splitlines() if not line.startswith(LEFT_OUT))
    yield ""


def _coloured(line: str) -> Text:
    if line.startswith("$ "):
        return Text(line, style="bold green")
    if _RECEIPT.match(line):
        return Text(line, style="bold yellow")
    return Text(line)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
