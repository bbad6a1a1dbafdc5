"""`runward bench`: measures this machine and this version against what the design must reach."""

import os
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

from rich.console import Console

from . import options
from .arguments import Option
from .benching import showing
from .benching.measuring import Bench, Measured
from .benching.rows import ROWS, Row
from .outcome import CommandError, ExitCode, print_json
from .terminal import whisper


def bench(
    only: Annotated[
        list[str] | None, Option("--only", metavar="ROW", help="Only this row; may be given again.")
    ] = None,
    long: Annotated[bool, Option("--long", help="The rows that take minutes as well.")] = False,
    quick: Annotated[bool, Option("--quick", help="Few samples: is it alive, not how fast.")] = False,
    list_rows: Annotated[bool, Option("--list", help="Say which rows there are.")] = False,
    strict: Annotated[bool, Option("--strict", help="Fail where a first target is missed.")] = False,
    as_json: options.Json = False,
) -> int:
    """Measure runs, events and stops on servers of its own, and say which targets are reached."""
    if list_rows:
        print("\n".join(f"{row.name:12}{row.what}" for row in ROWS))
        return ExitCode.DONE
    rows = _chosen(only or [], long)
    signal.signal(signal.SIGTERM, _interrupt)
    shown = showing.document(_measure(rows, quick), quick)
    if as_json:
        print_json(shown)
    else:
        showing.show(shown, Console(width=None if sys.stdout.isatty() else 160))
    return _exit_code(shown, strict)


def _chosen(names: list[str], long: bool) -> list[Row]:
    rows = {row.name: row for row in ROWS}
    unknown = [name for name in names if name not in rows]
    if unknown:
        raise CommandError(
            f"there is no row {unknown[0]!r}; there are: {', '.join(rows)}", ExitCode.USAGE, "usage"
        )
    return [row for row in ROWS if row.name in names or (not names and (long or not row.long))]


def _measure(rows: list[Row], quick: bool) -> list[Measured]:
    with (
        tempfile.TemporaryDirectory(prefix="runward-bench-") as folder,
        Bench(Path(folder), quick, whisper) as bench,
    ):
        os.chdir(folder)  # a configuration in the current folder is not for these servers
        return bench.measure(rows)


def _exit_code(shown: dict[str, Any], strict: bool) -> int:
    missed = strict and any(line["reaches"] == "miss" for line in shown["figures"])
    return ExitCode.FAILED if missed or shown["problems"] else ExitCode.DONE


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
