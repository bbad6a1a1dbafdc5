"""How a command ends: its exit code, and how it says no.

The same error reaches a person on stderr and, under `--json`, a program on stdout in the API's own shape.
"""

import json
import sys
from enum import IntEnum
from typing import Any


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


class CommandError(Exception):
    """A command can't go on. The message says what happened and what to do; `code` is a word for programs."""

    def __init__(self, message: str, exit_code: ExitCode = ExitCode.FAILED, code: str = "failed") -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.code = code


def complain(error: CommandError, as_json: bool) -> None:
    """Tell of the error: on stderr for people; with `--json` also as one line on stdout."""
    for line in str(error).splitlines():
        print(f"runward: {line}", file=sys.stderr)
    if as_json:
        print_json(
            {"error": {"message": str(error), "type": "client_error", "code": error.code, "param": None}}
        )


def print_json(document: Any) -> None:
    """One JSON document on one line of stdout, at once: whoever reads at a pipe's other end waits."""
    print(json.dumps(document, ensure_ascii=False), flush=True)
