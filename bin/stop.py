"""`runward stop` and `runward kill`.

The wish to end the one run that is named is sent before anything is loaded that it does not need: a client takes
longer to load than a kill to be done. `ending.py` then watches, and does all the rest.
"""

import os
import time
from pathlib import Path
from typing import Annotated, Any, Literal

from . import options
from .arguments import Argument, Option
from .outcome import CommandError, ExitCode

PATIENCE_S = 30.0
DONE = 200

Ids = Annotated[
    list[str] | None,
    Argument(metavar="ID", help="Ids of runs; a beginning that only one run has is enough.", completes="run"),
]
Agent = Annotated[str | None, Option("--agent", help="Every run of this agent.", completes="agent")]
Session = Annotated[str | None, Option("--session", help="Every run of this session.")]
All = Annotated[bool, Option("--all", "-a", help="Every run there is.")]
Reason = Annotated[str | None, Option("--reason", help="Why; kept with the run.")]
Mode = Literal["interrupt", "terminate", "kill"]


def stop(
    run_ids: Ids = None,
    agent: Agent = None,
    session: Session = None,
    all_runs: All = False,
    mode: Annotated[Mode | None, Option(help="The rung to begin with.")] = None,
    grace: Annotated[
        float | None, Option(min=0, metavar="SECONDS", help="How long each rung waits for the run.")
    ] = None,
    reason: Reason = None,
    yes: options.Yes = False,
    as_json: options.Json = False,
    url: options.Url = None,
    state: options.State = None,
) -> int:
    """Stop runs: ask them, then terminate, then kill; wait for the end and print its receipt."""
    typed = _which(run_ids, agent, session, all_runs)
    body = {"mode": mode, "grace_s": grace, "reason": reason}
    asked_at = _ask_first(typed, "stop", body, url, state)
    from .ending import Wish, end
    from .server import connect

    wish = Wish(connect(url, state), mode, grace, reason, asked_at)
    return end(wish, typed, {"agent": agent, "session_id": session}, yes, as_json)


def kill(
    run_ids: Ids = None,
    agent: Agent = None,
    session: Session = None,
    all_runs: All = False,
    reason: Reason = None,
    yes: options.Yes = False,
    as_json: options.Json = False,
    url: options.Url = None,
    state: options.State = None,
) -> int:
    """Kill runs at once; wait for the end and print its receipt."""
    typed = _which(run_ids, agent, session, all_runs)
    asked_at = _ask_first(typed, "kill", {"reason": reason}, url, state)
    from .ending import Wish, end
    from .server import connect

    wish = Wish(connect(url, state), "kill", 0.0, reason, asked_at)
    return end(wish, typed, {"agent": agent, "session_id": session}, yes, as_json)


def _which(run_ids: list[str] | None, agent: str | None, session: str | None, all_runs: bool) -> list[str]:
    """The ids that were typed; none, where runs are said by what they have in common."""
    if (bool(run_ids), bool(agent or session), all_runs).count(True) != 1:
        message = "say which runs: by their ids, by --agent or --session or both, or --all alone"
        raise CommandError(message, ExitCode.USAGE, "usage")
    return run_ids or []


def _ask_first(
    typed: list[str], how: str, body: dict[str, Any], url: str | None, state: Path | None
) -> float | None:
    """Ask for the end of the one run whose whole id was typed: when (monotonic seconds) that was, and was heard.

    None: nothing was asked, or the server said no: this is no whole id, the run is over, or worse. Who can say more
    asks again. Raises ServerUnreachable where nobody knows.
    """
    from urllib.parse import quote

    from ..http.api_address import find
    from ..http.quick_post import post

    if len(typed) != 1:
        return None
    try:
        address = find(url, os.environ.get("RUNWARD_API_KEY", "").strip() or None, state)
    except ValueError:
        return None
    asked_at = time.monotonic()
    given = {name: value for name, value in body.items() if value is not None}
    status = post(address, f"/v1/runs/{quote(typed[0], safe='')}/{how}", given, PATIENCE_S)
    return asked_at if status == DONE else None
