"""`runward drain`: end a server of this machine without breaking off what it runs."""

import signal
from typing import Annotated

from . import options
from .arguments import Option
from .local_server import LocalServer
from .outcome import ExitCode, print_json
from .terminal import whisper


def drain(
    detach: Annotated[bool, Option("--detach", help="Don't wait until it has ended.")] = False,
    as_json: options.Json = False,
    state: options.State = None,
) -> int:
    """Have the server here take no more runs and end: live ones have runs.drain_s, then they are stopped."""
    with LocalServer(state) as server:
        server.tell(signal.SIGTERM)
        if not detach:
            if not as_json:
                whisper(
                    f"the server (pid {server.pid}) takes no more runs, and ends with those that are live"
                )
            server.await_end()
        if as_json:
            print_json({"pid": server.pid, "ended": not detach})
    return ExitCode.DONE
