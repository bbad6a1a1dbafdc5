"""`runward ps`: the runs that live, or all of them; with `--watch` again and again."""

import shutil
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Annotated, Any

from ..http.api_client import Client
from ..http.api_errors import ServerUnreachable
from ..http.api_types import RunFilters, RunInfo
from . import options, run_table
from .arguments import Option
from .live_runs import LIVE, runs_of
from .outcome import ExitCode, print_json
from .rates import Look, rates
from .redrawing import Redrawing
from .server import connect
from .terminal import one_line


def ps(
    all_runs: Annotated[bool, Option("--all", "-a", help="Ended runs too.")] = False,
    status: Annotated[str | None, Option(help="Only runs with this status.")] = None,
    agent: options.Agent = None,
    session: options.Session = None,
    parent: Annotated[str | None, Option(help="Only runs that this run started.")] = None,
    limit: Annotated[int, Option(min=1, help="At most so many, the newest.")] = 200,
    watch: Annotated[bool, Option("--watch", "-w", help="Look again and again, until ctrl-C.")] = False,
    interval: Annotated[
        float, Option(min=0.1, metavar="SECONDS", help="Between two looks of --watch.")
    ] = 2.0,
    as_json: options.Json = False,
    url: options.Url = None,
    state: options.State = None,
) -> int:
    """List runs: those that live, or with --all every one. CPU and events/s are averages over a run's life, with
    --watch those since the last look.
    """
    client = connect(url, state)
    filters: RunFilters = {"agent": agent, "session_id": session, "parent_run_id": parent}
    statuses = [status] if status else [None] if all_runs else list(LIVE)

    def look() -> list[RunInfo]:
        return runs_of(client, statuses, filters, limit)

    if watch:
        _watch(client, look, interval, as_json)
    elif as_json:
        print_json(_document(look()))
    else:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        print("\n".join(_lines(look(), None, time.monotonic(), width)))
    return ExitCode.DONE


def _watch(client: Client, look: Callable[[], list[RunInfo]], interval_s: float, as_json: bool) -> None:
    """Until ctrl-C. A server that is away is waited for: it may be restarting."""
    before: Look | None = None
    runs: list[RunInfo] = []
    with Redrawing() if not as_json else nullcontext() as page:
        while True:
            trouble, at = "", time.monotonic()
            try:
                runs = look()
            except ServerUnreachable as error:
                trouble = f"  {error}; trying again"
            if page is None:
                print_json(_document(runs))
            else:
                head = f"{client.url}  {len(runs)} runs  {time.strftime('%H:%M:%S')}{trouble}"
                page.draw([one_line(head, page.width), "", *_lines(runs, before, at, page.width)])
            if not trouble:
                before = Look(runs, at)
            time.sleep(interval_s)


def _lines(runs: list[RunInfo], before: Look | None, at: float, width: int | None) -> list[str]:
    now = time.time()
    return run_table.table([run_table.row(run, rates(run, before, at, now), now) for run in runs], width)


def _document(runs: list[RunInfo]) -> dict[str, Any]:
    return {"object": "list", "data": [run.document() for run in runs]}
