"""A `command` agent's process: waits for the start, then becomes the program. It reads nothing of what it is sent.

Its end of the link to the warden becomes the program's stdin and stdout, so that it can say nothing to anybody
else, and its stderr is the run's log. Python ends here: what the program is given beside is in `environment`.
"""

import os
import signal
import socket
from collections.abc import Mapping, Sequence
from typing import NoReturn

import msgspec

from . import birth, proxy_variables
from .command_lines import FIRST_BYTES

EXIT_NEVER_BEGAN = 130
_WHERE_AND_WHO = ("HOME", "USER", "LOGNAME")
EXIT_NOT_STARTED = 127  # as a shell says it


def main(link_fd: int, up_fd: int, command: Sequence[str], own_variables: Mapping[str, str]) -> NoReturn:
    """Become the program once the run may begin. Called by the warden in the forked child, which has only stdio
    and the link; blocks until then. A run whose first line is no start never begins: exit code 130.

    A program that can't be started is claimed as a failed start, with the kernel's words.
    """
    with socket.socket(fileno=link_fd) as link:
        begun = link.recv(len(FIRST_BYTES), socket.MSG_PEEK) == FIRST_BYTES
        if not begun:
            os._exit(EXIT_NEVER_BEGAN)
        os.dup2(link_fd, 0)
    os.dup2(up_fd, 1)
    os.close(up_fd)
    forget_dispositions()
    try:
        os.execvpe(command[0], tuple(command), environment(own_variables))
    except (OSError, ValueError) as error:
        os.write(1, start_failed(command[0], error))
        os._exit(EXIT_NOT_STARTED)


def environment(own: Mapping[str, str]) -> dict[str, str]:
    """What the program's environment is: the short list that every process here has, the folder that it may write
    to, who it is and its way to the network, and the agent's own `env`."""
    ours = {
        name: os.environ[name] for name in (*_WHERE_AND_WHO, *proxy_variables.NAMES) if name in os.environ
    }
    return birth.clean_environment(dict(os.environ)) | ours | dict(own)


def forget_dispositions() -> None:
    """Default for every signal: what is ignored stays so through an exec, and Python ignores SIGPIPE."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)


def start_failed(program: str, error: Exception) -> bytes:
    """The claim, as a line. A script is not found, too, if the interpreter in its first line is not."""
    why = f"{error.strerror} (errno {error.errno})" if isinstance(error, OSError) else str(error)
    if isinstance(error, FileNotFoundError) and os.path.exists(program):
        why = f"the interpreter in its first line was not found: {why}"
    return claim_start_failed(f"can't start {program!r}: {why}")


def claim_start_failed(error: str) -> bytes:
    """What a process says to its warden that can't begin, as a line."""
    return msgspec.json.encode({"claim": "start_failed", "error": error}) + b"\n"
