"""The list of commands, and the parser made of them.

Each command is a function that returns an exit code. Only the module of the command that was asked for is
imported, so that `serve` doesn't carry the client and `ps` doesn't carry the configuration.
"""

import functools
import io
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Annotated, Any

import typer

from .. import __version__
from ..http.api_errors import ClientError
from .outcome import CommandError, ExitCode, complain, explain

Command = Callable[..., int]

#: Name of each command, in the order of `--help`, and the module that has a function of that name.
MODULES = {
    "serve": "serve",
    "run": "run",
    "ps": "ps",
    "events": "events",
    "stop": "stop",
    "kill": "stop",
    "drain": "drain",
    "restart": "restart",
    "doctor": "doctor",
    "demo": "demo.command",
    "bench": "bench",
}


def parser(words: Sequence[str]) -> typer.Typer:
    """The parser of this command line. It ends by SystemExit, whatever happens.

    It knows the one command that is asked for; all of them where none is named (`--help`, a misspelt one).
    """
    app = typer.Typer(
        help="Runs AI agents that may crash, hang or misbehave, each in its own confined process.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(_options)
    asked = next((word for word in words if not word.startswith("-")), "")
    for name in [asked] if asked in MODULES else MODULES:
        if _exists(MODULES[name]):
            app.command(name)(_ending(_load(name)))
    return app


def _options(
    version: Annotated[bool, typer.Option("--version", "-V", help="Print the version and exit.")] = False,
) -> None:
    if version:
        print(f"runward {__version__}")
        raise typer.Exit


def _exists(module: str) -> bool:
    return find_spec(f".{module}", __package__) is not None


def _load(name: str) -> Command:
    command: Command = getattr(import_module(f".{MODULES[name]}", __package__), name)
    return command


def _ending(command: Command) -> Callable[..., None]:
    """The command as the parser calls it: it ends the process, and every way to fail has a code."""

    @functools.wraps(command)
    def ending(**options: Any) -> None:
        raise SystemExit(int(_outcome(command, options)))

    ending.__annotations__ = command.__annotations__ | {"return": None}
    return ending


def _outcome(command: Command, options: dict[str, Any]) -> int:
    # An agent may say what the terminal's encoding can't.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        return command(**options)
    except (CommandError, ClientError) as error:
        refusal = explain(error) if isinstance(error, ClientError) else error
        complain(refusal, as_json=bool(options.get("as_json")))
        return refusal.exit_code
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # The interpreter would try once more to flush at exit, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.BROKEN_PIPE
