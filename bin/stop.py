"""`runward stop` and `runward kill`: end runs, wait for it, and show what proves it."""

import sys
from collections.abc import Callable
from typing import Annotated

from ..actors.messages import StopMode
from ..http.api_client import Client
from ..http.api_errors import RunEnded
from ..http.api_types import RunInfo
from . import describing, options
from .arguments import Option
from .naming import find_all
from .outcome import CommandError, ExitCode, print_json
from .server import connect
from .terminal import confirmed, say, whisper

Wish = Callable[[str], object]


def stop(
    run_ids: options.RunIds,
    mode: Annotated[StopMode | None, Option(help="The rung to begin with.")] = None,
    grace: Annotated[
        float | None, Option(min=0, metavar="SECONDS", help="How long each rung waits for the run.")
    ] = None,
    reason: Annotated[str | None, Option(help="Why; kept with the run.")] = None,
    yes: options.Yes = False,
    as_json: options.Json = False,
    url: options.Url = None,
    state: options.State = None,
) -> int:
    """Stop runs: ask them, then terminate, then kill; wait for the end and print its receipt."""
    client = connect(url, state)
    return _end(
        client,
        run_ids,
        lambda run_id: client.stop(run_id, mode=mode, grace_s=grace, reason=reason),
        yes,
        as_json,
    )


def kill(
    run_ids: options.RunIds,
    yes: options.Yes = False,
    as_json: options.Json = False,
    url: options.Url = None,
    state: options.State = None,
) -> int:
    """Kill runs at once; wait for the end and print its receipt."""
    client = connect(url, state)
    return _end(client, run_ids, client.kill, yes, as_json)


def _end(client: Client, run_ids: list[str], wish: Wish, yes: bool, as_json: bool) -> int:
    """Ask for the end of all of them first, and only then wait for one after the other."""
    runs = find_all(client, run_ids)
    live = [run for run in runs if not run.ended]
    if not yes:
        _confirm(live, run_ids)
    for run in live:
        _ask(run, wish)
    failed = False
    for run in runs:
        ended = _await_end(client, run, quiet=as_json) if run in live else run
        _report(ended, ended is run, as_json)
        failed = failed or bool(ended.exit and ended.exit.survivors)
    return ExitCode.FAILED if failed else ExitCode.DONE


def _confirm(live: list[RunInfo], typed: list[str]) -> None:
    """Ask, where a person sits at a terminal and some id was not written out in full."""
    guessed = [run for run in live if run.run_id not in typed]
    if not guessed or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return
    for run in guessed:
        whisper(f"{run.run_id}  {run.agent}  {run.status}")
    if not confirmed(f"End {'this run' if len(guessed) == 1 else 'these runs'}?"):
        raise CommandError("nothing was stopped", code="not_confirmed")


def _ask(run: RunInfo, wish: Wish) -> None:
    try:
        wish(run.run_id)
    except RunEnded:
        pass  # it was quicker, and its own end is in the receipt


def _await_end(client: Client, run: RunInfo, quiet: bool) -> RunInfo:
    """The run object after its end; tells of each rung on the way. `run`: as it was before the stop."""
    run_id = run.run_id
    for event in client.stream(run_id, run.last_seq, on_loss=lambda why: say(f"{why}; trying again")):
        if event.event == "run.stopping" and not quiet:
            whisper(f"{run_id} {describing.event(event)}")
    return client.get(run_id)


def _report(ended: RunInfo, was_over: bool, as_json: bool) -> None:
    if as_json:
        print_json(ended.document())
    elif was_over:
        print(f"{describing.receipt(ended)}; it had ended before")
    else:
        print(describing.receipt(ended))
