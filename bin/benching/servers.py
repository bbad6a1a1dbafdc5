"""Servers to measure: each a real one, in a state folder of its own, started and ended here."""

import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from ..outcome import CommandError
from .rows import FULL, SUBREAPER, THREADS

START_S = 60.0
END_S = 30.0
SAYS = "listening on http://"
CONFIG = """
[http]
port = 0
[auth]
mode = "none"
[state]
dir = "{folder}/state"
[runs]
max_live = 2000
[agents.bench]
entrypoint = "runward.actors.bench_agents:bench"
limits.pids = 256  # more than the bombs have: it is the kill that is measured
[agents.talker]
entrypoint = "runward.actors.bench_agents:Talker"
"""
COMMANDS = {
    FULL: ("runward", "serve", "--config"),
    SUBREAPER: ("runward", "serve", "--set", "containment.kill=subreaper", "--config"),
    THREADS: ("runward.actors.bench_threads",),
}


class Server:
    """One running server."""

    def __init__(self, kind: str, folder: Path) -> None:
        folder.mkdir()
        config = folder / "runward.toml"
        config.write_text(CONFIG.format(folder=folder))
        module, *words = COMMANDS[kind]
        self.kind = kind
        self._log = folder / "log"  # what it says of each run is not for whoever reads the figures
        log = self._log.open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, *words, str(config)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            env={name: text for name, text in os.environ.items() if not name.startswith("RUNWARD_")},
            start_new_session=True,  # ctrl-C is for us, who then end it
        )
        log.close()
        try:
            self.address = self._listening()
        except BaseException:
            self.close()
            raise

    @property
    def root(self) -> int:
        """Pid of its root process."""
        return self._process.pid

    def close(self) -> None:
        """Have it end, whatever its runs do. Blocks until it is gone."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):  # the second gives runs no grace
            self._process.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(END_S if number == signal.SIGKILL else END_S / 4)
                break
        assert self._process.stdout
        self._process.stdout.close()

    def _listening(self) -> tuple[str, int]:
        """Where it listens, once it says so."""
        assert self._process.stdout
        until = time.monotonic() + START_S
        while True:
            ready, _, _ = select.select([self._process.stdout], [], [], max(until - time.monotonic(), 0))
            line = self._process.stdout.readline().decode() if ready else ""
            if not line:
                said = self._log.read_text(errors="replace")[-2000:]
                raise CommandError(f"the {self.kind} server did not start: {said}", code="bench_failed")
            if SAYS in line:
                host, _, port = line.strip().partition(SAYS)[2].rpartition(":")
                return host, int(port)
