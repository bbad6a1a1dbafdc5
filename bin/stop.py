"""`runward stop` and `runward kill`: end runs, show how the stop climbs, and what proves each end."""

import sys
import time
from collections.abc import Callable
from typing import Annotated

from ..actors.messages import StopMode
from ..http.api_client import Client
from ..http.api_errors import RunEnded
from ..http.api_types import RunInfo, StopFilters
from . import describing, options
from .arguments import Argument, Option
from .ends import await_ends
from .live_runs import live_runs
from .naming import find_all
from .outcome import CommandError, ExitCode, print_json
from .server import connect
from .terminal import confirmed, say, whisper

Ids = Annotated[
    list[str] | None,
    Argument(metavar="ID", help="Ids of runs; a beginning that only one run has is enough.", completes="run"),
]
Agent = Annotated[str | None, Option("--agent", help="Every run of this agent.", completes="agent")]
Session = Annotated[str | None, Option("--session", help="Every run of this session.")]
All = Annotated[bool, Option("--all", "-a", help="Every run there is.")]
Reason = Annotated[str | None, Option("--reason", help="Why; kept with the run.")]


def stop(
    run_ids: Ids = None,
    agent: Agent = None,
    session: Session = None,
    all_runs: All = False,
    mode: Annotated[StopMode | None, Option(help="The rung to begin with.")] = None,
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
    wish = _Wish(connect(url, state), mode, grace, reason)
    return _end(wish, run_ids or [], {"agent": agent, "session_id": session}, all_runs, yes, as_json)


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
    wish = _Wish(connect(url, state), "kill", 0.0, reason)
    return _end(wish, run_ids or [], {"agent": agent, "session_id": session}, all_runs, yes, as_json)


class _Wish:
    """How runs are to end."""

    def __init__(
        self, client: Client, mode: StopMode | None, grace_s: float | None, reason: str | None
    ) -> None:
        self.client = client
        self._mode, self._grace_s, self._reason = mode, grace_s, reason

    def end(self, run: RunInfo) -> None:
        """Ask for the end of one; one that was quicker has its own in the receipt."""
        try:
            if self._mode == "kill" and self._grace_s == 0:
                self.client.kill(run.run_id, reason=self._reason)
            else:
                self.client.stop(run.run_id, mode=self._mode, grace_s=self._grace_s, reason=self._reason)
        except RunEnded:
            pass

    def end_all(self, filters: StopFilters) -> tuple[str, ...]:
        """Ask for the end of all that match, at once; their ids."""
        return self.client.stop_all(mode=self._mode, grace_s=self._grace_s, reason=self._reason, **filters)


def _end(
    wish: _Wish, typed: list[str], filters: StopFilters, all_runs: bool, yes: bool, as_json: bool
) -> int:
    """Ask for the end of all of them first, and only then wait for it."""
    filtered = any(filters.values())
    if (bool(typed), filtered, all_runs).count(True) != 1:
        message = "say which runs: by their ids, by --agent or --session or both, or --all alone"
        raise CommandError(message, ExitCode.USAGE, "usage")
    runs = (
        find_all(wish.client, typed)
        if typed
        else live_runs(wish.client, {"agent": filters["agent"], "session_id": filters["session_id"]})
    )
    live = [run for run in runs if not run.ended]
    if not yes:
        _confirm(live, typed)
    asked_at = time.monotonic()
    if typed:
        for run in live:
            wish.end(run)
    elif live:
        live = _with_those_that_came(wish.client, live, wish.end_all(filters))
    else:
        whisper("no run that lives matches")
    failed = False
    for run in runs:
        if run.ended:
            _report(run, True, as_json)
            failed = failed or _left_something(run)
    return _await(wish.client, live, _telling(asked_at, as_json), as_json, failed)


def _await(
    client: Client, live: list[RunInfo], told: Callable[[str, str], None], as_json: bool, failed: bool
) -> int:
    try:
        for run in await_ends(client, live, told):
            _report(run, False, as_json)
            failed = failed or _left_something(run)
    except KeyboardInterrupt:
        say("the stop goes on without us; `runward wait` waits for the end, `runward kill` hurries it")
        raise
    return ExitCode.FAILED if failed else ExitCode.DONE


def _with_those_that_came(client: Client, seen: list[RunInfo], asked: tuple[str, ...]) -> list[RunInfo]:
    """The runs that were asked to end. Between our look and the wish some may have come, and others have ended."""
    known = {run.run_id: run for run in seen}
    return [known.get(run_id) or client.get(run_id) for run_id in dict.fromkeys((*asked, *known))]


def _confirm(live: list[RunInfo], typed: list[str]) -> None:
    """Ask, where a person sits at a terminal and some id was not written out in full."""
    guessed = [run for run in live if run.run_id not in typed]
    if not guessed or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return
    for run in guessed:
        whisper(f"{run.run_id}  {run.agent}  {run.status}")
    if not confirmed(f"End {'this run' if len(guessed) == 1 else f'these {len(guessed)} runs'}?"):
        raise CommandError("nothing was stopped", code="not_confirmed")


def _telling(asked_at: float, quiet: bool) -> Callable[[str, str], None]:
    """Tells of each rung as it is reached, with the seconds since the wish."""

    def tell(run_id: str, rung: str) -> None:
        if not quiet:
            whisper(f"{run_id}  {time.monotonic() - asked_at:6.2f} s  {rung}")

    return tell


def _left_something(run: RunInfo) -> bool:
    return bool(run.exit and run.exit.survivors)


def _report(ended: RunInfo, was_over: bool, as_json: bool) -> None:
    if as_json:
        print_json(ended.document())
    elif was_over:
        print(f"{describing.receipt(ended)}; it had ended before")
    else:
        print(describing.receipt(ended), flush=True)
