"""The demo's own server: a real `runward serve`, with its state in a folder that is gone afterwards."""

import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from ...actors import server_process
from ...actors.server_process import ServerProcess
from ...http.api_client import Client
from ..outcome import CommandError, ExitCode
from .processes import family, kill_all, left_of

START_S = 20.0
LEAVE_S = 6.0  # more than the two graces below
LEFTOVER_S = 1.0  # the kernel may take a moment to take the last one away
CONFIG = """\
[runs]
builtin_agents = [{builtin}]
interrupt_grace_s = 0.4
terminate_grace_s = 0.4

[agents.count]
description = "counts, one message after another"
entrypoint = "runward.actors.builtin:count"
options = {{ interval_s = 0.2 }}
"""


class Departure(NamedTuple):
    """How the server went."""

    exit_code: int | None  # None: it had to be killed
    left: list[int]  # pids that were still there afterwards


class DemoServer:
    """A server that runs."""

    def __init__(self, process: ServerProcess, folder: Path) -> None:
        self._process = process
        self._folder = folder

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def state_dir(self) -> Path:
        """Where the commands of this user find it, and its key."""
        return self._folder / "state"

    def client(self, wait: Callable[[threading.Event, float], bool]) -> Client:
        """A client of it, once it listens. `wait` may end the wait by raising.

        Raises CommandError, with what the server said, where it does not come up.
        """
        if not wait(self._process.settled, START_S):
            raise CommandError(f"the demo's server did not start within {START_S:.0f} s: {self._words()}")
        if not self._process.url:
            raise self._ended()
        key = self._folder / "state" / "key"
        return Client(self._process.url, key.read_text().strip() if key.exists() else None)

    def leave(self) -> Departure:
        """End it as an operator would, and by force where that is not enough. Blocks 20 s at most."""
        everyone = family(self.pid)
        code = self._interrupted()
        if code is None:
            code = self._interrupted()  # the second time it gives its runs no grace
        if code is None:
            everyone += family(self.pid)
            # Root last: whatever dies before it, it still buries.
            kill_all(process for process in everyone if process.pid != self.pid)
            self._interrupted()
            self._process.signal(signal.SIGKILL)
            self._process.wait()
        left = left_of(everyone, LEFTOVER_S)
        kill_all(everyone)
        return Departure(code, left)

    def _interrupted(self) -> int | None:
        self._process.signal(signal.SIGINT)
        return self._process.wait(LEAVE_S)

    def _ended(self) -> CommandError:
        code = self._process.wait()  # it closed its output, so it is about to be gone
        refused = ExitCode.REFUSED if code == ExitCode.REFUSED else ExitCode.FAILED
        message = f"the demo's server ended with code {code}: {self._words()}"
        return CommandError(message, refused, "server_not_started")

    def _words(self) -> str:
        return self._process.said or "it said nothing"


@contextmanager
def demo_server(agents: Sequence[str]) -> Iterator[tuple[DemoServer, list[Departure]]]:
    """A server with these built-in agents. Leaving the block ends it and removes its folder."""
    gone: list[Departure] = []
    with tempfile.TemporaryDirectory(prefix="runward-demo-") as name:
        server = _start(Path(name), agents)
        try:
            yield server, gone
        finally:
            gone.append(server.leave())


def _start(folder: Path, agents: Sequence[str]) -> DemoServer:
    config = folder / "demo.toml"
    config.write_text(CONFIG.format(builtin=", ".join(f'"{name}"' for name in agents)))
    words = ["--host", "127.0.0.1", "--port", "0", "--auth", "key"]
    words += ["--state", str(folder / "state"), "--config", str(config)]
    # What is temporary goes into the demo's folder.
    environment = server_process.environment() | {"TMPDIR": str(folder)}
    environment.pop("XDG_RUNTIME_DIR", None)
    return DemoServer(ServerProcess(words, environment, str(folder)), folder)
