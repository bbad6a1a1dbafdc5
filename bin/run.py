"""`runward run`: starts a run, shows what the agent says as it says it, and ends with its result."""

import sys
from collections.abc import Callable
from typing import Annotated

from ..actors.records import Status
from ..http.api_client import Client
from ..http.api_errors import ServerUnreachable
from ..http.api_types import Event, OnConflict, RunInfo, StartOptions
from . import describing, options
from .arguments import Argument, Option
from .interrupts import StopOnInterrupt
from .outcome import CommandError, ExitCode, code_of, print_json
from .server import connect
from .terminal import Output, say, whisper

# Told by the output itself, or by the last line.
UNTOLD = frozenset({"run.queued", "run.started", "run.completed", "run.failed", "run.cancelled"})


def run(
    agent: Annotated[
        str, Argument(metavar="AGENT", help="As the server's configuration names it.", completes="agent")
    ],
    text: Annotated[
        str | None, Argument(metavar="[INPUT|-]", help="Its input; - or nothing reads it from stdin.")
    ] = None,
    session: Annotated[str | None, Option(help="The session that the run belongs to.")] = None,
    on_conflict: Annotated[
        OnConflict | None, Option(help="What it does while another run of its session has not ended.")
    ] = None,
    history: Annotated[
        bool, Option("--history", help="Give it what earlier runs of its session were given and said.")
    ] = False,
    priority: Annotated[
        int | None, Option(metavar="-10…10", help="Its place among those that wait; the higher goes first.")
    ] = None,
    instructions: Annotated[str | None, Option(help="Instructions for the agent.")] = None,
    metadata: Annotated[list[str] | None, Option(metavar="K=V", help="Kept with the run.")] = None,
    limit: Annotated[
        list[str] | None,
        Option(metavar="K=V", help="A tighter limit, such as wall_s=10 or memory_bytes=1e9."),
    ] = None,
    detach: Annotated[
        bool, Option("--detach", "-d", help="Print the id and leave the run to itself.")
    ] = False,
    as_json: options.Json = False,
    url: options.Url = None,
    state: options.State = None,
) -> int:
    """Start a run and follow it. Ctrl-C stops the run, a second one kills it."""
    given = _input(text)
    more: StartOptions = {
        "session_id": session or None,
        "on_conflict": on_conflict,
        "history": "session" if history else None,
        "priority": priority,
        "instructions": instructions or None,
        "metadata": _pairs(metadata, "--metadata") if metadata else None,
        "limits": _limits(limit) if limit else None,
    }
    client = connect(url, state)

    def start() -> str:
        return client.start(given, agent, **more).run_id

    return _detached(start(), as_json) if detach else _followed(client, start, as_json)


def _detached(run_id: str, as_json: bool) -> int:
    if as_json:
        print_json({"run_id": run_id, "status": "started"})
    else:
        print(run_id)
    return ExitCode.DONE


def _followed(client: Client, start: Callable[[], str], as_json: bool) -> int:
    output = Output()
    with StopOnInterrupt(client) as interrupts:
        run_id = start()
        interrupts.started(run_id)
        _show(client, run_id, output, quiet=as_json)
        ended = client.get(run_id)
    if as_json:
        print_json(ended.document())
    else:
        _conclude(ended, output)
    return code_of(ended.status)


def _show(client: Client, run_id: str, output: Output, quiet: bool) -> None:
    """Show the run's events to its end; `quiet`: only what is no output."""
    stream = client.stream(run_id, on_loss=lambda why: say(f"{why}; trying again"))
    try:
        for event in stream:
            _show_event(event, output, quiet)
    except ServerUnreachable as error:
        raise CommandError(
            f"{error}. Nothing is known of {run_id} after event {stream.last_seq}; once the server is back: "
            f"runward events {run_id} --after {stream.last_seq}",
            ExitCode.UNREACHABLE,
            "unreachable",
        ) from error


def _show_event(event: Event, output: Output, quiet: bool) -> None:
    match event.event:
        case "message.delta" if not quiet:
            output.write(event.text)
        case "message.delta" | "reasoning.delta" if quiet:
            pass
        case name if name not in UNTOLD:
            output.beside(describing.event(event))
            if name == "approval.request":
                output.beside(describing.how_to_answer(event))


def _conclude(ended: RunInfo, output: Output) -> None:
    """What is left to say once the run is over: its output, unless that was seen, and how it ended."""
    if not output.used and ended.output is not None:
        answer = ended.output
        output.write(answer if isinstance(answer, str) else describing.document(answer))
    output.end_line()
    if ended.status is Status.COMPLETED:
        return
    stderr = (ended.exit and ended.exit.stderr_tail) or ""
    for line in stderr.splitlines():
        whisper(f"stderr: {line}")
    if ended.error:
        say(ended.error)
    say(describing.receipt(ended))


def _input(text: str | None) -> str:
    if text not in (None, "-"):
        return str(text)
    if text is None and sys.stdin.isatty():
        raise CommandError("give the input, or - to read it from stdin", ExitCode.USAGE, "usage")
    # In bytes, so that what is no UTF-8 is our own error and not a crash.
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        raise CommandError(f"the input is not UTF-8 text ({error})", ExitCode.USAGE, "usage") from error


def _pairs(texts: list[str], option: str) -> dict[str, str]:
    pairs = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise CommandError(f"{option} {text!r} is not NAME=VALUE", ExitCode.USAGE, "usage")
        pairs[name] = value
    return pairs


def _limits(texts: list[str]) -> dict[str, float]:
    limits = {}
    for name, value in _pairs(texts, "--limit").items():
        try:
            number = float(value)
        except ValueError as error:
            message = f"--limit {name}={value}: {value!r} is not a number"
            raise CommandError(message, ExitCode.USAGE, "usage") from error
        limits[name] = int(number) if number.is_integer() else number
    return limits
