"""`runward ps`: the runs that live, or all of them."""

import time
from collections.abc import Sequence
from itertools import islice
from typing import Annotated

from ..http.api_client import Client
from ..http.api_types import RunFilters, RunInfo
from . import describing, options
from .arguments import Option
from .columns import columns
from .outcome import ExitCode, print_json
from .server import connect
from .terminal import one_line

# In the order of a run's life: one that moves on while we ask is seen twice rather than not at all.
LIVE = ("queued", "running", "waiting_for_approval", "stopping")
HEADER = ("ID", "AGENT", "STATUS", "REASON", "AGE", "PID", "LAST EVENT")


def ps(
    all_runs: Annotated[bool, Option("--all", "-a", help="Ended runs too.")] = False,
    status: Annotated[str | None, Option(help="Only runs with this status.")] = None,
    agent: Annotated[str | None, Option(help="Only runs of this agent.")] = None,
    session: Annotated[str | None, Option(help="Only runs of this session.")] = None,
    parent: Annotated[str | None, Option(help="Only runs that this run started.")] = None,
    limit: Annotated[int, Option(min=1, help="At most so many, the newest.")] = 200,
    as_json: options.Json = False,
    url: options.Url = None,
    state: options.State = None,
) -> int:
    """List runs: those that live, or with --all every one."""
    client = connect(url, state)
    filters: RunFilters = {"agent": agent, "session_id": session, "parent_run_id": parent}
    statuses = [status] if status else [None] if all_runs else list(LIVE)
    runs = _runs(client, statuses, filters, limit)
    if as_json:
        print_json({"object": "list", "data": [run.document() for run in runs]})
    else:
        rows = [_row(run, time.time()) for run in runs]
        print("\n".join(columns([HEADER, *rows])))
    return ExitCode.DONE


def _runs(client: Client, statuses: Sequence[str | None], filters: RunFilters, limit: int) -> list[RunInfo]:
    found: dict[str, RunInfo] = {}
    for status in statuses:
        wanted: RunFilters = {**filters, "status": status}
        found |= {run.run_id: run for run in islice(client.list(**wanted), limit)}
    return sorted(found.values(), key=lambda run: run.created_at, reverse=True)[:limit]


def _row(run: RunInfo, now: float) -> tuple[str, ...]:
    cells = (
        run.run_id,
        run.agent,
        run.status,
        run.reason,
        describing.age(now - run.created_at),
        run.process and run.process.pid,
        run.last_event,
    )
    return tuple(one_line(str(cell)) if cell else "-" for cell in cells)
