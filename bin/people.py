"""`runward approve` and `runward steer`: answer what a run asks a person, and tell a live one something."""

from typing import Annotated

from . import options
from .arguments import Argument, Option
from .naming import find
from .outcome import ExitCode, print_json
from .server import connect


def approve(
    run_id: options.RunId,
    choice: Annotated[
        str, Argument(metavar="CHOICE", help="once, session, always or deny, as far as it is offered.")
    ],
    request: Annotated[
        str | None, Option("--request", metavar="ID", help="Which request; the oldest, if not given.")
    ] = None,
    all_requests: Annotated[bool, Option("--all", "-a", help="All that the run asks.")] = False,
    note: Annotated[str | None, Option("--note", help="What the agent is told with it.")] = None,
    as_json: options.Json = False,
    url: options.Url = None,
    state: options.State = None,
) -> int:
    """Answer what a run asks (approval.request)."""
    client = connect(url, state)
    run = find(client, run_id)
    resolved = client.approve(run.run_id, choice, request_id=request, all=all_requests, note=note)
    if as_json:
        print_json({"run_id": run.run_id, "choice": choice, "resolved": resolved})
    else:
        print(f"{run.run_id} answered: {choice}" + (f" ({resolved} requests)" if resolved > 1 else ""))
    return ExitCode.DONE


def steer(
    run_id: options.RunId,
    text: Annotated[str, Argument(metavar="TEXT", help="What it is told.")],
    as_json: options.Json = False,
    url: options.Url = None,
    state: options.State = None,
) -> int:
    """Give a live run guidance; its agent has taken it when this returns."""
    client = connect(url, state)
    run = find(client, run_id)
    client.steer(run.run_id, text)
    if as_json:
        print_json({"run_id": run.run_id, "accepted": True})
    else:
        print(f"{run.run_id} took it")
    return ExitCode.DONE
