"""`runward top`: the live runs on the whole terminal, again and again; stop, kill and look into them by a key."""

import sys
from typing import Annotated

from ..http.api_types import RunFilters
from . import options
from .arguments import Option
from .live_runs import LIVE, runs_of
from .outcome import CommandError, ExitCode
from .server import connect


def top(
    all_runs: Annotated[bool, Option("--all", "-a", help="Ended runs too.")] = False,
    agent: options.Agent = None,
    session: options.Session = None,
    limit: Annotated[int, Option(min=1, help="At most so many, the newest.")] = 500,
    interval: Annotated[float, Option(min=0.1, metavar="SECONDS", help="Between two looks.")] = 1.0,
    url: options.Url = None,
    state: options.State = None,
) -> int:
    """Show the live runs on the whole terminal, what they use, and end them by a key. Leaving touches none."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise CommandError("top needs a terminal; elsewhere: runward ps --watch", ExitCode.USAGE, "usage")
    client = connect(url, state)
    client.health()  # who is not there, or not let in, is told so in words and not on a screen
    filters: RunFilters = {"agent": agent, "session_id": session}
    statuses = [None] if all_runs else list(LIVE)
    # Imported late: it alone takes a quarter of a second.
    from .top_screen import Top

    return Top(client, lambda: runs_of(client, statuses, filters, limit), interval).run() or ExitCode.DONE
