"""A `runward serve` as a child process of somebody who is no part of the server: an embedding process, the demo."""

import os
import re
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence

LISTENING = re.compile(r"listening on (http://\S+)")
LINES_KEPT = 200
FOR_PEOPLE = ("--set", "log.format=text")  # what it said is shown to them when it fails


class ServerProcess:
    """One server, from its start to its exit code. What it says is read to the end, so that it never waits for us.

    A session of its own: a terminal's ctrl-C, and that of a notebook, is for us, who then end it.
    """

    def __init__(
        self,
        words: Sequence[str],
        environment: Mapping[str, str],
        folder: str | None = None,
        inherited: Sequence[int] = (),
    ) -> None:
        """Start `runward serve WORDS` in this folder, with these descriptors. Raises OSError."""
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "runward", "serve", *FOR_PEOPLE, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=folder,
            env=dict(environment),
            pass_fds=inherited,
            start_new_session=True,
        )
        self.url = ""
        self.settled = threading.Event()  # it listens, or never will
        self._lines: deque[str] = deque(maxlen=LINES_KEPT)
        self._reader = threading.Thread(target=self._read, name=f"runward server {self.pid}", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Of the server's root."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    @property
    def said(self) -> str:
        """The last lines of what it has said on stdout and stderr."""
        return "".join(self._lines).strip()

    def signal(self, number: int) -> None:
        """Send it a signal; nothing if it has ended."""
        self._process.send_signal(number)

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Its exit code; None if it has not ended by then. Afterwards all that it said was read."""
        try:
            code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None
        self._reader.join(timeout_s)
        return code

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stdout:
            for line in stdout:
                self._lines.append(line)
                found = LISTENING.search(line)
                if found and not self.url:
                    self.url = found[1]
                    self.settled.set()
        self.settled.set()


def environment() -> dict[str, str]:
    """Ours, without the settings of another server and without keys."""
    return {name: text for name, text in os.environ.items() if not name.startswith("RUNWARD_")}
