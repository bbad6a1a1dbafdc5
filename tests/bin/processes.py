"""`runward` as a real process, on pipes or on a terminal of its own."""

import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

RUNWARD = [sys.executable, "-P", "-m", "runward"]
# A session leader without a terminal gets the first one that it opens, and with it ctrl-C.
ON_TERMINAL = "import os, sys; os.open(os.ttyname(0), os.O_RDWR); os.execv(sys.argv[1], sys.argv[1:])"
DEADLINE_S = 30.0


class Command:
    """A command that runs. `said` is all it has printed so far, on stderr or on its terminal."""

    def __init__(self, process: "subprocess.Popen[bytes]", ear: int) -> None:
        self.process = process
        self.said = ""
        self.ear = ear

    def await_saying(self, words: str) -> None:
        """Return once it has said these words; fail, naming them, where it ends or never does."""
        until = time.monotonic() + DEADLINE_S
        while words not in self.said:
            heard = self._hear(until)
            assert heard, f"never said {words!r}, but: {self.said}"

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def press_ctrl_c(self) -> None:
        """On its terminal, which sends the signal to the whole foreground group."""
        os.write(self.ear, b"\x03")

    def await_end(self) -> int:
        """Its exit code."""
        until = time.monotonic() + DEADLINE_S
        while self._hear(until):
            pass
        return self.process.wait(DEADLINE_S)

    def _hear(self, until: float) -> bool:
        ready, _, _ = select.select([self.ear], [], [], max(until - time.monotonic(), 0))
        assert ready, f"nothing came in {DEADLINE_S} s after: {self.said}"
        try:
            heard = os.read(self.ear, 65536)
        except OSError:  # EIO: the terminal's other end is closed
            heard = b""
        self.said += heard.decode("utf-8", "replace")
        return bool(heard)


@contextmanager
def on_pipes(words: Sequence[str], environment: dict[str, str]) -> Iterator[Command]:
    """The command with stdout and stderr on one pipe, in a group of its own."""
    process = subprocess.Popen(
        [*RUNWARD, *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | environment,
        start_new_session=True,
    )
    with process:
        assert process.stdout
        yield from _until_gone(Command(process, process.stdout.fileno()))


@contextmanager
def on_terminal(
    words: Sequence[str],
    environment: dict[str, str],
    rows: int = 24,
    columns: int = 80,
    program: Sequence[str] = RUNWARD,
) -> Iterator[Command]:
    """The command at a terminal of its own, of this size."""
    path = [shutil.which(program[0]) or program[0], *program[1:]]
    master, slave = os.openpty()
    termios.tcsetwinsize(slave, (rows, columns))
    try:
        with subprocess.Popen(
            [sys.executable, "-P", "-c", ON_TERMINAL, *path, *words],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=os.environ | environment,
            start_new_session=True,
        ) as process:
            os.close(slave)
            yield from _until_gone(Command(process, master))
    finally:
        os.close(master)


def _until_gone(command: Command) -> Iterator[Command]:
    try:
        yield command
    finally:
        if command.process.poll() is None:
            command.process.kill()


def free_port() -> int:
    """A port that nobody listens on: it was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
