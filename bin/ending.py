"""Ending runs: ask for it, show how the stop climbs, and what proves each end."""

import contextlib
import sys
import time
from collections.abc import Callable

from ..actors.messages.base import StopMode
from ..http.api_client import Client
from ..http.api_errors import RunEnded
from ..http.api_types import RunInfo, StopFilters
from . import describing
from .ends import await_ends
from .live_runs import live_runs
from .naming import find_all
from .outcome import CommandError, ExitCode, print_json
from .terminal import confirmed, say, whisper


class Wish:
    """How runs are to end. `asked_at`: monotonic seconds, when that was asked first; None: not yet."""

    def __init__(
        self,
        client: Client,
        mode: StopMode | None,
        grace_s: float | None,
        reason: str | None,
        asked_at: float | None = None,
    ) -> None:
        self.client = client
        self.asked_at = asked_at
        self._mode, self._grace_s, self._reason = mode, grace_s, reason

    def end(self, run_id: str) -> None:
        """Ask for the end of one; one that was quicker has its own in the receipt."""
        self.asked_at = self.asked_at or time.monotonic()
        with contextlib.suppress(RunEnded):
            if self._mode == "kill" and self._grace_s == 0:
                self.client.ask_kill(run_id, reason=self._reason)
            else:
                self.client.ask_stop(run_id, mode=self._mode, grace_s=self._grace_s, reason=self._reason)

    def end_all(self, filters: StopFilters) -> tuple[str, ...]:
        """Ask for the end of all that match, at once; their ids."""
        self.asked_at = time.monotonic()
        return self.client.stop_all(mode=self._mode, grace_s=self._grace_s, reason=self._reason, **filters)


def end(wish: Wish, typed: list[str], filters: StopFilters, yes: bool, as_json: bool) -> int:
    """Ask for the end of all that are meant first, unless that was done, and only then wait for it; the exit code.

    `typed`: their ids; without any, all that match.
    """
    client = wish.client
    if wish.asked_at is not None:
        return _await(wish, [client.get(run_id) for run_id in typed], as_json)
    runs = find_all(client, typed) if typed else _live(client, filters)
    live = [run for run in runs if not run.ended]
    if not yes:
        _confirm(live, typed)
    asked = _ask(wish, live, None if typed else filters)
    over = [run for run in runs if run.ended]
    for run in over:
        _report(run, True, as_json)
    code = _await(wish, asked, as_json)
    return ExitCode.FAILED if any(map(_left_something, over)) else code


def _live(client: Client, filters: StopFilters) -> list[RunInfo]:
    return live_runs(client, {"agent": filters["agent"], "session_id": filters["session_id"]})


def _ask(wish: Wish, live: list[RunInfo], filters: StopFilters | None) -> list[RunInfo]:
    """Ask these to end; with filters all that match now, since some may have come after we looked."""
    if filters is None:
        for run in live:
            wish.end(run.run_id)
        return live
    if not live:
        whisper("no run that lives matches")
        return []
    known = {run.run_id: run for run in live}
    wanted = dict.fromkeys((*wish.end_all(filters), *known))
    return [known.get(run_id) or wish.client.get(run_id) for run_id in wanted]


def _await(wish: Wish, live: list[RunInfo], as_json: bool) -> int:
    """Tell of rungs and ends until all are over; the exit code."""
    code = ExitCode.DONE
    try:
        for run in await_ends(wish.client, live, _telling(wish.asked_at or 0.0, as_json)):
            _report(run, False, as_json)
            if _left_something(run):
                code = ExitCode.FAILED
    except KeyboardInterrupt:
        say("the stop goes on without us; `runward wait` waits for the end, `runward kill` hurries it")
        raise
    return code


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
