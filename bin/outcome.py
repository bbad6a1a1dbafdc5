"""How a command ends: its exit code, and how it says no.

The same error reaches a person on stderr and, under `--json`, a program on stdout in the API's own shape.
"""

import json
import re
import sys
from enum import IntEnum
from typing import Any

from ..http.api_errors import ApiError, ClientError, ServerUnreachable
from .terminal import CONTROL


class ExitCode(IntEnum):
    """What the shell is told."""

    DONE = 0
    FAILED = 1  # the run failed, or the command did
    USAGE = 2
    STOPPED = 3  # the run was stopped
    UNREACHABLE = 4
    REFUSED = 78  # configuration or containment; EX_CONFIG of sysexits.h
    INTERRUPTED = 130  # by ctrl-C, where nothing was left to stop: 128 + SIGINT
    BROKEN_PIPE = 141  # nobody reads what we print: 128 + SIGPIPE


def code_of(status: str) -> ExitCode:
    """What the end of a run with this status means to the shell."""
    return {"completed": ExitCode.DONE, "cancelled": ExitCode.STOPPED}.get(status, ExitCode.FAILED)


class CommandError(Exception):
    """A command can't go on. The message says what happened and what to do.

    `error` is what a program is told: the object that the server gave, or one like it made of `code`, a word.
    """

    def __init__(
        self,
        message: str,
        exit_code: ExitCode = ExitCode.FAILED,
        code: str = "failed",
        error: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.error = error or {"message": message, "type": "client_error", "code": code, "param": None}


def explain(error: ClientError) -> CommandError:
    """What a failed request means to whoever typed the command."""
    match error:
        case ServerUnreachable():
            hint = "start one with `runward serve`, or say where it is with --url or RUNWARD_URL"
            return CommandError(f"{error}; {hint}", ExitCode.UNREACHABLE, "unreachable")
        case ApiError(status=401):
            hint = "give the server's key as RUNWARD_API_KEY, or its state folder with --state"
            return CommandError(f"{error} ({hint})", error=error.error)
        case ApiError(status=400 | 413) | ApiError(code="agent_not_found"):
            return CommandError(str(error), ExitCode.USAGE, error=error.error)
        case ApiError(status=503):
            return CommandError(str(error), ExitCode.UNREACHABLE, error=error.error)
        case ApiError():
            return CommandError(str(error), error=error.error)
    return CommandError(str(error))


def complain(error: CommandError, as_json: bool) -> None:
    """Tell of the error: on stderr for people; with `--json` also as one line on stdout."""
    for line in str(error).splitlines():
        print(f"runward: {line}", file=sys.stderr)
    if as_json:
        print_json({"error": error.error})


def print_json(document: Any) -> None:
    """One JSON document on one line of stdout, at once: whoever reads at a pipe's other end waits.

    What a terminal would obey and JSON leaves as it is (U+009B begins a sequence as ESC [ does) is escaped.
    """
    text = json.dumps(document, ensure_ascii=False)
    if not text.isascii():
        text = re.sub(CONTROL, lambda found: f"\\u{ord(found[0]):04x}", text)
    print(text, flush=True)
