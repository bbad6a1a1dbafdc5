"""`runward run`: starts a run, shows what the agent says as it says it, and ends with its result."""

import sys
from typing import Annotated, Any

import typer

from ..http.api_client import ApiClient, Run
from ..http.api_errors import ServerUnreachable
from ..http.api_events import Event
from . import describing, options
from .interrupts import StopOnInterrupt
from .outcome import CommandError, ExitCode, print_json
from .server import connect
from .terminal import Output, say, whisper

CODES = {"completed": ExitCode.DONE, "failed": ExitCode.FAILED, "cancelled": ExitCode.STOPPED}
# Told by the output itself, or by the last line.
UNTOLD = frozenset({"run.queued", "run.started", "run.completed", "run.failed", "run.cancelled"})


def run(
    agent: Annotated[
        str, typer.Argument(metavar="AGENT", help="The agent, as the server's configuration names it.")
    ],
    text: Annotated[
        str | None, typer.Argument(metavar="[INPUT|-]", help="Its input; - or nothing reads it from stdin.")
    ] = None,
    session: Annotated[str | None, typer.Option(help="The session that the run belongs to.")] = None,
    instructions: Annotated[str | None, typer.Option(help="Instructions for the agent.")] = None,
    metadata: Annotated[list[str] | None, typer.Option(metavar="K=V", help="Kept with the run.")] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(metavar="K=V", help="A tighter limit, such as wall_s=10 or memory_bytes=1e9."),
    ] = None,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Print the id and leave the run to itself.")
    ] = False,
    as_json: options.Json = False,
    url: options.Url = None,
    state: options.State = None,
) -> int:
    """Start a run and follow it. Ctrl-C stops the run, a second one kills it."""
    body: dict[str, Any] = {"agent": agent, "input": _input(text)}
    body |= {"session_id": session} if session else {}
    body |= {"instructions": instructions} if instructions else {}
    body |= {"metadata": _pairs(metadata, "--metadata")} if metadata else {}
    body |= {"limits": _limits(limit)} if limit else {}
    client = connect(url, state)
    return _detached(client, body, as_json) if detach else _followed(client, body, as_json)


def _detached(client: ApiClient, body: dict[str, Any], as_json: bool) -> int:
    run_id = client.start(body)
    if as_json:
        print_json({"run_id": run_id, "status": "started"})
    else:
        print(run_id)
    return ExitCode.DONE


def _followed(client: ApiClient, body: dict[str, Any], as_json: bool) -> int:
    output = Output()
    with StopOnInterrupt(client) as interrupts:
        run_id = client.start(body)
        interrupts.started(run_id)
        _show(client, run_id, output, quiet=as_json)
        ended = client.run(run_id)
    if as_json:
        print_json(ended)
    else:
        _conclude(ended, output)
    return CODES.get(ended["status"], ExitCode.FAILED)


def _show(client: ApiClient, run_id: str, output: Output, quiet: bool) -> None:
    """Show the run's events to its end; `quiet`: only what is no output."""
    stream = client.events(run_id, on_loss=lambda why: say(f"{why}; trying again"))
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
    match event.get("event"):
        case "message.delta" if not quiet:
            output.write(str(event.get("delta", "")))
        case "message.delta" | "reasoning.delta" if quiet:
            pass
        case name if name not in UNTOLD:
            output.beside(describing.event(event))


def _conclude(ended: Run, output: Output) -> None:
    """What is left to say once the run is over: its output, unless that was seen, and how it ended."""
    if not output.used and ended.get("output") is not None:
        answer = ended["output"]
        output.write(answer if isinstance(answer, str) else describing.document(answer))
    output.end_line()
    if ended["status"] == "completed":
        return
    stderr = (ended.get("exit") or {}).get("stderr_tail") or ""
    for line in stderr.splitlines():
        whisper(f"stderr: {line}")
    if ended.get("error"):
        say(str(ended["error"]))
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
