"""`runward restart`: a server of this machine goes on with the code and the settings of now, and its runs with it."""

import signal
import time

from ..http import api_address
from . import options
from .local_server import LocalServer
from .outcome import CommandError, ExitCode
from .terminal import whisper

PATIENCE_S = 90.0  # a rehearsal, a supervisor and the facades, each in the time that it has at the most
LOOK_S = 0.05


def restart(state: options.State = None) -> int:
    """Have the server here go on with the code and the settings of now. Its runs live on, and nobody is refused."""
    with LocalServer(state) as server:
        before, _ = api_address.noted_restarts(server.folder)
        server.tell(signal.SIGUSR2)
        give_up = time.monotonic() + PATIENCE_S
        while (restarts := api_address.noted_restarts(server.folder))[0] == before:
            if server.has_ended(LOOK_S):
                raise CommandError(f"the server (pid {server.pid}) has ended; see its log")
            if time.monotonic() > give_up:
                raise CommandError(f"the server (pid {server.pid}) does not say what came of it; see its log")
        if restarts[1] is not None:
            message = f"not restarted, and all goes on as it was: {restarts[1]}"
            raise CommandError(message, ExitCode.REFUSED, "refused")
        whisper(f"the server (pid {server.pid}) goes on with the code and the settings of now")
    return ExitCode.DONE
